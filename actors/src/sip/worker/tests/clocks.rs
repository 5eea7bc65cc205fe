//! The wall clock jumps; what is billed is of the clock that does not.

use runtime::clock::Timestamp;
use runtime::log::Cdr;

use super::*;
use crate::sip::event::What;
use crate::sip::live_call::{Effect, LiveCall};

/// The record that the events of a node's one call make.
fn cdr(node: &mut Node) -> Cdr {
    let mut events = std::mem::take(&mut node.events).into_iter();
    let first = events.next().unwrap();
    let What::Started(started) = first.what else { panic!("{first:?}") };
    let mut call = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started).unwrap();
    let written = events.filter_map(|event| call.apply(event)).last();
    let Some(Effect::Cdr(cdr, _)) = written else { panic!("{written:?}") };
    *cdr
}

fn jump(node: &mut Node, micros: i64) {
    node.now.wall = Timestamp::from_micros(node.now.wall.micros() + micros);
}

#[test]
fn a_jump_during_a_call_costs_nobody() {
    const HOUR: i64 = 3_600_000_000;
    for micros in [-7 * HOUR, -HOUR, -1, 0, HOUR, 100 * HOUR] {
        for who in [CUSTOMER, VENDORS[0]] {
            let mut node = Node::new();
            let (invite, ok) = answered(&mut node, "a");
            node.pass(20 * SECOND);
            jump(&mut node, micros);
            // What is sent meanwhile passes as ever.
            let update = Within { method: "UPDATE", cseq: 2, branch: "u" }.caller(&ok);
            let sent = node.receive(CUSTOMER, update);
            assert_eq!(words(&sent), ["UPDATE>198.51.100.1:5060"]);
            node.receive(VENDORS[0], response(&sent[0], 200, "callee"));
            node.pass(41 * SECOND);
            let bye = Within { method: "BYE", cseq: 3, branch: "bye" };
            let bye = if who == CUSTOMER { bye.caller(&ok) } else { bye.callee(&invite, "callee") };
            let sent = node.receive(who, bye.clone());
            assert_eq!(sent[0].word(), "BYE", "{micros}");
            let far = if who == CUSTOMER { VENDORS[0] } else { CUSTOMER };
            node.receive(far, response(&sent[0], 200, "callee"));
            let cdr = cdr(&mut node);
            assert_eq!((cdr.duration_ms, cdr.billed_seconds, cdr.recovered), (61_000, 61, false), "{micros}");
            assert!(cdr.answered_at.is_some_and(|answered| answered <= cdr.ended_at), "{micros} {cdr:?}");
            // The call has ended in this process, whatever the clock says of when that began.
            let late = node.receive(who, bye.replace("-bye", "-late"));
            assert_eq!(late[0].word(), "481", "{micros}");
            assert!(node.events.is_empty(), "{micros}");
            node.settle();
        }
    }
}

/// The same of one that rings: it is answered, refused or cancelled as if nothing were.
#[test]
fn a_jump_while_it_rings() {
    for micros in [-7_200_000_000, 7_200_000_000] {
        let mut node = Node::new();
        let invite = ringing(&mut node, "a");
        jump(&mut node, micros);
        let sent = node.receive(VENDORS[0], response(&invite, 486, "callee"));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "486>192.0.2.10:5060"]);
        let ended = cdr(&mut node);
        assert_eq!((ended.status, ended.duration_ms), (486, 0));
        let ack = crate::sip::testing::invite("a", "+15551234").replace("INVITE", "ACK");
        node.receive(CUSTOMER, ack);
        node.settle();
    }
}

/// The clock was fast when the process began: its calls began before it, by the clock, and are its own all the same.
#[test]
fn a_clock_that_was_set_back_after_the_start() {
    let start = Node::new().now.wall.micros();
    let mut node = Node::started(crate::sip::testing::voice(), start + 3_600_000_000);
    jump(&mut node, -3_600_000_000);
    let (_, ok) = answered(&mut node, "a");
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye.clone());
    node.receive(VENDORS[0], response(&sent[0], 200, "callee"));
    node.happened();
    for late in [bye.replace("-bye", "-late"), bye.replace("BYE", "ACK")] {
        let sent = node.receive(CUSTOMER, late);
        assert!(sent.iter().all(|sent| sent.word() == "481"), "{:?}", words(&sent));
    }
    assert!(node.happened().is_empty());
    node.settle();
}
