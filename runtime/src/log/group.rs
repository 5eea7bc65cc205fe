//! Group commit: many producers, one committer, one sync for all that gathered.

mod calls;
mod recent;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

#[cfg(test)]
pub(super) use self::calls::CDRS_RESERVED;
pub use self::calls::{CallTotals, Dropped};
use super::{Batch, CommitTimes, LogStore, Written};
use crate::store::{Error, ErrorKind};

/// After a group of fewer records the next one is committed at once: little comes, and each waits for it.
const COMPANY_MIN: usize = 8;
/// How long records that nobody is in a hurry for wait for others to be committed with. Those of calls
/// come together already, 8 ms late, and a CDR is to be durable 20 ms after the end of its call.
const LAZY_MAX: Duration = Duration::from_millis(4);
/// Waits between tries of a commit that the store refused for now.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// A commit that takes longer is taken for one that hangs: new messages are refused until it returns.
const STALLED: Duration = Duration::from_secs(5);

/// Bounds of the log.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records that may wait for the next commit; more new messages are refused.
    pub open_records_max: usize,
    /// How long after the beginning of the last commit the next one waits for company, unless the last had hardly
    /// any. Zero commits at once.
    pub gather: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_records_max: 50_000, gather: Duration::from_millis(1) }
    }
}

/// The log takes no new message now: too much waits, or the store refuses writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message log takes no new message now")]
pub struct Full;

/// Whether the log can make things durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Commits succeed.
    Working = 0,
    /// The last commit failed and is being tried again, or it hangs; nothing is acknowledged meanwhile.
    Refusing = 1,
    /// The disk failed a write or a sync. Nothing is acknowledged until the node is restarted.
    Failed = 2,
}

/// A promise of durability: done when the commit that carries the records has returned.
#[derive(Debug, Clone)]
pub struct Ticket(Arc<Group>);

#[derive(Debug, Default)]
struct Group {
    durable: AtomicBool,
    done: Notify,
}

impl Ticket {
    fn new() -> Self {
        Self(Arc::default())
    }

    /// True once the records are on disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.0.durable.load(Ordering::Acquire)
    }

    /// Waits until the records are on disk. While the store refuses, it waits on.
    pub async fn durable(&self) {
        // `notify_waiters` wakes every future made before it, polled or not: a commit between the two lines is
        // not missed.
        let done = self.0.done.notified();
        if !self.is_durable() {
            done.await;
        }
    }

    fn complete(&self) {
        self.0.durable.store(true, Ordering::Release);
        self.0.done.notify_waiters();
    }
}

/// The log as producers and the committer see it. Cheap to clone.
#[derive(Clone)]
pub struct MessageLog(Arc<Shared>);

struct Shared {
    store: Arc<dyn LogStore>,
    limits: Limits,
    open: Mutex<Open>,
    /// The group being committed. Kept here so that a committer that panics is followed by one that commits it.
    closing: tokio::sync::Mutex<Option<Open>>,
    /// Ticket of that group.
    closing_ticket: Mutex<Option<Ticket>>,
    /// The emptied batch of the last group, with its memory, for the next one.
    spare: Mutex<Batch>,
    wake: Notify,
    health: AtomicU8,
    commits: AtomicU64,
    records: AtomicU64,
    calls: calls::Counters,
}

struct Open {
    batch: Batch,
    ticket: Ticket,
    /// Whether a commit is to begin for it.
    urgent: bool,
    /// Since when records that nobody is in a hurry for wait.
    lazy_since: Option<Instant>,
}

impl Open {
    fn new(batch: Batch) -> Self {
        Self { batch, ticket: Ticket::new(), urgent: false, lazy_since: None }
    }
}

/// What one commit did, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct Committed {
    /// Records in the group.
    pub records: usize,
    /// New messages in the group.
    pub accepts: usize,
    /// CDRs in the group.
    pub cdrs: usize,
    /// How long it took.
    pub times: CommitTimes,
}

impl MessageLog {
    /// A log over a store; nothing is committed until [`MessageLog::run`] runs.
    #[must_use]
    pub fn new(store: Arc<dyn LogStore>, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            store,
            limits,
            open: Mutex::new(Open::new(Batch::default())),
            closing: tokio::sync::Mutex::new(None),
            closing_ticket: Mutex::new(None),
            spare: Mutex::new(Batch::default()),
            wake: Notify::new(),
            health: AtomicU8::new(Health::Working as u8),
            commits: AtomicU64::new(0),
            records: AtomicU64::new(0),
            calls: calls::Counters::default(),
        }))
    }

    /// Where the log reads and writes.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn LogStore> {
        &self.0.store
    }

    /// Appends what starts something new (an accepted message); refused when the log is full or the store
    /// refuses writes, and then nothing was appended.
    ///
    /// # Errors
    /// [`Full`].
    pub fn append_new(&self, add: impl FnOnce(&mut Batch)) -> Result<Ticket, Full> {
        if self.health() != Health::Working {
            return Err(Full);
        }
        let mut open = self.0.open.lock();
        if open.batch.len() >= self.0.limits.open_records_max {
            return Err(Full);
        }
        add(&mut open.batch);
        Ok(self.hurry(&mut open))
    }

    /// Appends what goes on with something accepted. Never refused: its volume is bounded by windows.
    pub fn append(&self, add: impl FnOnce(&mut Batch)) -> Ticket {
        let mut open = self.0.open.lock();
        add(&mut open.batch);
        self.hurry(&mut open)
    }

    /// Appends what no peer waits for and what may come to nothing in a crash. It starts no commit for 4 ms; until
    /// then it joins one that begins for others.
    pub fn append_lazily(&self, add: impl FnOnce(&mut Batch)) -> Ticket {
        let mut open = self.0.open.lock();
        add(&mut open.batch);
        if open.lazy_since.is_none() {
            open.lazy_since = Some(Instant::now());
            self.0.wake.notify_one();
        }
        open.ticket.clone()
    }

    fn hurry(&self, open: &mut Open) -> Ticket {
        if !mem::replace(&mut open.urgent, true) {
            self.0.wake.notify_one();
        }
        open.ticket.clone()
    }

    /// Waits until everything appended so far is durable, so that a read of the store sees it.
    pub async fn barrier(&self) {
        let ticket = {
            let mut open = self.0.open.lock();
            if open.batch.is_empty() {
                self.0.closing_ticket.lock().clone()
            } else {
                Some(self.hurry(&mut open))
            }
        };
        if let Some(ticket) = ticket {
            ticket.durable().await;
        }
    }

    /// Whether acknowledgements flow.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.0.health.load(Ordering::Acquire) {
            0 => Health::Working,
            1 => Health::Refusing,
            _ => Health::Failed,
        }
    }

    /// Records that wait for the next commit.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.open.lock().batch.len()
    }

    /// Commits and records made durable so far.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.0.commits.load(Ordering::Relaxed), self.0.records.load(Ordering::Relaxed))
    }

    /// Commits groups for ever. Run by exactly one task; one that takes over after a panic commits the group
    /// that its predecessor held. One that takes over after the disk has failed never commits.
    pub async fn run(&self, mut observe: impl FnMut(Committed)) {
        let mut closing = self.0.closing.lock().await;
        if self.health() == Health::Failed {
            std::future::pending::<()>().await;
        }
        let (mut last, mut company) = (Instant::now(), true);
        loop {
            if closing.is_none() {
                self.records().await;
                if company {
                    self.gather(last).await;
                }
                last = Instant::now();
                *closing = Some(self.close());
            }
            if let Some(group) = closing.as_ref() {
                observe(self.commit(group).await);
                group.ticket.complete();
            }
            if let Some(mut group) = closing.take() {
                company = group.batch.len() >= COMPANY_MIN;
                group.batch.clear();
                *self.0.spare.lock() = group.batch;
            }
        }
    }

    /// Takes the open group to be committed, and opens the next one.
    fn close(&self) -> Open {
        let next = Open::new(mem::take(&mut *self.0.spare.lock()));
        let mut open = self.0.open.lock();
        *self.0.closing_ticket.lock() = Some(open.ticket.clone());
        mem::replace(&mut *open, next)
    }

    /// Waits until there is something to commit. It looks before it waits: a committer that died between the
    /// two took the wake-up with it.
    async fn records(&self) {
        loop {
            let (urgent, lazy_since) = {
                let open = self.0.open.lock();
                (open.urgent, open.lazy_since)
            };
            match lazy_since {
                _ if urgent => return,
                None => self.0.wake.notified().await,
                Some(since) => {
                    if timeout_at(since + LAZY_MAX, self.0.wake.notified()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Under load a commit waits for company: the sync costs the same for one record and for hundreds.
    async fn gather(&self, last: Instant) {
        let gather = self.0.limits.gather;
        let since = last.elapsed();
        if since < gather {
            sleep(gather - since).await;
        }
    }

    /// Commits one group, however long the store refuses it.
    async fn commit(&self, group: &Open) -> Committed {
        let mut wait = RETRY_FIRST;
        let mut reported = None;
        loop {
            match self.attempt(&group.batch).await {
                Ok(Written { times, cdrs_repeated }) => {
                    self.on_committed();
                    let batch = &group.batch;
                    let (records, accepts, cdrs) = (batch.len(), batch.accepts.len(), batch.calls.cdrs.len());
                    self.0.commits.fetch_add(1, Ordering::Relaxed);
                    self.0.records.fetch_add(records as u64, Ordering::Relaxed);
                    // What a failed try has written after all is no repetition.
                    let repeated = if reported.is_none() { cdrs_repeated } else { 0 };
                    self.0.calls.on_committed(cdrs, repeated);
                    return Committed { records, accepts, cdrs, times };
                }
                Err(error) => {
                    let kind = Some(error.kind());
                    self.on_refusal(&error, mem::replace(&mut reported, kind) != kind).await;
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// One try. One that hangs goes on: what it wrote may be durable or not, and nobody else may write meanwhile.
    async fn attempt(&self, batch: &Batch) -> Result<Written, Error> {
        let mut commit = self.0.store.commit(batch);
        if let Ok(done) = timeout(STALLED, &mut commit).await {
            return done;
        }
        if self.0.health.swap(Health::Refusing as u8, Ordering::AcqRel) == Health::Working as u8 {
            tracing::error!(waited = ?STALLED, "a commit of the message log hangs, nothing is acknowledged until it returns: check the disk or the database");
        }
        commit.await
    }

    fn on_committed(&self) {
        if self.0.health.swap(Health::Working as u8, Ordering::AcqRel) != Health::Working as u8 {
            tracing::info!("the message log commits again, messages are acknowledged");
        }
    }

    /// Returns when the group may be tried again, and says so when this is not what was said before. A disk that
    /// failed a write gets no other try: what a failed sync left on the disk is not known, and a second sync
    /// may report success for it.
    async fn on_refusal(&self, error: &Error, is_news: bool) {
        if error.kind() == ErrorKind::DiskFailed {
            self.0.health.store(Health::Failed as u8, Ordering::Release);
            tracing::error!(%error, "the disk of the message log failed, nothing is acknowledged any more: replace the disk and restart the node");
            std::future::pending::<()>().await;
        }
        self.0.health.store(Health::Refusing as u8, Ordering::Release);
        if is_news {
            tracing::error!(%error, "the message log cannot commit, nothing is acknowledged until it can: check the disk or the database");
        }
    }
}
