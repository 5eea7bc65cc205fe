use runtime::log::Reason;

use super::*;
use crate::sip::dialog::Dialog;
use crate::sip::event::What;
use crate::sip::worker::Input;

#[test]
fn a_reinvite_either_way() {
    let mut node = Node::new();
    let (invite, ok) = answered(&mut node, "a");
    node.happened();
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let sent = node.receive(CUSTOMER, again);
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    let sent = node.receive(VENDORS[0], response(&sent[1], 200, "x"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    let ack = Within { method: "ACK", cseq: 2, branch: "re-ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    assert_eq!(node.happened(), ["refreshed"]);
    let again = Within { method: "INVITE", cseq: 9, branch: "re-b" }.callee(&invite, "callee");
    let sent = node.receive(VENDORS[0], again);
    assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
    let sent = node.receive(CUSTOMER, response(&sent[1], 488, "x"));
    assert_eq!(words(&sent), ["ACK>192.0.2.10:5060", "488>198.51.100.1:5060"]);
    assert!(node.happened().is_empty(), "the call goes on");
    node.pass(60 * SECOND);
    assert_eq!((node.worker.dialogs(), node.worker.transactions()), (1, 0));
}

#[test]
fn other_requests_pass() {
    let mut node = Node::new();
    let (invite, ok) = answered(&mut node, "a");
    let refer = Within { method: "REFER", cseq: 9, branch: "refer" }.caller(&ok);
    assert_eq!(
        words(&node.receive(CUSTOMER, refer)),
        ["403>192.0.2.10:5060"],
        "a call that nobody was asked for"
    );
    for (at, method) in ["UPDATE", "INFO", "PRACK", "OPTIONS", "MESSAGE", "NOTIFY"].iter().enumerate() {
        let cseq = 10 + u32::try_from(at).unwrap();
        let request = Within { method, cseq, branch: &format!("c-{method}") }.caller(&ok);
        let sent = node.receive(CUSTOMER, request);
        assert_eq!(words(&sent), [format!("{method}>198.51.100.1:5060")]);
        assert_eq!(words(&node.receive(VENDORS[0], response(&sent[0], 200, "x"))), ["200>192.0.2.10:5060"]);
        let request = Within { method, cseq, branch: &format!("v-{method}") }.callee(&invite, "callee");
        let sent = node.receive(VENDORS[0], request);
        assert_eq!(words(&sent), [format!("{method}>192.0.2.10:5060")]);
        assert_eq!(words(&node.receive(CUSTOMER, response(&sent[0], 501, "x"))), ["501>198.51.100.1:5060"]);
    }
}

/// Within a live dialog the number and the way are the dialog's, whatever a request says.
#[test]
fn a_live_cookie_places_no_other_call() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let again = again.replace("callee@198.51.100.1:5060", "900900@203.0.113.99:5060");
    let again = again.replacen("From: ", "Route: <sip:203.0.113.77;lr>\r\nFrom: ", 1);
    let sent = node.receive(CUSTOMER, again);
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    assert!(
        sent[1].text().starts_with("INVITE sip:callee@198.51.100.1:5060 SIP/2.0\r\n"),
        "{}",
        sent[1].text()
    );
    assert!(sent[1].message.value(HeaderId::Route).is_none(), "{}", sent[1].text());
}

/// A BYE that the other side refuses ends nothing: the call is up there, and costs.
#[test]
fn a_bye_that_is_refused() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    node.happened();
    for (at, code) in [401, 407].into_iter().enumerate() {
        let cseq = 2 + u32::try_from(at).unwrap();
        let bye = Within { method: "BYE", cseq, branch: &format!("bye-{code}") }.caller(&ok);
        let sent = node.receive(CUSTOMER, bye);
        node.receive(VENDORS[0], response(&sent[0], code, "x"));
        assert!(node.happened().is_empty(), "{code}: it comes again, with credentials");
        assert_eq!(node.worker.dialogs(), 1, "{code}");
    }
    let bye = Within { method: "BYE", cseq: 9, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&sent[0], 481, "x"));
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    node.settle();
}

/// A side that did not take the other's BYE gets one of ours: its leg is not left up.
#[test]
fn a_bye_that_is_not_taken() {
    for code in [Some(420), Some(483), Some(500), Some(408), None] {
        let mut node = Node::new();
        let (_, ok) = answered(&mut node, "a");
        node.happened();
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        let passed = node.receive(CUSTOMER, bye).remove(0);
        let mut sent =
            code.map(|code| node.receive(VENDORS[0], response(&passed, code, "x"))).unwrap_or_default();
        sent.append(&mut node.pass(33 * SECOND));
        let ended = node.events.last().unwrap().at.instant;
        let ago = node.now.instant.duration_since(ended);
        assert_eq!(ago < 2 * SECOND, code.is_none(), "{code:?}: {ago:?}, it was up there until our BYE");
        assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"], "{code:?}");
        let ours = |sent: &&Sent| sent.word() == "BYE" && sent.text().contains("CSeq: 3 BYE");
        let ours = sent.iter().find(ours).unwrap_or_else(|| panic!("{code:?}: {:?}", words(&sent)));
        node.receive(VENDORS[0], response(ours, 200, "x"));
        node.settle();
    }
}

/// A BYE before the answer does not take the record of the call that is answered all the same.
#[test]
fn an_early_bye() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    let ringing = response(&invite, 180, "callee");
    let shown = node.receive(VENDORS[0], ringing).remove(0);
    let bye = Within { method: "BYE", cseq: 2, branch: "early" }.caller(&shown);
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&sent[0], 481, "x"));
    node.happened();
    node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(node.happened(), ["attempt 1 200", "answered"]);
    assert_eq!(node.worker.dialogs(), 1);
}

/// On a stream a message ends where its Content-Length says, and nowhere without one.
#[test]
fn every_message_has_a_length() {
    let mut node = Node::new();
    let hidden = "INVITE sip:1900@203.0.113.5 SIP/2.0\r\n\r\n";
    let without =
        invite("a", "+15551234").replace("Content-Length: 5\r\n\r\nv=0\r\n", &format!("\r\n{hidden}"));
    let sent = node.receive(CUSTOMER, without);
    assert_eq!(sent[1].value(HeaderId::ContentLength), hidden.len().to_string());
    let ok = text(&response(&sent[1], 200, "t")).replace("Content-Length: 0\r\n", "");
    let sent = node.receive(VENDORS[0], ok);
    assert_eq!(sent[0].value(HeaderId::ContentLength), "0");
}

#[test]
fn a_new_target_is_used() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    let dialog = node.events[0].dialog;
    let update = Within { method: "UPDATE", cseq: 2, branch: "u" }.caller(&ok);
    let update = update.replace("<sip:me@192.0.2.10:5060>", "<sip:moved@192.0.2.10:5099>");
    let sent = node.receive(CUSTOMER, update);
    let moved =
        text(&response(&sent[0], 200, "x")).replace("callee@198.51.100.1:5060", "moved@198.51.100.1:5098");
    node.receive(VENDORS[0], moved);
    let sent = node.handle(vec![Input::HangUp(dialog, Reason::Operator)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5099", "BYE>198.51.100.1:5098"]);
    assert!(sent[1].text().starts_with("BYE sip:moved@198.51.100.1:5098 SIP/2.0"), "{}", sent[1].text());
}

#[test]
fn who_may_speak() {
    let mut node = Node::new();
    let (invite, ok) = answered(&mut node, "a");
    let bye = Within { method: "BYE", cseq: 2, branch: "x" }.caller(&ok);
    let from_vendor = Within { method: "BYE", cseq: 2, branch: "y" }.callee(&invite, "callee");
    let cases = [
        (STRANGER, bye.clone(), "403"),
        (VENDORS[1], bye.clone(), "403"),
        (VENDORS[0], bye.clone(), "403"),
        (CUSTOMER, from_vendor, "403"),
        (CUSTOMER, bye.replace(";w=", ";w=A"), "481"),
        (CUSTOMER, bye.replace("tag=from-a", "tag=from-b"), "481"),
        (CUSTOMER, bye.replace("tag=callee", "tag=other").replace("BYE", "UPDATE"), "481"),
        (CUSTOMER, bye.replace("Call-ID: a@", "Call-ID: b@"), "481"),
    ];
    for (at, (from, text, expected)) in cases.into_iter().enumerate() {
        let text = text.replace("branch=z9hG4bK-", &format!("branch=z9hG4bK-{at}-"));
        let sent = node.receive(from, text);
        assert_eq!(sent.len(), 1, "{at}: {:?}", words(&sent));
        assert_eq!(sent[0].word(), expected, "{at}");
    }
    assert_eq!(node.worker.dialogs(), 1);
}

/// A vendor that forks has two calls of one INVITE: the caller ends the one that it does not want.
#[test]
fn another_fork_is_ended_by_the_caller() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    let first = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
    let second = node.receive(VENDORS[0], response(&invite, 200, "fork")).remove(0);
    assert_eq!((first.word(), second.word()), ("200".to_owned(), "200".to_owned()));
    node.happened();
    for (method, branch) in [("ACK", "f-ack"), ("BYE", "f-bye")] {
        let request = Within { method, cseq: 1, branch }.caller(&second);
        assert_eq!(words(&node.receive(CUSTOMER, request)), [format!("{method}>198.51.100.1:5060")]);
    }
    assert!(node.happened().is_empty());
    assert_eq!(node.worker.dialogs(), 1, "the first one is up");
}

/// A node that starts again knows by the cookie between whom a call is.
#[test]
fn after_a_restart() {
    let mut before = Node::new();
    let (invite, ok) = answered(&mut before, "a");
    let later = before.now.wall.micros() + 60_000_000;
    let mut node = Node::started(crate::sip::testing::voice(), later);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = node.receive(STRANGER, bye.clone());
    assert_eq!(words(&sent), ["403>203.0.113.66:5060"], "a cookie is not permission");
    let again = Within { method: "INVITE", cseq: 3, branch: "re" }.callee(&invite, "callee");
    let sent = node.receive(VENDORS[0], again);
    assert_eq!(words(&sent), ["500>198.51.100.1:5060"], "what could move the call waits for its record");
    // Whatever number and host an old cookie comes with, it places no call.
    let anew = Within { method: "INVITE", cseq: 3, branch: "anew" }.caller(&ok);
    let anew = anew.replace("callee@198.51.100.1:5060", "900900@203.0.113.99:5060");
    assert_eq!(words(&node.receive(CUSTOMER, anew)), ["500>192.0.2.10:5060"]);
    let elsewhere = bye.replace("callee@198.51.100.1:5060", "900900@203.0.113.99:5060");
    let sent = node.receive(CUSTOMER, elsewhere.replace("bK-bye", "bK-other"));
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    let mut node = Node::started(crate::sip::testing::voice(), later);
    let sent = node.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    node.settle();
}

/// A call whose record the last process left, half an hour after its answer.
fn recovered() -> (Sent, Node, uuid::Uuid) {
    let mut before = Node::new();
    let (_, ok) = answered(&mut before, "a");
    let Some(What::Answered(answered)) = before.events.last().map(|event| &event.what) else {
        panic!("{:?}", before.happened())
    };
    let dialog = Dialog::clone(&answered.dialog);
    let mut node = Node::started(crate::sip::testing::voice(), before.now.wall.micros() + 1_800_000_000);
    let id = dialog.id;
    node.worker.recover(dialog);
    (ok, node, id)
}

/// What we ask is in nobody's way; what we end leaves room for what nobody here has seen.
#[test]
fn a_recovered_call_is_asked_for_and_goes_on() {
    let (ok, mut node, id) = recovered();
    let asked = node.handle(vec![Input::Check(id)]);
    assert!(asked[1].text().contains("CSeq: 1 OPTIONS\r\n"), "{}", asked[1].text());
    node.receive(CUSTOMER, response(&asked[0], 200, "x"));
    node.receive(VENDORS[0], response(&asked[1], 500, "x"));
    assert_eq!(
        (node.happened().len(), node.worker.dialogs()),
        (0, 1),
        "a number that is too low is known by a call"
    );
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let bye = node.receive(CUSTOMER, bye).remove(0);
    assert_eq!((bye.word(), bye.to.to_string()), ("BYE".to_owned(), VENDORS[0].to_owned()));
    node.receive(VENDORS[0], response(&bye, 200, "x"));
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    node.settle();

    let (_, mut node, id) = recovered();
    let byes = node.handle(vec![Input::HangUp(id, Reason::MaxDuration)]);
    assert!(byes[1].text().contains("CSeq: 102 BYE\r\n"), "{}", byes[1].text());
}

/// It may have ended while nobody was here.
#[test]
fn a_recovered_call_that_nobody_knows_was_up_until_this_process_began() {
    let (_, mut node, id) = recovered();
    let began = node.now.instant;
    node.pass(30 * SECOND);
    let asked = node.handle(vec![Input::Check(id)]);
    node.receive(CUSTOMER, response(&asked[0], 481, "x"));
    node.receive(VENDORS[0], response(&asked[1], 481, "x"));
    assert_eq!(node.events.last().map(|event| event.at.instant), Some(began));
    assert_eq!(node.happened(), ["ended 200 dead_call None"]);
}

/// A BYE before the answer, which nobody reads, ends nothing when it fails in the midst of the call.
#[test]
fn an_early_bye_that_is_never_answered() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    let shown = node.receive(VENDORS[0], response(&invite, 180, "callee")).remove(0);
    let bye = Within { method: "BYE", cseq: 2, branch: "early" }.caller(&shown);
    node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&invite, 200, "callee"));
    node.happened();
    node.pass(40 * SECOND);
    assert_eq!((node.happened().len(), node.worker.dialogs()), (0, 1));
}

/// A BYE whose call left no record and cannot have been answered by the last process passes, and is no call.
#[test]
fn a_bye_of_long_ago() {
    let mut before = Node::new();
    let (invite, ok) = answered(&mut before, "a");
    let start = before.now.wall.micros();
    let by_caller = Within { method: "BYE", cseq: 2, branch: "c" }.caller(&ok);
    let by_callee = Within { method: "BYE", cseq: 2, branch: "v" }.callee(&invite, "callee");
    for (from, bye, to) in [(CUSTOMER, by_caller, VENDORS[0]), (VENDORS[0], by_callee, CUSTOMER)] {
        let mut node = Node::started(crate::sip::testing::voice(), start + 36_000_000_000);
        let sent = node.receive(from, bye);
        assert_eq!(words(&sent), [format!("BYE>{to}")]);
        assert_eq!(words(&node.receive(to, response(&sent[0], 200, "x"))), [format!("200>{from}")]);
        assert!(node.happened().is_empty());
        assert_eq!(node.counters.byes_unrecorded.get(), 1);
        node.settle();
    }
}

/// A request of a dialog that left no record goes to the other party, wherever it says that this is.
#[test]
fn a_cookie_sends_to_its_parties_alone() {
    let mut before = Node::new();
    let (invite, ok) = answered(&mut before, "a");
    let later = before.now.wall.micros() + 60_000_000;
    let named = ["203.0.113.99:5060", "10.0.0.1:5060", "pbx.example", "203.0.113.5:5060", "198.51.100.3"];
    for (at, place) in named.iter().enumerate() {
        let mut node = Node::started(crate::sip::testing::voice(), later);
        let bye = Within { method: "BYE", cseq: 2, branch: &format!("c-{at}") }.caller(&ok);
        let sent =
            node.receive(CUSTOMER, bye.replace("callee@198.51.100.1:5060", &format!("callee@{place}")));
        assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"], "{place}");
        let mut node = Node::started(crate::sip::testing::voice(), later);
        for method in ["ACK", "BYE"] {
            let request = Within { method, cseq: 2, branch: &format!("v-{at}") }.callee(&invite, "callee");
            let request = request.replace("caller@192.0.2.10:5060", &format!("caller@{place}"));
            assert_eq!(
                words(&node.receive(VENDORS[0], request)),
                [format!("{method}>192.0.2.10:5060")],
                "{place}"
            );
        }
    }
}

/// An answer to a re-INVITE that comes again says nothing new: what came after it stands.
#[test]
fn an_answer_that_comes_again_moves_nobody() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    let dialog = node.events[0].dialog;
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let passed = node.receive(CUSTOMER, again).remove(1);
    let old = response(&passed, 200, "callee");
    node.receive(VENDORS[0], old.clone());
    let update = Within { method: "UPDATE", cseq: 3, branch: "u" }.caller(&ok);
    let sent = node.receive(CUSTOMER, update);
    let moved = text(&response(&sent[0], 200, "callee"))
        .replace("callee@198.51.100.1:5060", "moved@198.51.100.1:5098");
    node.receive(VENDORS[0], moved);
    node.happened();
    assert_eq!(words(&node.receive(VENDORS[0], old)), ["200>192.0.2.10:5060"]);
    assert!(node.happened().is_empty(), "no refresh");
    let sent = node.handle(vec![Input::HangUp(dialog, Reason::Operator)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5098"]);
}
