//! Calls to what trunks have registered: where it is reached while they live, at this node and at others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use runtime::log::Reason;
use runtime::model::{Transport, Voice};
use sip::{Limits, Message};

use super::digest::{ROAMING, users};
use super::registrations::{ACME, HIDDEN, called, configuration, node, register, tcp, udp};
use super::*;
use crate::sip::bindings::Binding;
use crate::sip::dialog::Dialog;
use crate::sip::event::What;
use crate::sip::worker::Input;

/// Its equipment is sent to where it registered from for as long as the call lives, whatever it answers: carriers' NATs
/// have addresses that nobody reaches, and nobody aims us at others.
#[test]
fn a_call_stays_where_its_contact_is() {
    let said = ["100.64.3.9:5060", "198.51.100.1:5060", "203.0.113.99:5070", "192.168.1.5", "203.0.113.5"];
    for contact in said {
        let mut node = node(true);
        register(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
        let invite = called(&mut node, "in").remove(0);
        let ok = text(&response(&invite, 200, "phone"));
        let ok = ok.replace(&format!("callee@{ROAMING}"), &format!("callee@{contact}"));
        let sent = node.receive(ROAMING, ok.clone());
        assert_eq!(words(&sent), ["200>198.51.100.2:5060"], "{contact}");
        let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&sent[0]);
        let sent = node.receive(VENDORS[1], ack);
        assert_eq!(words(&sent), [format!("ACK>{ROAMING}")], "{contact}");
        assert!(sent[0].text().starts_with(&format!("ACK sip:callee@{contact} SIP/2.0\r\n")));
        let dialog = node.events[0].dialog;
        let sent = node.handle(vec![Input::HangUp(dialog, Reason::MaxDuration)]);
        let both = ["BYE>198.51.100.2:5060".to_owned(), format!("BYE>{ROAMING}")];
        assert_eq!(words(&sent), both, "{contact}");
        // Another one that answers after the end.
        let sent = node.receive(ROAMING, ok.replace(";tag=phone", ";tag=other"));
        assert_eq!(words(&sent), [format!("ACK>{ROAMING}"), format!("BYE>{ROAMING}")], "{contact}");
    }
}

/// What renews a call moves it with the NAT, and no further; so it does in the next process.
#[test]
fn a_contact_moves_with_its_nat() {
    let moved = "203.0.113.99:40777";
    let mut first = node(false);
    register(&mut first, udp(ROAMING), ("a", 1), HIDDEN);
    let invite = called(&mut first, "in").remove(0);
    let ok = first.receive(ROAMING, response(&invite, 200, "phone")).remove(0);
    let answered = first.events.iter().find_map(|event| match &event.what {
        What::Answered(answered) => Some(Dialog::clone(&answered.dialog)),
        What::Started(_) | What::Attempted(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    });
    let kept = postcard::to_extend(&answered.unwrap(), Vec::new()).unwrap();
    let mut next = node(false);
    next.worker.recover(postcard::from_bytes(&kept).unwrap());
    for (name, mut node) in [("first", first), ("next", next)] {
        let update = Within { method: "UPDATE", cseq: 7, branch: "u" }.callee(&invite, "phone");
        let update = update.replace(&format!("me@{ROAMING}"), "me@198.51.100.3:5070");
        let sent = node.receive(moved, update);
        assert_eq!(words(&sent), ["UPDATE>198.51.100.2:5060"], "{name}");
        node.receive(VENDORS[1], response(&sent[0], 200, "x"));
        let info = Within { method: "INFO", cseq: 90, branch: "info" }.caller(&ok);
        assert_eq!(words(&node.receive(VENDORS[1], info)), [format!("INFO>{moved}")], "{name}");
    }
}

/// The next process, or another node: it has read what is registered, and knows of no call.
fn other(before: &Node, voice: &Voice) -> Node {
    let node = Node::started(voice.clone(), before.now.wall.micros() + 5_000_000);
    node.configure(voice.clone(), users(voice));
    let read = |known: &Arc<Binding>| Arc::new(Binding::read(known.stored.clone(), &[], node.now));
    let all = before.bindings.of(ACME, before.now.wall).iter().map(read).collect();
    node.bindings.put(ACME, all);
    node
}

/// What its equipment says of where it is: what it has registered, where that is seen from outside, or something else.
#[test]
fn another_node_passes_on_what_is_said_within_a_call() {
    for (said, gateway) in [
        ("acme@10.0.0.7:5060", false),
        ("acme@10.0.0.7:5060", true),
        ("phone@203.0.113.99:5062", true),
        ("phone@198.51.100.1:5060", false),
    ] {
        let voice = configuration(gateway);
        let mut first = Node::with_digests_over(voice.clone(), users(&voice), 2);
        register(&mut first, udp(ROAMING), ("a", 1), HIDDEN);
        let invite = called(&mut first, "in").remove(0);
        let answer = text(&response(&invite, 200, "phone")).replace(&format!("callee@{ROAMING}"), said);
        let ok = first.receive(ROAMING, answer).remove(0);
        let mut node = other(&first, &voice);
        let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
        assert_eq!(words(&node.receive(VENDORS[1], ack)), [format!("ACK>{ROAMING}")], "{said}");
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        let sent = node.receive(VENDORS[1], bye);
        assert_eq!(words(&sent), [format!("BYE>{ROAMING}")], "{said}");
        let sent = node.receive(ROAMING, response(&sent[0], 200, "x"));
        assert_eq!(words(&sent), ["200>198.51.100.2:5060"], "{said}");
        node.settle();
    }
}

/// It rang while the node began anew.
#[test]
fn a_contact_answers_the_next_process() {
    let voice = configuration(false);
    let mut before = Node::with_digests_over(voice.clone(), users(&voice), 2);
    register(&mut before, udp(ROAMING), ("a", 1), HIDDEN);
    let invite = called(&mut before, "in").remove(0);
    let mut node = other(&before, &voice);
    let answer = text(&response(&invite, 200, "phone"));
    let answer = answer.replace(&format!("callee@{ROAMING}"), "phone@198.51.100.1:5060");
    let ok = node.receive(ROAMING, answer);
    assert_eq!(words(&ok), ["200>198.51.100.2:5060"]);
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
        let request = Within { method, cseq, branch: method }.caller(&ok[0]);
        assert_eq!(words(&node.receive(VENDORS[1], request)), [format!("{method}>{ROAMING}")]);
    }
}

/// Equipment whose connection went registers anew over another one: what the other side of its call says goes there.
#[test]
fn a_call_goes_on_over_the_next_connection() {
    let [from, again] = ["203.0.113.99:40112", "203.0.113.99:40200"];
    for contact in ["sip:acme@10.0.0.7:5060;transport=tcp", "sip:acme@203.0.113.99:40200;transport=tcp"] {
        let mut node = node(false);
        let first = "Contact: <sip:acme@10.0.0.7:5060;transport=tcp>\r\n";
        register(&mut node, tcp(from, 77), ("a", 1), first);
        let invite = called(&mut node, "in").remove(0);
        let answer = Message::parse_datagram(response(&invite, 200, "phone"), &Limits::default()).unwrap();
        let ok = node.handle(vec![Input::Message(tcp(from, 77), answer)]).remove(0);
        node.gone.store(77, Ordering::Relaxed);
        register(&mut node, tcp(again, 78), ("b", 1), &format!("Contact: <{contact}>\r\n"));
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        let sent = node.receive(VENDORS[1], bye);
        assert_eq!(words(&sent), [format!("BYE>{again}")], "{contact}");
        assert_eq!(sent[0].transport, Transport::Tcp);
    }
}

/// What has registered elsewhere may be reached there: who calls is told to go on.
#[test]
fn what_only_another_node_reaches() {
    let from = tcp("203.0.113.99:40112", 77);
    for (own, expected) in [(true, "480>198.51.100.2:5060"), (false, "503>198.51.100.2:5060")] {
        let mut node = node(false);
        register(&mut node, from, ("a", 1), HIDDEN);
        let mut stored = node.bindings.of(ACME, node.now.wall)[0].stored.clone();
        stored.node += u16::from(!own);
        node.bindings.put(ACME, vec![Arc::new(Binding::read(stored, &[], node.now))]);
        assert_eq!(words(&called(&mut node, "in")), [expected]);
    }
}

/// Without room for the INVITE to a contact nothing is said of whether it is there.
#[test]
fn without_room_for_an_attempt() {
    let voice = configuration(false);
    let mut donor = node(false);
    register(&mut donor, udp(ROAMING), ("a", 1), HIDDEN);
    let mut node = Node::roomy((1, 100));
    node.configure(voice.clone(), users(&voice));
    node.bindings.put(ACME, donor.bindings.of(ACME, donor.now.wall));
    assert_eq!(words(&called(&mut node, "in")), ["503>198.51.100.2:5060"]);
}
