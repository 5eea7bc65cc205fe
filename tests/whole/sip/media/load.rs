//! A media node that dies or freezes while SIPp calls and calls: whoever calls from then on notices nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::super::super::{peer, wait};
use super::super::sipp::{Part, Sipp};
use super::super::{
    CUSTOMER_CALLS, Transport, VENDOR_ANSWERS, customer_address, programs, records, scenario, wait_quiet,
};
use super::Stage;

/// Calls of each wave, and how many of them begin in a second.
const WAVE: (u32, u32) = (200, 20);
/// The first wave has calls in every state by then, and goes on for as long as the second.
const BEFORE: Duration = Duration::from_secs(2);
/// More than both waves have.
const ENOUGH: u32 = 10_000;
/// Beginnings of the numbers that the waves call.
const WAVES: [&str; 2] = ["4471", "4472"];

#[test]
fn the_death_of_a_media_node_under_load_fails_no_new_call() {
    let Some(stage) = second_wave(|stage| stage.media[0].kill()) else { return };
    stage.media[1].wait_empty();
}

#[test]
fn a_media_node_that_freezes_under_load_fails_no_new_call() {
    let Some(stage) = second_wave(|stage| stage.media[0].freeze()) else { return };
    stage.media[0].thaw();
    stage.wait_up(2);
    stage.wait_empty();
}

/// A wave of calls, then the accident, then another wave, every call of which is to be as it should.
fn second_wave(accident: impl FnOnce(&mut Stage)) -> Option<Stage> {
    let (sipp, sqlite) = programs()?;
    peer::program("rtpengine")?;
    let mut stage = Stage::new("", "")?;
    let folder = tempfile::tempdir().unwrap();
    let node = stage.node.ports().sip[0];
    let vendor = scenario::vendor(Transport::Udp, VENDOR_ANSWERS);
    let _vendor = start(&sipp, folder.path(), ("vendor", vendor, stage.vendors[0]), None);
    let customer = |prefix: &str| {
        let scenario = scenario::customer(prefix, Transport::Udp, CUSTOMER_CALLS);
        start(&sipp, folder.path(), (prefix, scenario, customer_address()), Some(node))
    };
    // Calls that the node carries when it is lost may fail.
    let _first = customer(WAVES[0]);
    wait::pause(BEFORE);
    accident(&mut stage);
    let second = customer(WAVES[1]);
    assert_eq!(second.finish(), Ok(()));
    wait_quiet(&stage.node);
    let (count, _) = WAVE;
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, WAVES[1], count as usize);
    let wrong: Vec<_> = cdrs
        .iter()
        .filter(|cdr| (cdr.status, cdr.reason, cdr.ended_by) != (200, "answered", "caller"))
        .collect();
    assert!(cdrs.len() == count as usize && wrong.is_empty(), "{} records, {wrong:?}", cdrs.len());
    Some(stage)
}

/// SIPp in a part of this name; it calls where it is told whom.
fn start(
    sipp: &Path,
    folder: &Path,
    (name, scenario, local): (&str, String, SocketAddr),
    calls: Option<SocketAddr>,
) -> Sipp {
    let (count, rate) = if calls.is_some() { WAVE } else { (ENOUGH, ENOUGH) };
    let (name, transport) = (name.to_owned(), Transport::Udp);
    Sipp::start(sipp, Part { name, scenario, transport, local, calls, count: (count, rate), folder })
}
