//! Calls whose media goes through a node: what it is asked, what waits for it, and what becomes of a call without it.

mod dialogs;
mod direct;
mod elsewhere;
mod forked;
mod hidden;
mod late;
mod lost;

use std::net::SocketAddr;

use ng::{Reply, Request};
use runtime::log::Reason;
use runtime::model::{MediaNode, MediaNodeState, MediaPath, Voice};
use uuid::Uuid;

use super::*;
use crate::media::exchange::Outcome;
use crate::media::pool::{Answer, Over, Ticket};
use crate::sip::event::What;
use crate::sip::testing::voice;
use crate::sip::worker::{Input, ToMedia};

const SDP: &str = "v=0\r\n";

/// Two nodes beside the usual configuration.
fn anchored() -> Voice {
    let node = |number: u8| MediaNode {
        id: Uuid::from_u128(60 + u128::from(number)),
        number,
        name: format!("media-{number}"),
        address: SocketAddr::from(([10, 0, 0, number], 22_222)),
        weight: 50,
        state: MediaNodeState::Active,
    };
    Voice { media_nodes: vec![node(1), node(2)], ..voice() }
}

/// What a node was asked, in words: command, the tags and the attempt that it is about.
fn told(asked: &ToMedia) -> String {
    let request = Request::parse(&asked.command.body).unwrap();
    let word = |value: Option<&[u8]>| text(value.unwrap_or(b"-"));
    format!("{} {} {}", request.name.unwrap().word(), word(request.from_tag()), word(request.to_tag()))
}

/// What a node makes of a description: which node, of whose, for whom.
fn rewritten(asked: &ToMedia) -> String {
    format!("v=0\r\ns={} by {}\r\n", told(asked), asked.node)
}

fn answer(asked: &ToMedia, outcome: Outcome) -> Input {
    let Ticket::Worker(waiter) = asked.command.ticket else { panic!("nobody waits for {}", told(asked)) };
    Input::Media(Answer { waiter, node: asked.node, outcome })
}

fn replied(write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let mut body = Vec::new();
    write(&mut body);
    Reply::parse(&body).unwrap();
    Outcome::Answered(body.into())
}

impl Node {
    /// The one thing that was asked since, in words too.
    fn one_asked(&mut self) -> (ToMedia, String) {
        assert_eq!(self.asked.len(), 1, "{:?}", self.asked.iter().map(told).collect::<Vec<_>>());
        let asked = self.asked.remove(0);
        let told = told(&asked);
        (asked, told)
    }

    /// The node does what it was asked.
    fn rewrite(&mut self) -> Vec<Sent> {
        let (asked, _) = self.one_asked();
        let outcome = replied(|body| ng::reply::write::sdp(body, rewritten(&asked).as_bytes()));
        self.handle(vec![answer(&asked, outcome)])
    }

    /// What it was asked, in words, and is not asked any more.
    fn all_asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked).iter().map(told).collect()
    }
}

fn described(message: &str, sdp: &str) -> String {
    let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    message.replace("Content-Length: 0\r\n\r\n", &body)
}

/// The node that is asked what it has counted of a call that ended.
fn carried_by(what: &What) -> Option<u8> {
    let What::Ended(ended) = what else { panic!("{what:?}") };
    ended.media
}

fn body(sent: &Sent) -> String {
    text(sent.message.body())
}

/// A call that is up: the INVITE as the vendor got it, and the 200 as the customer got it.
fn up(node: &mut Node) -> (Sent, Sent) {
    assert_eq!(words(&node.receive(CUSTOMER, invite("a", "+15551234"))), ["100>192.0.2.10:5060"]);
    let invite = node.rewrite().remove(0);
    let ok = described(&text(&response(&invite, 200, "callee")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty(), "it waits");
    let ok = node.rewrite().remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    (invite, ok)
}

#[test]
fn a_call_from_offer_to_delete() {
    let mut node = Node::with(anchored());
    assert_eq!(words(&node.receive(CUSTOMER, invite("a", "+15551234"))), ["100>192.0.2.10:5060"]);
    assert_eq!(told(&node.asked[0]), "offer a-from-a -");
    let carrier = node.asked[0].node;
    // The same INVITE again while it waits.
    assert_eq!(words(&node.receive(CUSTOMER, invite("a", "+15551234"))), ["100>192.0.2.10:5060"]);
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["INVITE>198.51.100.1:5060"]);
    let to_vendor = sent[0].clone();
    assert_eq!(body(&to_vendor), format!("v=0\r\ns=offer a-from-a - by {carrier}\r\n"));
    let early = described(&text(&response(&to_vendor, 183, "callee")), SDP);
    assert!(node.receive(VENDORS[0], early).is_empty());
    assert_eq!(told(&node.asked[0]), "answer a-from-a b-callee");
    // What comes behind it waits too, and keeps its place.
    let ok = described(&text(&response(&to_vendor, 200, "callee")), SDP);
    assert!(node.receive(VENDORS[0], ok).is_empty());
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["183>192.0.2.10:5060"]);
    assert_eq!(body(&sent[0]), format!("v=0\r\ns=answer a-from-a b-callee by {carrier}\r\n"));
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&sent[0]);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let bye = node.receive(CUSTOMER, bye).remove(0);
    assert!(node.asked.is_empty(), "it is up until the BYE is answered");
    node.receive(VENDORS[0], response(&bye, 200, "x"));
    let ended = node.events.last().unwrap();
    let over = Over { worker: 1, owner: 7, dialog: ended.dialog };
    assert_eq!(node.asked[0].command.ticket, Ticket::Record(over), "its record is to have what was counted");
    assert_eq!(carried_by(&ended.what), Some(carrier));
    assert_eq!((node.asked[0].node, node.all_asked()), (carrier, vec!["delete a-from-a -".to_owned()]));
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    node.settle();
}

/// A datagram may come without the length of its body. What goes out has one, that of the node's description.
#[test]
fn an_invite_has_the_length_of_the_description_that_it_goes_with() {
    for length in ["Content-Length: 5\r\n", "l: 5\r\n", ""] {
        let mut node = Node::with(anchored());
        let came = invite("a", "+15551234").replace("Content-Length: 5\r\n", length);
        assert_eq!(words(&node.receive(CUSTOMER, came)), ["100>192.0.2.10:5060"]);
        let carrier = node.asked[0].node;
        let sent = node.rewrite().remove(0);
        assert_eq!(body(&sent), format!("v=0\r\ns=offer a-from-a - by {carrier}\r\n"), "{length}");
        let lengths: Vec<String> = sent.message.values(HeaderId::ContentLength).map(text).collect();
        assert_eq!(lengths, [body(&sent).len().to_string()], "{length}");
    }
}

/// One that we end is asked about like any other; one that never came up has nothing to tell.
#[test]
fn nodes_tell_what_they_counted_of_calls_that_were_up() {
    let mut node = Node::with(anchored());
    up(&mut node);
    let dialog = node.events.last().unwrap().dialog;
    node.handle(vec![Input::HangUp(dialog, Reason::Operator)]);
    let ended = node.events.last().unwrap();
    let (deleted, told) = (&node.asked[0], told(&node.asked[0]));
    assert_eq!((told.as_str(), carried_by(&ended.what)), ("delete a-from-a -", Some(deleted.node)));
    assert!(matches!(deleted.command.ticket, Ticket::Record(over) if over.dialog == dialog));

    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let to_vendor = node.rewrite().remove(0);
    node.receive(VENDORS[0], response(&to_vendor, 486, "x"));
    assert_eq!(carried_by(&node.events.last().unwrap().what), None);
    assert_eq!(node.asked[0].command.ticket, Ticket::Nobody);
    assert_eq!(node.all_asked(), ["delete - -"]);
}

#[test]
fn what_both_sides_let_pass_goes_past_us() {
    for (trunk, vendor, is_anchored) in [
        (MediaPath::Direct, MediaPath::Direct, false),
        (MediaPath::Direct, MediaPath::Anchored, true),
        (MediaPath::Anchored, MediaPath::Direct, true),
    ] {
        let mut voice = anchored();
        voice.trunks[0].media.path = trunk;
        voice.vendors[0].media.path = vendor;
        let mut node = Node::with(voice);
        let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
        assert_eq!((sent.len(), node.asked.len()), if is_anchored { (1, 1) } else { (2, 0) });
    }
}

/// A node's names of calls are not what peers write.
#[test]
fn a_call_id_that_comes_twice_is_two_calls() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let other = invite("a", "+15559999").replace("branch=z9hG4bK-a-1", "branch=z9hG4bK-other");
    node.receive(CUSTOMER, other.replace("tag=from-a", "tag=from-b"));
    let names: Vec<_> = node
        .asked
        .iter()
        .map(|asked| text(Request::parse(&asked.command.body).unwrap().call_id().unwrap()))
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names[0] != names[1] && names.iter().all(|name| name.starts_with("warp-")), "{names:?}");
}

#[test]
fn the_next_vendor_has_an_attempt_of_its_own() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let first = node.rewrite().remove(0);
    let sent = node.receive(VENDORS[0], response(&first, 503, "x"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
    let sent = node.rewrite();
    assert_eq!(words(&sent), ["INVITE>198.51.100.2:5060"]);
    // The first is deleted when the second has its ports, so that the caller keeps its own.
    let (deleted, told) = node.one_asked();
    assert!(told.starts_with("delete z9hG4bK"), "by a tag that nobody has: {told}");
    let request = Request::parse(&deleted.command.body).unwrap();
    let via = first.value(HeaderId::Via);
    assert!(via.contains(&text(request.via_branch().unwrap())), "{via}");
    let sent = node.receive(VENDORS[1], response(&sent[0], 486, "x"));
    assert_eq!(words(&sent), ["ACK>198.51.100.2:5060", "486>192.0.2.10:5060"]);
    let (deleted, _) = node.one_asked();
    assert!(Request::parse(&deleted.command.body).unwrap().via_branch().is_none(), "the whole call");
    node.settle();
}

#[test]
fn a_cancel_while_the_node_is_asked_leaves_nothing() {
    let mut node = Node::with(anchored());
    node.receive(CUSTOMER, invite("a", "+15551234"));
    let cancel = invite("a", "+15551234").replace("INVITE", "CANCEL");
    let cancel = cancel.replace(
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    let sent = node.receive(CUSTOMER, cancel);
    assert_eq!(words(&sent), ["200>192.0.2.10:5060", "487>192.0.2.10:5060"]);
    let sent = node.rewrite();
    assert!(sent.is_empty(), "{:?}", words(&sent));
    assert_eq!(node.all_asked().len(), 1, "what it was given is deleted");
    let ack = invite("a", "+15551234").replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
    node.receive(CUSTOMER, ack);
    node.settle();
}
