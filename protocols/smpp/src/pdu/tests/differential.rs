//! Against rusmpp-core, an independent codec: what one writes the other reads as the same fields, and where
//! both accept damaged octets they agree on what they say.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength;
use rusmpp_core::encode::{Encode, Length};
use rusmpp_core::pdus::owned as theirs;
use rusmpp_core::tlvs::owned::Tlv;

use super::super::*;
use super::roundtrip::{borrowed, time};
use crate::command::CommandId as Id;
use crate::frame::{Frame, HEADER_LEN};
use crate::status::CommandStatus as Status;
use crate::tlv::{Tag, TlvBuf, Tlvs};
use crate::wire::samples;

/// Their reading of a whole PDU; their length counts from the command_id.
fn read(octets: &[u8]) -> Option<Command> {
    let mut buf = BytesMut::from(octets.get(4..)?);
    let length = buf.len();
    let (command, used) = <Command as DecodeWithLength>::decode(&mut buf, length).ok()?;
    (used == length).then_some(command)
}

/// Their writing of it.
fn write(command: &Command) -> Vec<u8> {
    let mut octets = vec![0; 4 + command.length()];
    let used = command.encode(&mut octets[4..]);
    assert_eq!(used, octets.len() - 4);
    let command_length = u32::try_from(octets.len()).unwrap();
    octets[..4].copy_from_slice(&command_length.to_be_bytes());
    octets
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut octets = vec![0; value.length()];
    let used = value.encode(&mut octets);
    octets.truncate(used);
    octets
}

fn c_octet(value: &impl AsRef<[u8]>) -> &[u8] {
    value.as_ref().strip_suffix(&[0]).unwrap()
}

fn tlv_octets(tlvs: &[Tlv]) -> Vec<u8> {
    tlvs.iter().flat_map(encoded).collect()
}

/// Asserts that both read the same message.
macro_rules! assert_same_sm {
    ($ours:expr, $theirs:expr) => {{
        let (ours, theirs) = (&$ours, &$theirs);
        assert_eq!(ours.service_type, c_octet(theirs.service_type.value()), "service_type");
        assert_eq!(ours.source.ton, u8::from(theirs.source_addr_ton), "source_addr_ton");
        assert_eq!(ours.source.npi, u8::from(theirs.source_addr_npi), "source_addr_npi");
        assert_eq!(ours.source.addr, c_octet(&theirs.source_addr), "source_addr");
        assert_eq!(ours.destination.ton, u8::from(theirs.dest_addr_ton), "dest_addr_ton");
        assert_eq!(ours.destination.npi, u8::from(theirs.dest_addr_npi), "dest_addr_npi");
        assert_eq!(ours.destination.addr, c_octet(&theirs.destination_addr), "destination_addr");
        assert_eq!(ours.protocol_id, theirs.protocol_id, "protocol_id");
        assert_eq!(ours.priority_flag, u8::from(theirs.priority_flag), "priority_flag");
        assert_eq!(ours.validity_period, c_octet(&theirs.validity_period), "validity_period");
        assert_eq!(ours.data_coding.0, u8::from(theirs.data_coding), "data_coding");
        assert_eq!(ours.sm_default_msg_id, theirs.sm_default_msg_id, "sm_default_msg_id");
        assert_eq!(ours.short_message, theirs.short_message().as_ref(), "short_message");
        assert_eq!(ours.tlvs.as_bytes(), tlv_octets(theirs.tlvs()), "tlvs");
    }};
}

/// Where both read the PDU, compares the fields; returns whether both did.
fn agree(octets: &[u8]) -> bool {
    let (Ok(frame), Some(command)) = (Frame::from_bytes(octets.to_vec().into()), read(octets)) else {
        return false;
    };
    let header = frame.header();
    assert_eq!(header.command_status.0, u32::from(command.status()));
    assert_eq!(header.sequence_number, command.sequence_number());
    match command.pdu() {
        Some(theirs::Pdu::SubmitSm(theirs)) => {
            let Ok(ours) = Sm::decode(frame.body()) else { return false };
            assert_same_sm!(ours, theirs);
            assert_eq!(ours.schedule_delivery_time, c_octet(&theirs.schedule_delivery_time));
        }
        Some(theirs::Pdu::DeliverSm(theirs)) => {
            let Ok(ours) = Sm::decode(frame.body()) else { return false };
            assert_same_sm!(ours, theirs);
        }
        Some(theirs::Pdu::SubmitSmResp(theirs)) => {
            let ours = SmResp::decode(frame.body()).unwrap();
            assert_eq!(ours.message_id, c_octet(theirs.message_id()));
            assert_eq!(ours.tlvs.as_bytes(), tlv_octets(theirs.tlvs()));
        }
        Some(theirs::Pdu::BindTransceiver(theirs)) => {
            let Ok(ours) = Bind::decode(header.command_id, frame.body()) else { return false };
            assert_eq!(ours.system_id, c_octet(&theirs.system_id));
            assert_eq!(ours.password, c_octet(&theirs.password));
            assert_eq!(ours.system_type, c_octet(&theirs.system_type));
            assert_eq!(ours.interface_version, u8::from(theirs.interface_version));
            assert_eq!(ours.address.ton, u8::from(theirs.addr_ton));
            assert_eq!(ours.address.addr, c_octet(&theirs.address_range));
        }
        Some(theirs::Pdu::BindTransceiverResp(theirs)) => {
            let ours = BindResp::decode(header.command_id, frame.body()).unwrap();
            assert_eq!(ours.system_id, c_octet(&theirs.system_id));
            let version = theirs.sc_interface_version().map(u8::from);
            assert_eq!(ours.tlvs.u8(Tag::SC_INTERFACE_VERSION), version);
        }
        _ => return false,
    }
    true
}

#[test]
fn they_read_every_sample_and_write_it_back() {
    for (name, octets) in samples() {
        let command = read(&octets).unwrap_or_else(|| panic!("{name} refused"));
        assert_eq!(write(&command), octets, "{name}");
    }
}

#[test]
fn both_read_the_same_from_the_samples() {
    for name in ["submit_sm", "deliver_sm", "submit_sm_resp", "bind_transceiver", "bind_transceiver_resp"] {
        assert!(agree(&crate::wire::sample(name)), "{name}");
    }
}

#[test]
fn statuses_and_tags_have_the_same_numbers() {
    for value in 0..0x500 {
        let known = !matches!(rusmpp_core::CommandStatus::from(value), rusmpp_core::CommandStatus::Other(_));
        assert_eq!(Status(value).name().is_some(), known, "status {value:#x}");
    }
    for value in 0..=u16::MAX {
        let tag = rusmpp_core::tlvs::TlvTag::from(value);
        let known = !matches!(tag, rusmpp_core::tlvs::TlvTag::Other(_));
        assert_eq!(Tag(value).name().is_some(), known, "tag {value:#x}");
    }
}

/// They refuse C-octet strings that are not ASCII.
fn ascii(octets_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(b' '..=b'~', 0..=octets_max)
}

fn address() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    (0..=6_u8, prop::sample::select(vec![0, 1, 3, 4, 6, 8, 9, 10, 14, 18]), ascii(20))
}

/// TLVs of the right length, which they insist on.
fn tlvs() -> impl Strategy<Value = TlvBuf> {
    (any::<bool>(), any::<u16>(), any::<bool>(), ascii(30), 0x1400..0x3FFF_u16).prop_map(
        |(reference, value, vendor, octets, tag)| {
            let mut buf = TlvBuf::new();
            if reference {
                buf.push(Tag::USER_MESSAGE_REFERENCE, &value.to_be_bytes()).unwrap();
            }
            if vendor {
                buf.push(Tag(tag), &octets).unwrap();
            }
            buf
        },
    )
}

prop_compose! {
    fn message()(
        service_type in ascii(5), source in address(), destination in address(),
        times in (time(), time()), integers in (0..4_u8, 0..5_u8, 0..4_u8, 0..2_u8, any::<u8>(), any::<u8>()),
        text in vec(any::<u8>(), 0..=254), tlvs in tlvs(), deliver in any::<bool>(), number in any::<u32>(),
    ) -> Vec<u8> {
        let (class, priority, delivery, replace, coding, default) = integers;
        let sm = Sm {
            service_type: &service_type,
            source: borrowed(&source),
            destination: borrowed(&destination),
            esm_class: EsmClass(class),
            priority_flag: priority,
            schedule_delivery_time: if deliver { b"" } else { &times.0 },
            validity_period: if deliver { b"" } else { &times.1 },
            registered_delivery: RegisteredDelivery(delivery),
            replace_if_present: replace,
            data_coding: DataCoding(coding),
            sm_default_msg_id: default,
            short_message: &text,
            tlvs: tlvs.as_tlvs(),
            ..Sm::default()
        };
        let mut out = BytesMut::new();
        sm.encode(if deliver { Id::DELIVER_SM } else { Id::SUBMIT_SM }, number, &mut out).unwrap();
        out.to_vec()
    }
}

proptest! {
    #[test]
    fn they_read_our_messages(octets in message()) {
        prop_assert!(agree(&octets), "not read by both");
        prop_assert_eq!(write(&read(&octets).unwrap()), octets);
    }

    #[test]
    fn they_read_our_binds(
        system_id in ascii(15), password in ascii(8), system_type in ascii(12), range in (0..7_u8, 0..2_u8, ascii(40)),
    ) {
        let bind = Bind {
            mode: BindMode::Transceiver,
            system_id: &system_id,
            password: &password,
            system_type: &system_type,
            interface_version: 0x34,
            address: borrowed(&range),
        };
        let mut out = BytesMut::new();
        bind.encode(9, &mut out).unwrap();
        prop_assert!(agree(&out));
        prop_assert_eq!(write(&read(&out).unwrap()), out);
    }

    #[test]
    fn they_read_our_responses(message_id in ascii(64), system_id in ascii(15), status in any::<u32>()) {
        let mut out = BytesMut::new();
        let resp = SmResp { message_id: &message_id, tlvs: Tlvs::EMPTY };
        resp.encode(Id::SUBMIT_SM_RESP, Status(status), 3, &mut out).unwrap();
        prop_assert!(agree(&out));
        let mut tlvs = TlvBuf::new();
        tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
        let mut out = BytesMut::new();
        let resp = BindResp { mode: BindMode::Transceiver, system_id: &system_id, tlvs: tlvs.as_tlvs() };
        resp.encode(Status::ESME_ROK, 3, &mut out).unwrap();
        prop_assert!(agree(&out));
    }

    /// Built and written by them, read by us.
    #[test]
    fn we_read_their_messages(
        source in ascii(20), destination in ascii(20), text in vec(any::<u8>(), 0..=254), number in any::<u32>(),
    ) {
        use rusmpp_core::types::owned::{COctetString, OctetString};
        let nul = |octets: &[u8]| [octets, &[0]].concat();
        let theirs = theirs::SubmitSm::builder()
            .source_addr(COctetString::from_slice(&nul(&source)).unwrap())
            .destination_addr(COctetString::from_slice(&nul(&destination)).unwrap())
            .short_message(OctetString::from_slice(&text).unwrap())
            .build();
        let octets = write(&Command::new(rusmpp_core::CommandStatus::EsmeRok, number, theirs.clone()));
        let ours = Sm::decode(&octets[HEADER_LEN..]).unwrap();
        assert_same_sm!(ours, theirs);
        let resp = theirs::SubmitSmResp::builder()
            .message_id(COctetString::from_slice(&nul(&source)).unwrap())
            .build();
        let octets = write(&Command::new(rusmpp_core::CommandStatus::EsmeRok, number, resp));
        prop_assert_eq!(SmResp::decode(&octets[HEADER_LEN..]).unwrap().message_id, &source[..]);
        let bind = theirs::BindTransceiver::builder()
            .address_range(COctetString::from_slice(&nul(&source)).unwrap())
            .build();
        let octets = write(&Command::new(rusmpp_core::CommandStatus::EsmeRok, number, bind));
        let ours = Bind::decode(Id::BIND_TRANSCEIVER, &octets[HEADER_LEN..]).unwrap();
        prop_assert_eq!(ours.address.addr, &source[..]);
    }

    /// Damaged at up to three places: where both still accept, both read the same.
    #[test]
    fn both_agree_on_damaged_messages(
        octets in message(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut damaged = octets;
        for (at, octet) in changes {
            let at = HEADER_LEN + at.index(damaged.len() - HEADER_LEN);
            damaged[at] = octet;
        }
        agree(&damaged);
    }
}
