//! `GET /v1/cdrs/recent`: records of calls that ended, with the vendors that were tried.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use actors::sip::live_list::Names;
use actors::sip::snapshot::Snapshot;
use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::log::{Attempt, Attested, CallDirection, Cdr, MessageLog, Verstat};
use runtime::store::Error;
use runtime::telemetry::redact;
use serde::Serialize;
use uuid::Uuid;
use warp::http::Method;

use super::call_records::MediaSent;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{FORMAT, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(
    Method::GET,
    "/v1/cdrs/recent",
    Access::May(Permission::CallsRead, Reach::Platform),
    recent,
)
.says("Records of calls that ended")
.asks(&[LIMIT, Param::new("before", Kind::Id, "The call that the page begins before"), FORMAT])
.like(200, RECORDS)];

/// What a page looks like.
const RECORDS: &str = r#"{"cdrs":[{"id":"0198c9a0-5b7e-7c3a-9d5e-3f0b6a0f1c11","node":0,
    "customer_id":"0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11","trunk":"acme-east","vendor":"pacific","direction":"outbound",
    "source":"203.0.113.1:5060","call_id":"a@203.0.113.1","caller":"+15550001111","callee":"+15550002222",
    "callee_sent":"9001#15550002222","started_at":"2026-01-02T03:04:05.000006Z",
    "ringing_at":"2026-01-02T03:04:06.000006Z","answered_at":"2026-01-02T03:04:09.000006Z",
    "ended_at":"2026-01-02T03:05:10.000006Z","pdd_us":1200000,"duration_ms":61001,"billed_seconds":62,"status":200,
    "reason":"answered","ended_by":"caller","prefix":"1","rate":"0.0051","retransmissions":0,"q850_cause":16,
    "recovered":false,"verstat":null,"attestation_received":null,"attestation_signed":"A","media":{"node":1,
    "caller":{"packets":3050,"lost":7,"jitter_ms":3,"mos_tenths":43},
    "callee":{"packets":3048,"lost":0,"jitter_ms":2,"mos_tenths":44}},
    "attempts":[{"number":1,"vendor":"pacific","gateway":"198.51.100.5:5061",
    "started_at":"2026-01-02T03:04:05.000006Z","ended_at":"2026-01-02T03:04:09.000006Z","pdd_us":900000,"status":200,
    "reason":"answered"}]}],"next":null}"#;

/// The attempts of each are read by themselves.
const LIMIT: Param = Param::new("limit", Kind::Number { most: 500, otherwise: 50 }, "Entries of one page");

/// Body of the answer.
#[derive(Serialize)]
struct Page {
    /// The newest first.
    cdrs: Vec<Record>,
    /// Where the next page goes on; none on the last.
    next: Option<Uuid>,
    /// Whether it begins with the last call.
    #[serde(skip)]
    is_first: bool,
}

/// A call that ended.
#[derive(Serialize)]
struct Record {
    id: Uuid,
    node: u16,
    customer_id: Uuid,
    trunk: String,
    vendor: Option<String>,
    direction: &'static str,
    source: SocketAddr,
    call_id: Arc<str>,
    caller: Arc<str>,
    callee: Arc<str>,
    callee_sent: Arc<str>,
    started_at: Timestamp,
    ringing_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    ended_at: Timestamp,
    pdd_us: Option<u64>,
    duration_ms: u64,
    billed_seconds: u32,
    status: u16,
    reason: &'static str,
    ended_by: &'static str,
    prefix: Arc<str>,
    rate: String,
    retransmissions: Option<u32>,
    q850_cause: Option<u8>,
    recovered: bool,
    verstat: Option<&'static str>,
    attestation_received: Option<&'static str>,
    attestation_signed: Option<&'static str>,
    media: Option<Media>,
    attempts: Vec<Tried>,
}

/// What its media node counted.
#[derive(Serialize)]
struct Media {
    node: u8,
    caller: MediaSent,
    callee: MediaSent,
}

/// A vendor that was tried.
#[derive(Serialize)]
struct Tried {
    number: u16,
    vendor: String,
    gateway: Arc<str>,
    started_at: Timestamp,
    ended_at: Timestamp,
    pdd_us: Option<u64>,
    status: Option<u16>,
    reason: &'static str,
}

/// Those that began before the call `before`.
fn recent(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let before = request.query.id("before");
        let as_text = request.wants_text();
        let rows = rows(&api.smpp.log, limit, before).await;
        let rows = rows.map_err(|error| Problem::new(Code::StoreUnavailable, error.to_string()))?;
        let next = rows.last().filter(|_| u32::try_from(rows.len()) == Ok(limit)).map(|(cdr, _)| cdr.id);
        // A node without voice knows nobody's name.
        let snapshot =
            api.calls.as_ref().map_or_else(Arc::<Snapshot>::default, |calls| calls.snapshot.load_full());
        let names = Names::of(&snapshot);
        let cdrs = rows.into_iter().map(|row| record(row, &names)).collect();
        let page = Page { cdrs, next, is_first: before.is_none() };
        if as_text { reply::text(page.to_string()) } else { reply::json(&page) }
    })
}

async fn rows(log: &MessageLog, limit: u32, before: Option<Uuid>) -> Result<Vec<(Cdr, Vec<Attempt>)>, Error> {
    let mut rows = Vec::new();
    for cdr in log.recent_cdrs(limit, before).await? {
        let attempts = if cdr.attempts == 0 { Vec::new() } else { log.attempts(cdr.id).await? };
        rows.push((cdr, attempts));
    }
    Ok(rows)
}

fn record((cdr, attempts): (Cdr, Vec<Attempt>), names: &Names<'_>) -> Record {
    let tried = |attempt: Attempt| Tried {
        number: attempt.number,
        vendor: names.vendor(attempt.vendor),
        gateway: attempt.gateway,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        pdd_us: attempt.pdd_us,
        status: attempt.status,
        reason: attempt.reason.as_str(),
    };
    let media = cdr.media.map(|media| Media {
        node: media.node,
        caller: media.caller.into(),
        callee: media.callee.into(),
    });
    Record {
        id: cdr.id,
        node: cdr.node,
        customer_id: cdr.customer,
        trunk: names.trunk(cdr.trunk),
        vendor: cdr.vendor.map(|vendor| names.vendor(vendor)),
        direction: cdr.direction.as_str(),
        source: cdr.source,
        call_id: cdr.call_id,
        caller: cdr.caller,
        callee: cdr.callee,
        callee_sent: cdr.callee_sent,
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
        prefix: cdr.prefix,
        rate: cdr.rate.to_string(),
        retransmissions: cdr.retransmissions,
        q850_cause: cdr.q850_cause,
        recovered: cdr.recovered,
        verstat: cdr.identity.verstat.map(Verstat::as_str),
        attestation_received: cdr.identity.received.map(Attested::as_str),
        attestation_signed: cdr.identity.signed.map(Attested::as_str),
        media,
        attempts: attempts.into_iter().map(tried).collect(),
    }
}

impl Record {
    /// Whose gateways were tried: the vendor of a call to a number of ours is who called.
    fn called<'a>(&'a self, tried: &'a Tried) -> &'a str {
        if self.direction == CallDirection::Inbound.as_str() { &self.trunk } else { &tried.vendor }
    }
}

/// For a terminal, over whose owner's shoulder somebody may look: numbers are masked, the JSON has them whole.
impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.cdrs {
            let (caller, callee) = (redact::Number(&one.caller), redact::Number(&one.callee));
            writeln!(
                f,
                "{} {} {} {caller} -> {callee}: {} {}, ended by {}, {} s billed, rate {}",
                one.id,
                one.started_at,
                one.trunk,
                one.status,
                one.reason,
                one.ended_by,
                one.billed_seconds,
                one.rate,
            )?;
            for tried in &one.attempts {
                let status = tried.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
                let pdd = tried.pdd_us.map_or_else(|| "-".to_owned(), |us| format!("{} ms", us / 1000));
                let Tried { number, gateway, reason, .. } = tried;
                let called = one.called(tried);
                writeln!(f, "  {number}. {called} at {gateway}: {status} {reason}, pdd {pdd}")?;
            }
        }
        match self.next {
            // Whether the page ends with the oldest is not known.
            Some(next) => writeln!(f, "a full page, --before {next} goes on"),
            None if self.cdrs.is_empty() && self.is_first => writeln!(f, "no calls"),
            None => writeln!(f, "no more"),
        }
    }
}
