use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Limits, Message, Method, StatusCode};

fn message(text: &str) -> Message {
    Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn text(write: impl FnOnce(&mut BytesMut) -> Result<(), WriteError>) -> Result<String, WriteError> {
    let mut out = BytesMut::from("before");
    let written = write(&mut out);
    let out = out.strip_prefix(b"before").expect("what was there stays");
    assert!(written.is_ok() || out.is_empty(), "an error wrote something");
    written.map(|()| String::from_utf8_lossy(out).into_owned())
}

const INVITE: &str = concat!(
    "INVITE sip:+1555@192.0.2.50 SIP/2.0\r\n",
    "v: SIP/2.0/UDP a.example;rport;branch=z9hG4bK1, SIP/2.0/UDP b\r\n",
    "Via: SIP/2.0/TCP\r\n c\r\n",
    "Record-Route: <sip:p1;lr>\r\n",
    "record-route: <sip:p2;lr>,\r\n\t<sip:p3;lr>\r\n",
    "Route: <sip:r1;lr>, <sip:r2;lr>\r\n",
    "f: <sip:x@y>;\r\n tag=1\r\n",
    "t: <sip:+1555@y>\r\n",
    "i: id@host\r\n",
    "Timestamp: 54\r\n",
    "CSeq: 0009\r\n INVITE\r\n\r\nbody",
);

#[test]
fn responses() {
    let request = message(INVITE);
    let trying = Response { to_tag: Some(b"t"), ..Response::new(StatusCode::TRYING) };
    let expected = concat!(
        "SIP/2.0 100 Trying\r\n",
        "Via: SIP/2.0/UDP a.example;rport;branch=z9hG4bK1, SIP/2.0/UDP b\r\n",
        "Via: SIP/2.0/TCP c\r\n",
        "From: <sip:x@y>; tag=1\r\n",
        "To: <sip:+1555@y>\r\n",
        "Call-ID: id@host\r\n",
        "CSeq: 0009 INVITE\r\n",
        "Timestamp: 54\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    assert_eq!(text(|out| trying.write(&request, out)).as_deref(), Ok(expected));
    let ok = Response {
        reason: Some("Fine"),
        to_tag: Some(b"t"),
        source: Some("192.0.2.9:5061".parse().unwrap()),
        record_route: true,
        headers: &[("Contact", b"<sip:us>")],
        body: Some(Body { content_type: b"application/sdp", octets: b"v=0\r\n" }),
        ..Response::new(StatusCode::OK)
    };
    let expected = concat!(
        "SIP/2.0 200 Fine\r\n",
        "Via: SIP/2.0/UDP a.example;rport=5061;branch=z9hG4bK1;received=192.0.2.9, SIP/2.0/UDP b\r\n",
        "Via: SIP/2.0/TCP c\r\n",
        "Record-Route: <sip:p1;lr>\r\n",
        "Record-Route: <sip:p2;lr>,\t<sip:p3;lr>\r\n",
        "From: <sip:x@y>; tag=1\r\n",
        "To: <sip:+1555@y>;tag=t\r\n",
        "Call-ID: id@host\r\n",
        "CSeq: 0009 INVITE\r\n",
        "Contact: <sip:us>\r\n",
        "Content-Type: application/sdp\r\n",
        "Content-Length: 5\r\n\r\nv=0\r\n",
    );
    assert_eq!(text(|out| ok.write(&request, out)).as_deref(), Ok(expected));
}

#[test]
fn requests_that_lack_something_are_answered_if_anybody_can_be() {
    let bare = Response { to_tag: Some(b"t"), ..Response::new(StatusCode::BAD_REQUEST) };
    let request = message("INVITE sip:a SIP/2.0\r\nVia: nonsense\r\nt: \"a <sip:b>\r\n\r\n");
    let stamped = Response { source: Some("192.0.2.9:5061".parse().unwrap()), ..bare };
    let expected = "SIP/2.0 400 Bad Request\r\nVia: nonsense\r\nTo: \"a <sip:b>\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(text(|out| stamped.write(&request, out)).as_deref(), Ok(expected));
    let request = message("INVITE sip:a SIP/2.0\r\nTo: b\r\n\r\n");
    assert_eq!(text(|out| bare.write(&request, out)), Err(WriteError::Missing(HeaderId::Via)));
    let tagged = message("BYE sip:a SIP/2.0\r\nVia: x\r\nTo: <sip:b>;tag=old\r\n\r\n");
    assert!(text(|out| bare.write(&tagged, out)).unwrap().contains("To: <sip:b>;tag=old\r\n"));
    let response = message("SIP/2.0 200 OK\r\nVia: a\r\n\r\n");
    assert_eq!(text(|out| bare.write(&response, out)), Err(WriteError::Kind));
}

/// Few octets make no long answer.
#[test]
fn answers_are_not_larger_than_their_requests() {
    let top = "SIP/2.0/UDP a;rport;branch=z9hG4bK1";
    let answer = |vias: &str| {
        let request = message(&format!("BYE sip:a SIP/2.0\r\n{vias}\r\n"));
        let source = Some("192.0.2.9:5061".parse().unwrap());
        let response = Response { source, ..Response::new(StatusCode::BAD_REQUEST) };
        let found = text(|out| response.write(&request, out)).unwrap();
        assert!(found.len() <= request.bytes().len() + 150 + 4 * request.header_count(), "{found}");
        found
    };
    let stamped = "Via: SIP/2.0/UDP a;rport=5061;branch=z9hG4bK1;received=192.0.2.9";
    let table = [
        (format!("v:{top},,,a\r\nv:\r\nv: ,\r\n"), format!("{stamped},,,a\r\nVia: ,\r\n")),
        (format!("v:\r\nv:{top} , a\r\n"), format!("{stamped} , a\r\n")),
        (format!("v:{top}{}\r\n", ",".repeat(70)), format!("{stamped}\r\n")),
        (format!("v:{top}\r\n{}", "v:,\r\n".repeat(40)), format!("{stamped}\r\n")),
        (format!("v:{top}, b\r\n{}", "a:\r\n".repeat(300)), format!("{stamped}\r\n")),
        (format!("v:{top}, {}\r\n", "a".repeat(9_000)), format!("{stamped}\r\n")),
        // Whichever defect comes first.
        (format!("nonsense\r\nv:{top}{}\r\n", ",".repeat(70)), format!("{stamped}\r\n")),
    ];
    for (vias, expected) in table {
        let expected = format!("SIP/2.0 400 Bad Request\r\n{expected}Content-Length: 0\r\n\r\n");
        assert_eq!(answer(&vias), expected);
    }
    let none = message("BYE sip:a SIP/2.0\r\nVia: \r\n\r\n");
    let response = Response::new(StatusCode::OK);
    assert_eq!(text(|out| response.write(&none, out)), Err(WriteError::Missing(HeaderId::Via)));
}

#[test]
fn what_the_writers_make_is_not_given() {
    let request = message(INVITE);
    for name in
        ["Via", "v", "content-length", "L", "From", "t", "Call-ID", "cseq", "Max-Forwards", "c", "Route"]
    {
        let headers: Extra<'_> = &[("Reason", b"x"), (name, b"1")];
        let error = Err(WriteError::Reserved(HeaderId::from_name(name.as_bytes())));
        let response = Response { headers, ..Response::new(StatusCode::OK) };
        assert_eq!(text(|out| response.write(&request, out)), error, "{name}");
        assert_eq!(text(|out| Request { headers, ..OPTIONS }.write(out)), error, "{name}");
        assert_eq!(text(|out| cancel(&request, headers, out)), error, "{name}");
    }
}

#[test]
fn only_an_invite_is_followed_up() {
    let response = |code: u16| message(&format!("SIP/2.0 {code} x\r\nVia: x\r\nTo: <sip:y>;tag=1\r\n\r\n"));
    let (invite, bye) = (message(INVITE), message(&INVITE.replace("INVITE", "BYE")));
    for (code, expected) in [
        (100, Err(WriteError::Kind)),
        (183, Err(WriteError::Kind)),
        (200, Err(WriteError::Kind)),
        (300, Ok(())),
        (699, Ok(())),
    ] {
        assert_eq!(text(|out| ack(&invite, &response(code), out)).map(drop), expected, "{code}");
        assert_eq!(text(|out| ack(&bye, &response(code), out)), Err(WriteError::Kind));
        assert_eq!(text(|out| cancel(&response(code), &[], out)), Err(WriteError::Kind));
    }
    assert_eq!(text(|out| cancel(&bye, &[], out)), Err(WriteError::Kind));
}

#[test]
fn the_ack_to_a_refusal() {
    let refused = message("SIP/2.0 486 Busy Here\r\nVia: x\r\nTo: <sip:+1555@y>;tag=theirs\r\n\r\n");
    let expected = concat!(
        "ACK sip:+1555@192.0.2.50 SIP/2.0\r\n",
        "Via: SIP/2.0/UDP a.example;rport;branch=z9hG4bK1\r\n",
        "Max-Forwards: 70\r\n",
        "Route: <sip:r1;lr>, <sip:r2;lr>\r\n",
        "From: <sip:x@y>; tag=1\r\n",
        "To: <sip:+1555@y>;tag=theirs\r\n",
        "Call-ID: id@host\r\n",
        "CSeq: 9 ACK\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    assert_eq!(text(|out| ack(&message(INVITE), &refused, out)).as_deref(), Ok(expected));
    assert_eq!(text(|out| ack(&message(INVITE), &message(INVITE), out)), Err(WriteError::Kind));
    let credentials = "Authorization: Digest a=1\r\nProxy-Authorization: Digest b=2\r\n";
    let proven = message(&INVITE.replace("Timestamp: 54\r\n", credentials));
    let expected = expected.replace("Content-Length", &format!("{credentials}Content-Length"));
    assert_eq!(text(|out| ack(&proven, &refused, out)), Ok(expected));
    let cancelled = text(|out| cancel(&proven, &[], out)).unwrap();
    assert!(!cancelled.contains("Digest"), "nobody asks a CANCEL: {cancelled}");
}

#[test]
fn the_cancel_of_an_invite() {
    let headers: Extra<'_> = &[("Reason", b"SIP;cause=200")];
    let expected = concat!(
        "CANCEL sip:+1555@192.0.2.50 SIP/2.0\r\n",
        "Via: SIP/2.0/UDP a.example;rport;branch=z9hG4bK1\r\n",
        "Max-Forwards: 70\r\n",
        "Route: <sip:r1;lr>, <sip:r2;lr>\r\n",
        "From: <sip:x@y>; tag=1\r\n",
        "To: <sip:+1555@y>\r\n",
        "Call-ID: id@host\r\n",
        "CSeq: 9 CANCEL\r\n",
        "Reason: SIP;cause=200\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    assert_eq!(text(|out| cancel(&message(INVITE), headers, out)).as_deref(), Ok(expected));
    let without = message("INVITE sip:a SIP/2.0\r\nVia: x\r\nTo: y\r\nFrom: z\r\ni: 1\r\n\r\n");
    assert_eq!(text(|out| cancel(&without, &[], out)), Err(WriteError::Missing(HeaderId::CSeq)));
}

const OPTIONS: Request<'_> = Request {
    method: Method::Options,
    uri: b"sip:192.0.2.50",
    via: b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKp",
    from: b"<sip:192.0.2.1>;tag=1",
    to: b"<sip:192.0.2.50>",
    call_id: b"probe@192.0.2.1",
    cseq: 7,
    routes: &[b"<sip:r;lr>"],
    headers: &[("User-Agent", b"warp")],
    body: None,
};

#[test]
fn a_probe() {
    let expected = concat!(
        "OPTIONS sip:192.0.2.50 SIP/2.0\r\n",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKp\r\n",
        "Max-Forwards: 70\r\n",
        "Route: <sip:r;lr>\r\n",
        "From: <sip:192.0.2.1>;tag=1\r\n",
        "To: <sip:192.0.2.50>\r\n",
        "Call-ID: probe@192.0.2.1\r\n",
        "CSeq: 7 OPTIONS\r\n",
        "User-Agent: warp\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    assert_eq!(text(|out| OPTIONS.write(out)).as_deref(), Ok(expected));
}

proptest! {
    /// Whatever is given, what comes out is a message with exactly the headers asked for, or nothing.
    #[test]
    fn no_text_makes_a_header_of_its_own(octets in prop::collection::vec(any::<u8>(), 0..12), place in 0..8) {
        let texts: [&[u8]; 1] = [&octets];
        let extra: [(&str, &[u8]); 1] = [("X-1", &octets)];
        let mut request = Request { routes: &[], headers: &[], ..OPTIONS };
        match place {
            0 => request.uri = &octets,
            1 => request.via = &octets,
            2 => request.from = &octets,
            3 => request.to = &octets,
            4 => request.call_id = &octets,
            5 => request.routes = &texts,
            6 => request.headers = &extra,
            _ => request.body = Some(Body { content_type: &octets, octets: b"x" }),
        }
        let mut out = BytesMut::new();
        if request.write(&mut out).is_ok() {
            let message = Message::parse_datagram(out.freeze(), &Limits::default()).unwrap();
            prop_assert_eq!(message.header_count(), if place >= 5 { 8 } else { 7 });
            prop_assert_eq!(message.defect(), None);
        } else {
            prop_assert!(out.is_empty());
        }
    }

    /// A response repeats what came, and what came may be anything.
    #[test]
    fn no_request_makes_a_header_of_its_own(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let lines = [b"INVITE sip:a SIP/2.0\r\nVia: ".as_slice(), &octets, b"\r\nFrom: ", &octets, b"\r\n\r\n"].concat();
        let request = Message::parse_datagram(lines.into(), &Limits::default()).unwrap();
        let mut out = BytesMut::new();
        let source = Some("192.0.2.9:5061".parse().unwrap());
        let response = Response { source, to_tag: Some(b"t"), ..Response::new(StatusCode::BAD_REQUEST) };
        if response.write(&request, &mut out).is_ok() {
            let known = |line: &[u8]| [&b"SIP/2.0"[..], b"Via: ", b"From: ", b"To: ", b"Call-ID: ", b"CSeq: ", b"Content-Length: 0"]
                .iter().any(|start| line.starts_with(start));
            let head = out.strip_suffix(b"\r\n\r\n").unwrap();
            for line in head.split(|&octet| octet == b'\n') {
                prop_assert!(known(line), "{}", line.escape_ascii());
            }
        }
    }
}
