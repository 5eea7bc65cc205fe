//! Trunks that register over a connection, from behind a NAT, or by way of a proxy before the node: a vendor's calls to their
//! number take that way, and no other. Telephones are at 127.0.0.4, but for their connections, and vendors at
//! 127.0.0.8.

mod connections;
mod keep_alive;
mod path;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::super::process::Node;
use super::super::wait;
use super::{Caller, Datagrams, Route, SOON, Transport, digest, provision, records};

/// The number of the trunk that registers.
const OWN: &str = "+442079469999";
/// Time for a registration to come to its end, or to be renewed: that of the shortest one is a part of it.
const OVER: Duration = Duration::from_secs(60);
/// Seconds for which a telephone registers that is to stay.
const LONG: u32 = 3600;
/// Contacts that calls are placed by: the node has no others than those of the trunk.
const REGISTRATIONS: &str = "warp_sip_registrations";

/// A trunk that may register and has a number, and a vendor.
fn provisioned(vendor: SocketAddr) -> String {
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(vendor, Transport::Udp)] }];
    format!(
        "{}{}[[dids]]\nnumber = \"{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"roaming\"\n",
        provision(digest::ANOTHER, &routes),
        digest::trunk("roaming", "DIGEST", "")
    )
}

/// The vendor, before a call. The node's first listener is on UDP.
#[track_caller]
fn caller(vendor: SocketAddr, node: &Node, id: &str) -> Caller<Datagrams> {
    Caller::new(Datagrams::bind(vendor, node.ports().sip[0]), Transport::Udp, vendor, id)
}

/// The vendor in a call to the number, until the ACK of the answer.
#[track_caller]
fn calls(vendor: SocketAddr, node: &Node, id: &str) -> Caller<Datagrams> {
    let mut caller = caller(vendor, node, id);
    caller.call(OWN);
    caller
}

/// Waits until the trunk `roaming` has so many contacts, and calls go by them. The API lists what the database
/// has; what calls go by follows its commit, and is what the metric counts.
#[track_caller]
pub(super) fn wait_bound(node: &Node, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} contacts of the trunk"), SOON + OVER, || {
        let bound = bound(node);
        let is_in_force = || node.metric(REGISTRATIONS).abs().to_string() == count.to_string();
        (bound.len() == count && is_in_force()).then_some(bound)
    })
}

/// The contacts that it has, as the API tells it.
#[track_caller]
pub(super) fn bound(node: &Node) -> Vec<Value> {
    let trunks = "/v1/admin/customers/TB-000000001/trunks";
    let of = |page: Value| page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone();
    let trunk = of(node.get(trunks).json()).into_iter().find(|trunk| trunk["name"] == "roaming").unwrap();
    of(node.get(&format!("{trunks}/{}/registrations", text(&trunk, "id"))).json())
}

/// Waits for the records of so many calls to the number.
#[track_caller]
fn wait_records(node: &Node, count: usize) -> Vec<records::Cdr> {
    wait::until("the records of all calls", SOON, || {
        let cdrs = records::cdrs_of_api(node, OWN.trim_start_matches('+'));
        (cdrs.len() == count).then_some(cdrs)
    })
}

pub(super) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} in {row}"))
}
