use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn packet(payload: &[u8]) -> Packet<'_> {
    Packet {
        source: "192.0.2.1:5060".parse().unwrap(),
        destination: "198.51.100.2:5061".parse().unwrap(),
        ip_protocol: UDP,
        seconds: 0x5102_0304,
        microseconds: 999_999,
        protocol: SIP,
        agent: 2001,
        auth_key: None,
        correlation_id: Some(b"a@b"),
        payload,
    }
}

/// Octet by octet from the tables of the specification, not from the encoder.
#[test]
fn the_wire_form_is_that_of_the_specification() {
    let wire = [
        &b"HEP3\x00\x72"[..],
        b"\x00\x00\x00\x01\x00\x07\x02",
        b"\x00\x00\x00\x03\x00\x0a\xc0\x00\x02\x01",
        b"\x00\x00\x00\x04\x00\x0a\xc6\x33\x64\x02",
        b"\x00\x00\x00\x02\x00\x07\x11",
        b"\x00\x00\x00\x07\x00\x08\x13\xc4",
        b"\x00\x00\x00\x08\x00\x08\x13\xc5",
        b"\x00\x00\x00\x09\x00\x0a\x51\x02\x03\x04",
        b"\x00\x00\x00\x0a\x00\x0a\x00\x0f\x42\x3f",
        b"\x00\x00\x00\x0b\x00\x07\x01",
        b"\x00\x00\x00\x0c\x00\x0a\x00\x00\x07\xd1",
        b"\x00\x00\x00\x11\x00\x09a@b",
        b"\x00\x00\x00\x0f\x00\x0cINVITE",
    ]
    .concat();
    let mut out = b"before".to_vec();
    packet(b"INVITE").encode(&mut out).unwrap();
    assert_eq!(out[b"before".len()..], wire);
    assert_eq!(Packet::decode(&wire), Ok(packet(b"INVITE")));
}

#[test]
fn what_fits_no_packet_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    assert_eq!(packet(&[0; 65_535]).encode(&mut out), Err(EncodeError::TooLong));
    assert_eq!(packet(&[0; 65_529]).encode(&mut out), Err(EncodeError::TooLong));
    let mixed = Packet { destination: "[::1]:5060".parse().unwrap(), ..packet(b"") };
    assert_eq!(mixed.encode(&mut out), Err(EncodeError::Families));
    assert_eq!(out, b"before");
}

#[test]
fn damaged_packets_are_told() {
    let mut whole = Vec::new();
    packet(b"x").encode(&mut whole).unwrap();
    let changed = |at: usize, octet: u8| {
        let mut octets = whole.clone();
        octets[at] = octet;
        octets
    };
    let table = [
        (Vec::new(), DecodeError::NotHep3),
        (whole[..whole.len() - 1].to_vec(), DecodeError::NotHep3),
        (changed(3, b'2'), DecodeError::NotHep3),
        // The first chunk's length: none at all, and beyond the end.
        (changed(11, 0), DecodeError::Chunk(1)),
        (changed(10, 0xff), DecodeError::Chunk(1)),
        // The source address by another vendor, by another type, and of another length.
        (changed(14, 9), DecodeError::Missing(3)),
        (changed(16, 99), DecodeError::Missing(3)),
        (changed(16, 5), DecodeError::Chunk(5)),
    ];
    for (octets, error) in table {
        assert_eq!(Packet::decode(&octets), Err(error));
    }
}

fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let ports = any::<(u16, u16)>();
    prop_oneof![
        (any::<([u8; 4], [u8; 4])>(), ports).prop_map(|((a, b), (p, q))| ((a, p).into(), (b, q).into())),
        (any::<([u8; 16], [u8; 16])>(), ports).prop_map(|((a, b), (p, q))| ((a, p).into(), (b, q).into())),
    ]
}

proptest! {
    #[test]
    fn packets_are_read_as_they_were_written(
        (source, destination) in ends(),
        (ip_protocol, protocol, agent) in any::<(u8, u8, u32)>(),
        (seconds, microseconds) in any::<(u32, u32)>(),
        auth_key in proptest::option::of(vec(any::<u8>(), 0..40)),
        correlation_id in proptest::option::of(vec(any::<u8>(), 0..200)),
        payload in vec(any::<u8>(), 0..3_000),
    ) {
        let packet = Packet {
            source,
            destination,
            ip_protocol,
            seconds,
            microseconds,
            protocol,
            agent,
            auth_key: auth_key.as_deref(),
            correlation_id: correlation_id.as_deref(),
            payload: &payload,
        };
        let mut out = Vec::new();
        packet.encode(&mut out).unwrap();
        prop_assert_eq!(Packet::decode(&out), Ok(packet));
    }

    #[test]
    fn no_octets_can_harm(octets in vec(any::<u8>(), 0..200)) {
        let _ = Packet::decode(&octets);
        let length = u16::try_from(octets.len() + HEADER).unwrap();
        let framed = [&MAGIC[..], &length.to_be_bytes(), &octets].concat();
        let _ = Packet::decode(&framed);
    }
}
