//! kill -9 while calls are up: the next process serves them, ends them, and writes the one record of each.

use std::collections::HashSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::super::process::{Database, Node, Place, signal};
use super::super::{peer, wait};
use super::records::Cdr;
use super::sipp::{Part, Sipp};
use super::ua::{Callee, Caller, Datagrams};
use super::{
    CUSTOMER, Route, SOON, Transport, customer_address, place, programs, provision, records, scenario,
    vendor_address, wait_quiet,
};

/// Calls that the customer ends, and as many that the vendor ends.
const CALLS: u32 = 1_000;
/// The same where what matters is the other store.
const CALLS_POSTGRES: u32 = 50;
/// New calls a second of each kind: few enough that a machine which stands still for a while catches up afterwards.
const RATE: u32 = 100;
/// Calls begin and are answered within this time; after it, and before the first BYE, the node dies and is back.
const BEGIN: Duration = Duration::from_secs(24);
/// Milliseconds that a call is up before anybody says anything in it.
const SILENCE: &str = "pause 30000";
const SILENCE_MS: u64 = 30_000;

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
            "expect ACK lossy",
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
            "expect ACK lossy",
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
        tries: 3,
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
        tries: 1,
        dialogs: &|_| database.value("SELECT count(*) FROM voice.dialogs").parse().unwrap(),
        cdrs: &|node, prefix| records::cdrs_of_api(node, prefix),
    };
    outlive(&sipp, CALLS_POSTGRES, &store);
}

/// Where records are kept, and how a test reads them.
struct Store<'a> {
    /// Of the configuration.
    lines: String,
    /// How often all calls may be begun: a store that is new each time takes more than one.
    tries: usize,
    /// Calls that have a record for the next process.
    dialogs: &'a dyn Fn(&Node) -> u64,
    /// Of calls to numbers that begin so.
    cdrs: &'a dyn Fn(&Node, &str) -> Vec<Cdr>,
}

/// A kind of call with the prefix of its numbers and where its vendor is.
type Kind = (&'static (&'static str, Lines, Lines), &'static str, SocketAddr);

/// Calls that are up.
struct Up {
    node: Node,
    place: Arc<Place>,
    sipps: Vec<Sipp>,
    /// Of SIPp.
    _folder: TempDir,
}

/// So many calls of each kind; `None` where not all came up: SIPp gives up some where the machine stands still.
fn call(program: &Path, (kinds, calls): (&[Kind], u32), store: &Store<'_>) -> Option<Up> {
    let route =
        |prefix: &str, vendor| Route { prefix: prefix.to_owned(), gateways: vec![(vendor, Transport::Udp)] };
    let routes: Vec<Route> = kinds.iter().map(|(_, prefix, vendor)| route(prefix, *vendor)).collect();
    // SIPp gives up a call in which it is asked whether that is up.
    let lines = format!("dead_call_probe = \"0s\"\n{}", store.lines);
    let place = place(&[Transport::Udp], &lines, provision(CUSTOMER, &routes));
    let node = place.start();
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
    for ((by, customer, vendor), prefix, address) in kinds {
        let called = scenario::vendor(Transport::Udp, vendor);
        sipps.push(Sipp::start(program, part(&format!("{by} vendor"), called, *address)));
        let calling = scenario::customer(prefix, Transport::Udp, customer);
        let calling = part(&format!("{by} customer"), calling, customer_address());
        sipps.push(Sipp::start(program, Part { calls: Some(node.ports().sip[0]), ..calling }));
    }
    let are_up = || ((store.dialogs)(&node) == u64::from(2 * calls)).then_some(());
    wait::within_time(BEGIN, are_up)?;
    // It takes a copy of an ACK for an error while it is silent.
    let given_up = sipps.iter().any(Sipp::has_given_up);
    (!given_up).then_some(Up { node, place, sipps, _folder: folder })
}

/// Calls that come up, a process that dies while they are, and the next one.
fn outlive(program: &Path, calls: u32, store: &Store<'_>) {
    let kinds: Vec<Kind> =
        KINDS.iter().zip(["4401", "4402"]).map(|(kind, prefix)| (kind, prefix, vendor_address())).collect();
    let up = (0..store.tries).find_map(|_| call(program, (&kinds, calls), store));
    let Up { mut node, place, sipps, _folder } = up.expect("all calls come up and are on the disk");
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

/// Calls that end, each a moment before its node dies.
const ENDS: usize = 30;
/// Then a record is where a dead process cannot lose it, on a machine that has much else to do too. It is to be there
/// 20 ms after the final response, which only a machine that does nothing else can show.
const MOMENT: Duration = Duration::from_millis(150);
/// And so often the disk has taken something of somebody else's meanwhile: one that stands still keeps the record waiting
/// for as long.
const SYNCS: usize = 3;

/// How a call ends: what the vendor answers, and what the customer hears. A 503 is of the vendor's own (RFC 3261 16.7).
const LAST_WORDS: [(&str, u16); 3] =
    [("200 OK", 200), ("486 Busy Here", 486), ("503 Service Unavailable", 500)];

#[test]
fn a_call_that_has_ended_leaves_its_record_whatever_becomes_of_the_process() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    let place = place(&[Transport::Udp], "", provision(CUSTOMER, &routes));
    let mut node = place.start();
    for (round, (words, status)) in (0..ENDS).zip(LAST_WORDS.into_iter().cycle()) {
        let at = node.ports().sip[0];
        let mut vendor = Callee::new(Datagrams::bind(gateway, at), Transport::Udp, gateway);
        let vendor = thread::spawn(move || {
            if status == 200 {
                vendor.rings();
                vendor.answers();
                vendor.is_hung_up_on();
            } else {
                vendor.refuses(words);
            }
        });
        let local = customer_address();
        let link = Datagrams::bind(local, at);
        let mut customer = Caller::new(link, Transport::Udp, local, &format!("last{round}"));
        let prefix = format!("4420{round:02}");
        if status == 200 {
            customer.call(&format!("+{prefix}"));
            customer.hang_up();
        } else {
            customer.is_refused(&format!("+{prefix}"), status);
        }
        wait::pause(MOMENT);
        let mut other = tempfile::tempfile().unwrap();
        for _ in 0..SYNCS {
            other.write_all(&[0; 4_096]).unwrap();
            other.sync_all().unwrap();
        }
        node.kill();
        vendor.join().unwrap();
        node = place.start();
        let cdrs = records::cdrs(&sqlite, &node, &prefix);
        let [cdr] = &cdrs[..] else { panic!("round {round}, {words}: {cdrs:?}") };
        assert_eq!((cdr.status, cdr.answered), (u64::from(status), status == 200), "{cdr:?}");
        assert!(!cdr.recovered, "{cdr:?}");
    }
    wait_quiet(&node);
    assert_eq!(records::cdrs(&sqlite, &node, "44").len(), ENDS);
}

#[test]
fn a_node_that_stops_waits_for_a_call_that_has_just_begun() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    let mut node = place(&[Transport::Udp], "", provision(CUSTOMER, &routes)).start();
    let (at, pid) = (node.ports().sip[0], node.pid());
    let mut vendor = Callee::new(Datagrams::bind(gateway, at), Transport::Udp, gateway);
    let vendor = thread::spawn(move || {
        vendor.rings();
        // Nobody but the worker knows of the call yet.
        signal(pid, "TERM");
        vendor.answers();
        vendor.is_hung_up_on();
    });
    let local = customer_address();
    let mut customer = Caller::new(Datagrams::bind(local, at), Transport::Udp, local, "stopping");
    customer.call("+4420");
    customer.hang_up();
    vendor.join().unwrap();
    let status = wait::until("the node ends once the call has", SOON, || node.exit_status());
    assert!(status.success(), "{status}");
    let cdrs = records::cdrs(&sqlite, &node, "44");
    assert_eq!(cdrs.len(), 1, "{cdrs:?}");
    assert_eq!((cdrs[0].status, cdrs[0].ended_by), (200, "caller"), "{cdrs:?}");
}

/// How many calls live, as the API tells it.
fn live(node: &Node) -> u32 {
    let told = node.get("/v1/calls?limit=1").json();
    told["live"].as_u64().and_then(|live| u32::try_from(live).ok()).unwrap_or_else(|| panic!("{told}"))
}
