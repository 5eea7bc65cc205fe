//! Vendors and customers that freeze, drip, or are half gone; and the neighbours that must not feel it.

use std::time::{Duration, Instant};

use super::super::esme::{Esme, Received};
use super::super::pdu::{self, Sm};
use super::super::process::{Node, Setup};
use super::super::proxy::{Mode, Proxy};
use super::super::smsc::{Answer, Script, Smsc};
use super::super::wait;
use super::{provision, wait_bound};

/// A dead peer is seen after enquire_link and two unanswered waits, with a margin for two busy cores.
const SEEN: Duration = Duration::from_secs(10);
const TIMERS: &str = "enquire_link = \"1s\"\nenquire_link_answer = \"500ms\"\nresponse = \"2s\"\n\
                      partial_pdu = \"1s\"\nreconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n";

fn setup(ports: &[u16]) -> Setup {
    Setup { smpp: TIMERS.to_owned(), provision: provision(ports), ..Setup::default() }
}

/// status of the vendor in GET /v1/smpp/vendors.
#[track_caller]
fn status(node: &Node, name: &str) -> String {
    let vendors = node.get("/v1/smpp/vendors").json()["vendors"].clone();
    let found = vendors.as_object().unwrap().values().find(|vendor| vendor["vendor_name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {vendors}"))["status"].as_str().unwrap().to_owned()
}

#[track_caller]
fn wait_status(node: &Node, name: &str, wanted: &str) {
    wait::until(&format!("{name} is {wanted}"), SEEN, || (status(node, name) == wanted).then_some(()));
}

/// Submits on a session of its own, which does not stay to be found silent.
#[track_caller]
fn submit(node: &Node, messages: &[Sm]) {
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    for message in messages {
        esme.submit(message, &mut Vec::new());
    }
}

#[test]
fn a_frozen_vendor_is_seen_and_its_neighbour_is_not_disturbed() {
    freeze_and_thaw(|n| Sm::new(&format!("15551234{n:03}"), &format!("waits {n}")));
}

/// The answers that the freeze lost leave receipts for ids that the node never learned. Read in another base,
/// such an id is that of another message, and here the destination does not tell them apart.
#[test]
fn receipts_of_lost_answers_are_not_taken_for_those_of_others() {
    freeze_and_thaw(|n| Sm::new("15551234567", &format!("waits {n}")));
}

fn freeze_and_thaw(message: impl Fn(usize) -> Sm) {
    let (frozen, other) = (Smsc::start(Script::default()), Smsc::start(Script::default()));
    let node = Node::new(&setup(&[frozen.port(), other.port()]));
    ["vendor1", "vendor2"].into_iter().for_each(|name| wait_status(&node, name, "connected"));

    frozen.freeze();
    submit(&node, &(0..20).map(message).collect::<Vec<_>>());
    let slowest = neighbour(&node, 50);
    assert!(slowest < Duration::from_secs(2), "a submit_sm beside a frozen vendor took {slowest:?}");
    assert_eq!(other.state().texts().len(), 50, "the neighbour got all");
    wait_status(&node, "vendor1", "disconnected");
    assert_eq!(status(&node, "vendor2"), "connected", "the neighbour is as before");

    frozen.thaw();
    let mut delivered = Vec::new();
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    esme.collect(&mut delivered, 20, Duration::from_secs(30));
    let mut texts = frozen.state().texts();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 20, "everything that waited has reached the vendor");
}

/// Submits to vendor2 and collects the receipts; the slowest answer.
#[track_caller]
fn neighbour(node: &Node, count: usize) -> Duration {
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    let mut slowest = Duration::ZERO;
    for n in 0..count {
        let asked = Instant::now();
        esme.submit(&Sm::new("25551234567", &format!("passes {n}")), &mut delivered);
        slowest = slowest.max(asked.elapsed());
    }
    esme.collect(&mut delivered, count, Duration::from_secs(20));
    slowest
}

#[test]
fn a_half_open_vendor_is_bound_again() {
    let smsc = Smsc::start(Script::default());
    let proxy = Proxy::to(smsc.address());
    let node = Node::new(&setup(&[proxy.address().port()]));
    wait_status(&node, "vendor1", "connected");
    proxy.set(Mode::Swallow);
    submit(&node, &[Sm::new("15551234567", "into the void")]);
    wait_status(&node, "vendor1", "disconnected");
    proxy.set(Mode::Pass);
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    esme.collect(&mut delivered, 1, Duration::from_secs(30));
    assert!(smsc.state().binds >= 2, "bound again");
    assert!(smsc.state().texts().contains(&"into the void".to_owned()), "sent again by the route's policy");
}

#[test]
fn a_dripping_vendor_is_slow_and_no_more() {
    let smsc = Smsc::start(Script::default());
    let proxy = Proxy::to(smsc.address());
    let ports = provision(&[proxy.address().port()]);
    let node =
        Node::new(&Setup { smpp: "partial_pdu = \"2s\"\n".to_owned(), provision: ports, ..Setup::default() });
    wait_bound(&smsc);
    proxy.set(Mode::Drip(Duration::from_millis(3)));
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    for n in 0..3 {
        esme.submit(&Sm::new("15551234567", &format!("drip {n}")), &mut delivered);
    }
    esme.collect(&mut delivered, 3, Duration::from_secs(20));
    assert_eq!(smsc.state().binds, 1, "a PDU that comes octet by octet is a PDU");
}

#[test]
fn a_vendor_that_never_answers_costs_its_own_messages_only() {
    let silent = Smsc::start(Script { answer: Answer::Nothing, ..Script::default() });
    let node = Node::new(&setup(&[silent.port()]));
    wait_status(&node, "vendor1", "connected");
    submit(&node, &[Sm::new("15551234567", "unanswered")]);
    wait::until("the lost answer is counted", SEEN, || {
        (node.metric("warp_messages_uncertain_total") > 0.5).then_some(())
    });
    silent.set_script(Script::default());
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    esme.collect(&mut delivered, 1, Duration::from_secs(30));
    let (_, state) = delivered[0].receipt().expect("a receipt");
    assert_eq!(state, "DELIVRD", "the route says retry");
}

#[test]
fn a_customer_that_falls_silent_is_closed() {
    let node = Node::new(&setup(&[9]));
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    let mut asked = 0;
    loop {
        match esme.receive(SEEN) {
            Received::Pdu(pdu) if pdu.id == pdu::ENQUIRE_LINK => asked += 1,
            // A last word is allowed.
            Received::Pdu(pdu) if pdu.id == pdu::UNBIND => {}
            Received::Closed => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(asked >= 2, "asked {asked} times before it was given up");
    Esme::bound(node.smpp(), "acme", "secret12").assert_alive("the next session");
}

#[test]
fn a_customer_that_stops_reading_does_not_stop_another() {
    let smsc = Smsc::start(Script { receipt_after: Some(Duration::ZERO), ..Script::default() });
    let two = provision(&[smsc.port()])
        + "[[esme_accounts]]\nsystem_id = \"other\"\ncustomer = \"TB-000000001\"\npassword = \"secret12\"\n";
    let node = Node::new(&Setup { smpp: TIMERS.to_owned(), provision: two, ..Setup::default() });
    wait_bound(&smsc);
    let mut deaf = Esme::bound(node.smpp(), "acme", "secret12");
    let mut esme = Esme::bound(node.smpp(), "other", "secret12");
    for n in 0..300 {
        // Answers and receipts for these are never read.
        if deaf.try_send(&Sm::new("15551234567", &format!("deaf {n}")).submit(n)).is_err() {
            break;
        }
    }
    let mut delivered = Vec::new();
    for n in 0..20 {
        esme.submit(&Sm::new("15551234567", &format!("hears {n}")), &mut delivered);
    }
    esme.collect(&mut delivered, 20, Duration::from_secs(20));
}

#[test]
fn a_vendor_that_throttles_is_slowed_and_one_that_refuses_ends_the_message() {
    let smsc = Smsc::start(Script { answer: Answer::Status(0x58), ..Script::default() });
    let node = Node::new(&setup(&[smsc.port()]));
    wait_bound(&smsc);
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    esme.submit(&Sm::new("15551234567", "too fast"), &mut delivered);
    smsc.wait("ESME_RTHROTTLED is no end", SEEN, |state| state.submits.len() >= 2);
    smsc.set_script(Script::default());
    esme.collect(&mut delivered, 1, Duration::from_secs(30));
    assert_eq!(delivered[0].receipt().expect("a receipt").1, "DELIVRD");

    smsc.set_script(Script { answer: Answer::Status(0x0B), ..Script::default() });
    let tried = smsc.state().submits.len();
    let id = esme.submit(&Sm::new("15551234567", "wrong number"), &mut delivered);
    esme.collect(&mut delivered, 2, Duration::from_secs(30));
    let (of, state) = delivered[1].receipt().expect("a receipt of our own");
    assert_eq!(of, id);
    assert!(["UNDELIV", "REJECTD"].contains(&state.as_str()), "{state}");
    assert_eq!(smsc.state().submits.len(), tried + 1, "ESME_RINVDSTADR is not tried again");
}
