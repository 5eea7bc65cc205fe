//! Nanoseconds per message. The fixture is an INVITE as a gateway sends it: 1.3 KB, 20 headers, SDP.

#![expect(clippy::unwrap_used, reason = "fixed octets that are known to be read")]

use std::hint::black_box;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use sip::write::Response;
use sip::{Limits, Message, StatusCode, validate};

#[path = "message/path.rs"]
mod path;

use path::{INVITE, core, edit};

fn message(c: &mut Criterion) {
    let octets = Bytes::from(INVITE.to_vec());
    let limits = Limits::default();
    let source: SocketAddr = "192.0.2.9:5061".parse().unwrap();
    let read = || Message::parse_datagram(black_box(&octets).clone(), &limits).unwrap();
    c.bench_function("index", |b| b.iter(|| black_box(read()).header_count()));
    c.bench_function("index, core fields", |b| {
        b.iter(|| {
            let message = read();
            black_box(core(&message));
        });
    });
    let mut out = BytesMut::with_capacity(4_096);
    c.bench_function("index, core fields, proxy edits", |b| {
        b.iter(|| {
            let message = read();
            let core = core(&message);
            black_box((core.from_tag, core.to_tag, core.call_id, core.cseq));
            out.clear();
            edit(&message, &core, source).write(&mut out);
            black_box(&out);
        });
    });
    c.bench_function("index, validation, core fields, proxy edits", |b| {
        b.iter(|| {
            let message = read();
            validate::check(&message, &[]).unwrap();
            let core = core(&message);
            black_box((core.from_tag, core.to_tag, core.call_id, core.cseq));
            out.clear();
            edit(&message, &core, source).write(&mut out);
            black_box(&out);
        });
    });
    let message = read();
    c.bench_function("validation", |b| b.iter(|| validate::check(black_box(&message), &[]).unwrap()));
    c.bench_function("100 Trying", |b| {
        b.iter(|| {
            out.clear();
            Response::new(StatusCode::TRYING).write(black_box(&message), &mut out).unwrap();
            black_box(&out);
        });
    });
}

criterion_group!(benches, message);
criterion_main!(benches);
