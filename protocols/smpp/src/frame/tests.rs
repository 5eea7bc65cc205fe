use bytes::BufMut;
use proptest::prelude::*;

use super::*;
use crate::wire::{sample, samples};

const MAX: u32 = 65_536;

fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
    let frames: Vec<Vec<u8>> = samples().map(|(_, octets)| octets).collect();
    (frames.concat(), frames)
}

fn split_all(buf: &mut BytesMut) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = split(buf, MAX).unwrap() {
        frames.push(frame.into_bytes().to_vec());
    }
    frames
}

#[test]
fn every_sample_says_its_own_length() {
    for (name, octets) in samples() {
        let frame = Frame::from_bytes(octets.clone().into()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(frame.bytes().as_ref(), octets, "{name}");
        let spoken = name.split(' ').next().unwrap();
        assert_eq!(frame.header().command_id.name(), Some(spoken));
        assert_eq!(frame.body(), &octets[HEADER_LEN..]);
    }
}

#[test]
fn header_fields_stand_in_order() {
    let frame = Frame::from_bytes(sample("data_sm_resp").into()).unwrap();
    let expected = Header {
        command_length: 24,
        command_id: CommandId::DATA_SM_RESP,
        command_status: CommandStatus::ESME_RDELIVERYFAILURE,
        sequence_number: 21,
    };
    assert_eq!(frame.header(), expected);
}

#[test]
fn a_partial_pdu_waits() {
    let octets = sample("submit_sm");
    for cut in 0..octets.len() {
        let mut buf = BytesMut::from(&octets[..cut]);
        assert_eq!(split(&mut buf, MAX), Ok(None), "cut at {cut}");
        assert_eq!(buf.len(), cut);
    }
}

#[test]
fn a_bad_length_is_an_error_as_soon_as_it_is_read() {
    let cases: [(u32, FrameError); 6] = [
        (0, FrameError::LengthTooSmall(0)),
        (4, FrameError::LengthTooSmall(4)),
        (15, FrameError::LengthTooSmall(15)),
        (MAX + 1, FrameError::LengthTooLarge(MAX + 1)),
        (0x7FFF_FFFF, FrameError::LengthTooLarge(0x7FFF_FFFF)),
        (u32::from_be_bytes(*b"GET "), FrameError::LengthTooLarge(u32::from_be_bytes(*b"GET "))),
    ];
    for (length, expected) in cases {
        let mut buf = BytesMut::new();
        buf.put_u32(length);
        let capacity = buf.capacity();
        assert_eq!(split(&mut buf, MAX), Err(expected));
        assert_eq!((buf.len(), buf.capacity()), (4, capacity));
        assert_eq!(expected.command_status(), CommandStatus::ESME_RINVCMDLEN);
    }
}

#[test]
fn nothing_is_reserved_for_an_announced_length() {
    let mut buf = BytesMut::from(&[0, 0, 0xFF, 0xFF, 0, 0, 0, 4][..]);
    let capacity = buf.capacity();
    assert_eq!(split(&mut buf, MAX), Ok(None));
    assert_eq!(buf.capacity(), capacity);
}

#[test]
fn the_limit_itself_is_allowed() {
    let mut octets = [0; 100];
    octets[3] = 100;
    assert!(split(&mut BytesMut::from(&octets[..]), 100).unwrap().is_some());
    assert_eq!(split(&mut BytesMut::from(&octets[..]), 99), Err(FrameError::LengthTooLarge(100)));
}

#[test]
fn sequence_number_of_needs_a_whole_header() {
    let octets = sample("submit_sm");
    assert_eq!(sequence_number_of(&octets), 10);
    assert_eq!(sequence_number_of(&octets[..16]), 10);
    assert_eq!(sequence_number_of(&octets[..15]), 0);
    assert_eq!(sequence_number_of(&[]), 0);
}

#[test]
fn from_bytes_wants_exactly_one_pdu() {
    let octets = sample("enquire_link");
    let short = FrameError::LengthMismatch { command_length: 0, octets: 15 };
    assert_eq!(Frame::from_bytes(octets[..15].to_vec().into()), Err(short));
    let long = FrameError::LengthMismatch { command_length: 16, octets: 32 };
    assert_eq!(Frame::from_bytes([octets.clone(), octets].concat().into()), Err(long));
}

#[test]
fn debug_shows_no_body() {
    let shown = format!("{:?}", Frame::from_bytes(sample("bind_transceiver").into()).unwrap());
    assert!(shown.contains("bind_transceiver") && !shown.contains("secret08"), "{shown}");
}

#[test]
fn one_octet_at_a_time_gives_the_same_frames() {
    let (octets, expected) = stream();
    let mut buf = BytesMut::new();
    let mut frames = Vec::new();
    for octet in octets {
        buf.put_u8(octet);
        frames.extend(split_all(&mut buf));
    }
    assert_eq!(frames, expected);
    assert!(buf.is_empty());
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(sizes in prop::collection::vec(1_usize..97, 1..60)) {
        let (octets, expected) = stream();
        let mut buf = BytesMut::new();
        let mut frames = Vec::new();
        let mut rest = octets.as_slice();
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            buf.extend_from_slice(chunk);
            frames.extend(split_all(&mut buf));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(frames, expected);
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn split_takes_command_length_octets_or_none(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut buf = BytesMut::from(&octets[..]);
        match split(&mut buf, 48) {
            Ok(Some(frame)) => {
                prop_assert_eq!(frame.bytes().len(), frame.header().command_length as usize);
                prop_assert_eq!([frame.bytes().as_ref(), buf.as_ref()].concat(), octets);
            }
            Ok(None) | Err(_) => prop_assert_eq!(buf.as_ref(), &octets[..]),
        }
    }
}
