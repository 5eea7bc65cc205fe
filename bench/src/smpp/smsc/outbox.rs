//! Receipts waiting for any receiving bind of one system_id.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::receipt::Receipt;

/// In order of their due time as long as the delay does not change. Unbounded on purpose: it is the memory
/// of a simulated vendor, and a node that does not take its receipts shall see them all later.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<VecDeque<Receipt>>,
    /// Wakes the binds that found nothing to wait for.
    pub(super) woken: Notify,
}

impl Outbox {
    pub(super) fn push(&self, receipts: &mut Vec<Receipt>) {
        if receipts.is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        let was_empty = queue.is_empty();
        queue.extend(receipts.drain(..));
        drop(queue);
        if was_empty {
            self.woken.notify_waiters();
        }
    }

    /// Puts back what a lost connection did not answer, ahead of everything else.
    pub(super) fn put_back(&self, receipts: impl DoubleEndedIterator<Item = Receipt>) {
        let mut queue = self.queue.lock();
        receipts.rev().for_each(|receipt| queue.push_front(receipt));
        drop(queue);
        self.woken.notify_waiters();
    }

    /// Moves at most `max` due receipts to `into`; returns when the next one is due.
    pub(super) fn take_due(&self, now: Instant, max: usize, into: &mut Vec<Receipt>) -> Option<Instant> {
        let mut queue = self.queue.lock();
        for _ in 0..max {
            match queue.front() {
                Some(receipt) if receipt.due <= now => into.extend(queue.pop_front()),
                Some(_) | None => break,
            }
        }
        queue.front().map(|receipt| receipt.due)
    }

    /// The receipts of these messages no longer count as sent: the node was never told their ids.
    pub(super) fn disown(&self, numbers: &[u64]) {
        for receipt in self.queue.lock().iter_mut().filter(|receipt| numbers.contains(&receipt.number)) {
            receipt.id = None;
        }
    }
}
