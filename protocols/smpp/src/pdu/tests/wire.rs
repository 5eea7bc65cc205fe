//! Every struct against octets laid out by hand, both ways.

use bytes::BytesMut;

use super::super::*;
use crate::command::CommandId as Id;
use crate::status::CommandStatus as Status;
use crate::tlv::{Tag, Tlvs};
use crate::wire::{body, sample};

const WARP: Address<'static> = Address { ton: 5, npi: 0, addr: b"WARP" };
const MOBILE: Address<'static> = Address { ton: 1, npi: 1, addr: b"4917" };

/// What `encode` wrote after octets that were there before.
fn written(encode: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>) -> Vec<u8> {
    let mut out = BytesMut::from(&b"before"[..]);
    encode(&mut out).unwrap();
    assert!(out.starts_with(b"before"));
    out[6..].to_vec()
}

fn tlvs(octets: &[u8]) -> Tlvs<'_> {
    Tlvs::parse(octets).unwrap()
}

#[test]
fn binds() {
    let transceiver = Bind {
        mode: BindMode::Transceiver,
        system_id: b"SMPP3TEST",
        password: b"secret08",
        system_type: b"SUBMIT1",
        interface_version: 0x34,
        address: Address { ton: 1, npi: 1, addr: b"" },
    };
    let octets = body("bind_transceiver");
    assert_eq!(Bind::decode(Id::BIND_TRANSCEIVER, &octets), Ok(transceiver));
    assert_eq!(written(|out| transceiver.encode(1, out)), sample("bind_transceiver"));
    let receiver = Bind {
        mode: BindMode::Receiver,
        system_type: b"",
        interface_version: 0x33,
        address: Address { ton: 0, npi: 0, addr: b"^4917" },
        ..transceiver
    };
    let octets = body("bind_receiver");
    assert_eq!(Bind::decode(Id::BIND_RECEIVER, &octets), Ok(receiver));
    assert_eq!(written(|out| receiver.encode(2, out)), sample("bind_receiver"));
    let refused = Bind::decode(Id::SUBMIT_SM, &octets).unwrap_err();
    assert_eq!(refused.command_status, Status::ESME_RINVCMDID);
}

#[test]
fn bind_responses() {
    let octets = body("bind_transceiver_resp");
    let version = [2, 0x10, 0, 1, 0x34];
    let resp = BindResp { mode: BindMode::Transceiver, system_id: b"WARP", tlvs: tlvs(&version) };
    assert_eq!(BindResp::decode(Id::BIND_TRANSCEIVER_RESP, &octets), Ok(resp));
    assert_eq!(resp.tlvs.u8(Tag::SC_INTERFACE_VERSION), Some(0x34));
    assert_eq!(written(|out| resp.encode(Status::ESME_ROK, 1, out)), sample("bind_transceiver_resp"));
    let empty = BindResp { mode: BindMode::Receiver, system_id: b"", tlvs: Tlvs::EMPTY };
    assert_eq!(BindResp::decode(Id::BIND_RECEIVER_RESP, b""), Ok(empty));
    let bare = BindResp { system_id: b"WARP", ..empty };
    assert_eq!(BindResp::decode(Id::BIND_RECEIVER_RESP, b"WARP"), Ok(bare), "no NUL");
}

#[test]
fn passwords_are_not_shown() {
    let (bind, outbind) = (body("bind_transceiver"), body("outbind"));
    let shown = format!("{:?}", Bind::decode(Id::BIND_TRANSCEIVER, &bind).unwrap());
    assert!(shown.contains("SMPP3TEST") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains("secret08"), "{shown}");
    let shown = format!("{:?}", Outbind::decode(&outbind).unwrap());
    assert!(!shown.contains("secret08"), "{shown}");
}

#[test]
fn outbind() {
    let octets = body("outbind");
    let outbind = Outbind { system_id: b"WARP", password: b"secret08" };
    assert_eq!(Outbind::decode(&octets), Ok(outbind));
    assert_eq!(written(|out| outbind.encode(1, out)), sample("outbind"));
}

#[test]
fn headers_alone() {
    let cases = [
        ("unbind_resp", Id::UNBIND_RESP, Status::ESME_ROK, 3),
        ("enquire_link_resp", Id::ENQUIRE_LINK_RESP, Status::ESME_ROK, 0x7FFF_FFFF),
        ("generic_nack", Id::GENERIC_NACK, Status::ESME_RINVCMDID, 0),
        ("submit_sm_resp refused", Id::SUBMIT_SM_RESP, Status::ESME_RTHROTTLED, 11),
        ("cancel_sm_resp", Id::CANCEL_SM_RESP, Status::ESME_ROK, 24),
        ("replace_sm_resp", Id::REPLACE_SM_RESP, Status::ESME_RREPLACEFAIL, 25),
    ];
    for (name, id, status, number) in cases {
        let mut out = BytesMut::new();
        encode_resp_header(id, status, number, &mut out);
        assert_eq!(out, sample(name), "{name}");
    }
    for (name, id, number) in [("unbind", Id::UNBIND, 3), ("enquire_link", Id::ENQUIRE_LINK, 0x7FFF_FFFF)] {
        let mut out = BytesMut::new();
        encode_request_header(id, number, &mut out);
        assert_eq!(out, sample(name), "{name}");
    }
}

#[test]
fn submit_sm() {
    let octets = body("submit_sm");
    let reference = [2, 4, 0, 2, 0xAB, 0xCD];
    let sm = Sm {
        service_type: b"CMT",
        source: WARP,
        destination: Address { ton: 1, npi: 1, addr: b"491701234567" },
        priority_flag: 1,
        validity_period: b"000001000000000R",
        registered_delivery: RegisteredDelivery::ALWAYS,
        short_message: b"Hello",
        tlvs: tlvs(&reference),
        ..Sm::default()
    };
    assert_eq!(Sm::decode(&octets), Ok(sm));
    assert_eq!(sm.check_submit(), Ok(()));
    assert_eq!(written(|out| sm.encode(Id::SUBMIT_SM, 10, out)), sample("submit_sm"));
    assert_eq!((sm.text_octets(), sm.payload(), sm.has_both()), (&b"Hello"[..], &b"Hello"[..], false));
}

#[test]
fn deliver_sm() {
    let octets = body("deliver_sm");
    let sm = Sm::decode(&octets).unwrap();
    assert_eq!((sm.source.addr, sm.destination), (&b"491701234567"[..], WARP));
    assert!(sm.esm_class.is_delivery_receipt());
    assert_eq!(sm.short_message.len(), 101);
    assert_eq!(sm.tlvs.c_octet(Tag::RECEIPTED_MESSAGE_ID), Some(&b"0123"[..]));
    assert_eq!(written(|out| sm.encode(Id::DELIVER_SM, 20, out)), sample("deliver_sm"));
}

#[test]
fn a_shown_message_hides_text_and_number() {
    let octets = body("submit_sm");
    let shown = format!("{:?}", Sm::decode(&octets).unwrap());
    assert!(shown.contains("short_message_octets: 5"), "{shown}");
    assert!(!shown.contains("Hello") && !shown.contains("491701234567"), "{shown}");
}

#[test]
fn message_payload_is_text_too() {
    let payload = [4, 0x24, 0, 2, b'H', b'i'];
    let sm = Sm { tlvs: tlvs(&payload), ..Sm::default() };
    assert_eq!((sm.text_octets(), sm.payload(), sm.has_both()), (&b"Hi"[..], &b"Hi"[..], false));
    let both = Sm { short_message: b"Hello", ..sm };
    assert_eq!((both.text_octets(), both.payload(), both.has_both()), (&b"Hello"[..], &b"Hi"[..], true));
}

#[test]
fn message_responses() {
    let cases = [
        ("submit_sm_resp", Id::SUBMIT_SM_RESP, Status::ESME_ROK, &b"00000000deadbeef"[..], &b""[..], 10),
        ("deliver_sm_resp", Id::DELIVER_SM_RESP, Status::ESME_ROK, b"", b"", 20),
        ("data_sm_resp", Id::DATA_SM_RESP, Status::ESME_RDELIVERYFAILURE, b"77", b"\x04\x25\0\x01\x01", 21),
    ];
    for (name, id, status, message_id, tail, number) in cases {
        let octets = body(name);
        let resp = SmResp { message_id, tlvs: tlvs(tail) };
        assert_eq!(SmResp::decode(&octets), Ok(resp), "{name}");
        assert_eq!(written(|out| resp.encode(id, status, number, out)), sample(name));
    }
}

#[test]
fn message_responses_are_read_however_they_come() {
    let long = [b'a'; 200];
    let cases: [(&[u8], &[u8]); 6] = [
        (b"", b""),
        (b"\0", b""),
        (b"abc", b"abc"),
        (b"abc\0junk", b"abc"),
        (b"\xE4\xF6\0", b"\xE4\xF6"),
        (&long, &long),
    ];
    for (octets, message_id) in cases {
        assert_eq!(SmResp::decode(octets), Ok(SmResp { message_id, tlvs: Tlvs::EMPTY }));
    }
}

#[test]
fn data_sm() {
    let octets = body("data_sm");
    let payload = b"\x04\x24\0\x04\0H\0i";
    let data = DataSm {
        source: MOBILE,
        destination: Address { ton: 1, npi: 1, addr: b"12345" },
        registered_delivery: RegisteredDelivery::ALWAYS,
        data_coding: DataCoding::UCS2,
        tlvs: tlvs(payload),
        ..DataSm::default()
    };
    assert_eq!(DataSm::decode(&octets), Ok(data));
    assert_eq!(data.payload(), b"\0H\0i");
    assert_eq!(written(|out| data.encode(21, out)), sample("data_sm"));
}

#[test]
fn submit_multi() {
    let octets = body("submit_multi");
    let expected = [Destination::Address(MOBILE), Destination::DistributionList(b"staff")];
    let mut list = BytesMut::new();
    for destination in &expected {
        write_destination(destination, &mut list).unwrap();
    }
    let multi = SubmitMulti {
        source: WARP,
        destinations: Destinations::parse(2, &list).unwrap(),
        short_message: b"Hi",
        ..SubmitMulti::default()
    };
    assert_eq!(SubmitMulti::decode(&octets), Ok(multi));
    assert_eq!(multi.destinations.iter().collect::<Vec<_>>(), expected);
    assert_eq!(written(|out| multi.encode(22, out)), sample("submit_multi"));
}

#[test]
fn submit_multi_resp() {
    let octets = body("submit_multi_resp");
    let expected = Unsuccess { address: MOBILE, command_status: Status::ESME_RINVDSTADR };
    let mut list = BytesMut::new();
    write_unsuccess(&expected, &mut list).unwrap();
    let resp = SubmitMultiResp {
        message_id: b"88",
        unsuccesses: Unsuccesses::parse(1, &list).unwrap(),
        tlvs: Tlvs::EMPTY,
    };
    assert_eq!(SubmitMultiResp::decode(&octets), Ok(resp));
    assert_eq!(resp.unsuccesses.iter().collect::<Vec<_>>(), [expected]);
    assert_eq!(written(|out| resp.encode(Status::ESME_ROK, 22, out)), sample("submit_multi_resp"));
    assert_eq!(SubmitMultiResp::decode(b""), Ok(SubmitMultiResp::default()));
}

#[test]
fn query_sm_and_response() {
    let octets = body("query_sm");
    let query = QuerySm { message_id: b"88", source: WARP };
    assert_eq!(QuerySm::decode(&octets), Ok(query));
    assert_eq!(written(|out| query.encode(23, out)), sample("query_sm"));
    let octets = body("query_sm_resp");
    let resp =
        QuerySmResp { message_id: b"88", final_date: b"261121153000000+", message_state: 2, error_code: 0 };
    assert_eq!(QuerySmResp::decode(&octets), Ok(resp));
    assert_eq!(written(|out| resp.encode(Status::ESME_ROK, 23, out)), sample("query_sm_resp"));
    assert_eq!(QuerySmResp::decode(b""), Ok(QuerySmResp::default()));
}

#[test]
fn cancel_sm_and_replace_sm() {
    let octets = body("cancel_sm");
    let cancel = CancelSm { service_type: b"", message_id: b"88", source: WARP, destination: MOBILE };
    assert_eq!(CancelSm::decode(&octets), Ok(cancel));
    assert_eq!(written(|out| cancel.encode(24, out)), sample("cancel_sm"));
    let octets = body("replace_sm");
    let replace = ReplaceSm {
        message_id: b"88",
        source: WARP,
        registered_delivery: RegisteredDelivery::ALWAYS,
        short_message: b"New",
        ..ReplaceSm::default()
    };
    assert_eq!(ReplaceSm::decode(&octets), Ok(replace));
    assert_eq!(written(|out| replace.encode(25, out)), sample("replace_sm"));
    assert!(!format!("{replace:?}").contains("New"));
}

#[test]
fn alert_notification() {
    let octets = body("alert_notification");
    let available = [4, 0x22, 0, 1, 0];
    let alert = AlertNotification { source: MOBILE, esme: WARP, tlvs: tlvs(&available) };
    assert_eq!(AlertNotification::decode(&octets), Ok(alert));
    assert_eq!(written(|out| alert.encode(26, out)), sample("alert_notification"));
}
