//! A message passes without an allocation: what it costs does not depend on what others do to the heap.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use sip::sdp::{CodecRule, Filtered};
use sip::write::Response;
use sip::{Limits, Message, Sdp, StatusCode, validate};

#[path = "../benches/message/path.rs"]
mod path;

/// Octets of one message; the fixture is meant to be a usual one.
const USUAL: std::ops::Range<usize> = 1_250..1_400;

#[test]
fn a_message_passes_without_an_allocation() {
    assert!(USUAL.contains(&path::INVITE.len()), "{} octets", path::INVITE.len());
    let octets = Bytes::from(path::INVITE.to_vec());
    let source: SocketAddr = "192.0.2.9:5061".parse().unwrap();
    let mut out = BytesMut::with_capacity(4_096);
    let counted = allocation_counter::measure(|| {
        let message = Message::parse_datagram(octets, &Limits::default()).unwrap();
        validate::check(&message, &[]).unwrap();
        let core = path::core(&message);
        assert_eq!(core.via.unique_branch(), Some(&b"z9hG4bK-524287-1---8f0c2b6e6c1d4a57"[..]));
        assert_eq!((core.from_tag, core.to_tag), (Some(&b"as5f6b1c2d"[..]), None));
        assert_eq!((core.call_id.len(), core.cseq), (47, 102));
        path::edit(&message, &core, source).write(&mut out);
        Response::new(StatusCode::TRYING).write(&message, &mut out).unwrap();
    });
    assert_eq!(counted.count_total, 0, "allocations");
}

#[test]
fn a_description_is_read_without_an_allocation() {
    let message = Message::parse_datagram(path::INVITE.into(), &Limits::default()).unwrap();
    let counted = allocation_counter::measure(|| {
        let sdp = Sdp::parse(message.sdp().unwrap().octets).unwrap();
        let media = &sdp.media()[0];
        assert_eq!(media.formats().filter_map(|format| media.codec(format)).count(), 4);
        assert!(sdp.origin().is_some() && media.connection().is_some());
        assert!(!media.is_hold() && !media.is_secure() && media.ptime() == Some(20));
    });
    assert_eq!(counted.count_total, 0, "allocations");
}

/// What is malformed costs nothing that stays (CVE-2023-27596).
#[test]
fn descriptions_leave_nothing_behind() {
    let message = Message::parse_datagram(path::INVITE.into(), &Limits::default()).unwrap();
    let octets = message.body();
    let rule = CodecRule { allowed: &["PCMA"], denied: &[], order: &[] };
    let mut out = BytesMut::with_capacity(octets.len());
    let mut changed = 0;
    let counted = allocation_counter::measure(|| {
        for end in 0..=octets.len() {
            let Ok(sdp) = Sdp::parse(&octets[..end]) else { continue };
            out.clear();
            changed += usize::from(sdp.filter_codecs(&rule, &mut out) == Filtered::Changed);
        }
    });
    assert!(changed > 100, "{changed} of {}", octets.len());
    assert_eq!((counted.count_total, counted.bytes_current), (0, 0), "allocations");
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocation_counter::measure(|| drop(vec![0_u8; 100])).count_total, 1);
}
