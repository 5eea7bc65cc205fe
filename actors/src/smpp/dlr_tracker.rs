//! Messages off the fast path: receipts that found no message in memory, deadlines, and messages whose parts
//! have all ended.
//!
//! Owns: parked receipts, and held messages whose vendor answer was lost. Its key is `dlr_tracker:main:0`, its
//! parent the `log` supervisor, its restart policy permanent. A crash loses nothing: parked receipts, states
//! and deadlines are rows of the log, and the handle outlives the actor.

mod deadlines;
mod parked;
mod parts;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::parked::Parked;
pub(crate) use self::parked::load;
pub(crate) use self::parts::load_wholes;
use super::Smpp;
use super::message::Message as Mt;

/// How often deadlines are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Receipts in memory that wait for their message; more stay in the log until there is room.
const PARKED_MAX: usize = 50_000;

/// How others reach the tracker. What is in it survives a crash of the actor.
#[derive(Default)]
pub struct Handle {
    inbox: Mutex<Inbox>,
    wake: Notify,
}

#[derive(Default)]
struct Inbox {
    /// Receipts to search for now.
    new: VecDeque<Parked>,
    /// Parked receipts, by id, with the time of their next try.
    waiting: HashMap<i64, Parked>,
    /// Parked receipts whose message has come.
    retries: HashSet<i64>,
    /// Messages of which a part has ended.
    parents: HashSet<i64>,
    /// Held messages without an answer, by id.
    uncertain: HashMap<i64, Box<Mt>>,
    /// True when receipts were left in the log for want of room.
    overflowed: bool,
}

impl Handle {
    /// Searches for the message of a receipt that is on its way into the log.
    pub fn park(&self, parked: Parked) {
        let mut inbox = self.inbox.lock();
        if inbox.new.len() + inbox.waiting.len() < PARKED_MAX {
            inbox.new.push_back(parked);
        } else {
            inbox.overflowed = true;
        }
        drop(inbox);
        self.wake.notify_one();
    }

    /// The message of a parked receipt has come.
    pub fn retry(&self, parked: i64) {
        self.inbox.lock().retries.insert(parked);
        self.wake.notify_one();
    }

    /// A part of a message that we split has ended.
    pub fn part_finished(&self, parent: i64) {
        self.inbox.lock().parents.insert(parent);
        self.wake.notify_one();
    }

    /// A message whose vendor answer was lost is held until its deadline.
    pub fn uncertain(&self, message: Box<Mt>) {
        self.inbox.lock().uncertain.insert(message.row.id, message);
    }

    /// The vendor's answer to a held message came after all; gives the message, unless it has ended.
    pub fn answered(&self, id: i64) -> Option<Box<Mt>> {
        self.inbox.lock().uncertain.remove(&id)
    }

    /// Receipts that wait for their message, and held messages.
    #[must_use]
    pub fn depths(&self) -> (usize, usize) {
        let inbox = self.inbox.lock();
        (inbox.new.len() + inbox.waiting.len(), inbox.uncertain.len())
    }
}

/// The actor.
pub struct DlrTracker;

/// What the running tracker holds; its data is in the handle.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to the tracker: it is reached through its [`Handle`].
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

impl Actor for DlrTracker {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Arc<Smpp>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, smpp): (Seat, Arc<Smpp>),
    ) -> Result<State, ActorProcessingErr> {
        let registration = seat.register(observe(&smpp));
        seat.attach(myself.get_cell(), track(smpp));
        Ok(State { _registration: registration })
    }
}

async fn track(smpp: Arc<Smpp>) -> Result<(), std::convert::Infallible> {
    // Not at a start: then recovery reads them. A predecessor took what it had in hand with it.
    while smpp.loaded.load(Ordering::Acquire)
        && let Err(error) = reload(&smpp).await
    {
        tracing::warn!(%error, "parked receipts could not be read back, trying again");
        sleep(SWEEP).await;
    }
    let mut next_sweep = Instant::now() + SWEEP;
    loop {
        tokio::select! {
            () = smpp.tracker.wake.notified() => {}
            () = sleep_until(next_sweep) => {}
        }
        parked::search(&smpp).await;
        parts::finish_whole(&smpp).await;
        if Instant::now() >= next_sweep {
            let more = deadlines::sweep(&smpp).await;
            next_sweep = Instant::now() + if more { Duration::ZERO } else { SWEEP };
        }
    }
}

async fn reload(smpp: &Smpp) -> Result<(), runtime::store::Error> {
    load(smpp).await?;
    load_wholes(smpp).await
}

fn observe(smpp: &Arc<Smpp>) -> Observe {
    let smpp = Arc::clone(smpp);
    Arc::new(move || {
        let (parked, uncertain) = smpp.tracker.depths();
        Observation {
            state: "tracking".into(),
            queue_depth: parked as u64,
            counters: vec![
                ("awaited", smpp.receipts.len() as u64),
                ("uncertain", uncertain as u64),
                ("hits", smpp.metrics.dlr_hits.get()),
                ("orphaned", smpp.metrics.dlr_orphaned.get()),
            ],
            note: None,
        }
    })
}

/// The tracker as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(smpp: Arc<Smpp>) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let smpp = Arc::clone(&smpp);
        async move { Ok(seat.spawn(DlrTracker, (seat.clone(), smpp)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("dlr_tracker", "main"), Restart::Permanent, start)
}
