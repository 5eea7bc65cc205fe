//! Calls whose callee makes the offer: until then no node has anything of them, and any may take them.

use super::dialogs::without_offer;
use super::*;
use crate::media::exchange::Patience;

/// The node that does not take an offer says this, or nothing.
fn refusals() -> [Outcome; 4] {
    let error = |text: &'static str| replied(|body| ng::reply::write::error(body, text));
    [Outcome::Silent, Outcome::Unsent, error("Ran out of ports"), error("CPU usage limit exceeded")]
}

/// The node of the cookie in the INVITE, and the other one.
fn nodes(node: &Node, invite: &Sent) -> (u8, u8) {
    let first = node.media.choose(node.events[0].dialog.as_u128(), &[], node.now.instant).unwrap();
    assert_eq!(invite.word(), "INVITE");
    (first, 3 - first)
}

/// A side ends the call, which is deleted at this node.
fn ends_at(node: &mut Node, (from, to): (&str, &str), bye: String, at: u8) {
    let sent = node.receive(from, bye);
    assert_eq!(words(&sent), [format!("BYE>{to}")]);
    node.receive(to, response(&sent[0], 200, "x"));
    let (deleted, told) = node.one_asked();
    assert_eq!((deleted.node, told.as_str()), (at, "delete a-from-a -"));
    assert!(matches!(deleted.command.ticket, Ticket::Record(_)));
}

/// A call to a vendor that offers in this response, which the first node does not take: its INVITE, the node that has it,
/// and what the caller gets.
fn moved(node: &mut Node, status: u16, outcome: Outcome) -> (Sent, u8, Sent) {
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let (first, other) = nodes(node, &to_vendor);
    let early = "Require: 100rel\r\nRSeq: 1\r\nContact:";
    let mut offer = text(&response(&to_vendor, status, "callee"));
    if status < 200 {
        offer = offer.replace("Contact:", early);
    }
    assert!(node.receive(VENDORS[0], described(&offer, SDP)).is_empty(), "it waits");
    let (asked, told) = node.one_asked();
    assert_eq!((asked.node, told.as_str()), (first, "offer b-callee a-from-a"));
    assert_eq!(asked.command.patience, Patience::BRIEF, "another one could take it");
    assert!(node.handle(vec![answer(&asked, outcome)]).is_empty(), "it waits on");
    // It may have heard it after all.
    let deleted = node.asked.remove(0);
    assert_eq!((deleted.node, super::told(&deleted).starts_with("delete z9hG4bK")), (first, true));
    let again = &node.asked[0];
    assert_eq!((again.node, &again.command.body), (other, &asked.command.body));
    assert_eq!(again.command.patience, Patience::PINNED, "it is the last one");
    let mut sent = node.rewrite();
    assert_eq!(words(&sent), [format!("{status}>{CUSTOMER}")]);
    let answered = sent.remove(0);
    assert!(body(&answered).ends_with(&format!("by {other}\r\n")), "{}", answered.text());
    (to_vendor, other, answered)
}

#[test]
fn an_answer_that_offers_goes_to_the_next_node() {
    for outcome in refusals() {
        let mut node = Node::with(anchored());
        let (_, other, ok) = moved(&mut node, 200, outcome.clone());
        let What::Answered(answered) = &node.events.last().unwrap().what else { panic!("{outcome:?}") };
        let carrier = answered.dialog.media.as_ref().map(|anchor| anchor.node);
        assert_eq!(carrier, Some(other), "its record has the node that carries it");
        let ack = described(&Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok), SDP);
        assert!(node.receive(CUSTOMER, ack).is_empty());
        assert_eq!((node.asked[0].node, told(&node.asked[0]).as_str()), (other, "answer b-callee a-from-a"));
        assert_eq!(words(&node.rewrite()), ["ACK>198.51.100.1:5060"]);
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        ends_at(&mut node, (CUSTOMER, VENDORS[0]), bye, other);
        assert_eq!(carried_by(&node.events.last().unwrap().what), Some(other));
        node.settle();
    }
}

/// One with too much to do is spared for longer than one without room, and who was silent has said nothing.
#[test]
fn a_node_is_spared_for_want_of_what_it_lacks() {
    for (outcome, seconds) in refusals().into_iter().zip([0, 0, 1, 3]) {
        let mut node = Node::with(anchored());
        let (_, other, _) = moved(&mut node, 200, outcome);
        let media = node.media.node(3 - other).unwrap();
        let is_spared = |second: &u32| media.health.is_full(node.now.instant + SECOND * *second);
        let spared = (0..5).take_while(is_spared).count();
        assert_eq!(spared, seconds);
    }
}

/// With the answer the caller has the name of the node that carries the call, so that its BYE finds that node where nothing
/// else is known. The callee has the INVITE's: there that node does not know the call, and all are asked.
#[test]
fn without_a_record_the_caller_knows_the_node() {
    for hidden in [false, true] {
        let mut voice = anchored();
        voice.trunks[0].hide_topology = hidden;
        voice.vendors[0].hide_topology = hidden;
        let mut node = Node::with(voice.clone());
        let (to_vendor, other, ok) = moved(&mut node, 200, Outcome::Silent);
        let later = || Node::started(voice.clone(), node.now.wall.plus(SECOND).micros());
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        ends_at(&mut later(), (CUSTOMER, VENDORS[0]), bye, other);
        let bye = Within { method: "BYE", cseq: 2, branch: "eyb" }.callee(&to_vendor, "callee");
        ends_at(&mut later(), (VENDORS[0], CUSTOMER), bye, 3 - other);
    }
}

/// Where the first node takes it nothing of the cookie changes.
#[test]
fn a_cookie_that_is_right_stays() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty());
    let ok = node.rewrite().remove(0);
    assert_eq!(ok.value(HeaderId::RecordRoute), to_vendor.value(HeaderId::RecordRoute));
    let mut node = Node::with(anchored());
    let (to_vendor, _, ok) = moved(&mut node, 200, Outcome::Silent);
    let [before, after] = [to_vendor, ok].map(|sent| sent.value(HeaderId::RecordRoute));
    assert_ne!(before, after);
    assert_eq!(before.len(), after.len(), "one cookie in the place of the other");
}

/// An early offer moves the call as well; what follows is for the node that has it, and for no other.
#[test]
fn an_early_offer_moves_and_what_follows_does_not() {
    for outcome in refusals() {
        let mut node = Node::with(anchored());
        let (to_vendor, other, early) = moved(&mut node, 183, outcome);
        let prack = Within { method: "PRACK", cseq: 2, branch: "prack" }.caller(&early);
        let prack = described(&prack.replace("Contact:", "RAck: 1 1 INVITE\r\nContact:"), SDP);
        assert!(node.receive(CUSTOMER, prack).is_empty());
        assert_eq!((node.asked[0].node, told(&node.asked[0]).as_str()), (other, "answer b-callee a-from-a"));
        assert_eq!(words(&node.rewrite()), ["PRACK>198.51.100.1:5060"]);
        let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
        assert!(node.receive(VENDORS[0], ok).is_empty());
        let (asked, _) = node.one_asked();
        assert_eq!((asked.node, asked.command.patience), (other, Patience::PINNED));
        // Its ports are there: nobody else takes it.
        let sent = words(&node.handle(vec![answer(&asked, Outcome::Silent)]));
        assert!(sent.contains(&format!("503>{CUSTOMER}")), "{sent:?}");
        assert!(node.all_asked().iter().all(|told| told.starts_with("delete")));
        assert_eq!(node.happened().last().unwrap(), "ended 503 media_failed None");
    }
}

/// It may have been minutes ago that the INVITE went.
#[test]
fn a_node_that_is_gone_by_the_time_of_the_answer_is_not_waited_for() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let (first, other) = nodes(&node, &to_vendor);
    // What rings describes nothing, and moves nothing.
    assert_eq!(
        words(&node.receive(VENDORS[0], response(&to_vendor, 180, "callee"))),
        [format!("180>{CUSTOMER}")]
    );
    node.media.node(first).unwrap().health.gone(node.now.instant);
    assert!(node.receive(VENDORS[0], described(&text(&response(&to_vendor, 200, "callee")), SDP)).is_empty());
    assert_eq!(
        (node.asked[0].node, told(&node.asked.remove(0)).starts_with("delete z9hG4bK")),
        (first, true)
    );
    assert_eq!(node.asked[0].node, other);
    let ok = node.rewrite().remove(0);
    assert_eq!(ok.word(), "200");
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    ends_at(&mut node, (CUSTOMER, VENDORS[0]), bye, other);
}

#[test]
fn where_no_node_takes_it_the_call_ends_at_both_ends() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    node.receive(VENDORS[0], described(&text(&response(&to_vendor, 200, "callee")), SDP));
    let (asked, _) = node.one_asked();
    node.handle(vec![answer(&asked, Outcome::Silent)]);
    node.asked.remove(0);
    let (asked, _) = node.one_asked();
    let mut sent = words(&node.handle(vec![answer(&asked, Outcome::Silent)]));
    sent.sort();
    assert_eq!(sent, ["503>192.0.2.10:5060", "ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert_eq!(node.happened().last().unwrap(), "ended 503 media_failed None");
    assert_eq!(node.all_asked(), ["delete - -"]);
}

/// It is deleted where it went meanwhile.
#[test]
fn a_caller_that_gives_up_meanwhile_leaves_nothing_at_either_node() {
    let mut node = Node::with(anchored());
    let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
    let (first, other) = nodes(&node, &to_vendor);
    let early = text(&response(&to_vendor, 183, "callee"));
    node.receive(VENDORS[0], described(&early, SDP));
    let (asked, _) = node.one_asked();
    let cancel = without_offer().replace("INVITE", "CANCEL");
    let sent = words(&node.receive(CUSTOMER, cancel));
    assert!(sent.contains(&format!("200>{CUSTOMER}")), "{sent:?}");
    node.handle(vec![answer(&asked, Outcome::Silent)]);
    assert_eq!([node.asked.remove(0).node, node.asked[0].node], [first, other]);
    node.rewrite();
    let sent = words(&node.receive(VENDORS[0], response(&to_vendor, 487, "callee")));
    assert!(sent.contains(&format!("487>{CUSTOMER}")), "{sent:?}");
    let (deleted, told) = node.one_asked();
    assert_eq!((deleted.node, told.as_str()), (other, "delete - -"));
    let ack = without_offer().replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
    node.receive(CUSTOMER, ack);
    node.settle();
}
