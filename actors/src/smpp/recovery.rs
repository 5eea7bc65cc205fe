//! What a start does with what the last life left in the log.
//!
//! Messages whose attempt was durable and unanswered are in doubt: held or sent again, as their route says.
//! Then binds may send. Queued messages come back into memory page by page meanwhile; held ones, parked
//! receipts and unfinished wholes after them. That is a task with the key `recovery:main:0` under the `log`
//! supervisor, transient: it ends when all is read. A crash loses nothing, the next incarnation reads on from
//! where the last was.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::log::{Counts, MessageRow, State, Uncertain};
use runtime::registry::ActorName;
use runtime::store::Error;
use runtime::supervision::{ChildSpec, Restart, Start};
use tokio::time::sleep;

use super::Smpp;
use super::dlr_tracker;
use super::message::Message;
use super::vendor::Vendor;

/// Rows read at one time.
const PAGE: u32 = 1000;
/// Wait after a read that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Decides on messages in doubt; after it, binds may send.
///
/// # Errors
/// When the log cannot be read.
pub async fn recover(smpp: &Smpp) -> Result<Counts, Error> {
    let store = Arc::clone(smpp.log.store());
    store.open().await?;
    smpp.ids.start_after(store.highest_id().await?);
    let counts = store.counts().await?;
    let mut after = 0;
    loop {
        let rows = store.live(State::Submitted, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in rows {
            in_doubt(smpp, row);
        }
    }
    smpp.log.barrier().await;
    let boundary = smpp.next_id(smpp.now()).0;
    for account in smpp.accounts.load().iter() {
        account.outbox.recovered(boundary);
    }
    smpp.recovered_below.store(boundary, Ordering::Release);
    smpp.recovered.send_replace(true);
    for vendor in smpp.vendors.load().values() {
        vendor.wake();
    }
    Ok(counts)
}

fn in_doubt(smpp: &Smpp, row: MessageRow) {
    smpp.metrics.uncertain.inc();
    let mut progress = row.progress;
    if progress.uncertain == Uncertain::Retry {
        progress.state = State::Queued;
        progress.deadline = Some(row.expires_at);
    } else {
        progress.state = State::Uncertain;
        progress.deadline = Some(smpp.now().plus(smpp.options.uncertain_hold.get()).micros());
    }
    smpp.log.append(|batch| batch.change(row.id, progress));
}

/// Brings back into memory what waited before the start, however long the log cannot be read. Runs beside
/// the traffic.
async fn load(smpp: &Smpp) {
    let decided = smpp.recovered.subscribe().wait_for(|recovered| *recovered).await.is_ok();
    while decided && !smpp.loaded.load(Ordering::Acquire) {
        if let Err(error) = read_back(smpp).await {
            tracing::warn!(%error, "messages of the last run could not be read back, trying again");
            sleep(RETRY).await;
        }
    }
}

async fn read_back(smpp: &Smpp) -> Result<(), Error> {
    let boundary = smpp.recovered_below.load(Ordering::Acquire);
    loop {
        let _alone = smpp.off_path.lock().await;
        let after = smpp.read_back_to.load(Ordering::Acquire);
        let mut rows = smpp.log.store().live(State::Queued, after, PAGE).await?;
        // Messages accepted since the start are in memory already.
        rows.retain(|row| row.id < boundary);
        if rows.is_empty() {
            break;
        }
        for row in rows {
            smpp.read_back_to.store(row.id, Ordering::Release);
            enqueue(smpp, row);
        }
    }
    load_uncertain(smpp, boundary).await?;
    dlr_tracker::load_wholes(smpp).await?;
    // Not while the tracker has some in hand: those would be read a second time.
    let _alone = smpp.off_path.lock().await;
    dlr_tracker::load(smpp).await?;
    smpp.loaded.store(true, Ordering::Release);
    Ok(())
}

fn enqueue(smpp: &Smpp, row: MessageRow) {
    let Some(account) = smpp.account(row.account) else { return };
    let vendor = row.progress.vendor.and_then(|id| smpp.vendor(id));
    let message = Message::new(row, account);
    match vendor {
        Some(vendor) => requeue_last(&vendor, message),
        // Its vendor is gone from the configuration: another route, or the end.
        None => super::accept::reroute_or_end(smpp, message),
    }
}

/// The bound of the queue was kept when these were accepted; they are not refused now.
fn requeue_last(vendor: &Vendor, message: Box<Message>) {
    vendor.queue.lock().push(vec![message]);
    vendor.wake();
}

async fn load_uncertain(smpp: &Smpp, boundary: i64) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let rows = smpp.log.store().live(State::Uncertain, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows.into_iter().filter(|row| row.id < boundary) {
            let Some(account) = smpp.account(row.account) else { continue };
            smpp.tracker.uncertain(Message::new(row, account));
        }
    }
}

/// The reader as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(smpp: Arc<Smpp>) -> ChildSpec {
    let start = Start::task(move |_| {
        let smpp = Arc::clone(&smpp);
        async move {
            load(&smpp).await;
            Ok(())
        }
    });
    ChildSpec::new(ActorName::new("recovery", "main"), Restart::Transient, start)
}
