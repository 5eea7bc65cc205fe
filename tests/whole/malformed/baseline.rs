//! The inputs on which other gateways were measured, each with the answer that the specification asks for.
//! Binds and lengths of the same list stand in their own files.

use super::super::pdu::{self, ENQUIRE_LINK, GENERIC_NACK, RESP, SUBMIT_SM, Sm, pdu, raw, tlv};
use super::{Answer, answer, answered, node, session};

struct Case {
    name: &'static str,
    octets: Vec<u8>,
    answers: Vec<Answer>,
}

#[test]
fn a_bad_message_costs_one_response() {
    let node = node();
    let mut esme = session(&node);
    for case in submits().into_iter().chain(others()) {
        answered(&mut esme, case.name, &case.octets, &case.answers);
    }
}

#[test]
fn octets_one_by_one_and_in_lumps() {
    let node = node();
    let mut esme = session(&node);
    for octet in pdu(ENQUIRE_LINK, 5, &[]) {
        esme.send(&[octet]);
    }
    answered(&mut esme, "split in 1-octet segments", &[], &[answer(ENQUIRE_LINK | RESP, &[0], 5)]);
    let third = pdu(ENQUIRE_LINK, 7, &[]);
    let lump = [pdu(ENQUIRE_LINK, 5, &[]), pdu(ENQUIRE_LINK, 6, &[]), third[..8].to_vec()].concat();
    esme.send(&lump);
    for sequence in [5, 6] {
        answer(ENQUIRE_LINK | RESP, &[0], sequence).check("two and a half", &esme.expect());
    }
    answered(&mut esme, "the rest of the third", &third[8..], &[answer(ENQUIRE_LINK | RESP, &[0], 7)]);
}

#[test]
fn unbind_ends_the_session() {
    let node = node();
    let mut esme = session(&node);
    let both = [pdu(pdu::UNBIND, 5, &[]), Sm::new("15551234567", "late").submit(6)].concat();
    answer(pdu::UNBIND | RESP, &[0], 5).check("unbind", &esme.request(&both));
    // The late message may be refused or left unanswered, but never accepted.
    let mut after = esme.receive(super::super::esme::ANSWER);
    if let super::Received::Pdu(late) = after {
        answer(SUBMIT_SM | RESP, &[0x04], 6).check("after unbind", &late);
        after = esme.receive(super::super::esme::ANSWER);
    }
    assert_eq!(after, super::Received::Closed, "after unbind");
    assert!((node.metric("smpp_server_submit_sm_total") - 0.0).abs() < 0.5, "nothing was accepted");
}

fn submits() -> Vec<Case> {
    let sm = || Sm::new("15551234567", "hello");
    let submit = |name, statuses, sm: Sm| Case {
        name,
        octets: sm.submit(5),
        answers: vec![answer(SUBMIT_SM | RESP, statuses, 5)],
    };
    let no_nul = Case {
        name: "no NUL in any C-octet string",
        octets: pdu(SUBMIT_SM, 5, &[b'A'; 60]),
        answers: vec![answer(SUBMIT_SM | RESP, &[0x15], 5)],
    };
    let empty = Case {
        name: "submit_sm without a body",
        octets: pdu(SUBMIT_SM, 5, &[]),
        answers: vec![answer(SUBMIT_SM | RESP, &[0x02], 5)],
    };
    vec![
        empty,
        no_nul,
        submit("sm_length 200, 5 octets present", &[0x01], Sm { sm_length: Some(200), ..sm() }),
        submit("sm_length 3, 5 octets present", &[0x01, 0xC0], Sm { sm_length: Some(3), ..sm() }),
        submit("TLV length past the end", &[0xC0, 0xC2], Sm { tlvs: tlv(0x0204, 200, &[0, 1]), ..sm() }),
        submit("text in both places", &[0xC1], Sm { tlvs: tlv(0x0424, 2, b"hi"), ..sm() }),
        submit("unknown TLV 0x1401", &[0], Sm { tlvs: tlv(0x1401, 2, b"hi"), ..sm() }),
        submit("destination of 30 digits", &[0x0B], Sm { destination: vec![b'1'; 30], ..sm() }),
        submit("no destination", &[0x0B], Sm { destination: Vec::new(), ..sm() }),
        submit("schedule_delivery_time garbage", &[0x61], Sm { schedule: b"garbage".to_vec(), ..sm() }),
        submit("data_coding 0xff", &[0, 0x104], Sm { data_coding: 0xFF, ..sm() }),
        submit("source TON 0xff", &[0x48], Sm { source_kind: [0xFF, 1], ..sm() }),
        submit(
            "UDHI set, UDH length past the message",
            &[0x43],
            Sm { esm_class: 0x40, text: b"\x20abc".to_vec(), ..sm() },
        ),
        submit("254 octets of text", &[0], Sm { text: vec![b'x'; 254], ..sm() }),
    ]
}

fn others() -> Vec<Case> {
    let silent = |name, octets| Case { name, octets, answers: Vec::new() };
    let one = |name, octets, id, statuses, sequence| Case {
        name,
        octets,
        answers: vec![answer(id, statuses, sequence)],
    };
    let link = ENQUIRE_LINK | RESP;
    let number = [1, 1, b'1', b'5', 0];
    let query = [b"00000000000000ff\0".as_slice(), &number].concat();
    let cancel = [b"\0".as_slice(), &query, &number].concat();
    let deliver = pdu(pdu::DELIVER_SM, 5, &Sm::new("15551234567", "hello").body());
    let data = data_sm_body();
    vec![
        one("unknown command_id 0x99", pdu(0x99, 5, &[]), GENERIC_NACK, &[0x03], 5),
        silent("unknown response 0x80000099", pdu(0x8000_0099, 5, &[])),
        one("enquire_link, sequence 0", pdu(ENQUIRE_LINK, 0, &[]), link, &[0], 0),
        one("enquire_link, sequence 0xffffffff", pdu(ENQUIRE_LINK, u32::MAX, &[]), link, &[0], u32::MAX),
        one("enquire_link with a body", pdu(ENQUIRE_LINK, 5, b"body"), link, &[0], 5),
        one("enquire_link with a status", raw(16, [ENQUIRE_LINK, 8, 5], &[]), link, &[0], 5),
        silent("unsolicited submit_sm_resp", pdu(SUBMIT_SM | RESP, 5, b"id\0")),
        silent("generic_nack", raw(16, [GENERIC_NACK, 3, 5], &[])),
        one("deliver_sm from the ESME", deliver, pdu::DELIVER_SM | RESP, &[0x04], 5),
        one("query_sm, unknown id", pdu(pdu::QUERY_SM, 5, &query), pdu::QUERY_SM | RESP, &[0x0C, 0x67], 5),
        one(
            "cancel_sm, unknown id",
            pdu(pdu::CANCEL_SM, 5, &cancel),
            pdu::CANCEL_SM | RESP,
            &[0x0C, 0x11],
            5,
        ),
        one("data_sm", pdu(pdu::DATA_SM, 5, &data), pdu::DATA_SM | RESP, &[0], 5),
    ]
}

/// A valid data_sm with its text in message_payload (4.7.1).
fn data_sm_body() -> Vec<u8> {
    let addresses = [pdu::c_octets(&[b""]), vec![1, 1], pdu::c_octets(&[b"15550001111"])].concat();
    let destination = [vec![1, 1], pdu::c_octets(&[b"15551234567"])].concat();
    [addresses, destination, vec![0, 0, 0], tlv(0x0424, 5, b"hello")].concat()
}
