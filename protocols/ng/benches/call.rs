//! Nanoseconds for the texts of one call: what a node is asked, and what it replies. The reply to the delete is
//! that of the corpus: two sides with a media each, as a node has counted them.

#![expect(clippy::unwrap_used, reason = "fixed octets that are known to be read")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ng::command::{
    Command, Delete, Dtls, Flag, Ice, Leg, MediaOptions, Part, Replace, RtcpMux, Transport, WithSdp,
};
use ng::{Reply, cookie, reply};

/// As a carrier's gateway offers it.
const SDP: &[u8] = b"v=0\r\no=bench 7 7 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
m=audio 20000 RTP/AVP 0 8 18 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:9 G722/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";

/// What a call has at its node.
const CALL: &[u8] = b"warp-0-0198c0de-0000-7000-8000-000000000001";
const CALLER: &[u8] = b"a-cbench00000007";
const BRANCH: &[u8] = b"z9hG4bK0123456789abcdef0123456789abcdef";

/// A reply with its cookie.
const DELETED: &[u8] = include_bytes!("../fuzz/corpus/reply/query");

fn call(c: &mut Criterion) {
    let options = MediaOptions {
        transport_protocol: Some(Transport::RtpAvp),
        ice: Some(Ice::Remove),
        dtls: Some(Dtls::Off),
        rtcp_mux: &[RtcpMux::Demux],
        replace: &[Replace::Origin, Replace::SessionConnection],
        flags: &[Flag::Asymmetric, Flag::StrictSource],
        ..MediaOptions::default()
    };
    let leg = Leg { call_id: CALL, from_tag: CALLER, to_tag: None, via_branch: Some(BRANCH) };
    let offer = Command::Offer(WithSdp { leg, sdp: SDP, options: &options });
    let part = Part { from_tag: Some(CALLER), ..Part::whole(CALL) };
    let delete = Command::Delete(Delete { part, delay_seconds: Some(0), ..Delete::default() });
    let mut out = Vec::with_capacity(2_048);
    for (name, command) in [("offer, written", offer), ("delete, written", delete)] {
        c.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(&command).encode(&mut out);
                black_box(&out);
            });
        });
    }
    let mut described = Vec::new();
    reply::write::sdp(&mut described, SDP);
    c.bench_function("reply to an offer, read", |b| {
        b.iter(|| {
            let reply = Reply::parse(black_box(&described)).unwrap();
            black_box(reply.done().and_then(reply::Done::sdp));
        });
    });
    let (_, deleted) = cookie::split(DELETED).unwrap();
    c.bench_function("reply to a delete, read", |b| {
        b.iter(|| {
            black_box(Reply::parse(black_box(deleted)).unwrap());
        });
    });
    c.bench_function("reply to a delete, read, figures of its sides", |b| {
        b.iter(|| {
            let reply = Reply::parse(black_box(deleted)).unwrap();
            black_box(reply.done().and_then(reply::Done::call).map(|call| call.statistics()));
        });
    });
}

criterion_group!(benches, call);
criterion_main!(benches);
