//! PDUs that no specification knows, and PDUs in the wrong state (2.3).

use std::time::Duration;

use super::super::esme::{Esme, Received};
use super::super::pdu::{self, Bind, GENERIC_NACK, RESP, Sm, pdu};
use super::{Node, answer, answered, node, session};

/// Every request of 3.4.
const REQUESTS: [u32; 14] = [
    pdu::BIND_RECEIVER,
    pdu::BIND_TRANSMITTER,
    pdu::QUERY_SM,
    pdu::SUBMIT_SM,
    pdu::DELIVER_SM,
    pdu::UNBIND,
    pdu::REPLACE_SM,
    pdu::CANCEL_SM,
    pdu::BIND_TRANSCEIVER,
    pdu::OUTBIND,
    pdu::ENQUIRE_LINK,
    pdu::SUBMIT_MULTI,
    pdu::ALERT_NOTIFICATION,
    pdu::DATA_SM,
];

#[test]
fn unknown_requests_are_nacked_and_unknown_responses_ignored() {
    let node = node();
    let mut esme = session(&node);
    let beyond = [0x111, 0x112, 0x113, 0x1_0000, 0x0001_0200, 0x7FFF_FFFF];
    for id in (0..=0x110).chain(beyond).filter(|id| !REQUESTS.contains(id)) {
        let nack = [answer(GENERIC_NACK, &[0x03], 5)];
        answered(&mut esme, &format!("request {id:#010x}"), &pdu(id, 5, b"whatever"), &nack);
        // 0x80000000 is generic_nack, which is never answered either.
        answered(&mut esme, &format!("response {:#010x}", id | RESP), &pdu(id | RESP, 5, b"whatever"), &[]);
    }
}

#[test]
fn responses_that_nobody_asked_for_are_ignored() {
    let node = node();
    let mut esme = session(&node);
    for id in REQUESTS {
        answered(&mut esme, &format!("response {:#010x}", id | RESP), &pdu(id | RESP, 5, b"id\0"), &[]);
    }
}

/// ESME_RINVBNDSTS for what the state does not allow, in the request's own response.
#[test]
fn each_state_has_its_requests() {
    let node = node();
    let message = Sm::new("15551234567", "hello").body();
    let transmitting = [
        (pdu::SUBMIT_SM, message.clone()),
        (pdu::DATA_SM, message.clone()),
        (pdu::QUERY_SM, pdu::c_octets(&[b"1"])),
        (pdu::CANCEL_SM, pdu::c_octets(&[b"1"])),
        (pdu::REPLACE_SM, pdu::c_octets(&[b"1"])),
        (pdu::SUBMIT_MULTI, message.clone()),
    ];
    for (state, mut esme) in [("open", Esme::connect(node.smpp())), ("bound_rx", receiver(&node))] {
        for (id, body) in &transmitting {
            let refused = [answer(id | RESP, &[0x04], 5)];
            answered(&mut esme, &format!("{id:#x} when {state}"), &pdu(*id, 5, body), &refused);
        }
    }
    let mut open = Esme::connect(node.smpp());
    let unbind = [answer(pdu::UNBIND | RESP, &[0x04], 5)];
    answered(&mut open, "unbind when open", &pdu(pdu::UNBIND, 5, &[]), &unbind);
    // An SMSC's requests are nobody's to send to us, in any state.
    for (state, mut esme) in sessions(&node) {
        let refused = [answer(pdu::DELIVER_SM | RESP, &[0x04], 5)];
        answered(
            &mut esme,
            &format!("deliver_sm when {state}"),
            &pdu(pdu::DELIVER_SM, 5, &message),
            &refused,
        );
        for id in [pdu::OUTBIND, pdu::ALERT_NOTIFICATION] {
            let nack = [answer(GENERIC_NACK, &[0x04], 5)];
            answered(&mut esme, &format!("{id:#x} when {state}"), &pdu(id, 5, b"a\0b\0"), &nack);
        }
    }
}

#[test]
fn a_transmitter_hears_no_receipts_and_a_second_bind_is_refused_in_any_mode() {
    let node = node();
    for (state, mut esme) in sessions(&node).into_iter().filter(|(state, _)| *state != "open") {
        for id in [pdu::BIND_RECEIVER, pdu::BIND_TRANSMITTER, pdu::BIND_TRANSCEIVER] {
            let again = Bind { id, ..Bind::transceiver("acme", "secret12") }.octets(8);
            let refused = [answer(id | RESP, &[0x05], 8)];
            answered(&mut esme, &format!("bind {id:#x} when {state}"), &again, &refused);
        }
        assert_eq!(esme.receive(Duration::from_millis(50)), Received::Nothing, "{state}");
    }
}

fn receiver(node: &Node) -> Esme {
    Esme::bound_as(node.smpp(), &Bind { id: pdu::BIND_RECEIVER, ..Bind::transceiver("acme", "secret12") })
}

fn sessions(node: &Node) -> [(&'static str, Esme); 4] {
    let bound = |id| Esme::bound_as(node.smpp(), &Bind { id, ..Bind::transceiver("acme", "secret12") });
    [
        ("open", Esme::connect(node.smpp())),
        ("bound_rx", bound(pdu::BIND_RECEIVER)),
        ("bound_tx", bound(pdu::BIND_TRANSMITTER)),
        ("bound_trx", bound(pdu::BIND_TRANSCEIVER)),
    ]
}
