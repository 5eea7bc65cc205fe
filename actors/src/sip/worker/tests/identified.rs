//! Calls that come with an Identity.

mod several;
mod told;

use std::sync::Arc;

use runtime::log::{Attested, CallIdentity, Reason, Verstat};
use runtime::model::{VerifyIdentity, Voice};
use stir::{Claims, Failure};

use super::*;
use crate::sip::event::{Ended, What};
use crate::sip::identities::Identities;
use crate::sip::identities::testing::{NOW, Pki, THEIRS, claims};

/// A configuration whose vendors, and whose trunk, are to have calls with an Identity.
fn voice(policy: VerifyIdentity) -> Voice {
    let mut voice = crate::sip::testing::voice();
    voice.vendors.iter_mut().for_each(|vendor| vendor.verify_identity = policy);
    voice.trunks[0].verify_identity = policy;
    voice
}

/// A call of the first vendor to the customer's number, with these headers.
fn inbound(call: &str, headers: &str) -> String {
    let invite = invite(call, "+15550100").replace("192.0.2.10", "198.51.100.1");
    invite.replace("Contact:", &format!("{headers}Contact:"))
}

fn header(value: &str) -> String {
    format!("Identity: {value}\r\n")
}

fn right() -> Claims {
    claims("15550001", "15550100")
}

fn none() -> CallIdentity {
    CallIdentity { verstat: Some(Verstat::NoValidation), ..CallIdentity::default() }
}

fn failed() -> CallIdentity {
    CallIdentity { verstat: Some(Verstat::Failed), ..CallIdentity::default() }
}

fn passed() -> CallIdentity {
    CallIdentity { verstat: Some(Verstat::Passed), received: Some(Attested::A), signed: None }
}

/// What was noted of a call that the trunk refuses.
fn noted(node: &mut Node, sent: &[Sent]) -> CallIdentity {
    assert_eq!(words(sent)[1], "INVITE>192.0.2.10:5060", "{sent:?}");
    node.receive(CUSTOMER, response(&sent[1], 486, "t"));
    let identity = |event: &crate::sip::event::CallEvent| match &event.what {
        What::Attempted(attempted) => Some(attempted.identity),
        What::Started(_) | What::Answered(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    };
    std::mem::take(&mut node.events).iter().find_map(identity).unwrap()
}

/// How a call ended that went nowhere.
fn ended(node: &mut Node) -> Ended {
    let end = |event: crate::sip::event::CallEvent| match event.what {
        What::Ended(ended) => Some(ended),
        What::Attempted(_) => panic!("it went to the trunk"),
        What::Started(_) | What::Answered(_) | What::Refreshed(_) | What::Media(_) => None,
    };
    std::mem::take(&mut node.events).into_iter().find_map(end).expect("an end")
}

#[test]
fn an_identity_that_is_right() {
    let pki = Pki::new();
    let (identities, theirs) = (pki.identities(), pki.carrier());
    for policy in [VerifyIdentity::Note, VerifyIdentity::Refuse] {
        let mut node = Node::with_identities(voice(policy), &identities);
        theirs.publish(&identities, node.now.instant);
        let value = theirs.sign(&right());
        for (call, headers) in [
            ("a", header(&value)),
            // One that is of another kind, or malformed, is passed over.
            ("b", format!("Identity: abc;info=<https://x>;ppt=div\r\n{}", header(&value))),
            ("c", format!("{}{}", header("!"), header(&value))),
        ] {
            let sent = node.receive(VENDORS[0], inbound(call, &headers));
            assert_eq!(noted(&mut node, &sent), passed(), "{call}");
            assert!(sent[1].text().contains(&value), "it goes along: {}", sent[1].text());
        }
        assert_eq!(node.counters.identities_passed.get(), 3);
        node.settle();
    }
    // The number in its own form: rules of the vendor make it canonical.
    let mut ruled = voice(VerifyIdentity::Refuse);
    let rule = runtime::model::NumberRule { prefix: String::new(), strip: 0, add: "+1".to_owned() };
    ruled.vendors[0].caller_rules = vec![rule];
    let mut node = Node::with_identities(ruled, &identities);
    let value = header(&theirs.sign(&Claims { iat: NOW + 1, ..right() }));
    let sent = node.receive(VENDORS[0], inbound("d", &value).replace("+15550001", "5550001"));
    assert_eq!(noted(&mut node, &sent), passed());
}

#[test]
fn an_identity_that_is_wrong_is_noted_or_refuses() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let sign = |change: Claims| header(&theirs.sign(&change));
    let good = theirs.sign(&right());
    let (token, rest) = good.split_once(';').unwrap();
    let other = pki.carrier().sign(&right());
    let long = format!("{good};x=\"{}\"", "x".repeat(4096));
    let table = [
        (String::new(), none(), "428 Use Identity Header"),
        (sign(Claims { iat: NOW - 61, ..right() }), failed(), "403 Stale Date"),
        (sign(Claims { iat: NOW + 61, ..right() }), failed(), "403 Stale Date"),
        (sign(claims("15550002", "15550100")), failed(), "438 Invalid Identity Header"),
        (sign(claims("15550001", "15550199")), failed(), "438 Invalid Identity Header"),
        (header(&other), failed(), "438 Invalid Identity Header"),
        (header(&format!("{token}A;{rest}")), failed(), "438 Invalid Identity Header"),
        (header(&format!("\"abc=\";{rest}")), failed(), "438 Invalid Identity Header"),
        (header(&long), failed(), "438 Invalid Identity Header"),
        (header(&good.replace("alg=ES256", "alg=RS256")), failed(), "437 Unsupported Credential"),
    ];
    for (headers, identity, answer) in table {
        let identities = pki.identities();
        let mut node = Node::with_identities(voice(VerifyIdentity::Note), &identities);
        theirs.publish(&identities, node.now.instant);
        let sent = node.receive(VENDORS[0], inbound("a", &headers));
        assert_eq!(noted(&mut node, &sent), identity, "{headers}");

        let identities = pki.identities();
        let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
        theirs.publish(&identities, node.now.instant);
        let sent = node.receive(VENDORS[0], inbound("a", &headers));
        let line = sent.last().unwrap().text();
        assert!(line.starts_with(&format!("SIP/2.0 {answer}\r\n")), "{headers}: {line}");
        let ended = ended(&mut node);
        assert_eq!((ended.reason, ended.by, ended.identity), (Reason::NotAllowed, None, identity));
        assert_eq!(node.snapshot().trunks[0].usage.channels(), 0, "it takes no channel");
        node.settle();
    }
}

#[test]
fn nothing_is_looked_at_where_nobody_asks() {
    let pki = Pki::new();
    let identities = pki.identities();
    let mut node = Node::with_identities(voice(VerifyIdentity::Off), &identities);
    let sent = node.receive(VENDORS[0], inbound("a", &header("!")));
    assert_eq!(noted(&mut node, &sent), CallIdentity::default());
    assert_eq!(identities.certificates.wanted(), 0);
    // A number that is refused anyway costs nothing.
    let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
    let value = header(&pki.carrier().sign(&right()));
    let sent = node.receive(VENDORS[0], inbound("a", &value).replace("+15550100", "+15550199"));
    assert_eq!(sent.last().unwrap().word(), "404");
    assert_eq!(identities.certificates.wanted(), 0);
}

/// Calls of trunks are looked at by their own setting.
#[test]
fn calls_of_a_trunk() {
    let pki = Pki::new();
    let (identities, theirs) = (pki.identities(), pki.carrier());
    let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
    theirs.publish(&identities, node.now.instant);
    let call = |call: &str, headers: &str| {
        invite(call, "+15551234").replace("Contact:", &format!("{headers}Contact:"))
    };
    let sent = node.receive(CUSTOMER, call("a", ""));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "428>192.0.2.10:5060"]);
    assert_eq!(ended(&mut node).identity, none());
    let value = header(&theirs.sign(&claims("15550001", "15551234")));
    let sent = node.receive(CUSTOMER, call("b", &value));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
}

#[test]
fn who_overhears_an_identity_makes_few_calls_with_it() {
    let pki = Pki::new();
    let (identities, theirs) = (pki.identities(), pki.carrier());
    let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
    theirs.publish(&identities, node.now.instant);
    let value = header(&theirs.sign(&right()));
    for call in ["a", "b", "c", "d"] {
        let sent = node.receive(VENDORS[0], inbound(call, &value));
        assert_eq!(noted(&mut node, &sent), passed(), "{call}");
    }
    let sent = node.receive(VENDORS[0], inbound("e", &value));
    assert!(sent.last().unwrap().text().starts_with("SIP/2.0 438 "), "{}", sent[0].text());
    assert_eq!(ended(&mut node).identity, failed());
    // What comes by another carrier is not used up by that.
    let by_another = inbound("f", &value).replace("198.51.100.1", "198.51.100.2");
    let sent = node.receive(VENDORS[1], by_another);
    assert_eq!(words(&sent), ["100>198.51.100.2:5060", "INVITE>192.0.2.10:5060"]);
}

/// Who has heard a call knows its Call-ID and its To as well.
#[test]
fn who_overhears_a_call_does_not_call_others_with_it() {
    let pki = Pki::new();
    let (identities, theirs) = (pki.identities(), pki.carrier());
    let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
    theirs.publish(&identities, node.now.instant);
    let value = header(&theirs.sign(&claims("15550001", "15551234")));
    let call = invite("c", "+15551234").replace("Contact:", &format!("{value}Contact:"));
    let to = |number: &str, place: usize| {
        let call = call.replacen("sip:+15551234", &format!("sip:{number}"), 1);
        call.replace("z9hG4bK-c-1", &format!("z9hG4bK-c-{place}")).replace("from-c", &format!("from-{place}"))
    };
    for (place, (number, answer)) in [
        // Diverted before it came: To says what was signed.
        ("+15551000", "INVITE>198.51.100.1:5060"),
        ("+15551001", "438>192.0.2.10:5060"),
        ("+15551234", "INVITE>198.51.100.1:5060"),
        ("+15551002", "438>192.0.2.10:5060"),
        ("+15551000", "INVITE>198.51.100.1:5060"),
        ("+15551234", "INVITE>198.51.100.1:5060"),
        ("+15551234", "438>192.0.2.10:5060"),
    ]
    .into_iter()
    .enumerate()
    {
        let sent = node.receive(CUSTOMER, to(number, place + 2));
        assert_eq!(words(&sent), ["100>192.0.2.10:5060", answer], "{place} {number}");
    }
}

/// Without a wait the first call of a carrier goes on unchecked, and the next one is checked.
#[test]
fn a_certificate_that_is_not_there_yet() {
    let pki = Pki::new();
    let (identities, theirs) = (pki.identities(), pki.carrier());
    let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
    let value = header(&theirs.sign(&right()));
    let sent = node.receive(VENDORS[0], inbound("a", &value));
    assert_eq!(noted(&mut node, &sent), none());
    assert_eq!(identities.certificates.next_wanted().as_deref(), Some(THEIRS));
    theirs.publish(&identities, node.now.instant);
    let sent = node.receive(VENDORS[0], inbound("b", &value));
    assert_eq!(noted(&mut node, &sent), passed());
    assert_eq!((node.counters.identities_unchecked.get(), node.counters.identities_passed.get()), (1, 1));
    for (failure, answer) in [(Failure::Unavailable, "436"), (Failure::Credential, "437")] {
        let identities = pki.identities();
        identities.certificates.put(THEIRS, Err(failure), 60 * SECOND, node.now.instant);
        let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
        let sent = node.receive(VENDORS[0], inbound("c", &value));
        assert_eq!(sent.last().unwrap().word(), answer);
    }
}

/// A node whose calls wait a second for certificates.
fn waiting(pki: &Pki, policy: VerifyIdentity) -> (Node, Arc<Identities>) {
    let options = runtime::config::StirOptions { certificate_wait: SECOND.into(), ..pki.options() };
    let identities = Arc::new(Identities::open(&options).unwrap());
    (Node::with_identities(voice(policy), &identities), identities)
}

#[test]
fn a_call_waits_for_its_certificate() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let value = header(&theirs.sign(&right()));
    let (mut node, identities) = waiting(&pki, VerifyIdentity::Refuse);
    let call = inbound("a", &value);
    assert_eq!(words(&node.receive(VENDORS[0], call.clone())), ["100>198.51.100.1:5060"]);
    assert!(node.pass(SECOND / 2).is_empty());
    assert_eq!(words(&node.receive(VENDORS[0], call)), ["100>198.51.100.1:5060"], "it comes again");
    theirs.publish(&identities, node.now.instant);
    let mut sent = node.pass(SECOND / 4);
    assert_eq!(words(&sent), ["INVITE>192.0.2.10:5060"]);
    sent.insert(0, sent[0].clone());
    assert_eq!(noted(&mut node, &sent), passed());
    assert_eq!(node.counters.identities_passed.get(), 1, "counted once");
    node.settle();
}

#[test]
fn a_call_waits_no_longer_than_it_may() {
    let pki = Pki::new();
    let value = header(&pki.carrier().sign(&right()));
    let (mut node, _) = waiting(&pki, VerifyIdentity::Note);
    node.receive(VENDORS[0], inbound("a", &value));
    assert!(node.pass(SECOND * 9 / 10).is_empty());
    let mut sent = node.pass(SECOND / 5);
    assert_eq!(words(&sent), ["INVITE>192.0.2.10:5060"], "it goes on unchecked");
    sent.insert(0, sent[0].clone());
    assert_eq!(noted(&mut node, &sent), none());
    node.settle();
}

/// A certificate that its server does not give in time is one that cannot be had: with a server that stalls nobody comes
/// through who would not without.
#[test]
fn who_is_to_be_checked_is_refused_when_the_wait_ends() {
    let pki = Pki::new();
    let value = header(&pki.carrier().sign(&right()));
    let (mut node, identities) = waiting(&pki, VerifyIdentity::Refuse);
    node.receive(VENDORS[0], inbound("a", &value));
    assert_eq!(identities.certificates.next_wanted().as_deref(), Some(THEIRS));
    assert!(node.pass(SECOND * 9 / 10).is_empty());
    let sent = node.pass(SECOND / 5);
    assert_eq!(words(&sent), ["436>198.51.100.1:5060"]);
    let ended = ended(&mut node);
    assert_eq!((ended.reason, ended.identity), (Reason::NotAllowed, none()));
    assert_eq!(node.counters.identities_unchecked.get(), 1);
    node.settle();
}

/// While nothing new is known, a call that waits asks for nothing, and where there was no room for its certificate it is
/// wanted again when something has become known.
#[test]
fn a_call_that_waits_asks_for_little() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let value = header(&theirs.sign(&right()));
    let (mut node, identities) = waiting(&pki, VerifyIdentity::Refuse);
    node.receive(VENDORS[0], inbound("a", &value));
    identities.certificates.next_wanted();
    // As if it had been dropped.
    identities.certificates.begin();
    node.pass(SECOND / 2);
    assert_eq!(identities.certificates.wanted(), 0);
    identities.certificates.put("https://other.example/", Err(Failure::Credential), SECOND, node.now.instant);
    node.pass(SECOND / 4);
    assert_eq!(identities.certificates.next_wanted().as_deref(), Some(THEIRS));
    theirs.publish(&identities, node.now.instant);
    assert_eq!(words(&node.pass(SECOND / 4)), ["INVITE>192.0.2.10:5060"]);
    node.settle();
}

#[test]
fn what_comes_of_a_wait_refuses_too() {
    let pki = Pki::new();
    let value = header(&pki.carrier().sign(&right()));
    for (policy, failure, expected) in [
        (VerifyIdentity::Refuse, Failure::Unavailable, Some("436")),
        (VerifyIdentity::Refuse, Failure::Credential, Some("437")),
        (VerifyIdentity::Note, Failure::Credential, None),
    ] {
        let (mut node, identities) = waiting(&pki, policy);
        node.receive(VENDORS[0], inbound("a", &value));
        identities.certificates.put(THEIRS, Err(failure), 60 * SECOND, node.now.instant);
        let mut sent = node.pass(SECOND / 10);
        match expected {
            Some(answer) => {
                assert_eq!(words(&sent), [format!("{answer}>198.51.100.1:5060")]);
                let ended = ended(&mut node);
                let identity = if failure.is_against() { failed() } else { none() };
                assert_eq!((ended.reason, ended.identity), (Reason::NotAllowed, identity));
            }
            None => {
                sent.insert(0, sent[0].clone());
                assert_eq!(noted(&mut node, &sent), failed());
            }
        }
        node.settle();
    }
}

#[test]
fn a_caller_gives_up_while_its_certificate_is_waited_for() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let value = header(&theirs.sign(&right()));
    let (mut node, identities) = waiting(&pki, VerifyIdentity::Refuse);
    let call = inbound("a", &value);
    node.receive(VENDORS[0], call.clone());
    let cancel = call.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL");
    let cancel = cancel.replace("Content-Type: application/sdp\r\n", "");
    let cancel = cancel.replace("Content-Length: 5\r\n\r\nv=0\r\n", "Content-Length: 0\r\n\r\n");
    let sent = node.receive(VENDORS[0], cancel);
    assert_eq!(words(&sent), ["200>198.51.100.1:5060", "487>198.51.100.1:5060"]);
    theirs.publish(&identities, node.now.instant);
    let sent = node.pass(2 * SECOND);
    assert!(!words(&sent).iter().any(|word| word.starts_with("INVITE")), "{:?}", words(&sent));
    let ended = ended(&mut node);
    assert_eq!((ended.reason, ended.identity), (Reason::Cancelled, none()));
    node.settle();
}

/// What a trusted trunk is told.
#[test]
fn verstat_goes_to_who_is_trusted() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let value = header(&theirs.sign(&right()));
    let wrong = header(&theirs.sign(&claims("15550002", "15550100")));
    let own = "<sip:spoofed@198.51.100.1>";
    let table = [
        // Nothing is asserted but a number that was checked.
        (&value, "", "<tel:+15550001;verstat=TN-Validation-Passed>"),
        (&wrong, "", ""),
        (
            &value,
            "<sip:+15550001;npdi;verstat=TN-Validation-Failed@x;user=phone>",
            "<sip:+15550001;npdi;verstat=TN-Validation-Passed@x;user=phone>",
        ),
        (&value, "<tel:+15550001>", "<tel:+15550001;verstat=TN-Validation-Passed>"),
        (&value, "tel:+15550001;x=y", "<tel:+15550001;verstat=TN-Validation-Passed>;x=y"),
        // What was signed is another number than the one that is asserted.
        (&value, "<tel:+15550009>", "<tel:+15550009;verstat=No-TN-Validation>"),
        (&wrong, "<tel:+15550001>", "<tel:+15550001;verstat=TN-Validation-Failed>"),
        (
            &wrong,
            "<sip:alice@x>, <tel:+15550001>",
            "<sip:alice@x>, <tel:+15550001;verstat=TN-Validation-Failed>",
        ),
        (&String::new(), "<tel:+15550001>", "<tel:+15550001;verstat=No-TN-Validation>"),
    ];
    for (trusted, policy) in
        [(true, VerifyIdentity::Note), (true, VerifyIdentity::Off), (false, VerifyIdentity::Note)]
    {
        for (headers, asserted, expected) in &table {
            let mut voice = voice(policy);
            voice.vendors[0].trusted = trusted;
            voice.trunks[0].trusted = true;
            let identities = pki.identities();
            let mut node = Node::with_identities(voice, &identities);
            theirs.publish(&identities, node.now.instant);
            let call = inbound("a", headers);
            let call = if asserted.is_empty() {
                call.replace(&format!("P-Asserted-Identity: {own}\r\n"), "")
            } else {
                call.replace(own, asserted)
            };
            let sent = node.receive(VENDORS[0], call);
            let shown = sent[1].value(HeaderId::PAssertedIdentity);
            let expected = match (trusted, policy) {
                (false, _) => "",
                (true, VerifyIdentity::Off) => *asserted,
                (true, VerifyIdentity::Note | VerifyIdentity::Refuse) => *expected,
            };
            assert_eq!(shown, expected, "{trusted} {policy:?} {headers} {asserted}");
        }
    }
}
