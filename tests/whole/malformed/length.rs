//! command_length, the one field whose lies end a session: generic_nack, then the connection is closed.

use std::time::{Duration, Instant};

use super::super::esme::{ANSWER, Esme, Received};
use super::super::pdu::{ENQUIRE_LINK, GENERIC_NACK, RESP, raw};
use super::super::wait;
use super::{PARTIAL_PDU, node, session};

/// ESME_RINVCMDLEN.
const RINVCMDLEN: u32 = 0x02;

#[test]
fn a_length_that_cannot_be_ends_the_session() {
    let node = node();
    let small = 0..16_usize;
    let large = [65_537, 100_000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];
    for length in small.chain(large) {
        for bound in [true, false] {
            let case = format!("command_length {length}, bound: {bound}");
            let mut esme = if bound { session(&node) } else { Esme::connect(node.smpp()) };
            esme.send(&raw(length, [ENQUIRE_LINK, 0, 77], &[]));
            let nack = esme.expect();
            assert_eq!((nack.id, nack.status), (GENERIC_NACK, RINVCMDLEN), "{case}");
            assert!([0, 77].contains(&nack.sequence), "{case}: sequence {}", nack.sequence);
            esme.assert_closed(&case, ANSWER);
        }
    }
}

#[test]
fn a_large_length_is_judged_before_its_octets_come() {
    let node = node();
    let mut esme = session(&node);
    esme.send(&0x7FFF_FFFF_u32.to_be_bytes());
    let nack = esme.expect();
    assert_eq!((nack.id, nack.status, nack.sequence), (GENERIC_NACK, RINVCMDLEN, 0));
    esme.assert_closed("four octets of command_length", ANSWER);
    let mut esme = session(&node);
    let octets = raw(100_000, [ENQUIRE_LINK, 0, 5], &vec![0; 100_000 - 16]);
    // The node may close before it has taken them all.
    let _ = esme.try_send(&octets);
    match esme.receive(ANSWER) {
        Received::Pdu(nack) => assert_eq!((nack.id, nack.status), (GENERIC_NACK, RINVCMDLEN)),
        Received::Closed => {}
        Received::Nothing => panic!("100,000 octets and no answer"),
    }
}

#[test]
fn the_longest_pdu_passes() {
    let node = node();
    let mut esme = session(&node);
    esme.send(&raw(65_536, [ENQUIRE_LINK, 0, 5], &vec![0; 65_536 - 16]));
    let link = esme.expect();
    assert_eq!((link.id, link.status, link.sequence), (ENQUIRE_LINK | RESP, 0, 5));
    esme.assert_alive("a PDU of the greatest length");
}

#[test]
fn another_protocol_is_turned_away() {
    let node = node();
    for greeting in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
    {
        let mut esme = Esme::connect(node.smpp());
        esme.send(greeting);
        let nack = esme.expect();
        assert_eq!((nack.id, nack.status), (GENERIC_NACK, RINVCMDLEN), "{}", greeting.escape_ascii());
        esme.assert_closed("another protocol", ANSWER);
    }
}

#[test]
fn a_pdu_that_never_ends_is_given_up() {
    let node = node();
    let mut esme = session(&node);
    let started = Instant::now();
    esme.send(&raw(64, [ENQUIRE_LINK, 0, 5], &[0; 4]));
    closed_after_at_most_a_nack(&mut esme, "20 of 64 octets, then silence");
    assert!(started.elapsed() >= PARTIAL_PDU, "the peer had its time");

    // The time runs from the first octet: a drip does not start it again.
    let mut esme = session(&node);
    let mut drip = raw(64, [ENQUIRE_LINK, 0, 5], &[0; 48]).into_iter();
    wait::until("a dripping peer is given up", ANSWER, || {
        let gone = esme.try_send(&[drip.next().unwrap_or(0)]).is_err();
        let heard = esme.receive(Duration::from_millis(100));
        (gone || heard == Received::Closed).then_some(())
    });
    assert!(drip.len() > 16, "given up long before its last octet, {} left", drip.len());
}

#[test]
fn a_peer_that_goes_away_in_a_pdu_is_forgotten() {
    let node = node();
    for octets in 1..16 {
        let mut esme = session(&node);
        esme.send(&raw(16, [ENQUIRE_LINK, 0, 5], &[])[..octets]);
        esme.finish_sending();
        closed_after_at_most_a_nack(&mut esme, &format!("{octets} octets, then the end"));
    }
    wait::until("no session is left", ANSWER, || {
        (node.metric("smpp_server_active_sessions_total") < 0.5).then_some(())
    });
}

#[track_caller]
fn closed_after_at_most_a_nack(esme: &mut Esme, case: &str) {
    let mut heard = esme.receive(ANSWER);
    if let Received::Pdu(nack) = &heard {
        assert_eq!(nack.id, GENERIC_NACK, "{case}: {nack:?}");
        heard = esme.receive(ANSWER);
    }
    assert_eq!(heard, Received::Closed, "{case}");
}
