//! Many short-lived children spread over several supervisors: no one of them is a queue for all starts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::{
    ChildSpec, Error, Intensity, Restart, SHUTDOWN_DEFAULT, Strategy, SupervisorHandle, SupervisorSpec,
};
use crate::registry::{ActorName, Registry};

/// `n` one-for-one supervisors under one; a child goes to the one that its key hashes to.
///
/// The shards are named like the supervisor above them, with `n` from 1.
#[derive(Clone, Debug)]
pub struct ShardedSupervisor {
    name: ActorName,
    shards: Vec<SupervisorHandle>,
}

impl ShardedSupervisor {
    /// The tree to start: `shards` (at least 1) empty supervisors, each with this intensity and with
    /// `shutdown` to stop its children. Start it as a root or as a child.
    pub fn spec(name: ActorName, shards: u32, intensity: Intensity, shutdown: Duration) -> SupervisorSpec {
        let above = SupervisorSpec::new(name.clone(), Strategy::OneForOne, intensity);
        names(&name, shards).fold(above, |above, shard| {
            let shard = SupervisorSpec::new(shard, Strategy::OneForOne, intensity);
            above.child(shard.into_child(Restart::Permanent, shutdown.max(SHUTDOWN_DEFAULT)))
        })
    }

    /// A handle on a tree made by [`spec`](Self::spec) with the same name and number.
    pub fn handle(registry: &Registry, name: ActorName, shards: u32) -> Self {
        let shards = names(&name, shards).map(|shard| registry.supervisor(shard)).collect();
        Self { name, shards }
    }

    /// The name of the supervisor above the shards.
    pub const fn name(&self) -> &ActorName {
        &self.name
    }

    /// Starts a child in its shard; see [`SupervisorHandle::add`].
    ///
    /// # Errors
    /// As there.
    pub async fn add(&self, child: ChildSpec) -> Result<(), Error> {
        self.shard(&child.name)?.add(child).await
    }

    /// Starts a child in its shard and does not wait; see [`SupervisorHandle::add_unwatched`].
    ///
    /// # Errors
    /// As there.
    pub fn add_unwatched(&self, child: ChildSpec) -> Result<(), Error> {
        self.shard(&child.name)?.add_unwatched(child)
    }

    /// Stops a child for good; see [`SupervisorHandle::remove`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove(&self, name: &ActorName) -> Result<(), Error> {
        self.shard(name)?.remove(name).await
    }

    /// Restarts a child; see [`SupervisorHandle::restart`].
    ///
    /// # Errors
    /// As there.
    pub async fn restart(&self, name: &ActorName) -> Result<(), Error> {
        self.shard(name)?.restart(name).await
    }

    /// The children of all shards.
    pub async fn children(&self) -> Vec<ActorName> {
        let mut children = Vec::new();
        for shard in &self.shards {
            children.extend(shard.children().await);
        }
        children
    }

    /// The shard that a child belongs to.
    fn shard(&self, child: &ActorName) -> Result<&SupervisorHandle, Error> {
        let mut hasher = DefaultHasher::new();
        child.key.hash(&mut hasher);
        let count = u64::try_from(self.shards.len()).unwrap_or(u64::MAX);
        let index = hasher.finish().checked_rem(count).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.shards.get(index)).ok_or_else(|| Error::NotRunning(self.name.clone()))
    }
}

fn names(name: &ActorName, shards: u32) -> impl Iterator<Item = ActorName> {
    (1..=shards.max(1)).map(|n| ActorName::nth(name.kind, name.key.clone(), n))
}
