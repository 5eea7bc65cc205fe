//! One connection to a simulated SMSC: a single task that reads a batch, answers what is due, writes a batch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::pdu::{Bind, BindMode, BindResp, Sm, SmResp, encode_resp_header};
use smpp::window::Window;
use smpp::{CommandId, CommandStatus, DataCoding, Frame, Tlvs};
use tokio::time::Instant;

use super::outbox::Outbox;
use super::receipt::{Party, Receipt, Scratch};
use super::{Shared, falls_to};
use crate::marker::{MARKER_CHARS, Marker};
use crate::wall::{self, Minute};
use crate::wire::Wire;

/// Receipts written per turn, so that answers do not wait behind a burst of them.
const RECEIPTS_PER_TURN: usize = 256;
/// When a receipt that was answered with an error is sent again.
const REFUSED_RETRY: Duration = Duration::from_secs(1);
/// How long a peer may take to close after the SMSC did.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
const SALT_THROTTLED: u64 = 1;
const SALT_WITHHELD: u64 = 2;
const SALT_FAILED: u64 = 3;

pub(super) struct Session {
    shared: Arc<Shared>,
    wire: Wire,
    bound: Option<Bound>,
    answers: VecDeque<Answer>,
    new_receipts: Vec<Receipt>,
    due_receipts: Vec<Receipt>,
    outstanding: Window<Delivery>,
    scratch: Scratch,
    id: Vec<u8>,
    minute: Minute,
    submits: u64,
    ending: Option<Ending>,
}

struct Bound {
    outbox: Arc<Outbox>,
    receives: bool,
    submits: bool,
}

/// A submit_sm_resp that waits for its time.
struct Answer {
    due: Instant,
    sequence_number: u32,
    command_status: CommandStatus,
    number: u64,
    id: Option<u32>,
}

/// A deliver_sm that was written and not answered yet.
enum Delivery {
    Receipt(Receipt),
    Mo(u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As agreed with the peer, or after octets that cannot be framed: what is written is delivered.
    Closing,
    /// The fault knob: like `Closing`, but answers that were due later are never given.
    Dropping,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, wire: Wire) -> Self {
        let outstanding = Window::new(shared.options.deliver_window);
        Self {
            shared,
            wire,
            bound: None,
            answers: VecDeque::new(),
            new_receipts: Vec::new(),
            due_receipts: Vec::new(),
            outstanding,
            scratch: Scratch::default(),
            id: Vec::new(),
            minute: wall::now(),
            submits: 0,
            ending: None,
        }
    }

    pub(super) async fn run(mut self) {
        while let Ok(true) = self.turn().await {}
        self.give_back();
        if self.ending.is_some() {
            // A peer that neither reads nor closes is cut off.
            let _ = tokio::time::timeout(CLOSE_WAIT, self.wire.close()).await;
        }
    }

    /// One round of reading, answering and writing; `Ok(false)` when the connection is over.
    async fn turn(&mut self) -> std::io::Result<bool> {
        let outbox = self.bound.as_ref().map(|bound| Arc::clone(&bound.outbox));
        // Made before the outbox is looked at, so that a push in between is not missed.
        let notified = outbox.as_ref().map(|outbox| outbox.woken.notified());
        self.read_frames();
        let now = Instant::now();
        self.send_answers(now);
        if self.ending.is_some() {
            return Ok(false);
        }
        if notified.is_none() && self.bound.is_some() {
            // Bound in this very round: look at the outbox only when listening to it.
            return Ok(true);
        }
        let next_delivery = self.deliver(now);
        let next_answer = self.answers.front().map(|answer| answer.due);
        let until = next_answer.into_iter().chain(next_delivery).min();
        let woken = async {
            match notified {
                Some(notified) => notified.await,
                None => std::future::pending().await,
            }
        };
        self.wire.turn(until, woken).await
    }

    fn read_frames(&mut self) {
        let now = Instant::now();
        while self.ending.is_none() {
            match self.wire.next_frame() {
                Ok(Some(frame)) => self.on_frame(&frame, now),
                Ok(None) => break,
                Err(error) => {
                    self.shared.counters.malformed.fetch_add(1, Relaxed);
                    encode_resp_header(
                        CommandId::GENERIC_NACK,
                        error.command_status(),
                        0,
                        &mut self.wire.out,
                    );
                    self.ending = Some(Ending::Closing);
                }
            }
        }
        if let Some(bound) = &self.bound {
            bound.outbox.push(&mut self.new_receipts);
        }
    }

    fn on_frame(&mut self, frame: &Frame, now: Instant) {
        let header = frame.header();
        let sequence_number = header.sequence_number;
        match header.command_id {
            CommandId::SUBMIT_SM => self.on_submit_sm(frame, now),
            CommandId::DELIVER_SM_RESP => {
                self.on_deliver_sm_resp(sequence_number, header.command_status, now)
            }
            CommandId::ENQUIRE_LINK => {
                self.respond(CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK, sequence_number);
            }
            id if id.is_bind() => self.on_bind(frame),
            CommandId::UNBIND => {
                self.respond(CommandId::UNBIND_RESP, CommandStatus::ESME_ROK, sequence_number);
                self.ending = Some(Ending::Closing);
            }
            id if id.is_response() => {}
            id if id.is_known() => self.respond(id.response(), CommandStatus::ESME_RSYSERR, sequence_number),
            _ => self.respond(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, sequence_number),
        }
    }

    fn on_bind(&mut self, frame: &Frame) {
        let header = frame.header();
        let counters = &self.shared.counters;
        let refusal = match Bind::decode(header.command_id, frame.body()) {
            _ if self.bound.is_some() => CommandStatus::ESME_RALYBND,
            Err(error) => error.command_status,
            Ok(bind) if !self.lets_in(&bind) => CommandStatus::ESME_RINVPASWD,
            Ok(bind) => {
                let bound = Bound {
                    outbox: self.shared.outbox(bind.system_id),
                    receives: bind.mode != BindMode::Transmitter,
                    submits: bind.mode != BindMode::Receiver,
                };
                let resp = BindResp { mode: bind.mode, system_id: b"vendor", tlvs: Tlvs::EMPTY };
                // A constant that satisfies the field limits always encodes.
                let _ = resp.encode(CommandStatus::ESME_ROK, header.sequence_number, &mut self.wire.out);
                self.bound = Some(bound);
                counters.bound.fetch_add(1, Relaxed);
                counters.binds.fetch_add(1, Relaxed);
                return;
            }
        };
        counters.binds_refused.fetch_add(1, Relaxed);
        self.respond(header.command_id.response(), refusal, header.sequence_number);
    }

    fn lets_in(&self, bind: &Bind<'_>) -> bool {
        self.shared.options.credentials.as_ref().is_none_or(|(system_id, password)| {
            bind.system_id == system_id.as_bytes() && bind.password == password.as_bytes()
        })
    }

    fn on_submit_sm(&mut self, frame: &Frame, now: Instant) {
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
        let due = now + options.answer_delay;
        let number = shared.next_number();
        if falls_to(options.throttled_share, number, SALT_THROTTLED) {
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

    fn on_deliver_sm_resp(&mut self, sequence_number: u32, status: CommandStatus, now: Instant) {
        let Some((delivery, _)) = self.outstanding.remove(sequence_number) else { return };
        let counters = &self.shared.counters;
        match delivery {
            Delivery::Receipt(_) if status.is_ok() => {
                counters.receipts_answered.fetch_add(1, Relaxed);
            }
            Delivery::Receipt(receipt) => {
                counters.delivers_refused.fetch_add(1, Relaxed);
                self.new_receipts.push(Receipt { due: now + REFUSED_RETRY, ..receipt });
            }
            Delivery::Mo(id) => {
                if let Some(mo) = &self.shared.mo {
                    mo.answered(id, status.is_ok());
                }
            }
        }
    }

    fn send_answers(&mut self, now: Instant) {
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

    /// Writes the receipts and MO messages that are due; returns when to come back.
    fn deliver(&mut self, now: Instant) -> Option<Instant> {
        let outbox = match &self.bound {
            Some(bound) if bound.receives && self.wire.is_writable() => Arc::clone(&bound.outbox),
            Some(_) | None => return None,
        };
        let next_mo = self.send_mo(now);
        let room = self.outstanding.free().min(RECEIPTS_PER_TURN);
        let next_receipt = outbox.take_due(now, room, &mut self.due_receipts);
        if !self.due_receipts.is_empty() {
            self.minute = wall::now();
        }
        let mut due = std::mem::take(&mut self.due_receipts);
        for receipt in due.drain(..) {
            self.send_receipt(receipt, now);
        }
        self.due_receipts = due;
        if self.outstanding.free() == 0 {
            // Another bind may have room; this one comes back with the next deliver_sm_resp.
            if next_receipt.is_some_and(|due| due <= now) {
                outbox.woken.notify_waiters();
            }
            return None;
        }
        next_mo.into_iter().chain(next_receipt).min()
    }

    fn send_receipt(&mut self, receipt: Receipt, now: Instant) {
        let Ok(sequence_number) = self.outstanding.insert(Delivery::Receipt(receipt), now.into_std()) else {
            return;
        };
        let at = (sequence_number, self.minute);
        if receipt.encode(&self.shared.options, at, &mut self.scratch, &mut self.wire.out).is_err() {
            self.shared.counters.malformed.fetch_add(1, Relaxed);
            return;
        }
        self.shared.counters.receipts_sent.fetch_add(1, Relaxed);
        if let Some(id) = receipt.id {
            self.shared.ledger.receipt_sent(id);
        }
    }

    fn send_mo(&mut self, now: Instant) -> Option<Instant> {
        let shared = Arc::clone(&self.shared);
        let mo = shared.mo.as_ref()?;
        while self.outstanding.free() > 0 {
            let Some(id) = mo.take(now) else { break };
            let Ok(sequence_number) = self.outstanding.insert(Delivery::Mo(id), now.into_std()) else {
                break;
            };
            if mo.encode(id, sequence_number, &mut self.wire.out).is_ok() {
                shared.counters.mo_sent.fetch_add(1, Relaxed);
            }
        }
        mo.next_due()
    }

    /// The connection is over: what it owed goes to the other binds, or is written down as uncertain.
    fn give_back(&mut self) {
        let Some(bound) = self.bound.take() else { return };
        self.shared.counters.bound.fetch_sub(1, Relaxed);
        let unanswered: Vec<u64> = self.answers.iter().map(|answer| answer.number).collect();
        bound.outbox.disown(&unanswered);
        for id in self.answers.drain(..).filter_map(|answer| answer.id) {
            self.shared.ledger.unanswered(id);
        }
        let mut receipts = Vec::new();
        for (_, delivery) in self.outstanding.drain() {
            match delivery {
                Delivery::Receipt(receipt) => receipts.push(receipt),
                Delivery::Mo(id) => {
                    if let Some(mo) = &self.shared.mo {
                        mo.unknown(id);
                    }
                }
            }
        }
        bound.outbox.put_back(receipts.into_iter());
    }

    fn respond(&mut self, command_id: CommandId, status: CommandStatus, sequence_number: u32) {
        encode_resp_header(command_id, status, sequence_number, &mut self.wire.out);
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
