//! Deletes old rows in small slices, so that no commit waits for long.
//!
//! Owns: deletion from the message log. Its key is `retention:main:0`, its parent the `log` supervisor, its
//! restart policy permanent. A crash loses nothing: the next slice is found by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::config::LogOptions;
use runtime::model::MessageId;
use runtime::registry::{ActorName, Observation, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use tokio::time::sleep;

use super::Smpp;

/// Wait after a slice that was full, after one that was not, and when nothing was there. Slices of 500 keep up
/// with far more than 5,000 messages a second.
const FULL: Duration = Duration::from_millis(10);
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(60);

/// The actor.
pub struct Retention;

/// What it is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// How long and how much.
    pub log: LogOptions,
}

/// What the running actor holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

impl Actor for Retention {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let deleted = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&deleted);
        let registration = seat.register(Arc::new(move || Observation {
            state: "working".into(),
            queue_depth: 0,
            counters: vec![("deleted", shown.load(Ordering::Relaxed))],
            note: None,
        }));
        seat.attach(myself.get_cell(), delete(options, deleted));
        Ok(State { _registration: registration })
    }
}

async fn delete(options: Options, deleted: Arc<AtomicU64>) -> Result<(), std::convert::Infallible> {
    loop {
        let now = options.smpp.now();
        let before = MessageId::first_at(now.minus(options.log.retention.get())).0;
        let slice = options.log.retention_slice;
        let wait = match options.smpp.log.store().expire(before, now.micros(), slice).await {
            Ok(0) => IDLE.min(options.log.retention.get() / 4).max(BUSY),
            Ok(rows) => {
                deleted.fetch_add(rows, Ordering::Relaxed);
                if rows >= u64::from(slice) { FULL } else { BUSY }
            }
            Err(error) => {
                tracing::warn!(%error, "old rows could not be deleted");
                IDLE
            }
        };
        sleep(wait).await;
    }
}

/// The actor as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(Retention, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("retention", "main"), Restart::Permanent, start)
}
