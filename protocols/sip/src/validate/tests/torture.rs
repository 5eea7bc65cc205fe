//! Every message of RFC 4475 and RFC 5118 as a proxy must take it. Where the RFC leaves a choice, the strict one
//! is ours: a proxy that guesses hands its guess on.

use std::path::{Path, PathBuf};

use bytes::BytesMut;

use super::notation;
use crate::validate::check;
use crate::{Edits, HeaderId, Limits, Message, Response, StatusCode, Via};

enum Outcome {
    /// It goes on, octet by octet as it came.
    Forward,
    /// The response to it.
    Answer(u16),
    /// It is dropped with a counter.
    Drop,
}
use Outcome::{Answer, Drop, Forward};

/// What is to become of each message, in the order of the RFCs; also read by the tests that send them to a node.
const OUTCOMES: &str = include_str!("../../../torture/outcomes.txt");

#[test]
fn rfc_4475() {
    judge_all("rfc4475", 49);
}

#[test]
fn rfc_5118() {
    judge_all("rfc5118", 12);
}

/// What RFC 5118, 4.6, is about is fine once its body has its length.
#[test]
fn rfc_5118_with_a_length_corrected() {
    let text = read(&folder("rfc5118"), "sdp");
    let corrected = text.replace("Content-Length: 268", "Content-Length: 251");
    assert_ne!(corrected, text);
    judge("sdp", &notation::octets(&corrected), &Forward);
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("torture").join(name)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{name}.sip"))).unwrap()
}

fn judge_all(rfc: &str, count: usize) {
    let folder = folder(rfc);
    let outcomes: Vec<_> = outcomes(rfc).collect();
    assert_eq!((std::fs::read_dir(&folder).unwrap().count(), outcomes.len()), (count, count));
    for (name, outcome) in outcomes {
        judge(name, &notation::octets(&read(&folder, name)), &outcome);
    }
}

fn outcomes(rfc: &str) -> impl Iterator<Item = (&'static str, Outcome)> {
    let of_rfc = move |line: &'static str| line.strip_prefix(rfc)?.trim_start().split_once(' ');
    OUTCOMES.lines().filter_map(of_rfc).map(|(name, outcome)| {
        let outcome = match outcome {
            "forward" => Forward,
            "drop" => Drop,
            status => Answer(status.parse().unwrap()),
        };
        (name, outcome)
    })
}

fn judge(name: &str, octets: &[u8], expected: &Outcome) {
    let message = Message::parse_datagram(octets.to_vec().into(), &Limits::default()).unwrap();
    let fault = check(&message, &[]).err();
    match expected {
        Forward => {
            assert_eq!(fault, None, "{name}");
            let mut out = BytesMut::new();
            Edits::new(&message).write(&mut out);
            assert!(octets.starts_with(&out), "{name}: octets changed");
            assert!(out.len() == octets.len() || trailing(name), "{name}: octets lost");
            goes_on(&message, name);
        }
        Answer(status) => {
            let fault = fault.unwrap_or_else(|| panic!("{name} is not refused"));
            let status = StatusCode::new(*status);
            assert_eq!(fault.answer(&message), status, "{name}: {fault}");
            answer_is_well_formed(&message, &fault.to_string(), status.unwrap());
        }
        Drop => {
            let fault = fault.unwrap_or_else(|| panic!("{name} is not refused"));
            assert_eq!(fault.answer(&message), None, "{name}: {fault}");
        }
    }
}

/// Forwards it: what a proxy does not change is the same for the next element, which takes it too.
fn goes_on(message: &Message, name: &str) {
    let mut edits = Edits::new(message);
    let changed: &[HeaderId] = if message.is_request() {
        let top = message.list(HeaderId::Via).next().and_then(|via| Via::parse(via).ok()).unwrap();
        edits.stamp_via(&top, "192.0.2.99:5060".parse().unwrap()).unwrap();
        edits.push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours").unwrap();
        edits.push_record_route(b"<sip:192.0.2.1;lr>").unwrap();
        edits.set_request_uri(b"sip:+1555@192.0.2.50").unwrap();
        edits.set_max_forwards(9).unwrap();
        &[HeaderId::Via, HeaderId::RecordRoute, HeaderId::MaxForwards, HeaderId::ContentLength]
    } else {
        edits.pop_via().unwrap();
        &[HeaderId::Via, HeaderId::ContentLength]
    };
    edits.ensure_content_length().unwrap();
    let mut out = BytesMut::new();
    edits.write(&mut out);
    let read = Message::parse_datagram(out.freeze(), &Limits::default()).unwrap();
    let vias = message.list(HeaderId::Via).count();
    if message.is_request() {
        assert_eq!(check(&read, &[]).map(drop), Ok(()), "{name}");
        assert_eq!(read.list(HeaderId::Via).count(), vias + 1, "{name}");
        assert_eq!(read.value(HeaderId::MaxForwards), Some(&b"9"[..]), "{name}");
    } else {
        assert_eq!(read.list(HeaderId::Via).count(), vias - 1, "{name}");
    }
    let rest = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
        let others = message.headers().filter(|header| !changed.contains(&header.id));
        others.map(|header| (header.name.to_vec(), header.value.to_vec())).collect()
    };
    assert_eq!((rest(&read), read.defect()), (rest(message), None), "{name}");
    assert_eq!(read.body(), message.body(), "{name}");
}

/// Messages with octets behind the body: the one made for it, and those whose authors counted line ends as one.
fn trailing(name: &str) -> bool {
    ["dblreq", "mixed-sdp", "mapped"].contains(&name)
}

fn answer_is_well_formed(request: &Message, reason: &str, status: StatusCode) {
    let source = Some("192.0.2.99:5060".parse().unwrap());
    let response = Response { reason: Some(reason), to_tag: Some(b"ours"), source, ..Response::new(status) };
    let mut out = BytesMut::new();
    response.write(request, &mut out).unwrap();
    let read = Message::parse_datagram(out.freeze(), &Limits::default()).unwrap();
    assert_eq!((read.status_code(), read.defect()), (Some(status.as_u16()), None));
    assert!(read.header_count() <= request.header_count() + 4);
    assert!(read.bytes().len() <= request.bytes().len() + 300, "larger than what it answers");
}
