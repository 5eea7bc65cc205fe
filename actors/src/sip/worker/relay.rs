//! Requests other than INVITE and ACK that are passed on within a dialog: one transaction to each side.

use runtime::log::Reason;
use sip::proxy::forward::{self, NonInvite};
use sip::transaction::{Event, Failure};
use sip::{Edits, HeaderId, Message, Method, StatusCode};
use uuid::Uuid;

use super::challenged::is_challenge;
use super::hide::Back;
use super::{Hand, Turn, Worker};
use crate::sip::dialog::unfolded;
use crate::sip::event::{CallEvent, Ended, What};
use crate::sip::session_timer;
use crate::sip::transactions::{Relay, TransactionId};

impl Worker {
    /// A response from the other side.
    pub(super) fn relay_response(
        &mut self,
        relay: Relay,
        status: StatusCode,
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some((message, flow)) = hand.message else { return };
        if status.is_success() && relay.method == Method::Update {
            let request = self.stored_request(relay.server).map(|(source, request)| (request, source));
            self.refresh((relay.dialog, relay.from), request, (message, flow, relay.session), turn);
        }
        let outcome = if is_challenge(status) {
            // Who sent the request has no credentials for it.
            NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR)
        } else {
            forward::non_invite_response(status)
        };
        match outcome {
            NonInvite::Forward => self.relay_back(relay, status, message, turn),
            other @ (NonInvite::Absorb | NonInvite::Respond(_) | NonInvite::Abandon) => {
                self.relay_outcome(relay.server, other, turn);
            }
        }
        // Last: the dialog says how the response goes back.
        if status.is_final() {
            self.relay_ended(relay, (status, true), turn);
        }
    }

    fn relay_back(&mut self, relay: Relay, status: StatusCode, message: &Message, turn: &mut Turn<'_>) {
        let Relay { dialog, from, server, number, session, .. } = relay;
        let answer = |edits: &mut Edits<'_>| {
            let asked = session.filter(|_| status.is_success());
            asked.map_or(Some(()), |asked| session_timer::answer(edits, asked))
        };
        match self.response_back(
            message,
            Back { dialog, from, server, number, initial: false, carried: None },
            answer,
        ) {
            Some(octets) => self.respond(relay.server, status, &octets, turn),
            // It would wait for ever.
            None if status.is_final() => {
                self.relay_outcome(relay.server, NonInvite::Respond(StatusCode::SERVER_INTERNAL_ERROR), turn);
            }
            None => {}
        }
    }

    /// From, To and Call-ID of a response whose dialog is gone, as the sender of the request wrote them: it may have been the
    /// only one to know the caller, and the call, by that name.
    pub(super) fn names_of_sender(
        &self,
        edits: &mut Edits<'_>,
        dialog: Uuid,
        server: TransactionId,
    ) -> Option<()> {
        if self.dialogs.contains_key(&dialog) {
            return Some(());
        }
        let (_, stored) = self.stored_request(server)?;
        for id in [HeaderId::From, HeaderId::To, HeaderId::CallId] {
            let name = stored.value(id)?;
            if edits.message().value(id) != Some(name) {
                edits.set(id, &unfolded(name)).ok()?;
            }
        }
        Some(())
    }

    /// No response will come.
    pub(super) fn relay_failure(&mut self, relay: Relay, failure: Failure, turn: &mut Turn<'_>) {
        self.relay_ended(relay, (failure.status(), false), turn);
        self.relay_outcome(relay.server, forward::non_invite_failure(failure), turn);
    }

    pub(super) fn relay_outcome(&mut self, server: TransactionId, outcome: NonInvite, turn: &mut Turn<'_>) {
        match outcome {
            NonInvite::Forward | NonInvite::Absorb => {}
            NonInvite::Abandon => self.advance(server, Event::Abandon, Hand::default(), turn),
            NonInvite::Respond(status) => self.respond_to_stored(server, status, turn),
        }
    }

    /// Answers the request that a server transaction has stored.
    fn respond_to_stored(&mut self, server: TransactionId, status: StatusCode, turn: &mut Turn<'_>) {
        let Some((flow, request)) = self.stored_request(server) else { return };
        let tag = self.tag(&request);
        let Some(octets) = self.own_response(&request, flow, (status, None), &tag) else { return };
        self.respond(server, status, &octets, turn);
    }

    /// A BYE ends the call, whatever becomes of it (15.1.1): who sent it is gone. Only one whose challenge nothing answers
    /// ends nothing, nor one of an early dialog. It is over since the BYE came. A side that did not take it,
    /// nor says that it knows of no call, gets a BYE of ours, since what was passed on may have been what it could not
    /// read: there it was up until then.
    fn relay_ended(&mut self, relay: Relay, (status, received): (StatusCode, bool), turn: &mut Turn<'_>) {
        if relay.method != Method::Bye || !relay.own {
            return;
        }
        let is_up = self.dialogs.get(&relay.dialog).is_some_and(|dialog| dialog.confirmed);
        if !is_up {
            return;
        }
        if received && is_challenge(status) {
            // Who sent it gives the call up all the same.
            self.check_after_bye(relay.dialog, turn.now);
            return;
        }
        let dialog = self.forget(relay.dialog, turn.now);
        let taken = status.is_success() || status == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        let mut at = relay.at;
        if let Some(dialog) = dialog.as_ref().filter(|_| !(received && taken)) {
            self.end_side(dialog, relay.from.other(), turn);
            at = turn.now;
        }
        let media = dialog.as_ref().and_then(|dialog| self.release(dialog, turn));
        let retransmissions = dialog.map(|dialog| dialog.repeats);
        let ended = Ended {
            retransmissions,
            media,
            q850_cause: relay.q850_cause,
            ..Ended::new(StatusCode::OK, Reason::Answered, Some(relay.from))
        };
        turn.out.events.push(CallEvent { dialog: relay.dialog, at, what: What::Ended(ended) });
    }
}
