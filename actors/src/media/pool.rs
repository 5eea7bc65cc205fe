//! The media nodes, those of the configuration and those that were found beside them, and the way to each.
//!
//! Workers read it without a lock. A node's place here outlives the incarnations of its actor, and with it what is
//! known of the node and what waits for its actor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use runtime::model::{MediaNode, MediaNodeState};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use super::asking::Question;
use super::discovery::table::{self, Found};
use super::exchange::{Command, Outcome};
use super::health::{Health, State};
use super::rendezvous;

/// Commands that wait for a node's actor; more are refused.
const QUEUE: usize = 4_096;

/// Who waits for an answer of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticket {
    /// A worker of calls.
    Worker(Waiter),
    /// The record of a call that is over.
    Record(Over),
    /// Nobody.
    Nobody,
    /// The node's actor: is it there?
    Ping,
    /// The node's actor: what does it carry?
    Statistics,
    /// The node's actor: which calls?
    List,
    /// The node's actor: which release?
    Release,
    /// The node's actor: what is known of this call?
    Query(Uuid),
}

/// A worker of calls that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    /// Which worker.
    pub worker: u8,
    /// Its incarnation: numbers of an earlier one are other things.
    pub incarnation: u64,
    /// Its number for what waits.
    pub id: u64,
}

/// A call that is over, and that its node is told to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Which worker had it.
    pub worker: u8,
    /// The node of ours that named it at its media node.
    pub owner: u16,
    /// The call.
    pub dialog: Uuid,
}

impl Ticket {
    /// What became of a command at a node, for whoever waits for it outside of the node's actor.
    pub fn news(self, node: u8, outcome: Outcome) -> Option<News> {
        match self {
            Self::Worker(waiter) => Some(News::Answer(Answer { waiter, node, outcome })),
            Self::Record(over) => Some(News::Deleted { over, node, outcome }),
            Self::Nobody | Self::Ping | Self::Statistics | Self::List | Self::Release | Self::Query(_) => {
                None
            }
        }
    }
}

/// What became of a worker's command.
#[derive(Debug)]
pub struct Answer {
    /// Who asked.
    pub waiter: Waiter,
    /// Which node.
    pub node: u8,
    /// What came.
    pub outcome: Outcome,
}

/// What a node's actor has to say.
#[derive(Debug)]
pub enum News {
    /// To a worker, what became of its command.
    Answer(Answer),
    /// What became of the deletion of a call that is over.
    Deleted {
        /// Which call.
        over: Over,
        /// Which node.
        node: u8,
        /// What came: what the node has counted, where it knew the call.
        outcome: Outcome,
    },
    /// The calls that a node has.
    Calls {
        /// Which node.
        node: u8,
        /// Their names there.
        names: Vec<String>,
        /// Whether there are no more.
        all: bool,
        /// Of a node that was down just now, or was begun anew: when it was heard last before. What it has lost it has
        /// lost then.
        heard: Option<Instant>,
    },
    /// A call that the node was asked for, twice, and does not have.
    Gone {
        /// Which node.
        node: u8,
        /// Which call.
        call: Uuid,
        /// When that was seen first.
        since: Instant,
    },
    /// What a node tells of a call that somebody wanted to know it of.
    Queried {
        /// Which node.
        node: u8,
        /// Which call.
        call: Uuid,
        /// Its answer, without cookie.
        body: Bytes,
    },
    /// A node is lost, and its calls with it: it is silent for so long that it does not come back with them.
    Lost {
        /// Which node.
        node: u8,
        /// When it was heard last.
        heard: Instant,
    },
}

/// Who is told.
pub type Deliver = Arc<dyn Fn(News) + Send + Sync>;

/// One node.
#[derive(Debug)]
pub struct Node {
    /// Its number in cookies.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// Where it takes commands.
    pub address: SocketAddr,
    /// Whether it answers.
    pub health: Arc<Health>,
    /// Its share of new calls.
    pub weight: u32,
    /// Whether it is to get calls.
    pub state: MediaNodeState,
    way: Arc<Way>,
}

/// The way to a node's actor.
#[derive(Debug)]
pub struct Way {
    sender: mpsc::Sender<Command<Ticket>>,
    /// Held by the one incarnation of the actor that serves.
    pub receiver: Mutex<mpsc::Receiver<Command<Ticket>>>,
    /// Whether the node is to get no new calls, as its actor shows it, which does not begin anew for that.
    drains: AtomicBool,
    /// Whether its list of calls is to be seen again soon.
    look_again: AtomicBool,
    /// Calls that it is to be asked for one by one, where its actor has not taken them. Never locked where packets fly.
    questions: parking_lot::Mutex<Option<Vec<Question>>>,
    tally: Tally,
}

/// Commands to one node, whoever has sent them.
#[derive(Debug, Default)]
pub struct Tally {
    /// All that have come to an end.
    pub commands: AtomicU64,
    /// Those of them that had no answer.
    pub silent: AtomicU64,
    /// Those under way.
    pub waiting: AtomicU64,
    /// Those that it refused as it had no room.
    pub full: AtomicU64,
    /// Those that it refused as it had too much to do.
    pub overloaded: AtomicU64,
}

impl Way {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let no = || AtomicBool::new(false);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            drains: no(),
            look_again: no(),
            questions: parking_lot::Mutex::default(),
            tally: Tally::default(),
        }
    }
}

impl Node {
    /// Whether new calls go there that these have refused, as far as the configuration says.
    fn is_open(&self, refused: &[u8]) -> bool {
        self.state == MediaNodeState::Active && self.weight > 0 && !refused.contains(&self.number)
    }

    /// The way to its actor.
    pub fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way)
    }

    /// Whether it was found, and is none of the configuration's: those have the numbers below.
    pub const fn is_found(&self) -> bool {
        self.number > MediaNode::NUMBER_MAX
    }

    /// What was asked of it.
    pub fn tally(&self) -> &Tally {
        &self.way.tally
    }

    /// Whether it is the same one, with all that is known of it, though it may be configured in another way now.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.way, &other.way)
    }

    /// Whether an actor serves it.
    pub fn is_served(&self) -> bool {
        self.way.receiver.try_lock().is_err()
    }

    /// Whether it is talked to.
    pub fn is_enabled(&self) -> bool {
        self.state != MediaNodeState::Disabled
    }

    /// What operators see.
    pub fn state_name(&self) -> &'static str {
        let state = self.health.state();
        if !self.is_enabled() {
            "disabled"
        } else if state != State::Down && self.way.drains.load(Ordering::Relaxed) {
            "draining"
        } else {
            state.name()
        }
    }

    /// Says that its list of calls is to be seen again soon: it has shown what another one has to confirm.
    pub fn look_again(&self) {
        self.way.look_again.store(true, Ordering::Relaxed);
    }

    /// Whether that was said since it was asked last.
    pub fn is_to_look_again(&self) -> bool {
        self.way.look_again.swap(false, Ordering::Relaxed)
    }

    /// Says which calls it is to be asked for one by one from now on, in place of those before.
    pub fn ask_about(&self, questions: Vec<Question>) {
        *self.way.questions.lock() = Some(questions);
    }

    /// What was said of that since it was asked last.
    pub fn take_questions(&self) -> Option<Vec<Question>> {
        self.way.questions.lock().take()
    }
}

/// All nodes.
#[derive(Debug, Default)]
pub struct Pool {
    nodes: ArcSwap<Vec<Arc<Node>>>,
    /// Whose nodes they are. Never locked where packets fly.
    named: parking_lot::Mutex<Named>,
    /// Whether nodes are looked for beside those of the configuration.
    expects: AtomicBool,
}

#[derive(Debug, Default)]
struct Named {
    configured: Vec<MediaNode>,
    found: Vec<Found>,
}

impl Pool {
    /// The configuration has these nodes from now on. What is known of one that stays at its address stays too.
    pub fn configure(&self, configured: &[MediaNode], now: Instant) {
        let mut named = self.named.lock();
        named.configured = configured.to_vec();
        self.place(&named, now);
    }

    /// These were found, by number; those that the configuration has are the configuration's.
    pub fn find(&self, found: &[Found], now: Instant) {
        let mut named = self.named.lock();
        named.found = found.to_vec();
        self.place(&named, now);
    }

    /// Those that were found last.
    pub fn found(&self) -> Vec<Found> {
        self.named.lock().found.clone()
    }

    /// Whether a node at this address has calls, by its own word, which may still hear each other through it.
    pub fn carries(&self, address: SocketAddr, now: Instant) -> bool {
        let nodes = self.nodes.load();
        let carries = |node: &Arc<Node>| {
            node.address == address && node.health.sessions() > 0 && node.health.lost(now).is_none()
        };
        nodes.iter().any(carries)
    }

    /// Says that nodes will be found: until then a call finds none, and does not go past all of them.
    pub fn expect_found(&self) {
        self.expects.store(true, Ordering::Relaxed);
    }

    /// Under the lock of `named`, so that the last change is in force.
    fn place(&self, named: &Named, now: Instant) {
        let before = self.nodes.load();
        let place = |config: &MediaNode| {
            let known = before.iter().find(|node| {
                (node.number, node.address, &node.name) == (config.number, config.address, &config.name)
            });
            let (health, way) = match known {
                Some(node) => (Arc::clone(&node.health), Arc::clone(&node.way)),
                None => (Arc::new(Health::new(now)), Arc::new(Way::new())),
            };
            way.drains.store(config.state == MediaNodeState::Draining, Ordering::Relaxed);
            Arc::new(Node {
                number: config.number,
                name: config.name.clone(),
                address: config.address,
                health,
                weight: config.weight,
                state: config.state,
                way,
            })
        };
        let nodes = table::merged(&named.configured, &named.found).iter().map(place).collect();
        self.nodes.store(Arc::new(nodes));
    }

    /// Whether there is no node, and none is to be found: no call is anchored then.
    pub fn is_empty(&self) -> bool {
        self.nodes.load().is_empty() && !self.expects.load(Ordering::Relaxed)
    }

    /// All of them.
    pub fn nodes(&self) -> Arc<Vec<Arc<Node>>> {
        self.nodes.load_full()
    }

    /// The node with a number.
    pub fn node(&self, number: u8) -> Option<Arc<Node>> {
        self.nodes.load().iter().find(|node| node.number == number).map(Arc::clone)
    }

    /// The node that a new call takes, of those that it was not refused by: the first by the call's own order that is up
    /// and has room, else one that has none, or was silent just now, else one that may be there all the same. `None` when
    /// there is nobody left to ask.
    pub fn choose(&self, call: u128, refused: &[u8], now: Instant) -> Option<u8> {
        let nodes = self.nodes.load();
        let ranked = nodes.iter().filter(|node| node.is_open(refused)).filter_map(|node| {
            let rank = match node.health.state() {
                State::Up if node.health.is_full(now) => 1,
                State::Up => 2,
                State::Suspect => 0,
                // Rather than refuse the call.
                State::Down if node.health.may_be_there(now) => -1,
                State::Down => return None,
            };
            Some(((rank, rendezvous::score(call, node.number, node.weight)), node.number))
        });
        let better =
            |one: &(i32, f64), other: &(i32, f64)| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1));
        ranked.max_by(|(one, _), (other, _)| better(one, other)).map(|(_, number)| number)
    }

    /// Whether a node that was chosen takes a call now: it is up, and has room.
    pub fn has_room(&self, number: u8, now: Instant) -> bool {
        let Some(node) = self.node(number).filter(|node| node.is_enabled()) else { return false };
        node.health.state() == State::Up && !node.health.is_full(now)
    }

    /// Whether a new call that these have refused may take yet another node.
    pub fn has_more(&self, refused: &[u8]) -> bool {
        let nodes = self.nodes.load();
        nodes.iter().any(|node| node.is_open(refused) && node.health.state() != State::Down)
    }

    /// Whether there are nodes and the configuration has none of them take new calls: those are refused then.
    pub fn is_closed(&self) -> bool {
        let nodes = self.nodes.load();
        !nodes.is_empty() && nodes.iter().all(|node| !node.is_open(&[]))
    }

    /// How many nodes a new call might take.
    pub fn taking(&self) -> usize {
        let nodes = self.nodes.load();
        nodes.iter().filter(|node| node.is_open(&[]) && node.health.state() != State::Down).count()
    }

    /// Gives a node's actor a command.
    ///
    /// # Errors
    /// The command, when there is no such node or too much waits for it.
    pub fn submit(&self, node: u8, command: Command<Ticket>) -> Result<(), Command<Ticket>> {
        let nodes = self.nodes.load();
        let Some(node) = nodes.iter().find(|known| known.number == node && known.is_enabled()) else {
            return Err(command);
        };
        node.way.sender.try_send(command).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command) => command,
        })
    }
}

#[cfg(test)]
mod tests;
