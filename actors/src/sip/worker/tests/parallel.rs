//! Calls to trunks whose contacts are called at once.

use runtime::model::{Fork, Voice};

use super::digest::users;
use super::registrations::{configuration, register, udp};
use super::*;

const LOW: &str = "203.0.113.71:5060";
const OLD: &str = "203.0.113.72:5060";
const NEW: &str = "203.0.113.73:5060";
const CALLER: &str = "198.51.100.2:5060";

/// The configuration in which all contacts of our number are called at once, with or without a gateway behind them.
pub(super) fn forked(gateway: bool) -> Voice {
    let mut voice = configuration(gateway);
    voice.trunks[1].fork = Fork::Parallel;
    voice
}

/// A node at which these have registered, the last of them preferred.
pub(super) fn with_contacts(voice: Voice, contacts: &[&str]) -> Node {
    let users = users(&voice);
    let mut node = Node::with_digests_over(voice, users, 2);
    for (index, from) in contacts.iter().enumerate() {
        let contact = format!("Contact: <sip:acme@{from}>\r\n");
        register(&mut node, udp(from), (&format!("r{index}"), 1), &contact);
        node.pass(SECOND);
    }
    node
}

/// An INVITE of a vendor to our number, with other headers.
fn inbound(headers: &str) -> String {
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    inbound.replace("Content-Type:", &format!("{headers}Content-Type:"))
}

/// A call to three contacts: the INVITEs to `NEW`, `OLD` and `LOW`.
fn scene() -> (Node, [Sent; 3]) {
    let mut node = with_contacts(forked(false), &[LOW, OLD, NEW]);
    let mut sent = node.receive(VENDORS[1], inbound(""));
    let all = [NEW, OLD, LOW].map(|to| format!("INVITE>{to}"));
    assert_eq!(words(&sent[1..]), all);
    assert_eq!(words(&sent[..1]), [format!("100>{CALLER}")]);
    (node, sent.split_off(1).try_into().unwrap())
}

fn rings(node: &mut Node, invite: &Sent, tag: &str) {
    let to = invite.to.to_string();
    assert_eq!(words(&node.receive(&to, response(invite, 180, tag))), [format!("180>{CALLER}")]);
}

#[test]
fn the_first_that_answers_has_the_call() {
    let (mut node, [new, old, low]) = scene();
    rings(&mut node, &new, "new");
    node.pass(SECOND);
    rings(&mut node, &old, "old");
    let sent = node.receive(OLD, response(&old, 200, "old"));
    assert_eq!(words(&sent), [format!("200>{CALLER}"), format!("CANCEL>{NEW}")]);
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    assert_eq!(sent[1].value(HeaderId::Reason), reason, "it was not missed");
    assert!(sent[0].value(HeaderId::To).ends_with(";tag=old"), "{}", sent[0].text());
    assert_eq!(
        node.happened(),
        ["started", "attempt 2 200", "attempt 2 487", "attempt 2 487", "answered"],
        "one record with all attempts"
    );
    assert!(node.receive(NEW, response(&sent[1], 200, "new")).is_empty());
    assert_eq!(words(&node.receive(NEW, response(&new, 487, "new"))), [format!("ACK>{NEW}")]);
    // It could not be cancelled before it had said anything.
    assert_eq!(words(&node.receive(LOW, response(&low, 180, "low"))), [format!("CANCEL>{LOW}")]);
    let crossed = node.receive(LOW, response(&low, 200, "low"));
    assert_eq!(words(&crossed), [format!("ACK>{LOW}"), format!("BYE>{LOW}")]);
    assert!(node.receive(LOW, response(&crossed[1], 200, "x")).is_empty());

    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&sent[0]);
    assert_eq!(words(&node.receive(VENDORS[1], ack)), [format!("ACK>{OLD}")]);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let bye = node.receive(VENDORS[1], bye);
    assert_eq!(words(&bye), [format!("BYE>{OLD}")]);
    assert_eq!(words(&node.receive(OLD, response(&bye[0], 200, "x"))), [format!("200>{CALLER}")]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    node.settle();
}

#[test]
fn the_best_refusal_when_none_answers() {
    let (mut node, [new, old, low]) = scene();
    rings(&mut node, &old, "old");
    assert_eq!(words(&node.receive(NEW, response(&new, 486, "new"))), [format!("ACK>{NEW}")]);
    assert_eq!(words(&node.receive(LOW, response(&low, 503, "low"))), [format!("ACK>{LOW}")]);
    let sent = node.receive(OLD, response(&old, 404, "old"));
    assert_eq!(words(&sent), [format!("ACK>{OLD}"), format!("486>{CALLER}")]);
    assert_eq!(
        node.happened(),
        ["started", "attempt 2 486", "attempt 2 503", "attempt 2 404", "ended 486 busy Some(Callee)"]
    );
    node.settle();
}

#[test]
fn a_6xx_ends_what_rings() {
    let (mut node, [new, old, _]) = scene();
    rings(&mut node, &old, "old");
    let sent = node.receive(NEW, response(&new, 603, "new"));
    assert_eq!(words(&sent), [format!("ACK>{NEW}"), format!("CANCEL>{OLD}")]);
    node.receive(OLD, response(&sent[1], 200, "old"));
    let sent = node.receive(OLD, response(&old, 487, "old"));
    assert_eq!(words(&sent), [format!("ACK>{OLD}"), format!("603>{CALLER}")]);
    let happened = node.happened();
    assert_eq!(happened[..4], ["started", "attempt 2 603", "attempt 2 487", "attempt 2 487"]);
    assert!(happened[4].starts_with("ended 603 "), "{happened:?}");
    node.settle();
}

#[test]
fn a_caller_that_gives_up_cancels_all() {
    let (mut node, [new, old, low]) = scene();
    rings(&mut node, &new, "new");
    rings(&mut node, &old, "old");
    let cancel = inbound("").replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let (head, _) = cancel.split_once("Content-Type").unwrap();
    let sent = node.receive(VENDORS[1], format!("{head}Content-Length: 0\r\n\r\n"));
    let both = [format!("200>{CALLER}"), format!("CANCEL>{NEW}"), format!("CANCEL>{OLD}")];
    assert_eq!(words(&sent), both);
    assert!(sent[1..].iter().all(|cancel| cancel.message.value(HeaderId::Reason).is_none()));
    assert_eq!(words(&node.receive(OLD, response(&old, 487, "old"))), [format!("ACK>{OLD}")]);
    let sent = node.receive(NEW, response(&new, 487, "new"));
    assert_eq!(
        words(&sent),
        [format!("ACK>{NEW}"), format!("487>{CALLER}")],
        "who is silent is not waited for"
    );
    assert_eq!(node.happened().last().unwrap(), "ended 487 cancelled Some(Caller)");
    let late = node.receive(LOW, response(&low, 200, "low"));
    assert_eq!(words(&late), [format!("ACK>{LOW}"), format!("BYE>{LOW}")]);
    node.receive(LOW, response(&late[1], 200, "x"));
    node.settle();
}

/// Each early dialog is with its own contact.
#[test]
fn what_is_said_while_several_ring() {
    let (mut node, [new, old, _]) = scene();
    let ringing = response(&new, 180, "new");
    let from_new = node.receive(NEW, ringing).remove(0);
    let from_old = node.receive(OLD, response(&old, 180, "old")).remove(0);
    for (early, to, branch) in [(from_old, OLD, "info-old"), (from_new, NEW, "info-new")] {
        let info = Within { method: "INFO", cseq: 2, branch }.caller(&early);
        let sent = node.receive(VENDORS[1], info);
        assert_eq!(words(&sent), [format!("INFO>{to}")]);
        assert_eq!(words(&node.receive(to, response(&sent[0], 200, "x"))), [format!("200>{CALLER}")]);
    }
}

/// A gateway is for when no contact can be asked, and is not called beside them.
#[test]
fn gateways_come_behind_all_contacts() {
    for busy in [false, true] {
        let mut node = with_contacts(forked(true), &[OLD, NEW]);
        let sent = node.receive(VENDORS[1], inbound(""));
        assert_eq!(words(&sent[1..]), [format!("INVITE>{NEW}"), format!("INVITE>{OLD}")]);
        if busy {
            assert_eq!(words(&node.receive(OLD, response(&sent[2], 486, "old"))), [format!("ACK>{OLD}")]);
        }
        // A NAT may have forgotten the other one.
        let sent = words(&node.pass(8 * SECOND));
        let expected = if busy { format!("486>{CALLER}") } else { "INVITE>192.0.2.10:5060".to_owned() };
        assert_eq!(sent.last(), Some(&expected), "{sent:?}");
    }
    let mut node = with_contacts(forked(true), &[]);
    let sent = node.receive(VENDORS[1], inbound(""));
    assert_eq!(words(&sent[1..]), ["INVITE>192.0.2.10:5060"], "nothing is registered");
}

/// Several that ring are not asked for reliable provisional responses; who takes no others rings them in turn.
#[test]
fn reliable_provisional_responses() {
    let mut node = with_contacts(forked(false), &[OLD, NEW]);
    let sent = node.receive(VENDORS[1], inbound("Supported: 100rel, timer\r\n"));
    assert_eq!(sent.len(), 3, "{:?}", words(&sent));
    for invite in &sent[1..] {
        assert_eq!(invite.value(HeaderId::Supported), "timer", "{}", invite.text());
    }
    let mut node = with_contacts(forked(false), &[OLD, NEW]);
    let sent = node.receive(VENDORS[1], inbound("Require: 100rel\r\n"));
    assert_eq!(words(&sent[1..]), [format!("INVITE>{NEW}")]);
    let sent = node.receive(NEW, response(&sent[1], 486, "new"));
    assert_eq!(words(&sent), [format!("ACK>{NEW}"), format!("INVITE>{OLD}")]);
}

/// At most so many at once; more of them follow where nobody has answered.
#[test]
fn no_more_than_ten_at_once() {
    let contacts: Vec<String> = (1..=12).map(|host| format!("203.0.113.{}:5060", 100 + host)).collect();
    let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
    let mut donor = with_contacts(forked(false), &contacts[..10]);
    let mut all = donor.bindings.of(registrations::ACME, donor.now.wall);
    let more = with_contacts(forked(false), &contacts[10..]);
    all.extend(more.bindings.of(registrations::ACME, more.now.wall));
    donor.bindings.put(registrations::ACME, all);
    let sent = donor.receive(VENDORS[1], inbound(""));
    assert_eq!(sent.iter().filter(|sent| sent.word() == "INVITE").count(), 10, "{:?}", words(&sent));
}

/// As many as ring at once are known.
#[test]
fn each_of_ten_can_be_spoken_to() {
    let contacts: Vec<String> = (1..=10).map(|host| format!("203.0.113.{}:5060", 100 + host)).collect();
    let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
    let mut node = with_contacts(forked(false), &contacts);
    let sent = node.receive(VENDORS[1], inbound(""));
    assert_eq!(sent.len(), 11, "{:?}", words(&sent));
    for (at, invite) in sent[1..].iter().enumerate() {
        let to = invite.to.to_string();
        let early = node.receive(&to, response(invite, 180, &format!("t{at}"))).remove(0);
        let info = Within { method: "INFO", cseq: 2, branch: &format!("info-{at}") }.caller(&early);
        assert_eq!(words(&node.receive(VENDORS[1], info)), [format!("INFO>{to}")]);
    }
}

/// A gateway rings in their place by then.
#[test]
fn contacts_that_were_given_up_answer_too_late() {
    let mut node = with_contacts(forked(true), &[OLD, NEW]);
    let new = node.receive(VENDORS[1], inbound("")).remove(1);
    let gateway = node.pass(8 * SECOND).pop().unwrap();
    assert_eq!(words(std::slice::from_ref(&gateway)), ["INVITE>192.0.2.10:5060"]);
    let sent = node.receive(NEW, response(&new, 200, "new"));
    assert_eq!(words(&sent), [format!("ACK>{NEW}"), format!("BYE>{NEW}")]);
    node.receive(NEW, response(&sent[1], 200, "x"));
    let sent = node.receive("192.0.2.10:5060", response(&gateway, 200, "gateway"));
    assert_eq!(words(&sent), [format!("200>{CALLER}")]);
    assert_eq!(node.happened().last().unwrap(), "answered");
}
