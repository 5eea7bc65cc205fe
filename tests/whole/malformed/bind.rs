//! Binds that are wrong, and strangers.

use std::time::{Duration, Instant};

use super::super::esme::{ANSWER, Esme, Received};
use super::super::pdu::{BIND_TRANSCEIVER, Bind, ENQUIRE_LINK, RESP, SUBMIT_SM, Sm, pdu};
use super::super::wait;
use super::{answer, answered, node, session};

/// Tries of each kind of stranger; the quickest counts.
const TRIES: usize = 7;
/// Difference allowed between the quickest refusals of two kinds, beside the quarter.
const NOISE: Duration = Duration::from_millis(15);

#[test]
fn fields_of_a_bind_have_limits() {
    let node = node();
    let bind = || Bind::transceiver("acme", "secret12");
    let cases: [(&str, &'static [u32], Bind); 4] = [
        ("system_id of 40 octets", &[0x0F], Bind { system_id: vec![b'a'; 40], ..bind() }),
        ("password of 9 octets", &[0x0E], Bind { password: b"secret123".to_vec(), ..bind() }),
        ("system_type of 13 octets", &[0x53], Bind { system_type: vec![b't'; 13], ..bind() }),
        ("address_range of 41 octets", &[0x0D], Bind { address_range: vec![b'1'; 41], ..bind() }),
    ];
    for (case, statuses, bind) in cases {
        let mut esme = Esme::connect(node.smpp());
        answer(BIND_TRANSCEIVER | RESP, statuses, 3).check(case, &esme.request(&bind.octets(3)));
    }
    session(&node).assert_alive("a right bind after wrong ones");
}

#[test]
fn a_bind_may_be_cut_anywhere() {
    let node = node();
    let body = Bind::transceiver("acme", "secret12").body();
    for octets in 0..body.len() {
        let case = format!("bind body of {octets} octets");
        let mut esme = Esme::connect(node.smpp());
        let refused = esme.request(&pdu(BIND_TRANSCEIVER, 1, &body[..octets]));
        assert_eq!((refused.id, refused.sequence), (BIND_TRANSCEIVER | RESP, 1), "{case}");
        assert_ne!(refused.status, 0, "{case}");
    }
}

#[test]
fn other_versions_and_second_binds() {
    let node = node();
    for interface_version in [0x00, 0x33, 0x34, 0x50] {
        let bind = Bind { interface_version, ..Bind::transceiver("acme", "secret12") };
        Esme::bound_as(node.smpp(), &bind).assert_alive("interface_version");
    }
    let again = Bind::transceiver("acme", "secret12").octets(7);
    let refused = [answer(BIND_TRANSCEIVER | RESP, &[0x05], 7)];
    answered(&mut session(&node), "second bind on one connection", &again, &refused);
}

#[test]
fn before_the_bind() {
    let node = node();
    let mut esme = Esme::connect(node.smpp());
    let link = [answer(ENQUIRE_LINK | RESP, &[0], 5)];
    answered(&mut esme, "enquire_link before bind", &pdu(ENQUIRE_LINK, 5, &[]), &link);
    let refused = [answer(SUBMIT_SM | RESP, &[0x04], 2)];
    answered(&mut esme, "submit_sm before bind", &Sm::new("1555", "x").submit(2), &refused);
    let bound = esme.request(&Bind::transceiver("acme", "secret12").octets(9));
    assert_eq!((bound.status, bound.sequence), (0, 9), "the same connection may bind");
}

#[test]
fn strangers_get_one_answer_in_one_time() {
    let node = node();
    let strangers = [
        ("wrong password", "acme", "wrong123"),
        ("empty password", "acme", ""),
        ("unknown system_id", "nobody", "secret12"),
        ("foreign address", "fenced", "secret12"),
    ];
    let mut quickest = [Duration::MAX; 4];
    let mut answers = Vec::new();
    for _ in 0..TRIES {
        for (at, (_, system_id, password)) in strangers.iter().enumerate() {
            let mut esme = Esme::connect(node.smpp());
            let asked = Instant::now();
            let refused = esme.request(&Bind::transceiver(system_id, password).octets(1));
            quickest[at] = quickest[at].min(asked.elapsed());
            // Whether the connection stays open must not tell them apart either.
            let then = esme.receive(Duration::from_millis(300));
            answers.push((refused, then));
        }
    }
    assert_eq!((answers[0].0.id, answers[0].0.status), (BIND_TRANSCEIVER | RESP, 0x0E), "ESME_RINVPASWD");
    for (at, found) in answers.iter().enumerate() {
        assert_eq!(*found, answers[0], "{}", strangers[at % strangers.len()].0);
    }
    let (least, most) = (quickest.iter().min().unwrap(), quickest.iter().max().unwrap());
    let times: Vec<_> = strangers.iter().map(|stranger| stranger.0).zip(quickest).collect();
    // A way around the slow hash would show as a hundredth of the time; a busy machine does not.
    assert!(*most <= *least * 3 + NOISE, "time tells them apart: {times:?}");
}

#[test]
fn nobody_stays_unbound() {
    let node = super::super::process::Node::new(&super::Setup {
        smpp: "session_init = \"1s\"\nunbound_per_ip_max = 5\n".to_owned(),
        provision: super::PROVISION.to_owned(),
        ..super::Setup::default()
    });
    let mut silent: Vec<Esme> = (0..5).map(|_| Esme::connect(node.smpp())).collect();
    // The sixth is turned away before it can cost anything, the others when their time is over.
    let mut sixth = Esme::connect(node.smpp());
    assert_eq!(sixth.receive(Duration::from_millis(800)), Received::Closed, "one too many from this address");
    for esme in &mut silent {
        esme.assert_closed("session_init is over", ANSWER);
    }
    // Their places are free again.
    wait::until("a bind succeeds", ANSWER, || Esme::try_bound(node.smpp(), "acme", "secret12"));
    let quiet = pdu(ENQUIRE_LINK, 1, &[]);
    let mut restless = Esme::connect(node.smpp());
    wait::until("enquire_link does not stand for a bind", ANSWER, || {
        (restless.try_send(&quiet).is_err()
            || restless.receive(Duration::from_millis(100)) == Received::Closed)
            .then_some(())
    });
}
