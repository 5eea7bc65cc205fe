//! Names and the live tree of one node. Never process-global: several nodes share a process in tests.
//!
//! A supervised child's entry lives as long as its supervisor keeps the child, over all its incarnations:
//! that is how restarts and the last error survive. Anything else may register a name of its own.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use ractor::ActorCell;

use crate::clock::SharedClock;
use crate::random::Random;
use crate::supervision::SupervisorHandle;

pub use entry::{Observation, Observe, Registration};
pub use name::{ActorName, NameError, from_url, to_url};
pub use tree::Snapshot;

mod entry;
mod name;
mod tree;

pub(crate) use entry::{Entry, Reservation};

/// The name is in use on this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name {0} is taken")]
pub struct NameTaken(pub ActorName);

/// What the actors of one node share: their names, and the clock and randomness of their supervisors.
/// Clones are the same registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    clock: SharedClock,
    random: Random,
    entries: RwLock<HashMap<ActorName, Arc<Entry>>>,
}

impl Registry {
    /// An empty registry. `random` draws the back-off jitter.
    pub fn new(clock: SharedClock, random: Random) -> Self {
        Self(Arc::new(Inner { clock, random, entries: RwLock::default() }))
    }

    /// Registers something that no supervisor started, until the registration is dropped.
    /// A supervised child uses [`Seat::register`](crate::supervision::Seat::register).
    pub fn register(
        &self,
        name: ActorName,
        parent: Option<ActorName>,
        observe: Observe,
    ) -> Result<Registration, NameTaken> {
        let reservation = self.reserve(name, parent)?;
        let incarnation = reservation.entry().begin(self.0.clock.now());
        Ok(Registration::owning(reservation, incarnation, observe))
    }

    /// Every live entry: parents before children, siblings by name.
    pub fn list(&self) -> Vec<Snapshot> {
        tree::snapshots(&self.entries())
    }

    /// One entry.
    pub fn get(&self, name: &ActorName) -> Option<Snapshot> {
        let entry = self.entry(name)?;
        Some(entry.snapshot())
    }

    /// Names registered now.
    pub fn len(&self) -> usize {
        self.0.entries.read().len()
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live actor behind a name; none while it is being restarted or when the name is a task's or a
    /// thread's. Ask again when a message to it fails: a restart makes a new one.
    pub fn actor(&self, name: &ActorName) -> Option<ActorCell> {
        self.entry(name)?.actor()
    }

    /// A handle on the supervisor of that name, which resolves it at each use.
    pub fn supervisor(&self, name: ActorName) -> SupervisorHandle {
        SupervisorHandle::new(self.clone(), name)
    }

    /// The live tree as indented text: name, state, up for, restarts, queue, counters.
    pub fn tree_text(&self) -> String {
        tree::text(&self.list(), self.0.clock.now())
    }

    /// Makes that child panic at its next step; false when there is no such child running.
    pub fn poison(&self, name: &ActorName) -> bool {
        self.entry(name).is_some_and(|entry| entry.poison())
    }

    /// The node's clock.
    pub fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    /// The node's randomness.
    pub fn random(&self) -> &Random {
        &self.0.random
    }

    /// Takes a name for as long as the reservation lives.
    pub(crate) fn reserve(
        &self,
        name: ActorName,
        parent: Option<ActorName>,
    ) -> Result<Reservation, NameTaken> {
        name::remember(name.kind);
        let mut entries = self.0.entries.write();
        if entries.contains_key(&name) {
            return Err(NameTaken(name));
        }
        let entry = Arc::new(Entry::new(name.clone(), parent, self.0.clock.now()));
        entries.insert(name, Arc::clone(&entry));
        drop(entries);
        Ok(Reservation::new(self.clone(), entry))
    }

    pub(crate) fn release(&self, name: &ActorName) {
        // Dropped outside the lock: an observation may own anything.
        let released = self.0.entries.write().remove(name);
        drop(released);
    }

    pub(crate) fn request_shutdown(&self, name: &ActorName) {
        if let Some(shutdown) = self.entry(name).and_then(|entry| entry.shutdown()) {
            shutdown.request();
        }
    }

    fn entry(&self, name: &ActorName) -> Option<Arc<Entry>> {
        self.0.entries.read().get(name).cloned()
    }

    /// Cloned out, so that no observation runs under the lock.
    fn entries(&self) -> Vec<Arc<Entry>> {
        self.0.entries.read().values().cloned().collect()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests;
