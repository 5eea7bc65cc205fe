mod foreign;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::identity;
use crate::passport::Shaken;
use crate::testing::{CALLEE, CALLER, Carrier, NOW, Pki, X5U, claims};

fn numbers(number: &str) -> Vec<String> {
    vec![number.to_owned()]
}

/// What is made of a value, about a call between these now.
fn verified(
    value: &str,
    (orig, dest): (&str, &str),
    now: u64,
    certificate: &Certificate,
) -> Result<Verified, Failure> {
    let (orig, dest) = (numbers(orig), numbers(dest));
    let about = About { orig: &orig, dest: &dest, date: Some(now), now };
    let identity = Identity::parse(value.as_bytes())?;
    Signed::read(&identity, &about)?.check(certificate, now)
}

fn carrier() -> (Carrier, Certificate) {
    let pki = Pki::new();
    let carrier = pki.carrier();
    let certificate = carrier.certificate(&pki);
    (carrier, certificate)
}

#[test]
fn what_was_signed_is_right() {
    let (carrier, certificate) = carrier();
    for attest in [Attestation::A, Attestation::B, Attestation::C] {
        let shaken = claims().shaken.map(|shaken| Shaken { attest, ..shaken });
        let value = carrier.sign(&Claims { shaken, ..claims() });
        let expected = Verified { number: CALLER.to_owned(), attestation: Some(attest) };
        assert_eq!(verified(&value, (CALLER, CALLEE), NOW, &certificate), Ok(expected));
    }
    let value = carrier.sign(&Claims { shaken: None, ..claims() });
    let expected = Verified { number: CALLER.to_owned(), attestation: None };
    assert_eq!(verified(&value, (CALLER, CALLEE), NOW, &certificate), Ok(expected), "RFC 8225 alone");
}

#[test]
fn what_is_about_another_call() {
    let (carrier, certificate) = carrier();
    let value = carrier.sign(&claims());
    for (call, now, failure) in [
        (("12155551213", CALLEE), NOW, Failure::Numbers),
        (("2155551212", CALLEE), NOW, Failure::Numbers),
        ((CALLER, "12125551214"), NOW, Failure::Numbers),
        ((CALLEE, CALLER), NOW, Failure::Numbers),
        ((CALLER, CALLEE), NOW + 61, Failure::Stale),
        ((CALLER, CALLEE), NOW - 61, Failure::Stale),
    ] {
        assert_eq!(verified(&value, call, now, &certificate), Err(failure), "{call:?} {now}");
    }
    for now in [NOW - 60, NOW + 60] {
        assert!(verified(&value, (CALLER, CALLEE), now, &certificate).is_ok(), "{now}");
    }
    let uri = Claims { orig: Party::Uri("sip:alice@example.com".to_owned()), ..claims() };
    let value = carrier.sign(&uri);
    assert_eq!(verified(&value, (CALLER, CALLEE), NOW, &certificate), Err(Failure::Numbers));
}

#[test]
fn whose_signature_is_wrong() {
    let (carrier, certificate) = carrier();
    let (_, other) = self::carrier();
    let value = carrier.sign(&claims());
    assert_eq!(verified(&value, (CALLER, CALLEE), NOW, &other), Err(Failure::Signature), "another key");
    // Nothing of it can be changed.
    let (token, rest) = value.split_once(';').unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let louder = Claims { iat: NOW + 1, ..claims() }.json();
    let louder = format!("{}.{}.{};{rest}", parts[0], URL_SAFE_NO_PAD.encode(louder), parts[2]);
    assert_eq!(verified(&louder, (CALLER, CALLEE), NOW, &certificate), Err(Failure::Signature));
    // Of a signature nothing is right but itself.
    for at in 0..SIGNATURE_LEN {
        let mut signature = passport::signature(parts[2]).unwrap();
        signature[at] ^= 1;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let changed = format!("{}.{}.{signature};{rest}", parts[0], parts[1]);
        assert_eq!(verified(&changed, (CALLER, CALLEE), NOW, &certificate), Err(Failure::Signature), "{at}");
    }
}

#[test]
fn certificates_have_their_time_and_numbers() {
    let pki = Pki::new();
    let carrier = pki.carrier();
    let certificate = carrier.certificate(&pki);
    let late = certificate.not_after();
    let value = carrier.sign(&Claims { iat: late, ..claims() });
    assert!(verified(&value, (CALLER, CALLEE), late, &certificate).is_ok());
    assert_eq!(
        verified(&value, (CALLER, CALLEE), late + 1, &certificate),
        Err(Failure::Credential),
        "it has expired"
    );
    // A TNAuthList with one number, of somebody else.
    let list = [&[0x30, 0x07, 0xA2, 0x05, 0x16, 0x03][..], b"123"].concat();
    let other = pki.issue(&crate::testing::carrier(Some(&list)), rcgen::KeyPair::generate().unwrap());
    let value = other.sign(&claims());
    let certificate = other.certificate(&pki);
    assert_eq!(verified(&value, (CALLER, CALLEE), NOW, &certificate), Err(Failure::Credential));
}

#[test]
fn what_stands_in_clear_says_nothing_else() {
    let (carrier, certificate) = carrier();
    let value = carrier.sign(&claims());
    let check = |value: &str| verified(value, (CALLER, CALLEE), NOW, &certificate);
    for (changed, failure) in [
        (value.replace(X5U, "https://evil.example/x.pem"), Failure::Malformed),
        (value.replace(";ppt=shaken", ""), Failure::Malformed),
        (value.replace("ppt=shaken", "ppt=div"), Failure::Malformed),
        (value.replace("alg=ES256", "alg=RS256"), Failure::Credential),
        (value.replacen('.', "", 1), Failure::Malformed),
        (value.replacen('.', "..", 1), Failure::Malformed),
        (format!("x{value}"), Failure::Malformed),
    ] {
        assert_eq!(check(&changed), Err(failure), "{changed}");
    }
    assert!(check(&value.replace("ppt=shaken", "ppt=\"shaken\"")).is_ok());
}

/// RFC 8225, 7.
#[test]
fn the_short_form() {
    let (carrier, certificate) = carrier();
    let bare = Claims { shaken: None, ..claims() };
    let value = carrier.sign(&bare);
    let identity = Identity::parse(value.as_bytes()).unwrap();
    let signature = identity.token.rsplit_once('.').unwrap().1;
    let short = identity::write(&format!("..{signature}"), X5U, None);
    let expected = Verified { number: CALLER.to_owned(), attestation: None };
    assert_eq!(verified(&short, (CALLER, CALLEE), NOW, &certificate), Ok(expected));
    for call in [(CALLEE, CALLEE), (CALLER, CALLER)] {
        assert_eq!(verified(&short, call, NOW, &certificate), Err(Failure::Signature), "{call:?}");
    }
    let (orig, dest) = (numbers(CALLER), numbers(CALLEE));
    let short_identity = Identity::parse(short.as_bytes()).unwrap();
    for (date, now, failure) in [
        (None, NOW, Some(Failure::Stale)),
        (Some(NOW), NOW + 61, Some(Failure::Stale)),
        (Some(NOW), NOW + 60, None),
    ] {
        let about = About { orig: &orig, dest: &dest, date, now };
        let read = Signed::read(&short_identity, &about).and_then(|signed| signed.check(&certificate, now));
        assert_eq!(read.err(), failure, "{date:?} {now}");
    }
    let nobody = About { orig: &[], dest: &dest, date: Some(NOW), now: NOW };
    assert_eq!(Signed::read(&short_identity, &nobody), Err(Failure::Numbers));
    let shaken = identity::write(&format!("..{signature}"), X5U, Some("shaken"));
    assert_eq!(verified(&shaken, (CALLER, CALLEE), NOW, &certificate), Err(Failure::Malformed));
}

#[test]
fn answers_of_rfc_8224() {
    for (failure, status, phrase, against) in [
        (Failure::Missing, 428, "Use Identity Header", false),
        (Failure::Stale, 403, "Stale Date", true),
        (Failure::Unavailable, 436, "Bad Identity Info", false),
        (Failure::Credential, 437, "Unsupported Credential", true),
        (Failure::Malformed, 438, "Invalid Identity Header", true),
        (Failure::Numbers, 438, "Invalid Identity Header", true),
        (Failure::Signature, 438, "Invalid Identity Header", true),
        (Failure::Replayed, 438, "Invalid Identity Header", true),
    ] {
        assert_eq!((failure.status(), failure.phrase(), failure.is_against()), (status, phrase, against));
    }
}

#[test]
fn every_cut_of_a_value_is_refused() {
    let (carrier, certificate) = carrier();
    let value = carrier.sign(&claims());
    for at in 0..value.len() {
        let cut = verified(value.get(..at).unwrap(), (CALLER, CALLEE), NOW, &certificate);
        assert!(cut.is_err(), "{at}");
    }
}
