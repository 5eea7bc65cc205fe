//! Has old rows deleted, a few with each commit: deletion costs no sync of its own, and no commit waits for long.
//!
//! Owns: the choice of what is deleted from the message log, found by a reader that no commit waits for. Its key is `retention:main:0`, its parent the `log` supervisor, its
//! restart policy permanent. A crash loses nothing: the next slice is found by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::config::LogOptions;
use runtime::log::{Expired, Horizon};
use runtime::model::MessageId;
use runtime::registry::{ActorName, Observation, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep};

use super::Smpp;

/// Wait after a slice that was full, after one that was not, and when nothing was there. Slices of 128 keep up
/// with 30,000 messages a second.
const FULL: Duration = Duration::from_millis(2);
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

/// Goes through the log from its oldest message on, pass after pass. Old messages that live on (a receipt may
/// still come) are looked at once in a pass.
async fn delete(options: Options, deleted: Arc<AtomicU64>) -> Result<(), std::convert::Infallible> {
    let LogOptions { retention, retention_slice: slice, .. } = options.log;
    let smpp = &options.smpp;
    let pass = IDLE.min(retention.get() / 4).max(BUSY);
    let (mut after, mut begun) = (0, Instant::now());
    loop {
        if begun.elapsed() >= pass {
            (after, begun) = (0, Instant::now());
        }
        let now = smpp.now();
        let before = MessageId::first_at(now.minus(retention.get())).0;
        let horizon = Horizon { after, before, now: now.micros() };
        let wait = match smpp.log.store().expired(horizon, slice).await {
            Ok(expired) => {
                after = expired.messages.last().copied().unwrap_or(after);
                let longest = expired.messages.len().max(expired.orphans.len()).max(expired.outbox.len());
                deleted.fetch_add(commit(smpp, expired).await, Ordering::Relaxed);
                match longest {
                    0 => pass,
                    rows if rows < slice as usize => BUSY,
                    _ => FULL,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "old rows could not be found, they are deleted later");
                pass
            }
        };
        sleep(wait).await;
    }
}

/// Deletes with the next commit; gives the number of rows when they are gone.
async fn commit(smpp: &Smpp, expired: Expired) -> u64 {
    let Expired { mut messages, mut orphans, mut outbox } = expired;
    let rows = messages.len() + orphans.len() + outbox.len();
    if rows > 0 {
        let ticket = smpp.log.append_lazily(|batch| {
            batch.deleted.append(&mut messages);
            batch.unparked.append(&mut orphans);
            batch.outbox_done.append(&mut outbox);
        });
        ticket.durable().await;
    }
    rows as u64
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
