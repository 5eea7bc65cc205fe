//! Starting and stopping one incarnation of a child.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use ractor::{ActorCell, ActorRef, ActorStatus};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::actor::Message;
use super::{Exit, Seat, Shutdown, Start, StartActor, StartTask, StartThread, task};
use crate::registry::ActorName;

/// Time for a killed actor, a stopped straggler or an aborted task to be gone.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// A started incarnation. Dropping it aborts a task; an actor dies with its supervisor.
pub(super) struct Running {
    pub(super) name: ActorName,
    pub(super) incarnation: u64,
    pub(super) shutdown: Shutdown,
    /// Time to end.
    pub(super) limit: Duration,
    pub(super) runner: Runner,
}

pub(super) enum Runner {
    Actor(ActorCell),
    Task(Task),
    /// Resolves when the thread's body has returned.
    Thread(oneshot::Receiver<()>),
}

pub(super) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells the supervisor how a task or thread ended.
pub(super) struct Report {
    pub(super) supervisor: ActorRef<Message>,
    pub(super) seq: u64,
    pub(super) incarnation: u64,
}

impl Report {
    fn send(self, exit: Exit) {
        let message = Message::Exited { seq: self.seq, incarnation: self.incarnation, exit };
        // A supervisor that is gone has nobody to tell.
        let _ = self.supervisor.send_message(message);
    }
}

/// Starts an incarnation. `Err` is how the start ended.
pub(super) async fn start(start: &Start, seat: Seat, report: Report) -> Result<Runner, Exit> {
    match start {
        Start::Actor(start) => start_actor(start, seat, report).await,
        Start::Task(start) => Ok(start_task(start, seat, report)),
        Start::Thread(start) => start_thread(start, seat, report),
    }
}

async fn start_actor(start: &StartActor, seat: Seat, report: Report) -> Result<Runner, Exit> {
    let supervisor = seat.supervisor.clone();
    let name = seat.name.clone();
    let started = task::named(name, async move { start(seat).await });
    let cell = match AssertUnwindSafe(started).catch_unwind().await {
        Ok(Ok(cell)) => cell,
        Ok(Err(error)) => return Err(task::exit_of_error(error.as_ref())),
        Err(payload) => return Err(Exit::Panicked(task::panic_text(payload.as_ref()))),
    };
    if cell.get_status() < ActorStatus::Stopping {
        if cell.try_get_supervisor().as_ref() != Some(&supervisor) {
            cell.link(supervisor);
        }
    } else {
        // Ended already. Its own event, if it was linked, is handled first and says how.
        report.send(Exit::Failed("the actor ended during its start".to_owned()));
    }
    Ok(Runner::Actor(cell))
}

fn start_task(start: &StartTask, seat: Seat, report: Report) -> Runner {
    let start = StartTask::clone(start);
    let name = seat.name.clone();
    let shutdown = seat.shutdown.clone();
    let body = async move { start(seat).await };
    let body = async move {
        tokio::select! {
            biased;
            () = shutdown.poisoned() => super::shutdown::injected_panic(),
            outcome = body => outcome,
        }
    };
    let run = async move { report.send(task::caught(body).await) };
    Runner::Task(Task(tokio::spawn(task::named(name, run))))
}

fn start_thread(start: &StartThread, seat: Seat, report: Report) -> Result<Runner, Exit> {
    let start = StartThread::clone(start);
    let (gone, done) = oneshot::channel();
    let name = seat.name.clone();
    let body = move || {
        let _gone: oneshot::Sender<()> = gone;
        let exit = match catch_unwind(AssertUnwindSafe(|| start(seat))) {
            Ok(Ok(())) => Exit::Normal,
            Ok(Err(error)) => Exit::Failed(task::error_text(error.as_ref())),
            Err(payload) => Exit::Panicked(task::panic_text(payload.as_ref())),
        };
        report.send(exit);
    };
    thread::Builder::new()
        .name(format!("{}:{}", name.kind, name.n))
        .spawn(move || task::named_sync(name, body))
        .map(|_| Runner::Thread(done))
        .map_err(|error| Exit::Failed(format!("cannot start a thread: {error}")))
}

/// Asks an incarnation to end, and makes it after its shutdown time. Returns when it is gone, or when all
/// means are used up.
pub(super) async fn stop(running: Running) {
    let Running { name, shutdown, limit, runner, .. } = running;
    let by_itself = shutdown.is_watched();
    shutdown.request();
    let gone = match runner {
        Runner::Actor(actor) => stop_actor(&name, &actor, limit, by_itself).await,
        Runner::Task(mut task) => {
            let ended = timeout(limit, &mut task.0).await.is_ok();
            if !ended {
                tracing::warn!(%name, limit_ms = millis(limit), "task aborted, it did not end in time");
                task.0.abort();
            }
            ended || timeout(KILL_GRACE, &mut task.0).await.is_ok()
        }
        Runner::Thread(done) => timeout(limit, done).await.is_ok(),
    };
    if !gone {
        tracing::error!(%name, limit_ms = millis(limit), "child left behind, it does not end");
    }
}

async fn stop_actor(name: &ActorName, actor: &ActorCell, limit: Duration, by_itself: bool) -> bool {
    if !by_itself {
        actor.stop(None);
    }
    if actor.wait(Some(limit)).await.is_ok() {
        return true;
    }
    if by_itself {
        actor.stop(None);
        if actor.wait(Some(KILL_GRACE)).await.is_ok() {
            return true;
        }
    }
    tracing::warn!(%name, limit_ms = millis(limit), "actor killed, it did not end in time");
    actor.kill();
    actor.wait(Some(KILL_GRACE)).await.is_ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
