//! What should not be on a SIP port, from those who may send: the node lives, stays small, and still places calls.

use std::fmt::Display;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::process::Node;
use super::super::wait;
use super::sipp::{Part, Sipp};
use super::wire::{Messages, connect, exchange, request};
use super::{
    CUSTOMER, CUSTOMER_CALLS, HERE, Route, SOON, Transport, VENDOR_ANSWERS, place, programs, provision,
    records, scenario, wait_quiet,
};

/// Time in which a node that answers at all has answered.
const MOMENT: Duration = Duration::from_millis(500);
/// What the node may grow by, KB.
const GROWTH_KB: u64 = 100_000;

/// Where the vendor is: a stranger on a stream comes from where the node is.
const VENDOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// What is sent, and the statuses, or the silence, that may come back.
type Case<T> = (&'static str, T, &'static [Option<u16>]);

#[test]
fn datagrams_that_no_sip_peer_would_send() {
    let Some(scene) = Scene::new(CUSTOMER, Transport::Udp, "") else { return };
    let node = scene.at();
    let before = scene.rss_kb();
    let invite = |id: &str| request("INVITE", "+44201", "UDP 127.0.0.2:5060", id);
    let length = |id: &str, lines: &str| invite(id).replace("Content-Length: 0\r\n", lines).into_bytes();
    let padded = |id: &str, header: &str| {
        let text = invite(id);
        let padding = 65_500 - text.len();
        text.replace("Max-Forwards: 70\r\n", &format!("Max-Forwards: 70\r\n{}\r\n", fill(header, padding)))
            .into_bytes()
    };
    // What a datagram is answered with; nothing where nobody is known to have asked for anything.
    let cases: Vec<Case<Vec<u8>>> = vec![
        ("nothing", Vec::new(), &[None]),
        ("keep-alive", b"\r\n\r\n".to_vec(), &[None]),
        ("zeroes", vec![0; 65_507], &[None]),
        ("letters", vec![b'A'; 65_507], &[None]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec(), &[None]),
        ("TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 500]].concat(), &[None]),
        ("two lengths", length("l1", "Content-Length: 0\r\nContent-Length: 4\r\n"), &[Some(400)]),
        ("negative", length("l2", "Content-Length: -999\r\n"), &[Some(400)]),
        ("more than there is", length("l3", "Content-Length: 9999\r\n"), &[Some(400)]),
        ("huge", length("l4", "Content-Length: 99999999999999999999999999\r\n"), &[Some(400)]),
        ("no number", length("l5", "Content-Length: ten\r\n"), &[Some(400)]),
        ("one long header", padded("p1", "X-Long"), &[Some(400), Some(513)]),
        ("many headers", padded("p2", ""), &[Some(400), Some(513)]),
        ("no Via", invite("v1").replace("Via: ", "Wia: ").into_bytes(), &[None]),
        ("cut in its head", invite("c1").into_bytes()[..200].to_vec(), &[None, Some(400)]),
    ];
    for (name, octets, wanted) in cases {
        // A socket of its own, so that a late answer is not taken for that of the next.
        let socket = UdpSocket::bind((CUSTOMER, 0)).unwrap();
        let within = if wanted.contains(&None) { MOMENT } else { SOON };
        let status = exchange(&socket, node, &octets, within);
        assert!(wanted.contains(&status), "{name}: {status:?}, {wanted:?} is wanted");
    }
    let (large, socket) = (padded("p3", "X-Long"), UdpSocket::bind((CUSTOMER, 0)).unwrap());
    for _ in 0..2_000 {
        socket.send_to(&large, node).unwrap();
    }
    scene.assert_still_works(before);
}

/// One header of this name that is so long; without a name, as many short ones as have the length.
fn fill(header: &str, octets: usize) -> String {
    if header.is_empty() {
        return "X-A: b\r\n".repeat(octets / 8).trim_end().to_owned();
    }
    format!("{header}: {}", "x".repeat(octets.saturating_sub(header.len() + 4)))
}

#[test]
fn streams_that_no_sip_peer_would_write() {
    let Some(scene) = Scene::new(HERE, Transport::Tcp, "header_timeout = \"2s\"\n") else { return };
    let node = scene.at();
    let before = scene.rss_kb();
    let invite = |id: &str| request("INVITE", "+44201", "TCP 127.0.0.1:5060", id);
    let length = |id: &str, lines: &str| invite(id).replace("Content-Length: 0\r\n", lines);
    // The status that comes before the end, if one must; the stream ends, since where the next message begins is
    // anybody's guess.
    let cases: Vec<Case<String>> = vec![
        ("HTTP", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), &[None]),
        ("letters", "A".repeat(200_000), &[None]),
        (
            "a head without end",
            format!("{}X-Long: {}", head(&invite("h1")), "x".repeat(200_000)),
            &[None, Some(400), Some(513)],
        ),
        ("two lengths", length("l1", "Content-Length: 0\r\nContent-Length: 4\r\n"), &[Some(400)]),
        ("negative", length("l2", "Content-Length: -999\r\n"), &[Some(400)]),
        ("huge", length("l3", "Content-Length: 4294967295\r\n"), &[Some(400), Some(513)]),
        ("huger", length("l4", "Content-Length: 99999999999999999999999999\r\n"), &[Some(400), Some(513)]),
        ("no number", length("l5", "Content-Length: ten\r\n"), &[Some(400)]),
    ];
    for (name, text, wanted) in cases {
        let (status, ended) = answer_and_end(node, text.as_bytes());
        assert!(wanted.contains(&status), "{name}: {status:?}, {wanted:?} is wanted");
        assert!(ended, "{name}: the stream goes on");
    }
    scene.assert_still_works(before);
}

/// Start line and headers, without the empty line.
fn head(request: &str) -> &str {
    request.trim_end_matches("\r\n\r\n").trim_end_matches("Content-Length: 0")
}

/// The status of what comes, and whether the stream ends soon.
fn answer_and_end(node: SocketAddr, octets: &[u8]) -> (Option<u16>, bool) {
    let mut stream = connect(node);
    // The node may close before it has all.
    let _ = stream.write_all(octets);
    let (deadline, mut read, mut buffer) = (Instant::now() + SOON, Vec::new(), [0; 4096]);
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(more) => read.extend(&buffer[..more]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break true,
        }
        if Instant::now() > deadline {
            break false;
        }
    };
    let text = String::from_utf8_lossy(&read).into_owned();
    let status =
        text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
    (status, ended)
}

#[test]
fn thousands_of_connections_that_say_little() {
    let lines = "header_timeout = \"3s\"\nper_peer_connections_max = 2500\n";
    let Some(scene) = Scene::new(HERE, Transport::Tcp, lines) else { return };
    let node = scene.at();
    let before = scene.rss_kb();
    let mut open: Vec<TcpStream> = (0..2_000).map(|_| connect(node)).collect();
    // Half of them are silent, the others begin a message and go on an octet at a time.
    let text = request("INVITE", "+44201", "TCP 127.0.0.1:5060", "drip");
    let (begun, rest) = text.as_bytes().split_at(40);
    for stream in open.iter_mut().step_by(2) {
        stream.write_all(begun).unwrap();
    }
    let accepted = || scene.node.metric("warp_sip_connections_accepted_total");
    wait::until("all are accepted", SOON, || (accepted() > 1_999.5).then_some(()));
    let grown = scene.rss_kb().saturating_sub(before);
    assert!(grown < GROWTH_KB, "the node grew by {grown} KB");
    for octet in rest.chunks(1).take(30) {
        wait::pause(Duration::from_millis(200));
        for stream in open.iter_mut().step_by(2) {
            // What was closed stays so.
            let _ = stream.write_all(octet);
        }
    }
    wait::until("none is left", SOON, || (scene.node.metric("warp_sip_connections") < 0.5).then_some(()));
    drop(open);
    scene.assert_still_works(before);
}

#[test]
fn calls_go_on_beside_ten_thousand_connections() {
    // What is tested is that no call fails, not how soon a busy machine lets the node have a turn.
    let lines = "header_timeout = \"3s\"\nper_peer_connections_max = 12000\n";
    let Some(scene) = Scene::new(HERE, Transport::Tcp, lines) else { return };
    let node = scene.at();
    let before = scene.rss_kb();
    let folder = tempfile::tempdir().unwrap();
    // Fifteen seconds of calls: from before the first connection until after the last was ended.
    let (vendor, customer) = scene.start_calls(&folder, "448", (150, 10));
    let mut open: Vec<TcpStream> = (0..10_000).map(|_| connect(node)).collect();
    let text = request("INVITE", "+44201", "TCP 127.0.0.1:5060", "drip");
    let (begun, rest) = text.as_bytes().split_at(40);
    for stream in open.iter_mut().step_by(4) {
        stream.write_all(begun).unwrap();
    }
    let accepted = || scene.node.metric("warp_sip_connections_accepted_total");
    wait::until("all are accepted", SOON, || (accepted() > 9_999.5).then_some(()));
    assert!(scene.rss_kb().saturating_sub(before) < GROWTH_KB, "{} KB", scene.rss_kb());
    for octet in rest.chunks(1).take(25) {
        wait::pause(Duration::from_millis(200));
        for stream in open.iter_mut().step_by(4) {
            // What was closed stays so.
            let _ = stream.write_all(octet);
        }
    }
    let left = open.iter().filter(|stream| !is_closed(stream)).count();
    assert_eq!(left, 0, "connections that never said anything whole");
    drop(open);
    assert_eq!((customer.finish(), vendor.finish()), (Ok(()), Ok(())));
    let cdrs = records::wait_cdrs(&scene.sqlite, &scene.node, "448", 150);
    assert!(cdrs.len() == 150 && cdrs.iter().all(|cdr| cdr.status == 200), "{cdrs:?}");
    scene.assert_still_works(before);
}

#[test]
fn one_address_has_its_share_of_connections_only() {
    let Some(scene) = Scene::new(HERE, Transport::Tcp, "per_peer_connections_max = 10\n") else { return };
    let node = scene.at();
    let before = scene.rss_kb();
    let open: Vec<TcpStream> = (0..50).map(|_| connect(node)).collect();
    wait::until("those beyond are closed", SOON, || {
        (open.iter().filter(|stream| is_closed(stream)).count() == 40).then_some(())
    });
    // Those that stay are served.
    let first = open.into_iter().find(|stream| !is_closed(stream)).unwrap();
    let mut first = Messages::new(first);
    first.send(
        &request("OPTIONS", "ping", "TCP 127.0.0.1:5060", "share")
            .replace("@127.0.0.1 SIP", &format!("@{node} SIP")),
    );
    first.expect(200, SOON);
    drop(first);
    scene.assert_still_works(before);
}

/// Whether the other side has closed; nothing is taken from what it said.
fn is_closed(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0; 1]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// A node with one customer and one vendor.
pub(super) struct Scene {
    node: Node,
    transport: Transport,
    customer: IpAddr,
    gateway: SocketAddr,
    sipp: PathBuf,
    sqlite: PathBuf,
}

impl Scene {
    #[track_caller]
    fn new(customer: IpAddr, transport: Transport, lines: &str) -> Option<Self> {
        Self::of(&customer, customer, transport, lines)
    }

    /// The customer has all these sources, and calls from this address.
    #[track_caller]
    pub(super) fn of(
        sources: &dyn Display,
        customer: IpAddr,
        transport: Transport,
        lines: &str,
    ) -> Option<Self> {
        let (sipp, sqlite) = programs()?;
        let gateway = SocketAddr::from((VENDOR, super::free_port()));
        let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, transport)] }];
        let node = place(&[transport], lines, provision(sources, &routes)).start();
        Some(Self { node, transport, customer, gateway, sipp, sqlite })
    }

    /// Where the node listens.
    #[track_caller]
    pub(super) fn at(&self) -> SocketAddr {
        self.node.ports().sip[0]
    }

    pub(super) fn rss_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The node has not grown, nothing in it has crashed, and a call goes through.
    #[track_caller]
    pub(super) fn assert_still_works(&self, before_kb: u64) {
        let log = self.node.place().log();
        assert!(!log.contains("panicked"), "{log}");
        let grown = self.rss_kb().saturating_sub(before_kb);
        assert!(grown < GROWTH_KB, "the node grew by {grown} KB");
        wait_quiet(&self.node);
        let folder = tempfile::tempdir().unwrap();
        let (vendor, customer) = self.start_calls(&folder, "449", (3, 10));
        assert_eq!((customer.finish(), vendor.finish()), (Ok(()), Ok(())));
        let cdrs = records::wait_cdrs(&self.sqlite, &self.node, "449", 3);
        assert!(cdrs.len() == 3 && cdrs.iter().all(|cdr| cdr.status == 200), "{cdrs:?}");
    }

    /// The vendor and the customer of so many calls, so many a second, to numbers that begin so.
    #[track_caller]
    fn start_calls(&self, folder: &TempDir, prefix: &str, count: (u32, u32)) -> (Sipp, Sipp) {
        let part = |side: &str, scenario: String, local: SocketAddr| Part {
            name: format!("{prefix}-{side}"),
            scenario,
            transport: self.transport,
            local,
            calls: None,
            count,
            folder: folder.path(),
        };
        let vendor = part("vendor", scenario::vendor(self.transport, VENDOR_ANSWERS), self.gateway);
        let vendor = Sipp::start(&self.sipp, vendor);
        let scenario = scenario::customer(prefix, self.transport, CUSTOMER_CALLS);
        let customer = part("customer", scenario, (self.customer, super::free_port()).into());
        (vendor, Sipp::start(&self.sipp, Part { calls: Some(self.at()), ..customer }))
    }
}
