use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{ActorName, NameError, Observation, Observe, Registry, from_url, to_url};
use crate::clock::{SimClock, Timestamp};
use crate::random::Random;

fn registry() -> Registry {
    let clock = SimClock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
    Registry::new(Arc::new(clock), Random::seeded(1))
}

fn idle() -> Observe {
    Arc::new(|| Observation { state: "idle".into(), ..Observation::default() })
}

#[test]
fn names_are_unique_while_they_are_held() {
    let registry = registry();
    let name = ActorName::new("bind", "acme");
    let held = registry.register(name.clone(), None, idle()).unwrap();
    assert_eq!(held.name(), &name);
    let taken = registry.register(name.clone(), None, idle()).err().unwrap();
    assert_eq!(taken.to_string(), "the name bind:acme:0 is taken");
    assert_eq!(registry.get(&name).unwrap().state, "idle");
    drop(held);
    assert!(registry.get(&name).is_none());
    assert!(registry.register(name, None, idle()).is_ok());
}

#[test]
fn two_nodes_of_one_process_do_not_meet() {
    let (one, other) = (registry(), registry());
    let name = ActorName::new("bind", "acme");
    let _here = one.register(name.clone(), None, idle()).unwrap();
    let _there = other.register(name, None, idle()).unwrap();
    assert_eq!((one.len(), other.len()), (1, 1));
}

#[test]
fn names_are_read_back() {
    let _known = registry().register(ActorName::new("bind", "x"), None, idle());
    for (key, n) in [("acme", 0), ("a:b::c", 7), ("", 1), ("ünï/code %41", u32::MAX)] {
        let name = ActorName::nth("bind", key, n);
        assert_eq!(ActorName::parse(&name.to_string()), Ok(name.clone()));
        assert_eq!(from_url(&to_url(&name)), Ok(name));
    }
    assert_eq!(to_url(&ActorName::new("bind", "a/b c")), "bind:a%2Fb%20c:0");
    let shape =
        ["", "bind", "bind:acme", "bind:acme:", "bind:acme:x", "bind:acme:+1", ":a:0", "bind:a:4294967296"];
    for text in shape {
        assert!(matches!(ActorName::parse(text), Err(NameError::Shape(_))), "{text}");
    }
    assert_eq!(ActorName::parse("never:seen:0"), Err(NameError::UnknownKind("never".into())));
    for segment in ["bind:%", "bind:%4:0", "bind:%zz:0", "bind:%+1:0", "bind:%ff:0"] {
        assert!(matches!(from_url(segment), Err(NameError::Encoding(_))), "{segment}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tree_as_text() {
    let registry = registry();
    let above = ActorName::new("smpp", "node");
    let busy: Observe = Arc::new(|| Observation {
        state: "bound".into(),
        queue_depth: 12,
        counters: vec![("submitted", 40), ("refused", 2)],
        note: Some("10.0.0.1:2775".into()),
    });
    let _above = registry.register(above.clone(), None, idle()).unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let _second = registry.register(ActorName::nth("bind", "acme", 10), Some(above.clone()), busy).unwrap();
    let _first = registry.register(ActorName::nth("bind", "acme", 2), Some(above), idle()).unwrap();
    let gone = Some(ActorName::new("no", "parent"));
    let _orphan = registry.register(ActorName::new("alone", "x"), gone, idle()).unwrap();
    tokio::time::advance(Duration::from_secs(125)).await;
    let expected = "\
NAME            STATE     UP FOR  RESTARTS    QUEUE  COUNTERS
alone:x:0       idle       2m05s         0        0
smpp:node:0     idle       1h02m         0        0
  bind:acme:2   idle       2m05s         0        0
  bind:acme:10  bound      2m05s         0       12  submitted=40 refused=2 (10.0.0.1:2775)
";
    assert_eq!(registry.tree_text(), expected);
    let json = serde_json::to_value(registry.get(&ActorName::nth("bind", "acme", 10)).unwrap()).unwrap();
    let expected = serde_json::json!({
        "name": "bind:acme:10", "parent": "smpp:node:0", "depth": 0, "state": "bound",
        "since": "2023-11-14T23:13:20.000000Z", "restarts": 0, "last_error": null, "queue_depth": 12,
        "counters": {"refused": 2, "submitted": 40}, "note": "10.0.0.1:2775"
    });
    assert_eq!(json, expected);
}

proptest! {
    #[test]
    fn any_key_survives_a_url(key in ".*", n: u32) {
        let _known = registry().register(ActorName::new("bind", "x"), None, idle());
        let name = ActorName::nth("bind", key, n);
        let segment = to_url(&name);
        prop_assert!(segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:%".contains(&byte)));
        prop_assert_eq!(from_url(&segment), Ok(name));
    }

    #[test]
    fn no_text_panics(text in ".*", segment in "[a-z:%0-9]*") {
        let _ = ActorName::parse(&text);
        let _ = from_url(&segment);
    }
}
