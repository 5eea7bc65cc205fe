//! What one commit carries.

mod calls;

use std::collections::HashMap;

pub use self::calls::Calls;
use super::row::{Contents, MessageRow, OutboxRow, ParkedRow, Progress, Submission};

/// Records that gather between two commits. Later changes of a message replace earlier ones, and a change of
/// a message accepted in the same batch is folded into its row: under load most messages cost fewer writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// New messages.
    pub accepts: Vec<MessageRow>,
    /// The newest image of messages that changed.
    pub changes: Vec<(i64, Progress)>,
    /// New contents of messages that were replaced, or made ready for their vendor.
    pub contents: Vec<(i64, Contents)>,
    /// New `deliver_sm` owed.
    pub outbox: Vec<OutboxRow>,
    /// `deliver_sm` no longer owed: acknowledged, given up, or written anew under another id.
    pub outbox_done: Vec<i64>,
    /// Receipts to keep until their message is known.
    pub parked: Vec<ParkedRow>,
    /// Parked receipts that found their message, or that retention deletes.
    pub unparked: Vec<i64>,
    /// Parked receipts given up.
    pub orphaned: Vec<i64>,
    /// What belongs to new messages that came by the REST interface.
    pub submissions: Vec<Submission>,
    /// Final messages that retention deletes, and what belongs to them.
    pub purged: Vec<i64>,
    /// Calls: dialogs, CDRs, attempts.
    pub calls: Calls,
    accept_index: HashMap<i64, usize>,
    change_index: HashMap<i64, usize>,
}

impl Batch {
    /// A new message.
    pub fn accept(&mut self, row: MessageRow) {
        self.accept_index.insert(row.id, self.accepts.len());
        self.accepts.push(row);
    }

    /// The new image of a message.
    pub fn change(&mut self, id: i64, progress: Progress) {
        if let Some(row) = self.accept_index.get(&id).and_then(|at| self.accepts.get_mut(*at)) {
            row.progress = progress;
            return;
        }
        match self.change_index.get(&id).and_then(|at| self.changes.get_mut(*at)) {
            Some(change) => change.1 = progress,
            None => {
                self.change_index.insert(id, self.changes.len());
                self.changes.push((id, progress));
            }
        }
    }

    /// Records in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accepts.len()
            + self.changes.len()
            + self.contents.len()
            + self.outbox.len()
            + self.outbox_done.len()
            + self.parked.len()
            + self.unparked.len()
            + self.orphaned.len()
            + self.submissions.len()
            + self.purged.len()
            + self.calls.len()
    }

    /// True when there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties the batch and keeps its memory, up to a bound.
    pub fn clear(&mut self) {
        const KEEP_MAX: usize = 8192;
        self.accepts.clear();
        self.changes.clear();
        self.contents.clear();
        self.outbox.clear();
        self.outbox_done.clear();
        self.parked.clear();
        self.unparked.clear();
        self.orphaned.clear();
        self.submissions.clear();
        self.purged.clear();
        self.calls.clear(KEEP_MAX);
        self.accept_index.clear();
        self.change_index.clear();
        self.accepts.shrink_to(KEEP_MAX);
        self.changes.shrink_to(KEEP_MAX);
        self.accept_index.shrink_to(KEEP_MAX);
        self.change_index.shrink_to(KEEP_MAX);
    }
}
