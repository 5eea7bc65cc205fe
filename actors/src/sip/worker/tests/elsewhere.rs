//! Two nodes with one database: requests of a call come to the one that has not answered it.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::sip::dialog::Dialog;
use crate::sip::event::What;
use crate::sip::finder::{Found, Outcome, ToFinder};
use crate::sip::worker::Input;

pub(super) const MINUTE: i64 = 60_000_000;

pub(super) fn share(mut node: Node) -> Node {
    Arc::get_mut(&mut node.worker.settings).unwrap().shared = true;
    node
}

/// The node that answers calls, and another one that began later.
fn nodes() -> (Node, Node) {
    let first = share(Node::new());
    let later = first.now.wall.micros() + MINUTE;
    (first, share(Node::started(crate::sip::testing::voice(), later)))
}

/// The dialog of the call that came up last, as its record has it.
pub(super) fn recorded(node: &Node) -> Arc<Dialog> {
    let answered = node.events.iter().rev().find_map(|event| {
        if let What::Answered(answered) = &event.what { Some(Arc::clone(&answered.dialog)) } else { None }
    });
    answered.expect("it is answered")
}

pub(super) fn found(dialog: Uuid, outcome: Outcome) -> Vec<Input> {
    vec![Input::Found(Found { dialog, outcome })]
}

#[test]
fn a_request_waits_for_its_record() {
    let (mut first, mut second) = nodes();
    let (invite, ok) = answered(&mut first, "a");
    let dialog = recorded(&first);
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    let update = Within { method: "UPDATE", cseq: 1, branch: "update" }.callee(&invite, "callee");
    for _ in 0..2 {
        assert!(second.receive(CUSTOMER, info.clone()).is_empty());
        assert!(second.receive(VENDORS[0], update.clone()).is_empty());
    }
    assert_eq!(second.looks, [ToFinder::Serve { worker: 1, dialog: dialog.id }], "once");
    assert_eq!(second.counters.in_dialog.get(), 0, "they are counted when they go on");
    let sent = second.handle(found(dialog.id, Outcome::Taken(Arc::clone(&dialog))));
    assert_eq!(
        words(&sent),
        ["INFO>198.51.100.1:5060", "UPDATE>192.0.2.10:5060"],
        "each once, in their order"
    );
    assert_eq!(second.counters.in_dialog.get(), 2);
    assert_eq!(words(&second.receive(VENDORS[0], response(&sent[0], 200, "x"))), ["200>192.0.2.10:5060"]);
    assert_eq!(words(&second.receive(CUSTOMER, response(&sent[1], 200, "x"))), ["200>198.51.100.1:5060"]);
    assert_eq!(second.happened(), ["refreshed"]);
    // From now on it is known.
    let again = Within { method: "INVITE", cseq: 3, branch: "hold" }.caller(&ok);
    let sent = second.receive(CUSTOMER, again);
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    assert_eq!(words(&second.receive(VENDORS[0], response(&sent[1], 200, "x"))), ["200>192.0.2.10:5060"]);
    assert_eq!((second.happened().len(), second.looks.len()), (1, 1));
    let bye = Within { method: "BYE", cseq: 4, branch: "bye" }.caller(&ok);
    let sent = second.receive(CUSTOMER, bye);
    second.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(second.happened(), ["ended 200 answered Some(Caller)"]);
    second.settle();
}

/// A refusal of what waits has no transaction: where it is lost, the INVITE is to come again.
#[test]
fn an_invite_gets_no_100_before_it_goes_on() {
    let (mut first, mut second) = nodes();
    let (_, ok) = answered(&mut first, "a");
    let dialog = recorded(&first);
    let again = Within { method: "INVITE", cseq: 2, branch: "hold" }.caller(&ok);
    assert!(second.receive(CUSTOMER, again.clone()).is_empty());
    assert_eq!(words(&second.handle(found(dialog.id, Outcome::Failed))), ["500>192.0.2.10:5060"]);
    for _ in 0..2 {
        assert!(second.receive(CUSTOMER, again.clone()).is_empty());
    }
    let sent = second.handle(found(dialog.id, Outcome::Taken(dialog)));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"], "once");
}

/// It ended before anybody knew whose it was, and its record was found too late for that: what the call costs is not to
/// wait for ever.
#[test]
fn what_has_ended_before_its_record_is_found_ends() {
    let mut first = share(Node::new());
    let (_, ok) = answered(&mut first, "a");
    let dialog = recorded(&first);
    let mut second =
        share(Node::started(crate::sip::testing::voice(), first.now.wall.micros() + 20 * MINUTE));
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = second.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    assert_eq!(words(&second.receive(VENDORS[0], response(&sent[0], 200, "x"))), ["200>192.0.2.10:5060"]);
    second.pass(3 * SECOND);
    assert_eq!(second.counters.byes_unrecorded.get(), 1, "it was looked for in vain");
    second.happened();
    second.handle(found(dialog.id, Outcome::Taken(dialog)));
    assert_eq!(second.happened(), ["ended 200 answered None"]);
    second.settle();
}

/// Calls that this node gave away are looked for also where there was no room to note them, and where the worker began
/// anew since: none of them is told that it is over.
#[test]
fn a_call_that_lives_elsewhere_is_not_said_to_be_over() {
    let mut node = share(Node::new());
    let info = |ok: &Sent, branch: &str| Within { method: "INFO", cseq: 2, branch }.caller(ok);
    // There is room for a hundred.
    for number in 0..101 {
        let (_, ok) = answered(&mut node, &format!("call-{number}"));
        let id = recorded(&node).id;
        // They hold channels.
        node.events.clear();
        if number == 99 {
            // So far what is not known here, and was not given away, is over.
            let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
            let sent = node.receive(CUSTOMER, bye);
            node.receive(VENDORS[0], response(&sent[0], 200, "x"));
            node.pass(40 * SECOND);
            let late = Within { method: "INFO", cseq: 3, branch: "late" }.caller(&ok);
            assert_eq!(words(&node.receive(CUSTOMER, late)), ["481>192.0.2.10:5060"]);
        }
        node.pass(40 * SECOND);
        let since = node.now.instant;
        node.handle(vec![Input::Give(id, since)]);
        assert_eq!(node.given.last(), Some(&id));
        if number == 100 {
            assert!(node.receive(CUSTOMER, info(&ok, "full")).is_empty());
            assert_eq!(node.looks.last(), Some(&ToFinder::Serve { worker: 1, dialog: id }));
        }
    }

    let mut node = share(Node::new());
    let (_, ok) = answered(&mut node, "a");
    let id = recorded(&node).id;
    // Another incarnation of the worker knows nothing of what this one has let go of.
    node.worker.dialogs.remove(&id);
    node.pass(40 * SECOND);
    assert_eq!(words(&node.receive(CUSTOMER, info(&ok, "ended"))), ["481>192.0.2.10:5060"]);
    node.worker.began = node.now;
    assert!(node.receive(CUSTOMER, info(&ok, "began-anew")).is_empty());
    assert_eq!(node.looks, [ToFinder::Serve { worker: 1, dialog: id }]);
}

/// What is not found is refused, and what is found later is served then.
#[test]
fn nothing_waits_for_ever() {
    for outcome in [Some(Outcome::Unknown), Some(Outcome::Failed), None] {
        let (mut first, mut second) = nodes();
        let (_, ok) = answered(&mut first, "a");
        let dialog = recorded(&first);
        let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
        assert!(second.receive(CUSTOMER, info).is_empty());
        let sent = match outcome {
            Some(outcome) => second.handle(found(dialog.id, outcome)),
            None => second.pass(3 * SECOND),
        };
        assert_eq!(words(&sent), ["500>192.0.2.10:5060"]);
        assert_eq!(second.counters.in_dialog_refused.get(), 1);
        assert!(second.worker.is_empty());
        assert!(second.handle(found(dialog.id, Outcome::Taken(dialog.clone()))).is_empty());
        assert_eq!(second.worker.dialogs(), 1, "its actor is here");
        let info = Within { method: "INFO", cseq: 3, branch: "info-3" }.caller(&ok);
        assert_eq!(words(&second.receive(CUSTOMER, info)), ["INFO>198.51.100.1:5060"]);
    }
}

/// More than may wait is refused at once.
#[test]
fn what_waits_is_bounded() {
    let (mut first, mut second) = nodes();
    let (_, ok) = answered(&mut first, "a");
    for number in 2..34 {
        let info = Within { method: "INFO", cseq: number, branch: &format!("info-{number}") }.caller(&ok);
        assert!(second.receive(CUSTOMER, info).is_empty(), "{number}");
    }
    let info = Within { method: "INFO", cseq: 34, branch: "info-34" }.caller(&ok);
    assert_eq!(words(&second.receive(CUSTOMER, info)), ["503>192.0.2.10:5060"]);
}

#[test]
fn strangers_ask_for_nothing() {
    let (mut first, mut second) = nodes();
    let (_, ok) = answered(&mut first, "a");
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    for from in [STRANGER, VENDORS[1]] {
        assert_eq!(words(&second.receive(from, info.clone())), [format!("403>{from}")]);
    }
    assert!(second.looks.is_empty());
}

/// A BYE waits for nothing; what the call costs is told when it is known whose it was.
#[test]
fn a_bye_goes_on_at_once() {
    for is_late in [false, true] {
        for is_recorded in [false, true] {
            let (mut first, mut second) = nodes();
            let (_, ok) = answered(&mut first, "a");
            let dialog = recorded(&first);
            let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
            let sent = second.receive(CUSTOMER, bye);
            assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
            assert_eq!(second.looks, [ToFinder::Serve { worker: 1, dialog: dialog.id }]);
            let outcome = if is_recorded { Outcome::Taken(Arc::clone(&dialog)) } else { Outcome::Unknown };
            let told = found(dialog.id, outcome);
            let ended = response(&sent[0], 200, "x");
            if is_late {
                assert_eq!(words(&second.receive(VENDORS[0], ended)), ["200>192.0.2.10:5060"]);
                assert!(second.events.is_empty(), "whose it was is not known");
                second.handle(told);
            } else {
                second.handle(told);
                assert_eq!(words(&second.receive(VENDORS[0], ended)), ["200>192.0.2.10:5060"]);
            }
            let happened = second.happened();
            assert_eq!(happened.last().unwrap(), "ended 200 answered Some(Caller)");
            let begins = happened.first().unwrap() == "started";
            assert_eq!((begins, happened.len() == 1), (!is_recorded, is_recorded), "{happened:?}");
            second.settle();
        }
    }
}

/// A request that waits when the BYE comes is no second look, and what is told twice brings nothing back.
#[test]
fn a_bye_overtakes_what_waits() {
    let (mut first, mut second) = nodes();
    let (_, ok) = answered(&mut first, "a");
    let dialog = recorded(&first);
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    assert!(second.receive(CUSTOMER, info).is_empty());
    let bye = Within { method: "BYE", cseq: 3, branch: "bye" }.caller(&ok);
    let sent = second.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    second.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(second.looks.len(), 1);
    let sent = second.handle(found(dialog.id, Outcome::Taken(Arc::clone(&dialog))));
    assert_eq!(words(&sent), ["500>192.0.2.10:5060"], "the call is over");
    assert_eq!(second.happened(), ["ended 200 answered Some(Caller)"]);
    second.handle(found(dialog.id, Outcome::Taken(dialog)));
    second.settle();
}

/// Another node has the call: it is let go of here when nothing of it is under way, and asked for again.
#[test]
fn a_call_that_was_taken_is_let_go_of() {
    let (mut node, _) = nodes();
    let (invite, ok) = answered(&mut node, "a");
    let dialog = recorded(&node);
    let id = dialog.id;
    let look = |node: &Node| vec![Input::Give(id, node.now.instant)];
    node.handle(look(&node));
    assert_eq!((node.given.len(), node.worker.dialogs()), (0, 1), "a side was heard here since");
    node.pass(SECOND);
    node.handle(look(&node));
    assert_eq!(node.given.len(), 0, "its answer may come again");
    node.pass(40 * SECOND);
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    let sent = node.receive(CUSTOMER, info);
    node.pass(SECOND);
    node.handle(look(&node));
    assert_eq!(node.given.len(), 0, "the INFO has no answer");
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    node.pass(SECOND);
    node.handle(look(&node));
    assert_eq!((node.given.as_slice(), node.worker.dialogs()), (&[id][..], 0));
    let late = response(&invite, 200, "callee");
    assert!(node.receive(VENDORS[0], late).is_empty(), "it is not ended");
    node.events.clear();
    let info = Within { method: "INFO", cseq: 3, branch: "info-3" }.caller(&ok);
    assert!(node.receive(CUSTOMER, info).is_empty());
    assert_eq!(node.looks, [ToFinder::Serve { worker: 1, dialog: id }], "it may come back");
    let sent = node.handle(found(id, Outcome::Taken(dialog)));
    assert_eq!(words(&sent), ["INFO>198.51.100.1:5060"]);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    let bye = Within { method: "BYE", cseq: 4, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    let late = Within { method: "INFO", cseq: 5, branch: "info-5" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, late)), ["481>192.0.2.10:5060"], "it is over");
}

/// Without another node nobody is asked.
#[test]
fn a_node_by_itself_refuses_what_it_does_not_know() {
    let mut first = Node::new();
    let (_, ok) = answered(&mut first, "a");
    let mut second = Node::started(crate::sip::testing::voice(), first.now.wall.micros() + MINUTE);
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    assert_eq!(words(&second.receive(CUSTOMER, info)), ["500>192.0.2.10:5060"]);
    assert!(second.looks.is_empty());
}
