//! Calls that several have signed.

use super::*;

/// One that is right is enough (RFC 8224, 6.2).
#[test]
fn of_several_one_is_right() {
    let pki = Pki::new();
    let (theirs, other) = (pki.carrier(), pki.carrier());
    let value = theirs.sign(&right());
    let old = theirs.sign(&Claims { iat: NOW - 61, ..right() });
    let elsewhere = theirs.sign(&claims("15550009", "15550100"));
    let wrong = other.sign(&right());
    let bare = Claims { shaken: None, ..right() };
    let (wrong_bare, right_bare) = (other.sign(&bare), theirs.sign(&bare));
    let short = "..A;info=<https://x>".to_owned();
    let unattested = CallIdentity { received: None, ..passed() };
    let table: [(&[&String], CallIdentity); 10] = [
        (&[&old, &value], passed()),
        (&[&value, &old], passed()),
        (&[&elsewhere, &old, &short, &value], passed()),
        (&[&wrong, &value], passed()),
        // That of `shaken` comes first: it says more.
        (&[&wrong_bare, &right_bare, &value], passed()),
        (&[&right_bare, &value], passed()),
        (&[&wrong, &right_bare], unattested),
        // No more than two signatures are checked for a call.
        (&[&wrong, &wrong, &value], failed()),
        (&[&wrong, &wrong_bare], failed()),
        (&[&old, &elsewhere], failed()),
    ];
    for (place, (values, expected)) in table.into_iter().enumerate() {
        let headers: String = values.iter().map(|value| header(value)).collect();
        let identities = pki.identities();
        let mut node = Node::with_identities(voice(VerifyIdentity::Note), &identities);
        theirs.publish(&identities, node.now.instant);
        let sent = node.receive(VENDORS[0], inbound("a", &headers));
        assert_eq!(noted(&mut node, &sent), expected, "{place}");
    }
}

/// The answer is that of the one that says most against the call.
#[test]
fn of_several_none_is_right() {
    let pki = Pki::new();
    let theirs = pki.carrier();
    let old = theirs.sign(&Claims { iat: NOW - 61, ..right() });
    let elsewhere = theirs.sign(&claims("15550009", "15550100"));
    let malformed = "!".to_owned();
    let table: [(&[&String], &str); 4] = [
        (&[&malformed, &old], "403"),
        (&[&old, &malformed], "403"),
        (&[&old, &elsewhere], "403"),
        (&[&elsewhere, &old], "438"),
    ];
    for (place, (values, answer)) in table.into_iter().enumerate() {
        let headers: String = values.iter().map(|value| header(value)).collect();
        let identities = pki.identities();
        let mut node = Node::with_identities(voice(VerifyIdentity::Refuse), &identities);
        theirs.publish(&identities, node.now.instant);
        let sent = node.receive(VENDORS[0], inbound("a", &headers));
        assert_eq!(sent.last().unwrap().word(), answer, "{place}");
    }
}
