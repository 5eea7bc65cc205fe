//! What keeps NATs open: questions to telephones, and answers to theirs.

use runtime::model::{AuthType, Transport};
use sip::{Limits, Message};
use uuid::Uuid;

use super::digest::{ROAMING, users};
use super::registrations::{ACME, HIDDEN, configuration, node, register, tcp, udp};
use super::*;
use crate::sip::flow::Flow;
use crate::sip::worker::Input;

/// Has all that the trunk has registered asked; what is sent.
fn ask(node: &mut Node) -> Vec<Sent> {
    let bound = node.bindings.of(ACME, node.now.wall);
    node.handle(bound.into_iter().map(Input::KeepAlive).collect())
}

#[test]
fn a_telephone_behind_a_nat_is_asked() {
    let mut node = node(false);
    register(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
    node.settle();
    let sent = ask(&mut node);
    assert_eq!(words(&sent), [format!("OPTIONS>{ROAMING}")], "to where it registered from");
    let text = sent[0].text();
    assert!(
        text.starts_with("OPTIONS sip:acme@10.0.0.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;"),
        "{text}"
    );
    assert!(text.contains("\r\nTo: <sip:acme@10.0.0.7:5060>\r\n"), "{text}");
    assert!(node.worker.is_empty(), "nobody waits for the answer");
    let again = ask(&mut node);
    assert_ne!(again[0].value(HeaderId::CallId), sent[0].value(HeaderId::CallId));
    for (asked, status) in [(&sent[0], 200), (&again[0], 405)] {
        assert!(node.receive(ROAMING, response(asked, status, "phone")).is_empty());
    }
    let counters = &node.counters;
    assert_eq!((counters.keep_alives.get(), counters.keep_alives_answered.get()), (2, 2));
    assert_eq!(counters.responses_stray.get(), 0);
    // One whose time is over, or whose answer is to something else.
    let bound = node.bindings.of(ACME, node.now.wall);
    node.pass(3600 * SECOND);
    assert!(node.handle(bound.into_iter().map(Input::KeepAlive).collect()).is_empty());
    let forged = text.replacen(";branch=z9hG4bKw0", ";branch=z9hG4bKw1", 1);
    let forged = Sent {
        message: Message::parse_datagram(forged.into(), &Limits::default()).unwrap(),
        ..sent[0].clone()
    };
    assert!(node.receive(ROAMING, response(&forged, 200, "phone")).is_empty());
    assert_eq!(node.counters.keep_alives_answered.get(), 2);
}

/// An answer to what an earlier incarnation of the worker asked belongs to nobody, and goes nowhere.
#[test]
fn the_answer_to_an_earlier_worker() {
    let mut before = node(false);
    register(&mut before, udp(ROAMING), ("a", 1), HIDDEN);
    let asked = ask(&mut before).remove(0);
    let mut next = node(false);
    assert!(next.receive(ROAMING, response(&asked, 200, "phone")).is_empty());
    assert_eq!((next.counters.keep_alives_answered.get(), next.counters.responses_stray.get()), (1, 0));
}

fn options(from: &str, uri: &str, more: &str) -> String {
    format!(
        "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK-options;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:acme@warp.example>;tag=phone\r\nTo: <{uri}>\r\nCall-ID: options@{from}\r\n\
         CSeq: 1 OPTIONS\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn deliver(node: &mut Node, flow: Flow, request: String) -> Vec<Sent> {
    let message = Message::parse_datagram(request.into(), &Limits::default()).unwrap();
    node.handle(vec![Input::Message(flow, message)])
}

#[test]
fn a_telephone_that_asks_is_answered_where_it_registered() {
    let mut node = node(false);
    let domain = "sip:warp.example";
    let asks = |node: &mut Node, flow: Flow, uri: &str, more: &str| {
        let mut sent = deliver(node, flow, options(&flow.peer.to_string(), uri, more));
        assert_eq!((sent.len(), sent[0].to), (1, flow.peer), "{:?}", words(&sent));
        sent.remove(0)
    };
    let phone = udp(ROAMING);
    assert_eq!(asks(&mut node, phone, domain, "").word(), "403", "it has not registered");
    register(&mut node, phone, ("a", 1), HIDDEN);
    let ok = asks(&mut node, phone, domain, "");
    assert_eq!(ok.word(), "200");
    assert!(ok.message.has(HeaderId::Allow) && ok.value(HeaderId::To).contains(";tag="), "{}", ok.text());
    let again = asks(&mut node, phone, domain, "");
    assert_eq!(again.text(), ok.text(), "the same when it comes again");
    for uri in ["sip:203.0.113.5", "sip:203.0.113.5:5060;transport=udp"] {
        assert_eq!(asks(&mut node, phone, uri, "").word(), "200", "{uri}");
    }
    assert_eq!(node.counters.keep_alives_received.get(), 4);

    // What is about others, or from elsewhere, is a stranger's as before.
    assert_eq!(asks(&mut node, phone, "sip:+15551234@203.0.113.5", "").word(), "403");
    assert_eq!(asks(&mut node, phone, "tel:+15551234", "").word(), "403");
    assert_eq!(asks(&mut node, phone, domain, "Route: <sip:198.51.100.1;lr>\r\n").word(), "403");
    let port = ROAMING.replace("5062", "5063");
    assert_eq!(asks(&mut node, udp(&port), domain, "").word(), "403");
    assert_eq!(asks(&mut node, tcp(ROAMING, 77), domain, "").word(), "403", "by another transport");
    let message = options(ROAMING, domain, "").replace("OPTIONS", "MESSAGE");
    assert_eq!(words(&deliver(&mut node, phone, message)), [format!("403>{ROAMING}")]);

    register(&mut node, phone, ("b", 1), "Contact: *\r\nExpires: 0\r\n");
    assert_eq!(asks(&mut node, phone, domain, "").word(), "403", "it has left");
    node.settle();
}

#[test]
fn by_its_connection_and_until_its_time() {
    let mut node = node(false);
    let flow = tcp("203.0.113.99:40112", 77);
    register(&mut node, flow, ("a", 1), "Contact: <sip:acme@10.0.0.7:5060;transport=tcp>;expires=60\r\n");
    for (after, expected) in [(59, "200"), (1, "403")] {
        node.pass(after * SECOND);
        let sent = deliver(&mut node, flow, options("b", "sip:warp.example", ""));
        assert_eq!((sent[0].word().as_str(), sent[0].transport), (expected, Transport::Tcp));
    }
}

/// One that has to say by digest who it is although its source is its trunk's is answered as any other.
#[test]
fn a_telephone_at_a_source_that_is_not_enough() {
    let mut voice = configuration(false);
    voice.trunks[1].auth_type = AuthType::Both;
    let mut own = voice.acl[0].clone();
    (own.id, own.trunk, own.network) = (Uuid::from_u128(61), ACME, "203.0.113.99".parse().unwrap());
    voice.acl.push(own);
    let users = users(&voice);
    let mut node = Node::with_digests_over(voice, users, 2);
    let asks =
        |node: &mut Node| words(&deliver(node, udp(ROAMING), options(ROAMING, "sip:warp.example", "")));
    assert_eq!(asks(&mut node), [format!("405>{ROAMING}")], "it has not registered");
    node.settle();
    register(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
    assert_eq!(asks(&mut node), [format!("200>{ROAMING}")]);
    assert_eq!(node.counters.keep_alives_received.get(), 1);
}
