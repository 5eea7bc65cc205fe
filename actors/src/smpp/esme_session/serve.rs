//! The data path of a session: one task that reads, answers, delivers and keeps time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use runtime::log::Ticket;
use runtime::model::MessageId;
use runtime::supervision::Shutdown;
use smpp::pdu::{BindMode, encode_request_header, encode_resp_header};
use smpp::session::{Due, Session, Side, State, TimerOptions, Verdict};
use smpp::window::Window;
use smpp::{CommandId, CommandStatus, Frame, FrameError};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::deliver::Again;
use super::{Bound, Counters};
use crate::smpp::Smpp;
use crate::smpp::account::BoundAccount;
use crate::smpp::connection::{Connection, Event, UNSENT_MAX};
use crate::smpp::outbox::{Delivery, Receiver, durable};
use crate::smpp::receipts::unload;

/// Unanswered enquire_links that end a session.
const ENQUIRE_LINK_MISSES_MAX: u8 = 2;
/// query_sm, cancel_sm and replace_sm under way on one session.
const MANAGE_MAX: usize = 16;
/// Longest sleep; the timers of an idle session are looked at this often at least.
const SLEEP_MAX: Duration = Duration::from_secs(3600);
/// Places for promises that a session keeps when none is open.
const PROMISES_KEPT: usize = 32;

/// A session's data path.
pub(super) struct Serve {
    pub(super) smpp: Arc<Smpp>,
    pub(super) account: BoundAccount,
    pub(super) connection: Connection,
    pub(super) counters: Arc<Counters>,
    /// Requests whose answer promises durability.
    pub(super) promised: VecDeque<Promise>,
    /// deliver_sm that the customer has not answered.
    pub(super) window: Window<Delivery>,
    pub(super) receiver: Arc<Receiver>,
    /// Whether it takes from the outbox now.
    pub(super) receives: bool,
    /// Whether it may: it is bound to receive.
    may_receive: bool,
    /// Whether the outbox counts it among those who receive: until the last answer, when it no longer takes.
    joined: bool,
    /// The customer asked for a pause in deliveries.
    pub(super) paused_until: Option<Instant>,
    /// Deliveries that the customer refused and that are sent again.
    pub(super) again: Vec<Again>,
    /// Requests that need a look into the log; each ends as a response PDU.
    pub(super) managing: FuturesUnordered<BoxFuture<'static, bytes::BytesMut>>,
    /// The sequence_number of the peer's unbind, which is answered last.
    unbind_asked: Option<u32>,
    /// The next frame is here and waits for a place among the promises; nothing is read meanwhile.
    held_up: bool,
    machine: Session,
    changed: watch::Receiver<u64>,
    partial_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// An answer that is given when its ticket is done.
pub(super) struct Promise {
    pub(super) ticket: Ticket,
    pub(super) reply: Reply,
}

/// What the answer says.
pub(super) enum Reply {
    /// submit_sm_resp or data_sm_resp.
    Accepted { command_id: CommandId, sequence_number: u32, id: MessageId },
    /// A response that was made beforehand.
    Made(bytes::BytesMut),
}

/// Why a session ended other than by unbind; for the log only.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    End,
}

impl Serve {
    pub(super) fn new(smpp: Arc<Smpp>, bound: Bound, counters: Arc<Counters>) -> Self {
        let now = Instant::now();
        let options = &smpp.options;
        let timers = TimerOptions {
            session_init: options.session_init.get(),
            enquire_link: Some(options.enquire_link.get()),
            enquire_link_answer: options.enquire_link_answer.get(),
            enquire_link_misses_max: ENQUIRE_LINK_MISSES_MAX,
            inactivity: Some(options.inactivity.get()),
            unbind: options.unbind.get(),
        };
        let mut machine = Session::new(Side::Smsc, timers, now.into_std());
        machine.bound(bound.mode);
        let places = bound.account.settings.load().account.window;
        let window = Window::new(usize::try_from(places).unwrap_or(1));
        let receiver = Arc::new(Receiver::default());
        let may_receive = bound.mode != BindMode::Transmitter;
        let receives = may_receive && bound.account.settings.load().webhook.is_none();
        receiver.free.store(places, Ordering::Release);
        if receives {
            bound.account.outbox.join(Arc::clone(&receiver));
        }
        smpp.sessions.fetch_add(1, Ordering::Relaxed);
        smpp.binds.fetch_add(1, Ordering::Relaxed);
        smpp.metrics.sessions.inc();
        let mut changed = bound.account.changed.subscribe();
        // The account may have been removed or suspended since the bind was admitted.
        changed.mark_changed();
        Self {
            changed,
            account: bound.account,
            connection: bound.connection,
            counters,
            promised: VecDeque::new(),
            window,
            receiver,
            receives,
            may_receive,
            joined: receives,
            paused_until: None,
            again: Vec::new(),
            unbind_asked: None,
            held_up: false,
            managing: FuturesUnordered::new(),
            machine,
            partial_since: None,
            timer: Box::pin(sleep_until(now)),
            smpp,
        }
    }

    /// Serves until the socket is gone or the session is unbound. Only a bug is an error: a peer that goes
    /// away is a normal end.
    pub(super) async fn run(mut self, shutdown: Shutdown) -> Result<(), std::convert::Infallible> {
        if let Err(error) = self.serve(&shutdown).await {
            tracing::debug!(system_id = %self.account.system_id(), %error, "session lost");
        }
        self.connection.close().await;
        Ok(())
    }

    async fn serve(&mut self, shutdown: &Shutdown) -> Result<(), Error> {
        loop {
            let flow = self.take_frames();
            if flow == Flow::End || self.is_unbound() || self.keep_time() == Flow::End {
                return self.finish().await;
            }
            self.deliver();
            if self.wait(shutdown).await? == Flow::End {
                return Ok(());
            }
        }
    }

    /// Gives every answer that is owed, the one to the peer's unbind last (4.2): a peer that has it goes.
    async fn finish(&mut self) -> Result<(), Error> {
        let within = self.smpp.options.unbind.get();
        // Nothing is handed to it any more while it waits for the log.
        self.account.outbox.rest(&self.receiver, 0);
        self.answer_promised(true).await;
        let answered = async {
            while let Some(response) = self.managing.next().await {
                self.connection.output.extend_from_slice(&response);
            }
        };
        // A log that stalls holds these up too; the peer may ask again on its next session.
        let _ = timeout(within, answered).await;
        if let Some(sequence_number) = self.unbind_asked.take() {
            self.respond(CommandId::UNBIND_RESP, CommandStatus::ESME_ROK, sequence_number);
        }
        timeout(within, self.connection.flush()).await.unwrap_or(Ok(())).map_err(Error::from)
    }

    /// Waits for whatever comes first, and notes it.
    async fn wait(&mut self, shutdown: &Shutdown) -> Result<Flow, Error> {
        let read = !self.held_up && self.may_answer();
        let promised = self.promised.front().map(|promise| promise.ticket.clone());
        let delivery = self.next_delivery_ticket();
        let unbinding = self.machine.state() == State::Unbinding;
        self.arm_timer();
        tokio::select! {
            event = self.connection.ready(read) => {
                if event? == Event::Closed {
                    return Ok(Flow::End);
                }
            }
            () = durable(promised) => self.answer_promised(false).await,
            () = durable(delivery) => {}
            () = self.receiver.wake.notified(), if self.receives => {}
            Some(response) = self.managing.next(), if !self.managing.is_empty() => {
                self.connection.output.extend_from_slice(&response);
            }
            () = self.timer.as_mut() => {}
            _ = self.changed.changed() => self.on_settings(),
            () = shutdown.requested(), if !unbinding => self.unbind(),
        }
        Ok(Flow::GoOn)
    }

    /// Takes what has arrived, as far as there is room for the answers.
    fn take_frames(&mut self) -> Flow {
        self.held_up = false;
        let mut is_partial = false;
        while self.may_answer() && !self.is_unbound() {
            if self.promised.len() >= self.promises_max()
                && self.connection.next_command().is_some_and(promises)
            {
                self.held_up = true;
                break;
            }
            match self.connection.next_frame() {
                Ok(Some(frame)) => {
                    self.partial_since = None;
                    self.machine.on_pdu(frame.header().command_id, Instant::now().into_std());
                    self.on_frame(&frame);
                }
                Ok(None) => {
                    is_partial = !self.connection.partial().is_empty();
                    break;
                }
                Err(error) => {
                    self.on_lost_stream(&error);
                    return Flow::End;
                }
            }
        }
        // The rest of a PDU is the peer's to send only while we read.
        self.partial_since =
            if is_partial { self.partial_since.or_else(|| Some(Instant::now())) } else { None };
        Flow::GoOn
    }

    fn may_answer(&self) -> bool {
        self.connection.output.len() < UNSENT_MAX
    }

    fn promises_max(&self) -> usize {
        usize::try_from(self.account.settings.load().account.window).unwrap_or(1)
    }

    fn on_frame(&mut self, frame: &Frame) {
        let header = frame.header();
        match self.machine.judge(&header) {
            Verdict::Accept => self.on_request(frame),
            Verdict::Refuse { command_id, command_status } => {
                self.count_malformed(command_status);
                self.respond(command_id, command_status, header.sequence_number);
            }
            Verdict::Nack(command_status) => {
                self.count_malformed(command_status);
                self.respond(CommandId::GENERIC_NACK, command_status, header.sequence_number);
            }
            Verdict::Ignore => {}
        }
    }

    fn on_request(&mut self, frame: &Frame) {
        let header = frame.header();
        match header.command_id {
            CommandId::SUBMIT_SM => self.on_submit_sm(frame),
            CommandId::DELIVER_SM_RESP => self.on_deliver_sm_resp(&header),
            CommandId::ENQUIRE_LINK => {
                self.respond(CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK, header.sequence_number);
            }
            CommandId::DATA_SM => self.on_data_sm(frame),
            CommandId::SUBMIT_MULTI => self.on_submit_multi(frame),
            CommandId::QUERY_SM | CommandId::CANCEL_SM | CommandId::REPLACE_SM => self.on_manage(frame),
            CommandId::GENERIC_NACK => self.on_generic_nack(&header),
            CommandId::UNBIND => {
                self.unbind_asked = Some(header.sequence_number);
                self.machine.unbind_received(Instant::now().into_std());
                self.machine.closed();
            }
            CommandId::UNBIND_RESP => self.machine.closed(),
            // The machine lets nothing else through but responses to enquire_link, which ask for nothing.
            _ => {}
        }
    }

    pub(super) fn respond(&mut self, command_id: CommandId, status: CommandStatus, sequence_number: u32) {
        encode_resp_header(command_id, status, sequence_number, &mut self.connection.output);
    }

    pub(super) fn refuse(&mut self, frame: &Frame, status: CommandStatus) {
        let header = frame.header();
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.smpp.metrics.refused.with_label_values(&[status.name().unwrap_or("vendor")]).inc();
        self.respond(header.command_id.response(), status, header.sequence_number);
    }

    pub(super) fn is_managing_too_much(&self) -> bool {
        self.managing.len() >= MANAGE_MAX
    }

    fn on_lost_stream(&mut self, error: &FrameError) {
        let status = error.command_status();
        self.count_malformed(status);
        let sequence_number = smpp::frame::sequence_number_of(self.connection.partial());
        self.respond(CommandId::GENERIC_NACK, status, sequence_number);
    }

    fn count_malformed(&self, status: CommandStatus) {
        self.smpp.metrics.malformed.with_label_values(&[status.name().unwrap_or("vendor")]).inc();
    }

    /// Gives the answers whose promise is kept; all of them, waiting for the log, when the session ends.
    async fn answer_promised(&mut self, all: bool) {
        while let Some(promise) = self.promised.front() {
            if !promise.ticket.is_durable() {
                let within = self.smpp.options.unbind.get();
                if !all || timeout(within, promise.ticket.durable()).await.is_err() {
                    return;
                }
            }
            if let Some(promise) = self.promised.pop_front() {
                self.answer(promise.reply);
            }
        }
        if self.promised.capacity() > PROMISES_KEPT {
            self.promised = VecDeque::new();
        }
    }

    /// Acts on every timer that is due.
    fn keep_time(&mut self) -> Flow {
        let now = Instant::now();
        let partial_max = self.smpp.options.partial_pdu.get();
        if self.partial_since.is_some_and(|since| now.duration_since(since) >= partial_max) {
            self.respond(CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDLEN, 0);
            return Flow::End;
        }
        self.expire_deliveries(now);
        if self.held_up {
            // What the peer sent is here and waits for the log: it is not the peer that is silent.
            self.machine.on_received(now.into_std());
        }
        match self.machine.poll(now.into_std()) {
            None => Flow::GoOn,
            Some(Due::SendEnquireLink) => {
                let sequence_number = self.window.next_sequence_number();
                encode_request_header(CommandId::ENQUIRE_LINK, sequence_number, &mut self.connection.output);
                self.machine.on_sent_enquire_link(sequence_number, now.into_std());
                Flow::GoOn
            }
            Some(Due::Inactive) => {
                self.unbind();
                Flow::GoOn
            }
            Some(Due::BindDeadline | Due::PeerDead | Due::UnbindDeadline) => Flow::End,
        }
    }

    fn arm_timer(&mut self) {
        let now = Instant::now();
        let machine = self.machine.next_deadline().map(Instant::from_std);
        let partial = self.partial_since.map(|since| since + self.smpp.options.partial_pdu.get());
        let response =
            self.window.oldest().map(|sent| Instant::from_std(sent) + self.smpp.options.response.get());
        let next =
            [machine, partial, response, self.paused_until, self.next_again()].into_iter().flatten().min();
        let next = next.unwrap_or(now + SLEEP_MAX);
        if self.timer.is_elapsed() || next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
        }
    }

    fn on_settings(&mut self) {
        let settings = self.account.settings.load_full();
        self.window.set_capacity(usize::try_from(settings.account.window).unwrap_or(1));
        self.receive(self.may_receive && settings.webhook.is_none());
        if !settings.may_bind() {
            self.unbind();
        }
    }

    /// Begins or ends to take from the outbox: an account with a webhook gets everything there.
    fn receive(&mut self, receives: bool) {
        if self.receives == receives {
            return;
        }
        self.receives = receives;
        if !receives {
            self.paused_until = None;
            self.account.outbox.rest(&self.receiver, 0);
            let again: Vec<Delivery> = self.again.drain(..).map(|again| again.delivery).collect();
            self.account.outbox.give_back(again.into_iter());
            self.leave_when_idle();
        } else if !self.joined {
            self.joined = true;
            self.account.outbox.join(Arc::clone(&self.receiver));
        }
    }

    /// Whoever holds deliveries is known to the outbox, or it would read them from the log once more.
    pub(super) fn leave_when_idle(&mut self) {
        if self.joined && !self.receives && self.window.is_empty() {
            self.joined = false;
            self.account.outbox.leave(&self.receiver);
        }
    }

    fn unbind(&mut self) {
        if self.machine.state().is_bound() {
            let sequence_number = self.window.next_sequence_number();
            encode_request_header(CommandId::UNBIND, sequence_number, &mut self.connection.output);
            self.machine.unbind_sent(Instant::now().into_std());
        }
    }

    fn is_unbound(&self) -> bool {
        self.machine.state() == State::Closed
    }

    pub(super) fn is_bound(&self) -> bool {
        self.machine.state().is_bound()
    }
}

/// Requests whose answer waits for the log, and so for a place among the promises.
const fn promises(command_id: CommandId) -> bool {
    matches!(command_id, CommandId::SUBMIT_SM | CommandId::DATA_SM | CommandId::SUBMIT_MULTI)
}

/// A session that ends, however it ends, gives back what it had under way.
impl Drop for Serve {
    fn drop(&mut self) {
        self.receiver.free.store(0, Ordering::Release);
        let unanswered = self.window.drain().map(|(_, delivery)| delivery);
        let deliveries: Vec<Delivery> =
            unanswered.chain(self.again.drain(..).map(|again| again.delivery)).collect();
        self.account.outbox.give_back(deliveries.into_iter());
        if self.joined {
            self.account.outbox.leave(&self.receiver);
            unload(&self.smpp, self.account.shared());
        }
        self.smpp.sessions.fetch_sub(1, Ordering::Relaxed);
        self.smpp.metrics.sessions.dec();
    }
}
