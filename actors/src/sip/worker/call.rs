//! An INVITE on its way: its response context, its attempts, and what the context wants done.

use std::collections::VecDeque;

use bytes::Bytes;
use runtime::log::{Attested, Reason};
use sip::proxy::{self, BranchId, Context, Input, ProxyTimer, Step};
use sip::timer_wheel::TimerId;
use sip::transaction::Event;
use sip::{Message, StatusCode};
use smallvec::SmallVec;
use uuid::Uuid;

use super::challenged::is_challenge;
use super::hide::Back;
use super::media::Late;
use super::passport::Identified;
use super::{Hand, TAG_LEN, Turn, Worker, perform};
use crate::sip::anchor::Anchor;
use crate::sip::dialog::End;
use crate::sip::event::{CallEvent, Ended, What};
use crate::sip::flow::Flow;
use crate::sip::live_call::outcome;
use crate::sip::routing::Plan;
use crate::sip::transactions::{CallId, Now, TransactionId, Wake};
use crate::sip::usage::Channel;

/// An INVITE from its arrival to the end of its last transaction.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) context: Context,
    pub(super) options: proxy::Options,
    pub(super) server: TransactionId,
    pub(super) dialog: Uuid,
    pub(super) kind: Kind,
    /// What is needed until the final response went to the caller.
    pub(super) setup: Option<Box<Setup>>,
    pub(super) attempts: SmallVec<[Attempt; 1]>,
    /// Why we ended it ourselves.
    pub(super) hung_up: Option<Reason>,
    /// Whether the INVITE describes a session; else who answers does.
    pub(super) offers: bool,
    /// Its number, as its sender has it.
    pub(super) number: Option<u32>,
    /// Those that are armed: two of each branch that is tried.
    timers: SmallVec<[(ProxyTimer, BranchId, TimerId); 2]>,
}

/// What the INVITE is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new call.
    Initial,
    /// A dialog that is up, by this side.
    Refresh(End),
}

impl Kind {
    /// Who sent it.
    pub(super) const fn sender(self) -> End {
        match self {
            Self::Initial => End::Caller,
            Self::Refresh(end) => end,
        }
    }
}

/// What is needed until the caller has a final response.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) request: Message,
    pub(super) source: Flow,
    pub(super) tag: [u8; TAG_LEN],
    /// The best response so far, which may yet be forwarded.
    kept: Option<(BranchId, Message)>,
    pub(super) way: Way,
    /// Whether any attempt was made.
    pub(super) tried: bool,
    /// Whether TCP was tried for a request that is large for UDP, and was not there.
    pub(super) tcp_failed: bool,
    /// What the caller is told when the plan has no attempt left and none was made.
    pub(super) none_left: StatusCode,
    /// Whether a hop has none of the codecs that are offered, and whether one was passed over that might have had them.
    pub(super) unfit: bool,
    pub(super) passed_over: bool,
    /// Attempts that came to nothing, and are still to be deleted at their media nodes.
    pub(super) stale: SmallVec<[Anchor; 1]>,
    /// What is known of who calls.
    pub(super) identified: Identified,
}

/// Where the attempts go.
#[derive(Debug)]
pub(super) enum Way {
    /// To vendors or gateways in turn; the number of the next.
    Plan { plan: Plan, next: usize },
    /// Within a dialog: the other side.
    Dialog { octets: Bytes, flow: Flow, branch: [u8; crate::sip::branch::LEN], session: Option<u32> },
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) transaction: Option<TransactionId>,
    /// Its place in the plan.
    pub(super) hop: usize,
    pub(super) flow: Flow,
    /// The number of the vendor that it goes to; `None` of one to a trunk, or within a dialog.
    pub(super) vendor: Option<u32>,
    pub(super) callee: String,
    pub(super) started: Now,
    pub(super) ringing: Option<Now>,
    pub(super) channel: Option<Channel>,
    /// Whether it went by TCP because it was large for UDP.
    pub(super) moved_to_tcp: bool,
    /// Seconds that the sender is told to refresh the call within, where the answer says nothing (RFC 4028 8.2).
    pub(super) session: Option<u32>,
    /// What carries its sound.
    pub(super) anchor: Option<Anchor>,
    /// Of one that is carried by a media node, and whose INVITE had no offer.
    pub(super) late: Option<Late>,
    /// Whether what follows its answer goes to where it went, whatever the answer says.
    pub(super) pinned: bool,
    /// The challenge that it came to, and that was not answered.
    pub(super) challenged: Option<StatusCode>,
    /// How much is said of the caller, where it is signed.
    pub(super) signed: Option<Attested>,
    /// Whether the record of it was given.
    pub(super) told: bool,
    /// To tags of 2xx that were ended at the vendor.
    pub(super) ended: Vec<Vec<u8>>,
}

impl Call {
    /// Begins with the context's first step in `steps`.
    pub(super) fn new(
        (dialog, kind): (Uuid, Kind),
        server: TransactionId,
        options: proxy::Options,
        setup: Setup,
        steps: &mut Vec<Step>,
    ) -> Self {
        let wave = match &setup.way {
            Way::Plan { plan, .. } => plan.wave,
            Way::Dialog { .. } => 1,
        };
        let context = Context::start(wave, steps);
        let offers = setup.request.sdp().is_some();
        let number = perform::cseq(&setup.request);
        let setup = Some(Box::new(setup));
        Self {
            context,
            options,
            server,
            dialog,
            kind,
            setup,
            attempts: SmallVec::new(),
            hung_up: None,
            offers,
            number,
            timers: SmallVec::new(),
        }
    }

    /// A timer of a branch is no longer armed.
    pub(super) fn fired(&mut self, timer: ProxyTimer, branch: BranchId) {
        self.timers.retain(|(armed, of, _)| (*armed, *of) != (timer, branch));
    }
}

impl Setup {
    pub(super) fn new(request: Message, source: Flow, tag: [u8; TAG_LEN], way: Way) -> Self {
        let none_left = StatusCode::SERVICE_UNAVAILABLE;
        Self {
            request,
            source,
            tag,
            kept: None,
            way,
            tried: false,
            tcp_failed: false,
            none_left,
            unfit: false,
            passed_over: false,
            stale: SmallVec::new(),
            identified: Identified::default(),
        }
    }

    /// What the caller is told when no attempt is left. Its offer is to blame only where that is so at every hop.
    pub(super) const fn none_left(&self) -> StatusCode {
        if self.unfit && !self.passed_over { StatusCode::NOT_ACCEPTABLE_HERE } else { self.none_left }
    }
}

impl Attempt {
    pub(super) const fn new(hop: usize, flow: Flow, started: Now) -> Self {
        Self {
            transaction: None,
            hop,
            flow,
            vendor: None,
            callee: String::new(),
            started,
            ringing: None,
            channel: None,
            moved_to_tcp: false,
            session: None,
            anchor: None,
            late: None,
            pinned: false,
            challenged: None,
            signed: None,
            told: false,
            ended: Vec::new(),
        }
    }
}

impl Worker {
    /// Gives an input to a call, and what comes of it, until nothing more comes.
    pub(super) fn call_input(&mut self, id: CallId, input: Input, hand: Hand<'_>, turn: &mut Turn<'_>) {
        let mut inputs = self.memory.inputs.pop().unwrap_or_default();
        inputs.push_back(input);
        self.call_inputs(id, inputs, hand, turn);
    }

    /// Does a new call's first steps, and what comes of them.
    pub(super) fn begin_steps(&mut self, id: CallId, steps: Vec<Step>, turn: &mut Turn<'_>) {
        let mut inputs = self.memory.inputs.pop().unwrap_or_default();
        self.steps(id, (steps, &mut inputs), Hand::default(), turn);
        self.call_inputs(id, inputs, Hand::default(), turn);
    }

    pub(super) fn call_inputs(
        &mut self,
        id: CallId,
        mut inputs: VecDeque<Input>,
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        while let Some(input) = inputs.pop_front() {
            let Some(call) = self.calls.get_mut(id) else { break };
            let mut steps = self.memory.steps.pop().unwrap_or_default();
            let before = call.context.is_done();
            call.context.handle(input, &call.options, &mut steps);
            self.note(id, input, &steps, turn);
            self.note_rest(id, before, turn);
            self.steps(id, (steps, &mut inputs), hand, turn);
            self.settle(id, before);
        }
        inputs.clear();
        self.memory.inputs.push(inputs);
    }

    /// Does what a call's context wants, in its order.
    fn steps(
        &mut self,
        id: CallId,
        (mut steps, inputs): (Vec<Step>, &mut VecDeque<Input>),
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        for step in steps.drain(..) {
            match step {
                Step::NextVendor(branch) => self.next_vendor(id, branch, inputs, turn),
                Step::Forward(branch, status) => self.forward_response(id, (branch, status), hand, turn),
                Step::Keep(branch) => self.keep(id, branch, hand),
                Step::ForwardKept(branch, status) => self.forward_kept(id, branch, status, turn),
                Step::Respond(status) => self.respond_to_caller(id, status, turn),
                Step::Cancel(branch) => {
                    let attempt = self.calls.get(id).and_then(|call| call.attempts.get(branch.index()));
                    if let Some(transaction) = attempt.and_then(|attempt| attempt.transaction) {
                        self.advance(transaction, Event::Cancel, Hand::default(), turn);
                    }
                }
                Step::EndAtVendor(branch) => self.end_at_vendor(id, branch, hand, turn),
                Step::Arm(timer, branch, after) => {
                    let armed =
                        self.transactions.arm_call(Wake::Call(id, timer, branch), turn.now.instant + after);
                    if armed.is_none() {
                        inputs.push_back(Input::Timer(timer, branch));
                    }
                    self.disarm(id, timer, Some(branch));
                    if let Some((call, armed)) = self.calls.get_mut(id).zip(armed) {
                        call.timers.push((timer, branch, armed));
                    }
                }
                Step::Disarm(timer) => self.disarm(id, timer, None),
                Step::DisarmOf(timer, branch) => self.disarm(id, timer, Some(branch)),
                Step::Finished => {
                    self.calls.remove(id);
                }
            }
        }
        self.memory.steps.push(steps);
    }

    /// Disarms a timer of this branch, or of whichever has it.
    fn disarm(&mut self, id: CallId, timer: ProxyTimer, branch: Option<BranchId>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let transactions = &mut self.transactions;
        call.timers.retain(|(armed, of, before)| {
            let goes = *armed == timer && branch.is_none_or(|branch| branch == *of);
            if goes {
                transactions.disarm_call(*before);
            }
            !goes
        });
    }

    /// Once the caller has a final response, what was needed for it goes: a call's tail lasts half a minute.
    fn settle(&mut self, id: CallId, before: bool) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.context.is_done() && !before {
            call.setup = None;
        }
    }

    /// A challenge that is not answered is a failure of who has challenged: nobody behind us has credentials for it, and
    /// who is asked for them by us shall not answer a stranger.
    pub(super) fn as_failure(&mut self, id: CallId, branch: BranchId, status: StatusCode) -> StatusCode {
        if !is_challenge(status) {
            return status;
        }
        let attempt = self.calls.get_mut(id).and_then(|call| call.attempts.get_mut(branch.index()));
        if let Some(attempt) = attempt {
            attempt.challenged = Some(status);
        }
        StatusCode::SERVER_INTERNAL_ERROR
    }

    fn keep(&mut self, id: CallId, branch: BranchId, hand: Hand<'_>) {
        let Some((message, _)) = hand.message else { return };
        if message.status_code().and_then(StatusCode::new).is_some_and(is_challenge) {
            return;
        }
        let Some(setup) = self.calls.get_mut(id).and_then(|call| call.setup.as_mut()) else { return };
        setup.kept = Some((branch, message.clone()));
    }

    /// The best response goes to the caller.
    fn forward_kept(&mut self, id: CallId, branch: BranchId, status: StatusCode, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let (server, dialog, from, number) = (call.server, call.dialog, call.kind.sender(), call.number);
        let initial = call.kind == Kind::Initial;
        let kept = call.setup.as_mut().and_then(|setup| setup.kept.take());
        let Some((_, best)) = kept.filter(|(kept, _)| *kept == branch) else {
            self.respond_to_caller(id, status, turn);
            return;
        };
        let back = Back { dialog, from, server, number, initial, carried: None };
        if let Some(octets) = self.response_back(&best, back, |_| Some(())) {
            let cause = perform::q850_cause(&best);
            self.failed(id, (status, true), cause, turn);
            self.respond(server, status, &octets, turn);
        } else {
            self.respond_to_caller(id, StatusCode::BAD_GATEWAY, turn);
        }
    }

    /// A final response of our own.
    pub(super) fn respond_to_caller(&mut self, id: CallId, status: StatusCode, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get(id) else { return };
        let Some(setup) = call.setup.as_ref() else { return };
        let (request, source, tag, server) = (setup.request.clone(), setup.source, setup.tag, call.server);
        // It stands for the best of theirs.
        let cause = setup.kept.as_ref().and_then(|(_, kept)| perform::q850_cause(kept));
        self.failed(id, (status, false), cause, turn);
        if let Some(octets) = self.own_response(&request, source, (status, None), &tag) {
            self.respond(server, status, &octets, turn);
        }
    }

    /// A call that never came up is over.
    fn failed(
        &mut self,
        id: CallId,
        (status, received): (StatusCode, bool),
        q850_cause: Option<u8>,
        turn: &mut Turn<'_>,
    ) {
        let Some(call) = self.calls.get(id).filter(|call| call.kind == Kind::Initial) else { return };
        let dialog = call.dialog;
        let by = match status {
            StatusCode::REQUEST_TERMINATED => Some(End::Caller),
            _ => received.then_some(End::Callee),
        };
        let gone = self.dialogs.remove(&dialog);
        let retransmissions = gone.map(|dialog| dialog.repeats);
        // The last word is the last vendor's, or nobody was asked for want of room.
        let full = call.attempts.is_empty() && status == super::FULL;
        let reason = if full { Reason::Capacity } else { outcome(status.as_u16(), received) };
        let ended = match call.hung_up {
            Some(reason) => Ended::new(status, reason, None),
            None => Ended::new(status, reason, by),
        };
        let identity = call.setup.as_ref().map(|setup| setup.identified.noted).unwrap_or_default();
        let ended = Ended { retransmissions, q850_cause, identity, ..ended };
        turn.out.events.push(CallEvent { dialog, at: turn.now, what: What::Ended(ended) });
        self.release_all(id, turn);
    }
}
