use runtime::model::{DigestCredential, SIP_REALM, Trunk};
use runtime::password::{Ha1, SecretString};

use super::*;
use crate::sip::digest::Users;

const OUTCOME: &str = "407 Proxy Authentication Required: whoever shows the digest of a trunk is let in";

/// The configuration with a second trunk that says by digest who it is; the first one is as it says.
fn with_digests(first: AuthType) -> Arc<Snapshot> {
    let mut voice = voice();
    let digest =
        DigestCredential { username: "acme".to_owned(), realm: SIP_REALM.to_owned(), ha1_sealed: Vec::new() };
    let trunk = Trunk {
        id: Uuid::from_u128(60),
        number: 2,
        name: "acme-roaming".to_owned(),
        auth_type: AuthType::Digest,
        digest: Some(digest),
        ..voice.trunks[0].clone()
    };
    voice.trunks[0].auth_type = first;
    voice.trunks.push(trunk);
    let ha1 = Ha1::of("acme", SIP_REALM, &SecretString::new("correct horse battery"));
    let users = Users::of([("acme".to_owned(), 1, ha1)]);
    let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), start());
    Arc::new(snapshot.with_digests(users))
}

/// As the worker answers it: a vendor's call to a number of ours is nobody's who has to say who it is, nor is one of a
/// trunk that its source is enough for.
#[test]
fn who_is_asked_who_it_is() {
    let route = "route";
    for (first, source, to, expected) in [
        (AuthType::IpAcl, STRANGER, "15551234", OUTCOME),
        (AuthType::IpAcl, STRANGER, "15550100", OUTCOME),
        (AuthType::IpAcl, STRANGER, "alice", OUTCOME),
        (AuthType::IpAcl, CUSTOMER, "15551234", route),
        (AuthType::IpAcl, VENDORS[0], "15550100", route),
        (AuthType::IpAcl, VENDORS[0], "15550199", "404 Not Found: the number is none of ours"),
        (AuthType::Both, CUSTOMER, "15551234", OUTCOME),
        (AuthType::Digest, CUSTOMER, "15551234", OUTCOME),
    ] {
        let snapshot = with_digests(first);
        let told = call(&snapshot, own(&listeners()), &question(source, to), &|_| Vec::new(), start());
        assert_eq!(told.outcome, expected, "{first:?} {source} {to}: {told}");
    }
    let nobody = told(voice(), STRANGER, "15551234");
    assert_eq!(nobody.outcome, "403 Forbidden: no trunk has this source", "no trunk has a digest");
}
