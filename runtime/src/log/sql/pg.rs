//! Bulk writes on PostgreSQL: one array per column, unnested.

mod calls;

use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::query::Query;
use sqlx::{Connection, Encode, PgConnection, Postgres, Transaction, Type};
use tokio::time::Instant;

use super::text;
use crate::log::bulk::{
    ORPHAN, PARK, PG_DELETE_MESSAGES, PG_DELETE_OUTBOX, PG_DELETE_PARKED, PG_DELETE_SUBMISSIONS,
    PG_INSERT_MESSAGES, PG_INSERT_OUTBOX, PG_INSERT_SUBMISSIONS, PG_UPDATE_MESSAGES, REPLACE_CONTENTS,
};
use crate::log::{Batch, CommitTimes, MessageRow, OutboxRow, Progress, Submission, Written};
use crate::store::Error;

type Statement = Query<'static, Postgres, PgArguments>;

pub(super) async fn commit(connection: &mut PgConnection, batch: &Batch) -> Result<Written, Error> {
    let begun = Instant::now();
    let mut tx = connection.begin().await?;
    let cdrs_repeated = write(&mut tx, batch).await?;
    let written = Instant::now();
    tx.commit().await?;
    let times = CommitTimes { total: begun.elapsed(), sync: Some(written.elapsed()) };
    Ok(Written { times, cdrs_repeated })
}

/// Gives the number of CDRs that were there already.
async fn write(tx: &mut Transaction<'_, Postgres>, batch: &Batch) -> Result<u64, Error> {
    if !batch.accepts.is_empty() {
        insert_messages(&batch.accepts).execute(&mut **tx).await?;
    }
    if !batch.changes.is_empty() {
        let query = column(sqlx::query(PG_UPDATE_MESSAGES), &batch.changes, |(id, _)| *id);
        update_messages(query, &batch.changes).execute(&mut **tx).await?;
    }
    if !batch.outbox.is_empty() {
        insert_outbox(&batch.outbox).execute(&mut **tx).await?;
    }
    if !batch.outbox_done.is_empty() {
        column(sqlx::query(PG_DELETE_OUTBOX), &batch.outbox_done, |id| *id).execute(&mut **tx).await?;
    }
    if !batch.submissions.is_empty() {
        insert_submissions(&batch.submissions).execute(&mut **tx).await?;
    }
    if !batch.purged.is_empty() {
        column(sqlx::query(PG_DELETE_MESSAGES), &batch.purged, |id| *id).execute(&mut **tx).await?;
        column(sqlx::query(PG_DELETE_SUBMISSIONS), &batch.purged, |id| *id).execute(&mut **tx).await?;
    }
    if !batch.unparked.is_empty() {
        column(sqlx::query(PG_DELETE_PARKED), &batch.unparked, |id| *id).execute(&mut **tx).await?;
    }
    write_rare(tx, batch).await?;
    calls::write(tx, &batch.calls).await
}

/// The small statements of a batch, one row each: they are rare.
async fn write_rare(tx: &mut Transaction<'_, Postgres>, batch: &Batch) -> Result<(), Error> {
    for (id, contents) in &batch.contents {
        let query = sqlx::query(REPLACE_CONTENTS.pg()).bind(*id).bind(i16::from(contents.alphabet));
        let query = query.bind(i16::from(contents.registered_delivery)).bind(contents.expires_at);
        query.bind(contents.frame.to_vec()).execute(&mut **tx).await?;
    }
    for row in &batch.parked {
        let query = sqlx::query(PARK.pg()).bind(row.id).bind(row.vendor).bind(row.received_at);
        query.bind(row.body.to_vec()).execute(&mut **tx).await?;
    }
    for id in &batch.orphaned {
        sqlx::query(ORPHAN.pg()).bind(*id).execute(&mut **tx).await?;
    }
    Ok(())
}

fn column<T, V>(query: Statement, rows: &[T], value: impl Fn(&T) -> V) -> Statement
where
    V: Type<Postgres> + PgHasArrayType + for<'q> Encode<'q, Postgres> + Send + 'static,
{
    query.bind(rows.iter().map(value).collect::<Vec<V>>())
}

fn insert_messages(rows: &[MessageRow]) -> Statement {
    let query = column(sqlx::query(PG_INSERT_MESSAGES), rows, |row| row.id);
    let query = column(query, rows, |row| row.direction as i16);
    let query = column(query, rows, |row| row.progress.state.code());
    let query = column(query, rows, |row| row.customer);
    let query = column(query, rows, |row| row.account);
    let query = column(query, rows, |row| row.parent);
    let query = column(query, rows, |row| i16::from(row.part));
    let query = column(query, rows, |row| row.answered_as);
    let query = column(query, rows, |row| i16::from(row.segments));
    let query = column(query, rows, |row| text(&row.source));
    let query = column(query, rows, |row| text(&row.destination));
    let query = column(query, rows, |row| i16::from(row.alphabet));
    let query = column(query, rows, |row| i16::from(row.registered_delivery));
    let query = column(query, rows, |row| i16::from(row.priority));
    let query = column(query, rows, |row| row.accepted_at);
    let query = column(query, rows, |row| row.expires_at);
    let query = column(query, rows, |row| row.hold);
    let query = progress(query, rows, |row| &row.progress, Leading::Vendor);
    column(query, rows, |row| row.frame.to_vec())
}

fn update_messages(query: Statement, rows: &[(i64, Progress)]) -> Statement {
    progress(query, rows, |(_, progress)| progress, Leading::State)
}

/// Whether the state stands with the vendor (update) or earlier among the columns (insert).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leading {
    State,
    Vendor,
}

fn progress<T>(query: Statement, rows: &[T], of: impl Fn(&T) -> &Progress, leading: Leading) -> Statement {
    let query =
        if leading == Leading::State { column(query, rows, |row| of(row).state.code()) } else { query };
    let query = column(query, rows, |row| of(row).vendor);
    let query = column(query, rows, |row| of(row).route);
    let query = column(query, rows, |row| of(row).uncertain as i16);
    let query = column(query, rows, |row| i16::try_from(of(row).attempts).unwrap_or(i16::MAX));
    let query = column(query, rows, |row| of(row).submitted_at);
    let query = column(query, rows, |row| of(row).done_at);
    let query = column(query, rows, |row| of(row).deadline);
    let query = column(query, rows, |row| of(row).vendor_message_id.as_ref().map(text));
    let query = column(query, rows, |row| of(row).dlr_hash);
    let query = column(query, rows, |row| of(row).command_status.map(i64::from));
    column(query, rows, |row| of(row).error.as_ref().map(text))
}

fn insert_outbox(rows: &[OutboxRow]) -> Statement {
    let query = column(sqlx::query(PG_INSERT_OUTBOX), rows, |row| row.id);
    let query = column(query, rows, |row| row.account);
    let query = column(query, rows, |row| row.message);
    let query = column(query, rows, |row| row.kind as i16);
    let query = column(query, rows, |row| row.spilled);
    let query = column(query, rows, |row| row.expires_at);
    column(query, rows, |row| row.body.to_vec())
}

fn insert_submissions(rows: &[Submission]) -> Statement {
    let query = column(sqlx::query(PG_INSERT_SUBMISSIONS), rows, |row| row.message);
    let query = column(query, rows, |row| row.key.as_ref().map(text));
    let query = column(query, rows, |row| i32::from(row.item));
    let query = column(query, rows, |row| row.hash.to_vec());
    column(query, rows, |row| row.callback_url.as_ref().map(text))
}
