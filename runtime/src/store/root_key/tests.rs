use std::path::Path;

use super::*;
use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::store::provisioning::{Current, Document, apply, plan};
use crate::store::testing::{Engine, each_engine};
use crate::store::{cookie_key, messaging, version};

const FILE: &str = r#"
[[sms_vendors]]
instance_name = "atlanta"
host = "a.example"
port = 3601
system_id = "warp"
password = "hidden"

[[sms_vendors]]
instance_name = "boston"
host = "b.example"
port = 3601
system_id = "warp"
password = "secret"
"#;

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

/// Two vendors, the second sealed in the older form, and a key of cookies.
async fn provisioned(engine: &Engine) -> RootKey {
    let key = load(engine.dir.path());
    let document = Document::parse(FILE).unwrap();
    let before = Current::load(&engine.store, &key).await.unwrap();
    let changes = plan(&document, &before).unwrap();
    apply(&engine.store, &key, (&document, &changes), &before, now()).await.unwrap();
    cookie_key::load_or_create(&engine.store, &key, now()).await.unwrap();
    let boston = vendor(engine, &key, "boston").await;
    store(engine, boston, key.seal_direct(boston, "secret")).await;
    key
}

async fn vendor(engine: &Engine, key: &RootKey, name: &str) -> Uuid {
    let current = messaging::load(&engine.store, key).await.unwrap();
    current.vendors.iter().find(|vendor| vendor.instance_name == name).unwrap().id
}

async fn store(engine: &Engine, id: Uuid, sealed: Vec<u8>) {
    static STORE: Sql = Sql::both("UPDATE messaging.vendors SET password_sealed = $2 WHERE id = $1");
    let mut tx = engine.store.begin().await.unwrap();
    assert_eq!(execute!(&mut tx, STORE, id, sealed).unwrap(), 1);
    tx.commit().await.unwrap();
}

fn load(dir: &Path) -> RootKey {
    RootKey::load_or_create(&dir.join("root.key")).unwrap()
}

fn keys_in_file(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("root.key")).unwrap().lines().count()
}

/// Every value opens.
async fn assert_open(engine: &Engine, key: &RootKey, at: &str) {
    let found = messaging::load(&engine.store, key).await.unwrap();
    assert!(found.vendors_sealed.is_empty(), "{at}");
    let mut passwords: Vec<&str> = found.vendors.iter().map(|vendor| vendor.password.expose()).collect();
    passwords.sort_unstable();
    assert_eq!(passwords, ["hidden", "secret"], "{at}");
    assert_eq!(cookie_key::load(&engine.store, key).await.unwrap().len(), 1, "{at}");
}

#[tokio::test]
async fn every_value_comes_under_a_new_key() {
    each_engine(async |engine: Engine| {
        let dir = engine.dir.path();
        let old = provisioned(&engine).await;
        let version = version::version(&engine.store).await.unwrap();
        let rotated = rotate(&engine.store, &old, None).await.unwrap();
        assert_eq!(rotated, Rotated { rewrapped: 3, closed: 0, old_key_kept: None });
        assert_eq!(version::version(&engine.store).await.unwrap(), version + 1);
        assert_eq!(keys_in_file(dir), 1);
        assert_open(&engine, &old, "the process that rotated").await;
        let new = load(dir);
        assert_open(&engine, &new, "the next process").await;
        // And once more: only envelopes are left.
        let rotated = rotate(&engine.store, &new, None).await.unwrap();
        assert_eq!(rotated.rewrapped, 3);
        assert_open(&engine, &load(dir), "after the second rotation").await;
    })
    .await;
}

/// Stopped between any two steps, a rotation leaves a node that starts, a node that ran meanwhile, and the next
/// rotation with everything they need.
#[tokio::test]
async fn a_crash_at_any_point_leaves_every_value_openable() {
    each_engine(async |engine: Engine| {
        let dir = engine.dir.path();
        let key = provisioned(&engine).await;
        let neighbour = load(dir);
        for (at, committed) in [("both keys are in the file", false), ("the values are committed", true)] {
            let crashed = load(dir);
            if committed {
                assert_eq!(rewrap_all(&engine.store, &crashed, None).await.unwrap().rewrapped, 3, "{at}");
            } else {
                crashed.begin_rotation(None).unwrap();
            }
            drop(crashed);
            assert_eq!(keys_in_file(dir), 2, "{at}");
            for node in [&load(dir), &neighbour, &key] {
                assert_open(&engine, node, at).await;
            }
            let rotated = rotate(&engine.store, &load(dir), None).await.unwrap();
            let left = if committed { 0 } else { 3 };
            assert_eq!(rotated, Rotated { rewrapped: left, closed: 0, old_key_kept: None }, "{at}");
            assert_eq!(keys_in_file(dir), 1, "{at}");
            for node in [&load(dir), &neighbour, &key] {
                assert_open(&engine, node, at).await;
            }
        }
    })
    .await;
}

/// The file cannot be written: nothing has changed then.
#[tokio::test]
async fn a_rotation_that_cannot_begin_changes_nothing() {
    each_engine(async |engine: Engine| {
        let key = provisioned(&engine).await;
        let version = version::version(&engine.store).await.unwrap();
        // Where the file's successor is written there is a directory.
        std::fs::create_dir(engine.dir.path().join("root.part")).unwrap();
        let refused = rotate(&engine.store, &key, None).await.unwrap_err().to_string();
        assert!(refused.contains("root.key"), "{refused}");
        assert_eq!(version::version(&engine.store).await.unwrap(), version);
        assert_open(&engine, &load(engine.dir.path()), "after the refusal").await;
    })
    .await;
}

#[tokio::test]
async fn a_value_that_no_key_opens_is_left_and_counted() {
    each_engine(async |engine: Engine| {
        let key = provisioned(&engine).await;
        let boston = vendor(&engine, &key, "boston").await;
        let other = RootKey::load_or_create(&engine.dir.path().join("other.key")).unwrap();
        store(&engine, boston, other.seal(boston, &SecretString::new("secret")).unwrap()).await;
        let rotated = rotate(&engine.store, &key, None).await.unwrap();
        assert_eq!(rotated, Rotated { rewrapped: 2, closed: 1, old_key_kept: None });
        let found = messaging::load(&engine.store, &other).await.unwrap();
        let sealed: Vec<&str> = found.vendors_sealed.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(sealed, ["atlanta"], "its own key opens it as before");
    })
    .await;
}

/// A node whose file is its own seals with the old key until that file has the new one too.
#[tokio::test]
async fn the_old_key_stays_while_a_value_needs_it() {
    each_engine(async |engine: Engine| {
        let dir = engine.dir.path();
        let key = provisioned(&engine).await;
        std::fs::copy(dir.join("root.key"), dir.join("neighbour.key")).unwrap();
        let neighbour = RootKey::load_or_create(&dir.join("neighbour.key")).unwrap();
        rewrap_all(&engine.store, &key, None).await.unwrap();
        let boston = vendor(&engine, &key, "boston").await;
        store(&engine, boston, neighbour.seal(boston, &SecretString::new("secret")).unwrap()).await;
        assert_eq!(drop_old(&engine.store, &key).await.unwrap(), 1);
        let rotated = rotate(&engine.store, &load(dir), None).await.unwrap();
        assert_eq!(rotated, Rotated { rewrapped: 1, closed: 0, old_key_kept: None });
        assert_open(&engine, &load(dir), "after the second try").await;
    })
    .await;
}

#[tokio::test]
async fn of_two_rotations_at_one_time_no_key_is_lost() {
    each_engine(async |engine: Engine| {
        let dir = engine.dir.path();
        let one = provisioned(&engine).await;
        let other = load(dir);
        let (first, second) =
            tokio::join!(rotate(&engine.store, &one, None), rotate(&engine.store, &other, None));
        first.unwrap();
        second.unwrap();
        for node in [&load(dir), &one, &other] {
            assert_open(&engine, node, "after both").await;
        }
    })
    .await;
}
