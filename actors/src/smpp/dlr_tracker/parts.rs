//! Messages that we split: when every part has ended, the whole ends, with one receipt.

use runtime::log::{MessageRow, State};
use runtime::store::Error;

use crate::smpp::Smpp;
use crate::smpp::message::Message;
use crate::smpp::receipts::{Ending, finish};

/// Rows read at one time.
const PAGE: u32 = 1000;

pub(super) async fn finish_whole(smpp: &Smpp) {
    let parents = std::mem::take(&mut smpp.tracker.inbox.lock().parents);
    if parents.is_empty() {
        return;
    }
    let _alone = smpp.off_path.lock().await;
    smpp.log.barrier().await;
    for parent in parents {
        if let Err(error) = finish_one(smpp, parent).await {
            tracing::warn!(%error, "the parts of a message could not be read");
            smpp.tracker.inbox.lock().parents.insert(parent);
        }
    }
    smpp.log.barrier().await;
}

/// Looks at every message that was split and lives.
pub(crate) async fn load_wholes(smpp: &Smpp) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let rows = smpp.log.store().live(State::Split, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows {
            smpp.tracker.part_finished(row.id);
        }
    }
}

async fn finish_one(smpp: &Smpp, parent: i64) -> Result<(), Error> {
    let parts = smpp.log.store().parts(parent).await?;
    let Some(state) = outcome(&parts) else { return Ok(()) };
    let Some(row) = smpp.log.store().message(parent).await? else { return Ok(()) };
    if row.progress.state != State::Split {
        return Ok(());
    }
    let failed = parts.iter().find(|part| part.progress.state == state);
    let error = failed.and_then(|part| part.progress.error.clone());
    if let Some(account) = smpp.account(row.account) {
        finish(smpp, Message::new(row, account), state, &Ending { error, network_error: None });
    }
    Ok(())
}

/// The end of the whole: delivered (or accepted) when every part is; else as the first part that failed.
/// None while a part lives.
fn outcome(parts: &[MessageRow]) -> Option<State> {
    if parts.is_empty() || !parts.iter().all(|part| part.progress.state.is_final()) {
        return None;
    }
    let good = |state: State| matches!(state, State::Delivered | State::Accepted);
    let failed = parts.iter().map(|part| part.progress.state).find(|state| !good(*state));
    let accepted = parts.iter().map(|part| part.progress.state).find(|state| *state == State::Accepted);
    Some(failed.or(accepted).unwrap_or(State::Delivered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::testing::message;

    #[test]
    fn the_whole_ends_as_its_parts_do() {
        use State::{Accepted, Delivered, Enroute, Expired, Rejected};
        for (parts, whole) in [
            (vec![], None),
            (vec![Delivered, Enroute], None),
            (vec![Delivered, Delivered], Some(Delivered)),
            (vec![Delivered, Accepted], Some(Accepted)),
            (vec![Delivered, Rejected, Expired], Some(Rejected)),
        ] {
            let rows: Vec<MessageRow> = parts
                .iter()
                .map(|state| {
                    let mut row = message(1).row;
                    row.progress.state = *state;
                    row
                })
                .collect();
            assert_eq!(outcome(&rows), whole, "{parts:?}");
        }
    }
}
