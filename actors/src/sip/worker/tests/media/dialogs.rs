//! Descriptions within dialogs: late offers, re-INVITEs, UPDATE, PRACK.

use super::*;

fn without_offer() -> String {
    invite("a", "+15551234").replace(
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
        "Content-Length: 0\r\n\r\n",
    )
}

#[test]
fn the_callee_offers_in_its_answer() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    assert!(node.asked.is_empty());
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty());
    assert_eq!(told(&node.asked[0]), "offer callee from-a");
    let ok = node.rewrite().remove(0);
    assert!(body(&ok).contains("offer callee from-a"));
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert!(node.receive(CUSTOMER, described(&ack, SDP)).is_empty());
    assert_eq!(told(&node.asked[0]), "answer callee from-a");
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
    assert!(body(&sent[0]).contains("answer callee from-a"));
}

#[test]
fn either_side_offers_again() {
    let mut node = Node::with(anchored());
    let (to_vendor, ok) = up(&mut node);
    let requests = [
        (
            CUSTOMER,
            Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok),
            "from-a",
            "callee",
            VENDORS[0],
        ),
        (
            VENDORS[0],
            Within { method: "INVITE", cseq: 7, branch: "er" }.callee(&to_vendor, "callee"),
            "callee",
            "from-a",
            CUSTOMER,
        ),
        (
            CUSTOMER,
            Within { method: "UPDATE", cseq: 3, branch: "up" }.caller(&ok),
            "from-a",
            "callee",
            VENDORS[0],
        ),
        (
            VENDORS[0],
            Within { method: "UPDATE", cseq: 8, branch: "pu" }.callee(&to_vendor, "callee"),
            "callee",
            "from-a",
            CUSTOMER,
        ),
    ];
    for (from, request, offerer, answerer, to) in requests {
        let request = described(&request, SDP);
        assert!(node.receive(from, request.clone()).is_empty());
        // It comes again while it waits: it waits once more, behind itself.
        assert!(node.receive(from, request).is_empty());
        let (asked, told) = node.one_asked();
        assert_eq!(told, format!("offer {offerer} {answerer}"));
        let outcome = replied(|body| ng::reply::write::sdp(body, rewritten(&asked).as_bytes()));
        let sent = node.handle(vec![answer(&asked, outcome)]);
        let passed = sent.iter().find(|sent| sent.to == to.parse().unwrap()).unwrap().clone();
        assert!(body(&passed).contains(&told), "{}", passed.text());
        let again = sent.iter().filter(|sent| sent.to == passed.to).count();
        assert_eq!(again, 1, "passed on once: {:?}", words(&sent));
        node.asked.clear();
        let ok = described(&text(&response(&passed, 200, "zz")), SDP);
        assert!(node.receive(to, ok).is_empty());
        assert_eq!(super::told(&node.asked[0]), format!("answer {offerer} {answerer}"));
        let sent = node.rewrite();
        assert_eq!(words(&sent), [format!("200>{from}")]);
        assert!(body(&sent[0]).contains("answer"));
        node.pass(SECOND * 40);
    }
}

/// An offer in a reliable 183, its answer in the PRACK (RFC 3262 5).
#[test]
fn a_reliable_183_is_answered_by_prack() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let early = text(&response(&to_vendor, 183, "callee"))
        .replace("Contact:", "Require: 100rel\r\nRSeq: 1\r\nContact:");
    assert!(node.receive(VENDORS[0], described(&early, SDP)).is_empty());
    assert_eq!(told(&node.asked[0]), "offer callee from-a");
    let early = node.rewrite().remove(0);
    let prack = Within { method: "PRACK", cseq: 2, branch: "prack" }.caller(&early);
    let prack = described(&prack.replace("Contact:", "RAck: 1 1 INVITE\r\nContact:"), SDP);
    assert!(node.receive(CUSTOMER, prack).is_empty());
    assert_eq!(told(&node.asked[0]), "answer callee from-a");
    assert_eq!(words(&node.rewrite()), ["PRACK>198.51.100.1:5060"]);
}

/// The BYE behind an ACK that waits comes behind it.
#[test]
fn a_bye_does_not_overtake_the_ack() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    node.receive(VENDORS[0], ok);
    let ok = node.rewrite().remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert!(node.receive(CUSTOMER, described(&ack, SDP)).is_empty());
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    assert!(node.receive(CUSTOMER, bye).is_empty());
    assert_eq!(words(&node.rewrite()), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
}

/// A call of an earlier process is known by its cookie, and so is its node.
#[test]
fn a_call_without_a_record_is_deleted_where_it_was() {
    let mut node = Node::with(anchored());
    let (_, ok) = up(&mut node);
    let carrier = node.asked.first().map_or(0, |asked| asked.node);
    assert_eq!(carrier, 0);
    let mut later = Node::started(anchored(), node.now.wall.plus(SECOND).micros());
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let sent = later.receive(CUSTOMER, bye);
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    later.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(later.all_asked(), ["delete from-a -"]);
}
