//! Calls that are signed for vendors.

use runtime::log::Attested;
use runtime::model::{
    Attestation, CallerSource, ForeignNumbers, IdentityHeaders, NumberRule, Oversize, Transport,
    VerifyIdentity, Voice,
};
use stir::{About, Claims, Identity, Party, Signed};

use super::*;
use crate::sip::event::What;
use crate::sip::identities::testing::{NOW, OWN, Pki, claims};

/// Number 15550100 is the customer's; the number that usually calls, +15550001, is not.
const DID: &str = "+15550100";

/// A configuration whose vendors want calls signed.
fn voice() -> Voice {
    let mut voice = crate::sip::testing::voice();
    voice.vendors.iter_mut().for_each(|vendor| vendor.sign_calls = true);
    voice
}

/// The call of the customer from a number.
fn from(number: &str) -> String {
    invite("a", "+15551234").replace("+15550001", number)
}

fn identities_of(sent: &Sent) -> Vec<String> {
    sent.message.values(HeaderId::Identity).map(text).collect()
}

/// What the INVITE says of its caller, after its signature was checked by our own certificate.
fn signed(sent: &Sent, pki: &Pki) -> Claims {
    let values = identities_of(sent);
    assert_eq!(values.len(), 1, "{}", sent.text());
    let identity = Identity::parse(values[0].as_bytes()).unwrap();
    assert_eq!((identity.info, identity.ppt), (OWN, Some("shaken")));
    let claims = Claims::decode(identity.token.split('.').nth(1).unwrap()).unwrap();
    let Party::Number(orig) = claims.orig.clone() else { panic!("{claims:?}") };
    let about = About { orig: &[orig], dest: &claims.dest_tn, date: None, now: NOW };
    let read = Signed::read(&identity, &about).unwrap();
    read.check(&pki.own.certificate(), NOW).unwrap();
    assert_eq!(stir::date::parse(sent.value(HeaderId::Date).as_bytes()), Some(claims.iat));
    claims
}

/// How the attempts of a call were signed.
fn told(node: &mut Node) -> Vec<Option<Attested>> {
    let signed = |event: &crate::sip::event::CallEvent| match &event.what {
        What::Attempted(attempted) => Some(attempted.identity.signed),
        What::Started(_) | What::Answered(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    };
    std::mem::take(&mut node.events).iter().filter_map(signed).collect()
}

#[test]
fn by_whose_the_number_is() {
    let pki = Pki::new();
    for (number, most, letter, attested) in [
        (DID, Attestation::A, stir::Attestation::A, Attested::A),
        ("+15550001", Attestation::A, stir::Attestation::B, Attested::B),
        (DID, Attestation::B, stir::Attestation::B, Attested::B),
        (DID, Attestation::C, stir::Attestation::C, Attested::C),
        ("+15550001", Attestation::C, stir::Attestation::C, Attested::C),
    ] {
        let mut voice = voice();
        voice.trunks[0].attestation_max = most;
        let trunk = voice.trunks[0].id.to_string();
        let mut node = Node::with_identities(voice, &pki.identities());
        let sent = node.receive(CUSTOMER, from(number));
        let claims = signed(&sent[1], &pki);
        assert_eq!(claims.orig, Party::Number(number.trim_start_matches('+').to_owned()));
        assert_eq!((claims.dest_tn, claims.iat), (vec!["15551234".to_owned()], NOW));
        let shaken = claims.shaken.unwrap();
        assert_eq!((shaken.attest, shaken.origid), (letter, trunk), "{number} {most:?}");
        node.receive(VENDORS[0], response(&sent[1], 486, "t"));
        assert_eq!(told(&mut node), [Some(attested)]);
        assert_eq!(node.counters.identities_signed.get(), 1);
    }
    // Numbers of others are nobody's here, whatever their trunk.
    let mut others = voice();
    others.dids[0].customer = Some(uuid::Uuid::from_u128(2));
    let mut node = Node::with_identities(others, &pki.identities());
    let sent = node.receive(CUSTOMER, from(DID));
    assert_eq!(signed(&sent[1], &pki).shaken.unwrap().attest, stir::Attestation::B);
}

#[test]
fn numbers_are_signed_in_their_canonical_form() {
    fn rule(prefix: &str, strip: u8, add: &str) -> Vec<NumberRule> {
        vec![NumberRule { prefix: prefix.to_owned(), strip, add: add.to_owned() }]
    }
    type Change = fn(&mut Voice);
    let pki = Pki::new();
    // What changes, the number in From, and the one that is signed.
    let table: [(Change, &str, &str); 6] = [
        (|_| {}, "+1(555)01-00", "15550100"),
        // The trunk calls by numbers of its country.
        (|v| v.trunks[0].caller_rules = rule("", 0, "+1"), "5550100", "15550100"),
        // The vendor wants them without a plus, or with a prefix of its own: it is the same number.
        (|v| v.vendors[0].caller_rules = rule("+1", 2, ""), DID, "15550100"),
        (|v| v.vendors[0].caller_rules = rule("+", 1, "00"), DID, "15550100"),
        // One that shows another number to the vendor is signed as that.
        (|v| v.vendors[0].caller_rules = rule("", 9, "+18005551212"), DID, "18005551212"),
        (|v| v.vendors[0].caller_rules = rule("", 9, "18005551212"), DID, "18005551212"),
    ];
    for (change, number, expected) in table {
        let mut voice = voice();
        change(&mut voice);
        // What stands before the number for the vendor is not the number called.
        voice.vendors[0].callee_rules = rule("+", 1, "9001#");
        let mut node = Node::with_identities(voice, &pki.identities());
        let sent = node.receive(CUSTOMER, from(number));
        assert!(sent[1].text().starts_with("INVITE sip:9001%2315551234@"), "{}", sent[1].text());
        let claims = signed(&sent[1], &pki);
        assert_eq!(claims.orig, Party::Number(expected.to_owned()), "{number}");
        assert_eq!(claims.dest_tn, ["15551234"], "{number}");
    }
}

#[test]
fn what_is_asserted_is_signed_where_it_goes_along() {
    let pki = Pki::new();
    let asserted = |value: &str| {
        let invite = from("anonymous");
        invite.replace("<sip:spoofed@192.0.2.10>", value)
    };
    let trusted = |trunk: bool, vendor: bool| {
        let mut voice = voice();
        voice.trunks[0].trusted = trunk;
        voice.vendors[0].trusted = vendor;
        Node::with_identities(voice, &pki.identities())
    };
    for value in ["<sip:+15550100@192.0.2.10;user=phone>", "<tel:+1-555-0100>", "<sip:x@y>, <tel:+15550100>"]
    {
        let sent = trusted(true, true).receive(CUSTOMER, asserted(value));
        assert_eq!(signed(&sent[1], &pki).orig, Party::Number("15550100".to_owned()), "{value}");
        for (trunk, vendor) in [(true, false), (false, true)] {
            let mut node = trusted(trunk, vendor);
            let sent = node.receive(CUSTOMER, asserted(value));
            assert!(identities_of(&sent[1]).is_empty(), "nobody calls there: {}", sent[1].text());
            assert_eq!(node.counters.identities_unsigned.get(), 1);
        }
    }
}

/// What is signed is the number that the vendor is told, not the one that came.
#[test]
fn the_number_that_counts_is_signed() {
    let pki = Pki::new();
    let own = pki.carrier().sign(&claims("15550001", "15551234"));
    for trusted in [false, true] {
        let mut voice = voice();
        voice.trunks[0].trusted = trusted;
        voice.vendors[0].trusted = trusted;
        voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Replace;
        voice.trunks[0].identity.default_number = DID.to_owned();
        let mut node = Node::with_identities(voice.clone(), &pki.identities());
        let call = from("+15550001").replace("Contact:", &format!("Identity: {own}\r\nContact:"));
        let sent = node.receive(CUSTOMER, call.clone());
        let claims = signed(&sent[1], &pki);
        assert_eq!(claims.orig, Party::Number("15550100".to_owned()), "{trusted}");
        assert_eq!(claims.shaken.unwrap().attest, stir::Attestation::A, "{trusted}");
        // An Identity speaks for the number that is not there any more.
        voice.vendors[0].sign_calls = false;
        let mut node = Node::with_identities(voice, &pki.identities());
        let sent = node.receive(CUSTOMER, call);
        assert!(identities_of(&sent[1]).is_empty(), "{}", sent[1].text());
    }
    // From goes on as the number that is shown. Another one counts, and is signed where the vendor is told it.
    for (send, prefix, expected) in [
        (IdentityHeaders::PAssertedIdentity, "+1", "15550100"),
        (IdentityHeaders::PAssertedIdentity, "", "15550100"),
        (IdentityHeaders::Nothing, "", "15550001"),
    ] {
        let mut voice = voice();
        voice.trunks[0].trusted = true;
        voice.trunks[0].identity.caller_from = vec![CallerSource::PAssertedIdentity];
        voice.vendors[0].identity.send = send;
        let strip = u8::try_from(prefix.len()).unwrap();
        let rule = NumberRule { prefix: prefix.to_owned(), strip, add: String::new() };
        voice.vendors[0].caller_rules = vec![rule];
        let mut node = Node::with_identities(voice, &pki.identities());
        let call = from("+15550001").replace("<sip:spoofed@192.0.2.10>", "<tel:+15550100>");
        let sent = node.receive(CUSTOMER, call);
        assert!(sent[1].value(HeaderId::From).contains("5550001"), "{}", sent[1].text());
        assert_eq!(signed(&sent[1], &pki).orig, Party::Number(expected.to_owned()), "{send:?} {prefix}");
    }
}

/// Whoever signs a call tells its number.
#[test]
fn who_is_not_to_be_known_is_signed_for_those_alone_who_may_know() {
    let pki = Pki::new();
    let own = pki.carrier().sign(&claims("15550001", "15551234"));
    let call = from("+15550001").replace("Contact:", &format!("Privacy: id\r\nIdentity: {own}\r\nContact:"));
    for trusted in [false, true] {
        let mut voice = voice();
        voice.vendors[0].trusted = trusted;
        let mut node = Node::with_identities(voice, &pki.identities());
        let sent = node.receive(CUSTOMER, call.clone());
        assert_eq!(identities_of(&sent[1]).is_empty(), !trusted, "{}", sent[1].text());
        if trusted {
            assert_eq!(signed(&sent[1], &pki).orig, Party::Number("15550001".to_owned()));
        }
        let counted = (node.counters.identities_signed.get(), node.counters.identities_unsigned.get());
        assert_eq!(counted, if trusted { (1, 0) } else { (0, 1) });
    }
}

/// What is signed says numbers and no address.
#[test]
fn a_vendor_that_is_not_shown_the_customer() {
    let pki = Pki::new();
    let mut voice = voice();
    voice.vendors[0].hide_topology = true;
    let mut node = Node::with_identities(voice, &pki.identities());
    let sent = node.receive(CUSTOMER, from(DID));
    assert_eq!(signed(&sent[1], &pki).orig, Party::Number("15550100".to_owned()));
    assert!(!sent[1].text().contains("192.0.2."), "{}", sent[1].text());
}

/// Nor is a name of nobody, whatever else says which number its trunk calls from.
#[test]
fn a_name_of_nobody_is_not_signed() {
    let pki = Pki::new();
    let mut voice = voice();
    voice.vendors[0].trusted = true;
    voice.vendors[0].identity.send = IdentityHeaders::PAssertedIdentity;
    voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Replace;
    voice.trunks[0].identity.default_number = DID.to_owned();
    let mut node = Node::with_identities(voice, &pki.identities());
    let sent = node.receive(CUSTOMER, from("anonymous"));
    assert!(sent[1].value(HeaderId::PAssertedIdentity).contains("15550100"), "{}", sent[1].text());
    assert!(identities_of(&sent[1]).is_empty(), "{}", sent[1].text());
    assert_eq!(node.counters.identities_unsigned.get(), 1);
}

#[test]
fn what_is_not_signed() {
    let pki = Pki::new();
    let mut node = Node::with_identities(crate::sip::testing::voice(), &pki.identities());
    let sent = node.receive(CUSTOMER, from(DID));
    assert!(identities_of(&sent[1]).is_empty(), "the vendor does not want it");
    assert_eq!((node.counters.identities_signed.get(), node.counters.identities_unsigned.get()), (0, 0));
    node.receive(VENDORS[0], response(&sent[1], 486, "t"));
    assert_eq!(told(&mut node), [None]);
    let mut node = Node::with(voice());
    let sent = node.receive(CUSTOMER, from(DID));
    assert!(identities_of(&sent[1]).is_empty(), "there is no key");
    assert_eq!(node.counters.identities_unsigned.get(), 1);
    // What the callee asks within the call is not a call.
    let mut node = Node::with_identities(voice(), &pki.identities());
    let (_, ok) = answered(&mut node, "a");
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let sent = node.receive(CUSTOMER, again);
    assert!(identities_of(&sent[1]).is_empty(), "{}", sent[1].text());
}

#[test]
fn an_identity_that_came_with_the_call() {
    let pki = Pki::new();
    let own = pki.carrier().sign(&claims("15550001", "15551234"));
    let with = |value: &str| {
        from("+15550001")
            .replace("Contact:", &format!("y: {value}\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContact:"))
    };
    // Of somebody who is not trusted: ours takes its place, and our time that of a wrong clock.
    let mut node = Node::with_identities(voice(), &pki.identities());
    let sent = node.receive(CUSTOMER, with(&own));
    assert_eq!(signed(&sent[1], &pki).iat, NOW);
    assert!(!sent[1].text().contains("1970"), "{}", sent[1].text());
    // Of somebody who is: it goes on as it came.
    let mut trusted = voice();
    trusted.trunks[0].trusted = true;
    let mut node = Node::with_identities(trusted.clone(), &pki.identities());
    let sent = node.receive(CUSTOMER, with(&own));
    assert_eq!(identities_of(&sent[1]), [own]);
    assert!(sent[1].text().contains("1970"), "{}", sent[1].text());
    node.receive(VENDORS[0], response(&sent[1], 486, "t"));
    assert_eq!(told(&mut node), [None]);
    // Unless it is checked, and wrong.
    trusted.trunks[0].verify_identity = VerifyIdentity::Note;
    let mut node = Node::with_identities(trusted, &pki.identities());
    let wrong = pki.carrier().sign(&claims("15559999", "15551234"));
    let sent = node.receive(CUSTOMER, with(&wrong));
    assert_eq!(signed(&sent[1], &pki).shaken.unwrap().attest, stir::Attestation::B);
}

#[test]
fn every_attempt_is_signed_by_itself() {
    let pki = Pki::new();
    let mut voice = voice();
    voice.vendors[1].sign_calls = false;
    let mut node = Node::with_identities(voice, &pki.identities());
    let first = node.receive(CUSTOMER, from(DID)).remove(1);
    signed(&first, &pki);
    let sent = node.receive(VENDORS[0], response(&first, 503, "t"));
    let second = sent.iter().find(|sent| sent.word() == "INVITE").unwrap().clone();
    assert!(identities_of(&second).is_empty());
    let sent = node.receive(VENDORS[1], response(&second, 503, "t"));
    let third = sent.iter().find(|sent| sent.word() == "INVITE").unwrap().clone();
    signed(&third, &pki);
    assert_ne!(identities_of(&first), identities_of(&third));
    node.receive(VENDORS[2], response(&third, 486, "t"));
    assert_eq!(told(&mut node), [Some(Attested::A), None, Some(Attested::A)]);
    node.settle();
}

/// Where we sign nothing, nobody else signs for us.
#[test]
fn an_identity_gives_way_also_where_there_is_none_of_ours() {
    let pki = Pki::new();
    let own = pki.carrier().sign(&claims("15550001", "15551234"));
    let with = |number: &str| from(number).replace("Contact:", &format!("Identity: {own}\r\nContact:"));
    let unkeyed = runtime::config::StirOptions {
        key_file: std::path::PathBuf::new(),
        certificate_file: std::path::PathBuf::new(),
        ..pki.options()
    };
    let unkeyed = std::sync::Arc::new(crate::sip::identities::Identities::open(&unkeyed).unwrap());
    let keyed = pki.identities();
    // Who signs, the number that calls, whether its trunk is trusted, whether its vendor wants it, whether it goes along.
    for (identities, number, trusted, wanted, stays) in [
        (&unkeyed, "+15550001", false, true, false),
        (&unkeyed, "+15550001", true, true, true),
        (&unkeyed, "+15550001", false, false, true),
        // A caller without a number.
        (&keyed, "alice", false, true, false),
        (&keyed, "alice", true, true, true),
    ] {
        let mut voice = voice();
        voice.trunks[0].trusted = trusted;
        voice.vendors[0].sign_calls = wanted;
        let mut node = Node::with_identities(voice, identities);
        let sent = node.receive(CUSTOMER, with(number));
        let expected = Vec::from_iter(stays.then(|| own.clone()));
        assert_eq!(identities_of(&sent[1]), expected, "{number} {trusted} {wanted}");
        assert_eq!(node.counters.identities_signed.get(), 0);
        assert_eq!(node.counters.identities_unsigned.get(), u64::from(wanted));
    }
    // One that was checked, and is wrong, has nobody's word.
    let mut voice = voice();
    voice.trunks[0].trusted = true;
    voice.trunks[0].verify_identity = VerifyIdentity::Note;
    let wrong = pki.carrier().sign(&claims("15559999", "15551234"));
    let call = from("+15550001").replace("Contact:", &format!("Identity: {wrong}\r\nContact:"));
    let sent = Node::with_identities(voice, &unkeyed).receive(CUSTOMER, call);
    assert!(identities_of(&sent[1]).is_empty(), "{}", sent[1].text());
}

/// With its Identity nearly every INVITE is too large for UDP.
#[test]
fn what_is_written_for_another_transport_is_signed_once() {
    let pki = Pki::new();
    let mut voice = voice();
    voice.vendors[0].oversize = Oversize::Tcp;
    let identities = pki.identities();
    let mut node = Node::with_identities_over_both(voice, &identities);
    let large = from(DID).replace("Content-Type", &format!("Subject: {}\r\nContent-Type", "x".repeat(900)));
    let sent = node.receive(CUSTOMER, large);
    assert_eq!(sent[1].transport, Transport::Tcp);
    assert_eq!(identities.signatures(), 1);
    assert_eq!(signed(&sent[1], &pki).orig, Party::Number("15550100".to_owned()));
    assert_eq!(node.counters.identities_signed.get(), 1);
}
