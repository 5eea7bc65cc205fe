//! Acceptance of a message: limits, route, state, and the row that makes it durable.
//!
//! What is accepted here is in the log's open group; the session answers ESME_ROK when the ticket is done.

use bytes::{Bytes, BytesMut};
use runtime::clock::Timestamp;
use runtime::log::{Direction, MessageRow, Progress, State, Submission, Ticket};
use runtime::model::{MessageId, Route};
use smpp::pdu::Sm;
use smpp::time::Time;
use smpp::{CommandId, CommandStatus, Frame};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;
use uuid::Uuid;

use super::Smpp;
use super::account::{Account, Settings};
use super::message::{MARKS, Message, WRITTEN_AS_TEXT, address_text, alphabet_code, default_alphabet, own};
use super::prepare::{Prepared, Refused, Wishes, prepare};
use super::queue::Unit;
use super::receipts::{Ending, finish};
use super::routing::Query;
use super::vendor::Vendor;

/// A message taken.
#[derive(Debug)]
pub struct Accepted {
    /// Our id of it.
    pub id: MessageId,
    /// Done when it may be acknowledged.
    pub ticket: Ticket,
    /// Segments that it counts for.
    pub segments: u8,
}

/// What a message has beside its PDU.
#[derive(Debug, Default)]
pub struct Beside {
    /// The message by whose id it is answered.
    pub answered_as: Option<MessageId>,
    /// [`MARKS`] of its row.
    pub marks: u8,
    /// What it came with by the REST interface; the id in it is not looked at.
    pub submission: Option<Submission>,
}

/// Who submits.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The account.
    pub account: &'a Arc<Account>,
    /// Its settings now.
    pub settings: &'a Settings,
}

/// The refusal of a message: the `command_status` for its sender.
pub type Refusal = CommandStatus;

/// Takes a submit_sm.
///
/// # Errors
/// The status to answer with; nothing was kept.
pub fn submit(smpp: &Smpp, sender: Sender<'_>, frame: &Frame, sm: &Sm<'_>) -> Result<Accepted, Refusal> {
    sm.check_submit().map_err(|error| error.command_status)?;
    take(smpp, sender, (sm, Beside::default()), || own(frame.bytes()))
}

/// Takes a message that did not come as submit_sm: data_sm, a destination of submit_multi, a text.
///
/// # Errors
/// As [`submit`].
pub fn submit_made(
    smpp: &Smpp,
    sender: Sender<'_>,
    sm: &Sm<'_>,
    beside: Beside,
) -> Result<Accepted, Refusal> {
    sm.check_submit().map_err(|error| error.command_status)?;
    let mut pdu = BytesMut::with_capacity(320);
    sm.encode(CommandId::SUBMIT_SM, 0, &mut pdu).map_err(|_| CommandStatus::ESME_RSUBMITFAIL)?;
    let frame = pdu.freeze();
    take(smpp, sender, (sm, beside), || frame)
}

fn take(
    smpp: &Smpp,
    sender: Sender<'_>,
    (sm, beside): (&Sm<'_>, Beside),
    frame: impl FnOnce() -> Bytes,
) -> Result<Accepted, Refusal> {
    let (now, at) = (Instant::now(), smpp.now());
    if smpp.draining.load(Ordering::Relaxed) {
        return Err(CommandStatus::ESME_RSYSERR);
    }
    let times = Times::of(smpp, sm, at)?;
    let destination = address_text(sm.destination.addr);
    let source = address_text(sm.source.addr);
    let begun = Instant::now();
    let routes = smpp.routes.load();
    let query = Query { customer: sender.settings.customer.id, source: &source, destination: &destination };
    let candidates = routes.candidates(&query, |n| smpp.random.below(n));
    let chosen = choose(smpp, &candidates).ok_or(CommandStatus::ESME_RINVDSTADR)?;
    smpp.metrics
        .routing_seconds
        .with_label_values(&[&chosen.route.name])
        .observe(begun.elapsed().as_secs_f64());

    let from = default_alphabet(sender.settings.account.default_alphabet);
    let transcode = sender.settings.account.transcode || beside.marks & WRITTEN_AS_TEXT != 0;
    let reference = u8::try_from(smpp.random.below(256)).unwrap_or(0);
    let prepared = prepare(sm, (from, transcode), &wishes(&chosen.vendor), reference)
        .map_err(|Refused(status)| status)?;
    if !sender.account.take(sender.settings, u32::from(prepared.segments), now) {
        smpp.metrics.rate_limit_exceeded.with_label_values(&["customer"]).inc();
        return Err(CommandStatus::ESME_RTHROTTLED);
    }
    let row = MessageRow {
        id: smpp.next_id(at).0,
        direction: Direction::Mt,
        customer: sender.settings.customer.id,
        account: sender.account.id,
        parent: None,
        part: 0,
        answered_as: beside.answered_as.map(|id| id.0),
        segments: prepared.segments,
        source,
        destination,
        alphabet: alphabet_code(prepared.alphabet),
        registered_delivery: sm.registered_delivery.0 & !MARKS | beside.marks,
        priority: sm.priority_flag.min(3),
        accepted_at: at.micros(),
        expires_at: times.expires.micros(),
        hold: 0,
        progress: progress(State::Queued, &times, &chosen),
        frame: frame(),
    };
    let submission = beside.submission.map(|submission| Submission { message: row.id, ..submission });
    let accepted = Taken { row, prepared, chosen, times, submission }.keep(smpp, sender, now)?;
    sender.account.submitted.fetch_add(1, Ordering::Relaxed);
    smpp.submitted.fetch_add(1, Ordering::Relaxed);
    Ok(accepted)
}

/// A route with its vendor.
struct Chosen {
    route: Arc<Route>,
    vendor: Arc<Vendor>,
}

/// The best candidate whose vendor is up; if none is, the best one.
fn choose(smpp: &Smpp, candidates: &[&Arc<Route>]) -> Option<Chosen> {
    let vendors = smpp.vendors.load();
    let known = || candidates.iter().filter_map(|route| Some((*route, vendors.get(&route.vendor)?)));
    let (route, vendor) = known().find(|(_, vendor)| vendor.is_up()).or_else(|| known().next())?;
    Some(Chosen { route: Arc::clone(route), vendor: Arc::clone(vendor) })
}

/// How a vendor wants its messages, as configured.
pub(super) fn wishes(vendor: &Vendor) -> Wishes {
    let config = vendor.config.load();
    Wishes {
        alphabet: default_alphabet(config.default_alphabet),
        long_as_payload: config.long_as_payload,
        receipts_always: config.receipts_always,
    }
}

/// When a message is sent first and when it expires.
struct Times {
    scheduled: Option<Timestamp>,
    expires: Timestamp,
}

impl Times {
    fn of(smpp: &Smpp, sm: &Sm<'_>, now: Timestamp) -> Result<Self, Refusal> {
        let resolve = |octets: &[u8], refusal: Refusal| match Time::parse(octets) {
            Ok(time) => Ok(time.map(|time| Timestamp::from_micros(time.resolve(now.micros())))),
            Err(_) => Err(refusal),
        };
        let scheduled =
            resolve(sm.schedule_delivery_time, CommandStatus::ESME_RINVSCHED)?.filter(|at| *at > now);
        let validity = resolve(sm.validity_period, CommandStatus::ESME_RINVEXPIRY)?;
        if validity.is_some_and(|at| at <= now) {
            return Err(CommandStatus::ESME_RINVEXPIRY);
        }
        let latest = now.plus(smpp.options.validity_max.get());
        let from = scheduled.unwrap_or(now);
        let expires = validity.unwrap_or_else(|| from.plus(smpp.options.validity_default.get())).min(latest);
        if scheduled.is_some_and(|at| at >= expires) {
            return Err(CommandStatus::ESME_RINVSCHED);
        }
        Ok(Self { scheduled, expires })
    }
}

fn progress(state: State, times: &Times, chosen: &Chosen) -> Progress {
    Progress {
        state,
        vendor: Some(chosen.vendor.id),
        route: Some(chosen.route.id),
        uncertain: chosen.route.uncertain,
        attempts: 0,
        submitted_at: None,
        done_at: None,
        deadline: Some(times.expires.micros()),
        vendor_message_id: None,
        dlr_hash: None,
        command_status: None,
        error: None,
    }
}

/// A message that passed every limit of its sender.
struct Taken {
    row: MessageRow,
    prepared: Prepared,
    chosen: Chosen,
    times: Times,
    submission: Option<Submission>,
}

impl Taken {
    fn keep(mut self, smpp: &Smpp, sender: Sender<'_>, now: Instant) -> Result<Accepted, Refusal> {
        let (id, segments) = (MessageId(self.row.id), self.row.segments);
        if let Some(at) = self.times.scheduled {
            self.row.progress.state = State::Scheduled;
            self.row.progress.deadline = Some(at.micros());
            let ticket = append_new(smpp, |batch| {
                batch.accept(self.row);
                batch.submissions.extend(self.submission);
            })?;
            return Ok(Accepted { id, ticket, segments });
        }
        let vendor = Arc::clone(&self.chosen.vendor);
        let (rest, unit) = self.unit(smpp, sender.account);
        let ticket = send_or_queue(smpp, &vendor, (unit, rest), now)?;
        Ok(Accepted { id, ticket, segments })
    }

    /// The messages that go to the vendor, and the row of the whole when they are its parts.
    fn unit(self, smpp: &Smpp, account: &Arc<Account>) -> (Rest, Unit) {
        let Self { mut row, prepared, submission, .. } = self;
        let mut frames = prepared.frames.into_iter();
        if frames.len() <= 1 {
            if let Some(frame) = frames.next() {
                row.frame = frame;
            }
            return (Rest { whole: None, submission }, vec![Message::new(row, Arc::clone(account))]);
        }
        let parts = frames.zip(1..).map(|(frame, part)| {
            let id = smpp.next_id(Timestamp::from_micros(row.accepted_at)).0;
            let part = MessageRow { id, parent: Some(row.id), part, segments: 1, frame, ..row.clone() };
            Message::new(part, Arc::clone(account))
        });
        let unit = parts.collect();
        row.progress.state = State::Split;
        (Rest { whole: Some(row), submission }, unit)
    }
}

/// What is written with a unit and does not go to the vendor.
#[derive(Default)]
struct Rest {
    /// The message of which the unit is the parts.
    whole: Option<MessageRow>,
    submission: Option<Submission>,
}

/// Sends messages at once when a bind has room, their first attempt in the same commit as their acceptance;
/// queues them else.
fn send_or_queue(
    smpp: &Smpp,
    vendor: &Arc<Vendor>,
    (unit, mut rest): (Unit, Rest),
    now: Instant,
) -> Result<Ticket, Refusal> {
    let handed = vendor.hand_over(unit, now, |unit| {
        for message in unit.iter_mut() {
            message.row.progress.state = State::Submitted;
            message.row.progress.attempts = 1;
            message.tries = 1;
        }
        append_unit(smpp, unit, std::mem::take(&mut rest))
    });
    let mut unit = match handed {
        Ok(committed) => return committed,
        Err(unit) => unit,
    };
    if vendor.is_full(unit.len()) {
        smpp.metrics.rate_limit_exceeded.with_label_values(&["queue"]).inc();
        return Err(CommandStatus::ESME_RMSGQFUL);
    }
    let ticket = append_unit(smpp, &mut unit, rest)?;
    // Between the check and here others may have filled the queue; what the log has is kept.
    if let Err(unit) = vendor.enqueue(unit) {
        vendor.requeue(unit);
    }
    Ok(ticket)
}

fn append_unit(smpp: &Smpp, unit: &mut Unit, rest: Rest) -> Result<Ticket, Refusal> {
    append_new(smpp, |batch| {
        batch.submissions.extend(rest.submission);
        if let Some(whole) = rest.whole {
            batch.accept(whole);
        }
        for message in unit {
            batch.accept(message.row.clone());
        }
    })
}

fn append_new(smpp: &Smpp, add: impl FnOnce(&mut runtime::log::Batch)) -> Result<Ticket, Refusal> {
    smpp.log.append_new(add).map_err(|_full| {
        smpp.metrics.rate_limit_exceeded.with_label_values(&["log"]).inc();
        CommandStatus::ESME_RMSGQFUL
    })
}

/// Finds a vendor for a message that is due or must go elsewhere, and queues it there. Gives it back when no
/// route is left.
///
/// # Errors
/// The message, when nobody can take it.
pub fn reroute(smpp: &Smpp, mut message: Box<Message>) -> Result<(), Box<Message>> {
    let routes = smpp.routes.load();
    let mut candidates = routes.candidates(&query_of(&message), |n| smpp.random.below(n));
    candidates.retain(|route| !message.tried.contains(&route.id));
    let Some(chosen) = choose(smpp, &candidates) else { return Err(message) };
    message.tries = 0;
    assign(smpp, &mut message, &chosen.route);
    chosen.vendor.requeue(vec![message]);
    Ok(())
}

/// Another vendor for a message, or its end.
pub fn reroute_or_end(smpp: &Smpp, message: Box<Message>) {
    if let Err(message) = reroute(smpp, message) {
        tracing::warn!(message = %message.id(), "no route is left for a message");
        finish(smpp, message, State::Undeliverable, &Ending::ours("011"));
    }
}

/// A message that waits for a vendor that is down goes to another by this route.
///
/// # Errors
/// The message, as it was, when the vendor has left.
pub fn move_to(smpp: &Smpp, mut message: Box<Message>, route: &Route) -> Result<(), Box<Message>> {
    let Some(vendor) = smpp.vendor(route.vendor) else { return Err(message) };
    message.tries = 0;
    assign(smpp, &mut message, route);
    vendor.requeue(vec![message]);
    Ok(())
}

/// The best route of a message to one of these vendors. Takes no lock of a vendor.
pub fn route_to(smpp: &Smpp, message: &Message, up: &HashSet<Uuid>) -> Option<Arc<Route>> {
    let routes = smpp.routes.load();
    let candidates = routes.candidates(&query_of(message), |n| smpp.random.below(n));
    let mut open = candidates.into_iter().filter(|route| !message.tried.contains(&route.id));
    open.find(|route| up.contains(&route.vendor)).map(Arc::clone)
}

fn query_of(message: &Message) -> Query<'_> {
    Query {
        customer: message.row.customer,
        source: &message.row.source,
        destination: &message.row.destination,
    }
}

/// Puts a message in line on a route; the change is in the log's open group.
fn assign(smpp: &Smpp, message: &mut Message, route: &Route) {
    take_route(message, route);
    message.requeue();
    let (id, progress) = message.change();
    smpp.log.append(|batch| batch.change(id, progress));
}

fn take_route(message: &mut Message, route: &Route) {
    let progress = &mut message.row.progress;
    progress.vendor = Some(route.vendor);
    progress.route = Some(route.id);
    progress.uncertain = route.uncertain;
}

/// Sends a message whose delivery time has come; its text is made ready and split now. Gives it back when no
/// route is left.
///
/// # Errors
/// The message, when nobody can take it.
pub fn release(smpp: &Smpp, mut message: Box<Message>) -> Result<(), Box<Message>> {
    let routes = smpp.routes.load();
    let candidates = routes.candidates(&query_of(&message), |n| smpp.random.below(n));
    let Some(chosen) = choose(smpp, &candidates) else { return Err(message) };
    let settings = message.account.settings.load_full();
    let prepared = message.sm().and_then(|sm| {
        let from = default_alphabet(settings.account.default_alphabet);
        let reference = u8::try_from(smpp.random.below(256)).unwrap_or(0);
        prepare(&sm, (from, message.is_transcoded()), &wishes(&chosen.vendor), reference).ok()
    });
    let Some(Prepared { mut frames, alphabet, .. }) = prepared else { return Err(message) };
    message.row.alphabet = alphabet_code(alphabet);
    if frames.len() > 1 {
        split(smpp, message, frames, &chosen);
        return Ok(());
    }
    if let Some(frame) = frames.pop() {
        // A start that finds it queued takes its frame for one that is ready.
        message.row.frame = frame;
        let contents = (message.row.id, message.contents());
        smpp.log.append(|batch| batch.contents.push(contents));
    }
    assign(smpp, &mut message, &chosen.route);
    chosen.vendor.requeue(vec![message]);
    Ok(())
}

/// Queues the parts of a message in its place.
fn split(smpp: &Smpp, mut whole: Box<Message>, frames: Vec<Bytes>, chosen: &Chosen) {
    take_route(&mut whole, &chosen.route);
    let parts = frames.into_iter().zip(1..).map(|(frame, part)| {
        let id = smpp.next_id(smpp.now()).0;
        let mut row =
            MessageRow { id, parent: Some(whole.row.id), part, segments: 1, frame, ..whole.row.clone() };
        row.progress.state = State::Queued;
        row.progress.deadline = Some(row.expires_at);
        Message::new(row, Arc::clone(&whole.account))
    });
    let parts: Unit = parts.collect();
    whole.row.progress.state = State::Split;
    whole.row.progress.deadline = Some(whole.row.expires_at);
    let (id, progress) = whole.change();
    smpp.log.append(|batch| {
        batch.change(id, progress);
        for part in &parts {
            batch.accept(part.row.clone());
        }
    });
    chosen.vendor.requeue(parts);
}
