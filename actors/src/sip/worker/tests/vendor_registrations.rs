//! Registrations of ours at vendors.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use runtime::config::HumanDuration;
use runtime::model::{VendorAccount, VendorRegister, Voice};
use sip::{Response, StatusCode};

use super::challenged::{REALM, accounts, asks, challenge, proof};
use super::*;
use crate::sip::registration::{Registration, Said};
use crate::sip::testing::{START, voice};
use crate::sip::transactions::Register;
use crate::sip::worker::Input;

/// The first vendor wants to know where we are.
fn registering(user: &str, domain: &str, required: bool) -> Voice {
    let mut voice = voice();
    let register = VendorRegister {
        user: user.to_owned(),
        domain: domain.to_owned(),
        expires: HumanDuration::from_secs(3600),
        required,
    };
    voice.vendors[0].account = Some(VendorAccount {
        username: "warp".to_owned(),
        realm: REALM.to_owned(),
        ha1_sealed: Vec::new(),
        register: Some(register),
    });
    voice
}

fn node(user: &str, domain: &str, required: bool) -> Node {
    Node::with_accounts(registering(user, domain, required), &accounts(), START)
}

fn registration(node: &Node) -> Arc<Registration> {
    node.snapshot().vendors[0].targets[0].registration.clone().unwrap()
}

/// The REGISTER that is sent now.
fn register(node: &mut Node, ends: bool) -> Option<Sent> {
    let (known, now) = (registration(node), node.now.instant);
    let due = if ends { known.end(now)? } else { known.begin(3600, now)? };
    let target = node.snapshot().vendors[0].targets[0].clone();
    let (address, transport) = (target.address, target.transport);
    let mut sent = node.handle(vec![Input::Register(Register { vendor: 1, address, transport, due })]);
    assert_eq!(words(&sent), ["REGISTER>198.51.100.1:5060"]);
    sent.pop()
}

fn answer(request: &Sent, code: u16, headers: &[(&str, &[u8])]) -> Bytes {
    let response = Response { to_tag: Some(b"r"), headers, ..Response::new(StatusCode::new(code).unwrap()) };
    let mut out = BytesMut::new();
    response.write(&request.message, &mut out).unwrap();
    out.freeze()
}

/// What a registrar says that has others beside us.
const CONTACTS: &[(&str, &[u8])] = &[
    ("Contact", b"<sip:warp@192.0.2.77>;expires=9999, <sip:other@203.0.113.5:5060>;expires=9999"),
    ("Contact", b"<sip:warp@203.0.113.5:5060>;expires=600"),
    ("Expires", b"7200"),
];

#[test]
fn who_we_are_and_where() {
    let mut node = node("", "", false);
    let first = register(&mut node, false).unwrap();
    let seen = first.text();
    assert!(seen.starts_with("REGISTER sip:198.51.100.1:5060 SIP/2.0\r\n"), "{seen}");
    assert_eq!(first.value(HeaderId::To), "<sip:warp@198.51.100.1>", "the host alone");
    assert!(first.value(HeaderId::From).starts_with("<sip:warp@198.51.100.1>;tag="), "{seen}");
    assert_eq!(first.value(HeaderId::Contact), "<sip:warp@203.0.113.5:5060>");
    assert_eq!(
        (first.value(HeaderId::Expires), first.value(HeaderId::CSeq)),
        ("3600".to_owned(), "1 REGISTER".to_owned())
    );
    assert!(!first.message.has(HeaderId::Authorization));

    let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks("n1")));
    assert_eq!(words(&sent), ["REGISTER>198.51.100.1:5060"]);
    assert_eq!(sent[0].value(HeaderId::CSeq), "2 REGISTER");
    assert_eq!(proof(&sent[0], HeaderId::Authorization), ("n1".to_owned(), 1));
    assert!(node.receive(VENDORS[0], answer(&sent[0], 200, CONTACTS)).is_empty());
    let known = registration(&node);
    assert_eq!(known.last(), Some(Said::Granted(600)), "what it has for us, and not for others");
    assert!(
        known.is_there(node.now.instant + 599 * SECOND) && !known.is_there(node.now.instant + 600 * SECOND)
    );

    assert_eq!(register(&mut node, false).map(|sent| sent.text()), None, "it is not time");
    node.pass(480 * SECOND);
    let second = register(&mut node, false).unwrap();
    assert_eq!(second.value(HeaderId::CallId), first.value(HeaderId::CallId));
    assert_eq!(second.value(HeaderId::From), first.value(HeaderId::From));
    assert_eq!(second.value(HeaderId::CSeq), "5 REGISTER");
    node.receive(VENDORS[0], answer(&second, 200, &[]));
    assert_eq!(known.last(), Some(Said::Granted(3600)), "a registrar that says nothing has it as asked");

    let end = register(&mut node, true).unwrap();
    assert_eq!(
        (end.value(HeaderId::Expires), end.value(HeaderId::Contact)),
        ("0".to_owned(), first.value(HeaderId::Contact))
    );
    node.receive(VENDORS[0], answer(&end, 200, &[]));
    assert!(!known.is_there(node.now.instant));
    node.settle();
}

#[test]
fn another_user_of_another_domain() {
    let mut node = node("+15550001000", "voice.example", false);
    let first = register(&mut node, false).unwrap();
    assert!(first.text().starts_with("REGISTER sip:voice.example SIP/2.0\r\n"), "{}", first.text());
    assert_eq!(first.value(HeaderId::To), "<sip:+15550001000@voice.example>");
    assert_eq!(first.value(HeaderId::Contact), "<sip:+15550001000@203.0.113.5:5060>");
    let mut voice = registering("", "", false);
    if let Some(account) = &mut voice.vendors[0].account {
        account.username = "me@home".to_owned();
    }
    let mut node = Node::with_accounts(voice, &accounts(), START);
    let first = register(&mut node, false).unwrap();
    assert_eq!(first.value(HeaderId::Contact), "<sip:me%40home@203.0.113.5:5060>");
}

/// Whether calls wait for it is the vendor's matter.
#[test]
fn calls_without_a_registration() {
    for (required, to) in [(false, VENDORS[0]), (true, VENDORS[1])] {
        let mut node = node("", "", required);
        let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
        assert_eq!(sent[1].to.to_string(), to, "{required}");
        let first = register(&mut node, false).unwrap();
        node.receive(VENDORS[0], answer(&first, 200, CONTACTS));
        let sent = node.receive(CUSTOMER, invite("b", "+15551234"));
        assert_eq!(sent[1].to.to_string(), VENDORS[0], "{required}");
        node.pass(600 * SECOND);
        let sent = node.receive(CUSTOMER, invite("c", "+15551234"));
        assert_eq!(sent[1].to.to_string(), to, "{required}: its time is over");
    }
}

#[test]
fn what_a_registrar_refuses() {
    type Row<'a> = (u16, &'a [(&'a str, &'a [u8])], Said);
    let table: [Row<'_>; 8] = [
        (200, &[("Contact", b"<sip:warp@192.0.2.77>;expires=600")], Said::Displaced),
        (200, &[("Contact", b"<sip:warp@192.0.2.77>"), ("Expires", b"600")], Said::Displaced),
        (423, &[("Min-Expires", b"7200")], Said::TooBrief(7200)),
        (423, &[], Said::Refused(423)),
        (423, &[("Min-Expires", b"soon")], Said::Refused(423)),
        (403, &[], Said::Refused(403)),
        (200, &[("Expires", b"0")], Said::Refused(200)),
        (503, &[], Said::Refused(503)),
    ];
    for (code, headers, expected) in table {
        let mut node = node("", "", false);
        let first = register(&mut node, false).unwrap();
        node.receive(VENDORS[0], answer(&first, code, headers));
        assert_eq!(registration(&node).last(), Some(expected), "{code}");
        assert!(!registration(&node).is_there(node.now.instant), "{code}");
        let again = register(&mut node, false).map(|sent| sent.value(HeaderId::Expires));
        assert_eq!(again.as_deref(), (expected == Said::TooBrief(7200)).then_some("7200"), "{code}");
    }
}

#[test]
fn a_challenge_of_somebody_else_is_a_refusal() {
    let mut node = node("", "", false);
    let first = register(&mut node, false).unwrap();
    assert!(node.receive(VENDORS[0], challenge(&first, 401, &asks("n1").replace(REALM, "other"))).is_empty());
    assert_eq!(registration(&node).last(), Some(Said::Refused(401)));
    node.pass(30 * SECOND);
    let first = register(&mut node, false).unwrap();
    let again = node.receive(VENDORS[0], challenge(&first, 407, &asks("n1"))).remove(0);
    assert!(node.receive(VENDORS[0], challenge(&again, 407, &asks("n2"))).is_empty());
    assert_eq!(registration(&node).last(), Some(Said::Refused(407)), "a wrong password");
}

#[test]
fn a_registrar_that_is_silent() {
    let mut node = node("", "", false);
    register(&mut node, false).unwrap();
    assert!(node.pass(33 * SECOND).iter().all(|sent| sent.word() == "REGISTER"));
    assert_eq!(registration(&node).last(), Some(Said::Silent));
    node.pass(30 * SECOND);
    let first = register(&mut node, false).unwrap();
    node.receive(VENDORS[0], answer(&first, 200, &[]));
    assert_eq!(registration(&node).last(), Some(Said::Granted(3600)));
    node.pass(2880 * SECOND);
    let renewal = register(&mut node, false).unwrap();
    assert!(node.undelivered(&renewal).is_empty());
    assert_eq!(registration(&node).last(), Some(Said::Silent), "a transport that fails");
}

/// Who is not able to take a REGISTER now takes no call either, as of OPTIONS; who refuses it may.
#[test]
fn the_health_of_a_registrar() {
    for (code, is_up) in [(503, false), (403, true)] {
        let mut node = node("", "", false);
        for _ in 0..3 {
            let first = register(&mut node, false).unwrap();
            node.receive(VENDORS[0], answer(&first, code, &[]));
            node.pass(120 * SECOND);
        }
        assert_eq!(node.snapshot().vendors[0].targets[0].health.is_up(), is_up, "{code}");
    }
}

/// What we cannot send is no silence of the vendor.
#[test]
fn a_registrar_that_we_have_no_listener_for() {
    let mut voice = registering("", "", false);
    voice.vendors[0].gateways = vec!["sip:198.51.100.1:5060;transport=tcp".parse().unwrap()];
    let mut node = Node::with_accounts(voice, &accounts(), START);
    let (known, target) = (registration(&node), node.snapshot().vendors[0].targets[0].clone());
    let (address, transport) = (target.address, target.transport);
    for _ in 0..3 {
        let due = known.begin(3600, node.now.instant).unwrap();
        let sent = node.handle(vec![Input::Register(Register { vendor: 1, address, transport, due })]);
        assert!(sent.is_empty());
        assert_eq!(known.last(), Some(Said::Silent));
        node.pass(120 * SECOND);
    }
    assert!(target.health.is_up());
}

/// What was asked for the user of before is not answered for with the account of the one now.
#[test]
fn a_challenge_to_the_user_of_before() {
    let mut node = node("", "", false);
    let first = register(&mut node, false).unwrap();
    node.configure_accounts(registering("+15550001000", "", false), &accounts());
    assert!(node.receive(VENDORS[0], challenge(&first, 401, &asks("n1"))).is_empty());
    assert!(!registration(&node).is_there(node.now.instant));
    let second = register(&mut node, false).unwrap();
    assert_eq!(second.value(HeaderId::To), "<sip:+15550001000@198.51.100.1>");
    node.receive(VENDORS[0], answer(&first, 200, &[]));
    assert!(!registration(&node).is_there(node.now.instant), "that of before");
    node.receive(VENDORS[0], answer(&second, 200, &[]));
    assert!(registration(&node).is_there(node.now.instant));
}

/// A gateway that calls wait for is no reason not to try the one before it, which is silent.
#[test]
fn the_last_gateway_that_may_have_the_call() {
    let mut voice = registering("", "", true);
    let account = voice.vendors[0].account.take();
    voice.vendors[1].account = account;
    voice.vendors.truncate(2);
    let mut node = Node::with(voice);
    let now = node.now.instant;
    (0..3).for_each(|_| node.snapshot().vendors[0].targets[0].health.silent(now));
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
    let sent = node.receive(VENDORS[0], response(&sent[1], 503, "x"));
    assert!(!words(&sent).iter().any(|word| word.starts_with("INVITE")), "{:?}", words(&sent));
}
