//! Non-INVITE server (RFC 3261 figure 8, with the restraint of RFC 4320).

use super::timers::wait;
use super::{Action, Ended, Event, Timer, TimerOptions, Transport};
use crate::status::StatusCode;

/// States of a non-INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing was sent: retransmissions of the request are absorbed.
    Trying,
    /// A 100 was sent.
    Proceeding,
    /// The final response was sent.
    Completed,
    /// The user will never answer: the request is absorbed, and nothing sent, until the client has given up.
    Silent,
    /// Over.
    Terminated,
}

/// Another request than INVITE and ACK that we received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    state: State,
    transport: Transport,
}

impl Server {
    /// Begins with the request that is being passed to the user. The user answers, or says
    /// [`Event::Abandon`]; no timer does it in its place.
    pub fn start(transport: Transport, timers: &TimerOptions, out: &mut Vec<Action>) -> Self {
        out.push(Action::Arm(Timer::Trying, timers.trying_non_invite()));
        Self { state: State::Trying, transport }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Advances the machine; `out` is appended to.
    pub fn handle(&mut self, event: Event, timers: &TimerOptions, out: &mut Vec<Action>) {
        match (self.state, event) {
            (State::Trying, Event::Timer(Timer::Trying)) => {
                self.state = State::Proceeding;
                out.push(Action::SendTrying);
            }
            (State::Proceeding | State::Completed, Event::Request) => out.push(Action::ResendResponse),
            (State::Trying | State::Proceeding, Event::Respond(status)) => self.respond(status, timers, out),
            (State::Trying | State::Proceeding, Event::Abandon) => self.abandon(timers, out),
            // RFC 6026 8.8: the state stays, and a retransmission gets the response sent again.
            (State::Proceeding | State::Completed, Event::TransportError) => out.push(Action::Undelivered),
            (State::Completed, Event::Timer(Timer::J)) => self.end(Ended::Done, out),
            (State::Silent, Event::Timer(Timer::J)) => self.end(Ended::Abandoned, out),
            _ => {}
        }
    }

    fn respond(&mut self, status: StatusCode, timers: &TimerOptions, out: &mut Vec<Action>) {
        if status.is_provisional() {
            self.provisional(status, out);
            return;
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            self.abandon(timers, out);
            return;
        }
        self.disarm_trying(out);
        out.push(Action::SendResponse(status));
        self.state = State::Completed;
        match wait(self.transport, timers.linger()) {
            after if after.is_zero() => self.end(Ended::Done, out),
            after => out.push(Action::Arm(Timer::J, after)),
        }
    }

    /// No other than 100, and over an unreliable transport none before the timer allows it (RFC 4320 4.1).
    fn provisional(&mut self, status: StatusCode, out: &mut Vec<Action>) {
        let allowed = status == StatusCode::TRYING && self.transport == Transport::Reliable;
        if allowed && self.state == State::Trying {
            self.disarm_trying(out);
            out.push(Action::SendResponse(status));
            self.state = State::Proceeding;
        }
    }

    /// Forgotten at once, the client's next retransmission would be a new request.
    fn abandon(&mut self, timers: &TimerOptions, out: &mut Vec<Action>) {
        self.disarm_trying(out);
        self.state = State::Silent;
        match wait(self.transport, timers.linger()) {
            after if after.is_zero() => self.end(Ended::Abandoned, out),
            after => out.push(Action::Arm(Timer::J, after)),
        }
    }

    fn disarm_trying(&self, out: &mut Vec<Action>) {
        if self.state == State::Trying {
            out.push(Action::Disarm(Timer::Trying));
        }
    }

    fn end(&mut self, ended: Ended, out: &mut Vec<Action>) {
        self.state = State::Terminated;
        out.push(Action::Terminated(ended));
    }
}

#[cfg(test)]
mod tests;
