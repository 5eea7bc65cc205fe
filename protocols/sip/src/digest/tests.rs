use proptest::prelude::*;

use super::*;

/// RFC 3261, 20.27 and 22.4, RFC 7616, 3.9.1, and what is on the wire.
#[test]
fn challenges() {
    let read = Challenge::parse(
        b"Digest realm=\"atlanta.com\",\r\n domain=\"sip:ss1.carrier.com\", qop=\"auth\",\
          nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", opaque=\"\", stale=FALSE, algorithm=MD5",
    )
    .unwrap();
    assert_eq!((read.realm, read.nonce), (&b"atlanta.com"[..], &b"f84f1cec41e6cbe5aea9c8e88d359"[..]));
    assert_eq!((read.opaque, read.domain), (Some(&b""[..]), Some(&b"sip:ss1.carrier.com"[..])));
    assert_eq!((read.stale, read.algorithm, read.userhash), (false, Algorithm::Md5, false));
    assert_eq!(read.qop, Some(Qop { auth: true, auth_int: false }));
    let read = Challenge::parse(
        b"digest nonce = \"a,b=\\\"c\" , REALM=\"r\",qop=\"auth, auth-int,x\",stale=true,algorithm=sha-512-256-SESS,\
          userhash=true, charset=UTF-8",
    )
    .unwrap();
    assert_eq!((read.realm, read.nonce), (&b"r"[..], &b"a,b=\\\"c"[..]));
    assert_eq!(read.qop, Some(Qop { auth: true, auth_int: true }));
    assert_eq!((read.stale, read.userhash), (true, true));
    assert!(read.algorithm == Algorithm::Sha512Trunc256Sess && read.algorithm.is_session());
    assert_eq!(read.params.get(b"CHARSET").map(|param| param.unquoted()), Some(&b"UTF-8"[..]));
    let read = Challenge::parse(b"Digest realm=r,nonce=n,algorithm=\"AKAv1-MD5\"").unwrap();
    assert_eq!((read.algorithm, read.qop), (Algorithm::Other(b"AKAv1-MD5"), None));
}

#[test]
fn challenges_that_are_none() {
    let table = [
        ("", SyntaxError::Empty),
        ("Basic realm=\"r\"", SyntaxError::Scheme),
        ("Digest", SyntaxError::Parameter),
        ("Digest=x", SyntaxError::Octet),
        ("Digest realm=\"r\"", SyntaxError::Parameter),
        ("Digest realm=\"r\",nonce", SyntaxError::Parameter),
        ("Digest realm=\"r\",nonce=\"n", SyntaxError::Quote),
        ("Digest realm=\"r\" x,nonce=\"n\"", SyntaxError::Quote),
        ("Digest realm=\"r\",nonce=\"n\",Realm=\"q\"", SyntaxError::Parameter),
    ];
    for (value, expected) in table {
        assert_eq!(Challenge::parse(value.as_bytes()), Err(expected), "{value}");
    }
    let mut many = "Digest realm=r,nonce=n".to_owned();
    for at in 2..=PARAMS_MAX {
        assert!(Challenge::parse(many.as_bytes()).is_ok(), "{at}");
        many.push_str(&format!(",p{at}=1"));
    }
    assert_eq!(Challenge::parse(many.as_bytes()), Err(SyntaxError::Parameter));
}

const MD5: &str = "6629fae49393a05397450978507c4ef1";
const SHA: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

#[test]
fn credentials() {
    let value = format!(
        "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
         uri=\"sip:bob@biloxi.com\", qop=auth, nc=0000001f, cnonce=\"0a4f113b\", response=\"{MD5}\", opaque=\"5c\""
    );
    let read = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!(read.username, Username::Plain(b"bob"));
    assert_eq!((read.realm, read.uri), (&b"biloxi.com"[..], &b"sip:bob@biloxi.com"[..]));
    assert_eq!((read.response, read.opaque), (MD5.as_bytes(), Some(&b"5c"[..])));
    let protection = read.protection.unwrap();
    assert_eq!((protection.cnonce, protection.count), (&b"0a4f113b"[..], 31));
    assert!(protection.qop.auth && !protection.qop.auth_int);
    let of = |username: &str| {
        let value = format!(
            "Digest {username},realm=r,nonce=n,uri=\"sip:a\",response={SHA},algorithm=SHA-256,qop=\"auth-int\",\
             nc=00000001,cnonce=c"
        );
        Credentials::parse(value.leak().as_bytes())
    };
    let table = [
        ("username=\"a\",userhash=false", Ok(Username::Plain(b"a"))),
        ("username=\"a\",userhash=true", Ok(Username::Hashed(b"a"))),
        ("username*=UTF-8''J%C3%A4s", Ok(Username::Encoded(b"UTF-8''J%C3%A4s"))),
        ("username*=UTF-8''a,userhash=true", Err(SyntaxError::Parameter)),
        ("username=a,username*=UTF-8''a", Err(SyntaxError::Parameter)),
        ("x=y", Err(SyntaxError::Parameter)),
    ];
    for (username, expected) in table {
        assert_eq!(of(username).map(|read| read.username), expected, "{username}");
    }
    assert_eq!(of("username=a").unwrap().algorithm, Algorithm::Sha256);
}

#[test]
fn credentials_that_are_none() {
    let whole = format!(
        "Digest username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:a\",response=\"{MD5}\",qop=auth,nc=00000001,cnonce=\"c\""
    );
    assert!(Credentials::parse(whole.as_bytes()).is_ok());
    let table = [
        ("Digest", "NTLM", SyntaxError::Scheme),
        ("realm=\"r\",", "", SyntaxError::Parameter),
        ("nonce=\"n\",", "", SyntaxError::Parameter),
        ("uri=\"sip:a\",", "", SyntaxError::Parameter),
        ("response=", "x=", SyntaxError::Parameter),
        (",cnonce=\"c\"", "", SyntaxError::Parameter),
        ("nc=00000001,", "", SyntaxError::Parameter),
        ("nc=00000001", "nc=1", SyntaxError::Number),
        ("nc=00000001", "nc=0000000g", SyntaxError::Number),
        ("6629", "662", SyntaxError::Number),
        ("6629", "zzzz", SyntaxError::Number),
        ("qop=auth", "qop=auth,algorithm=SHA-256", SyntaxError::Number),
    ];
    for (from, to, expected) in table {
        let value = whole.replacen(from, to, 1);
        assert_eq!(Credentials::parse(value.as_bytes()), Err(expected), "{value}");
    }
}

proptest! {
    /// What is read is part of the value, and what is quoted has no quote of its own end.
    #[test]
    fn any_octets(value in "(Digest )?((realm|nonce|username\\*?|uri|response|qop|nc|cnonce)=?(\"[a,=\\\\\"]{0,4}\"|[a0]{0,8}),?){0,9}") {
        crate::fuzz_entry::values(value.as_bytes());
    }
}
