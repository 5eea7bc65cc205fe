//! The committer of the message log.
//!
//! Owns: the right to commit. Its key is `message_log:main:0`, its parent the `log` supervisor, its restart
//! policy permanent; it starts first and stops last. A crash loses nothing: the group that was being
//! committed is kept beside the log and committed by the next incarnation.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::log::{Committed, Health};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Shutdown, Start};

use super::Smpp;

/// Time for the last commits when the node stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// The actor.
pub struct MessageLogActor;

/// What the running committer holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to the committer: appending wakes it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

impl Actor for MessageLogActor {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Arc<Smpp>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, smpp): (Seat, Arc<Smpp>),
    ) -> Result<State, ActorProcessingErr> {
        let registration = seat.register(observe(&smpp));
        seat.attach(myself.get_cell(), commit(smpp, seat.shutdown.clone()));
        Ok(State { _registration: registration })
    }
}

async fn commit(smpp: Arc<Smpp>, shutdown: Shutdown) -> Result<(), std::convert::Infallible> {
    let observed = Arc::clone(&smpp);
    let run = smpp.log.run(move |committed| on_committed(&observed, committed));
    let drained = async {
        shutdown.requested().await;
        smpp.log.barrier().await;
    };
    tokio::select! {
        () = run => {}
        () = drained => {}
    }
    Ok(())
}

fn on_committed(smpp: &Smpp, committed: Committed) {
    let metrics = &smpp.metrics;
    metrics.log_commit_seconds.observe(committed.times.total.as_secs_f64());
    if let Some(sync) = committed.times.sync {
        metrics.log_fsync_seconds.observe(sync.as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a group never has 2^52 records")]
    metrics.log_group_records.observe(committed.records as f64);
}

fn observe(smpp: &Arc<Smpp>) -> Observe {
    let smpp = Arc::clone(smpp);
    Arc::new(move || {
        let (commits, records) = smpp.log.totals();
        Observation {
            state: match smpp.log.health() {
                Health::Working => "working",
                Health::Refusing => "refusing",
                Health::Failed => "failed",
            }
            .into(),
            queue_depth: smpp.log.depth() as u64,
            counters: vec![("commits", commits), ("records", records)],
            note: None,
        }
    })
}

/// The committer as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(smpp: Arc<Smpp>) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let smpp = Arc::clone(&smpp);
        async move { Ok(seat.spawn(MessageLogActor, (seat.clone(), smpp)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("message_log", "main"), Restart::Permanent, start).shutdown(SHUTDOWN)
}
