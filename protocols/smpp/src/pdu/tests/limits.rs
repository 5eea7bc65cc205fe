//! Each field at its limit and one beyond it, on the way in and on the way out.

use bytes::BytesMut;

use super::super::*;
use crate::command::CommandId as Id;
use crate::status::CommandStatus as Status;
use crate::tlv::Tlvs;
use crate::wire::octets;

/// submit_sm as the twelve strings and integers of 4.4.1, each replaceable.
#[derive(Clone)]
struct Layout([Vec<u8>; 10]);

const SERVICE: usize = 0;
const SOURCE: usize = 1;
const DESTINATION: usize = 2;
const CLASSES: usize = 3;
const SCHEDULE: usize = 4;
const VALIDITY: usize = 5;
const FLAGS: usize = 6;
const LENGTH: usize = 7;
const TEXT: usize = 8;
const TLVS: usize = 9;

fn layout() -> Layout {
    let fields =
        ["00", "05 00 'WARP' 00", "01 01 '4917' 00", "00 00 00", "00", "00", "00 00 00 00", "02", "'Hi'", ""];
    Layout(fields.map(octets))
}

impl Layout {
    fn with(mut self, field: usize, value: Vec<u8>) -> Self {
        self.0[field] = value;
        self
    }

    fn body(&self) -> Vec<u8> {
        self.0.concat()
    }
}

fn c_octets(front: &[u8], octets: usize) -> Vec<u8> {
    [front, &vec![b'1'; octets], &[0]].concat()
}

fn status_of(body: &[u8]) -> Option<Status> {
    Sm::decode(body).err().map(|refused| refused.command_status)
}

#[test]
fn strings_of_a_message_at_their_limits() {
    let cases = [
        (SERVICE, &b""[..], 5, Status::ESME_RINVSERTYP),
        (SOURCE, b"\x01\x01", 20, Status::ESME_RINVSRCADR),
        (DESTINATION, b"\x01\x01", 20, Status::ESME_RINVDSTADR),
        (SCHEDULE, b"", 16, Status::ESME_RINVSCHED),
        (VALIDITY, b"", 16, Status::ESME_RINVEXPIRY),
    ];
    for (field, front, octets_max, refused) in cases {
        let fits = layout().with(field, c_octets(front, octets_max)).body();
        assert_eq!(status_of(&fits), None, "field {field}");
        for octets in [octets_max + 1, octets_max + 200] {
            let long = layout().with(field, c_octets(front, octets)).body();
            assert_eq!(status_of(&long), Some(refused), "field {field}");
        }
        let mut endless = layout().with(field, [front, &[b'1'; 4]].concat());
        for after in field + 1..=TLVS {
            endless = endless.with(after, Vec::new());
        }
        assert_eq!(status_of(&endless.body()), Some(refused), "field {field} without NUL");
    }
}

#[test]
fn octets_of_addresses_at_their_limits() {
    let cases = [
        (SOURCE, 6, 18, Status::ESME_RINVSRCTON, Status::ESME_RINVSRCNPI),
        (DESTINATION, 6, 18, Status::ESME_RINVDSTTON, Status::ESME_RINVDSTNPI),
    ];
    for (field, ton_max, npi_max, bad_ton, bad_npi) in cases {
        for ton in 0..=u8::MAX {
            let expected = (ton > ton_max).then_some(bad_ton);
            assert_eq!(status_of(&layout().with(field, c_octets(&[ton, 1], 4)).body()), expected);
        }
        for npi in 0..=u8::MAX {
            let expected = (npi > npi_max).then_some(bad_npi);
            assert_eq!(status_of(&layout().with(field, c_octets(&[1, npi], 4)).body()), expected);
        }
    }
}

#[test]
fn sm_length_against_what_is_there() {
    for length in 0..=u8::MAX {
        let whole = layout().with(LENGTH, vec![length]).with(TEXT, vec![b'x'; length.into()]).body();
        assert_eq!(status_of(&whole), None, "sm_length {length}");
        if length > 0 {
            let short = &whole[..whole.len() - 1];
            assert_eq!(status_of(short), Some(Status::ESME_RINVMSGLEN), "sm_length {length}");
        }
    }
}

#[test]
fn what_is_odd_but_readable_is_read() {
    let address = layout().with(SOURCE, b"\x05\x00M\xFCller\0".to_vec()).body();
    assert_eq!(Sm::decode(&address).unwrap().source.addr, b"M\xFCller", "Latin-1");
    let flags = layout().with(CLASSES, vec![0xFF; 3]).with(FLAGS, vec![0xFF; 4]).body();
    assert_eq!(Sm::decode(&flags).unwrap().esm_class, EsmClass(0xFF), "reserved bits");
    let padded = layout().with(TLVS, vec![0]).body();
    assert_eq!(Sm::decode(&padded).unwrap().tlvs, Tlvs::EMPTY, "a NUL after the text");
    let vendor = octets("1401 0003 000102 0427 0004 00000002 001E 0002 'ab'");
    let body = layout().with(TLVS, vendor.clone()).body();
    assert_eq!(Sm::decode(&body).unwrap().tlvs.as_bytes(), vendor, "TLVs are kept as they are");
}

#[test]
fn what_an_smsc_refuses_of_a_submit_sm() {
    let payload = octets("0424 0002 'Hi'");
    let cases = [
        (layout(), None),
        (layout().with(DESTINATION, c_octets(&[1, 1], 0)), Some(Status::ESME_RINVDSTADR)),
        (layout().with(CLASSES, vec![0, 0, 4]), None),
        (layout().with(CLASSES, vec![0, 0, 5]), Some(Status::ESME_RINVPRTFLG)),
        (layout().with(FLAGS, vec![0, 2, 0, 0]), Some(Status::ESME_RINVREPFLAG)),
        (layout().with(SCHEDULE, octets("'garbage' 00")), Some(Status::ESME_RINVSCHED)),
        (layout().with(SCHEDULE, octets("'261121153000000+' 00")), None),
        (layout().with(VALIDITY, octets("'261321153000000+' 00")), Some(Status::ESME_RINVEXPIRY)),
        (layout().with(TLVS, payload.clone()), Some(Status::ESME_ROPTPARNOTALLWD)),
        (layout().with(TLVS, payload).with(LENGTH, vec![0]).with(TEXT, vec![]), None),
        (layout().with(CLASSES, vec![0x40, 0, 0]), Some(Status::ESME_RINVESMCLASS)),
        (layout().with(CLASSES, vec![0x40, 0, 0]).with(TEXT, vec![1, 0]), Some(Status::ESME_RINVESMCLASS)),
        (layout().with(CLASSES, vec![0x40, 0, 0]).with(TEXT, vec![0, b'x']), None),
    ];
    for (index, (layout, expected)) in cases.into_iter().enumerate() {
        let body = layout.body();
        let refused = Sm::decode(&body).unwrap().check_submit().err();
        assert_eq!(refused.map(|refused| refused.command_status), expected, "case {index}");
    }
}

#[test]
fn strings_of_a_bind_at_their_limits() {
    let fields = [
        (15, Status::ESME_RINVSYSID),
        (8, Status::ESME_RINVPASWD),
        (12, Status::ESME_RINVSYSTYP),
        (40, Status::ESME_RBINDFAIL),
    ];
    for (long, (octets_max, refused)) in fields.into_iter().enumerate() {
        for (excess, expected) in [(0, None), (1, Some(refused)), (30, Some(refused))] {
            let size = |field: usize| if field == long { octets_max + excess } else { 1 };
            let body = [
                c_octets(b"", size(0)),
                c_octets(b"", size(1)),
                c_octets(b"", size(2)),
                vec![0x34, 0xFF, 0xFF],
                c_octets(b"", size(3)),
            ];
            let status = Bind::decode(Id::BIND_TRANSMITTER, &body.concat()).err().map(|e| e.command_status);
            assert_eq!(status, expected, "field {long} with {excess} too many");
        }
    }
}

#[test]
fn other_requests_at_their_limits() {
    let id = |octets| c_octets(b"", octets);
    let address = octets("01 01 '4917' 00");
    let query = |octets| QuerySm::decode(&[id(octets), address.clone()].concat()).map(|_| ());
    assert_eq!(query(64), Ok(()));
    assert_eq!(query(65).unwrap_err().command_status, Status::ESME_RINVMSGID);
    let cancel = |octets| CancelSm::decode(&[vec![0], id(octets), address.repeat(2)].concat()).map(|_| ());
    assert_eq!(cancel(64), Ok(()));
    assert_eq!(cancel(65).unwrap_err().command_status, Status::ESME_RINVMSGID);
    let data = |octets| {
        let body = [vec![0], c_octets(&[1, 1], octets), address.clone(), vec![0, 0, 0]];
        DataSm::decode(&body.concat()).map(|_| ())
    };
    assert_eq!(data(64), Ok(()));
    assert_eq!(data(65).unwrap_err().command_status, Status::ESME_RINVSRCADR);
}

#[test]
fn destinations_at_their_limits() {
    let status =
        |count, notation| Destinations::parse(count, &octets(notation)).err().map(|e| e.command_status);
    assert_eq!(status(0, ""), Some(Status::ESME_RINVNUMDESTS));
    assert_eq!(status(255, ""), Some(Status::ESME_RINVNUMDESTS));
    assert_eq!(status(1, ""), Some(Status::ESME_RINVCMDLEN));
    assert_eq!(status(1, "03 01 01 '4917' 00"), Some(Status::ESME_RINVDESTFLAG));
    assert_eq!(status(1, "02 '123456789012345678901' 00"), Some(Status::ESME_RINVDLNAME));
    assert_eq!(status(1, "01 07 01 '4917' 00"), Some(Status::ESME_RINVDSTTON));
    assert_eq!(status(2, "01 01 01 '4917' 00"), Some(Status::ESME_RINVCMDLEN));
    let many = octets("01 01 01 '4917' 00").repeat(254);
    assert_eq!(Destinations::parse(254, &many).unwrap().iter().count(), 254);
}

#[test]
fn nothing_invalid_is_written() {
    type Write = fn(&mut BytesMut) -> Result<(), EncodeError>;
    let cases: [(&str, Write); 12] = [
        ("service_type", |out| {
            Sm { service_type: b"toolong", ..Sm::default() }.encode(Id::SUBMIT_SM, 1, out)
        }),
        ("short_message", |out| {
            Sm { short_message: &[0; 255], ..Sm::default() }.encode(Id::SUBMIT_SM, 1, out)
        }),
        ("validity_period", |out| {
            Sm { validity_period: b"1", ..Sm::default() }.encode(Id::SUBMIT_SM, 1, out)
        }),
        ("source_addr", |out| {
            let source = Address { ton: 1, npi: 1, addr: b"1\x002" };
            Sm { source, ..Sm::default() }.encode(Id::SUBMIT_SM, 1, out)
        }),
        ("dest_addr_ton", |out| {
            let destination = Address { ton: 7, npi: 1, addr: b"1" };
            Sm { destination, ..Sm::default() }.encode(Id::SUBMIT_SM, 1, out)
        }),
        ("message_id", |out| {
            let resp = SmResp { message_id: &[b'1'; 65], tlvs: Tlvs::EMPTY };
            resp.encode(Id::SUBMIT_SM_RESP, Status::ESME_ROK, 1, out)
        }),
        ("message_id", |out| {
            let resp = SmResp { message_id: b"1\x00", tlvs: Tlvs::EMPTY };
            resp.encode(Id::SUBMIT_SM_RESP, Status::ESME_ROK, 1, out)
        }),
        ("final_date", |out| {
            QuerySmResp { final_date: b"26", ..QuerySmResp::default() }.encode(Status::ESME_ROK, 1, out)
        }),
        ("number_of_dests", |out| SubmitMulti::default().encode(1, out)),
        ("dl_name", |out| write_destination(&Destination::DistributionList(&[b'1'; 21]), out)),
        ("password", |out| Outbind { system_id: b"", password: b"123456789" }.encode(1, out)),
        ("source_addr_npi", |out| {
            let source = Address { ton: 0, npi: 19, addr: b"" };
            QuerySm { message_id: b"", source }.encode(1, out)
        }),
    ];
    for (expected, write) in cases {
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = write(&mut out).unwrap_err();
        let (EncodeError::TooLong { field, .. } | EncodeError::Nul { field } | EncodeError::Value { field }) =
            refused;
        assert_eq!(field, expected);
        assert_eq!(&out[..], b"before", "{expected}");
    }
}
