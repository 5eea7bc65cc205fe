//! The message log: what was acknowledged is in here, durably.
//!
//! Producers append records inline and get a [`Ticket`]; one committer writes all that has gathered as one
//! group, with one sync, and starts the next when the last returns. Whoever promises something to a peer
//! (`submit_sm_resp`, `deliver_sm_resp`) or lets an attempt leave waits for its ticket; socket readers never
//! do. The rows are protocol-free: addresses, states, times, and the frame as it came.
//!
//! Two implementations of [`LogStore`]: SQL (PostgreSQL, SQLite) and the simulated disk of the simulation.

mod batch;
mod bulk;
mod group;
mod row;
mod sim;
mod sql;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use self::batch::Batch;
pub use self::group::{Committed, Full, Health, Limits, MessageLog, Ticket};
pub use self::row::{Direction, MessageRow, OutboxKind, OutboxRow, ParkedRow, Progress, State, Uncertain};
pub use self::sim::{Disk, Fault, SimLog};
pub use self::sql::SqlLog;
use crate::store::Error;

/// Durations of one commit, for the operator's histograms.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommitTimes {
    /// The whole commit.
    pub total: std::time::Duration,
    /// The COMMIT itself: the disk's sync.
    pub sync: std::time::Duration,
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

/// Where the log is kept. Every write is idempotent: a batch whose commit failed is given again as it was.
pub trait LogStore: Send + Sync + 'static {
    /// Makes a batch durable, whole or not at all.
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<CommitTimes, Error>>;

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

    /// Receipts that wait for their message, with `id > after`, by id, at most `limit`.
    fn parked(&self, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<ParkedRow>, Error>>;

    /// What the log holds.
    fn counts(&self) -> BoxFuture<'_, Result<Counts, Error>>;

    /// Deletes final messages and orphaned receipts with an id below `before`, and spilled outbox rows that
    /// expired at or before `now` (Unix microseconds), at most `limit` of each; gives how many rows went.
    /// What is owed and has not expired stays, however old it is.
    fn expire(&self, before: i64, now: i64, limit: u32) -> BoxFuture<'_, Result<u64, Error>>;
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) fn statements() -> &'static [(&'static str, &'static crate::store::Sql)] {
    bulk::ALL
}

#[cfg(test)]
pub(crate) use self::bulk::prepare_bulk;
