//! `GET /v1/cdrs`: records of calls that ended, as pages or as a file. A customer sees its own, without those
//! who carried them.

use std::net::SocketAddr;
use std::sync::Arc;

use actors::sip::live_list::Names;
use actors::sip::snapshot::Snapshot;
use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::log::{self, CallDirection, Cdr, CdrFilter};
use runtime::model::Money;
use runtime::store::Error as StoreError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, Kind, Param};
use crate::records::{self, CUSTOMER, Csv, FORMAT, LIMIT, List, UNTIL, prefix};
use crate::reply::{Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/cdrs", Access::May(Permission::CallsRead, Reach::Own), list)
        .says("Records of calls that ended, the newest first")
        .asks(&[
            CUSTOMER,
            TRUNK,
            VENDOR,
            STATUS_CLASS,
            CALLER,
            CALLEE,
            SINCE,
            UNTIL,
            FORMAT,
            LIMIT,
            CURSOR_ID,
        ])
        .gives::<Page<CallRecord>>(200)
        .or_as(&[("text/csv", CSV_EXAMPLE), ("application/x-ndjson", NDJSON_EXAMPLE)])];

const TRUNK: Param = Param::new("trunk", Kind::Id, "Only calls of this trunk");
const VENDOR: Param =
    Param::new("vendor", Kind::Id, "Only calls that this vendor had last; for the platform's own people");
const STATUS_CLASS: Param = Param::new(
    "status_class",
    Kind::Words(&["2", "3", "4", "5", "6"]),
    "Only calls whose final status begins with this digit",
);
const CALLER: Param =
    Param::new("caller", Kind::Text(40), "Only calls from numbers that begin so, with or without a plus");
const CALLEE: Param =
    Param::new("callee", Kind::Text(40), "Only calls to numbers that begin so, with or without a plus");
const SINCE: Param = Param::new(
    "since",
    Kind::Time,
    "Only calls that began at this time or later: where few are asked for, it bounds how many are looked at",
);

const CSV_EXAMPLE: &str = "id,customer_id,trunk_id,trunk,direction,status\r\n";
const NDJSON_EXAMPLE: &str = "{\"id\":\"0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11\",\"status\":200}\n";

/// Columns of CSV that everybody gets.
const TITLES: [&str; 31] = [
    "id",
    "customer_id",
    "trunk_id",
    "trunk",
    "direction",
    "source",
    "call_id",
    "caller",
    "callee",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "pdd_us",
    "duration_ms",
    "billed_seconds",
    "status",
    "reason",
    "ended_by",
    "q850_cause",
    "verstat",
    "attestation_received",
    "attestation_signed",
    "caller_packets",
    "caller_lost",
    "caller_jitter_ms",
    "caller_mos_tenths",
    "callee_packets",
    "callee_lost",
    "callee_jitter_ms",
    "callee_mos_tenths",
];
/// Columns behind these, of [`CallRouting`].
const ROUTING_TITLES: [&str; 9] = [
    "node",
    "vendor_id",
    "vendor",
    "callee_sent",
    "prefix",
    "rate",
    "retransmissions",
    "recovered",
    "media_node",
];

/// A call that ended.
#[derive(Serialize, ToSchema)]
struct CallRecord {
    /// Its number, in the order of time.
    id: Uuid,
    /// Whose call it is.
    customer_id: Uuid,
    /// The customer's trunk.
    trunk_id: Uuid,
    /// Name of the trunk; its id when it is there no more.
    #[schema(example = "acme-east")]
    trunk: String,
    /// `outbound`: from the customer; `inbound`: to the customer.
    #[schema(example = "outbound")]
    direction: &'static str,
    /// Where the INVITE came from; null where that was a vendor, for who does not belong to the platform.
    #[schema(value_type = Option<String>, example = "203.0.113.1:5060")]
    source: Option<SocketAddr>,
    /// Call-ID of the caller's side.
    #[schema(value_type = String, example = "a84b4c76e66710@203.0.113.1")]
    call_id: Arc<str>,
    /// Who called, as received.
    #[schema(value_type = String, example = "+15550001111")]
    caller: Arc<str>,
    /// Who was called, as received.
    #[schema(value_type = String, example = "+15550002222")]
    callee: Arc<str>,
    /// When the INVITE came.
    started_at: Timestamp,
    /// When it rang first.
    ringing_at: Option<Timestamp>,
    /// When it was answered.
    answered_at: Option<Timestamp>,
    /// When it ended.
    ended_at: Timestamp,
    /// Post-dial delay in microseconds: from the INVITE to the first 180, 183 or 200.
    #[schema(example = 1_200_000)]
    pdd_us: Option<u64>,
    /// From the answer to the end, in milliseconds.
    #[schema(example = 61_001)]
    duration_ms: u64,
    /// The duration in seconds, rounded up.
    #[schema(example = 62)]
    billed_seconds: u32,
    /// Final SIP status towards the caller.
    #[schema(example = 200)]
    status: u16,
    /// Why it ended.
    #[schema(example = "answered")]
    reason: &'static str,
    /// `caller`, `callee` or `system`.
    #[schema(example = "caller")]
    ended_by: &'static str,
    /// Cause of Q.850 in the Reason of the final response or the BYE (RFC 3326).
    #[schema(example = 16)]
    q850_cause: Option<u8>,
    /// `TN-Validation-Passed`, `TN-Validation-Failed` or `No-TN-Validation`: what came of checking the Identity that it
    /// came with (RFC 8224); null where that was not asked for.
    #[schema(example = "TN-Validation-Passed")]
    verstat: Option<&'static str>,
    /// A, B or C: what its signer said of the caller (RFC 8588), where that was right.
    #[schema(example = "A")]
    attestation_received: Option<&'static str>,
    /// A, B or C: what was said of the caller when it was signed for the vendor that had it last.
    #[schema(example = "A")]
    attestation_signed: Option<&'static str>,
    /// What its media node counted; null where none carried it while it was up.
    media: Option<CallMedia>,
    /// Who carried it; told to the platform's own people alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<CallRouting>,
}

/// What the media node of a call counted.
#[derive(Serialize, ToSchema)]
struct CallMedia {
    /// Of what the caller sent.
    caller: MediaSent,
    /// Of what the callee sent.
    callee: MediaSent,
}

/// What one side of a call sent. Each is null where the media node has not told it when the record was written; all but
/// the packets are what the other side reported by RTCP.
#[derive(Serialize, ToSchema)]
pub(super) struct MediaSent {
    /// RTP packets that came from it.
    #[schema(example = 3_050)]
    packets: Option<u64>,
    /// Packets that were lost on their way to the other side.
    #[schema(example = 7)]
    lost: Option<u64>,
    /// Mean jitter, in milliseconds.
    #[schema(example = 3)]
    jitter_ms: Option<u32>,
    /// Mean opinion score in tenths: 43 is 4.3.
    #[schema(example = 43)]
    mos_tenths: Option<u8>,
}

impl From<log::MediaSent> for MediaSent {
    fn from(sent: log::MediaSent) -> Self {
        let log::MediaSent { packets, lost, jitter_ms, mos_tenths } = sent;
        Self { packets, lost, jitter_ms, mos_tenths }
    }
}

/// Who carried a call.
#[derive(Serialize, ToSchema)]
struct CallRouting {
    /// The node that served it.
    #[schema(example = 0)]
    node: u16,
    /// The vendor that had it last.
    vendor_id: Option<Uuid>,
    /// Name of that vendor; its id when it is there no more.
    #[schema(example = "pacific")]
    vendor: Option<String>,
    /// The callee as sent to that vendor; empty when none was tried.
    #[schema(value_type = String, example = "9001#15550002222")]
    callee_sent: Arc<str>,
    /// The prefix that chose that vendor; empty when none was chosen.
    #[schema(value_type = String, example = "1")]
    prefix: Arc<str>,
    /// The vendor's rate, per minute.
    rate: Money,
    /// Requests and final responses that came again, where they were counted to the end.
    #[schema(example = 0)]
    retransmissions: Option<u32>,
    /// Closed by another process than the one that answered it.
    #[schema(example = false)]
    recovered: bool,
    /// Number of the media node that carried it while it was up.
    #[schema(example = 1)]
    media_node: Option<u8>,
}

/// Those that a request asks for.
struct Calls {
    api: Arc<Api>,
    filter: CdrFilter,
    /// For the platform's own people.
    operator: bool,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (filter, operator) = (filter(&api, &request)?, request.principal.operator);
        let calls = Calls { api: Arc::clone(&api), filter, operator };
        records::answer(&api, &request, calls, request.query.id(CURSOR_ID.name)).await
    })
}

fn filter(api: &Api, request: &Request) -> Result<CdrFilter, Problem> {
    let query = &request.query;
    let vendor = query.id(VENDOR.name);
    if vendor.is_some() && !request.principal.operator {
        return Err(Problem::new(Code::Forbidden, "vendor is for the platform's own people"));
    }
    Ok(CdrFilter {
        customer: records::customer(api, request)?,
        trunk: query.id(TRUNK.name),
        vendor,
        status_class: query.get(STATUS_CLASS.name).and_then(|class| class.parse().ok()),
        caller_prefix: prefix(request, CALLER.name),
        callee_prefix: prefix(request, CALLEE.name),
        since: query.time(SINCE.name),
        until: query.time(UNTIL.name),
    })
}

impl List for Calls {
    type Row = CallRecord;
    type Key = Uuid;

    const NAME: &'static str = "cdrs";

    fn page(&self, before: Option<Uuid>, limit: u32) -> BoxFuture<'_, Result<Vec<CallRecord>, StoreError>> {
        Box::pin(async move {
            let cdrs = self.api.smpp.log.recent_cdrs_by(&self.filter, limit, before).await?;
            // A node without voice knows nobody's name.
            let calls = self.api.calls.as_ref();
            let snapshot = calls.map_or_else(Arc::<Snapshot>::default, |calls| calls.snapshot.load_full());
            let names = Names::of(&snapshot);
            Ok(cdrs.into_iter().map(|cdr| record(cdr, &names, self.operator)).collect())
        })
    }

    fn key(row: &CallRecord) -> Uuid {
        row.id
    }

    fn titles(&self) -> Vec<&'static str> {
        let routing: &[&str] = if self.operator { &ROUTING_TITLES } else { &[] };
        TITLES.iter().chain(routing).copied().collect()
    }

    fn cells(row: &CallRecord, csv: &mut Csv) {
        csv.cell(row.id);
        csv.cell(row.customer_id);
        csv.cell(row.trunk_id);
        csv.cell(&row.trunk);
        csv.cell(row.direction);
        csv.maybe(row.source);
        csv.cell(&row.call_id);
        csv.cell(&row.caller);
        csv.cell(&row.callee);
        csv.cell(row.started_at);
        csv.maybe(row.ringing_at);
        csv.maybe(row.answered_at);
        csv.cell(row.ended_at);
        csv.maybe(row.pdd_us);
        csv.cell(row.duration_ms);
        csv.cell(row.billed_seconds);
        csv.cell(row.status);
        csv.cell(row.reason);
        csv.cell(row.ended_by);
        csv.maybe(row.q850_cause);
        csv.maybe(row.verstat);
        csv.maybe(row.attestation_received);
        csv.maybe(row.attestation_signed);
        let media = row.media.as_ref();
        for sent in [media.map(|media| &media.caller), media.map(|media| &media.callee)] {
            csv.maybe(sent.and_then(|sent| sent.packets));
            csv.maybe(sent.and_then(|sent| sent.lost));
            csv.maybe(sent.and_then(|sent| sent.jitter_ms));
            csv.maybe(sent.and_then(|sent| sent.mos_tenths));
        }
        if let Some(routing) = &row.routing {
            csv.cell(routing.node);
            csv.maybe(routing.vendor_id);
            csv.maybe(routing.vendor.as_deref());
            csv.cell(&routing.callee_sent);
            csv.cell(&routing.prefix);
            csv.cell(routing.rate);
            csv.maybe(routing.retransmissions);
            csv.cell(routing.recovered);
            csv.maybe(routing.media_node);
        }
    }
}

/// A call as it is shown; with those who carried it only where the platform's own people ask.
fn record(cdr: Cdr, names: &Names<'_>, operator: bool) -> CallRecord {
    let routing = operator.then(|| CallRouting {
        node: cdr.node,
        vendor_id: cdr.vendor,
        vendor: cdr.vendor.map(|vendor| names.vendor(vendor)),
        callee_sent: cdr.callee_sent,
        prefix: cdr.prefix,
        rate: cdr.rate,
        retransmissions: cdr.retransmissions,
        recovered: cdr.recovered,
        media_node: cdr.media.map(|media| media.node),
    });
    let of_sides =
        |media: log::CallMedia| CallMedia { caller: media.caller.into(), callee: media.callee.into() };
    CallRecord {
        id: cdr.id,
        customer_id: cdr.customer,
        trunk_id: cdr.trunk,
        trunk: names.trunk(cdr.trunk),
        direction: cdr.direction.as_str(),
        // Of a call to a customer it is the vendor's gateway.
        source: (operator || cdr.direction == CallDirection::Outbound).then_some(cdr.source),
        call_id: cdr.call_id,
        caller: cdr.caller,
        callee: cdr.callee,
        started_at: cdr.started_at,
        ringing_at: cdr.ringing_at,
        answered_at: cdr.answered_at,
        ended_at: cdr.ended_at,
        pdd_us: cdr.pdd_us,
        duration_ms: cdr.duration_ms,
        billed_seconds: cdr.billed_seconds,
        status: cdr.status,
        reason: cdr.reason.as_str(),
        ended_by: cdr.ended_by.as_str(),
        q850_cause: cdr.q850_cause,
        verstat: cdr.identity.verstat.map(log::Verstat::as_str),
        attestation_received: cdr.identity.received.map(log::Attested::as_str),
        attestation_signed: cdr.identity.signed.map(log::Attested::as_str),
        media: cdr.media.map(of_sides),
        routing,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::PartialSchema as _;

    use super::*;

    /// The names of a form's fields.
    fn fields(schema: impl Serialize) -> BTreeSet<String> {
        let schema = serde_json::to_value(schema).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    fn columns(titles: &[&str]) -> BTreeSet<String> {
        titles.iter().map(|title| (*title).to_owned()).collect()
    }

    #[test]
    fn csv_has_a_column_for_every_field() {
        let mut own = fields(CallRecord::schema());
        assert!(own.remove("routing") && own.remove("media"));
        let sent = fields(MediaSent::schema());
        for side in fields(CallMedia::schema()) {
            own.extend(sent.iter().map(|figure| format!("{side}_{figure}")));
        }
        assert_eq!(own, columns(&TITLES));
        assert_eq!(fields(CallRouting::schema()), columns(&ROUTING_TITLES));
    }
}
