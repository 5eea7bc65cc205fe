//! Nodes that are silent, full or gone.

use super::*;

#[test]
fn a_silent_node_loses_the_call_to_the_other() {
    for full in [false, true] {
        let mut node = Node::with(anchored());
        node.receive(CUSTOMER, invite("a", "+15551234"));
        let (asked, _) = node.one_asked();
        let outcome = if full {
            replied(|body| ng::reply::write::error(body, "Ran out of ports"))
        } else {
            Outcome::Silent
        };
        assert!(node.handle(vec![answer(&asked, outcome)]).is_empty());
        // It may have heard it after all.
        let deleted = node.asked.remove(0);
        assert_eq!((deleted.node, told(&deleted)), (asked.node, "delete from-a -".to_owned()));
        assert_ne!(node.asked[0].node, asked.node);
        assert_eq!(words(&node.rewrite()), ["INVITE>198.51.100.1:5060"]);
    }
}

#[test]
fn without_a_node_there_is_no_call() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let (asked, _) = node.one_asked();
    node.handle(vec![answer(&asked, Outcome::Silent)]);
    node.asked.remove(0);
    let (asked, _) = node.one_asked();
    let sent = node.handle(vec![answer(&asked, Outcome::Unsent)]);
    assert_eq!(words(&sent), ["503>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["started", "ended 503 media_failed None"]);
    let ack = invite("a", "+15551234").replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
    node.receive(CUSTOMER, ack);
    node.asked.clear();
    node.settle();
    // Nor where all are known to be down.
    let mut node = Node::with(anchored());
    node.media.nodes().iter().for_each(|media| {
        media.health.gone(node.now.instant);
    });
    let sent = node.receive(CUSTOMER, invite("b", "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "503>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["started", "ended 503 media_failed None"]);
    assert!(node.asked.is_empty());
}

#[test]
fn a_description_that_no_node_reads_is_not_acceptable() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let (asked, _) = node.one_asked();
    let outcome = replied(|body| ng::reply::write::error(body, "Failed to parse SDP"));
    let sent = node.handle(vec![answer(&asked, outcome)]);
    assert_eq!(words(&sent), ["488>192.0.2.10:5060"]);
}

/// An actor that never answers holds no call up.
#[test]
fn a_node_that_says_nothing_at_all_is_silent_after_a_while() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let first = node.asked.remove(0);
    node.pass(SECOND * 3);
    assert_eq!(node.asked.iter().filter(|asked| told(asked).starts_with("offer")).count(), 1);
    let late = replied(|body| ng::reply::write::sdp(body, b"v=0\r\n"));
    assert!(node.handle(vec![answer(&first, late)]).is_empty(), "too late");
}

#[test]
fn an_answer_that_nobody_could_hear_ends_the_call_at_both_ends() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let to_vendor = node.rewrite().remove(0);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    node.receive(VENDORS[0], ok);
    let (asked, _) = node.one_asked();
    let mut sent = words(&node.handle(vec![answer(&asked, Outcome::Silent)]));
    sent.sort();
    assert_eq!(sent, ["503>192.0.2.10:5060", "ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(node.happened().last().unwrap(), "ended 503 media_failed None");
    assert_eq!(node.all_asked(), ["delete from-a -"]);
}

/// The call goes on as it was.
#[test]
fn a_change_that_the_node_does_not_make_is_refused() {
    let mut node = Node::with(anchored());
    let (_, ok) = up(&mut node);
    node.asked.clear();
    for (outcome, status) in [
        (Outcome::Silent, "503"),
        (replied(|body| ng::reply::write::error(body, "Failed to parse SDP")), "488"),
    ] {
        let again = Within { method: "INVITE", cseq: 2, branch: status }.caller(&ok);
        node.receive(CUSTOMER, described(&again, SDP));
        let (asked, _) = node.one_asked();
        let sent = node.handle(vec![answer(&asked, outcome)]);
        assert_eq!(words(&sent), [format!("{status}>192.0.2.10:5060")]);
    }
    let bye = Within { method: "BYE", cseq: 9, branch: "bye" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, bye)), ["BYE>198.51.100.1:5060"]);
}

#[test]
fn early_media_that_is_lost_is_ringing() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let to_vendor = node.rewrite().remove(0);
    let early = described(&text(&response(&to_vendor, 183, "callee")), SDP);
    node.receive(VENDORS[0], early);
    let (asked, _) = node.one_asked();
    let sent = node.handle(vec![answer(&asked, Outcome::Silent)]);
    assert_eq!((words(&sent), body(&sent[0])), (vec!["183>192.0.2.10:5060".to_owned()], String::new()));
}
