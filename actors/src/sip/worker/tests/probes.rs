use super::*;
use crate::sip::transactions::Probe;
use crate::sip::worker::Input;

fn probe(node: &mut Node) -> Vec<Sent> {
    node.handle(vec![Input::Probe(Probe { vendor: 1, target: 0 })])
}

/// The address of the first vendor that a new call is sent to.
fn first_try(node: &mut Node, call: &str) -> String {
    let sent = node.receive(CUSTOMER, invite(call, "+15551234"));
    sent[1].to.to_string()
}

#[test]
fn a_vendor_that_answers_is_up() {
    let mut node = Node::new();
    let sent = probe(&mut node);
    assert_eq!(words(&sent), ["OPTIONS>198.51.100.1:5060"]);
    assert!(sent[0].text().starts_with("OPTIONS sip:198.51.100.1:5060 SIP/2.0\r\n"), "{}", sent[0].text());
    assert!(node.receive(VENDORS[0], response(&sent[0], 404, "t")).is_empty());
    assert!(node.snapshot().vendors[0].targets[0].health.is_up());
    node.settle();
}

#[test]
fn calls_go_around_a_vendor_that_is_silent() {
    let mut node = Node::new();
    for _ in 0..3 {
        probe(&mut node);
        node.pass(33 * SECOND);
    }
    assert!(!node.snapshot().vendors[0].targets[0].health.is_up());
    probe(&mut node);
    node.pass(33 * SECOND);
    assert_eq!(first_try(&mut node, "a"), VENDORS[1], "the next one, at once");
    node.pass(31 * SECOND);
    assert_eq!(first_try(&mut node, "b"), VENDORS[0], "one call tries whether it is back");
    assert_eq!(first_try(&mut node, "c"), VENDORS[1]);
    let sent = probe(&mut node);
    node.receive(VENDORS[0], response(&sent[0], 200, "t"));
    assert_eq!(first_try(&mut node, "d"), VENDORS[0]);
}

#[test]
fn when_all_are_silent_the_last_is_tried() {
    let mut node = Node::new();
    let now = node.now.instant;
    for vendor in &node.snapshot().vendors {
        (0..3).for_each(|_| vendor.targets[0].health.silent(now));
    }
    assert_eq!(first_try(&mut node, "a"), VENDORS[2]);
}

#[test]
fn silence_in_calls_counts_too() {
    let mut node = Node::new();
    for call in ["a", "b", "c"] {
        assert_eq!(first_try(&mut node, call), VENDORS[0]);
        node.pass(5 * SECOND);
    }
    assert!(!node.snapshot().vendors[0].targets[0].health.is_up());
}
