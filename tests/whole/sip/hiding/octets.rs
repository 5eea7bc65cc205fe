//! Every octet of calls between a customer and a vendor, both ways, whoever is hidden from whom: requests
//! and responses of all kinds, refusals, and a call that is taken back.

use std::collections::HashSet;

use super::super::super::peer;
use super::super::{records, wait_quiet};
use super::end::{End, answer, ask, ring};
use super::{Hides, PREFIX, Stage};

#[test]
fn a_hidden_vendor_is_sent_nothing_of_the_customer() {
    play(Hides::VENDOR);
}

#[test]
fn a_hidden_trunk_is_sent_nothing_of_the_vendor() {
    play(Hides::TRUNK);
}

#[test]
fn neither_is_sent_anything_of_the_other() {
    play(Hides::BOTH);
}

/// What is looked for is what would show.
#[test]
fn all_of_it_shows_where_nobody_is_hidden() {
    play(Hides::NOBODY);
}

/// What is answered in place of a call.
const REFUSALS: [(&str, u16); 2] = [("486 Busy Here", 486), ("302 Moved Temporarily", 302)];

fn play(hides: Hides) {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let mut stage = Stage::new(hides);
    let mut ids = HashSet::new();
    for inbound in [false, true] {
        let (caller, called, number) = stage.sides(inbound);
        for caller_ends in [true, false] {
            talk(caller, called, number);
            let (one, other) =
                if caller_ends { (&mut *caller, &mut *called) } else { (&mut *called, &mut *caller) };
            let bye = ask(one, other, "BYE");
            other.is_reached_by(&bye);
            ids.insert(caller.call_id().to_owned());
        }
        take_back(caller, called, number);
        ids.insert(caller.call_id().to_owned());
        for (words, status) in REFUSALS {
            let invite = ring(caller, called, number);
            called.reply(&invite, words);
            called.expect("ACK");
            caller.is_refused(status);
            ids.insert(caller.call_id().to_owned());
        }
    }
    wait_quiet(&stage.node);
    assert_eq!(ids.len(), 10);
    assert!(
        hides.trunk || stage.customer.has_seen_all(),
        "a customer sees a vendor that is not hidden from it"
    );
    assert!(hides.vendor || stage.vendor.has_seen_all(), "and a vendor the customer");
    // Records have the Call-IDs of those who called.
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, ids.len());
    let recorded: HashSet<String> = cdrs.iter().map(|cdr| cdr.call_id.clone()).collect();
    assert_eq!((cdrs.len(), recorded), (ids.len(), ids), "{cdrs:?}");
}

/// A call that comes up, and in which both sides ask for everything.
#[track_caller]
fn talk(caller: &mut End, called: &mut End, number: &str) {
    let invite = ring(caller, called, number);
    called.reply(&invite, "183 Session Progress");
    caller.expect("183 INVITE");
    for method in ["PRACK", "UPDATE"] {
        let request = ask(caller, called, method);
        called.is_reached_by(&request);
    }
    answer(caller, called, &invite);
    for method in ["INVITE", "UPDATE", "INFO", "OPTIONS"] {
        let request = ask(caller, called, method);
        called.is_reached_by(&request);
        let request = ask(called, caller, method);
        caller.is_reached_by(&request);
    }
}

/// A call that is taken back while it rings.
#[track_caller]
fn take_back(caller: &mut End, called: &mut End, number: &str) {
    let invite = ring(caller, called, number);
    caller.cancel();
    caller.expect("200 CANCEL");
    let cancel = called.expect("CANCEL");
    called.reply(&cancel, "200 OK");
    called.reply(&invite, "487 Request Terminated");
    called.expect("ACK");
    caller.is_refused(487);
}
