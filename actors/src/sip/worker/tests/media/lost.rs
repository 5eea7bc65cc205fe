//! Nodes that are silent, full or gone.

use super::dialogs::without_offer;
use super::*;
use crate::media::exchange::{Action, Exchange};

/// The node that was asked stands still: time passes until its way gives it up, and the call hears of that.
fn frozen(node: &mut Node, asked: ToMedia) -> Vec<Sent> {
    let ToMedia { node: number, command } = asked;
    let (mut exchange, mut out) = (Exchange::new(7), Vec::new());
    exchange.submit(command, node.now.instant, &mut out);
    while let Some(next) = exchange.next_deadline() {
        let sent = node.pass(next.saturating_duration_since(node.now.instant));
        assert!(sent.is_empty(), "{:?}", words(&sent));
        exchange.fire(node.now.instant, &mut out);
    }
    let last = out.pop().unwrap();
    let Action::Done(Ticket::Worker(waiter), Outcome::Silent, _) = &last else { panic!("{last:?}") };
    node.handle(vec![Input::Media(Answer { waiter: *waiter, node: number, outcome: Outcome::Silent })])
}

/// From its INVITE, or from the offer of who answers it, until it is on its way again by another node.
#[test]
fn a_new_call_moves_within_a_quarter_of_a_second_of_silence() {
    for late in [false, true] {
        let mut node = Node::with(anchored());
        if late {
            let to_vendor = node.receive(CUSTOMER, without_offer()).remove(1);
            node.receive(VENDORS[0], described(&text(&response(&to_vendor, 200, "callee")), SDP));
        } else {
            node.receive(CUSTOMER, invite("a", "+15551234"));
        }
        let (began, (asked, _)) = (node.now.instant, node.one_asked());
        let first = asked.node;
        assert!(frozen(&mut node, asked).is_empty());
        assert_eq!(node.asked.remove(0).node, first, "that is told to forget it");
        assert_ne!(node.asked[0].node, first);
        let expected = if late { "200>192.0.2.10:5060" } else { "INVITE>198.51.100.1:5060" };
        assert_eq!(words(&node.rewrite()), [expected]);
        let took = node.now.instant.saturating_duration_since(began);
        assert!(took > Duration::ZERO && took <= Duration::from_millis(250), "{took:?}");
    }
}

#[test]
fn a_silent_node_loses_the_call_to_the_other() {
    let error = |text: &'static str| replied(|body| ng::reply::write::error(body, text));
    for (outcome, full) in [
        (Outcome::Silent, false),
        (error("Ran out of ports"), true),
        (error("Parallel session limit reached"), true),
        (error("CPU usage limit exceeded"), true),
        (error("Load limit exceeded"), true),
        (error("Bandwidth limit exceeded"), true),
    ] {
        let mut node = Node::with(anchored());
        node.receive(CUSTOMER, invite("a", "+15551234"));
        let (asked, _) = node.one_asked();
        assert!(node.handle(vec![answer(&asked, outcome)]).is_empty());
        let said_so = node.media.node(asked.node).unwrap().health.is_full(node.now.instant);
        assert_eq!(said_so, full, "others are spared the way there");
        // It may have heard it after all.
        let deleted = node.asked.remove(0);
        assert_eq!((deleted.node, told(&deleted).starts_with("delete z9hG4bK")), (asked.node, true));
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
    assert_eq!(node.all_asked(), ["delete - -"]);
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

/// A vendor that is given up answers before the next one is asked: it has the call, with its own place at the node.
#[test]
fn an_answer_while_the_next_vendor_waits_for_the_node_is_taken() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let first = node.rewrite().remove(0);
    node.pass(SECOND * 4);
    assert!(told(&node.asked[0]).starts_with("offer"), "the next vendor's");
    let next = node.asked.remove(0);
    let ok = described(&text(&response(&first, 200, "late")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty());
    assert_eq!(told(&node.asked[0]), "answer a-from-a b-late");
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    assert!(body(&sent[0]).contains("answer"));
    assert!(node.all_asked().is_empty(), "it is not deleted");
    let outcome = replied(|body| ng::reply::write::sdp(body, b"v=0\r\n"));
    assert!(node.handle(vec![answer(&next, outcome)]).is_empty());
    let (deleted, told) = node.one_asked();
    let own = Request::parse(&deleted.command.body).unwrap();
    assert!(
        told.starts_with("delete z9hG4bK")
            && !first.value(HeaderId::Via).contains(&text(own.via_branch().unwrap()))
    );
}

/// What an earlier incarnation of the worker asked is not an answer to this one.
#[test]
fn answers_to_an_earlier_incarnation_are_nobodys() {
    let mut before = Node::with(anchored());
    before.receive(CUSTOMER, invite("a", "+15551234"));
    let (old, _) = before.one_asked();
    let mut node = Node::started(anchored(), before.now.wall.plus(SECOND).micros());
    node.receive(CUSTOMER, invite("b", "+15551234"));
    let outcome = replied(|body| ng::reply::write::sdp(body, b"v=0\r\n"));
    assert!(node.handle(vec![answer(&old, outcome)]).is_empty());
    assert_eq!(words(&node.rewrite()), ["INVITE>198.51.100.1:5060"]);
}

/// The second 200 asks again; that its node is silent then says nothing of a call that is up.
#[test]
fn an_answer_that_comes_again_fails_nothing() {
    let mut node = Node::with(anchored());
    let (to_vendor, _) = up(&mut node);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty());
    let (asked, _) = node.one_asked();
    assert!(node.handle(vec![answer(&asked, Outcome::Silent)]).is_empty());
    assert!(node.happened().iter().all(|word| !word.starts_with("ended")));
}

/// What it had there is deleted by then: an answer would join the caller to nobody.
#[test]
fn a_node_hears_nothing_of_a_vendor_that_was_given_up() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let first = node.rewrite().remove(0);
    node.pass(SECOND * 4);
    assert_eq!(words(&node.rewrite()), ["INVITE>198.51.100.2:5060"]);
    assert_eq!(node.all_asked().len(), 1, "the first vendor's is deleted");
    let early = described(&text(&response(&first, 183, "late")), SDP);
    assert_eq!(words(&node.receive(VENDORS[0], early)), ["CANCEL>198.51.100.1:5060"]);
    let sent = node.receive(VENDORS[0], described(&text(&response(&first, 200, "late")), SDP));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(node.asked.is_empty());
}
