//! The session: which PDU is allowed when (2.2, 2.3), and its timers (7.2). It holds no socket, sends
//! nothing and reads no clock: the caller tells it what happened and asks what is due.

mod matrix;
mod timers;

use std::time::{Duration, Instant};

use crate::command::CommandId;
use crate::frame::Header;
use crate::pdu::BindMode;
use crate::status::CommandStatus;
use timers::Timers;

/// Session states (2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, not bound.
    Open,
    /// Bound as transmitter.
    BoundTx,
    /// Bound as receiver.
    BoundRx,
    /// Bound as transceiver.
    BoundTrx,
    /// One side has sent unbind: answers are still taken, new messages are not.
    Unbinding,
    /// Over.
    Closed,
}

impl State {
    /// Whether a bind is in force.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::BoundTx | Self::BoundRx | Self::BoundTrx)
    }
}

/// What we are on this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// We bind to a vendor's SMSC.
    Esme,
    /// A customer's ESME binds to us.
    Smsc,
}

/// What to do with an incoming PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Decode it and act. For a response or generic_nack: look its sequence_number up in the window, where
    /// it may still turn out unsolicited.
    Accept,
    /// Send this bodyless response and go on.
    Refuse {
        /// Of the response.
        command_id: CommandId,
        /// ESME_RINVBNDSTS or ESME_RALYBND.
        command_status: CommandStatus,
    },
    /// Send generic_nack with this status and the PDU's sequence_number, and go on.
    Nack(CommandStatus),
    /// Send nothing: a response that nothing in this state can have asked for. Count it.
    Ignore,
}

/// Something whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// No bind within session_init: close.
    BindDeadline,
    /// Send enquire_link and call [`Session::on_sent_enquire_link`].
    SendEnquireLink,
    /// The last allowed enquire_link went unanswered: close without unbind.
    PeerDead,
    /// Nothing but enquire_link and its response arrived for the inactivity time: unbind or close.
    Inactive,
    /// The unbind was not finished in time: close.
    UnbindDeadline,
}

/// Timer settings (7.2). `None` turns a timer off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerOptions {
    /// From connection to bound.
    pub session_init: Duration,
    /// Silence before an enquire_link.
    pub enquire_link: Option<Duration>,
    /// Wait for anything to arrive after an enquire_link.
    pub enquire_link_answer: Duration,
    /// Unanswered enquire_links in a row that end the session; 0 counts as 1.
    pub enquire_link_misses_max: u8,
    /// Time without any PDU but enquire_link and its response that ends the session; zero is off too.
    pub inactivity: Option<Duration>,
    /// From the first unbind to the end.
    pub unbind: Duration,
}

impl Default for TimerOptions {
    /// 10 s to bind; enquire_link after 30 s, 10 s to answer, 2 misses; 300 s inactivity; 5 s to unbind.
    fn default() -> Self {
        Self {
            session_init: Duration::from_secs(10),
            enquire_link: Some(Duration::from_secs(30)),
            enquire_link_answer: Duration::from_secs(10),
            enquire_link_misses_max: 2,
            inactivity: Some(Duration::from_secs(300)),
            unbind: Duration::from_secs(5),
        }
    }
}

/// One session's state and timers.
#[derive(Clone, Debug)]
pub struct Session {
    side: Side,
    state: State,
    timers: Timers,
}

impl Session {
    /// A session whose connection was made at `now`.
    pub const fn new(side: Side, options: TimerOptions, now: Instant) -> Self {
        Self { side, state: State::Open, timers: Timers::new(options, now) }
    }

    /// Where the session stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Judges an incoming PDU by its header (2.3). The state does not change: report what follows with
    /// [`Session::bound`], [`Session::unbind_received`] and so on.
    pub fn judge(&self, header: &Header) -> Verdict {
        matrix::judge(self.side, self.state, header.command_id)
    }

    /// The bind succeeded.
    pub const fn bound(&mut self, mode: BindMode) {
        self.state = match mode {
            BindMode::Receiver => State::BoundRx,
            BindMode::Transmitter => State::BoundTx,
            BindMode::Transceiver => State::BoundTrx,
        };
    }

    /// We sent unbind at `now`.
    pub fn unbind_sent(&mut self, now: Instant) {
        self.begin_unbind(now);
    }

    /// The peer's unbind arrived at `now`; answer it, settle what is outstanding, close.
    pub fn unbind_received(&mut self, now: Instant) {
        self.begin_unbind(now);
    }

    /// The connection is gone, or the unbind is finished.
    pub const fn closed(&mut self) {
        self.state = State::Closed;
    }

    /// A PDU arrived. All prove the peer alive; enquire_link and its response do not make it active.
    pub fn on_pdu(&mut self, command_id: CommandId, now: Instant) {
        self.timers.received(now);
        if !matches!(command_id, CommandId::ENQUIRE_LINK | CommandId::ENQUIRE_LINK_RESP) {
            self.timers.active(now);
        }
    }

    /// The peer is known to be alive and active although none of its PDUs is read now.
    pub const fn on_received(&mut self, now: Instant) {
        self.timers.received(now);
        self.timers.active(now);
    }

    /// An enquire_link was sent.
    pub const fn on_sent_enquire_link(&mut self, sequence_number: u32, now: Instant) {
        self.timers.enquire_link_sent(sequence_number, now);
    }

    /// The sequence_number of the enquire_link that was sent last, to tell its response from a stray one.
    pub const fn last_enquire_link(&self) -> Option<u32> {
        self.timers.last_enquire_link()
    }

    /// What is due at `now`, the earliest first. It stays due until the caller acts on it.
    pub fn poll(&self, now: Instant) -> Option<Due> {
        self.timers.next(self.state).filter(|(at, _)| *at <= now).map(|(_, due)| due)
    }

    /// When [`Session::poll`] is worth calling next; `None` when no timer runs.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next(self.state).map(|(at, _)| at)
    }

    fn begin_unbind(&mut self, now: Instant) {
        if !matches!(self.state, State::Unbinding | State::Closed) {
            self.state = State::Unbinding;
            self.timers.unbind_started(now);
        }
    }
}

#[cfg(test)]
mod tests;
