//! A vendor that forks: each early dialog has its own callee.

use super::*;

/// What the caller gets of a fork of the first vendor: its tag is its name, its Contact at a port of its own.
fn heard(node: &mut Node, invite: &Sent, code: u16, (fork, port): (&str, u16)) -> Sent {
    let contact = format!("{fork}@198.51.100.1:{port}");
    let message = text(&response(invite, code, fork)).replace("callee@198.51.100.1:5060", &contact);
    let mut sent = node.receive(VENDORS[0], message);
    assert_eq!(words(&sent), [format!("{code}>192.0.2.10:5060")]);
    sent.remove(0)
}

fn called(node: &mut Node) -> Sent {
    node.receive(CUSTOMER, invite("a", "+15551234")).remove(1)
}

#[test]
fn requests_go_to_their_fork() {
    let mut node = Node::new();
    let invite = called(&mut node);
    let a = heard(&mut node, &invite, 183, ("a", 5071));
    let b = heard(&mut node, &invite, 183, ("b", 5072));
    let again = heard(&mut node, &invite, 180, ("a", 5071));
    for (at, (shown, fork, port)) in
        [(&a, "a", 5071), (&b, "b", 5072), (&again, "a", 5071)].into_iter().enumerate()
    {
        for method in ["PRACK", "UPDATE", "INVITE"] {
            let cseq = u32::try_from(10 * (at + 1)).unwrap();
            let request = Within { method, cseq, branch: &format!("{at}-{method}") }.caller(shown);
            let mut sent = node.receive(CUSTOMER, request);
            let passed = sent.pop().unwrap();
            assert_eq!(words(std::slice::from_ref(&passed)), [format!("{method}>198.51.100.1:{port}")]);
            let start = format!("{method} sip:{fork}@198.51.100.1:{port} SIP/2.0\r\n");
            assert!(passed.text().starts_with(&start), "{}", passed.text());
            node.receive(VENDORS[0], response(&passed, 488, fork));
        }
    }
    let ok = heard(&mut node, &invite, 200, ("b", 5072));
    for (method, cseq) in [("ACK", 1), ("INFO", 50)] {
        let request = Within { method, cseq, branch: &format!("ok-{method}") }.caller(&ok);
        assert_eq!(words(&node.receive(CUSTOMER, request)), [format!("{method}>198.51.100.1:5072")]);
    }
    let late = Within { method: "UPDATE", cseq: 60, branch: "late" }.caller(&a);
    assert_eq!(words(&node.receive(CUSTOMER, late)), ["481>192.0.2.10:5060"], "its early dialog is over");
    let bye = Within { method: "BYE", cseq: 61, branch: "bye" }.caller(&ok);
    let sent = node.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5072"]);
    node.receive(VENDORS[0], response(&sent[0], 200, "b"));
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    node.settle();
}

/// What one fork says of where it is moves no other.
#[test]
fn a_fork_moves_itself_alone() {
    let mut node = Node::new();
    let invite = called(&mut node);
    let a = heard(&mut node, &invite, 183, ("a", 5071));
    let b = heard(&mut node, &invite, 183, ("b", 5072));
    let update = Within { method: "UPDATE", cseq: 7, branch: "u" }.callee(&invite, "b");
    let sent = node.receive(VENDORS[0], update.replace("me@198.51.100.1:5060", "b@198.51.100.1:5099"));
    assert_eq!(words(&sent), ["UPDATE>192.0.2.10:5060"]);
    assert_eq!(words(&node.receive(CUSTOMER, response(&sent[0], 200, "x"))), ["200>198.51.100.1:5060"]);
    for (at, (shown, port)) in [(&a, 5071), (&b, 5099)].into_iter().enumerate() {
        let prack = Within { method: "PRACK", cseq: 2, branch: &format!("p-{at}") }.caller(shown);
        assert_eq!(words(&node.receive(CUSTOMER, prack)), [format!("PRACK>198.51.100.1:{port}")]);
    }
    let unknown = Within { method: "UPDATE", cseq: 8, branch: "w" }.callee(&invite, "c");
    assert_eq!(words(&node.receive(VENDORS[0], unknown)), ["481>198.51.100.1:5060"], "nobody heard of it");
}

/// The early dialogs of a vendor that failed are over, and the next vendor does not hear of them.
#[test]
fn a_vendor_that_failed_has_no_forks() {
    let mut node = Node::new();
    let first = called(&mut node);
    // Early media is no end of the tries where a vendor rings without any.
    let shown = heard(&mut node, &first, 180, ("a", 5071));
    let sent = node.receive(VENDORS[0], response(&first, 503, "a"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.2:5060"]);
    let second = sent[1].clone();
    let prack = Within { method: "PRACK", cseq: 2, branch: "p" }.caller(&shown);
    assert_eq!(words(&node.receive(CUSTOMER, prack)), ["481>192.0.2.10:5060"]);
    let update = Within { method: "UPDATE", cseq: 3, branch: "u" }.callee(&first, "a");
    assert_eq!(words(&node.receive(VENDORS[0], update)), ["481>198.51.100.1:5060"]);
    let ok = node.receive(VENDORS[1], response(&second, 200, "z")).remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.2:5060"]);
    let bye = Within { method: "BYE", cseq: 9, branch: "bye" }.callee(&first, "a");
    assert_eq!(words(&node.receive(VENDORS[0], bye)), ["481>198.51.100.1:5060"], "another vendor's call");
}

#[test]
fn forks_are_bounded() {
    let mut node = Node::new();
    let invite = called(&mut node);
    let forks: Vec<(String, u16)> = (0..12_u16).map(|at| (format!("f{at}"), 6000 + at)).collect();
    let shown: Vec<Sent> =
        forks.iter().map(|(fork, port)| heard(&mut node, &invite, 183, (fork, *port))).collect();
    for (at, shown) in shown.iter().enumerate() {
        let prack = Within { method: "PRACK", cseq: 2, branch: &format!("p-{at}") }.caller(shown);
        let sent = node.receive(CUSTOMER, prack);
        let known = at <= crate::sip::dialog::FORKS_MAX;
        assert_eq!(sent[0].word(), if known { "PRACK" } else { "481" }, "{at}");
    }
    // One that was not remembered may answer all the same.
    let ok = heard(&mut node, &invite, 200, ("f11", 6011));
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:6011"]);
}

/// Two forks answer: what the caller says to the second goes to the second's Contact.
#[test]
fn both_answer() {
    let mut node = Node::new();
    let invite = called(&mut node);
    let a = heard(&mut node, &invite, 200, ("a", 5071));
    let b = heard(&mut node, &invite, 200, ("b", 5072));
    for (shown, fork, port) in [(&a, "a", 5071), (&b, "b", 5072)] {
        let ack = Within { method: "ACK", cseq: 1, branch: &format!("ack-{fork}") }.caller(shown);
        let sent = node.receive(CUSTOMER, ack);
        assert_eq!(words(&sent), [format!("ACK>198.51.100.1:{port}")]);
        assert!(sent[0].text().starts_with(&format!("ACK sip:{fork}@")), "{}", sent[0].text());
    }
    let bye = Within { method: "BYE", cseq: 2, branch: "bye-b" }.caller(&b);
    let sent = node.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5072"]);
    node.receive(VENDORS[0], response(&sent[0], 200, "b"));
    assert_eq!(node.worker.dialogs(), 1, "the first one is up");
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
}
