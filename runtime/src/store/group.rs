//! Writes of the interface, many in one commit.
//!
//! Owns: the order of writes to the configuration database by this node's interface. Key: `store_writer:main:0`;
//! parent: the `api` supervisor; permanent. A crash loses the writes of the open group, whose callers are told that
//! the outcome is unknown; the next incarnation takes the queue up.
//!
//! A disk syncs a few thousand times a second at best, and SQLite has one writer: writes that come together share a
//! transaction. Each runs in a savepoint of its own, so that one that is refused undoes itself alone, and is answered
//! after the commit that made it durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::announce::announce_in;
use super::version::raise;
use super::{Db, Error, ErrorKind, Sql, Tx, execute, statements};
use crate::model::Parts;
use crate::registry::{ActorName, Observation, Observe};
use crate::supervision::{BoxError, ChildSpec, Restart, Seat, Start};

/// Writes that may wait; more are refused at once.
const WAITING_MAX: usize = 1024;
/// Writes of one commit: what they take together is what the first of them waits.
const GROUP_MAX: usize = 64;

statements! {
    RAISE_AUTH = Sql::both("UPDATE auth.version SET version = version + 1 WHERE id = 1");
    SAVEPOINT = Sql::both("SAVEPOINT one_write");
    RELEASE = Sql::both("RELEASE SAVEPOINT one_write");
    UNDO = Sql::both("ROLLBACK TO SAVEPOINT one_write");
}

/// What a write did, beside its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// Customers, trunks, vendors, routes…: every node reads these again.
    pub configuration: Parts,
    /// Users, access, keys, sessions: every node forgets the tokens that it knows.
    pub auth: bool,
}

impl Touched {
    /// Something that no node holds in memory.
    pub const NOTHING: Self = Self { configuration: Parts::NOTHING, auth: false };
    /// Configuration data of more than one part.
    pub const CONFIGURATION: Self = Self::only(Parts::ALL);
    /// Who may do what.
    pub const AUTH: Self = Self { configuration: Parts::NOTHING, auth: true };

    /// Configuration data of these parts.
    #[must_use]
    pub const fn only(configuration: Parts) -> Self {
        Self { configuration, auth: false }
    }

    /// What either touched.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self { configuration: self.configuration.with(other.configuration), auth: self.auth || other.auth }
    }
}

/// The outcome of a write that is to stay.
pub struct Written<T> {
    /// For the caller.
    pub value: T,
    /// Who must hear of it.
    pub touched: Touched,
    /// Run after the commit and before the caller is answered, in the order of commits: what memory holds of the
    /// database follows it here.
    pub then: Option<Box<dyn FnOnce() + Send>>,
}

impl<T> Written<T> {
    /// A write that memory holds nothing of.
    pub const fn new(value: T, touched: Touched) -> Self {
        Self { value, touched, then: None }
    }
}

/// Tells who follows the database of a commit.
pub type Announce = Arc<dyn Fn(Touched) + Send + Sync>;

type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Done> + Send>;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A write that has run and waits for its commit.
struct Done {
    /// None: it was refused and is to be undone.
    touched: Option<Touched>,
    answer: Answer,
}

impl Done {
    fn of<T, E>(written: Result<Written<T>, E>, answer: oneshot::Sender<Result<T, E>>) -> Self
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        // Where the answer is not taken the caller has gone away.
        let Written { value, touched, then } = match written {
            Ok(written) => written,
            Err(error) => {
                return Self { touched: None, answer: Box::new(move |_| _ = answer.send(Err(error))) };
            }
        };
        let answer: Answer = Box::new(move |committed| {
            if let (Ok(()), Some(then)) = (&committed, then) {
                then();
            }
            let _ = answer.send(committed.map(|()| value).map_err(E::from));
        });
        Self { touched: Some(touched), answer }
    }
}

/// The way to the writer.
#[derive(Clone)]
pub struct Writes {
    jobs: mpsc::Sender<Job>,
}

/// The writer's end of the queue, kept over its incarnations.
pub struct Queue {
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    figures: Arc<Figures>,
}

/// What operators see.
#[derive(Default)]
struct Figures {
    commits: AtomicU64,
    writes: AtomicU64,
}

/// A queue of writes.
#[must_use]
pub fn queue() -> (Writes, Queue) {
    let (jobs, receiver) = mpsc::channel(WAITING_MAX);
    (Writes { jobs }, Queue { jobs: Arc::new(Mutex::new(receiver)), figures: Arc::default() })
}

impl Writes {
    /// Runs statements in a savepoint and waits until they are durable. When they give an error, all they did is
    /// undone and the error is the caller's; other writes of the group are not touched.
    ///
    /// # Errors
    /// The job's own; [`ErrorKind::Unavailable`] when too many writes wait, or the commit fails.
    pub async fn run<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Written<T>, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, E>>();
        let job: Job = Box::new(move |tx| Box::pin(async move { Done::of(job(tx).await, answer) }));
        let full = |_| Error::new(ErrorKind::Unavailable, "too many writes wait for the database");
        self.jobs.try_send(job).map_err(full)?;
        let lost = |_| Error::new(ErrorKind::Unavailable, "the database does not take writes now");
        answered.await.map_err(lost)?
    }
}

/// The writer as a child of a supervisor.
pub fn child_spec(db: Db, queue: Queue, announce: Announce) -> ChildSpec {
    let Queue { jobs, figures } = queue;
    let start = Start::task(move |seat: Seat| {
        let (db, jobs, announce) = (db.clone(), Arc::clone(&jobs), Arc::clone(&announce));
        let figures = Arc::clone(&figures);
        async move {
            let _registration = seat.register(observe(&figures));
            let mut jobs = jobs.lock().await;
            let mut group = Vec::with_capacity(GROUP_MAX);
            loop {
                tokio::select! {
                    taken = jobs.recv_many(&mut group, GROUP_MAX) => if taken == 0 { break },
                    () = seat.shutdown.requested() => break,
                }
                figures.writes.fetch_add(u64::try_from(group.len()).unwrap_or(0), Ordering::Relaxed);
                figures.commits.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = commit(&db, group.drain(..), &announce).await {
                    tracing::error!(%error, "a group of writes was lost");
                }
            }
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(ActorName::new("store_writer", "main"), Restart::Permanent, start)
}

fn observe(figures: &Arc<Figures>) -> Observe {
    let figures = Arc::clone(figures);
    Arc::new(move || Observation {
        state: "writing".into(),
        queue_depth: 0,
        counters: vec![
            ("writes", figures.writes.load(Ordering::Relaxed)),
            ("commits", figures.commits.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

/// Runs a group and answers its callers.
async fn commit(db: &Db, group: impl Iterator<Item = Job>, announce: &Announce) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let mut touched = Touched::NOTHING;
    let mut waiting = Vec::with_capacity(GROUP_MAX);
    for job in group {
        execute!(&mut tx, SAVEPOINT)?;
        let done = job(&mut tx).await;
        match done.touched {
            Some(one) => {
                execute!(&mut tx, RELEASE)?;
                touched = touched.with(one);
                waiting.push(done.answer);
            }
            None => {
                execute!(&mut tx, UNDO)?;
                execute!(&mut tx, RELEASE)?;
                (done.answer)(Ok(()));
            }
        }
    }
    let committed = finish(tx, touched).await;
    if committed.is_ok() && touched != Touched::NOTHING {
        announce(touched);
    }
    for answer in waiting {
        answer(committed.clone());
    }
    committed
}

async fn finish(mut tx: Tx, touched: Touched) -> Result<(), Error> {
    if !touched.configuration.is_empty() {
        raise(&mut tx, touched.configuration).await?;
    }
    if touched.auth {
        execute!(&mut tx, RAISE_AUTH)?;
    }
    if touched != Touched::NOTHING {
        announce_in(&mut tx).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests;
