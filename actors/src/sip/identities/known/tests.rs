use super::*;
use crate::sip::identities::testing::Pki;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_hours(24);
const REFUSED: Outcome = Err(Failure::Credential);
const AWAY: Outcome = Err(Failure::Unavailable);
const ATTACKER: Option<Source> = Some(Source::Vendor(6));
const HONEST: Option<Source> = Some(Source::Vendor(7));

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn good() -> Outcome {
    Ok(Arc::new(Pki::new().own.certificate()))
}

/// One that is known, and has signed something as the so-manieth.
fn proven(known: &mut Known, url: &str, use_number: u64, now: Instant) {
    known.put(url, (good(), MINUTE), HONEST, now);
    known.prove(url, use_number);
    assert!(known.is_proven(url));
}

/// Copies of a public certificate at places of the attacker's own, good for longer than any honest one.
#[test]
fn nobody_is_driven_out_by_what_signs_nothing() {
    let (mut known, now, copy) = (Known::new(3), start(), good());
    for (use_number, url) in (1..).zip(["a", "b", "c"]) {
        proven(&mut known, url, use_number, now);
    }
    known.put("new", (good(), MINUTE), HONEST, now);
    for number in 0..3 * UNPROVEN_MAX {
        known.put(&format!("x{number}"), (copy.clone(), DAY), ATTACKER, now);
        known.put(&format!("y{number}"), (REFUSED, MINUTE), ATTACKER, now);
    }
    for url in ["a", "b", "c", "new"] {
        assert!(matches!(known.find(url, now), Some((Ok(_), false))), "{url}");
    }
    assert_eq!(known.len(), (3, UNPROVEN_OF_SOURCE_MAX + 1));
}

#[test]
fn what_is_not_proven_is_bounded_in_all() {
    let (mut known, now) = (Known::new(3), start());
    for source in 0..20 {
        for number in 0..UNPROVEN_OF_SOURCE_MAX {
            let source = Some(Source::Trunk(source));
            known.put(&format!("{source:?}{number}"), (REFUSED, MINUTE), source, now);
        }
    }
    assert_eq!(known.len(), (0, UNPROVEN_MAX));
    known.put("good", (good(), MINUTE), HONEST, now);
    known.put("more", (REFUSED, MINUTE), HONEST, now + MINUTE / 2);
    assert!(known.find("good", now).is_some(), "one that was refused went first");
    known.clear();
    assert_eq!(known.len(), (0, 0));
}

#[test]
fn who_signed_nothing_for_the_longest_time_goes_first() {
    let (mut known, now) = (Known::new(3), start());
    for (use_number, url) in [(1, "a"), (2, "b"), (3, "c")] {
        proven(&mut known, url, use_number, now);
    }
    assert!(known.note_use("a", 4) && !known.note_use("d", 5));
    proven(&mut known, "d", 6, now);
    assert_eq!(["a", "b", "c", "d"].map(|url| known.is_proven(url)), [true, false, true, true]);
    // A refusal proves nothing.
    known.put("e", (REFUSED, MINUTE), HONEST, now);
    known.prove("e", 7);
    known.prove("nobody knows it", 8);
    assert_eq!(known.len(), (3, 1));
}

#[test]
fn times() {
    let (mut known, now, later) = (Known::new(3), start(), MINUTE * 7 / 8);
    known.put("a", (good(), MINUTE), HONEST, now);
    assert!(matches!(known.find("a", now + later), Some((Ok(_), false))), "it is not proven");
    known.prove("a", 1);
    assert!(matches!(known.find("a", now + later - MINUTE / 8), Some((Ok(_), false))));
    assert!(matches!(known.find("a", now + later), Some((Ok(_), true))), "it is asked for again");
    assert_eq!(known.find("a", now + MINUTE), None);
    assert!(known.is_proven("a"), "it still was good before");
    known.put("a", (good(), DAY), None, now + MINUTE);
    assert!(matches!(known.find("a", now + 2 * MINUTE), Some((Ok(_), false))));
}

#[test]
fn what_a_new_answer_does() {
    let now = start();
    let soon = now + MINUTE / 2;
    for (outcome, expected, is_proven) in [
        // What is good stays.
        (AWAY, "good", true),
        (REFUSED, "refused", false),
        (good(), "good", true),
    ] {
        let mut known = Known::new(3);
        proven(&mut known, "a", 1, now);
        known.put("a", (outcome, MINUTE), None, soon);
        let found = match known.find("a", soon).unwrap().0 {
            Ok(_) => "good",
            Err(Failure::Credential) => "refused",
            Err(_) => "away",
        };
        assert_eq!((found, known.is_proven("a")), (expected, is_proven));
    }
    // Where it is over, the new answer is what is known.
    let mut known = Known::new(3);
    proven(&mut known, "a", 1, now);
    known.put("a", (AWAY, MINUTE), None, now + MINUTE);
    assert_eq!(known.find("a", now + MINUTE), Some((AWAY, false)));
    assert!(known.is_proven("a"));
    known.put("a", (good(), MINUTE), None, now + 2 * MINUTE);
    assert!(matches!(known.find("a", now + 2 * MINUTE), Some((Ok(_), false))));
    assert_eq!(known.len(), (1, 0));
}
