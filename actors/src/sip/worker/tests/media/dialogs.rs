//! Descriptions within dialogs: late offers, re-INVITEs, UPDATE, PRACK.

use super::super::challenged::{accounts, asks, challenge};
use super::*;
use crate::sip::testing::START;

pub(super) fn without_offer() -> String {
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
    assert_eq!(told(&node.asked[0]), "offer b-callee a-from-a");
    let ok = node.rewrite().remove(0);
    assert!(body(&ok).contains("offer b-callee a-from-a"));
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert!(node.receive(CUSTOMER, described(&ack, SDP)).is_empty());
    assert_eq!(told(&node.asked[0]), "answer b-callee a-from-a");
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
    assert!(body(&sent[0]).contains("answer b-callee a-from-a"));
}

#[test]
fn either_side_offers_again() {
    let mut node = Node::with(anchored());
    let (to_vendor, ok) = up(&mut node);
    let requests = [
        (
            CUSTOMER,
            Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok),
            "a-from-a",
            "b-callee",
            VENDORS[0],
        ),
        (
            VENDORS[0],
            Within { method: "INVITE", cseq: 7, branch: "er" }.callee(&to_vendor, "callee"),
            "b-callee",
            "a-from-a",
            CUSTOMER,
        ),
        (
            CUSTOMER,
            Within { method: "UPDATE", cseq: 3, branch: "up" }.caller(&ok),
            "a-from-a",
            "b-callee",
            VENDORS[0],
        ),
        (
            VENDORS[0],
            Within { method: "UPDATE", cseq: 8, branch: "pu" }.callee(&to_vendor, "callee"),
            "b-callee",
            "a-from-a",
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
    assert_eq!(told(&node.asked[0]), "offer b-callee a-from-a");
    let early = node.rewrite().remove(0);
    let prack = Within { method: "PRACK", cseq: 2, branch: "prack" }.caller(&early);
    let prack = described(&prack.replace("Contact:", "RAck: 1 1 INVITE\r\nContact:"), SDP);
    assert!(node.receive(CUSTOMER, prack).is_empty());
    assert_eq!(told(&node.asked[0]), "answer b-callee a-from-a");
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
    assert_eq!(later.all_asked(), ["delete a-from-a -"]);
}

/// What describes no session of the call is not for its node.
#[test]
fn what_others_have_in_their_answers_asks_nothing() {
    let mut node = Node::with(anchored());
    let (_, ok) = up(&mut node);
    for method in ["OPTIONS", "INFO", "MESSAGE"] {
        let request = Within { method, cseq: 2, branch: method }.caller(&ok);
        let passed = node.receive(CUSTOMER, described(&request, SDP)).remove(0);
        let answer = described(&text(&response(&passed, 200, "zz")), SDP);
        assert_eq!(words(&node.receive(VENDORS[0], answer)), ["200>192.0.2.10:5060"], "{method}");
        assert!(node.asked.is_empty(), "{method}: {:?}", node.all_asked());
    }
}

/// An ACK that comes again asks again, and one that answers nothing goes without what it has.
#[test]
fn no_ack_leads_past_the_node() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    node.receive(VENDORS[0], described(&text(&response(&to_vendor, 200, "callee")), SDP));
    let ok = node.rewrite().remove(0);
    let ack = described(&Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok), SDP);
    for _ in 0..2 {
        assert!(node.receive(CUSTOMER, ack.clone()).is_empty());
        assert!(body(&node.rewrite()[0]).contains("answer b-callee a-from-a"));
    }
    let mut node = Node::with(anchored());
    let (_, ok) = up(&mut node);
    let ack = described(&Within { method: "ACK", cseq: 1, branch: "again" }.caller(&ok), SDP);
    let sent = node.receive(CUSTOMER, ack);
    assert_eq!((words(&sent), body(&sent[0])), (vec!["ACK>198.51.100.1:5060".to_owned()], String::new()));
}

/// A fork that answers too would take the place of the first at the node.
#[test]
fn a_second_answer_is_ended_where_it_comes_from() {
    let mut node = Node::with(anchored());
    let (to_vendor, _) = up(&mut node);
    let other = described(&text(&response(&to_vendor, 200, "other")), SDP);
    let sent = node.receive(VENDORS[0], other);
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(node.asked.is_empty());
}

/// What we cannot read others may.
#[test]
fn a_description_that_is_not_to_be_found_is_refused() {
    let hidden = |message: String| {
        message.replace(
            "Content-Type: application/sdp",
            "Content-Type: application/sdp\r\nContent-Encoding: gzip",
        )
    };
    let mut node = Node::with(anchored());
    let sent = node.receive(CUSTOMER, hidden(invite("a", "+15551234")));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "488>192.0.2.10:5060"]);
    let mut node = Node::with(anchored());
    let (_, ok) = up(&mut node);
    let again = described(&Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok), SDP);
    assert_eq!(words(&node.receive(CUSTOMER, hidden(again))), ["488>192.0.2.10:5060"]);
    assert!(node.asked.is_empty());
}

#[test]
fn a_description_may_be_so_long() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(8_000));
    let mut node = Node::with(anchored());
    let invite = invite("a", "+15551234").replace(
        "Content-Length: 5\r\n\r\nv=0\r\n",
        &format!("Content-Length: {}\r\n\r\n{long}", long.len()),
    );
    let sent = node.receive(CUSTOMER, invite);
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "488>192.0.2.10:5060"]);
    assert_eq!(node.happened().last().unwrap(), "ended 488 rejected None");
}

#[test]
fn fax_is_refused_where_it_is_not_wanted() {
    let fax = "v=0\r\nm=image 4000 udptl t38\r\n";
    let mut voice = anchored();
    voice.vendors[0].media.t38 = runtime::model::T38::Refuse;
    let mut node = Node::with(voice);
    let (_, ok) = up(&mut node);
    let again = described(&Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok), fax);
    assert_eq!(words(&node.receive(CUSTOMER, again)), ["488>192.0.2.10:5060"]);
}

/// An answer that comes after a restart is known by its cookie: its node rewrites it.
#[test]
fn an_answer_after_a_restart_goes_through_the_node() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let to_vendor = node.rewrite().remove(0);
    let mut later = Node::started(anchored(), node.now.wall.plus(SECOND).micros());
    let early = described(&text(&response(&to_vendor, 183, "callee")), SDP);
    let sent = later.receive(VENDORS[0], early);
    assert_eq!((words(&sent), body(&sent[0])), (vec!["183>192.0.2.10:5060".to_owned()], String::new()));
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(later.receive(VENDORS[0], ok).is_empty());
    assert_eq!(told(&later.asked[0]), "answer a-from-a b-callee");
    assert!(Request::parse(&later.asked[0].command.body).unwrap().via_branch().is_some(), "its attempt");
    let sent = later.rewrite();
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    assert!(body(&sent[0]).contains("answer"));
}

/// Of two that answer then the first has the call: the other one would take its place at the node.
#[test]
fn a_second_answer_after_a_restart_is_ended_where_it_comes_from() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let to_vendor = node.rewrite().remove(0);
    let mut later = Node::started(anchored(), node.now.wall.plus(SECOND).micros());
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(later.receive(VENDORS[0], ok.clone()).is_empty());
    assert_eq!(words(&later.rewrite()), ["200>192.0.2.10:5060"]);
    let other = described(&text(&response(&to_vendor, 200, "other")), SDP);
    let sent = later.receive(VENDORS[0], other);
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(later.asked.is_empty());
    assert!(later.receive(VENDORS[0], ok).is_empty(), "the first one's again");
    assert_eq!(words(&later.rewrite()), ["200>192.0.2.10:5060"]);
}

/// A node had the branch of the first INVITE, and the answer has that of the one that answered the challenge:
/// the node finds the call by its tags.
#[test]
fn an_answer_to_a_challenged_invite_after_a_restart() {
    let node = |started| Node::with_accounts(anchored(), &accounts(), started);
    let mut before = node(START);
    before.receive(CUSTOMER, invite("a", "+15551234"));
    let first = before.rewrite().remove(0);
    let again = before.receive(VENDORS[0], challenge(&first, 401, &asks("n1"))).remove(1);
    assert_eq!(again.word(), "INVITE");
    let mut later = node(START + 1_000_000);
    let ok = described(&text(&response(&again, 200, "callee")), SDP);
    assert!(later.receive(VENDORS[0], ok).is_empty());
    assert_eq!(told(&later.asked[0]), "answer a-from-a b-callee");
    assert!(Request::parse(&later.asked[0].command.body).unwrap().via_branch().is_none());
    let sent = later.rewrite();
    assert_eq!(
        (words(&sent), sent[0].value(HeaderId::CSeq)),
        (vec!["200>192.0.2.10:5060".to_owned()], "1 INVITE".to_owned())
    );
}
