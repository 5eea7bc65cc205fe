//! Panics on request.

use super::lab::{Idle, Lab, name};
use super::{Backoff, ChildSpec, Restart, Start};

#[tokio::test(start_paused = true)]
async fn every_kind_of_child_can_be_made_to_panic() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let kinds = [
        ("deaf task", Start::task(|_| std::future::pending())),
        (
            "waiting task",
            Start::task(|seat| async move {
                seat.shutdown.requested().await;
                Ok(())
            }),
        ),
        ("actor", Start::actor(|seat| async move { Ok(seat.spawn(Idle, ()).await?.get_cell()) })),
        (
            "actor with data path",
            Start::actor(|seat| async move {
                let actor = seat.spawn(Idle, ()).await?;
                let shutdown = seat.shutdown.clone();
                seat.attach(actor.get_cell(), async move {
                    shutdown.requested().await;
                    Ok::<_, std::io::Error>(())
                });
                Ok(actor.get_cell())
            }),
        ),
    ];
    for (key, start) in kinds {
        top.add(ChildSpec::new(name(key), Restart::Transient, start).backoff(Backoff::NONE)).await.unwrap();
        lab.settle().await;
        for round in 1..=2 {
            assert!(lab.registry.poison(&name(key)), "{key}");
            lab.settle().await;
            let seen = lab.registry.get(&name(key)).unwrap();
            assert_eq!(seen.last_error.as_deref(), Some("panicked: injected panic"), "{key}");
            assert_eq!(seen.restarts, round, "{key}");
        }
    }
    assert!(!lab.registry.poison(&name("nobody")));
}

#[tokio::test]
async fn a_thread_panics_when_it_looks_at_its_shutdown() {
    let lab = Lab::new();
    let top = lab.empty_top().await;
    let start = Start::thread(|seat| {
        while !seat.shutdown.is_requested() {
            std::thread::yield_now();
        }
        Ok(())
    });
    top.add(ChildSpec::new(name("thread"), Restart::Permanent, start).backoff(Backoff::NONE)).await.unwrap();
    assert!(lab.registry.poison(&name("thread")));
    while lab.registry.get(&name("thread")).unwrap().restarts == 0 {
        tokio::task::yield_now().await;
    }
    top.stop().await;
}
