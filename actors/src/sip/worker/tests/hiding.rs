//! Sides that are not shown the other one: what they are sent, in every kind of message, and what comes of
//! what they send.

mod asked;
mod of_others;

use bytes::Bytes;
use runtime::log::Reason;
use runtime::model::{Oversize, Transport, Voice};
use sip::{Limits, Message};

use super::challenged::{accounts, asks, challenge, proof};
use super::*;
use crate::sip::cookie::Secret;
use crate::sip::dialog::Dialog;
use crate::sip::event::What;
use crate::sip::flow::Flow;
use crate::sip::testing::{START, voice};
use crate::sip::worker::Input;

/// What tells of the customer, and of vendors: addresses, branches, software. Call-IDs have the customer's
/// address.
const OF_CUSTOMER: [&str; 3] = ["192.0.2.", "z9hG4bK-a", "Pbx/1.0"];
const OF_VENDORS: [&str; 3] = ["198.51.100.", "z9hG4bK-v", "Switch/2"];

/// A Record-Route of the customer's own proxy.
const PROXY: &str = "<sip:192.0.2.11;lr>";
/// Where requests to the customer go for it.
const BEHIND: &str = "192.0.2.11:5060";

/// A node whose every message to a hidden side is looked through.
struct Watched {
    node: Node,
    voice: Voice,
    hidden: Vec<(&'static str, [&'static str; 3])>,
}

impl Watched {
    fn new(vendor: bool, trunk: bool) -> Self {
        let mut voice = voice();
        voice.vendors[0].hide_topology = vendor;
        voice.trunks[0].hide_topology = trunk;
        let vendor = vendor.then_some((VENDORS[0], OF_CUSTOMER));
        let trunk = [CUSTOMER, BEHIND].into_iter().filter(|_| trunk).map(|to| (to, OF_VENDORS));
        let hidden = vendor.into_iter().chain(trunk).collect();
        Self { node: Node::with(voice.clone()), voice, hidden }
    }

    /// Another node, that knows nothing, so much later.
    fn next(&self, seconds: i64) -> Self {
        let (voice, hidden) = (self.voice.clone(), self.hidden.clone());
        let node = Node::started(voice.clone(), self.node.now.wall.micros() + seconds * 1_000_000);
        Self { node, voice, hidden }
    }

    fn receive(&mut self, from: &str, octets: impl Into<Bytes>) -> Vec<Sent> {
        let sent = self.node.receive(from, octets);
        self.looked_through(sent)
    }

    fn hang_up(&mut self, dialog: uuid::Uuid) -> Vec<Sent> {
        let sent = self.node.handle(vec![Input::HangUp(dialog, Reason::Operator)]);
        self.looked_through(sent)
    }

    fn pass(&mut self, seconds: u32) -> Vec<Sent> {
        let sent = self.node.pass(seconds * SECOND);
        self.looked_through(sent)
    }

    fn looked_through(&self, sent: Vec<Sent>) -> Vec<Sent> {
        for (to, secrets) in &self.hidden {
            for sent in sent.iter().filter(|sent| sent.to == to.parse().unwrap()) {
                let text = sent.text();
                let shown = secrets.iter().find(|secret| text.contains(*secret));
                assert_eq!(shown, None, "{text}");
            }
        }
        sent
    }

    /// A call rings: the INVITE as the vendor got it, and the 183 as the customer did.
    fn rings(&mut self, call: &str) -> (Sent, Sent) {
        let mut sent = self.receive(CUSTOMER, by_pbx(call));
        assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
        let to_vendor = sent.remove(1);
        let mut sent = self.receive(VENDORS[0], by_switch(&to_vendor, 183));
        assert_eq!(words(&sent), ["183>192.0.2.10:5060"]);
        (to_vendor, sent.remove(0))
    }

    /// It is up: the INVITE, and the 200.
    fn answers(&mut self, call: &str) -> (Sent, Sent) {
        let (to_vendor, _) = self.rings(call);
        let mut sent = self.receive(VENDORS[0], by_switch(&to_vendor, 200));
        assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
        let ok = sent.remove(0);
        let sent = self.receive(CUSTOMER, by_caller(&ok, ("ACK", 1)));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
        (to_vendor, ok)
    }

    /// A request of one side passes to the other, and its answer back; both come again.
    fn passes(&mut self, (from, to): (&str, &str), request: &str) -> (Sent, Sent) {
        let passed = self.receive(from, request.to_owned()).pop().unwrap();
        assert_eq!(passed.to, to.parse().unwrap(), "{}", passed.text());
        let answer = response(&passed, 200, "x");
        let back = self.receive(to, answer).pop().unwrap();
        assert_eq!((back.word().as_str(), back.to), ("200", from.parse().unwrap()));
        if passed.word() != "INVITE" {
            let again = self.receive(from, request.to_owned());
            assert_eq!(again.iter().map(Sent::text).collect::<Vec<_>>(), [back.text()], "known");
        }
        (passed, back)
    }

    fn dialogs(&self) -> Vec<Dialog> {
        let answered = self.node.events.iter().filter_map(|event| match &event.what {
            What::Answered(answered) => Some(Dialog::clone(&answered.dialog)),
            What::Started(_) | What::Attempted(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => {
                None
            }
        });
        answered.collect()
    }
}

/// An INVITE that came through a proxy of the customer's, and says more than it must.
fn by_pbx(call: &str) -> String {
    let below = "Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-a-below\r\nMax-Forwards:";
    let telling = format!(
        "Record-Route: {PROXY}\r\nUser-Agent: Pbx/1.0\r\nWarning: 399 192.0.2.77 \"-\"\r\nReply-To: \
         <sip:a@192.0.2.77>\r\n{}Contact:",
        telling("192.0.2.77")
    );
    let invite = invite(call, "+15551234").replacen("@203.0.113.5>", "@192.0.2.77>", 1);
    invite.replacen("Max-Forwards:", below, 1).replacen("Contact:", &telling, 1)
}

/// Headers that tell of a host, and are no part of a call.
fn telling(host: &str) -> String {
    format!(
        "Geolocation: <cid:1@{host}>\r\nP-Called-Party-ID: <sip:+15551234@{host}>\r\nP-Served-User: \
         <sip:a@{host}>\r\nP-Associated-URI: <sip:a@{host}>\r\nP-Location: {host}\r\nX-Gateway: {host}\r\n\
         Remote-IP: {host}\r\nReason: Q.850;cause=16;text=\"{host}\"\r\nRetry-After: 1 ({host})\r\n"
    )
}

/// A response of a switch that writes its own address into To, and into the phrase.
fn by_switch(request: &Sent, code: u16) -> String {
    let telling = format!("Server: Switch/2\r\n{}Contact:", telling("198.51.100.77"));
    let response = text(&response(request, code, "callee")).replacen("Contact:", &telling, 1);
    let response = with_value(&response, "To", SWITCH);
    let (_, rest) = response.split_once("\r\n").unwrap();
    format!("SIP/2.0 {code} by 198.51.100.77\r\n{rest}")
}

/// What a switch calls itself.
const SWITCH: &str = "<sip:+15551234@198.51.100.77;tgrp=198.51.100.78>;tag=callee";

/// A message with another value of a header.
fn with_value(message: &str, name: &str, value: &str) -> String {
    let name = format!("\r\n{name}: ");
    let (before, rest) = message.split_once(&name).unwrap();
    let (_, after) = rest.split_once("\r\n").unwrap();
    format!("{before}{name}{value}\r\n{after}")
}

/// A request of the customer, as it leaves its proxy.
fn by_caller(ok: &Sent, (method, cseq): (&str, u32)) -> String {
    let request = Within { method, cseq, branch: &format!("a-{method}-{cseq}") }.caller(ok);
    assert!(request.contains(PROXY), "{request}");
    let request = request.replacen(&format!("Route: {PROXY}\r\n"), "", 1);
    request.replacen("Contact:", &format!("{}Contact:", telling("192.0.2.77")), 1)
}

/// A request of the switch, which calls itself by its own address (RFC 4916).
fn by_callee(to_vendor: &Sent, (method, cseq): (&str, u32)) -> String {
    let request = Within { method, cseq, branch: &format!("v-{method}-{cseq}") }.callee(to_vendor, "callee");
    let request = with_value(&request, "From", SWITCH);
    request.replacen("Contact:", &format!("{}Contact:", telling("198.51.100.77")), 1)
}

fn vias(sent: &Sent) -> Vec<String> {
    sent.message.list(HeaderId::Via).map(text).collect()
}

fn own_id(call: &str) -> String {
    format!("{call}@192.0.2.10")
}

/// A call that the worker of the tests has in every process of its node.
fn name(node: &Node) -> String {
    let own = |name: &String| node.worker.settings.worker_of_call(own_id(name).as_bytes()) == 1;
    (0..).map(|at| format!("a{at}")).find(own).unwrap()
}

#[test]
fn what_a_hidden_vendor_sees() {
    let mut node = Watched::new(true, false);
    let (to_vendor, ringing) = node.rings("a");
    assert_eq!(vias(&to_vendor).len(), 1, "{}", to_vendor.text());
    let routes: Vec<_> = to_vendor.message.list(HeaderId::RecordRoute).map(text).collect();
    assert!(routes.len() == 1 && routes[0].starts_with("<sip:203.0.113.5:5060;lr;w="), "{routes:?}");
    assert_eq!(to_vendor.value(HeaderId::From), "\"A\" <sip:+15550001@203.0.113.5:5060>;tag=from-a");
    let contact = to_vendor.value(HeaderId::Contact);
    assert!(contact.starts_with("<sip:203.0.113.5:5060;c=") && contact.ends_with('>'), "{contact}");
    assert!(to_vendor.message.bytes().len() < 1300, "{}", to_vendor.message.bytes().len());
    // All of it is back where it came from.
    assert_eq!(ringing.value(HeaderId::CallId), own_id("a"));
    assert_eq!(ringing.value(HeaderId::From), "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a");
    assert_eq!(
        vias(&ringing),
        [
            "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-a-1;rport=5060;received=192.0.2.10",
            "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-a-below",
        ]
    );
    let back: Vec<_> = ringing.message.list(HeaderId::RecordRoute).map(text).collect();
    assert_eq!(back, [routes[0].as_str(), PROXY]);
    assert!(ringing.text().contains("Server: Switch/2"), "the customer is not hidden from");
    let What::Started(started) = &node.node.events[0].what else { panic!("{:?}", node.node.events) };
    assert_eq!(started.call_id, own_id("a"), "the record is the customer's");
}

/// Every kind of request, of both sides, whoever is hidden from whom.
#[test]
fn all_of_a_call() {
    for (vendor, trunk) in [(true, false), (false, true), (true, true), (false, false)] {
        let mut node = Watched::new(vendor, trunk);
        let (customer, carrier) = ((CUSTOMER, VENDORS[0]), (VENDORS[0], BEHIND));
        let (to_vendor, ringing) = node.rings("a");
        let shown = to_vendor.value(HeaderId::CallId);
        assert_eq!(shown == own_id("a"), !vendor, "{shown}");
        let (prack, back) = node.passes(customer, &by_caller(&ringing, ("PRACK", 2)));
        assert_eq!(
            (prack.value(HeaderId::CallId), back.value(HeaderId::CallId)),
            (shown.clone(), own_id("a"))
        );
        node.passes(carrier, &by_callee(&to_vendor, ("UPDATE", 5)));
        let ok = node.receive(VENDORS[0], by_switch(&to_vendor, 200)).remove(0);
        assert_eq!(vias(&ok).len(), 2);
        let again = node.receive(VENDORS[0], by_switch(&to_vendor, 200));
        assert_eq!(again.iter().map(Sent::text).collect::<Vec<_>>(), [ok.text()]);
        let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
        assert_eq!((ack.value(HeaderId::CallId), vias(&ack).len() == 1), (shown.clone(), vendor));
        for (method, at) in [("UPDATE", 10), ("INFO", 11), ("OPTIONS", 12), ("INVITE", 13)] {
            let (passed, back) = node.passes(customer, &by_caller(&ok, (method, at)));
            assert_eq!(passed.value(HeaderId::CallId), shown, "{method}");
            assert_eq!(back.value(HeaderId::CallId), own_id("a"), "{method}");
            let (passed, back) = node.passes(carrier, &by_callee(&to_vendor, (method, at)));
            assert_eq!(passed.value(HeaderId::CallId), own_id("a"), "{method}");
            assert_eq!(back.value(HeaderId::CallId), shown, "{method}");
            let routes: Vec<_> = passed.message.list(HeaderId::Route).map(text).collect();
            assert_eq!(routes, [PROXY], "{method}");
        }
        assert_eq!(words(&node.receive(CUSTOMER, by_caller(&ok, ("ACK", 13)))), ["ACK>198.51.100.1:5060"]);
        let acked = node.receive(VENDORS[0], by_callee(&to_vendor, ("ACK", 13)));
        assert_eq!(words(&acked), ["ACK>192.0.2.11:5060"]);
        node.passes(customer, &by_caller(&ok, ("BYE", 20)));
        let late = node.receive(VENDORS[0], by_callee(&to_vendor, ("BYE", 20)));
        assert_eq!(words(&late), ["481>198.51.100.1:5060"]);
        assert_eq!(late[0].value(HeaderId::CallId), shown, "as it was asked");
        node.node.settle();
        let (to_vendor, _) = node.answers("a2");
        node.passes(carrier, &by_callee(&to_vendor, ("BYE", 2)));
        assert_eq!(node.node.happened().last().unwrap(), "ended 200 answered Some(Callee)");
        node.node.settle();
    }
}

#[test]
fn a_cancel_and_a_refusal() {
    for trunk in [false, true] {
        let mut node = Watched::new(true, trunk);
        let (to_vendor, _) = node.rings("a");
        let cancel = by_pbx("a").replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
        let (head, _) = cancel.split_once("Content-Type").unwrap();
        let sent = node.receive(CUSTOMER, format!("{head}Content-Length: 0\r\n\r\n"));
        assert_eq!(words(&sent), ["200>192.0.2.10:5060", "CANCEL>198.51.100.1:5060"]);
        let sealed = (vias(&to_vendor), to_vendor.value(HeaderId::CallId));
        assert_eq!((vias(&sent[1]), sent[1].value(HeaderId::CallId)), sealed);
        node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
        let sent = node.receive(VENDORS[0], by_switch(&to_vendor, 487));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "487>192.0.2.10:5060"]);
        assert_eq!((vias(&sent[0]), sent[0].value(HeaderId::CallId)), sealed);
        assert_eq!(sent[1].value(HeaderId::CallId), own_id("a"));
        assert_eq!(vias(&sent[1]).len(), 2);
        node.node.settle();
        // A redirection names addresses and nothing else.
        let (to_vendor, _) = node.rings("a2");
        let sent = node.receive(VENDORS[0], by_switch(&to_vendor, 302));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "302>192.0.2.10:5060"]);
        assert_eq!(sent[1].message.has(HeaderId::Contact), !trunk);
        node.node.settle();
    }
}

/// Each vendor gets what is for it, whatever the one before got.
#[test]
fn the_next_vendor_is_another_one() {
    for first in [true, false] {
        let mut node = Watched::new(first, false);
        if !first {
            node.voice.vendors[1].hide_topology = true;
            node.hidden = vec![(VENDORS[1], OF_CUSTOMER)];
            node.node = Node::with(node.voice.clone());
        }
        let one = node.receive(CUSTOMER, by_pbx("a")).remove(1);
        // It says nothing.
        let two = node.pass(4).pop().unwrap();
        assert_eq!((two.word().as_str(), two.to), ("INVITE", VENDORS[1].parse().unwrap()));
        let ids = (one.value(HeaderId::CallId), two.value(HeaderId::CallId));
        assert_eq!((vias(&one).len(), vias(&two).len()), if first { (1, 3) } else { (3, 1) });
        assert_eq!((ids.0 == own_id("a"), ids.1 == own_id("a")), (!first, first));
        let ok = node.receive(VENDORS[1], by_switch(&two, 200)).remove(0);
        assert_eq!((ok.value(HeaderId::CallId), vias(&ok).len()), (own_id("a"), 2));
        // The first one answers after all, and has its own call to end.
        let late = node.receive(VENDORS[0], by_switch(&one, 200));
        assert_eq!(words(&late), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
        assert!(late.iter().all(|sent| sent.value(HeaderId::CallId) == ids.0));
        node.passes((CUSTOMER, VENDORS[1]), &by_caller(&ok, ("UPDATE", 2)));
        let dialog = node.dialogs()[0].id;
        let byes = node.hang_up(dialog);
        assert_eq!(words(&byes), ["BYE>192.0.2.11:5060", "BYE>198.51.100.2:5060"]);
        assert_eq!((byes[0].value(HeaderId::CallId), byes[1].value(HeaderId::CallId)), (own_id("a"), ids.1));
    }
}

/// A process ends while the call rings: the next one has all that the vendor's answer needs from that answer.
#[test]
fn a_call_that_rings_at_a_restart() {
    for trunk in [false, true] {
        let mut before = Watched::new(true, trunk);
        let call = name(&before.node);
        let (to_vendor, _) = before.rings(&call);
        let mut node = before.next(5);
        let ringing = node.receive(VENDORS[0], by_switch(&to_vendor, 180));
        assert_eq!(words(&ringing), ["180>192.0.2.10:5060"]);
        let mut sent = node.receive(VENDORS[0], by_switch(&to_vendor, 200));
        assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
        let ok = sent.remove(0);
        assert_eq!((ok.value(HeaderId::CallId), vias(&ok).len()), (own_id(&call), 2));
        let from = format!("\"A\" <sip:+15550001@192.0.2.10>;tag=from-{call}");
        assert_eq!((ringing[0].value(HeaderId::From), ok.value(HeaderId::From)), (from.clone(), from));
        assert_eq!(ok.message.list(HeaderId::RecordRoute).map(text).last().as_deref(), Some(PROXY));
        assert_eq!(node.node.happened(), ["started", "attempt 1 200", "answered"]);
        assert_eq!(words(&node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1)))), ["ACK>198.51.100.1:5060"]);
        // Its Contact is in the vendor's request alone.
        let (passed, _) = node.passes((VENDORS[0], CUSTOMER), &by_callee(&to_vendor, ("INFO", 2)));
        let start = "INFO sip:caller@192.0.2.10:5060 SIP/2.0\r\n";
        assert!(passed.text().starts_with(start), "{}", passed.text());
        assert_eq!(passed.value(HeaderId::CallId), own_id(&call));
        let (passed, _) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
        assert_eq!(passed.value(HeaderId::CallId), to_vendor.value(HeaderId::CallId));
        assert_eq!(passed.value(HeaderId::From), to_vendor.value(HeaderId::From));
        node.node.settle();
        // And its refusal.
        let mut node = before.next(5);
        let sent = node.receive(VENDORS[0], by_switch(&to_vendor, 486));
        assert_eq!(words(&sent), ["486>192.0.2.10:5060", "ACK>198.51.100.1:5060"]);
        assert_eq!((vias(&sent[0]).len(), sent[0].value(HeaderId::CallId)), (2, own_id(&call)));
        assert_eq!(sent[1].value(HeaderId::CallId), to_vendor.value(HeaderId::CallId));
    }
}

/// Another node has the record of the call, and seals by another key by now.
#[test]
fn another_node_with_the_record() {
    for trunk in [false, true] {
        let mut before = Watched::new(true, trunk);
        let (to_vendor, ok) = before.answers("a");
        let record = postcard::to_extend(&before.dialogs()[0], Vec::new()).unwrap();
        let mut node = before.next(60);
        let (old, new) = (Secret { number: 1, key: [7; 16] }, Secret { number: 2, key: [9; 16] });
        node.node.worker.settings.cookies.replace(new, Some(old));
        node.node.worker.recover(postcard::from_bytes(&record).unwrap());
        let shown = to_vendor.value(HeaderId::CallId);
        for (method, at) in [("UPDATE", 10), ("INVITE", 11), ("INFO", 12)] {
            let (passed, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, (method, at)));
            assert_eq!(
                (passed.value(HeaderId::CallId), back.value(HeaderId::CallId)),
                (shown.clone(), own_id("a"))
            );
            let (passed, back) = node.passes((VENDORS[0], BEHIND), &by_callee(&to_vendor, (method, at)));
            assert_eq!(
                (passed.value(HeaderId::CallId), back.value(HeaderId::CallId)),
                (own_id("a"), shown.clone())
            );
        }
        let id = before.dialogs()[0].id;
        let byes = node.hang_up(id);
        assert_eq!(words(&byes), ["BYE>192.0.2.11:5060", "BYE>198.51.100.1:5060"]);
        assert_eq!((byes[0].value(HeaderId::CallId), byes[1].value(HeaderId::CallId)), (own_id("a"), shown));
    }
}

/// Another node has nothing but what the messages tell: what ends the call passes, with the names that each
/// side knows.
#[test]
fn another_node_without_the_record() {
    for trunk in [false, true] {
        let mut before = Watched::new(true, trunk);
        let (to_vendor, ok) = before.answers("a");
        let shown = (to_vendor.value(HeaderId::CallId), to_vendor.value(HeaderId::From));
        let keys = (Secret { number: 2, key: [9; 16] }, Some(Secret { number: 1, key: [7; 16] }));
        let mut node = before.next(60);
        node.node.worker.settings.cookies.replace(keys.0, keys.1);
        let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
        assert_eq!((ack.value(HeaderId::CallId), ack.value(HeaderId::From)), shown);
        let start = "BYE sip:callee@198.51.100.1:5060 SIP/2.0\r\n";
        let (bye, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
        assert!(bye.text().starts_with(start), "{}", bye.text());
        assert_eq!((bye.value(HeaderId::CallId), bye.value(HeaderId::From)), shown);
        assert_eq!(back.value(HeaderId::CallId), own_id("a"));
        node.node.settle();
        let mut node = before.next(60);
        node.node.worker.settings.cookies.replace(keys.0, keys.1);
        let (bye, back) = node.passes((VENDORS[0], CUSTOMER), &by_callee(&to_vendor, ("BYE", 2)));
        assert!(bye.text().starts_with("BYE sip:caller@192.0.2.10:5060 SIP/2.0\r\n"), "{}", bye.text());
        assert_eq!((bye.value(HeaderId::CallId), back.value(HeaderId::CallId)), (own_id("a"), shown.0));
        node.node.settle();
    }
}

/// A Call-ID that is too long to be sealed is in the record alone.
#[test]
fn a_long_call_id() {
    let mut node = Watched::new(true, false);
    let long = format!("a{}", "0".repeat(200));
    let (to_vendor, ok) = node.answers(&long);
    let shown = to_vendor.value(HeaderId::CallId);
    assert!(shown.len() < 120, "{shown}");
    assert_eq!(ok.value(HeaderId::CallId), own_id(&long));
    let carrier = (VENDORS[0], BEHIND);
    let (passed, back) = node.passes(carrier, &by_callee(&to_vendor, ("INFO", 2)));
    assert_eq!(
        (passed.value(HeaderId::CallId), back.value(HeaderId::CallId)),
        (own_id(&long), shown.clone())
    );
    let (passed, _) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("INFO", 2)));
    assert_eq!(passed.value(HeaderId::CallId), shown);
    let mut next = node.next(60);
    let bye = next.receive(VENDORS[0], by_callee(&to_vendor, ("BYE", 3)));
    assert_eq!(words(&bye), ["481>198.51.100.1:5060"], "only the record has it");
    let (bye, _) = next.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 3)));
    assert_eq!(bye.value(HeaderId::CallId), shown);
}

/// What a hidden side has to give back is of no use changed, or in another call.
#[test]
fn what_is_sealed_is_not_to_be_changed() {
    let mut node = Watched::new(true, false);
    let (to_vendor, _) = node.rings("a");
    let (other, _) = node.rings("a2");
    let own = vias(&to_vendor).remove(0);
    let sealed = own.split_once(";v=").unwrap().1.to_owned();
    let others = vias(&other).remove(0).split_once(";v=").unwrap().1.to_owned();
    let changed = if sealed.ends_with('A') { "B" } else { "A" };
    let flipped = format!("{}{changed}", sealed.get(..sealed.len() - 1).unwrap());
    for with in [others, flipped, "x".to_owned(), String::new()] {
        let answer = by_switch(&to_vendor, 180).replacen(&sealed, &with, 1);
        assert!(node.receive(VENDORS[0], answer).is_empty(), "{with}");
    }
    let answer = by_switch(&to_vendor, 180).replacen(&own, &format!("{own};received=203.0.113.5"), 1);
    assert_eq!(words(&node.receive(VENDORS[0], answer)), ["180>192.0.2.10:5060"], "a server may add to it");
    let strange = by_callee(&to_vendor, ("UPDATE", 2));
    let strange = strange.replacen("Call-ID: w", "Call-ID: x", 1);
    assert_eq!(words(&node.receive(VENDORS[0], strange)), ["481>198.51.100.1:5060"]);
}

/// A request with more Vias than can be hidden does not go to the hidden vendor.
#[test]
fn too_much_to_hide() {
    let mut node = Watched::new(true, false);
    let below = "Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-a-below-and-below\r\n".repeat(20);
    let invite = invite("a", "+15551234").replacen("Max-Forwards:", &format!("{below}Max-Forwards:"), 1);
    let sent = node.receive(CUSTOMER, invite);
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.2:5060"]);
    assert_eq!(vias(&sent[1]).len(), 22);
}

/// A vendor sends the call back to us, to a number of a customer's: another call, with a Call-ID of ours.
#[test]
fn a_call_that_comes_back() {
    let mut node = Watched::new(true, false);
    let call = name(&node.node);
    let (to_vendor, _) = node.rings(&call);
    let round = round(&to_vendor);
    let shown = to_vendor.value(HeaderId::CallId);
    let settings = &node.node.worker.settings;
    assert_eq!(settings.worker_of_call(shown.as_bytes()), settings.worker_of_call(own_id(&call).as_bytes()));
    let sent = node.receive(VENDORS[0], round);
    assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
    assert_eq!(sent[1].value(HeaderId::CallId), shown, "to its callee it is a call of the vendor's");
    let ok = node.receive(CUSTOMER, response(&sent[1], 200, "inner"));
    assert_eq!(words(&ok), ["200>198.51.100.1:5060"]);
    assert_eq!(ok[0].value(HeaderId::CallId), shown);
    let bye = Within { method: "BYE", cseq: 9, branch: "a-inner" }.callee(&sent[1], "inner");
    let passed = node.receive(CUSTOMER, bye);
    assert_eq!(words(&passed), ["BYE>198.51.100.1:5060"]);
    assert_eq!(passed[0].value(HeaderId::CallId), shown);
}

/// What the vendor sends back to us for a number of a customer's.
fn round(to_vendor: &Sent) -> String {
    let via = "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-v-round\r\nVia:";
    let route = "Record-Route: <sip:198.51.100.1;lr>\r\nRecord-Route:";
    let round = to_vendor.text().replacen("sip:+15551234@198.51.100.1:5060", "sip:15550100@203.0.113.5", 1);
    round.replacen("Via:", via, 1).replacen("Record-Route:", route, 1)
}

/// Identities that pass name people, at our address; transfers name calls as the other side knows them.
#[test]
fn people_and_other_calls() {
    let mut node = Watched::new(true, false);
    node.voice.vendors[0].trusted = true;
    node.voice.trunks[0].trusted = true;
    node.node = Node::with(node.voice.clone());
    let telling = "Diversion: <sip:+15550009@192.0.2.10>;reason=unconditional\r\nContact:";
    let invite = by_pbx("a").replacen("Contact:", telling, 1).replace("spoofed@", "+15550008@");
    let to_vendor = node.receive(CUSTOMER, invite).remove(1);
    let seen = to_vendor.text();
    assert!(seen.contains("P-Asserted-Identity: <sip:+15550008@203.0.113.5:5060>\r\n"), "{seen}");
    assert!(seen.contains("Diversion: <sip:+15550009@203.0.113.5:5060>;reason=unconditional\r\n"), "{seen}");
    let ok = node.receive(VENDORS[0], by_switch(&to_vendor, 200)).remove(0);
    let with = |request: String, line: &str| request.replacen("Contact:", &format!("{line}\r\nContact:"), 1);
    let to = "<sip:+15550007@192.0.2.10?Replaces=a%40192.0.2.10%3Bto-tag%3Dcallee>";
    let refer = with(by_caller(&ok, ("REFER", 2)), &format!("Refer-To: {to}"));
    let passed = node.receive(CUSTOMER, refer).remove(0);
    let shown = to_vendor.value(HeaderId::CallId);
    let expected = format!("<sip:+15550007@203.0.113.5:5060?Replaces={shown}%3Bto-tag%3Dcallee>");
    assert_eq!(passed.value(HeaderId::ReferTo), expected);
    let refer = with(by_callee(&to_vendor, ("REFER", 2)), &format!("Refer-To: {expected}"));
    let passed = node.receive(VENDORS[0], refer).remove(0);
    assert_eq!(passed.value(HeaderId::ReferTo), to.replace("192.0.2.10?", "203.0.113.5:5060?"));
    let info = with(by_callee(&to_vendor, ("INFO", 3)), &format!("Target-Dialog: {shown};local-tag=x"));
    let passed = node.receive(VENDORS[0], info).remove(0);
    assert_eq!(passed.value(HeaderId::TargetDialog), "a@192.0.2.10;local-tag=x");
}

/// A challenge is answered with what was hidden before; its vendor has numbers and a Call-ID of its own.
#[test]
fn a_hidden_vendor_that_asks_who_calls() {
    let mut node = Watched::new(true, false);
    node.node = Node::with_accounts(node.voice.clone(), &accounts(), START);
    let first = node.receive(CUSTOMER, by_pbx("a")).remove(1);
    let shown = first.value(HeaderId::CallId);
    let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks("n1")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    let again = sent[1].clone();
    assert_eq!((again.value(HeaderId::CallId), vias(&again).len()), (shown.clone(), 1));
    assert_eq!(proof(&again, HeaderId::Authorization), ("n1".to_owned(), 1));
    let ok = node.receive(VENDORS[0], by_switch(&again, 200)).remove(0);
    assert_eq!((ok.value(HeaderId::CallId), ok.value(HeaderId::CSeq)), (own_id("a"), "1 INVITE".to_owned()));
    assert_eq!(vias(&ok).len(), 2);
    let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
    assert_eq!((ack.value(HeaderId::CallId), ack.value(HeaderId::CSeq)), (shown.clone(), "2 ACK".to_owned()));
    let (bye, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
    assert_eq!((bye.value(HeaderId::CallId), bye.value(HeaderId::CSeq)), (shown, "3 BYE".to_owned()));
    assert_eq!(proof(&bye, HeaderId::Authorization), ("n1".to_owned(), 2));
    assert_eq!((back.value(HeaderId::CallId), back.value(HeaderId::CSeq)), (own_id("a"), "2 BYE".to_owned()));
    node.node.settle();
}

/// Who is not to be known is nobody to a hidden vendor, in another process too.
#[test]
fn nobody_calls_a_hidden_vendor() {
    let mut before = Watched::new(true, false);
    let call = by_pbx("a").replacen("Contact:", "Privacy: id\r\nContact:", 1);
    let to_vendor = before.receive(CUSTOMER, call).remove(1);
    let from = to_vendor.value(HeaderId::From);
    assert!(from.contains("<sip:anonymous@anonymous.invalid>"), "{from}");
    let contact = to_vendor.value(HeaderId::Contact);
    assert!(contact.starts_with("<sip:203.0.113.5:5060;c="), "{contact}");
    let ok = before.receive(VENDORS[0], by_switch(&to_vendor, 200)).remove(0);
    assert_eq!(ok.value(HeaderId::From), "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a");
    let ack = before.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
    assert_eq!(ack.value(HeaderId::From), from);
    let mut node = before.next(60);
    let (bye, _) = node.passes((VENDORS[0], CUSTOMER), &by_callee(&to_vendor, ("BYE", 2)));
    assert!(bye.text().starts_with("BYE sip:anonymous@192.0.2.10:5060 SIP/2.0\r\n"), "{}", bye.text());
    assert_eq!(bye.value(HeaderId::CallId), own_id("a"));
    node.node.settle();
}

/// A vendor that is silent has its INVITE again, the same; what is sent again by either side is known.
#[test]
fn what_comes_again() {
    let mut node = Watched::new(true, true);
    let first = by_pbx("a");
    let sent = node.receive(CUSTOMER, first.clone());
    let again = node.pass(1);
    assert_eq!(again[0].text(), sent[1].text());
    let ringing = node.receive(VENDORS[0], by_switch(&sent[1], 180)).remove(0);
    let repeated = node.receive(CUSTOMER, first);
    assert_eq!(repeated.iter().map(Sent::text).collect::<Vec<_>>(), [ringing.text()]);
    let ok = node.receive(VENDORS[0], by_switch(&sent[1], 200)).remove(0);
    let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
    let info = by_callee(&sent[1], ("INFO", 2));
    let passed = node.receive(VENDORS[0], info.clone());
    assert!(node.receive(VENDORS[0], info).is_empty(), "it is under way");
    let resent = node.pass(1);
    assert_eq!(resent[0].text(), passed[0].text());
    assert_eq!(ack.value(HeaderId::CallId), sent[1].value(HeaderId::CallId));
}

/// From and To may be written anew with each request; a hidden side knows the other one at our address all the same.
#[test]
fn names_within_a_call() {
    let mut node = Watched::new(false, true);
    let (to_vendor, _) = node.answers("a");
    let update = by_callee(&to_vendor, ("UPDATE", 2));
    let update = with_value(&update, "From", "<sip:+15559999@198.51.100.77;maddr=198.51.100.78>;tag=callee");
    let update = with_value(&update, "To", "<sip:+15550001@198.51.100.77>;tag=from-a");
    let passed = node.receive(VENDORS[0], update).remove(0);
    assert_eq!(passed.value(HeaderId::From), "<sip:+15559999@203.0.113.5:5060>;tag=callee");
    assert_eq!(passed.value(HeaderId::To), "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a", "its own");
    let back = node.receive(BEHIND, response(&passed, 200, "x")).remove(0);
    assert_eq!(back.value(HeaderId::From), SWITCH, "as it calls itself");
    // We end it: it is not shown the switch's name either.
    let dialog = node.dialogs()[0].id;
    let byes = node.hang_up(dialog);
    assert_eq!(byes[0].value(HeaderId::From), "<sip:+15551234@203.0.113.5:5060>;tag=callee");
    assert_eq!(byes[1].value(HeaderId::To), SWITCH);
    // A name that told nothing first.
    let mut node = Watched::new(true, false);
    let number = "<tel:+15550001>;tag=from-b";
    let to_vendor = node.receive(CUSTOMER, with_value(&by_pbx("b"), "From", number)).remove(1);
    assert_eq!(to_vendor.value(HeaderId::From), number);
    assert_eq!(
        to_vendor.value(HeaderId::To),
        "<sip:+15551234@203.0.113.5:5060>",
        "where it called is its matter"
    );
    let ok = node.receive(VENDORS[0], by_switch(&to_vendor, 200)).remove(0);
    let update =
        with_value(&by_caller(&ok, ("UPDATE", 2)), "From", "<sip:+1@192.0.2.10;x=192.0.2.11>;tag=from-b");
    let (passed, _) = node.passes((CUSTOMER, VENDORS[0]), &update);
    assert_eq!(passed.value(HeaderId::From), "<sip:+1@203.0.113.5:5060>;tag=from-b");
}

/// A vendor that is a proxy sends the call back to us: each leg goes through it, and the ACK finds the callee.
#[test]
fn a_call_that_comes_back_through_a_proxy() {
    let mut node = Watched::new(true, false);
    let (to_vendor, _) = node.rings("a");
    let via = "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-v-round\r\nVia:";
    let route = "Record-Route: <sip:198.51.100.1;lr>\r\nRecord-Route:";
    let round = to_vendor.text().replacen("sip:+15551234@198.51.100.1:5060", "sip:15550100@203.0.113.5", 1);
    let round = round.replacen("Via:", via, 1).replacen("Record-Route:", route, 1);
    let inner = node.receive(VENDORS[0], round).remove(1);
    let ok = node.receive(CUSTOMER, response(&inner, 200, "inner")).remove(0);
    // The proxy takes its Via off, and passes it on.
    let mut edits = sip::Edits::new(&ok.message);
    edits.pop_via().unwrap();
    let mut relayed = bytes::BytesMut::new();
    edits.write(&mut relayed);
    let sent = node.receive(VENDORS[0], relayed.freeze());
    assert_eq!(words(&sent), ["200>192.0.2.10:5060"]);
    let ack = node.receive(CUSTOMER, by_caller(&sent[0], ("ACK", 1))).remove(0);
    assert_eq!(words(std::slice::from_ref(&ack)), ["ACK>198.51.100.1:5060"], "{}", ack.text());
    let routes: Vec<_> = ack.message.list(HeaderId::Route).map(text).collect();
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(routes[0] == "<sip:198.51.100.1;lr>" && routes[1].starts_with("<sip:203.0.113.5:5060;lr;w="));
    let again = ack.text().replacen("Via:", &via.replacen("round", "round-ack", 1), 1);
    let again = again.replacen("Route: <sip:198.51.100.1;lr>, ", "Route: ", 1);
    let again = again.replacen("Route: <sip:198.51.100.1;lr>\r\n", "", 1);
    let last = node.receive(VENDORS[0], again).remove(0);
    assert_eq!(words(std::slice::from_ref(&last)), ["ACK>192.0.2.10:5060"]);
    assert!(last.text().starts_with("ACK sip:callee@192.0.2.10:5060 SIP/2.0\r\n"), "{}", last.text());
}

/// A call of a vendor to a trunk that is not shown it: the callee has a Call-ID of ours.
#[test]
fn a_call_to_a_hidden_trunk() {
    let mut node = Watched::new(false, true);
    let of_vendor = |message: String| {
        let own = message.replace("SIP/2.0/UDP 192.0.2.10", "SIP/2.0/UDP 198.51.100.1");
        own.replace("me@192.0.2.10", "me@198.51.100.1").replacen("z9hG4bK-a", "z9hG4bK-v", 1)
    };
    let call = invite("a", "15550100").replace("192.0.2.10", "198.51.100.1");
    let telling = format!("Server: Switch/2\r\n{}Contact:", telling("198.51.100.77"));
    let sent = node.receive(VENDORS[0], of_vendor(call.replacen("Contact:", &telling, 1)));
    assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
    let (to_trunk, own) = (&sent[1], "a@198.51.100.1");
    let shown = to_trunk.value(HeaderId::CallId);
    assert!(shown.starts_with('w') && vias(to_trunk).len() == 1, "{}", to_trunk.text());
    assert_eq!(to_trunk.value(HeaderId::From), "\"A\" <sip:+15550001@203.0.113.5:5060>;tag=from-a");
    let ringing = node.receive(CUSTOMER, response(to_trunk, 180, "callee")).remove(0);
    assert_eq!((ringing.value(HeaderId::CallId).as_str(), ringing.to), (own, VENDORS[0].parse().unwrap()));
    let ok = node.receive(CUSTOMER, response(to_trunk, 200, "callee")).remove(0);
    let by_vendor = |method, cseq| {
        let branch = format!("a-{method}-{cseq}");
        of_vendor(Within { method, cseq, branch: &branch }.caller(&ok))
    };
    let ack = node.receive(VENDORS[0], by_vendor("ACK", 1)).remove(0);
    assert_eq!((ack.value(HeaderId::CallId), ack.word().as_str()), (shown.clone(), "ACK"));
    for (method, cseq) in [("UPDATE", 2), ("INFO", 3), ("INVITE", 4), ("BYE", 5)] {
        if method != "BYE" {
            let request = Within { method, cseq, branch: &format!("t-{method}") }.callee(to_trunk, "callee");
            let (passed, back) = node.passes((CUSTOMER, VENDORS[0]), &request);
            assert_eq!(
                (passed.value(HeaderId::CallId).as_str(), back.value(HeaderId::CallId)),
                (own, shown.clone())
            );
        }
        let (passed, back) = node.passes((VENDORS[0], CUSTOMER), &by_vendor(method, cseq));
        assert_eq!(
            (passed.value(HeaderId::CallId), back.value(HeaderId::CallId).as_str()),
            (shown.clone(), own)
        );
    }
    node.node.settle();
}

/// Early dialogs of a hidden vendor that forks are one call, with one name.
#[test]
fn a_hidden_vendor_that_forks() {
    let mut node = Watched::new(true, true);
    let to_vendor = node.receive(CUSTOMER, by_pbx("a")).remove(1);
    let of_fork =
        |code, fork: &str| by_switch(&to_vendor, code).replacen("tag=callee", &format!("tag={fork}"), 1);
    for (at, fork) in ["f1", "f2"].into_iter().enumerate() {
        let early = node.receive(VENDORS[0], of_fork(183, fork)).remove(0);
        assert!(early.value(HeaderId::To).ends_with(&format!(";tag={fork}")), "{}", early.text());
        let cseq = u32::try_from(at).unwrap() + 2;
        let (passed, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&early, ("PRACK", cseq)));
        assert!(passed.value(HeaderId::To).ends_with(&format!(";tag={fork}")), "{}", passed.text());
        let ids = (passed.value(HeaderId::CallId), back.value(HeaderId::CallId));
        assert_eq!(ids, (to_vendor.value(HeaderId::CallId), own_id("a")));
    }
    let ok = node.receive(VENDORS[0], of_fork(200, "f2")).remove(0);
    let ack = node.receive(CUSTOMER, by_caller(&ok, ("ACK", 1))).remove(0);
    assert_eq!(ack.value(HeaderId::CallId), to_vendor.value(HeaderId::CallId));
    let (bye, _) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 9)));
    assert!(bye.value(HeaderId::To).ends_with(";tag=f2"));
    node.node.settle();
}

/// A call that leaves by another listener than it came by has two Record-Routes of ours, and no other.
#[test]
fn two_listeners() {
    let mut node = Watched::new(true, false);
    node.voice.vendors[0].oversize = Oversize::Tcp;
    node.node = Node::with_listeners(node.voice.clone(), 2);
    let large = format!("Subject: {}\r\nContact:", "x".repeat(1000));
    let sent = node.receive(CUSTOMER, by_pbx("a").replacen("Contact:", &large, 1));
    let to_vendor = sent.last().unwrap();
    assert_eq!((to_vendor.word().as_str(), to_vendor.transport), ("INVITE", Transport::Tcp));
    let routes: Vec<_> = to_vendor.message.list(HeaderId::RecordRoute).map(text).collect();
    assert_eq!((routes.len(), vias(to_vendor).len()), (2, 1), "{routes:?}");
    assert!(routes[0].starts_with("<sip:203.0.113.5:5060;transport=tcp;lr;w="), "{routes:?}");
    assert_eq!(routes[1], "<sip:203.0.113.5:5060;lr>");
    let ok = Message::parse_datagram(by_switch(to_vendor, 200).into(), &Limits::default()).unwrap();
    let peer = VENDORS[0].parse().unwrap();
    let flow = Flow { listener: 1, transport: Transport::Tcp, peer, connection: 5 };
    let back = node.node.handle(vec![Input::Message(flow, ok)]).remove(0);
    assert_eq!((back.word().as_str(), back.value(HeaderId::CallId)), ("200", own_id("a")));
    let all: Vec<_> = back.message.list(HeaderId::RecordRoute).map(text).collect();
    assert_eq!(all, [routes[0].as_str(), routes[1].as_str(), PROXY]);
    let ack = node.receive(CUSTOMER, by_caller(&back, ("ACK", 1))).remove(0);
    assert_eq!((ack.word().as_str(), ack.transport), ("ACK", Transport::Tcp));
}
