//! A bound connection of a simulated customer: a single task that reads a batch, submits what fits and is
//! due, writes a batch.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::pdu::{BindMode, SmResp, encode_request_header, encode_resp_header};
use smpp::window::Window;
use smpp::{CommandId, CommandStatus, Frame};
use tokio::sync::watch;
use tokio::time::Instant;

use super::session::refusal;
use super::{Phase, Shared};
use crate::pace::{Block, Next};
use crate::payload::{Scratch, Slot};
use crate::wire::Wire;

const ENQUIRE_LINK: Duration = Duration::from_secs(30);
/// After which an unanswered submit_sm counts as unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const UNBIND_WAIT: Duration = Duration::from_secs(2);
/// A submission later than this for another reason than a full window is a stall that latencies must show.
const LATE: Duration = Duration::from_millis(5);
/// Sequence numbers of enquire_link and unbind: outside what the window gives out in any run.
const OWN_SEQUENCE_NUMBER: u32 = 0x7FFF_FFF0;

pub(super) struct Connection<'a> {
    pub(super) shared: &'a Arc<Shared>,
    transmits: bool,
    pub(super) wire: Wire,
    block: &'a mut Option<Block>,
    window: Window<Submit>,
    scratch: Scratch,
    /// The last round ended because the window was full or the socket did not take more.
    blocked: bool,
    next_enquire_link: Instant,
    unbound: bool,
}

/// A submit_sm that waits for its answer.
struct Submit {
    id: u32,
    /// When it was due or, if the pace was not held up by the node, written.
    at: Instant,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        role: BindMode,
        wire: Wire,
        block: &'a mut Option<Block>,
    ) -> Self {
        Self {
            window: Window::new(shared.options.window),
            shared,
            transmits: role != BindMode::Receiver,
            wire,
            block,
            scratch: Scratch::default(),
            blocked: true,
            next_enquire_link: Instant::now() + ENQUIRE_LINK,
            unbound: false,
        }
    }

    /// Until the run ends, with an unbind; an error is a lost connection.
    pub(super) async fn run(&mut self, phase: &mut watch::Receiver<Phase>) -> io::Result<()> {
        loop {
            let now = Instant::now();
            self.read_frames(now)?;
            let current = *phase.borrow_and_update();
            if current == Phase::Ending {
                break;
            }
            let due = if current == Phase::Submitting && self.transmits { self.submit(now) } else { None };
            self.keep_alive(now);
            let until = due.unwrap_or(self.next_enquire_link).min(self.next_enquire_link);
            let changed = async {
                // The sender lives as long as the run.
                let _ = phase.changed().await;
            };
            self.turn(Some(until), changed).await?;
        }
        let unbind = tokio::time::timeout(UNBIND_WAIT, self.unbind());
        unbind.await.unwrap_or(Ok(()))
    }

    /// The connection is over; what is unanswered stays so.
    pub(super) fn give_up(&mut self) {
        for (_, submit) in self.window.drain() {
            self.shared.ledger.unknown(submit.id);
            self.shared.counters.outstanding.fetch_sub(1, Relaxed);
        }
    }

    async fn unbind(&mut self) -> io::Result<()> {
        encode_request_header(CommandId::UNBIND, OWN_SEQUENCE_NUMBER + 1, &mut self.wire.out);
        while !self.unbound {
            self.turn(None, std::future::pending()).await?;
            self.read_frames(Instant::now())?;
        }
        Ok(())
    }

    async fn turn(&mut self, until: Option<Instant>, woken: impl Future<Output = ()>) -> io::Result<()> {
        match self.wire.turn(until, woken).await? {
            true => Ok(()),
            false => Err(io::Error::other("the node closed the connection")),
        }
    }

    fn read_frames(&mut self, now: Instant) -> io::Result<()> {
        while let Some(frame) = self.wire.next_frame().map_err(io::Error::other)? {
            self.on_frame(&frame, now);
        }
        Ok(())
    }

    fn on_frame(&mut self, frame: &Frame, now: Instant) {
        let header = frame.header();
        let sequence_number = header.sequence_number;
        let out = &mut self.wire.out;
        match header.command_id {
            CommandId::SUBMIT_SM_RESP | CommandId::GENERIC_NACK => self.on_submit_sm_resp(frame, now),
            CommandId::DELIVER_SM => {
                let status = self.shared.on_deliver_sm(frame.body(), now);
                let resp = SmResp { message_id: b"", tlvs: smpp::Tlvs::EMPTY };
                // An empty id always encodes.
                let _ = resp.encode(CommandId::DELIVER_SM_RESP, status, sequence_number, out);
            }
            CommandId::ENQUIRE_LINK => {
                encode_resp_header(
                    CommandId::ENQUIRE_LINK_RESP,
                    CommandStatus::ESME_ROK,
                    sequence_number,
                    out,
                );
            }
            CommandId::UNBIND => {
                encode_resp_header(CommandId::UNBIND_RESP, CommandStatus::ESME_ROK, sequence_number, out);
            }
            CommandId::UNBIND_RESP => self.unbound = true,
            id if id.is_response() => {}
            id => {
                let (id, status) = refusal(id);
                encode_resp_header(id, status, sequence_number, out);
            }
        }
    }

    fn on_submit_sm_resp(&mut self, frame: &Frame, now: Instant) {
        let header = frame.header();
        let Some((submit, _)) = self.window.remove(header.sequence_number) else { return };
        let counters = &self.shared.counters;
        counters.outstanding.fetch_sub(1, Relaxed);
        counters.resp.record(now.duration_since(submit.at));
        if !header.command_status.is_ok() || header.command_id == CommandId::GENERIC_NACK {
            counters.refused(header.command_status);
            return self.shared.ledger.refused(submit.id);
        }
        let message_id = SmResp::decode(frame.body()).map_or(&b""[..], |resp| resp.message_id);
        if let Some(latency) = self.shared.ledger.accepted(submit.id, message_id) {
            counters.dlr.record(latency);
        }
    }

    /// Submits what is due and fits; returns when the next message is due.
    fn submit(&mut self, now: Instant) -> Option<Instant> {
        let shared = self.shared;
        while self.window.free() > 0 && self.wire.is_writable() {
            let (id, place, due) = match shared.course.pace.next(self.block, now) {
                Next::Submit { id, place, due } => (id, place, due),
                Next::Wait(due) => {
                    self.blocked = false;
                    return Some(due);
                }
                Next::Done => return None,
            };
            // Timers are good to a millisecond; their lateness is not the node's.
            let late = now.duration_since(due) > LATE;
            let at = if self.blocked || late { due } else { now };
            let Ok(sequence_number) = self.window.insert(Submit { id, at }, now.into_std()) else { break };
            let slot = Slot { id, place, receipt: shared.ledger.receipts() };
            // Templates keep every field within its limits.
            let _ = shared.payload.submit_sm(slot, sequence_number, &mut self.scratch, &mut self.wire.out);
            shared.ledger.submitted(id, at);
            shared.counters.outstanding.fetch_add(1, Relaxed);
            shared.counters.submitted.fetch_add(1, Relaxed);
        }
        self.blocked = true;
        None
    }

    fn keep_alive(&mut self, now: Instant) {
        if now < self.next_enquire_link {
            return;
        }
        self.next_enquire_link = now + ENQUIRE_LINK;
        encode_request_header(CommandId::ENQUIRE_LINK, OWN_SEQUENCE_NUMBER, &mut self.wire.out);
        while let Some((_, submit)) = self.window.expired(now.into_std(), ANSWER_TIMEOUT) {
            self.shared.ledger.unknown(submit.id);
            self.shared.counters.outstanding.fetch_sub(1, Relaxed);
        }
    }
}
