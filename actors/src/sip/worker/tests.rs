use std::time::Duration;

use sip::HeaderId;

use crate::sip::testing::{CUSTOMER, Node, STRANGER, Sent, VENDORS, Within, invite, response, text, words};

mod byes;
mod cancel;
mod challenged;
mod challenged_elsewhere;
mod challenged_twice;
mod clocks;
mod cost;
mod dialogs;
mod digest;
mod elsewhere;
mod failover;
mod forks;
mod hiding;
mod hostile;
mod identified;
mod identity;
mod keep_alive;
mod late_offer;
mod liveness;
mod media;
mod numbers;
mod orphans;
mod parallel;
mod probes;
mod records;
mod registered;
mod registrations;
mod roaming;
mod session_timers;
mod signed;
mod sources;
mod strict_routers;
mod vendor_registrations;

const SECOND: Duration = Duration::from_secs(1);

/// A call that rings at the first vendor: the INVITE there.
fn ringing(node: &mut Node, call: &str) -> Sent {
    let sent = node.receive(CUSTOMER, invite(call, "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    let invite = sent[1].clone();
    let sent = node.receive(VENDORS[0], response(&invite, 180, "callee"));
    assert_eq!(words(&sent), ["180>192.0.2.10:5060"]);
    invite
}

/// A call that is up: the INVITE as the vendor got it, and the 200 as the customer got it.
fn answered(node: &mut Node, call: &str) -> (Sent, Sent) {
    let invite = ringing(node, call);
    let mut sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    let ok = sent.remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: &format!("{call}-ack") }.caller(&ok);
    let sent = node.receive(CUSTOMER, ack);
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
    (invite, ok)
}

#[test]
fn a_call() {
    let mut node = Node::new();
    let (invite, ok) = answered(&mut node, "a");
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
    node.pass(60 * SECOND);
    let bye = Within { method: "BYE", cseq: 2, branch: "a-bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye.clone());
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    assert!(sent[0].message.value(HeaderId::Route).is_none(), "{}", sent[0].text());
    assert!(node.happened().is_empty(), "the other side has not answered");
    let answer = response(&sent[0], 200, "x");
    assert_eq!(words(&node.receive(VENDORS[0], answer)), ["200>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    assert_eq!(words(&node.receive(CUSTOMER, bye)), ["200>192.0.2.10:5060"], "sent again, answered again");
    let late = Within { method: "BYE", cseq: 1, branch: "a-late" }.callee(&invite, "callee");
    assert_eq!(words(&node.receive(VENDORS[0], late)), ["481>198.51.100.1:5060"]);
    node.settle();
}

#[test]
fn what_a_vendor_sees() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    let seen = invite.text();
    assert!(seen.starts_with("INVITE sip:+15551234@198.51.100.1:5060 SIP/2.0\r\n"), "{seen}");
    assert_eq!(invite.value(HeaderId::MaxForwards), "69");
    let vias: Vec<_> = invite.message.list(HeaderId::Via).map(text).collect();
    assert!(vias[0].starts_with("SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKw01"), "{vias:?}");
    assert_eq!(vias[1], "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-a-1;rport=5060;received=192.0.2.10");
    assert!(invite.value(HeaderId::RecordRoute).starts_with("<sip:203.0.113.5:5060;lr;w="));
    for private in ["spoofed", "x-secret"] {
        assert!(!seen.contains(private), "{seen}");
    }
    assert!(invite.message.bytes().len() < 1300);
}

#[test]
fn the_callee_ends_it() {
    let mut node = Node::new();
    let (invite, _) = answered(&mut node, "a");
    node.happened();
    let bye = Within { method: "BYE", cseq: 7, branch: "b-bye" }.callee(&invite, "callee");
    let sent = node.receive(VENDORS[0], bye);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060"]);
    assert!(sent[0].text().starts_with("BYE sip:caller@192.0.2.10:5060 SIP/2.0\r\n"), "{}", sent[0].text());
    assert_eq!(words(&node.receive(CUSTOMER, response(&sent[0], 200, "x"))), ["200>198.51.100.1:5060"]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Callee)"]);
    node.settle();
}

#[test]
fn retransmissions_are_absorbed() {
    let mut node = Node::new();
    let first = invite("a", "+15551234");
    let sent = node.receive(CUSTOMER, first.clone());
    assert_eq!(words(&node.receive(CUSTOMER, first.clone())), ["100>192.0.2.10:5060"]);
    assert_eq!(words(&node.pass(SECOND)), ["INVITE>198.51.100.1:5060"], "timer A");
    let ringing = response(&sent[1], 180, "t");
    node.receive(VENDORS[0], ringing);
    assert!(node.pass(SECOND).is_empty());
    assert_eq!(words(&node.receive(CUSTOMER, first.clone())), ["180>192.0.2.10:5060"]);
    let ok = response(&sent[1], 200, "t");
    assert_eq!(words(&node.receive(VENDORS[0], ok.clone())), ["200>192.0.2.10:5060"]);
    assert!(node.receive(CUSTOMER, first).is_empty(), "after a 2xx the callee sends again");
    assert_eq!(words(&node.receive(VENDORS[0], ok)), ["200>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
    node.pass(40 * SECOND);
    assert_eq!(node.worker.transactions(), 0);
    assert_eq!(node.worker.dialogs(), 1);
}

#[test]
fn a_call_that_we_end() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    let dialog = node.events[0].dialog;
    node.happened();
    let sent =
        node.handle(vec![crate::sip::worker::Input::HangUp(dialog, runtime::log::Reason::MaxDuration)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(node.happened(), ["ended 200 max_duration None"]);
    let to_caller = sent[0].text();
    assert!(to_caller.contains("To: \"A\" <sip:+15550001@192.0.2.10>;tag=from-a\r\n"), "{to_caller}");
    assert!(to_caller.contains(";tag=callee\r\n") && to_caller.contains("CSeq: 1 BYE\r\n"), "{to_caller}");
    assert!(sent[1].text().contains("CSeq: 2 BYE\r\n"), "{}", sent[1].text());
    for (bye, from) in sent.iter().zip([CUSTOMER, VENDORS[0]]) {
        assert!(node.receive(from, response(bye, 200, "x")).is_empty());
    }
    let bye = Within { method: "BYE", cseq: 2, branch: "a-bye" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, bye)), ["481>192.0.2.10:5060"], "it is over");
    node.settle();
}
