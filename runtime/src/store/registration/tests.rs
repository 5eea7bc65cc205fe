use std::time::Duration;

use super::*;
use crate::store::testing::{Engine, each_engine};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
/// Two trunks. What is registered names them by no reference.
const TRUNKS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

fn one(id: u128, trunk: Uuid, contact: &str) -> StoredRegistration {
    StoredRegistration {
        id: Uuid::from_u128(id),
        trunk,
        contact: contact.to_owned(),
        source: "[2001:db8::7]:5062".parse().unwrap(),
        transport: Transport::Tcp,
        path: "<sip:p1.example;lr>, <sip:p2.example;lr>".to_owned(),
        q: 700,
        node: 3,
        listener: 1,
        call_id: "a@b".to_owned(),
        cseq: u32::MAX,
        user_agent: "test".to_owned(),
        registered_at: NOW,
        expires_at: NOW.plus(HOUR),
        version: 0,
    }
}

/// Writes these in one transaction; its version.
async fn write(db: &Db, registrations: &[&StoredRegistration]) -> i64 {
    let mut tx = db.begin().await.unwrap();
    let version = raise(&mut tx).await.unwrap();
    for registration in registrations {
        put(&mut tx, registration, version).await.unwrap();
    }
    tx.commit().await.unwrap();
    version
}

fn ids(registrations: &[StoredRegistration]) -> Vec<u128> {
    registrations.iter().map(|registration| registration.id.as_u128()).collect()
}

#[tokio::test]
async fn what_is_written_is_read_until_its_time() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let [first, second] = TRUNKS;
        let (a, b) = (one(10, first, "sip:a@10.0.0.1"), one(11, second, "sip:b@10.0.0.2"));
        let version = write(db, &[&a, &b]).await;
        let expected = StoredRegistration { version, ..a.clone() };
        for (at, lives) in
            [(NOW, true), (NOW.plus(HOUR).minus(Duration::from_micros(1)), true), (NOW.plus(HOUR), false)]
        {
            let found = page(db, first, at, (None, 9)).await.unwrap();
            assert_eq!(found, if lives { vec![expected.clone()] } else { Vec::new() }, "{at}");
            let found = get(db, (first, a.id), at).await.unwrap();
            assert_eq!((found.is_some(), expected.lives(at)), (lives, lives), "{at}");
            let mut tx = db.begin().await.unwrap();
            let all = of_trunk(&mut tx, first).await.unwrap();
            assert_eq!(
                all,
                std::slice::from_ref(&expected),
                "{at}: what is no more is there until it is deleted"
            );
            assert_eq!(find(&mut tx, (first, a.id), at).await.unwrap().is_some(), lives, "{at}");
        }
        assert_eq!(get(db, (second, a.id), NOW).await.unwrap(), None, "another trunk's");

        // Again, with everything else another: it is the same one.
        let again = StoredRegistration {
            contact: "sip:a@10.0.0.9".to_owned(),
            source: "192.0.2.9:5060".parse().unwrap(),
            transport: Transport::Udp,
            path: String::new(),
            q: 1000,
            node: 4,
            listener: 0,
            call_id: "c@d".to_owned(),
            cseq: 1,
            user_agent: String::new(),
            registered_at: NOW.plus(HOUR),
            expires_at: NOW.plus(2 * HOUR),
            ..a.clone()
        };
        let version = write(db, &[&again]).await;
        let found = page(db, first, NOW, (None, 9)).await.unwrap();
        assert_eq!(found, [StoredRegistration { version, ..again }]);
    })
    .await;
}

#[tokio::test]
async fn pages_of_a_trunk() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let all: Vec<_> = (1..=5).map(|id| one(id, TRUNKS[0], &format!("sip:{id}@b"))).collect();
        write(db, &all.iter().collect::<Vec<_>>()).await;
        let table: [(Option<u128>, u32, &[u128]); 3] =
            [(None, 2, &[1, 2]), (Some(2), 2, &[3, 4]), (Some(4), 9, &[5])];
        for (after, limit, expected) in table {
            let after = after.map(Uuid::from_u128);
            let found = page(db, TRUNKS[0], NOW, (after, limit)).await.unwrap();
            assert_eq!(ids(&found), expected);
        }
    })
    .await;
}

/// A node that starts reads what lives, and from its version on what changes.
#[tokio::test]
async fn what_a_node_starts_with() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        assert_eq!(version(db).await.unwrap(), 0);
        let [first, second] = TRUNKS;
        let gone = StoredRegistration { expires_at: NOW, ..one(11, first, "sip:b@b") };
        let all = [one(10, first, "sip:a@b"), gone, one(12, second, "sip:c@b"), one(13, first, "sip:d@b")];
        let last = write(db, &all.each_ref()).await;
        assert_eq!(version(db).await.unwrap(), last);
        let table: [(u128, u32, &[u128]); 3] = [(0, 2, &[10, 12]), (12, 2, &[13]), (13, 9, &[])];
        for (after, limit, expected) in table {
            let found = living(db, NOW, (Uuid::from_u128(after), limit)).await.unwrap();
            assert_eq!(ids(&found), expected);
        }
    })
    .await;
}

/// A node that stands still in the middle of a change keeps nobody waiting for long, and is thrown out itself.
#[tokio::test]
async fn a_change_that_does_not_end() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        // SQLite has one writer, and no other node.
        let Db::Pg(_) = db else { return };
        let mut stuck = db.begin().await.unwrap();
        raise(&mut stuck).await.unwrap();
        let setting = Sql::both("SELECT current_setting('idle_in_transaction_session_timeout')");
        let bound: Option<(String,)> = tx_optional!(&mut stuck, (String,), setting).unwrap();
        assert_eq!(bound, Some(("5s".to_owned(),)));
        let mut tx = db.begin().await.unwrap();
        let refused = raise(&mut tx).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        drop((tx, stuck));
        write(db, &[&one(10, TRUNKS[0], "sip:a@b")]).await;
    })
    .await;
}

/// Another node reads what changed since it last did, what went among it.
#[tokio::test]
async fn changes_since_a_version() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let [first, second] = TRUNKS;
        let (a, b, c) = (one(10, first, "sip:a@b"), one(11, first, "sip:c@d"), one(12, second, "sip:e@f"));
        let one = write(db, &[&a, &b]).await;
        let two = write(db, &[&c]).await;
        assert_eq!(two, one + 1, "one by one");
        let since = async |position, limit| since(db, position, limit).await.unwrap();
        assert_eq!(ids(&since((0, Uuid::nil()), 9).await), [10, 11, 12]);
        assert_eq!(ids(&since((0, Uuid::nil()), 1).await), [10]);
        assert_eq!(ids(&since((one, a.id), 9).await), [11, 12], "within a version");
        assert_eq!(ids(&since((one, Uuid::max()), 9).await), [12]);
        assert_eq!(ids(&since((two, Uuid::max()), 9).await), Vec::<u128>::new());

        let mut tx = db.begin().await.unwrap();
        let three = raise(&mut tx).await.unwrap();
        remove(&mut tx, a.id, NOW, three).await.unwrap();
        tx.commit().await.unwrap();
        let gone = since((two, Uuid::max()), 9).await;
        assert_eq!((ids(&gone), gone[0].lives(NOW), gone[0].version), (vec![10], false, three));
        assert_eq!(ids(&page(db, first, NOW, (None, 9)).await.unwrap()), [11]);
    })
    .await;
}

/// What was not committed is nowhere, and its version comes again.
#[tokio::test]
async fn a_change_that_was_given_up() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let mut tx = db.begin().await.unwrap();
        let version = raise(&mut tx).await.unwrap();
        put(&mut tx, &one(10, TRUNKS[0], "sip:a@b"), version).await.unwrap();
        drop(tx);
        assert!(since(db, (0, Uuid::nil()), 9).await.unwrap().is_empty());
        assert_eq!(write(db, &[&one(11, TRUNKS[0], "sip:a@b")]).await, version);
    })
    .await;
}

#[tokio::test]
async fn what_has_gone_long_ago_is_deleted() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let late = StoredRegistration { expires_at: NOW.plus(2 * HOUR), ..one(11, TRUNKS[0], "sip:c@d") };
        write(db, &[&one(10, TRUNKS[0], "sip:a@b"), &late]).await;
        let table: [(u32, u64, &[u128]); 3] = [(1, 0, &[10, 11]), (2, 1, &[11]), (3, 1, &[])];
        for (hours, deleted, left) in table {
            let at = NOW.plus(hours * HOUR);
            assert_eq!(sweep(db, at).await.unwrap(), deleted, "{at}");
            assert_eq!(ids(&since(db, (0, Uuid::nil()), 9).await.unwrap()), left, "{at}");
        }
    })
    .await;
}
