//! Two nodes under one name, with one database: what changes or ends a call may come to the one that has never
//! seen it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::super::process::{Database, Place, Setup};
use super::super::super::wait;
use super::super::digest::vendor_address;
use super::super::{HERE, Node, customer_address, free_port, wait_quiet};
use super::end::{End, answer, ask, ring};
use super::{CALLED, Hides, LINES, OWN, PATIENCE, ends, live, provisioned};

/// What both nodes call themselves: the address of what stands before them.
const NAME: &str = "edge.warp.example:5060";

#[test]
fn another_node_ends_a_call_with_a_hidden_vendor() {
    end_elsewhere(Hides::VENDOR);
}

#[test]
fn another_node_ends_a_call_with_a_hidden_trunk() {
    end_elsewhere(Hides::TRUNK);
}

#[test]
fn another_node_ends_a_call_in_which_both_are_hidden() {
    end_elsewhere(Hides::BOTH);
}

#[test]
fn a_call_changes_at_whichever_node_is_asked() {
    change_elsewhere(Hides::NOBODY);
}

#[test]
fn a_call_in_which_both_are_hidden_changes_at_whichever_node_is_asked() {
    change_elsewhere(Hides::BOTH);
}

/// A node that has lost a call to the other one learns it within a minute, and lets go of it when nothing of an INVITE
/// is left there.
const LEARNS: Duration = Duration::from_secs(150);

/// Time for a record to be on the disk.
const WRITTEN: Duration = Duration::from_secs(2);

/// Calls that come up at one node, are held and taken up again by way of the other, and then of each in turns: whoever
/// is asked serves them, and each leaves one record.
fn change_elsewhere(hides: Hides) {
    let Some(database) = Database::create() else { return };
    let keys = tempfile::tempdir().unwrap();
    let (local, gateway) = (customer_address(), vendor_address());
    let nodes = two(&database, keys.path(), hides, (local, gateway));
    let [first, second] = nodes.each_ref().map(|node| node.ports().sip[0]);
    let [mut customer, mut vendor] = ends(hides, (local, gateway), (first, NAME));
    for (inbound, caller_asks) in [(false, true), (false, false), (true, true), (true, false)] {
        let (caller, called, number) =
            if inbound { (&mut vendor, &mut customer, OWN) } else { (&mut customer, &mut vendor, CALLED) };
        at(first, caller, called);
        let invite = ring(caller, called, number);
        answer(caller, called, &invite);
        let (one, other) = if caller_asks { (caller, called) } else { (called, caller) };
        for node in [second, first, second] {
            at(node, one, other);
            for method in ["INVITE", "UPDATE", "INFO"] {
                let request = ask(one, other, method);
                other.is_reached_by(&request);
                assert_eq!([one.source, other.source], [node; 2], "{method} went by the node that was asked");
                let request = ask(other, one, method);
                one.is_reached_by(&request);
            }
        }
        let mut asked = Instant::now();
        wait::until("the record is of the node that has served the call last", PATIENCE, || {
            if database.value("SELECT node FROM voice.dialogs") == "2" {
                return Some(());
            }
            // On a busy machine what the other node wrote may come last: the call is that one's then.
            if asked.elapsed() > WRITTEN {
                let request = ask(one, other, "INVITE");
                other.is_reached_by(&request);
                asked = Instant::now();
            }
            None
        });
        ask(one, other, "BYE");
        wait_quiet(&nodes[1]);
    }
    wait::until("the other node has let go of them", LEARNS, || (live(&nodes[0]) == 0).then_some(()));
    assert_eq!(database.value("SELECT count(*) FROM voice.dialogs"), "0");
    let records =
        "SELECT count(*), count(answered_at), min(node), max(node) FROM voice.cdrs WHERE reason = 0";
    assert_eq!(database.value(records), "4|4|2|2");
    assert_eq!(database.value("SELECT count(*) FROM voice.cdrs"), "4");
}

/// Both sides send to this node from now on.
fn at(node: SocketAddr, one: &mut End, other: &mut End) {
    one.node = node;
    other.node = node;
}

/// Calls that come up at one node; their ends are told to the other.
fn end_elsewhere(hides: Hides) {
    let Some(database) = Database::create() else { return };
    let keys = tempfile::tempdir().unwrap();
    let (local, gateway) = (customer_address(), vendor_address());
    let nodes = two(&database, keys.path(), hides, (local, gateway));
    let [first, second] = nodes.each_ref().map(|node| node.ports().sip[0]);
    let [mut customer, mut vendor] = ends(hides, (local, gateway), (first, NAME));
    for (inbound, caller_ends) in [(false, true), (false, false), (true, true), (true, false)] {
        let (caller, called, number) =
            if inbound { (&mut vendor, &mut customer, OWN) } else { (&mut customer, &mut vendor, CALLED) };
        caller.node = first;
        called.node = first;
        let invite = ring(caller, called, number);
        answer(caller, called, &invite);
        caller.node = second;
        called.node = second;
        let (one, other) = if caller_ends { (caller, called) } else { (called, caller) };
        ask(one, other, "BYE");
        assert_eq!([one.source, other.source], [second; 2], "it went by the other node");
        wait_quiet(&nodes[1]);
    }
}

/// Two nodes under one name: what one seals the other opens.
fn two(
    database: &Database,
    keys: &Path,
    hides: Hides,
    (local, gateway): (SocketAddr, SocketAddr),
) -> [Node; 2] {
    let root_key = keys.join("root.key").display().to_string();
    [1, 2].map(|id| {
        let address = format!("{HERE}:{}", free_port());
        let listener = format!("{{ transport = \"udp\", address = \"{address}\", advertise = \"{NAME}\" }}");
        let sections = format!(
            "[store]\nurl = {:?}\n[sip]\nlisten = [{listener}]\nqueue_age_max = \"5s\"\n{LINES}\n",
            database.url()
        );
        let node = format!("id = {id}\nroot_key_file = {root_key:?}\n");
        let provision = provisioned(hides, local, gateway);
        Place::new(&Setup { node, sections, provision, fixed_ports: true, ..Setup::default() }).start()
    })
}
