use proptest::prelude::*;

use super::*;
use crate::wire::octets;

#[test]
fn parse_judges_the_run_as_a_whole() {
    let stream = Some(CommandStatus::ESME_RINVTLVSTREAM);
    let length = Some(CommandStatus::ESME_RINVPARLEN);
    let cases = [
        ("", None),
        ("0427 0001 02", None),
        ("1401 0000", None),
        ("0427 0001 02 0204 0002 ABCD", None),
        // Padding.
        ("00", None),
        ("0427 0001 02 000000", None),
        // Too short for a header.
        ("01", stream),
        ("0427 00", stream),
        ("0427 0001 02 FF", stream),
        // Past the end.
        ("0427 0001", length),
        ("0427 0002 02", length),
        ("0427 FFFF 02", length),
        ("0427 0001 02 0204 0003 ABCD", length),
    ];
    for (notation, expected) in cases {
        let parsed = octets(notation);
        let refused = Tlvs::parse(&parsed).err().map(|e| e.command_status);
        assert_eq!(refused, expected, "{notation}");
    }
}

#[test]
fn padding_is_dropped() {
    let padded = octets("0427 0001 02 00");
    assert_eq!(Tlvs::parse(&padded).unwrap().as_bytes(), &padded[..5]);
}

#[test]
fn well_formed_prefix_keeps_what_is_whole() {
    let broken = octets("0427 0001 02 0204 0003 ABCD");
    let tlvs = Tlvs::well_formed_prefix(&broken);
    assert_eq!(tlvs.as_bytes(), &broken[..5]);
    assert_eq!(tlvs.u8(Tag::MESSAGE_STATE), Some(2));
}

#[test]
fn values_are_judged_when_read() {
    let run = octets(
        "0427 0004 00000002 0204 0001 AB 001E 0003 'abc' 001D 0004 'ab' 00 'x' 1401 0000 0427 0001 05",
    );
    let tlvs = Tlvs::parse(&run).unwrap();
    assert_eq!(tlvs.u8(Tag::MESSAGE_STATE), None, "wrong length");
    assert_eq!(tlvs.u16(Tag::USER_MESSAGE_REFERENCE), None, "wrong length");
    assert_eq!(tlvs.get(Tag::MESSAGE_STATE), Some(&[0, 0, 0, 2][..]), "the first of two");
    assert_eq!(tlvs.c_octet(Tag::RECEIPTED_MESSAGE_ID), Some(&b"abc"[..]), "no NUL");
    assert_eq!(tlvs.c_octet(Tag::ADDITIONAL_STATUS_INFO_TEXT), Some(&b"ab"[..]), "up to the NUL");
    assert_eq!(tlvs.get(Tag(0x1401)), Some(&[][..]), "vendor tag, empty");
    assert_eq!(tlvs.c_octet(Tag(0x1401)), Some(&[][..]));
    assert_eq!(tlvs.get(Tag::SOURCE_PORT), None);
    let tags: Vec<u16> = tlvs.into_iter().map(|(tag, _)| tag.0).collect();
    assert_eq!(tags, [0x0427, 0x0204, 0x001E, 0x001D, 0x1401, 0x0427]);
}

#[test]
fn written_octets_are_those_of_the_specification() {
    let mut buf = TlvBuf::new();
    buf.push_u8(Tag::MESSAGE_STATE, 2);
    buf.push(Tag::SOURCE_PORT, &[0x12, 0x34]).unwrap();
    buf.push_c_octet(Tag::RECEIPTED_MESSAGE_ID, b"0123").unwrap();
    buf.push(Tag(0x1401), b"\x00\xFF").unwrap();
    buf.extend(Tlvs::parse(&[0x04, 0x26, 0, 1, 1]).unwrap());
    let expected = octets("0427 0001 02 020A 0002 1234 001E 0005 '0123' 00 1401 0002 00FF 0426 0001 01");
    assert_eq!(buf.as_tlvs().as_bytes(), expected);
}

#[test]
fn a_value_over_65535_octets_is_refused() {
    let mut buf = TlvBuf::new();
    buf.push(Tag::MESSAGE_PAYLOAD, &vec![1; 65_535]).unwrap();
    let before = buf.clone();
    assert_eq!(buf.push(Tag::MESSAGE_PAYLOAD, &vec![1; 65_536]), Err(TooLong { octets: 65_536 }));
    assert_eq!(
        buf.push_c_octet(Tag::RECEIPTED_MESSAGE_ID, &vec![1; 65_535]),
        Err(TooLong { octets: 65_536 })
    );
    assert_eq!(buf, before);
    assert_eq!(buf.as_tlvs().get(Tag::MESSAGE_PAYLOAD).map(<[u8]>::len), Some(65_535));
}

#[test]
fn debug_shows_lengths_only() {
    let mut buf = TlvBuf::new();
    buf.push(Tag::MESSAGE_PAYLOAD, b"secret text").unwrap();
    assert_eq!(format!("{buf:?}"), "{message_payload: 11}");
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(values in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12)) {
        let mut buf = TlvBuf::new();
        for (tag, value) in &values {
            buf.push(Tag(*tag), value).unwrap();
        }
        let parsed = Tlvs::parse(buf.as_tlvs().as_bytes()).unwrap();
        let read: Vec<(u16, Vec<u8>)> = parsed.iter().map(|(tag, value)| (tag.0, value.to_vec())).collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn a_prefix_is_always_well_formed(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        let prefix = Tlvs::well_formed_prefix(&octets);
        prop_assert!(octets.starts_with(prefix.as_bytes()));
        prop_assert_eq!(Tlvs::parse(prefix.as_bytes()), Ok(prefix));
        let read: usize = prefix.iter().map(|(_, value)| value.len() + 4).sum();
        prop_assert_eq!(read, prefix.as_bytes().len());
    }
}
