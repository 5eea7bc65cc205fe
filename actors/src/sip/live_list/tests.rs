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
    assert_eq!((up.customer_id, up.ban.as_deref()), (snapshot.trunks[0].config.customer, Some("TB-1")));
    assert_eq!((&*up.trunk, &*up.caller, &*up.callee), ("acme-main", "+155***01", "+155***34"));
    let page = Page { live: 2, calls: vec![up], next: None }.to_string();
    assert!(page.contains("confirmed  TB-1  acme-main  vendor-1  +155***01  +155***34  "), "{page}");
    assert!(page.ends_with("\n2 calls live\n") && !page.contains("5551234"), "{page}");
}

#[test]
fn calls_are_found_by_whose_they_are_and_who_has_them() {
    let mut node = Node::new();
    let calls = calls(&mut node, 2);
    let snapshot = node.snapshot();
    let names = Names::of(&snapshot);
    let list = LiveList::default();
    for call in &calls {
        list.enter(call);
    }
    let (all, customer) = (Wanted::default(), Some(snapshot.trunks[0].config.customer));
    let [up, early] = [calls[0].id(), calls[1].id()];
    let cases: [(Wanted<'_>, &[Uuid]); 9] = [
        (all, &[up, early]),
        (Wanted { customer, ..all }, &[up, early]),
        (Wanted { customer: Some(Uuid::from_u128(2)), ..all }, &[]),
        (Wanted { trunk: Some("acme-main"), ..all }, &[up, early]),
        (Wanted { trunk: Some("acme"), ..all }, &[]),
        (Wanted { vendor: Some("vendor-1"), ..all }, &[up]),
        (Wanted { vendor: Some("vendor-2"), ..all }, &[]),
        (Wanted { customer, after: Some(up), ..all }, &[early]),
        (Wanted { customer, trunk: Some("acme-main"), vendor: Some("vendor-1"), after: Some(up) }, &[]),
    ];
    for (wanted, expected) in cases {
        let found = list.find(&wanted, &names, 10);
        assert_eq!(found.iter().map(|face| face.id).collect::<Vec<_>>(), expected, "{wanted:?}");
    }
    // What is not configured any more is shown by its key, and found by it.
    let gone = Snapshot::default();
    let (names, trunk) = (Names::of(&gone), snapshot.trunks[0].config.id.to_string());
    let found = list.find(&Wanted { trunk: Some(&trunk), ..all }, &names, 10);
    assert_eq!(found.len(), 2);
    let listed = found[0].listed(&names);
    assert_eq!((listed.trunk, Some(listed.customer_id), listed.ban), (trunk, customer, None));
}

#[test]
fn a_page_is_full_though_most_calls_are_not_asked_for() {
    let mut node = Node::new();
    let calls = calls(&mut node, 1);
    let snapshot = node.snapshot();
    let names = Names::of(&snapshot);
    let list = LiveList::default();
    let number = |n: usize| Uuid::from_u128(u128::try_from(n).unwrap());
    let own = Uuid::from_u128(7);
    let count = 4 * FACES_AT_ONCE;
    for n in 0..count {
        let customer = if n % 100 == 99 { own } else { Uuid::nil() };
        let face = Face { id: number(n), customer, ..Face::new(&calls[0]) };
        list.0.lock().insert(face.id, Arc::new(face));
    }
    let found = |after, limit| {
        let wanted = Wanted { customer: Some(own), after, ..Wanted::default() };
        list.find(&wanted, &names, limit).iter().map(|face| face.id).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..count).filter(|n| n % 100 == 99).map(number).collect();
    assert_eq!(expected.len(), 10);
    assert_eq!(found(None, 100), expected);
    assert_eq!(found(None, 4), expected[..4]);
    assert_eq!(found(Some(expected[3]), 4), expected[4..8]);
    assert_eq!(found(Some(expected[7]), 4), expected[8..]);
    assert_eq!(list.find(&Wanted::default(), &names, count + 1).len(), count, "the parts are whole");
}
