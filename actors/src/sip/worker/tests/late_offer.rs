//! A call whose INVITE has no session description: the callee offers in its 200, and the caller answers in the ACK.

use super::*;

const OFFER: &str = "v=0\r\no=callee 1 1 IN IP4 198.51.100.1\r\n";
const ANSWER: &str = "v=0\r\no=caller 1 1 IN IP4 192.0.2.10\r\n";

fn with_body(message: &str, body: &str) -> String {
    let sdp = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    message.replace("Content-Length: 0\r\n\r\n", &sdp)
}

fn without_offer(call: &str) -> String {
    let invite = invite(call, "+15551234");
    invite.replace(
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
        "Content-Length: 0\r\n\r\n",
    )
}

#[test]
fn the_offer_comes_with_the_answer() {
    let mut node = Node::new();
    let to_vendor = node.receive(CUSTOMER, without_offer("a")).remove(1);
    assert!(to_vendor.message.body().is_empty());
    assert_eq!(to_vendor.value(HeaderId::ContentLength), "0");
    node.receive(VENDORS[0], response(&to_vendor, 180, "callee"));
    let ok = with_body(&text(&response(&to_vendor, 200, "callee")), OFFER);
    let ok = node.receive(VENDORS[0], ok).remove(0);
    assert_eq!((ok.word(), text(ok.message.body())), ("200".to_owned(), OFFER.to_owned()));
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    // Sent again when the 200 comes again, with its body each time.
    for _ in 0..2 {
        let sent = node.receive(CUSTOMER, with_body(&ack, ANSWER));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
        assert_eq!(text(sent[0].message.body()), ANSWER);
        assert_eq!(sent[0].value(HeaderId::ContentType), "application/sdp");
    }
    // The same within the dialog, from the other side.
    let again = Within { method: "INVITE", cseq: 9, branch: "re" }.callee(&to_vendor, "callee");
    let passed = node.receive(VENDORS[0], again).remove(1);
    assert!(passed.message.body().is_empty());
    let ok = node.receive(CUSTOMER, with_body(&text(&response(&passed, 200, "x")), OFFER)).remove(0);
    assert_eq!(text(ok.message.body()), OFFER);
    let ack = Within { method: "ACK", cseq: 9, branch: "re-ack" }.callee(&to_vendor, "callee");
    let sent = node.receive(VENDORS[0], with_body(&ack, ANSWER));
    assert_eq!(
        (words(&sent), text(sent[0].message.body())),
        (vec!["ACK>192.0.2.10:5060".to_owned()], ANSWER.to_owned())
    );
    let bye = Within { method: "BYE", cseq: 10, branch: "bye" }.callee(&to_vendor, "callee");
    let sent = node.receive(VENDORS[0], bye);
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    assert_eq!(
        node.happened(),
        ["started", "attempt 1 200", "answered", "refreshed", "ended 200 answered Some(Callee)"]
    );
    node.settle();
}

/// An offer in a reliable 183, its answer in the PRACK (RFC 3262 5): early media, with which no other vendor is tried.
#[test]
fn the_offer_comes_with_a_reliable_183() {
    let mut node = Node::new();
    let to_vendor = node.receive(CUSTOMER, without_offer("a")).remove(1);
    let early = text(&response(&to_vendor, 183, "callee"))
        .replace("Contact:", "Require: 100rel\r\nRSeq: 1\r\nContact:");
    let early = node.receive(VENDORS[0], with_body(&early, OFFER)).remove(0);
    assert_eq!(text(early.message.body()), OFFER);
    let prack = Within { method: "PRACK", cseq: 2, branch: "prack" }.caller(&early);
    let sent =
        node.receive(CUSTOMER, with_body(&prack.replace("Contact:", "RAck: 1 1 INVITE\r\nContact:"), ANSWER));
    assert_eq!((sent[0].word(), text(sent[0].message.body())), ("PRACK".to_owned(), ANSWER.to_owned()));
    node.receive(VENDORS[0], response(&sent[0], 200, "callee"));
    let sent = node.receive(VENDORS[0], response(&to_vendor, 503, "callee"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "500>192.0.2.10:5060"]);
    node.receive(CUSTOMER, without_offer("a").replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"));
    node.settle();
}
