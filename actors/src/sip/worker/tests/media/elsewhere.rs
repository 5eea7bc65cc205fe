//! A call with media is changed by way of another node of ours.

use super::super::elsewhere::{MINUTE, found, recorded, share};
use super::*;
use crate::sip::finder::Outcome as Search;

/// The media node of the call is asked, by the name that the call has there.
#[test]
fn a_hold_at_another_node_asks_the_media_node_of_the_call() {
    let mut first = Node::with(anchored());
    let (to_vendor, ok) = up(&mut first);
    let dialog = recorded(&first);
    let anchor = dialog.media.clone().unwrap();
    let mut second = share(Node::started(anchored(), first.now.wall.micros() + MINUTE));
    let hold = described(&Within { method: "INVITE", cseq: 2, branch: "hold" }.caller(&ok), SDP);
    assert!(second.receive(CUSTOMER, hold).is_empty());
    assert!(second.asked.is_empty(), "it is not known yet which node has it");
    assert!(second.handle(found(dialog.id, Search::Taken(dialog.clone()))).is_empty());
    let asked = &second.asked[0];
    assert_eq!((asked.node, told(asked)), (anchor.node, "offer a-from-a b-callee".to_owned()));
    let name = crate::sip::anchor::Name { owner: anchor.owner, dialog: dialog.id }.to_string();
    assert!(text(&asked.command.body).contains(&name), "{name}");
    let sent = second.rewrite();
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    assert!(body(&sent[1]).contains("offer a-from-a b-callee"), "{}", sent[1].text());
    let answer = described(&text(&response(&sent[1], 200, "zz")), SDP);
    assert!(second.receive(VENDORS[0], answer).is_empty());
    assert_eq!(words(&second.rewrite()), ["200>192.0.2.10:5060"]);
    // And back, from the other side.
    let resume = Within { method: "INVITE", cseq: 7, branch: "resume" }.callee(&to_vendor, "callee");
    assert!(second.receive(VENDORS[0], described(&resume, SDP)).is_empty());
    let (asked, told) = second.one_asked();
    assert_eq!((asked.node, told.as_str()), (anchor.node, "offer b-callee a-from-a"));
}
