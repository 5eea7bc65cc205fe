//! A side of a call, played message by message. One thread plays both: nothing happens at one that the other
//! one, or the media node between them, has not caused.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use super::super::super::wait;
use super::super::{Message, SOON};
use super::rtp::Media;

/// One that calls, or is called.
pub(super) struct Side {
    socket: UdpSocket,
    node: SocketAddr,
    local: SocketAddr,
    /// Where it takes media.
    pub(super) media: Media,
    /// What came. What comes again says nothing new.
    heard: HashSet<String>,
    calls: u32,
    dialog: Dialog,
}

/// Its last call.
#[derive(Default)]
struct Dialog {
    id: String,
    /// From, To, target and routes of its requests.
    from: String,
    to: String,
    target: String,
    routes: String,
    /// CSeq of its last request that was neither ACK nor CANCEL, and of its last INVITE.
    number: u32,
    invite: u32,
    /// The INVITE that began it, where it calls.
    first: String,
    /// Nothing of it changes any more.
    settled: bool,
}

impl Side {
    #[track_caller]
    pub(super) fn new(local: SocketAddr, media: IpAddr, node: SocketAddr) -> Self {
        // A program that another test starts has the socket of the call before until it is itself.
        let socket = wait::until("the address is free", SOON, || UdpSocket::bind(local).ok());
        let media = Media::bind(media);
        Self { socket, node, local, media, heard: HashSet::new(), calls: 0, dialog: Dialog::default() }
    }

    /// A description of its media: `sendrecv`, `sendonly` or `recvonly`.
    pub(super) fn sdp(&self, direction: &str) -> String {
        self.media.describe("RTP/AVP 0 8 101", &format!("a={direction}\r\n"))
    }

    /// Calls a number.
    pub(super) fn call(&mut self, number: &str, sdp: &str) {
        self.calls += 1;
        let id = format!("{}-{}", self.local.port(), self.calls);
        let target = format!("sip:{number}@{}", self.node);
        self.dialog = Dialog {
            from: format!("<sip:+442079460000@{}>;tag=f{id}", self.local),
            to: format!("<{target}>"),
            target,
            id,
            ..Dialog::default()
        };
        self.dialog.first = self.request_with("INVITE", "Supported: 100rel\r\n", sdp);
    }

    /// A request within its call; a CANCEL and the ACK of a refusal have words of their own.
    pub(super) fn request(&mut self, method: &str, sdp: &str) {
        self.request_with(method, "", sdp);
    }

    /// The same with more headers; as it was sent.
    pub(super) fn request_with(&mut self, method: &str, headers: &str, sdp: &str) -> String {
        let dialog = &mut self.dialog;
        if method != "ACK" {
            dialog.number += 1;
        }
        if method == "INVITE" {
            dialog.invite = dialog.number;
        }
        let number = if method == "ACK" { dialog.invite } else { dialog.number };
        let Dialog { id, from, to, target, routes, .. } = dialog;
        // The method is in the branch, so that the ACK of an answer has one of its own.
        let branch = format!("z9hG4bK{id}x{number}{}", method.to_lowercase());
        let local = self.local;
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch}\r\nMax-Forwards: 70\r\n\
             {routes}From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:test@{local};transport=udp>\r\n{headers}{}",
            with_content(sdp)
        );
        self.send(&text);
        text
    }

    /// Takes back the INVITE that began its call (RFC 3261 9.1).
    pub(super) fn cancel(&self) {
        self.send(&self.of_first("CANCEL"));
    }

    /// That INVITE is refused with a status, until the ACK (17.1.1.3).
    #[track_caller]
    pub(super) fn is_refused(&mut self, status: u16) {
        let refusal = self.expect(&format!("{status} INVITE"));
        let to = |value: &str| format!("\r\nTo: {value}\r\n");
        let ack = self.of_first("ACK");
        let called = Message { text: ack.clone() }.header("To").unwrap().to_owned();
        self.send(&ack.replace(&to(&called), &to(refusal.header("To").unwrap())));
    }

    /// A request without a body that has target, branch and number of the INVITE that began its call.
    fn of_first(&self, method: &str) -> String {
        let (head, _) = self.dialog.first.split_once("Content-").unwrap();
        format!("{}Content-Length: 0\r\n\r\n", head.replace("INVITE", method))
    }

    /// A response such as `200 OK`, with more headers and a description where they are not empty.
    pub(super) fn reply(&self, request: &Message, status: &str, headers: &str, sdp: &str) {
        let copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].map(|name| {
            request.headers(name).map(|value| format!("{name}: {value}\r\n")).collect::<String>()
        });
        let to = self.tagged(request.header("To").unwrap());
        let text = format!(
            "SIP/2.0 {status}\r\n{}To: {to}\r\nContact: <sip:test@{};transport=udp>\r\n{headers}{}",
            copied.concat(),
            self.local,
            with_content(sdp)
        );
        self.send(&text);
    }

    /// Refuses a call with a status such as `486 Busy Here`, until the ACK.
    #[track_caller]
    pub(super) fn refuse(&mut self, invite: &Message, status: &str) {
        self.reply(invite, status, "", "");
        self.expect("ACK");
    }

    /// The next message: a request by its method, a response by its status and method, as in `200 INVITE`.
    #[track_caller]
    pub(super) fn expect(&mut self, what: &str) -> Message {
        let Some(message) = self.hear() else { panic!("not within {SOON:?} at {}: {what}", self.local) };
        assert_eq!(name(&message), what, "{}", message.text);
        self.learn(&message);
        message
    }

    /// The same, behind any number of another one.
    #[track_caller]
    pub(super) fn expect_behind(&mut self, other: &str, what: &str) -> Message {
        loop {
            let Some(message) = self.hear() else { panic!("not within {SOON:?} at {}: {what}", self.local) };
            self.learn(&message);
            if name(&message) == what {
                return message;
            }
            assert_eq!(name(&message), other, "{what} is wanted: {}", message.text);
        }
    }

    /// Whether nothing has come that nobody expected.
    pub(super) fn heard_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let came = self.socket.recv(&mut [0; 2048]);
        self.socket.set_nonblocking(false).unwrap();
        came.is_err()
    }

    /// The next message that says something.
    fn hear(&mut self) -> Option<Message> {
        let deadline = Instant::now() + SOON;
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok(read) = self.socket.recv(&mut buffer) else { continue };
            let text = String::from_utf8(buffer[..read].to_vec()).unwrap();
            if !text.starts_with("SIP/2.0 100 ") && self.heard.insert(text.clone()) {
                return Some(Message { text });
            }
        }
    }

    /// Keeps what requests within the call need of a message (12.1).
    fn learn(&mut self, message: &Message) {
        let [from, to] = ["From", "To"].map(|name| message.header(name).unwrap());
        let routes = message.headers("Record-Route").flat_map(|value| value.split(',')).map(str::trim);
        let mut routes: Vec<&str> = routes.collect();
        if message.text.starts_with("INVITE ") && !to.contains(";tag=") {
            self.dialog = Dialog {
                id: message.header("Call-ID").unwrap().to_owned(),
                from: self.tagged(to),
                to: from.to_owned(),
                target: target(message),
                routes: route(&routes),
                settled: true,
                ..Dialog::default()
            };
        } else if !self.dialog.settled && begins(message) {
            routes.reverse();
            self.dialog.to = to.to_owned();
            self.dialog.target = target(message);
            self.dialog.routes = route(&routes);
            self.dialog.settled = message.status() >= 200;
        }
    }

    /// A value of To with a tag: that of this side, where it has none.
    fn tagged(&self, to: &str) -> String {
        if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=t{}", self.local.port()) }
    }

    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.node).unwrap();
    }
}

/// One side ends the call.
#[track_caller]
pub(super) fn hang_up(one: &mut Side, other: &mut Side) {
    one.request("BYE", "");
    let bye = other.expect("BYE");
    other.reply(&bye, "200 OK", "", "");
    one.expect("200 BYE");
}

/// The method of a request; status and method of a response.
fn name(message: &Message) -> String {
    let first = message.text.split(' ').next().unwrap_or_default();
    if first != "SIP/2.0" {
        return first.to_owned();
    }
    let method = message.header("CSeq").and_then(|value| value.split(' ').nth(1)).unwrap_or_default();
    format!("{} {method}", message.status())
}

/// Whether it makes a dialog: a response to an INVITE that is no refusal.
fn begins(message: &Message) -> bool {
    let to_invite = message.header("CSeq").is_some_and(|value| value.ends_with(" INVITE"));
    to_invite && message.text.starts_with("SIP/2.0 ") && message.status() < 300
}

fn target(message: &Message) -> String {
    let contact = message.header("Contact").unwrap_or_else(|| panic!("no Contact: {}", message.text));
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

fn route(routes: &[&str]) -> String {
    assert!(!routes.is_empty(), "the node stays in every call");
    format!("Route: {}\r\n", routes.join(", "))
}

/// The end of a message.
fn with_content(sdp: &str) -> String {
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}
