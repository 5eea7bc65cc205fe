//! A side of a call, played message by message, that looks through every octet it gets. One thread plays
//! both. Each is a switch behind a proxy of its own, and says more of itself than it must.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use super::super::Message;
use super::PATIENCE;

/// Its address is nobody's: descriptions of media pass as they are where no media node is.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                   m=audio 20000 RTP/AVP 0\r\n";
/// The longest Call-ID that a hidden side gets for one that is not too long to be sealed.
const CALL_ID_MAX: usize = 153;

/// Who a side is: a word that is in all that it says of itself, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Who {
    pub(super) mark: &'static str,
    pub(super) at: SocketAddr,
}

impl Who {
    /// What tells of it.
    fn tells(self) -> [String; 3] {
        [self.mark.to_owned(), self.at.ip().to_string(), format!(":{}", self.at.port())]
    }
}

/// One that calls, or is called.
pub(super) struct End {
    socket: UdpSocket,
    /// Where it sends to, and what that calls itself.
    pub(super) node: SocketAddr,
    name: String,
    own: Who,
    /// What tells of the other side, whether that must not show, and what of it has.
    tells: [String; 3],
    hidden: bool,
    shown: HashSet<String>,
    /// What came. What comes again says nothing new.
    heard: HashSet<String>,
    /// Where the last of it came from.
    pub(super) source: SocketAddr,
    /// Requests that it has sent, for their branches; calls that it has had, for its tags.
    sent: u32,
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
    routes: Vec<String>,
    /// CSeq of its last request that was neither ACK nor CANCEL, and of its last INVITE.
    number: u32,
    invite: u32,
    /// The INVITE that began it, where it calls.
    first: String,
    /// Nothing of it changes any more.
    settled: bool,
}

impl End {
    #[track_caller]
    pub(super) fn new((own, other): (Who, Who), hidden: bool, (node, name): (SocketAddr, &str)) -> Self {
        Self {
            socket: UdpSocket::bind(own.at).unwrap(),
            node,
            name: name.to_owned(),
            own,
            tells: other.tells(),
            hidden,
            shown: HashSet::new(),
            heard: HashSet::new(),
            source: node,
            sent: 0,
            calls: 0,
            dialog: Dialog::default(),
        }
    }

    /// Of its last call.
    pub(super) fn call_id(&self) -> &str {
        &self.dialog.id
    }

    /// Calls a number.
    pub(super) fn call(&mut self, number: &str) {
        self.calls += 1;
        let Who { mark, at } = self.own;
        let target = format!("sip:{number}@{}", self.node);
        self.dialog = Dialog {
            id: format!("{mark}-{}-{}@{}", at.port(), self.calls, at.ip()),
            from: format!("<sip:+442079460000@{at}>;tag=a{}", self.calls),
            to: format!("<{target}>"),
            target,
            ..Dialog::default()
        };
        self.dialog.first = self.request("INVITE");
    }

    /// A request within its call, as it was sent; a CANCEL and the ACK of a refusal have words of their own.
    pub(super) fn request(&mut self, method: &str) -> String {
        let dialog = &mut self.dialog;
        if method != "ACK" {
            dialog.number += 1;
        }
        if method == "INVITE" {
            dialog.invite = dialog.number;
        }
        self.sent += 1;
        let Dialog { id, from, to, target, routes, number, invite, .. } = &self.dialog;
        let Who { mark, at } = self.own;
        let (port, sent) = (at.port(), self.sent);
        let number = if method == "ACK" { invite } else { number };
        let route =
            if routes.is_empty() { String::new() } else { format!("Route: {}\r\n", routes.join(", ")) };
        let more = match method {
            "INVITE" => format!("Supported: 100rel\r\nRecord-Route: {}\r\n", self.proxy()),
            "PRACK" => "RAck: 1 1 INVITE\r\n".to_owned(),
            _ => String::new(),
        };
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch=z9hG4bK-{mark}-{port}-{sent}\r\n\
             Via: SIP/2.0/UDP phone.{mark}.example:5060;branch=z9hG4bK-{mark}-below\r\nMax-Forwards: 70\r\n\
             {route}From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\n{more}{}{}",
            self.tells(),
            content(matches!(method, "INVITE" | "UPDATE"))
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
        let ack = Message { text: self.of_first("ACK") };
        let called = ack.header("To").unwrap();
        self.send(&ack.text.replace(&to(called), &to(refusal.header("To").unwrap())));
    }

    /// A request without a body that has target, branch and number of the INVITE that began its call.
    fn of_first(&self, method: &str) -> String {
        let (head, _) = self.dialog.first.split_once("Content-").unwrap();
        format!("{}Content-Length: 0\r\n\r\n", head.replace("INVITE", method))
    }

    /// A response such as `200 OK`; a 183 is one that wants PRACK (RFC 3262).
    pub(super) fn reply(&self, request: &Message, status: &str) {
        let copied = |name: &str| {
            request.headers(name).map(|value| format!("{name}: {value}\r\n")).collect::<String>()
        };
        let to = request.header("To").unwrap();
        let to = if tag(to).is_some() { to } else { &self.dialog.from };
        let asked = name(request);
        let route =
            if asked == "INVITE" { format!("Record-Route: {}\r\n", self.proxy()) } else { String::new() };
        let reliable = if status.starts_with("183") { "Require: 100rel\r\nRSeq: 1\r\n" } else { "" };
        let describes = matches!(asked.as_str(), "INVITE" | "UPDATE");
        let describes = describes && (status.starts_with("183") || status.starts_with('2'));
        let text = format!(
            "SIP/2.0 {status}\r\n{}{route}{}{}To: {to}\r\n{}{}{reliable}{}{}",
            copied("Via"),
            copied("Record-Route"),
            copied("From"),
            copied("Call-ID"),
            copied("CSeq"),
            self.tells(),
            content(describes)
        );
        self.send(&text);
    }

    /// The next message: a request by its method, a response by status and method, as in `200 INVITE`.
    #[track_caller]
    pub(super) fn expect(&mut self, what: &str) -> Message {
        let Some(message) = self.hear() else {
            panic!("not within {PATIENCE:?} at {}: {what}", self.own.at);
        };
        assert_eq!(name(&message), what, "{}", message.text);
        self.learn(&message);
        message
    }

    /// A request within the call is for its Contact, by way of its own proxy, whatever the sender knows.
    #[track_caller]
    pub(super) fn is_reached_by(&self, request: &Message) {
        let Who { mark, at } = self.own;
        let target = format!(" sip:{mark}@{at} SIP/2.0\r\n");
        assert!(request.text.contains(&target), "not for {target:?}: {}", request.text);
        assert_eq!(elements(request, "Route"), [self.proxy()], "{}", request.text);
    }

    /// Whether everything that tells of the other side has shown: what is looked for can be found.
    pub(super) fn has_seen_all(&self) -> bool {
        self.tells.iter().all(|tells| self.shown.contains(tells))
    }

    /// The next message that says something.
    #[track_caller]
    fn hear(&mut self) -> Option<Message> {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok((read, source)) = self.socket.recv_from(&mut buffer) else { continue };
            let message = Message { text: String::from_utf8_lossy(&buffer[..read]).into_owned() };
            self.look_through(&message);
            if !message.text.starts_with("SIP/2.0 100 ") && self.heard.insert(message.text.clone()) {
                self.source = source;
                return Some(message);
            }
        }
    }

    /// Every message, also one that comes again.
    #[track_caller]
    fn look_through(&mut self, message: &Message) {
        let (text, at) = (&message.text, self.own.at);
        let lower = text.to_ascii_lowercase();
        for tells in self.tells.iter().filter(|tells| lower.contains(tells.as_str())) {
            assert!(!self.hidden, "{tells} shows at {at}: {text}");
            self.shown.insert(tells.clone());
        }
        let is_own = |element: &&str| element.contains(self.own.mark);
        let (name, vias) = (&self.name, elements(message, "Via"));
        if text.starts_with("SIP/2.0 ") {
            assert!(vias.len() == 2 && vias.iter().all(is_own), "its own Vias are wanted at {at}: {text}");
        }
        if !self.hidden {
            return;
        }
        if !text.starts_with("SIP/2.0 ") {
            let ours = format!("SIP/2.0/UDP {name};branch=");
            assert!(vias.len() == 1 && vias[0].starts_with(&ours), "{ours} is wanted at {at}: {text}");
        }
        for contact in message.headers("Contact") {
            let ours = format!("<sip:{name};c=");
            assert!(contact.starts_with(&ours), "{ours} is wanted at {at}: {text}");
        }
        for route in elements(message, "Record-Route").into_iter().filter(|route| !is_own(route)) {
            let ours = format!("<sip:{name};lr;w=");
            assert!(route.starts_with(&ours), "{ours} is wanted at {at}: {text}");
        }
    }

    /// Keeps what requests within the call need of a message (12.1), which has its Call-ID and its tags.
    #[track_caller]
    fn learn(&mut self, message: &Message) {
        let [from, to, id] = ["From", "To", "Call-ID"].map(|name| message.header(name).unwrap());
        let name = name(message);
        if name == "INVITE" && tag(to).is_none() {
            self.calls += 1;
            self.dialog = Dialog {
                id: id.to_owned(),
                from: format!("{to};tag=b{}", self.calls),
                to: from.to_owned(),
                target: target(message),
                routes: elements(message, "Record-Route").into_iter().map(str::to_owned).collect(),
                settled: true,
                ..Dialog::default()
            };
            return;
        }
        let is_response = message.text.starts_with("SIP/2.0 ");
        let (own, other) = if is_response { (from, to) } else { (to, from) };
        let dialog = &mut self.dialog;
        assert_eq!(id, dialog.id, "{}", message.text);
        // The INVITE that a CANCEL takes back had no tag of the callee's.
        if name != "CANCEL" {
            assert_eq!(tag(own), tag(&dialog.from), "{}", message.text);
        }
        if dialog.settled {
            assert_eq!(tag(other), tag(&dialog.to), "{}", message.text);
        } else if is_response && name.ends_with(" INVITE") && message.status() < 300 {
            let mark = self.own.mark;
            let routes = elements(message, "Record-Route").into_iter().rev();
            // Its own proxy takes itself off.
            let routes = routes.filter(|route| !route.contains(mark));
            dialog.routes = routes.map(str::to_owned).collect();
            assert!(!dialog.routes.is_empty(), "the node stays in every call: {}", message.text);
            dialog.to = to.to_owned();
            dialog.target = target(message);
            dialog.settled = message.status() >= 200;
        }
    }

    /// The Record-Route of its own proxy, which is at the same socket.
    fn proxy(&self) -> String {
        format!("<sip:{};lr;of={}>", self.own.at, self.own.mark)
    }

    /// What it says of itself in every message.
    fn tells(&self) -> String {
        let Who { mark, at } = self.own;
        format!(
            "Contact: <sip:{mark}@{at}>\r\nUser-Agent: {mark}/1.0\r\nServer: {mark}/1.0\r\n\
             Organization: {mark}\r\nReply-To: <sip:{mark}@{at}>\r\n\
             Warning: 399 phone.{mark}.example \"-\"\r\n"
        )
    }

    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.node).unwrap();
    }
}

/// A call rings; the INVITE as it arrived. Whom the caller is hidden from has a Call-ID of the node's, any
/// other that of who calls.
#[track_caller]
pub(super) fn ring(caller: &mut End, called: &mut End, number: &str) -> Message {
    caller.call(number);
    let invite = called.expect("INVITE");
    let (made, given) = (caller.call_id(), called.call_id());
    if called.hidden {
        assert!(given.starts_with('w') && given.len() <= CALL_ID_MAX, "{given} in place of {made}");
    } else {
        assert_eq!(given, made);
    }
    called.reply(&invite, "180 Ringing");
    caller.expect("180 INVITE");
    invite
}

/// A call that rings is answered, until the ACK.
#[track_caller]
pub(super) fn answer(caller: &mut End, called: &mut End, invite: &Message) {
    called.reply(invite, "200 OK");
    caller.expect("200 INVITE");
    caller.request("ACK");
    called.expect("ACK");
}

/// A request of one side within a call, until the other side's answer is back, or its ACK; as it arrived.
#[track_caller]
pub(super) fn ask(one: &mut End, other: &mut End, method: &str) -> Message {
    one.request(method);
    let request = other.expect(method);
    other.reply(&request, "200 OK");
    one.expect(&format!("200 {method}"));
    if method == "INVITE" {
        one.request("ACK");
        other.expect("ACK");
    }
    request
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

fn tag(value: &str) -> Option<&str> {
    value.split_once(";tag=").map(|(_, rest)| rest.split(';').next().unwrap_or_default())
}

fn target(message: &Message) -> String {
    let contact = message.header("Contact").unwrap_or_else(|| panic!("no Contact: {}", message.text));
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

/// All values of a header, those that share a line too.
fn elements<'m>(message: &'m Message, name: &'m str) -> Vec<&'m str> {
    message.headers(name).flat_map(|value| value.split(',')).map(str::trim).collect()
}

/// The end of a message.
fn content(describes: bool) -> String {
    let (kind, body) = if describes { ("Content-Type: application/sdp\r\n", SDP) } else { ("", "") };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}
