//! Sides that are not shown the other one, where the vendor asks who calls: numbers, names and Vias are
//! turned together.

use super::super::challenged::asks_again;
use super::*;
use crate::sip::worker::CSEQ_GAP;

/// What the process knows that gets the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// It began the call.
    All,
    /// The record of the process before.
    Record,
    /// What the messages tell.
    Nothing,
}

/// A node with an account at the first vendor.
fn node(vendor: bool, trunk: bool) -> Watched {
    let mut node = Watched::new(vendor, trunk);
    node.node = Node::with_accounts(node.voice.clone(), &accounts(), START);
    node
}

/// The next process, so much later.
fn next(before: &Watched, seconds: i64) -> Watched {
    let mut next = before.next(seconds);
    next.node = Node::with_accounts(next.voice.clone(), &accounts(), next.node.now.wall.micros());
    next
}

/// A call that was asked about, and rings: the INVITE as the vendor got it last.
fn asked(node: &mut Watched, call: &str) -> Sent {
    let first = node.receive(CUSTOMER, by_pbx(call)).remove(1);
    let mut sent = node.receive(VENDORS[0], challenge(&first, 401, &asks("n1")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    assert_eq!(sent[1].value(HeaderId::CallId), first.value(HeaderId::CallId));
    sent.remove(1)
}

/// It is up: the INVITE, and the 200.
fn answered(node: &mut Watched, call: &str) -> (Sent, Sent) {
    let invite = asked(node, call);
    let ok = node.receive(VENDORS[0], by_switch(&invite, 200)).remove(0);
    assert_eq!(names(&ok), (own_id(call), "1 INVITE".to_owned()));
    let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
    assert_eq!(names(&ack), (invite.value(HeaderId::CallId), "2 ACK".to_owned()));
    (invite, ok)
}

fn names(sent: &Sent) -> (String, String) {
    (sent.value(HeaderId::CallId), sent.value(HeaderId::CSeq))
}

/// Each side has the Call-ID and the numbers that it knows, whoever is hidden from whom, whatever is left of
/// the call, and whoever ends it.
#[test]
fn the_end_of_a_call() {
    for (vendor, trunk) in [(true, false), (false, true), (true, true), (false, false)] {
        for knows in [Knows::All, Knows::Record, Knows::Nothing] {
            let what = format!("{vendor} {trunk} {knows:?}");
            let process = || {
                let mut before = node(vendor, trunk);
                let (invite, ok) = answered(&mut before, "a");
                let dialog = before.dialogs().remove(0);
                let id = dialog.id;
                if knows == Knows::All {
                    return (before, invite, ok, id);
                }
                let mut later = next(&before, 60);
                if knows == Knows::Record {
                    let record = postcard::to_extend(&dialog, Vec::new()).unwrap();
                    later.node.worker.recover(postcard::from_bytes(&record).unwrap());
                }
                (later, invite, ok, id)
            };
            let (mut node, invite, ok, _) = process();
            let shown = invite.value(HeaderId::CallId);
            assert_eq!(shown == own_id("a"), !vendor, "{what}");
            let (bye, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
            assert_eq!(names(&bye), (shown.clone(), "3 BYE".to_owned()), "{what}");
            assert_eq!(bye.message.has(HeaderId::Authorization), knows == Knows::All, "{what}");
            assert_eq!(names(&back), (own_id("a"), "2 BYE".to_owned()), "{what}");
            // The customer's proxy is in its record alone.
            let (mut node, invite, ..) = process();
            let customer = if knows == Knows::Nothing { CUSTOMER } else { BEHIND };
            let (bye, back) = node.passes((VENDORS[0], customer), &by_callee(&invite, ("BYE", 7)));
            assert_eq!(names(&bye), (own_id("a"), "7 BYE".to_owned()), "{what}");
            assert_eq!(names(&back), (shown.clone(), "7 BYE".to_owned()), "{what}");
            if knows == Knows::Nothing {
                continue;
            }
            let (mut node, _, _, id) = process();
            let byes = node.hang_up(id);
            assert_eq!(words(&byes), ["BYE>192.0.2.11:5060", "BYE>198.51.100.1:5060"], "{what}");
            assert_eq!(byes[0].value(HeaderId::CallId), own_id("a"), "{what}");
            // Requests may have passed since the record was written.
            let number = 3 + if knows == Knows::Record { CSEQ_GAP } else { 0 };
            assert_eq!(names(&byes[1]), (shown.clone(), format!("{number} BYE")), "{what}");
            let again = node.receive(VENDORS[0], challenge(&byes[1], 401, &asks_again("n2")));
            assert_eq!(words(&again), ["BYE>198.51.100.1:5060"], "{what}");
            assert_eq!(names(&again[0]), (shown, format!("{} BYE", number + 1)), "{what}");
            assert_eq!(proof(&again[0], HeaderId::Authorization), ("n2".to_owned(), 1), "{what}");
        }
    }
}

/// A process ends between the answer to a challenge and that of the callee.
#[test]
fn a_restart_while_it_rings() {
    for (vendor, trunk) in [(true, false), (false, true), (true, true), (false, false)] {
        let mut before = node(vendor, trunk);
        let call = name(&before.node);
        let invite = asked(&mut before, &call);
        let shown = invite.value(HeaderId::CallId);
        let mut later = next(&before, 5);
        for code in [180, 200] {
            let sent = later.receive(VENDORS[0], by_switch(&invite, code)).remove(0);
            assert_eq!((sent.word(), vias(&sent).len()), (code.to_string(), 2), "{vendor} {trunk}");
            assert_eq!(names(&sent), (own_id(&call), "1 INVITE".to_owned()), "{vendor} {trunk}");
            if code == 200 {
                assert_eq!(later.node.happened(), ["started", "attempt 1 200", "answered"]);
                let ack = later.receive(CUSTOMER, by_caller(&sent, ("ACK", 1))).remove(0);
                assert_eq!(names(&ack), (shown.clone(), "2 ACK".to_owned()), "{vendor} {trunk}");
                let (bye, back) = later.passes((CUSTOMER, VENDORS[0]), &by_caller(&sent, ("BYE", 2)));
                assert_eq!(names(&bye), (shown.clone(), "3 BYE".to_owned()), "{vendor} {trunk}");
                assert_eq!(names(&back), (own_id(&call), "2 BYE".to_owned()), "{vendor} {trunk}");
            }
        }
        // Or it is asked about once more, when nobody is left to answer.
        let mut later = next(&before, 5);
        let sent = later.receive(VENDORS[0], challenge(&invite, 401, &asks_again("n2")));
        assert_eq!(words(&sent), ["500>192.0.2.10:5060", "ACK>198.51.100.1:5060"], "{vendor} {trunk}");
        assert_eq!(names(&sent[0]), (own_id(&call), "1 INVITE".to_owned()), "{vendor} {trunk}");
        assert!(!sent[0].message.has(HeaderId::WwwAuthenticate), "{}", sent[0].text());
        assert_eq!(names(&sent[1]), (shown, "2 ACK".to_owned()), "{vendor} {trunk}");
    }
}

/// The keys change between the INVITE and the challenge: its Call-ID is made again by the key that sealed it.
#[test]
fn a_key_that_changes_before_the_challenge() {
    let keys = (Secret { number: 2, key: [9; 16] }, Some(Secret { number: 1, key: [7; 16] }));
    let mut before = node(true, false);
    let first = before.receive(CUSTOMER, by_pbx("a")).remove(1);
    before.node.worker.settings.cookies.replace(keys.0, keys.1);
    let again = before.receive(VENDORS[0], challenge(&first, 401, &asks("n1"))).remove(1);
    let shown = again.value(HeaderId::CallId);
    assert_eq!(shown, first.value(HeaderId::CallId));
    let ok = before.receive(VENDORS[0], by_switch(&again, 200)).remove(0);
    let mut later = next(&before, 60);
    later.node.worker.settings.cookies.replace(keys.0, keys.1);
    let (bye, back) = later.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
    assert_eq!(names(&bye), (shown, "3 BYE".to_owned()));
    assert_eq!(names(&back), (own_id("a"), "2 BYE".to_owned()));
}

#[test]
fn a_cancel_goes_the_way_of_the_last_invite() {
    let mut node = node(true, true);
    let invite = asked(&mut node, "a");
    node.receive(VENDORS[0], by_switch(&invite, 180));
    let cancel = by_pbx("a").replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let (head, _) = cancel.split_once("Content-Type").unwrap();
    let sent = node.receive(CUSTOMER, format!("{head}Content-Length: 0\r\n\r\n"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060", "CANCEL>198.51.100.1:5060"]);
    assert_eq!((vias(&sent[1]), names(&sent[1]).0), (vias(&invite), names(&invite).0));
    assert_eq!(names(&sent[1]).1, "2 CANCEL");
    node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    let sent = node.receive(VENDORS[0], by_switch(&invite, 487));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "487>192.0.2.10:5060"]);
    assert_eq!(names(&sent[1]), (own_id("a"), "1 INVITE".to_owned()));
    node.node.settle();
}

/// The next vendor is shown all, and is not told what the first one was.
#[test]
fn the_next_vendor_is_another_one() {
    let mut node = node(true, false);
    let invite = asked(&mut node, "a");
    // It says nothing more.
    let other = node.pass(5).pop().unwrap();
    assert_eq!((other.word().as_str(), other.to), ("INVITE", VENDORS[1].parse().unwrap()));
    assert_eq!((names(&other), vias(&other).len()), ((own_id("a"), "1 INVITE".to_owned()), 3));
    assert!(!other.message.has(HeaderId::Authorization), "{}", other.text());
    let ok = node.receive(VENDORS[1], by_switch(&other, 200)).remove(0);
    assert_eq!((names(&ok), vias(&ok).len()), ((own_id("a"), "1 INVITE".to_owned()), 2));
    // The first one answers after all, and has its own call to end.
    let late = node.receive(VENDORS[0], by_switch(&invite, 200));
    assert_eq!(words(&late), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    let shown = invite.value(HeaderId::CallId);
    assert_eq!(names(&late[0]), (shown.clone(), "2 ACK".to_owned()));
    assert_eq!(names(&late[1]), (shown, "3 BYE".to_owned()));
    let (bye, _) = node.passes((CUSTOMER, VENDORS[1]), &by_caller(&ok, ("BYE", 2)));
    assert_eq!(names(&bye), (own_id("a"), "2 BYE".to_owned()));
}

/// A customer sends what a hidden vendor has sent to it out by us again. Its From has our address from the
/// first time on, so that the loop is found a round later.
#[test]
fn a_loop_through_a_hidden_vendor() {
    let mut node = node(true, false);
    let mut invite = invite("a", "+15551234");
    let mut rounds = 0;
    loop {
        let mut sent = node.receive(CUSTOMER, invite);
        if sent.len() == 1 {
            assert_eq!(words(&sent), ["482>192.0.2.10:5060"]);
            break;
        }
        rounds += 1;
        assert!(rounds < 4, "it is not found");
        let out = sent.remove(1);
        let nonce = format!("n{rounds}");
        let again = node.receive(VENDORS[0], challenge(&out, 401, &asks(&nonce))).remove(1);
        let back = round(&again).replacen("v-round", &format!("v-round-{rounds}"), 1);
        let back = node.receive(VENDORS[0], back).remove(1).text();
        let (_, rest) = back.split_once("\r\n").unwrap();
        let via = format!("Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-a-round-{rounds}\r\nVia:");
        let rest = rest.replacen("Via:", &via, 1);
        invite = format!("INVITE sip:+15551234@203.0.113.5 SIP/2.0\r\n{rest}");
    }
    assert_eq!(node.node.counters.loops.get(), 1);
}
