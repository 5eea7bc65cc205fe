use std::sync::Arc;

use runtime::model::{AuthType, Transport, Voice};
use sip::{Limits, Message};
use uuid::Uuid;

use super::digest::{ROAMING, Says, users, with};
use super::*;
use crate::sip::bindings::Binding;
use crate::sip::flow::Flow;
use crate::sip::registrar::{Asker, Outcome, Told};
use crate::sip::worker::Input;

/// The trunk that registers.
pub(super) const ACME: Uuid = Uuid::from_u128(60);
/// Behind a NAT: nobody else reaches it there.
pub(super) const HIDDEN: &str = "Contact: <sip:acme@10.0.0.7:5060>\r\n";

/// The configuration in which our number is the trunk's that registers, with or without a gateway.
pub(super) fn configuration(gateway: bool) -> Voice {
    let mut voice = with(AuthType::Digest);
    voice.dids[0].trunk = Some(ACME);
    if !gateway {
        voice.trunks[1].gateways.clear();
    }
    voice
}

pub(super) fn node(gateway: bool) -> Node {
    let voice = configuration(gateway);
    let users = users(&voice);
    Node::with_digests_over(voice, users, 2)
}

pub(super) fn udp(from: &str) -> Flow {
    Flow { listener: 0, transport: Transport::Udp, peer: from.parse().unwrap(), connection: 0 }
}

pub(super) fn tcp(from: &str, connection: u64) -> Flow {
    Flow { listener: 1, transport: Transport::Tcp, peer: from.parse().unwrap(), connection }
}

fn request(flow: Flow, (call, cseq): (&str, u32), headers: &str) -> String {
    let peer = flow.peer;
    format!(
        "REGISTER sip:203.0.113.5 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {peer};branch=z9hG4bK-{call}-{cseq};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:acme@warp.example>;tag=from-{call}\r\n\
         To: <sip:acme@warp.example>\r\n\
         Call-ID: {call}@{}\r\n\
         CSeq: {cseq} REGISTER\r\n\
         {headers}Content-Length: 0\r\n\r\n",
        peer.ip()
    )
}

fn deliver(node: &mut Node, flow: Flow, request: &str) -> Vec<Sent> {
    let message = Message::parse_datagram(request.to_owned().into(), &Limits::default()).unwrap();
    node.handle(vec![Input::Message(flow, message)])
}

/// A REGISTER that says who it is: the one with the next CSeq.
fn right(node: &mut Node, flow: Flow, (call, cseq): (&str, u32), headers: &str) -> String {
    let asked = deliver(node, flow, &request(flow, (call, cseq), headers));
    assert_eq!(asked[0].word(), "401", "{}", asked[0].text());
    let says = Says::right("sip:203.0.113.5").to(&asked[0], "REGISTER");
    request(flow, (call, cseq + 1), headers).replacen("Content-Length:", &format!("{says}Content-Length:"), 1)
}

/// Registers; the answer.
pub(super) fn register(node: &mut Node, flow: Flow, number: (&str, u32), headers: &str) -> Sent {
    let request = right(node, flow, number, headers);
    let mut sent = deliver(node, flow, &request);
    sent.append(&mut node.registrar());
    assert_eq!(sent.len(), 1, "{:?}", words(&sent));
    assert_eq!(sent[0].to, flow.peer);
    sent.remove(0)
}

fn contacts(answer: &Sent) -> Vec<String> {
    assert_eq!(answer.word(), "200", "{}", answer.text());
    answer.message.list(HeaderId::Contact).map(text).collect()
}

/// A vendor calls our number; what is sent, without the 100.
pub(super) fn called(node: &mut Node, call: &str) -> Vec<Sent> {
    let inbound = invite(call, "+15550100").replace("192.0.2.10", "198.51.100.2");
    let mut sent = node.receive(VENDORS[1], inbound);
    assert_eq!(words(&sent[..1]), ["100>198.51.100.2:5060"]);
    sent.remove(0);
    sent
}

fn last_invite(sent: &[Sent]) -> Sent {
    let found = sent.iter().rfind(|sent| sent.word() == "INVITE");
    found.unwrap_or_else(|| panic!("no INVITE among {:?}", words(sent))).clone()
}

#[test]
fn bindings_are_listed_until_their_time() {
    let mut node = node(false);
    let roaming = udp(ROAMING);
    let answer = register(&mut node, roaming, ("a", 1), "Contact: <sip:acme@10.0.0.7>;expires=600\r\n");
    assert_eq!(contacts(&answer), ["<sip:acme@10.0.0.7>;expires=600"]);
    assert_eq!(answer.value(HeaderId::Date), "Mon, 21 Sep 2026 14:13:20 GMT");
    assert!(!answer.message.has(HeaderId::Path) && answer.value(HeaderId::To).contains(";tag="));
    node.pass(60 * SECOND);
    assert_eq!(contacts(&register(&mut node, roaming, ("b", 1), "")), ["<sip:acme@10.0.0.7>;expires=540"]);
    let more = "Contact: <sip:acme@10.0.0.8>;q=0.5\r\nExpires: 120\r\n";
    let answer = register(&mut node, roaming, ("c", 1), more);
    assert_eq!(
        contacts(&answer),
        ["<sip:acme@10.0.0.7>;expires=540", "<sip:acme@10.0.0.8>;expires=120;q=0.500"]
    );
    node.pass(120 * SECOND);
    assert_eq!(contacts(&register(&mut node, roaming, ("d", 1), "")), ["<sip:acme@10.0.0.7>;expires=420"]);
    let gone = register(&mut node, roaming, ("e", 1), "Contact: *\r\nExpires: 0\r\n");
    assert!(contacts(&gone).is_empty(), "{}", gone.text());
    assert!(node.bindings.of(ACME, node.now.wall).is_empty());
    assert_eq!((node.counters.registers.get(), node.counters.registers_refused.get()), (5, 0));
    node.settle();
}

#[test]
fn what_is_refused() {
    let many = "Contact: <sip:1@b>, <sip:2@b>, <sip:3@b>, <sip:4@b>, <sip:5@b>, <sip:6@b>, <sip:7@b>, <sip:8@b>, \
                <sip:9@b>, <sip:10@b>, <sip:11@b>\r\n";
    let brief = "Contact: <sip:acme@10.0.0.7>;expires=10\r\n";
    let table = [
        (brief, "SIP/2.0 423 Interval Too Brief\r\n", "Min-Expires: 60\r\n"),
        ("Contact: *\r\n", "SIP/2.0 400 Wildcard Contact Is Not Alone Or Expires Is Not 0\r\n", ""),
        ("Contact: <tel:+15550100>\r\n", "SIP/2.0 400 Contact Is No SIP URI\r\n", ""),
        ("Path: <sip:p>\r\n", "SIP/2.0 400 Malformed Path Header\r\n", ""),
        (many, "SIP/2.0 403 Too Many Contacts\r\n", ""),
        ("Require: path, outbound\r\n", "SIP/2.0 420 Bad Extension\r\n", "Unsupported: outbound\r\n"),
    ];
    for (headers, line, header) in table {
        let mut node = node(false);
        let request = right(&mut node, udp(ROAMING), ("a", 1), headers);
        let mut sent = deliver(&mut node, udp(ROAMING), &request);
        sent.append(&mut node.registrar());
        let answer = sent.remove(0).text();
        assert!(answer.starts_with(line) && answer.contains(header), "{answer}");
        let again = deliver(&mut node, udp(ROAMING), &request);
        assert_eq!(again[0].text(), answer, "sent again, answered again");
        assert_eq!((node.counters.registers.get(), node.counters.registers_refused.get()), (1, 1));
        assert!(node.bindings.of(ACME, node.now.wall).is_empty());
        node.settle();
    }
}

/// Who renews nothing but registers all the time takes nobody's room.
#[test]
fn registrations_per_second() {
    let mut node = node(false);
    let rate = 20;
    for at in 0..rate {
        let request = right(&mut node, udp(ROAMING), (&format!("a{at}"), 1), "");
        assert!(deliver(&mut node, udp(ROAMING), &request).is_empty());
    }
    let request = right(&mut node, udp(ROAMING), ("b", 1), HIDDEN);
    for _ in 0..2 {
        let sent = deliver(&mut node, udp(ROAMING), &request);
        assert_eq!(words(&sent), [format!("503>{ROAMING}")]);
        assert!(sent[0].text().contains("\r\nRetry-After: 5\r\n"), "{}", sent[0].text());
    }
    assert_eq!((node.registering.len(), node.worker.transactions()), (rate, rate), "it is without state");
    assert_eq!(node.registrar().len(), rate);
    node.pass(SECOND);
    let mut sent = deliver(&mut node, udp(ROAMING), &request);
    sent.append(&mut node.registrar());
    assert_eq!(words(&sent), [format!("200>{ROAMING}")], "what was refused had not counted");
    node.settle();
}

/// A REGISTER is new work as an INVITE is.
#[test]
fn without_room_nobody_registers() {
    let mut node = node(false);
    let request = right(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
    node.worker.take_calls(false);
    assert_eq!(words(&deliver(&mut node, udp(ROAMING), &request)), [format!("503>{ROAMING}")]);
    assert!(node.registering.is_empty() && node.worker.is_empty());
    node.worker.take_calls(true);
    let mut sent = deliver(&mut node, udp(ROAMING), &request);
    sent.append(&mut node.registrar());
    assert_eq!(words(&sent), [format!("200>{ROAMING}")]);
}

#[test]
fn a_suspended_customer_registers_nothing() {
    let mut voice = configuration(false);
    voice.customers[0].status = "SUSPENDED".to_owned();
    let users = users(&voice);
    let mut node = Node::with_digests_over(voice, users, 2);
    let request = right(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
    assert_eq!(words(&deliver(&mut node, udp(ROAMING), &request)), [format!("403>{ROAMING}")]);
    assert!(node.registering.is_empty());
    node.settle();
}

#[test]
fn a_large_one_is_answered() {
    let mut node = node(false);
    let flow = tcp("203.0.113.99:40112", 77);
    let body = "x".repeat(70_000);
    let long = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let request = right(&mut node, flow, ("a", 1), HIDDEN).replace("Content-Length: 0\r\n\r\n", &long);
    let limits = Limits { message: 1 << 20, ..Limits::default() };
    let message = Message::parse_datagram(request.into(), &limits).unwrap();
    assert!(node.handle(vec![Input::Message(flow, message)]).is_empty());
    assert_eq!(words(&node.registrar()), ["200>203.0.113.99:40112"]);
    node.settle();
}

/// A trunk registers its own username, and nobody else's.
#[test]
fn an_address_of_record_is_its_owners() {
    for (to, expected) in [
        ("<sip:acme@warp.example>", "200"),
        ("<sip:ACME@warp.example>", "403"),
        ("<sips:%61cme@another.example:5061>;x=y", "200"),
        ("<sip:other@warp.example>", "403"),
        ("<sip:warp.example>", "403"),
        ("<tel:+15550100>", "403"),
    ] {
        let mut node = node(false);
        let request = right(&mut node, udp(ROAMING), ("a", 1), HIDDEN)
            .replace("To: <sip:acme@warp.example>", &format!("To: {to}"));
        let mut sent = deliver(&mut node, udp(ROAMING), &request);
        sent.append(&mut node.registrar());
        assert_eq!(words(&sent), [format!("{expected}>{ROAMING}")], "{to}");
        let bound = usize::from(expected == "200");
        assert_eq!(node.bindings.of(ACME, node.now.wall).len(), bound, "{to}");
    }
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let mut node = node(false);
    let roaming = udp(ROAMING);
    let request = right(&mut node, roaming, ("a", 1), HIDDEN);
    assert!(deliver(&mut node, roaming, &request).is_empty());
    assert!(deliver(&mut node, roaming, &request).is_empty(), "what comes again is absorbed");
    assert_eq!(node.registering.len(), 1);
    let asker = node.registering[0].asker;
    // To another incarnation of the worker, or of a transaction that is no more.
    for other in [Asker { incarnation: !asker.incarnation, ..asker }, Asker { transaction: 7, ..asker }] {
        let told = Told { asker: other, outcome: Outcome::Failed };
        assert!(node.handle(vec![Input::Registered(told)]).is_empty());
    }
    let sent = node.registrar();
    assert_eq!(words(&sent), [format!("200>{ROAMING}")]);
    let again = deliver(&mut node, roaming, &request);
    assert_eq!(again[0].text(), sent[0].text());
    // Told a second time, as by a registrar that began anew.
    let told = Told { asker, outcome: Outcome::Failed };
    assert!(node.handle(vec![Input::Registered(told)]).is_empty());

    let request = right(&mut node, roaming, ("b", 1), HIDDEN);
    assert!(deliver(&mut node, roaming, &request).is_empty());
    let asker = node.registering.remove(0).asker;
    let sent = node.handle(vec![Input::Registered(Told { asker, outcome: Outcome::Failed })]);
    assert_eq!(words(&sent), [format!("503>{ROAMING}")]);
    assert_eq!(node.counters.registers_refused.get(), 1);
    node.settle();
}

#[test]
fn a_call_behind_a_nat() {
    let mut node = node(true);
    let path = "Path: <sip:edge2.example;lr>, <sip:edge1.example;lr>\r\nSupported: path\r\n";
    let answer = register(&mut node, udp(ROAMING), ("a", 1), &format!("{HIDDEN}{path}"));
    let listed: Vec<_> = answer.message.list(HeaderId::Path).map(text).collect();
    assert_eq!(listed, ["<sip:edge2.example;lr>", "<sip:edge1.example;lr>"], "RFC 3327, 5.3");
    let sent = called(&mut node, "in");
    assert_eq!(words(&sent), [format!("INVITE>{ROAMING}")], "where it registered from");
    let invite = &sent[0];
    let seen = invite.text();
    assert!(seen.starts_with("INVITE sip:acme@10.0.0.7:5060 SIP/2.0\r\n"), "{seen}");
    let routes: Vec<_> = invite.message.list(HeaderId::Route).map(text).collect();
    assert_eq!(routes, listed);
    assert!(seen.contains("P-Called-Party-ID: <sip:+15550100@203.0.113.5:5060>\r\n"), "{seen}");
    assert!(seen.contains("To: <sip:+15550100@203.0.113.5>\r\n"), "{seen}");

    let sent = node.receive(ROAMING, response(invite, 200, "phone"));
    assert_eq!(words(&sent), ["200>198.51.100.2:5060"]);
    assert_eq!(node.happened(), ["started", "attempt 2 200", "answered"]);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&sent[0]);
    assert_eq!(words(&node.receive(VENDORS[1], ack)), [format!("ACK>{ROAMING}")]);
    let bye = Within { method: "BYE", cseq: 1, branch: "bye" }.callee(invite, "phone");
    let bye = node.receive(ROAMING, bye);
    assert_eq!(words(&bye), ["BYE>198.51.100.2:5060"], "who it is was said when it registered");
    node.receive(VENDORS[1], response(&bye[0], 200, "x"));
    assert_eq!(node.happened(), ["ended 200 answered Some(Callee)"]);
    node.settle();
}

/// Who was called before is told with the contact that is called now.
#[test]
fn a_contact_is_the_last_of_its_history() {
    let mut voice = configuration(false);
    (voice.trunks[1].trusted, voice.vendors[1].trusted) = (true, true);
    voice.trunks[1].identity.diversions = runtime::model::Diversions::HistoryInfo;
    let users = users(&voice);
    let mut node = Node::with_digests_over(voice, users, 2);
    register(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
    let diversion = "Diversion: <sip:+15550002@198.51.100.2>;reason=user-busy\r\nContent-Type:";
    let inbound = invite("in", "+15550100").replace("192.0.2.10", "198.51.100.2");
    let sent = node.receive(VENDORS[1], inbound.replace("Content-Type:", diversion));
    let called = last_invite(&sent);
    let history = called.message.list(HeaderId::HistoryInfo).last().map(text);
    assert_eq!(history.as_deref(), Some("<sip:acme@10.0.0.7:5060;cause=486>;index=1.1;mp=1"));
}

/// One after the other: by preference, of equal ones the youngest, and on after every refusal but 6xx.
#[test]
fn contacts_in_their_order() {
    let [low, old, new] = ["203.0.113.71:5060", "203.0.113.72:5060", "203.0.113.73:5060"];
    let scene = || {
        let mut node = node(false);
        for (name, from, q) in [("low", low, "0.5"), ("old", old, "1.0"), ("new", new, "1.0")] {
            let contact = format!("Contact: <sip:acme@{from}>;q={q}\r\n");
            register(&mut node, udp(from), (name, 1), &contact);
            node.pass(SECOND);
        }
        let sent = called(&mut node, "in");
        assert_eq!(words(&sent), [format!("INVITE>{new}")]);
        (node, last_invite(&sent))
    };
    let (mut node, first) = scene();
    let sent = node.receive(new, response(&first, 486, "busy"));
    assert_eq!(words(&sent), [format!("ACK>{new}"), format!("INVITE>{old}")]);
    let second = last_invite(&sent);
    assert!(second.text().starts_with(&format!("INVITE sip:acme@{old} SIP/2.0\r\n")), "{}", second.text());
    assert!(node.pass(7 * SECOND).iter().all(|sent| sent.to == second.to), "it is sent again");
    // It says nothing: a NAT may have forgotten it.
    let third = last_invite(&node.pass(SECOND));
    assert_eq!(third.to, low.parse().unwrap());
    let sent = node.receive(low, response(&third, 503, "full"));
    assert_eq!(words(&sent), [format!("ACK>{low}"), "486>198.51.100.2:5060".to_owned()], "the best of all");

    let (mut node, first) = scene();
    let sent = node.receive(new, response(&first, 603, "never"));
    assert_eq!(words(&sent), [format!("ACK>{new}"), "603>198.51.100.2:5060".to_owned()], "it speaks for all");
}

/// A gateway is for when no contact can be asked.
#[test]
fn gateways_come_last() {
    for (code, expected) in [(486, "486>198.51.100.2:5060"), (503, "INVITE>192.0.2.10:5060")] {
        let mut node = node(true);
        register(&mut node, udp(ROAMING), ("a", 1), HIDDEN);
        let sent = called(&mut node, "in");
        let sent = node.receive(ROAMING, response(&sent[0], code, "x"));
        assert_eq!(words(&sent), [format!("ACK>{ROAMING}"), expected.to_owned()], "{code}");
        if code == 503 {
            let seen = sent[1].text();
            assert!(seen.starts_with("INVITE sip:+15550100@192.0.2.10 SIP/2.0\r\n"), "{seen}");
            assert!(!seen.contains("P-Called-Party-ID"), "{seen}");
        }
    }
    let mut node = node(true);
    assert_eq!(words(&called(&mut node, "in")), ["INVITE>192.0.2.10:5060"], "nothing is registered");
}

#[test]
fn without_a_contact_and_a_gateway() {
    let mut node = node(false);
    let unavailable = ["480>198.51.100.2:5060"];
    assert_eq!(words(&called(&mut node, "before")), unavailable);
    register(&mut node, udp(ROAMING), ("a", 1), "Contact: <sip:acme@10.0.0.7>;expires=60\r\n");
    assert_eq!(words(&called(&mut node, "now")), [format!("INVITE>{ROAMING}")]);
    node.pass(60 * SECOND);
    assert_eq!(words(&called(&mut node, "after")), unavailable, "it has expired by the clock");
    node.settle();
}

/// Over TCP a call goes by the connection that the trunk has made; when that is gone, only to the same
/// address.
#[test]
fn over_connections() {
    let from = "203.0.113.99:40112";
    for (contact, connected, again) in [
        ("sip:acme@10.0.0.7:5060;transport=tcp", from, None),
        ("sip:acme@203.0.113.99:5070;transport=tcp", from, Some("203.0.113.99:5070")),
        ("sip:acme@203.0.113.99;transport=tcp", from, Some("203.0.113.99:5060")),
        // Who registers does not aim us at others.
        ("sip:acme@198.51.100.3:5070;transport=tcp", from, None),
    ] {
        let mut node = node(false);
        register(&mut node, tcp(from, 77), ("a", 1), &format!("Contact: <{contact}>\r\n"));
        let binding = node.bindings.of(ACME, node.now.wall).remove(0);
        assert_eq!(binding.connection, 77);
        let sent = called(&mut node, "in");
        assert_eq!(words(&sent), [format!("INVITE>{connected}")], "{contact}");
        assert_eq!(sent[0].transport, Transport::Tcp);
        assert!(sent[0].text().contains("Via: SIP/2.0/TCP 203.0.113.5:5060;"), "{}", sent[0].text());
        // The next process has read it from the table, and has no connection.
        let read = Binding::read(binding.stored.clone(), &[], node.now);
        node.bindings.put(ACME, vec![Arc::new(read)]);
        let expected = again.map_or_else(|| "480>198.51.100.2:5060".to_owned(), |to| format!("INVITE>{to}"));
        assert_eq!(words(&called(&mut node, "next")), [expected], "{contact}");
    }
}

/// What a trunk may register is no way to call others: its contact is the host that it says, and is sent to
/// it alone.
#[test]
fn a_contact_aims_at_nobody_else() {
    let mut node = node(false);
    let contacts = ["sip:+19005550199@198.51.100.1:5060", "sip:acme@203.0.113.5:5060", "sip:acme@192.0.2.10"];
    for (name, contact) in ["a", "b", "c"].into_iter().zip(contacts) {
        register(&mut node, udp(ROAMING), (name, 1), &format!("Contact: <{contact}>\r\n"));
        let sent = called(&mut node, name);
        assert_eq!(words(&sent), [format!("INVITE>{ROAMING}")], "{contact}");
        register(&mut node, udp(ROAMING), (name, 3), "Contact: *\r\nExpires: 0\r\n");
    }
}
