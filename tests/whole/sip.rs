//! Calls through the node as customers, vendors, strangers and operators see them. Customers are at 127.0.0.2,
//! vendors at 127.0.0.1: the node knows who sends by the address.

mod baresip;
mod calls;
mod digest;
mod dns;
mod hep;
mod hiding;
mod kamailio;
mod keys;
mod kill;
mod linphone;
mod media;
mod noise;
mod records;
mod redis;
mod registered;
mod scanners;
mod scenario;
mod sipp;
mod stir;
mod stream;
mod tls;
mod torture;
mod ua;
mod vendor_accounts;
mod wire;
mod workers;

use std::fmt::{Display, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::ua::{Callee, Caller, Datagrams, response};
pub(super) use self::wire::{Message, request};
use super::process::{Node, Place, Setup, free_port};
use super::{peer, wait};

/// Where customers send from.
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Where the node and the vendors are.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Time for something that takes no time but a busy machine's.
const SOON: Duration = Duration::from_secs(10);
/// What a customer and a vendor do in the call that everything else is a variation of.
const CUSTOMER_CALLS: &[&str] =
    &["INVITE sdp", "expect 180", "expect 200 sdp", "ACK", "pause 200", "BYE", "expect 200"];
const VENDOR_ANSWERS: &[&str] =
    &["expect INVITE", "answer 180", "answer 200 sdp", "expect ACK", "expect BYE", "reply 200"];

/// What carries SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Calls to numbers that begin with these digits go to these vendors, in this order.
struct Route {
    prefix: String,
    gateways: Vec<(SocketAddr, Transport)>,
}

/// One customer with these sources, whose calls are routed so. Each gateway is a vendor of its own, dearer than the one
/// before it, that has a second for its first answer.
fn provision(sources: impl Display, routes: &[Route]) -> String {
    let mut text = format!(
        "[[customers]]\nban = \"TB-000000001\"\ncompany_name = \"Acme\"\nstatus = \"ACTIVE\"\n\
         type = \"POSTPAID\"\nservices = [\"Voice\"]\n[[partitions]]\nname = \"all\"\n\
         [[trunks]]\nname = \"acme\"\ncustomer = \"TB-000000001\"\npartition = \"all\"\nacl = [\"{sources}\"]\n"
    );
    for Route { prefix, gateways } in routes {
        for (at, (address, transport)) in (1..).zip(gateways) {
            let transport = transport.name();
            let _ = write!(
                text,
                "[[sip_vendors]]\nname = \"{prefix}-{at}\"\npdd_timeout = \"1s\"\nprobe_interval = \"0s\"\n\
                 gateways = [\"sip:{address};transport={transport}\"]\n\
                 [[voice_rates]]\npartition = \"all\"\nprefix = \"{prefix}\"\nvendor = \"{prefix}-{at}\"\n\
                 rate = \"0.0{at}\"\n"
            );
        }
    }
    text
}

/// A node that speaks SIP on each of these, with more lines of `[sip]`. Its ports survive a restart.
#[track_caller]
fn place(transports: &[Transport], lines: &str, provision: String) -> Arc<Place> {
    place_with(transports, (lines, ""), provision)
}

/// The same with more lines of `[sip]`, and of `[api]`.
#[track_caller]
fn place_with(transports: &[Transport], (lines, api): (&str, &str), provision: String) -> Arc<Place> {
    let listener = |transport: &Transport| {
        format!("{{ transport = {:?}, address = \"{HERE}:{}\" }}", transport.name(), free_port())
    };
    let listeners: Vec<String> = transports.iter().map(listener).collect();
    // What is tested is not how a node sheds load: a machine that stands still for a moment loses no call.
    let patient = "queue_age_max = \"5s\"";
    let sections = format!("[sip]\nlisten = [{}]\n{patient}\n{lines}\n", listeners.join(", "));
    let api = api.to_owned();
    Place::new(&Setup { sections, provision, fixed_ports: true, api, ..Setup::default() })
}

fn vendor_address() -> SocketAddr {
    (HERE, free_port()).into()
}

fn customer_address() -> SocketAddr {
    (CUSTOMER, free_port()).into()
}

/// What most tests here need: SIPp, and sqlite3 to read the records with.
#[track_caller]
fn programs() -> Option<(PathBuf, PathBuf)> {
    Some((peer::program("sipp")?, peer::program("sqlite3")?))
}

/// Waits until the node holds no call.
#[track_caller]
fn wait_quiet(node: &Node) {
    wait::until("the node holds no call", SOON, || {
        (node.metric("warp_sip_active_dialogs") < 0.5).then_some(())
    });
}
