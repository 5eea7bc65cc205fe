//! What sides do that none should, and what crosses on the way.

use runtime::log::Reason;

use super::*;
use crate::sip::worker::Input;

/// A display name that holds a control, as a quoted string may.
const BELL: &str = "\"\\\u{7}\"";

fn dialog(node: &mut Node) -> uuid::Uuid {
    let dialog = node.events[0].dialog;
    node.happened();
    dialog
}

#[test]
fn a_name_that_cannot_be_written() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234").replace("\"A\"", BELL));
    let ok = node.receive(VENDORS[0], response(&sent[1], 200, "callee")).remove(0);
    let dialog = dialog(&mut node);
    node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "a-ack" }.caller(&ok));
    let info = Within { method: "INFO", cseq: 2, branch: "a-info" }.caller(&ok).replace(BELL, "\"A\"");
    let info = node.receive(CUSTOMER, info);
    assert_eq!(words(&info), ["INFO>198.51.100.1:5060"]);
    assert_eq!(words(&node.receive(VENDORS[0], response(&info[0], 200, "x"))), ["200>192.0.2.10:5060"]);
    let byes = node.handle(vec![Input::HangUp(dialog, Reason::MaxDuration)]);
    assert_eq!(words(&byes), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(byes[0].value(HeaderId::To), "<sip:+15550001@192.0.2.10>;tag=from-a");
    for (bye, from) in byes.iter().zip([CUSTOMER, VENDORS[0]]) {
        node.receive(from, response(bye, 200, "x"));
    }
    node.settle();
}

#[test]
fn a_check_that_cannot_be_sent() {
    let mut node = Node::new();
    answered(&mut node, "a");
    let dialog = dialog(&mut node);
    let checks = node.handle(vec![Input::Check(dialog)]);
    assert_eq!(words(&checks), ["OPTIONS>192.0.2.10:5060", "OPTIONS>198.51.100.1:5060"]);
    assert!(node.undelivered(&checks[1]).is_empty(), "anybody can say that a network is away");
    assert!(node.receive(CUSTOMER, response(&checks[0], 200, "x")).is_empty());
    assert_eq!(node.worker.dialogs(), 1);
    assert!(node.happened().is_empty());
}

#[test]
fn it_was_answered_while_we_ended_it() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    let dialog = dialog(&mut node);
    let cancel = node.handle(vec![Input::HangUp(dialog, Reason::MaxDuration)]);
    assert_eq!(words(&cancel)[0], "CANCEL>198.51.100.1:5060");
    let sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    let left = words(&sent);
    assert!(left.iter().any(|word| word == "BYE>198.51.100.1:5060"), "{left:?}");
    let end = node.happened();
    assert_eq!(end.last().map(String::as_str), Some("ended 200 max_duration None"), "{end:?}");
    assert_eq!(node.worker.dialogs(), 0);
}

#[test]
fn both_hang_up_and_one_is_refused() {
    let mut node = Node::new();
    let (invite, ok) = answered(&mut node, "a");
    node.happened();
    let bye = Within { method: "BYE", cseq: 2, branch: "a-bye" }.caller(&ok);
    let to_vendor = node.receive(CUSTOMER, bye);
    let bye = Within { method: "BYE", cseq: 7, branch: "b-bye" }.callee(&invite, "callee");
    let to_caller = node.receive(VENDORS[0], bye);
    let sent = node.receive(CUSTOMER, response(&to_caller[0], 491, "x"));
    assert_eq!(words(&sent), ["491>198.51.100.1:5060", "BYE>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Callee)"]);
    assert_eq!(words(&node.receive(VENDORS[0], response(&to_vendor[0], 200, "x"))), ["200>192.0.2.10:5060"]);
    node.receive(CUSTOMER, response(&sent[1], 481, "x"));
    assert!(node.happened().is_empty());
    node.settle();
}
