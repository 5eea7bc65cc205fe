//! `/v1/messages`: messages written as text, by the same durable path as those of SMPP sessions.
//!
//! A message is answered when it is durable. With an `Idempotency-Key` every message is written together with the key
//! and its number in the request: a repetition finds those that were taken, and takes the others.

use std::sync::Arc;
use std::time::Duration;

use actors::smpp::account::Account;
use actors::smpp::compose::{self, Destination, Refused, Source, Text};
use actors::smpp::receipts::customer_id;
use futures_util::future::{BoxFuture, join_all};
use runtime::clock::Timestamp;
use runtime::http_client::{AddressPolicy, check_url};
use runtime::log::{MessageRow, Submission, Ticket};
use runtime::model::{MessageId, MessageIdFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::timeout;
use utoipa::ToSchema;
use warp::http::Method;

use crate::batch::check_count;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Document, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::sending::Sending;
use crate::table::{Access, Reach, Route};
use crate::write::{conflict, is_repetition, request_hash};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/messages/sms", Access::May(Permission::MessagesSend, Reach::Own), send)
        .says("Sends a message, or many of them with an answer each; answered when they are durable")
        .takes::<Sent>()
        .gives::<Answer>(202),
    Route::new(
        Method::GET,
        "/v1/messages/{message_id}",
        Access::May(Permission::MessagesRead, Reach::Own),
        get,
    )
    .says("What has become of a message")
    .gives::<Message>(200),
];

/// Characters of a text: 255 parts of UCS2.
const TEXT_MAX: usize = 17_085;
/// The longest validity, seconds.
const VALIDITY_MAX: u32 = 30 * 24 * 3600;
/// Time for the log to make messages durable.
const DURABLE_WITHIN: Duration = Duration::from_secs(20);

/// The body: one message, or many.
#[derive(ToSchema)]
#[schema(as = SmsRequest)]
#[expect(dead_code, reason = "the form of a body that is read as one of the two")]
enum Sent {
    #[schema(title = "One")]
    One(NewMessage),
    #[schema(title = "Many")]
    Many(NewMessages),
}

/// A message that is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSms)]
struct NewMessage {
    /// system_id of the ESME account that it is of; needed where the customer has several.
    #[schema(example = "acme")]
    account: Option<String>,
    /// Digits of the sender's number, with a plus or without, or a name of up to 11 characters.
    #[schema(example = "+15550001111", min_length = 1, max_length = 16)]
    from: String,
    /// Digits of the receiver's number, with a plus or without.
    #[schema(example = "+15550002222", pattern = "^[+]?[0-9]{1,15}$")]
    to: String,
    /// The text; what does not fit one message goes as several.
    #[schema(example = "Your code is 123456", min_length = 1, max_length = 17085)]
    text: String,
    /// Lane, 0 (lowest) to 3.
    #[serde(default)]
    #[schema(maximum = 3, default = 0)]
    priority: u8,
    /// Not to be sent before this time.
    deliver_at: Option<Timestamp>,
    /// For how long it is tried, from now or from `deliver_at`, seconds.
    #[schema(minimum = 1, maximum = 2592000, example = 3600)]
    validity_seconds: Option<u32>,
    /// Where its receipts are posted to instead of to the account's webhook, signed with that one's secret.
    #[schema(example = "https://sms.customer.example/receipts", max_length = 2048)]
    callback_url: Option<String>,
}

/// Messages that are to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSmsBatch)]
struct NewMessages {
    /// The messages.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<NewMessage>,
}

/// The answer: of one message, or of many.
#[derive(Serialize, ToSchema)]
#[schema(as = SmsAnswer)]
#[serde(untagged)]
enum Answer {
    /// One was taken.
    One(Taken),
    /// What became of each.
    Many(Outcomes),
}

/// A message that was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = SmsTaken)]
struct Taken {
    /// Its id, as in receipts.
    #[schema(example = "0c3f5a7e91b20000")]
    message_id: String,
    /// Messages on air that it counts for; null where an earlier request sent it.
    #[schema(example = 1)]
    segments: Option<u8>,
}

/// What became of many messages, in the order of the request.
#[derive(Serialize, ToSchema)]
#[schema(as = SmsOutcomes)]
struct Outcomes {
    /// One for each.
    items: Vec<Outcome>,
}

/// What became of one message.
#[derive(Serialize, ToSchema)]
#[schema(as = SmsOutcome)]
struct Outcome {
    /// 202: it was taken; 422: it cannot be; 429, 503: not now.
    #[schema(example = 202)]
    status: u16,
    /// The message, where it was taken.
    message: Option<Taken>,
    /// Why it was not; its pointers begin at the item.
    problem: Option<Document>,
}

/// A message and its state.
#[derive(Serialize, ToSchema)]
#[schema(as = SmsMessage)]
struct Message {
    /// Its id, as in receipts.
    #[schema(example = "0c3f5a7e91b20000")]
    message_id: String,
    /// system_id of its ESME account; null where that is no more.
    #[schema(example = "acme")]
    account: Option<String>,
    /// From whom.
    #[schema(example = "15550001111")]
    from: String,
    /// To whom.
    #[schema(example = "15550002222")]
    to: String,
    /// What it waits for, or how it ended: scheduled, queued, submitted, uncertain, enroute, split; delivered, expired,
    /// deleted, undeliverable, accepted, unknown, rejected.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Messages on air that it counts for.
    #[schema(example = 1)]
    segments: u8,
    /// When we took it.
    accepted_at: Timestamp,
    /// When it expires.
    expires_at: Timestamp,
    /// When a vendor took it.
    submitted_at: Option<Timestamp>,
    /// When it ended.
    done_at: Option<Timestamp>,
    /// The network's error code, or ours.
    #[schema(example = "000")]
    error: Option<String>,
}

/// A request of messages, on its way.
struct Order {
    hash: Arc<[u8]>,
    key: Option<Arc<str>>,
    /// Numbers and ids of those that an earlier request with this key took.
    known: Vec<(u16, String)>,
}

fn send(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let fields: Map<String, Value> = request.json()?;
        let (items, many) = if fields.contains_key("items") {
            let NewMessages { items } = request.json()?;
            check_count("/items", items.len())?;
            (items, true)
        } else {
            (vec![request.json()?], false)
        };
        // By itself: a caller who hangs up meanwhile ends nothing half done.
        let sent = tokio::spawn(async move { deliver(&api, &request, &items, many).await });
        let failed = |_| Problem::new(Code::Internal, "the request ended early");
        reply::accepted(&sent.await.map_err(failed)??)
    })
}

async fn deliver(api: &Api, request: &Request, items: &[NewMessage], many: bool) -> Result<Answer, Problem> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut tickets = Vec::with_capacity(items.len());
    let (order, _under_way) = order(api, request).await?;
    for (number, item) in items.iter().enumerate() {
        let taken = take(api, request, (&order, number), item);
        outcomes.push(taken.map(|(taken, ticket)| {
            tickets.extend(ticket);
            taken
        }));
    }
    durable(join_all(tickets.iter().map(Ticket::durable))).await?;
    if !many && let Some(only) = outcomes.pop() {
        return only.map(Answer::One);
    }
    let outcome = |taken: Result<Taken, Problem>| match taken {
        Ok(taken) => Outcome { status: 202, message: Some(taken), problem: None },
        Err(problem) => {
            let (status, ..) = problem.code.describe();
            let problem = Some(problem.document(&request.id));
            Outcome { status: status.as_u16(), message: None, problem }
        }
    };
    Ok(Answer::Many(Outcomes { items: outcomes.into_iter().map(outcome).collect() }))
}

/// Waits for the log, for some time.
async fn durable(commit: impl Future) -> Result<(), Problem> {
    let late = |_| {
        let detail = "the message log does not answer: whether they are sent shows a repetition with the same \
                      Idempotency-Key";
        Problem::new(Code::StoreUnavailable, detail).retry_after(5)
    };
    timeout(DURABLE_WITHIN, commit).await.map(|_| ()).map_err(late)
}

/// What an earlier request with the same key sent. Until the second value is dropped no other with this key begins.
async fn order(api: &Api, request: &Request) -> Result<(Order, Option<Sending>), Problem> {
    let hash: Arc<[u8]> = request_hash(api, request).into();
    let Some(key) = request.idempotency_key.as_deref() else {
        return Ok((Order { hash, key: None, known: Vec::new() }, None));
    };
    let key: Arc<str> = format!("{}\n{key}", request.principal.name).into();
    let under_way =
        api.sending.begin(&key).ok_or_else(|| conflict("a request with this key is under way"))?;
    // What an earlier request took may not be committed yet.
    durable(api.smpp.log.barrier()).await?;
    let known = api.smpp.log.store().submissions(&key).await?;
    let mut hashes: Vec<&[u8]> = known.iter().map(|one| &*one.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    if hashes.iter().any(|one| !is_repetition(api, request, one)) {
        return Err(conflict("this key was used for another request"));
    }
    let known = known_ids(api, known).await?;
    Ok((Order { hash, key: Some(key), known }, Some(under_way)))
}

/// The ids by which the messages were answered: in the form of their accounts, whatever accounts there are now.
async fn known_ids(api: &Api, known: Vec<Submission>) -> Result<Vec<(u16, String)>, Problem> {
    let mut ids = Vec::with_capacity(known.len());
    for one in known {
        let row = api.smpp.log.store().message(one.message).await?;
        let account = row.and_then(|row| api.smpp.account(row.account));
        let id = MessageId(one.message);
        ids.push((one.item, account.map_or_else(|| id.to_string(), |account| customer_id(&account, id))));
    }
    Ok(ids)
}

/// Takes one message, unless an earlier request did.
fn take(
    api: &Api,
    request: &Request,
    (order, number): (&Order, usize),
    item: &NewMessage,
) -> Result<(Taken, Option<Ticket>), Problem> {
    let item_number = u16::try_from(number).unwrap_or(u16::MAX);
    if let Some((_, message_id)) = order.known.iter().find(|(item, _)| *item == item_number) {
        return Ok((Taken { message_id: message_id.clone(), segments: None }, None));
    }
    let account = account(api, request, item.account.as_deref())?;
    let settings = account.settings.load();
    let text = item.text(settings.webhook.is_some(), api.webhook_policy)?;
    let kept = order.key.is_some() || item.callback_url.is_some();
    let submission = kept.then(|| Submission {
        message: 0,
        key: order.key.clone(),
        item: item_number,
        hash: Arc::clone(&order.hash),
        callback_url: item.callback_url.as_deref().map(Into::into),
    });
    let accepted = compose::submit(&api.smpp, &account, &text, submission).map_err(refused)?;
    let message_id = customer_id(&account, accepted.id);
    Ok((Taken { message_id, segments: Some(accepted.segments) }, Some(accepted.ticket)))
}

impl NewMessage {
    fn text(&self, has_webhook: bool, policy: AddressPolicy) -> Result<Text<'_>, Problem> {
        let invalid = |pointer: &str, detail: &str| Problem::invalid(pointer, detail);
        let source = Source::parse(&self.from);
        let source = source.ok_or_else(|| {
            invalid(
                "/from",
                "it is neither 1 to 15 digits, a plus before them or not, nor a name of 1 to 11 letters",
            )
        })?;
        let destination = Destination::parse(&self.to);
        let destination = destination
            .ok_or_else(|| invalid("/to", "it is not 1 to 15 digits, a plus before them or not"))?;
        if !(1..=TEXT_MAX).contains(&self.text.chars().count()) {
            return Err(invalid("/text", &format!("it is not 1 to {TEXT_MAX} characters")));
        }
        if self.priority > 3 {
            return Err(invalid("/priority", "it is not 0 to 3"));
        }
        if self.validity_seconds.is_some_and(|seconds| !(1..=VALIDITY_MAX).contains(&seconds)) {
            return Err(invalid("/validity_seconds", &format!("it is not 1 to {VALIDITY_MAX}")));
        }
        if let Some(url) = &self.callback_url {
            let refused = |error: runtime::http_client::Error| invalid("/callback_url", &error.to_string());
            check_url(url, policy).map_err(refused)?;
            if !has_webhook {
                let detail = "the account has no webhook, whose secret would sign the receipts";
                return Err(invalid("/callback_url", detail));
            }
        }
        Ok(Text {
            source,
            destination,
            text: &self.text,
            priority: self.priority,
            deliver_at: self.deliver_at,
            validity: self.validity_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            receipts: has_webhook,
        })
    }
}

/// The account that sends: the one that is named, or the only one of the customers whom the principal works for.
fn account(api: &Api, request: &Request, named: Option<&str>) -> Result<Arc<Account>, Problem> {
    let tenant = request.tenant()?;
    let accounts = api.smpp.accounts.load();
    let found = match (named, tenant.customers()) {
        (Some(system_id), _) => accounts
            .by_system_id(system_id)
            .filter(|account| tenant.has(account.settings.load().customer.id))
            .cloned()
            .ok_or_else(|| Problem::invalid("/account", "there is no such account"))?,
        (None, Some([customer])) => match accounts.of_customer(*customer) {
            [only] => Arc::clone(only),
            [] => return Err(Problem::invalid("/account", "the customer has no ESME account")),
            _ => return Err(Problem::invalid("/account", "it is needed: the customer has several")),
        },
        (None, _) => {
            return Err(Problem::invalid("/account", "it is needed: several customers may be meant"));
        }
    };
    let settings = found.settings.load();
    if let Some(customer) = api.customers.get(settings.customer.id) {
        request.refuse_suspended(&customer)?;
    }
    drop(settings);
    Ok(found)
}

/// Why a message was not taken, in the words of this interface.
fn refused(why: Refused) -> Problem {
    match why {
        Refused::NotServed => Problem::invalid("/account", "it is not active, or its customer is not served"),
        Refused::NoRoute => Problem::invalid("/to", "no route leads there"),
        Refused::TooLong => Problem::invalid("/text", "it is more than 255 messages on air"),
        Refused::DeliverAt => {
            Problem::invalid("/deliver_at", "it is not before the end of the message's validity")
        }
        Refused::Validity => Problem::invalid("/validity_seconds", "it ends before it begins"),
        Refused::Throttled => {
            let detail = "more messages than the account or its customer may send";
            Problem::new(Code::TooManyRequests, detail).retry_after(1)
        }
        Refused::Full => Problem::new(Code::NotReady, "too many messages wait").retry_after(1),
        Refused::Stopping => Problem::new(Code::NotReady, "the node is stopping").retry_after(5),
        Refused::Other(status) => {
            Problem::new(Code::Internal, format!("the message was refused with {status}"))
        }
    }
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let unknown = || Problem::new(Code::NotFound, "there is no such message");
        let tenant = request.tenant()?;
        let id = parse(request.raw_param("message_id")).ok_or_else(unknown)?;
        let row = api.smpp.log.store().message(id.0).await?;
        let row = row.filter(|row| row.parent.is_none() && tenant.has(row.customer)).ok_or_else(unknown)?;
        let account = api.smpp.account(row.account);
        reply::json(&Message::of(row, account.as_deref()))
    })
}

/// An id in either of the forms that accounts have: 16 hexadecimal digits, or 19 decimal ones.
fn parse(text: &str) -> Option<MessageId> {
    let format = match text.len() {
        16 => MessageIdFormat::Hex,
        19 => MessageIdFormat::Decimal,
        _ => return None,
    };
    MessageId::parse(text.as_bytes(), format)
}

impl Message {
    fn of(row: MessageRow, account: Option<&Account>) -> Self {
        let id = MessageId(row.id);
        Self {
            message_id: account.map_or_else(|| id.to_string(), |account| customer_id(account, id)),
            account: account.map(|account| account.settings.load().account.system_id.to_string()),
            from: row.source.to_string(),
            to: row.destination.to_string(),
            state: row.progress.state.name(),
            segments: row.segments,
            accepted_at: Timestamp::from_micros(row.accepted_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            submitted_at: row.progress.submitted_at.map(Timestamp::from_micros),
            done_at: row.progress.done_at.map(Timestamp::from_micros),
            error: row.progress.error.as_deref().map(str::to_owned),
        }
    }
}
