use runtime::model::{Oversize, Transport};

use super::*;

/// The vendor's answers, in turn, and what the customer gets in the end.
#[test]
fn the_next_vendor_has_the_call() {
    let cases: [(&[u16], &str); 6] = [
        (&[503, 200], "200"),
        (&[408, 500, 200], "200"),
        (&[503, 503, 503], "500"),
        (&[486], "486"),
        (&[503, 404], "404"),
        (&[603], "603"),
    ];
    for (answers, expected) in cases {
        let mut node = Node::new();
        let mut sent = node.receive(CUSTOMER, invite("a", "+15551234"));
        let mut last = sent.remove(1);
        for (at, code) in answers.iter().enumerate() {
            assert_eq!(last.to, VENDORS[at].parse().unwrap(), "{answers:?}");
            sent = node.receive(VENDORS[at], response(&last, *code, "t"));
            if *code != 200 {
                assert_eq!(sent[0].word(), "ACK", "{answers:?}");
                assert_eq!(sent[0].to, last.to);
            }
            if let Some(next) = sent.iter().find(|sent| sent.word() == "INVITE") {
                last = next.clone();
            }
        }
        let end = sent.iter().find(|sent| sent.message.status_code().is_some()).expect("an answer");
        assert_eq!(end.word(), expected, "{answers:?}");
        if expected == "200" {
            continue;
        }
        let again = node.pass(SECOND);
        assert!(again.iter().all(|sent| sent.word() == expected) && !again.is_empty(), "timer G");
        let ack =
            invite("a", "+15551234").replace("CSeq: 1 INVITE", "CSeq: 1 ACK").replacen("INVITE", "ACK", 1);
        assert!(node.receive(CUSTOMER, ack).is_empty());
        assert!(node.pass(SECOND).is_empty(), "acknowledged");
        assert!(node.happened().last().unwrap().starts_with(&format!("ended {expected} ")), "{answers:?}");
        node.settle();
    }
}

#[test]
fn a_silent_vendor_has_little_time() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    let silent = sent[1].clone();
    let sent = node.pass(4 * SECOND);
    assert_eq!(sent.last().unwrap().to, VENDORS[1].parse().unwrap(), "{:?}", words(&sent));
    let second = sent.last().unwrap().clone();
    let sent = node.receive(VENDORS[1], response(&second, 200, "second"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    // The first one wakes up: it is acknowledged and ended there, and the caller hears nothing of it.
    let sent = node.receive(VENDORS[0], response(&silent, 200, "late"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(sent[1].text().contains("CSeq: 2 BYE"), "{}", sent[1].text());
    assert_eq!(words(&node.receive(VENDORS[0], response(&silent, 200, "late"))), ["ACK>198.51.100.1:5060"]);
    node.receive(VENDORS[0], response(&sent[1], 200, "late"));
    assert_eq!(node.counters.ended_at_vendor.get(), 1);
}

#[test]
fn a_vendor_that_cannot_be_reached() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    let sent = node.undelivered(&sent[1]);
    assert_eq!(words(&sent), ["INVITE>198.51.100.2:5060"]);
    let sent = node.undelivered(&sent[0]);
    assert_eq!(words(&sent), ["INVITE>198.51.100.3:5070"]);
    let sent = node.undelivered(&sent[0]);
    assert_eq!(words(&sent), ["500>192.0.2.10:5060"]);
    assert_eq!(
        node.happened(),
        ["started", "attempt 1 503", "attempt 2 503", "attempt 3 503", "ended 500 vendor_failed None"]
    );
    node.settle();
}

#[test]
fn capacity_of_vendors_and_trunks() {
    let mut voice = crate::sip::testing::voice();
    voice.vendors[0].channels = 1;
    voice.trunks[0].channels = 2;
    let mut node = Node::with(voice);
    answered(&mut node, "a");
    let sent = node.receive(CUSTOMER, invite("b", "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.2:5060"], "the first one is full");
    let sent = node.receive(CUSTOMER, invite("c", "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "503>192.0.2.10:5060"]);
    assert!(sent[1].message.value(HeaderId::RetryAfter).is_none());
    let usage = node.snapshot().trunks[0].usage.clone();
    assert_eq!(usage.channels(), 2);
    node.events.clear();
    assert_eq!(usage.channels(), 0, "leases live in the events that carry them");
}

#[test]
fn calls_per_second() {
    let mut voice = crate::sip::testing::voice();
    voice.trunks[0].cps = 2;
    let mut node = Node::with(voice);
    for call in ["a", "b"] {
        assert_eq!(node.receive(CUSTOMER, invite(call, "+15551234")).len(), 2);
    }
    let sent = node.receive(CUSTOMER, invite("c", "+15551234"));
    assert_eq!(words(&sent), ["503>192.0.2.10:5060"]);
    node.pass(SECOND);
    assert_eq!(node.receive(CUSTOMER, invite("d", "+15551234")).len(), 2);
}

/// A large request goes by TCP where we have a listener for it and the vendor is set so, else in fragments.
#[test]
fn large_requests() {
    for (oversize, listeners, expected) in [
        (Oversize::Tcp, 2, Transport::Tcp),
        (Oversize::Tcp, 1, Transport::Udp),
        (Oversize::Fragment, 2, Transport::Udp),
    ] {
        let mut voice = crate::sip::testing::voice();
        voice.vendors[0].oversize = oversize;
        let mut node = Node::with_listeners(voice, listeners);
        let large = invite("a", "+15551234")
            .replace("Content-Type", &format!("Subject: {}\r\nContent-Type", "x".repeat(900)));
        let sent = node.receive(CUSTOMER, large);
        assert_eq!(sent[1].transport, expected, "{oversize:?} {listeners}");
        let via = sent[1].message.list(HeaderId::Via).next().map(text).unwrap();
        assert!(via.starts_with(&format!("SIP/2.0/{} ", expected.as_str().to_ascii_uppercase())), "{via}");
        if expected == Transport::Tcp {
            let sent = node.undelivered(&sent[1]);
            assert_eq!(words(&sent), ["INVITE>198.51.100.1:5060"], "the same vendor");
            assert_eq!(sent[0].transport, Transport::Udp);
            assert!(node.snapshot().vendors[0].targets[0].health.is_up());
        }
    }
}
