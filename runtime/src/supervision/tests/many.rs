//! Sessions: many short-lived children.

use std::time::Duration;

use super::lab::{Idle, Lab, PLENTY, name};
use super::{ActorName, ChildSpec, Restart, ShardedSupervisor, Start, Supervisor, SupervisorHandle};

const MANY: u32 = 10_000;

fn session(n: u32) -> ChildSpec {
    let start = Start::actor_once(|seat| async move { Ok(seat.spawn(Idle, ()).await?.get_cell()) });
    ChildSpec::new(ActorName::nth("session", "esme", n), Restart::Temporary, start)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_children_come_and_go() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    fill(&top).await;
    assert_eq!(lab.registry.len(), 1 + MANY as usize);
    assert_eq!(lab.registry.list().len(), 1 + MANY as usize);

    for n in (0..MANY).step_by(2) {
        lab.registry.actor(&ActorName::nth("session", "esme", n)).unwrap().stop(None);
    }
    while lab.registry.len() > 1 + MANY as usize / 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(top.children().await.len(), MANY as usize / 2);
    // The names are free again.
    for n in (0..MANY).step_by(2) {
        top.add(session(n)).await.unwrap();
    }
    top.stop().await;
    assert!(lab.registry.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_share_the_children() {
    let lab = Lab::new();
    let above = name("sessions");
    let spec = ShardedSupervisor::spec(above.clone(), 4, PLENTY, Duration::from_secs(5));
    let root = Supervisor::spawn(spec, &lab.registry).await.unwrap();
    let sharded = ShardedSupervisor::handle(&lab.registry, above, 4);
    for n in 0..400 {
        let start = Start::actor_once(|seat| async move { Ok(seat.spawn(Idle, ()).await?.get_cell()) });
        let child = ActorName::new("session", format!("esme-{n}"));
        sharded.add(ChildSpec::new(child, Restart::Temporary, start)).await.unwrap();
    }
    assert_eq!(sharded.children().await.len(), 400);
    for shard in 1..=4 {
        let shard = lab.registry.supervisor(ActorName::nth("test", "sessions", shard));
        assert!((50..200).contains(&shard.children().await.len()));
    }
    let one = ActorName::new("session", "esme-7");
    assert_eq!(lab.registry.get(&one).unwrap().depth, 0, "read by name, not from the tree");
    sharded.remove(&one).await.unwrap();
    assert!(lab.registry.get(&one).is_none());
    assert!(sharded.restart(&one).await.is_err());
    root.stop().await;
    assert!(lab.registry.is_empty());
}

async fn fill(top: &SupervisorHandle) {
    for n in 0..MANY {
        top.add(session(n)).await.unwrap();
    }
}
