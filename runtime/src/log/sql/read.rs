//! Rows as the engines give them, and what they mean.

pub(super) mod calls;

use bytes::Bytes;
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::log::{
    Direction, MessageRow, OutboxKind, OutboxRow, ParkedRow, Progress, State, Submission, Uncertain,
};
use crate::store::{Error, ErrorKind};

#[derive(Debug, FromRow)]
pub(super) struct MessageRecord {
    id: i64,
    direction: i16,
    state: i16,
    customer_id: Uuid,
    account_id: Uuid,
    parent_id: Option<i64>,
    part: i16,
    answered_as: Option<i64>,
    segments: i16,
    source: String,
    destination: String,
    alphabet: i16,
    registered_delivery: i16,
    priority: i16,
    accepted_at: i64,
    expires_at: i64,
    hold: i64,
    vendor_id: Option<Uuid>,
    route_id: Option<Uuid>,
    uncertain: i16,
    attempts: i16,
    submitted_at: Option<i64>,
    done_at: Option<i64>,
    deadline: Option<i64>,
    vendor_message_id: Option<String>,
    dlr_hash: Option<i64>,
    command_status: Option<i64>,
    error: Option<String>,
    frame: Vec<u8>,
}

#[derive(Debug, FromRow)]
pub(super) struct OutboxRecord {
    id: i64,
    account_id: Uuid,
    message_id: i64,
    kind: i16,
    spilled: bool,
    expires_at: i64,
    body: Vec<u8>,
}

#[derive(Debug, FromRow)]
pub(super) struct ParkedRecord {
    id: i64,
    vendor_id: Uuid,
    received_at: i64,
    body: Vec<u8>,
}

#[derive(Debug, FromRow)]
pub(super) struct SubmissionRecord {
    message_id: i64,
    idempotency_key: Option<String>,
    item: i32,
    request_hash: Vec<u8>,
    callback_url: Option<String>,
}

pub(super) fn messages(rows: Vec<MessageRecord>) -> Result<Vec<MessageRow>, Error> {
    rows.into_iter().map(message).collect()
}

pub(super) fn message(row: MessageRecord) -> Result<MessageRow, Error> {
    let state = State::from_code(row.state).ok_or_else(|| unknown(row.id, "state", row.state))?;
    Ok(MessageRow {
        id: row.id,
        direction: if row.direction == Direction::Mo as i16 { Direction::Mo } else { Direction::Mt },
        customer: row.customer_id,
        account: row.account_id,
        parent: row.parent_id,
        part: octet(row.part),
        answered_as: row.answered_as,
        segments: octet(row.segments),
        source: row.source.into(),
        destination: row.destination.into(),
        alphabet: octet(row.alphabet),
        registered_delivery: octet(row.registered_delivery),
        priority: octet(row.priority),
        accepted_at: row.accepted_at,
        expires_at: row.expires_at,
        hold: row.hold,
        progress: Progress {
            state,
            vendor: row.vendor_id,
            route: row.route_id,
            uncertain: Uncertain::from_code(row.uncertain),
            attempts: u16::try_from(row.attempts).unwrap_or(0),
            submitted_at: row.submitted_at,
            done_at: row.done_at,
            deadline: row.deadline,
            vendor_message_id: row.vendor_message_id.map(Into::into),
            dlr_hash: row.dlr_hash,
            command_status: row.command_status.and_then(|status| u32::try_from(status).ok()),
            error: row.error.map(Into::into),
        },
        frame: Bytes::from(row.frame),
    })
}

pub(super) fn outbox(row: OutboxRecord) -> OutboxRow {
    OutboxRow {
        id: row.id,
        account: row.account_id,
        message: row.message_id,
        kind: if row.kind == OutboxKind::Mo as i16 { OutboxKind::Mo } else { OutboxKind::Receipt },
        spilled: row.spilled,
        expires_at: row.expires_at,
        body: Bytes::from(row.body),
    }
}

pub(super) fn parked(row: ParkedRecord) -> ParkedRow {
    ParkedRow { id: row.id, vendor: row.vendor_id, received_at: row.received_at, body: Bytes::from(row.body) }
}

pub(super) fn submission(row: SubmissionRecord) -> Submission {
    Submission {
        message: row.message_id,
        key: row.idempotency_key.map(Into::into),
        item: u16::try_from(row.item).unwrap_or(0),
        hash: row.request_hash.into(),
        callback_url: row.callback_url.map(Into::into),
    }
}

fn octet(value: i16) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

fn unknown(id: i64, column: &str, value: i16) -> Error {
    Error::new(
        ErrorKind::Other,
        format!("message {id:016x} has {column} {value}, which this program does not know"),
    )
}
