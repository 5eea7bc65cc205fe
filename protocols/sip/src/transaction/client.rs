//! Non-INVITE client (RFC 3261 figure 6).

use super::timers::wait;
use super::{Action, Ended, Event, Failure, Timer, TimerOptions, Transport};
use crate::status::StatusCode;

/// States of a non-INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Sent, nothing heard.
    Trying,
    /// A provisional response came; the request is still sent again, every T2.
    Proceeding,
    /// The final response came; its retransmissions are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// Another request than INVITE and ACK that we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    state: State,
    transport: Transport,
    sent: u8,
}

impl Client {
    /// Sends the request.
    pub fn start(transport: Transport, timers: &TimerOptions, out: &mut Vec<Action>) -> Self {
        out.push(Action::SendRequest);
        if transport == Transport::Unreliable {
            out.push(Action::Arm(Timer::E, timers.e(1)));
        }
        out.push(Action::Arm(Timer::F, timers.f()));
        Self { state: State::Trying, transport, sent: 1 }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Advances the machine; `out` is appended to.
    pub fn handle(&mut self, event: Event, timers: &TimerOptions, out: &mut Vec<Action>) {
        match (self.state, event) {
            (State::Trying | State::Proceeding, Event::Response(status)) => {
                self.response(status, timers, out);
            }
            (State::Trying, Event::Timer(Timer::E)) => {
                self.sent = self.sent.saturating_add(1);
                out.extend([Action::ResendRequest, Action::Arm(Timer::E, timers.e(self.sent))]);
            }
            (State::Proceeding, Event::Timer(Timer::E)) => {
                out.extend([Action::ResendRequest, Action::Arm(Timer::E, timers.t2())]);
            }
            (State::Trying | State::Proceeding, Event::Timer(Timer::F)) => {
                self.disarm_retransmission(out);
                self.fail(Failure::Timeout, out);
            }
            (State::Trying | State::Proceeding, Event::TransportError) => {
                self.disarm_retransmission(out);
                out.push(Action::Disarm(Timer::F));
                self.fail(Failure::Transport, out);
            }
            (State::Completed, Event::Timer(Timer::K)) => self.end(Ended::Done, out),
            _ => {}
        }
    }

    fn response(&mut self, status: StatusCode, timers: &TimerOptions, out: &mut Vec<Action>) {
        if status.is_provisional() {
            self.state = State::Proceeding;
            out.push(Action::Pass(status));
            return;
        }
        self.state = State::Completed;
        self.disarm_retransmission(out);
        out.extend([Action::Disarm(Timer::F), Action::Pass(status)]);
        match wait(self.transport, timers.t4()) {
            after if after.is_zero() => self.end(Ended::Done, out),
            after => out.push(Action::Arm(Timer::K, after)),
        }
    }

    fn disarm_retransmission(&self, out: &mut Vec<Action>) {
        if self.transport == Transport::Unreliable {
            out.push(Action::Disarm(Timer::E));
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
