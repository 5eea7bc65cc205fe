//! Messages that a simulated SMSC is given, and its answers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::pdu::{Sm, SmResp};
use smpp::{CommandId, CommandStatus, DataCoding, Frame, Tlvs};
use tokio::time::Instant;

use super::super::falls_to;
use super::super::receipt::{Party, Receipt};
use super::{Answer, Ending, Session};
use crate::marker::{MARKER_CHARS, Marker};

const SALT_THROTTLED: u64 = 1;
const SALT_WITHHELD: u64 = 2;
const SALT_FAILED: u64 = 3;

/// Timers are rounded up to a millisecond twice, by the timer wheel and by the poll, and go off so late as a rule;
/// taken off, the delay is right on average: the generator by itself measures it.
const TIMERS_LATE: Duration = Duration::from_micros(900);

impl Session {
    pub(super) fn on_submit_sm(&mut self, frame: &Frame, now: Instant) {
        let sequence_number = frame.header().sequence_number;
        self.shared.counters.submits.fetch_add(1, Relaxed);
        if !self.bound.as_ref().is_some_and(|bound| bound.submits) {
            return self.respond(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RINVBNDSTS, sequence_number);
        }
        let sm = match Sm::decode(frame.body()) {
            Ok(sm) => sm,
            Err(error) => {
                self.shared.counters.malformed.fetch_add(1, Relaxed);
                return self.respond(CommandId::SUBMIT_SM_RESP, error.command_status, sequence_number);
            }
        };
        self.submits += 1;
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        let due = now + options.answer_delay.saturating_sub(TIMERS_LATE);
        let number = shared.next_number();
        if self.is_too_fast(now) || falls_to(options.throttled_share, number, SALT_THROTTLED) {
            shared.counters.throttled.fetch_add(1, Relaxed);
            let command_status = CommandStatus::ESME_RTHROTTLED;
            return self.answers.push_back(Answer { due, sequence_number, command_status, number, id: None });
        }
        let marker = self.take(&sm);
        let id = marker.map(|marker| marker.id);
        if !sm.registered_delivery.none() {
            let due = if options.receipts_early { now } else { due } + options.receipt_delay;
            self.schedule_receipt(&sm, marker, (number, due));
        }
        let command_status = CommandStatus::ESME_ROK;
        self.answers.push_back(Answer { due, sequence_number, command_status, number, id });
        if options.drop_every > 0 && self.submits.is_multiple_of(options.drop_every) {
            shared.counters.drops.fetch_add(1, Relaxed);
            self.ending = Some(Ending::Dropping);
        }
    }

    /// Counts the submit_sm against the bind's limit for this second.
    fn is_too_fast(&mut self, now: Instant) -> bool {
        let limit = self.shared.options.throughput_max;
        let (began, count) = self.second;
        self.second =
            if now.duration_since(began) >= Duration::from_secs(1) { (now, 1) } else { (began, count + 1) };
        limit > 0 && self.second.1 > limit
    }

    /// Accounts for a message that the SMSC takes.
    fn take(&self, sm: &Sm<'_>) -> Option<Marker> {
        let counters = &self.shared.counters;
        counters.taken.fetch_add(1, Relaxed);
        let found = Marker::parse(text_of(sm)).filter(|(marker, _)| marker.run == self.shared.ledger.run());
        let Some((marker, tail)) = found else {
            counters.unmarked.fetch_add(1, Relaxed);
            return None;
        };
        if !marker.matches(tail) {
            counters.corrupt.fetch_add(1, Relaxed);
        }
        self.shared.ledger.reached(marker.id);
        Some(marker)
    }

    fn schedule_receipt(&mut self, sm: &Sm<'_>, marker: Option<Marker>, (number, due): (u64, Instant)) {
        let options = &self.shared.options;
        // Decided by the message rather than by its copy, where the message is known.
        let fate = marker.map_or(number, |marker| u64::from(marker.id));
        if options.receipt_share < 1.0 && !falls_to(options.receipt_share, fate, SALT_WITHHELD) {
            if let Some(marker) = marker {
                self.shared.ledger.receipt_withheld(marker.id);
            }
            return;
        }
        let failed = falls_to(options.failed_share, fate, SALT_FAILED);
        if failed && !sm.registered_delivery.receipt_on_failure()
            || !failed && !sm.registered_delivery.receipt_on_success()
        {
            return;
        }
        let narrow = sm.data_coding != DataCoding::UCS2;
        self.new_receipts.push(Receipt {
            due,
            number,
            id: marker.map(|marker| marker.id),
            failed,
            source: Party::of(&sm.source),
            destination: Party::of(&sm.destination),
            text: marker.filter(|_| narrow).map_or([0; MARKER_CHARS], Marker::to_chars),
        });
    }

    pub(super) fn send_answers(&mut self, now: Instant) {
        while let Some(answer) = self.answers.pop_front_if(|answer| answer.due <= now) {
            if self.ending == Some(Ending::Dropping) && self.answers.is_empty() {
                // The last one taken: exactly what a dropped connection leaves open.
                self.answers.push_back(answer);
                return;
            }
            if !answer.command_status.is_ok() {
                self.respond(CommandId::SUBMIT_SM_RESP, answer.command_status, answer.sequence_number);
                continue;
            }
            self.shared.options.answer_id.write(answer.number, &mut self.id);
            let resp = SmResp { message_id: &self.id, tlvs: Tlvs::EMPTY };
            let out = &mut self.wire.out;
            // Ids are at most 36 octets of the 64 that the field takes.
            let _ =
                resp.encode(CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK, answer.sequence_number, out);
        }
    }
}

/// The text behind a user data header, if there is one.
fn text_of<'a>(sm: &Sm<'a>) -> &'a [u8] {
    let text = sm.payload();
    match text.first() {
        Some(length) if sm.esm_class.udhi() => text.get(usize::from(*length) + 1..).unwrap_or_default(),
        Some(_) | None => text,
    }
}
