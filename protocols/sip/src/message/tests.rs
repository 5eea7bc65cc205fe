use proptest::prelude::*;

use super::*;
use crate::status::StatusCode;

fn parse(text: &str) -> Message {
    parse_octets(text.as_bytes())
}

fn parse_octets(octets: &[u8]) -> Message {
    Message::parse_datagram(Bytes::copy_from_slice(octets), &Limits::default()).unwrap()
}

const REQUEST: &str = "INVITE sip:a@b SIP/2.0\r\n";

#[test]
fn start_lines() {
    let request = parse("\r\n\r\nINVITE sip:a@b;x=1 SIP/2.0\r\n\r\n");
    assert_eq!(request.start_line(), StartLine::Request { method: b"INVITE", uri: b"sip:a@b;x=1" });
    assert_eq!((request.method(), request.status_code()), (Some(Method::Invite), None));
    assert_eq!(request.defect(), None);
    assert!(request.bytes().starts_with(b"INVITE"), "empty lines before are gone");
    let table: [(&str, u16, &str, Option<Defect>); 9] = [
        ("SIP/2.0 200 OK", 200, "OK", None),
        ("sip/2.0 200 OK", 200, "OK", None),
        ("SIP/2.0 180 In  between ", 180, "In  between ", None),
        ("SIP/2.0 100 ", 100, "", None),
        ("SIP/2.0 100", 100, "", None),
        ("SIP/2.0 4294967301 better not", 0, "better not", Some(Defect::StatusCode)),
        ("SIP/2.0 099 x", 0, "x", Some(Defect::StatusCode)),
        ("SIP/2.0 700 x", 0, "x", Some(Defect::StatusCode)),
        ("SIP/7.0 200 x", 200, "x", Some(Defect::Version)),
    ];
    for (line, code, reason, defect) in table {
        let response = parse(&format!("{line}\r\n\r\n"));
        assert_eq!(response.start_line(), StartLine::Response { code, reason: reason.as_bytes() }, "{line}");
        assert_eq!(response.defect(), defect, "{line}");
    }
}

#[test]
fn malformed_request_lines_have_an_answer() {
    let table: [(&str, &str, &str, Defect); 13] = [
        ("INVITE\tsip:a@b SIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE sip:a@b\tSIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE\tsip:a@b\tSIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE sip:a@b\rSIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE  sip:a@b  SIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE sip:a@b SIP/2.0  ", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE\tsip:a@b  SIP/2.0", "INVITE", "sip:a@b", Defect::StartLine),
        ("INVITE SIP/2.0", "INVITE", "", Defect::StartLine),
        ("INVITE  SIP/2.0", "INVITE", "", Defect::StartLine),
        (" SIP/2.0", "", "", Defect::Method),
        ("IN(VITE sip:a@b SIP/2.0", "IN(VITE", "sip:a@b", Defect::Method),
        ("INVITE sip:a@b SIP/7.0", "INVITE", "sip:a@b", Defect::Version),
        ("INVITE sip:a@b SIP/2.0x", "INVITE", "sip:a@b", Defect::Version),
    ];
    for (line, method, uri, defect) in table {
        let request = parse(&format!("{line}\r\n\r\n"));
        let expected = StartLine::Request { method: method.as_bytes(), uri: uri.as_bytes() };
        assert_eq!((request.start_line(), request.defect()), (expected, Some(defect)), "{line}");
    }
    let spaced = parse("INVITE sip:a@b; lr SIP/2.0\r\n\r\n");
    assert_eq!((spaced.request_uri(), spaced.defect()), (Some(&b"sip:a@b; lr"[..]), None));
}

#[test]
fn octets_that_are_not_sip() {
    let table: [(&[u8], NotSip); 10] = [
        (b"", NotSip::KeepAlive),
        (b"\r\n\r\n", NotSip::KeepAlive),
        (b"\0\0\0\0", NotSip::KeepAlive),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", NotSip::Http),
        (b"HTTP/1.1 200 OK\r\n\r\n", NotSip::Http),
        (b"PRI * HTTP/2.0\r\n\r\n", NotSip::Http),
        (b"\x16\x03\x01\x02\x00\x01", NotSip::Tls),
        (b"hello", NotSip::StartLine),
        (b"hello world\r\n\r\n", NotSip::StartLine),
        (b"\r\n \r\n", NotSip::StartLine),
    ];
    for (octets, error) in table {
        let found = Message::parse_datagram(Bytes::copy_from_slice(octets), &Limits::default());
        assert_eq!(found.err(), Some(error), "{}", octets.escape_ascii());
    }
}

#[test]
fn headers_in_every_spelling() {
    let message = parse(concat!(
        "INVITE sip:a@b SIP/2.0\r\n",
        "v: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n",
        "TO :\r\n sip:t@b ;\r\n\ttag  = 9  \r\n",
        "X-Custom: one\r\n",
        "vIa  : SIP/2.0/UDP c\r\n",
        "s :\r\n",
        "l:0\r\n",
        "x-CUSTOM:  two \r\n\r\n",
    ));
    assert_eq!(message.defect(), None);
    assert_eq!(message.header_count(), 7);
    assert_eq!(message.value(HeaderId::To), Some(&b"sip:t@b ;\r\n\ttag  = 9"[..]));
    let vias: Vec<&[u8]> = message.list(HeaderId::Via).collect();
    assert_eq!(vias, [&b"SIP/2.0/UDP a"[..], b"SIP/2.0/UDP b", b"SIP/2.0/UDP c"]);
    assert_eq!(message.via_count(), 3);
    assert_eq!(message.value(HeaderId::Subject), Some(&b""[..]));
    assert_eq!(message.values_named(b"X-Custom").collect::<Vec<_>>(), [&b"one"[..], b"two"]);
    assert!(message.has(HeaderId::ContentLength) && !message.has(HeaderId::From));
    for name in [&b"via"[..], b"V"] {
        let vias: Vec<&[u8]> = message.values_named(name).collect();
        assert_eq!(vias, [&b"SIP/2.0/UDP a, SIP/2.0/UDP b"[..], b"SIP/2.0/UDP c"]);
    }
    assert_eq!(message.values_named(b"content-length").next(), Some(&b"0"[..]));
    let names: Vec<&[u8]> = message.headers().map(|header| header.name).collect();
    assert_eq!(names, [&b"v"[..], b"TO", b"X-Custom", b"vIa", b"s", b"l", b"x-CUSTOM"]);
}

#[test]
fn values_are_octets() {
    let octets = b"INVITE sip:a@b SIP/2.0\r\nFrom: \"J\xfcrgen \0\xff\" <sip:a@b>\r\nSubject: \xe2\x82\xac\r\n\r\n\0\xff\xfe\xc3";
    let message = parse_octets(octets);
    assert_eq!(message.defect(), None);
    assert_eq!(message.value(HeaderId::From), Some(&b"\"J\xfcrgen \0\xff\" <sip:a@b>"[..]));
    assert_eq!(message.body(), b"\0\xff\xfe\xc3");
}

#[test]
fn bodies_of_datagrams() {
    let table: [(&str, &str, Option<Defect>); 10] = [
        ("", "12345", None),
        ("Content-Length: 5\r\n", "12345", None),
        ("l:3\r\n", "123", None),
        ("Content-Length: 0\r\n", "", None),
        ("Content-Length: 6\r\n", "12345", Some(Defect::ContentLengthBeyond)),
        ("Content-Length: 99999999999\r\n", "", Some(Defect::ContentLength)),
        ("Content-Length: -5\r\n", "", Some(Defect::ContentLength)),
        ("Content-Length: five\r\n", "", Some(Defect::ContentLength)),
        ("Content-Length: 3\r\nl: 4\r\n", "", Some(Defect::ContentLength)),
        ("Content-Length: 3\r\nl: 3\r\n", "123", None),
    ];
    for (header, body, defect) in table {
        let message = parse(&format!("{REQUEST}{header}\r\n12345"));
        assert_eq!((message.body(), message.defect()), (body.as_bytes(), defect), "{header}");
    }
}

#[test]
fn shapes_that_are_defects() {
    let table: [(&str, Defect); 9] = [
        ("To: a\r\nnonsense\r\n\r\n", Defect::HeaderLine),
        (": a\r\n\r\n", Defect::HeaderLine),
        ("Foo Bar: a\r\n\r\n", Defect::HeaderLine),
        (" folded: start line\r\n\r\n", Defect::HeaderLine),
        ("To: a\rEvil: b\r\n\r\n", Defect::StrayCr),
        ("To: a\r\n", Defect::HeadEnd),
        ("To: a", Defect::HeadEnd),
        ("", Defect::HeadEnd),
        ("To: a\r\n\r", Defect::HeadEnd),
    ];
    for (rest, defect) in table {
        assert_eq!(parse(&format!("{REQUEST}{rest}")).defect(), Some(defect), "{rest:?}");
    }
    for lines in ["To: a\n\r\n", "To: a\r\n\n", "To: a\n b\r\n\r\n", "\n"] {
        let octets = Bytes::from(format!("{REQUEST}{lines}"));
        let lax = Limits { lf_line_ends: true, ..Limits::default() };
        assert_eq!(Message::parse_datagram(octets.clone(), &lax).unwrap().defect(), None, "{lines:?}");
        let found = Message::parse_datagram(octets, &Limits::default()).unwrap().defect();
        assert_eq!(found, Some(Defect::LineEnd), "{lines:?}");
    }
    assert_eq!(Defect::LineEnd.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn each_limit_has_its_defect() {
    let headers = |count: usize| "A: b\r\n".repeat(count);
    let limits = Limits { message: 4_000, head: 3_000, headers: 10, line: 100, vias: 5, lf_line_ends: true };
    let table: [(String, Option<Defect>); 11] = [
        (headers(10), None),
        (headers(11), Some(Defect::TooManyHeaders)),
        (format!("A: {}\r\n", "x".repeat(97)), None),
        (format!("A: {}\r\n", "x".repeat(98)), Some(Defect::LineTooLong)),
        (format!("A: b\r\n{}", " c\r\n".repeat(30)), Some(Defect::LineTooLong)),
        ("Via: a, b\r\n , c, d\r\nv: e\r\n".to_owned(), None),
        ("Via: a, b\r\n , c, d\r\nv: e, f\r\n".to_owned(), Some(Defect::TooManyVias)),
        (format!("{}To: x\r\n", headers(8)), None),
        (format!("A: {}\r\n", "x".repeat(4_000)), Some(Defect::HeadTooLarge)),
        ("\r\n".to_owned() + &"x".repeat(4_000), Some(Defect::MessageTooLarge)),
        ("\r\n".to_owned() + &"x".repeat(3_900), None),
    ];
    for (rest, defect) in table {
        let octets = Bytes::from(format!("{REQUEST}{rest}\r\n"));
        let message = Message::parse_datagram(octets, &limits).unwrap();
        let found = message.defect().filter(|found| Some(*found) == defect || defect.is_none());
        assert_eq!(found, defect, "{} {:?}", rest.len(), message.defect());
    }
    assert_eq!(Defect::TooManyVias.status(), StatusCode::TOO_MANY_HOPS);
}

#[test]
fn more_headers_than_usual_spill() {
    let lines: String = (0..200).map(|at| format!("X-{at}: {at}\r\n")).collect();
    let message = parse(&format!("{REQUEST}{lines}To: sip:a@b\r\n\r\n"));
    assert_eq!((message.header_count(), message.defect()), (201, None));
    assert_eq!(message.values_named(b"x-150").next(), Some(&b"150"[..]));
    assert_eq!(message.value(HeaderId::To), Some(&b"sip:a@b"[..]));
}

#[test]
fn an_index_is_small() {
    assert!(size_of::<Message>() <= 1_200, "{} octets", size_of::<Message>());
}

/// One header as it is generated: the id it must get, its line, its trimmed value.
fn header() -> impl Strategy<Value = (HeaderId, String, String)> {
    let id = prop::sample::select(HeaderId::ALL);
    let value = "[!-~]([ -~]{0,30}[!-~])?";
    (id, any::<bool>(), any::<bool>(), "[ \t]{0,2}", value, any::<bool>()).prop_map(
        |(id, compact, upper, space, value, fold)| {
            let name = id
                .compact()
                .filter(|_| compact)
                .map_or_else(|| id.name().to_owned(), |letter| letter.to_string());
            let name = if upper { name.to_uppercase() } else { name };
            let fold = if fold { "\r\n\t" } else { "" };
            (id, format!("{name}{space}:{space}{fold}{value}{space}\r\n"), value)
        },
    )
}

proptest! {
    #[test]
    fn every_generated_header_is_found(
        headers in prop::collection::vec(header(), 0..90), body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut octets = REQUEST.as_bytes().to_vec();
        octets.extend(headers.iter().flat_map(|(_, line, _)| line.bytes()));
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(&body);
        let message = parse_octets(&octets);
        let found: Vec<(HeaderId, &[u8])> = message.headers().map(|header| (header.id, header.value)).collect();
        let expected: Vec<(HeaderId, &[u8])> =
            headers.iter().map(|(id, _, value)| (*id, value.as_bytes())).collect();
        prop_assert_eq!(&found, &expected);
        for &id in HeaderId::ALL {
            let of_id: Vec<&[u8]> = expected.iter().filter(|(of, _)| *of == id).map(|(_, value)| *value).collect();
            prop_assert_eq!(message.values(id).collect::<Vec<_>>(), of_id);
        }
        if !message.has(HeaderId::ContentLength) {
            prop_assert_eq!(message.body(), &body[..]);
            prop_assert_eq!(&message.bytes()[..], &octets[..]);
        }
    }

    #[test]
    fn arbitrary_octets_are_indexed_or_refused(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut request = REQUEST.as_bytes().to_vec();
        request.extend_from_slice(&octets);
        let message = parse_octets(&request);
        for header in message.headers() {
            prop_assert!(message.range_of(header.value).is_some());
        }
        let _ = Message::parse_datagram(octets.into(), &Limits::default());
    }
}
