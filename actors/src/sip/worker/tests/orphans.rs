//! A process ends while calls ring; the next one gets what was meant for it.

use sip::{Limits, Message};

use super::*;
use crate::sip::cookie::Call;
use crate::sip::hiding;
use crate::sip::testing::voice;
use crate::sip::worker::Input;

/// A call that the worker of the tests has in every process of its node.
fn name(node: &Node) -> String {
    let own =
        |name: &String| node.worker.settings.worker_of_call(format!("{name}@192.0.2.10").as_bytes()) == 1;
    (0..).map(|at| format!("call-{at}")).find(own).unwrap()
}

/// A call rings, and the process ends: the INVITE at the vendor, and the next process.
fn restarted() -> (Sent, Node) {
    let mut before = Node::new();
    let call = name(&before);
    let invite = ringing(&mut before, &call);
    let node = Node::started(voice(), before.now.wall.micros() + 5_000_000);
    (invite, node)
}

#[test]
fn a_call_is_answered_after_a_restart() {
    let (invite, mut node) = restarted();
    assert_eq!(words(&node.receive(VENDORS[0], response(&invite, 183, "callee"))), ["183>192.0.2.10:5060"]);
    assert!(node.happened().is_empty());
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&ok), ["200>192.0.2.10:5060"]);
    assert_eq!(ok[0].message.via_count(), 1, "{}", ok[0].text());
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
    let again = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&again), ["200>192.0.2.10:5060"]);
    assert!(node.happened().is_empty(), "one call, one record");
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok[0]);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    node.pass(60 * SECOND);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok[0]);
    let sent = node.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    assert_eq!(words(&node.receive(VENDORS[0], response(&sent[0], 200, "x"))), ["200>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    node.settle();
}

/// What its trunk and vendor want of a call is asked for on.
#[test]
fn an_adopted_call_is_asked_to_be_refreshed() {
    let (invite, _) = restarted();
    let mut voice = voice();
    voice.vendors[0].session_expires = 600 * SECOND;
    let mut node = Node::started(voice, Node::new().now.wall.micros() + 5_000_000);
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
    let update = Within { method: "UPDATE", cseq: 2, branch: "u" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, update)[0].value(HeaderId::SessionExpires), "600");
}

/// Either side, and we, can end it.
#[test]
fn who_ends_it() {
    let (invite, mut node) = restarted();
    node.receive(VENDORS[0], response(&invite, 200, "callee"));
    let dialog = node.events[0].dialog;
    let byes = node.handle(vec![Input::HangUp(dialog, runtime::log::Reason::Operator)]);
    assert_eq!(words(&byes), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    let (invite, mut node) = restarted();
    node.receive(VENDORS[0], response(&invite, 200, "callee"));
    node.happened();
    let bye = Within { method: "BYE", cseq: 7, branch: "bye" }.callee(&invite, "callee");
    let sent = node.receive(VENDORS[0], bye);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060"]);
    assert!(sent[0].text().starts_with("BYE sip:caller@192.0.2.10:5060 "), "{}", sent[0].text());
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    assert_eq!(node.happened(), ["ended 200 answered Some(Callee)"]);
}

#[test]
fn a_refusal_after_a_restart() {
    let (invite, mut node) = restarted();
    let sent = node.receive(VENDORS[0], response(&invite, 486, "callee"));
    assert_eq!(words(&sent), ["486>192.0.2.10:5060", "ACK>198.51.100.1:5060"]);
    let via = invite.message.list(HeaderId::Via).next().map(text);
    assert_eq!(sent[1].message.list(HeaderId::Via).next().map(text), via, "what its transaction is found by");
    assert!(node.happened().is_empty());
    assert!(node.worker.is_empty());
}

#[test]
fn nothing_is_reflected() {
    let (invite, mut node) = restarted();
    let ok = text(&response(&invite, 200, "callee"));
    let own = text(invite.message.list(HeaderId::Via).next().unwrap());
    let own = own.split("branch=").nth(1).unwrap().to_owned();
    let forged: String = own.chars().rev().enumerate().map(|(at, c)| if at < 8 { '0' } else { c }).collect();
    let forged: String = forged.chars().rev().collect();
    let cases = [
        ("another's branch", VENDORS[0], ok.replace(&own, &forged)),
        ("a sender that nobody knows", STRANGER, ok.clone()),
        ("a response for one hop", VENDORS[0], text(&response(&invite, 100, "callee"))),
    ];
    for (what, from, message) in cases {
        assert!(node.receive(from, message).is_empty(), "{what}");
    }
    assert!(node.happened().is_empty());
    assert!(node.worker.is_empty());
    // A call that nobody can be told of is ended where it is, and nobody else hears of it.
    for (what, own, other) in [
        ("a victim in the next Via", "received=192.0.2.10", "received=203.0.113.66"),
        ("a transport that is none", "SIP/2.0/UDP 192.0.2.10", "SIP/2.0/SCTP 192.0.2.10"),
        ("a listener that there is not", "SIP/2.0/UDP 192.0.2.10", "SIP/2.0/TCP 192.0.2.10"),
    ] {
        let (invite, mut node) = restarted();
        let changed = text(&response(&invite, 200, "callee")).replace(own, other);
        let sent = node.receive(VENDORS[0], changed);
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"], "{what}");
        let refusal = text(&response(&invite, 486, "callee")).replace(own, other);
        assert_eq!(words(&node.receive(VENDORS[0], refusal)), ["ACK>198.51.100.1:5060"], "{what}");
        assert!(node.happened().is_empty(), "{what}");
        node.settle();
    }
}

/// A response to a request of this process that is long over is nobody's (RFC 6026 7.2).
#[test]
fn a_stray_response_goes_nowhere() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    node.receive(VENDORS[0], response(&invite, 486, "callee"));
    node.pass(300 * SECOND);
    assert!(node.receive(VENDORS[0], response(&invite, 486, "callee")).is_empty());
    // A vendor that answers after all has a call that nobody else has.
    let sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    node.settle();
    // The answer of a call that is up, sent again by a vendor that never saw its ACK, is one too many.
    let (invite, _) = answered(&mut node, "b");
    node.pass(100 * SECOND);
    assert!(node.receive(VENDORS[0], response(&invite, 200, "callee")).is_empty());
    assert_eq!(node.worker.dialogs(), 1);
}

/// An old answer that is sent again makes no call, and neither does one of somebody else.
#[test]
fn an_answer_that_is_none() {
    let (invite, mut node) = restarted();
    let ok = response(&invite, 200, "callee");
    assert!(node.receive(VENDORS[1], ok.clone()).is_empty(), "another vendor");
    let to_vendor = text(&ok).replace("received=192.0.2.10", "received=198.51.100.3");
    assert!(node.receive(VENDORS[0], to_vendor).is_empty(), "to another than the caller");
    node.pass(1000 * SECOND);
    assert!(node.receive(VENDORS[0], ok).is_empty(), "nothing rings that long");
    assert!(node.happened().is_empty() && node.worker.is_empty());
}

/// The worker alone began anew: the record of the call says by then that it failed, so an answer is ended.
#[test]
fn a_worker_that_began_anew() {
    let mut before = Node::new();
    let invite = ringing(&mut before, "a");
    let mut node = Node::new();
    node.worker.branches = crate::sip::branch::Branches::new(node.worker.settings.seed, 1, 77);
    let sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    assert!(node.happened().is_empty());
    node.settle();
}

/// An INVITE that comes again after a restart goes to the vendor that has it already, however vendors share calls.
#[test]
fn the_same_invite_goes_to_the_same_vendor() {
    let equal = || {
        let mut voice = voice();
        voice.offers.iter_mut().for_each(|offer| offer.rate = runtime::model::Money::from_nanos(1));
        voice
    };
    let mut first = Node::with(equal());
    let mut next = Node::started(equal(), first.now.wall.micros() + 5_000_000);
    let mut chosen = std::collections::BTreeSet::new();
    for at in 0..20 {
        let text = invite(&format!("c{at}"), "+15551234");
        let (one, two) = (first.receive(CUSTOMER, text.clone()), next.receive(CUSTOMER, text));
        assert_eq!(one[1].to, two[1].to, "{at}");
        chosen.insert(one[1].to);
    }
    assert_eq!(chosen.len(), 3);
}

/// An ACK whose call left no record passes, and leaves nothing: its call may have ended long ago.
#[test]
fn an_ack_alone_is_no_call() {
    let mut before = Node::new();
    let (_, ok) = answered(&mut before, "a");
    let mut node = Node::started(voice(), before.now.wall.micros() + 5_000_000);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    assert!(node.worker.is_empty() && node.happened().is_empty());
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    node.settle();
}

/// A call that was answered here and has ended does not begin again: not with its answer, nor with a BYE.
#[test]
fn an_adopted_call_ends_once() {
    let (invite, mut node) = restarted();
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye.clone());
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    let (ack, end) = ("ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060");
    let table: [(&str, &[&str]); 4] =
        [("callee", &[ack, end]), ("callee", &[ack]), ("fork", &[ack, end]), ("fork", &[ack])];
    for (tag, expected) in table {
        let sent = node.receive(VENDORS[0], response(&invite, 200, tag));
        assert_eq!(words(&sent), expected, "{tag}");
    }
    let sent = node.receive(CUSTOMER, bye.replace("-bye", "-late"));
    assert_eq!(words(&sent), ["481>192.0.2.10:5060"]);
    assert!(node.happened().is_empty(), "one call, one record");
    node.settle();
}

/// What ends an answer that nobody waits for goes to who sent it, whatever it says of where it is, and is bounded.
#[test]
fn an_answer_is_ended_where_it_came_from() {
    let mut before = Node::new();
    let invite = ringing(&mut before, "a");
    let mut node = Node::new();
    node.worker.branches = crate::sip::branch::Branches::new(node.worker.settings.seed, 1, 77);
    let ok = text(&response(&invite, 200, "a"));
    let elsewhere = ok.replace("callee@198.51.100.1:5060", "callee@203.0.113.99:5060");
    let routed = ok.replace("tag=a", "tag=b").replacen(
        "Record-Route:",
        "Record-Route: <sip:203.0.113.98;lr>\r\nRecord-Route:",
        1,
    );
    for text in [elsewhere, routed] {
        let sent = node.receive(VENDORS[0], text);
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    }
    let tags = (0..2000).map(|at| ok.replace("tag=a", &format!("tag=t{at}")));
    let ended = tags.filter(|text| !node.receive(VENDORS[0], text.clone()).is_empty()).count();
    assert!(ended < 1024, "{ended}");
    node.settle();
}

/// An INVITE to a vendor as the last version sent it: its cookie was of the Call-ID, however long that is.
fn of_last_version(node: &Node, invite: &Sent) -> Sent {
    let (call_id, from) = (invite.value(HeaderId::CallId), invite.value(HeaderId::From));
    let (_, tag) = from.split_once(";tag=").unwrap();
    let cookies = &node.worker.settings.cookies;
    let name = hiding::call_name(cookies, call_id.as_bytes());
    assert_ne!(*name, *call_id.as_bytes(), "it is short");
    let route = invite.value(HeaderId::RecordRoute);
    let (_, sealed) = route.trim_end_matches('>').split_once(";w=").unwrap();
    let cookie =
        cookies.open(sealed.as_bytes(), &Call { call_id: &name, caller_tag: tag.as_bytes() }).unwrap();
    let before = Call { call_id: call_id.as_bytes(), caller_tag: tag.as_bytes() };
    let octets = invite.text().replacen(sealed, &text(&cookies.seal(&cookie, &before)), 1);
    let message = Message::parse_datagram(octets.into(), &Limits::default()).unwrap();
    Sent { message, ..invite.clone() }
}

/// A call with a long Call-ID that the last version began is answered, and ended by either side.
#[test]
fn a_long_call_id_of_the_last_version() {
    let mut before = Node::new();
    let long = |at: u32| format!("{}-{at}", "0".repeat(120));
    let own =
        |name: &String| before.worker.settings.worker_of_call(format!("{name}@192.0.2.10").as_bytes()) == 1;
    let call = (0..).map(long).find(own).unwrap();
    let invite = ringing(&mut before, &call);
    let invite = of_last_version(&before, &invite);
    let next = || Node::started(voice(), before.now.wall.micros() + 5_000_000);
    let mut node = next();
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&ok), ["200>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
    let bye = |cseq| Within { method: "BYE", cseq, branch: "bye" };
    for mut node in [node, next()] {
        let sent = node.receive(CUSTOMER, bye(2).caller(&ok[0]));
        assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
        assert_eq!(words(&node.receive(VENDORS[0], response(&sent[0], 200, "x"))), ["200>192.0.2.10:5060"]);
        assert_eq!(node.happened().last().unwrap(), "ended 200 answered Some(Caller)");
    }
    let mut node = next();
    let sent = node.receive(VENDORS[0], bye(7).callee(&invite, "callee"));
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060"]);
    assert_eq!(words(&node.receive(CUSTOMER, response(&sent[0], 200, "x"))), ["200>198.51.100.1:5060"]);
    assert_eq!(node.happened().last().unwrap(), "ended 200 answered Some(Callee)");
}
