use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Backoff, ChildSpec, Error, Exit, Intensity, Restart, ShardedSupervisor, Start, Strategy, Supervisor,
    SupervisorHandle, SupervisorSpec, task,
};
use crate::registry::ActorName;
use lab::{Lab, Order, PLENTY, name};

mod ends;
mod lab;
mod many;
mod poison;
mod simulated;
mod stopping;

#[tokio::test(start_paused = true)]
async fn strategy_and_restart_type_decide_who_is_started_again() {
    let one: &[&str] = &["start b"];
    let rest: &[&str] = &["stop c", "start b", "start c"];
    let all: &[&str] = &["stop c", "stop a", "start a", "start b", "start c"];
    let none: &[&str] = &[];
    for (strategy, again) in
        [(Strategy::OneForOne, one), (Strategy::RestForOne, rest), (Strategy::OneForAll, all)]
    {
        let table = [
            (Restart::Permanent, Order::End, again),
            (Restart::Permanent, Order::Fail, again),
            (Restart::Permanent, Order::Panic, again),
            (Restart::Transient, Order::End, none),
            (Restart::Transient, Order::Fail, again),
            (Restart::Transient, Order::Panic, again),
            (Restart::Temporary, Order::End, none),
            (Restart::Temporary, Order::Fail, none),
            (Restart::Temporary, Order::Panic, none),
        ];
        for (restart, order, expected) in table {
            let lab = Lab::new();
            let spec = SupervisorSpec::new(name("top"), strategy, PLENTY)
                .child(lab.child("a", Restart::Permanent))
                .child(lab.child("b", restart))
                .child(lab.child("c", Restart::Permanent));
            let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
            lab.settle().await;
            assert_eq!(lab.take_journal(), ["start a", "start b", "start c"]);
            lab.order("b", order);
            lab.settle().await;
            assert_eq!(lab.take_journal(), expected, "{strategy:?} {restart:?} {order:?}");
            let kept = lab.registry.get(&name("b")).is_some();
            assert_eq!(kept, !expected.is_empty(), "a child that is not restarted frees its name");
            top.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_restarts_end_the_supervisor_and_climb() {
    let lab = Lab::new();
    let inner =
        SupervisorSpec::new(name("inner"), Strategy::OneForOne, Intensity::new(2, Duration::from_secs(60)))
            .child(lab.child("calm", Restart::Permanent))
            .child(lab.child("bad", Restart::Permanent));
    let inner = inner.into_child(Restart::Permanent, Duration::from_secs(10)).backoff(Backoff::NONE);
    let spec =
        SupervisorSpec::new(name("top"), Strategy::OneForOne, Intensity::new(1, Duration::from_secs(60)))
            .child(inner);
    let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;

    for _ in 0..3 {
        lab.order("bad", Order::Fail);
        lab.settle().await;
    }
    let seen = lab.registry.get(&name("inner")).unwrap();
    assert_eq!(seen.restarts, 1, "the third failure is one too many and the level above restarts");
    assert!(seen.last_error.unwrap().contains("gave up after 2 restarts"));
    assert_eq!(lab.take_journal().iter().filter(|line| *line == "stop calm").count(), 1);

    for _ in 0..3 {
        lab.order("bad", Order::Panic);
        lab.settle().await;
    }
    assert_eq!(top.ended().await, Exit::Normal, "there is none to wait for any more");
    assert!(lab.registry.is_empty(), "{}", lab.registry.tree_text());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_root_can_be_awaited() {
    let lab = Lab::new();
    let none = Intensity::new(0, Duration::from_secs(1));
    let spec =
        SupervisorSpec::new(name("top"), Strategy::OneForAll, none).child(lab.child("a", Restart::Permanent));
    let top = Supervisor::spawn(spec.clone(), &lab.registry).await.unwrap();
    let waiting = tokio::spawn({
        let top = top.clone();
        async move { top.ended().await }
    });
    lab.settle().await;
    lab.order("a", Order::Fail);
    let Exit::Failed(error) = waiting.await.unwrap() else { panic!("must fail") };
    assert!(error.contains("last test:a:0 failed: ordered"), "{error}");

    lab.settle().await;
    let again = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    let waiting = tokio::spawn({
        let top = again.clone();
        async move { top.ended().await }
    });
    lab.settle().await;
    again.stop().await;
    assert_eq!(waiting.await.unwrap(), Exit::Normal);
}

#[tokio::test(start_paused = true)]
async fn the_pause_grows_and_starts_over() {
    let lab = Lab::new();
    let backoff = Backoff {
        first: Duration::from_secs(1),
        max: Duration::from_secs(8),
        reset_after: Duration::from_secs(100),
    };
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent).backoff(backoff));
    let _top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.started("a", 1).await;
    let ceilings = [1, 2, 4, 8, 8, 8];
    let mut longest = Duration::ZERO;
    for (failure, ceiling) in ceilings.into_iter().enumerate() {
        let failed_at = Instant::now();
        lab.order("a", Order::Fail);
        lab.started("a", failure + 2).await;
        let pause = failed_at.elapsed();
        assert!(pause <= Duration::from_secs(ceiling) + Duration::from_millis(2), "{failure}: {pause:?}");
        longest = longest.max(pause);
    }
    assert!(longest > Duration::from_secs(1), "the pauses grew, the longest was {longest:?}");
    sleep(Duration::from_secs(101)).await;
    let failed_at = Instant::now();
    lab.order("a", Order::Fail);
    lab.started("a", 8).await;
    assert!(failed_at.elapsed() <= Duration::from_millis(1002));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_a_failure_of_the_child() {
    let lab = Lab::new();
    let spec = SupervisorSpec::new(name("top"), Strategy::RestForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent))
        .child(lab.fails_to_start("b", 2))
        .child(lab.child("c", Restart::Permanent));
    let _top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    // A task begins when the runtime comes to it, which is after the supervisor has tried b.
    let journal = lab.take_journal();
    assert_eq!(journal, ["no start b", "start a", "no start b", "start b", "start c"]);
    let seen = lab.registry.get(&name("b")).unwrap();
    assert_eq!((seen.restarts, seen.last_error.as_deref()), (2, Some("failed: not yet")));
    assert_eq!(lab.registry.get(&name("c")).unwrap().restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn starts_that_fail_too_often_fail_the_spawn() {
    let lab = Lab::new();
    let none = Intensity::new(0, Duration::from_secs(1));
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, none)
        .child(lab.child("a", Restart::Permanent))
        .child(lab.fails_to_start("b", 1));
    let error = Supervisor::spawn(spec, &lab.registry).await.unwrap_err();
    assert!(matches!(error, Error::GaveUp(_)), "{error}");
    assert!(lab.registry.is_empty());
    assert_eq!(lab.take_journal(), ["no start b", "start a", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn added_children_come_and_go_and_names_are_freed() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    top.add(lab.child("a", Restart::Temporary)).await.unwrap();
    top.add(lab.child("b", Restart::Permanent)).await.unwrap();
    lab.settle().await;
    assert_eq!(top.children().await, [name("a"), name("b")]);

    let taken = top.add(lab.child("a", Restart::Temporary)).await.unwrap_err();
    assert_eq!(taken.to_string(), "the name test:a:0 is taken");
    lab.order("a", Order::End);
    lab.settle().await;
    top.add(lab.child("a", Restart::Temporary)).await.unwrap();
    top.remove(&name("b")).await.unwrap();
    top.add(lab.child("b", Restart::Permanent)).await.unwrap();
    let unknown = top.remove(&name("nobody")).await.unwrap_err();
    assert_eq!(unknown.to_string(), "test:top:0 has no child test:nobody:0");

    top.stop().await;
    assert!(lab.registry.is_empty());
    let gone = top.add(lab.child("a", Restart::Temporary)).await.unwrap_err();
    assert_eq!(gone.to_string(), "supervisor test:top:0 is not running");
}

#[tokio::test(start_paused = true)]
async fn an_added_child_that_does_not_start() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let mut temporary = lab.fails_to_start("t", 1);
    temporary.restart = Restart::Temporary;
    let error = top.add(temporary).await.unwrap_err();
    assert_eq!(error.to_string(), "test:t:0 did not start: failed: not yet");
    assert!(lab.registry.get(&name("t")).is_none());

    top.add(lab.fails_to_start("p", 1)).await.unwrap();
    lab.settle().await;
    assert_eq!(lab.registry.get(&name("p")).unwrap().restarts, 1, "kept and tried again");
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_follows_the_strategy_and_costs_no_intensity() {
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["stop a", "start a"]),
        (Strategy::RestForOne, vec!["stop b", "stop a", "start a", "start b"]),
        (Strategy::OneForAll, vec!["stop b", "stop a", "start a", "start b"]),
    ] {
        let lab = Lab::new();
        let none = Intensity::new(0, Duration::from_secs(1));
        let spec = SupervisorSpec::new(name("top"), strategy, none)
            .child(lab.child("a", Restart::Permanent))
            .child(lab.child("b", Restart::Permanent));
        let top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
        lab.settle().await;
        lab.take_journal();
        top.restart(&name("a")).await.unwrap();
        lab.settle().await;
        assert_eq!(lab.take_journal(), expected, "{strategy:?}");
        assert_eq!(lab.registry.get(&name("a")).unwrap().restarts, 1);
        assert!(top.restart(&name("nobody")).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_and_the_tree_show_restarts_and_the_last_error() {
    let lab = Lab::new();
    let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent))
        .child(lab.child("b", Restart::Permanent));
    let _top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    for _ in 0..2 {
        lab.order("a", Order::Panic);
        lab.settle().await;
    }
    let seen = lab.registry.get(&name("a")).unwrap();
    assert_eq!(seen.restarts, 2);
    assert_eq!(seen.last_error.as_deref(), Some("panicked: ordered"));
    assert_eq!(seen.parent, Some(name("top")));
    assert_eq!(seen.state, "working");
    assert_eq!(seen.counters, [("orders", 7)]);

    let text = lab.registry.tree_text();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATE", "UP", "FOR", "RESTARTS", "QUEUE", "COUNTERS"]);
    assert_eq!(lines[1][..2], ["test:top:0", "supervising"]);
    assert!(text.lines().nth(2).unwrap().starts_with("  test:a:0"));
    assert_eq!(lines[2][3..6], ["2", "3", "orders=7"]);
    assert!(text.contains("last_error=\"panicked: ordered\""));
}

#[tokio::test(start_paused = true)]
async fn a_wider_restart_overtakes_a_narrower_one() {
    let lab = Lab::new();
    let slow = Backoff::new(Duration::from_secs(20), Duration::from_secs(20));
    let spec = SupervisorSpec::new(name("top"), Strategy::RestForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent))
        .child(lab.child("b", Restart::Permanent).backoff(slow))
        .child(lab.child("c", Restart::Permanent));
    let _top = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    lab.settle().await;
    lab.take_journal();
    lab.order("b", Order::Fail);
    sleep(Duration::from_millis(1)).await;
    lab.order("a", Order::Fail);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.take_journal(), ["stop c", "start a", "start b", "start c"]);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_under_an_actor_dies_with_it() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let inner = SupervisorSpec::new(name("inner"), Strategy::OneForOne, PLENTY)
        .child(lab.child("a", Restart::Permanent));
    let start = Start::actor(move |seat| {
        let inner = inner.clone();
        async move {
            let actor = seat.spawn(lab::Idle, ()).await?;
            Supervisor::spawn(inner, super::Parent::Actor(&seat, actor.get_cell())).await?;
            Ok(actor.get_cell())
        }
    });
    top.add(ChildSpec::new(name("owner"), Restart::Temporary, start)).await.unwrap();
    lab.settle().await;
    assert_eq!(lab.registry.get(&name("inner")).unwrap().parent, Some(name("owner")));
    top.remove(&name("owner")).await.unwrap();
    lab.settle().await;
    assert!(lab.registry.get(&name("a")).is_none());
}
