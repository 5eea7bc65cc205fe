//! What is encoded decodes to the same, for any values within the limits.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::command::CommandId as Id;
use crate::frame::Frame;
use crate::status::CommandStatus as Status;
use crate::tlv::{Tag, TlvBuf};

/// A C-octet string of at most so many octets.
pub(super) fn c_octets(octets_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..=octets_max)
}

/// An address with at most so many octets.
pub(super) fn address(octets_max: usize) -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    (0..=6_u8, 0..=18_u8, c_octets(octets_max))
}

/// A time field.
pub(super) fn time() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), Just(b"000001000000000R".to_vec()), Just(b"261121153000000+".to_vec())]
}

fn tlvs() -> impl Strategy<Value = TlvBuf> {
    vec((any::<u16>(), vec(any::<u8>(), 0..40)), 0..6).prop_map(|pairs| {
        let mut buf = TlvBuf::new();
        for (tag, value) in pairs {
            buf.push(Tag(tag), &value).unwrap();
        }
        buf
    })
}

pub(super) fn borrowed((ton, npi, addr): &(u8, u8, Vec<u8>)) -> Address<'_> {
    Address { ton: *ton, npi: *npi, addr }
}

fn frame(encode: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>) -> Frame {
    let mut out = BytesMut::new();
    encode(&mut out).unwrap();
    Frame::from_bytes(out.freeze()).unwrap()
}

proptest! {
    #[test]
    fn sm(
        service_type in c_octets(5), source in address(20), destination in address(20),
        integers in any::<[u8; 7]>(), schedule in time(), validity in time(),
        short_message in vec(any::<u8>(), 0..=254), tlvs in tlvs(), number in any::<u32>(), deliver in any::<bool>(),
    ) {
        let [class, pid, priority, delivery, replace, coding, default] = integers;
        let sm = Sm {
            service_type: &service_type,
            source: borrowed(&source),
            destination: borrowed(&destination),
            esm_class: EsmClass(class),
            protocol_id: pid,
            priority_flag: priority,
            schedule_delivery_time: &schedule,
            validity_period: &validity,
            registered_delivery: RegisteredDelivery(delivery),
            replace_if_present: replace,
            data_coding: DataCoding(coding),
            sm_default_msg_id: default,
            short_message: &short_message,
            tlvs: tlvs.as_tlvs(),
        };
        let command_id = if deliver { Id::DELIVER_SM } else { Id::SUBMIT_SM };
        let frame = frame(|out| sm.encode(command_id, number, out));
        prop_assert_eq!(frame.header().command_id, command_id);
        prop_assert_eq!(frame.header().sequence_number, number);
        prop_assert_eq!(Sm::decode(frame.body()), Ok(sm));
    }

    #[test]
    fn binds(
        which in 0..3_usize, system_id in c_octets(15), password in c_octets(8), system_type in c_octets(12),
        version in any::<u8>(), range in (any::<u8>(), any::<u8>(), c_octets(40)),
    ) {
        let mode = [BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver][which];
        let bind = Bind {
            mode,
            system_id: &system_id,
            password: &password,
            system_type: &system_type,
            interface_version: version,
            address: borrowed(&range),
        };
        let frame = frame(|out| bind.encode(1, out));
        prop_assert_eq!(Bind::decode(frame.header().command_id, frame.body()), Ok(bind));
    }

    #[test]
    fn responses(message_id in c_octets(64), tlvs in tlvs(), status in any::<u32>(), number in any::<u32>()) {
        let resp = SmResp { message_id: &message_id, tlvs: tlvs.as_tlvs() };
        let frame = frame(|out| resp.encode(Id::SUBMIT_SM_RESP, Status(status), number, out));
        prop_assert_eq!(frame.header().command_status, Status(status));
        prop_assert_eq!(SmResp::decode(frame.body()), Ok(resp));
    }

    #[test]
    fn data_sm(service_type in c_octets(5), source in address(64), destination in address(64), tlvs in tlvs()) {
        let data = DataSm {
            service_type: &service_type,
            source: borrowed(&source),
            destination: borrowed(&destination),
            tlvs: tlvs.as_tlvs(),
            ..DataSm::default()
        };
        let frame = frame(|out| data.encode(1, out));
        prop_assert_eq!(DataSm::decode(frame.body()), Ok(data));
    }

    #[test]
    fn submit_multi(
        addresses in vec(address(20), 1..40), lists in vec(c_octets(20), 0..20), text in vec(any::<u8>(), 0..=254),
    ) {
        let mut list = BytesMut::new();
        let addresses = addresses.iter().map(|found| Destination::Address(borrowed(found)));
        let expected: Vec<_> =
            addresses.chain(lists.iter().map(|name| Destination::DistributionList(name))).collect();
        for destination in &expected {
            write_destination(destination, &mut list).unwrap();
        }
        let destinations = Destinations::parse(u8::try_from(expected.len()).unwrap(), &list).unwrap();
        let multi = SubmitMulti { destinations, short_message: &text, ..SubmitMulti::default() };
        let frame = frame(|out| multi.encode(1, out));
        let decoded = SubmitMulti::decode(frame.body()).unwrap();
        prop_assert_eq!(decoded, multi);
        prop_assert_eq!(decoded.destinations.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn submit_multi_resp(refused in vec((address(20), any::<u32>()), 0..30), message_id in c_octets(64)) {
        let mut list = BytesMut::new();
        for (address, status) in &refused {
            let command_status = Status(*status);
            write_unsuccess(&Unsuccess { address: borrowed(address), command_status }, &mut list).unwrap();
        }
        let unsuccesses = Unsuccesses::parse(u8::try_from(refused.len()).unwrap(), &list).unwrap();
        let resp = SubmitMultiResp { message_id: &message_id, unsuccesses, ..SubmitMultiResp::default() };
        let frame = frame(|out| resp.encode(Status::ESME_ROK, 1, out));
        let decoded = SubmitMultiResp::decode(frame.body()).unwrap();
        prop_assert_eq!(decoded, resp);
        prop_assert_eq!(decoded.unsuccesses.iter().count(), refused.len());
    }

    #[test]
    fn management(
        message_id in c_octets(64), source in address(20), destination in address(20), date in time(),
        text in vec(any::<u8>(), 0..=254), state in any::<u8>(),
    ) {
        let (source, destination) = (borrowed(&source), borrowed(&destination));
        let query = QuerySm { message_id: &message_id, source };
        let framed = frame(|out| query.encode(1, out));
        prop_assert_eq!(QuerySm::decode(framed.body()), Ok(query));
        let resp =
            QuerySmResp { message_id: &message_id, final_date: &date, message_state: state, error_code: 1 };
        let framed = frame(|out| resp.encode(Status::ESME_ROK, 1, out));
        prop_assert_eq!(QuerySmResp::decode(framed.body()), Ok(resp));
        let cancel = CancelSm { service_type: b"CMT", message_id: &message_id, source, destination };
        let framed = frame(|out| cancel.encode(1, out));
        prop_assert_eq!(CancelSm::decode(framed.body()), Ok(cancel));
        let replace = ReplaceSm {
            message_id: &message_id,
            source,
            validity_period: &date,
            short_message: &text,
            ..ReplaceSm::default()
        };
        let framed = frame(|out| replace.encode(1, out));
        prop_assert_eq!(ReplaceSm::decode(framed.body()), Ok(replace));
        let alert = AlertNotification { source, esme: destination, ..AlertNotification::default() };
        let framed = frame(|out| alert.encode(1, out));
        prop_assert_eq!(AlertNotification::decode(framed.body()), Ok(alert));
    }
}
