//! Two workers that share their addresses: what lands with the one may be of the other. And IPv6, which is another kind
//! of socket.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::thread;

use super::super::peer;
use super::super::process::{Place, Setup, free_port};
use super::ua::{Callee, Caller, Datagrams, Recorded};
use super::{
    CUSTOMER, Route, Transport, customer_address, place, provision, records, vendor_address, wait_quiet,
};

/// Each from a port of its own, so that the system gives some to each worker's socket.
const CALLS: usize = 24;

#[test]
fn two_workers_keep_the_order_of_a_call_and_write_one_record() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    let node = place(&[Transport::Udp], "workers = 2", provision(CUSTOMER, &routes)).start();
    let tree = node.get("/v1/actors").body;
    for worker in ["sip_worker:0:0", "sip_worker:1:0"] {
        assert!(tree.contains(worker), "{worker} in {tree}");
    }
    let at = node.ports().sip[0];
    // Where all of this vendor's responses land is one worker; half of the calls are of the other.
    let mut link = Datagrams::bind(gateway, at);
    for call in 0..CALLS {
        let caller_ends = call % 2 == 0;
        let vendor = thread::spawn(move || {
            let mut vendor = Callee::new(link, Transport::Udp, gateway);
            // Back to back: nobody waits between 180 and 200.
            vendor.rings();
            vendor.answers();
            if caller_ends {
                vendor.is_hung_up_on();
            } else {
                vendor.hangs_up();
            }
            vendor.link
        });
        let local = customer_address();
        let link_of_customer = Recorded::new(Datagrams::bind(local, at));
        let id = format!("workers{call}");
        let mut customer = Caller::new(link_of_customer, Transport::Udp, local, &id);
        customer.call(&format!("+4420{call:02}"));
        if caller_ends {
            customer.hang_up();
        } else {
            customer.is_hung_up_on();
        }
        link = vendor.join().unwrap();
        let statuses = customer.link.received.iter().filter_map(|text| text.strip_prefix("SIP/2.0 "));
        let mut statuses: Vec<&str> = statuses.map(|rest| &rest[..3]).collect();
        statuses.truncate(3);
        assert_eq!(statuses, ["100", "180", "200"], "call {call}");
    }
    wait_quiet(&node);
    let cdrs = records::wait_cdrs(&sqlite, &node, "44", CALLS);
    let named: HashSet<&str> = cdrs.iter().map(|cdr| cdr.call_id.as_str()).collect();
    assert_eq!((cdrs.len(), named.len()), (CALLS, CALLS), "one record a call");
    for cdr in &cdrs {
        assert_eq!((cdr.status, cdr.reason, cdr.rang), (200, "answered", true), "{cdr:?}");
        assert_eq!(cdr.attempts, [(gateway.to_string(), Some(200), "answered")], "{cdr:?}");
    }
    assert!(node.metric("warp_sip_ring_full_total") < 0.5);
}

#[test]
fn a_call_over_ipv6() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let [here, gateway, local] = [0; 3].map(|_| SocketAddr::from((Ipv6Addr::LOCALHOST, free_port())));
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    let listener = format!("{{ transport = \"udp\", address = \"{here}\" }}");
    let sections = format!("[sip]\nlisten = [{listener}]\nworkers = 2\nqueue_age_max = \"5s\"\n");
    let provision = provision(Ipv6Addr::LOCALHOST, &routes);
    let setup = Setup { sections, provision, fixed_ports: true, ..Setup::default() };
    let node = Place::new(&setup).start();
    assert_eq!(node.ports().sip, [here]);
    let link = Recorded::new(Datagrams::bind(gateway, here));
    let vendor = thread::spawn(move || {
        let mut vendor = Callee::new(link, Transport::Udp, gateway);
        vendor.rings();
        vendor.answers();
        vendor.is_hung_up_on();
        vendor.link
    });
    let mut customer = Caller::new(Datagrams::bind(local, here), Transport::Udp, local, "six");
    customer.call("+4420");
    customer.hang_up();
    let invite = vendor.join().unwrap().received.remove(0);
    for ours in [format!("Via: SIP/2.0/UDP {here}"), format!("Record-Route: <sip:{here}")] {
        assert!(invite.contains(&ours), "{ours:?} in {invite}");
    }
    let attempt = (gateway, Some(200), "answered");
    records::expect_one(&sqlite, &node, "44", (200, "answered", "caller", &[attempt]));
}
