use proptest::prelude::*;

use super::*;
use crate::tlv::TlvBuf;
use crate::wire::octets;

const fn concat(reference: u16, wide: bool, total: u8, sequence: u8) -> Option<Concat> {
    Some(Concat { reference, wide, total, sequence })
}

#[test]
fn concatenation_elements() {
    let cases = [
        ("05 00 03 AB 02 01 'x'", concat(0xAB, false, 2, 1)),
        ("06 08 04 ABCD 02 02 'x'", concat(0xABCD, true, 2, 2)),
        ("0B 05 04 0B84 23F0 00 03 AB 03 02", concat(0xAB, false, 3, 2)),
        ("0A 00 03 01 02 01 00 03 02 02 02", concat(2, false, 2, 2)),
        ("0A 00 03 01 02 01 00 03 02 02 09", concat(1, false, 2, 1)),
        ("05 00 03 AB 02 00", None),
        ("05 00 03 AB 02 03", None),
        ("05 00 03 AB 00 00", None),
        ("04 00 02 AB 02", None),
        ("06 00 04 ABCD 02 01", None),
        ("06 05 04 0B84 23F0", None),
        ("00 'x'", None),
    ];
    for (notation, expected) in cases {
        let octets = octets(notation);
        assert_eq!(Udh::parse(&octets).unwrap().0.concat(), expected, "{notation}");
    }
}

#[test]
fn header_and_text_are_told_apart() {
    let octets = octets("06 05 04 0B84 23F0 'text'");
    let (udh, text) = Udh::parse(&octets).unwrap();
    assert_eq!(text, b"text");
    assert_eq!(udh.iter().collect::<Vec<_>>(), [(5, &[0x0B, 0x84, 0x23, 0xF0][..])]);
}

#[test]
fn headers_that_do_not_hold() {
    let cases = [
        ("", UdhError::Truncated),
        ("05", UdhError::Truncated),
        ("05 00 03 AB 02", UdhError::Truncated),
        ("FF 00 03 AB 02 01", UdhError::Truncated),
        ("05 00 04 AB 02 01", UdhError::Element),
        ("01 00", UdhError::Element),
        ("06 00 03 AB 02 01 00", UdhError::Element),
    ];
    for (notation, expected) in cases {
        assert_eq!(Udh::parse(&octets(notation)), Err(expected), "{notation}");
    }
}

#[test]
fn written_headers() {
    let mut out = Vec::new();
    write_concat(&concat(0x12AB, false, 3, 2).unwrap(), &mut out);
    write_concat(&concat(0x12AB, true, 3, 2).unwrap(), &mut out);
    assert_eq!(out, octets("05 00 03 AB 03 02 06 08 04 12AB 03 02"));
    let mut buf = UdhBuf::new();
    buf.push(0x05, &[0x0B, 0x84, 0x23, 0xF0]).unwrap();
    buf.push(0x24, &[1]).unwrap();
    assert_eq!(buf.as_bytes(), octets("09 05 04 0B84 23F0 24 01 01"));
    let before = buf.clone();
    assert_eq!(buf.push(0, &[0; 245]), Err(UdhError::TooLong));
    assert_eq!(buf.push(0, &[0; 300]), Err(UdhError::TooLong));
    assert_eq!(buf, before);
    buf.push(0, &[0; 244]).unwrap();
    assert_eq!(buf.as_bytes().len(), 256);
}

#[test]
fn sar_needs_all_three() {
    let build = |reference: Option<u16>, total: Option<u8>, sequence: Option<u8>| {
        let mut tlvs = TlvBuf::new();
        let reference = reference.map(u16::to_be_bytes);
        reference.into_iter().for_each(|value| tlvs.push(Tag::SAR_MSG_REF_NUM, &value).unwrap());
        total.into_iter().for_each(|value| tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, value));
        sequence.into_iter().for_each(|value| tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, value));
        sar(&tlvs.as_tlvs())
    };
    assert_eq!(build(Some(7), Some(3), Some(1)), concat(7, true, 3, 1));
    assert_eq!(build(None, Some(3), Some(1)), None);
    assert_eq!(build(Some(7), None, Some(1)), None);
    assert_eq!(build(Some(7), Some(3), None), None);
    assert_eq!(build(Some(7), Some(3), Some(4)), None);
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(
        elements in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..10),
        text in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut buf = UdhBuf::new();
        for (iei, data) in &elements {
            buf.push(*iei, data).unwrap();
        }
        let octets = [buf.as_bytes(), &text].concat();
        let (udh, rest) = Udh::parse(&octets).unwrap();
        prop_assert_eq!(rest, &text[..]);
        let read: Vec<(u8, Vec<u8>)> = udh.iter().map(|(iei, data)| (iei, data.to_vec())).collect();
        prop_assert_eq!(read, elements);
    }
}
