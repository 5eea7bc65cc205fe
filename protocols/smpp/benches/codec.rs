//! Nanoseconds per PDU. The fixtures are laid out by hand: a 162-octet submit_sm, a 204-octet deliver_sm
//! with a receipt and two TLVs, a 33-octet submit_sm_resp.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "fixed octets that are known to decode"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use smpp::command::CommandId;
use smpp::frame::{self, Frame, HEADER_LEN};
use smpp::pdu::{Sm, SmResp};
use smpp::status::CommandStatus;

const SUBMIT_TEXT: &[u8] = b"Your parcel 00012345678 will be delivered today between 14:00 and 16:00. \
Track it: https://example.com/t/abc";
const RECEIPT: &[u8] = b"id:00000000deadbeef sub:001 dlvrd:001 submit date:2611211530 \
done date:2611211531 stat:DELIVRD err:000 text:Your parcel 0000";
const FRAME_MAX: u32 = 65_536;

fn codec(c: &mut Criterion) {
    let (submit_sm, deliver_sm, resp) = (submit_sm(), deliver_sm(), submit_sm_resp());
    assert_eq!((submit_sm.len(), deliver_sm.len(), resp.len()), (162, 204, 33), "fixture sizes");
    decode_sm(c, "decode submit_sm", submit_sm.clone());
    decode_sm(c, "decode deliver_sm receipt", deliver_sm);
    let mut stream = BytesMut::with_capacity(1 << 20);
    c.bench_function("split and decode submit_sm", |b| {
        b.iter(|| {
            if stream.capacity() < submit_sm.len() {
                stream = BytesMut::with_capacity(1 << 20);
            }
            stream.extend_from_slice(black_box(&submit_sm));
            let frame = frame::split(&mut stream, FRAME_MAX).unwrap().unwrap();
            black_box(Sm::decode(frame.body()).unwrap());
        });
    });
    let frame = Frame::from_bytes(resp.into()).unwrap();
    c.bench_function("decode submit_sm_resp", |b| {
        b.iter(|| {
            let frame = black_box(&frame);
            black_box((frame.header(), SmResp::decode(frame.body()).unwrap()));
        });
    });
    encode(c, &submit_sm);
}

fn decode_sm(c: &mut Criterion, name: &str, octets: Vec<u8>) {
    let frame = Frame::from_bytes(Bytes::from(octets)).unwrap();
    c.bench_function(name, |b| {
        b.iter(|| {
            let frame = black_box(&frame);
            black_box((frame.header(), Sm::decode(frame.body()).unwrap()));
        });
    });
}

fn encode(c: &mut Criterion, submit_sm: &[u8]) {
    let sm = Sm::decode(&submit_sm[HEADER_LEN..]).unwrap();
    let mut out = BytesMut::with_capacity(1 << 16);
    c.bench_function("encode submit_sm", |b| {
        b.iter(|| {
            out.clear();
            black_box(&sm).encode(CommandId::SUBMIT_SM, black_box(7), &mut out).unwrap();
            black_box(&out);
        });
    });
    let resp = SmResp { message_id: b"00000000deadbeef", ..SmResp::default() };
    c.bench_function("encode submit_sm_resp", |b| {
        b.iter(|| {
            out.clear();
            let (id, ok) = (CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK);
            black_box(&resp).encode(id, ok, black_box(7), &mut out).unwrap();
            black_box(&out);
        });
    });
}

fn submit_sm() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(b"\0\x05\0WARPTELCO\0\x01\x01491701234567\0");
    body.extend_from_slice(&[0, 0, 0, 0, 0, 1, 0, 0, 0, SUBMIT_TEXT.len() as u8]);
    body.extend_from_slice(SUBMIT_TEXT);
    frame_of(4, &body)
}

fn deliver_sm() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(b"\0\x01\x01491701234567\0\x05\0WARPTELCO\0");
    body.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0, 0, RECEIPT.len() as u8]);
    body.extend_from_slice(RECEIPT);
    body.extend_from_slice(b"\0\x1E\0\x11\x30000000deadbeef0\0");
    body.extend_from_slice(b"\x04\x27\0\x01\x02");
    frame_of(5, &body)
}

fn submit_sm_resp() -> Vec<u8> {
    frame_of(0x8000_0004, b"00000000deadbeef\0")
}

fn frame_of(command_id: u32, body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    for field in [(HEADER_LEN + body.len()) as u32, command_id, 0, 7] {
        octets.extend_from_slice(&field.to_be_bytes());
    }
    octets.extend_from_slice(body);
    octets
}

criterion_group!(benches, codec);
criterion_main!(benches);
