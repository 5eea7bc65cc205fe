//! Two nodes under one name, with one database: what ends a hidden call may come to the one that has never
//! seen it.

use super::super::super::process::{Database, Place, Setup};
use super::super::digest::vendor_address;
use super::super::{HERE, customer_address, free_port, wait_quiet};
use super::end::{answer, ask, ring};
use super::{CALLED, Hides, LINES, OWN, ends, provisioned};

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

/// Calls that come up at one node; their ends are told to the other.
fn end_elsewhere(hides: Hides) {
    let Some(database) = Database::create() else { return };
    // What one seals the other opens.
    let keys = tempfile::tempdir().unwrap();
    let root_key = keys.path().join("root.key").display().to_string();
    let (local, gateway) = (customer_address(), vendor_address());
    let nodes = [1, 2].map(|id| {
        let address = format!("{HERE}:{}", free_port());
        let listener = format!("{{ transport = \"udp\", address = \"{address}\", advertise = \"{NAME}\" }}");
        let sections = format!(
            "[store]\nurl = {:?}\n[sip]\nlisten = [{listener}]\nqueue_age_max = \"5s\"\n{LINES}\n",
            database.url()
        );
        let node = format!("id = {id}\nroot_key_file = {root_key:?}\n");
        let provision = provisioned(hides, local, gateway);
        Place::new(&Setup { node, sections, provision, fixed_ports: true, ..Setup::default() }).start()
    });
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
