//! INVITE client (RFC 3261 figure 5 as RFC 6026 amends it), with CANCEL (RFC 3261 9.1).

use super::timers::wait;
use super::{Action, Ended, Event, Failure, Timer, TimerOptions, Transport};
use crate::status::StatusCode;

/// States of an INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Sent, nothing heard.
    Calling,
    /// A provisional response came. No timer of the transaction runs: the proxy's timer C ends it by a CANCEL.
    Proceeding,
    /// A non-2xx came and was acknowledged.
    Completed,
    /// A 2xx came; more of them are passed.
    Accepted,
    /// Over.
    Terminated,
}

/// An INVITE that we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientInvite {
    state: State,
    transport: Transport,
    cancel: Cancel,
    sent: u8,
}

/// A CANCEL must wait for a provisional response (9.1): before it, the peer may not know the INVITE yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    No,
    Wanted,
    Sent,
}

impl ClientInvite {
    /// Sends the INVITE.
    pub fn start(transport: Transport, timers: &TimerOptions, out: &mut Vec<Action>) -> Self {
        out.push(Action::SendRequest);
        if transport == Transport::Unreliable {
            out.push(Action::Arm(Timer::A, timers.a(1)));
        }
        out.push(Action::Arm(Timer::B, timers.b()));
        Self { state: State::Calling, transport, cancel: Cancel::No, sent: 1 }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether the user has asked to cancel.
    pub fn is_cancelled(&self) -> bool {
        self.cancel != Cancel::No
    }

    /// Advances the machine; `out` is appended to.
    pub fn handle(&mut self, event: Event, timers: &TimerOptions, out: &mut Vec<Action>) {
        match (self.state, event) {
            (State::Calling, Event::Response(status)) => {
                self.disarm_calling(out);
                self.response(status, timers, out);
            }
            (State::Proceeding, Event::Response(status)) => self.response(status, timers, out),
            (State::Completed, Event::Response(status)) if status.is_success() => {
                out.push(Action::PassLate(status));
            }
            (State::Completed, Event::Response(status)) if status.is_final() => out.push(Action::SendAck),
            (State::Accepted, Event::Response(status)) if status.is_success() => {
                out.push(Action::Pass(status));
            }
            (State::Calling, Event::Cancel) if self.cancel == Cancel::No => {
                // Sent again, the INVITE could only begin a call that nobody wants.
                self.disarm_retransmission(out);
                self.cancel = Cancel::Wanted;
            }
            (State::Proceeding, Event::Cancel) if self.cancel == Cancel::No => self.send_cancel(timers, out),
            (State::Calling, Event::Timer(Timer::A)) if self.cancel == Cancel::No => {
                self.sent = self.sent.saturating_add(1);
                out.extend([Action::ResendRequest, Action::Arm(Timer::A, timers.a(self.sent))]);
            }
            (State::Calling, Event::Timer(Timer::B)) => {
                self.disarm_retransmission(out);
                self.fail(Failure::Timeout, out);
            }
            (State::Calling, Event::TransportError) => {
                self.disarm_calling(out);
                self.fail(Failure::Transport, out);
            }
            (State::Proceeding, Event::Timer(Timer::Cancelled)) => {
                self.fail(Failure::Cancelled, out);
            }
            (State::Completed, Event::TransportError) => {
                out.push(Action::Disarm(Timer::D));
                self.end(Ended::Transport, out);
            }
            (State::Completed, Event::Timer(Timer::D)) | (State::Accepted, Event::Timer(Timer::M)) => {
                self.end(Ended::Done, out);
            }
            _ => {}
        }
    }

    fn response(&mut self, status: StatusCode, timers: &TimerOptions, out: &mut Vec<Action>) {
        if status.is_provisional() {
            self.state = State::Proceeding;
            out.push(Action::Pass(status));
            if self.cancel == Cancel::Wanted {
                self.send_cancel(timers, out);
            }
            return;
        }
        if self.cancel == Cancel::Sent {
            out.push(Action::Disarm(Timer::Cancelled));
        }
        if status.is_success() {
            self.state = State::Accepted;
            out.extend([Action::Pass(status), Action::Arm(Timer::M, timers.linger())]);
            return;
        }
        self.state = State::Completed;
        out.extend([Action::SendAck, Action::Pass(status)]);
        match wait(self.transport, timers.d()) {
            after if after.is_zero() => self.end(Ended::Done, out),
            after => out.push(Action::Arm(Timer::D, after)),
        }
    }

    fn send_cancel(&mut self, timers: &TimerOptions, out: &mut Vec<Action>) {
        self.cancel = Cancel::Sent;
        out.extend([Action::SendCancel, Action::Arm(Timer::Cancelled, timers.linger())]);
    }

    fn disarm_calling(&self, out: &mut Vec<Action>) {
        self.disarm_retransmission(out);
        out.push(Action::Disarm(Timer::B));
    }

    fn disarm_retransmission(&self, out: &mut Vec<Action>) {
        if self.transport == Transport::Unreliable && self.cancel == Cancel::No {
            out.push(Action::Disarm(Timer::A));
        }
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<Action>) {
        self.state = State::Terminated;
        out.extend(failure.last_actions());
    }

    fn end(&mut self, ended: Ended, out: &mut Vec<Action>) {
        self.state = State::Terminated;
        out.push(Action::Terminated(ended));
    }
}

#[cfg(test)]
mod tests;
