//! RTPEngine nodes that Kamailio's table in Redis names.
//!
//! Owns: the connection to Redis by which the table is read, every five seconds. Its key is
//! `media_discovery:main:0`, its parent the `sip` supervisor, its restart policy permanent; it is there only where
//! `sip.media_discovery` says so. A crash, like a lost connection, loses nothing: the pool keeps the nodes that were
//! found, and the next incarnation goes on from them. Redis is only read.

pub mod table;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::HashesInterface as _;
use parking_lot::Mutex;
use runtime::random::Random;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep};

use self::table::{ENTRIES, FIELDS, Known, Look, Row};
use super::metrics::Metrics;
use super::pool::Pool;
use crate::redis::{Connection, Error, Options as Redis, is_no_hash, unexpected};

/// How often the table is read.
const READ_EVERY: Duration = Duration::from_secs(5);
/// Waits between connections, doubled from the first to the last, with jitter.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_MAX: Duration = Duration::from_secs(15);
/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// What the actor is made of.
#[derive(Clone)]
pub struct Options {
    /// Where the table is.
    pub redis: Redis,
    /// Which set of nodes is taken.
    pub set: u32,
    /// Where they go.
    pub pool: Arc<Pool>,
    /// What it counts.
    pub metrics: Metrics,
}

/// The actor as a child of the `sip` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let face = Arc::new(Face::default());
    let start = Start::task(move |seat: Seat| {
        let (options, face) = (options.clone(), Arc::clone(&face));
        async move {
            let _registration = seat.register(observe(&face));
            let known = Known::of(options.pool.found());
            let mut reader = Reader { options: &options, face: &face, known, failing: false };
            tokio::select! {
                never = reader.run(seat.registry.random()) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    let name = ActorName::new("media_discovery", "main");
    ChildSpec::new(name, Restart::Permanent, start).backoff(RESTARTS)
}

/// What operators see.
#[derive(Default)]
struct Face {
    connected: AtomicBool,
    nodes: AtomicU64,
    reads: AtomicU64,
    error: Mutex<Option<String>>,
    /// Entries that are not taken, each with why.
    unfit: Mutex<BTreeSet<String>>,
}

/// One incarnation.
struct Reader<'a> {
    options: &'a Options,
    face: &'a Face,
    known: Known,
    /// Whether it was said that Redis is away.
    failing: bool,
}

impl Reader<'_> {
    async fn run(&mut self, random: &Random) -> Infallible {
        let mut again = AGAIN_FIRST;
        loop {
            let reads = self.face.reads.load(Ordering::Relaxed);
            let Err(error) = self.connection().await;
            self.face.connected.store(false, Ordering::Relaxed);
            if self.face.reads.load(Ordering::Relaxed) > reads {
                again = AGAIN_FIRST;
            }
            if !std::mem::replace(&mut self.failing, true) {
                tracing::warn!(%error, "the table of media nodes cannot be read, the last one stays");
            }
            *self.face.error.lock() = Some(error.to_string());
            sleep(again / 2 + random.jitter(again / 2)).await;
            again = AGAIN_MAX.min(again * 2);
        }
    }

    /// One connection, until it is lost or refuses something.
    async fn connection(&mut self) -> Result<Infallible, Error> {
        let mut connection = Connection::connect(&self.options.redis).await?;
        self.face.connected.store(true, Ordering::Relaxed);
        loop {
            let rows = rows(&connection).await?;
            self.take(rows);
            tokio::select! {
                error = connection.lost() => return Err(error),
                () = sleep(READ_EVERY) => {}
            }
        }
    }

    /// Takes in all entries of the table, each with its number.
    fn take(&mut self, rows: Vec<(u8, Row)>) {
        let Options { set, pool, metrics, .. } = self.options;
        let now = Instant::now().into_std();
        let mut look = Look { shown: Vec::new(), unfit: Vec::new(), at: now };
        let (mut named, mut unfit) = (Vec::new(), BTreeSet::new());
        for (entry, row) in rows {
            match table::read(&row, entry, *set) {
                Ok(found) => {
                    named.extend(found.as_ref().map(|found| (entry, found.address)));
                    look.shown.extend(found);
                }
                Err(error) => {
                    unfit.insert(format!("{}: {error}", table::key(entry)));
                    look.unfit.push(table::number(entry));
                }
            }
        }
        if self.known.follow(look, |address| pool.carries(address, now)) {
            let nodes = self.known.nodes();
            let addresses: Vec<_> = nodes.iter().map(|found| found.address).collect();
            tracing::info!(?addresses, "media nodes found in Redis");
            pool.find(nodes, now);
        }
        let is_known = |address: SocketAddr| self.known.nodes().iter().any(|node| node.address == address);
        for (entry, _) in named.into_iter().filter(|(_, address)| !is_known(*address)) {
            let key = table::key(entry);
            unfit.insert(format!("{key}: its number is that of a node which may have calls, it waits"));
        }
        let before = std::mem::replace(&mut *self.face.unfit.lock(), unfit.clone());
        for entry in unfit.difference(&before) {
            tracing::warn!(%entry, "an entry of the table of media nodes is not taken");
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("the table of media nodes can be read again");
        }
        *self.face.error.lock() = None;
        self.face.reads.fetch_add(1, Ordering::Relaxed);
        let count = self.known.nodes().len();
        self.face.nodes.store(count as u64, Ordering::Relaxed);
        metrics.found.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// All entries of the table, by the keys that they may have: to look for others would be to go through all that Redis
/// holds, which may be millions of keys.
async fn rows(connection: &Connection) -> Result<Vec<(u8, Row)>, Error> {
    let pipeline = connection.client.pipeline();
    for entry in ENTRIES {
        let () = pipeline.hmget(table::key(entry), FIELDS.to_vec()).await?;
    }
    let read = pipeline.try_all::<Vec<Option<Bytes>>>().await;
    if read.len() != ENTRIES.len() {
        // Of the whole, and not of a command.
        let error = read.into_iter().find_map(Result::err);
        return Err(error.unwrap_or_else(|| unexpected("answers are missing")));
    }
    let mut rows = Vec::new();
    for (entry, read) in ENTRIES.zip(read) {
        match read {
            Ok(row) if row.iter().all(Option::is_none) => {}
            Ok(row) => rows.push((entry, row)),
            // It is named among those that are unfit.
            Err(error) if is_no_hash(&error) => rows.push((entry, Row::new())),
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || {
        let connected = face.connected.load(Ordering::Relaxed);
        let unfit = || face.unfit.lock().first().cloned();
        let error = face.error.lock().as_ref().map(|error| format!("Redis: {error}"));
        Observation {
            state: if connected { "connected" } else { "connecting" }.into(),
            queue_depth: 0,
            counters: vec![
                ("nodes", face.nodes.load(Ordering::Relaxed)),
                ("reads", face.reads.load(Ordering::Relaxed)),
            ],
            note: error.or_else(unfit),
        }
    })
}

#[cfg(test)]
mod tests;
