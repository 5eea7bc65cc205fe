//! The finder: looks for the records of calls that other nodes have served until now, and takes such calls over.
//!
//! Owns: nothing; what it is asked stands beside it ([`Finder`]). Its key is `dialog_finder:main:0`, its parent the
//! `sip` supervisor, its restart policy permanent. A crash loses the look-ups that are under way: what waits for them
//! is refused by its worker when it has waited long enough. Calls whose records were being taken stand beside it too:
//! the next incarnation looks at them again, for their records may be this node's by then.
//!
//! A call is of one node: that which its record names. It is taken by one statement that compares what was read, so that
//! of two nodes that want it one gets it. Who had it before learns that before its next timer of the call ends it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use runtime::clock::Timestamp;
use runtime::log::Dialog as Record;
use runtime::registry::{ActorName, Observation};
use runtime::store::Error;
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::calls::Calls;
use super::dialog::Dialog;
use super::live_call::LiveCall;
use super::snapshot::Snapshot;
use super::usage::Channel;
use super::worker::{RINGS_MAX, began_millis};

/// Look-ups that wait, for workers and of leaks; more are refused.
const QUEUE: usize = 4_096;
/// Look-ups for workers that are under way at one time. Of leaks it is one: a node that has given thousands of calls
/// away asks for all that its media nodes list, and no request is to wait behind these.
const LOOKS_MAX: usize = 32;
/// The longest that a record is read.
const READ_MAX: Duration = Duration::from_millis(500);
/// So often a record is looked at again that another one had changed, or whose call this node is about to let go of.
const TRIES: u32 = 25;
const AGAIN: Duration = Duration::from_millis(20);
/// So often of those where there is none: one is written within such a time of the answer.
const UNKNOWN_TRIES: u32 = 4;
/// The same where nobody knows whether it was taken: the database did not say.
const IN_DOUBT_AGAIN: Duration = Duration::from_secs(2);

/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// What the finder is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToFinder {
    /// A worker has a request of a call that it does not know.
    Serve {
        /// Which worker.
        worker: u8,
        /// The call.
        dialog: Uuid,
    },
    /// A media node has a call that began here and is not here any more.
    Leak {
        /// Number of the media node.
        node: u8,
        /// The call.
        dialog: Uuid,
    },
}

/// What a worker is told of a call that it asked for.
#[derive(Debug, Clone)]
pub struct Found {
    /// The call.
    pub dialog: Uuid,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call that was looked for.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is this node's from now on.
    Taken(Arc<Dialog>),
    /// It has no record: it is over, or was not answered yet.
    Unknown,
    /// The database does not answer, or the record cannot be read.
    Failed,
}

/// The finder as others see it, kept over its incarnations.
pub struct Finder {
    requests: mpsc::Sender<ToFinder>,
    leaks: mpsc::Sender<ToFinder>,
    /// Calls whose records are being taken, and the workers that asked for them.
    taking: Mutex<HashMap<Uuid, u8>>,
    /// Held by the one incarnation of the actor that serves.
    waiting: tokio::sync::Mutex<Waiting>,
}

struct Waiting {
    requests: mpsc::Receiver<ToFinder>,
    leaks: mpsc::Receiver<ToFinder>,
}

impl Default for Finder {
    fn default() -> Self {
        let ((requests, of_requests), (leaks, of_leaks)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let waiting = Waiting { requests: of_requests, leaks: of_leaks };
        Self { requests, leaks, taking: Mutex::default(), waiting: tokio::sync::Mutex::new(waiting) }
    }
}

impl Finder {
    /// Asks for something. False where too much waits.
    pub fn submit(&self, asked: ToFinder) -> bool {
        let queue = match asked {
            ToFinder::Serve { .. } => &self.requests,
            ToFinder::Leak { .. } => &self.leaks,
        };
        queue.try_send(asked).is_ok()
    }
}

/// The finder as a child of the `sip` supervisor.
pub fn child_spec(calls: Arc<Calls>) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let calls = Arc::clone(&calls);
        async move {
            let _registration =
                seat.register(Arc::new(|| Observation { state: "looking".into(), ..Observation::default() }));
            tokio::select! {
                never = run(&calls) => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    ChildSpec::new(ActorName::new("dialog_finder", "main"), Restart::Permanent, start).backoff(RESTARTS)
}

async fn run(calls: &Calls) -> Infallible {
    let mut waiting = calls.finder.waiting.lock().await;
    // What an incarnation before was stopped at. Without room the next request of the call finds it.
    let taking = std::mem::take(&mut *calls.finder.taking.lock());
    for (dialog, worker) in taking {
        calls.finder.submit(ToFinder::Serve { worker, dialog });
    }
    let Waiting { requests, leaks } = &mut *waiting;
    tokio::select! {
        never = serve(calls, requests, LOOKS_MAX) => never,
        never = serve(calls, leaks, 1) => never,
    }
}

/// Looks for what waits in one of the queues, so many at one time.
async fn serve(calls: &Calls, waiting: &mut mpsc::Receiver<ToFinder>, most: usize) -> Infallible {
    let mut looks = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(asked) = waiting.recv(), if looks.len() < most => looks.push(look(calls, asked)),
            Some(()) = looks.next(), if !looks.is_empty() => {}
            else => pending::<()>().await,
        }
    }
}

async fn look(calls: &Calls, asked: ToFinder) {
    match asked {
        ToFinder::Serve { worker, dialog } => {
            let outcome = take(calls, worker, dialog).await;
            // Where it was in doubt for a while.
            calls.finder.taking.lock().remove(&dialog);
            calls.found(usize::from(worker), Found { dialog, outcome });
        }
        // What has a record is served elsewhere.
        ToFinder::Leak { node, dialog } => {
            if let Ok(None) = read(calls, dialog).await {
                calls.delete_leak(node, dialog);
            }
        }
    }
}

/// The record of a call; an error where it was not read, whyever.
async fn read(calls: &Calls, dialog: Uuid) -> Result<Option<Record>, Option<Error>> {
    match timeout(READ_MAX, calls.log.dialog(dialog)).await {
        Ok(read) => read.map_err(Some),
        Err(_) => Err(None),
    }
}

/// Makes a call this node's, if another one has it.
async fn take(calls: &Calls, worker: u8, id: Uuid) -> Outcome {
    let mut in_doubt = false;
    // One that began longer ago than calls ring has had its record for long.
    let began = Timestamp::from_micros(began_millis(id).saturating_mul(1000));
    let unknown_tries = if calls.now().wall.since(began) > RINGS_MAX { 0 } else { UNKNOWN_TRIES };
    for turn in 0..TRIES {
        let record = match read(calls, id).await {
            Ok(Some(record)) => record,
            // It may have been answered a moment ago.
            Ok(None) if turn < unknown_tries => {
                sleep(AGAIN).await;
                continue;
            }
            Ok(None) => return Outcome::Unknown,
            Err(_) if in_doubt => {
                sleep(IN_DOUBT_AGAIN).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(dialog = %id, ?error, "the record of a call cannot be read, its request is refused");
                return Outcome::Failed;
            }
        };
        match take_read(calls, worker, &record).await {
            Ok(Some(outcome)) => return outcome,
            // Somebody has written it since, or it was let go of a moment ago and its actor has not heard of that.
            Ok(None) => sleep(AGAIN).await,
            Err(error) => {
                tracing::warn!(dialog = %id, %error, "it is not known whether a call is taken over, it is looked at again");
                in_doubt = true;
                sleep(IN_DOUBT_AGAIN).await;
            }
        }
    }
    Outcome::Failed
}

/// Makes a call this node's whose record was read; `None` where that is to be read again.
///
/// Errors: the database did not say whether it is.
async fn take_read(calls: &Calls, worker: u8, record: &Record) -> Result<Option<Outcome>, Error> {
    let node = calls.settings.node;
    let is_ours = record.node == node;
    let (call, dialog) = match LiveCall::recover(&Record { node, ..record.clone() }, calls.now()) {
        Ok(known) => known,
        Err(unreadable) => {
            // Whoever has it goes on with it.
            tracing::warn!(error = %unreadable, "a call of another node cannot be served here");
            return Ok(Some(Outcome::Failed));
        }
    };
    if calls.has(record.id) {
        return Ok(is_ours.then_some(Outcome::Taken(dialog)));
    }
    if !is_ours {
        calls.finder.taking.lock().insert(record.id, worker);
        let taken = calls.log.take_dialog(record, node).await?;
        // Nothing interrupts what follows.
        calls.finder.taking.lock().remove(&record.id);
        if !taken {
            return Ok(None);
        }
    }
    adopt(calls, worker, call, &dialog);
    Ok(Some(Outcome::Taken(dialog)))
}

/// A call of another node goes on here. It is up, whatever the limits are.
fn adopt(calls: &Calls, worker: u8, mut call: LiveCall, dialog: &Arc<Dialog>) {
    let held = channels(&calls.snapshot.load(), &call);
    call.hold(held.into_iter());
    calls.adopt_at(usize::from(worker), call, Arc::clone(dialog));
    calls.counters.dialogs_taken.add(1);
}

/// The channels that a call takes: the trunk's, and the vendor's of one that goes to it.
fn channels(snapshot: &Snapshot, call: &LiveCall) -> Vec<Channel> {
    let (trunk, vendor) = call.between();
    let vendor = vendor.filter(|_| !call.is_inbound());
    let trunk = snapshot.trunks.iter().find(|known| known.config.id == trunk).map(|trunk| &trunk.usage);
    let vendor = snapshot.vendors.iter().find(|known| Some(known.config.id) == vendor);
    let usages = trunk.into_iter().chain(vendor.map(|vendor| &vendor.usage));
    usages.filter_map(|usage| usage.take_channel(0)).collect()
}

#[cfg(test)]
mod tests;
