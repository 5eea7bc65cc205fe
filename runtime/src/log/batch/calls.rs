//! What one commit carries of calls.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::log::call::{Attempt, CallMedia, Cdr, Dialog};

/// Longest text of a CDR, octets: what is longer is cut. A Call-ID may have the length of a message.
const TEXT_MAX: usize = 512;

/// Records of calls that gather between two commits. A dialog that ends in the commit that would have written it
/// costs no row.
#[derive(Debug, Default)]
pub struct Calls {
    /// The newest image of dialogs that are up, one per id.
    pub(in crate::log) dialogs: Vec<Dialog>,
    /// Dialogs that are up no more. Deleted after all are written: none comes back within a commit.
    pub(in crate::log) dialogs_done: Vec<Uuid>,
    /// Calls that ended; their dialogs are among the done.
    pub(in crate::log) cdrs: Vec<Cdr>,
    /// Vendors tried, by the id of the call.
    pub(in crate::log) attempts: Vec<(Uuid, Attempt)>,
    /// What media nodes have told of calls that have a CDR without it. Written after the CDRs.
    pub(in crate::log) media: Vec<(Uuid, CallMedia)>,
    /// Calls that retention deletes.
    pub purged: Vec<Uuid>,
    dialog_index: HashMap<Uuid, usize>,
}

impl Calls {
    /// A dialog that is up. When the batch has `max` of them already it takes none but a new image of one of these,
    /// and gives false.
    pub(in crate::log) fn dialog(&mut self, dialog: Dialog, max: usize) -> bool {
        if let Some(known) = self.dialog_index.get(&dialog.id).and_then(|at| self.dialogs.get_mut(*at)) {
            *known = dialog;
            return true;
        }
        if self.dialogs.len() >= max {
            return false;
        }
        self.dialog_index.insert(dialog.id, self.dialogs.len());
        self.dialogs.push(dialog);
        true
    }

    /// A dialog that is up no more.
    pub(in crate::log) fn dialog_done(&mut self, id: Uuid) {
        self.dialogs_done.push(id);
        let Some(at) = self.dialog_index.remove(&id) else { return };
        self.dialogs.swap_remove(at);
        if let Some(moved) = self.dialogs.get(at) {
            self.dialog_index.insert(moved.id, at);
        }
    }

    /// A call that ended.
    pub(in crate::log) fn cdr(&mut self, mut cdr: Cdr, attempts: impl IntoIterator<Item = Attempt>) {
        for text in [&mut cdr.call_id, &mut cdr.caller, &mut cdr.callee, &mut cdr.callee_sent] {
            clip(text);
        }
        self.attempts.extend(attempts.into_iter().map(|attempt| (cdr.id, attempt)));
        self.dialog_done(cdr.id);
        self.cdrs.push(cdr);
    }

    /// What a media node has told of a call whose CDR was given before. When the batch has `max` of these it takes no
    /// more, and gives false.
    pub(in crate::log) fn media(&mut self, id: Uuid, media: CallMedia, max: usize) -> bool {
        let takes = self.media.len() < max;
        if takes {
            self.media.push((id, media));
        }
        takes
    }

    /// Records.
    pub(in crate::log) fn len(&self) -> usize {
        self.dialogs.len()
            + self.dialogs_done.len()
            + self.cdrs.len()
            + self.attempts.len()
            + self.media.len()
            + self.purged.len()
    }

    pub(super) fn clear(&mut self, keep_max: usize) {
        self.dialogs.clear();
        self.dialogs_done.clear();
        self.cdrs.clear();
        self.attempts.clear();
        self.media.clear();
        self.purged.clear();
        self.dialog_index.clear();
        self.dialogs.shrink_to(keep_max);
        self.dialogs_done.shrink_to(keep_max);
        self.cdrs.shrink_to(keep_max);
        self.attempts.shrink_to(keep_max);
        self.media.shrink_to(keep_max);
        self.dialog_index.shrink_to(keep_max);
    }
}

fn clip(text: &mut Arc<str>) {
    if text.len() > TEXT_MAX {
        *text = text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default().into();
    }
}
