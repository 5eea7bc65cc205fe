//! The transactions of one worker: machines, what they last sent, and their timers.

use std::hash::BuildHasherDefault;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use runtime::model::Transport;
use sip::Method;
use sip::proxy::{BranchId, ProxyTimer};
use sip::timer_wheel::{TimerId, TimerWheel};
use sip::transaction::{Key, KeyMap, Machine, Timer};
use slotmap::{SlotMap, new_key_type};
use uuid::Uuid;

use super::dialog::End;
use super::flow::Flow;
use super::registration::Due;
use super::snapshot::{Snapshot, Target, Vendor};

new_key_type! {
    /// A transaction, as long as it lives.
    pub struct TransactionId;
    /// An INVITE on its way to a vendor, as long as anything of it lives.
    pub struct CallId;
    /// A BYE of ours that waits to be tried again.
    pub struct ByeId;
    /// Something that waits for a media node.
    pub struct MediaId;
}

/// Whom a transaction's outcome concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody: it ends by itself.
    Nobody,
    /// The caller's side of an INVITE.
    Caller(CallId),
    /// One attempt of an INVITE.
    Branch(CallId, BranchId),
    /// A request within a dialog that was passed on.
    Relay(Relay),
    /// The sender's side of such a request.
    Sender(Uuid),
    /// An OPTIONS of ours to a vendor.
    Probe(Probe),
    /// A REGISTER of ours to a vendor.
    Register(Register),
    /// A BYE of ours; whether it may be tried again, and the number of the vendor that it goes to, where that is known.
    Bye(Tries, Option<u32>),
    /// An OPTIONS of ours within a dialog, to this side, and the number of the question.
    Alive(Uuid, End, u32),
}

/// How often a BYE of ours may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// Once more, when it came at a bad time.
    Another,
    /// This was the last.
    Last,
}

/// A vendor's address that is asked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Number of the vendor.
    pub vendor: u32,
    /// Which of its targets.
    pub target: usize,
}

impl Probe {
    /// The address, as long as the configuration has it.
    pub fn target(self, snapshot: &Snapshot) -> Option<&Target> {
        let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.number == self.vendor)?;
        vendor.targets.get(self.target)
    }
}

/// A REGISTER to a vendor's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Number of the vendor.
    pub vendor: u32,
    /// Where it goes.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Its number, and the seconds that it asks for; 0 ends the registration.
    pub due: Due,
}

impl Register {
    /// The vendor and the address, as long as the configuration has them.
    pub fn find(self, snapshot: &Snapshot) -> Option<(&Vendor, &Target)> {
        let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.number == self.vendor)?;
        let is_it = |target: &&Target| target.address == self.address && target.transport == self.transport;
        Some((vendor, vendor.targets.iter().find(is_it)?))
    }
}

/// A request within a dialog that was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relay {
    /// The transaction towards its sender.
    pub server: TransactionId,
    /// The dialog.
    pub dialog: Uuid,
    /// Who sent it.
    pub from: End,
    /// Its method.
    pub method: Method,
    /// Whether it is of the dialog's own tags, and not of another fork of the vendor, and that was up when it came.
    pub own: bool,
    /// Its number, as its sender has it.
    pub number: Option<u32>,
    /// When it came.
    pub at: Now,
    /// Seconds that its sender is told to refresh the call within, where the answer says nothing (RFC 4028 8.2).
    pub session: Option<u32>,
    /// The cause of Q.850 that it gives.
    pub q850_cause: Option<u8>,
}

/// One transaction.
#[derive(Debug)]
pub struct Transaction {
    /// Its state.
    pub machine: Machine,
    /// What its messages are found by.
    pub key: Key,
    /// Whom its outcome concerns.
    pub owner: Owner,
    /// Where its messages go.
    pub flow: Flow,
    /// Client: the request. Server: the last response. Empty when it is no longer needed.
    pub message: Bytes,
    /// How many challenges its request answers, each sent before without the answer.
    pub challenges: u8,
    timers: [Option<TimerId>; 2],
}

/// What a timer of a worker is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A transaction's.
    Transaction(TransactionId, Timer),
    /// A call's.
    Call(CallId, ProxyTimer, BranchId),
    /// A media node has said nothing for too long.
    Media(MediaId),
    /// A call that waits for a certificate looks whether it is there.
    Identity(CallId, BranchId),
    /// A BYE of ours is tried again.
    Bye(ByeId),
    /// The sides of a call are asked whether it is up.
    Check(Uuid),
    /// A call was looked for, and the finder has said nothing for too long.
    Look(Uuid),
}

/// Transactions for which there is room from the beginning, in memory that is not touched before it is used. A table that
/// grows copies what it has, and all calls wait for that: 100,000 transactions take 10 ms.
const SET_ASIDE: usize = 1 << 18;
/// Of their keys, which stand anywhere in their table, fewer: it is in use as a whole with the first thousands.
const KEYS_SET_ASIDE: usize = 1 << 16;

/// Transactions by number, by key and by time.
#[derive(Debug)]
pub struct Transactions {
    all: SlotMap<TransactionId, Transaction>,
    by_key: KeyMap<TransactionId>,
    wheel: TimerWheel<Wake>,
    transactions_max: usize,
}

impl Transactions {
    /// None yet; their time begins at `now`. The wheel has room for two timers of each transaction and of each call,
    /// of which there is at most one to a transaction, and for one of each dialog.
    pub fn new((transactions_max, dialogs_max): (usize, usize), now: Instant) -> Self {
        Self {
            all: SlotMap::with_capacity_and_key(transactions_max.min(SET_ASIDE)),
            by_key: KeyMap::with_capacity_and_hasher(
                transactions_max.min(KEYS_SET_ASIDE),
                BuildHasherDefault::default(),
            ),
            wheel: TimerWheel::new(transactions_max.saturating_mul(4).saturating_add(dialogs_max), now),
            transactions_max,
        }
    }

    /// Transactions that live.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none lives and no timer runs.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.by_key.is_empty() && self.wheel.is_empty()
    }

    /// Whether there is room for a new call. A fifth of the room is kept for what calls that are up or on their way
    /// still need.
    pub fn has_room(&self) -> bool {
        self.all.len() < self.transactions_max - self.transactions_max / 5
    }

    /// Whether there is room for one more attempt of a call that was taken.
    pub fn has_room_within(&self) -> bool {
        self.all.len() < self.transactions_max
    }

    /// Adds a transaction; `None` when it is one too many.
    pub fn insert(&mut self, machine: Machine, key: Key, owner: Owner, flow: Flow) -> Option<TransactionId> {
        if self.all.len() >= self.transactions_max {
            return None;
        }
        let (message, timers) = (Bytes::new(), [None, None]);
        let transaction = Transaction { machine, key, owner, flow, message, challenges: 0, timers };
        let id = self.all.insert(transaction);
        self.by_key.insert(key, id);
        Some(id)
    }

    /// A transaction that lives.
    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.all.get(id)
    }

    /// A transaction that lives.
    pub fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.all.get_mut(id)
    }

    /// The transaction of this key.
    pub fn find(&self, key: &Key) -> Option<TransactionId> {
        self.by_key.get(key).copied()
    }

    /// Ends a transaction.
    pub fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.all.remove(id)?;
        for timer in transaction.timers.into_iter().flatten() {
            self.wheel.cancel(timer);
        }
        // Another one may have the key by now: a request that was sent again after the end of this.
        if self.by_key.get(&transaction.key) == Some(&id) {
            self.by_key.remove(&transaction.key);
        }
        Some(transaction)
    }

    /// Arms a timer of a transaction in place of the one of its slot; false when the wheel is full, and the timer to
    /// be taken as fired.
    pub fn arm(&mut self, id: TransactionId, timer: Timer, at: Instant) -> bool {
        let Some(transaction) = self.all.get_mut(id) else { return true };
        let Some(place) = transaction.timers.get_mut(timer.slot()) else { return true };
        if let Some(before) = place.take() {
            self.wheel.cancel(before);
        }
        match self.wheel.arm(at, Wake::Transaction(id, timer)) {
            Ok(armed) => {
                *place = Some(armed);
                true
            }
            Err(_) => false,
        }
    }

    /// Disarms a timer of a transaction.
    pub fn disarm(&mut self, id: TransactionId, timer: Timer) {
        let place = self.all.get_mut(id).and_then(|transaction| transaction.timers.get_mut(timer.slot()));
        if let Some(armed) = place.and_then(Option::take) {
            self.wheel.cancel(armed);
        }
    }

    /// Arms a timer of a call; `None` when the wheel is full.
    pub fn arm_call(&mut self, wake: Wake, at: Instant) -> Option<TimerId> {
        self.wheel.arm(at, wake).ok()
    }

    /// Disarms a timer of a call.
    pub fn disarm_call(&mut self, timer: TimerId) {
        self.wheel.cancel(timer);
    }

    /// The next timer that is due.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Wake> {
        let wake = self.wheel.pop_expired(now)?;
        if let Wake::Transaction(id, timer) = wake
            && let Some(transaction) = self.all.get_mut(id)
            && let Some(place) = transaction.timers.get_mut(timer.slot())
        {
            *place = None;
        }
        Some(wake)
    }

    /// When to look for due timers next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    /// Whether a request of this dialog is on its way and has no answer yet.
    pub fn is_relaying(&self, dialog: Uuid) -> bool {
        let relayed = |owner: Owner| matches!(owner, Owner::Relay(relay) if relay.dialog == dialog);
        let open = |machine: &Machine| match machine {
            Machine::Client(machine) => {
                use sip::transaction::client::State;
                matches!(machine.state(), State::Trying | State::Proceeding)
            }
            Machine::ClientInvite(_) | Machine::ServerInvite(_) | Machine::Server(_) => false,
        };
        self.all.values().any(|transaction| relayed(transaction.owner) && open(&transaction.machine))
    }

    /// Transactions with a request on the way to this peer that no response has come to.
    pub fn waiting_for(&self, peer: SocketAddr) -> Vec<TransactionId> {
        let waiting = |transaction: &Transaction| {
            transaction.flow.peer == peer
                && match &transaction.machine {
                    Machine::ClientInvite(machine) => {
                        machine.state() == sip::transaction::client_invite::State::Calling
                    }
                    Machine::Client(machine) => machine.state() == sip::transaction::client::State::Trying,
                    Machine::ServerInvite(_) | Machine::Server(_) => false,
                }
        };
        self.all.iter().filter(|(_, transaction)| waiting(transaction)).map(|(id, _)| id).collect()
    }
}

/// A point in time, as both clocks show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For intervals: it never jumps.
    pub instant: Instant,
    /// For records.
    pub wall: runtime::clock::Timestamp,
}

impl Now {
    /// Both clocks advanced.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self { instant: self.instant + duration, wall: self.wall.plus(duration) }
    }
}
