use proptest::prelude::*;

use super::*;
use crate::digest::{Algorithm, Credentials, Username};

/// Somebody who knows a password, asked about a request.
struct Asked {
    /// Name, realm, password.
    user: [&'static str; 3],
    nonce: &'static str,
    opaque: Option<&'static str>,
    /// Method and Request-URI.
    request: [&'static str; 2],
    cnonce: Option<&'static str>,
    hash: Hash,
    response: &'static str,
}

const MUFASA: Asked = Asked {
    user: ["Mufasa", "http-auth@example.org", "Circle of Life"],
    nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    opaque: Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"),
    request: ["GET", "/dir/index.html"],
    cnonce: Some("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
    hash: Hash::Md5,
    response: "8ca523f5e9506fed4657c9700eebdbec",
};

const OLD: Asked = Asked {
    user: ["Mufasa", "testrealm@host.com", "Circle Of Life"],
    nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    opaque: Some("5ccc069c403ebaf9f0171e9517f40e41"),
    request: ["GET", "/dir/index.html"],
    cnonce: Some("0a4f113b"),
    hash: Hash::Md5,
    response: "6629fae49393a05397450978507c4ef1",
};

const BOB: Asked = Asked {
    user: ["bob", "biloxi.com", "zanzibar"],
    nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    opaque: None,
    request: ["INVITE", "sip:bob@biloxi.com"],
    cnonce: None,
    hash: Hash::Md5,
    response: "bf57e4e0d0bffc0fbaedce64d59add5e",
};

/// RFC 7616, 3.9.1, by each algorithm (that of SHA-512-256 by OpenSSL); RFC 2617, 3.5; RFC 2069, 2.4 as its erratum has
/// it; an INVITE with and without protection, by OpenSSL.
const VECTORS: [Asked; 7] = [
    MUFASA,
    Asked {
        hash: Hash::Sha256,
        response: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ..MUFASA
    },
    Asked {
        hash: Hash::Sha512Trunc256,
        response: "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
        ..MUFASA
    },
    OLD,
    Asked {
        user: ["Mufasa", "testrealm@host.com", "CircleOfLife"],
        cnonce: None,
        response: "1949323746fe6a43ef61f9606e7febea",
        ..OLD
    },
    BOB,
    Asked { cnonce: Some("0a4f113b"), response: "89eb0059246c02b2f6ee02c7961d5ea3", ..BOB },
];

impl Asked {
    fn secret(&self) -> HexDigest {
        self.hash.of(&self.user.map(str::as_bytes))
    }

    fn answer(&self) -> NewCredentials<'_> {
        let [username, realm, _] = self.user;
        let [method, uri] = self.request;
        NewCredentials {
            username,
            realm: realm.as_bytes(),
            nonce: self.nonce.as_bytes(),
            opaque: self.opaque.map(str::as_bytes),
            hash: self.hash,
            protection: self.cnonce.map(|cnonce| NewProtection { cnonce: cnonce.as_bytes(), count: 1 }),
            method: method.as_bytes(),
            uri: uri.as_bytes(),
        }
    }
}

fn written(credentials: &NewCredentials<'_>, secret: &[u8]) -> Result<String, WriteError> {
    let mut out = Vec::new();
    let written = credentials.write(secret, &mut out);
    assert!(written.is_ok() || out.is_empty(), "an error wrote something");
    written.map(|()| String::from_utf8(out).unwrap())
}

#[test]
fn answers_as_the_documents_have_them() {
    for asked in VECTORS {
        let text = written(&asked.answer(), asked.secret().as_octets()).unwrap();
        let read = Credentials::parse(text.as_bytes()).unwrap();
        assert_eq!(read.response, asked.response.as_bytes(), "{text}");
        let [username, realm, _] = asked.user;
        let [method, uri] = asked.request;
        assert_eq!(read.username, Username::Plain(username.as_bytes()), "{text}");
        assert_eq!((read.realm, read.uri), (realm.as_bytes(), uri.as_bytes()), "{text}");
        assert_eq!((read.nonce, read.opaque), (asked.nonce.as_bytes(), asked.opaque.map(str::as_bytes)));
        assert_eq!(read.algorithm.hash(), Some(asked.hash), "{text}");
        let protection = read.protection.map(|protection| (protection.cnonce, protection.count));
        assert_eq!(protection, asked.cnonce.map(|cnonce| (cnonce.as_bytes(), 1)), "{text}");
        assert!(read.are_by(asked.secret().as_octets(), method.as_bytes()), "{text}");
    }
}

#[test]
fn the_text() {
    let secret = MUFASA.secret();
    let [nonce, opaque, cnonce] = [MUFASA.nonce, MUFASA.opaque.unwrap(), MUFASA.cnonce.unwrap()];
    let expected = format!(
        "Digest username=\"Mufasa\",realm=\"http-auth@example.org\",nonce=\"{nonce}\",uri=\"/dir/index.html\",\
         response=\"8ca523f5e9506fed4657c9700eebdbec\",algorithm=MD5,opaque=\"{opaque}\",qop=auth,nc=00000001,\
         cnonce=\"{cnonce}\""
    );
    assert_eq!(written(&MUFASA.answer(), secret.as_octets()), Ok(expected));
    let many = NewProtection { cnonce: b"c", count: u32::MAX };
    let text =
        written(&NewCredentials { protection: Some(many), ..MUFASA.answer() }, secret.as_octets()).unwrap();
    assert!(text.contains(",nc=ffffffff,"), "{text}");
}

#[test]
fn the_strongest_that_is_known_is_answered() {
    let of = |rest: &str| format!("Digest realm=\"r\",nonce=\"n\",{rest}");
    // What is offered, and the algorithm of the one that is answered.
    let cases: [(&[String], Option<Algorithm<'static>>); 12] = [
        (&[of("algorithm=MD5"), of("algorithm=SHA-256"), of("qop=\"auth\"")], Some(Algorithm::Sha256)),
        (&[of("algorithm=SHA-256"), of("algorithm=SHA-512-256")], Some(Algorithm::Sha512Trunc256)),
        (&[of("algorithm=SHA-512-256-sess"), of("algorithm=md5")], Some(Algorithm::Md5)),
        (&[of("algorithm=AKAv1-MD5"), of("x=y")], Some(Algorithm::Md5)),
        (&[of("algorithm=SHA-256,qop=\"auth-int\""), of("qop=\"auth-int,auth\"")], Some(Algorithm::Md5)),
        (&[of("userhash=true,charset=UTF-8,domain=\"sip:a\",made=up")], Some(Algorithm::Md5)),
        (&["Basic realm=\"r\"".to_owned(), of("stale=true")], Some(Algorithm::Md5)),
        (&["Digest realm=\"other\",nonce=\"n\"".to_owned()], None),
        (&["Digest realm=\"R\",nonce=\"n\"".to_owned()], None),
        (&["Digest realm=\"r\"".to_owned(), "Digest realm=\"r\",nonce=\"n".to_owned()], None),
        (&[of("algorithm=MD5-sess"), of("qop=\"auth-int\""), of("qop=\"\"")], None),
        (&[], None),
    ];
    for (offered, expected) in cases {
        let found = Challenge::strongest(offered.iter().map(String::as_bytes), b"r");
        assert_eq!(found.map(|challenge| challenge.algorithm), expected, "{offered:?}");
    }
    let two = [of("algorithm=MD5,opaque=\"first\""), of("algorithm=MD5,opaque=\"second\"")];
    let found = Challenge::strongest(two.iter().map(String::as_bytes), b"r").unwrap();
    assert_eq!(found.opaque, Some(&b"first"[..]), "of equals the first");
}

/// Every challenge that was cut off is none, or another one of the same realm.
#[test]
fn challenges_that_were_cut_off() {
    let whole = "Digest realm=\"r\",nonce=\"a,b=\\\"c\",opaque=\"o\",algorithm=SHA-256,qop=\"auth,auth-int\",stale=true";
    for end in 0..=whole.len() {
        let found = Challenge::strongest(std::iter::once(&whole.as_bytes()[..end]), b"r");
        assert!(found.is_none_or(|found| found.nonce.is_empty() || found.nonce == b"a,b=\\\"c"), "{end}");
        assert_eq!(found.is_some_and(|found| found.stale), end == whole.len(), "{end}");
    }
}

#[test]
fn no_text_ends_its_quotes() {
    let secret = BOB.secret();
    let answer = BOB.answer();
    for (nonce, expected) in [
        (&b"a\\\"b"[..], Ok(())),
        (b"a\\\\", Ok(())),
        (b"", Ok(())),
        (b"a\"b", Err(WriteError::Form("a nonce"))),
        (b"a\\", Err(WriteError::Form("a nonce"))),
        (b"a\\\\\\", Err(WriteError::Form("a nonce"))),
        (b"a\r\n b", Err(WriteError::Control("a nonce"))),
    ] {
        let found = written(&NewCredentials { nonce, ..answer }, secret.as_octets());
        assert_eq!(found.map(drop), expected, "{}", nonce.escape_ascii());
    }
    let cnonce = NewProtection { cnonce: b"\"", count: 1 };
    for (refused, what) in [
        (NewCredentials { username: "a\"", ..answer }, "a username"),
        (NewCredentials { realm: b"\\", ..answer }, "a realm"),
        (NewCredentials { opaque: Some(b"\""), ..answer }, "an opaque text"),
        (NewCredentials { uri: b"sip:\"", ..answer }, "a Request-URI"),
        (NewCredentials { protection: Some(cnonce), ..answer }, "a cnonce"),
    ] {
        assert_eq!(written(&refused, secret.as_octets()), Err(WriteError::Form(what)));
    }
}

proptest! {
    /// Whatever a challenge says, what answers it is read back as it was meant, or is not written.
    #[test]
    fn what_is_written_is_what_is_read(
        texts in "(realm=\"r\"|nonce=\"?[a,=\\\\\"\r\n ]{0,6}\"?|opaque=\"?[a\\\\\"]{0,4}\"?|qop=\"auth\"|algorithm=SHA-256|,){1,9}",
        count in any::<u32>(),
    ) {
        let value = format!("Digest {texts}");
        let Some(challenge) = Challenge::strongest(std::iter::once(value.as_bytes()), b"r") else {
            return Ok(());
        };
        let protection = challenge.qop.map(|_| NewProtection { cnonce: b"c", count });
        let answer = NewCredentials {
            username: "u",
            realm: challenge.realm,
            nonce: challenge.nonce,
            opaque: challenge.opaque,
            hash: challenge.algorithm.hash().unwrap(),
            protection,
            method: b"INVITE",
            uri: b"sip:a",
        };
        let Ok(text) = written(&answer, b"secret") else { return Ok(()) };
        let read = Credentials::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((read.nonce, read.opaque), (challenge.nonce, challenge.opaque));
        prop_assert_eq!(read.protection.map(|protection| protection.count), protection.map(|_| count));
        prop_assert!(read.are_by(b"secret", b"INVITE"));
    }
}
