//! Sides that are not shown the other one (`hide_topology`): their calls come up, change and end as any
//! other, over a restart and through another node too, and nothing that they are sent tells of the other one.
//! Customers are at 127.0.0.2 or in 127.0.1.0/24, vendors at 127.0.0.8.

mod calls;
mod end;
mod looking;
mod nodes;
mod octets;
mod restart;
mod telephones;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::end::{End, Who};
use super::digest::{ANOTHER, vendor_address};
use super::{Node, Route, Transport, customer_address, place, provision};

/// Time for something that takes no time but a busy machine's.
const PATIENCE: Duration = Duration::from_secs(30);
/// SIPp gives up a call in which it is asked whether that is up. Two workers: what a hidden side sends has to
/// find the call at the one that the other side's Call-ID leads to.
const LINES: &str = "dead_call_probe = \"0s\"\nworkers = 2";
/// Words that are in everything that a side says of itself, too long to be in a sealed text by chance.
const CUSTOMERS: &str = "customer-pbx";
const VENDORS: &str = "vendor-switch";
/// The number that the customer calls, the beginning of its routes, and the number of the customer.
const CALLED: &str = "+442079461234";
const PREFIX: &str = "44";
const OWN: &str = "+442079469999";

/// Who is not shown the other side.
#[derive(Clone, Copy, Debug)]
struct Hides {
    vendor: bool,
    trunk: bool,
}

impl Hides {
    const VENDOR: Self = Self { vendor: true, trunk: false };
    const TRUNK: Self = Self { vendor: false, trunk: true };
    const BOTH: Self = Self { vendor: true, trunk: true };
    const NOBODY: Self = Self { vendor: false, trunk: false };

    /// Whether who is called is hidden, in a call that comes from a vendor or goes to one.
    const fn called(self, inbound: bool) -> bool {
        if inbound { self.trunk } else { self.vendor }
    }

    /// Whether who calls is.
    const fn caller(self, inbound: bool) -> bool {
        if inbound { self.vendor } else { self.trunk }
    }
}

/// A customer without a source, partition and vendors as in [`provision`].
fn vendors(hides: Hides, routes: &[Route]) -> String {
    let table = format!("[[sip_vendors]]\nhide_topology = {}\n", hides.vendor);
    provision(ANOTHER, routes)
        .replace("[[sip_vendors]]\n", &table)
        // A vendor here has much to look at before it answers.
        .replace("pdd_timeout = \"1s\"", "pdd_timeout = \"20s\"")
}

/// A trunk of that customer at the address of this gateway, which calls to these numbers go to.
fn trunk(
    name: &str,
    hides: Hides,
    (gateway, transport): (SocketAddr, Transport),
    numbers: &[String],
) -> String {
    let mut text = format!(
        "[[trunks]]\nname = \"{name}\"\ncustomer = \"TB-000000001\"\npartition = \"all\"\nacl = [\"{}\"]\n\
         hide_topology = {}\ngateways = [\"sip:{gateway};transport={}\"]\n",
        gateway.ip(),
        hides.trunk,
        transport.name()
    );
    for number in numbers {
        let _ = write!(
            text,
            "[[dids]]\nnumber = \"{number}\"\ncustomer = \"TB-000000001\"\ntrunk = \"{name}\"\n"
        );
    }
    text
}

/// A customer with a number, and a vendor.
fn provisioned(hides: Hides, customer: SocketAddr, vendor: SocketAddr) -> String {
    let routes = [Route { prefix: PREFIX.to_owned(), gateways: vec![(vendor, Transport::Udp)] }];
    vendors(hides, &routes) + &trunk("own", hides, (customer, Transport::Udp), &[OWN.to_owned()])
}

/// Both sides of calls, played by hand, and a node between them.
struct Stage {
    node: Node,
    customer: End,
    vendor: End,
}

impl Stage {
    #[track_caller]
    fn new(hides: Hides) -> Self {
        let (local, gateway) = (customer_address(), vendor_address());
        let node = place(&[Transport::Udp], LINES, provisioned(hides, local, gateway)).start();
        let at = node.ports().sip[0];
        let [customer, vendor] = ends(hides, (local, gateway), (at, &at.to_string()));
        Self { node, customer, vendor }
    }

    /// Who calls, who is called, and the number.
    fn sides(&mut self, inbound: bool) -> (&mut End, &mut End, &'static str) {
        let Self { customer, vendor, .. } = self;
        if inbound { (vendor, customer, OWN) } else { (customer, vendor, CALLED) }
    }

    /// The process is killed, and the next one begins with what is on the disk.
    #[track_caller]
    fn restart(&mut self) {
        let place = Arc::clone(self.node.place());
        self.node.kill();
        self.node = place.start();
    }
}

/// A customer and a vendor that send to this address of a node, which calls itself by this name.
#[track_caller]
fn ends(
    hides: Hides,
    (local, gateway): (SocketAddr, SocketAddr),
    (node, name): (SocketAddr, &str),
) -> [End; 2] {
    let customer = Who { mark: CUSTOMERS, at: local };
    let vendor = Who { mark: VENDORS, at: gateway };
    [
        End::new((customer, vendor), hides.trunk, (node, name)),
        End::new((vendor, customer), hides.vendor, (node, name)),
    ]
}

/// How many calls live, as the API tells it.
#[track_caller]
fn live(node: &Node) -> u64 {
    let told = node.get("/v1/calls?limit=1").json();
    told["live"].as_u64().unwrap_or_else(|| panic!("{told}"))
}
