//! The four transaction machines of RFC 3261 section 17, with the Accepted state of RFC 6026.
//!
//! A machine is told what happened ([`Event`]) and says what to do ([`Action`]). It holds no message, no socket
//! and no clock, and is a few octets large: the caller keeps the messages, performs the actions in order and
//! arms the timers, whose times are durations from the moment of the event. An event that a state has no use
//! for, such as a timer that was disarmed too late, changes nothing. What fails while an action is performed
//! goes back as an event of its own, after the actions; it is never handled inside.
//!
//! Matching messages to machines is [`key`]'s. A CANCEL is a transaction of its own on both sides: its server
//! side is a [`Server`] that the user answers at once, so that a retransmitted CANCEL only gets that answer
//! again; its client side is a [`Client`] begun on [`Action::SendCancel`].

pub mod client;
pub mod client_invite;
pub mod key;
pub mod server;
pub mod server_invite;
pub mod timers;

pub use client::Client;
pub use client_invite::ClientInvite;
pub use key::{Key, KeyMap, Keys, RequestParts};
pub use server::Server;
pub use server_invite::ServerInvite;
pub use timers::{TIME_MAX, Timer, TimerOptions};

use std::time::Duration;

use crate::status::StatusCode;

/// Whether the transport below delivers by itself. A machine over a reliable one never retransmits and does not
/// wait for retransmissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Unreliable,
    /// TCP, TLS, SCTP, WebSocket.
    Reliable,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Server: the request arrived again.
    Request,
    /// INVITE server: an ACK arrived.
    Ack,
    /// Client: a response arrived.
    Response(StatusCode),
    /// Server: the user answers with the response it hands over. What must not be sent is not: for another request
    /// than INVITE a provisional response other than 100, or one too early, and 408, which counts as
    /// [`Event::Abandon`] (RFC 4320 4).
    Respond(StatusCode),
    /// INVITE client: the user does not want the call any more. The CANCEL waits for a provisional response (9.1);
    /// until then the INVITE is not sent again.
    Cancel,
    /// Non-INVITE server: the user will never answer; a 408 must not be sent (RFC 4320 4.2). Retransmissions are
    /// absorbed in silence for as long as the client may send them.
    Abandon,
    /// What this machine last had sent could not be sent, or bounced.
    TransportError,
    /// An armed timer fired.
    Timer(Timer),
}

/// What to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Client: send the stored request for the first time.
    SendRequest,
    /// Client: send the stored request again.
    ResendRequest,
    /// INVITE client: make the ACK for the non-2xx response in hand from the stored request (17.1.1.3) and send
    /// it to where the request went. It is not passed on: this ACK is hop by hop.
    SendAck,
    /// INVITE client: begin a CANCEL (9.1) in a [`Client`] transaction of its own, with the branch of the
    /// INVITE and to where it went.
    SendCancel,
    /// Server: store the response that the user gave, in place of an earlier one, and send it.
    SendResponse(StatusCode),
    /// Server: make a 100 from the request, store it, send it.
    SendTrying,
    /// Server: send the stored response again.
    ResendResponse,
    /// Client: the response in hand goes to the user. A second 2xx is one more 2xx of the same INVITE
    /// (RFC 6026 7.2); no other final response is passed twice.
    Pass(StatusCode),
    /// INVITE client: a 2xx came after another final response was passed. It must not reach the caller, but a
    /// call is up at the peer: acknowledge and end it there.
    PassLate(StatusCode),
    /// INVITE server: the ACK of a 2xx goes to the user.
    PassAck,
    /// Client: no response will come; this stands for the final one.
    Fail(Failure),
    /// Server: what was sent may not have arrived. The transaction goes on as long as [`Action::Terminated`]
    /// does not follow.
    Undelivered,
    /// Arm this timer, to fire after so long.
    Arm(Timer, Duration),
    /// Disarm this timer.
    Disarm(Timer),
    /// The machine is finished and no timer of it is armed: free it. Always the last action of its life.
    Terminated(Ended),
}

/// Why a client transaction got no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Timer B or F.
    Timeout,
    /// The request could not be sent.
    Transport,
    /// A CANCEL was sent, and no final response came within 64 T1 after it (9.1), nor within 32 s.
    Cancelled,
}

impl Failure {
    /// The response that the user shall take as received: 408, 503 (16.9) or 487.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Transport => StatusCode::SERVICE_UNAVAILABLE,
            Self::Cancelled => StatusCode::REQUEST_TERMINATED,
        }
    }

    /// The last actions of a client that failed this way.
    const fn last_actions(self) -> [Action; 2] {
        let ended = match self {
            Self::Timeout => Ended::Timeout,
            Self::Transport => Ended::Transport,
            Self::Cancelled => Ended::Cancelled,
        };
        [Action::Fail(self), Action::Terminated(ended)]
    }
}

/// How a transaction ended, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it should.
    Done,
    /// Client: no answer (timers B, F). Server: no ACK (timer H).
    Timeout,
    /// Client: by a transport error.
    Transport,
    /// A CANCEL, but no answer to the INVITE.
    Cancelled,
    /// The user never answered.
    Abandoned,
}

/// Any of the four, as a table of transactions holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Of an INVITE that we sent (17.1.1).
    ClientInvite(ClientInvite),
    /// Of another request that we sent (17.1.2).
    Client(Client),
    /// Of an INVITE that we received (17.2.1).
    ServerInvite(ServerInvite),
    /// Of another request that we received (17.2.2).
    Server(Server),
}

impl Machine {
    /// Advances the machine; `out` is appended to.
    pub fn handle(&mut self, event: Event, timers: &TimerOptions, out: &mut Vec<Action>) {
        match self {
            Self::ClientInvite(machine) => machine.handle(event, timers, out),
            Self::Client(machine) => machine.handle(event, timers, out),
            Self::ServerInvite(machine) => machine.handle(event, timers, out),
            Self::Server(machine) => machine.handle(event, timers, out),
        }
    }

    /// Whether a message that was stored for it may still be sent. Once it is not, the message can be dropped,
    /// long before the machine ends: of an answered INVITE, at the 2xx.
    pub fn needs_message(&self) -> bool {
        use client_invite::State::{Accepted, Terminated};
        match self {
            Self::ClientInvite(machine) => !matches!(machine.state(), Accepted | Terminated),
            Self::Client(machine) => {
                matches!(machine.state(), client::State::Trying | client::State::Proceeding)
            }
            Self::ServerInvite(machine) => {
                matches!(machine.state(), server_invite::State::Proceeding | server_invite::State::Completed)
            }
            Self::Server(machine) => {
                !matches!(machine.state(), server::State::Silent | server::State::Terminated)
            }
        }
    }

    /// Whether it is finished.
    pub fn is_terminated(&self) -> bool {
        match self {
            Self::ClientInvite(machine) => machine.state() == client_invite::State::Terminated,
            Self::Client(machine) => machine.state() == client::State::Terminated,
            Self::ServerInvite(machine) => machine.state() == server_invite::State::Terminated,
            Self::Server(machine) => machine.state() == server::State::Terminated,
        }
    }
}

#[cfg(test)]
mod tests;
