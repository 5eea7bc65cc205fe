//! Ends of a call that are played by hand, over whatever carries messages.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::wire::{Message, Messages};
use super::{SOON, Transport};

const SDP: &str = "v=0\r\no=test 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 20000 RTP/AVP 0\r\n";

/// The end of a message without a body.
const EMPTY: &str = "Content-Length: 0\r\n\r\n";

/// What carries the messages of an end.
pub(in super::super) trait Link {
    fn send(&mut self, message: &str);

    /// The next message; none once there can be no more.
    fn receive(&mut self, within: Duration) -> Option<Message>;
}

impl<S: Read + Write> Link for Messages<S> {
    fn send(&mut self, message: &str) {
        Self::send(self, message);
    }

    fn receive(&mut self, within: Duration) -> Option<Message> {
        Self::receive(self, within)
    }
}

/// A UDP socket that talks to the node.
pub(in super::super) struct Datagrams {
    socket: UdpSocket,
    node: SocketAddr,
}

impl Datagrams {
    #[track_caller]
    pub(in super::super) fn bind(local: SocketAddr, node: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind(local).unwrap(), node }
    }
}

impl Link for Datagrams {
    fn send(&mut self, message: &str) {
        self.socket.send_to(message.as_bytes(), self.node).unwrap();
    }

    fn receive(&mut self, within: Duration) -> Option<Message> {
        let mut buffer = vec![0; 65_536];
        self.socket.set_read_timeout(Some(within)).unwrap();
        match self.socket.recv(&mut buffer) {
            Ok(read) => Some(Message { text: String::from_utf8(buffer[..read].to_vec()).unwrap() }),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("not within {within:?}: a datagram")
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Remembers everything that goes through a link.
pub(in super::super) struct Recorded<L> {
    link: L,
    pub(in super::super) sent: Vec<String>,
    pub(in super::super) received: Vec<String>,
}

impl<L> Recorded<L> {
    pub(in super::super) const fn new(link: L) -> Self {
        Self { link, sent: Vec::new(), received: Vec::new() }
    }
}

impl<L: Link> Link for Recorded<L> {
    fn send(&mut self, message: &str) {
        self.sent.push(message.to_owned());
        self.link.send(message);
    }

    fn receive(&mut self, within: Duration) -> Option<Message> {
        let message = self.link.receive(within)?;
        self.received.push(message.text.clone());
        Some(message)
    }
}

/// A customer with one call.
pub(in super::super) struct Caller<L> {
    pub(in super::super) link: L,
    transport: Transport,
    local: SocketAddr,
    /// Also of its tag and branches.
    call_id: String,
    /// What its requests in the call are, but for method and CSeq.
    dialog: String,
    /// CSeq of the last one that was no ACK.
    number: u32,
}

impl<L: Link> Caller<L> {
    pub(in super::super) fn new(link: L, transport: Transport, local: SocketAddr, call_id: &str) -> Self {
        Self { link, transport, local, call_id: call_id.to_owned(), dialog: String::new(), number: 1 }
    }

    /// Until the ACK of the answer.
    #[track_caller]
    pub(in super::super) fn call(&mut self, number: &str) {
        let invite = self.first("INVITE", number, "", &self.with_sdp());
        self.link.send(&invite);
        let answer = expect_response(&mut self.link, 200, 1);
        assert!(answer.text.contains("m=audio"), "{}", answer.text);
        self.dialog = within(&answer, &self.ours(), &self.via(), &self.call_id);
        self.send("ACK", 1);
    }

    /// Until the ACK of the refusal.
    #[track_caller]
    pub(in super::super) fn is_refused(&mut self, number: &str, status: u16) {
        let invite = self.first("INVITE", number, "", &self.with_sdp());
        self.link.send(&invite);
        self.acknowledges(number, status);
    }

    /// Until the ACK of the 487.
    #[track_caller]
    pub(in super::super) fn cancels(&mut self, number: &str) {
        let invite = self.first("INVITE", number, "", &self.with_sdp());
        self.link.send(&invite);
        expect_response(&mut self.link, 180, 1);
        let cancel = self.first("CANCEL", number, "", EMPTY);
        self.link.send(&cancel);
        expect_response(&mut self.link, 200, 1);
        self.acknowledges(number, 487);
    }

    /// The media of a call that is up.
    #[track_caller]
    pub(in super::super) fn asks_again(&mut self) {
        self.number += 1;
        let text = self.request("INVITE", self.number).replace(EMPTY, &self.with_sdp());
        self.link.send(&text);
        let answer = expect_response(&mut self.link, 200, self.number);
        assert!(answer.text.contains("m=audio"), "{}", answer.text);
        self.send("ACK", self.number);
    }

    #[track_caller]
    pub(in super::super) fn hang_up(&mut self) {
        self.number += 1;
        self.send("BYE", self.number);
        expect_response(&mut self.link, 200, self.number);
    }

    #[track_caller]
    pub(in super::super) fn is_hung_up_on(&mut self) {
        let bye = expect_request(&mut self.link, "BYE");
        let contact = format!("BYE sip:test@{}", self.local);
        assert!(bye.text.starts_with(&contact), "{}", bye.text);
        self.link.send(&response(&bye, "200 OK", "", ""));
    }

    /// The ACK of a refusal has the branch of the INVITE (RFC 3261 17.1.1.3).
    #[track_caller]
    fn acknowledges(&mut self, number: &str, status: u16) {
        let refusal = expect_response(&mut self.link, status, 1);
        let tag = refusal.header("To").unwrap().split_once(";tag=").unwrap().1;
        let ack = self.first("ACK", number, &format!(";tag={tag}"), EMPTY);
        self.link.send(&ack);
    }

    /// A request with the branch and number of the first INVITE.
    fn first(&self, method: &str, number: &str, tag: &str, end: &str) -> String {
        format!(
            "{method} sip:{number}@127.0.0.1 SIP/2.0\r\n{};branch=z9hG4bK{}1\r\nMax-Forwards: 70\r\n\
             {}To: <sip:{number}@127.0.0.1>{tag}\r\nCSeq: 1 {method}\r\n{end}",
            self.via(),
            self.call_id,
            self.ours()
        )
    }

    fn ours(&self) -> String {
        let id = &self.call_id;
        format!("Call-ID: {id}\r\nFrom: <sip:+442079460000@127.0.0.1>;tag={id}\r\n")
    }

    fn via(&self) -> String {
        format!("Via: SIP/2.0/{} {}", self.transport.name().to_uppercase(), self.local)
    }

    /// The end of a message that offers media.
    fn with_sdp(&self) -> String {
        format!(
            "Contact: <sip:test@{};transport={}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            self.local,
            self.transport.name(),
            SDP.len()
        )
    }

    fn request(&self, method: &str, number: u32) -> String {
        self.dialog.replace("METHOD", method).replace("NUMBER", &number.to_string())
    }

    fn send(&mut self, method: &str, number: u32) {
        let text = self.request(method, number);
        self.link.send(&text);
    }
}

/// A vendor with one call.
pub(in super::super) struct Callee<L> {
    pub(in super::super) link: L,
    contact: String,
    invite: Option<Message>,
}

impl<L: Link> Callee<L> {
    pub(in super::super) fn new(link: L, transport: Transport, local: SocketAddr) -> Self {
        let contact = format!("<sip:test@{local};transport={}>", transport.name());
        Self { link, contact, invite: None }
    }

    /// Until it rings.
    #[track_caller]
    pub(in super::super) fn rings(&mut self) {
        let invite = expect_request(&mut self.link, "INVITE");
        assert!(invite.text.contains("m=audio"), "{}", invite.text);
        self.link.send(&response(&invite, "180 Ringing", &self.contact, ""));
        self.invite = Some(invite);
    }

    /// From ringing until the ACK of its answer.
    #[track_caller]
    pub(in super::super) fn answers(&mut self) {
        let invite = self.invite.as_ref().expect("a call that rings");
        self.link.send(&response(invite, "200 OK", &self.contact, SDP));
        expect_request(&mut self.link, "ACK");
    }

    #[track_caller]
    pub(in super::super) fn is_hung_up_on(&mut self) {
        let bye = expect_request(&mut self.link, "BYE");
        self.link.send(&response(&bye, "200 OK", "", ""));
    }

    /// Until the ACK of a refusal such as `486 Busy Here`.
    #[track_caller]
    pub(in super::super) fn refuses(&mut self, status: &str) {
        let invite = expect_request(&mut self.link, "INVITE");
        self.link.send(&response(&invite, status, "", ""));
        expect_request(&mut self.link, "ACK");
    }

    /// From ringing until the ACK of the 487.
    #[track_caller]
    pub(in super::super) fn is_cancelled(&mut self) {
        let cancel = expect_request(&mut self.link, "CANCEL");
        self.link.send(&response(&cancel, "200 OK", "", ""));
        let invite = self.invite.as_ref().expect("a call that rings");
        self.link.send(&response(invite, "487 Request Terminated", "", ""));
        expect_request(&mut self.link, "ACK");
    }

    /// A re-INVITE, until its ACK.
    #[track_caller]
    pub(in super::super) fn is_asked_again(&mut self) {
        let first = self.invite.as_ref().and_then(|invite| invite.header("CSeq")).expect("a call");
        let again = loop {
            let invite = expect_request(&mut self.link, "INVITE");
            if invite.header("CSeq") != Some(first) {
                break invite;
            }
        };
        self.link.send(&response(&again, "200 OK", &self.contact, SDP));
        expect_request(&mut self.link, "ACK");
    }

    #[track_caller]
    pub(in super::super) fn hangs_up(&mut self) {
        let invite = self.invite.as_ref().expect("a call that is up");
        let target = invite.header("Contact").unwrap().trim_start_matches('<').split('>').next().unwrap();
        let [routes, via] = ["Record-Route", "Via"].map(|name| invite.headers(name).collect::<Vec<_>>());
        let (protocol, _) = via[0].split_once(' ').unwrap();
        let sent_by = self.contact.split(['@', ';']).nth(1).unwrap();
        let [from, to, id] = ["To", "From", "Call-ID"].map(|name| invite.header(name).unwrap());
        let bye = format!(
            "BYE {target} SIP/2.0\r\nVia: {protocol} {sent_by};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
             Route: {}\r\nFrom: {from};tag={TAG}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            routes.join(",")
        );
        self.link.send(&bye);
        expect_response(&mut self.link, 200, 1);
    }
}

/// Of all that answer.
const TAG: &str = "callee";

/// The next request with this method; what was sent again meanwhile is skipped.
#[track_caller]
fn expect_request(link: &mut impl Link, method: &str) -> Message {
    let deadline = Instant::now() + SOON;
    loop {
        let message = link.receive(SOON).unwrap_or_else(|| panic!("the end came before {method}"));
        let found = message.text.split(' ').next().unwrap_or_default();
        if found == method {
            return message;
        }
        let again = ["INVITE", "ACK"].contains(&found) && Instant::now() < deadline;
        assert!(again, "{method} is wanted: {}", message.text);
    }
}

/// The next response with this status to the request with this number; provisional ones, and what is sent again of
/// an earlier answer, are skipped.
#[track_caller]
fn expect_response(link: &mut impl Link, status: u16, number: u32) -> Message {
    loop {
        let message = link.receive(SOON).unwrap_or_else(|| panic!("the end came before {status}"));
        let earlier = !message.header("CSeq").unwrap().starts_with(&number.to_string());
        if !earlier && message.status() == status {
            return message;
        }
        assert!(earlier || message.status() < 200, "{status} is wanted: {}", message.text);
    }
}

/// Final and provisional responses, with a tag where the request has none (RFC 3261 8.2.6.2).
pub(in super::super) fn response(request: &Message, status: &str, contact: &str, sdp: &str) -> String {
    let copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .map(|name| request.headers(name).map(|value| format!("{name}: {value}\r\n")).collect::<String>());
    let to = request.header("To").unwrap();
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={TAG}") };
    let mut head = format!("SIP/2.0 {status}\r\n{}To: {to}{tag}\r\n", copied.concat());
    if !contact.is_empty() {
        head += &format!("Contact: {contact}\r\n");
    }
    if !sdp.is_empty() {
        head += "Content-Type: application/sdp\r\n";
    }
    format!("{head}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// A request within the call that this answered: to its Contact, by its Record-Routes in reverse (RFC 3261 12.1.2).
#[track_caller]
fn within(answer: &Message, ours: &str, via: &str, id: &str) -> String {
    let contact = answer.header("Contact").unwrap();
    let target = contact.trim_start_matches('<').split('>').next().unwrap();
    let mut routes: Vec<&str> = answer.headers("Record-Route").flat_map(|value| value.split(',')).collect();
    assert!(!routes.is_empty(), "{}", answer.text);
    routes.reverse();
    let to = answer.header("To").unwrap();
    format!(
        "METHOD {target} SIP/2.0\r\n{via};branch=z9hG4bK{id}NUMBERMETHOD\r\nMax-Forwards: 70\r\nRoute: {}\r\n\
         {ours}To: {to}\r\nCSeq: NUMBER METHOD\r\nContent-Length: 0\r\n\r\n",
        routes.join(",")
    )
}
