use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{Parts, Voice};
use crate::store::testing::{Engine, each_engine};
use crate::store::{version, voice};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn entry(name: &str, address: &str) -> MediaNodeEntry {
    let address = address.parse().unwrap();
    MediaNodeEntry { name: name.to_owned(), address, weight: 50, state: MediaNodeState::Active }
}

/// Writes a node as the interface does; gives its id and number.
async fn add(db: &Db, entry: &MediaNodeEntry) -> (Uuid, u8) {
    let mut tx = db.begin().await.unwrap();
    let (id, number) = (Uuid::new_v4(), next_number(&mut tx).await.unwrap().unwrap());
    put(&mut tx, (id, number), entry, NOW).await.unwrap();
    version::raise(&mut tx, Parts::MEDIA_NODES).await.unwrap();
    tx.commit().await.unwrap();
    (id, number)
}

#[tokio::test]
async fn nodes_are_written_found_listed_and_taken_away() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let (first, _) = add(db, &entry("media-1", "192.0.2.1:2223")).await;
        let second = MediaNodeEntry {
            weight: 0,
            state: MediaNodeState::Draining,
            ..entry("Media-2", "[2001:db8::2]:2223")
        };
        let (second_id, number) = add(db, &second).await;
        assert_eq!(number, 2);
        let found = get(db, second_id).await.unwrap().unwrap();
        assert_eq!((found.number, found.name.as_str(), found.address), (2, "Media-2", second.address));
        assert_eq!((found.weight, found.state), (0, MediaNodeState::Draining));
        assert_eq!((found.created_at, found.updated_at), (NOW, NOW));

        let later = NOW.plus(Duration::from_secs(1));
        let changed =
            MediaNodeEntry { state: MediaNodeState::Disabled, ..entry("media-1", "192.0.2.9:2223") };
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, (Uuid::new_v4(), 77), &changed, later).await.unwrap();
        assert!(is_taken(&mut tx, "media-1").await.unwrap() && !is_taken(&mut tx, "media-9").await.unwrap());
        let moved = (changed.address, "192.0.2.1:2223".parse().unwrap());
        assert_eq!(at(&mut tx, moved.0).await.unwrap().as_deref(), Some("media-1"));
        assert_eq!(at(&mut tx, moved.1).await.unwrap(), None);
        tx.commit().await.unwrap();
        let found = get(db, first).await.unwrap().unwrap();
        assert_eq!(
            (found.number, found.address, found.state),
            (1, changed.address, MediaNodeState::Disabled)
        );
        assert_eq!((found.created_at, found.updated_at), (NOW, later));

        for (filter, names) in [
            (Filter::default(), 2),
            (Filter { search: Some("MEDIA-2"), ..Filter::default() }, 1),
            (Filter { state: Some(MediaNodeState::Disabled), ..Filter::default() }, 1),
            (Filter { state: Some(MediaNodeState::Active), ..Filter::default() }, 0),
            (Filter { after: "zzz", ..Filter::default() }, 0),
        ] {
            assert_eq!(page(db, &filter, 10).await.unwrap().len(), names, "{filter:?}");
        }
        assert_eq!(page(db, &Filter::default(), 1).await.unwrap().len(), 1);

        let mut tx = db.begin().await.unwrap();
        delete(&mut tx, first).await.unwrap();
        assert_eq!(find(&mut tx, first).await.unwrap(), None);
        tx.commit().await.unwrap();
        assert_eq!(get(db, first).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_address_is_one_nodes() {
    each_engine(async |engine: Engine| {
        let (_, number) = add(&engine.store, &entry("media-1", "192.0.2.1:2223")).await;
        for (number, second) in
            [(number + 1, entry("media-2", "192.0.2.1:2223")), (number, entry("media-2", "192.0.2.2:2223"))]
        {
            let mut tx = engine.store.begin().await.unwrap();
            let refused = put(&mut tx, (Uuid::new_v4(), number), &second, NOW).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Constraint, "{refused}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_follows_reads_the_nodes_and_nothing_else() {
    each_engine(async |engine: Engine| {
        let db = &engine.store;
        let before = voice::load(db).await.unwrap();
        assert_eq!(before.media_nodes, []);
        let (id, number) = add(db, &entry("media-1", "192.0.2.1:2223")).await;
        // What is known of the other parts stays as it is, true or not.
        let known = Voice { high_cost: vec![model::HighCost { prefix: "881".to_owned() }], ..before.clone() };
        let after = voice::reload(db, known.clone()).await.unwrap();
        assert_eq!(after.parts.changed_since(&before.parts), Parts::MEDIA_NODES);
        assert_eq!(after.high_cost, known.high_cost, "another part was read");
        let [node] = &after.media_nodes[..] else { panic!("{:?}", after.media_nodes) };
        assert_eq!((node.id, node.number, node.weight), (id, number, 50));
        assert_eq!((node.name.as_str(), node.state), ("media-1", MediaNodeState::Active));
        assert_eq!(node.address.to_string(), "192.0.2.1:2223");
    })
    .await;
}

#[test]
fn a_number_is_above_the_others_and_then_the_smallest_that_is_free() {
    let all: Vec<u8> = (1..=127).collect();
    for (used, next) in [
        (&[][..], Some(1)),
        (&[1], Some(2)),
        (&[9, 3], Some(10)),
        (&[126], Some(127)),
        (&[127], Some(1)),
        (&[1, 2, 127], Some(3)),
        // Of an earlier release: the others are of nodes that are found.
        (&[200], Some(1)),
        (&[1, 255], Some(2)),
        (&all, None),
        (&all[1..], Some(1)),
        (&all[..126], Some(127)),
    ] {
        assert_eq!(free_number(used), next, "{used:?}");
    }
}

proptest! {
    #[test]
    fn a_number_is_given_while_there_is_one(is_used in prop::collection::vec(any::<bool>(), 127)) {
        let used = (1_u8..=127).zip(is_used).filter(|(_, is_used)| *is_used);
        let used: Vec<u8> = used.map(|(number, _)| number).collect();
        match free_number(&used) {
            Some(number) => prop_assert!((1..=127).contains(&number) && !used.contains(&number)),
            None => prop_assert_eq!(used.len(), 127),
        }
    }
}
