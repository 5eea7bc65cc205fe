//! `GET /v1/mdrs`: records of messages, as pages or as a file. A customer sees its own, without those who
//! carried them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::log::{Direction, MdrFilter, MessageRow, State};
use runtime::model::{MessageId, MessageIdFormat};
use runtime::store::Error as StoreError;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, Param};
use crate::records::{self, CUSTOMER, Csv, FORMAT, LIMIT, List, UNTIL, prefix};
use crate::reply::{Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/mdrs", Access::May(Permission::MessagesRead, Reach::Own), list)
        .says("Records of messages, the newest first")
        .asks(&[
            CUSTOMER,
            ACCOUNT,
            VENDOR,
            DIRECTION,
            STATE,
            FINAL,
            SOURCE,
            DESTINATION,
            SINCE,
            UNTIL,
            FORMAT,
            LIMIT,
            CURSOR,
        ])
        .gives::<Page<MessageRecord>>(200)
        .or_as(&[("text/csv", CSV_EXAMPLE), ("application/x-ndjson", NDJSON_EXAMPLE)])];

const ACCOUNT: Param = Param::new("account", Kind::Id, "Only messages from or to this ESME account");
const VENDOR: Param = Param::new(
    "vendor",
    Kind::Id,
    "Only messages that this vendor has, had last, or has in its queue; for the platform's own people",
);
const DIRECTION: Param = Param::new(
    "direction",
    Kind::Words(&["mt", "mo"]),
    "Only messages from customers (mt), or only those to them (mo)",
);
const STATE: Param = Param::new(
    "state",
    Kind::Words(&[
        "scheduled",
        "queued",
        "submitted",
        "uncertain",
        "enroute",
        "split",
        "delivered",
        "expired",
        "deleted",
        "undeliverable",
        "accepted",
        "unknown",
        "rejected",
    ]),
    "Only messages in this state",
);
const FINAL: Param = Param::new("final", Kind::Flag, "Only messages to which nothing more will happen");
const SOURCE: Param = Param::new(
    "source",
    Kind::Text(40),
    "Only messages from addresses that begin so, with or without a plus",
);
const DESTINATION: Param = Param::new(
    "destination",
    Kind::Text(40),
    "Only messages to addresses that begin so, with or without a plus",
);
const SINCE: Param = Param::new(
    "since",
    Kind::Time,
    "Only messages that were accepted at this time or later; without it a week before `until`, or now. \
     All that were accepted since are looked at until a page is full: choose it late where few are asked for",
);

const CSV_EXAMPLE: &str = "id,customer_id,account_id,direction,from,to,state\r\n";
const NDJSON_EXAMPLE: &str = "{\"id\":\"0d4c31f3c2400000\",\"state\":\"delivered\"}\n";

/// How far back a list goes that has no `since`. No index leads to the messages of a customer.
const WINDOW: Duration = Duration::from_secs(7 * 86_400);

/// Columns of CSV that everybody gets.
const TITLES: [&str; 15] = [
    "id",
    "answered_as",
    "customer_id",
    "account_id",
    "direction",
    "from",
    "to",
    "state",
    "segments",
    "priority",
    "accepted_at",
    "submitted_at",
    "done_at",
    "command_status",
    "error",
];
/// Columns behind these, of [`MessageRouting`].
const ROUTING_TITLES: [&str; 5] = ["vendor_id", "vendor", "route_id", "vendor_message_id", "attempts"];

/// A message.
#[derive(Serialize, ToSchema)]
struct MessageRecord {
    /// Its message_id in hexadecimal form, in the order of time.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "0d4c31f3c2400000")]
    id: MessageId,
    /// The message_id that its submit_multi was answered with, where that is another message's.
    #[schema(example = "0d4c31f3c23ff000")]
    answered_as: Option<String>,
    /// Whose message it is.
    customer_id: Uuid,
    /// The ESME account that it came from, or goes to.
    account_id: Uuid,
    /// `mt`: from the customer; `mo`: to the customer.
    #[schema(example = "mt")]
    direction: &'static str,
    /// Source address.
    #[schema(value_type = String, example = "WARP")]
    from: Arc<str>,
    /// Destination address.
    #[schema(value_type = String, example = "15550001111")]
    to: Arc<str>,
    /// What it waits for, or how it ended.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Segments that it counts for.
    #[schema(example = 1)]
    segments: u8,
    /// priority_flag: its lane, 0 to 3.
    #[schema(example = 1)]
    priority: u8,
    /// When it was accepted from its sender.
    accepted_at: Timestamp,
    /// When it was accepted by whom it goes to.
    submitted_at: Option<Timestamp>,
    /// When it came to its final state.
    done_at: Option<Timestamp>,
    /// The last command_status of who was to take it.
    #[schema(example = 0)]
    command_status: Option<u32>,
    /// The error of its receipt, or why it was ended without one.
    #[schema(value_type = Option<String>, example = "000")]
    error: Option<Arc<str>>,
    /// Who carried it; told to the platform's own people alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<MessageRouting>,
}

/// Who carried a message.
#[derive(Serialize, ToSchema)]
struct MessageRouting {
    /// The vendor that has it, had it last, or in whose queue it stands.
    vendor_id: Option<Uuid>,
    /// Name of that vendor, while there is one.
    #[schema(example = "sinch-atlanta")]
    vendor: Option<String>,
    /// The route that chose that vendor.
    route_id: Option<Uuid>,
    /// The vendor's message_id, as received.
    #[schema(value_type = Option<String>, example = "7f3a9c")]
    vendor_message_id: Option<Arc<str>>,
    /// Attempts whose octets may have left.
    #[schema(example = 1)]
    attempts: u16,
}

/// Those that a request asks for.
struct Messages {
    api: Arc<Api>,
    filter: MdrFilter,
    /// For the platform's own people.
    operator: bool,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let cursor = request.query.get(CURSOR.name).map(|text| {
            let wrong = || Problem::new(Code::Invalid, "cursor is no `next` of a page before");
            MessageId::parse(text.as_bytes(), MessageIdFormat::Hex).ok_or_else(wrong)
        });
        let (behind, filter) = (cursor.transpose()?, filter(&api, &request)?);
        let operator = request.principal.operator;
        let messages = Messages { api: Arc::clone(&api), filter, operator };
        records::answer(&api, &request, messages, behind).await
    })
}

fn filter(api: &Api, request: &Request) -> Result<MdrFilter, Problem> {
    let query = &request.query;
    let vendor = query.id(VENDOR.name);
    if vendor.is_some() && !request.principal.operator {
        return Err(Problem::new(Code::Forbidden, "vendor is for the platform's own people"));
    }
    let until = query.time(UNTIL.name);
    let since = query.time(SINCE.name);
    let since = since.unwrap_or_else(|| until.unwrap_or_else(|| api.clock.now()).minus(WINDOW));
    let state = |name: &str| State::ALL.into_iter().find(|state| state.name() == name);
    let direction = |name: &str| [Direction::Mt, Direction::Mo].into_iter().find(|way| word(*way) == name);
    Ok(MdrFilter {
        customer: records::customer(api, request)?,
        account: query.id(ACCOUNT.name),
        vendor,
        direction: query.get(DIRECTION.name).and_then(direction),
        state: query.get(STATE.name).and_then(state),
        is_final: query.flag(FINAL.name),
        source_prefix: prefix(request, SOURCE.name),
        destination_prefix: prefix(request, DESTINATION.name),
        since: Some(since),
        until,
    })
}

const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Mt => "mt",
        Direction::Mo => "mo",
    }
}

fn as_text<S: Serializer>(id: &MessageId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl List for Messages {
    type Row = MessageRecord;
    type Key = MessageId;

    const NAME: &'static str = "mdrs";

    fn page(
        &self,
        before: Option<MessageId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<MessageRecord>, StoreError>> {
        Box::pin(async move {
            let before = before.map(|MessageId(id)| id);
            let rows = self.api.smpp.log.recent_mdrs(&self.filter, limit, before).await?;
            Ok(rows.into_iter().map(|row| self.record(row)).collect())
        })
    }

    fn key(row: &MessageRecord) -> MessageId {
        row.id
    }

    fn titles(&self) -> Vec<&'static str> {
        let routing: &[&str] = if self.operator { &ROUTING_TITLES } else { &[] };
        TITLES.iter().chain(routing).copied().collect()
    }

    fn cells(row: &MessageRecord, csv: &mut Csv) {
        csv.cell(row.id);
        csv.maybe(row.answered_as.as_deref());
        csv.cell(row.customer_id);
        csv.cell(row.account_id);
        csv.cell(row.direction);
        csv.cell(&row.from);
        csv.cell(&row.to);
        csv.cell(row.state);
        csv.cell(row.segments);
        csv.cell(row.priority);
        csv.cell(row.accepted_at);
        csv.maybe(row.submitted_at);
        csv.maybe(row.done_at);
        csv.maybe(row.command_status);
        csv.maybe(row.error.as_deref());
        if let Some(routing) = &row.routing {
            csv.maybe(routing.vendor_id);
            csv.maybe(routing.vendor.as_deref());
            csv.maybe(routing.route_id);
            csv.maybe(routing.vendor_message_id.as_deref());
            csv.cell(routing.attempts);
        }
    }
}

impl Messages {
    /// A message as it is shown; with those who carried it only where the platform's own people ask.
    fn record(&self, row: MessageRow) -> MessageRecord {
        let progress = row.progress;
        let vendor = |id: Uuid| {
            let vendor = self.api.smpp.vendor(id)?;
            Some(vendor.config.load().instance_name.clone())
        };
        let routing = self.operator.then(|| MessageRouting {
            vendor_id: progress.vendor,
            vendor: progress.vendor.and_then(vendor),
            route_id: progress.route,
            vendor_message_id: progress.vendor_message_id,
            attempts: progress.attempts,
        });
        MessageRecord {
            id: MessageId(row.id),
            answered_as: row.answered_as.map(|id| MessageId(id).to_string()),
            customer_id: row.customer,
            account_id: row.account,
            direction: word(row.direction),
            from: row.source,
            to: row.destination,
            state: progress.state.name(),
            segments: row.segments,
            priority: row.priority,
            accepted_at: Timestamp::from_micros(row.accepted_at),
            submitted_at: progress.submitted_at.map(Timestamp::from_micros),
            done_at: progress.done_at.map(Timestamp::from_micros),
            command_status: progress.command_status,
            error: progress.error,
            routing,
        }
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
        let mut own = columns(&TITLES);
        own.insert("routing".to_owned());
        assert_eq!(fields(MessageRecord::schema()), own);
        assert_eq!(fields(MessageRouting::schema()), columns(&ROUTING_TITLES));
    }

    #[test]
    fn every_state_may_be_asked_for() {
        let Kind::Words(words) = STATE.kind else { panic!("a state is a word") };
        assert_eq!(words, State::ALL.map(State::name));
    }
}
