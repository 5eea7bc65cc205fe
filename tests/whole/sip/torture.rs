//! The messages of RFC 4475 and RFC 5118 on the wire, from a customer and from a stranger.
//!
//! What becomes of each is told by the table that the parser's own tests read. What a proxy would forward comes to
//! its end here too: nobody has these names, and most of it is no call.

#[path = "../../../protocols/sip/src/validate/tests/notation.rs"]
mod notation;

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::super::process::root;
use super::super::wait;
use super::noise::Scene;
use super::wire::{Message, Messages, connect};
use super::{CUSTOMER, HERE, SOON, Transport};

/// Time in which a node that answers at all has answered.
const MOMENT: Duration = Duration::from_millis(500);
/// Ports that Vias of the messages name beside 5060, which they name by saying none.
const PORTS: [u16; 3] = [5050, 6050, 19_823];
/// Time for the rest of a message on a stream.
const HEADER_TIMEOUT: &str = "header_timeout = \"2s\"\n";

/// A message, and what comes back for it.
struct Case {
    name: String,
    octets: Vec<u8>,
    /// Of the table: `forward`, `drop`, or a status.
    outcome: String,
}

impl Case {
    /// All of them, in the order of the RFCs.
    fn all() -> Vec<Self> {
        let folder = root().join("protocols/sip/torture");
        let outcomes = fs::read_to_string(folder.join("outcomes.txt")).unwrap();
        let lines = outcomes.lines().filter(|line| line.starts_with("rfc"));
        let cases: Vec<Self> = lines
            .map(|line| {
                let [rfc, name, outcome] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                let text = fs::read_to_string(folder.join(rfc).join(format!("{name}.sip"))).unwrap();
                let (name, outcome) = (format!("{rfc} {name}"), outcome.to_owned());
                Self { name, octets: notation::octets(&text), outcome }
            })
            .collect();
        assert_eq!(cases.len(), 49 + 12);
        cases
    }

    /// With its folded lines in one.
    fn text(&self) -> Message {
        let text = String::from_utf8_lossy(&self.octets);
        Message { text: text.replace("\r\n ", " ").replace("\r\n\t", " ") }
    }

    /// How many octets its Content-Length says, if it has one that is a number, and how many it has.
    fn lengths(&self) -> (Option<usize>, usize) {
        let message = self.text();
        let said = message.header("Content-Length").or_else(|| message.header("l"));
        let head = self.octets.windows(4).position(|octets| octets == b"\r\n\r\n").map(|end| end + 4);
        (said.and_then(|said| said.parse().ok()), self.octets.len() - head.unwrap_or(self.octets.len()))
    }

    /// Another answer is one to what comes behind the message, or is sent again of an earlier message.
    fn is_answered_by(&self, answer: &Message) -> bool {
        let message = self.text();
        let [asked, answered] = [&message, answer].map(|message| message.header("CSeq"));
        let shares = self.name.starts_with("rfc5118") || self.name.ends_with(" dblreq");
        answer.status() != 100 && (!shares || asked == answered)
    }

    fn is_response(&self) -> bool {
        self.octets.starts_with(b"SIP/2.0 ")
    }

    /// What a customer gets.
    fn for_customer(&self) -> Option<u16> {
        match (self.outcome.as_str(), self.is_response()) {
            // A response to nothing that we sent.
            ("drop", _) | (_, true) => None,
            ("forward", false) => Some(self.served()),
            (status, false) => Some(status.parse().unwrap()),
        }
    }

    /// What a customer gets for what is as it should be.
    fn served(&self) -> u16 {
        let message = self.text();
        let to = message.header("To").or_else(|| message.header("t")).unwrap_or_default();
        let method = message.text.split(' ').next().unwrap();
        match (method, to.replace(' ', "").contains(";tag=")) {
            // A call that nobody knows.
            (_, true) => 481,
            // Not a number.
            ("INVITE", false) => 404,
            _ => 405,
        }
    }

    /// What a stranger gets.
    fn for_stranger(&self) -> Option<u16> {
        (!self.is_response()).then_some(403)
    }
}

#[test]
fn datagrams() {
    let (sources, strangers) = ([127, 0, 75, 0], [127, 0, 76, 0]);
    let customer = IpAddr::from(address(sources, 250));
    let acl = format!("{}/24", Ipv4Addr::from(sources));
    let Some(scene) = Scene::of(&acl, customer, Transport::Udp, "") else { return };
    let before = scene.rss_kb();
    let mut wrong = Vec::new();
    for (network, wanted) in
        [(sources, Case::for_customer as fn(&Case) -> Option<u16>), (strangers, Case::for_stranger)]
    {
        for (host, case) in (1..).zip(Case::all()) {
            let wanted = wanted(&case);
            // Several of RFC 5118 are to us the same request, sent again: they have one source.
            let host = if case.name.starts_with("rfc5118") { 200 } else { host };
            let got = by_datagram(&case, address(network, host), scene.at(), wanted);
            wrong.extend((got != wanted).then(|| format!("{}: {got:?}, {wanted:?} is wanted", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.assert_still_works(before);
}

fn address([a, b, c, _]: [u8; 4], host: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, host)
}

/// The status that comes back to an address of the message's own, where no answer to another one goes.
fn by_datagram(case: &Case, from: Ipv4Addr, node: SocketAddr, wanted: Option<u16>) -> Option<u16> {
    let text = case.text().text;
    let named = PORTS.iter().copied().filter(|port| text.contains(&format!(":{port};")));
    let sockets: Vec<UdpSocket> = [5060].into_iter().chain(named).map(|port| bind(from, port)).collect();
    sockets[0].send_to(&case.octets, node).unwrap();
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let mut buffer = vec![0; 65_536];
    let within = if wanted.is_none() { MOMENT } else { SOON };
    wait::within_time(within, || {
        let read = sockets.iter().find_map(|socket| socket.recv(&mut buffer).ok())?;
        let answer = Message { text: String::from_utf8_lossy(&buffer[..read]).into_owned() };
        case.is_answered_by(&answer).then(|| answer.status())
    })
}

/// Waits for a port that somebody has for a moment, at every address.
#[track_caller]
fn bind(from: Ipv4Addr, port: u16) -> UdpSocket {
    wait::until(&format!("{from}:{port} is free"), SOON, || UdpSocket::bind((from, port)).ok())
}

#[test]
fn streams_of_a_customer() {
    streams(HERE, Case::for_customer);
}

#[test]
fn streams_of_a_stranger() {
    streams(CUSTOMER, Case::for_stranger);
}

/// Each message by a connection of its own, from where the node is.
fn streams(customer: IpAddr, wanted: fn(&Case) -> Option<u16>) {
    let Some(scene) = Scene::of(&customer, customer, Transport::Tcp, HEADER_TIMEOUT) else { return };
    let before = scene.rss_kb();
    let mut wrong = Vec::new();
    for case in Case::all() {
        let wanted = on_stream(&case, wanted(&case));
        let got = by_stream(&case, scene.at(), wanted);
        wrong.extend((got != wanted).then(|| format!("{}: {got:?}, {wanted:?} is wanted", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.assert_still_works(before);
}

/// What becomes of a message where only its Content-Length says how long it is.
fn on_stream(case: &Case, wanted: Option<u16>) -> Option<u16> {
    match (case.lengths(), wanted) {
        // The rest never comes.
        ((Some(said), has), Some(_)) if said > has => None,
        ((None, _), Some(status)) if status != 403 => Some(400),
        (_, wanted) => wanted,
    }
}

/// The status of what comes back.
fn by_stream(case: &Case, node: SocketAddr, wanted: Option<u16>) -> Option<u16> {
    let mut stream = connect(node);
    // The node may close before it has all.
    let _ = stream.write_all(&case.octets);
    let (mut stream, within) = (Messages::new(stream), if wanted.is_none() { MOMENT } else { SOON });
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        match stream.poll() {
            Poll::Ready(Some(answer)) if case.is_answered_by(&answer) => return Some(answer.status()),
            Poll::Ready(None) => return None,
            Poll::Ready(Some(_)) | Poll::Pending => {}
        }
    }
    None
}
