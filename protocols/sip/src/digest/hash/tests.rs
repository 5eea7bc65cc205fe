use proptest::prelude::*;

use super::*;

/// The digest by which `password` is known.
fn secret(hash: Hash, username: &str, realm: &str, password: &str) -> HexDigest {
    hash.of(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// RFC 1321, A.5; FIPS 180-4, as NIST's examples have them.
#[test]
fn digests() {
    for (hash, text, expected) in [
        (Hash::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
        (Hash::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
        (Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Hash::Sha512Trunc256, "abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
    ] {
        assert_eq!(hash.of(&[text.as_bytes()]).as_octets(), expected.as_bytes(), "{hash:?} {text}");
    }
    assert_eq!(Hash::Md5.of(&[b"a", b"", b"b"]), Hash::Md5.of(&[b"a::b"]));
    assert_eq!(Hash::Md5.of(&[]), Hash::Md5.of(&[b""]));
}

#[test]
fn names_are_those_that_are_read() {
    for hash in Hash::STRONGEST_FIRST {
        assert_eq!(Algorithm::of(Some(hash.name().as_bytes())).hash(), Some(hash));
        let digits = Algorithm::of(Some(hash.name().as_bytes())).digits();
        assert_eq!(digits, Some(hash.of(&[b"x"]).as_octets().len()));
    }
    assert_eq!(Algorithm::of(None).hash(), Some(Hash::Md5));
    for name in ["MD5-sess", "SHA-256-sess", "SHA-512-256-sess", "SHA-1"] {
        assert_eq!(Algorithm::of(Some(name.as_bytes())).hash(), None, "{name}");
    }
}

/// What who sent these credentials has said.
struct Said {
    user: [&'static str; 3],
    method: &'static str,
    credentials: String,
}

/// RFC 7616, 3.9.1, with a response for each algorithm (that of SHA-512-256 by OpenSSL); RFC 2617, 3.5; RFC 2069, 2.4 as
/// its erratum has it; an INVITE with and without protection, by OpenSSL.
fn vectors() -> Vec<Said> {
    let mufasa = |algorithm: &str, response: &str| Said {
        user: ["Mufasa", "http-auth@example.org", "Circle of Life"],
        method: "GET",
        credentials: format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        ),
    };
    let old = |password: &'static str, rest: &str| Said {
        user: ["Mufasa", "testrealm@host.com", password],
        method: "GET",
        credentials: format!(
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             uri=\"/dir/index.html\", {rest}"
        ),
    };
    let bob = |rest: &str| Said {
        user: ["bob", "biloxi.com", "zanzibar"],
        method: "INVITE",
        credentials: format!(
            "Digest username=\"bob\",realm=\"biloxi.com\",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\
             uri=\"sip:bob@biloxi.com\",{rest}"
        ),
    };
    vec![
        mufasa("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        mufasa("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        mufasa("SHA-512-256", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0"),
        mufasa("md5", "8CA523F5E9506FED4657C9700EEBDBEC"),
        old(
            "Circle Of Life",
            "qop=\"auth\", nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\"",
        ),
        old("CircleOfLife", "response=\"1949323746fe6a43ef61f9606e7febea\""),
        bob("response=\"bf57e4e0d0bffc0fbaedce64d59add5e\""),
        bob("qop=auth,nc=00000001,cnonce=\"0a4f113b\",response=\"89eb0059246c02b2f6ee02c7961d5ea3\""),
    ]
}

#[test]
fn answers_of_who_knows_the_password() {
    for Said { user: [name, realm, password], method, credentials } in vectors() {
        let read = Credentials::parse(credentials.as_bytes()).unwrap();
        let hash = read.algorithm.hash().unwrap();
        let right = secret(hash, name, realm, password);
        assert!(read.are_by(right.as_octets(), method.as_bytes()), "{credentials}");
        assert!(!read.are_by(right.as_octets(), b"OPTIONS"), "another method: {credentials}");
        for (name, realm, password) in
            [(name, realm, "guessed"), ("other", realm, password), (name, "elsewhere", password)]
        {
            let wrong = secret(hash, name, realm, password);
            assert!(!read.are_by(wrong.as_octets(), method.as_bytes()), "{name} {realm}: {credentials}");
        }
        assert!(!read.are_by(b"", method.as_bytes()), "{credentials}");
    }
}

/// Whatever the digest covers is covered.
#[test]
fn what_was_changed_on_the_way_is_seen() {
    let Said { user: [name, realm, password], method, credentials } = vectors().remove(1);
    let right = secret(Hash::Sha256, name, realm, password);
    for (from, to) in [
        ("/dir/index.html", "/dir/other.html"),
        ("nc=00000001", "nc=00000002"),
        ("cnonce=\"f2", "cnonce=\"f3"),
        ("nonce=\"7y", "nonce=\"8y"),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth", "qop=\"auth,auth-int\""),
        ("qop=auth", "qop=none"),
        ("qop=auth, ", ""),
        ("algorithm=SHA-256", "algorithm=SHA-512-256"),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=SHA-3"),
        ("response=\"7", "response=\"8"),
    ] {
        let changed = credentials.replacen(from, to, 1);
        assert_ne!(changed, credentials, "{from}");
        let read = Credentials::parse(changed.as_bytes()).unwrap();
        assert!(!read.are_by(right.as_octets(), method.as_bytes()), "{changed}");
    }
}

/// No part of valid credentials proves anything, and none is a panic.
#[test]
fn credentials_that_were_cut_off() {
    for Said { user: [name, realm, password], method, credentials } in vectors() {
        let response = credentials.find("response=").unwrap();
        for end in 0..credentials.len() {
            let Ok(read) = Credentials::parse(&credentials.as_bytes()[..end]) else { continue };
            let Some(hash) = read.algorithm.hash() else { continue };
            let right = secret(hash, name, realm, password);
            assert!(
                end > response || !read.are_by(right.as_octets(), method.as_bytes()),
                "{end} of {credentials}"
            );
        }
    }
}

#[test]
fn a_digest_is_not_shown() {
    assert_eq!(format!("{:?}", Hash::Md5.of(&[b"x"])), "HexDigest([redacted])");
}

proptest! {
    /// Digits are compared whole, whatever their case.
    #[test]
    fn digits_are_compared_whole(text in any::<Vec<u8>>(), at in 0_usize..64, cut in 0_usize..64) {
        for hash in Hash::STRONGEST_FIRST {
            let digest = hash.of(&[&text]);
            let digits = digest.as_octets().to_vec();
            prop_assert!(digest.is(&digits) && digest.is(&digits.to_ascii_uppercase()));
            let mut wrong = digits.clone();
            let at = at % wrong.len();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            prop_assert!(!digest.is(&wrong));
            prop_assert!(!digest.is(&digits[..cut % digits.len()]));
            prop_assert!(!digest.is(&[digits.as_slice(), b"0"].concat()));
        }
    }
}
