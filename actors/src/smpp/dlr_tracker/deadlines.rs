//! Deadlines: delivery times that have come, messages that expire, held messages that are given up.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use runtime::log::{MessageRow, State};

use crate::smpp::Smpp;
use crate::smpp::accept::release;
use crate::smpp::message::Message;
use crate::smpp::receipts::{Ending, finish};

/// Rows taken at one time, so that a sweep never holds up the log for long.
const SLICE: u32 = 500;
/// States that have deadlines.
const STATES: [State; 5] = [State::Scheduled, State::Queued, State::Uncertain, State::Enroute, State::Split];

/// One slice of everything that is due; true when there was more of something than a slice.
pub(super) async fn sweep(smpp: &Smpp) -> bool {
    if !smpp.loaded.load(Ordering::Acquire) {
        return false;
    }
    let mut more = false;
    let now = smpp.now().micros();
    for state in STATES {
        match smpp.log.store().next_due(state).await {
            Ok(Some(due)) if due <= now => {}
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "deadlines could not be read");
                return false;
            }
        }
        let _alone = smpp.off_path.lock().await;
        smpp.log.barrier().await;
        match smpp.log.store().due(state, now, SLICE).await {
            Ok(rows) => more |= on_due(smpp, state, rows) == SLICE as usize,
            Err(error) => tracing::warn!(%error, "messages that are due could not be read"),
        }
        smpp.log.barrier().await;
    }
    more
}

/// Ends, or moves on, what is due; how many.
fn on_due(smpp: &Smpp, state: State, rows: Vec<MessageRow>) -> usize {
    if state == State::Queued {
        return expire_queued(smpp, &rows);
    }
    let mut moved = 0;
    for row in rows {
        let Some(account) = smpp.account(row.account) else { continue };
        moved += 1;
        match state {
            State::Scheduled => {
                if let Err(message) = release(smpp, Message::new(row, account)) {
                    finish(smpp, message, State::Rejected, &Ending::ours("011"));
                }
            }
            State::Uncertain => {
                smpp.tracker.inbox.lock().uncertain.remove(&row.id);
                finish(smpp, Message::new(row, account), State::Unknown, &Ending::ours("000"));
            }
            State::Enroute => {
                // Whoever takes it out of the index, this sweep or a receipt, ends it; the other finds nothing.
                let taken = row.progress.dlr_hash.and_then(|hash| smpp.receipts.take(hash, |_| true));
                let message = taken.unwrap_or_else(|| Message::new(row, account));
                finish(smpp, message, State::Expired, &Ending::ours("000"));
            }
            State::Split => postpone(smpp, Message::new(row, account)),
            State::Queued
            | State::Submitted
            | State::Delivered
            | State::Expired
            | State::Deleted
            | State::Undeliverable
            | State::Accepted
            | State::Unknown
            | State::Rejected => tracing::error!(state = state.name(), "a state without deadlines has one"),
        }
    }
    moved
}

/// The parts have deadlines of their own; the whole looks again when they have had time to end.
fn postpone(smpp: &Smpp, mut message: Box<Message>) {
    let again = smpp.now().plus(smpp.options.validity_default.get());
    message.row.progress.deadline = Some(again.micros());
    let (id, progress) = message.change();
    smpp.log.append(|batch| batch.change(id, progress));
    smpp.tracker.part_finished(id);
}

/// Messages that waited too long; those that a bind has taken meanwhile are on their way.
fn expire_queued(smpp: &Smpp, rows: &[MessageRow]) -> usize {
    let mut expired = 0;
    let due: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    for vendor in smpp.vendors.load().values() {
        for message in vendor.extract(|message| due.contains(&message.row.id)) {
            finish(smpp, message, State::Expired, &Ending::ours("000"));
            expired += 1;
        }
    }
    expired
}
