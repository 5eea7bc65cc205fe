//! What a customer does with responses.

use std::time::Instant;

use sip::{HeaderId, Message, NameAddr};

use super::super::counters::bump;
use super::super::dialog::Dialog;
use super::super::endpoint::Arrival;
use super::super::outbox::Outbox;
use super::super::tally::End;
use super::super::templates::InDialog;
use super::{Call, Phase, Uac};

const TRYING: u16 = 100;
const UNAVAILABLE: u16 = 503;

impl Uac {
    pub(super) fn on_invite_response(
        &mut self,
        id: u32,
        message: &Message,
        arrival: &Arrival<'_>,
        out: &mut Outbox,
    ) {
        match message.status_code().unwrap_or_default() {
            0..100 => bump(&self.counters.malformed),
            status @ 100..200 => self.on_provisional(id, status, arrival.at),
            200..300 => self.on_answer(id, message, arrival, out),
            _ => self.on_refusal(id, message, arrival, out),
        }
    }

    fn on_provisional(&mut self, id: u32, status: u16, now: Instant) {
        let patience = self.options.patience;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase != Phase::Leaving) else {
            bump(&self.counters.reordered);
            return;
        };
        match call.phase {
            Phase::Calling => {
                if status == TRYING {
                    self.counters.trying.record(now.saturating_duration_since(call.sent));
                }
                call.phase = Phase::Proceeding;
                call.give_up = now + patience;
                if let Some(timer) = call.timer.take() {
                    self.timers.cancel(timer);
                }
                call.timer = self.timers.arm(call.give_up, id).ok();
            }
            // A 100 behind a 180 was overtaken; a second one of the same kind is a retransmission.
            Phase::Proceeding if status == TRYING && call.rang => bump(&self.counters.reordered),
            Phase::Proceeding if status == TRYING || call.rang => bump(&self.counters.again_received),
            Phase::Proceeding => {}
            Phase::Up | Phase::Leaving => bump(&self.counters.reordered),
        }
        if status > TRYING && !call.rang {
            call.rang = true;
            self.counters.ringing.record(now.saturating_duration_since(call.sent));
            self.counters.from_due.record(now.saturating_duration_since(call.due));
        }
    }

    fn on_answer(&mut self, id: u32, message: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        let Some(mut call) = self.calls.remove(&id) else {
            self.on_stale_answer(id, message, arrival, out);
            return;
        };
        let now = arrival.at;
        if let Some(dialog) = &call.dialog {
            let to = message.value(HeaderId::To).and_then(|to| NameAddr::parse(to).ok());
            if to.is_some_and(|to| to.tag == Some(dialog.tag.as_slice())) {
                bump(&self.counters.again_received);
                bump(&self.counters.acks_again);
                self.send(InDialog::Ack, (id, call.socket), dialog, out);
            } else {
                bump(&self.counters.duplicates);
                self.hang_up(id, call.socket, message, out);
            }
            self.calls.insert(id, call);
            return;
        }
        if let Some(timer) = call.timer.take() {
            self.timers.cancel(timer);
        }
        self.counters.answered(call.due, now.saturating_duration_since(call.sent));
        if !call.rang {
            call.rang = true;
            self.counters.ringing.record(now.saturating_duration_since(call.sent));
            self.counters.from_due.record(now.saturating_duration_since(call.due));
        }
        let Some(dialog) = Dialog::of(message) else {
            bump(&self.counters.malformed);
            self.over(id, &call, End::Broken);
            return;
        };
        self.send(InDialog::Ack, (id, call.socket), &dialog, out);
        call.phase = Phase::Up;
        call.dialog = Some(Box::new(dialog));
        self.calls.insert(id, call);
        self.holding.push_back((now + self.options.hold, id));
    }

    /// A 2xx of a call that is no longer there: sent again after BYE was answered, or after we gave up.
    fn on_stale_answer(&mut self, id: u32, message: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        if self.end_of(id) == End::Completed {
            bump(&self.counters.again_received);
            return;
        }
        bump(&self.counters.late_answers);
        self.hang_up(id, arrival.socket, message, out);
    }

    /// Acknowledges and ends a dialog that nobody wants.
    fn hang_up(&mut self, id: u32, socket: usize, message: &Message, out: &mut Outbox) {
        if let Some(dialog) = Dialog::of(message) {
            self.send(InDialog::Ack, (id, socket), &dialog, out);
            self.send(InDialog::Bye, (id, socket), &dialog, out);
        }
    }

    fn on_refusal(&mut self, id: u32, message: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        let status = message.status_code().unwrap_or_default();
        let waiting = |call: &Call| matches!(call.phase, Phase::Calling | Phase::Proceeding);
        let call = self.calls.get(&id).is_some_and(waiting).then(|| self.calls.remove(&id)).flatten();
        let target = call.as_ref().map_or(arrival.from, |call| call.target);
        let socket = call.as_ref().map_or(arrival.socket, |call| call.socket);
        if let (Some(to), Some(templates)) = (message.value(HeaderId::To), self.templates.get_mut(socket)) {
            let _ = out.send(socket, target, |octets| templates.refusal_ack(id, to, octets));
        }
        let Some(call) = call else {
            bump(&self.counters.again_received);
            return;
        };
        self.counters.refused(status);
        self.over(id, &call, if status == UNAVAILABLE { End::Unavailable } else { End::Refused });
    }

    pub(super) fn on_bye_response(&mut self, id: u32, status: u16, now: Instant) {
        if status < 200 {
            return;
        }
        let Some(call) = self.take(id, Phase::Leaving) else { return };
        self.counters.bye.record(now.saturating_duration_since(call.sent));
        if status < 300 {
            self.over(id, &call, End::Completed);
        } else {
            self.counters.refused(status);
            self.over(id, &call, End::Broken);
        }
    }

    pub(super) fn on_options_response(&mut self, id: u32, status: u16, now: Instant) {
        if status < 200 {
            return;
        }
        let Some(call) = self.take(id, Phase::Calling) else { return };
        self.counters.answer.record(now.saturating_duration_since(call.sent));
        self.counters.from_due.record(now.saturating_duration_since(call.due));
        if status < 300 {
            self.over(id, &call, End::Completed);
            return;
        }
        self.counters.refused(status);
        self.over(id, &call, if status == UNAVAILABLE { End::Unavailable } else { End::Refused });
    }

    /// Takes a call out that is in this phase; otherwise its response came again.
    fn take(&mut self, id: u32, phase: Phase) -> Option<Call> {
        if self.calls.get(&id).is_none_or(|call| call.phase != phase) {
            bump(&self.counters.again_received);
            return None;
        }
        self.calls.remove(&id)
    }

    fn send(&mut self, kind: InDialog, (id, socket): (u32, usize), dialog: &Dialog, out: &mut Outbox) {
        let Some(templates) = self.templates.get_mut(socket) else { return };
        let write = |octets: &mut bytes::BytesMut| templates.in_dialog(kind, id, dialog, octets);
        if out.send(socket, dialog.next_hop, write).is_none() {
            bump(&self.counters.malformed);
        }
    }
}
