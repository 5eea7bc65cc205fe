//! The simulated message log: a disk that forgets what was not synced and tears the last write.
//!
//! [`Disk`] outlives the node that crashes; [`SimLog`] is what the node holds. A power loss keeps every batch
//! whose sync returned, and of the one being written nothing or all of it, as a transactional store does.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Attempt, Batch, Cdr, CdrFilter, CommitTimes, Contents, Counts, Dialog, Horizon, LogStore, MdrFilter,
    MessageRow, OutboxRow, Outdated, ParkedRow, State, Submission, Written,
};
use crate::random::Random;
use crate::store::{Error, ErrorKind};

/// Longest a simulated sync takes.
const SYNC_MAX: Duration = Duration::from_millis(8);

/// What is on the platter.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Tables>>);

#[derive(Debug, Clone, Default)]
struct Tables {
    messages: BTreeMap<i64, MessageRow>,
    outbox: BTreeMap<i64, OutboxRow>,
    parked: BTreeMap<i64, (ParkedRow, bool)>,
    submissions: BTreeMap<i64, Submission>,
    calls: calls::Tables,
    fault: Option<Fault>,
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every write is refused with an error of this kind.
    Refuses(ErrorKind),
    /// No write returns.
    Hangs,
}

impl Disk {
    /// Breaks the disk, or mends it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.lock().fault = fault;
    }

    /// An error while the disk refuses writes; waits while it hangs.
    async fn working(&self) -> Result<(), Error> {
        loop {
            let fault = self.0.lock().fault;
            match fault {
                None => return Ok(()),
                Some(Fault::Refuses(kind)) => return Err(Error::new(kind, "the simulated disk refuses")),
                Some(Fault::Hangs) => sleep(SYNC_MAX).await,
            }
        }
    }

    /// Every message, for the oracle of a simulation.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageRow> {
        self.0.lock().messages.values().cloned().collect()
    }

    /// Every `deliver_sm` owed, for the oracle of a simulation.
    #[must_use]
    pub fn outbox_rows(&self) -> Vec<OutboxRow> {
        self.0.lock().outbox.values().cloned().collect()
    }

    /// Every dialog record, for the oracle of a simulation.
    #[must_use]
    pub fn dialogs(&self) -> Vec<Dialog> {
        self.0.lock().calls.dialogs.values().cloned().collect()
    }

    /// Every CDR, for the oracle of a simulation.
    #[must_use]
    pub fn cdrs(&self) -> Vec<Cdr> {
        self.0.lock().calls.cdrs.values().cloned().collect()
    }
}

impl Tables {
    /// Gives the number of CDRs that were there already.
    fn apply(&mut self, batch: &Batch) -> u64 {
        for row in &batch.accepts {
            self.messages.entry(row.id).or_insert_with(|| row.clone());
        }
        for (id, progress) in &batch.changes {
            if let Some(row) = self.messages.get_mut(id) {
                row.progress = progress.clone();
            }
        }
        for (id, contents) in &batch.contents {
            if let Some(row) = self.messages.get_mut(id) {
                let Contents { alphabet, registered_delivery, expires_at, frame } = contents.clone();
                *row = MessageRow { alphabet, registered_delivery, expires_at, frame, ..row.clone() };
            }
        }
        self.outbox.extend(batch.outbox.iter().map(|row| (row.id, row.clone())));
        self.parked.extend(batch.parked.iter().map(|row| (row.id, (row.clone(), false))));
        for id in &batch.outbox_done {
            self.outbox.remove(id);
        }
        for id in &batch.unparked {
            self.parked.remove(id);
        }
        for submission in &batch.submissions {
            self.submissions.entry(submission.message).or_insert_with(|| submission.clone());
        }
        for id in &batch.purged {
            self.messages.remove(id);
            self.submissions.remove(id);
        }
        for id in &batch.orphaned {
            if let Some((_, orphan)) = self.parked.get_mut(id) {
                *orphan = true;
            }
        }
        self.calls.apply(&batch.calls)
    }
}

/// [`LogStore`] over a [`Disk`], with seeded sync times.
#[derive(Debug, Clone)]
pub struct SimLog {
    disk: Disk,
    random: Random,
}

impl SimLog {
    /// A log on a disk, as a node finds it at start.
    #[must_use]
    pub const fn new(disk: Disk, random: Random) -> Self {
        Self { disk, random }
    }

    fn select<T>(&self, pick: impl FnOnce(&Tables) -> T) -> BoxFuture<'_, Result<T, Error>>
    where
        T: Send + 'static,
    {
        let picked = pick(&self.disk.0.lock());
        Box::pin(async move { Ok(picked) })
    }
}

fn page(rows: impl Iterator<Item = MessageRow>, limit: u32) -> Vec<MessageRow> {
    rows.take(limit as usize).collect()
}

impl LogStore for SimLog {
    /// A crash drops the node's tasks. Dropped before the middle of the sync, the batch is lost whole; after
    /// it, the batch is on the platter although nobody was told.
    fn commit<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Written, Error>> {
        let before = self.random.jitter(SYNC_MAX / 2);
        let after = self.random.jitter(SYNC_MAX / 2);
        Box::pin(async move {
            sleep(before).await;
            self.disk.working().await?;
            let cdrs_repeated = self.disk.0.lock().apply(batch);
            sleep(after).await;
            let times = CommitTimes { total: before + after, sync: Some(before + after) };
            Ok(Written { times, cdrs_repeated })
        })
    }

    fn open(&self) -> BoxFuture<'_, Result<(), Error>> {
        for row in self.disk.0.lock().outbox.values_mut() {
            row.spilled = true;
        }
        Box::pin(async { Ok(()) })
    }

    fn highest_id(&self) -> BoxFuture<'_, Result<i64, Error>> {
        self.select(|tables| {
            let highest = [
                tables.messages.keys().next_back(),
                tables.outbox.keys().next_back(),
                tables.parked.keys().next_back(),
            ];
            highest.into_iter().flatten().max().copied().unwrap_or(0)
        })
    }

    fn live(&self, state: State, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        debug_assert!(state.is_paged(), "{state:?} is not paged through");
        self.select(|tables| {
            let rows = tables.messages.values().filter(|row| row.progress.state == state && row.id > after);
            page(rows.cloned(), limit)
        })
    }

    fn due(&self, state: State, now: i64, limit: u32) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        debug_assert!(state.is_timed(), "{state:?} has no deadlines");
        self.select(|tables| {
            let due = |row: &&MessageRow| {
                row.progress.state == state && row.progress.deadline.is_some_and(|deadline| deadline <= now)
            };
            page(tables.messages.values().filter(due).cloned(), limit)
        })
    }

    fn next_due(&self, state: State) -> BoxFuture<'_, Result<Option<i64>, Error>> {
        debug_assert!(state.is_timed(), "{state:?} has no deadlines");
        self.select(|tables| {
            let rows = tables.messages.values().filter(|row| row.progress.state == state);
            rows.filter_map(|row| row.progress.deadline).min()
        })
    }

    fn by_dlr_hash<'a>(&'a self, hashes: &'a [i64]) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>> {
        self.select(|tables| {
            let rows = tables.messages.values();
            rows.filter(|row| row.progress.dlr_hash.is_some_and(|hash| hashes.contains(&hash)))
                .cloned()
                .collect()
        })
    }

    fn message(&self, id: i64) -> BoxFuture<'_, Result<Option<MessageRow>, Error>> {
        self.select(|tables| tables.messages.get(&id).cloned())
    }

    fn parts(&self, parent: i64) -> BoxFuture<'_, Result<Vec<MessageRow>, Error>> {
        self.select(|tables| {
            tables.messages.values().filter(|row| row.parent == Some(parent)).cloned().collect()
        })
    }

    fn outbox(&self, account: Uuid, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<OutboxRow>, Error>> {
        self.select(|tables| {
            let rows = tables.outbox.values();
            let rows = rows.filter(|row| row.account == account && row.spilled && row.id > after);
            rows.take(limit as usize).cloned().collect()
        })
    }

    fn submission(&self, message: i64) -> BoxFuture<'_, Result<Option<Submission>, Error>> {
        self.select(|tables| tables.submissions.get(&message).cloned())
    }

    fn submissions<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<Submission>, Error>> {
        self.select(|tables| {
            let asked = |one: &&Submission| one.key.as_deref() == Some(key);
            let mut found: Vec<Submission> = tables.submissions.values().filter(asked).cloned().collect();
            found.sort_by_key(|one| one.item);
            found
        })
    }

    fn parked(&self, after: i64, limit: u32) -> BoxFuture<'_, Result<Vec<ParkedRow>, Error>> {
        self.select(|tables| {
            let rows = tables.parked.values().filter(|(row, orphan)| !orphan && row.id > after);
            rows.take(limit as usize).map(|(row, _)| row.clone()).collect()
        })
    }

    fn dialogs(&self, node: u16, after: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Dialog>, Error>> {
        self.select(|tables| tables.calls.dialogs(node, after, limit))
    }

    fn dialog(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Dialog>, Error>> {
        self.select(|tables| tables.calls.dialogs.get(&id).cloned())
    }

    fn take_dialog<'a>(&'a self, read: &'a Dialog, node: u16) -> BoxFuture<'a, Result<bool, Error>> {
        let taken = self.disk.0.lock().calls.take_dialog(read, node);
        Box::pin(async move { Ok(taken) })
    }

    fn mdrs<'a>(
        &'a self,
        filter: &'a MdrFilter,
        before: i64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<MessageRow>, Error>> {
        let (first, before) = filter.ids(before);
        self.select(|tables| {
            let rows = tables.messages.range(first.min(before)..before).rev().map(|(_, row)| row);
            page(rows.filter(|row| filter.takes(row)).cloned(), limit)
        })
    }

    fn cdrs<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Uuid,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Cdr>, Error>> {
        self.select(|tables| tables.calls.cdrs(filter, before, limit))
    }

    fn attempts(&self, call: Uuid) -> BoxFuture<'_, Result<Vec<Attempt>, Error>> {
        self.select(|tables| tables.calls.attempts(call))
    }

    fn counts(&self) -> BoxFuture<'_, Result<Counts, Error>> {
        self.select(|tables| {
            let of = |wanted: &[State]| {
                tables.messages.values().filter(|row| wanted.contains(&row.progress.state)).count() as u64
            };
            Counts {
                queued: of(&[State::Scheduled, State::Queued]),
                in_doubt: of(&[State::Submitted, State::Uncertain]),
                enroute: of(&[State::Enroute]),
                outbox: tables.outbox.len() as u64,
            }
        })
    }

    fn outdated(&self, horizon: Horizon, limit: u32) -> BoxFuture<'_, Result<Outdated, Error>> {
        let Horizon { after, before, now, calls_before } = horizon;
        let limit = limit as usize;
        self.select(|tables| {
            let is_final = |id| tables.messages.get(&id).is_none_or(|row| row.progress.state.is_final());
            let outdated =
                |row: &&MessageRow| row.progress.state.is_final() && row.parent.is_none_or(is_final);
            let first = after.saturating_add(1).min(before);
            let messages = tables.messages.range(first..before).map(|(_, row)| row);
            let messages = messages.filter(outdated).map(|row| row.id);
            let orphans = tables.parked.range(..before).filter(|(_, (_, orphan))| *orphan).map(|(id, _)| *id);
            let outbox = tables.outbox.values().filter(|row| row.spilled && row.expires_at <= now);
            Outdated {
                messages: messages.take(limit).collect(),
                orphans: orphans.take(limit).collect(),
                outbox: outbox.map(|row| row.id).take(limit).collect(),
                calls: tables.calls.outdated(calls_before, limit),
            }
        })
    }
}
