//! One connection to a simulated SMSC: a single task that reads a batch, answers what is due, writes a batch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::pdu::{Bind, BindMode, BindResp, encode_resp_header};
use smpp::window::Window;
use smpp::{CommandId, CommandStatus, Frame, Tlvs};
use tokio::time::Instant;

use super::Shared;
use super::outbox::Outbox;
use super::receipt::{Receipt, Scratch};
use crate::wall::{self, Minute};
use crate::wire::Wire;

mod deliver;
mod submit;

/// How long a peer may take to close after the SMSC did.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

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
    /// When the current second began, and the submit_sm in it.
    second: (Instant, u64),
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
            second: (Instant::now(), 0),
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
        // A full window waits for deliver_sm_resp only, and so never wakes itself through the outbox.
        let listening = notified.filter(|_| self.outstanding.free() > 0);
        let woken = async {
            match listening {
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

    fn respond(&mut self, command_id: CommandId, status: CommandStatus, sequence_number: u32) {
        encode_resp_header(command_id, status, sequence_number, &mut self.wire.out);
    }
}
