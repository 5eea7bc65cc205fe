//! Contacts that are called at once: each has an offer of its own at the node, and one answer stays.

use super::*;
use crate::sip::worker::tests::parallel::{forked, with_contacts};

const OLD: &str = "203.0.113.72:5060";
const NEW: &str = "203.0.113.73:5060";
const CALLER: &str = "198.51.100.2:5060";

fn branch(sent: &Sent) -> String {
    let via = sent.message.list(HeaderId::Via).next().map(text).unwrap();
    let (_, branch) = via.split_once("branch=").unwrap();
    branch.split(';').next().unwrap().to_owned()
}

/// The attempt that a node was asked about.
fn attempt(asked: &ToMedia) -> String {
    text(Request::parse(&asked.command.body).unwrap().via_branch().unwrap())
}

/// A call to these contacts, of which the last one has its INVITE; the next one's offer is at the node.
fn first_of(contacts: &[&str]) -> (Node, Sent) {
    let voice = Voice { media_nodes: anchored().media_nodes, ..forked(false) };
    let mut node = with_contacts(voice, contacts);
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    node.receive(VENDORS[1], inbound);
    let invite = node.rewrite().remove(0);
    (node, invite)
}

/// A call to two contacts: the INVITEs to `NEW` and `OLD`.
fn scene() -> (Node, Sent, Sent) {
    let voice = Voice { media_nodes: anchored().media_nodes, ..forked(false) };
    let mut node = with_contacts(voice, &[OLD, NEW]);
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    assert_eq!(words(&node.receive(VENDORS[1], inbound)), [format!("100>{CALLER}")]);
    let mut invites = Vec::new();
    for to in [NEW, OLD] {
        assert_eq!(told(&node.asked[0]), "offer a-from-in -");
        let asked = attempt(&node.asked[0]);
        let sent = node.rewrite();
        assert_eq!(words(&sent), [format!("INVITE>{to}")]);
        assert_eq!(branch(&sent[0]), asked, "each has one of its own");
        invites.extend(sent);
    }
    assert!(node.asked.is_empty());
    let old = invites.pop().unwrap();
    (node, invites.pop().unwrap(), old)
}

#[test]
fn the_answer_of_the_first_stays() {
    let (mut node, new, old) = scene();
    let early = described(&text(&response(&old, 183, "old")), SDP);
    assert!(node.receive(OLD, early).is_empty(), "it waits");
    assert_eq!(
        (told(&node.asked[0]), attempt(&node.asked[0])),
        ("answer a-from-in b-old".to_owned(), branch(&old))
    );
    // What another one says meanwhile keeps its place.
    let ok = described(&text(&response(&new, 200, "new")), SDP);
    assert!(node.receive(NEW, ok).is_empty());
    assert_eq!(words(&node.rewrite()), [format!("183>{CALLER}")]);
    assert_eq!(
        (told(&node.asked[0]), attempt(&node.asked[0])),
        ("answer a-from-in b-new".to_owned(), branch(&new))
    );
    let sent = node.rewrite();
    assert_eq!(words(&sent), [format!("200>{CALLER}"), format!("CANCEL>{OLD}")]);
    assert_eq!(node.all_asked(), [format!("delete {} -", branch(&old))], "the loser's ports, and no others");

    let crossed = described(&text(&response(&old, 200, "old")), SDP);
    let crossed = node.receive(OLD, crossed);
    assert_eq!(words(&crossed), [format!("ACK>{OLD}"), format!("BYE>{OLD}")]);
    assert!(node.asked.is_empty(), "it takes nobody's place at the node");
    node.receive(OLD, response(&crossed[1], 200, "x"));

    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let bye = node.receive(VENDORS[1], bye).remove(0);
    assert_eq!(bye.to, NEW.parse().unwrap());
    node.receive(NEW, response(&bye, 200, "x"));
    assert_eq!(node.all_asked(), ["delete a-from-in -"]);
    node.settle();
}

#[test]
fn nothing_stays_of_a_call_that_nobody_answers() {
    let (mut node, new, old) = scene();
    node.receive(NEW, response(&new, 486, "new"));
    assert!(node.asked.is_empty(), "the other one rings on there");
    let sent = node.receive(OLD, response(&old, 486, "old"));
    assert_eq!(words(&sent), [format!("ACK>{OLD}"), format!("486>{CALLER}")]);
    assert_eq!(node.all_asked(), ["delete - -"]);
    node.settle();
}

/// The node of a contact that rings is not told to end what it has of the call when another contact is offered elsewhere.
#[test]
fn a_failed_contact_takes_no_other_with_it() {
    let third = "203.0.113.74:5060";
    let voice = Voice { media_nodes: anchored().media_nodes, ..forked(false) };
    let mut node = with_contacts(voice, &[third, OLD, NEW]);
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    node.receive(VENDORS[1], inbound);
    let new = node.rewrite().remove(0);
    let old = node.rewrite().remove(0);
    node.receive(NEW, response(&new, 486, "new"));
    node.receive(OLD, response(&old, 180, "old"));
    // The third one's node has no room.
    let (asked, _) = node.one_asked();
    let full = replied(|body| ng::reply::write::error(body, "Ran out of ports"));
    node.handle(vec![answer(&asked, full)]);
    // What was refused is deleted, and the other node asked.
    assert!(told(&node.asked.remove(0)).starts_with("delete z9hG4bK"));
    assert_eq!(words(&node.rewrite()), [format!("INVITE>{third}")]);
    assert_eq!(node.all_asked(), [format!("delete {} -", branch(&new))], "and nothing of the one that rings");
}

/// Those that ring beside it have one.
#[test]
fn a_contact_that_no_node_takes_ends_no_call_with_another() {
    for busy in [false, true] {
        let (mut node, new) = first_of(&[OLD, NEW]);
        let (asked, _) = node.one_asked();
        node.handle(vec![answer(&asked, Outcome::Silent)]);
        assert!(told(&node.asked.remove(0)).starts_with("delete z9hG4bK"));
        let (asked, _) = node.one_asked();
        assert!(node.handle(vec![answer(&asked, Outcome::Silent)]).is_empty(), "the other one rings on");
        node.asked.clear();
        if busy {
            let sent = node.receive(NEW, response(&new, 486, "new"));
            assert_eq!(words(&sent), [format!("ACK>{NEW}"), format!("486>{CALLER}")]);
            assert_eq!(node.happened().last().unwrap(), "ended 486 busy Some(Callee)");
            node.settle();
        } else {
            node.receive(NEW, described(&text(&response(&new, 200, "new")), SDP));
            assert_eq!(words(&node.rewrite()), [format!("200>{CALLER}")]);
            assert_eq!(node.happened().last().unwrap(), "answered", "and it goes on");
        }
    }
}

/// An offer behind an answer would take the caller away from who has answered, for good: a node does not give it back.
#[test]
fn nothing_is_offered_behind_an_answer() {
    let (mut node, new) = first_of(&["203.0.113.74:5060", OLD, NEW]);
    let (offer, _) = node.one_asked();
    assert!(node.receive(NEW, described(&text(&response(&new, 200, "new")), SDP)).is_empty());
    let (answered, asked) = node.one_asked();
    assert_eq!(asked, "answer a-from-in b-new");
    let does = |asked: &ToMedia| {
        let outcome = replied(|body| ng::reply::write::sdp(body, rewritten(asked).as_bytes()));
        vec![answer(asked, outcome)]
    };
    let sent = node.handle(does(&offer));
    assert_eq!(words(&sent), [format!("INVITE>{OLD}")]);
    assert!(node.asked.is_empty(), "that of the third one waits");
    let old = &sent[0];
    let sent = node.handle(does(&answered));
    assert_eq!(words(&sent), [format!("200>{CALLER}")]);
    assert_eq!(node.all_asked(), [format!("delete {} -", branch(old))], "and nothing of the third one");

    assert_eq!(words(&node.receive(OLD, response(old, 180, "old"))), [format!("CANCEL>{OLD}")]);
    node.receive(OLD, response(old, 487, "old"));
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let bye = node.receive(VENDORS[1], bye).remove(0);
    node.receive(NEW, response(&bye, 200, "x"));
    node.settle();
}

/// One that rings meanwhile keeps its place: the next one is offered behind its early media.
#[test]
fn an_offer_goes_when_early_media_is_settled() {
    let (mut node, new) = first_of(&["203.0.113.74:5060", OLD, NEW]);
    let (offer, _) = node.one_asked();
    assert!(node.receive(NEW, described(&text(&response(&new, 183, "new")), SDP)).is_empty());
    let (early, _) = node.one_asked();
    let outcome = replied(|body| ng::reply::write::sdp(body, rewritten(&offer).as_bytes()));
    assert_eq!(words(&node.handle(vec![answer(&offer, outcome)])), [format!("INVITE>{OLD}")]);
    assert!(node.asked.is_empty());
    let outcome = replied(|body| ng::reply::write::sdp(body, rewritten(&early).as_bytes()));
    assert_eq!(words(&node.handle(vec![answer(&early, outcome)])), [format!("183>{CALLER}")]);
    assert_eq!(words(&node.rewrite()), ["INVITE>203.0.113.74:5060"]);
}

/// What they had there is deleted: an answer would join the caller to nobody.
#[test]
fn a_node_hears_nothing_of_contacts_that_were_given_up() {
    let voice = Voice { media_nodes: anchored().media_nodes, ..forked(true) };
    let mut node = with_contacts(voice, &[OLD, NEW]);
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    node.receive(VENDORS[1], inbound);
    let new = node.rewrite().remove(0);
    node.rewrite();
    node.pass(8 * SECOND);
    assert_eq!(words(&node.rewrite()), ["INVITE>192.0.2.10:5060"]);
    assert_eq!(node.all_asked().len(), 2, "both contacts are deleted");
    let early = described(&text(&response(&new, 183, "new")), SDP);
    assert_eq!(words(&node.receive(NEW, early)), [format!("CANCEL>{NEW}")]);
    let sent = node.receive(NEW, described(&text(&response(&new, 200, "new")), SDP));
    assert_eq!(words(&sent), [format!("ACK>{NEW}"), format!("BYE>{NEW}")]);
    assert!(node.asked.is_empty());
}
