//! What media nodes are told to delete: attempts that came to nothing, and calls that are over.
//!
//! Nobody waits for it. It is sent again until the node answers, or for ten seconds; what is left by then a node that
//! was away finds itself by its own timeout.

use bytes::Bytes;
use runtime::log::Reason;
use smallvec::SmallVec;
use uuid::Uuid;

use crate::media::exchange::{Command, Patience};
use crate::media::pool::Ticket;
use crate::sip::anchor::{self, Anchor, Name};
use crate::sip::dialog::Dialog;
use crate::sip::transactions::{CallId, Now};
use crate::sip::worker::receive::from_tag;
use crate::sip::worker::{ToMedia, Turn, Worker};

impl Worker {
    /// An attempt that came to nothing before it began.
    pub(in super::super) fn give_up(&self, id: CallId, anchor: Option<Anchor>, turn: &mut Turn<'_>) {
        let dialog = self.calls.get(id).map(|call| call.dialog);
        if let Some((dialog, anchor)) = dialog.zip(anchor) {
            self.give_up_at(dialog, id, &anchor, turn);
        }
    }

    pub(super) fn give_up_at(&self, dialog: Uuid, id: CallId, anchor: &Anchor, turn: &mut Turn<'_>) {
        let setup = self.calls.get(id).and_then(|call| call.setup.as_ref());
        let known = self.dialogs.get(&dialog).map(|dialog| dialog.caller.tag());
        let tag = setup.and_then(|setup| from_tag(&setup.request)).or(known);
        let name = Name { owner: anchor.owner, dialog };
        let body = match tag {
            Some(tag) => anchor::delete(name, tag, Some(&anchor.branch)),
            // The whole call is over, and who called is not known any more.
            None => anchor::delete_all(name),
        };
        delete(anchor.node, body, turn);
    }

    /// Attempts of a call that came to nothing, once the next one has its ports at this node: the caller keeps its own.
    pub(in super::super) fn delete_stale(&mut self, id: CallId, node: u8, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let (dialog, offers) = (call.dialog, call.offers);
        let Some(setup) = call.setup.as_mut().filter(|setup| !setup.stale.is_empty()) else { return };
        let stale = std::mem::take(&mut setup.stale);
        let tag = from_tag(&setup.request).unwrap_or_default().to_vec();
        for anchor in stale {
            // A node that does not know the attempt ends the whole call: that of an attempt whose callee never made its
            // offer, and of one that offered as the next one does. Those end with the call.
            if anchor.node == node && !offers {
                continue;
            }
            let attempt = (anchor.node == node).then_some(&*anchor.branch);
            let name = Name { owner: anchor.owner, dialog };
            delete(anchor.node, anchor::delete(name, &tag, attempt), turn);
        }
    }

    /// A call that never came up: all of its attempts.
    pub(in super::super) fn release_all(&self, id: CallId, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get(id) else { return };
        let own = call.attempts.iter().filter_map(|attempt| attempt.anchor.as_ref());
        let stale = call.setup.iter().flat_map(|setup| &setup.stale);
        let mut nodes: SmallVec<[u8; 4]> = own.chain(stale).map(|anchor| anchor.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let (dialog, setup) = (call.dialog, call.setup.as_ref());
        let tag = setup.and_then(|setup| from_tag(&setup.request)).unwrap_or_default();
        let name = Name { owner: self.settings.node, dialog };
        for node in nodes {
            delete(node, anchor::delete(name, tag, None), turn);
        }
    }

    /// A call that is up is not at its node any more: nobody hears anything, so that it is over, and was when it was
    /// heard last.
    pub(in super::super) fn media_lost(&mut self, id: Uuid, (node, at): (u8, Now), turn: &mut Turn<'_>) {
        let carried = self.dialogs.get(&id).filter(|dialog| dialog.confirmed);
        let carried = carried.and_then(|dialog| dialog.media.as_ref());
        if carried.is_some_and(|anchor| anchor.node == node) {
            self.counters.media_lost_calls.add(1);
            self.end_call(id, (Reason::MediaFailed, at), turn);
        }
    }

    /// A call that was up.
    pub(in super::super) fn release(&self, dialog: &Dialog, turn: &mut Turn<'_>) {
        if let Some(anchor) = &dialog.media {
            let name = Name { owner: anchor.owner, dialog: dialog.id };
            delete(anchor.node, anchor::delete(name, dialog.caller.tag(), None), turn);
        }
    }
}

fn delete(node: u8, body: Bytes, turn: &mut Turn<'_>) {
    let command = Command { ticket: Ticket::Nobody, body, patience: Patience::PATIENT };
    turn.out.media.push(ToMedia { node, command });
}
