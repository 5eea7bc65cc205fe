//! The data path of a bind: one task that submits, takes answers and receipts, and keeps time.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::log::{State as MessageState, Ticket, Uncertain};
use runtime::supervision::Shutdown;
use smpp::pdu::{BindMode, encode_request_header, encode_resp_header};
use smpp::session::{Due, Session, Side, State, TimerOptions, Verdict};
use smpp::window::Window;
use smpp::{CommandId, CommandStatus, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connect::Bound;
use super::{Face, Options};
use crate::smpp::Smpp;
use crate::smpp::connection::{Connection, Event, UNSENT_MAX};
use crate::smpp::message::Message;
use crate::smpp::throttle::{Aimd, TokenBucket};
use crate::smpp::vendor::{Slot, Vendor};

/// Unanswered enquire_links that end a bind.
const ENQUIRE_LINK_MISSES_MAX: u8 = 2;
/// Receipts taken whose acknowledgement waits for the log; with more the socket is not read.
const UNACKNOWLEDGED_MAX: usize = 2048;
/// Attempts after which a message whose answers are lost is held even where the route says retry: a vendor
/// that delivers and never answers would deliver it again and again.
const UNCERTAIN_ATTEMPTS_MAX: u16 = 10;
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// A bind's data path.
pub(super) struct Serve {
    pub(super) smpp: Arc<Smpp>,
    pub(super) vendor: Arc<Vendor>,
    pub(super) slot: Arc<Slot>,
    pub(super) face: Arc<Face>,
    pub(super) connection: Connection,
    /// submit_sm that the vendor has not answered.
    pub(super) window: Window<Box<Message>>,
    pub(super) aimd: Aimd,
    /// submit_sm written in this second and the last.
    pub(super) flow: Flow,
    pub(super) machine: Session,
    /// Receipts and MO whose acknowledgement waits for the log.
    pub(super) unacknowledged: VecDeque<Acknowledgement>,
    /// When the queue is worth looking at again although nobody wakes us.
    pub(super) queue_due: Option<Instant>,
    pub(super) silence: Silence,
    transmits: bool,
    /// Set when the bind is to end: the last moment for answers to what was sent.
    leaves_by: Option<Instant>,
    /// The vendor's generation when this bind was made.
    generation: u64,
    timer: Pin<Box<Sleep>>,
}

/// A deliver_sm_resp or data_sm_resp to give when its ticket is done.
pub(super) struct Acknowledgement {
    pub(super) ticket: Ticket,
    pub(super) command_id: CommandId,
    pub(super) sequence_number: u32,
}

/// What a vendor leaves unanswered.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Places of the window that stay taken until the vendor answers something.
    pub(super) withheld: u32,
    /// Messages whose answer did not come in time, by sequence_number.
    pub(super) late: BTreeMap<u32, i64>,
}

/// Messages a second, measured over the last whole second.
#[derive(Debug)]
pub(super) struct Flow {
    second: Instant,
    now: u32,
    last: u32,
}

impl Flow {
    pub(super) fn new(now: Instant) -> Self {
        Self { second: now, now: 0, last: 0 }
    }

    pub(super) fn count(&mut self, now: Instant) {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.last = self.now;
            self.now = 0;
            self.second = now;
        }
        self.now += 1;
    }

    pub(super) fn per_second(&self) -> f64 {
        f64::from(self.now.max(self.last))
    }
}

impl Serve {
    pub(super) fn new(options: &Options, (slot, face): (Arc<Slot>, Arc<Face>), bound: Bound) -> Self {
        let now = Instant::now();
        let (smpp, vendor) = (Arc::clone(&options.smpp), Arc::clone(&options.vendor));
        let config = vendor.config.load_full();
        let timers = TimerOptions {
            session_init: smpp.options.session_init.get(),
            enquire_link: Some(smpp.options.enquire_link.get()),
            enquire_link_answer: smpp.options.enquire_link_answer.get(),
            enquire_link_misses_max: ENQUIRE_LINK_MISSES_MAX,
            inactivity: None,
            unbind: smpp.options.unbind.get(),
        };
        let mut machine = Session::new(Side::Esme, timers, now.into_std());
        machine.bound(bound.mode);
        let transmits = bound.mode != BindMode::Receiver;
        {
            let mut inbox = slot.inbox.lock();
            inbox.open = transmits;
            inbox.free = if transmits { config.window } else { 0 };
            inbox.bucket = TokenBucket::new(config.throughput_limit, now);
        }
        let mut window = Window::new(usize::try_from(config.window).unwrap_or(1));
        // The bind request had the first sequence_number.
        let _bind = window.next_sequence_number();
        Self {
            connection: bound.connection,
            window,
            aimd: Aimd::new(config.throughput_limit, now),
            flow: Flow::new(now),
            machine,
            unacknowledged: VecDeque::new(),
            queue_due: None,
            silence: Silence::default(),
            transmits,
            leaves_by: None,
            generation: bound.generation,
            timer: Box::pin(sleep_until(now)),
            smpp,
            vendor,
            slot,
            face,
        }
    }

    /// Serves until the bind is lost or ended; gives the reason.
    pub(super) async fn run(mut self, shutdown: &Shutdown) -> &'static str {
        let reason = loop {
            if let Some(reason) = self.take_frames() {
                break reason;
            }
            if self.may_submit() {
                self.submit();
            }
            self.unbind_when_done();
            if let Some(reason) = self.keep_time() {
                break reason;
            }
            if let Some(reason) = self.wait(shutdown).await {
                break reason;
            }
        };
        let flushed = tokio::time::timeout(Duration::from_millis(500), self.connection.flush()).await;
        if matches!(flushed, Ok(Ok(()))) {
            self.connection.close().await;
        }
        reason
    }

    async fn wait(&mut self, shutdown: &Shutdown) -> Option<&'static str> {
        let read = self.may_read();
        let acknowledgement = self.unacknowledged.front().map(|first| first.ticket.clone());
        let attempt = self.next_attempt_ticket();
        let leaving = self.leaves_by.is_some();
        self.arm_timer();
        tokio::select! {
            event = self.connection.ready(read) => match event {
                Ok(Event::Closed) => return Some("vendor closed the connection"),
                Err(_) => return Some("the connection broke"),
                Ok(Event::Read | Event::Written) => {}
            },
            () = durable(acknowledgement) => self.acknowledge(),
            () = durable(attempt) => {}
            () = self.slot.wake.notified() => {}
            () = self.timer.as_mut() => {}
            () = shutdown.requested(), if !leaving => self.leave(),
        }
        if self.must_leave() {
            self.leave();
        }
        None
    }

    /// True while the bind takes messages for its vendor.
    pub(super) fn may_submit(&self) -> bool {
        self.transmits && self.leaves_by.is_none() && self.machine.state().is_bound()
    }

    fn must_leave(&self) -> bool {
        self.machine.state().is_bound()
            && (self.vendor.held_off.load(Ordering::Acquire)
                || self.slot.held_off.load(Ordering::Acquire)
                || self.vendor.generation.load(Ordering::Acquire) != self.generation
                || !self.vendor.config.load().active)
    }

    fn take_frames(&mut self) -> Option<&'static str> {
        while self.may_read() {
            match self.connection.next_frame() {
                Ok(Some(frame)) => {
                    self.machine.on_pdu(frame.header().command_id, Instant::now().into_std());
                    self.on_frame(&frame);
                }
                Ok(None) => break,
                Err(error) => {
                    let status = error.command_status();
                    let sequence_number = smpp::frame::sequence_number_of(self.connection.partial());
                    let output = &mut self.connection.output;
                    encode_resp_header(CommandId::GENERIC_NACK, status, sequence_number, output);
                    return Some("vendor sent a length that no PDU can have");
                }
            }
        }
        (self.machine.state() == State::Closed).then_some("unbound")
    }

    fn may_read(&self) -> bool {
        self.unacknowledged.len() < UNACKNOWLEDGED_MAX && self.connection.output.len() < UNSENT_MAX
    }

    fn on_frame(&mut self, frame: &Frame) {
        let header = frame.header();
        match self.machine.judge(&header) {
            Verdict::Accept => self.on_pdu(frame),
            Verdict::Refuse { command_id, command_status } => {
                self.respond(command_id, command_status, header.sequence_number);
            }
            Verdict::Nack(status) => self.respond(CommandId::GENERIC_NACK, status, header.sequence_number),
            Verdict::Ignore => {}
        }
    }

    fn on_pdu(&mut self, frame: &Frame) {
        let header = frame.header();
        match header.command_id {
            CommandId::SUBMIT_SM_RESP => self.on_submit_sm_resp(frame),
            CommandId::DELIVER_SM => self.on_deliver_sm(frame),
            CommandId::DATA_SM => self.on_data_sm(frame),
            CommandId::GENERIC_NACK => self.on_generic_nack(&header),
            CommandId::ENQUIRE_LINK => {
                self.respond(CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK, header.sequence_number);
            }
            CommandId::UNBIND => {
                self.respond(CommandId::UNBIND_RESP, CommandStatus::ESME_ROK, header.sequence_number);
                self.machine.unbind_received(Instant::now().into_std());
                self.machine.closed();
            }
            CommandId::UNBIND_RESP => self.machine.closed(),
            // alert_notification has no response and tells us nothing that we act on.
            _ => {}
        }
    }

    pub(super) fn respond(&mut self, command_id: CommandId, status: CommandStatus, sequence_number: u32) {
        encode_resp_header(command_id, status, sequence_number, &mut self.connection.output);
    }

    fn keep_time(&mut self) -> Option<&'static str> {
        let now = Instant::now();
        self.expire_requests(now);
        if let Some(rate) = self.aimd.judge(now) {
            self.slot.inbox.lock().bucket.set_rate(rate, now);
        }
        match self.machine.poll(now.into_std())? {
            Due::SendEnquireLink => {
                let sequence_number = self.window.next_sequence_number();
                encode_request_header(CommandId::ENQUIRE_LINK, sequence_number, &mut self.connection.output);
                self.machine.on_sent_enquire_link(sequence_number, now.into_std());
                None
            }
            Due::PeerDead => Some("vendor does not answer enquire_link"),
            Due::UnbindDeadline => Some("vendor does not answer unbind"),
            Due::BindDeadline | Due::Inactive => None,
        }
    }

    fn arm_timer(&mut self) {
        let now = Instant::now();
        let machine = self.machine.next_deadline().map(Instant::from_std);
        let response =
            self.window.oldest().map(|sent| Instant::from_std(sent) + self.smpp.options.response.get());
        let waits = [machine, response, self.queue_due, self.aimd.due(), self.leaves_by];
        let next = waits.into_iter().flatten().min();
        let next = next.unwrap_or(now + SLEEP_MAX);
        if self.timer.is_elapsed() || next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
        }
    }

    /// Gives the responses whose promise is kept.
    fn acknowledge(&mut self) {
        while self.unacknowledged.front().is_some_and(|first| first.ticket.is_durable()) {
            let Some(first) = self.unacknowledged.pop_front() else { return };
            let resp = smpp::pdu::SmResp { message_id: &[], tlvs: smpp::Tlvs::EMPTY };
            // An empty message_id always fits.
            let output = &mut self.connection.output;
            let _ = resp.encode(first.command_id, CommandStatus::ESME_ROK, first.sequence_number, output);
        }
    }

    /// Takes no new message, and gives back what is not written; the answers to what was sent are awaited.
    fn leave(&mut self) {
        if self.leaves_by.is_none() {
            self.leaves_by = Some(Instant::now() + self.smpp.options.unbind.get());
            self.queue_due = None;
            self.give_back();
        }
    }

    /// Says good-bye once every answer has come, or has had its time.
    fn unbind_when_done(&mut self) {
        let Some(leaves_by) = self.leaves_by else { return };
        let done = self.window.is_empty() && self.unacknowledged.is_empty();
        if self.machine.state().is_bound() && (done || Instant::now() >= leaves_by) {
            self.leaves_by = Some(Instant::now() + SLEEP_MAX);
            let sequence_number = self.window.next_sequence_number();
            encode_request_header(CommandId::UNBIND, sequence_number, &mut self.connection.output);
            self.machine.unbind_sent(Instant::now().into_std());
        }
    }
}

/// A bind that ends, however it ends: what was not written goes back to the queue, what was written without
/// an answer is uncertain.
impl Drop for Serve {
    fn drop(&mut self) {
        self.give_back();
        let written: Vec<Box<Message>> = self.window.drain().map(|(_, message)| message).collect();
        for message in written.into_iter().rev() {
            self.on_uncertain(message);
        }
        self.face.unanswered.store(0, Ordering::Relaxed);
    }
}

impl Serve {
    /// What is not written goes back to the queue; nothing more comes.
    fn give_back(&self) {
        let (outgoing, next) = {
            let mut inbox = self.slot.inbox.lock();
            inbox.open = false;
            inbox.free = 0;
            (std::mem::take(&mut inbox.outgoing), std::mem::take(&mut inbox.next))
        };
        for message in next.into_iter().rev() {
            self.vendor.requeue(vec![message]);
        }
        for outgoing in outgoing.into_iter().rev() {
            let mut message = outgoing.message;
            message.row.progress.attempts = message.row.progress.attempts.saturating_sub(1);
            self.put_back(message);
        }
    }

    /// Back to the head of the vendor's queue; a bind that was lost was no try of the message.
    pub(super) fn put_back(&self, mut message: Box<Message>) {
        message.tries = message.tries.saturating_sub(1);
        message.requeue();
        let (id, progress) = message.change();
        self.smpp.log.append(|batch| batch.change(id, progress));
        self.vendor.requeue(vec![message]);
    }

    /// The vendor's answer is lost: send again, or hold for a receipt or the deadline.
    pub(super) fn on_uncertain(&self, mut message: Box<Message>) {
        self.smpp.metrics.uncertain.inc();
        Vendor::count(&self.vendor.counters.failed);
        self.vendor.metrics.failed.inc();
        let again = message.row.progress.attempts < UNCERTAIN_ATTEMPTS_MAX;
        if message.row.progress.uncertain == Uncertain::Retry && again {
            return self.put_back(message);
        }
        let deadline = self.smpp.now().plus(self.smpp.options.uncertain_hold.get());
        message.row.progress.state = MessageState::Uncertain;
        message.row.progress.deadline = Some(deadline.micros());
        let (id, progress) = message.change();
        self.smpp.log.append(|batch| batch.change(id, progress));
        self.smpp.tracker.uncertain(message);
    }
}

async fn durable(ticket: Option<Ticket>) {
    match ticket {
        Some(ticket) => ticket.durable().await,
        None => std::future::pending().await,
    }
}
