use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://warp.example";
const AUDIENCE: &str = "warp-api";
/// RFC 8037, A.1 to A.3.
const RFC_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const RFC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const RFC_KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const NOW: i64 = 1_800_000_000;

fn rfc_key() -> SigningKey {
    SigningKey::restore(RFC_KID, &SecretString::new(RFC_D), at(NOW)).unwrap()
}

fn set() -> KeySet {
    KeySet::new(ISSUER, AUDIENCE, vec![rfc_key()]).unwrap()
}

fn claims(set: &KeySet) -> Claims {
    set.claims(Uuid::from_u128(1), Uuid::from_u128(2), at(NOW), Duration::from_secs(900))
}

fn segment(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", segment(header), segment(claims))
}

/// A token of any header and claims with a good signature of the RFC's key.
fn forged(header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let seed = URL_SAFE_NO_PAD.decode(RFC_D).unwrap();
    let signature = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn good_header() -> Value {
    json!({ "alg": "EdDSA", "typ": "JWT", "kid": RFC_KID })
}

fn good_claims() -> Value {
    serde_json::to_value(claims(&set())).unwrap()
}

fn with(mut value: Value, member: &str, to: Value) -> Value {
    value[member] = to;
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member);
    value
}

#[test]
fn a_token_comes_back_as_its_claims() {
    let set = set();
    let claims = claims(&set);
    let token = set.issue(&claims, at(NOW)).unwrap();
    assert_eq!(set.verify(&token, at(NOW)).unwrap(), claims);
    assert_eq!(claims.exp - claims.iat, 900);
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header, good_header());
    // What the tests below forge is accepted where nothing is wrong with it.
    assert_eq!(set.verify(&forged(&good_header(), &good_claims()), at(NOW)).unwrap().sub, claims.sub);
}

#[test]
fn keys_are_those_of_rfc_8037() {
    let expected = json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": RFC_X, "kid": RFC_KID, "use": "sig", "alg": "EdDSA",
    }]});
    assert_eq!(set().jwks(), expected);
    let shown = set().jwks().to_string();
    assert!(!shown.contains(RFC_D));
    let key = rfc_key();
    assert_eq!(key.secret().expose(), RFC_D);
    let debug = format!("{key:?}");
    assert!(debug.contains(RFC_KID) && debug.contains("[redacted]") && !debug.contains(RFC_D), "{debug}");
}

#[test]
fn a_stored_key_that_does_not_fit_is_refused() {
    for (kid, secret) in [
        ("other", RFC_D),
        (RFC_KID, RFC_D.get(1..).unwrap()),
        (RFC_KID, "not base64url!"),
        (RFC_KID, ""),
        (RFC_KID, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let restored = SigningKey::restore(kid, &SecretString::new(secret), at(NOW));
        assert_eq!(restored.unwrap_err(), Error::Key, "{kid} {secret}");
    }
}

#[test]
fn headers_of_another_kind_are_refused() {
    let set = set();
    for (name, header, error) in [
        ("none", with(good_header(), "alg", json!("none")), Error::Malformed),
        ("None", with(good_header(), "alg", json!("None")), Error::Malformed),
        ("no alg", without(good_header(), "alg"), Error::Malformed),
        ("RS256", with(good_header(), "alg", json!("RS256")), Error::Kind),
        ("HS256", with(good_header(), "alg", json!("HS256")), Error::Kind),
        ("ES256", with(good_header(), "alg", json!("ES256")), Error::Kind),
        ("another type", with(good_header(), "typ", json!("at+jwt")), Error::Kind),
        ("crit", with(good_header(), "crit", json!(["exp"])), Error::Kind),
        ("no kid", without(good_header(), "kid"), Error::UnknownKey),
        ("empty kid", with(good_header(), "kid", json!("")), Error::UnknownKey),
        ("unknown kid", with(good_header(), "kid", json!("other")), Error::UnknownKey),
        ("path", with(good_header(), "kid", json!("../../../dev/null")), Error::UnknownKey),
        ("query", with(good_header(), "kid", json!("' OR 1=1 --")), Error::UnknownKey),
        ("number", with(good_header(), "kid", json!(1)), Error::Malformed),
    ] {
        assert_eq!(set.verify(&forged(&header, &good_claims()), at(NOW)), Err(error), "{name}");
    }
    let quiet = without(good_header(), "typ");
    assert!(set.verify(&forged(&quiet, &good_claims()), at(NOW)).is_ok(), "typ may be absent");
}

/// A token without a signature, and one whose "secret" is the published key.
#[test]
fn algorithms_are_not_confused() {
    let set = set();
    for alg in ["none", "NONE", "HS256", "HS512", "EdDSA"] {
        let message = unsigned(&with(good_header(), "alg", json!(alg)), &good_claims());
        assert!(set.verify(&format!("{message}."), at(NOW)).is_err(), "{alg} without a signature");
        let public = URL_SAFE_NO_PAD.decode(RFC_X).unwrap();
        for secret in [public.as_slice(), RFC_X.as_bytes()] {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
            let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()));
            assert!(set.verify(&format!("{message}.{tag}"), at(NOW)).is_err(), "{alg} with a public secret");
        }
    }
    // A key that the token brings along is not looked at.
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(ring::signature::KeyPair::public_key(&stranger));
    let header = with(good_header(), "jwk", json!({ "kty": "OKP", "crv": "Ed25519", "x": x }));
    let message = unsigned(&header, &good_claims());
    let signature = URL_SAFE_NO_PAD.encode(stranger.sign(message.as_bytes()));
    assert_eq!(set.verify(&format!("{message}.{signature}"), at(NOW)), Err(Error::Signature));
}

#[test]
fn claims_must_be_there_and_ours() {
    let set = set();
    for (name, claims, error) in [
        ("issuer", with(good_claims(), "iss", json!("https://evil.example")), Error::Issuer),
        ("issuers", with(good_claims(), "iss", json!([ISSUER])), Error::Malformed),
        ("audience", with(good_claims(), "aud", json!("another")), Error::Audience),
        ("audiences", with(good_claims(), "aud", json!([AUDIENCE, "another"])), Error::Malformed),
        ("subject", with(good_claims(), "sub", json!("root")), Error::Malformed),
        ("text for a time", with(good_claims(), "exp", json!("9999999999")), Error::Malformed),
        ("a broken time", with(good_claims(), "exp", json!(1e300)), Error::Malformed),
        ("null", with(good_claims(), "exp", Value::Null), Error::Malformed),
        ("not an object", json!([1, 2]), Error::Malformed),
    ] {
        assert_eq!(set.verify(&forged(&good_header(), &claims), at(NOW)), Err(error), "{name}");
    }
    for member in ["iss", "aud", "sub", "sid", "jti", "exp", "iat", "nbf"] {
        let token = forged(&good_header(), &without(good_claims(), member));
        assert_eq!(set.verify(&token, at(NOW)), Err(Error::Malformed), "without {member}");
    }
}

#[test]
fn times_are_held_with_a_minute_of_leeway() {
    let set = set();
    let token = set.issue(&claims(&set), at(NOW)).unwrap();
    for (now, outcome) in [
        (NOW - 61, Err(Error::NotYet)),
        (NOW - 60, Ok(())),
        (NOW, Ok(())),
        (NOW + 900 + 59, Ok(())),
        (NOW + 900 + 60, Err(Error::Expired)),
        (NOW + 100_000, Err(Error::Expired)),
        (0, Err(Error::NotYet)),
    ] {
        assert_eq!(set.verify(&token, at(now)).map(drop), outcome, "{now}");
    }
    for (member, time, error) in [
        ("nbf", NOW + 61, Error::NotYet),
        ("iat", NOW + 61, Error::NotYet),
        ("exp", NOW - 60, Error::Expired),
        ("exp", i64::MIN, Error::Expired),
        ("nbf", i64::MAX, Error::NotYet),
    ] {
        let token = forged(&good_header(), &with(good_claims(), member, json!(time)));
        let found = set.verify(&token, at(NOW)).unwrap_err();
        // jsonwebtoken reads the times that it asks for as unsigned.
        assert!(found == error || time < 0 && found == Error::Malformed, "{member} {time}: {found}");
    }
    for extreme in [i64::MIN, i64::MAX] {
        assert!(set.verify(&token, Timestamp::from_micros(extreme)).is_err());
    }
}

#[test]
fn damage_of_any_octet_is_found() {
    let set = set();
    let token = set.issue(&claims(&set), at(NOW)).unwrap();
    for cut in 0..token.len() {
        assert!(set.verify(token.get(..cut).unwrap(), at(NOW)).is_err(), "cut at {cut}");
    }
    for place in 0..token.len() {
        let mut octets = token.clone().into_bytes();
        octets[place] = if octets[place] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(octets).unwrap();
        assert!(set.verify(&damaged, at(NOW)).is_err(), "octet {place}: {damaged}");
    }
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let others = set.claims(Uuid::from_u128(7), Uuid::nil(), at(NOW), LEEWAY);
    let other = set.issue(&others, at(NOW)).unwrap();
    let stolen = other.split('.').nth(1).unwrap();
    for (name, text) in [
        ("another payload", format!("{header}.{stolen}.{signature}")),
        ("a fourth segment", format!("{token}.")),
        ("two segments", format!("{header}.{payload}")),
        ("padding", format!("{token}=")),
        ("a space", format!(" {token}")),
        ("a line end", format!("{token}\n")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("not ascii", format!("{header}.é.{signature}")),
    ] {
        assert!(set.verify(&text, at(NOW)).is_err(), "{name}");
    }
}

#[test]
fn a_long_token_is_not_decoded() {
    let set = set();
    let long = with(good_claims(), "more", json!("x".repeat(TOKEN_OCTETS_MAX)));
    assert_eq!(set.verify(&forged(&good_header(), &long), at(NOW)), Err(Error::Oversize));
    assert_eq!(set.verify(&".".repeat(TOKEN_OCTETS_MAX + 1), at(NOW)), Err(Error::Oversize));
    assert_eq!(set.verify(&".".repeat(TOKEN_OCTETS_MAX), at(NOW)), Err(Error::Malformed));
}

#[test]
fn tokens_outlive_one_rotation() {
    let [first, second, third] = [0, 100, 200].map(|later| SigningKey::generate(at(NOW + later)).unwrap());
    let one = KeySet::new(ISSUER, AUDIENCE, vec![first.clone()]).unwrap();
    let two = one.rotated(second.clone()).unwrap();
    let three = two.rotated(third.clone()).unwrap();
    let old = one.issue(&claims(&one), at(NOW)).unwrap();
    let new = two.issue(&claims(&two), at(NOW + 160)).unwrap();
    assert_eq!(one.verify(&new, at(NOW)), Err(Error::UnknownKey));
    for token in [&old, &new] {
        assert!(two.verify(token, at(NOW)).is_ok());
    }
    assert_eq!(three.verify(&old, at(NOW)), Err(Error::UnknownKey));
    assert!(three.verify(&new, at(NOW)).is_ok());
    let names: Vec<&str> = three.keys().iter().map(SigningKey::kid).collect();
    assert_eq!(names, [third.kid(), second.kid()]);
    assert_eq!(three.jwks()["keys"].as_array().unwrap().len(), 2);
    assert_eq!(three.keys()[0].created_at(), at(NOW + 200));
    // The order in which they come does not matter.
    let turned = KeySet::new(ISSUER, AUDIENCE, vec![first.clone(), second.clone()]).unwrap();
    assert_eq!(turned.keys()[0].kid(), second.kid());
    // A name of one key on the signature of the other.
    let header = jsonwebtoken::decode_header(&new).unwrap();
    assert_eq!(header.kid.as_deref(), Some(second.kid()));
    let mut borrowed = Header::new(Algorithm::EdDSA);
    borrowed.kid = Some(first.kid().to_owned());
    let token = jsonwebtoken::encode(&borrowed, &claims(&two), &second.private).unwrap();
    assert_eq!(two.verify(&token, at(NOW)), Err(Error::Signature));
    for keys in [vec![], vec![first.clone(), first.clone()], vec![first, second, third]] {
        assert_eq!(KeySet::new(ISSUER, AUDIENCE, keys).err(), Some(Error::KeySet));
    }
}

/// Until then a node that has not read it would refuse its tokens.
#[test]
fn the_youngest_key_signs_once_all_nodes_have_read_it() {
    let [old, new] = [0, 1000].map(|later| SigningKey::generate(at(NOW + later)).unwrap());
    let alone = KeySet::new(ISSUER, AUDIENCE, vec![new.clone()]).unwrap();
    let both = KeySet::new(ISSUER, AUDIENCE, vec![old.clone(), new.clone()]).unwrap();
    for (name, set, now, signs) in [
        ("there is no other", &alone, NOW + 1000, &new),
        ("just made", &both, NOW + 1000, &old),
        ("of a clock that is ahead", &both, NOW + 941, &old),
        ("nearly a minute old", &both, NOW + 1059, &old),
        ("a minute old", &both, NOW + 1060, &new),
        ("of a clock that was set", &both, NOW, &new),
    ] {
        let token = set.issue(&claims(set), at(now)).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.kid.as_deref(), Some(signs.kid()), "{name}");
        assert!(set.verify(&token, at(NOW)).is_ok(), "{name}");
    }
}
