//! INVITE server (RFC 3261 figure 7 as RFC 6026 amends it).

use super::timers::wait;
use super::{Action, Ended, Event, Timer, TimerOptions, Transport};
use crate::status::StatusCode;

/// States of an INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No final response yet.
    Proceeding,
    /// A non-2xx was sent and waits for its ACK.
    Completed,
    /// The ACK came.
    Confirmed,
    /// A 2xx was sent. Retransmissions of the INVITE are absorbed; those of the 2xx are the user's to send.
    Accepted,
    /// Over.
    Terminated,
}

/// An INVITE that we received. A CANCEL of it is the user's matter: it answers with 487.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerInvite {
    state: State,
    transport: Transport,
    /// A provisional response is stored, and the 100 no longer due.
    responded: bool,
    sent: u8,
}

impl ServerInvite {
    /// Begins with the INVITE that is being passed to the user.
    pub fn start(transport: Transport, timers: &TimerOptions, out: &mut Vec<Action>) -> Self {
        let responded = timers.trying().is_zero();
        out.push(if responded { Action::SendTrying } else { Action::Arm(Timer::Trying, timers.trying()) });
        Self { state: State::Proceeding, transport, responded, sent: 0 }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Advances the machine; `out` is appended to.
    pub fn handle(&mut self, event: Event, timers: &TimerOptions, out: &mut Vec<Action>) {
        match (self.state, event) {
            (State::Proceeding, Event::Request) if !self.responded => {
                self.disarm_trying(out);
                out.push(Action::SendTrying);
            }
            (State::Proceeding, Event::Timer(Timer::Trying)) if !self.responded => {
                self.responded = true;
                out.push(Action::SendTrying);
            }
            (State::Proceeding | State::Completed, Event::Request) => out.push(Action::ResendResponse),
            (State::Proceeding, Event::Respond(status)) => self.respond(status, timers, out),
            (State::Accepted, Event::Respond(status)) if status.is_success() => {
                out.push(Action::SendResponse(status));
            }
            (State::Proceeding | State::Completed | State::Accepted, Event::TransportError) => {
                out.push(Action::Undelivered);
            }
            (State::Completed, Event::Timer(Timer::G)) => {
                self.sent = self.sent.saturating_add(1);
                out.extend([Action::ResendResponse, Action::Arm(Timer::G, timers.e(self.sent))]);
            }
            (State::Completed, Event::Timer(Timer::H)) => {
                self.disarm_retransmission(out);
                self.end(Ended::Timeout, out);
            }
            (State::Completed, Event::Ack) => self.acknowledged(timers, out),
            (State::Accepted, Event::Ack) => out.push(Action::PassAck),
            (State::Confirmed, Event::Timer(Timer::I)) | (State::Accepted, Event::Timer(Timer::L)) => {
                self.end(Ended::Done, out);
            }
            _ => {}
        }
    }

    fn respond(&mut self, status: StatusCode, timers: &TimerOptions, out: &mut Vec<Action>) {
        // A 100 says nothing that an earlier provisional response has not said.
        if status == StatusCode::TRYING && self.responded {
            return;
        }
        self.disarm_trying(out);
        out.push(Action::SendResponse(status));
        if status.is_success() {
            self.state = State::Accepted;
            out.push(Action::Arm(Timer::L, timers.linger()));
        } else if status.is_final() {
            self.state = State::Completed;
            self.sent = 1;
            if self.transport == Transport::Unreliable {
                out.push(Action::Arm(Timer::G, timers.e(1)));
            }
            out.push(Action::Arm(Timer::H, timers.h()));
        }
    }

    fn acknowledged(&mut self, timers: &TimerOptions, out: &mut Vec<Action>) {
        self.state = State::Confirmed;
        self.disarm_retransmission(out);
        out.push(Action::Disarm(Timer::H));
        match wait(self.transport, timers.t4()) {
            after if after.is_zero() => self.end(Ended::Done, out),
            after => out.push(Action::Arm(Timer::I, after)),
        }
    }

    fn disarm_trying(&mut self, out: &mut Vec<Action>) {
        if !self.responded {
            self.responded = true;
            out.push(Action::Disarm(Timer::Trying));
        }
    }

    fn disarm_retransmission(&self, out: &mut Vec<Action>) {
        if self.transport == Transport::Unreliable {
            out.push(Action::Disarm(Timer::G));
        }
    }

    fn end(&mut self, ended: Ended, out: &mut Vec<Action>) {
        self.state = State::Terminated;
        out.push(Action::Terminated(ended));
    }
}

#[cfg(test)]
mod tests;
