//! Rows of calls as the engines give them, and what they mean.

use bytes::Bytes;
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::log::{
    Attempt, Attested, CallDirection, CallIdentity, CallMedia, Cdr, Dialog, EndedBy, MediaSent, Reason,
    Verstat,
};
use crate::model::Money;
use crate::store::{Error, ErrorKind};

#[derive(Debug, FromRow)]
pub(in crate::log::sql) struct DialogRecord {
    id: Uuid,
    node: i16,
    answered_at: i64,
    updated_at: i64,
    state: Vec<u8>,
}

#[derive(Debug, FromRow)]
pub(in crate::log::sql) struct CdrRecord {
    id: Uuid,
    node: i16,
    customer_id: Uuid,
    trunk_id: Uuid,
    vendor_id: Option<Uuid>,
    direction: i16,
    source: String,
    call_id: String,
    caller: String,
    callee: String,
    callee_sent: String,
    started_at: i64,
    ringing_at: Option<i64>,
    answered_at: Option<i64>,
    ended_at: i64,
    pdd_us: Option<i64>,
    duration_ms: i64,
    billed_seconds: i64,
    status: i16,
    reason: i16,
    ended_by: i16,
    prefix: String,
    rate: i64,
    retransmissions: Option<i64>,
    recovered: bool,
    attempts: i16,
    q850_cause: Option<i16>,
    media_node: Option<i16>,
    caller_packets: Option<i64>,
    caller_lost: Option<i64>,
    caller_jitter_ms: Option<i64>,
    caller_mos_tenths: Option<i16>,
    callee_packets: Option<i64>,
    callee_lost: Option<i64>,
    callee_jitter_ms: Option<i64>,
    callee_mos_tenths: Option<i16>,
    verstat: Option<i16>,
    attestation_received: Option<i16>,
    attestation_signed: Option<i16>,
}

#[derive(Debug, FromRow)]
pub(in crate::log::sql) struct AttemptRecord {
    call_id: Uuid,
    number: i16,
    vendor_id: Uuid,
    gateway: String,
    started_at: i64,
    ended_at: i64,
    pdd_us: Option<i64>,
    status: Option<i16>,
    reason: i16,
}

pub(in crate::log::sql) fn dialog(row: DialogRecord) -> Dialog {
    Dialog {
        id: row.id,
        node: row.node.unsigned_abs(),
        answered_at: Timestamp::from_micros(row.answered_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        state: Bytes::from(row.state),
    }
}

pub(in crate::log::sql) fn cdr(row: CdrRecord) -> Result<Cdr, Error> {
    let id = row.id;
    let direction = CallDirection::from_code(row.direction);
    let (media, identity) = (media(&row), identity(&row)?);
    Ok(Cdr {
        id,
        node: row.node.unsigned_abs(),
        customer: row.customer_id,
        trunk: row.trunk_id,
        vendor: row.vendor_id,
        direction: direction.ok_or_else(|| unknown(id, "direction", &row.direction))?,
        source: row.source.parse().map_err(|_| unknown(id, "source", &row.source))?,
        call_id: row.call_id.into(),
        caller: row.caller.into(),
        callee: row.callee.into(),
        callee_sent: row.callee_sent.into(),
        started_at: Timestamp::from_micros(row.started_at),
        ringing_at: row.ringing_at.map(Timestamp::from_micros),
        answered_at: row.answered_at.map(Timestamp::from_micros),
        ended_at: Timestamp::from_micros(row.ended_at),
        pdd_us: row.pdd_us.map(i64::unsigned_abs),
        duration_ms: row.duration_ms.unsigned_abs(),
        billed_seconds: number(row.billed_seconds),
        status: row.status.unsigned_abs(),
        reason: reason(id, row.reason)?,
        ended_by: EndedBy::from_code(row.ended_by).ok_or_else(|| unknown(id, "ended_by", &row.ended_by))?,
        prefix: row.prefix.into(),
        rate: Money::from_nanos(row.rate),
        retransmissions: row.retransmissions.map(number),
        q850_cause: row.q850_cause.and_then(octet),
        recovered: row.recovered,
        attempts: row.attempts.unsigned_abs(),
        media,
        identity,
    })
}

fn identity(row: &CdrRecord) -> Result<CallIdentity, Error> {
    let attested = |column: &str, code: Option<i16>| {
        let known = |code| Attested::from_code(code).ok_or_else(|| unknown(row.id, column, &code));
        code.map(known).transpose()
    };
    let verstat = |code| Verstat::from_code(code).ok_or_else(|| unknown(row.id, "verstat", &code));
    Ok(CallIdentity {
        verstat: row.verstat.map(verstat).transpose()?,
        received: attested("attestation_received", row.attestation_received)?,
        signed: attested("attestation_signed", row.attestation_signed)?,
    })
}

fn media(row: &CdrRecord) -> Option<CallMedia> {
    Some(CallMedia {
        node: octet(row.media_node?)?,
        caller: MediaSent {
            packets: row.caller_packets.map(i64::unsigned_abs),
            lost: row.caller_lost.map(i64::unsigned_abs),
            jitter_ms: row.caller_jitter_ms.map(number),
            mos_tenths: row.caller_mos_tenths.and_then(octet),
        },
        callee: MediaSent {
            packets: row.callee_packets.map(i64::unsigned_abs),
            lost: row.callee_lost.map(i64::unsigned_abs),
            jitter_ms: row.callee_jitter_ms.map(number),
            mos_tenths: row.callee_mos_tenths.and_then(octet),
        },
    })
}

pub(in crate::log::sql) fn attempt(row: AttemptRecord) -> Result<Attempt, Error> {
    Ok(Attempt {
        number: row.number.unsigned_abs(),
        vendor: row.vendor_id,
        gateway: row.gateway.into(),
        started_at: Timestamp::from_micros(row.started_at),
        ended_at: Timestamp::from_micros(row.ended_at),
        pdd_us: row.pdd_us.map(i64::unsigned_abs),
        status: row.status.map(i16::unsigned_abs),
        reason: reason(row.call_id, row.reason)?,
    })
}

fn reason(id: Uuid, code: i16) -> Result<Reason, Error> {
    Reason::from_code(code).ok_or_else(|| unknown(id, "reason", &code))
}

fn number(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn octet(value: i16) -> Option<u8> {
    u8::try_from(value).ok()
}

fn unknown(id: Uuid, column: &str, value: &dyn std::fmt::Display) -> Error {
    let text = format!("call {id} has {column} {value}, which this program does not know");
    Error::new(ErrorKind::Other, text)
}
