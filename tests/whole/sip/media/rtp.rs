//! Sound: the sockets of both sides, what they say of them, and packets that go from one to the other.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::super::wait;
use super::super::Message;

/// Packets each way.
const PACKETS: u16 = 50;
/// Packets that are under way at one time: RTPEngine discards what comes of a stream where fifty have waited for it a few
/// times in a row.
const AT_ONCE: usize = 10;
/// Time without a packet after which no more come.
const SILENCE: Duration = Duration::from_secs(5);
/// The same of packets that a media node makes, which it does as they come.
const PAUSE: Duration = Duration::from_secs(2);
/// Between packets that a media node is to decode.
const BETWEEN: Duration = Duration::from_millis(5);
/// How long a packet sounds.
const PACKET: Duration = Duration::from_millis(20);
/// Time in which somebody says what it hears, a second of it.
const ECHOED: Duration = Duration::from_secs(30);

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
        let port = self.at.port();
        let events = if formats.contains("101") { "a=rtpmap:101 telephone-event/8000\r\n" } else { "" };
        self.described(&format!("m=audio {port} {formats}\r\n{events}{lines}"))
    }

    /// A description of it for a fax in the place of sound (ITU-T T.38 D.2.3).
    pub(super) fn fax(&self) -> String {
        let port = self.at.port();
        self.described(&format!(
            "m=audio 0 RTP/AVP 0\r\nm=image {port} udptl t38\r\na=T38FaxVersion:0\r\n\
             a=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
        ))
    }

    fn described(&self, media: &str) -> String {
        static VERSION: AtomicU32 = AtomicU32::new(1);
        let (address, version) = (self.at.ip(), VERSION.fetch_add(1, Ordering::Relaxed));
        format!("v=0\r\no=test 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n{media}")
    }

    /// Sends packets there, faster than they sound, and not all at once: who decodes them wants them one after the other.
    #[track_caller]
    pub(super) fn send(&self, packets: &[Vec<u8>], to: SocketAddr) {
        for packet in packets {
            self.socket.send_to(packet, to).unwrap();
            wait::pause(BETWEEN);
        }
    }

    /// So many packets, in the order of their numbers: two threads of a node may overtake each other. They come from
    /// there, and from nowhere else.
    #[track_caller]
    pub(super) fn hear_next(&self, count: usize, from: SocketAddr) -> Vec<Vec<u8>> {
        let mut heard = Vec::new();
        let mut buffer = [0; 2048];
        while heard.len() < count {
            let Ok((read, sender)) = self.socket.recv_from(&mut buffer) else {
                panic!("{} of {count} packets came from {from} to {}", heard.len(), self.at);
            };
            assert_eq!(sender, from, "a packet from where the description did not lead");
            heard.push(buffer[..read].to_vec());
        }
        // The number is in the front, behind what all packets of a source have alike.
        heard.sort();
        heard
    }

    /// Whether nothing has come that nobody has taken.
    pub(super) fn heard_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let came = self.socket.recv(&mut [0; 2048]);
        self.socket.set_nonblocking(false).unwrap();
        came.is_err()
    }

    /// Its port.
    pub(super) fn port(&self) -> u16 {
        self.at.port()
    }

    /// All that comes until nothing has for a second. It comes from there, and from nowhere else.
    #[track_caller]
    pub(super) fn hear(&self, from: SocketAddr) -> Vec<Vec<u8>> {
        self.socket.set_read_timeout(Some(PAUSE)).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok((read, sender)) = self.socket.recv_from(&mut buffer) {
            assert_eq!(sender, from, "a packet from where the description did not lead");
            heard.push(buffer[..read].to_vec());
        }
        self.socket.set_read_timeout(Some(SILENCE)).unwrap();
        heard
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
    /// In a message: of the first medium that is not refused.
    #[track_caller]
    pub(super) fn of(message: &Message) -> Self {
        let body = body(message);
        let line = |front: &str| {
            let found = body.lines().find_map(|line| line.strip_prefix(front));
            found.unwrap_or_else(|| panic!("no {front} in {}", message.text))
        };
        let address: IpAddr = line("c=IN IP4 ").parse().unwrap();
        let taken = |line: &&str| line.split(' ').nth(1) != Some("0");
        let medium = body.lines().filter_map(|line| line.strip_prefix("m=")).find(taken);
        let medium = medium.unwrap_or_else(|| panic!("no medium in {}", message.text));
        let mut words = medium.split(' ').skip(1).map(str::to_owned);
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
pub(super) fn converse(one: (&Media, &Described), other: (&Media, &Described)) {
    converse_as((new_source(), new_source()), one, other);
}

/// The same as these sources.
#[track_caller]
pub(super) fn converse_as(
    (source, other_source): (u32, u32),
    (one, of_one): (&Media, &Described),
    (other, of_other): (&Media, &Described),
) {
    speak_as(source, (one, of_one.at), (other, of_other.at));
    speak_as(other_source, (other, of_other.at), (one, of_one.at));
}

/// Every packet arrives once and unchanged, from the port that the hearer was told.
#[track_caller]
pub(super) fn speak(speaker: (&Media, SocketAddr), hearer: (&Media, SocketAddr)) {
    speak_as(new_source(), speaker, hearer);
}

#[track_caller]
fn speak_as(source: u32, (speaker, to): (&Media, SocketAddr), (hearer, from): (&Media, SocketAddr)) {
    let said = words(source);
    let mut heard = Vec::new();
    for some in said.chunks(AT_ONCE) {
        for packet in some {
            speaker.socket.send_to(packet, to).unwrap();
        }
        heard.extend(hearer.hear_next(some.len(), from));
    }
    // Those before may be overtaken by one that comes late.
    heard.sort();
    assert!(heard == said, "packets changed on their way from {} to {}", speaker.at, hearer.at);
}

/// A second of sound from a source, of which no packet is as another.
pub(super) fn words(source: u32) -> Vec<Vec<u8>> {
    (0..PACKETS).map(|number| packet(source, number, number.to_be_bytes()[1])).collect()
}

/// Speaks to somebody who says what it hears, one packet for each that comes, until as many as otherwise came back with
/// what was said in them, from where it was told to speak to.
#[track_caller]
pub(super) fn hear_oneself(media: &Media, of: &Described) {
    let source = new_source();
    let said = 0x25;
    let mut buffer = [0; 2048];
    // What an earlier call has left.
    media.socket.set_nonblocking(true).unwrap();
    while media.socket.recv(&mut buffer).is_ok() {}
    media.socket.set_nonblocking(false).unwrap();
    let mut heard = 0;
    let deadline = Instant::now() + ECHOED;
    media.socket.set_read_timeout(Some(PACKET)).unwrap();
    for number in 0_u16.. {
        media.socket.send_to(&packet(source, number, said), of.at).unwrap();
        if let Ok((read, sender)) = media.socket.recv_from(&mut buffer) {
            assert_eq!(sender, of.at, "a packet from where the description did not lead");
            // Half of a packet at least: what it hears begins anywhere in what it says.
            let same = buffer[..read].iter().filter(|octet| **octet == said).count();
            heard += u16::from(same >= 80);
        }
        if heard >= PACKETS {
            break;
        }
        assert!(Instant::now() < deadline, "{heard} of {number} packets came back to {}", media.at);
    }
    media.socket.set_read_timeout(Some(SILENCE)).unwrap();
}

/// RTP with 20 ms of PCMU (RFC 3550 5.1), all of it one octet.
fn packet(source: u32, number: u16, octet: u8) -> Vec<u8> {
    [head(source, (number, number), 0), vec![octet; 160]].concat()
}

/// The front of a packet: its number and that of the one whose time it has, and what kind of payload follows.
fn head(source: u32, (number, of): (u16, u16), kind: u8) -> Vec<u8> {
    let time = u32::from(of) * 160;
    [&[0x80, kind][..], &number.to_be_bytes(), &time.to_be_bytes(), &source.to_be_bytes()].concat()
}

/// A second of silence: packets of 20 ms of a kind, which all are this octet.
pub(super) fn silence(kind: u8, octet: u8) -> Vec<Vec<u8>> {
    let source = new_source();
    (0..PACKETS).map(|number| [head(source, (number, number), kind), vec![octet; 160]].concat()).collect()
}

/// The digit 5, pressed for 160 ms in a second of silence of PCMU: events of this kind (RFC 4733 2.5).
pub(super) fn pressed(kind: u8) -> Vec<Vec<u8>> {
    let source = new_source();
    let packet = |number: u16| {
        let Some(event) = number.checked_sub(PRESSED_AT).filter(|event| *event < EVENTS) else {
            return [head(source, (number, number), 0), vec![0xff; 160]].concat();
        };
        // The end is said three times.
        let (end, duration) = (u8::from(event + 3 >= EVENTS) << 7, (event + 1).min(EVENTS - 2) * 160);
        let marker = u8::from(event == 0) << 7;
        let head = head(source, (number, PRESSED_AT), kind | marker);
        [head, vec![5, end | 10], duration.to_be_bytes().to_vec()].concat()
    };
    (0..PACKETS).map(packet).collect()
}

/// Where the digit begins, and how many packets tell of it.
const PRESSED_AT: u16 = 15;
const EVENTS: u16 = 10;

/// How many of these packets are of a kind, and how many of those are no silence.
pub(super) fn kinds(packets: &[Vec<u8>], kind: u8) -> (usize, usize) {
    let of_kind: Vec<_> = packets.iter().filter(|packet| packet[1] & 0x7f == kind).collect();
    let loud = |packet: &&&Vec<u8>| packet[12..].iter().any(|octet| *octet != packet[12]);
    (of_kind.len(), of_kind.iter().filter(loud).count())
}

/// One that nobody else has.
pub(super) fn new_source() -> u32 {
    static SOURCE: AtomicU32 = AtomicU32::new(1);
    SOURCE.fetch_add(1, Ordering::Relaxed)
}
