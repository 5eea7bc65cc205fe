use runtime::config::RedisOptions;
use runtime::model::{MediaNode, MediaNodeState};
use runtime::password::SecretString;
use runtime::telemetry::metrics::Metrics as Registry;
use uuid::Uuid;

use super::*;

/// Entries as a table has them: the number, the address, `disabled`.
type Entries<'a> = &'a [(u8, &'a str, &'a str)];

fn table_of(entries: Entries<'_>) -> Vec<(u8, Row)> {
    let row = |(number, url, disabled): &(u8, &str, &str)| {
        let values = ["0", *url, "50", *disabled].map(|value| Some(Bytes::copy_from_slice(value.as_bytes())));
        (*number, values.to_vec())
    };
    entries.iter().map(row).collect()
}

fn configured(number: u8, address: &str) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: address.parse().unwrap(),
        weight: 50,
        state: MediaNodeState::Active,
    }
}

/// Names and states of the nodes of a pool.
fn seen(pool: &Pool) -> Vec<String> {
    pool.nodes().iter().map(|node| format!("{} {}", node.name, node.state_name())).collect()
}

#[test]
fn keys_are_those_of_the_running_platform() {
    assert_eq!(table::key(1), "rtpengine:entry::1");
}

/// A made-up table, read again and again.
#[tokio::test(start_paused = true)]
async fn nodes_come_and_go_beside_those_of_the_configuration() {
    let url = SecretString::new("redis://127.0.0.1:1");
    let redis = Redis::new(&RedisOptions { url, ..RedisOptions::default() }).unwrap().unwrap();
    let pool = Arc::new(Pool::default());
    let now = Instant::now().into_std();
    pool.expect_found();
    assert!(!pool.is_empty(), "calls wait for nodes, and do not go past them");
    assert_eq!(pool.choose(7, &[], now), None);
    pool.configure(&[configured(1, "192.0.2.1:2223")], now);
    let options = Options { redis, set: 0, pool: Arc::clone(&pool), metrics: Metrics::new(&Registry::new()) };
    let face = Arc::new(Face::default());
    let mut reader = Reader { options: &options, face: &face, known: Known::default(), failing: true };
    let (one, two) = ("udp:192.0.2.1:2223", "udp:192.0.2.2:2223");
    let beside = "redis-192.0.2.2:2223";

    reader.take(table_of(&[(1, one, "0"), (2, two, "0"), (3, "udp:media-3:2223", "0")]));
    assert_eq!(seen(&pool), ["media-1 down".to_owned(), format!("{beside} down")]);
    let found = pool.nodes()[1].number;
    assert_eq!(found, 129, "that of its entry");
    assert_eq!(pool.nodes().iter().map(|node| node.is_found()).collect::<Vec<_>>(), [false, true]);
    let told = observe(&face)();
    assert_eq!(told.counters, [("nodes", 2), ("reads", 1)]);
    assert!(told.note.is_some_and(|note| note.starts_with("rtpengine:entry::3: url is not")));
    assert_eq!(options.metrics.found.get(), 2);

    // What is known of a node stays while it is drained.
    let node = pool.node(found).unwrap();
    node.health.heard(Duration::from_millis(1), now);
    assert_eq!(pool.choose(7, &[], now), Some(found), "the other one was never heard");
    reader.take(table_of(&[(2, two, "1")]));
    assert_eq!(seen(&pool)[1], format!("{beside} draining"));
    assert_eq!((node.state_name(), pool.choose(7, &[], now)), ("draining", None));
    reader.take(table_of(&[(2, two, "0")]));
    assert_eq!((node.state_name(), pool.choose(7, &[], now)), ("up", Some(found)));
    assert!(observe(&face)().note.is_none(), "nothing is wrong with the table any more");

    // The configuration takes it over, and lets go of it.
    pool.configure(&[configured(1, "192.0.2.1:2223"), configured(2, "192.0.2.2:2223")], now);
    assert_eq!(seen(&pool), ["media-1 down", "media-2 down"]);
    pool.configure(&[configured(1, "192.0.2.1:2223")], now);
    assert_eq!(pool.nodes()[1].number, found);

    // A table that was lost takes nothing away; a node that it lacks twice is gone.
    reader.take(Vec::new());
    reader.take(Vec::new());
    assert_eq!(seen(&pool).len(), 2);
    reader.take(table_of(&[(1, one, "0")]));
    assert_eq!(seen(&pool).len(), 2);
    reader.take(table_of(&[(1, one, "0")]));
    assert_eq!(seen(&pool), ["media-1 down"]);
}

/// What becomes of a node that carries calls when its entry is taken away, spoilt, or given to another machine.
#[tokio::test(start_paused = true)]
async fn a_node_with_calls_goes_when_they_are_over() {
    let url = SecretString::new("redis://127.0.0.1:1");
    let redis = Redis::new(&RedisOptions { url, ..RedisOptions::default() }).unwrap().unwrap();
    let pool = Arc::new(Pool::default());
    let options = Options { redis, set: 0, pool: Arc::clone(&pool), metrics: Metrics::new(&Registry::new()) };
    let face = Arc::new(Face::default());
    let reader =
        || Reader { options: &options, face: &face, known: Known::of(options.pool.found()), failing: false };
    let (one, two, other) = ("udp:192.0.2.1:2223", "udp:192.0.2.2:2223", "udp:192.0.2.9:2223");
    let mut first = reader();
    first.take(table_of(&[(1, one, "0"), (2, two, "0")]));
    let now = Instant::now().into_std();
    let node = pool.node(128).unwrap();
    // Its first answer, and what that says.
    node.health.heard(Duration::from_millis(1), now);
    node.health.set_sessions(3);
    for _ in 0..3 {
        first.take(table_of(&[(1, "udp:192.0.2.1", "0"), (2, two, "0")]));
        assert_eq!(seen(&pool), ["redis-192.0.2.1:2223 up", "redis-192.0.2.2:2223 down"]);
    }
    assert!(observe(&face)().note.is_some_and(|note| note.starts_with("rtpengine:entry::1: url is not")));

    // The next incarnation knows it, and what looks at once like the end of it is none.
    let mut next = reader();
    next.take(table_of(&[(1, other, "0"), (2, two, "0")]));
    next.take(table_of(&[(1, other, "0"), (2, two, "0")]));
    assert_eq!(seen(&pool), ["redis-192.0.2.1:2223 draining", "redis-192.0.2.2:2223 down"]);
    assert_eq!(pool.choose(7, &[], now), None, "it gets no new calls");
    let found = pool.node(128).unwrap();
    assert!(Arc::ptr_eq(&found.health, &node.health), "what is known of it stays");
    assert!(observe(&face)().note.is_some_and(|note| note.starts_with("rtpengine:entry::1: its number")));

    node.health.set_sessions(0);
    next.take(table_of(&[(1, other, "0"), (2, two, "0")]));
    assert_eq!(seen(&pool), ["redis-192.0.2.9:2223 down", "redis-192.0.2.2:2223 down"]);
    assert!(observe(&face)().note.is_none());

    // One that is lost has none any more, whatever it said last.
    let node = pool.node(128).unwrap();
    let (address, then) = (node.address, now + Duration::from_secs(1));
    node.health.heard(Duration::from_millis(1), then);
    node.health.set_sessions(3);
    assert!(pool.carries(address, then));
    node.health.gone(then);
    assert!(pool.carries(address, then), "it may come back");
    assert!(!pool.carries(address, then + Duration::from_secs(60)));
}

#[tokio::test]
async fn who_is_away_is_asked_again_and_shown() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = SecretString::new(format!("redis://:secret@{closed}"));
    let redis = Redis::new(&RedisOptions { url, ..RedisOptions::default() }).unwrap().unwrap();
    let pool = Arc::new(Pool::default());
    let options = Options { redis, set: 0, pool, metrics: Metrics::new(&Registry::new()) };
    let face = Arc::new(Face::default());
    let shown = Arc::clone(&face);
    let running = tokio::spawn(async move {
        let mut reader = Reader { options: &options, face: &face, known: Known::default(), failing: false };
        reader.run(&Random::seeded(1)).await;
    });
    let looks = async {
        while observe(&shown)().note.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looks).await.unwrap();
    let told = observe(&shown)();
    assert_eq!(told.state, "connecting");
    assert!(told.note.is_some_and(|note| note.starts_with("Redis: ") && !note.contains("secret")));
    running.abort();
}
