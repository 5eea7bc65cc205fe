//! Every kind of actor panics under load: the tree heals as it is declared, and no promise is broken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::esme::ANSWER;
use super::super::process::{Node, Place, Setup};
use super::super::wait;
use super::ledger::Ledger;
use super::load::Customer;
use super::{Vendors, balance, settle, setup};

/// Kinds that carry messages; each panics this often.
const KINDS: [&str; 8] = [
    "message_log",
    "dlr_tracker",
    "outbox_loader",
    "retention",
    "message_router",
    "vendor_bind",
    "listener",
    "esme_session",
];
const ROUNDS: u32 = 2;
/// Load between two panics.
const LOAD: Duration = Duration::from_millis(400);

#[test]
fn every_kind_of_actor_heals() {
    let vendors = Vendors::start();
    let mut setup = setup(&vendors, "");
    setup.api = "fault_injection = true".to_owned();
    let node = Place::new(&setup).start();
    let ledger = Arc::new(Ledger::default());
    let customers: Vec<Customer> = (0..2).map(|n| Customer::start(n, node.smpp(), &ledger)).collect();
    wait::until("every kind lives", ANSWER, || {
        KINDS.iter().all(|kind| victim(&node, kind).is_some()).then_some(())
    });
    for round in 1..=ROUNDS {
        vendors.send_mo(round);
        for kind in KINDS {
            wait::pause(LOAD);
            heals(&node, kind);
        }
    }
    customers.iter().for_each(Customer::stop_submitting);
    settle(&vendors, &ledger, ROUNDS);
    drop(customers);
    let printed = node.place().warp(&["actors"]);
    printed.assert_success();
    assert!(printed.stdout.contains("RESTARTS"), "{}", printed.stdout);
    drop(node);
    // Rest-for-one can take binds down with another: each panic can lose what all of them had outstanding.
    balance(&vendors, &ledger, KINDS.len() * ROUNDS as usize);
}

#[test]
fn nobody_panics_unless_the_configuration_allows_it() {
    let node = Node::new(&Setup::default());
    let refused = node.post(&panic_of("retention:main:0"));
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("fault_injection_off"), "{}", refused.body);
    assert_eq!(restarts(&tree(&node)["retention:main:0"]), 0);
}

/// One panic of this kind; afterwards the same actor lives again, or for a session, the node goes on without.
#[track_caller]
fn heals(node: &Node, kind: &str) {
    // A session may end between the look and the blow: then the next one is hit.
    let (name, before) = wait::until(&format!("a {kind} panics"), ANSWER, || {
        let (name, snapshot) = victim(node, kind)?;
        (node.post(&panic_of(&name)).status == 200).then_some((name, snapshot))
    });
    wait::until(&format!("{name} heals"), ANSWER, || {
        let all = tree(node);
        match all.get(&name) {
            Some(now) => (restarts(now) > restarts(&before)).then_some(()),
            None => (kind == "esme_session").then_some(()),
        }
    });
    wait::until(&format!("ready after {name}"), ANSWER, || node.ready().then_some(()));
}

/// The first actor of a kind.
fn victim(node: &Node, kind: &str) -> Option<(String, Value)> {
    tree(node).into_iter().find(|(name, _)| name.split(':').next() == Some(kind))
}

fn tree(node: &Node) -> BTreeMap<String, Value> {
    let list = node.get("/v1/actors").json();
    let named = |actor: &Value| (actor["name"].as_str().unwrap().to_owned(), actor.clone());
    list.as_array().unwrap().iter().map(named).collect()
}

fn restarts(actor: &Value) -> u64 {
    actor["restarts"].as_u64().unwrap()
}

fn panic_of(name: &str) -> String {
    format!("/v1/actors/{}/panic", name.replace(':', "%3A").replace('[', "%5B").replace(']', "%5D"))
}
