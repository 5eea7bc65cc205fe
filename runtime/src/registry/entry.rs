//! One name's record: what its supervisor knows, and how to ask the incarnation that runs now.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::Mutex;
use ractor::ActorCell;

use super::{ActorName, Registry, Snapshot};
use crate::clock::Timestamp;
use crate::supervision::Shutdown;

/// Asks a running child how it is. Called on an operator's request, from any thread: read atomics, do not
/// wait.
pub type Observe = Arc<dyn Fn() -> Observation + Send + Sync>;

/// What a child says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// One word of its state machine: `bound`, `connecting`.
    pub state: Cow<'static, str>,
    /// Items waiting for it.
    pub queue_depth: u64,
    /// Totals since this incarnation began.
    pub counters: Vec<(&'static str, u64)>,
    /// A line for people: the peer, the reason of the state.
    pub note: Option<String>,
}

/// A name held in the registry with what observes it; dropping it takes the observation back, and for a
/// name that no supervisor holds, the name too.
#[must_use = "dropping it unregisters"]
pub struct Registration {
    entry: Arc<Entry>,
    incarnation: u64,
    /// Present when this registration owns the name itself.
    _reservation: Option<Reservation>,
}

impl Registration {
    pub(super) fn owning(reservation: Reservation, incarnation: u64, observe: Observe) -> Self {
        let entry = Arc::clone(reservation.entry());
        entry.observe(incarnation, observe);
        Self { entry, incarnation, _reservation: Some(reservation) }
    }

    pub(crate) fn seated(entry: &Arc<Entry>, incarnation: u64, observe: Observe) -> Self {
        entry.observe(incarnation, observe);
        Self { entry: Arc::clone(entry), incarnation, _reservation: None }
    }

    /// The registered name.
    pub fn name(&self) -> &ActorName {
        &self.entry.name
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.entry.forget_observation(self.incarnation);
    }
}

/// Holds a name in its registry while it lives.
pub(crate) struct Reservation {
    registry: Registry,
    entry: Arc<Entry>,
}

impl Reservation {
    pub(super) fn new(registry: Registry, entry: Arc<Entry>) -> Self {
        Self { registry, entry }
    }

    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.registry.release(&self.entry.name);
    }
}

/// The record behind a name.
pub(crate) struct Entry {
    pub(super) name: ActorName,
    pub(super) parent: Option<ActorName>,
    status: Mutex<Status>,
}

struct Status {
    /// Start of this incarnation, or of the pause since the last one.
    since: Timestamp,
    incarnation: u64,
    restarts: u32,
    last_error: Option<String>,
    /// Shown while nothing observes.
    phase: &'static str,
    observe: Option<Observe>,
    actor: Option<ActorCell>,
    shutdown: Option<Shutdown>,
}

impl Entry {
    pub(super) fn new(name: ActorName, parent: Option<ActorName>, now: Timestamp) -> Self {
        let status = Status {
            since: now,
            incarnation: 0,
            restarts: 0,
            last_error: None,
            phase: "waiting",
            observe: None,
            actor: None,
            shutdown: None,
        };
        Self { name, parent, status: Mutex::new(status) }
    }

    /// A new incarnation starts; observations of older ones no longer count. Returns its number, from 1.
    pub(crate) fn begin(&self, now: Timestamp) -> u64 {
        let mut status = self.status.lock();
        status.incarnation += 1;
        if status.incarnation > 1 {
            status.restarts = status.restarts.saturating_add(1);
        }
        status.since = now;
        status.phase = "running";
        let incarnation = status.incarnation;
        let stale = (status.observe.take(), status.actor.take());
        drop(status);
        drop(stale);
        incarnation
    }

    /// The incarnation is this actor.
    pub(crate) fn seat_actor(&self, actor: ActorCell) {
        self.status.lock().actor = Some(actor);
    }

    /// The incarnation ended (`error` when it failed); `phase` is shown until the next begins.
    pub(crate) fn end(&self, now: Timestamp, phase: &'static str, error: Option<String>) {
        let mut status = self.status.lock();
        status.since = now;
        status.phase = phase;
        if error.is_some() {
            status.last_error = error;
        }
        let stale = (status.observe.take(), status.actor.take(), status.shutdown.take());
        drop(status);
        drop(stale);
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.status.lock().restarts
    }

    /// The incarnation ends by this token.
    pub(crate) fn seat_shutdown(&self, shutdown: Shutdown) {
        self.status.lock().shutdown = Some(shutdown);
    }

    pub(super) fn shutdown(&self) -> Option<Shutdown> {
        self.status.lock().shutdown.clone()
    }

    pub(crate) fn actor(&self) -> Option<ActorCell> {
        self.status.lock().actor.clone()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let status = self.status.lock();
        let observe = status.observe.clone();
        let mut snapshot = Snapshot {
            name: self.name.clone(),
            parent: self.parent.clone(),
            depth: 0,
            state: Cow::Borrowed(status.phase),
            since: status.since,
            restarts: status.restarts,
            last_error: status.last_error.clone(),
            queue_depth: 0,
            counters: Vec::new(),
            note: None,
        };
        drop(status);
        if let Some(observe) = observe {
            let seen = observe();
            snapshot.state = seen.state;
            snapshot.queue_depth = seen.queue_depth;
            snapshot.counters = seen.counters;
            snapshot.note = seen.note;
        }
        snapshot
    }

    /// Ignored when a newer incarnation runs already: a failed actor's state is dropped late.
    fn observe(&self, incarnation: u64, observe: Observe) {
        let mut status = self.status.lock();
        if status.incarnation == incarnation {
            status.observe = Some(observe);
        }
    }

    fn forget_observation(&self, incarnation: u64) {
        let mut status = self.status.lock();
        let stale = if status.incarnation == incarnation { status.observe.take() } else { None };
        drop(status);
        drop(stale);
    }
}

impl Entry {
    /// Tasks, threads and whatever waits for its shutdown panic by themselves; an actor is killed, which
    /// its supervisor takes for a panic.
    pub(super) fn poison(&self) -> bool {
        let Some(shutdown) = self.shutdown() else { return false };
        shutdown.poison();
        if let Some(actor) = self.actor() {
            actor.kill();
        }
        true
    }
}
