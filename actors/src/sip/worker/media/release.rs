//! What media nodes are told to delete: attempts that came to nothing, and calls that are over.
//!
//! No message waits for it; the record of a call that was up does, for a moment, since the node says then what it has
//! counted. It is sent again until the node answers, or for ten seconds; what is left by then a node that was away finds
//! itself by its own timeout.

use bytes::Bytes;
use runtime::log::Reason;
use smallvec::SmallVec;
use uuid::Uuid;

use crate::media::exchange::{Command, Patience};
use crate::media::pool::{Over, Ticket};
use crate::sip::anchor::{self, Anchor, Name};
use crate::sip::dialog::Dialog;
use crate::sip::transactions::{CallId, Now};
use crate::sip::worker::{ToMedia, Turn, Worker};

impl Worker {
    /// An attempt that came to nothing before it began.
    pub(in super::super) fn give_up(&self, id: CallId, anchor: Option<Anchor>, turn: &mut Turn<'_>) {
        let dialog = self.calls.get(id).map(|call| call.dialog);
        if let Some((dialog, anchor)) = dialog.zip(anchor) {
            Self::give_up_at(dialog, &anchor, turn);
        }
    }

    pub(super) fn give_up_at(dialog: Uuid, anchor: &Anchor, turn: &mut Turn<'_>) {
        let name = Name { owner: anchor.owner, dialog };
        delete(anchor.node, anchor::delete(name, &anchor.branch), turn);
    }

    /// Attempts of a call that came to nothing, once the next one has its ports at this node: the caller keeps its own.
    pub(in super::super) fn delete_stale(&mut self, id: CallId, node: Option<u8>, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let dialog = call.dialog;
        let Some(setup) = call.setup.as_mut().filter(|setup| !setup.stale.is_empty()) else { return };
        // Others of it may be tried at the same time there.
        let live = call.attempts.iter().filter(|attempt| !attempt.told);
        let live = live.filter_map(|attempt| attempt.anchor.as_ref());
        let nodes: SmallVec<[u8; 4]> = node.into_iter().chain(live.map(|anchor| anchor.node)).collect();
        for anchor in std::mem::take(&mut setup.stale) {
            let name = Name { owner: anchor.owner, dialog };
            let here = nodes.contains(&anchor.node);
            let body = if here { anchor::delete(name, &anchor.branch) } else { anchor::delete_all(name) };
            delete(anchor.node, body, turn);
        }
    }

    /// A call that never came up: all of its attempts.
    pub(in super::super) fn release_all(&self, id: CallId, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get(id) else { return };
        let own = call.attempts.iter().filter_map(|attempt| attempt.anchor.as_ref());
        let mut nodes: SmallVec<[u8; 4]> = own.map(|anchor| anchor.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let name = Name { owner: self.settings.node, dialog: call.dialog };
        for node in nodes {
            delete(node, anchor::delete_all(name), turn);
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

    /// A call that was up; its node, which says what it has counted to whoever writes the record.
    pub(in super::super) fn release(&self, dialog: &Dialog, turn: &mut Turn<'_>) -> Option<u8> {
        let Anchor { node, owner, .. } = *dialog.media.as_ref()?;
        let body = anchor::delete_call(Name { owner, dialog: dialog.id }, dialog);
        let ticket = Ticket::Record(Over { worker: self.number, owner, dialog: dialog.id });
        let command = Command { ticket, body, patience: Patience::PATIENT };
        turn.out.media.push(ToMedia { node, command });
        Some(node)
    }
}

fn delete(node: u8, body: Bytes, turn: &mut Turn<'_>) {
    let command = Command { ticket: Ticket::Nobody, body, patience: Patience::PATIENT };
    turn.out.media.push(ToMedia { node, command });
}
