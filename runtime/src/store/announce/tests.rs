use sqlx::PgPool;
use tokio::time::Instant;

use super::*;
use crate::store::testing::{Engine, each_engine};

const POLL: Duration = Duration::from_millis(500);
/// For what a server of this machine does in milliseconds.
const SOON: Duration = Duration::from_secs(20);

/// How long a follower waited.
async fn waited(announced: &mut watch::Receiver<u64>) -> Duration {
    let start = Instant::now();
    announced_or(announced, POLL).await;
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn without_an_announcement_the_poll_comes_due() {
    let announcements = Announcements::default();
    announcements.announce();
    // What was announced before it followed, it reads at its start.
    let mut announced = announcements.subscribe();
    assert_eq!(waited(&mut announced).await, POLL);
    drop(announcements);
    assert_eq!(waited(&mut announced).await, POLL, "nobody is left who announces");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_announcements_is_one_and_what_comes_later_is_another() {
    let announcements = Announcements::default();
    let mut announced = announcements.subscribe();
    let teller = announcements.clone();
    // Milliseconds from the start.
    let burst = tokio::spawn(async move {
        let mut at = 0;
        for next in [100, 105, 119, 130] {
            sleep(Duration::from_millis(next - at)).await;
            teller.announce();
            at = next;
        }
    });
    assert_eq!(waited(&mut announced).await, Duration::from_millis(100) + SETTLE);
    assert_eq!(waited(&mut announced).await, Duration::from_millis(10) + SETTLE, "that of 130 ms");
    assert_eq!(waited(&mut announced).await, POLL);
    burst.await.unwrap();
    assert_eq!(*announced.borrow(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_while_a_follower_reads_is_not_missed() {
    let announcements = Announcements::default();
    let mut announced = announcements.subscribe();
    for _ in 0..3 {
        announcements.announce();
        assert_eq!(waited(&mut announced).await, SETTLE);
    }
}

#[tokio::test(start_paused = true)]
async fn announcements_without_end_delay_no_poll() {
    let announcements = Announcements::default();
    let mut announced = announcements.subscribe();
    let teller = announcements.clone();
    let without_end = tokio::spawn(async move {
        loop {
            teller.announce();
            sleep(Duration::from_millis(1)).await;
        }
    });
    for _ in 0..10 {
        assert!(waited(&mut announced).await <= SETTLE + Duration::from_millis(1));
    }
    without_end.abort();
}

/// Commits an announcement, or takes it back.
async fn notify(db: &Db, commit: bool) {
    let mut tx = db.begin().await.unwrap();
    announce_in(&mut tx).await.unwrap();
    announce_in(&mut tx).await.unwrap();
    if commit {
        tx.commit().await.unwrap();
    }
}

async fn next(announced: &mut watch::Receiver<u64>) -> u64 {
    timeout(SOON, announced.changed()).await.expect("nothing was announced").unwrap();
    *announced.borrow_and_update()
}

/// Ends the connection that listens, as a server does that is restarted.
async fn cut(pool: &PgPool) {
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let cut = sqlx::query(cut).execute(pool).await.unwrap();
    assert_eq!(cut.rows_affected(), 1, "one connection listens");
}

#[tokio::test]
async fn a_commit_is_announced_on_every_node_of_one_database() {
    each_engine(async |engine: Engine| {
        notify(&engine.store, true).await;
        let announcements = Announcements::default();
        let Db::Pg(pool) = &engine.store else {
            assert!(listener(&engine.store, &announcements).is_none());
            return;
        };
        let mut announced = announcements.subscribe();
        let listener =
            Listener { options: pool.connect_options(), announcements, face: Arc::new(Face::default()) };
        let face = Arc::clone(&listener.face);
        let running = tokio::spawn(async move { listener.run(&Random::seeded(1)).await });
        assert_eq!(next(&mut announced).await, 1, "the listener begins with one");
        notify(&engine.store, false).await;
        notify(&engine.store, true).await;
        assert_eq!(next(&mut announced).await, 2, "that of the commit alone");
        cut(pool).await;
        assert_eq!(next(&mut announced).await, 3, "another connection was made");
        notify(&engine.store, true).await;
        assert_eq!(next(&mut announced).await, 4);
        assert_eq!(observe(&face)().counters, [("connections", 2), ("notifications", 2)]);
        running.abort();
    })
    .await;
}

#[tokio::test]
async fn a_change_of_the_configuration_is_announced() {
    use crate::clock::Timestamp;
    use crate::seal::RootKey;
    use crate::store::cookie_key;
    use crate::store::provisioning::{self, Current, Document};

    each_engine(async |engine: Engine| {
        let Db::Pg(pool) = &engine.store else { return };
        let root_key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let mut listener = PgListener::connect_with(pool).await.unwrap();
        listener.listen(CHANNEL).await.unwrap();
        let document = "[[customers]]\nban = \"TB-1\"\ncompany_name = \"Acme\"\n";
        let document = Document::parse(document).unwrap();
        let current = Current::load(&engine.store, &root_key).await.unwrap();
        let changes = provisioning::plan(&document, &current).unwrap();
        let both = (&document, changes.as_slice());
        provisioning::apply(&engine.store, &root_key, both, &current, now).await.unwrap();
        timeout(SOON, listener.recv()).await.expect("provisioning announces nothing").unwrap();
        cookie_key::rotate(&engine.store, &root_key, now, false).await.unwrap();
        timeout(SOON, listener.recv()).await.expect("a new key of cookies is not announced").unwrap();
    })
    .await;
}
