//! One function per parser, taking any octets and asserting what must hold of them. The fuzz targets, the
//! corpus test and property tests call these.

#![expect(clippy::panic, reason = "for tests and fuzz targets: what must hold is asserted")]

mod description;

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use crate::digest::{Challenge, Credentials};
use crate::identity::{self, Diverted, Privacy, RemoteParty, Targeted};
use crate::message::StartLine;
use crate::register::{Contact, Listed, Registration, Rules};
use crate::validate;
use crate::write::{self, Response};
use crate::{
    CSeq, Edits, Framed, Framer, HeaderId, Limits, List, Message, NameAddr, RAck, Reason, SessionExpires,
    StatusCode, Uri, Via,
};

pub use description::sdp;

const LIMITS: Limits =
    Limits { message: 2_000, head: 1_500, headers: 40, line: 300, vias: 10, lf_line_ends: true };

fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 5_061))
}

/// A datagram: what is not edited stays (line ends aside), what is edited is read again, an answer is well formed.
pub fn datagram(octets: &[u8]) {
    let Ok(message) = Message::parse_datagram(Bytes::copy_from_slice(octets), &LIMITS) else { return };
    let _ = format!("{message:?}");
    let mut out = BytesMut::new();
    Edits::new(&message).write(&mut out);
    assert_eq!(out, with_crlf(&message), "octets changed");
    assert_eq!(Edits::new(&message).len(), out.len(), "another length");
    for header in message.headers() {
        assert!(message.range_of(header.value).is_some(), "a value of elsewhere");
        values(header.value);
    }
    for &id in HeaderId::ALL {
        assert_eq!(message.has(id), message.values(id).next().is_some(), "an index that differs");
        message.list(id).for_each(values);
    }
    let fault = validate::check(&message, &[b"path"]).err();
    if fault.is_none() {
        edits(&message);
        description::replace(&message);
        registration(&message);
    }
    answer(&message, fault.map_or_else(String::new, |fault| fault.to_string()));
    let mut follow_up = BytesMut::new();
    let _ = (write::ack(&message, &message, &mut follow_up), write::cancel(&message, &[], &mut follow_up));
}

/// A message that nothing is changed of, as it leaves.
fn with_crlf(message: &Message) -> Vec<u8> {
    let body = message.body();
    let head = message.bytes().strip_suffix(body).unwrap_or_default();
    let mut written = Vec::new();
    for &octet in head {
        if octet == b'\n' && written.last() != Some(&b'\r') {
            written.push(b'\r');
        }
        written.push(octet);
    }
    [&written, body].concat()
}

/// The edits of a proxy on a message that is fine.
fn edits(message: &Message) {
    let mut edits = Edits::new(message);
    let top = message.list(HeaderId::Via).next().and_then(|via| Via::parse(via).ok());
    assert!(edits.push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKw").is_ok());
    assert!(top.is_some_and(|top| edits.stamp_via(&top, source()).is_ok()), "a Via that cannot be stamped");
    assert!(edits.set_max_forwards(9).is_ok());
    assert_eq!(edits.remove(HeaderId::Contact), Ok(message.has(HeaderId::Contact)));
    let popped = if edits.pop_routes(2).is_ok() { 2 } else { 0 };
    assert_eq!(popped == 2, message.list(HeaderId::Route).count() >= 2);
    let supported: Vec<&[u8]> = message.list(HeaderId::Supported).step_by(2).collect();
    assert_eq!(edits.remove_elements(&supported), Ok(()));
    assert!(edits.append("X-Last", b"1").is_ok() && edits.ensure_content_length().is_ok());
    let mut out = BytesMut::new();
    edits.write(&mut out);
    let wide = Limits { message: 4_000, head: 3_000, headers: 60, line: 900, vias: 20, ..LIMITS };
    let Ok(read) = Message::parse_datagram(out.freeze(), &wide) else { panic!("no message any more") };
    assert_eq!(read.defect(), None, "an edit that damages");
    assert_eq!(read.body(), message.body(), "another body");
    assert_eq!(read.list(HeaderId::Via).count(), message.list(HeaderId::Via).count() + 1, "Via");
    // Where nothing but commas is left, the header goes; a fold may have got its CR.
    let words = |message: &Message, id, skip, step| -> Vec<Vec<u8>> {
        let elements = message.list(id).skip(skip).step_by(step);
        let text = |element: &[u8]| element.iter().copied().filter(|octet| *octet != b'\r').collect();
        elements.filter(|element| !element.is_empty()).map(text).collect()
    };
    assert_eq!(words(&read, HeaderId::Route, 0, 1), words(message, HeaderId::Route, popped, 1));
    assert_eq!(words(&read, HeaderId::Supported, 0, 1), words(message, HeaderId::Supported, 1, 2));
    assert_eq!(read.value(HeaderId::MaxForwards), Some(&b"9"[..]), "Max-Forwards");
    assert!(!read.has(HeaderId::Contact) && read.values_named(b"x-last").next().is_some());
}

/// What a REGISTER would bind can be written as a contact and as a route.
fn registration(message: &Message) {
    let Ok(read) = Registration::read(message) else { return };
    for Contact { uri, q, .. } in read.contacts() {
        let listed = Listed { uri: uri.clone(), q: *q, expires: 60 }.to_string();
        let again = NameAddr::parse(listed.as_bytes()).map(|name| name.uri == uri.as_bytes());
        assert_eq!(again, Ok(true), "another contact than was read");
    }
    let routes = List::new(read.path.as_bytes());
    assert!(routes.into_iter().all(|route| NameAddr::parse(route).is_ok()), "a path that is none");
    let rules = Rules::default();
    let changes = read.decide(&[], &rules).unwrap_or_default();
    assert!(changes.len() <= read.contacts().len().min(rules.bindings_max), "too many bindings");
}

fn answer(message: &Message, reason: String) {
    let mut out = BytesMut::new();
    let reason = Some(reason.as_str());
    let response = Response {
        reason,
        to_tag: Some(b"t"),
        source: Some(source()),
        record_route: true,
        ..Response::new(StatusCode::BAD_REQUEST)
    };
    if response.write(message, &mut out).is_err() {
        assert!(out.is_empty(), "an error wrote something");
        return;
    }
    // Status line, stamps, tag and Content-Length; in each line full names and a space behind the colon.
    let own = reason.map_or(0, str::len) + 200 + 4 * message.header_count();
    assert!(out.len() <= message.bytes().len() + own, "an answer that is larger than its request");
    let wide = Limits { message: 9_000, head: 9_000, line: 9_000, vias: 9_000, headers: 9_000, ..LIMITS };
    let Ok(read) = Message::parse_datagram(out.freeze(), &wide) else { panic!("no response") };
    assert_eq!((read.status_code(), read.defect()), (Some(400), None), "a malformed answer");
    let known = |id: HeaderId| id != HeaderId::Unknown;
    assert!(read.headers().all(|header| known(header.id)), "a header of its own");
}

/// A stream, the first octet being the size of its chunks: messages do not depend on how it is cut.
pub fn stream(octets: &[u8]) {
    let Some((&size, octets)) = octets.split_first() else { return };
    let whole = run(octets, octets.len().max(1));
    assert_eq!(run(octets, usize::from(size).max(1)), whole, "messages depend on the cut");
}

fn run(octets: &[u8], size: usize) -> (Vec<(StartOf, Vec<u8>)>, bool) {
    let mut framer = Framer::new(LIMITS);
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    for chunk in octets.chunks(size) {
        buf.extend_from_slice(chunk);
        loop {
            match framer.next(&mut buf) {
                Ok(Some(Framed::Message(message))) => {
                    found.push((start_of(&message), message.bytes().to_vec()))
                }
                Ok(Some(Framed::EmptyLine)) => found.push((StartOf::EmptyLine, Vec::new())),
                Ok(Some(Framed::Ping)) => found.push((StartOf::Ping, Vec::new())),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
        assert!(buf.len() <= LIMITS.head.max(LIMITS.message) + size, "it waits for more than its limits");
    }
    (found, false)
}

#[derive(Debug, PartialEq, Eq)]
enum StartOf {
    Request,
    Response(u16),
    EmptyLine,
    Ping,
}

fn start_of(message: &Message) -> StartOf {
    match message.start_line() {
        StartLine::Request { .. } => StartOf::Request,
        StartLine::Response { code, .. } => StartOf::Response(code),
    }
}

/// A header value, taken for each kind of value.
pub fn values(octets: &[u8]) {
    let within = |part: &[u8]| crate::syntax::offset_in(octets, part).is_some();
    assert!(List::new(octets).all(within), "an element of elsewhere");
    if let Some(plain) = identity::without_verstat(octets) {
        assert!(plain.len() < octets.len(), "nothing was taken out");
        assert_eq!(identity::without_verstat(&plain), None, "it is there still");
        let tag = |octets: &[u8]| NameAddr::parse(octets).map(|value| value.tag.map(<[u8]>::to_vec));
        assert_eq!(tag(&plain), tag(octets), "another tag, or no name any more");
    }
    if let Ok(value) = NameAddr::parse(octets) {
        assert!(within(value.uri) && value.tag.is_none_or(within), "parts of elsewhere");
        let _ = (value.uri(), value.display_text(), Diverted::of(&value), Targeted::of(&value));
        let _ = RemoteParty::of(&value).value(value.uri);
    }
    if let Ok(via) = Via::parse(octets) {
        let mut stamped = BytesMut::new();
        via.write_stamped(source(), &mut stamped);
        let Ok(read) = Via::parse(&stamped) else { panic!("a stamped Via is none") };
        assert_eq!(
            (read.host, read.port, read.branch),
            (via.host, via.port, via.branch),
            "stamps change more"
        );
        assert!(read.rport.is_none() || read.rport_number() == Some(5_061), "rport");
        let _ = (via.received_host(), via.maddr(), via.ttl(), via.unique_branch());
    }
    if let Ok(uri) = Uri::parse(octets) {
        assert!(uri.is_equivalent(&uri), "not itself");
        let _ = (uri.user(), uri.sip().map(|uri| (uri.ttl(), uri.is_loose_router(), uri.maddr())));
    }
    let _ = (CSeq::parse(octets), RAck::parse(octets), Reason::parse(octets), SessionExpires::parse(octets));
    if let Ok(challenge) = Challenge::parse(octets) {
        let parts = [Some(challenge.realm), Some(challenge.nonce), challenge.opaque, challenge.domain];
        assert!(parts.into_iter().flatten().all(within), "a challenge of elsewhere");
    }
    if let Ok(credentials) = Credentials::parse(octets) {
        let digits = credentials.algorithm.digits();
        assert!(
            digits.is_none_or(|digits| digits == credentials.response.len()),
            "a digest of another length"
        );
        assert!(
            [credentials.realm, credentials.nonce, credentials.uri].into_iter().all(within),
            "of elsewhere"
        );
    }
    let _ = (Privacy::parse(octets), HeaderId::from_name(octets));
    identities(octets);
}

/// What is made of a header value is read as a value of that kind.
fn identities(octets: &[u8]) {
    let history = identity::history(List::new(octets), b"sip:target@192.0.2.1").unwrap_or_default();
    for element in List::new(&history) {
        let entry = NameAddr::parse(element).ok().and_then(|entry| Targeted::of(&entry));
        assert!(entry.is_some(), "an entry that is none");
    }
    let diversions = identity::diversions(List::new(octets)).unwrap_or_default();
    for element in List::new(&diversions) {
        let reason = NameAddr::parse(element).ok().and_then(|value| Diverted::of(&value).reason);
        assert!(reason.is_some(), "a diversion that is none");
    }
    for words in [Privacy::without(octets, b"user"), Privacy::with(octets, b"id")] {
        assert!(words.iter().all(u8::is_ascii_graphic), "words that are none");
    }
}

#[cfg(test)]
mod tests;
