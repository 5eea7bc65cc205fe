//! The message log in PostgreSQL or SQLite.

mod lite;
mod pg;
mod read;
mod recent;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgPool;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use self::read::calls::{AttemptRecord, DialogRecord};
use self::read::{MessageRecord, OutboxRecord, ParkedRecord, SubmissionRecord};
use super::bulk::calls::{ATTEMPTS, DIALOG, DIALOGS, OUTDATED_CALLS, TAKE_DIALOG};
use super::bulk::{
    BY_DLR_HASH, COUNT_OUTBOX, COUNT_STATES, DUE, HIGHEST_MESSAGE, HIGHEST_OUTBOX, HIGHEST_PARKED, LIVE,
    MESSAGE, NEXT_DUE, OUTBOX, OUTDATED_MESSAGES, OUTDATED_ORPHANS, OUTDATED_OUTBOX, PARKED, PARTS,
    SPILL_ALL, SUBMISSION, SUBMISSIONS,
};
use super::call::first_id_at;
use super::{
    Attempt, Batch, Cdr, CdrFilter, CommitTimes, Counts, Dialog, Horizon, LogStore, MdrFilter, MessageRow,
    OutboxRow, Outdated, ParkedRow, State, Submission, Written,
};
use crate::store::{Db, Error, ErrorKind, Lite, execute, fetch_all, fetch_optional};

/// How long PostgreSQL may take for a commit before its connection is given up.
const PG_COMMIT_MAX: Duration = Duration::from_secs(30);
/// Records between two copies of SQLite's write-ahead log into its file: some 10 MiB of pages.
const CHECKPOINT_RECORDS: usize = 16_384;

/// [`LogStore`] over SQL.
#[derive(Debug)]
pub struct SqlLog {
    db: Db,
    /// See [`PG_COMMIT_MAX`].
    pub(super) pg_commit_max: Duration,
    /// See [`CHECKPOINT_RECORDS`].
    pub(super) checkpoint_records: usize,
    /// Records since the last checkpoint began.
    unchecked: AtomicUsize,
    /// The right to checkpoint: one at a time.
    pub(super) checkpoint: Arc<Semaphore>,
}

impl SqlLog {
    /// A log in a database whose migrations have run.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            pg_commit_max: PG_COMMIT_MAX,
            checkpoint_records: CHECKPOINT_RECORDS,
            unchecked: AtomicUsize::new(0),
            checkpoint: Arc::new(Semaphore::new(1)),
        }
    }

    async fn commit_batch(&self, batch: &Batch) -> Result<Written, Error> {
        match &self.db {
            Db::Pg(pool) => self.commit_pg(pool, batch).await,
            Db::Lite(lite) => {
                let written = commit_lite(lite, batch).await?;
                self.checkpoint_beside(&lite.checkpoint, batch.len());
                Ok(written)
            }
        }
    }

    /// A server that is gone without a word leaves a commit waiting for ever, and the driver's own tidying up
    /// after it too: the connection is closed instead. The next try cannot be overtaken by what this one left
    /// in the network. Until a server gets COMMIT it holds the locks of the rows, and when it has not yet done
    /// the writes it never gets COMMIT.
    async fn commit_pg(&self, pool: &PgPool, batch: &Batch) -> Result<Written, Error> {
        let mut connection = pool.acquire().await?;
        if let Ok(done) = timeout(self.pg_commit_max, pg::commit(&mut connection, batch)).await {
            return done;
        }
        drop(connection.detach());
        let waited = self.pg_commit_max;
        let text = format!("postgresql did not answer a commit within {waited:?}, its connection is closed");
        Err(Error::new(ErrorKind::Unavailable, text))
    }

    /// Has the write-ahead log copied into the file by another connection, which no commit waits for. It never
    /// catches up with a busy writer; the rest is the writer's own, once in `wal_autocheckpoint` pages.
    fn checkpoint_beside(&self, pool: &SqlitePool, records: usize) {
        if self.unchecked.fetch_add(records, Ordering::Relaxed) + records < self.checkpoint_records {
            return;
        }
        let Ok(permit) = Arc::clone(&self.checkpoint).try_acquire_owned() else { return };
        self.unchecked.store(0, Ordering::Relaxed);
        let pool = pool.clone();
        tokio::spawn(async move {
            if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&pool).await {
                tracing::warn!(%error, "the write-ahead log of the messages could not be copied into its file");
            }
            drop(permit);
        });
    }

    async fn messages_of_hashes(&self, hashes: &[i64]) -> Result<Vec<MessageRow>, Error> {
        let mut found: Vec<MessageRow> = Vec::new();
        for hash in hashes {
            let rows: Vec<MessageRecord> = fetch_all!(&self.db, MessageRecord, BY_DLR_HASH, *hash)?;
            for row in read::messages(rows)? {
                if !found.iter().any(|known| known.id == row.id) {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }

    async fn count(&self) -> Result<Counts, Error> {
        let states: Vec<(i16, i64)> = fetch_all!(&self.db, (i16, i64), COUNT_STATES)?;
        let outbox: Option<(i64,)> = fetch_optional!(&self.db, (i64,), COUNT_OUTBOX)?;
        let of = |wanted: &[State]| {
            let rows = states.iter().filter(|(code, _)| wanted.iter().any(|state| state.code() == *code));
            rows.map(|(_, count)| count.unsigned_abs()).sum()
        };
        Ok(Counts {
            queued: of(&[State::Scheduled, State::Queued]),
            in_doubt: of(&[State::Submitted, State::Uncertain]),
            enroute: of(&[State::Enroute]),
            outbox: outbox.map_or(0, |(count,)| count.unsigned_abs()),
        })
    }
}

/// A statement by itself is a transaction: without BEGIN and COMMIT it goes to the driver's thread and back once
/// instead of three times. So are most groups while there is little traffic.
async fn commit_lite(lite: &Lite, batch: &Batch) -> Result<Written, Error> {
    let begun = Instant::now();
    let mut connection = lite.write.acquire().await?;
    let written = write_lite(&mut connection, batch).await;
    if written.is_err() {
        // Whatever state it is in, the next try begins with another.
        connection.close_on_drop();
    }
    let (cdrs_repeated, written) = written?;
    let sync = written.map(|written| written.elapsed());
    Ok(Written { times: CommitTimes { total: begun.elapsed(), sync }, cdrs_repeated })
}

/// Gives the number of CDRs that were there already, and when COMMIT began, unless there was none.
async fn write_lite(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<(u64, Option<Instant>), Error> {
    if lite::is_one_statement(batch) {
        return Ok((lite::write(connection, batch).await?, None));
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let cdrs_repeated = lite::write(&mut tx, batch).await?;
    let written = Instant::now();
    tx.commit().await?;
    Ok((cdrs_repeated, Some(written)))
}

/// Text as both engines take it: PostgreSQL refuses NUL in text, and would refuse the whole commit for ever.
/// The frame keeps it.
fn text(text: &Arc<str>) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_string() }
}

/// Numbers as SMALLINT has them; none of ours is above it but by a bug.
fn smallint(value: u16) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}

/// Numbers as BIGINT has them; none of ours is above it.
fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn ids<T>(rows: Vec<(T,)>) -> Vec<T> {
    rows.into_iter().map(|(id,)| id).collect()
}

impl LogStore for SqlLog {
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Written, Error>> {
        Box::pin(self.commit_batch(batch))
    }

    fn open(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let mut tx = self.db.begin().await?;
            execute!(&mut tx, SPILL_ALL)?;
            tx.commit().await
        })
    }

    fn highest_id(&self) -> BoxFuture<'_, Result<i64, Error>> {
        Box::pin(async {
            let mut highest = 0;
            for sql in [&HIGHEST_MESSAGE, &HIGHEST_OUTBOX, &HIGHEST_PARKED] {
                let row: Option<(Option<i64>,)> = fetch_optional!(&self.db, (Option<i64>,), sql)?;
                highest = highest.max(row.and_then(|(id,)| id).unwrap_or(0));
            }
            Ok(highest)
        })
    }

    fn live(&self, state: State, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        debug_assert!(state.is_paged(), "{state:?} is not paged through");
        Box::pin(async move {
            read::messages(fetch_all!(&self.db, MessageRecord, LIVE, state.code(), after, i64::from(limit))?)
        })
    }

    fn due(&self, state: State, now: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        debug_assert!(state.is_timed(), "{state:?} has no deadlines");
        Box::pin(async move {
            read::messages(fetch_all!(&self.db, MessageRecord, DUE, state.code(), now, i64::from(limit))?)
        })
    }

    fn next_due(&self, state: State) -> BoxFuture<'_, Result<Option<i64>, Error>> {
        debug_assert!(state.is_timed(), "{state:?} has no deadlines");
        Box::pin(async move {
            let row: Option<(Option<i64>,)> =
                fetch_optional!(&self.db, (Option<i64>,), NEXT_DUE, state.code())?;
            Ok(row.and_then(|(deadline,)| deadline))
        })
    }

    fn by_dlr_hash<'a>(&'a self, hashes: &'a [i64]) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>> {
        Box::pin(self.messages_of_hashes(hashes))
    }

    fn message(&self, id: i64) -> BoxFuture<'_, Result<Option<MessageRow>, Error>> {
        Box::pin(async move {
            let row: Option<MessageRecord> = fetch_optional!(&self.db, MessageRecord, MESSAGE, id)?;
            row.map(read::message).transpose()
        })
    }

    fn parts(&self, parent: i64) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        Box::pin(async move { read::messages(fetch_all!(&self.db, MessageRecord, PARTS, parent)?) })
    }

    fn outbox(&self, account: Uuid, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<OutboxRow>, Error>> {
        Box::pin(async move {
            let rows: Vec<OutboxRecord> =
                fetch_all!(&self.db, OutboxRecord, OUTBOX, account, after, i64::from(limit))?;
            Ok(rows.into_iter().map(read::outbox).collect())
        })
    }

    fn submission(&self, message: i64) -> BoxFuture<'_, Result<Option<Submission>, Error>> {
        Box::pin(async move {
            let row: Option<SubmissionRecord> =
                fetch_optional!(&self.db, SubmissionRecord, SUBMISSION, message)?;
            Ok(row.map(read::submission))
        })
    }

    fn submissions<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<Submission>, Error>> {
        Box::pin(async move {
            let rows: Vec<SubmissionRecord> =
                fetch_all!(&self.db, SubmissionRecord, SUBMISSIONS, key.to_owned())?;
            Ok(rows.into_iter().map(read::submission).collect())
        })
    }

    fn parked(&self, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<ParkedRow>, Error>> {
        Box::pin(async move {
            let rows: Vec<ParkedRecord> =
                fetch_all!(&self.db, ParkedRecord, PARKED, after, i64::from(limit))?;
            Ok(rows.into_iter().map(read::parked).collect())
        })
    }

    fn dialogs(&self, node: u16, after: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Dialog>, Error>> {
        Box::pin(async move {
            let rows: Vec<DialogRecord> =
                fetch_all!(&self.db, DialogRecord, DIALOGS, smallint(node), after, i64::from(limit))?;
            Ok(rows.into_iter().map(read::calls::dialog).collect())
        })
    }

    fn dialog(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Dialog>, Error>> {
        Box::pin(async move {
            let row: Option<DialogRecord> = fetch_optional!(&self.db, DialogRecord, DIALOG, id)?;
            Ok(row.map(read::calls::dialog))
        })
    }

    fn take_dialog<'a>(&'a self, read: &'a Dialog, node: u16) -> BoxFuture<'a, Result<bool, Error>> {
        let (node, before) = (smallint(node), smallint(read.node));
        let (id, version) = (read.id, read.updated_at.micros());
        Box::pin(async move {
            let mut tx = self.db.begin().await?;
            let taken = execute!(&mut tx, TAKE_DIALOG, node, id, before, version)? == 1;
            tx.commit().await?;
            Ok(taken)
        })
    }

    fn mdrs<'a>(
        &'a self,
        filter: &'a MdrFilter,
        before: i64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>> {
        Box::pin(recent::mdrs(&self.db, filter, (before, limit)))
    }

    fn cdrs<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Uuid,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Cdr>, Error>> {
        Box::pin(recent::cdrs(&self.db, filter, (before, limit)))
    }

    fn attempts(&self, call: Uuid) -> BoxFuture<'_, Result<Vec<Attempt>, Error>> {
        Box::pin(async move {
            let rows: Vec<AttemptRecord> = fetch_all!(&self.db, AttemptRecord, ATTEMPTS, call)?;
            rows.into_iter().map(read::calls::attempt).collect()
        })
    }

    fn counts(&self) -> BoxFuture<'_, Result<Counts, Error>> {
        Box::pin(self.count())
    }

    fn outdated(&self, horizon: Horizon, limit: u32) -> BoxFuture<'_, Result<Outdated, Error>> {
        let Horizon { after, before, now, calls_before } = horizon;
        let calls_before = first_id_at(calls_before);
        let limit = i64::from(limit);
        Box::pin(async move {
            Ok(Outdated {
                messages: ids(fetch_all!(&self.db, (i64,), OUTDATED_MESSAGES, after, before, limit)?),
                orphans: ids(fetch_all!(&self.db, (i64,), OUTDATED_ORPHANS, before, limit)?),
                outbox: ids(fetch_all!(&self.db, (i64,), OUTDATED_OUTBOX, now, limit)?),
                calls: ids(fetch_all!(&self.db, (Uuid,), OUTDATED_CALLS, calls_before, limit)?),
            })
        })
    }
}
