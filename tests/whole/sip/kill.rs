//! kill -9 while calls are up: the next process serves them, ends them, and writes the one record of each.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::super::process::{Database, Node};
use super::super::{peer, wait};
use super::records::Cdr;
use super::sipp::{Part, Sipp};
use super::{
    CUSTOMER, Route, SOON, Transport, customer_address, place, programs, provision, records, scenario,
    vendor_address, wait_quiet,
};

/// Calls that the customer ends, and as many that the vendor ends.
const CALLS: u32 = 1_000;
/// The same where what matters is the other store.
const CALLS_POSTGRES: u32 = 50;
/// New calls a second of each kind.
const RATE: u32 = 200;
/// Calls begin and are answered within this time; after it, and before the first BYE, the node dies and is back.
const BEGIN: Duration = Duration::from_secs(13);
/// Milliseconds that a call is up before anybody says anything in it.
const SILENCE: &str = "pause 17000";
const SILENCE_MS: u64 = 17_000;

/// A side of one kind of call.
type Lines = &'static [&'static str];

/// The customer's and the vendor's part, by who hangs up. Both sides still find each other before that.
const KINDS: [(&str, Lines, Lines); 2] = [
    (
        "caller",
        &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            SILENCE,
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "pause 200",
            "BYE",
            "expect 200",
        ],
        &[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "expect BYE",
            "reply 200",
        ],
    ),
    (
        "callee",
        &[
            "INVITE sdp",
            "expect 180",
            "expect 200 sdp",
            "ACK",
            "expect INVITE sdp",
            "reply 200 sdp",
            "expect ACK",
            "expect BYE",
            "reply 200",
        ],
        &[
            "expect INVITE",
            "answer 180",
            "answer 200 sdp",
            "expect ACK",
            SILENCE,
            "re-INVITE sdp",
            "expect 200 sdp",
            "ACK",
            "pause 200",
            "BYE",
            "expect 200",
        ],
    ),
];

#[test]
fn calls_outlive_the_process() {
    let Some((sipp, sqlite)) = programs() else { return };
    let store = Store {
        lines: String::new(),
        dialogs: &|node| records::dialogs(&sqlite, node),
        cdrs: &|node, prefix| records::cdrs(&sqlite, node, prefix),
    };
    outlive(&sipp, CALLS, &store);
}

#[test]
fn postgres_carries_the_calls_too() {
    let Some(sipp) = peer::program("sipp") else { return };
    let Some(database) = Database::create() else { return };
    let store = Store {
        lines: format!("[store]\nurl = {:?}\n", database.url()),
        dialogs: &|_| database.value("SELECT count(*) FROM voice.dialogs").parse().unwrap(),
        cdrs: &|node, prefix| records::cdrs_of_api(node, prefix),
    };
    outlive(&sipp, CALLS_POSTGRES, &store);
}

/// Where records are kept, and how a test reads them.
struct Store<'a> {
    /// Of the configuration.
    lines: String,
    /// Calls that have a record for the next process.
    dialogs: &'a dyn Fn(&Node) -> u64,
    /// Of calls to numbers that begin so.
    cdrs: &'a dyn Fn(&Node, &str) -> Vec<Cdr>,
}

/// So many calls of each kind, a process that dies while they are up, and the next one.
fn outlive(program: &Path, calls: u32, store: &Store<'_>) {
    let kinds: Vec<_> =
        KINDS.iter().zip(["4401", "4402"]).map(|(kind, prefix)| (kind, prefix, vendor_address())).collect();
    let route =
        |prefix: &str, vendor| Route { prefix: prefix.to_owned(), gateways: vec![(vendor, Transport::Udp)] };
    let routes: Vec<Route> = kinds.iter().map(|(_, prefix, vendor)| route(prefix, *vendor)).collect();
    let place = place(&[Transport::Udp], &store.lines, provision(CUSTOMER, &routes));
    let mut node = place.start();
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, scenario: String, local| Part {
        name: name.to_owned(),
        scenario,
        transport: Transport::Udp,
        local,
        calls: None,
        count: (calls, RATE),
        folder: folder.path(),
    };
    let mut sipps = Vec::new();
    for ((by, customer, vendor), prefix, address) in &kinds {
        let called = scenario::vendor(Transport::Udp, vendor);
        sipps.push(Sipp::start(program, part(&format!("{by} vendor"), called, *address)));
        let calling = scenario::customer(prefix, Transport::Udp, customer);
        let calling = part(&format!("{by} customer"), calling, customer_address());
        sipps.push(Sipp::start(program, Part { calls: Some(node.ports().sip[0]), ..calling }));
    }
    wait::until("all calls are up and on the disk", BEGIN, || {
        ((store.dialogs)(&node) == u64::from(2 * calls)).then_some(())
    });
    assert_eq!(live(&node), 2 * calls);
    node.kill();
    let node = place.start();
    wait::until("the calls are known again", SOON, || (live(&node) == 2 * calls).then_some(()));
    assert!((store.cdrs)(&node, "44").is_empty(), "no call had ended when the node was back");
    let failures: Vec<String> = sipps.into_iter().filter_map(|sipp| sipp.finish().err()).collect();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    wait_quiet(&node);

    for ((by, ..), prefix, gateway) in &kinds {
        let cdrs = wait::until("every call has a record", SOON, || {
            Some((store.cdrs)(&node, prefix)).filter(|cdrs| cdrs.len() >= calls as usize)
        });
        let named: HashSet<&str> = cdrs.iter().map(|cdr| cdr.call_id.as_str()).collect();
        assert_eq!((cdrs.len(), named.len()), (calls as usize, calls as usize), "one record a call");
        let attempt = [(gateway.to_string(), Some(200), "answered")];
        for cdr in &cdrs {
            assert!(cdr.recovered && cdr.answered && cdr.rang, "{cdr:?}");
            assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "answered", *by), "{cdr:?}");
            assert_eq!(cdr.attempts, attempt, "{cdr:?}");
            // Of the wall clock: what the customer talked, the node's death included.
            assert!((SILENCE_MS..SILENCE_MS + 15_000).contains(&cdr.duration_ms), "{cdr:?}");
        }
    }
    assert_eq!((store.dialogs)(&node), 0, "calls that are over have no record for the next process");
}

/// How many calls live, as the API tells it.
fn live(node: &Node) -> u32 {
    let told = node.get("/v1/calls?limit=1").json();
    told["live"].as_u64().and_then(|live| u32::try_from(live).ok()).unwrap_or_else(|| panic!("{told}"))
}
