use super::*;
use crate::sip::event::What;
use crate::sip::testing::{CUSTOMER, Node, VENDORS, invite, response};

/// Calls that began, of which the first was answered.
fn calls(node: &mut Node, count: usize) -> Vec<LiveCall> {
    let mut calls = Vec::new();
    for number in 0..count {
        node.now = node.now.plus(std::time::Duration::from_millis(2));
        let sent = node.receive(CUSTOMER, invite(&format!("c{number}"), "+15551234"));
        if number == 0 {
            node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
        }
        for event in std::mem::take(&mut node.events) {
            let (dialog, at) = (event.dialog, event.at);
            if let What::Started(started) = event.what {
                calls.push(LiveCall::begin(dialog, (7, std::time::Duration::ZERO), at, *started).unwrap());
            } else {
                calls.last_mut().unwrap().apply(event);
            }
        }
    }
    calls
}

#[test]
fn pages_by_number_the_oldest_first() {
    let mut node = Node::new();
    let calls = calls(&mut node, 5);
    let list = LiveList::default();
    for call in calls.iter().rev() {
        list.enter(call);
    }
    let ids = |after, limit| list.faces(after, limit).iter().map(|face| face.id).collect::<Vec<_>>();
    let all: Vec<_> = calls.iter().map(LiveCall::id).collect();
    assert_eq!(ids(None, 100), all);
    assert_eq!(ids(None, 2), all[..2]);
    assert_eq!(ids(Some(all[1]), 2), all[2..4]);
    assert!(ids(Some(all[4]), 2).is_empty());
    list.leave(all[2]);
    assert_eq!(ids(Some(all[1]), 1), all[3..4], "a page goes on where its call was");
    assert_eq!(ids(Some(all[2]), 1), all[3..4]);
}

#[test]
fn what_is_seen_of_a_call() {
    let mut node = Node::new();
    let calls = calls(&mut node, 2);
    let snapshot = node.snapshot();
    let names = Names::of(&snapshot);
    let [up, early] = [&calls[0], &calls[1]].map(|call| Face::new(call).listed(&names));
    assert_eq!(
        (up.state, up.vendor.as_deref(), up.answered_at.is_some()),
        ("confirmed", Some("vendor-1"), true)
    );
    assert_eq!((early.state, early.vendor, early.answered_at), ("early", None, None));
    assert_eq!((&*up.trunk, &*up.caller, &*up.callee), ("acme-main", "+155***01", "+155***34"));
    let page = Page { live: 2, calls: vec![up], next: None }.to_string();
    assert!(page.contains("confirmed  acme-main  vendor-1  +155***01  +155***34  "), "{page}");
    assert!(page.ends_with("\n2 calls live\n") && !page.contains("5551234"), "{page}");
}
