//! Descriptions of sessions on their way through a media node: what waits for the node, and what comes of it.
//!
//! The INVITE of an attempt waits here before it is written, since its node stands in the cookie; every other message
//! with a description waits as it came, and is taken up again with another body, as if it had come so. What comes
//! behind it in its dialog waits too, so that order is kept. Nothing waits for ever: a node that says nothing is silent
//! to this worker after a while, whatever its actor does.

mod direct;
mod late;
mod release;
mod said;
mod within;

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

use self::late::Free;
pub(super) use self::late::Late;
use self::said::{Said, said};
pub(super) use self::within::{Role, Subject, may_describe};
use super::attempt::{Body, Chosen};
use super::call::{Call, Way};
use super::receive::from_tag;
use super::{Hand, ToMedia, Turn, Worker};
use crate::media::exchange::{Command, Patience};
use crate::media::pool::{Answer, Ticket, Waiter};
use crate::sip::anchor::{self, Anchor, Description, Name, Profiles};
use crate::sip::dialog::End;
use crate::sip::flow::Flow;
use crate::sip::transactions::{CallId, MediaId, Wake};

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
    Message(Box<Waiting>),
}

/// A message that waits for its node.
#[derive(Debug)]
struct Waiting {
    flow: Flow,
    message: Message,
    /// It is an answer that was passed on before.
    again: bool,
    /// Of a description that any node may take: what the next one is asked.
    free: Option<Free>,
}

/// A message of a dialog that waits for a node, and what waits behind it.
#[derive(Debug)]
pub(super) struct Held {
    first: Bytes,
    behind: VecDeque<(Flow, Message)>,
    /// That of the next attempt, which its node is not given yet.
    offer: Option<Box<Offered>>,
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
    /// Its description is that of the node; where none carries the call, it has the codecs that it may have.
    Anchored,
    /// The node is lost, and the description with it.
    Lost,
}

/// How an attempt goes on.
pub(super) enum Anchoring {
    /// Now, carried by this or by nobody.
    Goes(Chosen, Option<Anchor>),
    /// Now, carried by nobody, with other codecs.
    Filtered(Chosen, Box<Message>),
    /// Not to this hop, which takes none of the codecs.
    Unfit,
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
        let between = plan.trunk().zip(plan.hop(chosen.hop));
        let Some((trunk, (_, vendor, _))) = between else { return Anchoring::Goes(chosen, None) };
        let profiles = Profiles::between(trunk, vendor);
        if self.media.is_empty() || profiles.is_direct() {
            return self.past_nodes(id, chosen, &profiles);
        }
        let found = match within::found(&setup.request, &profiles) {
            Ok(found) => found,
            Err(status) => return Anchoring::Refused(status),
        };
        let Some(node) = self.media.choose(dialog.as_u128(), &[], turn.now.instant) else {
            self.counters.media_refused.add(1);
            self.fails_for_media(id);
            return Anchoring::Refused(super::FULL);
        };
        let direction = plan.direction;
        let name = Name { owner: self.settings.node, dialog };
        let body = found.map(|sdp| {
            anchor::offer(&Description {
                name,
                branch: &chosen.branch,
                offers: End::Caller,
                offerer: from_tag(&setup.request).unwrap_or_default(),
                answerer: None,
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
        // Behind an answer of an attempt that is tried beside it, or was before, it would take the caller away from who
        // answers, and give it back to nobody when it is deleted.
        if let Some(held) = self.held.get_mut(&dialog) {
            held.offer = Some(offered);
            return;
        }
        let node = offered.anchor.node;
        offered.refused.push(node);
        let patience = self.patience(&offered.refused);
        let body = offered.body.clone();
        self.ask((dialog, node), Waits::Attempt(offered), (body, patience), turn);
    }

    /// How long the last of these is waited for, of what the next one would take.
    fn patience(&self, asked: &[u8]) -> Patience {
        if self.media.has_more(asked) { Patience::BRIEF } else { Patience::PINNED }
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
        let waiter = Waiter { worker: self.number, incarnation: self.incarnation, id: id.data().as_ffi() };
        let ticket = Ticket::Worker(waiter);
        turn.out.media.push(ToMedia { node, command: Command { ticket, body, patience } });
    }

    /// A node has answered, or was silent.
    pub(super) fn media_answered(&mut self, answer: &Answer, turn: &mut Turn<'_>) {
        // What an earlier incarnation asked is nobody's.
        if answer.waiter.incarnation != self.incarnation {
            return;
        }
        let said = said(&answer.outcome);
        if let Said::Elsewhere(Some(shortage)) = said
            && let Some(node) = self.media.node(answer.node)
            && node.health.short(shortage, turn.now.instant)
        {
            let (node, why) = (&node.name, shortage.name());
            tracing::warn!(node, why, "an RTPEngine node takes no calls for now, they take the others");
        }
        self.media_said(slotmap::KeyData::from_ffi(answer.waiter.id).into(), said, turn);
    }

    /// A node's actor has said nothing for too long.
    pub(super) fn media_late(&mut self, id: MediaId, turn: &mut Turn<'_>) {
        let Some(pending) = self.pending.get_mut(id) else { return };
        pending.timer = None;
        let now = turn.now.instant;
        if let Some(node) = self.media.node(pending.node) {
            node.health.silent(now.checked_sub(GUARD).unwrap_or(now), now);
        }
        self.media_said(id, Said::Elsewhere(None), turn);
    }

    fn media_said(&mut self, id: MediaId, said: Said, turn: &mut Turn<'_>) {
        let Some(Pending { dialog, node, waits, timer }) = self.pending.remove(id) else { return };
        if let Some(timer) = timer {
            self.transactions.disarm_call(timer);
        }
        match waits {
            Waits::Attempt(offered) => self.attempt_offered(dialog, offered, said, turn),
            Waits::Message(waiting) => {
                if let Some(waiting) = self.unless_free(dialog, waiting, &said, turn) {
                    self.message_said((dialog, node), *waiting, said, turn);
                }
            }
        }
    }

    /// What a node said of a message is the last word.
    fn message_said(
        &mut self,
        (dialog, node): (Uuid, u8),
        waiting: Waiting,
        said: Said,
        turn: &mut Turn<'_>,
    ) {
        let Waiting { flow, message, again, .. } = waiting;
        let held = self.held.remove(&dialog);
        let (behind, offer) = held.map(|held| (held.behind, held.offer)).unwrap_or_default();
        // A copy of what was passed on fails nothing.
        if !again || matches!(said, Said::Sdp(_)) {
            self.described((dialog, node), (flow, &message), said, turn);
        }
        self.take_up(dialog, behind, turn);
        match offer {
            Some(offered) if self.has_use_for_more(offered.call) => self.offer(dialog, offered, turn),
            Some(offered) => self.attempt_too_late(offered.call, turn),
            None => {}
        }
    }

    /// Whether a call has any use of a further attempt.
    fn has_use_for_more(&self, id: CallId) -> bool {
        self.calls.get(id).is_some_and(|call| !call.context.is_closed() && call.setup.is_some())
    }

    /// A call was over while an attempt waited for a node.
    fn attempt_too_late(&mut self, id: CallId, turn: &mut Turn<'_>) {
        self.call_input(id, CallInput::NoVendor(super::FULL), Hand::default(), turn);
    }

    fn attempt_offered(&mut self, dialog: Uuid, mut offered: Box<Offered>, said: Said, turn: &mut Turn<'_>) {
        let id = offered.call;
        if !self.has_use_for_more(id) {
            Self::give_up_at(dialog, &offered.anchor, turn);
            self.attempt_too_late(id, turn);
            return;
        }
        match said {
            Said::Sdp(sdp) => self.attempt_described(*offered, &sdp, turn),
            Said::Elsewhere(_) => {
                self.counters.media_failovers.add(1);
                Self::give_up_at(dialog, &offered.anchor, turn);
                match self.media.choose(dialog.as_u128(), &offered.refused, turn.now.instant) {
                    Some(node) => {
                        offered.anchor.node = node;
                        self.offer(dialog, offered, turn);
                    }
                    None => self.not_carried(id, super::FULL, turn),
                }
            }
            Said::Never(status) => {
                Self::give_up_at(dialog, &offered.anchor, turn);
                self.not_carried(id, status, turn);
            }
        }
    }

    /// No node carries the call.
    fn not_carried(&mut self, id: CallId, status: StatusCode, turn: &mut Turn<'_>) {
        self.counters.media_refused.add(1);
        if status == super::FULL {
            self.fails_for_media(id);
        }
        self.call_input(id, CallInput::NoVendor(status), Hand::default(), turn);
    }

    /// A call comes to its end because no node takes it; not where attempts that have one are tried beside the one that
    /// has none.
    fn fails_for_media(&mut self, id: CallId) {
        let beside = |call: &Call| call.context.is_opening() && !call.attempts.is_empty();
        if let Some(call) = self.calls.get_mut(id).filter(|call| !beside(call)) {
            call.hung_up.get_or_insert(Reason::MediaFailed);
        }
    }

    /// The INVITE goes with the node's description, to this hop, or to the next where it cannot be written for this one.
    fn attempt_described(&mut self, offered: Offered, sdp: &[u8], turn: &mut Turn<'_>) {
        let Offered { call: id, branch, chosen, anchor, .. } = offered;
        let node = anchor.node;
        let mut inputs = self.memory.inputs.pop().unwrap_or_default();
        match self.compose(id, chosen, (Body::Described(sdp), Some(anchor.clone())), turn.now) {
            Some(made) => self.begin_attempt((id, branch), made, &mut inputs, turn),
            None => {
                self.give_up(id, Some(anchor), turn);
                self.next_of_plan(id, branch, &mut inputs, turn);
            }
        }
        self.delete_stale(id, Some(node), turn);
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

/// What comes of messages of dialogs.
impl Worker {
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
            Said::Sdp(_) | Said::Elsewhere(_) if asks => {
                self.reply_statelessly(message, flow, (super::FULL, None), turn);
                return;
            }
            Said::Sdp(_) | Said::Elsewhere(_) | Said::Never(_) => {}
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
                waiting.behind.append(&mut behind);
            }
        }
    }
}
