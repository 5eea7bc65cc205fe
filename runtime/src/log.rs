//! The message log: what was acknowledged is in here, durably; and the records of calls, in the same commits.
//!
//! Producers append records inline and get a [`Ticket`]; one committer writes all that has gathered as one
//! group, with one sync, and starts the next when the last returns. Whoever promises something to a peer
//! (`submit_sm_resp`, `deliver_sm_resp`) or lets an attempt leave waits for its ticket; socket readers never
//! do. The rows are protocol-free: addresses, states, times, and the frame as it came.
//!
//! Two implementations of [`LogStore`]: SQL (PostgreSQL, SQLite) and the simulated disk of the simulation.

mod batch;
mod bulk;
mod call;
mod filter;
mod group;
mod row;
mod sim;
mod sql;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use self::batch::{Batch, Calls};
pub use self::call::{
    Attempt, Attested, CallDirection, CallIdentity, CallMedia, Cdr, DIALOG_STATE_MAX, Dialog, EndedBy,
    MediaSent, Reason, Verstat,
};
pub use self::filter::{CdrFilter, MdrFilter};
pub use self::group::{CallTotals, Committed, Dropped, Full, Health, Limits, MessageLog, Ticket};
pub use self::row::{
    Contents, Direction, MessageRow, OutboxKind, OutboxRow, ParkedRow, Progress, State, Submission, Uncertain,
};
pub use self::sim::{Disk, Fault, SimLog};
pub use self::sql::SqlLog;
use crate::clock::Timestamp;
use crate::store::Error;

/// Durations of one commit, for the operator's histograms.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommitTimes {
    /// The whole commit.
    pub total: std::time::Duration,
    /// The COMMIT itself: the disk's sync. None when the whole was one statement, a transaction by itself.
    pub sync: Option<std::time::Duration>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// How long it took.
    pub times: CommitTimes,
    /// CDRs not written, because the call had one.
    pub cdrs_repeated: u64,
}

/// Counts at start, for telling the operator what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait for a vendor bind or for their time.
    pub queued: u64,
    /// Messages whose attempt was written and has no answer.
    pub in_doubt: u64,
    /// Messages at a vendor without a final receipt.
    pub enroute: u64,
    /// `deliver_sm` owed to customers.
    pub outbox: u64,
}

/// How far retention reaches. What is owed and has not expired stays, however old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Final messages with ids above this one: those below have been seen.
    pub after: i64,
    /// Final messages and orphaned receipts with ids below this one.
    pub before: i64,
    /// Spilled outbox rows that expired at or before this time, in Unix microseconds.
    pub now: i64,
    /// Calls that began before this time.
    pub calls_before: Timestamp,
}

/// Ids of rows that retention may delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Final messages, by id; no part of a message that is not final.
    pub messages: Vec<i64>,
    /// Receipts that never found their message.
    pub orphans: Vec<i64>,
    /// `deliver_sm` that nobody fetched in time.
    pub outbox: Vec<i64>,
    /// Calls that ended.
    pub calls: Vec<Uuid>,
}

/// Where the log is kept. Every write is idempotent: a batch whose commit failed is given again as it was.
pub trait LogStore: Send + Sync + 'static {
    /// Makes a batch durable, whole or not at all.
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Written, Error>>;

    /// Prepares for a new life after a stop or a crash: marks every outbox row as spilled.
    fn open(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// The highest id in the log, 0 when it is empty: new ids go on from there whatever the clock says.
    fn highest_id(&self) -> BoxFuture<'_, Result<i64, Error>>;

    /// Live messages in one state ([`State::is_paged`]) with `id > after`, by id, at most `limit`.
    fn live(&self, state: State, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>>;

    /// Live messages in one state ([`State::is_timed`]) whose deadline is at or before `now` (Unix microseconds),
    /// at most `limit`.
    fn due(&self, state: State, now: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>>;

    /// The earliest deadline of a state ([`State::is_timed`]).
    fn next_due(&self, state: State) -> BoxFuture<'_, Result<Option<i64>, Error>>;

    /// Messages whose vendor message id has one of these hashes.
    fn by_dlr_hash<'a>(&'a self, hashes: &'a [i64]) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>>;

    /// One message.
    fn message(&self, id: i64) -> BoxFuture<'_, Result<Option<MessageRow>, Error>>;

    /// The parts of a message that we split.
    fn parts(&self, parent: i64) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>>;

    /// Spilled outbox rows of an account with `id > after`, by id, at most `limit`.
    fn outbox(&self, account: Uuid, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<OutboxRow>, Error>>;

    /// What a message came with by the REST interface, if it did.
    fn submission(&self, message: i64) -> BoxFuture<'_, Result<Option<Submission>, Error>>;

    /// What the messages of a request came with, by their number in it; empty for a key that is not known.
    fn submissions<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<Submission>, Error>>;

    /// Receipts that wait for their message, with `id > after`, by id, at most `limit`.
    fn parked(&self, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<ParkedRow>, Error>>;

    /// Dialog records of a node with `id > after`, by id, at most `limit`.
    fn dialogs(&self, node: u16, after: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Dialog>, Error>>;

    /// One dialog record.
    fn dialog(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Dialog>, Error>>;

    /// Makes a dialog record that of `node`, if it is still the one that was read; whether it is.
    fn take_dialog<'a>(&'a self, read: &'a Dialog, node: u16) -> BoxFuture<'a, Result<bool, Error>>;

    /// Messages that the filter takes with `id < before`, the highest first, at most `limit`.
    fn mdrs<'a>(
        &'a self,
        filter: &'a MdrFilter,
        before: i64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>>;

    /// CDRs that the filter takes with `id < before`, the highest first, at most `limit`.
    fn cdrs<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Uuid,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Cdr>, Error>>;

    /// Attempts of a call, by number.
    fn attempts(&self, call: Uuid) -> BoxFuture<'_, Result<Vec<Attempt>, Error>>;

    /// What the log holds.
    fn counts(&self) -> BoxFuture<'_, Result<Counts, Error>>;

    /// What retention may delete now, at most `limit` of each kind.
    fn outdated(&self, horizon: Horizon, limit: u32) -> BoxFuture<'_, Result<Outdated, Error>>;
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) fn statements() -> [&'static [(&'static str, &'static crate::store::Sql)]; 2] {
    [bulk::ALL, bulk::calls::ALL]
}

#[cfg(test)]
pub(crate) use self::bulk::prepare_bulk;
