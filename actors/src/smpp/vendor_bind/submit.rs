//! submit_sm to the vendor, and what its answers mean.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{BufMut, BytesMut};
use runtime::clock::Timestamp;
use runtime::log::{State, Ticket};
use smpp::pdu::{Sm, SmResp};
use smpp::text;
use smpp::{CommandStatus, DataCoding, Frame, HEADER_LEN, Header};
use tokio::time::Instant;

use super::serve::Serve;
use crate::smpp::accept::reroute;
use crate::smpp::classify::{Class, classify};
use crate::smpp::connection::UNSENT_MAX;
use crate::smpp::message::{Message, alphabet_of, default_alphabet};
use crate::smpp::receipt_index::{canonical, hash};
use crate::smpp::receipts::{Ending, finish};
use crate::smpp::vendor::{Inbox, Outgoing, Vendor};

/// Messages whose attempt goes into the log at one time.
const ATTEMPTS_MAX: usize = 256;
/// Requests without an answer in time whose answer is still listened for.
const LATE_MAX: usize = 4096;
/// Offset of the sequence_number in a PDU (3.2).
const SEQUENCE_AT: usize = 12;

impl Serve {
    /// Writes the attempts that are durable, and makes attempts of what waits while there is room.
    pub(super) fn submit(&mut self) {
        self.write_attempts();
        self.queue_due = None;
        while self.make_attempts() == ATTEMPTS_MAX {}
    }

    /// The ticket that the next attempt waits for.
    pub(super) fn next_attempt_ticket(&self) -> Option<Ticket> {
        if self.connection.output.len() >= UNSENT_MAX || !self.may_submit() {
            return None;
        }
        self.slot.inbox.lock().outgoing.front().map(|first| first.ticket.clone())
    }

    fn write_attempts(&mut self) {
        let now = Instant::now();
        while self.connection.output.len() < UNSENT_MAX {
            let message = {
                let mut inbox = self.slot.inbox.lock();
                if !inbox.outgoing.front().is_some_and(|first| first.ticket.is_durable()) {
                    break;
                }
                inbox.outgoing.pop_front().map(|outgoing| outgoing.message)
            };
            let Some(message) = message else { break };
            self.write(message, now);
        }
        self.face.unanswered.store(self.window.len(), Ordering::Relaxed);
    }

    fn write(&mut self, message: Box<Message>, now: Instant) {
        let at = self.connection.output.len();
        if !self.append_pdu(&message) {
            self.slot.inbox.lock().free += 1;
            finish(&self.smpp, message, State::Rejected, &Ending::ours("255"));
            return;
        }
        // Every outgoing message holds a place of this window.
        let Ok(sequence_number) = self.window.insert(message, now.into_std()) else {
            tracing::error!(vendor = self.vendor.name(), "a message without a place in the window");
            self.connection.output.truncate(at);
            return;
        };
        if let Some(field) = self.connection.output.get_mut(at + SEQUENCE_AT..at + SEQUENCE_AT + 4) {
            field.copy_from_slice(&sequence_number.to_be_bytes());
        }
        self.flow.count(now);
        Vendor::count(&self.vendor.counters.sent);
        self.face.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Appends the PDU; its sequence_number is still to be written. False when it cannot be made.
    fn append_pdu(&mut self, message: &Message) -> bool {
        let frame = &message.row.frame;
        let to = default_alphabet(self.vendor.config.load().default_alphabet);
        let from = alphabet_of(message.row.alphabet);
        let transcodes = from != to && message.is_transcoded();
        if !transcodes || message.sm().is_none_or(|sm| sm.data_coding.alphabet().is_some()) {
            self.connection.output.put_slice(frame);
            return frame.len() >= HEADER_LEN;
        }
        // The message was made ready for a vendor with another alphabet, and comes here by failover.
        let Some(sm) = message.sm() else { return false };
        transcoded(&sm, from, to, &mut self.connection.output)
    }

    /// Takes messages out of the bind's own line and the queue, and makes their attempts durable together.
    /// Gives how many.
    fn make_attempts(&mut self) -> usize {
        let now = Instant::now();
        let at = self.smpp.now().micros();
        let slot = Arc::clone(&self.slot);
        let mut inbox = slot.inbox.lock();
        let mut attempts: Vec<Box<Message>> = Vec::new();
        let mut expired: Vec<Box<Message>> = Vec::new();
        while inbox.open && inbox.free > 0 && attempts.len() < ATTEMPTS_MAX {
            // One token opens the way; a message of more segments goes into debt for the others.
            if !inbox.bucket.take(1, now) {
                self.queue_due = Some(now + inbox.bucket.wait(now));
                break;
            }
            let Some(mut message) = self.next_message(&mut inbox, now) else {
                inbox.bucket.give_back(1);
                break;
            };
            if message.row.expires_at <= at {
                inbox.bucket.give_back(1);
                expired.push(message);
                continue;
            }
            inbox.bucket.owe(message.segments() - 1);
            inbox.free -= 1;
            message.row.progress.state = State::Submitted;
            message.row.progress.attempts = message.row.progress.attempts.saturating_add(1);
            message.tries = message.tries.saturating_add(1);
            attempts.push(message);
        }
        let count = attempts.len();
        if count > 0 {
            let ticket = self.smpp.log.append(|batch| {
                for message in &attempts {
                    let (id, progress) = message.change();
                    batch.change(id, progress);
                }
            });
            inbox
                .outgoing
                .extend(attempts.into_iter().map(|message| Outgoing { message, ticket: ticket.clone() }));
        }
        drop(inbox);
        for message in expired {
            finish(&self.smpp, message, State::Expired, &Ending::ours("000"));
        }
        count
    }

    fn next_message(&mut self, inbox: &mut Inbox, now: Instant) -> Option<Box<Message>> {
        if let Some(message) = inbox.next.pop_front() {
            return Some(message);
        }
        let mut queue = self.vendor.queue.lock();
        let unit = queue.pop(now);
        self.queue_due = queue.next_due();
        drop(queue);
        // Parts of one message stay on this bind.
        let mut unit = unit?.into_iter();
        let first = unit.next();
        inbox.next.extend(unit);
        first
    }

    pub(super) fn on_submit_sm_resp(&mut self, frame: &Frame) {
        let header = frame.header();
        let Some((message, _sent)) = self.window.remove(header.sequence_number) else {
            return self.on_late_answer(frame);
        };
        self.answered();
        let config = self.vendor.config.load_full();
        let class = classify(header.command_status, &config.retryable_statuses);
        self.count_outcome(class);
        match class {
            Class::Accepted => {
                self.aimd.accepted();
                self.on_accepted(message, frame);
            }
            Class::SlowDown => self.on_throttled(message, header.command_status),
            Class::Transient => self.on_transient(message, header.command_status),
            Class::Bind => {
                tracing::error!(vendor = self.vendor.name(), status = %header.command_status, "vendor takes this bind for unbound");
                self.put_back(message);
                self.machine.closed();
            }
            Class::Permanent => self.on_permanent(message, header.command_status),
        }
    }

    /// generic_nack to a submit_sm: the vendor could not read it, and will not the next time.
    pub(super) fn on_generic_nack(&mut self, header: &Header) {
        let Some((message, _sent)) = self.window.remove(header.sequence_number) else { return };
        self.answered();
        self.count_outcome(Class::Permanent);
        self.on_permanent(message, header.command_status);
    }

    pub(super) fn expire_requests(&mut self, now: Instant) {
        let response = self.smpp.options.response.get();
        while let Some((sequence_number, message)) = self.window.expired(now.into_std(), response) {
            self.unanswered(sequence_number, message.row.id);
            self.on_uncertain(message);
        }
        self.probe();
    }

    /// A request got its answer: its place is free.
    fn answered(&mut self) {
        self.heard(1);
    }

    /// The vendor is not silent: so many places are free, and those that were withheld.
    fn heard(&mut self, places: u32) {
        let withheld = std::mem::take(&mut self.silence.withheld);
        let mut inbox = self.slot.inbox.lock();
        inbox.free += places + withheld;
        if withheld > 0 {
            inbox.open = self.may_submit();
        }
        drop(inbox);
        self.face.unanswered.store(self.window.len(), Ordering::Relaxed);
    }

    /// A request got no answer in time: until the vendor answers one, its places stay taken and others get
    /// the traffic.
    fn unanswered(&mut self, sequence_number: u32, id: i64) {
        self.silence.withheld += 1;
        self.silence.late.insert(sequence_number, id);
        if self.silence.late.len() > LATE_MAX {
            self.silence.late.pop_first();
        }
        self.slot.inbox.lock().open = false;
        self.face.unanswered.store(self.window.len(), Ordering::Relaxed);
    }

    /// A silent vendor is asked with one message at a time.
    fn probe(&mut self) {
        if self.silence.withheld == 0 || !self.window.is_empty() || !self.may_submit() {
            return;
        }
        let mut inbox = self.slot.inbox.lock();
        if !inbox.open && inbox.outgoing.is_empty() {
            self.silence.withheld += inbox.free;
            self.silence.withheld -= 1;
            inbox.free = 1;
            inbox.open = true;
        }
    }

    /// An answer that came too late: the vendor is not silent, and a message that is held for want of it has
    /// its id after all.
    fn on_late_answer(&mut self, frame: &Frame) {
        let header = frame.header();
        let Some(id) = self.silence.late.remove(&header.sequence_number) else { return };
        self.heard(0);
        let Some(message) = self.smpp.tracker.answered(id) else { return };
        let status = header.command_status;
        match classify(status, &self.vendor.config.load().retryable_statuses) {
            Class::Accepted => self.on_accepted(message, frame),
            // The vendor says that it does not have it: sent again, it still arrives once at most.
            Class::SlowDown | Class::Bind => self.put_back(message),
            Class::Transient => self.on_transient(message, status),
            Class::Permanent => self.on_permanent(message, status),
        }
    }

    fn count_outcome(&self, class: Class) {
        let (counters, metrics) = (&self.vendor.counters, &self.vendor.metrics);
        if class == Class::Accepted {
            Vendor::count(&counters.success);
            metrics.success.inc();
        } else {
            Vendor::count(&counters.failed);
            metrics.failed.inc();
        }
    }

    fn on_accepted(&self, mut message: Box<Message>, frame: &Frame) {
        let asked = !message.registered_delivery().none() || self.vendor.config.load().receipts_always;
        let resp = SmResp::decode(frame.body()).unwrap_or_default();
        let now = self.smpp.now();
        let progress = &mut message.row.progress;
        progress.command_status = Some(0);
        progress.submitted_at = Some(now.micros());
        progress.vendor_message_id = Some(crate::smpp::message::address_text(resp.message_id));
        if !asked {
            finish(&self.smpp, message, State::Accepted, &Ending::default());
            return;
        }
        let hash = hash(self.vendor.id, &canonical(resp.message_id));
        progress.state = State::Enroute;
        progress.dlr_hash = Some(hash);
        // The vendor's own word of an expiry comes after the expiry.
        let expires = Timestamp::from_micros(message.row.expires_at);
        progress.deadline = Some(expires.plus(self.smpp.options.receipt_grace.get()).micros());
        let (id, progress) = message.change();
        self.smpp.log.append(|batch| batch.change(id, progress));
        if let Some(parked) = self.smpp.receipts.insert(hash, message) {
            self.smpp.tracker.retry(parked);
        }
    }

    /// Slower from now on; the message stays first in this bind's line.
    fn on_throttled(&mut self, mut message: Box<Message>, status: CommandStatus) {
        let now = Instant::now();
        self.face.throttled.fetch_add(1, Ordering::Relaxed);
        message.row.progress.command_status = Some(status.0);
        // A vendor that is busy has not tried the message.
        message.tries = message.tries.saturating_sub(1);
        message.requeue();
        let (id, progress) = message.change();
        self.smpp.log.append(|batch| batch.change(id, progress));
        let mut inbox = self.slot.inbox.lock();
        if self.aimd.throttled() {
            inbox.bucket.hold(self.flow.per_second(), now);
        }
        let place = inbox.next.iter().position(|other| other.row.id > message.row.id);
        let place = place.unwrap_or(inbox.next.len());
        inbox.next.insert(place, message);
    }

    /// Later on the same route, a few times; then the next route; then the end.
    fn on_transient(&self, mut message: Box<Message>, status: CommandStatus) {
        message.row.progress.command_status = Some(status.0);
        if message.tries < self.smpp.options.transient_attempts_max {
            message.requeue();
            let (id, progress) = message.change();
            self.smpp.log.append(|batch| batch.change(id, progress));
            let wait = self.smpp.options.transient_wait.get();
            let at = Instant::now() + wait / 2 + self.smpp.random.jitter(wait / 2);
            self.vendor.requeue_at(vec![message], at);
            return;
        }
        if let Some(route) = message.row.progress.route {
            message.tried.push(route);
        }
        if message.row.parent.is_none() {
            message = match reroute(&self.smpp, message) {
                Ok(()) => return,
                Err(message) => message,
            };
        }
        self.on_permanent(message, status);
    }

    fn on_permanent(&self, mut message: Box<Message>, status: CommandStatus) {
        message.row.progress.command_status = Some(status.0);
        let error = format!("{:03}", status.0.min(999));
        finish(&self.smpp, message, State::Rejected, &Ending::ours(&error));
    }
}

fn transcoded(sm: &Sm<'_>, from: text::Alphabet, to: text::Alphabet, output: &mut BytesMut) -> bool {
    if sm.esm_class.udhi() {
        return false;
    }
    let octets = sm.short_message;
    let (short_message, data_coding) = match text::transcode(from, to, octets) {
        Ok(octets) => (octets, sm.data_coding),
        Err(_) => (text::encode_lossy(text::Alphabet::Ucs2, &text::decode(from, octets)), DataCoding::UCS2),
    };
    let sm = Sm { short_message: &short_message, data_coding, ..*sm };
    sm.encode(smpp::CommandId::SUBMIT_SM, 0, output).is_ok()
}
