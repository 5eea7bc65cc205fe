//! What a supervisor knows of a child, and what a child is given.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::task::AbortHandle;

use super::{Backoff, Restart, Shutdown, task};
use crate::registry::{ActorName, Entry, Observe, Registration, Registry};

/// Any error that ends a child.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Time a child has to end unless its spec says otherwise.
pub const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(5);

/// One child of a supervisor.
#[derive(Clone)]
pub struct ChildSpec {
    /// Its name, taken on the node for as long as the supervisor keeps the child.
    pub name: ActorName,
    /// Whether it is started again.
    pub restart: Restart,
    /// Time to end after it was asked to; then it is killed (actor) or aborted (task). A thread that
    /// overstays is left behind.
    pub shutdown: Duration,
    /// Pauses before restarts.
    pub backoff: Backoff,
    /// How an incarnation is started.
    pub start: Start,
}

impl ChildSpec {
    /// With [`SHUTDOWN_DEFAULT`] and the default [`Backoff`].
    pub fn new(name: ActorName, restart: Restart, start: Start) -> Self {
        Self { name, restart, shutdown: SHUTDOWN_DEFAULT, backoff: Backoff::default(), start }
    }

    /// With this shutdown time.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Duration) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// With these pauses.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }
}

/// Starts an actor; its future ends when the actor runs.
pub type StartActor = Arc<dyn Fn(Seat) -> BoxFuture<'static, Result<ActorCell, BoxError>> + Send + Sync>;
/// Makes the future that is the task.
pub type StartTask = Arc<dyn Fn(Seat) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;
/// The body of the thread.
pub type StartThread = Arc<dyn Fn(Seat) -> Result<(), BoxError> + Send + Sync>;

/// How an incarnation of a child is started.
#[derive(Clone)]
pub enum Start {
    /// A ractor actor, spawned without a ractor name and linked to `seat.supervisor`. The supervisor waits
    /// for the start, so connecting and other slow work belongs after it.
    Actor(StartActor),
    /// A future run as a tokio task.
    Task(StartTask),
    /// A function run on a thread of its own. It must poll or wait for `seat.shutdown`.
    Thread(StartThread),
}

impl Start {
    /// An actor that can be started again and again.
    pub fn actor<F, Fut>(start: F) -> Self
    where
        F: Fn(Seat) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ActorCell, BoxError>> + Send + 'static,
    {
        Self::Actor(Arc::new(move |seat| Box::pin(start(seat))))
    }

    /// An actor that owns what cannot be had twice (an accepted socket): for Temporary children.
    pub fn actor_once<F, Fut>(start: F) -> Self
    where
        F: FnOnce(Seat) -> Fut + Send + 'static,
        Fut: Future<Output = Result<ActorCell, BoxError>> + Send + 'static,
    {
        let start = Mutex::new(Some(start));
        Self::Actor(Arc::new(move |seat| match start.lock().take() {
            Some(start) => Box::pin(start(seat)),
            None => Box::pin(std::future::ready(Err(StartedTwice.into()))),
        }))
    }

    /// A task that can be started again and again.
    pub fn task<F, Fut>(start: F) -> Self
    where
        F: Fn(Seat) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::Task(Arc::new(move |seat| Box::pin(start(seat))))
    }

    /// A thread.
    pub fn thread<F>(start: F) -> Self
    where
        F: Fn(Seat) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        Self::Thread(Arc::new(start))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this child can be started once only")]
struct StartedTwice;

/// What an incarnation of a child is given: its place in the tree.
#[derive(Clone)]
pub struct Seat {
    /// Its name.
    pub name: ActorName,
    /// The node's registry.
    pub registry: Registry,
    /// The supervisor, to link to.
    pub supervisor: ActorCell,
    /// Asks this incarnation to end.
    pub shutdown: Shutdown,
    pub(super) entry: Arc<Entry>,
    pub(super) incarnation: u64,
}

impl Seat {
    /// Lets operators see this incarnation for as long as the registration is held.
    pub fn register(&self, observe: Observe) -> Registration {
        Registration::seated(&self.entry, self.incarnation, observe)
    }

    /// Spawns `actor` linked to the supervisor: the usual last step of [`Start::actor`].
    pub async fn spawn<A: Actor>(&self, actor: A, args: A::Arguments) -> Result<ActorRef<A::Msg>, BoxError> {
        match Actor::spawn_linked(None, actor, args, self.supervisor.clone()).await {
            Ok((actor, _)) => Ok(actor),
            Err(SpawnErr::StartupFailed(error)) => Err(error),
            Err(error) => Err(error.into()),
        }
    }

    /// [`task::attach`] with this child's name in the logs of a panic.
    pub fn attach<F, E>(&self, myself: ActorCell, future: F) -> AbortHandle
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        task::attach(myself, task::named(self.name.clone(), future))
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("name", &self.name).field("incarnation", &self.incarnation).finish()
    }
}

/// How an incarnation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should: the future returned `Ok`, the actor stopped.
    Normal,
    /// With an error.
    Failed(String),
    /// With a panic.
    Panicked(String),
}

impl Exit {
    /// The failure as text; none for a normal end.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Normal => None,
            Self::Failed(_) | Self::Panicked(_) => Some(self.to_string()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
        }
    }
}
