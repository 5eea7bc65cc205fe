//! One worker of calls: everything that happens to the messages of the Call-IDs that are its own.
//!
//! No I/O, no clock, no waiting: [`Worker::handle`] is given what came in and the time, and says what goes out. Its
//! shell reads sockets and rings, and simulation runs it on made-up networks. Nothing here calls itself back: what
//! comes of a message that cannot be sent is a later input.

mod admit;
mod answers;
mod attempt;
mod bye;
mod call;
mod challenged;
mod contact;
mod digest;
mod forward;
mod hide;
mod identity;
mod in_dialog;
mod keep_alive;
mod known;
mod looked_for;
mod media;
mod noted;
mod orphan;
mod outgoing;
mod passport;
mod perform;
mod probe;
mod rebuilt;
mod receive;
mod recent;
mod register;
mod register_at_vendor;
mod relay;
mod reply;
mod stamp;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use runtime::log::Reason;
use runtime::random::Random;
use sip::proxy::{Input as CallInput, Step};
use sip::transaction::{Action, Event, Keys};
use sip::{Message, StatusCode};
use slotmap::SlotMap;
use uuid::Uuid;

pub(crate) use self::admit::{began_millis, is_of};
use self::answers::Answers;
use self::call::Call;
use self::known::Dialogs;
use self::looked_for::Look;
use self::media::{Described, Held, Pending};
pub(crate) use self::orphan::RINGS_MAX;
use self::recent::Recent;
use super::bindings::{Binding, Bindings};
use super::branch::Branches;
use super::counters::Counters;
use super::dialog::{Dialog, End, Seen};
use super::event::CallEvent;
use super::finder::{Found, ToFinder};
use super::flow::{Flow, Outbound, Undelivered};
use super::lcr::Candidate;
use super::registrar::{ToRegistrar, Told};
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::transactions::{ByeId, CallId, MediaId, Now, Probe, Register, TransactionId, Transactions, Wake};
use super::usage::Usage;
use crate::media::exchange::Command;
use crate::media::pool::{Answer, Pool, Ticket};

/// What a worker is given.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is a message")]
pub enum Input {
    /// A message, and where it came from.
    Message(Flow, Message),
    /// A message of ours could not be sent.
    Undelivered(Undelivered),
    /// End a call, for this reason.
    HangUp(Uuid, Reason),
    /// Ask both sides of a call whether it is up.
    Check(Uuid),
    /// Ask a vendor's address whether it is there.
    Probe(Probe),
    /// Keep the way open to what has registered from behind a NAT.
    KeepAlive(Arc<Binding>),
    /// Register at a vendor's address.
    Register(Register),
    /// What a media node said.
    Media(Answer),
    /// A call that is up has lost its media at this node, and was heard there then for the last time.
    MediaLost(Uuid, u8, Now),
    /// What became of a REGISTER.
    Registered(Told),
    /// What became of a call that was looked for.
    Found(Found),
    /// Another node has this call, as was seen at this time.
    Give(Uuid, Instant),
}

/// What a worker wants done, in this order.
#[derive(Debug, Default)]
pub struct Output {
    /// Messages to send.
    pub messages: Vec<Outbound>,
    /// What happened to calls.
    pub events: Vec<CallEvent>,
    /// What media nodes are asked for.
    pub media: Vec<ToMedia>,
    /// What the registrar is asked for.
    pub registers: Vec<ToRegistrar>,
    /// Calls that are looked for.
    pub looks: Vec<ToFinder>,
    /// Calls that were let go of, because another node has them. After all events of them.
    pub given: Vec<Uuid>,
}

/// A command for a media node.
#[derive(Debug)]
pub struct ToMedia {
    /// Number of the node.
    pub node: u8,
    /// What it is to do.
    pub command: Command<Ticket>,
}

/// What a worker is made of.
#[derive(Debug)]
pub struct Parts {
    /// What all workers share.
    pub settings: Arc<Settings>,
    /// The configuration.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Which worker it is; its responses come back to it.
    pub worker: u8,
    /// Its own randomness.
    pub random: Random,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// Whether a connection is up.
    pub is_connected: Connected,
    /// Media nodes.
    pub media: Arc<Pool>,
    /// Where trunks are reached that register.
    pub bindings: Arc<Bindings>,
}

/// Tells whether a stream connection is up.
#[derive(Clone)]
pub struct Connected(pub Arc<dyn Fn(u64) -> bool + Send + Sync>);

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connected")
    }
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    settings: Arc<Settings>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    random: Random,
    counters: Arc<Counters>,
    is_connected: Connected,
    /// When this incarnation began.
    began: Now,
    keys: Keys,
    branches: Branches,
    number: u8,
    transactions: Transactions,
    calls: SlotMap<CallId, Call>,
    dialogs: Dialogs,
    /// Dialogs of an earlier process that have ended in this one: what still comes of them begins no call.
    over: Recent<Uuid>,
    /// Dialogs that another node has taken over: requests of them may come here again.
    given: Recent<Uuid>,
    /// When one of them found no room there.
    given_unnoted: Option<Instant>,
    /// Calls that are looked for.
    looks: HashMap<Uuid, Look>,
    /// Answers that were ended because nobody waited for them, by Call-ID, tag and peer.
    unwanted: Recent<u64>,
    media: Arc<Pool>,
    bindings: Arc<Bindings>,
    /// Which incarnation of the worker it is, to those who answer it.
    incarnation: u64,
    /// What waits for a media node.
    pending: SlotMap<MediaId, Pending>,
    /// What waits behind a message that waits for a media node, by dialog.
    held: HashMap<Uuid, Held>,
    /// BYEs of ours that came at a bad time.
    byes: SlotMap<ByeId, (Flow, Message, Option<u32>)>,
    /// How often a BYE without effect is logged.
    bye_log: Usage,
    /// How often a challenge is that is not answered.
    challenge_log: Usage,
    /// How fast strangers are answered, and how fast they are challenged.
    strangers: Usage,
    challenged: Usage,
    /// Answers to challenges that were right: each counts once.
    answers: Answers,
    /// Addresses from which a trunk has said who it is.
    proven: Recent<IpAddr>,
    /// Whether new calls are taken.
    open: bool,
    memory: Memory,
}

/// Memory that is used again.
#[derive(Debug, Default)]
struct Memory {
    actions: Vec<Vec<Action>>,
    steps: Vec<Vec<Step>>,
    inputs: Vec<VecDeque<CallInput>>,
    candidates: Vec<Candidate>,
    octets: BytesMut,
    text: Vec<u8>,
}

/// What is at hand while an event is performed.
#[derive(Debug, Default, Clone, Copy)]
struct Hand<'a> {
    /// The message that the event is about, and where it came from.
    message: Option<(&'a Message, Flow)>,
    /// The response that is to be sent.
    response: Option<&'a Bytes>,
}

/// The time, and where to put what comes of it.
struct Turn<'a> {
    now: Now,
    out: &'a mut Output,
    /// Whether the message that is being taken up has been at a media node.
    described: Described,
}

impl Worker {
    /// A worker without calls.
    #[must_use]
    pub fn new(parts: Parts, now: Now) -> Self {
        let Parts { settings, snapshot, worker, random, counters, is_connected, media, bindings } = parts;
        Self {
            incarnation: random.u64(),
            keys: Keys::new(settings.seed),
            branches: Branches::new(settings.seed, worker, random.u64()),
            number: worker,
            transactions: Transactions::new(
                (settings.transactions_max.min(TRANSACTIONS_MAX), settings.dialogs_max),
                now.instant,
            ),
            calls: SlotMap::with_capacity_and_key(settings.transactions_max.min(CALLS_SET_ASIDE)),
            dialogs: Dialogs::default(),
            over: Recent::new(RINGS_MAX, settings.dialogs_max),
            given: Recent::new(GIVEN_FOR, settings.dialogs_max),
            given_unnoted: None,
            looks: HashMap::new(),
            unwanted: Recent::new(UNWANTED_FOR, UNWANTED_MAX),
            media,
            bindings,
            pending: SlotMap::with_key(),
            held: HashMap::new(),
            byes: SlotMap::with_key(),
            bye_log: Usage::new(now.instant),
            challenge_log: Usage::new(now.instant),
            strangers: Usage::new(now.instant),
            challenged: Usage::new(now.instant),
            answers: Answers::new(now.instant),
            proven: Recent::new(PROVEN_FOR, PROVEN_MAX),
            open: true,
            memory: Memory::default(),
            settings,
            snapshot,
            random,
            counters,
            is_connected,
            began: now,
        }
    }

    /// Takes in what came, fires the timers that are due, and appends to `out`.
    pub fn handle(&mut self, inputs: &mut Vec<Input>, now: Now, out: &mut Output) {
        let mut turn = Turn { now, out, described: Described::Raw };
        for input in inputs.drain(..) {
            match input {
                Input::Message(flow, message) => self.receive(&message, flow, &mut turn),
                Input::Undelivered(undelivered) => self.undelivered(undelivered, &mut turn),
                Input::HangUp(dialog, reason) => self.hang_up(dialog, reason, &mut turn),
                Input::Check(dialog) => self.check(dialog, &mut turn),
                Input::Probe(probe) => self.probe(probe, &mut turn),
                Input::KeepAlive(binding) => self.keep_alive(&binding, &mut turn),
                Input::Register(register) => self.register_at_vendor(register, &mut turn),
                Input::Media(answer) => self.media_answered(&answer, &mut turn),
                Input::MediaLost(dialog, node, at) => self.media_lost(dialog, (node, at), &mut turn),
                Input::Registered(told) => self.registered(told, &mut turn),
                Input::Found(found) => self.looked_for(found, &mut turn),
                Input::Give(dialog, since) => self.give(dialog, since, &mut turn),
            }
        }
        while let Some(wake) = self.transactions.pop_expired(now.instant) {
            self.wake(wake, &mut turn);
        }
        self.hold_back(&mut turn);
    }

    /// Takes on a dialog that was up before this worker began. What has passed through since it was written down is not
    /// known: a BYE of ours leaves room for it, and both sides count as heard now.
    pub fn recover(&mut self, mut dialog: Dialog) {
        dialog.unseen = CSEQ_GAP;
        // Whom an earlier incarnation asked answers nobody.
        dialog.seen = Seen::default();
        self.pin(&mut dialog);
        for end in [End::Caller, End::Callee] {
            dialog.seen.hear(end, self.began);
        }
        if !self.dialogs.contains_key(&dialog.id) {
            self.keep_dialog(dialog);
        }
    }

    /// Says whether new calls are taken from now on; while they are not, they get a 503 that costs nothing. Calls that
    /// are up, or on their way, are served all the same.
    pub fn take_calls(&mut self, open: bool) {
        self.open = open;
    }

    /// When [`Worker::handle`] is to be called next, even if nothing comes in.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.transactions.next_deadline()
    }

    /// Dialogs, early ones too.
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Transactions that live.
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Whether every table is empty.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
            && self.calls.is_empty()
            && self.dialogs.is_empty()
            && self.byes.is_empty()
            && self.pending.is_empty()
            && self.held.is_empty()
            && self.looks.is_empty()
    }

    fn wake(&mut self, wake: Wake, turn: &mut Turn<'_>) {
        match wake {
            Wake::Transaction(id, timer) => self.advance(id, Event::Timer(timer), Hand::default(), turn),
            Wake::Call(id, timer, branch) => {
                if let Some(call) = self.calls.get_mut(id) {
                    call.fired(timer, branch);
                }
                self.call_input(id, CallInput::Timer(timer, branch), Hand::default(), turn);
            }
            Wake::Bye(id) => self.bye_again(id, turn),
            Wake::Check(id) => self.check_now(id, turn),
            Wake::Media(id) => self.media_late(id, turn),
            Wake::Identity(id, branch) => self.look_again(id, branch, turn),
            Wake::Look(dialog) => self.look_late(dialog, turn),
        }
    }

    fn undelivered(&mut self, undelivered: Undelivered, turn: &mut Turn<'_>) {
        self.counters.transport_errors.add(1);
        let concerned = match undelivered.sender {
            Some(sender) => vec![transaction_of(sender)],
            None => self.transactions.waiting_for(undelivered.peer),
        };
        for id in concerned {
            self.advance(id, Event::TransportError, Hand::default(), turn);
        }
    }

    /// What a transport names one of our transactions by.
    fn sender(&self, id: TransactionId) -> u64 {
        slotmap::Key::data(&id).as_ffi() | u64::from(self.number) << WORKER_BIT
    }

    fn tag(&self, message: &Message) -> [u8; TAG_LEN] {
        use sip::HeaderId::{CSeq, CallId, From};
        let parts = [CallId, From, CSeq].map(|id| message.value(id).unwrap_or_default());
        let mut tag = [0; TAG_LEN];
        super::branch::hex(super::branch::digest_of(self.settings.seed, parts), &mut tag);
        tag
    }
}

/// Calls on their way for which there is room from the beginning, in memory that is not touched before it is used.
const CALLS_SET_ASIDE: usize = 1 << 16;

/// Requests that may have passed since a dialog was written down.
const CSEQ_GAP: u32 = 100;

/// For so long requests are taken up again of a call that another node has taken over. It is longer than calls last.
const GIVEN_FOR: Duration = Duration::from_hours(48);

/// Answers that nobody waits for are ended once in this time, in which they are sent again and again, and so many of
/// them at most.
const UNWANTED_FOR: Duration = Duration::from_secs(64);
const UNWANTED_MAX: usize = 1024;

/// For so long addresses are remembered from which a trunk has said who it is, and so many of them at most: others are
/// answered as strangers are.
const PROVEN_FOR: Duration = Duration::from_hours(1);
const PROVEN_MAX: usize = 1 << 12;

/// Octets of a tag of ours.
const TAG_LEN: usize = 16;

/// Transactions that one worker may hold at most: their places have 24 bits, which leaves the eight above them for the
/// worker in what a transport is given to name the sender by.
pub const TRANSACTIONS_MAX: usize = (1 << WORKER_BIT) - 2;
const WORKER_BIT: u32 = 24;

fn transaction_of(sender: u64) -> TransactionId {
    slotmap::KeyData::from_ffi(sender & !(0xFF << WORKER_BIT)).into()
}

/// The worker that a message is of, by its sender.
pub fn worker_of_sender(sender: u64) -> usize {
    usize::try_from(sender >> WORKER_BIT & 0xFF).unwrap_or_default()
}

/// The status of a request of ours that was too much.
const FULL: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

#[cfg(test)]
mod tests;
