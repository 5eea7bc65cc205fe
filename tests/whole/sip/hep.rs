//! The copy of signalling for a Homer collector: every message of a call, octet by octet, with who sent it to whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::wait;
use super::ua::{Callee, Caller, Datagrams, Link, Recorded};
use super::wire::{Messages, accept};
use super::{
    CUSTOMER, HERE, Route, SOON, Transport, customer_address, place, provision, vendor_address, wait_quiet,
};

const CALL_ID: &str = "mirrored";
/// What the node calls itself towards the collector.
const AGENT: u32 = 2_001;

/// IP protocol, source, destination, octets.
type Passed = (u8, SocketAddr, SocketAddr, String);

/// A vendor that listens; it plays when it is called, and then tells what passed at its end.
type Vendor = Box<dyn FnOnce() -> Vec<Passed> + Send>;

#[test]
fn every_message_of_a_call_over_udp_is_mirrored() {
    mirrored(&[Transport::Udp], |gateway, node| {
        let link = Recorded::new(Datagrams::bind(gateway, node));
        Box::new(move || {
            let mut vendor = Callee::new(link, Transport::Udp, gateway);
            play(&mut vendor);
            passed(&vendor.link, UDP, (gateway, node))
        })
    });
}

/// The node's end of a connection is told as its listener, whoever connected.
#[test]
fn every_message_of_a_call_to_tcp_is_mirrored() {
    mirrored(&[Transport::Udp, Transport::Tcp], |gateway, node| {
        let listener = TcpListener::bind(gateway).unwrap();
        Box::new(move || {
            let link = Recorded::new(Messages::new(accept(&listener)));
            let mut vendor = Callee::new(link, Transport::Tcp, gateway);
            play(&mut vendor);
            passed(&vendor.link, TCP, (gateway, node))
        })
    });
}

const UDP: u8 = 17;
const TCP: u8 = 6;

fn play(vendor: &mut Callee<impl Link>) {
    vendor.rings();
    vendor.answers();
    vendor.is_hung_up_on();
}

/// A call from UDP to a vendor on the last of the node's transports, which is made of its address and the node's.
fn mirrored(transports: &[Transport], vendor: fn(SocketAddr, SocketAddr) -> Vendor) {
    let (gateway, local) = (vendor_address(), customer_address());
    let collector = UdpSocket::bind((HERE, 0)).unwrap();
    let transport = *transports.last().unwrap();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, transport)] }];
    let lines = format!("hep_collector = \"{}\"\nhep_id = {AGENT}\n", collector.local_addr().unwrap());
    let node = place(transports, &lines, provision(CUSTOMER, &routes)).start();
    let (at, last) = (node.ports().sip[0], *node.ports().sip.last().unwrap());
    let began = seconds();
    let vendor = thread::spawn(vendor(gateway, last));
    let link = Recorded::new(Datagrams::bind(local, at));
    let mut customer = Caller::new(link, Transport::Udp, local, CALL_ID);
    customer.call("+4420");
    customer.hang_up();
    let mut wanted = passed(&customer.link, UDP, (local, at));
    wanted.extend(vendor.join().unwrap());
    wait_quiet(&node);
    // INVITE, 100, 180, 200, ACK, BYE, 200 at the customer's end; all but the 100 at the vendor's.
    assert!(wanted.len() >= 13, "{wanted:?}");

    let mut copies: Vec<Passed> = Vec::new();
    wait::until("all copies", SOON, || {
        copies.extend(received(&collector).into_iter().map(|copy| {
            assert_eq!((copy.family, copy.protocol), (2, 1), "IPv4, SIP");
            assert_eq!((copy.agent, copy.correlation.as_str()), (AGENT, CALL_ID));
            assert!((began..=seconds()).contains(&copy.seconds) && copy.microseconds < 1_000_000);
            (copy.ip_protocol, copy.source, copy.destination, copy.payload)
        }));
        (copies.len() >= wanted.len()).then_some(())
    });
    // Nothing comes after them.
    wait::pause(Duration::from_millis(300));
    assert!(received(&collector).is_empty(), "more copies than messages");
    copies.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(copies, wanted);
}

/// What one end sent to the node and received from it.
fn passed<L>(link: &Recorded<L>, protocol: u8, (end, node): (SocketAddr, SocketAddr)) -> Vec<Passed> {
    let sent = link.sent.iter().map(|text| (protocol, end, node, text.clone()));
    sent.chain(link.received.iter().map(|text| (protocol, node, end, text.clone()))).collect()
}

fn seconds() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u32::try_from(now.as_secs()).unwrap()
}

/// What has come by now.
fn received(collector: &UdpSocket) -> Vec<Copied> {
    collector.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 65_536];
    std::iter::from_fn(|| collector.recv(&mut buffer).ok().map(|read| Copied::read(&buffer[..read])))
        .collect()
}

/// One packet of HEP version 3.
#[derive(Debug)]
struct Copied {
    family: u8,
    ip_protocol: u8,
    source: SocketAddr,
    destination: SocketAddr,
    seconds: u32,
    microseconds: u32,
    protocol: u8,
    agent: u32,
    correlation: String,
    payload: String,
}

impl Copied {
    /// "HEP3", the length of all, and chunks: vendor (0 is the standard's), type, the chunk's own length, value.
    #[track_caller]
    fn read(octets: &[u8]) -> Self {
        assert_eq!(&octets[..4], b"HEP3");
        assert_eq!(usize::from(number16(&octets[4..6])), octets.len(), "the length of all");
        let mut chunks: Vec<(u16, &[u8])> = Vec::new();
        let mut rest = &octets[6..];
        while !rest.is_empty() {
            let (kind, length) = (number16(&rest[2..4]), usize::from(number16(&rest[4..6])));
            assert_eq!(number16(&rest[..2]), 0, "a chunk of the standard");
            chunks.push((kind, &rest[6..length]));
            rest = &rest[length..];
        }
        let value = |kind: u16| -> &[u8] {
            let mut found = chunks.iter().filter(|chunk| chunk.0 == kind);
            let (Some(chunk), None) = (found.next(), found.next()) else {
                panic!("one chunk {kind}: {chunks:?}")
            };
            chunk.1
        };
        let address = |kind, port| -> SocketAddr {
            let octets: [u8; 4] = value(kind).try_into().unwrap();
            (IpAddr::V4(Ipv4Addr::from(octets)), number16(value(port))).into()
        };
        let number32 = |kind| u32::from_be_bytes(value(kind).try_into().unwrap());
        let text = |kind| String::from_utf8(value(kind).to_vec()).unwrap();
        Self {
            family: value(1)[0],
            ip_protocol: value(2)[0],
            source: address(3, 7),
            destination: address(4, 8),
            seconds: number32(9),
            microseconds: number32(10),
            protocol: value(11)[0],
            agent: number32(12),
            correlation: text(17),
            payload: text(15),
        }
    }
}

fn number16(octets: &[u8]) -> u16 {
    u16::from_be_bytes(octets.try_into().unwrap())
}
