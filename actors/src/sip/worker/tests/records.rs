//! What the record of a call says beside times and numbers.

use runtime::log::{CallDirection, Cdr, EndedBy, Reason};
use runtime::model::{AclEntry, AuthType, Money, Trunk, Voice};
use uuid::Uuid;

use super::*;
use crate::sip::event::{Ended, What};
use crate::sip::live_call::{Effect, LiveCall};

fn end(node: &mut Node) -> Ended {
    let mut ends = std::mem::take(&mut node.events).into_iter().filter_map(|event| match event.what {
        What::Ended(ended) => Some(ended),
        What::Started(_) | What::Attempted(_) | What::Answered(_) | What::Refreshed(_) | What::Media(_) => {
            None
        }
    });
    ends.next().expect("an end")
}

#[test]
fn what_came_again_is_counted() {
    let mut node = Node::new();
    let first = invite("a", "+15551234");
    let to_vendor = node.receive(CUSTOMER, first.clone()).remove(1);
    node.receive(CUSTOMER, first);
    let ok = response(&to_vendor, 200, "callee");
    let shown = node.receive(VENDORS[0], ok.clone()).remove(0);
    node.receive(VENDORS[0], response(&to_vendor, 200, "fork"));
    for _ in 0..2 {
        node.receive(VENDORS[0], ok.clone());
    }
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&shown);
    let passed = node.receive(CUSTOMER, info.clone()).remove(0);
    node.receive(CUSTOMER, info);
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    let again = Within { method: "INVITE", cseq: 3, branch: "re" }.callee(&to_vendor, "callee");
    let passed = node.receive(VENDORS[0], again).remove(1);
    for _ in 0..2 {
        node.receive(CUSTOMER, response(&passed, 488, "x"));
    }
    let bye = Within { method: "BYE", cseq: 4, branch: "bye" }.caller(&shown);
    let passed = node.receive(CUSTOMER, bye.clone()).remove(0);
    node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    assert_eq!(end(&mut node).retransmissions, Some(1 + 2 + 1 + 1 + 1 + 1), "a fork's answer is another one");
    node.settle();
    node.receive(CUSTOMER, invite("b", "alice"));
    assert_eq!(end(&mut node).retransmissions, Some(0));
}

#[test]
fn the_cause_of_the_telephone_network() {
    let table = [
        ("Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\n", Some(16)),
        ("Reason: SIP;cause=200, q.850 ; cause=127\r\n", Some(127)),
        ("Reason: SIP;cause=480\r\nReason: Q.850;cause=0\r\n", Some(0)),
        ("Reason: Q.850;cause=128\r\n", None),
        ("Reason: Q.850\r\n", None),
        ("Reason: ;cause=1\r\n", None),
        ("", None),
    ];
    for (header, expected) in table {
        let with = |text: String| text.replacen("Contact:", &format!("{header}Contact:"), 1);
        let mut node = Node::new();
        let (invite, ok) = answered(&mut node, "a");
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" };
        let (from, to, bye) = if expected == Some(16) {
            (CUSTOMER, VENDORS[0], bye.caller(&ok))
        } else {
            (VENDORS[0], CUSTOMER, bye.callee(&invite, "callee"))
        };
        let sent = node.receive(from, with(bye));
        node.receive(to, response(&sent[0], 200, "callee"));
        assert_eq!(end(&mut node).q850_cause, expected, "{header}");
        // Of a call that came to nothing it is that of the final response, or of what ours stands for.
        for codes in [&[486][..], &[503, 503, 503]] {
            let mut node = Node::new();
            let mut last = node.receive(CUSTOMER, crate::sip::testing::invite("a", "+15551234")).remove(1);
            for (code, vendor) in codes.iter().zip(VENDORS) {
                let sent = node.receive(vendor, with(text(&response(&last, *code, "t"))));
                last = sent.into_iter().next_back().unwrap();
            }
            assert_eq!(end(&mut node).q850_cause, expected, "{header} {codes:?}");
        }
    }
}

/// An INVITE of the second vendor.
fn from_vendor(call: &str, number: &str) -> String {
    invite(call, number).replace("192.0.2.10", "198.51.100.2")
}

/// The record of the call that has begun and ended; `None` where it leaves none.
fn record(node: &mut Node) -> Option<Cdr> {
    let mut events = std::mem::take(&mut node.events).into_iter();
    let first = events.next()?;
    let What::Started(started) = first.what else { return None };
    let mut call = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started)?;
    match events.find_map(|event| call.apply(event))? {
        Effect::Cdr(cdr, attempts) => {
            assert!(attempts.is_empty(), "{attempts:?}");
            Some(*cdr)
        }
        Effect::Record(record) => panic!("{record:?}"),
    }
}

/// The second vendor has a trunk of its own, from which it calls too.
fn partner(voice: &mut Voice) {
    let id = Uuid::from_u128(60);
    let own = Trunk { id, number: 2, name: "partner".to_owned(), ..voice.trunks[0].clone() };
    voice.trunks.push(own);
    let network = "198.51.100.2".parse().unwrap();
    voice.acl.push(AclEntry { id: Uuid::from_u128(61), trunk: id, network, port: None, transport: None });
}

/// The record is the trunk's of the number, whoever calls, and costs nobody anything.
#[test]
fn calls_of_vendors_that_are_refused() {
    /// What changes, the status, the reason.
    type Line = (fn(&mut Voice), u16, Reason);
    let lines: [Line; 5] = [
        (|voice| voice.trunks[0].active = false, 404, Reason::NoRoute),
        (|voice| voice.customers[0].status = "SUSPENDED".to_owned(), 403, Reason::NotAllowed),
        (|voice| voice.trunks[0].gateways.clear(), 480, Reason::NoRoute),
        (
            |voice| {
                voice.trunks[0].auth_type = AuthType::Digest;
                voice.trunks[0].gateways.clear();
            },
            480,
            Reason::NoRoute,
        ),
        (
            |voice| {
                partner(voice);
                voice.trunks[0].active = false;
            },
            404,
            Reason::NoRoute,
        ),
    ];
    for (at, (change, status, reason)) in lines.into_iter().enumerate() {
        let mut voice = crate::sip::testing::voice();
        change(&mut voice);
        let mut node = Node::with(voice);
        let sent = node.receive(VENDORS[1], from_vendor("in", "+15550100"));
        let answer = format!("{status}>198.51.100.2:5060");
        assert_eq!(words(&sent), ["100>198.51.100.2:5060", &*answer], "line {at}");
        assert_eq!(words(&node.receive(VENDORS[1], from_vendor("in", "+15550100"))), [answer], "line {at}");
        assert_eq!(node.events.len(), 2, "it came again, and has one record: line {at}");
        let cdr = record(&mut node).unwrap_or_else(|| panic!("no record: line {at}"));
        assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (status, reason, EndedBy::System), "line {at}");
        assert_eq!((cdr.trunk, cdr.customer), (Uuid::from_u128(10), Uuid::from_u128(1)), "line {at}");
        assert_eq!((cdr.direction, cdr.attempts), (CallDirection::Inbound, 0), "line {at}");
        assert_eq!((&*cdr.caller, &*cdr.callee), ("+15550001", "+15550100"), "line {at}");
        assert_eq!(cdr.source.to_string(), VENDORS[1], "line {at}");
        assert_eq!((cdr.answered_at, cdr.duration_ms, cdr.billed_seconds), (None, 0, 0), "line {at}");
        assert_eq!(cdr.rate, Money::default(), "line {at}");
        assert_eq!(node.snapshot().trunks[0].usage.channels(), 0, "line {at}");
        node.settle();
    }
}

#[test]
fn numbers_that_no_trunk_has_leave_no_record() {
    for (number, has_trunk) in [("+15550199", true), ("+15550100", false), ("alice", true)] {
        let mut voice = crate::sip::testing::voice();
        if !has_trunk {
            voice.dids[0].trunk = None;
        }
        let mut node = Node::with(voice);
        assert_eq!(node.receive(VENDORS[1], from_vendor("in", number))[1].word(), "404", "{number}");
        assert!(record(&mut node).is_none(), "{number}");
        node.settle();
    }
}

/// No more of them a second than the trunk has calls, as with those of the customer itself.
#[test]
fn a_flood_of_calls_that_are_refused() {
    for outbound in [false, true] {
        let mut voice = crate::sip::testing::voice();
        voice.trunks[0].cps = 2;
        voice.trunks[0].gateways.clear();
        let mut node = Node::with(voice);
        let mut answers = Vec::new();
        for call in 0..10 {
            let call = format!("call-{call}");
            let sent = if outbound {
                node.receive(CUSTOMER, invite(&call, "19001234"))
            } else {
                node.receive(VENDORS[1], from_vendor(&call, "+15550100"))
            };
            answers.extend(sent.last().map(Sent::word));
        }
        let (answer, end) =
            if outbound { ("403", "ended 403 not_allowed None") } else { ("480", "ended 480 no_route None") };
        assert_eq!(answers[..2], [answer; 2], "outbound: {outbound}");
        assert_eq!(answers[2..], ["503"; 8], "outbound: {outbound}");
        assert_eq!(node.happened(), ["started", end, "started", end], "outbound: {outbound}");
        assert_eq!(node.counters.over_cps.get(), 8, "outbound: {outbound}");
        node.settle();
    }
}
