//! Every field of submit_sm over its limit, every length that lies, every place where a body can end.

use super::super::pdu::{RESP, SUBMIT_SM, Sm, pdu, tlv};
use super::{Answer, answer, answered, node, session};

fn sm() -> Sm {
    Sm::new("15551234567", "hello")
}

fn refused(statuses: &'static [u32]) -> [Answer; 1] {
    [answer(SUBMIT_SM | RESP, statuses, 5)]
}

#[test]
fn every_field_has_its_limit_and_its_status() {
    let node = node();
    let mut esme = session(&node);
    let digits = |count| vec![b'1'; count];
    let cases: [(&str, &'static [u32], Sm); 14] = [
        ("service_type of 6 octets", &[0x15], Sm { service_type: digits(6), ..sm() }),
        ("source TON 7", &[0x48], Sm { source_kind: [7, 1], ..sm() }),
        ("source NPI 19", &[0x49], Sm { source_kind: [1, 19], ..sm() }),
        ("source of 21 octets", &[0x0A], Sm { source: digits(21), ..sm() }),
        ("destination TON 7", &[0x50], Sm { destination_kind: [7, 1], ..sm() }),
        ("destination NPI 19", &[0x51], Sm { destination_kind: [1, 19], ..sm() }),
        ("destination of 21 octets", &[0x0B], Sm { destination: digits(21), ..sm() }),
        ("priority 5", &[0x06], Sm { priority: 5, ..sm() }),
        ("schedule of 17 octets", &[0x61], Sm { schedule: digits(17), ..sm() }),
        ("schedule of 15 octets", &[0x61], Sm { schedule: digits(15), ..sm() }),
        ("validity of 17 octets", &[0x62], Sm { validity: digits(17), ..sm() }),
        ("validity in month 13", &[0x62], Sm { validity: b"261301000000000+".to_vec(), ..sm() }),
        ("replace_if_present 2", &[0x54], Sm { replace: 2, ..sm() }),
        // 3.4 ends at 254 octets, 5.0 at 255 (4.7.25): what is in doubt is taken.
        ("255 octets of text", &[0], Sm { text: vec![b'x'; 255], ..sm() }),
    ];
    for (case, statuses, sm) in cases {
        answered(&mut esme, case, &sm.submit(5), &refused(statuses));
    }
}

#[test]
fn a_message_may_be_cut_anywhere() {
    let node = node();
    let mut esme = session(&node);
    let body = Sm { tlvs: tlv(0x0204, 2, &[0, 1]), ..sm() }.body();
    let without_tlvs = sm().body().len();
    for octets in 0..body.len() {
        let case = format!("submit_sm body of {octets} of {} octets", body.len());
        // Whole up to the text: a message, without its TLV.
        let statuses: &[u32] = if octets == without_tlvs {
            &[0]
        } else {
            &[0x01, 0x02, 0x0A, 0x0B, 0x15, 0x61, 0x62, 0xC0, 0xC2]
        };
        answered(&mut esme, &case, &pdu(SUBMIT_SM, 5, &body[..octets]), &refused(statuses));
    }
}

#[test]
fn sm_length_may_lie() {
    let node = node();
    let mut esme = session(&node);
    for lie in (0..=u8::MAX).filter(|&lie| lie != 5) {
        let case = format!("sm_length {lie}, 5 octets present");
        let statuses: &[u32] = if lie > 5 { &[0x01] } else { &[0x01, 0xC0, 0xC2] };
        answered(&mut esme, &case, &Sm { sm_length: Some(lie), ..sm() }.submit(5), &refused(statuses));
    }
}

#[test]
fn a_tlv_length_may_lie() {
    let node = node();
    let mut esme = session(&node);
    for lie in [0, 1, 3, 4, 5, 6, 7, 255, 256, 32_767, 65_535] {
        let case = format!("TLV length {lie}, 2 octets present");
        let cut = Sm { tlvs: tlv(0x1401, lie, b"hi"), ..sm() }.submit(5);
        answered(&mut esme, &case, &cut, &refused(&[0xC0, 0xC2]));
    }
    // Lengths that are right, of values that are not: user_message_reference has two octets.
    for length in [0_u16, 1, 3, 20] {
        let value = vec![1; usize::from(length)];
        let odd = Sm { tlvs: tlv(0x0204, length, &value), ..sm() }.submit(5);
        let case = format!("user_message_reference of {length} octets");
        answered(&mut esme, &case, &odd, &refused(&[0, 0xC2, 0xC4]));
    }
}

#[test]
fn a_user_data_header_may_lie() {
    let node = node();
    let mut esme = session(&node);
    let cases: [(&str, &'static [u32], &[u8]); 6] = [
        ("UDH length 0xff", &[0x43], b"\xffhi"),
        ("no octet for the UDH length", &[0x43, 0x01], b""),
        ("element past the header", &[0x43], b"\x05\x00\x09\x01\x02\x01text"),
        ("concatenation, part 0 of 2", &[0, 0x43], b"\x05\x00\x03\x07\x02\x00text"),
        ("concatenation, part 3 of 2", &[0, 0x43], b"\x05\x00\x03\x07\x02\x03text"),
        ("concatenation, part 1 of 2", &[0], b"\x05\x00\x03\x07\x02\x01text"),
    ];
    for (case, statuses, text) in cases {
        let message = Sm { esm_class: 0x40, text: text.to_vec(), ..sm() };
        answered(&mut esme, case, &message.submit(5), &refused(statuses));
    }
}
