//! Transactions: events given to their machines, and what these want done.

use bytes::Bytes;
use sip::proxy::Input as CallInput;
use sip::transaction::{Action, Client, Ended, Event, Failure, Machine, Timer};
use sip::{CSeq, HeaderId, Limits, Message, Method, Response, StatusCode, Via, write};

use super::challenged::is_challenge;
use super::{Hand, Turn, Worker};
use crate::sip::dialog::Answer;
use crate::sip::flow::Outbound;
use crate::sip::transactions::{Owner, TransactionId};

impl Worker {
    /// Gives an event to a transaction.
    pub(super) fn advance(&mut self, id: TransactionId, event: Event, hand: Hand<'_>, turn: &mut Turn<'_>) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        transaction.machine.handle(event, &self.settings.timers, &mut actions);
        self.perform(id, actions, hand, turn);
    }

    /// Gives a response to a server transaction to send. The machine may refuse: then it is dropped.
    pub(super) fn respond(
        &mut self,
        id: TransactionId,
        status: StatusCode,
        octets: &Bytes,
        turn: &mut Turn<'_>,
    ) {
        self.advance(id, Event::Respond(status), Hand { message: None, response: Some(octets) }, turn);
    }

    /// Does what a machine wants, in its order.
    pub(super) fn perform(
        &mut self,
        id: TransactionId,
        mut actions: Vec<Action>,
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        for action in actions.drain(..) {
            self.act(id, action, hand, turn);
        }
        self.memory.actions.push(actions);
        if let Some(transaction) = self.transactions.get_mut(id)
            && !transaction.machine.needs_message()
        {
            transaction.message = Bytes::new();
        }
    }

    fn act(&mut self, id: TransactionId, action: Action, hand: Hand<'_>, turn: &mut Turn<'_>) {
        match action {
            Action::SendRequest => self.send_stored(id, turn),
            Action::ResendRequest => {
                self.counters.retransmissions_sent.add(1);
                self.send_stored(id, turn);
            }
            Action::ResendResponse => {
                self.counters.retransmissions_sent.add(1);
                // As long as the request is stored, the response was a 100.
                if self.transactions.get(id).is_some_and(|found| !found.message.starts_with(b"SIP/2.0 ")) {
                    self.send_trying(id, Hand::default(), turn);
                } else {
                    self.send_stored(id, turn);
                }
            }
            Action::SendResponse(_) => {
                let Some(response) = hand.response else { return };
                if let Some(transaction) = self.transactions.get_mut(id) {
                    transaction.message = response.clone();
                }
                self.send_stored(id, turn);
            }
            Action::SendTrying => self.send_trying(id, hand, turn),
            Action::SendAck => self.send_ack(id, hand, turn),
            Action::SendCancel => self.send_cancel(id, turn),
            Action::Pass(status) => self.pass(id, status, hand, turn),
            Action::PassLate(_) => {
                if let Some(Owner::Branch(call, branch)) = self.owner(id) {
                    self.end_at_vendor(call, branch, hand, turn);
                }
            }
            // A peer that acknowledges a 2xx in its INVITE's transaction: the request goes the way of every ACK.
            Action::PassAck | Action::Undelivered => {}
            Action::Fail(failure) => self.fail(id, failure, turn),
            Action::Arm(timer, after) => {
                let armed = self.transactions.arm(id, timer, turn.now.instant + after);
                // What would only be sent again is not; as fired it would be armed again.
                if !armed && !matches!(timer, Timer::A | Timer::E | Timer::G) {
                    self.advance(id, Event::Timer(timer), Hand::default(), turn);
                }
            }
            Action::Disarm(timer) => self.transactions.disarm(id, timer),
            Action::Terminated(ended) => self.terminated(id, ended, turn),
        }
    }

    fn owner(&self, id: TransactionId) -> Option<Owner> {
        self.transactions.get(id).map(|transaction| transaction.owner)
    }

    fn send_stored(&self, id: TransactionId, turn: &mut Turn<'_>) {
        let Some(transaction) = self.transactions.get(id) else { return };
        if transaction.message.is_empty() {
            return;
        }
        let octets = transaction.message.clone();
        turn.out.messages.push(Outbound { flow: transaction.flow, octets, sender: self.sender(id) });
    }

    /// The 100 is made of the request, which is what a server transaction stores until there is a better response.
    fn send_trying(&mut self, id: TransactionId, hand: Hand<'_>, turn: &mut Turn<'_>) {
        let Some(transaction) = self.transactions.get(id) else { return };
        let flow = transaction.flow;
        let stored;
        let (request, source) = match hand.message {
            Some((request, flow)) => (request, flow.peer),
            None => {
                let Some(parsed) = self.parsed(&transaction.message) else { return };
                stored = parsed;
                (&stored, flow.peer)
            }
        };
        let trying = Response { source: Some(source), ..Response::new(StatusCode::TRYING) };
        let Some(octets) = self.written(|out| trying.write(request, out).is_ok()) else { return };
        turn.out.messages.push(Outbound { flow, octets, sender: self.sender(id) });
    }

    fn send_ack(&mut self, id: TransactionId, hand: Hand<'_>, turn: &mut Turn<'_>) {
        let Some((response, _)) = hand.message else { return };
        let Some((flow, invite)) = self.stored_request(id) else { return };
        let Some(octets) = self.written(|out| write::ack(&invite, response, out).is_ok()) else { return };
        turn.out.messages.push(Outbound { flow, octets, sender: self.sender(id) });
    }

    /// A CANCEL goes the way of its INVITE, in a transaction of its own that concerns nobody (9.1).
    fn send_cancel(&mut self, id: TransactionId, turn: &mut Turn<'_>) {
        let Some((flow, invite)) = self.stored_request(id) else { return };
        let reason = self.is_answered_elsewhere(id).then_some(ELSEWHERE);
        let written = self.written(|out| write::cancel(&invite, reason.as_slice(), out).is_ok());
        let Some(octets) = written else { return };
        let via = invite.list(HeaderId::Via).next().and_then(|value| Via::parse(value).ok());
        let Some(branch) = via.and_then(|via| via.branch) else { return };
        let key = self.keys.client(branch, Method::Cancel);
        self.begin_client(key, (flow, octets), Owner::Nobody, turn);
    }

    /// Whether an INVITE is one of several at once, of which another has the answer: no call was missed there.
    fn is_answered_elsewhere(&self, id: TransactionId) -> bool {
        let Some(Owner::Branch(call, _)) = self.owner(id) else { return false };
        let call = self.calls.get(call).filter(|call| call.context.is_parallel());
        let dialog = call.and_then(|call| self.dialogs.get(&call.dialog));
        dialog.is_some_and(|dialog| dialog.confirmed)
    }

    /// Begins a client transaction of another request than INVITE; `None` when there is no room.
    pub(super) fn begin_client(
        &mut self,
        key: sip::transaction::Key,
        (flow, octets): (crate::sip::flow::Flow, Bytes),
        owner: Owner,
        turn: &mut Turn<'_>,
    ) -> Option<TransactionId> {
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        let machine = Client::start(super::receive::transport(flow), &self.settings.timers, &mut actions);
        let id = self.transactions.insert(Machine::Client(machine), key, owner, flow)?;
        self.transactions.get_mut(id)?.message = octets;
        self.perform(id, actions, Hand::default(), turn);
        Some(id)
    }

    pub(super) fn stored_request(&self, id: TransactionId) -> Option<(crate::sip::flow::Flow, Message)> {
        let transaction = self.transactions.get(id)?;
        Some((transaction.flow, self.parsed(&transaction.message)?))
    }

    /// What a transaction has stored: it was taken, or written, whatever its length.
    pub(super) fn parsed(&self, octets: &Bytes) -> Option<Message> {
        let limits = Limits { message: usize::MAX, ..self.settings.limits };
        Message::parse_datagram(octets.clone(), &limits).ok()
    }

    fn pass(&mut self, id: TransactionId, status: StatusCode, hand: Hand<'_>, turn: &mut Turn<'_>) {
        if is_challenge(status) && self.answer_challenge(id, status, hand, turn) {
            return;
        }
        match self.owner(id) {
            Some(Owner::Branch(call, branch)) => {
                let sdp = hand.message.is_some_and(|(message, _)| has_sdp(message));
                let status = self.as_failure(call, branch, status);
                self.call_input(call, CallInput::Response { branch, status, sdp }, hand, turn);
            }
            Some(Owner::Relay(relay)) => self.relay_response(relay, status, hand, turn),
            Some(Owner::Alive(dialog, end, question)) if status.is_final() => {
                self.checked(dialog, end, (question, answer(status)), turn);
            }
            Some(Owner::Bye(tries, vendor)) if status.is_final() => {
                self.bye_answered(id, (tries, vendor), (status, true), turn.now);
            }
            Some(Owner::Probe(probe)) if status.is_final() => self.probed(probe, status, true, turn),
            Some(Owner::Register(register)) if status.is_final() => {
                self.registered_at_vendor(register, Some(status), hand, turn);
            }
            _ => {}
        }
    }

    fn fail(&mut self, id: TransactionId, failure: Failure, turn: &mut Turn<'_>) {
        match self.owner(id) {
            Some(Owner::Branch(call, branch)) => {
                self.call_input(call, CallInput::Failed { branch, failure }, Hand::default(), turn);
            }
            Some(Owner::Relay(relay)) => self.relay_failure(relay, failure, turn),
            // What cannot be sent says nothing of the call.
            Some(Owner::Alive(dialog, end, question)) => {
                let answer = if failure == Failure::Transport { Answer::Unknown } else { Answer::Silent };
                self.checked(dialog, end, (question, answer), turn);
            }
            Some(Owner::Bye(tries, vendor)) => {
                self.bye_answered(id, (tries, vendor), (failure.status(), false), turn.now);
            }
            Some(Owner::Probe(probe)) => self.probed(probe, failure.status(), false, turn),
            Some(Owner::Register(register)) => {
                self.registered_at_vendor(register, None, Hand::default(), turn);
            }
            _ => {}
        }
    }

    fn terminated(&mut self, id: TransactionId, _ended: Ended, turn: &mut Turn<'_>) {
        let Some(transaction) = self.transactions.remove(id) else { return };
        if let Owner::Branch(call, branch) = transaction.owner {
            self.call_input(call, CallInput::Terminated(branch), Hand::default(), turn);
        }
    }

    /// A message of its own size, made in memory that is used again; `None` when it cannot be written.
    pub(super) fn written(&mut self, write: impl FnOnce(&mut bytes::BytesMut) -> bool) -> Option<Bytes> {
        self.memory.octets.clear();
        write(&mut self.memory.octets).then(|| Bytes::copy_from_slice(&self.memory.octets))
    }
}

/// What a telephone that was cancelled tells from a call that nobody has taken (RFC 3326 3.1).
const ELSEWHERE: (&str, &[u8]) = ("Reason", b"SIP;cause=200;text=\"Call completed elsewhere\"");

fn has_sdp(message: &Message) -> bool {
    let sdp =
        |value: &[u8]| value.get(..15).is_some_and(|start| start.eq_ignore_ascii_case(b"application/sdp"));
    !message.body().is_empty() && message.value(HeaderId::ContentType).is_some_and(sdp)
}

/// The cause of Q.850 that a message gives (RFC 3326).
pub(super) fn q850_cause(message: &Message) -> Option<u8> {
    let mut reasons = message.list(HeaderId::Reason).filter_map(|value| sip::Reason::parse(value).ok());
    let cause = reasons.find(|reason| reason.protocol.eq_ignore_ascii_case(b"Q.850"))?.cause?;
    u8::try_from(cause).ok().filter(|cause| *cause <= Q850_MAX)
}

/// Causes have seven bits.
const Q850_MAX: u8 = 127;

/// The number in CSeq.
pub(super) fn cseq(message: &Message) -> Option<u32> {
    message.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok()).map(|cseq| cseq.number)
}

/// Whether a side that answers so to a question within a dialog has the call.
const fn answer(status: StatusCode) -> Answer {
    match status {
        StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST => Answer::Gone,
        // Who stands between has heard nothing of it.
        StatusCode::REQUEST_TIMEOUT => Answer::Silent,
        // Who asks has not looked yet whether there is such a call.
        status if is_challenge(status) => Answer::Unknown,
        _ => Answer::Alive,
    }
}
