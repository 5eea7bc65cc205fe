//! INVITEs without an offer: who answers makes it, and until then no media node has anything of the session. The first
//! that is asked about it is lost like one that is asked about an INVITE's offer: where it is silent, full, overloaded or
//! gone, the next one is asked.
//!
//! The cookie of such an INVITE names a node all the same. Where another one takes the session, responses give the caller a
//! cookie with that one. The callee keeps the first: what is known of the dialog, here and in its record, stands above any
//! cookie, and who has no more than that finds the call by asking all nodes to delete it.

use bytes::Bytes;
use sip::proxy::BranchId;
use smallvec::{SmallVec, smallvec};
use uuid::Uuid;

use super::said::Said;
use super::{Waiting, Waits};
use crate::media::exchange::Patience;
use crate::sip::transactions::{CallId, Owner};
use crate::sip::worker::attempt::Body;
use crate::sip::worker::call::{Attempt, Kind};
use crate::sip::worker::{Turn, Worker};

/// What is known of an INVITE that went without an offer, and that a media node is to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip::worker) struct Late {
    /// The node that its cookie names.
    named: u8,
    /// Whether no node has any description of it.
    is_free: bool,
}

/// The attempt that a description is of.
pub(in crate::sip::worker) type Of = (CallId, BranchId);

/// A description that any node may take.
#[derive(Debug)]
pub(super) struct Free {
    of: Of,
    /// Nodes that were asked.
    refused: SmallVec<[u8; 4]>,
    /// What every node is asked.
    body: Bytes,
}

impl Late {
    /// Of an INVITE with this body and this node in its cookie.
    pub(in crate::sip::worker) const fn of(body: Body<'_>, node: u8) -> Option<Self> {
        // One with an offer has the description that its node made of it.
        if matches!(body, Body::Own) && node != 0 { Some(Self { named: node, is_free: true }) } else { None }
    }
}

impl Attempt {
    /// The media node that carries it, where its INVITE names another one.
    pub(in crate::sip::worker) fn carried_elsewhere(&self) -> Option<u8> {
        let (late, anchor) = (self.late?, self.anchor.as_ref()?);
        (late.named != anchor.node).then_some(anchor.node)
    }
}

impl Worker {
    /// The attempt of which a response has the first description, if it has one.
    pub(super) fn free_attempt(&self, owner: Owner) -> Option<Of> {
        let Owner::Branch(id, branch) = owner else { return None };
        let call = self.calls.get(id).filter(|call| call.kind == Kind::Initial)?;
        let late = call.attempts.get(branch.index())?.late?;
        late.is_free.then_some((id, branch))
    }

    /// The node that is asked about a first description: that of the INVITE, or another one where that takes no calls by
    /// now.
    pub(super) fn node_by_now(&mut self, (dialog, of): (Uuid, Of), node: u8, turn: &mut Turn<'_>) -> u8 {
        let now = turn.now.instant;
        if self.media.has_room(node, now) {
            return node;
        }
        let other = self.media.choose(dialog.as_u128(), &[], now).filter(|other| *other != node);
        other.filter(|other| self.moves((dialog, of), *other, turn)).unwrap_or(node)
    }

    /// What the next node is asked where this one does not take a first description, and how long this one is waited for.
    pub(super) fn free(&self, of: Option<Of>, node: u8, body: &Bytes) -> (Option<Free>, Patience) {
        let Some(of) = of else { return (None, Patience::PINNED) };
        let free = Free { of, refused: smallvec![node], body: body.clone() };
        let patience = self.patience(&free.refused);
        (Some(free), patience)
    }

    /// Gives back what waits, of which a node's word is the last: another one is asked where that did not take a first
    /// description.
    pub(super) fn unless_free(
        &mut self,
        dialog: Uuid,
        mut waiting: Box<Waiting>,
        said: &Said,
        turn: &mut Turn<'_>,
    ) -> Option<Box<Waiting>> {
        let Some(mut free) = waiting.free.take() else { return Some(waiting) };
        match said {
            Said::Sdp(_) => self.is_taken(free.of),
            Said::Never(_) => {}
            Said::Elsewhere(_) => {
                let node = self.media.choose(dialog.as_u128(), &free.refused, turn.now.instant);
                let node = node.filter(|_| self.has_use_for_more(free.of.0));
                if let Some(node) = node.filter(|node| self.moves((dialog, free.of), *node, turn)) {
                    free.refused.push(node);
                    let (body, patience) = (free.body.clone(), self.patience(&free.refused));
                    waiting.free = Some(free);
                    self.ask((dialog, node), Waits::Message(waiting), (body, patience), turn);
                    return None;
                }
            }
        }
        Some(waiting)
    }

    /// A node has a description of an attempt: no other one may take what follows.
    fn is_taken(&mut self, (id, branch): Of) {
        let attempt = self.calls.get_mut(id).and_then(|call| call.attempts.get_mut(branch.index()));
        if let Some(late) = attempt.and_then(|attempt| attempt.late.as_mut()) {
            late.is_free = false;
        }
    }

    /// Another node carries an attempt from now on, as far as is known here. False where there is no such attempt.
    fn moves(&mut self, (id, (call, branch)): (Uuid, Of), node: u8, turn: &mut Turn<'_>) -> bool {
        let Some(call) = self.calls.get_mut(call) else { return false };
        let attempt = call.attempts.get_mut(branch.index());
        let Some(anchor) = attempt.and_then(|attempt| attempt.anchor.as_mut()) else { return false };
        // It may have heard of it all the same.
        Self::give_up_at(id, anchor, turn);
        anchor.node = node;
        // It may have been given up, and answers before the next one is asked.
        let stale = call.setup.iter_mut().flat_map(|setup| setup.stale.iter_mut());
        stale.filter(|stale| stale.branch == anchor.branch).for_each(|stale| stale.node = node);
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.moves(anchor);
        }
        self.counters.media_failovers.add(1);
        true
    }
}
