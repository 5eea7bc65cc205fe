//! The node is killed while hidden calls are up, or ring: the next process goes on with them, by its records
//! and by what it is sent.

use std::path::Path;

use super::super::super::{peer, wait};
use super::super::{records, wait_quiet};
use super::end::{answer, ask, ring};
use super::{Hides, PATIENCE, PREFIX, Stage, live};

/// Whether a vendor calls, and whether the caller hangs up.
const CALLS: [(bool, bool); 4] = [(false, true), (false, false), (true, true), (true, false)];

#[test]
fn calls_with_a_hidden_vendor_outlive_the_process() {
    outlive(Hides::VENDOR);
}

#[test]
fn calls_with_a_hidden_trunk_outlive_the_process() {
    outlive(Hides::TRUNK);
}

#[test]
fn calls_in_which_both_are_hidden_outlive_the_process() {
    outlive(Hides::BOTH);
}

fn outlive(hides: Hides) {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let mut stage = Stage::new(hides);
    let mut wanted = Vec::new();
    for (inbound, caller_ends) in CALLS {
        let (caller, called, number) = stage.sides(inbound);
        let invite = ring(caller, called, number);
        answer(caller, called, &invite);
        wait_written(&sqlite, &stage, 1);
        stage.restart();
        wait::until("the call is known again", PATIENCE, || (live(&stage.node) == 1).then_some(()));
        let (caller, called, _) = stage.sides(inbound);
        let ended_by = if caller_ends { "caller" } else { "callee" };
        wanted.push((caller.call_id().to_owned(), ended_by));
        let (one, other) = if caller_ends { (caller, called) } else { (called, caller) };
        for method in ["UPDATE", "INVITE"] {
            let request = ask(other, one, method);
            one.is_reached_by(&request);
            let request = ask(one, other, method);
            other.is_reached_by(&request);
        }
        let bye = ask(one, other, "BYE");
        other.is_reached_by(&bye);
        wait_quiet(&stage.node);
        wait_written(&sqlite, &stage, 0);
    }
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, wanted.len());
    assert!(cdrs.iter().all(|cdr| cdr.recovered && cdr.answered), "{cdrs:?}");
    let mut found: Vec<_> = cdrs.iter().map(|cdr| (cdr.call_id.clone(), cdr.ended_by)).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "{cdrs:?}");
}

/// Nothing of such a call is on the disk: the answer brings all that is needed.
#[test]
fn a_call_that_rings_is_answered_after_a_restart() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    for hides in [Hides::VENDOR, Hides::TRUNK, Hides::BOTH] {
        let mut stage = Stage::new(hides);
        for caller_ends in [true, false] {
            let (caller, called, number) = stage.sides(false);
            let invite = ring(caller, called, number);
            // Nor is anything of the one before.
            wait_written(&sqlite, &stage, 0);
            stage.restart();
            let (caller, called, _) = stage.sides(false);
            answer(caller, called, &invite);
            let (one, other) = if caller_ends { (caller, called) } else { (called, caller) };
            ask(one, other, "BYE");
            wait_quiet(&stage.node);
        }
    }
}

/// Waits until so many calls have a record for the next process.
#[track_caller]
fn wait_written(sqlite: &Path, stage: &Stage, count: u64) {
    wait::until(&format!("{count} calls are on the disk"), PATIENCE, || {
        (records::dialogs(sqlite, &stage.node) == count).then_some(())
    });
}
