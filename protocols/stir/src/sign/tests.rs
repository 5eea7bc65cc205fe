use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use ring::rand::SystemRandom;
use ring::signature::KeyPair as _;

use super::*;
use crate::identity::Identity;
use crate::testing::{Pki, X5U, claims};
use crate::verify::{About, Signed};

/// RFC 8225, A.1.
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\n\
                   MHcCAQEEIFeZ1R208QCvcu5GuYyMfG4W7sH4m99/7eHSDLpdYllFoAoGCCqGSM49\n\
                   AwEHoUQDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcs\n\
                   lQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n\
                   -----END EC PRIVATE KEY-----\n";

#[test]
fn a_key_of_both_forms() {
    let random = SystemRandom::new();
    let signer = Signer::new(X5U, KEY.as_bytes(), &random).unwrap();
    // RFC 8225, A.2, behind what every key on the curve begins with.
    let point = base64::engine::general_purpose::STANDARD
        .decode("BPBzW0Hf05rwisDyh5DBfX0nGrxnh+/GE1PKi0vCORyx0kppQEy3LJUDITQvzoZVgWAutupyJaO13nm2Eu0m9+4=")
        .unwrap();
    assert_eq!(signer.key.public_key().as_ref(), point);
    let pki = Pki::new();
    let carrier = pki.carrier();
    assert!(carrier.key.contains("BEGIN PRIVATE KEY"), "PKCS #8");
    assert!(carrier.signer().is_of(&carrier.certificate(&pki)));
    assert!(!signer.is_of(&carrier.certificate(&pki)));
}

/// The token of the drafts before RFC 8225, whose key it keeps: its `iat` is a text, which no PASSporT has, but its
/// signature is right. That of the RFC is not of its key.
#[test]
fn a_signature_of_others() {
    const INPUT: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0\
                         LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmln\
                         Ijp7InRuIjoiMTIxNTU1NTEyMTIifX0";
    const SIGNATURE: &str =
        "rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w";
    let signer = Signer::new(X5U, KEY.as_bytes(), &SystemRandom::new()).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(
        &ring::signature::ECDSA_P256_SHA256_FIXED,
        signer.key.public_key().as_ref(),
    );
    let signature = crate::passport::signature(SIGNATURE).unwrap();
    assert!(key.verify(INPUT.as_bytes(), &signature).is_ok());
    assert!(key.verify(&INPUT.as_bytes()[1..], &signature).is_err());
}

#[test]
fn keys_that_are_of_no_use() {
    let random = SystemRandom::new();
    let refused = |pem: &str| Signer::new(X5U, pem.as_bytes(), &random).unwrap_err();
    let pki = Pki::new();
    for pem in ["", "hello", &pki.pem(), "-----BEGIN PRIVATE KEY-----\nAAAA\n"] {
        assert_eq!(refused(pem), Error::NoKey, "{pem}");
    }
    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    let half = KEY.replace("MHcCAQEEIFeZ", "MHcCAQEEIFeY");
    let pkcs1 = "-----BEGIN RSA PRIVATE KEY-----\nMAMCAQA=\n-----END RSA PRIVATE KEY-----\n";
    let cut = "-----BEGIN EC PRIVATE KEY-----\nMAMCAQE=\n-----END EC PRIVATE KEY-----\n";
    for pem in [other.as_str(), &half, pkcs1, cut] {
        assert!(matches!(refused(pem), Error::Key(_)), "{pem}");
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let signer = Signer::new(X5U, KEY.as_bytes(), &SystemRandom::new()).unwrap();
    assert_eq!(format!("{signer:?}"), format!("Signer {{ x5u: {X5U:?}, .. }}"));
}

#[test]
fn a_header_that_others_read() {
    let pki = Pki::new();
    let carrier = pki.carrier();
    let value = carrier.sign(&claims());
    let identity = Identity::parse(value.as_bytes()).unwrap();
    assert_eq!((identity.info, identity.alg, identity.ppt), (X5U, "ES256", Some("shaken")));
    assert!(value.len() < 700, "{}", value.len());
    let bare = Claims { shaken: None, ..claims() };
    let value = carrier.sign(&bare);
    let identity = Identity::parse(value.as_bytes()).unwrap();
    assert_eq!(identity.ppt, None);
    let (orig, dest) = ([crate::testing::CALLER.to_owned()], [crate::testing::CALLEE.to_owned()]);
    let about = About { orig: &orig, dest: &dest, date: None, now: bare.iat };
    assert!(Signed::read(&identity, &about).is_ok());
}
