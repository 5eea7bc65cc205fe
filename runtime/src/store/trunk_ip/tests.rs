use super::*;
use crate::seal::RootKey;
use crate::store::provisioning::{Current, Document, TrunkForm, apply, plan};
use crate::store::testing::{Engine, each_engine};
use crate::store::trunk::{self, NewTrunk};
use crate::store::{ErrorKind, did};

const FILE: &str = r#"
[[customers]]
ban = "AAA-1"
company_name = "First"
[[customers]]
ban = "BBB-2"
company_name = "Second"
[[trunks]]
name = "first"
customer = "AAA-1"
acl = ["198.51.100.0/24", "203.0.113.7:5060/udp", "2001:db8::/32", "10.0.0.0/8", "10.1.2.0/24"]
[[trunks]]
name = "second"
customer = "BBB-2"
acl = ["198.51.100.7", "192.0.2.0/24"]
"#;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

async fn provision(engine: &Engine) {
    let key = RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap();
    let document = Document::parse(FILE).unwrap();
    let current = Current::load(&engine.store, &key).await.unwrap();
    let changes = plan(&document, &current).unwrap();
    apply(&engine.store, &key, (&document, &changes), &current, NOW).await.unwrap();
}

#[tokio::test]
async fn equal_and_overlapping_sources_of_others_are_found() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let mut tx = engine.store.begin().await.unwrap();
        let second = did::customer(&mut tx, "BBB-2").await.unwrap().unwrap();
        for (text, same, other) in [
            ("198.51.100.0/24", Some("first"), Some("198.51.100.0/24")),
            ("198.51.100.7", Some("second"), Some("198.51.100.0/24")),
            ("198.51.100.0/25", None, Some("198.51.100.0/24")),
            ("198.51.0.0/16", None, Some("198.51.100.0/24")),
            ("198.51.101.0/24", None, None),
            ("192.0.2.0/25", None, None),
            ("203.0.113.7:5060", None, Some("203.0.113.7:5060/udp")),
            ("203.0.113.7:5060/udp", Some("first"), Some("203.0.113.7:5060/udp")),
            ("203.0.113.7:5060/tcp", None, None),
            ("203.0.113.7:5070", None, None),
            ("203.0.112.0/20/udp", None, Some("203.0.113.7:5060/udp")),
            ("2001:db8:7::/48", None, Some("2001:db8::/32")),
            ("2000::/16", None, None),
            ("2001::/16", None, Some("2001:db8::/32")),
            ("10.1.3.0/24", None, Some("10.0.0.0/8")),
            ("c633:6400::/24", None, None),
        ] {
            let source: AclSource = text.parse().unwrap();
            let equal = equal(&mut tx, &source, None).await.unwrap();
            assert_eq!(equal.map(|taken| taken.trunk).as_deref(), same, "{text}");
            let overlapping = overlapping(&mut tx, &source, second, None).await.unwrap();
            assert_eq!(overlapping.map(|taken| taken.source.to_string()).as_deref(), other, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_source_does_not_stand_in_its_own_way_and_keeps_its_note() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let mut tx = engine.store.begin().await.unwrap();
        let (trunk, customer) = did::trunk(&mut tx, "first").await.unwrap().unwrap();
        let source: AclSource = "172.16.0.0/16:5060/tcp".parse().unwrap();
        let AclSource { network, port, transport } = source;
        let (id, note) = (Uuid::new_v4(), "SBC".to_owned());
        let stored = StoredSource { id, trunk, network, port, transport, note, created_at: NOW };
        insert(&mut tx, &stored).await.unwrap();
        assert_eq!(find(&mut tx, trunk, id).await.unwrap(), Some(stored.clone()));
        assert!(equal(&mut tx, &source, None).await.unwrap().is_some());
        assert_eq!(equal(&mut tx, &source, Some(id)).await.unwrap(), None);
        assert_eq!(overlapping(&mut tx, &source, customer, None).await.unwrap(), None);
        let changed = StoredSource { port: None, note: String::new(), ..stored };
        update(&mut tx, &changed).await.unwrap();
        assert_eq!(find(&mut tx, trunk, id).await.unwrap(), Some(changed));
        assert_eq!(count(&mut tx, trunk).await.unwrap(), 6);
        delete(&mut tx, id).await.unwrap();
        assert_eq!(find(&mut tx, trunk, id).await.unwrap(), None);
    })
    .await;
}

/// The statement that writes trunks makes one of the same name equal: it must not take another's.
#[tokio::test]
async fn a_name_that_is_taken_makes_no_trunk() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let mut tx = engine.store.begin().await.unwrap();
        let second = did::customer(&mut tx, "BBB-2").await.unwrap().unwrap();
        let new = |name: &str| {
            let form = TrunkForm::closed(name.to_owned(), (1, 2));
            NewTrunk { id: Uuid::new_v4(), customer: second, partition: None, form }
        };
        let made = trunk::insert(&mut tx, new("third"), NOW).await.unwrap();
        let read = trunk::find(&mut tx, made.id).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&made).unwrap());
        let refused = trunk::insert(&mut tx, new("first"), NOW).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Constraint);
    })
    .await;
}
