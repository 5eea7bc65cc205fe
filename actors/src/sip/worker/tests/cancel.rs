use super::*;

fn cancel(call: &str) -> String {
    let invite = invite(call, "+15551234").replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let (head, _) = invite.split_once("Content-Type").unwrap();
    format!("{head}Content-Length: 0\r\n\r\n")
}

#[test]
fn while_it_rings() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    node.happened();
    let sent = node.receive(CUSTOMER, cancel("a"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060", "CANCEL>198.51.100.1:5060"]);
    let branch = |sent: &Sent| sent.message.list(HeaderId::Via).next().map(text);
    assert_eq!(branch(&sent[1]), branch(&invite), "of the INVITE it cancels");
    assert!(node.receive(VENDORS[0], response(&sent[1], 200, "t")).is_empty());
    assert_eq!(words(&node.receive(CUSTOMER, cancel("a"))), ["200>192.0.2.10:5060"], "sent again");
    let sent = node.receive(VENDORS[0], response(&invite, 487, "callee"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "487>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["attempt 1 487", "ended 487 cancelled Some(Caller)"]);
    node.settle();
}

#[test]
fn before_the_vendor_says_anything() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    let invite = sent[1].clone();
    assert_eq!(words(&node.receive(CUSTOMER, cancel("a"))), ["200>192.0.2.10:5060"], "it waits");
    let sent = node.receive(VENDORS[0], response(&invite, 100, ""));
    assert_eq!(words(&sent), ["CANCEL>198.51.100.1:5060"]);
    let sent = node.receive(VENDORS[0], response(&invite, 487, "t"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "487>192.0.2.10:5060"]);
    node.settle();
}

#[test]
fn too_late() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    node.receive(CUSTOMER, cancel("a"));
    let sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"], "the caller has the call and ends it");
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(node.happened().last().unwrap(), "ended 200 answered Some(Caller)");
    node.settle();
}

#[test]
fn a_vendor_that_ignores_it() {
    let mut node = Node::new();
    ringing(&mut node, "a");
    node.receive(CUSTOMER, cancel("a"));
    let sent = node.pass(40 * SECOND);
    assert!(words(&sent).contains(&"487>192.0.2.10:5060".to_owned()), "{:?}", words(&sent));
    node.settle();
}

#[test]
fn of_nothing() {
    let mut node = Node::new();
    assert_eq!(words(&node.receive(CUSTOMER, cancel("x"))), ["481>192.0.2.10:5060"]);
    node.settle();
}

/// The vendor ignores the CANCEL, everybody has given up, and it answers: it is acknowledged and ended there.
#[test]
fn an_answer_after_all() {
    let mut node = Node::new();
    let invite = ringing(&mut node, "a");
    node.receive(CUSTOMER, cancel("a"));
    node.settle();
    node.happened();
    let ok = response(&invite, 200, "callee");
    assert!(node.receive(VENDORS[1], ok.clone()).is_empty(), "not of this call");
    let sent = node.receive(VENDORS[0], ok.clone());
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(sent[1].text().contains("CSeq: 2 BYE\r\n"), "{}", sent[1].text());
    assert_eq!(words(&node.receive(VENDORS[0], ok)), ["ACK>198.51.100.1:5060"], "its ACK was lost");
    node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    assert!(node.happened().is_empty(), "its record was written long ago");
    node.settle();
}
