//! The actor of a dialog: its time and its money.
//!
//! Owns: the call's record, its channels, how long it may last. Its key is `dialog:ID:0`, its parent a shard of the
//! `dialogs` supervisor, its restart policy transient: what it knows lives beside it, and its next incarnation goes on
//! where it stopped, under the next incarnation of its supervisor too. It ends with the call, and a moment later where a
//! media node is to say what it counted: what that says later completes the record, which the end of the process loses,
//! never the record.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use runtime::log::{Attempt, Cdr, Dialog as Record, Dropped, Reason};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::calls::{Awaited, Calls, ToDialog};
use super::event::{CallEvent, What};
use super::live_call::{Effect, LiveCall};
use super::live_list::Face;

/// Calls of an earlier process are asked for after this time: right after a restart, or when an address has moved here,
/// networks lose most.
const RECOVERED_AFTER: Duration = Duration::from_secs(30);
/// They are asked one by one, within this time.
const RECOVERED_CHECK: Duration = Duration::from_secs(60);

/// A record for which the log had no room is written after this time.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// The record of a call that is over waits so long for what its media node has counted. What the worker tells it tells
/// within 8 ms: that makes 20 ms from the end of the call on.
const COUNTED_WITHIN: Duration = Duration::from_millis(12);

/// The longest that a call waits for the word whose it is, before it is ended or asked for.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Time between two demands to end a call that has lasted long enough.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call beside its actor: it outlives incarnations of the actor, and of the supervisor.
#[derive(Debug)]
pub struct Kept {
    id: Uuid,
    worker: usize,
    face: Arc<Face>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    call: LiveCall,
    receiver: mpsc::UnboundedReceiver<ToDialog>,
    /// Told, and not taken in yet.
    events: VecDeque<CallEvent>,
    /// A record of it is in the log, which the next process finds.
    is_recorded: bool,
    /// It was said that it cannot be written down as it is.
    is_told: bool,
    /// When its record is written, for which the log had no room.
    record_at: Option<Instant>,
    /// When the call's record is written, whatever its media node has told by then.
    finish_at: Option<Instant>,
}

impl Kept {
    /// A call that a worker serves, how it is seen, and where it is told of what happens; `is_recorded`: it comes from the
    /// log.
    pub fn new(
        worker: usize,
        face: Arc<Face>,
        (call, receiver): (LiveCall, mpsc::UnboundedReceiver<ToDialog>),
        is_recorded: bool,
    ) -> Self {
        let id = call.id();
        let events = VecDeque::new();
        let (is_told, record_at, finish_at) = (false, None, None);
        let state = State { call, receiver, events, is_recorded, is_told, record_at, finish_at };
        Self { id, worker, face, state: Mutex::new(state) }
    }

    /// Its number.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Which worker serves it.
    pub const fn worker(&self) -> usize {
        self.worker
    }
}

/// Held by the child's specification: when a supervisor drops that and the call has not ended, it lost the child.
struct Place {
    calls: Arc<Calls>,
    kept: Arc<Kept>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.calls.let_go(&self.kept);
    }
}

/// A dialog as a child of its supervisor.
pub fn child_spec(calls: Arc<Calls>, kept: Arc<Kept>) -> ChildSpec {
    let name = name(kept.id);
    let place = Arc::new(Place { calls, kept });
    let start = Start::task(move |seat: Seat| {
        let (calls, kept) = (Arc::clone(&place.calls), Arc::clone(&place.kept));
        async move { run(&seat, &calls, &kept).await }
    });
    ChildSpec::new(name, Restart::Transient, start)
}

/// The name of a dialog's actor.
pub fn name(dialog: Uuid) -> ActorName {
    ActorName::new("dialog", dialog.to_string())
}

async fn run(seat: &Seat, calls: &Calls, kept: &Kept) -> Result<(), BoxError> {
    let _registration = seat.register(observe(&kept.face));
    let mut state = kept.state.lock().await;
    let every = calls.settings.dead_call_probe;
    let mut check = first_check(every, &state.call);
    let mut whose = first_look(calls.look_every(), kept.id);
    loop {
        if take_in(calls, kept, &mut state) {
            return Ok(());
        }
        if state.call.is_over() {
            finish(seat, calls, kept, &mut state).await;
            return Ok(());
        }
        let record_at = state.record_at;
        let State { call, receiver, is_recorded, .. } = &mut *state;
        let deadline = call.deadline().map(Instant::from_std);
        let expires = call.expires().filter(|_| calls.settings.session_timers).map(Instant::from_std);
        let told = tokio::select! {
            // What has happened is written down before anything else, the end of the node included.
            biased;
            told = receiver.recv() => told,
            () = at([deadline, expires, check, whose, record_at].into_iter().flatten().min()) => {
                let now = Instant::now();
                let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
                let looks = *is_recorded && [deadline, expires, check, whose].into_iter().any(is_due);
                if looks && is_elsewhere(calls, kept.id).await {
                    calls.give(kept.worker, kept.id, now.into_std());
                    // Where a side was heard here meanwhile it is looked at again.
                    call.put_off(PATIENCE, now.into_std());
                    (check, whose) = (check.filter(|check| *check > now), after(PATIENCE));
                    continue;
                }
                whose = whose.filter(|whose| *whose > now).or_else(|| after(calls.look_every()));
                // What we end has some time to be heard of; then it is asked again.
                if is_due(deadline) {
                    calls.hang_up(kept.id, Reason::MaxDuration);
                    call.postpone(PATIENCE);
                } else if is_due(expires) {
                    calls.hang_up(kept.id, Reason::SessionExpired);
                    call.postpone_expiry(PATIENCE);
                } else if is_due(check) && call.is_up() {
                    calls.check(kept.worker, kept.id);
                }
                check = check.filter(|check| *check > now).or_else(|| after(every));
                if is_due(record_at) {
                    let record = call.written(calls.clock.now());
                    keep(calls, &mut state, record);
                }
                continue;
            }
            () = seat.shutdown.requested() => return Ok(()),
        };
        let Some(told) = told else { return Ok(()) };
        if hear(calls, kept, &mut state, told) {
            return Ok(());
        }
    }
}

/// Whether another node has the call, or has ended it: then it knows better when the call ends. Where that cannot be
/// read the call is this node's.
async fn is_elsewhere(calls: &Calls, id: Uuid) -> bool {
    if !calls.settings.shared {
        return false;
    }
    let read = async {
        if is_ours(calls, id).await {
            return true;
        }
        // What this node has written of it may be on its way.
        calls.log.barrier().await;
        is_ours(calls, id).await
    };
    matches!(timeout(LOOK_MAX, read).await, Ok(false))
}

async fn is_ours(calls: &Calls, id: Uuid) -> bool {
    match calls.log.dialog(id).await {
        Ok(record) => record.is_some_and(|record| record.node == calls.settings.node),
        Err(_) => true,
    }
}

/// Writes the record of a call that is over when its media node has told what it counted, or has had the time for it.
async fn finish(seat: &Seat, calls: &Calls, kept: &Kept, state: &mut State) {
    let until = *state.finish_at.get_or_insert_with(|| Instant::now() + COUNTED_WITHIN);
    loop {
        let told = tokio::select! {
            biased;
            told = state.receiver.recv() => told,
            () = sleep_until(until) => None,
            () = seat.shutdown.requested() => None,
        };
        let Some(told) = told else { return finish_now(calls, kept, state) };
        if hear(calls, kept, state, told) || take_in(calls, kept, state) {
            return;
        }
    }
}

/// Writes the record of a call that is over, if that waits: what its media node says later completes it.
fn finish_now(calls: &Calls, kept: &Kept, state: &mut State) {
    let awaited = state.call.awaited();
    let early = awaited.and_then(|(node, dialog)| calls.await_media(kept.id, Awaited { node, dialog }));
    let effect = state.call.finish(&early.unwrap_or_default());
    if !perform(calls, kept, state, effect) {
        return;
    }
    // It came while the record was written; nothing comes here any more.
    while let Ok(told) = state.receiver.try_recv() {
        if let ToDialog::Events(events) = told {
            calls.told_late(events);
        }
    }
}

/// Takes in all that a dialog without an actor was told.
pub fn settle(calls: &Calls, kept: &Kept) {
    // One that is held belongs to an actor that does not end; nobody can speak for it.
    let Ok(mut state) = kept.state.try_lock() else { return };
    let mut over = take_in(calls, kept, &mut state);
    while !over && let Ok(told) = state.receiver.try_recv() {
        over = hear(calls, kept, &mut state, told) || take_in(calls, kept, &mut state);
    }
    finish_now(calls, kept, &mut state);
}

/// True when the call is over.
fn hear(calls: &Calls, kept: &Kept, state: &mut State, told: ToDialog) -> bool {
    match told {
        ToDialog::Events(events) => {
            state.events.extend(events);
            false
        }
        ToDialog::WorkerRestarted => !state.call.is_up() && lost(calls, kept, state),
        // It has ended here before that was known: nobody else saw its end.
        ToDialog::Given if state.call.is_over() => false,
        // Its record is another node's, which writes what the call costs.
        ToDialog::Given => {
            calls.counters.dialogs_given.add(1);
            calls.forget(kept.worker, kept.id);
            true
        }
    }
}

/// Takes in what was told, one by one: what panics is not met again. True when the call is over.
fn take_in(calls: &Calls, kept: &Kept, state: &mut State) -> bool {
    while let Some(event) = state.events.pop_front() {
        let (effect, seen) = apply(calls, &mut state.call, event);
        if seen {
            kept.face.follow(&state.call);
        }
        if perform(calls, kept, state, effect) {
            return true;
        }
    }
    false
}

/// Writes the record of a call that was over before it had an actor: one that was refused.
pub fn at_once(calls: &Calls, mut call: LiveCall, events: Vec<CallEvent>) {
    for event in events {
        if let (Some(Effect::Cdr(cdr, attempts)), _) = apply(calls, &mut call, event) {
            write(calls, *cdr, attempts);
        }
    }
}

/// Takes in what the worker saw, for the record and for metrics; whether those who look see a change.
fn apply(calls: &Calls, call: &mut LiveCall, event: CallEvent) -> (Option<Effect>, bool) {
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

/// A call that was not up is over with the worker that held its transactions.
fn lost(calls: &Calls, kept: &Kept, state: &mut State) -> bool {
    let ended = super::event::Ended {
        status: sip::StatusCode::SERVER_INTERNAL_ERROR,
        reason: Reason::Recovered,
        by: None,
        retransmissions: None,
        q850_cause: None,
        media: None,
        identity: runtime::log::CallIdentity::default(),
    };
    let effect = state.call.end(ended, calls.now());
    perform(calls, kept, state, Some(effect))
}

/// Writes what is to be written; true when that was the last.
fn perform(calls: &Calls, kept: &Kept, state: &mut State, effect: Option<Effect>) -> bool {
    match effect {
        None => false,
        Some(Effect::Record(record)) => {
            keep(calls, state, record);
            false
        }
        Some(Effect::Cdr(cdr, attempts)) => {
            write(calls, *cdr, attempts);
            calls.forget(kept.worker, kept.id);
            true
        }
    }
}

/// Writes down what the next process is told of a call that is up. What is too long for that leaves the record that is
/// there, or is written down to be closed.
fn keep(calls: &Calls, state: &mut State, record: Record) {
    let dialog = record.id;
    let mut kept = calls.log.put_dialog(record);
    if kept == Err(Dropped::TooLong) {
        if !state.is_told {
            tracing::warn!(%dialog, "this call is too long to be written down as it is now: a restart would close it, or know it as it was before");
            state.is_told = true;
        }
        if !state.is_recorded {
            kept = calls.log.put_dialog(state.call.written_to_close(calls.clock.now()));
        }
    }
    state.is_recorded |= kept.is_ok();
    state.record_at = if kept == Err(Dropped::Full) { after(RECORD_AGAIN) } else { None };
}

fn write(calls: &Calls, cdr: Cdr, attempts: Vec<Attempt>) {
    calls.metrics.on_ended(&cdr, &calls.snapshot.load());
    if cdr.media.is_some_and(|media| !media.is_told()) {
        calls.counters.media_unreported.add(1);
    }
    calls.log.put_cdr(cdr, attempts);
}

/// When the sides are asked for the first time. Of a call of an earlier process soon: its end may have passed by while
/// nobody was here. Calls that get their actors at one time are not asked at one time.
fn first_check(every: Duration, call: &LiveCall) -> Option<Instant> {
    let recovered = (every.min(RECOVERED_AFTER), every.min(RECOVERED_CHECK));
    let (least, span) = if call.is_recovered() { recovered } else { (every / 2, every / 2) };
    let [.., drawn] = call.id().into_bytes();
    (!every.is_zero()).then(|| Instant::now() + least + span.mul_f64(f64::from(drawn) / 256.0))
}

/// When it is looked for the first time whose the call is: calls that get their actors at one time are not all looked
/// at then.
fn first_look(every: Duration, id: Uuid) -> Option<Instant> {
    let [.., drawn] = id.into_bytes();
    after(every / 2 + (every / 2).mul_f64(f64::from(drawn) / 256.0))
}

fn after(time: Duration) -> Option<Instant> {
    (!time.is_zero()).then(|| Instant::now() + time)
}

/// Resolves at that time; never, where there is none.
pub(super) async fn at(deadline: Option<Instant>) {
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
