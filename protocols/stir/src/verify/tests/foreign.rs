//! What another library made: keys, certificates and the signature are of python-cryptography 48 (OpenSSL), and none of
//! it was touched by this crate. All are valid in 2026, as `NOW` is.
//!
//! - `authority.pem`: self-signed, on P-384; critical basicConstraints and keyUsage, both key identifiers.
//! - `chain.pem`: a carrier's certificate on P-256, and the one between, on P-256, with a path length of 0 and signed by
//!   ECDSA with SHA-384. The carrier's has a critical keyUsage, basicConstraints, key identifiers, the CRL distribution
//!   point and the policy of SHAKEN, and behind these the TNAuthList:
//!   `x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26"), b"\x30\x08\xa0\x06\x16\x04709J")`.
//! - `key.pem`: the carrier's key, `PrivateFormat.PKCS8`.
//! - `identity.txt`: the Identity. With `b64` for base64url without padding, `dump` for
//!   `json.dumps(o, separators=(",", ":"), sort_keys=True)`, and header and claims as in [`the_identity_of_others`]:
//!
//! ```text
//! signed = b64(dump(header)) + "." + b64(dump(claims))
//! r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
//! token = signed + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
//! identity = token + ";info=<https://certificates.example.net/shaken.pem>;alg=ES256;ppt=shaken"
//! ```

use ring::rand::SystemRandom;

use super::*;
use crate::{Authorities, Signer};

const AUTHORITY: &str = include_str!("foreign/authority.pem");
const CHAIN: &str = include_str!("foreign/chain.pem");
const KEY: &str = include_str!("foreign/key.pem");
const IDENTITY: &str = include_str!("foreign/identity.txt");

fn certificate() -> Certificate {
    Authorities::parse(AUTHORITY.as_bytes()).unwrap().certificate(CHAIN.as_bytes(), NOW).unwrap()
}

#[test]
fn the_identity_of_others() {
    let certificate = certificate();
    let expected = Verified { number: CALLER.to_owned(), attestation: Some(Attestation::A) };
    assert_eq!(verified(IDENTITY, (CALLER, CALLEE), NOW, &certificate), Ok(expected));
    // Octet by octet what we would sign: {"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://certificates..."},
    // {"attest":"A","dest":{"tn":["12125551213"]},"iat":1790000000,"orig":{"tn":"12155551212"},"origid":"123e4567-..."}.
    let header = Header { x5u: X5U.to_owned(), ppt: Some("shaken".to_owned()) };
    let signed = signing_input(&header, &claims());
    assert!(IDENTITY.starts_with(&format!("{signed}.")), "{signed}");
    assert_eq!(verified(IDENTITY, (CALLER, CALLER), NOW, &certificate), Err(Failure::Numbers));
    assert_eq!(verified(IDENTITY, (CALLER, CALLEE), NOW + 61, &certificate), Err(Failure::Stale));
}

#[test]
fn no_octet_of_it_may_change() {
    let certificate = certificate();
    let token = IDENTITY.find(';').unwrap();
    // The last character has bits beside those of the signature: they have to be none.
    for at in 0..token {
        let mut changed = IDENTITY.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verified(&changed, (CALLER, CALLEE), NOW, &certificate).is_err(), "{at}");
    }
}

#[test]
fn the_certificate_of_others() {
    let (_, others) = carrier();
    assert_eq!(verified(IDENTITY, (CALLER, CALLEE), NOW, &others), Err(Failure::Signature), "of another key");
    let nobody = Pki::new().authorities();
    assert!(nobody.certificate(CHAIN.as_bytes(), NOW).is_err(), "another authority");
    let end = "-----END CERTIFICATE-----\n";
    let (alone, _) = CHAIN.split_at(CHAIN.find(end).unwrap() + end.len());
    let authorities = Authorities::parse(AUTHORITY.as_bytes()).unwrap();
    assert!(authorities.certificate(alone.as_bytes(), NOW).is_err(), "the one between is missing");
    // 2026-01-01 and 2027-01-01.
    for (at, expected) in [(1_767_225_599, false), (1_767_225_600, true), (1_798_761_600, true)] {
        assert_eq!(authorities.certificate(CHAIN.as_bytes(), at).is_ok(), expected, "{at}");
        assert_eq!(certificate().is_valid_at(at), expected, "{at}");
    }
}

/// With a key of theirs we sign what their certificate checks.
#[test]
fn the_key_of_others() {
    let random = SystemRandom::new();
    let signer = Signer::new(X5U, KEY.as_bytes(), &random).unwrap();
    let certificate = certificate();
    assert!(signer.is_of(&certificate));
    let value = signer.identity(&claims(), &random).unwrap();
    assert!(verified(&value, (CALLER, CALLEE), NOW, &certificate).is_ok());
    assert_ne!(value, IDENTITY, "another signature of the same");
}
