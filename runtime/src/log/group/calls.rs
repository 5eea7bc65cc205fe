//! Calls in the log.
//!
//! Nobody on the path of a call waits for the disk: a dialog record is dropped when too many wait, and told so; a
//! CDR is always taken. What bounds the CDRs is [`MessageLog::is_accepting`]: when too many wait no new call may
//! begin, so that they grow by no more than the calls that are up.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::{Health, MessageLog, Ticket};
use crate::log::call::{Attempt, CallMedia, Cdr, DIALOG_STATE_MAX, Dialog};
use crate::store::Error;

/// Dialog records that may wait for the next commit: 64 MiB at the longest.
const DIALOGS_OPEN_MAX: usize = 16_384;
/// CDRs that may wait for the next commit before no new call is taken: half a minute of a busy node, some 40 MiB.
pub(in crate::log) const CDRS_RESERVED: usize = 50_000;
/// What media nodes told late that may wait for the next commit: more is not kept, for the CDRs go first.
const MEDIA_OPEN_MAX: usize = 16_384;
/// Rows of one page of dialogs.
const DIALOGS_PAGE: u32 = 500;

/// Why a dialog record is not kept: the call goes on, but a process that takes it over cannot end it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// Too many wait for the next commit.
    #[error("too many dialog records wait for the next commit")]
    Full,
    /// Its state is longer than [`DIALOG_STATE_MAX`].
    #[error("the state of a dialog is longer than 4096 octets")]
    TooLong,
}

/// What became of calls so far, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// CDRs made durable.
    pub cdrs: u64,
    /// CDRs of calls that had one already, not written.
    pub cdrs_repeated: u64,
    /// How often a dialog record was not taken.
    pub dialogs_dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    cdrs: AtomicU64,
    cdrs_repeated: AtomicU64,
    dialogs_dropped: AtomicU64,
}

impl Counters {
    pub(super) fn on_committed(&self, cdrs: usize, repeated: u64) {
        self.cdrs.fetch_add((cdrs as u64).saturating_sub(repeated), Ordering::Relaxed);
        self.cdrs_repeated.fetch_add(repeated, Ordering::Relaxed);
    }
}

impl MessageLog {
    /// Writes or replaces the record of a call that is up. It is durable within 20 ms or so; nobody is told.
    ///
    /// # Errors
    /// The record is not kept.
    pub fn put_dialog(&self, dialog: Dialog) -> Result<(), Dropped> {
        let mut refused = None;
        if dialog.state.len() > DIALOG_STATE_MAX {
            refused = Some(Dropped::TooLong);
        } else {
            self.append_lazily(|batch| {
                let kept = batch.calls.dialog(dialog, DIALOGS_OPEN_MAX);
                refused = (!kept).then_some(Dropped::Full);
            });
        }
        refused.map_or(Ok(()), |why| {
            self.0.calls.dialogs_dropped.fetch_add(1, Ordering::Relaxed);
            Err(why)
        })
    }

    /// Deletes the record of a call that gets no CDR here, because another node has it now.
    pub fn remove_dialog(&self, id: Uuid) {
        self.append_lazily(|batch| batch.calls.dialog_done(id));
    }

    /// Writes the CDR of a call with its attempts, and deletes its dialog record, in one commit. Never refused. It
    /// begins 4 ms after the group's first record at the latest; the ticket is for those who want to know when it
    /// is done. A call that has a CDR keeps that one, and its attempts.
    pub fn put_cdr(&self, cdr: Cdr, attempts: impl IntoIterator<Item = Attempt>) -> Ticket {
        self.append_lazily(|batch| batch.calls.cdr(cdr, attempts))
    }

    /// Completes the CDR of a call, given before, with what its media node has told since; false where too much of that
    /// waits. A CDR that names another media node, or has its figures, stays as it is: to say it twice changes nothing.
    /// A crash before the commit costs these figures, never the CDR.
    pub fn put_media(&self, id: Uuid, media: CallMedia) -> bool {
        let mut kept = false;
        self.append_lazily(|batch| kept = batch.calls.media(id, media, MEDIA_OPEN_MAX));
        kept
    }

    /// Whether a new call may begin: false while more CDRs wait than are reserved for, and for ever when the disk
    /// has failed. While the store refuses writes for now calls go on.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.health() != Health::Failed && self.0.open.lock().batch.calls.cdrs.len() < CDRS_RESERVED
    }

    /// Durable dialog records of a node with `id > after` (none: from the first), by id, some hundreds. An empty page
    /// is the end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dialogs(&self, node: u16, after: Option<Uuid>) -> Result<Vec<Dialog>, Error> {
        self.0.store.dialogs(node, after.unwrap_or(Uuid::nil()), DIALOGS_PAGE).await
    }

    /// One durable dialog record, whichever node wrote it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dialog(&self, id: Uuid) -> Result<Option<Dialog>, Error> {
        self.0.store.dialog(id).await
    }

    /// Makes a record that was read that of `node`, which serves the call from now on. False where another one has
    /// written or taken it since. It is durable when this returns.
    ///
    /// # Errors
    /// When the store refuses, or does not answer: then the record may be either's.
    pub async fn take_dialog(&self, read: &Dialog, node: u16) -> Result<bool, Error> {
        self.0.store.take_dialog(read, node).await
    }

    /// The vendors tried for a call, in the order of trying.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn attempts(&self, call: Uuid) -> Result<Vec<Attempt>, Error> {
        self.0.store.attempts(call).await
    }

    /// What became of calls so far.
    #[must_use]
    pub fn call_totals(&self) -> CallTotals {
        let counters = &self.0.calls;
        CallTotals {
            cdrs: counters.cdrs.load(Ordering::Relaxed),
            cdrs_repeated: counters.cdrs_repeated.load(Ordering::Relaxed),
            dialogs_dropped: counters.dialogs_dropped.load(Ordering::Relaxed),
        }
    }
}
