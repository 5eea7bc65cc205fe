//! What becomes of BYEs of ours.

use super::*;
use crate::sip::worker::Input;

/// A call that we ended: both BYEs, the record told.
fn ended(node: &mut Node) -> Vec<Sent> {
    answered(node, "a");
    let dialog = node.events[0].dialog;
    node.happened();
    let sent = node.handle(vec![Input::HangUp(dialog, runtime::log::Reason::MaxDuration)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(node.happened(), ["ended 200 max_duration None"], "the record waits for no answer");
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    sent
}

#[test]
fn what_a_side_answers() {
    // What the vendor answers, whether it hears a second one, what it answers then, and what is counted.
    let cases = [
        (Some(200), false, 0, (0, 0)),
        (Some(481), false, 0, (0, 0)),
        (Some(408), false, 0, (0, 0)),
        (Some(401), false, 0, (1, 0)),
        (Some(407), false, 0, (1, 0)),
        (Some(500), true, 200, (0, 0)),
        (Some(491), true, 200, (0, 0)),
        (Some(500), true, 500, (1, 0)),
        (None, false, 0, (0, 1)),
    ];
    for (answer, again, then, counted) in cases {
        let mut node = Node::new();
        let sent = ended(&mut node);
        if let Some(code) = answer {
            assert!(node.receive(VENDORS[0], response(&sent[1], code, "x")).is_empty());
        }
        let second = if answer.is_some() { node.pass(SECOND) } else { node.pass(40 * SECOND) };
        if again {
            assert_eq!(words(&second), ["BYE>198.51.100.1:5060"], "{answer:?}");
            assert_eq!(sent[1].value(HeaderId::CSeq), "2 BYE");
            assert_eq!(second[0].value(HeaderId::CSeq), "102 BYE");
            assert_ne!(second[0].value(HeaderId::Via), sent[1].value(HeaderId::Via));
            assert!(node.receive(VENDORS[0], response(&second[0], then, "x")).is_empty());
            assert!(node.pass(10 * SECOND).is_empty(), "once more, and no more");
        } else if answer.is_some() {
            assert!(second.is_empty(), "{answer:?}");
        }
        let counts = (node.counters.byes_refused.get(), node.counters.byes_unanswered.get());
        assert_eq!(counts, counted, "{answer:?}");
        node.settle();
    }
}
