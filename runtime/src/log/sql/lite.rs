//! Bulk writes on SQLite: `VALUES` lists.

mod calls;

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{Executor, SqlStr};

use super::text;
use crate::log::bulk::{
    Bulk, CHUNK_MAX, DELETE_MESSAGES, DELETE_OUTBOX, DELETE_PARKED, DELETE_SUBMISSIONS, INSERT_MESSAGES,
    INSERT_OUTBOX, INSERT_SUBMISSIONS, ORPHAN, PARK, REPLACE_CONTENTS, UPDATE_MESSAGES, chunks,
};
use crate::log::{Batch, MessageRow, OutboxRow, Progress, Submission};
use crate::store::{Error, ErrorKind};

type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Whether [`write`] sends a single statement. A kind of record that is not listed here counts once per row.
pub(super) fn is_one_statement(batch: &Batch) -> bool {
    let bulk = [
        batch.accepts.len(),
        batch.changes.len(),
        batch.outbox.len(),
        batch.outbox_done.len(),
        batch.submissions.len(),
        batch.purged.len(),
        batch.unparked.len(),
    ];
    let rare = batch.len() - batch.calls.len() - bulk.iter().sum::<usize>();
    // A message and what belongs to it.
    let bulk = bulk.into_iter().chain([batch.purged.len()]);
    let bulk = bulk.chain(calls::bulks(&batch.calls));
    bulk.map(|rows| rows.div_ceil(CHUNK_MAX)).sum::<usize>() + rare == 1
}

/// Gives the number of CDRs that were there already.
pub(super) async fn write(to: &mut SqliteConnection, batch: &Batch) -> Result<u64, Error> {
    write_rows(to, &INSERT_MESSAGES, &batch.accepts, bind_message).await?;
    write_rows(to, &UPDATE_MESSAGES, &batch.changes, bind_change).await?;
    write_rows(to, &INSERT_OUTBOX, &batch.outbox, bind_outbox).await?;
    write_rows(to, &DELETE_OUTBOX, &batch.outbox_done, |query, id| query.bind(*id)).await?;
    write_rows(to, &DELETE_MESSAGES, &batch.purged, |query, id| query.bind(*id)).await?;
    write_rows(to, &INSERT_SUBMISSIONS, &batch.submissions, bind_submission).await?;
    write_rows(to, &DELETE_SUBMISSIONS, &batch.purged, |query, id| query.bind(*id)).await?;
    write_rows(to, &DELETE_PARKED, &batch.unparked, |query, id| query.bind(*id)).await?;
    write_rare(to, batch).await?;
    calls::write(to, &batch.calls).await
}

/// The small statements of a batch, one row each: they are rare.
async fn write_rare(to: &mut SqliteConnection, batch: &Batch) -> Result<(), Error> {
    for (id, contents) in &batch.contents {
        let query = sqlx::query(REPLACE_CONTENTS.lite()).bind(*id).bind(i16::from(contents.alphabet));
        let query = query.bind(i16::from(contents.registered_delivery)).bind(contents.expires_at);
        execute(to, query.bind(contents.frame.to_vec())).await?;
    }
    for row in &batch.parked {
        let query = sqlx::query(PARK.lite()).bind(row.id).bind(row.vendor).bind(row.received_at);
        execute(to, query.bind(row.body.to_vec())).await?;
    }
    for id in &batch.orphaned {
        execute(to, sqlx::query(ORPHAN.lite()).bind(*id)).await?;
    }
    Ok(())
}

/// Runs a statement to its end; gives the number of rows it touched. A driver's thread that died would look like one that had no row to touch: it gives
/// no result at all.
async fn execute(to: &mut SqliteConnection, query: Statement) -> Result<u64, Error> {
    let mut results = to.fetch_many(query);
    let mut rows = None;
    while let Some(result) = results.try_next().await? {
        let touched = result.left().map_or(0, |done| done.rows_affected());
        rows = Some(rows.unwrap_or(0) + touched);
    }
    rows.ok_or_else(|| Error::new(ErrorKind::Unavailable, "sqlite did not say whether it has written"))
}

async fn write_rows<T>(
    to: &mut SqliteConnection,
    bulk: &'static Bulk,
    rows: &[T],
    bind: impl Fn(Statement, &T) -> Statement,
) -> Result<u64, Error> {
    let mut touched = 0;
    for (chunk, rows) in chunks(rows) {
        let query = sqlx::query(SqlStr::from_static(bulk.lite(chunk)));
        touched += execute(to, rows.fold(query, &bind)).await?;
    }
    Ok(touched)
}

fn bind_message(query: Statement, row: &MessageRow) -> Statement {
    let query = query
        .bind(row.id)
        .bind(row.direction as i16)
        .bind(row.progress.state.code())
        .bind(row.customer)
        .bind(row.account)
        .bind(row.parent)
        .bind(i16::from(row.part))
        .bind(row.answered_as)
        .bind(i16::from(row.segments))
        .bind(text(&row.source))
        .bind(text(&row.destination))
        .bind(i16::from(row.alphabet))
        .bind(i16::from(row.registered_delivery))
        .bind(i16::from(row.priority))
        .bind(row.accepted_at)
        .bind(row.expires_at)
        .bind(row.hold)
        .bind(row.progress.vendor)
        .bind(row.progress.route);
    bind_rest(query, &row.progress).bind(row.frame.to_vec())
}

fn bind_change(query: Statement, (id, progress): &(i64, Progress)) -> Statement {
    let query = query.bind(*id).bind(progress.state.code()).bind(progress.vendor).bind(progress.route);
    bind_rest(query, progress)
}

fn bind_rest(query: Statement, progress: &Progress) -> Statement {
    query
        .bind(progress.uncertain as i16)
        .bind(i32::from(progress.attempts))
        .bind(progress.submitted_at)
        .bind(progress.done_at)
        .bind(progress.deadline)
        .bind(progress.vendor_message_id.as_ref().map(text))
        .bind(progress.dlr_hash)
        .bind(progress.command_status.map(i64::from))
        .bind(progress.error.as_ref().map(text))
}

fn bind_outbox(query: Statement, row: &OutboxRow) -> Statement {
    query
        .bind(row.id)
        .bind(row.account)
        .bind(row.message)
        .bind(row.kind as i16)
        .bind(row.spilled)
        .bind(row.expires_at)
        .bind(row.body.to_vec())
}

fn bind_submission(query: Statement, row: &Submission) -> Statement {
    query
        .bind(row.message)
        .bind(row.key.as_ref().map(text))
        .bind(i32::from(row.item))
        .bind(row.hash.to_vec())
        .bind(row.callback_url.as_ref().map(text))
}
