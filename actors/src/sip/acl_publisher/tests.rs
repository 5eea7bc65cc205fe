use runtime::config::RedisOptions;
use runtime::password::SecretString;

use super::entry::Entry;
use super::*;
use server::{Held, Keys, Server};
use uuid::Uuid;

mod server;

/// For what takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(20);

fn options(url: &str) -> Result<Option<Options>, String> {
    Options::new(&RedisOptions { url: SecretString::new(url), ..RedisOptions::default() })
}

#[test]
fn a_url_is_read_at_the_start() {
    assert!(options("").unwrap().is_none());
    for url in ["redis://localhost", "redis://user:secret@localhost:6380/3", "redis://:secret@[::1]"] {
        assert!(options(url).unwrap().is_some(), "{url}");
    }
    for url in ["redis://", "redis://user:secret@localhost:port", "redis://user:secret@localhost/name"] {
        let refused = options(url).err().unwrap();
        assert!(refused.starts_with("redis.url: ") && !refused.contains("secret"), "{refused}");
    }
}

#[tokio::test]
async fn whoever_asks_for_a_synchronisation_learns_that_redis_is_away() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = options(&format!("redis://:secret@{closed}")).unwrap().unwrap();
    let (handle, _child) = child_spec(options.clone(), &Registry::new());
    handle.publish(Entries::new());
    let shared = Arc::clone(&handle.0);
    let running = tokio::spawn(async move {
        Publisher::new(&shared, options).run(&Random::seeded(1)).await;
    });
    // Those who ask one after the other, and those who ask at one time.
    for _ in 0..2 {
        let (one, other) = tokio::join!(handle.sync(), handle.sync());
        for refused in [one.unwrap_err(), other.unwrap_err()] {
            let refused = refused.to_string();
            assert!(refused.starts_with("Redis: ") && !refused.contains("secret"), "{refused}");
        }
    }
    let seen = observe(&handle.0)();
    assert_eq!(seen.state, "connecting");
    assert!(seen.note.is_some_and(|note| note.starts_with("Redis: ")));
    assert!(handle.0.metrics.publications.with_label_values(&["error"]).get() > 0);
    running.abort();
}

/// Entries `from..to`, of one customer.
fn entries(from: u32, to: u32, ban: &str) -> Entries {
    let entry = |n: u32| {
        let address = std::net::IpAddr::V4((0x0a00_0000 + n).into());
        let entry = Entry { network: address.into(), port: None, transport: None, ban: Arc::from(ban) };
        (Uuid::from_u128(n.into()), entry)
    };
    (from..to).map(entry).collect()
}

/// Somebody else at work in Redis, and what is written and deleted after that.
type Spoilt = (&'static str, fn(&mut Keys), (u64, u64));

/// What Redis is to hold.
fn hashes(entries: &Entries) -> Keys {
    let hash = |entry: &Entry| {
        let fields = entry::FIELDS.into_iter().map(str::to_owned);
        Held::Hash(fields.zip(entry.values()).collect())
    };
    entries.iter().map(|(id, entry)| (entry::key(*id), hash(entry))).collect()
}

/// A publisher at work.
fn publisher(address: std::net::SocketAddr) -> Handle {
    let options = options(&format!("redis://{address}")).unwrap().unwrap();
    let (handle, _child) = child_spec(options.clone(), &Registry::new());
    let shared = Arc::clone(&handle.0);
    tokio::spawn(async move { Publisher::new(&shared, options).run(&Random::seeded(1)).await });
    handle
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let looks = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, looks).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn whatever_redis_holds_a_synchronisation_makes_it_right_and_says_what_it_did() {
    let (server, address) = Server::start();
    let handle = publisher(address);
    let wanted = entries(0, 1201, "TB-1");
    let right = hashes(&wanted);
    handle.publish(wanted);
    let first = timeout(SOON, handle.sync()).await.unwrap().unwrap();
    assert_eq!((first.entries, *server.keys.lock() == right), (1201, true));
    let spoil: [Spoilt; 5] = [
        ("nothing", |_| (), (0, 0)),
        (
            "one gone, one wrong",
            |keys| {
                keys.remove(&entry::key(Uuid::from_u128(7)));
                if let Some(Held::Hash(hash)) = keys.get_mut(&entry::key(Uuid::from_u128(8))) {
                    hash.insert("mask".to_owned(), "0".to_owned());
                }
            },
            (2, 0),
        ),
        ("no hash", |keys| _ = keys.insert(entry::key(Uuid::from_u128(9)), Held::Text), (1, 1)),
        (
            "of nobody",
            |keys| {
                keys.insert(entry::key(Uuid::from_u128(99_999)), Held::Hash(Default::default()));
                keys.insert("address:entry:x".to_owned(), Held::Text);
            },
            (0, 2),
        ),
        ("all gone", |keys| keys.clear(), (1201, 0)),
    ];
    for (what, spoil, done) in spoil {
        spoil(&mut server.keys.lock());
        let report = timeout(SOON, handle.sync()).await.unwrap().unwrap();
        assert_eq!((report.entries, (report.written, report.deleted)), (1201, done), "{what}");
        assert_eq!(*server.keys.lock(), right, "{what}");
    }
    assert_eq!(observe(&handle.0)().state, "connected");
}

#[tokio::test]
async fn a_change_touches_what_it_changes_and_what_redis_refuses_is_tried_again() {
    let (server, address) = Server::start();
    let handle = publisher(address);
    handle.publish(entries(0, 20, "TB-1"));
    until("the first are published", || server.keys.lock().len() == 20).await;
    until("the publisher knows it", || observe(&handle.0)().counters.contains(&("published", 20))).await;
    server.commands.lock().clear();
    let mut wanted = entries(1, 21, "TB-1");
    wanted.extend(entries(5, 6, "TB-2"));
    handle.publish(wanted.clone());
    until("the change is published", || *server.keys.lock() == hashes(&wanted)).await;
    assert_eq!(*server.commands.lock(), ["DEL", "HSET", "HSET"]);

    *server.refuses.lock() = Some("READONLY You can't write against a read only replica.");
    let fewer = entries(1, 5, "TB-1");
    handle.publish(fewer.clone());
    let refused = timeout(SOON, handle.sync()).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("READONLY"), "{refused}");
    assert!(observe(&handle.0)().note.is_some_and(|note| note.contains("READONLY")));
    assert_eq!(
        server.held(&entry::key(Uuid::from_u128(20))),
        hashes(&wanted).remove(&entry::key(Uuid::from_u128(20)))
    );
    *server.refuses.lock() = None;
    until("it is published by itself", || *server.keys.lock() == hashes(&fewer)).await;
    until("nothing is wrong any more", || observe(&handle.0)().note.is_none()).await;
}
