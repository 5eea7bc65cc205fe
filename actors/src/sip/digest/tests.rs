use proptest::prelude::*;
use runtime::password::SecretString;

use super::*;
use crate::sip::testing::voice;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn secret(number: u8, octet: u8) -> Secret {
    Secret { number, key: [octet; 16] }
}

fn bound(source: &str, call_id: &'static str) -> Bound<'static> {
    Bound { source: source.parse().unwrap(), call_id: call_id.as_bytes() }
}

fn keys() -> Keys {
    Keys::new(secret(1, 7), None)
}

#[test]
fn a_nonce_is_good_for_one_call_from_one_address() {
    let given = bound("192.0.2.10", "a@b");
    let text = nonce(&keys(), &given, NOW);
    assert_eq!(look(&keys(), &text, &given, NOW), Nonce::Fresh);
    assert_eq!(look(&keys(), &text, &bound("::ffff:192.0.2.10", "a@b"), NOW), Nonce::Fresh, "it is the same");
    for other in [
        bound("192.0.2.11", "a@b"),
        bound("2001:db8::1", "a@b"),
        bound("192.0.2.10", "a@c"),
        bound("192.0.2.10", "a@bb"),
        bound("192.0.2.10", ""),
    ] {
        assert_eq!(look(&keys(), &text, &other, NOW), Nonce::Foreign, "{other:?}");
    }
}

#[test]
fn a_nonce_is_good_for_a_minute() {
    let given = bound("192.0.2.10", "a@b");
    let text = nonce(&keys(), &given, NOW);
    let second = Duration::from_secs(1);
    for (at, expected) in [
        (NOW.plus(LIFETIME), Nonce::Fresh),
        (NOW.plus(LIFETIME + second), Nonce::Stale),
        (NOW.plus(LIFETIME * 1000), Nonce::Stale),
        (NOW.minus(SKEW), Nonce::Fresh),
        (NOW.minus(SKEW + second), Nonce::Stale),
    ] {
        assert_eq!(look(&keys(), &text, &given, at), expected, "{at:?}");
    }
    assert_ne!(text, nonce(&keys(), &given, NOW.plus(Duration::from_millis(1))), "no nonce comes again");
}

/// Any node that has the key knows the nonces of all, and those of the key before.
#[test]
fn nonces_of_other_nodes_and_of_the_key_before() {
    let given = bound("192.0.2.10", "a@b");
    let old = nonce(&keys(), &given, NOW);
    for (keys, expected) in [
        (Keys::new(secret(1, 7), Some(secret(2, 8))), Nonce::Fresh),
        (Keys::new(secret(2, 8), Some(secret(1, 7))), Nonce::Fresh),
        (Keys::new(secret(2, 8), None), Nonce::Foreign),
        (Keys::new(secret(1, 8), None), Nonce::Foreign),
        (Keys::new(secret(2, 7), None), Nonce::Foreign),
    ] {
        assert_eq!(look(&keys, &old, &given, NOW), expected, "{keys:?}");
    }
}

proptest! {
    /// One octet more, less or other makes a nonce of nobody's.
    #[test]
    fn a_changed_nonce_is_foreign(at in 0..TEXT_LEN, octet in any::<u8>(), cut in 0..TEXT_LEN) {
        let given = bound("192.0.2.10", "a@b");
        let text = nonce(&keys(), &given, NOW);
        prop_assert!(text.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(octet)));
        let mut changed = text;
        changed[at] = octet;
        prop_assert!(changed == text || look(&keys(), &changed, &given, NOW) == Nonce::Foreign);
        prop_assert_eq!(look(&keys(), &text[..cut], &given, NOW), Nonce::Foreign);
        prop_assert_eq!(look(&keys(), &[&text[..], b"A"].concat(), &given, NOW), Nonce::Foreign);
    }
}

fn users() -> Users {
    let ha1 = |name: &str, password: &str| Ha1::of(name, SIP_REALM, &SecretString::new(password));
    let users = [("acme", 3, "correct horse"), ("other", 4, "battery staple")];
    Users::of(users.map(|(name, trunk, password)| (name.to_owned(), trunk, ha1(name, password))))
}

/// Credentials for an INVITE, as somebody writes them who has this password.
fn credentials(username: &str, algorithm: &str, secret: &[u8]) -> String {
    let hash =
        [Hash::Md5, Hash::Sha256, Hash::Sha512Trunc256].into_iter().find(|hash| hash.name() == algorithm);
    let hash = hash.unwrap_or(Hash::Md5);
    let request = hash.of(&[b"INVITE", b"sip:1555@warp"]);
    let response = hash.of(&[secret, b"n", b"00000001", b"c", b"auth", request.as_octets()]);
    let response = String::from_utf8(response.as_octets().to_vec()).unwrap();
    format!(
        "Digest {username},realm=\"warp\",nonce=\"n\",uri=\"sip:1555@warp\",response=\"{response}\",\
         algorithm={algorithm},qop=auth,nc=00000001,cnonce=\"c\""
    )
}

#[test]
fn users_by_their_passwords() {
    for hash in Hash::STRONGEST_FIRST {
        let ha1 = |name: &str, password: &str| hash.of(&[name.as_bytes(), b"warp", password.as_bytes()]);
        for (name, password, expected) in [
            ("acme", "correct horse", Some(3)),
            ("other", "battery staple", Some(4)),
            ("acme", "battery staple", None),
            ("nobody", "correct horse", None),
            ("ACME", "correct horse", None),
            ("", "", None),
        ] {
            let said =
                credentials(&format!("username=\"{name}\""), hash.name(), ha1(name, password).as_octets());
            let read = Credentials::parse(said.as_bytes()).unwrap();
            assert_eq!(users().find(&read, b"INVITE"), expected, "{name} {password} {hash:?}");
            assert_eq!(users().find(&read, b"REGISTER"), None, "{name} {password} {hash:?}");
        }
        // What an unknown name is checked with lets nobody in.
        let said = credentials("username=\"nobody\"", hash.name(), nobodys(hash).as_bytes());
        assert_eq!(users().find(&Credentials::parse(said.as_bytes()).unwrap(), b"INVITE"), None);
    }
}

/// Nobody sees from the work that an answer makes whether its name is known: each makes one digest, of a secret of one
/// length.
#[test]
fn every_name_costs_the_same() {
    let known = Ha1::of("acme", SIP_REALM, &SecretString::new("correct horse"));
    for hash in Hash::STRONGEST_FIRST {
        assert_eq!(nobodys(hash).len(), ha1_by(&known, hash).len(), "{hash:?}");
        let right = hash.of(&[b"acme", b"warp", b"correct horse"]);
        let wrong = hash.of(&[b"acme", b"warp", b"wrong"]);
        for (username, secret, expected) in [
            ("username=\"acme\"", right, Some(3)),
            ("username=\"acme\"", wrong, None),
            ("username=\"nobody\"", wrong, None),
            ("username=\"\"", wrong, None),
            ("username=\"acme\",userhash=true", right, None),
            ("username*=UTF-8''acme", right, None),
        ] {
            let said = credentials(username, hash.name(), secret.as_octets());
            let read = Credentials::parse(said.as_bytes()).unwrap();
            work::take();
            assert_eq!((users().find(&read, b"INVITE"), work::take()), (expected, 1), "{username} {hash:?}");
        }
    }
}

#[test]
fn what_was_not_offered_is_refused() {
    let right = Hash::Md5.of(&[b"acme", b"warp", b"correct horse"]);
    for (username, algorithm, expected) in [
        ("username=\"acme\"", "MD5", Some(3)),
        ("username=\"acme\",userhash=true", "MD5", None),
        ("username*=UTF-8''acme", "MD5", None),
        ("username=\"acme\"", "MD5-sess", None),
        ("username=\"acme\"", "AKAv1-MD5", None),
    ] {
        let said = credentials(username, algorithm, right.as_octets());
        let read = Credentials::parse(said.as_bytes()).unwrap();
        assert_eq!(users().find(&read, b"INVITE"), expected, "{username} {algorithm}");
    }
}

/// The secret of a trunk opens for it alone, and those alone are asked who are to be.
#[test]
fn users_of_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let key = RootKey::load_or_create(&dir.path().join("root.key")).unwrap();
    let password = SecretString::new("correct horse");
    let mut configured = voice();
    let id = configured.trunks[0].id;
    let stored = |trunk, realm: &str| DigestCredential {
        username: "acme".to_owned(),
        realm: realm.to_owned(),
        ha1_sealed: trunk_credential::seal(&key, trunk, ("acme", &password)).unwrap(),
    };
    let said = credentials(
        "username=\"acme\"",
        "SHA-256",
        Hash::Sha256.of(&[b"acme", b"warp", b"correct horse"]).as_octets(),
    );
    let read = Credentials::parse(said.as_bytes()).unwrap();
    for (auth_type, active, digest, expected) in [
        (AuthType::Digest, true, Some(stored(id, "warp")), Some(0)),
        (AuthType::Both, true, Some(stored(id, "warp")), Some(0)),
        (AuthType::IpAcl, true, Some(stored(id, "warp")), None),
        (AuthType::Digest, false, Some(stored(id, "warp")), None),
        (AuthType::Digest, true, None, None),
        (AuthType::Digest, true, Some(stored(Uuid::from_u128(77), "warp")), None),
        (AuthType::Digest, true, Some(stored(id, "elsewhere")), None),
    ] {
        let trunk = &mut configured.trunks[0];
        (trunk.auth_type, trunk.active, trunk.digest) = (auth_type, active, digest);
        let users = Users::open(&configured, &key);
        assert_eq!(users.find(&read, b"INVITE"), expected, "{auth_type:?} {active}");
        assert_eq!(users.is_empty(), expected.is_none());
    }
}

/// A key that comes later than what was sealed with it opens it then.
#[test]
fn a_secret_that_opens_later() {
    let dir = tempfile::tempdir().unwrap();
    let [own, other] = ["own.key", "other.key"].map(|name| dir.path().join(name));
    let key = RootKey::load_or_create(&own).unwrap();
    let sealing = RootKey::load_or_create(&other).unwrap();
    let mut configured = voice();
    let id = configured.trunks[0].id;
    let password = SecretString::new("correct horse");
    configured.trunks[0].auth_type = AuthType::Digest;
    configured.trunks[0].digest = Some(DigestCredential {
        username: "acme".to_owned(),
        realm: "warp".to_owned(),
        ha1_sealed: trunk_credential::seal(&sealing, id, ("acme", &password)).unwrap(),
    });
    let users = Users::open(&configured, &key);
    assert!(users.is_empty() && users.closed() == [id]);
    assert!(!Users::opens_one(&configured, &key, users.closed()), "nothing has changed");
    std::fs::copy(&other, &own).unwrap();
    assert!(!Users::opens_one(&configured, &key, &[]), "of those alone that were closed");
    assert!(Users::opens_one(&configured, &key, users.closed()));
    let users = Users::open(&configured, &key);
    assert!(!users.is_empty() && users.closed().is_empty());
}
