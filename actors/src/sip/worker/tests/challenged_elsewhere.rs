//! Vendors that ask who calls, where a restart, a loop or a question whether a call is up comes between.

use super::challenged::{accounts, asked, asks, asks_again, challenge, node, proof, up};
use super::*;
use crate::sip::testing::{START, voice};
use crate::sip::worker::Input;

/// Another process of the node, later.
fn next() -> Node {
    Node::with_accounts(voice(), &accounts(), START + 60_000_000)
}

/// A vendor that asks for each request is asked with credentials whether a call is up: it looks for the call
/// then.
#[test]
fn a_dead_call_at_a_vendor_that_asks() {
    let mut node = node();
    let (invite, _) = up(&mut node);
    let call_id = invite.value(HeaderId::CallId);
    let dialog = node.worker.dialogs_of(call_id.as_bytes(), (b"from-a", b"callee")).next().unwrap().id;
    let both = ["OPTIONS>192.0.2.10:5060", "OPTIONS>198.51.100.1:5060"];
    let sent = node.handle(vec![Input::Check(dialog)]);
    assert_eq!(words(&sent), both);
    assert!(!sent[0].message.has(HeaderId::Authorization), "{}", sent[0].text());
    assert_eq!(proof(&sent[1], HeaderId::Authorization), ("n1".to_owned(), 2), "before it is asked");
    assert_eq!(sent[1].value(HeaderId::CSeq), "2 OPTIONS", "in nobody's way");
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    let again = node.receive(VENDORS[0], challenge(&sent[1], 401, &asks_again("n2")));
    assert_eq!(words(&again), ["OPTIONS>198.51.100.1:5060"]);
    assert_eq!(again[0].value(HeaderId::CSeq), "2 OPTIONS");
    assert_eq!(proof(&again[0], HeaderId::Authorization), ("n2".to_owned(), 1));
    // Refused again it says nothing of the call.
    assert!(node.receive(VENDORS[0], challenge(&again[0], 401, &asks("n3"))).is_empty());
    assert_eq!((node.worker.dialogs(), node.happened().len()), (1, 0));
    let sent = node.handle(vec![Input::Check(dialog)]);
    assert_eq!(words(&sent), both);
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    let byes = node.receive(VENDORS[0], response(&sent[1], 481, "x"));
    assert_eq!(words(&byes), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(node.happened(), ["ended 200 dead_call None"]);
}

/// Who asks back has not looked for the call: where both do, it is as if nobody could be asked.
#[test]
fn a_question_that_is_asked_back() {
    for (code, again) in [(401, true), (407, true), (405, false)] {
        let mut node = Node::new();
        answered(&mut node, "a");
        let dialog = node.events[0].dialog;
        for (sent, peer) in node.handle(vec![Input::Check(dialog)]).iter().zip([CUSTOMER, VENDORS[0]]) {
            let answer =
                if code == 405 { response(sent, code, "x") } else { challenge(sent, code, &asks("n1")) };
            assert!(node.receive(peer, answer).is_empty());
        }
        let asked = words(&node.pass(31 * SECOND));
        assert_eq!(asked.contains(&"OPTIONS>198.51.100.1:5060".to_owned()), again, "{code}: {asked:?}");
        assert_eq!(node.worker.dialogs(), 1);
    }
}

/// Nobody is left to answer it: the caller hears that it has failed, and not what was asked.
#[test]
fn a_challenge_that_comes_after_a_restart() {
    for (code, challenged) in [(401, false), (407, false), (401, true)] {
        let mut before = node();
        let invite = if challenged {
            asked(&mut before, 401)
        } else {
            before.receive(CUSTOMER, invite("a", "+15551234")).remove(1)
        };
        let sent = next().receive(VENDORS[0], challenge(&invite, code, &asks("n2")));
        assert_eq!(words(&sent), ["500>192.0.2.10:5060", "ACK>198.51.100.1:5060"], "{code}");
        let told = sent[0].text();
        assert!(told.starts_with("SIP/2.0 500 Server Internal Error\r\n"), "{told}");
        assert!(!told.contains("Authenticate") && !told.contains("n2"), "{told}");
        assert_eq!((sent[0].value(HeaderId::CSeq).as_str(), sent[0].message.via_count()), ("1 INVITE", 1));
        assert_eq!(sent[1].value(HeaderId::CSeq), invite.value(HeaderId::CSeq).replace("INVITE", "ACK"));
    }
    let mut before = Node::new();
    let (_, ok) = answered(&mut before, "a");
    for (method, cseq) in [("UPDATE", 2), ("INFO", 3), ("BYE", 4)] {
        let request = Within { method, cseq, branch: method }.caller(&ok);
        let passed = before.receive(CUSTOMER, request).remove(0);
        let sent = next().receive(VENDORS[0], challenge(&passed, 407, &asks("n1")));
        assert_eq!(words(&sent), ["500>192.0.2.10:5060"], "{method}");
        assert_eq!(sent[0].value(HeaderId::CSeq), format!("{cseq} {method}"));
        assert!(!sent[0].text().contains("Authenticate"), "{}", sent[0].text());
    }
}

/// What a vendor makes of our Via says nothing of the numbers: the cookie has them sealed.
#[test]
fn a_vendor_that_counts_otherwise() {
    for counted in ["", ";n=0", ";n=3", ";n=4000000000", ";n=x"] {
        let mut before = node();
        let call = name(&before);
        let first = before.receive(CUSTOMER, invite(&call, "+15551234")).remove(1);
        let again = before.receive(VENDORS[0], challenge(&first, 401, &asks("n1"))).remove(1);
        let mut node = next();
        let mut answers = |code| {
            let own = text(&response(&again, code, "callee"));
            assert!(own.contains(";n=1"), "{own}");
            let sent = node.receive(VENDORS[0], own.replacen(";n=1", counted, 1)).remove(0);
            assert_eq!((sent.word(), sent.value(HeaderId::CSeq)), (code.to_string(), "1 INVITE".to_owned()));
            sent
        };
        answers(180);
        let ok = answers(200);
        assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"], "{counted}");
        for (method, cseq, expected) in [("ACK", 1, "2 ACK"), ("BYE", 2, "3 BYE")] {
            let request = Within { method, cseq, branch: method }.caller(&ok);
            assert_eq!(node.receive(CUSTOMER, request)[0].value(HeaderId::CSeq), expected, "{counted}");
        }
    }
}

/// A call that the worker of the tests has in every process of its node.
fn name(node: &Node) -> String {
    let own =
        |name: &String| node.worker.settings.worker_of_call(format!("{name}@192.0.2.10").as_bytes()) == 1;
    (0..).map(|at| format!("call-{at}")).find(own).unwrap()
}

/// A caller of RFC 2543 has no tag.
#[test]
fn a_caller_without_a_tag() {
    let mut before = node();
    let call = invite("a", "+15551234").replace(";tag=from-a", "");
    let first = before.receive(CUSTOMER, call).remove(1);
    assert!(!first.text().contains("from-a"), "{}", first.text());
    let sent = before.receive(VENDORS[0], challenge(&first, 401, &asks("n1")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    assert_eq!(proof(&sent[1], HeaderId::Authorization), ("n1".to_owned(), 1));
    let ok = response(&sent[1], 200, "callee");
    let back = next().receive(VENDORS[0], ok.clone());
    assert_eq!(
        (words(&back), back[0].value(HeaderId::CSeq)),
        (vec!["200>192.0.2.10:5060".to_owned()], "1 INVITE".to_owned())
    );
    assert_eq!(words(&before.receive(VENDORS[0], ok)), ["200>192.0.2.10:5060"]);
}

/// A customer sends what we send it out by us again: found when it comes the second time, whatever number it
/// has since it was challenged.
#[test]
fn a_loop_through_a_vendor_that_asks() {
    for code in [None, Some(401)] {
        let mut node = node();
        let mut out = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
        if let Some(code) = code {
            out = node.receive(VENDORS[0], challenge(&out, code, &asks("n1"))).remove(1);
        }
        let via = "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-v-round\r\nVia:";
        let back = out.text().replacen("Via:", via, 1);
        let back = back.replacen("sip:+15551234@198.51.100.1:5060", "sip:15550100@203.0.113.5", 1);
        let sent = node.receive(VENDORS[0], back);
        assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
        let inner = sent[1].text();
        let (_, rest) = inner.split_once("\r\n").unwrap();
        let via = "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-a-round\r\nVia:";
        let again = format!("INVITE sip:+15551234@203.0.113.5 SIP/2.0\r\n{}", rest.replacen("Via:", via, 1));
        let sent = node.receive(CUSTOMER, again);
        assert_eq!(words(&sent), ["482>192.0.2.10:5060"], "{code:?}");
        assert_eq!(node.counters.loops.get(), 1);
    }
}
