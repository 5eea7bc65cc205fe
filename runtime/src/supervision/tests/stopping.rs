//! Order and deadlines of a stop.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::lab::{Idle, Lab, PLENTY, name};
use super::{ChildSpec, Restart, Start, Strategy, Supervisor, SupervisorSpec};
use crate::supervision::{BoxError, Seat};

type Journal = Arc<Mutex<Vec<(&'static str, u64)>>>;

/// An actor that takes its time in `post_stop` and writes down when that was over.
struct Slow(&'static str, Duration, Journal, Instant);

impl Actor for Slow {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<()>, _state: &mut ()) -> Result<(), ActorProcessingErr> {
        sleep(self.1).await;
        self.2.lock().push((self.0, self.3.elapsed().as_secs()));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn children_stop_in_reverse_each_within_its_time() {
    let lab = Lab::new();
    let journal = Journal::default();
    let begun = Instant::now();
    let slow = |key: &'static str, seconds| {
        let journal = Arc::clone(&journal);
        let start = Start::actor(move |seat| {
            let slow = Slow(key, Duration::from_secs(seconds), Arc::clone(&journal), begun);
            async move { Ok(seat.spawn(slow, ()).await?.get_cell()) }
        });
        ChildSpec::new(name(key), Restart::Permanent, start).shutdown(Duration::from_secs(10))
    };
    let deaf = Start::task(|_| std::future::pending());
    let drained = Arc::clone(&journal);
    let drains = Start::actor(move |seat| drains(seat, Arc::clone(&drained), begun));
    let spec = SupervisorSpec::new(name("top"), Strategy::RestForOne, PLENTY)
        .child(slow("first", 1))
        .child(slow("too slow", 11))
        .child(ChildSpec::new(name("deaf"), Restart::Permanent, deaf).shutdown(Duration::from_secs(3)))
        .child(ChildSpec::new(name("drains"), Restart::Permanent, drains).shutdown(Duration::from_secs(8)))
        .child(slow("last", 2));
    let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    let asked = Instant::now();
    top.stop().await;
    // 2 for the last, 4 for the one that drains, 3 until the deaf task is aborted, 10 until the slow one is
    // killed, 1 for the first.
    assert_eq!(asked.elapsed().as_secs(), 20);
    assert_eq!(*journal.lock(), [("last", 2), ("drains", 6), ("first", 20)]);
    assert!(lab.registry.is_empty());
}

/// An actor that takes 4 s for what it has begun, then ends by itself.
async fn drains(seat: Seat, journal: Journal, begun: Instant) -> Result<ActorCell, BoxError> {
    let actor = seat.spawn(Idle, ()).await?;
    let shutdown = seat.shutdown.clone();
    seat.attach(actor.get_cell(), async move {
        shutdown.requested().await;
        sleep(Duration::from_secs(4)).await;
        journal.lock().push(("drains", begun.elapsed().as_secs()));
        Ok::<_, BoxError>(())
    });
    Ok(actor.get_cell())
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_overstays_its_drain_is_stopped_then_killed() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start = Start::actor(|seat| async move {
        let actor = seat.spawn(Idle, ()).await?;
        let shutdown = seat.shutdown.clone();
        seat.attach(actor.get_cell(), async move {
            shutdown.requested().await;
            std::future::pending::<Result<(), std::io::Error>>().await
        });
        Ok(actor.get_cell())
    });
    let spec = ChildSpec::new(name("stays"), Restart::Permanent, start).shutdown(Duration::from_secs(3));
    top.add(spec).await.unwrap();
    lab.settle().await;
    let asked = Instant::now();
    top.remove(&name("stays")).await.unwrap();
    assert_eq!(asked.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_takes_long_to_stop_holds_nobody_up() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let deaf = Start::task(|_| std::future::pending());
    let deaf = ChildSpec::new(name("deaf"), Restart::Temporary, deaf).shutdown(Duration::from_secs(30));
    top.add(deaf).await.unwrap();
    let removing = tokio::spawn({
        let top = top.clone();
        async move { top.remove(&name("deaf")).await }
    });
    sleep(Duration::from_millis(1)).await;
    let asked = Instant::now();
    top.add(lab.child("a", Restart::Temporary)).await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(1));
    assert!(lab.registry.get(&name("deaf")).is_some(), "its name is free when it is gone");
    removing.await.unwrap().unwrap();
    assert_eq!(asked.elapsed().as_secs(), 29);
    assert!(lab.registry.get(&name("deaf")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_does_not_hold_up_the_stop() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let hangs = Start::actor(|_| std::future::pending());
    let adding = tokio::spawn({
        let top = top.clone();
        async move { top.add(ChildSpec::new(name("hangs"), Restart::Permanent, hangs)).await }
    });
    lab.settle().await;
    let asked = Instant::now();
    top.stop().await;
    assert!(asked.elapsed() < Duration::from_millis(1));
    // Answered or let go, either way not left waiting.
    let _ = adding.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pause_does_not_hold_up_the_stop() {
    let lab = Lab::new();
    let hour = super::Backoff::new(Duration::from_secs(3600), Duration::from_secs(3600));
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent).backoff(hour));
    let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    lab.order("a", super::Order::Fail);
    lab.settle().await;
    assert_eq!(lab.registry.get(&name("a")).unwrap().state, "restarting");
    let asked = Instant::now();
    top.stop().await;
    assert!(asked.elapsed() < Duration::from_millis(1));
    assert!(lab.registry.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_nested_tree_stops_from_its_leaves() {
    let lab = Lab::new();
    let inner = |key: &'static str, a: &'static str, b: &'static str| {
        SupervisorSpec::new(name(key), Strategy::OneForOne, PLENTY)
            .child(lab.child(a, Restart::Permanent))
            .child(lab.child(b, Restart::Permanent))
            .into_child(Restart::Permanent, Duration::from_secs(30))
    };
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForAll, PLENTY)
        .child(inner("one", "a", "b"))
        .child(inner("two", "c", "d"));
    let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    let names: Vec<_> = lab.registry.list().into_iter().map(|seen| (seen.depth, seen.name.key)).collect();
    let expected = [(0, "top"), (1, "one"), (2, "a"), (2, "b"), (1, "two"), (2, "c"), (2, "d")];
    assert_eq!(names, expected.map(|(depth, key)| (depth, key.to_owned())));
    lab.take_journal();
    top.stop().await;
    assert_eq!(lab.take_journal(), ["stop d", "stop c", "stop b", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_takes_its_tasks_along() {
    let lab = Lab::new();
    let (alive, gone) = oneshot::channel::<()>();
    let top = lab.empty_top().await;
    let alive = Arc::new(Mutex::new(Some(alive)));
    let start = Start::task(move |_| {
        let alive = alive.lock().take();
        async move {
            let _alive = alive;
            std::future::pending().await
        }
    });
    top.add(ChildSpec::new(name("a"), Restart::Temporary, start)).await.unwrap();
    lab.settle().await;
    let ended = tokio::spawn({
        let top = top.clone();
        async move { top.ended().await }
    });
    lab.settle().await;
    lab.registry.actor(&name("top")).unwrap().kill();
    assert!(gone.await.is_err());
    assert_eq!(ended.await.unwrap().to_string(), "failed: killed");
    assert!(lab.registry.is_empty());
}
