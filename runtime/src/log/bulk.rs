//! Bulk statements: the texts, and how many rows each takes.
//!
//! SQLite gets `VALUES` lists of a few fixed sizes, so that every text is prepared once; its placeholders are
//! bare question marks, because it finds numbered ones by a linear search. PostgreSQL gets one array per
//! column and `unnest`.

pub(super) mod calls;

use std::iter::repeat_n;
use std::sync::OnceLock;

use crate::store::Sql;

/// Row counts of SQLite's bulk statements. The steps are small, because a statement that is not full is filled up
/// by its last row: to write a row twice in one statement changes nothing, and costs less than another statement,
/// which is another hand-over to the driver's thread and back.
pub(super) const CHUNKS: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, CHUNK_MAX];
pub(super) const CHUNK_MAX: usize = 128;

/// One kind of bulk statement.
#[derive(Debug)]
pub(super) struct Bulk {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    texts: [OnceLock<&'static str>; CHUNKS.len()],
}

impl Bulk {
    const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, texts: [const { OnceLock::new() }; CHUNKS.len()] }
    }

    /// SQLite's text for one of [`CHUNKS`], by its position there.
    pub(super) fn lite(&self, chunk: usize) -> &'static str {
        let Some((slot, rows)) = self.texts.get(chunk).zip(CHUNKS.get(chunk)) else { return "" };
        slot.get_or_init(|| {
            let row = format!("({})", vec!["?"; self.columns].join(","));
            let text = format!("{}{}{}", self.head, vec![row.as_str(); *rows].join(","), self.tail);
            Box::leak(crate::store::without_schemas(&text).into_boxed_str())
        })
    }
}

/// Splits rows into chunks: the position of a size in [`CHUNKS`], and that many rows, the last one repeated.
pub(super) fn chunks<T>(rows: &[T]) -> impl Iterator<Item = (usize, impl Iterator<Item = &T>)> {
    rows.chunks(CHUNK_MAX).map(|part| {
        let position = CHUNKS.partition_point(|size| *size < part.len());
        let size = CHUNKS.get(position).copied().unwrap_or(part.len());
        (position, part.iter().chain(repeat_n(part.last(), size - part.len()).flatten()))
    })
}

/// The states of the index `messages_live`. The words must be the index's own, or SQLite does not use it.
macro_rules! paged {
    () => {
        "state <> 4 AND state < 10"
    };
}

/// The states of the index `messages_due`.
macro_rules! timed {
    () => {
        "state <> 2 AND state < 10"
    };
}

#[cfg(test)]
pub(super) const PAGED: &str = paged!();
#[cfg(test)]
pub(super) const TIMED: &str = timed!();

/// Columns of an accepted message, in the order of every statement and of the row decoder.
macro_rules! message_columns {
    () => {
        "id, direction, state, customer_id, account_id, parent_id, part, answered_as, segments, source, \
         destination, alphabet, registered_delivery, priority, accepted_at, expires_at, hold, vendor_id, route_id, \
         uncertain, attempts, submitted_at, done_at, deadline, vendor_message_id, dlr_hash, command_status, \
         error, frame"
    };
}

/// Columns of a submission, in the order of its row decoder.
macro_rules! submission_columns {
    () => {
        "message_id, idempotency_key, item, request_hash, callback_url"
    };
}

/// What is asked of whole messages, and their order. No index leads to the messages of a customer: it would cost every
/// message more than a list that is asked for now and then is worth, so a list reads all messages of its time.
/// Where an argument may be absent, its column comes first: PostgreSQL has its type from there.
macro_rules! mdrs {
    () => {
        "parent_id IS NULL AND id < $1 AND id >= $2 AND state BETWEEN $3 AND $4 AND (direction = $5 OR $5 IS NULL) \
         AND (account_id = $6 OR $6 IS NULL) \
         AND substr(ltrim(destination, '+'), 1, length(CAST($7 AS TEXT))) = $7 \
         AND substr(ltrim(source, '+'), 1, length(CAST($8 AS TEXT))) = $8 \
         AND (vendor_id = $9 OR $9 IS NULL) ORDER BY id DESC LIMIT $10"
    };
}

pub(super) static INSERT_MESSAGES: Bulk = Bulk::new(
    concat!("INSERT INTO messaging.messages (", message_columns!(), ") VALUES "),
    29,
    " ON CONFLICT (id) DO NOTHING",
);

pub(super) static UPDATE_MESSAGES: Bulk = Bulk::new(
    "UPDATE messaging.messages AS m SET state = v.column2, vendor_id = v.column3, route_id = v.column4, \
     uncertain = v.column5, attempts = v.column6, submitted_at = v.column7, done_at = v.column8, \
     deadline = v.column9, vendor_message_id = v.column10, dlr_hash = v.column11, \
     command_status = v.column12, error = v.column13 FROM (VALUES ",
    13,
    ") AS v WHERE m.id = v.column1",
);

pub(super) static INSERT_OUTBOX: Bulk = Bulk::new(
    "INSERT INTO messaging.outbox (id, account_id, message_id, kind, spilled, expires_at, body) VALUES ",
    7,
    " ON CONFLICT (id) DO NOTHING",
);

pub(super) static DELETE_OUTBOX: Bulk =
    Bulk::new("DELETE FROM messaging.outbox WHERE id IN (SELECT column1 FROM (VALUES ", 1, "))");

pub(super) static DELETE_MESSAGES: Bulk =
    Bulk::new("DELETE FROM messaging.messages WHERE id IN (SELECT column1 FROM (VALUES ", 1, "))");

pub(super) static INSERT_SUBMISSIONS: Bulk = Bulk::new(
    concat!("INSERT INTO messaging.submissions (", submission_columns!(), ") VALUES "),
    5,
    " ON CONFLICT DO NOTHING",
);

pub(super) static DELETE_SUBMISSIONS: Bulk =
    Bulk::new("DELETE FROM messaging.submissions WHERE message_id IN (SELECT column1 FROM (VALUES ", 1, "))");

pub(super) static DELETE_PARKED: Bulk =
    Bulk::new("DELETE FROM messaging.parked_receipts WHERE id IN (SELECT column1 FROM (VALUES ", 1, "))");

/// PostgreSQL's counterparts; the SQLite text is not used.
pub(super) static PG_INSERT_MESSAGES: &str = concat!(
    "INSERT INTO messaging.messages (",
    message_columns!(),
    ") SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::uuid[], $5::uuid[], \
     $6::bigint[], $7::smallint[], $8::bigint[], $9::smallint[], $10::text[], $11::text[], \
     $12::smallint[], $13::smallint[], $14::smallint[], $15::bigint[], $16::bigint[], $17::bigint[], \
     $18::uuid[], $19::uuid[], $20::smallint[], $21::smallint[], $22::bigint[], $23::bigint[], \
     $24::bigint[], $25::text[], $26::bigint[], $27::bigint[], $28::text[], $29::bytea[]) ON CONFLICT (id) DO NOTHING"
);

pub(super) static PG_UPDATE_MESSAGES: &str = "UPDATE messaging.messages AS m SET state = v.state, vendor_id = v.vendor_id, route_id = v.route_id, \
     uncertain = v.uncertain, attempts = v.attempts, submitted_at = v.submitted_at, done_at = v.done_at, \
     deadline = v.deadline, vendor_message_id = v.vendor_message_id, dlr_hash = v.dlr_hash, \
     command_status = v.command_status, error = v.error \
     FROM unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::uuid[], $5::smallint[], $6::smallint[], \
     $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[]) \
     AS v (id, state, vendor_id, route_id, uncertain, attempts, submitted_at, done_at, deadline, \
     vendor_message_id, dlr_hash, command_status, error) WHERE m.id = v.id";

pub(super) static PG_INSERT_OUTBOX: &str = "INSERT INTO messaging.outbox (id, account_id, message_id, kind, spilled, expires_at, body) \
     SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::smallint[], $5::boolean[], \
     $6::bigint[], $7::bytea[]) ON CONFLICT (id) DO NOTHING";

pub(super) static PG_DELETE_OUTBOX: &str = "DELETE FROM messaging.outbox WHERE id = ANY($1::bigint[])";

pub(super) static PG_DELETE_MESSAGES: &str = "DELETE FROM messaging.messages WHERE id = ANY($1::bigint[])";

pub(super) static PG_INSERT_SUBMISSIONS: &str = concat!(
    "INSERT INTO messaging.submissions (",
    submission_columns!(),
    ") SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::bytea[], $5::text[]) ON CONFLICT DO NOTHING"
);

pub(super) static PG_DELETE_SUBMISSIONS: &str =
    "DELETE FROM messaging.submissions WHERE message_id = ANY($1::bigint[])";

pub(super) static PG_DELETE_PARKED: &str =
    "DELETE FROM messaging.parked_receipts WHERE id = ANY($1::bigint[])";

crate::store::statements! {
    REPLACE_CONTENTS = Sql::both(
        "UPDATE messaging.messages SET alphabet = $2, registered_delivery = $3, expires_at = $4, frame = $5 \
         WHERE id = $1");
    PARK = Sql::both(
        "INSERT INTO messaging.parked_receipts (id, vendor_id, received_at, orphan, body) \
         VALUES ($1, $2, $3, FALSE, $4) ON CONFLICT (id) DO NOTHING");
    ORPHAN = Sql::both("UPDATE messaging.parked_receipts SET orphan = TRUE WHERE id = $1");
    SUBMISSION = Sql::both(concat!("SELECT ", submission_columns!(),
        " FROM messaging.submissions WHERE message_id = $1"));
    SUBMISSIONS = Sql::both(concat!("SELECT ", submission_columns!(),
        " FROM messaging.submissions WHERE idempotency_key = $1 ORDER BY item"));
    SPILL_ALL = Sql::both("UPDATE messaging.outbox SET spilled = TRUE WHERE NOT spilled");
    HIGHEST_MESSAGE = Sql::both("SELECT MAX(id) FROM messaging.messages");
    HIGHEST_OUTBOX = Sql::both("SELECT MAX(id) FROM messaging.outbox");
    HIGHEST_PARKED = Sql::both("SELECT MAX(id) FROM messaging.parked_receipts");
    LIVE = Sql::both(concat!("SELECT ", message_columns!(),
        " FROM messaging.messages WHERE state = $1 AND ", paged!(), " AND id > $2 ORDER BY id LIMIT $3"));
    DUE = Sql::both(concat!("SELECT ", message_columns!(),
        " FROM messaging.messages WHERE state = $1 AND ", timed!(),
        " AND deadline <= $2 ORDER BY deadline LIMIT $3"));
    NEXT_DUE = Sql::both(concat!(
        "SELECT MIN(deadline) FROM messaging.messages WHERE state = $1 AND ", timed!()));
    BY_DLR_HASH = Sql::both(concat!("SELECT ", message_columns!(),
        " FROM messaging.messages WHERE dlr_hash = $1"));
    MESSAGE = Sql::both(concat!("SELECT ", message_columns!(), " FROM messaging.messages WHERE id = $1"));
    PARTS = Sql::both(concat!("SELECT ", message_columns!(),
        " FROM messaging.messages WHERE parent_id = $1 ORDER BY part"));
    OUTBOX = Sql::both(
        "SELECT id, account_id, message_id, kind, spilled, expires_at, body FROM messaging.outbox \
         WHERE account_id = $1 AND spilled AND id > $2 ORDER BY id LIMIT $3");
    PARKED = Sql::both(
        "SELECT id, vendor_id, received_at, body FROM messaging.parked_receipts \
         WHERE NOT orphan AND id > $1 ORDER BY id LIMIT $2");
    MDRS = Sql::both(concat!("SELECT ", message_columns!(), " FROM messaging.messages WHERE ", mdrs!()));
    MDRS_OF_CUSTOMER = Sql::both(concat!("SELECT ", message_columns!(),
        " FROM messaging.messages WHERE customer_id = $11 AND ", mdrs!()));
    COUNT_STATES = Sql::both(concat!(
        "SELECT state, COUNT(*) FROM messaging.messages WHERE ", timed!(), " GROUP BY state UNION ALL \
         SELECT state, COUNT(*) FROM messaging.messages WHERE state = 2 AND ", paged!(), " GROUP BY state"));
    COUNT_OUTBOX = Sql::both("SELECT COUNT(*) FROM messaging.outbox");
    OUTDATED_MESSAGES = Sql::both(
        "SELECT m.id FROM messaging.messages AS m WHERE m.id > $1 AND m.id < $2 AND m.state >= 10 AND NOT EXISTS \
         (SELECT 1 FROM messaging.messages AS whole WHERE whole.id = m.parent_id AND whole.state < 10) \
         ORDER BY m.id LIMIT $3");
    OUTDATED_ORPHANS = Sql::both(
        "SELECT id FROM messaging.parked_receipts WHERE id < $1 AND orphan ORDER BY id LIMIT $2");
    OUTDATED_OUTBOX = Sql::both(
        "SELECT id FROM messaging.outbox WHERE spilled AND expires_at <= $1 ORDER BY expires_at LIMIT $2");
}

/// Prepares the bulk statements on the engine that uses them.
#[cfg(test)]
pub(crate) async fn prepare_bulk(db: &crate::store::Db) {
    use sqlx::{Executor, SqlStr};
    match db {
        crate::store::Db::Pg(pool) => {
            for text in [
                PG_INSERT_MESSAGES,
                PG_UPDATE_MESSAGES,
                PG_INSERT_OUTBOX,
                PG_DELETE_OUTBOX,
                PG_DELETE_MESSAGES,
                PG_INSERT_SUBMISSIONS,
                PG_DELETE_SUBMISSIONS,
                PG_DELETE_PARKED,
            ]
            .into_iter()
            .chain(calls::PG)
            {
                pool.acquire().await.unwrap().prepare(SqlStr::from_static(text)).await.unwrap();
            }
        }
        crate::store::Db::Lite(lite) => {
            let bulks = [
                &INSERT_MESSAGES,
                &UPDATE_MESSAGES,
                &INSERT_OUTBOX,
                &DELETE_OUTBOX,
                &DELETE_MESSAGES,
                &INSERT_SUBMISSIONS,
                &DELETE_SUBMISSIONS,
                &DELETE_PARKED,
            ];
            for bulk in bulks.into_iter().chain(calls::LITE) {
                for chunk in 0..CHUNKS.len() {
                    let text = SqlStr::from_static(bulk.lite(chunk));
                    lite.write.acquire().await.unwrap().prepare(text).await.unwrap();
                }
            }
        }
    }
}
