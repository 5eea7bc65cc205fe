//! Supervisors: who starts what, in which order, and what happens when it ends.
//!
//! ractor gives actors, links and events but no restarts; this module adds them. A supervisor owns actors,
//! plain tasks and threads alike. It starts its children in the order of its list, stops them in reverse,
//! restarts by strategy with back-off, and when it restarts too often it stops its children and fails
//! upward. Children added later (sessions) are independent of each other and are stopped together, first.
//!
//! A supervisor never waits for a stopping child or a pause; it waits for starts, so a start must be short.
//! Actors are unnamed in ractor, whose names are process-wide: names live in the [`Registry`] of the node.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::sync::{oneshot, watch};

use crate::registry::{ActorName, NameTaken, Registry};

pub use child::{
    BoxError, ChildSpec, Exit, SHUTDOWN_DEFAULT, Seat, Start, StartActor, StartTask, StartThread,
};
pub use shard::ShardedSupervisor;
pub use shutdown::Shutdown;
pub use strategy::{Backoff, Decision, History, Intensity, Restart, Strategy, Which, decide};

mod actor;
mod child;
mod restart;
mod run;
mod shard;
mod shutdown;
pub mod strategy;
pub mod task;

use actor::{Arguments, Holder, Message, SupervisorActor};

/// Why a supervisor cannot do what it was asked, or gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A child's or the supervisor's own name is in use.
    #[error(transparent)]
    NameTaken(#[from] NameTaken),
    /// A Temporary child did not start; it is not kept.
    #[error("{name} did not start: {exit}")]
    Start {
        /// The child.
        name: ActorName,
        /// How its start ended.
        exit: Exit,
    },
    /// No such child here.
    #[error("{supervisor} has no child {name}")]
    UnknownChild {
        /// The supervisor asked.
        supervisor: ActorName,
        /// The child asked for.
        name: ActorName,
    },
    /// The supervisor does not run: it ended or is being restarted.
    #[error("supervisor {0} is not running")]
    NotRunning(ActorName),
    /// A child failed too often.
    #[error(transparent)]
    GaveUp(Box<GaveUp>),
    /// ractor refused to spawn the supervisor.
    #[error("supervisor {name} did not start: {reason}")]
    Spawn {
        /// The supervisor.
        name: ActorName,
        /// What ractor said.
        reason: String,
    },
}

/// More restarts than the intensity allows.
#[derive(Debug, thiserror::Error)]
#[error("{supervisor} gave up after {restarts} restarts within {within:?}, last {name} {exit}")]
pub struct GaveUp {
    /// The supervisor.
    pub supervisor: ActorName,
    /// Restarts allowed.
    pub restarts: u32,
    /// The window.
    pub within: Duration,
    /// The child that failed last.
    pub name: ActorName,
    /// How it ended.
    pub exit: Exit,
}

/// A supervisor and its first children.
#[derive(Clone)]
pub struct SupervisorSpec {
    /// Its name.
    pub name: ActorName,
    /// Who is restarted together.
    pub strategy: Strategy,
    /// When it gives up.
    pub intensity: Intensity,
    /// Started in this order; stopped in reverse.
    pub children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// A supervisor without children yet.
    pub const fn new(name: ActorName, strategy: Strategy, intensity: Intensity) -> Self {
        Self { name, strategy, intensity, children: Vec::new() }
    }

    /// With one more child, started after those before.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// This supervisor as a child of another. `shutdown` must cover its children's shutdown times, one
    /// after the other: past it the whole subtree is killed.
    pub fn into_child(self, restart: Restart, shutdown: Duration) -> ChildSpec {
        let name = self.name.clone();
        let start = Start::actor(move |seat: Seat| {
            let spec = self.clone();
            async move {
                let supervisor = seat.supervisor.clone();
                let (ended, _) = watch::channel(None);
                let arguments = Arguments {
                    registry: seat.registry.clone(),
                    shutdown: seat.shutdown.clone(),
                    holder: Holder::Seat(seat),
                    spec,
                    ended,
                };
                let actor = spawn(arguments, Some(supervisor)).await?;
                Ok(actor.get_cell())
            }
        });
        ChildSpec::new(name, restart, start).shutdown(shutdown)
    }
}

/// Where a supervisor that is nobody's child stands.
pub enum Parent<'a> {
    /// At the root of a node's tree.
    Node(&'a Registry),
    /// Under an actor that reacts to its end by itself: shown under the seat's name, linked to the actor,
    /// so that it dies with it.
    Actor(&'a Seat, ActorCell),
}

impl<'a> From<&'a Registry> for Parent<'a> {
    fn from(registry: &'a Registry) -> Self {
        Self::Node(registry)
    }
}

/// Starts supervisors.
pub struct Supervisor;

impl Supervisor {
    /// Starts a supervisor and its children, in order; returns when each was started once. A child whose
    /// start fails is treated as one that failed later.
    ///
    /// # Errors
    /// [`Error::NameTaken`], or [`Error::GaveUp`] when starts failed too often.
    pub async fn spawn(
        spec: SupervisorSpec,
        parent: impl Into<Parent<'_>>,
    ) -> Result<SupervisorHandle, Error> {
        let (registry, above, link) = match parent.into() {
            Parent::Node(registry) => (registry.clone(), None, None),
            Parent::Actor(seat, actor) => (seat.registry.clone(), Some(seat.name.clone()), Some(actor)),
        };
        let name = spec.name.clone();
        let reservation = registry.reserve(name.clone(), above)?;
        let entry = Arc::clone(reservation.entry());
        let incarnation = entry.begin(registry.clock().now());
        let shutdown = Shutdown::new();
        entry.seat_shutdown(shutdown.clone());
        let (ended, _) = watch::channel(None);
        let holder = Holder::Root { reservation, incarnation };
        let arguments = Arguments { registry: registry.clone(), spec, shutdown, holder, ended };
        let actor = spawn(arguments, link).await?;
        entry.seat_actor(actor.get_cell());
        Ok(SupervisorHandle { name, registry })
    }
}

/// Drives a supervisor by its name, which is resolved at each use: it outlives restarts.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    name: ActorName,
    registry: Registry,
}

impl SupervisorHandle {
    pub(crate) const fn new(registry: Registry, name: ActorName) -> Self {
        Self { name, registry }
    }

    /// The supervisor's name.
    pub const fn name(&self) -> &ActorName {
        &self.name
    }

    /// Starts one more child. A Temporary child that does not start is an error and forgotten; others are
    /// kept and tried again by the rules of their spec.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::Start`], [`Error::NotRunning`].
    pub async fn add(&self, child: ChildSpec) -> Result<(), Error> {
        let child = Box::new(child);
        self.ask(|reply| Message::Add { child, reply: Some(reply) }).await?
    }

    /// [`add`](Self::add) without waiting for it: a child that is refused is logged.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn add_unwatched(&self, child: ChildSpec) -> Result<(), Error> {
        self.send(Message::Add { child: Box::new(child), reply: None })
    }

    /// Stops a child for good; returns when it is gone and its name free.
    ///
    /// # Errors
    /// [`Error::UnknownChild`], [`Error::NotRunning`].
    pub async fn remove(&self, name: &ActorName) -> Result<(), Error> {
        let child = Box::new(name.clone());
        self.ask(|reply| Message::Remove { child, reply }).await?
    }

    /// Stops a child (with those that the strategy ties to it) and starts it again, without a pause and
    /// without counting towards the intensity; returns when it was started.
    ///
    /// # Errors
    /// [`Error::UnknownChild`], [`Error::NotRunning`].
    pub async fn restart(&self, name: &ActorName) -> Result<(), Error> {
        let child = Box::new(name.clone());
        self.ask(|reply| Message::Restart { child, reply }).await?
    }

    /// Names of the children in start order; empty when the supervisor does not run.
    pub async fn children(&self) -> Vec<ActorName> {
        self.ask(|reply| Message::Children { reply }).await.unwrap_or_default()
    }

    /// Stops the supervisor: its children in reverse order, each within its shutdown time. Returns when
    /// all are gone. A supervisor that is a child is stopped through its parent's [`remove`](Self::remove);
    /// stopped here, its parent restarts it if Permanent.
    pub async fn stop(&self) {
        if let Some(actor) = self.registry.actor(&self.name) {
            self.registry.request_shutdown(&self.name);
            actor.stop(None);
            // Without a timeout this cannot fail.
            let _ = actor.wait(None).await;
        }
    }

    /// How this incarnation of the supervisor ends; waits for it. `Normal` at once when it does not run.
    pub async fn ended(&self) -> Exit {
        let Ok(mut ended) = self.ask(|reply| Message::Watch { reply }).await else {
            return Exit::Normal;
        };
        let exit = ended.wait_for(Option::is_some).await.map(|exit| exit.clone());
        match exit {
            Ok(Some(exit)) => exit,
            Ok(None) | Err(_) => Exit::Failed(task::KILLED.to_owned()),
        }
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(message(reply))?;
        answer.await.map_err(|_| Error::NotRunning(self.name.clone()))
    }

    /// The mailbox has no bound; it is filled at the rate at which sessions and calls come, which is bounded.
    fn send(&self, message: Message) -> Result<(), Error> {
        let not_running = || Error::NotRunning(self.name.clone());
        let cell = self.registry.actor(&self.name).ok_or_else(not_running)?;
        ActorRef::<Message>::from(cell).send_message(message).map_err(|_| not_running())
    }
}

async fn spawn(arguments: Arguments, link: Option<ActorCell>) -> Result<ActorRef<Message>, Error> {
    let name = arguments.spec.name.clone();
    let spawned = match link {
        Some(supervisor) => Actor::spawn_linked(None, SupervisorActor, arguments, supervisor).await,
        None => Actor::spawn(None, SupervisorActor, arguments).await,
    };
    match spawned {
        Ok((actor, _)) => Ok(actor),
        Err(SpawnErr::StartupFailed(error)) => match error.downcast::<Error>() {
            Ok(error) => Err(*error),
            Err(error) => Err(Error::Spawn { name, reason: error.to_string() }),
        },
        Err(error) => Err(Error::Spawn { name, reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests;
