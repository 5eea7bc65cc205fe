//! `deliver_sm` owed to one ESME account: what of it is in memory, and who sends it next.
//!
//! Every delivery is a row of the log until the customer acknowledges it. Memory holds at most a bounded
//! number of new ones; what does not fit is marked spilled in its row and read back by the outbox loader, on a
//! lane of its own, so that a long backlog and live traffic take turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use runtime::log::{OutboxRow, Ticket};
use tokio::sync::Notify;

/// Deliveries of the backlog that are in memory at one time.
pub const BACKLOG_MAX: usize = 500;

/// A delivery in memory.
#[derive(Debug)]
pub struct Delivery {
    /// Its row.
    pub row: OutboxRow,
    /// Its row's ticket, until it is durable.
    pub ticket: Option<Ticket>,
    /// True when it came from the backlog.
    pub backlog: bool,
}

/// What a session finds when it asks for work.
#[derive(Debug)]
pub enum Next {
    /// Send this.
    Delivery(Delivery),
    /// The next one is not durable yet.
    Wait(Ticket),
    /// Nothing.
    Empty,
}

/// A session that receives, as the outbox sees it.
#[derive(Debug, Default)]
pub struct Receiver {
    /// Wakes the session.
    pub wake: Notify,
    /// Free places in its window.
    pub free: AtomicU32,
}

/// The outbox of one account.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: Mutex<Lanes>,
    receivers: RwLock<Vec<Arc<Receiver>>>,
    turn: AtomicUsize,
    /// Live deliveries in memory or reserved.
    held: AtomicUsize,
}

#[derive(Debug, Default)]
struct Lanes {
    live: VecDeque<Delivery>,
    backlog: VecDeque<Delivery>,
    backlog_turn: bool,
    /// Highest id that was spilled; rows up to here may be in the log only.
    spilled: i64,
    /// Highest id that the loader has read.
    loaded: i64,
    loading: bool,
}

impl Outbox {
    /// Takes a place in memory for a new delivery; false when memory is full and the row must be spilled.
    pub fn reserve(&self, in_memory_max: usize) -> bool {
        let taken = self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
            (held < in_memory_max).then_some(held + 1)
        });
        taken.is_ok()
    }

    /// Gives back a place that was taken for nothing.
    pub fn unreserve(&self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
    }

    /// Adds a new delivery for which a place was taken, and wakes a session that has room.
    pub fn push(&self, row: OutboxRow, ticket: Ticket) {
        self.lanes.lock().live.push_back(Delivery { row, ticket: Some(ticket), backlog: false });
        self.wake_one();
    }

    /// Notes a delivery that is in the log only.
    pub fn spilled(&self, id: i64) {
        let mut lanes = self.lanes.lock();
        lanes.spilled = lanes.spilled.max(id);
        drop(lanes);
        self.wake_one();
    }

    /// The next delivery; live and backlog take turns.
    pub fn next(&self) -> Next {
        let mut lanes = self.lanes.lock();
        let backlog_first = lanes.backlog_turn || lanes.live.is_empty();
        if let Some(delivery) = backlog_first.then(|| lanes.backlog.pop_front()).flatten() {
            lanes.backlog_turn = false;
            return Next::Delivery(delivery);
        }
        lanes.backlog_turn = true;
        let waits = lanes.live.front().and_then(|front| front.ticket.as_ref());
        if let Some(ticket) = waits.filter(|ticket| !ticket.is_durable()) {
            return Next::Wait(ticket.clone());
        }
        match lanes.live.pop_front() {
            Some(delivery) => Next::Delivery(delivery),
            None => Next::Empty,
        }
    }

    /// The ticket that the next live delivery waits for.
    pub fn waiting(&self) -> Option<Ticket> {
        let lanes = self.lanes.lock();
        lanes.live.front()?.ticket.clone().filter(|ticket| !ticket.is_durable())
    }

    /// Takes back deliveries that a session could not finish, in their order, to the head of their lanes.
    pub fn give_back(&self, deliveries: impl DoubleEndedIterator<Item = Delivery>) {
        let mut lanes = self.lanes.lock();
        for delivery in deliveries.rev() {
            if delivery.backlog {
                lanes.backlog.push_front(delivery);
            } else {
                lanes.live.push_front(delivery);
            }
        }
        drop(lanes);
        self.wake_one();
    }

    /// A live delivery left memory for good: the customer has it, or it was given up.
    pub fn release(&self, delivery: &Delivery) {
        if !delivery.backlog {
            self.held.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// When the log holds deliveries that memory does not and there is room for them: the id after which to
    /// read, and the id up to which rows are known to be there. The caller reads, once the log is durable up
    /// to now, and calls [`Outbox::loaded`].
    pub fn wants_backlog(&self) -> Option<(i64, i64)> {
        let mut lanes = self.lanes.lock();
        let wants = lanes.loaded < lanes.spilled && !lanes.loading && lanes.backlog.len() < BACKLOG_MAX / 2;
        lanes.loading |= wants;
        wants.then_some((lanes.loaded, lanes.spilled))
    }

    /// Adds what was read; a page that is not full reached `up_to`.
    pub fn loaded(&self, page: Vec<OutboxRow>, up_to: i64, limit: usize) {
        let mut lanes = self.lanes.lock();
        lanes.loading = false;
        let last = page.last().map_or(lanes.loaded, |last| last.id);
        lanes.loaded = if page.len() < limit { last.max(up_to) } else { last };
        let deliveries = page.into_iter().map(|row| Delivery { row, ticket: None, backlog: true });
        lanes.backlog.extend(deliveries);
        drop(lanes);
        self.wake_all();
    }

    /// The page could not be read; it is asked for again.
    pub fn load_failed(&self) {
        self.lanes.lock().loading = false;
    }

    /// Notes at start that the log holds deliveries up to this id.
    pub fn recovered(&self, highest: i64) {
        let mut lanes = self.lanes.lock();
        lanes.spilled = lanes.spilled.max(highest);
    }

    /// Registers a session that receives.
    pub fn join(&self, receiver: Arc<Receiver>) {
        self.receivers.write().push(receiver);
    }

    /// Removes a session.
    pub fn leave(&self, receiver: &Arc<Receiver>) {
        self.receivers.write().retain(|other| !Arc::ptr_eq(other, receiver));
        self.wake_one();
    }

    /// Deliveries in memory.
    #[must_use]
    pub fn depth(&self) -> usize {
        let lanes = self.lanes.lock();
        lanes.live.len() + lanes.backlog.len()
    }

    fn wake_one(&self) {
        let receivers = self.receivers.read();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = receivers.len().max(1);
        let in_turn = receivers.iter().cycle().skip(turn % count).take(receivers.len());
        // With no room anywhere nobody is woken: a session asks again when its window frees.
        if let Some(receiver) = in_turn.into_iter().find(|receiver| receiver.free.load(Ordering::Acquire) > 0)
        {
            receiver.wake.notify_one();
        }
    }

    fn wake_all(&self) {
        for receiver in self.receivers.read().iter() {
            receiver.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use runtime::log::OutboxKind;
    use uuid::Uuid;

    use super::*;

    fn row(id: i64) -> OutboxRow {
        OutboxRow {
            id,
            account: Uuid::nil(),
            message: id,
            kind: OutboxKind::Receipt,
            spilled: false,
            expires_at: 0,
            body: Bytes::new(),
        }
    }

    fn ids(outbox: &Outbox) -> Vec<i64> {
        std::iter::from_fn(|| match outbox.next() {
            Next::Delivery(delivery) => Some(delivery.row.id),
            Next::Wait(_) | Next::Empty => None,
        })
        .collect()
    }

    fn live(id: i64) -> Delivery {
        Delivery { row: row(id), ticket: None, backlog: false }
    }

    #[test]
    fn live_and_backlog_take_turns() {
        let outbox = Outbox::default();
        outbox.give_back([live(10), live(11), live(12)].into_iter());
        outbox.spilled(5);
        assert_eq!(outbox.wants_backlog(), Some((0, 5)));
        assert_eq!(outbox.wants_backlog(), None, "one load at a time");
        outbox.loaded(vec![row(1), row(2)], 5, 2);
        assert_eq!(ids(&outbox), [10, 1, 11, 2, 12]);
        assert_eq!(outbox.wants_backlog(), Some((2, 5)));
        outbox.loaded(Vec::new(), 5, 2);
        assert_eq!(outbox.wants_backlog(), None);
    }

    #[test]
    fn what_a_session_could_not_finish_comes_again_in_order() {
        let outbox = Outbox::default();
        outbox.give_back([live(3)].into_iter());
        outbox.give_back([live(1), live(2)].into_iter());
        assert_eq!(ids(&outbox), [1, 2, 3]);
    }

    #[test]
    fn memory_is_bounded() {
        let outbox = Outbox::default();
        assert!(outbox.reserve(2) && outbox.reserve(2));
        assert!(!outbox.reserve(2));
        outbox.release(&live(1));
        assert!(outbox.reserve(2));
    }
}
