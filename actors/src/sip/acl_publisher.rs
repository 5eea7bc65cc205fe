//! The ACL of calls for Kamailio, published in Redis.
//!
//! Owns: the hashes under `address:entry:` of the configured Redis, which hold what the database says and nothing else:
//! a cache, never the truth. Its key is `acl_publisher:main:0`, its parent the `sip` supervisor, its restart policy
//! permanent; it is there only where a Redis is configured. A crash, like a lost connection, loses nothing: with each
//! connection it reads what is there and repairs it. Nobody waits for it but who asks it to ([`Handle::sync`]).

pub mod entry;
mod metrics;
mod redis;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use runtime::random::Random;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use runtime::telemetry::metrics::Metrics as Registry;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::entry::Entries;
use self::metrics::Metrics;
use self::redis::{Done, Redis};
pub use crate::redis::Options;

/// How long [`Handle::sync`] waits: a million entries take seconds.
const SYNC_WITHIN: Duration = Duration::from_secs(30);
/// How often a connection that has nothing to do is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How often everything is compared with what is there: somebody else may have written, and a node that is behind may
/// have taken back what another had published.
const REPAIR_EVERY: Duration = Duration::from_mins(5);
/// Waits between connections, doubled from the first to the last, with jitter.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_MAX: Duration = Duration::from_secs(15);
/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// What a synchronisation found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Entries that are published.
    pub entries: u64,
    /// Of them, those that were missing or wrong.
    pub written: u64,
    /// Entries that were there and should not have been.
    pub deleted: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why nothing is known to be published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Redis did not do it.
    #[error("Redis: {0}")]
    Redis(String),
    /// It goes on.
    #[error("not within {} s; it goes on", SYNC_WITHIN.as_secs())]
    TooLate,
}

/// Gives the publisher what it is to publish. Clones are one.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    /// None until the configuration was read by who follows it.
    wanted: watch::Sender<Option<Arc<Entries>>>,
    /// How often a synchronisation was asked for. Those who ask at one time get one.
    wishes: watch::Sender<u64>,
    answers: watch::Sender<Answer>,
    face: Face,
    metrics: Metrics,
}

/// To wishes up to this one.
#[derive(Clone)]
struct Answer {
    wish: u64,
    result: Result<Report, Error>,
}

#[derive(Default)]
struct Face {
    connected: AtomicBool,
    entries: AtomicU64,
    published: AtomicU64,
    written: AtomicU64,
    deleted: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Handle {
    /// These are to be published from now on.
    pub fn publish(&self, entries: Entries) {
        self.0.face.entries.store(entries.len() as u64, Ordering::Relaxed);
        self.0.wanted.send_replace(Some(Arc::new(entries)));
    }

    /// Compares what Redis holds with the configuration in force, and repairs it.
    ///
    /// # Errors
    /// When Redis cannot be reached or refuses, and after half a minute.
    pub async fn sync(&self) -> Result<Report, Error> {
        let mut answers = self.0.answers.subscribe();
        let mut wish = 0;
        self.0.wishes.send_modify(|wishes| {
            *wishes += 1;
            wish = *wishes;
        });
        let answered = timeout(SYNC_WITHIN, answers.wait_for(|answer| answer.wish >= wish)).await;
        match answered {
            Ok(Ok(answer)) => answer.result.clone(),
            Ok(Err(_)) | Err(_) => Err(Error::TooLate),
        }
    }
}

/// The publisher as a child of the `sip` supervisor, and who feeds it.
#[must_use]
pub fn child_spec(options: Options, metrics: &Registry) -> (Handle, ChildSpec) {
    let nothing = Answer { wish: 0, result: Err(Error::TooLate) };
    let handle = Handle(Arc::new(Shared {
        wanted: watch::Sender::new(None),
        wishes: watch::Sender::new(0),
        answers: watch::Sender::new(nothing),
        face: Face::default(),
        metrics: Metrics::new(metrics),
    }));
    let shared = Arc::clone(&handle.0);
    let start = Start::task(move |seat: Seat| {
        let (shared, options) = (Arc::clone(&shared), options.clone());
        async move {
            let _registration = seat.register(observe(&shared));
            let mut publisher = Publisher::new(&shared, options);
            tokio::select! {
                never = publisher.run(seat.registry.random()) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    let child = ChildSpec::new(ActorName::new("acl_publisher", "main"), Restart::Permanent, start);
    (handle, child.backoff(RESTARTS))
}

struct Publisher<'a> {
    shared: &'a Shared,
    options: Options,
    wanted: watch::Receiver<Option<Arc<Entries>>>,
    wishes: watch::Receiver<u64>,
    /// The last wish that the connection at hand tries to fulfil.
    tried: u64,
    /// Whether the last publication was done; none before the first.
    works: Option<bool>,
}

impl<'a> Publisher<'a> {
    fn new(shared: &'a Shared, options: Options) -> Self {
        let (wanted, wishes) = (shared.wanted.subscribe(), shared.wishes.subscribe());
        Self { shared, options, wanted, wishes, tried: 0, works: None }
    }

    async fn run(&mut self, random: &Random) -> Infallible {
        let face = &self.shared.face;
        let mut again = AGAIN_FIRST;
        // Of the last incarnation.
        face.connected.store(false, Ordering::Relaxed);
        loop {
            self.tried = *self.wishes.borrow_and_update();
            let Err(error) = self.connection().await;
            face.connected.store(false, Ordering::Relaxed);
            // One that takes connections and refuses to write is as good as away.
            if self.works.replace(false) != Some(false) {
                again = AGAIN_FIRST;
                tracing::warn!(%error, "the ACL is not published, Redis keeps what it has");
            }
            self.shared.metrics.publications.with_label_values(&["error"]).inc();
            let text = error.to_string();
            *face.error.lock() = Some(text.clone());
            self.answer(Err(Error::Redis(text)));
            tokio::select! {
                () = sleep(again / 2 + random.jitter(again / 2)) => {}
                // Who asks now is not told of the last try.
                changed = self.wishes.wait_for(|wish| *wish != self.tried) => drop(changed),
            }
            again = AGAIN_MAX.min(again * 2);
        }
    }

    /// One connection, until it is lost or refuses something.
    async fn connection(&mut self) -> Result<Infallible, redis::Error> {
        let mut redis = Redis::connect(&self.options).await?;
        self.shared.face.connected.store(true, Ordering::Relaxed);
        // Of a new connection nothing is known.
        let mut published: Option<Arc<Entries>> = None;
        let mut repair_at = Instant::now() + REPAIR_EVERY;
        loop {
            let wish = *self.wishes.borrow_and_update();
            if wish != self.tried {
                published = None;
                self.tried = wish;
            }
            if Instant::now() >= repair_at {
                published = None;
            }
            let wanted = self.wanted.borrow_and_update().clone();
            if let Some(wanted) = wanted {
                if published.is_none() {
                    repair_at = Instant::now() + REPAIR_EVERY;
                }
                self.publish(&redis, published.as_ref(), &wanted).await?;
                if self.works.replace(true) == Some(false) {
                    tracing::info!("the ACL is published again");
                }
                published = Some(wanted);
            }
            tokio::select! {
                error = redis.lost() => return Err(error),
                // The senders live as long as this does.
                _ = self.wanted.changed() => {}
                _ = self.wishes.changed() => {}
                () = sleep_until(repair_at.min(Instant::now() + PING_EVERY)) => redis.ping().await?,
            }
        }
    }

    /// From what is published, where that is known, to what is wanted.
    async fn publish(
        &self,
        redis: &Redis,
        published: Option<&Arc<Entries>>,
        wanted: &Arc<Entries>,
    ) -> Result<(), redis::Error> {
        let began = Instant::now();
        let Done { written, deleted } = match published {
            Some(published) if Arc::ptr_eq(published, wanted) => return Ok(()),
            Some(published) => redis.change(published, wanted).await?,
            None => redis.repair(wanted).await?,
        };
        let Shared { face, metrics, .. } = self.shared;
        let entries = wanted.len() as u64;
        face.published.store(entries, Ordering::Relaxed);
        metrics.published.set(i64::try_from(entries).unwrap_or(i64::MAX));
        face.written.fetch_add(written, Ordering::Relaxed);
        face.deleted.fetch_add(deleted, Ordering::Relaxed);
        *face.error.lock() = None;
        let took = began.elapsed();
        if written + deleted > 0 {
            metrics.publications.with_label_values(&["ok"]).inc();
            tracing::info!(entries, written, deleted, ?took, "ACL published");
        }
        if published.is_none() {
            self.answer(Ok(Report { entries, written, deleted, took }));
        }
        Ok(())
    }

    fn answer(&self, result: Result<Report, Error>) {
        self.shared.answers.send_replace(Answer { wish: self.tried, result });
    }
}

fn observe(shared: &Arc<Shared>) -> Observe {
    let shared = Arc::clone(shared);
    Arc::new(move || {
        let face = &shared.face;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connected = face.connected.load(Ordering::Relaxed);
        Observation {
            state: if connected { "connected" } else { "connecting" }.into(),
            queue_depth: 0,
            counters: vec![
                ("entries", count(&face.entries)),
                ("published", count(&face.published)),
                ("written", count(&face.written)),
                ("deleted", count(&face.deleted)),
            ],
            note: face.error.lock().as_ref().map(|error| format!("Redis: {error}")),
        }
    })
}

#[cfg(test)]
mod tests;
