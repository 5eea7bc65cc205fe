//! Damaged PDUs: cut at every octet, every octet changed, lengths that lie, and the inputs that upset a
//! widespread gateway. Whatever comes in, the answer is a struct or a status.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::*;
use crate::command::CommandId as Id;
use crate::frame::{self, HEADER_LEN};
use crate::fuzz_entry;
use crate::status::CommandStatus as Status;
use crate::wire::{body, octets, sample, samples};

/// Whether the body of a sample decodes when cut or changed.
fn decodes(name: &str, body: &[u8]) -> Result<(), FieldError> {
    match name.split(' ').next().unwrap() {
        "bind_transceiver" => Bind::decode(Id::BIND_TRANSCEIVER, body).map(|_| ()),
        "bind_receiver" => Bind::decode(Id::BIND_RECEIVER, body).map(|_| ()),
        "bind_transceiver_resp" => BindResp::decode(Id::BIND_TRANSCEIVER_RESP, body).map(|_| ()),
        "outbind" => Outbind::decode(body).map(|_| ()),
        "submit_sm" | "deliver_sm" => Sm::decode(body).map(|_| ()),
        "submit_sm_resp" | "deliver_sm_resp" | "data_sm_resp" => SmResp::decode(body).map(|_| ()),
        "data_sm" => DataSm::decode(body).map(|_| ()),
        "submit_multi" => SubmitMulti::decode(body).map(|_| ()),
        "submit_multi_resp" => SubmitMultiResp::decode(body).map(|_| ()),
        "query_sm" => QuerySm::decode(body).map(|_| ()),
        "query_sm_resp" => QuerySmResp::decode(body).map(|_| ()),
        "cancel_sm" => CancelSm::decode(body).map(|_| ()),
        "replace_sm" => ReplaceSm::decode(body).map(|_| ()),
        "alert_notification" => AlertNotification::decode(body).map(|_| ()),
        _ => Ok(()),
    }
}

/// Octets of the mandatory fields of each request; a cut inside them must be refused.
const MANDATORY: [(&str, usize); 10] = [
    ("bind_transceiver", 31),
    ("bind_receiver", 29),
    ("outbind", 14),
    ("submit_sm", 57),
    ("deliver_sm", 134),
    ("data_sm", 19),
    ("submit_multi", 36),
    ("query_sm", 10),
    ("cancel_sm", 18),
    ("replace_sm", 18),
];

#[test]
fn a_cut_request_is_refused_wherever_it_is_cut() {
    for (name, mandatory) in MANDATORY {
        let whole = body(name);
        assert_eq!(decodes(name, &whole), Ok(()), "{name}");
        for cut in 0..whole.len() {
            let refused = decodes(name, &whole[..cut]).is_err();
            assert!(refused || cut >= mandatory, "{name} cut at {cut} of {}", whole.len());
        }
    }
}

#[test]
fn a_cut_tlv_is_refused_unless_the_cut_falls_between_tlvs() {
    let whole = body("deliver_sm");
    let between = [134, 143, 148, 155];
    for cut in 134..=whole.len() {
        let expected = between.contains(&cut);
        // One to three octets left of a tag 0x00.. look like padding.
        let padding = whole[134..cut].iter().rev().take_while(|&&octet| octet == 0).count();
        let start = between.iter().rev().find(|&&start| start <= cut).unwrap();
        let tolerated = cut - start < 4 && padding >= cut - start;
        assert_eq!(Sm::decode(&whole[..cut]).is_ok(), expected || tolerated, "cut at {cut}");
    }
}

#[test]
fn a_cut_response_is_read_as_far_as_it_goes() {
    for name in ["bind_transceiver_resp", "submit_sm_resp", "deliver_sm_resp", "data_sm_resp"] {
        let whole = body(name);
        for cut in 0..=whole.len() {
            assert_eq!(decodes(name, &whole[..cut]), Ok(()), "{name} cut at {cut}");
        }
    }
}

#[test]
fn any_one_octet_may_change() {
    for (name, whole) in samples() {
        for at in 4..whole.len() {
            for octet in [0, 1, 0x7F, 0x80, 0xFE, 0xFF, whole[at] ^ 1, whole[at].wrapping_add(1)] {
                let mut changed = whole.clone();
                changed[at] = octet;
                fuzz_entry::pdu(&changed);
                let _ = decodes(name, &changed[HEADER_LEN..]);
            }
        }
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    // Where a length octet stands in the body, and the value that is true.
    let cases =
        [("submit_sm", 51, 5_u8), ("deliver_sm", 32, 101), ("replace_sm", 14, 3), ("submit_multi", 33, 2)];
    for (name, at, truth) in cases {
        let whole = body(name);
        assert_eq!(whole[at], truth, "{name}");
        for lie in 0..=u8::MAX {
            let mut changed = whole.clone();
            changed[at] = lie;
            let decoded = decodes(name, &changed);
            if lie > truth && usize::from(lie) > whole.len() - at - 1 {
                let refused = decoded.unwrap_err();
                assert_eq!(refused.command_status, Status::ESME_RINVMSGLEN, "{name} says {lie}");
            }
        }
    }
    let whole = body("submit_sm");
    let length_at = whole.len() - 4;
    for lie in 0..=u16::MAX {
        let mut changed = whole.clone();
        changed[length_at..length_at + 2].copy_from_slice(&lie.to_be_bytes());
        let status = Sm::decode(&changed).err().map(|refused| refused.command_status);
        let expected = match lie {
            2 => None,
            0 | 1 => Some(Status::ESME_RINVTLVSTREAM),
            _ => Some(Status::ESME_RINVPARLEN),
        };
        assert_eq!(status, expected, "TLV length {lie}");
    }
}

#[test]
fn every_command_length_is_framed_or_refused() {
    let whole = sample("submit_sm");
    for length in 0..=200_u32 {
        let mut buf = BytesMut::from(&whole[..]);
        buf[..4].copy_from_slice(&length.to_be_bytes());
        match frame::split(&mut buf, 150) {
            Ok(Some(frame)) => assert_eq!(frame.bytes().len(), length as usize),
            Ok(None) => assert!((80..=150).contains(&length), "{length}"),
            Err(_) => assert!(!(16..=150).contains(&length), "{length}"),
        }
    }
}

/// What a widespread gateway answered with generic_nack or by closing.
#[test]
fn what_upsets_others_gets_its_own_status() {
    let front = "00 05 00 'WARP' 00 01 01 '4917' 00 00 00 00";
    let cases = [
        ("body empty", String::new(), Some(Status::ESME_RINVCMDLEN)),
        (
            "sm_length 200, 5 octets there",
            format!("{front} 00 00 00 00 00 00 C8 'Hello'"),
            Some(Status::ESME_RINVMSGLEN),
        ),
        (
            "sm_length 3, 5 octets there",
            format!("{front} 00 00 00 00 00 00 03 'Hello'"),
            Some(Status::ESME_RINVTLVSTREAM),
        ),
        (
            "TLV past the end",
            format!("{front} 00 00 00 00 00 00 02 'Hi' 0204 0009 AB"),
            Some(Status::ESME_RINVPARLEN),
        ),
        ("no NUL anywhere", "'AAAAAAAAAAAAAAAAAAAAAAAA'".to_owned(), Some(Status::ESME_RINVSERTYP)),
        (
            "destination of 30 digits",
            "00 05 00 'WARP' 00 01 01 '123456789012345678901234567890' 00".to_owned(),
            Some(Status::ESME_RINVDSTADR),
        ),
        ("source TON 0xFF", "00 FF 00 'WARP' 00".to_owned(), Some(Status::ESME_RINVSRCTON)),
        ("data_coding 0xFF", format!("{front} 00 00 00 00 FF 00 02 'Hi'"), None),
        ("unknown TLV 0x1401", format!("{front} 00 00 00 00 00 00 02 'Hi' 1401 0001 07"), None),
        ("schedule garbage", format!("{front} 'garbage' 00 00 00 00 00 00 02 'Hi'"), None),
    ];
    for (what, notation, expected) in cases {
        let status = Sm::decode(&octets(&notation)).err().map(|refused| refused.command_status);
        assert_eq!(status, expected, "{what}");
    }
    let no_nul = Bind::decode(Id::BIND_TRANSCEIVER, b"system").unwrap_err();
    assert_eq!(no_nul.command_status, Status::ESME_RINVSYSID);
    let long = Bind::decode(Id::BIND_TRANSCEIVER, &[b'x'; 40]).unwrap_err();
    assert_eq!(long.command_status, Status::ESME_RINVSYSID);
}

#[test]
fn one_bad_field_costs_one_pdu() {
    let mut bad = sample("submit_sm");
    bad[16..19].copy_from_slice(b"CMT");
    bad[19] = b'X';
    let good = sample("submit_sm");
    let mut buf = BytesMut::from(&[bad, good].concat()[..]);
    let first = frame::split(&mut buf, 1000).unwrap().unwrap();
    assert!(Sm::decode(first.body()).is_err());
    let second = frame::split(&mut buf, 1000).unwrap().unwrap();
    assert_eq!(Sm::decode(second.body()).unwrap().short_message, b"Hello");
}

proptest! {
    #[test]
    fn random_changes_never_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let all: Vec<_> = samples().collect();
        let (name, mut whole) = all[which.index(all.len())].clone();
        for (at, octet) in changes {
            let at = at.index(whole.len());
            whole[at] = octet;
        }
        fuzz_entry::pdu(&whole);
        let _ = decodes(name, &whole[HEADER_LEN..]);
    }
}
