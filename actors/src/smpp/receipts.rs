//! The end of a message, and the receipt that tells its sender.
//!
//! One place finishes messages: it sets the final state, counts it, and owes the customer a receipt when it
//! asked for one. The change and the receipt go into the log together.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use runtime::clock::Timestamp;
use runtime::log::{OutboxKind, OutboxRow, State, Ticket};
use runtime::model::MessageId;
use smpp::dlr::{self, Date, MessageState, ReceiptText};
use smpp::pdu::{Address, EncodeError, Sm};
use smpp::{CommandId, CommandStatus, EsmClass, HEADER_LEN, Tag, TlvBuf};

use super::Smpp;
use super::account::Account;
use super::message::{Message, address_octets};
use super::outbox::Delivery;

/// What is known of the end of a message.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Error code for the receipt, three digits as a rule.
    pub error: Option<Arc<str>>,
    /// network_error_code as the vendor gave it.
    pub network_error: Option<[u8; 3]>,
}

impl Ending {
    /// An ending that we made ourselves.
    #[must_use]
    pub fn ours(error: &str) -> Self {
        Self { error: Some(error.into()), network_error: None }
    }
}

/// Finishes a message and, when it asked for it, owes a receipt. A part of a message that we split only
/// finishes itself here; [`super::dlr_tracker`] finishes the whole when all parts have.
/// The ticket is done when both are durable.
pub fn finish(smpp: &Smpp, mut message: Box<Message>, state: State, ending: &Ending) -> Ticket {
    let now = smpp.now();
    message.finish(state, now.micros(), ending.error.clone());
    smpp.metrics.finished.of(state).inc();
    let parent = message.row.parent;
    let owed = if parent.is_none() { owed(smpp, &message, final_state(state), (ending, now)) } else { None };
    let ticket = append(smpp, &message, owed);
    if let Some(parent) = parent {
        smpp.tracker.part_finished(parent);
    }
    ticket
}

/// Tells the customer of a state that is not final, when it asked for intermediate notifications.
pub fn notify(smpp: &Smpp, message: &Message, state: MessageState, ending: &Ending) -> Option<Ticket> {
    if !message.told().intermediate_notification() || message.row.parent.is_some() {
        return None;
    }
    let now = smpp.now();
    let (account, row) = make(smpp, message, state, (ending, now))?;
    Some(owe(smpp, &account, row))
}

fn append(smpp: &Smpp, message: &Message, owed: Option<(Arc<Account>, OutboxRow)>) -> Ticket {
    let (id, progress) = message.change();
    let Some((account, row)) = owed else {
        return smpp.log.append(|batch| batch.change(id, progress));
    };
    let row = admit(smpp, &account, row);
    let ticket = smpp.log.append(|batch| {
        batch.change(id, progress);
        batch.outbox.push(row.clone());
    });
    hand_on(&account, row, &ticket);
    ticket
}

/// Makes a delivery durable and hands it to the account's sessions.
pub fn owe(smpp: &Smpp, account: &Arc<Account>, row: OutboxRow) -> Ticket {
    let row = admit(smpp, account, row);
    let ticket = smpp.log.append(|batch| batch.outbox.push(row.clone()));
    hand_on(account, row, &ticket);
    ticket
}

/// Decides whether memory has room for a delivery; the row says so, and has its final id.
pub fn admit(smpp: &Smpp, account: &Arc<Account>, mut row: OutboxRow) -> OutboxRow {
    let in_memory_max = usize::try_from(smpp.options.outbox_in_memory_max).unwrap_or(usize::MAX);
    row.spilled = !account.outbox.reserve(in_memory_max);
    if row.spilled {
        row.id = account.outbox.announce(|| smpp.next_id(smpp.now()).0);
    }
    shed(smpp, account);
    row
}

/// Hands a delivery whose row is on its way into the log to the account's sessions.
pub fn hand_on(account: &Account, row: OutboxRow, ticket: &Ticket) {
    if row.spilled {
        account.outbox.spilled(row.id);
    } else {
        account.outbox.push(row, ticket.clone());
    }
}

/// Gives up the oldest deliveries beyond what is kept for the account.
pub fn shed(smpp: &Smpp, account: &Arc<Account>) {
    // Of none at all even a customer that is there would get nothing.
    let owed_max = usize::try_from(account.settings.load().outbox_max).unwrap_or(usize::MAX).max(1);
    if !account.outbox.exceeds(owed_max) {
        return;
    }
    let excess = account.outbox.take_excess(owed_max);
    if !excess.is_empty() {
        smpp.metrics.deliveries_dropped.with_label_values(&["full"]).inc_by(excess.len() as u64);
        smpp.log.append(|batch| batch.outbox_done.extend(excess.iter().map(|delivery| delivery.row.id)));
    }
    if account.outbox.exceeds(owed_max) {
        read_back(smpp, account);
    }
}

/// Asks the loader for the next page of an account's backlog, when there is one and room for it.
pub fn read_back(smpp: &Smpp, account: &Arc<Account>) {
    if let Some((after, up_to)) = account.outbox.wants_backlog() {
        smpp.loader.load(Arc::clone(account), after, up_to);
    }
}

/// Leaves to the log what an account without a session need not have in memory: rows that are read back are
/// marked so when they are written, so each is written anew and its old one deleted, in one commit.
pub fn unload(smpp: &Smpp, account: &Account) {
    let moved = account.outbox.unload();
    if moved.is_empty() {
        return;
    }
    let (mut rows, mut done) = (Vec::with_capacity(moved.len()), Vec::with_capacity(moved.len()));
    for Delivery { row, .. } in moved {
        done.push(row.id);
        let id = account.outbox.announce(|| smpp.next_id(smpp.now()).0);
        rows.push(OutboxRow { id, spilled: true, ..row });
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    smpp.log.append(|batch| {
        batch.outbox.append(&mut rows);
        batch.outbox_done.append(&mut done);
    });
    for id in ids {
        account.outbox.spilled(id);
    }
}

fn owed(
    smpp: &Smpp,
    message: &Message,
    state: MessageState,
    context: (&Ending, Timestamp),
) -> Option<(Arc<Account>, OutboxRow)> {
    let asked = message.told();
    let success = matches!(state, MessageState::Delivered | MessageState::Accepted);
    let wanted = if success { asked.receipt_on_success() } else { asked.receipt_on_failure() };
    if wanted { make(smpp, message, state, context) } else { None }
}

fn make(
    smpp: &Smpp,
    message: &Message,
    state: MessageState,
    (ending, now): (&Ending, Timestamp),
) -> Option<(Arc<Account>, OutboxRow)> {
    let account = Arc::clone(&message.account);
    let id = customer_id(&account, MessageId(message.row.answered_as.unwrap_or(message.row.id)));
    // Every field is bounded where it is made: a failure is a bug, and an empty deliver_sm would hide it.
    let body = body(message, (&id, state), (ending, now))
        .inspect_err(
            |error| tracing::error!(message = %message.id(), %error, "a receipt could not be encoded"),
        )
        .ok()?;
    let kept = smpp.options.validity_max.get();
    let row = OutboxRow {
        id: smpp.next_id(now).0,
        account: account.id,
        message: message.row.id,
        kind: OutboxKind::Receipt,
        spilled: false,
        expires_at: now.plus(kept).micros(),
        body,
    };
    Some((account, row))
}

fn body(
    message: &Message,
    (id, state): (&str, MessageState),
    (ending, now): (&Ending, Timestamp),
) -> Result<Bytes, EncodeError> {
    let delivered = u16::from(state == MessageState::Delivered);
    let sent = message.sm();
    let text = sent.as_ref().map_or(&[][..], |sm| if sm.esm_class.udhi() { &[] } else { sm.text_octets() });
    let mut receipt = Vec::with_capacity(140);
    dlr::write_text(
        &ReceiptText {
            id: id.as_bytes(),
            sub: 1,
            dlvrd: delivered,
            submit: date(Timestamp::from_micros(message.row.accepted_at)),
            done: date(now),
            stat: state,
            err: error_code(ending.error.as_deref()),
            text: printable(text),
        },
        &mut receipt,
    );
    let mut tlvs = TlvBuf::new();
    // Our ids have at most 19 characters, far from the limit of a TLV.
    let _ = tlvs.push_c_octet(Tag::RECEIPTED_MESSAGE_ID, id.as_bytes());
    tlvs.push_u8(Tag::MESSAGE_STATE, state.as_u8());
    if let Some(network_error) = &ending.network_error {
        let _ = tlvs.push(Tag::NETWORK_ERROR_CODE, network_error);
    }
    let (source, destination) =
        (address_octets(&message.row.destination), address_octets(&message.row.source));
    let (source_of, destination_of) = sent.map_or_else(Default::default, |sm| (sm.destination, sm.source));
    let sm = Sm {
        source: Address { addr: &source, ..source_of },
        destination: Address { addr: &destination, ..destination_of },
        esm_class: EsmClass(0x04),
        short_message: &receipt,
        tlvs: tlvs.as_tlvs(),
        ..Sm::default()
    };
    encode_body(&sm)
}

/// The body of a deliver_sm; its header is written when it is sent.
///
/// # Errors
/// A field that a deliver_sm cannot hold, such as an address of a data_sm beyond 20 octets.
pub fn encode_body(sm: &Sm<'_>) -> Result<Bytes, EncodeError> {
    let mut pdu = BytesMut::with_capacity(256);
    sm.encode(CommandId::DELIVER_SM, 0, &mut pdu)?;
    let body = pdu.split_off(HEADER_LEN.min(pdu.len()));
    Ok(body.freeze())
}

/// What to answer to a PDU whose field does not fit a deliver_sm (5.1.3).
#[must_use]
pub fn unfit(error: &EncodeError) -> CommandStatus {
    let (EncodeError::TooLong { field, .. } | EncodeError::Nul { field } | EncodeError::Value { field }) =
        error;
    match *field {
        "source_addr" => CommandStatus::ESME_RINVSRCADR,
        "destination_addr" => CommandStatus::ESME_RINVDSTADR,
        "service_type" => CommandStatus::ESME_RINVSERTYP,
        "short_message" => CommandStatus::ESME_RINVMSGLEN,
        _ => CommandStatus::ESME_RX_R_APPN,
    }
}

/// Octets of an error code in a receipt. Appendix B has three; vendors have words.
const ERROR_MAX: usize = 16;

/// An error code as far as it may stand between two fields of a receipt's text; `000` without one.
fn error_code(error: Option<&str>) -> &[u8] {
    let octets = error.unwrap_or_default().as_bytes();
    let fit = octets.iter().take(ERROR_MAX).take_while(|octet| octet.is_ascii_graphic()).count();
    octets.get(..fit).filter(|code| !code.is_empty()).unwrap_or(b"000")
}

/// The first octets of the text as far as they are plain; anything else would need an alphabet of its own.
fn printable(text: &[u8]) -> &[u8] {
    let plain = text.iter().take(20).take_while(|octet| (0x20..0x7f).contains(*octet)).count();
    text.get(..plain).unwrap_or_default()
}

fn date(time: Timestamp) -> Date {
    let (year, month, day, hour, minute, _) = time.civil();
    let small = |value: u32| u8::try_from(value).unwrap_or(0);
    Date {
        year: u16::try_from(year).unwrap_or(0),
        month: small(month),
        day: small(day),
        hour: small(hour),
        minute: small(minute),
    }
}

/// The state that a customer is told.
#[must_use]
pub const fn final_state(state: State) -> MessageState {
    match state {
        State::Delivered => MessageState::Delivered,
        State::Expired => MessageState::Expired,
        State::Deleted => MessageState::Deleted,
        State::Undeliverable => MessageState::Undeliverable,
        State::Accepted => MessageState::Accepted,
        State::Rejected => MessageState::Rejected,
        State::Unknown => MessageState::Unknown,
        State::Scheduled => MessageState::Scheduled,
        State::Queued | State::Submitted | State::Uncertain | State::Enroute | State::Split => {
            MessageState::Enroute
        }
    }
}

/// Our state for what a vendor reports; None while it is not final.
#[must_use]
pub const fn state_of(reported: MessageState) -> Option<State> {
    match reported {
        MessageState::Delivered => Some(State::Delivered),
        MessageState::Expired => Some(State::Expired),
        MessageState::Deleted => Some(State::Deleted),
        MessageState::Undeliverable => Some(State::Undeliverable),
        MessageState::Rejected | MessageState::Skipped => Some(State::Rejected),
        MessageState::Unknown => Some(State::Unknown),
        MessageState::Accepted | MessageState::Enroute | MessageState::Scheduled => None,
    }
}

/// The id that a message has for its customer.
#[must_use]
pub fn customer_id(account: &Account, id: MessageId) -> String {
    id.format(account.settings.load().account.message_id_format)
}

#[cfg(test)]
mod tests;
