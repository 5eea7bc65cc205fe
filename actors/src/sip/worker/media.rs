//! Descriptions of sessions on their way through a media node: what waits for the node, and what comes of it.
//!
//! The INVITE of an attempt waits here before it is written, since its node stands in the cookie; every other message
//! with a description waits as it came, and is taken up again with another body, as if it had come so. What comes
//! behind it in its dialog waits too, so that order is kept. Nothing waits for ever: a node that says nothing is silent
//! to this worker after a while, whatever its actor does.

mod release;
mod said;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use runtime::log::Reason;
use sip::proxy::{BranchId, Input as CallInput};
use sip::timer_wheel::TimerId;
use sip::{Edits, Message, Method, StatusCode};
use slotmap::Key;
use smallvec::SmallVec;
use uuid::Uuid;

use self::said::{Said, said};
use super::attempt::Chosen;
use super::call::Way;
use super::receive::{from_tag, to_tag};
use super::{Hand, ToMedia, Turn, Worker};
use crate::media::exchange::{Command, Patience};
use crate::media::pool::{Answer, Ticket};
use crate::sip::anchor::{self, Anchor, Description, Name, Profiles};
use crate::sip::dialog::{Dialog, End};
use crate::sip::flow::Flow;
use crate::sip::transactions::{CallId, MediaId, Owner, Wake};

/// After this time a node is taken for silent whatever its actor does: longer than that ever waits.
const GUARD: Duration = Duration::from_secs(2);

/// Messages of one dialog that wait for one that waits for a node; more are dropped, and come again.
const BEHIND_MAX: usize = 32;

/// What waits for a media node.
#[derive(Debug)]
pub(super) struct Pending {
    dialog: Uuid,
    node: u8,
    waits: Waits,
    timer: Option<TimerId>,
}

#[derive(Debug)]
enum Waits {
    /// The INVITE of an attempt.
    Attempt(Box<Offered>),
    /// A message of a dialog.
    Message(Box<(Flow, Message)>),
}

/// An attempt whose offer is with a node.
#[derive(Debug)]
struct Offered {
    call: CallId,
    branch: BranchId,
    chosen: Chosen,
    anchor: Anchor,
    /// Nodes that were asked before.
    refused: SmallVec<[u8; 4]>,
    /// What every node is asked.
    body: Bytes,
}

/// Whether a message that is being taken up has been at a media node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Described {
    /// It has not, as far as is known.
    #[default]
    Raw,
    /// Its description is that of the node.
    Anchored,
    /// The node is lost, and the description with it.
    Lost,
}

/// How an attempt goes on.
pub(super) enum Anchoring {
    /// Now, carried by this or by nobody.
    Goes(Chosen, Option<Anchor>),
    /// When its node has given an answer.
    Waits,
    /// Not at all: no node takes it.
    Refused(StatusCode),
}

impl Worker {
    /// Finds a node for an attempt, where its session is to be carried by one, and gives that the offer.
    pub(super) fn anchor(
        &mut self,
        id: CallId,
        branch: BranchId,
        chosen: Chosen,
        turn: &mut Turn<'_>,
    ) -> Anchoring {
        let Some(call) = self.calls.get(id) else { return Anchoring::Refused(super::FULL) };
        let dialog = call.dialog;
        let Some(setup) = call.setup.as_deref() else { return Anchoring::Refused(super::FULL) };
        let Way::Plan { plan, .. } = &setup.way else { return Anchoring::Goes(chosen, None) };
        let profiles = plan.hop(chosen.hop).zip(plan.trunk()).map(|((_, vendor, _), trunk)| Profiles {
            trunk: std::sync::Arc::clone(&trunk.media),
            vendor: std::sync::Arc::clone(&vendor.media),
        });
        let Some(profiles) = profiles.filter(|profiles| !self.media.is_empty() && !profiles.is_direct())
        else {
            return Anchoring::Goes(chosen, None);
        };
        let Some(node) = self.media.choose(dialog.as_u128(), &[], turn.now.instant) else {
            self.counters.media_refused.add(1);
            if let Some(call) = self.calls.get_mut(id) {
                call.hung_up.get_or_insert(Reason::MediaFailed);
            }
            return Anchoring::Refused(super::FULL);
        };
        let direction = plan.direction;
        let name = Name { owner: self.settings.node, dialog };
        let body = setup.request.sdp().map(|sdp| {
            anchor::offer(&Description {
                name,
                branch: &chosen.branch,
                offerer: from_tag(&setup.request).unwrap_or_default(),
                answerer: &[],
                sdp: sdp.octets,
                sender: profiles.of(End::Caller, direction),
                receiver: profiles.of(End::Callee, direction),
            })
        });
        let branch_name = Box::from(&chosen.branch[..]);
        let anchor = Anchor { node, owner: name.owner, branch: branch_name, profiles: Some(profiles) };
        // Who answers makes the offer then.
        let Some(body) = body else { return Anchoring::Goes(chosen, Some(anchor)) };
        let offered = Offered { call: id, branch, chosen, anchor, refused: SmallVec::new(), body };
        self.offer(dialog, Box::new(offered), turn);
        Anchoring::Waits
    }

    /// Gives an attempt's offer to its node: with little patience where another one could take it.
    fn offer(&mut self, dialog: Uuid, mut offered: Box<Offered>, turn: &mut Turn<'_>) {
        let node = offered.anchor.node;
        offered.refused.push(node);
        let other = self.media.choose(dialog.as_u128(), &offered.refused, turn.now.instant);
        let patience = if other.is_some() { Patience::BRIEF } else { Patience::PINNED };
        let body = offered.body.clone();
        self.ask((dialog, node), Waits::Attempt(offered), (body, patience), turn);
    }

    fn ask(
        &mut self,
        (dialog, node): (Uuid, u8),
        waits: Waits,
        (body, patience): (Bytes, Patience),
        turn: &mut Turn<'_>,
    ) {
        let id = self.pending.insert(Pending { dialog, node, waits, timer: None });
        let timer = self.transactions.arm_call(Wake::Media(id), turn.now.instant + GUARD);
        if let Some(pending) = self.pending.get_mut(id) {
            pending.timer = timer;
        }
        let ticket = Ticket::Worker(self.number, id.data().as_ffi());
        turn.out.media.push(ToMedia { node, command: Command { ticket, body, patience } });
    }

    /// A node has answered, or was silent.
    pub(super) fn media_answered(&mut self, answer: &Answer, turn: &mut Turn<'_>) {
        let id = slotmap::KeyData::from_ffi(answer.id).into();
        self.media_said(id, said(&answer.outcome), turn);
    }

    /// A node's actor has said nothing for too long.
    pub(super) fn media_late(&mut self, id: MediaId, turn: &mut Turn<'_>) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.timer = None;
        }
        self.media_said(id, Said::Elsewhere, turn);
    }

    fn media_said(&mut self, id: MediaId, said: Said, turn: &mut Turn<'_>) {
        let Some(Pending { dialog, node, waits, timer }) = self.pending.remove(id) else { return };
        if let Some(timer) = timer {
            self.transactions.disarm_call(timer);
        }
        match waits {
            Waits::Attempt(offered) => self.attempt_offered(dialog, offered, said, turn),
            Waits::Message(held) => {
                let (flow, message) = *held;
                let behind = self.held.remove(&dialog).unwrap_or_default();
                self.described((dialog, node), (flow, &message), said, turn);
                self.take_up(dialog, behind, turn);
            }
        }
    }

    fn attempt_offered(&mut self, dialog: Uuid, mut offered: Box<Offered>, said: Said, turn: &mut Turn<'_>) {
        let id = offered.call;
        let live = self.calls.get(id).filter(|call| !call.context.is_done() && call.setup.is_some());
        if live.is_none() {
            // It was over while its node was asked.
            self.give_up_at(dialog, id, &offered.anchor, turn);
            self.call_input(id, CallInput::NoVendor(super::FULL), Hand::default(), turn);
            return;
        }
        match said {
            Said::Sdp(sdp) => self.attempt_described(*offered, &sdp, turn),
            Said::Elsewhere => {
                self.counters.media_failovers.add(1);
                self.give_up_at(dialog, id, &offered.anchor, turn);
                match self.media.choose(dialog.as_u128(), &offered.refused, turn.now.instant) {
                    Some(node) => {
                        offered.anchor.node = node;
                        self.offer(dialog, offered, turn);
                    }
                    None => self.not_carried(id, super::FULL, turn),
                }
            }
            Said::Never(status) => {
                self.give_up_at(dialog, id, &offered.anchor, turn);
                self.not_carried(id, status, turn);
            }
        }
    }

    /// No node carries the call.
    fn not_carried(&mut self, id: CallId, status: StatusCode, turn: &mut Turn<'_>) {
        self.counters.media_refused.add(1);
        if let Some(call) = self.calls.get_mut(id).filter(|_| status == super::FULL) {
            call.hung_up.get_or_insert(Reason::MediaFailed);
        }
        self.call_input(id, CallInput::NoVendor(status), Hand::default(), turn);
    }

    /// The INVITE goes with the node's description, to this hop, or to the next where it cannot be written for this one.
    fn attempt_described(&mut self, offered: Offered, sdp: &[u8], turn: &mut Turn<'_>) {
        let Offered { call: id, branch, chosen, anchor, .. } = offered;
        let node = anchor.node;
        let request =
            self.calls.get(id).and_then(|call| call.setup.as_ref()).map(|setup| setup.request.clone());
        let request = request.and_then(|request| self.with_sdp(&request, sdp));
        let mut inputs = self.memory.inputs.pop().unwrap_or_default();
        let made = request
            .and_then(|request| self.compose(id, chosen, (Some(&request), Some(anchor.clone())), turn.now));
        match made {
            Some(made) => self.begin_attempt((id, branch), made, &mut inputs, turn),
            None => {
                self.give_up(id, Some(anchor), turn);
                self.next_of_plan(id, branch, &mut inputs, turn);
            }
        }
        self.delete_stale(id, node, turn);
        self.call_inputs(id, inputs, Hand::default(), turn);
    }

    /// A message with another description in the place of its own.
    fn with_sdp(&mut self, message: &Message, sdp: &[u8]) -> Option<Message> {
        let found = message.sdp()?;
        let mut edits = Edits::new(message);
        edits.replace_sdp(&found, sdp).ok()?;
        self.rewritten(&edits)
    }

    fn without_body(&mut self, message: &Message) -> Option<Message> {
        let mut edits = Edits::new(message);
        edits.set_body(b"", b"").ok()?;
        self.rewritten(&edits)
    }

    fn rewritten(&mut self, edits: &Edits<'_>) -> Option<Message> {
        let octets = self.written(|out| {
            edits.write(out);
            true
        })?;
        Message::parse_datagram(octets, &self.settings.limits).ok()
    }
}

/// Messages of dialogs.
impl Worker {
    /// Whether a response waits from now on: for its node, or behind another message that does.
    pub(super) fn response_waits(
        &mut self,
        owner: Owner,
        (message, flow): (&Message, Flow),
        status: StatusCode,
        turn: &mut Turn<'_>,
    ) -> bool {
        if self.media.is_empty() || turn.described != Described::Raw {
            return false;
        }
        let (dialog, end, found) = match owner {
            Owner::Branch(id, branch) => {
                let Some(call) = self.calls.get(id) else { return false };
                let attempt = call.attempts.get(branch.index());
                let own = attempt.and_then(|attempt| attempt.anchor.as_ref());
                let known = self.dialogs.get(&call.dialog).and_then(|dialog| dialog.media.as_ref());
                let anchor = if call.kind == super::call::Kind::Initial { own } else { known };
                (call.dialog, call.kind.sender(), anchor.cloned().map(|anchor| (anchor, call.offers)))
            }
            Owner::Relay(relay) => {
                let anchor = self.dialogs.get(&relay.dialog).and_then(|dialog| dialog.media.clone());
                // What it answers offered, or there would be no description in it.
                (relay.dialog, relay.from, anchor.map(|anchor| (anchor, true)))
            }
            Owner::Nobody
            | Owner::Caller(_)
            | Owner::Sender(_)
            | Owner::Probe(_)
            | Owner::Bye(_)
            | Owner::Alive(..) => return false,
        };
        let Some((anchor, answers)) = found else { return false };
        if self.waits_behind(dialog, (message, flow)) {
            return true;
        }
        let described = status != StatusCode::TRYING && (status.is_provisional() || status.is_success());
        if !described || message.sdp().is_none() {
            return false;
        }
        let role = if answers { Role::Answer } else { Role::Offer };
        self.describe((dialog, end.other()), (&anchor, role), (message, flow), turn)
    }

    /// The same of a request within a dialog.
    pub(super) fn request_waits(
        &mut self,
        (dialog, from): (Uuid, End),
        method: Method,
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        if self.media.is_empty() || turn.described != Described::Raw {
            return false;
        }
        let Some(known) = self.dialogs.get(&dialog) else { return false };
        let (anchor, offered_by) = (known.media.clone(), known.offered_by);
        let Some(anchor) = anchor else { return false };
        if self.waits_behind(dialog, (message, flow)) {
            return true;
        }
        if message.sdp().is_none() {
            return false;
        }
        let may_answer = matches!(method, Method::Ack | Method::Prack);
        let role = if may_answer && offered_by == Some(from.other()) {
            Role::Answer
        } else if method == Method::Ack {
            // What it could be an answer to has had one.
            return false;
        } else {
            Role::Offer
        };
        self.describe((dialog, from), (&anchor, role), (message, flow), turn)
    }

    /// Puts a message behind another one of its dialog that waits.
    fn waits_behind(&mut self, dialog: Uuid, (message, flow): (&Message, Flow)) -> bool {
        let Some(behind) = self.held.get_mut(&dialog) else { return false };
        if behind.len() < BEHIND_MAX {
            behind.push_back((flow, message.clone()));
        }
        true
    }

    /// Gives a message's description to the node of its call; false when there is none to give.
    fn describe(
        &mut self,
        (id, from): (Uuid, End),
        (anchor, role): (&Anchor, Role),
        (message, flow): (&Message, Flow),
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(sdp) = message.sdp() else { return false };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        let direction = dialog.direction;
        // In a request as in a response to it: the caller's tag is that of who sent the first INVITE.
        let (own, other) = tags(message, (dialog, from));
        let (offerer, answerer) = if role == Role::Offer { (own, other) } else { (other, own) };
        dialog.offered_by = (role == Role::Offer).then_some(from);
        let (trunk, vendor) = (dialog.trunk, dialog.vendor);
        let profiles = anchor.profiles.clone().or_else(|| self.profiles_of(trunk, vendor));
        let Some(profiles) = profiles else { return false };
        let description = Description {
            name: Name { owner: anchor.owner, dialog: id },
            branch: &anchor.branch,
            offerer,
            answerer,
            sdp: sdp.octets,
            sender: profiles.of(from, direction),
            receiver: profiles.of(from.other(), direction),
        };
        let body = match role {
            Role::Offer => anchor::offer(&description),
            Role::Answer => anchor::answer(&description),
        };
        self.held.insert(id, VecDeque::new());
        let waits = Waits::Message(Box::new((flow, message.clone())));
        self.ask((id, anchor.node), waits, (body, Patience::PINNED), turn);
        true
    }

    /// Of a call of an earlier process.
    fn profiles_of(&self, trunk: u32, vendor: u32) -> Option<Profiles> {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|known| known.config.number == trunk)?;
        let vendor = snapshot.vendors.iter().find(|known| known.config.number == vendor)?;
        Some(Profiles {
            trunk: std::sync::Arc::clone(&trunk.media),
            vendor: std::sync::Arc::clone(&vendor.media),
        })
    }

    /// A message goes on with what its node made of it.
    fn described(
        &mut self,
        (dialog, node): (Uuid, u8),
        (flow, message): (Flow, &Message),
        said: Said,
        turn: &mut Turn<'_>,
    ) {
        if let Said::Sdp(sdp) = &said
            && let Some(described) = self.with_sdp(message, sdp)
        {
            self.go_on((flow, &described), Described::Anchored, turn);
            return;
        }
        self.counters.media_lost.add(1);
        tracing::debug!(%dialog, node, "the media node of a call does not take a description");
        let asks = message.is_request() && message.method() != Some(Method::Ack);
        match said {
            // Its sender may offer something else, and the call goes on as it was.
            Said::Never(status) if asks => {
                self.reply_statelessly(message, flow, (status, None), turn);
                return;
            }
            Said::Sdp(_) | Said::Elsewhere if asks => {
                self.reply_statelessly(message, flow, (super::FULL, None), turn);
                return;
            }
            Said::Sdp(_) | Said::Elsewhere | Said::Never(_) => {}
        }
        // No description is better than one that leads past the node.
        if let Some(bare) = self.without_body(message) {
            self.go_on((flow, &bare), Described::Lost, turn);
        }
        let early = message.status_code().is_some_and(|status| status < 200);
        let confirmed = self.dialogs.get(&dialog).is_some_and(|dialog| dialog.confirmed);
        if confirmed && !early {
            self.end_call(dialog, (Reason::MediaFailed, turn.now), turn);
        }
    }

    fn go_on(&mut self, (flow, message): (Flow, &Message), described: Described, turn: &mut Turn<'_>) {
        turn.described = described;
        self.take(message, flow, turn);
        turn.described = Described::Raw;
    }

    /// What came behind a message that waited, in its order, until one of them waits itself.
    fn take_up(&mut self, dialog: Uuid, mut behind: VecDeque<(Flow, Message)>, turn: &mut Turn<'_>) {
        while let Some((flow, message)) = behind.pop_front() {
            self.take(&message, flow, turn);
            if let Some(waiting) = self.held.get_mut(&dialog) {
                waiting.append(&mut behind);
            }
        }
    }
}

/// What a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Offer,
    Answer,
}

/// The tag of the side that a message comes from, and that of the other one, as the message has them.
fn tags<'m>(message: &'m Message, (dialog, from): (&Dialog, End)) -> (&'m [u8], &'m [u8]) {
    let (first, second) = (from_tag(message).unwrap_or_default(), to_tag(message).unwrap_or_default());
    // From is who sent the request, whichever way it goes.
    let caller_first = first == dialog.caller.tag();
    if (from == End::Caller) == caller_first { (first, second) } else { (second, first) }
}
