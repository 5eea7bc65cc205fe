//! Bulk statements of calls.

use super::Bulk;
use crate::store::Sql;

macro_rules! dialog_columns {
    () => {
        "id, node, answered_at, updated_at, state"
    };
}

/// Columns of a CDR, in the order of every statement and of the row decoder.
macro_rules! cdr_columns {
    () => {
        "id, node, customer_id, trunk_id, vendor_id, direction, source, call_id, caller, callee, callee_sent, \
         started_at, ringing_at, answered_at, ended_at, pdd_us, duration_ms, billed_seconds, status, reason, ended_by, \
         prefix, rate, retransmissions, recovered, attempts, q850_cause, media_node, caller_packets, caller_lost, \
         caller_jitter_ms, caller_mos_tenths, callee_packets, callee_lost, callee_jitter_ms, callee_mos_tenths, \
         verstat, attestation_received, attestation_signed"
    };
}

/// What is asked of calls, and their order. Where an argument may be absent, its column comes first: PostgreSQL has
/// its type from there.
macro_rules! recent {
    () => {
        "id < $1 AND id >= $2 AND (trunk_id = $3 OR $3 IS NULL) AND (vendor_id = $4 OR $4 IS NULL) \
         AND status BETWEEN $5 AND $6 AND substr(ltrim(caller, '+'), 1, length(CAST($7 AS TEXT))) = $7 \
         AND substr(ltrim(callee, '+'), 1, length(CAST($8 AS TEXT))) = $8 ORDER BY id DESC LIMIT $9"
    };
}

macro_rules! attempt_columns {
    () => {
        "call_id, number, vendor_id, gateway, started_at, ended_at, pdd_us, status, reason"
    };
}

macro_rules! replace_dialog {
    () => {
        " ON CONFLICT (id) DO UPDATE SET node = excluded.node, answered_at = excluded.answered_at, \
         updated_at = excluded.updated_at, state = excluded.state"
    };
}

pub(in crate::log) static PUT_DIALOGS: Bulk =
    Bulk::new(concat!("INSERT INTO voice.dialogs (", dialog_columns!(), ") VALUES "), 5, replace_dialog!());

pub(in crate::log) static DELETE_DIALOGS: Bulk =
    Bulk::new("DELETE FROM voice.dialogs WHERE id IN (SELECT column1 FROM (VALUES ", 1, "))");

pub(in crate::log) static INSERT_CDRS: Bulk = Bulk::new(
    concat!("INSERT INTO voice.cdrs (", cdr_columns!(), ") VALUES "),
    39,
    " ON CONFLICT (id) DO NOTHING",
);

pub(in crate::log) static INSERT_ATTEMPTS: Bulk = Bulk::new(
    concat!("INSERT INTO voice.call_attempts (", attempt_columns!(), ") VALUES "),
    9,
    " ON CONFLICT (call_id, number) DO NOTHING",
);

/// What a media node told late goes into a CDR that has nothing of it yet: a second time it finds none.
macro_rules! untold {
    () => {
        " AND c.caller_packets IS NULL AND c.callee_packets IS NULL"
    };
}

pub(in crate::log) static TELL_MEDIA: Bulk = Bulk::new(
    "UPDATE voice.cdrs AS c SET caller_packets = v.column3, caller_lost = v.column4, \
     caller_jitter_ms = v.column5, caller_mos_tenths = v.column6, callee_packets = v.column7, \
     callee_lost = v.column8, callee_jitter_ms = v.column9, callee_mos_tenths = v.column10 FROM (VALUES ",
    10,
    concat!(") AS v WHERE c.id = v.column1 AND c.media_node = v.column2", untold!()),
);

pub(in crate::log) static DELETE_CDRS: Bulk =
    Bulk::new("DELETE FROM voice.cdrs WHERE id IN (SELECT column1 FROM (VALUES ", 1, "))");

pub(in crate::log) static DELETE_ATTEMPTS: Bulk =
    Bulk::new("DELETE FROM voice.call_attempts WHERE call_id IN (SELECT column1 FROM (VALUES ", 1, "))");

#[cfg(test)]
pub(super) static LITE: [&Bulk; 7] = [
    &PUT_DIALOGS,
    &DELETE_DIALOGS,
    &INSERT_CDRS,
    &INSERT_ATTEMPTS,
    &TELL_MEDIA,
    &DELETE_CDRS,
    &DELETE_ATTEMPTS,
];

pub(in crate::log) static PG_PUT_DIALOGS: &str = concat!(
    "INSERT INTO voice.dialogs (",
    dialog_columns!(),
    ") SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bytea[])",
    replace_dialog!()
);

pub(in crate::log) static PG_DELETE_DIALOGS: &str = "DELETE FROM voice.dialogs WHERE id = ANY($1::uuid[])";

pub(in crate::log) static PG_INSERT_CDRS: &str = concat!(
    "INSERT INTO voice.cdrs (",
    cdr_columns!(),
    ") SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::smallint[], \
     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], \
     $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::smallint[], $20::smallint[], $21::smallint[], \
     $22::text[], $23::bigint[], $24::bigint[], $25::boolean[], $26::smallint[], $27::smallint[], \
     $28::smallint[], $29::bigint[], $30::bigint[], $31::bigint[], $32::smallint[], $33::bigint[], $34::bigint[], \
     $35::bigint[], $36::smallint[], $37::smallint[], $38::smallint[], $39::smallint[]) ON CONFLICT (id) DO NOTHING"
);

pub(in crate::log) static PG_INSERT_ATTEMPTS: &str = concat!(
    "INSERT INTO voice.call_attempts (",
    attempt_columns!(),
    ") SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], \
     $7::bigint[], $8::smallint[], $9::smallint[]) ON CONFLICT (call_id, number) DO NOTHING"
);

pub(in crate::log) static PG_TELL_MEDIA: &str = concat!(
    "UPDATE voice.cdrs AS c SET caller_packets = v.caller_packets, caller_lost = v.caller_lost, \
     caller_jitter_ms = v.caller_jitter_ms, caller_mos_tenths = v.caller_mos_tenths, \
     callee_packets = v.callee_packets, callee_lost = v.callee_lost, callee_jitter_ms = v.callee_jitter_ms, \
     callee_mos_tenths = v.callee_mos_tenths \
     FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[], \
     $7::bigint[], $8::bigint[], $9::bigint[], $10::smallint[]) \
     AS v (id, media_node, caller_packets, caller_lost, caller_jitter_ms, caller_mos_tenths, callee_packets, \
     callee_lost, callee_jitter_ms, callee_mos_tenths) WHERE c.id = v.id AND c.media_node = v.media_node",
    untold!()
);

pub(in crate::log) static PG_DELETE_CDRS: &str = "DELETE FROM voice.cdrs WHERE id = ANY($1::uuid[])";

pub(in crate::log) static PG_DELETE_ATTEMPTS: &str =
    "DELETE FROM voice.call_attempts WHERE call_id = ANY($1::uuid[])";

#[cfg(test)]
pub(super) static PG: [&str; 7] = [
    PG_PUT_DIALOGS,
    PG_DELETE_DIALOGS,
    PG_INSERT_CDRS,
    PG_INSERT_ATTEMPTS,
    PG_TELL_MEDIA,
    PG_DELETE_CDRS,
    PG_DELETE_ATTEMPTS,
];

crate::store::statements! {
    DIALOGS = Sql::both(concat!("SELECT ", dialog_columns!(),
        " FROM voice.dialogs WHERE node = $1 AND id > $2 ORDER BY id LIMIT $3"));
    DIALOG = Sql::both(concat!("SELECT ", dialog_columns!(), " FROM voice.dialogs WHERE id = $1"));
    TAKE_DIALOG = Sql::both(
        "UPDATE voice.dialogs SET node = $1 WHERE id = $2 AND node = $3 AND updated_at = $4");
    CDRS = Sql::both(concat!("SELECT ", cdr_columns!(), " FROM voice.cdrs WHERE ", recent!()));
    CDRS_OF_CUSTOMER = Sql::both(concat!("SELECT ", cdr_columns!(),
        " FROM voice.cdrs WHERE customer_id = $10 AND ", recent!()));
    ATTEMPTS = Sql::both(concat!("SELECT ", attempt_columns!(),
        " FROM voice.call_attempts WHERE call_id = $1 ORDER BY number"));
    OUTDATED_CALLS = Sql::both("SELECT id FROM voice.cdrs WHERE id < $1 ORDER BY id LIMIT $2");
}
