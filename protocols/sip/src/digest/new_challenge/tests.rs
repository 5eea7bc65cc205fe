use super::*;
use crate::digest::{Algorithm, Challenge, Qop};

fn written(challenge: &NewChallenge<'_>) -> Result<String, WriteError> {
    let mut out = Vec::new();
    challenge.write(&mut out).map(|()| String::from_utf8(out).unwrap())
}

#[test]
fn challenges_are_what_is_read() {
    let challenge = NewChallenge { realm: "warp", nonce: b"AbC-_1", hash: Hash::Sha256, stale: false };
    let text = "Digest realm=\"warp\",nonce=\"AbC-_1\",algorithm=SHA-256,qop=\"auth\"";
    assert_eq!(written(&challenge).unwrap(), text);
    for (hash, algorithm) in [
        (Hash::Sha512Trunc256, Algorithm::Sha512Trunc256),
        (Hash::Sha256, Algorithm::Sha256),
        (Hash::Md5, Algorithm::Md5),
    ] {
        for stale in [false, true] {
            let text = written(&NewChallenge { hash, stale, ..challenge }).unwrap();
            let read = Challenge::parse(text.as_bytes()).unwrap();
            assert_eq!((read.realm, read.nonce), (&b"warp"[..], &b"AbC-_1"[..]), "{text}");
            assert_eq!((read.algorithm, read.stale, read.userhash), (algorithm, stale, false), "{text}");
            assert_eq!(read.qop, Some(Qop { auth: true, auth_int: false }), "{text}");
            assert_eq!((read.opaque, read.domain), (None, None), "{text}");
        }
    }
}

#[test]
fn no_text_ends_its_quotes() {
    let challenge = NewChallenge { realm: "warp", nonce: b"n", hash: Hash::Md5, stale: true };
    for (realm, nonce, expected) in [
        ("a\"b", &b"n"[..], WriteError::Form("a realm")),
        ("a\\", b"n", WriteError::Form("a realm")),
        ("a\r\nb", b"n", WriteError::Control("a realm")),
        ("warp", b"n\"", WriteError::Form("a nonce")),
        ("warp", b"\n", WriteError::Control("a nonce")),
    ] {
        let refused = written(&NewChallenge { realm, nonce, ..challenge }).unwrap_err();
        assert_eq!(refused, expected, "{realm:?}");
    }
}
