//! Deadlines: delivery times that have come, messages that expire, held messages that are given up.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::log::{MessageRow, State};

use crate::smpp::Smpp;
use crate::smpp::accept::release;
use crate::smpp::message::Message;
use crate::smpp::receipts::{Ending, finish};

/// Rows taken at one time, so that a sweep never holds up the log for long.
const SLICE: u32 = 500;
/// A queued message that nobody in memory has had for this long after its deadline is had by nobody.
const UNHELD_FOR: Duration = Duration::from_secs(60);
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
            Ok(rows) => {
                more |= rows.len() == SLICE as usize;
                let elsewhere = on_due(smpp, state, rows);
                more &= finish_elsewhere(smpp, state, elsewhere).await;
            }
            Err(error) => tracing::warn!(%error, "messages that are due could not be read"),
        }
        smpp.log.barrier().await;
    }
    more
}

/// Ends, or moves on, what is due and in memory; gives the rest.
fn on_due(smpp: &Smpp, state: State, rows: Vec<MessageRow>) -> Vec<MessageRow> {
    if state == State::Queued {
        return expire_queued(smpp, rows);
    }
    let mut elsewhere = Vec::new();
    for row in rows {
        let Some(account) = smpp.account(row.account) else {
            elsewhere.push(row);
            continue;
        };
        match state {
            State::Scheduled => {
                if let Err(message) = release(smpp, Message::new(row, account)) {
                    finish(smpp, message, State::Rejected, &Ending::ours("011"));
                }
            }
            State::Uncertain => match smpp.tracker.answered(row.id) {
                Some(message) => {
                    finish(smpp, message, State::Unknown, &Ending::ours("000"));
                }
                None => elsewhere.push(row),
            },
            State::Enroute => {
                // Whoever takes it out of the index, this sweep or a receipt, ends it; the other finds nothing.
                let hash = row.progress.dlr_hash;
                match hash.and_then(|hash| smpp.receipts.take(hash, |message| message.row.id == row.id)) {
                    Some(message) => {
                        finish(smpp, message, State::Expired, &Ending::ours("000"));
                    }
                    None => elsewhere.push(row),
                }
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
    elsewhere
}

/// What is due and not in memory: just taken by a bind or a receipt, and then its row has moved on; or known to
/// nobody any more, and then it ends here. True when all rows could be dealt with.
async fn finish_elsewhere(smpp: &Smpp, state: State, rows: Vec<MessageRow>) -> bool {
    if rows.is_empty() {
        return true;
    }
    smpp.log.barrier().await;
    let patience = smpp.now().minus(UNHELD_FOR).micros();
    let mut all = true;
    for row in rows {
        // A queued message may be in a bind's hands for a moment, before its attempt is in the log.
        if state == State::Queued && row.progress.deadline.is_some_and(|due| due > patience) {
            all = false;
            continue;
        }
        match smpp.log.store().message(row.id).await {
            Ok(Some(now)) if now.progress == row.progress => end_unheld(smpp, state, now),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a message that is due could not be read");
                return false;
            }
        }
    }
    all
}

fn end_unheld(smpp: &Smpp, state: State, mut row: MessageRow) {
    let end = if state == State::Uncertain { State::Unknown } else { State::Expired };
    if let Some(account) = smpp.account(row.account) {
        finish(smpp, Message::new(row, account), end, &Ending::ours("000"));
        return;
    }
    // Its account is gone: there is nobody to tell.
    row.progress.state = end;
    row.progress.deadline = None;
    row.progress.dlr_hash = None;
    row.progress.done_at = Some(smpp.now().micros());
    smpp.log.append(|batch| batch.change(row.id, row.progress));
}

/// The parts have deadlines of their own; the whole looks again when they have had time to end.
fn postpone(smpp: &Smpp, mut message: Box<Message>) {
    let again = smpp.now().plus(smpp.options.validity_default.get());
    message.row.progress.deadline = Some(again.micros());
    let (id, progress) = message.change();
    smpp.log.append(|batch| batch.change(id, progress));
    smpp.tracker.part_finished(id);
}

/// Ends messages that waited too long; gives those that no queue has.
fn expire_queued(smpp: &Smpp, mut rows: Vec<MessageRow>) -> Vec<MessageRow> {
    let due: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    let mut expired = HashSet::new();
    for vendor in smpp.vendors.load().values() {
        for message in vendor.extract(|message| due.contains(&message.row.id)) {
            expired.insert(message.row.id);
            finish(smpp, message, State::Expired, &Ending::ours("000"));
        }
    }
    rows.retain(|row| !expired.contains(&row.id));
    rows
}
