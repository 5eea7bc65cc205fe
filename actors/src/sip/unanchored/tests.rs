use runtime::model::{MediaNode, MediaNodeState, Voice};
use uuid::Uuid;

use super::*;
use crate::sip::testing::voice;

fn node(number: u8, state: MediaNodeState, weight: u32) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: "192.0.2.20:2223".parse().unwrap(),
        weight,
        state,
    }
}

/// What is said of a configuration with these nodes, none of which was heard yet: shown, unrecorded, refused.
fn said(voice: &Voice, nodes: &[MediaNode]) -> [bool; 3] {
    let now = tokio::time::Instant::now().into_std();
    let snapshot = Snapshot::new(voice.clone(), None, &|_| Vec::new(), now);
    let pool = Pool::default();
    pool.configure(nodes, now);
    let Unanchored { shown, unrecorded, refused } = Unanchored::of(&snapshot, &pool);
    [shown, unrecorded, refused]
}

#[test]
fn no_node_is_another_thing_than_none_that_takes_calls() {
    let (active, draining, disabled) =
        (MediaNodeState::Active, MediaNodeState::Draining, MediaNodeState::Disabled);
    let plain = voice();
    let mut wants = voice();
    wants.trunks[0].hide_topology = true;
    wants.vendors[0].media.recording = true;
    let mut other = voice();
    other.vendors[0].hide_topology = true;
    other.trunks[0].media.recording = true;
    for (nodes, past, refused) in [
        (vec![], true, false),
        (vec![node(1, active, 50)], false, false),
        (vec![node(1, disabled, 50)], false, true),
        (vec![node(1, disabled, 50), node(2, draining, 50)], false, true),
        (vec![node(1, active, 0)], false, true),
        (vec![node(1, disabled, 50), node(2, active, 1)], false, false),
    ] {
        assert_eq!(said(&plain, &nodes), [false, false, refused], "{nodes:?}");
        assert_eq!(said(&wants, &nodes), [past, past, refused], "{nodes:?}");
        assert_eq!(said(&other, &nodes), [past, past, refused], "{nodes:?}");
    }
}

/// Nodes that are still looked for are not none: calls wait for them and go past none.
#[test]
fn nodes_that_are_to_be_found() {
    let mut wants = voice();
    wants.trunks[0].media.recording = true;
    let now = tokio::time::Instant::now().into_std();
    let snapshot = Snapshot::new(wants, None, &|_| Vec::new(), now);
    let pool = Pool::default();
    pool.expect_found();
    assert_eq!(Unanchored::of(&snapshot, &pool), Unanchored::default());
}
