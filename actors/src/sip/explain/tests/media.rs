use std::net::SocketAddr;

use runtime::model::{MediaNode, MediaNodeState, MediaPath};

use super::*;
use crate::media::pool::Pool;

/// So many nodes that are up, and one that was never heard.
fn pool(up: u8, state: MediaNodeState) -> Pool {
    let node = |number: u8| MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: SocketAddr::from(([127, 0, 0, 1], 22_000 + u16::from(number))),
        weight: 50,
        state,
    };
    let pool = Pool::default();
    let nodes: Vec<_> = (1..=up + 1).map(node).collect();
    pool.configure(&nodes, start());
    for node in pool.nodes().iter().filter(|node| node.number <= up) {
        node.health.heard(Duration::from_millis(1), start());
    }
    pool
}

/// What is told with these nodes: the outcome, and what the check of media says.
fn outcome(voice: &Voice, (source, to): (&str, &str), pool: &Pool) -> (String, Option<(bool, String)>) {
    let snapshot = snapshot(voice.clone());
    let told = told(voice.clone(), source, to).with_media(&snapshot, pool, start());
    let check = told.checks.into_iter().find(|check| check.check == "media");
    (told.outcome, check.map(|check| (check.passed, check.detail)))
}

#[test]
fn what_carries_the_sound() {
    let nowhere = "no media node takes calls, see `warp actors`";
    let refused = format!("503 Service Unavailable: {nowhere}");
    let active = MediaNodeState::Active;
    let none = Pool::default();
    let found = Pool::default();
    found.expect_found();
    let [down, up] = [pool(0, active), pool(2, active)];
    let [disabled, draining] =
        [MediaNodeState::Disabled, MediaNodeState::Draining].map(|state| pool(2, state));
    let lines = [
        (&none, true, "past us: there is no media node"),
        (&found, false, nowhere),
        (&up, true, "anchored; 2 of 3 media nodes take calls"),
        (&down, false, nowhere),
        (&disabled, false, nowhere),
        (&draining, false, nowhere),
    ];
    for call in [(CUSTOMER, "15551234"), (VENDORS[0], "15550100")] {
        for (pool, passed, detail) in lines {
            let outcome = outcome(&voice(), call, pool);
            let expected = if passed { "route" } else { refused.as_str() };
            assert_eq!(outcome, (expected.to_owned(), Some((passed, detail.to_owned()))), "{call:?}");
        }
    }
    let refused = outcome(&voice(), (CUSTOMER, "19005551234"), &down);
    assert!(refused.0.starts_with("403") && refused.1.is_none(), "{refused:?}");
}

#[test]
fn what_the_sides_say_of_their_media() {
    let call = (CUSTOMER, "15551234");
    let [down, up] = [pool(0, MediaNodeState::Active), pool(2, MediaNodeState::Active)];
    let mut voice = voice();
    voice.vendors[0].media.recording = true;
    let recorded = Some((true, "anchored, recorded; 2 of 3 media nodes take calls".to_owned()));
    assert_eq!(outcome(&voice, call, &up).1, recorded);
    let past = Some((true, "past us and not recorded: there is no media node".to_owned()));
    assert_eq!(outcome(&voice, call, &Pool::default()).1, past);
    // The first vendor that would be tried says it.
    voice.vendors[0].status = VendorStatus::Drained;
    assert_eq!(outcome(&voice, call, &up).1.unwrap().1, "anchored; 2 of 3 media nodes take calls");
    voice.trunks[0].media.path = MediaPath::Direct;
    assert_eq!(outcome(&voice, call, &down).0.get(..3), Some("503"), "one side alone is not enough");
    voice.vendors[1].media.path = MediaPath::Direct;
    let direct = (true, "past us: both sides say so".to_owned());
    assert_eq!(outcome(&voice, call, &down), ("route".to_owned(), Some(direct)));
}
