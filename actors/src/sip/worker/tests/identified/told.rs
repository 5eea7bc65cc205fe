//! What who is called is told of a number that was checked, and what it is not.

use runtime::model::{HeaderAction, HeaderRule};

use super::*;

const OWN: &str = "P-Asserted-Identity: <sip:spoofed@198.51.100.1>\r\n";
const SAID: &str = ";verstat=TN-Validation-Passed";

/// A node whose sources are checked so, and whose first vendor and trunk are trusted.
fn node(policy: VerifyIdentity, pki: &Pki, change: impl FnOnce(&mut Voice)) -> (Node, Arc<Identities>) {
    let mut voice = voice(policy);
    (voice.trunks[0].trusted, voice.vendors[0].trusted) = (true, true);
    change(&mut voice);
    let identities = pki.identities();
    (Node::with_identities(voice, &identities), identities)
}

/// A number that was checked is asserted to who may know it alone.
#[test]
fn who_is_not_to_be_known_is_not_asserted() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let value = header(&theirs.sign(&right()));
    let asserted = "<tel:+15550001;verstat=TN-Validation-Passed>";
    for (privacy, expected) in [
        ("", asserted),
        ("Privacy: id\r\n", asserted),
        ("Privacy: user\r\n", ""),
        ("Privacy: user;critical\r\n", ""),
    ] {
        let (mut node, identities) = node(VerifyIdentity::Note, &pki, |_| {});
        theirs.publish(&identities, node.now.instant);
        let call = inbound("a", &format!("{value}{privacy}")).replace(OWN, "");
        let sent = node.receive(VENDORS[0], call).remove(1);
        assert_eq!(sent.value(HeaderId::PAssertedIdentity), expected, "{privacy}");
        assert_eq!(sent.text().contains("15550001"), !expected.is_empty(), "{}", sent.text());
        // Who gets it is told to keep it.
        let keeps = sent.text().contains("Privacy: id\r\n");
        assert_eq!(keeps, privacy.contains("id"), "{}", sent.text());
    }
}

/// What is looked at here is said by nobody else.
#[test]
fn verstat_of_others() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let wrong = header(&theirs.sign(&claims("15550002", "15550100")));
    let values = format!("<sip:alice{SAID}@x>, <tel:+15550001{SAID}>, <tel:+15550003{SAID}>");
    let checked =
        |verstat: &str| format!("<sip:alice@x>, <tel:+15550001;verstat={verstat}>, <tel:+15550003>");
    let none = String::new();
    for (policy, headers, trusted, in_from, asserted) in [
        (VerifyIdentity::Off, &none, (true, true), true, values.clone()),
        (VerifyIdentity::Off, &wrong, (true, true), true, values.clone()),
        (VerifyIdentity::Note, &none, (true, true), false, checked("No-TN-Validation")),
        (VerifyIdentity::Note, &wrong, (true, true), false, checked("TN-Validation-Failed")),
        // Vendor and trunk.
        (VerifyIdentity::Off, &wrong, (true, false), true, String::new()),
        (VerifyIdentity::Note, &wrong, (true, false), false, String::new()),
        (VerifyIdentity::Note, &wrong, (false, true), false, String::new()),
        (VerifyIdentity::Off, &wrong, (false, true), false, String::new()),
    ] {
        let (mut node, identities) = node(policy, &pki, |voice| {
            (voice.vendors[0].trusted, voice.trunks[0].trusted) = trusted;
        });
        theirs.publish(&identities, node.now.instant);
        let call = inbound("a", headers).replace("<sip:+15550001@", &format!("<sip:+15550001{SAID}@"));
        let call = call.replace(OWN, &format!("P-Asserted-Identity: {values}\r\n"));
        let sent = node.receive(VENDORS[0], call).remove(1);
        let from = sent.value(HeaderId::From);
        assert!(from.contains("15550001"), "{from}");
        assert_eq!(from.contains("verstat"), in_from, "{policy:?} {trusted:?} {from}");
        assert_eq!(sent.value(HeaderId::PAssertedIdentity), asserted, "{policy:?} {trusted:?}");
    }
}

/// Nor of a trunk to a vendor.
#[test]
fn verstat_of_a_customer() {
    let pki = Pki::new();
    for (policy, said) in [(VerifyIdentity::Off, SAID), (VerifyIdentity::Note, "")] {
        let (mut node, _) = node(policy, &pki, |_| {});
        let call = invite("a", "+15551234").replace("+15550001", &format!("+15550001{SAID}"));
        let call = call.replace("<sip:spoofed@192.0.2.10>", &format!("<tel:+15550001{SAID}>"));
        let sent = node.receive(CUSTOMER, call).remove(1);
        assert!(sent.value(HeaderId::From).contains(&format!("<sip:+15550001{said}@")), "{}", sent.text());
        assert_eq!(sent.value(HeaderId::PAssertedIdentity), format!("<tel:+15550001{said}>"), "{policy:?}");
    }
}

/// A rule for the header is the operator's own answer.
#[test]
fn a_rule_for_who_is_asserted() {
    let pki = Pki::new();
    let rule =
        |action, value: &str| HeaderRule { action, name: "P-Asserted-Identity".into(), value: value.into() };
    for (rule, expected) in
        [(rule(HeaderAction::Remove, ""), ""), (rule(HeaderAction::Set, "<sip:desk@x>"), "<sip:desk@x>")]
    {
        let (mut node, _) =
            node(VerifyIdentity::Note, &pki, |voice| voice.trunks[0].header_rules = vec![rule]);
        let call = inbound("a", "").replace(OWN, &format!("P-Asserted-Identity: <tel:+15550001{SAID}>\r\n"));
        let sent = node.receive(VENDORS[0], call).remove(1);
        assert_eq!(sent.value(HeaderId::PAssertedIdentity), expected);
    }
}
