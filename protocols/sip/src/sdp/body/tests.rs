use bytes::Bytes;

use super::*;
use crate::Limits;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// A request with these headers and this body.
fn message(headers: &str, body: &str) -> Message {
    let text = format!("INVITE sip:a@b SIP/2.0\r\nVia: x\r\n{headers}\r\n{body}");
    Message::parse_datagram(text.into(), &Limits::default()).unwrap()
}

/// What is found, and whether in a part.
fn found(message: &Message) -> Option<(&str, bool)> {
    let found = message.sdp()?;
    Some((std::str::from_utf8(found.octets).unwrap(), found.multipart))
}

#[test]
fn a_body_is_a_description_by_its_headers() {
    let table = [
        ("Content-Type: application/sdp\r\n", true),
        ("c: application/sdp\r\n", true),
        ("CONTENT-TYPE:APPLICATION / SDP ; charset=\"a;b\"\r\n", true),
        ("c: application/sdp\r\ne: identity\r\nContent-Disposition: session;handling=required\r\n", true),
        ("c: application/sdp\r\nContent-Disposition: render\r\n", true),
        ("", false),
        ("c: text/plain\r\n", false),
        ("c: application/sdpx\r\n", false),
        ("c: sdp\r\n", false),
        ("c: text/sdp\r\n", false),
        ("c: application/sdp\r\nContent-Encoding: gzip\r\n", false),
        ("c: application/sdp\r\ne: identity, gzip\r\n", false),
        ("c: application/sdp\r\nc: application/sdp\r\n", false),
        ("c: application/sdp\r\nContent-Disposition: Early-Session ; handling=optional\r\n", false),
        ("c: application/sdp\r\nl: x\r\n", false),
    ];
    for (headers, expected) in table {
        let message = message(headers, SDP);
        assert_eq!(found(&message), expected.then_some((SDP, false)), "{headers}");
    }
    assert_eq!(message("c: application/sdp\r\n", "").sdp(), None, "there is no body");
}

/// The example of RFC 3204, and the one of RFC 4475, 3.1.1.11, which has no description.
#[test]
fn a_description_beside_others_is_found() {
    let octets = include_bytes!("../../../fuzz/corpus/datagram/multipart_sdp");
    let isup = Message::parse_datagram(Bytes::from_static(octets), &Limits::default()).unwrap();
    let (sdp, multipart) = found(&isup).unwrap();
    assert!(
        sdp.starts_with("v=0\r\no=jpeterson ") && sdp.ends_with("m=audio 9092 RTP/AVP 0 3 4\r\n"),
        "{sdp}"
    );
    assert!(multipart);
    let octets = include_bytes!("../../../torture/rfc4475/mpart01.sip");
    let signed = Message::parse_datagram(Bytes::from_static(octets), &Limits::default()).unwrap();
    assert_eq!(signed.sdp(), None);
}

const MIXED: &str = "c: multipart/mixed;boundary=b\r\n";

/// A part of a body, up to the line end before the boundary.
fn part(headers: &str, content: &str) -> String {
    format!("--b\r\n{headers}\r\n{content}\r\n")
}

#[test]
fn boundaries_are_lines() {
    let one = part("Content-Type: application/sdp\r\n", SDP);
    let other = part("Content-Type: text/plain\r\n", "hello");
    let quoted = |boundary: &str| one.replace("--b\r\n", &format!("--{boundary}\r\n"));
    let table = [
        (MIXED.to_owned(), format!("{one}--b--"), true),
        (MIXED.to_owned(), format!("{one}--b--\r\nepilogue\r\n--b\r\n"), true),
        (MIXED.to_owned(), format!("preamble\r\n{other}{one}--b--\r\n"), true),
        (MIXED.to_owned(), format!("{one}{other}--b-- \t\r\n"), true),
        (MIXED.to_owned(), format!("{}--b--", one.replace("--b\r\n", "--b  \r\n")), true),
        (
            "c: Multipart/Mixed ;x=\"boundary=y\";\r\n BOUNDARY=\"b\"\r\n".to_owned(),
            format!("{one}--b--"),
            true,
        ),
        (
            "c: multipart/x;boundary=\"a b=/:?\"\r\n".to_owned(),
            format!("{}--a b=/:?--", quoted("a b=/:?")),
            true,
        ),
        ("c: multipart/x;boundary===a\r\n".to_owned(), format!("{}--==a--", quoted("==a")), true),
        // Not a boundary, or no end.
        (MIXED.to_owned(), one.clone(), false),
        (MIXED.to_owned(), format!("{one}--bb--\r\n"), false),
        (MIXED.to_owned(), format!("{one} --b--\r\n"), false),
        (MIXED.to_owned(), String::new(), false),
        (MIXED.to_owned(), "--b--".to_owned(), false),
        ("c: multipart/mixed\r\n".to_owned(), format!("{one}--b--"), false),
        ("c: multipart/mixed;boundary=\"\"\r\n".to_owned(), format!("{one}--b--"), false),
        ("c: multipart/mixed;boundary=\"b\\\"\"\r\n".to_owned(), format!("{one}--b--"), false),
        ("c: multipart/signed;boundary=b\r\n".to_owned(), format!("{one}--b--"), false),
    ];
    for (headers, body, expected) in table {
        let message = message(&headers, &body);
        assert_eq!(found(&message), expected.then_some((SDP, true)), "{headers}{body}");
    }
}

#[test]
fn a_part_is_a_description_by_its_headers() {
    let table = [
        ("Content-Type: application/sdp\r\n", true),
        ("content-type:Application/SDP;\r\n x=y\r\nContent-ID: <a>\r\n", true),
        ("Content-Transfer-Encoding: 8BIT\r\nContent-Type: application/sdp\r\n", true),
        ("Content-Type: application/sdp\r\nContent-Disposition: session\r\n", true),
        ("", false),
        ("Content-Type: text/plain;\r\n\tContent-Type: application/sdp\r\n", false),
        ("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n", false),
        ("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", false),
        ("Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", false),
        ("Content-Type: text/plain\r\nContent-Type: application/sdp\r\n", false),
    ];
    for (headers, expected) in table {
        let message = message(MIXED, &format!("{}--b--", part(headers, SDP)));
        assert_eq!(found(&message), expected.then_some((SDP, true)), "{headers}");
    }
    let lf = format!("{}--b--", part("Content-Type: application/sdp\r\n", SDP)).replace("\r\n", "\n");
    assert_eq!(found(&message(MIXED, &lf)), Some((SDP.replace("\r\n", "\n").as_str(), true)));
    let headless = message(MIXED, "--b\r\nContent-Type: application/sdp\r\n--b--");
    assert_eq!(headless.sdp(), None, "headers without content");
}

#[test]
fn one_description_is_found_and_no_more() {
    let sdp = part("Content-Type: application/sdp\r\n", SDP);
    let early = part("Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", SDP);
    let other = part("Content-Type: text/plain\r\n", "v=0");
    let in_parts = |boundary: &str, parts: &str| {
        let parts = parts.replace("--b\r\n", &format!("--{boundary}\r\n"));
        part(
            &format!("Content-Type: multipart/alternative;boundary={boundary}\r\n"),
            &format!("{parts}--{boundary}--"),
        )
    };
    let nested = in_parts("c", &format!("{other}{sdp}"));
    let deeper = in_parts("d", &nested);
    let table = [
        (format!("{sdp}{early}"), true),
        (format!("{early}{other}{sdp}"), true),
        (nested.clone(), true),
        (format!("{other}{nested}"), true),
        (format!("{sdp}{sdp}"), false),
        (format!("{sdp}{nested}"), false),
        (format!("{nested}{nested}"), false),
        (early, false),
        (deeper, false),
        (nested.replace("--c--", ""), false),
        (format!("{sdp}{}", other.repeat(PARTS_MAX - 1)), true),
        (format!("{sdp}{}", other.repeat(PARTS_MAX)), false),
    ];
    for (parts, expected) in table {
        let message = message(MIXED, &format!("{parts}--b--\r\n"));
        assert_eq!(found(&message), expected.then_some((SDP, true)), "{parts}");
    }
}

/// Without its end a multipart body has no parts; a description alone has what is there.
#[test]
fn bodies_may_be_cut() {
    let parts = format!("{}--b--", part("Content-Type: application/sdp\r\n", SDP));
    for end in 0..parts.len() {
        assert_eq!(message(MIXED, parts.get(..end).unwrap()).sdp(), None, "{end}");
    }
    for end in 1..SDP.len() {
        let cut = SDP.get(..end).unwrap();
        assert_eq!(found(&message("c: application/sdp\r\n", cut)), Some((cut, false)));
    }
}
