use std::sync::atomic::AtomicU32;

use super::*;
use crate::clock::SystemClock;
use crate::random::Random;
use crate::registry::Registry;
use crate::store::testing::{Engine, each_engine};
use crate::store::version;
use crate::supervision::{Intensity, Strategy, Supervisor, SupervisorHandle, SupervisorSpec};

static NOTE: Sql = Sql::both("INSERT INTO voice.high_cost (prefix) VALUES ($1)");

async fn writer(db: &Db, announce: Announce) -> (Writes, SupervisorHandle) {
    let (writes, queue) = queue();
    let registry = Registry::new(Arc::new(SystemClock), Random::seeded(1));
    let spec = SupervisorSpec::new(
        ActorName::new("api", "main"),
        Strategy::OneForOne,
        Intensity::new(3, std::time::Duration::from_secs(10)),
    );
    let spec = spec.child(child_spec(db.clone(), queue, announce));
    (writes, Supervisor::spawn(spec, &registry).await.unwrap())
}

async fn insert(writes: &Writes, prefix: &'static str, touched: Touched) -> Result<&'static str, Error> {
    writes
        .run(move |tx| {
            Box::pin(async move {
                execute!(tx, NOTE, prefix)?;
                Ok(Written::new(prefix, touched))
            })
        })
        .await
}

#[tokio::test]
async fn a_refused_write_undoes_itself_alone_and_the_version_rises_with_the_others() {
    each_engine(async |engine: Engine| {
        let announced = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&announced);
        let announce: Announce = Arc::new(move |_| _ = count.fetch_add(1, Ordering::Relaxed));
        let (writes, supervisor) = writer(&engine.store, announce).await;
        let (first, twice, second) = tokio::join!(
            insert(&writes, "881", Touched::CONFIGURATION),
            async {
                insert(&writes, "882", Touched::NOTHING).await.unwrap();
                insert(&writes, "882", Touched::CONFIGURATION).await
            },
            insert(&writes, "883", Touched::NOTHING),
        );
        assert_eq!((first.unwrap(), second.unwrap()), ("881", "883"));
        assert_eq!(twice.unwrap_err().kind(), ErrorKind::Constraint);
        assert_eq!(version::version(&engine.store).await.unwrap(), 1);
        assert_eq!(announced.load(Ordering::Relaxed), 1);
        let stored = crate::store::voice::load(&engine.store).await.unwrap().high_cost.len();
        assert_eq!(stored, 3);
        supervisor.stop().await;
    })
    .await;
}

#[tokio::test]
async fn memory_follows_after_the_commit_and_a_closed_database_is_told() {
    let engine = Engine::lite().await;
    let (writes, supervisor) = writer(&engine.store, Arc::new(|_| ())).await;
    let seen = Arc::new(AtomicU32::new(0));
    let then = Arc::clone(&seen);
    let run: Result<(), Error> = writes
        .run(move |_| {
            Box::pin(async move {
                let then: Box<dyn FnOnce() + Send> = Box::new(move || then.store(7, Ordering::Relaxed));
                Ok(Written { value: (), touched: Touched::NOTHING, then: Some(then) })
            })
        })
        .await;
    run.unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 7);
    engine.store.close().await;
    let refused = insert(&writes, "881", Touched::NOTHING).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    supervisor.stop().await;
}
