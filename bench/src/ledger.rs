//! What happened to every message of a run, counted from the ids in our own payloads at both ends and never
//! from the node's word. Ids are dense numbers, so a message costs 16 octets and 4 to 9 more of index.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::hash::hash64;

pub use self::tally::Tally;

mod cells;
mod index;
mod tally;

use self::cells::{Cell, Cells, Flags};
use self::index::{Found, Index};

/// The common account of the two ends of a run: the ESME simulators write what they submitted and got back,
/// the SMSC simulators what reached them.
#[derive(Debug)]
pub struct Ledger {
    run: u16,
    epoch: Instant,
    receipts: bool,
    next: AtomicU32,
    cells: Cells,
    index: Index,
    live: Live,
}

/// Totals that may be read while the run goes on; each message is counted at most once in each.
#[derive(Debug, Default)]
pub struct Live {
    /// submit_sm written to the node.
    pub submitted: AtomicU64,
    /// Answered with ESME_ROK.
    pub accepted: AtomicU64,
    /// Answered with another status.
    pub refused: AtomicU64,
    /// Never answered: the connection was lost or the answer did not come in time.
    pub unknown: AtomicU64,
    /// Reached an SMSC at least once.
    pub reached: AtomicU64,
    /// Messages whose final receipt came back at least once.
    pub receipts: AtomicU64,
    /// Accepted messages with nothing left to happen: the receipt is back, or no receipt is to come.
    pub settled: AtomicU64,
    /// Receipts for an id that the customer was never given (so far).
    pub unmatched: AtomicU64,
}

/// A final receipt, as the customer reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Final {
    /// DELIVRD.
    Delivered,
    /// Any other final state.
    Failed,
}

/// What a receipt was, see [`Ledger::receipt_seen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first receipt of a message, and how long after its submission it came.
    First(Duration),
    /// One more receipt of a message that already had one.
    Again,
    /// The id is not known yet: kept until the submit_sm_resp brings it.
    Early,
}

impl Ledger {
    /// An empty ledger. `run` goes into every marker; with `receipts` a message is settled only when its
    /// receipt is back or the SMSC withheld it.
    pub fn new(run: u16, receipts: bool) -> Self {
        Self {
            run,
            epoch: Instant::now(),
            receipts,
            next: AtomicU32::new(0),
            cells: Cells::default(),
            index: Index::default(),
            live: Live::default(),
        }
    }

    /// The number of this run in the markers.
    pub const fn run(&self) -> u16 {
        self.run
    }

    /// Whether customers of this run ask for receipts.
    pub const fn receipts(&self) -> bool {
        self.receipts
    }

    /// The totals so far.
    pub const fn live(&self) -> &Live {
        &self.live
    }

    /// Hands out `count` fresh ids.
    pub fn issue(&self, count: u32) -> Range<u32> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        first..first.saturating_add(count)
    }

    /// The message was written to the node; `at` is when it was due or written, the start of its latencies.
    pub fn submitted(&self, id: u32, at: Instant) {
        self.with(id, |cell| {
            cell.sent_us.store(self.micros(at), Ordering::Relaxed);
            self.add(cell, Flags::SUBMITTED, &self.live.submitted);
        });
    }

    /// submit_sm_resp ESME_ROK gave the message its message_id. When its receipt came first, returns how
    /// long after the submission that was.
    pub fn accepted(&self, id: u32, message_id: &[u8]) -> Option<Duration> {
        let hash = hash64(message_id);
        self.with(id, |cell| {
            cell.hash.store(hash, Ordering::Relaxed);
            self.add(cell, Flags::ACCEPTED, &self.live.accepted);
            let early = self.index.insert(hash, id, &self.cells)?;
            self.live.unmatched.fetch_sub(u64::from(early.count), Ordering::Relaxed);
            cell.seen.fetch_add(early.count - 1, Ordering::Relaxed);
            match self.seen(cell, early.receipt, early.at) {
                Seen::First(latency) => Some(latency),
                Seen::Again | Seen::Early => None,
            }
        })?
    }

    /// submit_sm_resp had another status: the message was not taken.
    pub fn refused(&self, id: u32) {
        self.with(id, |cell| self.add(cell, Flags::REFUSED, &self.live.refused));
    }

    /// No submit_sm_resp will come any more.
    pub fn unknown(&self, id: u32) {
        self.with(id, |cell| self.add(cell, Flags::UNKNOWN, &self.live.unknown));
    }

    /// An SMSC took the message; whether it was the first time.
    pub fn reached(&self, id: u32) -> bool {
        let first = self.with(id, |cell| {
            self.add(cell, Flags::REACHED, &self.live.reached);
            cell.reached.fetch_add(1, Ordering::Relaxed) == 0
        });
        first.unwrap_or_default()
    }

    /// The SMSC took the message and lost the connection before it could answer: another copy is the node's
    /// right, since it cannot know.
    pub fn unanswered(&self, id: u32) {
        self.with(id, |cell| self.set(cell, Flags::UNANSWERED));
    }

    /// The SMSC wrote a final receipt for the message.
    pub fn receipt_sent(&self, id: u32) {
        self.with(id, |cell| self.set(cell, Flags::SENT));
    }

    /// The SMSC will never send a receipt for the message.
    pub fn receipt_withheld(&self, id: u32) {
        self.with(id, |cell| self.set(cell, Flags::WITHHELD));
    }

    /// The customer got a final receipt that carries `message_id`.
    pub fn receipt_seen(&self, message_id: &[u8], receipt: Final, at: Instant) -> Seen {
        match self.index.find_or_keep(hash64(message_id), receipt, at, &self.cells) {
            Found::Id(id) => self.with(id, |cell| self.seen(cell, receipt, at)).unwrap_or(Seen::Early),
            Found::Early => {
                self.live.unmatched.fetch_add(1, Ordering::Relaxed);
                Seen::Early
            }
        }
    }

    /// Whether every accepted message is settled.
    pub fn is_settled(&self) -> bool {
        self.live.settled.load(Ordering::Relaxed) >= self.live.accepted.load(Ordering::Relaxed)
    }

    /// Goes through all messages and adds up; meant for the end of a run.
    pub fn tally(&self) -> Tally {
        let issued = self.next.load(Ordering::Relaxed);
        let mut tally =
            Tally { unmatched_receipts: self.live.unmatched.load(Ordering::Relaxed), ..Tally::default() };
        for id in 0..issued {
            self.with(id, |cell| tally.add(&cell.outcome()));
        }
        tally
    }

    fn seen(&self, cell: &Cell, receipt: Final, at: Instant) -> Seen {
        if receipt == Final::Failed {
            self.set(cell, Flags::FAILED);
        }
        let again = self.add(cell, Flags::SEEN, &self.live.receipts);
        cell.seen.fetch_add(1, Ordering::Relaxed);
        if again {
            return Seen::Again;
        }
        let sent_us = cell.sent_us.load(Ordering::Relaxed);
        Seen::First(Duration::from_micros(u64::from(self.micros(at).wrapping_sub(sent_us))))
    }

    /// Sets `flag` and counts in `total` when it was not set before; whether it was.
    fn add(&self, cell: &Cell, flag: Flags, total: &AtomicU64) -> bool {
        let again = self.set(cell, flag);
        if !again {
            total.fetch_add(1, Ordering::Relaxed);
        }
        again
    }

    /// Sets `flag`, counts the message as settled when that makes it so; whether the flag was set before.
    fn set(&self, cell: &Cell, flag: Flags) -> bool {
        let before = cell.set(flag);
        let after = before.with(flag);
        if after.is_settled(self.receipts) && !before.is_settled(self.receipts) {
            self.live.settled.fetch_add(1, Ordering::Relaxed);
        }
        before.has(flag)
    }

    fn with<T>(&self, id: u32, f: impl FnOnce(&Cell) -> T) -> Option<T> {
        (id < self.next.load(Ordering::Relaxed)).then(|| self.cells.with(id, f)).flatten()
    }

    /// Microseconds since the epoch, modulo 2^32: 71 minutes, more than any latency measured here.
    fn micros(&self, at: Instant) -> u32 {
        let micros = at.saturating_duration_since(self.epoch).as_micros() & u128::from(u32::MAX);
        u32::try_from(micros).unwrap_or_default()
    }
}

/// One lock per slice of the hash space.
type Shards<T> = Box<[Mutex<T>]>;

#[cfg(test)]
mod tests;
