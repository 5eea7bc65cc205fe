//! Every way in which an incarnation ends.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::lab::{Lab, PLENTY, name};
use super::{Backoff, ChildSpec, Restart, Start, Strategy, Supervisor, SupervisorSpec, task};
use crate::registry::Observation;
use crate::supervision::Seat;

#[derive(Clone, Copy, Debug)]
enum Do {
    Nothing,
    PanicInHandler,
    FailInHandler,
    StopItself,
    PanicInPreStart,
    PanicInTask,
    FailInTask,
    EndTask,
    Kill,
}

/// An actor with a data path.
struct Worker;

struct WorkerState {
    /// Closed when the data path is gone.
    _alive: mpsc::Sender<()>,
    orders: mpsc::Sender<Do>,
    _registration: crate::registry::Registration,
}

impl Actor for Worker {
    type Msg = Do;
    type State = WorkerState;
    type Arguments = (Seat, Do, mpsc::Sender<()>);

    async fn pre_start(
        &self,
        myself: ActorRef<Do>,
        (seat, first, alive): Self::Arguments,
    ) -> Result<WorkerState, ActorProcessingErr> {
        if matches!(first, Do::PanicInPreStart) {
            panic!("in pre_start");
        }
        let (orders, mut ordered) = mpsc::channel(4);
        let held = alive.clone();
        seat.attach(myself.get_cell(), async move {
            let _held = held;
            match ordered.recv().await {
                Some(Do::PanicInTask) => panic!("in the task"),
                Some(Do::FailInTask) => Err(std::io::Error::other("task error")),
                _ => Ok(()),
            }
        });
        let _registration = seat.register(Arc::new(Observation::default));
        Ok(WorkerState { _alive: alive, orders, _registration })
    }

    async fn handle(
        &self,
        myself: ActorRef<Do>,
        message: Do,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Do::PanicInHandler => panic!("in the handler"),
            Do::FailInHandler => return Err(std::io::Error::other("handler error").into()),
            Do::StopItself => myself.stop(Some("done".into())),
            Do::PanicInTask | Do::FailInTask | Do::EndTask => state.orders.send(message).await?,
            Do::Nothing | Do::PanicInPreStart | Do::Kill => {}
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_ends_in_every_way_and_its_data_path_with_it() {
    let table = [
        (Do::PanicInHandler, Some("panicked: in the handler")),
        (Do::FailInHandler, Some("failed: handler error")),
        (Do::StopItself, None),
        (Do::PanicInTask, Some("panicked: in the task")),
        (Do::FailInTask, Some("failed: task error")),
        (Do::EndTask, None),
        (Do::Kill, Some("failed: killed")),
    ];
    for (what, expected) in table {
        let lab = Lab::new();
        let (alive, mut gone) = mpsc::channel(1);
        let held = alive.clone();
        let start = Start::actor(move |seat| {
            let alive = held.clone();
            async move {
                let arguments = (seat.clone(), Do::Nothing, alive);
                Ok(seat.spawn(Worker, arguments).await?.get_cell())
            }
        });
        let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY)
            .child(ChildSpec::new(name("worker"), Restart::Transient, start).backoff(Backoff::NONE));
        let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
        lab.settle().await;
        let before = lab.registry.actor(&name("worker")).unwrap();
        if matches!(what, Do::Kill) {
            before.kill()
        } else {
            before.send_message(what).unwrap()
        }
        lab.settle().await;
        let seen = lab.registry.get(&name("worker"));
        match expected {
            Some(error) => {
                let seen = seen.unwrap();
                assert_eq!(seen.last_error.as_deref(), Some(error), "{what:?}");
                assert_eq!(seen.restarts, 1, "{what:?}");
                assert_ne!(lab.registry.actor(&name("worker")), Some(before), "a new one is behind the name");
            }
            None => assert!(seen.is_none(), "{what:?} is a normal end"),
        }
        top.stop().await;
        drop((alive, top));
        // The closure's clone lives in the spec, which went with the supervisor.
        assert!(gone.recv().await.is_none(), "{what:?} left a data path behind");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_pre_start_is_a_failed_start() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let (alive, _gone) = mpsc::channel(1);
    let start = Start::actor_once(move |seat| async move {
        let arguments = (seat.clone(), Do::PanicInPreStart, alive);
        Ok(seat.spawn(Worker, arguments).await?.get_cell())
    });
    let error = top.add(ChildSpec::new(name("w"), Restart::Temporary, start)).await.unwrap_err();
    assert_eq!(error.to_string(), "test:w:0 did not start: panicked: in pre_start");
    let start = Start::actor(|_| async { panic!("before it was spawned") });
    let error = top.add(ChildSpec::new(name("w"), Restart::Temporary, start)).await.unwrap_err();
    assert_eq!(error.to_string(), "test:w:0 did not start: panicked: before it was spawned");
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_was_not_linked_is_linked() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start = Start::actor(|_| async {
        let (actor, _) = Actor::spawn(None, super::lab::Idle, ()).await?;
        Ok::<ActorCell, _>(actor.get_cell())
    });
    top.add(ChildSpec::new(name("stray"), Restart::Permanent, start).backoff(Backoff::NONE)).await.unwrap();
    lab.registry.actor(&name("stray")).unwrap().kill();
    lab.settle().await;
    assert_eq!(lab.registry.get(&name("stray")).unwrap().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_ended_during_its_start_is_restarted() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start = Start::actor(|_| async {
        let (actor, handle) = Actor::spawn(None, super::lab::Idle, ()).await?;
        actor.stop(None);
        handle.await?;
        Ok::<ActorCell, _>(actor.get_cell())
    });
    let spec = ChildSpec::new(name("short"), Restart::Transient, start)
        .backoff(Backoff::new(Duration::from_secs(10), Duration::from_secs(10)));
    top.add(spec).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let error = lab.registry.get(&name("short")).unwrap().last_error.unwrap();
    assert_eq!(error, "failed: the actor ended during its start");
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_panics_or_fails_is_started_again() {
    let lab = Lab::new();
    let (started, mut starts) = mpsc::unbounded_channel();
    let start = Start::thread(move |seat| {
        let seen = seat.registry.get(&seat.name).unwrap();
        let round = seen.restarts;
        started.send((round, task::current(), seen.last_error)).unwrap();
        match round {
            0 => panic!("in the thread"),
            1 => Err("thread error".into()),
            _ => {
                while !seat.shutdown.is_requested() {
                    std::thread::yield_now();
                }
                Ok(())
            }
        }
    });
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY)
        .child(ChildSpec::new(name("thread"), Restart::Transient, start).backoff(Backoff::NONE));
    let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    for (round, error) in [(0, None), (1, Some("panicked: in the thread")), (2, Some("failed: thread error"))]
    {
        let expected = (round, Some(name("thread")), error.map(str::to_owned));
        assert_eq!(starts.recv().await.unwrap(), expected);
    }
    top.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_knows_its_name() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start = Start::task(|seat| async move {
        assert_eq!(task::current(), Some(seat.name));
        Err(std::fmt::Error.into())
    });
    let spec = ChildSpec::new(name("task"), Restart::Transient, start)
        .backoff(Backoff::new(Duration::from_secs(10), Duration::from_secs(10)));
    top.add(spec).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let error = lab.registry.get(&name("task")).unwrap().last_error.unwrap();
    assert!(error.starts_with("failed: an error occurred"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_second_start_of_a_once_is_an_error() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start =
        Start::actor_once(|seat| async move { Ok(seat.spawn(super::lab::Idle, ()).await?.get_cell()) });
    let spec = ChildSpec::new(name("once"), Restart::Transient, start)
        .backoff(Backoff::new(Duration::from_secs(10), Duration::from_secs(10)));
    top.add(spec).await.unwrap();
    lab.registry.actor(&name("once")).unwrap().kill();
    sleep(Duration::from_secs(11)).await;
    let second = lab.registry.get(&name("once")).unwrap().last_error.unwrap();
    assert_eq!(second, "failed: this child can be started once only");
}
