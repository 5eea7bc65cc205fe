mod notation;
mod torture;

use bytes::Bytes;

use super::*;
use crate::Limits;

fn message(text: &str) -> Message {
    Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn request_with(change: impl FnOnce(String) -> String) -> Message {
    let lines = concat!(
        "INVITE sip:a@b SIP/2.0\r\n",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
        "From: <sip:x@y>;tag=1\r\n",
        "To: <sip:a@b>\r\n",
        "Call-ID: 1\r\n",
        "CSeq: 1 INVITE\r\n",
        "Max-Forwards: 70\r\n",
        "Contact: <sip:x@h>\r\n\r\n",
    );
    message(&change(lines.to_owned()))
}

/// What is replaced in a good request, by what, the verdict, the status of the answer.
type Row = (&'static str, &'static str, Result<(), Fault>, Option<u16>);

#[test]
fn each_fault_has_its_answer() {
    let table: [Row; 43] = [
        ("", "", Ok(()), None),
        ("INVITE sip:a@b", "INVITE tel:+1555", Ok(()), None),
        ("INVITE sip:a@b", "INVITE sips:a@b", Ok(()), None),
        ("INVITE sip:a@b", "INVITE urn:service:sos", Err(Fault::Scheme), Some(416)),
        ("INVITE sip:a@b", "INVITE sip:a@b?x=y", Err(Fault::RequestUri), Some(400)),
        ("INVITE sip:a@b", "INVITE sip:a@", Err(Fault::RequestUri), Some(400)),
        ("Max-Forwards: 70", "Max-Forwards: 0", Err(Fault::MaxForwards), Some(483)),
        ("Max-Forwards: 70", "Max-Forwards: 300", Ok(()), None),
        ("Max-Forwards: 70", "Max-Forwards: x", Err(Fault::Malformed(HeaderId::MaxForwards)), Some(400)),
        ("Max-Forwards: 70\r\n", "", Ok(()), None),
        ("From: <sip:x@y>;tag=1\r\n", "", Err(Fault::Missing(HeaderId::From)), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\r\ni: 1", Err(Fault::Repeated(HeaderId::CallId)), Some(400)),
        ("Call-ID: 1", "Call-ID: 1 2", Err(Fault::Malformed(HeaderId::CallId)), Some(400)),
        ("Call-ID: 1", "Call-ID:", Err(Fault::Malformed(HeaderId::CallId)), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\0", Err(Fault::Control), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\\\x07", Err(Fault::Malformed(HeaderId::CallId)), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\r\nSubject: a\0b", Err(Fault::Control), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\r\nX-A: \"a\\\\\x07\"", Err(Fault::Control), Some(400)),
        ("Call-ID: 1", "Call-ID: 1\r\nX-A: \"a\\\x07\"", Ok(()), None),
        ("Call-ID: 1", "Call-ID: 1\r\nX-A: a\tb\r\n\tc", Ok(()), None),
        ("sip:a@b", "sip:a@b;x=\"y z\"", Err(Fault::RequestUri), Some(400)),
        ("sip:a@b", "tel:+1;x= y", Err(Fault::RequestUri), Some(400)),
        ("sip:a@b SIP", "sip:a@b\tSIP", Err(Fault::Message(Defect::StartLine)), Some(400)),
        (";tag=1", ";tag=1,<sip:x@z>", Err(Fault::Malformed(HeaderId::From)), Some(400)),
        (";tag=1", ";tag=1;tag=2", Err(Fault::Malformed(HeaderId::From)), Some(400)),
        ("bK1", "bK1;branch=z9hG4bK2", Err(Fault::Malformed(HeaderId::Via)), Some(400)),
        ("bK1", "bK1;rport;rport", Err(Fault::Malformed(HeaderId::Via)), Some(400)),
        ("z9hG4bK1", "Z9HG4BK", Err(Fault::Malformed(HeaderId::Via)), Some(400)),
        ("UDP h", "UDP 0.0.0.0", Ok(()), None),
        ("UDP h", "UDP 255.255.255.255", Err(Fault::ViaDestination), None),
        ("UDP h", "UDP [::ffff:224.0.1.75]", Err(Fault::ViaDestination), None),
        ("UDP h", "UDP h;maddr=224.0.1.75", Err(Fault::ViaDestination), None),
        ("UDP h", "UDP h;maddr=0.0.0.0", Err(Fault::ViaDestination), None),
        ("Call-ID: 1", "Call-ID: 1\r\no: a\r\nEvent: b", Err(Fault::Repeated(HeaderId::Event)), Some(400)),
        (
            "Call-ID: 1",
            "Call-ID: 1\r\nPrivacy: id\r\nPrivacy: id",
            Err(Fault::Repeated(HeaderId::Privacy)),
            Some(400),
        ),
        ("Call-ID: 1\r\n", "Call-ID: 1\n", Err(Fault::Message(Defect::LineEnd)), Some(400)),
        ("CSeq: 1 INVITE", "CSeq: 1 BYE", Err(Fault::CSeqMethod), Some(400)),
        ("Contact: <sip:x@h>", "Contact: *", Err(Fault::Malformed(HeaderId::Contact)), Some(400)),
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", Err(Fault::Message(Defect::Version)), Some(505)),
        ("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", "", Err(Fault::Missing(HeaderId::Via)), None),
        ("Max-Forwards: 70", "Proxy-Require: x", Err(Fault::Extension), Some(420)),
        ("Max-Forwards: 70", "Proxy-Require: PATH , path", Ok(()), None),
        (
            "Max-Forwards: 70",
            "Session-Expires: 90\r\nx: 90",
            Err(Fault::Repeated(HeaderId::SessionExpires)),
            Some(400),
        ),
    ];
    for (from, to, expected, status) in table {
        let request = request_with(|lines| lines.replacen(from, to, 1));
        let found = check(&request, &[b"path"]).map(drop);
        assert_eq!(found, expected, "{to}");
        let answer = found.err().and_then(|fault| fault.answer(&request));
        assert_eq!(answer.map(StatusCode::as_u16), status, "{to}");
    }
}

#[test]
fn an_ack_is_dropped_and_never_lacks_an_extension() {
    let ack = |lines: String| lines.replace("INVITE", "ACK");
    let fine = request_with(|lines| ack(lines).replace("Contact", "Proxy-Require: x\r\nContact"));
    assert_eq!(check(&fine, &[]).map(drop), Ok(()));
    let broken = request_with(|lines| ack(lines).replace("Call-ID", "X"));
    let fault = check(&broken, &[]).unwrap_err();
    assert_eq!((fault, fault.answer(&broken)), (Fault::Missing(HeaderId::CallId), None));
}

#[test]
fn an_extension_is_named() {
    let request = request_with(|lines| {
        lines.replace("Contact", "Proxy-Require: a, path\r\nproxy-require: b\r\nContact")
    });
    assert_eq!(unsupported(&request, &[b"path"]).collect::<Vec<_>>(), [&b"a"[..], b"b"]);
}

#[test]
fn our_own_via_is_a_loop() {
    let ours = |via: &Via<'_>| via.unique_branch().is_some_and(|branch| branch == b"z9hG4bK1");
    let request =
        request_with(|lines| lines.replace("Via:", "Via: SIP/2.0/UDP other;branch=z9hG4bK2\r\nVia:"));
    let fault = looped(&request, ours).unwrap_err();
    assert_eq!((fault, fault.status()), (Fault::Loop, StatusCode::LOOP_DETECTED));
    assert_eq!(looped(&request, |_| false), Ok(()));
}

#[test]
fn responses_go_to_one_host() {
    let response = |via: &str| {
        message(&format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP us;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP {via}\r\n\
            From: <sip:x@y>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
        ))
    };
    let many = Err(Fault::ViaDestination);
    let table = [
        ("192.0.2.1", Ok(())),
        ("host;received=192.0.2.1", Ok(())),
        ("255.255.255.255", many),
        ("host;received=255.255.255.255", many),
        ("host;maddr=224.0.1.75", many),
        ("[::ffff:255.255.255.255]", many),
        ("host;received=::ffff:224.0.1.75", many),
        ("[::ffff:0.0.0.0]", many),
        ("0.0.0.0;received=192.0.2.1", Ok(())),
        ("0.0.0.0;received=0.0.0.0", many),
        ("[ff02::1]", many),
        ("0.0.0.0", many),
        (":", Err(Fault::Malformed(HeaderId::Via))),
    ];
    for (via, expected) in table {
        let response = response(via);
        assert_eq!(check(&response, &[]).map(drop), expected, "{via}");
        assert_eq!(
            expected.err().and_then(|fault| fault.answer(&response)),
            None,
            "a response has no answer"
        );
    }
}

#[test]
fn headers_that_come_once() {
    for id in ONCE.into_iter().filter(|&id| id != HeaderId::ContentLength) {
        let line = |name: &str| format!("{name}: 1 INVITE;tag=1\r\n");
        let lower = id.compact().map_or_else(|| id.name().to_lowercase(), String::from);
        let twice = line(id.name()) + &line(&lower);
        let request = request_with(|lines| {
            let others = lines.lines().filter(|line| !line.starts_with(&format!("{}:", id.name())));
            others.collect::<Vec<_>>().join("\r\n").trim_end().to_owned() + "\r\n" + &twice + "\r\n"
        });
        assert_eq!(check(&request, &[]).map(drop), Err(Fault::Repeated(id)), "{}", id.name());
    }
}

#[test]
fn reason_phrases_name_the_header() {
    let table = [
        (Fault::Missing(HeaderId::CallId), "Missing Call-ID Header"),
        (Fault::Malformed(HeaderId::CSeq), "Malformed CSeq Header"),
        (Fault::Message(Defect::ContentLength), "Malformed Content-Length"),
    ];
    for (fault, phrase) in table {
        assert_eq!(fault.to_string(), phrase);
    }
}
