use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Limits, Via};

mod body;
mod model;

fn message(text: &str) -> Message {
    Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn written(edits: &Edits<'_>) -> String {
    let mut out = BytesMut::new();
    edits.write(&mut out);
    assert_eq!(out.len(), edits.len());
    String::from_utf8(out.to_vec()).unwrap()
}

/// `before` with `change` made, or the error.
fn edited(
    before: &str,
    change: impl FnOnce(&mut Edits<'_>) -> Result<(), EditError>,
) -> Result<String, EditError> {
    let message = message(before);
    let mut edits = Edits::new(&message);
    change(&mut edits).map(|()| written(&edits))
}

const INVITE: &str = concat!(
    "INVITE sip:a@b SIP/2.0\r\n",
    "Via: SIP/2.0/UDP a;rport;branch=z9hG4bK1 , SIP/2.0/UDP b\r\n",
    "v: SIP/2.0/UDP c\r\n",
    "Max-Forwards:  0070\r\n",
    "Route: <sip:r1;lr>,\r\n <sip:r2;lr> , <sip:r3;lr>\r\n",
    "f: <sip:x@y>;tag=1\r\n",
    "X-Trust: 1\r\n",
    "p-asserted-identity: <sip:q@z>\r\n",
    "x-TRUST:2\r\n",
    "Content-Length: 4\r\n\r\nbody",
);

#[test]
fn what_a_proxy_does_to_a_request() {
    let source = "192.0.2.9:5061".parse().unwrap();
    let found = edited(INVITE, |edits| {
        edits.set_request_uri(b"sip:+1555@192.0.2.50")?;
        edits.set_max_forwards(69)?;
        let top = edits.message().list(HeaderId::Via).next().unwrap();
        edits.stamp_via(&Via::parse(top).unwrap(), source)?;
        edits.push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKw")?;
        edits.push_record_route(b"<sip:192.0.2.1;lr>")?;
        edits.pop_route()?;
        edits.remove(HeaderId::PAssertedIdentity)?;
        edits.remove_named(b"X-trust")?;
        edits.append("X-New", b"v")
    });
    let expected = concat!(
        "INVITE sip:+1555@192.0.2.50 SIP/2.0\r\n",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKw\r\n",
        "Via: SIP/2.0/UDP a;rport=5061;branch=z9hG4bK1;received=192.0.2.9 , SIP/2.0/UDP b\r\n",
        "v: SIP/2.0/UDP c\r\n",
        "Record-Route: <sip:192.0.2.1;lr>\r\n",
        "Max-Forwards:  69\r\n",
        "Route: <sip:r2;lr> , <sip:r3;lr>\r\n",
        "f: <sip:x@y>;tag=1\r\n",
        "Content-Length: 4\r\n",
        "X-New: v\r\n\r\nbody",
    );
    assert_eq!(found.unwrap(), expected);
}

#[test]
fn the_top_via_of_a_response_goes() {
    let table = [
        ("SIP/2.0 200 OK\r\nVia: a\r\nVia: b\r\n\r\n", "SIP/2.0 200 OK\r\nVia: b\r\n\r\n"),
        ("SIP/2.0 200 OK\r\nTo: x\r\nv : a,\r\n b\r\n\r\n", "SIP/2.0 200 OK\r\nTo: x\r\nv : b\r\n\r\n"),
        ("SIP/2.0 200 OK\r\nVia: a\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"),
    ];
    for (before, after) in table {
        assert_eq!(edited(before, |edits| edits.pop_via()).as_deref(), Ok(after));
    }
    assert_eq!(edited("SIP/2.0 200 OK\r\nTo: a\r\n\r\n", |edits| edits.pop_via()), Err(EditError::Absent));
}

#[test]
fn elements_go_with_one_comma() {
    let routes = |rest: &str| format!("ACK sip:a SIP/2.0\r\nRoute:{rest}\r\nRoute: <sip:z>\r\n\r\n");
    let table = [
        (" <sip:1> , <sip:2>,<sip:3>", 0, " <sip:2>,<sip:3>"),
        (" <sip:1> , <sip:2>,<sip:3>", 1, " <sip:1> , <sip:3>"),
        (" <sip:1> , <sip:2>\r\n ,<sip:3>", 2, " <sip:1> , <sip:2>"),
    ];
    for (before, place, after) in table {
        let text = routes(before);
        let request = message(&text);
        let element = request.list(HeaderId::Route).nth(place).unwrap();
        let mut edits = Edits::new(&request);
        edits.remove_element(element).unwrap();
        assert_eq!(written(&edits), routes(after));
    }
    let text = routes(" <sip:1>, <sip:2>");
    let request = message(&text);
    let mut edits = Edits::new(&request);
    edits.replace(request.list(HeaderId::Route).nth(1).unwrap(), b"<sip:new;lr>").unwrap();
    edits.remove_element(request.list(HeaderId::Route).nth(2).unwrap()).unwrap();
    assert_eq!(written(&edits), "ACK sip:a SIP/2.0\r\nRoute: <sip:1>, <sip:new;lr>\r\n\r\n");
    assert_eq!(edits.remove_element(b"<sip:1>"), Err(EditError::Absent), "a copy is no part of the message");
}

/// Two elements of one line go in any order, also one after the other.
#[test]
fn several_elements_of_a_line_go() {
    let text = |rest: &str| format!("ACK sip:a SIP/2.0\r\n{rest}To: x\r\n\r\n");
    let before = "Route: <sip:1> , <sip:2>,\r\n <sip:3> ,<sip:4>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n";
    let table: [(&[usize], &str); 9] = [
        (&[0, 1], "Route: <sip:3> ,<sip:4>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[1, 2], "Route: <sip:1> , <sip:4>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[2, 3], "Route: <sip:1> , <sip:2>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[0, 3], "Route: <sip:2>,\r\n <sip:3>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[0, 2], "Route: <sip:2>,\r\n <sip:4>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[0, 1, 2], "Route: <sip:4>\r\nr-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[0, 1, 2, 3], "r-x: 1\r\nROUTE:<sip:5>\r\n"),
        (&[3, 4], "Route: <sip:1> , <sip:2>,\r\n <sip:3>\r\nr-x: 1\r\n"),
        (&[0, 1, 2, 3, 4], "r-x: 1\r\n"),
    ];
    let request = message(&text(before));
    let routes: Vec<&[u8]> = request.list(HeaderId::Route).collect();
    for (places, after) in table {
        let mut wanted: Vec<&[u8]> = places.iter().map(|&place| routes[place]).collect();
        for _ in 0..wanted.len() {
            wanted.rotate_left(1);
            let mut at_once = Edits::new(&request);
            assert_eq!(at_once.remove_elements(&wanted), Ok(()), "{places:?}");
            let mut one_by_one = Edits::new(&request);
            assert!(wanted.iter().all(|element| one_by_one.remove_element(element).is_ok()), "{places:?}");
            for edits in [at_once, one_by_one] {
                assert_eq!(written(&edits), text(after), "{places:?}");
            }
        }
        if places.iter().enumerate().all(|(at, place)| at == *place) {
            let mut edits = Edits::new(&request);
            assert_eq!(edits.pop_routes(places.len()), Ok(()));
            assert_eq!(written(&edits), text(after), "{places:?}");
        }
    }
    let commas = |rest: &str| format!("ACK sip:a SIP/2.0\r\nRoute: {rest}\r\n\r\n");
    for (rest, after) in [("a,,b", ",b"), ("a,", ""), ("a , ,,", ""), ("a,b,", "b,")] {
        let after = if after.is_empty() { "ACK sip:a SIP/2.0\r\n\r\n".to_owned() } else { commas(after) };
        assert_eq!(edited(&commas(rest), |edits| edits.pop_route()), Ok(after), "nothing but commas goes");
    }
    let mut edits = Edits::new(&request);
    assert_eq!(edits.pop_routes(6), Err(EditError::Absent));
    assert_eq!(edits.pop_routes(0), Ok(()));
    assert_eq!(written(&edits), text(before));
    assert_eq!(edits.remove_elements(&[routes[0], routes[0]]), Err(EditError::Overlap));
    assert_eq!(edits.pop_routes(1), Ok(()));
    assert_eq!(edits.remove_elements(&[routes[1], routes[0]]), Err(EditError::Overlap));
    let part = &routes[1][..2];
    assert_eq!(edits.remove_elements(&[part]), Err(EditError::Absent), "no whole element");
    assert_eq!(edits.pop_routes(2), Err(EditError::Overlap));
}

/// Removing a header after some of its elements, or again under another spelling, is no conflict.
#[test]
fn removals_compose() {
    let found = edited(INVITE, |edits| {
        edits.pop_routes(2)?;
        edits.remove_named(b"route")?;
        edits.remove(HeaderId::Route)?;
        edits.remove_named(b"X-Trust")?;
        edits.remove_named(b"x-trust")?;
        edits.remove(HeaderId::PAssertedIdentity)?;
        edits.remove_named(b"P-Asserted-Identity")?;
        edits.append("P-Asserted-Identity", b"<sip:ours@z>")?;
        edits.push_route(b"<sip:next;lr>")?;
        edits.remove(HeaderId::MaxForwards)?;
        edits.set_max_forwards(7)
    });
    let expected = concat!(
        "INVITE sip:a@b SIP/2.0\r\n",
        "Via: SIP/2.0/UDP a;rport;branch=z9hG4bK1 , SIP/2.0/UDP b\r\n",
        "v: SIP/2.0/UDP c\r\n",
        "Max-Forwards: 7\r\n",
        "Route: <sip:next;lr>\r\n",
        "f: <sip:x@y>;tag=1\r\n",
        "Content-Length: 4\r\n",
        "P-Asserted-Identity: <sip:ours@z>\r\n\r\nbody",
    );
    assert_eq!(found.as_deref(), Ok(expected));
}

#[test]
fn headers_that_are_missing_are_added() {
    let before = "BYE sip:a SIP/2.0\r\nVia: x\r\nTo: y\r\n\r\nbody";
    let found = edited(before, |edits| {
        edits.set_max_forwards(70)?;
        edits.push_route(b"<sip:r;lr>")?;
        edits.set(HeaderId::Reason, b"Q.850;cause=16")?;
        edits.ensure_content_length()
    });
    let after = "BYE sip:a SIP/2.0\r\nVia: x\r\nMax-Forwards: 70\r\nRoute: <sip:r;lr>\r\nTo: y\r\n\
        Reason: Q.850;cause=16\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(found.as_deref(), Ok(after));
    let found = edited("BYE sip:a SIP/2.0\r\n\r\n", |edits| edits.push_via(b"x"));
    assert_eq!(found.as_deref(), Ok("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n"));
}

/// A header that a message has once is added once.
#[test]
fn a_missing_header_is_added_once() {
    type Change = fn(&mut Edits<'_>) -> Result<(), EditError>;
    let set: Change = |edits| edits.set(HeaderId::SessionExpires, b"90");
    let append: Change = |edits| edits.append("x", b"90");
    let hops: Change = |edits| edits.set_max_forwards(9);
    let append_hops: Change = |edits| edits.append("max-forwards", b"9");
    let body: Change = |edits| edits.set_body(b"a/b", b"c");
    for (first, second) in [(set, set), (set, append), (append, set), (append, append), (hops, hops)]
        .into_iter()
        .chain([(hops, append_hops), (append_hops, hops), (body, body)])
    {
        let twice = edited("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n", |edits| {
            first(edits)?;
            second(edits)
        });
        assert_eq!(twice, Err(EditError::Overlap));
    }
    let there = |line: &str| format!("BYE sip:a SIP/2.0\r\n{line}\r\n\r\n");
    assert_eq!(edited(&there("x: 1"), append), Err(EditError::Overlap));
    assert_eq!(edited(&there("Max-Forwards: 1"), append_hops), Err(EditError::Overlap));
    assert_eq!(
        edited(&there("l: 0"), |edits| edits.set(HeaderId::ContentLength, b"7")),
        Err(EditError::Form)
    );
    assert_eq!(edited(&there("X-1: 0"), |edits| edits.set(HeaderId::Unknown, b"7")), Err(EditError::Form));
    let found = edited(&there("Subject: s"), |edits| {
        body(edits)?;
        edits.ensure_content_length()?;
        edits.ensure_content_length()
    });
    let after = "Subject: s\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\nc";
    assert_eq!(found, Ok(format!("BYE sip:a SIP/2.0\r\n{after}")));
}

/// What an element takes for the end of a line does not depend on the element any more.
#[test]
fn line_ends_leave_as_crlf() {
    let limits = Limits { lf_line_ends: true, ..Limits::default() };
    let text = "BYE sip:a SIP/2.0\nVia: x\r\nSubject: a\n\tb\r\n c\nl: 4\nRoute: <sip:r>\n\na\nb\r";
    let read = Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()), &limits).unwrap();
    assert_eq!(read.defect(), None);
    let mut edits = Edits::new(&read);
    let head = "BYE sip:a SIP/2.0\r\nVia: x\r\nSubject: a\r\n\tb\r\n c\r\nl: 4\r\n";
    assert_eq!(written(&edits), format!("{head}Route: <sip:r>\r\n\r\na\nb\r"));
    edits.pop_route().unwrap();
    edits.append("X-1", b"2").unwrap();
    assert_eq!(written(&edits), format!("{head}X-1: 2\r\n\r\na\nb\r"));
}

#[test]
fn bodies_bring_their_length() {
    let found = edited(INVITE, |edits| edits.set_body(b"application/sdp", b"v=0\r\n")).unwrap();
    assert!(found.ends_with("Content-Length: 5\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"), "{found}");
    let found =
        edited("BYE sip:a SIP/2.0\r\nc: text/plain\r\nl : 1\r\n\r\nx", |edits| edits.set_body(b"", b""));
    assert_eq!(found.as_deref(), Ok("BYE sip:a SIP/2.0\r\nl : 0\r\n\r\n"));
    let described = "BYE sip:a SIP/2.0\r\nc: text/plain\r\ne: gzip\r\nContent-Disposition: session\r\n\
        Content-Language: en\r\nMIME-Version: 1.0\r\nl: 1\r\n\r\nx";
    let found = edited(described, |edits| edits.set_body(b"", b""));
    assert_eq!(found.as_deref(), Ok("BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n"));
    let found = edited(described, |edits| edits.set_body(b"text/html", b"yz"));
    let after =
        described.replace("e: gzip\r\n", "").replace("text/plain", "text/html").replace("l: 1", "l: 2");
    assert_eq!(found, Ok(after.replace("\r\n\r\nx", "\r\n\r\nyz")));
}

#[test]
fn new_text_may_be_long() {
    let values: Vec<String> = (0..20).map(|at| at.to_string().repeat(at * 7)).collect();
    let found = edited("BYE sip:a SIP/2.0\r\n\r\n", |edits| {
        values.iter().try_for_each(|value| edits.append("X-1", value.as_bytes()))
    });
    let lines: String = values.iter().map(|value| format!("X-1: {value}\r\n")).collect();
    assert_eq!(found, Ok(format!("BYE sip:a SIP/2.0\r\n{lines}\r\n")));
}

#[test]
fn nothing_can_be_smuggled_in() {
    for evil in ["a\r\nEvil: 1", "a\nb", "a\rb", "a\0b"] {
        let evil = evil.as_bytes();
        assert_eq!(edited(INVITE, |edits| edits.append("X", evil)), Err(EditError::Control));
        assert_eq!(edited(INVITE, |edits| edits.set(HeaderId::From, evil)), Err(EditError::Control));
        assert_eq!(edited(INVITE, |edits| edits.push_via(evil)), Err(EditError::Control));
        assert_eq!(edited(INVITE, |edits| edits.set_request_uri(evil)), Err(EditError::Control));
        assert_eq!(edited(INVITE, |edits| edits.set_body(evil, b"x")), Err(EditError::Control));
    }
    for name in ["", "X Y", "X:", "X\r\nY", "Via", "V", "content-length", "l"] {
        assert_eq!(edited(INVITE, |edits| edits.append(name, b"v")), Err(EditError::Form));
    }
    for uri in ["", "sip:a b", "sip:a\tb"] {
        assert_eq!(edited(INVITE, |edits| edits.set_request_uri(uri.as_bytes())), Err(EditError::Form));
    }
}

#[test]
fn a_place_changes_once() {
    let twice = edited(INVITE, |edits| {
        edits.set_max_forwards(1)?;
        edits.set_max_forwards(2)
    });
    assert_eq!(twice, Err(EditError::Overlap));
    let within = edited(INVITE, |edits| {
        edits.remove(HeaderId::Route)?;
        edits.pop_route()
    });
    assert_eq!(within, Err(EditError::Overlap));
    assert_eq!(
        edited("SIP/2.0 200 OK\r\n\r\n", |edits| edits.set_request_uri(b"sip:a")),
        Err(EditError::Absent)
    );
}

proptest! {
    #[test]
    fn without_edits_every_octet_stays(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let octets = octets.into_iter().filter(|octet| *octet != b'\n').collect::<Vec<_>>();
        let mut raw = b"INVITE sip:a@b SIP/2.0\r\n".to_vec();
        raw.extend_from_slice(&octets);
        let message = Message::parse_datagram(raw.into(), &Limits::default()).unwrap();
        let mut out = BytesMut::new();
        Edits::new(&message).write(&mut out);
        prop_assert_eq!(&out[..], &message.bytes()[..]);
    }

    /// Edits of some headers, read again: those are changed, all others are as they were.
    #[test]
    fn edits_change_what_they_say_and_nothing_else(
        values in prop::collection::vec(("[!-~]{1,9}", 0..4_u8), 1..30), body in "[ -~]{0,20}", fresh in "[!-~]{1,20}",
    ) {
        let line = |(at, (value, _)): (usize, &(String, u8))| format!("X-{at}: {value}\r\n");
        let lines: String = values.iter().enumerate().map(line).collect();
        let before = message(&format!("INVITE sip:a@b SIP/2.0\r\n{lines}\r\n{body}"));
        let mut edits = Edits::new(&before);
        let mut expected = Vec::new();
        for (at, (header, (value, action))) in before.headers().zip(&values).enumerate() {
            let name = format!("X-{at}");
            match action {
                0 => prop_assert!(edits.remove_named(name.as_bytes()).unwrap()),
                1 => {
                    edits.replace(header.value, fresh.as_bytes()).unwrap();
                    expected.push((name, fresh.clone()));
                }
                _ => expected.push((name, value.clone())),
            }
        }
        edits.append("X-Last", fresh.as_bytes()).unwrap();
        expected.push(("X-Last".to_owned(), fresh.clone()));
        let after = message(&written(&edits));
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        let found: Vec<_> = after.headers().map(|header| (text(header.name), text(header.value))).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(after.body(), body.as_bytes());
        prop_assert_eq!(after.defect(), None);
    }
}
