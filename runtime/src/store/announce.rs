//! Announcements of changed configuration: who follows it reads it at once, and not at its next look.
//!
//! Within a process [`Announcements`] carries them. Between the nodes of one PostgreSQL a change is notified by the
//! transaction that makes it, and each node has a task that listens. Owns: the connection that it listens on, one
//! beside those of the pools. Its key is `announcement_listener:main:0`, its parent the supervisor that it is given to,
//! its restart policy permanent. A crash, like a lost connection, loses what is announced until the next one listens;
//! that one begins with an announcement of its own, and followers compare versions besides.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Db, Error, ErrorKind, Tx};
use crate::random::Random;
use crate::registry::{ActorName, Observation, Observe};
use crate::supervision::{BoxError, ChildSpec, Restart, Seat, Start};

/// The channel of PostgreSQL.
const CHANNEL: &str = "warp_configuration";

/// After an announcement a follower waits so long for more: a burst of changes is read once.
pub const SETTLE: Duration = Duration::from_millis(20);

/// Time for the listener's connection to come about, and for the answer to a question on it.
const ANSWER: Duration = Duration::from_secs(5);
/// Silence after which the connection is asked whether it is there: one that a firewall forgot would be silent for ever.
const QUIET: Duration = Duration::from_secs(30);
/// Waits between connections, doubled from the first to the last, with jitter.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(10);

/// Says within the process that the configuration has changed. Clones are one.
#[derive(Debug, Clone)]
pub struct Announcements(watch::Sender<u64>);

impl Default for Announcements {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Announcements {
    /// Sees every announcement from now on, several at one time as one. The value is their count.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// The configuration has changed: for who has committed the change.
    pub fn announce(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Waits until the configuration is to be compared: for an announcement and what comes within [`SETTLE`] of it, and at
/// most for `poll`, since announcements may be missed.
pub async fn announced_or(announced: &mut watch::Receiver<u64>, poll: Duration) {
    let settled = async {
        if announced.changed().await.is_err() {
            // Nobody is left who could announce.
            return pending().await;
        }
        sleep(SETTLE).await;
        announced.mark_unchanged();
    };
    // What was announced while the poll came due is read now as well.
    let _ = timeout(poll, settled).await;
}

/// Has all nodes of this PostgreSQL told once the transaction is committed; several times in one transaction is once.
/// On SQLite there is no other node.
///
/// # Errors
/// When the database refuses.
pub async fn announce_in(tx: &mut Tx) -> Result<(), Error> {
    if let Tx::Pg(tx) = tx {
        sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The task that announces in this process what other nodes have notified; none on SQLite.
#[must_use]
pub fn listener(db: &Db, announcements: &Announcements) -> Option<ChildSpec> {
    let Db::Pg(pool) = db else { return None };
    let (options, announcements) = (pool.connect_options(), announcements.clone());
    let face = Arc::new(Face::default());
    let start = Start::task(move |seat: Seat| {
        let listener = Listener {
            options: Arc::clone(&options),
            announcements: announcements.clone(),
            face: Arc::clone(&face),
        };
        async move {
            let _registration = seat.register(observe(&listener.face));
            tokio::select! {
                never = listener.run(seat.registry.random()) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    Some(ChildSpec::new(ActorName::new("announcement_listener", "main"), Restart::Permanent, start))
}

struct Listener {
    options: Arc<PgConnectOptions>,
    announcements: Announcements,
    face: Arc<Face>,
}

#[derive(Default)]
struct Face {
    listening: AtomicBool,
    connections: AtomicU64,
    notifications: AtomicU64,
}

impl Listener {
    async fn run(&self, random: &Random) -> Infallible {
        let mut again = AGAIN_FIRST;
        let mut deaf = false;
        loop {
            let Err(error) = self.listen(&mut deaf).await;
            if self.face.listening.swap(false, Ordering::Relaxed) {
                again = AGAIN_FIRST;
            }
            if !std::mem::replace(&mut deaf, true) {
                tracing::warn!(%error, "changes of the configuration are not announced, they arrive at the next poll");
            }
            sleep(again / 2 + random.jitter(again / 2)).await;
            again = AGAIN_MAX.min(again * 2);
        }
    }

    /// One connection, until it is lost.
    async fn listen(&self, deaf: &mut bool) -> Result<Infallible, Error> {
        // Of one connection, and new each time: what is left of a lost one must not be waited for.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ANSWER)
            .connect_lazy_with(PgConnectOptions::clone(&self.options));
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        self.face.listening.store(true, Ordering::Relaxed);
        self.face.connections.fetch_add(1, Ordering::Relaxed);
        if std::mem::take(deaf) {
            tracing::info!("changes of the configuration are announced again");
        }
        // Of what came before nobody told us.
        self.announcements.announce();
        loop {
            match timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(_))) => {
                    self.face.notifications.fetch_add(1, Ordering::Relaxed);
                    self.announcements.announce();
                }
                Ok(Ok(None)) => return Err(lost("the connection was closed")),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    let asked = timeout(ANSWER, sqlx::query("SELECT 1").execute(&mut listener)).await;
                    asked.map_err(|_| lost("no answer"))??;
                }
            }
        }
    }
}

fn lost(text: &str) -> Error {
    Error::new(ErrorKind::Unavailable, text)
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || Observation {
        state: if face.listening.load(Ordering::Relaxed) { "listening" } else { "connecting" }.into(),
        queue_depth: 0,
        counters: vec![
            ("connections", face.connections.load(Ordering::Relaxed)),
            ("notifications", face.notifications.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

#[cfg(test)]
mod tests;
