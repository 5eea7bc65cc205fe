//! `deliver_sm` owed to one ESME account: what of it is in memory, and who sends it next.
//!
//! Every delivery is a row of the log until the customer acknowledges it. Memory holds at most a bounded
//! number of new ones, few while no session receives; what does not fit is marked spilled in its row and read
//! back by the outbox loader, on a lane of its own, so that a long backlog and live traffic take turns.

mod lanes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use runtime::log::{OutboxRow, Ticket};
use tokio::sync::Notify;

use self::lanes::Lanes;

/// Deliveries of the backlog that are in memory at one time.
pub const BACKLOG_MAX: usize = 500;
/// Live deliveries in memory of an account of which no session receives: a thousand absent customers are to
/// take a thousandth of what a thousand busy ones may.
pub const ABSENT_MAX: usize = 100;

/// A delivery in memory.
#[derive(Debug)]
pub struct Delivery {
    /// Its row.
    pub row: OutboxRow,
    /// Its row's ticket, until it is durable.
    pub ticket: Option<Ticket>,
    /// True when it came from the backlog.
    pub backlog: bool,
    /// Times that the customer refused it.
    pub refusals: u8,
}

impl Delivery {
    const fn live(row: OutboxRow, ticket: Ticket) -> Self {
        Self { row, ticket: Some(ticket), backlog: false, refusals: 0 }
    }

    const fn read_back(row: OutboxRow) -> Self {
        Self { row, ticket: None, backlog: true, refusals: 0 }
    }

    /// A ticket that is done is of no more use, and holds memory of its group.
    fn is_durable(&self) -> bool {
        self.ticket.as_ref().is_none_or(Ticket::is_durable)
    }
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
    /// Deliveries that it could send now.
    pub free: AtomicU32,
    /// It could send none for some time: for what is kept in memory it is not there.
    pub is_stuck: AtomicBool,
}

/// The outbox of one account.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: Mutex<Lanes>,
    receivers: RwLock<Vec<Arc<Receiver>>>,
    turn: AtomicUsize,
    /// Live deliveries in memory or reserved.
    held: AtomicUsize,
    /// Deliveries owed, in memory or in the log. Those of an earlier life count once they have been read.
    owed: AtomicUsize,
}

impl Outbox {
    /// Counts a new delivery and takes a place in memory for it; false when memory is full and the row must be
    /// spilled.
    pub fn reserve(&self, in_memory_max: usize) -> bool {
        self.owed.fetch_add(1, Ordering::AcqRel);
        let absent = self.receivers.read().iter().all(|receiver| receiver.is_stuck.load(Ordering::Relaxed));
        let places = if absent { in_memory_max.min(ABSENT_MAX) } else { in_memory_max };
        let taken = self
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| (held < places).then_some(held + 1));
        taken.is_ok()
    }

    /// The id of a row that is to be spilled. Until [`Outbox::spilled`] or [`Outbox::withdraw`] is called for
    /// it, nothing is read back from there on: a page that passed it before it was in the log would lose it.
    pub fn announce(&self, draw: impl FnOnce() -> i64) -> i64 {
        self.lanes.lock().announce(draw)
    }

    /// Takes back what [`Outbox::reserve`] and [`Outbox::announce`] did for a row that the log refused.
    pub fn withdraw(&self, row: &OutboxRow) {
        self.owed.fetch_sub(1, Ordering::AcqRel);
        if row.spilled {
            self.lanes.lock().withdraw(row.id);
        } else {
            self.held.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Adds a new delivery for which a place was taken, and wakes a session that has room.
    pub fn push(&self, row: OutboxRow, ticket: Ticket) {
        let awaited = {
            let mut lanes = self.lanes.lock();
            lanes.live.push_back(Delivery::live(row, ticket));
            lanes.waiter.is_some()
        };
        // A session that waits for one before it takes this one too.
        if !awaited {
            self.wake_one();
        }
    }

    /// Notes that an announced delivery is in the log's hands.
    pub fn spilled(&self, id: i64) {
        self.lanes.lock().spilled(id);
        self.wake_one();
    }

    /// The next delivery; live and backlog take turns.
    pub fn next(&self) -> Next {
        self.lanes.lock().next()
    }

    /// The ticket that the next live delivery waits for. One session at a time gets it: a commit wakes one,
    /// which passes on what it has no room for.
    pub fn waiting(&self, receiver: &Arc<Receiver>) -> Option<Ticket> {
        let mut lanes = self.lanes.lock();
        let other = lanes.waiter.as_ref().is_some_and(|waiter| !Arc::ptr_eq(waiter, receiver));
        if other {
            return None;
        }
        // Given even when it is done by now: the session looks again instead of sleeping over it.
        let ticket = lanes.live.front().and_then(|front| front.ticket.clone());
        lanes.waiter = ticket.is_some().then(|| Arc::clone(receiver));
        ticket
    }

    /// A session has sent what it could and has so many places left. With none, another takes over.
    pub fn rest(&self, receiver: &Arc<Receiver>, free: u32) {
        receiver.free.store(free, Ordering::Release);
        if free > 0 {
            return;
        }
        let work = {
            let mut lanes = self.lanes.lock();
            lanes.stop_waiting(receiver);
            !lanes.live.is_empty() || !lanes.backlog.is_empty()
        };
        if work {
            self.wake_one();
        }
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

    /// A delivery is owed no more: the customer has it, or it was given up.
    pub fn release(&self, delivery: &Delivery) {
        self.owed.fetch_sub(1, Ordering::AcqRel);
        if !delivery.backlog {
            self.held.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// True when more than so many are owed.
    pub fn exceeds(&self, owed_max: usize) -> bool {
        self.owed.load(Ordering::Acquire) > owed_max
    }

    /// Takes out the oldest deliveries while more than `owed_max` are owed. Ends early when the oldest is in
    /// the log and must be read first, or all are under way.
    pub fn take_excess(&self, owed_max: usize) -> Vec<Delivery> {
        let mut excess = Vec::new();
        let mut lanes = self.lanes.lock();
        while self.exceeds(owed_max) {
            let Some(delivery) = lanes.take_oldest() else { break };
            self.release(&delivery);
            excess.push(delivery);
        }
        excess
    }

    /// When no session receives any more: forgets the backlog that was read, and takes out the live deliveries
    /// that are too many to wait in memory. The caller moves their rows to the backlog.
    pub fn unload(&self) -> Vec<Delivery> {
        let mut lanes = self.lanes.lock();
        if !self.receivers.read().is_empty() {
            return Vec::new();
        }
        let forgotten = lanes.forget_backlog();
        self.owed.fetch_sub(forgotten, Ordering::AcqRel);
        let kept = lanes.live.len().min(ABSENT_MAX);
        let moved: Vec<Delivery> = lanes.live.split_off(kept).into();
        lanes.live.shrink_to_fit();
        self.held.fetch_sub(moved.len(), Ordering::AcqRel);
        moved
    }

    /// When the log holds deliveries that memory does not and there is room for them: the id after which to
    /// read, and the id up to which rows are known to be there. The caller reads, once the log is durable up
    /// to now, and calls [`Outbox::loaded`].
    pub fn wants_backlog(&self) -> Option<(i64, i64)> {
        self.lanes.lock().wants_backlog()
    }

    /// Adds what was read; a page that is not full reached `up_to`.
    pub fn loaded(&self, page: Vec<OutboxRow>, up_to: i64, limit: usize) {
        let (of_an_earlier_life, vanished) = self.lanes.lock().loaded(page, up_to, limit);
        self.owed.fetch_add(of_an_earlier_life, Ordering::AcqRel);
        self.owed.fetch_sub(vanished, Ordering::AcqRel);
        self.wake_one();
    }

    /// The page could not be read; it is asked for again.
    pub fn load_failed(&self) {
        self.lanes.lock().loading = false;
        self.wake_one();
    }

    /// Notes at start that the log holds deliveries up to this id.
    pub fn recovered(&self, highest: i64) {
        self.lanes.lock().recovered(highest);
        // A sender to a webhook may be there already.
        self.wake_one();
    }

    /// Registers a session that receives.
    pub fn join(&self, receiver: Arc<Receiver>) {
        self.receivers.write().push(receiver);
    }

    /// Removes a session.
    pub fn leave(&self, receiver: &Arc<Receiver>) {
        self.receivers.write().retain(|other| !Arc::ptr_eq(other, receiver));
        self.lanes.lock().stop_waiting(receiver);
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
}

/// Done when the ticket is; never without one.
pub async fn durable(ticket: Option<Ticket>) {
    match ticket {
        Some(ticket) => ticket.durable().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
