//! What can happen to a call, played by SIPp at both ends: sides that are hidden from each other play as any
//! other ones, and look through all that they are sent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::super::digest::vendor_address;
use super::super::sipp::{Part, Sipp};
use super::super::{
    CUSTOMER_CALLS, Route, Transport, VENDOR_ANSWERS, free_port, place, programs, records, scenario,
    wait_quiet,
};
use super::looking::{Looks, looking, telling};
use super::{CUSTOMERS, Hides, LINES, Node, VENDORS, trunk, vendors};

/// Calls of each case.
const CALLS: u8 = 2;
/// Where a case's customer is, but for the last octet.
const CUSTOMERS_AT: [u8; 3] = [127, 0, 1];
/// What is in no message to a hidden side.
const OF_CUSTOMERS: &[&str] = &["127[.]0[.]1[.]", CUSTOMERS];
const OF_VENDORS: &[&str] = &["127[.]0[.]0[.]8", VENDORS];

type Lines = &'static [&'static str];

struct Case {
    name: &'static str,
    caller: Lines,
    called: Lines,
    /// Final status, and who ended it.
    record: (u64, &'static str),
    /// Whether both sides look, and say more of themselves than they must; else they play as in any call.
    looks: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "as any other",
        caller: CUSTOMER_CALLS,
        called: VENDOR_ANSWERS,
        record: (200, "caller"),
        looks: false,
    },
    Case {
        name: "the caller changes the media and hangs up",
        caller: &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            "pause 100",
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "pause 100",
            "UPDATE sdp",
            "expect 200 sdp",
            "BYE",
            "expect 200",
        ],
        called: &[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "expect UPDATE sdp",
            "reply 200 sdp",
            "expect BYE",
            "reply 200",
        ],
        record: (200, "caller"),
        looks: true,
    },
    Case {
        name: "the callee changes the media and hangs up",
        caller: &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "expect UPDATE sdp",
            "reply 200 sdp",
            "expect BYE",
            "reply 200",
        ],
        called: &[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "pause 100",
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "pause 100",
            "UPDATE sdp",
            "expect 200 sdp",
            "BYE",
            "expect 200",
        ],
        record: (200, "callee"),
        looks: true,
    },
    Case {
        name: "reliable progress and an update before the answer",
        caller: &[
            "INVITE sdp",
            "expect 183 sdp",
            "PRACK",
            "expect 200",
            "UPDATE sdp",
            "expect 200 sdp",
            "expect 200 sdp",
            "ACK",
            "pause 200",
            "BYE",
            "expect 200",
        ],
        called: &[
            "expect INVITE sdp",
            "answer 183 sdp reliable",
            "expect PRACK",
            "reply 200",
            "expect UPDATE sdp",
            "reply 200 sdp",
            "pause 100",
            "answer 200 sdp",
            "expect ACK",
            "expect BYE",
            "reply 200",
        ],
        record: (200, "caller"),
        looks: true,
    },
    Case {
        name: "cancelled while it rings",
        caller: &["INVITE sdp", "expect 180", "CANCEL", "expect 200", "expect 487", "ACK refused"],
        called: &["expect INVITE", "answer 180", "expect CANCEL", "reply 200", "answer 487", "expect ACK"],
        record: (487, "caller"),
        looks: true,
    },
    Case {
        name: "busy",
        caller: &["INVITE sdp", "expect 180", "expect 486", "ACK refused"],
        called: &["expect INVITE", "answer 180", "answer 486", "expect ACK"],
        record: (486, "callee"),
        looks: true,
    },
];

#[test]
fn with_a_hidden_vendor() {
    play(Hides::VENDOR, Transport::Udp, &[false, true]);
}

#[test]
fn with_a_hidden_trunk() {
    play(Hides::TRUNK, Transport::Udp, &[false, true]);
}

#[test]
fn with_both_hidden() {
    play(Hides::BOTH, Transport::Udp, &[false, true]);
}

/// A vendor that calls would do so by a connection of which nobody knows that it is the vendor's.
#[test]
fn with_both_hidden_over_tcp() {
    play(Hides::BOTH, Transport::Tcp, &[false]);
}

/// Plays all cases at once through one node, calls to vendors and calls from them.
fn play(hides: Hides, transport: Transport, ways: &[bool]) {
    let Some((sipp, sqlite)) = programs() else { return };
    let cases = ways.iter().flat_map(|inbound| CASES.iter().map(move |case| (*inbound, case)));
    let stages: Vec<Stage> =
        (10..).zip(cases).map(|(number, (inbound, case))| Stage::new(case, number, inbound)).collect();
    let routes: Vec<Route> = stages.iter().map(|stage| stage.route(transport)).collect();
    let trunks: String = stages.iter().map(|stage| stage.trunk(hides, transport)).collect();
    let node = place(&[transport], LINES, vendors(hides, &routes) + &trunks).start();
    let folder = tempfile::tempdir().unwrap();
    let at = node.ports().sip[0];
    let run = Run { sipp, folder: folder.path().to_owned(), node: at, transport, hides };
    let called: Vec<Sipp> = stages.iter().map(|stage| stage.start_called(&run)).collect();
    let callers: Vec<Sipp> = stages.iter().map(|stage| stage.start_caller(&run)).collect();
    let failures: Vec<String> =
        callers.into_iter().chain(called).filter_map(|sipp| sipp.finish().err()).collect();
    assert!(failures.is_empty(), "{hides:?}: {} failed\n{}", failures.len(), failures.join("\n"));
    wait_quiet(&node);
    stages.iter().for_each(|stage| stage.expect_records(&sqlite, &node));
}

struct Run {
    sipp: PathBuf,
    folder: PathBuf,
    node: SocketAddr,
    transport: Transport,
    hides: Hides,
}

/// A case with its numbers, its trunk and its vendor.
struct Stage {
    case: &'static Case,
    number: u8,
    /// Whether the vendor calls.
    inbound: bool,
    customer: SocketAddr,
    vendor: SocketAddr,
}

impl Stage {
    fn new(case: &'static Case, number: u8, inbound: bool) -> Self {
        let [a, b, c] = CUSTOMERS_AT;
        let customer = IpAddr::V4(Ipv4Addr::new(a, b, c, number));
        Self { case, number, inbound, customer: (customer, free_port()).into(), vendor: vendor_address() }
    }

    fn prefix(&self) -> String {
        format!("44207946{}", self.number)
    }

    fn route(&self, transport: Transport) -> Route {
        Route { prefix: self.prefix(), gateways: vec![(self.vendor, transport)] }
    }

    /// The trunk, with a number for each call that comes.
    fn trunk(&self, hides: Hides, transport: Transport) -> String {
        let calls = if self.inbound { CALLS } else { 0 };
        let numbers: Vec<String> = (1..=calls).map(|call| format!("+{}{call}", self.prefix())).collect();
        trunk(&format!("trunk-{}", self.number), hides, (self.customer, transport), &numbers)
    }

    fn start_called(&self, run: &Run) -> Sipp {
        let scenario = scenario::vendor(run.transport, self.case.called);
        let (is_hidden, local) = (run.hides.called(self.inbound), self.local(true));
        Sipp::start(
            &run.sipp,
            self.part(("called", local), self.played(scenario, (true, is_hidden), run), run),
        )
    }

    fn start_caller(&self, run: &Run) -> Sipp {
        let scenario = scenario::customer(&self.prefix(), run.transport, self.case.caller);
        let (is_hidden, local) = (run.hides.caller(self.inbound), self.local(false));
        let part = self.part(("caller", local), self.played(scenario, (false, is_hidden), run), run);
        Sipp::start(&run.sipp, Part { calls: Some(run.node), ..part })
    }

    /// Where who is called is, or who calls.
    const fn local(&self, called: bool) -> SocketAddr {
        if called == self.inbound { self.customer } else { self.vendor }
    }

    /// A side's scenario as it is played.
    fn played(&self, scenario: String, (called, is_hidden): (bool, bool), run: &Run) -> String {
        if !self.case.looks {
            return scenario;
        }
        let is_customer = called == self.inbound;
        let (mark, never) = if is_customer { (CUSTOMERS, OF_VENDORS) } else { (VENDORS, OF_CUSTOMERS) };
        let scenario = telling(&scenario, mark);
        let looks = Looks { node: run.node, transport: run.transport, never, called };
        if is_hidden { looking(&scenario, &looks) } else { scenario }
    }

    fn part<'a>(&self, (side, local): (&str, SocketAddr), scenario: String, run: &'a Run) -> Part<'a> {
        Part {
            name: format!("{} {} {side}", self.number, self.case.name).replace(' ', "-"),
            scenario,
            transport: run.transport,
            local,
            calls: None,
            count: (CALLS.into(), 10),
            folder: &run.folder,
        }
    }

    /// Records have the Call-IDs of who called, which end with its address.
    #[track_caller]
    fn expect_records(&self, sqlite: &Path, node: &Node) {
        let cdrs = records::wait_cdrs(sqlite, node, &self.prefix(), CALLS.into());
        let (status, ended_by) = self.case.record;
        let of_caller = format!("@{}", self.local(false).ip());
        let is_right = |cdr: &records::Cdr| {
            (cdr.status, cdr.ended_by) == (status, ended_by) && cdr.call_id.ends_with(&of_caller)
        };
        assert!(
            cdrs.len() == usize::from(CALLS) && cdrs.iter().all(is_right),
            "{}: {cdrs:?}",
            self.case.name
        );
    }
}
