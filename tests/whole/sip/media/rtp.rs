//! Sound: the sockets of both sides, what they say of them, and packets that go from one to the other.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::Message;

/// Packets each way.
const PACKETS: u16 = 50;
/// Time without a packet after which no more come.
const SILENCE: Duration = Duration::from_secs(5);

/// Where a side takes media.
pub(super) struct Media {
    socket: UdpSocket,
    at: SocketAddr,
}

impl Media {
    #[track_caller]
    pub(super) fn bind(address: IpAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        let at = socket.local_addr().unwrap();
        Self { socket, at }
    }

    /// A description of it, another version each time: protocol and formats, then lines of the medium.
    pub(super) fn describe(&self, formats: &str, lines: &str) -> String {
        static VERSION: AtomicU32 = AtomicU32::new(1);
        let (address, version) = (self.at.ip(), VERSION.fetch_add(1, Ordering::Relaxed));
        format!(
            "v=0\r\no=test 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=audio {} {formats}\r\na=rtpmap:101 telephone-event/8000\r\n{lines}",
            self.at.port()
        )
    }
}

/// Where a description leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) at: SocketAddr,
    pub(super) protocol: String,
    pub(super) formats: Vec<String>,
    pub(super) direction: String,
}

impl Described {
    /// In a message.
    #[track_caller]
    pub(super) fn of(message: &Message) -> Self {
        let body = body(message);
        let line = |front: &str| {
            let found = body.lines().find_map(|line| line.strip_prefix(front));
            found.unwrap_or_else(|| panic!("no {front} in {}", message.text))
        };
        let address: IpAddr = line("c=IN IP4 ").parse().unwrap();
        let mut words = line("m=audio ").split(' ').map(str::to_owned);
        let port: u16 = words.next().unwrap().parse().unwrap();
        let protocol = words.next().unwrap();
        let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
        let mut said = body.lines().filter_map(|line| line.strip_prefix("a="));
        let direction = said.find(|word| directions.contains(word)).unwrap_or("sendrecv");
        let at = SocketAddr::from((address, port));
        Self { at, protocol, formats: words.collect(), direction: direction.to_owned() }
    }
}

/// What is behind the head.
#[track_caller]
pub(super) fn body(message: &Message) -> &str {
    message.text.split_once("\r\n\r\n").unwrap().1
}

/// Both sides send where the description leads that they got, and hear the other one from there.
#[track_caller]
pub(super) fn converse((one, of_one): (&Media, &Described), (other, of_other): (&Media, &Described)) {
    speak((one, of_one.at), (other, of_other.at));
    speak((other, of_other.at), (one, of_one.at));
}

/// Every packet arrives once and unchanged, from the port that the hearer was told.
#[track_caller]
pub(super) fn speak((speaker, to): (&Media, SocketAddr), (hearer, from): (&Media, SocketAddr)) {
    static SOURCE: AtomicU32 = AtomicU32::new(1);
    let source = SOURCE.fetch_add(1, Ordering::Relaxed);
    let said: Vec<Vec<u8>> = (0..PACKETS).map(|number| packet(source, number)).collect();
    for packet in &said {
        speaker.socket.send_to(packet, to).unwrap();
    }
    let mut heard = Vec::new();
    let mut buffer = [0; 2048];
    while heard.len() < said.len() {
        let Ok((read, sender)) = hearer.socket.recv_from(&mut buffer) else {
            panic!("{} of {PACKETS} packets from {} came to {}", heard.len(), speaker.at, hearer.at);
        };
        assert_eq!(sender, from, "a packet from where the description did not lead");
        heard.push(buffer[..read].to_vec());
    }
    // The number is in the front: two threads of a node may overtake each other.
    heard.sort();
    assert!(heard == said, "packets changed on their way from {} to {}", speaker.at, hearer.at);
}

/// RTP with 20 ms of PCMU (RFC 3550 5.1).
fn packet(source: u32, number: u16) -> Vec<u8> {
    let time = u32::from(number) * 160;
    let octet = number.to_be_bytes()[1];
    let head = [&[0x80, 0][..], &number.to_be_bytes(), &time.to_be_bytes(), &source.to_be_bytes()].concat();
    [head, vec![octet; 160]].concat()
}
