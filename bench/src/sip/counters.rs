//! What both ends count while a run goes on.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::histogram::Histogram;

/// The customer's side.
#[derive(Debug, Default)]
pub(crate) struct UacCounters {
    pub(crate) placed: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) live: AtomicU64,
    pub(crate) live_max: AtomicU64,
    /// Calls that were due while too many were open: the generator's own limit.
    pub(crate) skipped: AtomicU64,
    /// Requests sent again.
    pub(crate) again_sent: AtomicU64,
    /// ACKs sent again because a 2xx came again.
    pub(crate) acks_again: AtomicU64,
    /// Responses that came again.
    pub(crate) again_received: AtomicU64,
    /// A provisional response behind the final one.
    pub(crate) reordered: AtomicU64,
    /// A 2xx with another tag.
    pub(crate) duplicates: AtomicU64,
    /// A 2xx for a call that had been given up.
    pub(crate) late_answers: AtomicU64,
    /// BYE from the other side.
    pub(crate) ended_early: AtomicU64,
    /// Messages that cannot be used.
    pub(crate) malformed: AtomicU64,
    /// Messages of no call of this run.
    pub(crate) stray: AtomicU64,
    /// Final responses other than 2xx, by status.
    pub(crate) refusals: Mutex<BTreeMap<u16, u64>>,
    /// From when a call was due to when its INVITE was written.
    pub(crate) lateness: Histogram,
    /// From the INVITE to its first response.
    pub(crate) trying: Histogram,
    /// From the INVITE to the first response of the far end.
    pub(crate) ringing: Histogram,
    /// From the INVITE to its 2xx.
    pub(crate) answer: Histogram,
    /// From when the call was due to the first response of the far end; for OPTIONS to the final response.
    pub(crate) from_due: Histogram,
    /// From BYE to its final response.
    pub(crate) bye: Histogram,
    /// When something was broken on purpose, if anything was.
    pub(crate) fault_at: OnceLock<Instant>,
    /// Calls that were due since then.
    pub(crate) placed_behind: AtomicU64,
    /// Those of them that ended well.
    pub(crate) completed_behind: AtomicU64,
    /// Their time from the INVITE to its 2xx.
    pub(crate) answer_behind: Histogram,
}

/// The vendor's side.
#[derive(Debug, Default)]
pub(crate) struct UasCounters {
    pub(crate) calls: AtomicU64,
    /// 2xx sent again by timer.
    pub(crate) again_sent: AtomicU64,
    /// INVITEs that came again.
    pub(crate) again_invites: AtomicU64,
    /// ACKs that came again.
    pub(crate) again_acks: AtomicU64,
    /// BYEs that came again.
    pub(crate) again_byes: AtomicU64,
    /// Another INVITE for a call that is here: a copy too many.
    pub(crate) duplicates: AtomicU64,
    /// 2xx that nobody acknowledged.
    pub(crate) unacknowledged: AtomicU64,
    /// OPTIONS of the subject's probing.
    pub(crate) options: AtomicU64,
    /// CANCELs.
    pub(crate) cancels: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) stray: AtomicU64,
}

/// One more.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl UacCounters {
    /// A call that was due at `due` is placed.
    pub(crate) fn begun(&self, due: Instant) {
        bump(&self.placed);
        if self.is_behind_fault(due) {
            bump(&self.placed_behind);
        }
        let live = self.live.fetch_add(1, Relaxed) + 1;
        self.live_max.fetch_max(live, Relaxed);
    }

    /// The 2xx to the INVITE of a call that was due at `due` came, so long after the INVITE.
    pub(crate) fn answered(&self, due: Instant, after: Duration) {
        self.answer.record(after);
        if self.is_behind_fault(due) {
            self.answer_behind.record(after);
        }
    }

    /// A call that was due at `due` ended well.
    pub(crate) fn completed(&self, due: Instant) {
        bump(&self.completed);
        if self.is_behind_fault(due) {
            bump(&self.completed_behind);
        }
    }

    fn is_behind_fault(&self, due: Instant) -> bool {
        self.fault_at.get().is_some_and(|at| due >= *at)
    }

    pub(crate) fn ended(&self) {
        self.live.fetch_sub(1, Relaxed);
    }

    pub(crate) fn refused(&self, status: u16) {
        *self.refusals.lock().entry(status).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::now;
    use super::*;

    #[test]
    fn calls_behind_a_fault_are_those_that_were_due_since() {
        let counters = UacCounters::default();
        let (start, second) = (now(), Duration::from_secs(1));
        let call = |due: Instant| {
            counters.begun(due);
            counters.answered(due, Duration::from_millis(7));
            counters.completed(due);
        };
        call(start);
        counters.fault_at.set(start + second).unwrap();
        [start, start + second, start + second * 2].into_iter().for_each(call);
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        assert_eq!((read(&counters.placed), counters.answer.count(), read(&counters.completed)), (4, 4, 4));
        let behind = (read(&counters.placed_behind), read(&counters.completed_behind));
        assert_eq!((behind, counters.answer_behind.count()), ((2, 2), 2));
    }
}
