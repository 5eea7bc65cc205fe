//! What is shared between all binds of one vendor account: its queue, its slots, its counters.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use runtime::log::Ticket;
use runtime::model;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::message::Message;
use super::metrics::{Metrics, VendorMetrics};
use super::queue::{Queue, Unit};
use super::receipt_form::LearnedForm;
use super::throttle::TokenBucket;

/// A vendor account while the node runs; outlives changes of its configuration.
#[derive(Debug)]
pub struct Vendor {
    /// Primary key.
    pub id: Uuid,
    /// Configuration now.
    pub config: ArcSwap<model::Vendor>,
    /// Messages that wait for a bind.
    pub queue: Mutex<Queue>,
    /// True when the operator told us to stay away until told to come back.
    pub held_off: AtomicBool,
    /// Since when no bind is up, as far as somebody looked.
    pub down_since: Mutex<Option<Instant>>,
    /// Raised to make every bind leave and come back.
    pub generation: AtomicU64,
    /// Tells binds that wait for their next try to try now.
    pub reconnect: Notify,
    /// In which form its receipts name messages.
    pub receipt_form: LearnedForm,
    /// Counters since start.
    pub counters: Counters,
    /// The same and more for Prometheus.
    pub metrics: VendorMetrics,
    slots: RwLock<Vec<Arc<Slot>>>,
}

/// What a vendor did since the node started.
#[derive(Debug, Default)]
pub struct Counters {
    /// submit_sm written.
    pub sent: AtomicU64,
    /// submit_sm_resp with ESME_ROK.
    pub success: AtomicU64,
    /// submit_sm_resp with another status, and those that never came.
    pub failed: AtomicU64,
    /// Delivery receipts.
    pub dlrs: AtomicU64,
    /// Unix microseconds of the last bind.
    pub connected_at: AtomicI64,
    /// `sent` at the last look and when that was.
    looked: Mutex<Option<(Instant, u64, i64)>>,
}

/// One bind's side towards whoever has something to send.
#[derive(Debug)]
pub struct Slot {
    /// Number of the bind, from 0.
    pub n: u32,
    /// Wakes the bind.
    pub wake: Notify,
    /// True when the operator drained this bind: it stays away until the vendor's binds are called back.
    pub held_off: AtomicBool,
    /// What is handed to it.
    pub inbox: Mutex<Inbox>,
}

/// A message on its way to a bind, its attempt durable when the ticket is.
#[derive(Debug)]
pub struct Outgoing {
    /// The message, in state submitted.
    pub message: Box<Message>,
    /// Ticket of the attempt.
    pub ticket: Ticket,
}

/// Work of a bind and the room it has left.
#[derive(Debug)]
pub struct Inbox {
    /// True while the bind is bound and may send.
    pub open: bool,
    /// Places in the window that nobody has taken.
    pub free: u32,
    /// Segments per second.
    pub bucket: TokenBucket,
    /// Attempts handed over, not written yet.
    pub outgoing: VecDeque<Outgoing>,
    /// Messages that this bind must send next, before the queue: throttled ones and the rest of a long one.
    pub next: VecDeque<Box<Message>>,
}

impl Slot {
    fn new(n: u32, now: Instant) -> Arc<Self> {
        let inbox = Inbox {
            open: false,
            free: 0,
            bucket: TokenBucket::new(0, now),
            outgoing: VecDeque::new(),
            next: VecDeque::new(),
        };
        let held_off = AtomicBool::new(false);
        Arc::new(Self { n, wake: Notify::new(), held_off, inbox: Mutex::new(inbox) })
    }
}

impl Inbox {
    /// Takes places in the window and tokens for messages that go out now, all or none.
    pub fn take(&mut self, messages: u32, segments: u32, now: Instant) -> bool {
        if !self.open || self.free < messages || !self.bucket.take(segments, now) {
            return false;
        }
        self.free -= messages;
        true
    }
}

impl Vendor {
    /// A vendor that has no bind yet.
    #[must_use]
    pub fn new(config: model::Vendor, metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self {
            id: config.id,
            metrics: metrics.of_vendor(&config.instance_name),
            config: ArcSwap::from_pointee(config),
            queue: Mutex::new(Queue::default()),
            held_off: AtomicBool::new(false),
            down_since: Mutex::new(None),
            generation: AtomicU64::new(0),
            reconnect: Notify::new(),
            receipt_form: LearnedForm::default(),
            counters: Counters::default(),
            slots: RwLock::new(Vec::new()),
        })
    }

    /// The slot of bind `n`, made when it is asked for the first time.
    pub fn slot(&self, n: u32, now: Instant) -> Arc<Slot> {
        let mut slots = self.slots.write();
        if let Some(slot) = slots.iter().find(|slot| slot.n == n) {
            return Arc::clone(slot);
        }
        let slot = Slot::new(n, now);
        slots.push(Arc::clone(&slot));
        slot
    }

    /// Hands messages straight to a bind that is up and has room, when nobody waits before them.
    /// `commit` makes the attempt durable and gives the ticket; it is called under the bind's lock, once, only
    /// when there is room. Gives the messages back when there is none.
    ///
    /// # Errors
    /// The outer error is the unit, given back untouched; the inner is what `commit` said.
    pub fn hand_over<E>(
        &self,
        mut unit: Unit,
        now: Instant,
        commit: impl FnOnce(&mut Unit) -> Result<Ticket, E>,
    ) -> Result<Result<Ticket, E>, Unit> {
        if self.queue.lock().is_waiting() {
            return Err(unit);
        }
        let messages = u32::try_from(unit.len()).unwrap_or(u32::MAX);
        let segments = unit.iter().map(|message| message.segments()).sum();
        let slots = self.slots.read();
        // The bind with most room first: the load spreads, and a stuck bind gets nothing more.
        let Some(slot) = slots.iter().max_by_key(|slot| {
            let inbox = slot.inbox.lock();
            if inbox.open && inbox.next.is_empty() { inbox.free } else { 0 }
        }) else {
            return Err(unit);
        };
        let mut inbox = slot.inbox.lock();
        if !inbox.next.is_empty() || !inbox.take(messages, segments, now) {
            return Err(unit);
        }
        let committed = commit(&mut unit);
        match &committed {
            Ok(ticket) => {
                let outgoing = unit.into_iter().map(|message| Outgoing { message, ticket: ticket.clone() });
                inbox.outgoing.extend(outgoing);
                drop(inbox);
                slot.wake.notify_one();
            }
            Err(_) => inbox.free += messages,
        }
        Ok(committed)
    }

    /// Adds messages to the queue unless it is full, and wakes a bind that has room.
    ///
    /// # Errors
    /// The unit, given back, when the queue is full.
    pub fn enqueue(&self, unit: Unit) -> Result<(), Unit> {
        let depth_max = usize::try_from(self.config.load().queue_depth_max).unwrap_or(usize::MAX);
        {
            let mut queue = self.queue.lock();
            if queue.len() + unit.len() > depth_max {
                return Err(unit);
            }
            queue.push(unit);
        }
        self.wake();
        Ok(())
    }

    /// True when a new message would be refused.
    #[must_use]
    pub fn is_full(&self, messages: usize) -> bool {
        let depth_max = usize::try_from(self.config.load().queue_depth_max).unwrap_or(usize::MAX);
        self.queue.lock().len() + messages > depth_max
    }

    /// Puts accepted messages back; they were counted before, so the bound does not apply.
    pub fn requeue(&self, unit: Unit) {
        self.queue.lock().push_front(unit);
        self.wake();
    }

    /// Puts messages back that are not to be tried before `at`.
    pub fn requeue_at(&self, unit: Unit, at: Instant) {
        self.queue.lock().push_delayed(unit, at);
        self.wake();
    }

    /// True when a bind is up that sends.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.slots.read().iter().any(|slot| slot.inbox.lock().open)
    }

    /// Wakes every bind that has room.
    pub fn wake(&self) {
        for slot in self.slots.read().iter() {
            slot.wake.notify_one();
        }
    }

    /// Has bind `n` leave and stay away until [`Vendor::call_back`]. False when there is no such bind.
    pub fn hold_off(&self, n: u32) -> bool {
        let slots = self.slots.read();
        let Some(slot) = slots.iter().find(|slot| slot.n == n) else { return false };
        slot.held_off.store(true, Ordering::Release);
        slot.wake.notify_one();
        true
    }

    /// Lets binds come back that were told to stay away, one of them or all.
    pub fn call_back(&self) {
        self.held_off.store(false, Ordering::Release);
        for slot in self.slots.read().iter() {
            slot.held_off.store(false, Ordering::Release);
        }
    }

    /// Takes waiting messages out that `wanted` picks, wherever they wait, in the order in which it is asked: once
    /// for each. It is called under this vendor's locks and takes none of any vendor.
    pub fn extract(&self, mut wanted: impl FnMut(&Message) -> bool) -> Vec<Box<Message>> {
        let mut found = self.queue.lock().extract(&mut wanted);
        for slot in self.slots.read().iter() {
            let mut inbox = slot.inbox.lock();
            let (taken, kept) =
                std::mem::take(&mut inbox.next).into_iter().partition(|message| wanted(message));
            inbox.next = kept;
            drop(inbox);
            found.extend::<VecDeque<_>>(taken);
        }
        found
    }

    /// Binds that are up, and all of them.
    #[must_use]
    pub fn binds(&self) -> (usize, usize) {
        let slots = self.slots.read();
        let configured = usize::try_from(self.config.load().binds).unwrap_or(0);
        (slots.iter().filter(|slot| slot.inbox.lock().open).count(), configured)
    }

    /// submit_sm a second since the last look at it, or the last figure when that was a moment ago.
    #[must_use]
    pub fn throughput(&self) -> i64 {
        let (now, sent) = (Instant::now(), self.counters.sent.load(Ordering::Relaxed));
        let mut looked = self.counters.looked.lock();
        let (since, before, figure) = looked.unwrap_or((now, sent, 0));
        let millis = now.duration_since(since).as_millis();
        if millis < 1000 {
            *looked = Some((since, before, figure));
            return figure;
        }
        let per_second = u128::from(sent.saturating_sub(before)) * 1000 / millis;
        let per_second = i64::try_from(per_second).unwrap_or(i64::MAX);
        *looked = Some((now, sent, per_second));
        per_second
    }

    /// Name for logs, metrics and people.
    #[must_use]
    pub fn name(&self) -> String {
        self.config.load().instance_name.clone()
    }

    /// Adds one to a counter.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// All vendors by id.
pub type Vendors = HashMap<Uuid, Arc<Vendor>>;
