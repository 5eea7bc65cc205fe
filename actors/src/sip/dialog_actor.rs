//! The actor of a dialog: its time and its money.
//!
//! Owns: the call's record, its channels, how long it may last. Its key is `dialog:ID:0`, its parent a shard of the
//! `dialogs` supervisor, its restart policy transient: what it knows lives beside it, and its next incarnation goes on
//! where it stopped. It ends with the call.

use std::sync::Arc;

use runtime::log::{Attempt, Cdr, Reason};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::calls::{Birth, Calls, ToDialog};
use super::event::{CallEvent, What};
use super::live_call::{Effect, LiveCall};
use super::live_list::Face;

/// What outlives an incarnation.
struct Kept {
    call: LiveCall,
    receiver: mpsc::UnboundedReceiver<ToDialog>,
}

/// A dialog as a child of its supervisor.
pub fn child_spec(calls: Arc<Calls>, birth: Birth) -> ChildSpec {
    let Birth { call, worker, receiver } = birth;
    let face = calls.list.enter(&call);
    // A call of an earlier process was counted there.
    if !call.is_up() {
        calls.metrics.on_begun(&call, &calls.snapshot.load());
    }
    let name = name(call.id());
    let kept = Arc::new(Mutex::new(Kept { call, receiver }));
    let start = Start::task(move |seat: Seat| {
        let (calls, kept, face) = (Arc::clone(&calls), Arc::clone(&kept), Arc::clone(&face));
        async move { run(&seat, &calls, worker, (&kept, &face)).await }
    });
    ChildSpec::new(name, Restart::Transient, start)
}

/// The name of a dialog's actor.
pub fn name(dialog: Uuid) -> ActorName {
    ActorName::new("dialog", dialog.to_string())
}

async fn run(
    seat: &Seat,
    calls: &Calls,
    worker: usize,
    (kept, face): (&Mutex<Kept>, &Arc<Face>),
) -> Result<(), BoxError> {
    let _registration = seat.register(observe(face));
    let mut kept = kept.lock().await;
    let every = calls.settings.dead_call_probe;
    let mut check = after(every);
    loop {
        let Kept { call, receiver } = &mut *kept;
        let deadline = call.deadline().map(Instant::from_std);
        let expires = call.expires().filter(|_| calls.settings.session_timers).map(Instant::from_std);
        let told = tokio::select! {
            // What has happened is written down before anything else, the end of the node included.
            biased;
            told = receiver.recv() => told,
            () = at([deadline, expires, check].into_iter().flatten().min()) => {
                let now = Instant::now();
                let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
                // What we end has some time to be heard of; then it is asked again.
                if is_due(deadline) {
                    calls.hang_up(call.id(), Reason::MaxDuration);
                    call.postpone(PATIENCE);
                } else if is_due(expires) {
                    calls.hang_up(call.id(), Reason::SessionExpired);
                    call.postpone_expiry(PATIENCE);
                } else if call.is_up() {
                    calls.check(worker, call.id());
                }
                check = check.filter(|check| *check > now).or_else(|| after(every));
                continue;
            }
            () = seat.shutdown.requested() => return Ok(()),
        };
        match told {
            Some(ToDialog::Events(events)) => {
                for event in events {
                    let effect = apply(calls, &mut kept.call, event, face);
                    if perform(calls, worker, kept.call.id(), effect) {
                        return Ok(());
                    }
                }
            }
            Some(ToDialog::WorkerRestarted) => {
                if !kept.call.is_up() && lost(calls, worker, &mut kept.call) {
                    return Ok(());
                }
            }
            None => return Ok(()),
        }
    }
}

/// Writes the record of a call that was over before it had an actor: one that was refused.
pub fn at_once(calls: &Calls, mut call: LiveCall, events: Vec<CallEvent>) {
    calls.metrics.on_begun(&call, &calls.snapshot.load());
    for event in events {
        let (effect, _) = take_in(calls, &mut call, event);
        if let Some(Effect::Cdr(cdr, attempts)) = effect {
            write(calls, *cdr, attempts);
        }
    }
}

/// Takes in what the worker saw, for the record, for metrics and for those who look.
fn apply(calls: &Calls, call: &mut LiveCall, event: CallEvent, face: &Face) -> Option<Effect> {
    let (effect, seen) = take_in(calls, call, event);
    if seen {
        face.follow(call);
    }
    effect
}

/// The same for the record and for metrics; whether those who look see a change.
fn take_in(calls: &Calls, call: &mut LiveCall, event: CallEvent) -> (Option<Effect>, bool) {
    let snapshot = calls.snapshot.load();
    calls.metrics.on_event(call, &event, &snapshot);
    calls.metrics.on_spent(call, &event, (&snapshot, calls.settings.toll_fraud_factor));
    let seen = matches!(event.what, What::Attempted(_) | What::Answered(_));
    let before = call.pdd();
    let effect = call.apply(event);
    if let (None, Some(pdd)) = (before, call.pdd()) {
        calls.metrics.on_pdd(call, pdd, &snapshot);
    }
    (effect, seen)
}

/// Time between two demands to end a call that has lasted long enough.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// A call that was not up is over with the worker that held its transactions.
fn lost(calls: &Calls, worker: usize, call: &mut LiveCall) -> bool {
    let ended = super::event::Ended {
        status: sip::StatusCode::SERVER_INTERNAL_ERROR,
        reason: Reason::Recovered,
        by: None,
    };
    let effect = call.end(ended, calls.now());
    perform(calls, worker, call.id(), Some(effect))
}

/// Writes what is to be written; true when that was the last.
fn perform(calls: &Calls, worker: usize, id: Uuid, effect: Option<Effect>) -> bool {
    match effect {
        None => false,
        Some(Effect::Record(record)) => {
            if let Err(dropped) = calls.log.put_dialog(record) {
                tracing::warn!(dialog = %id, %dropped, "a restart would not know this call");
            }
            false
        }
        Some(Effect::Cdr(cdr, attempts)) => {
            write(calls, *cdr, attempts);
            calls.forget(worker, id);
            true
        }
    }
}

fn write(calls: &Calls, cdr: Cdr, attempts: Vec<Attempt>) {
    calls.metrics.on_ended(&cdr, &calls.snapshot.load());
    calls.log.put_cdr(cdr, attempts);
}

fn after(time: std::time::Duration) -> Option<Instant> {
    (!time.is_zero()).then(|| Instant::now() + time)
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || Observation {
        state: face.state().into(),
        queue_depth: 0,
        counters: Vec::new(),
        note: None,
    })
}
