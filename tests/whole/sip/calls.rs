//! What can happen to a call, played by SIPp at both ends, over each transport; and the record that it leaves.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use super::super::process::Node;
use super::records::Cdr;
use super::sipp::{Part, Sipp};
use super::{
    CUSTOMER, CUSTOMER_CALLS, Route, Transport, VENDOR_ANSWERS, customer_address, place, programs, provision,
    records, scenario, vendor_address, wait_quiet,
};

/// Calls of each case, ten a second: they overlap. As many silences as make a vendor one that is left alone for a
/// while, so that each call still tries it.
const CALLS: u32 = 3;

/// A vendor of a case.
enum Vendor {
    /// Plays this part.
    Plays(&'static [&'static str]),
    /// Is there and never says anything.
    Silent,
    /// Nobody has its port.
    Absent,
}

/// What is wanted of a record: status, reason, who ended it, and each attempt's status and reason.
type Wanted = (u64, &'static str, &'static str, &'static [(Option<u64>, &'static str)]);

struct Case {
    name: &'static str,
    customer: &'static [&'static str],
    vendors: &'static [Vendor],
    record: Wanted,
}

use Vendor::{Absent, Plays, Silent};

const ANSWERED: &[(Option<u64>, &str)] = &[(Some(200), "answered")];
/// The customer's end of every answered call that it ends itself.
const UP: Wanted = (200, "answered", "caller", ANSWERED);

const CASES: &[Case] = &[
    Case { name: "answered", customer: CUSTOMER_CALLS, vendors: &[Plays(VENDOR_ANSWERS)], record: UP },
    Case {
        name: "busy",
        customer: &["INVITE sdp", "expect 180", "expect 486", "ACK refused"],
        vendors: &[
            Plays(&["expect INVITE", "answer 180", "answer 486", "expect ACK"]),
            // A busy callee is busy whoever asks.
            Plays(&["expect INVITE"]),
        ],
        record: (486, "busy", "callee", &[(Some(486), "busy")]),
    },
    Case {
        name: "the first vendor has no room",
        customer: CUSTOMER_CALLS,
        vendors: &[Plays(&["expect INVITE", "answer 503", "expect ACK"]), Plays(VENDOR_ANSWERS)],
        record: (200, "answered", "caller", &[(Some(503), "vendor_failed"), (Some(200), "answered")]),
    },
    Case {
        name: "the first vendor vanishes",
        customer: CUSTOMER_CALLS,
        vendors: &[Silent, Plays(VENDOR_ANSWERS)],
        record: (200, "answered", "caller", &[(None, "timeout"), (Some(200), "answered")]),
    },
    Case {
        name: "the first vendor is not there",
        customer: CUSTOMER_CALLS,
        vendors: &[Absent, Plays(VENDOR_ANSWERS)],
        record: (200, "answered", "caller", &[(None, "unreachable"), (Some(200), "answered")]),
    },
    Case {
        name: "no vendor answers",
        customer: &["INVITE sdp", "expect 408", "ACK refused"],
        vendors: &[Silent],
        record: (408, "timeout", "system", &[(None, "timeout")]),
    },
    Case {
        name: "cancelled while it rings",
        customer: &["INVITE sdp", "expect 180", "CANCEL", "expect 200", "expect 487", "ACK refused"],
        vendors: &[Plays(&[
            "expect INVITE",
            "answer 180",
            "expect CANCEL",
            "reply 200",
            "answer 487",
            "expect ACK",
        ])],
        record: (487, "cancelled", "caller", &[(Some(487), "cancelled")]),
    },
    Case {
        name: "the callee hangs up",
        customer: &["INVITE sdp", "expect 180", "expect 200 sdp", "ACK", "expect BYE", "reply 200"],
        vendors: &[Plays(&[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "pause 200",
            "BYE",
            "expect 200",
        ])],
        record: (200, "answered", "callee", ANSWERED),
    },
    Case {
        name: "the customer changes the media",
        customer: &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            "pause 100",
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "pause 100",
            "BYE",
            "expect 200",
        ],
        vendors: &[Plays(&[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "expect BYE",
            "reply 200",
        ])],
        record: UP,
    },
    Case {
        name: "the vendor changes the media",
        customer: &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "pause 100",
            "BYE",
            "expect 200",
        ],
        vendors: &[Plays(&[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "pause 100",
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "expect BYE",
            "reply 200",
        ])],
        record: UP,
    },
    Case {
        name: "early media",
        customer: &[
            "INVITE sdp",
            "expect 183 sdp",
            "expect 200 sdp",
            "ACK",
            "pause 200",
            "BYE",
            "expect 200",
        ],
        vendors: &[Plays(&[
            "expect INVITE sdp",
            "answer 183 sdp",
            "pause 100",
            "answer 200 sdp",
            "expect ACK",
            "expect BYE",
            "reply 200",
        ])],
        record: UP,
    },
    Case {
        name: "reliable progress and an update before the answer",
        customer: &[
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
        vendors: &[Plays(&[
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
        ])],
        record: UP,
    },
    Case {
        name: "late offer",
        customer: &["INVITE", "expect 180", "expect 200 sdp", "ACK sdp", "pause 200", "BYE", "expect 200"],
        vendors: &[Plays(&[
            "expect INVITE bare",
            "answer 180",
            "answer 200 sdp",
            "expect ACK sdp",
            "expect BYE",
            "reply 200",
        ])],
        record: UP,
    },
];

#[test]
fn over_udp() {
    play(Transport::Udp, Transport::Udp);
}

#[test]
fn over_tcp() {
    play(Transport::Tcp, Transport::Tcp);
}

#[test]
fn from_udp_to_tcp() {
    play(Transport::Udp, Transport::Tcp);
}

#[test]
fn from_tcp_to_udp() {
    play(Transport::Tcp, Transport::Udp);
}

/// Plays all cases at once through one node; each has its own numbers and vendors.
fn play(customer: Transport, vendor: Transport) {
    let Some((sipp, sqlite)) = programs() else { return };
    let stages: Vec<Stage> =
        (10..).zip(CASES).map(|(number, case)| Stage::new(number, case, vendor)).collect();
    let routes: Vec<Route> = stages.iter().map(Stage::route).collect();
    let both = [customer, vendor];
    let listeners = if customer == vendor { &both[..1] } else { &both[..] };
    let node = place(listeners, "", provision(CUSTOMER, &routes)).start();
    let folder = tempfile::tempdir().unwrap();
    let run = Run { sipp, folder: folder.path().to_owned(), node: node.ports().sip[0], customer, vendor };
    let vendors: Vec<Sipp> = stages.iter().flat_map(|stage| stage.start_vendors(&run)).collect();
    let customers: Vec<Sipp> = stages.iter().map(|stage| stage.start_customer(&run)).collect();
    let failures: Vec<String> =
        customers.into_iter().chain(vendors).filter_map(|sipp| sipp.finish().err()).collect();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    wait_quiet(&node);
    let wrong: Vec<String> = stages.iter().flat_map(|stage| stage.wrong_records(&sqlite, &node)).collect();
    assert!(wrong.is_empty(), "{} records are wrong\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(
        records::dialogs(&sqlite, &node),
        0,
        "calls that are over have no record for the next process"
    );
}

struct Run {
    sipp: PathBuf,
    folder: PathBuf,
    node: SocketAddr,
    customer: Transport,
    vendor: Transport,
}

/// A case with its numbers and sockets.
struct Stage {
    case: &'static Case,
    number: u32,
    /// Of its vendors.
    transport: Transport,
    gateways: Vec<SocketAddr>,
    /// Of vendors that say nothing; open as long as the stage is.
    _silent: Vec<(UdpSocket, TcpListener)>,
}

impl Stage {
    fn new(number: u32, case: &'static Case, transport: Transport) -> Self {
        let gateways: Vec<SocketAddr> = case.vendors.iter().map(|_| vendor_address()).collect();
        let both = case.vendors.iter().zip(&gateways).filter(|(vendor, _)| matches!(vendor, Silent));
        let silent =
            both.map(|(_, at)| (UdpSocket::bind(at).unwrap(), TcpListener::bind(at).unwrap())).collect();
        Self { case, number, transport, gateways, _silent: silent }
    }

    fn prefix(&self) -> String {
        format!("44{}", self.number)
    }

    fn route(&self) -> Route {
        let gateways = self.gateways.iter().map(|gateway| (*gateway, self.transport)).collect();
        Route { prefix: self.prefix(), gateways }
    }

    fn part<'a>(&self, side: &str, scenario: String, local: SocketAddr, run: &'a Run) -> Part<'a> {
        Part {
            name: format!("{} {} {side}", run.customer.name(), self.case.name).replace(' ', "-"),
            scenario,
            transport: self.transport,
            local,
            calls: None,
            count: (CALLS, 10),
            folder: &run.folder,
        }
    }

    /// Those that have something to do.
    fn start_vendors(&self, run: &Run) -> Vec<Sipp> {
        let expected = self.case.record.3.len();
        let mut started = Vec::new();
        for (at, (vendor, gateway)) in self.case.vendors.iter().zip(&self.gateways).enumerate().take(expected)
        {
            if let Plays(lines) = vendor {
                let scenario = scenario::vendor(run.vendor, lines);
                started.push(Sipp::start(
                    &run.sipp,
                    self.part(&format!("vendor {at}"), scenario, *gateway, run),
                ));
            }
        }
        started
    }

    fn start_customer(&self, run: &Run) -> Sipp {
        let scenario = scenario::customer(&self.prefix(), run.customer, self.case.customer);
        let part = self.part("customer", scenario, customer_address(), run);
        Sipp::start(&run.sipp, Part { calls: Some(run.node), transport: run.customer, ..part })
    }

    /// What is not as it should be in the records of its calls.
    fn wrong_records(&self, sqlite: &Path, node: &Node) -> Vec<String> {
        let cdrs = records::wait_cdrs(sqlite, node, &self.prefix(), CALLS as usize);
        let calls: HashSet<&str> = cdrs.iter().map(|cdr| cdr.call_id.as_str()).collect();
        let (status, reason, ended_by, attempts) = self.case.record;
        let attempts: Vec<_> = self
            .gateways
            .iter()
            .zip(attempts)
            .map(|(gateway, (status, reason))| (gateway.to_string(), *status, *reason))
            .collect();
        let up = status == 200;
        // All answered calls last a fifth of a second at least; a begun second is billed.
        let lasted = if up { 150..5000 } else { 0..1 };
        let right = |cdr: &Cdr| {
            (cdr.status, cdr.reason, cdr.ended_by) == (status, reason, ended_by)
                && cdr.attempts == attempts
                && !cdr.recovered
                && cdr.answered == up
                && (cdr.rang || !up)
                && lasted.contains(&cdr.duration_ms)
                && cdr.billed_seconds == cdr.duration_ms.div_ceil(1000)
                && cdr.prefix == self.prefix()
        };
        let mut wrong: Vec<String> =
            cdrs.iter().filter(|cdr| !right(cdr)).map(|cdr| format!("{cdr:?}")).collect();
        if (cdrs.len(), calls.len()) != (CALLS as usize, CALLS as usize) {
            wrong.push(format!("{} records of {} calls, {CALLS} were made", cdrs.len(), calls.len()));
        }
        let wanted = format!("{}, {:?} {attempts:?} is wanted", self.case.name, (status, reason, ended_by));
        wrong.into_iter().map(|wrong| format!("{wanted}: {wrong}")).collect()
    }
}
