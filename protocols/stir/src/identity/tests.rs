use super::*;

const INFO: &str = "https://cert.example.org/passport.cer";

fn identity<'a>(token: &'a str, ppt: Option<&'a str>) -> Identity<'a> {
    Identity { token, info: INFO, alg: "ES256", ppt }
}

#[test]
fn values() {
    let shaken = Some("shaken");
    for (value, expected) in [
        (format!("a.b-_9.c;info=<{INFO}>;alg=ES256;ppt=shaken"), identity("a.b-_9.c", shaken)),
        (format!("a.b.c;info=<{INFO}>;alg=\"ES256\";ppt=\"shaken\""), identity("a.b.c", shaken)),
        (format!(" a.b.c ; INFO = <{INFO}> ;\r\n ppt = shaken "), identity("a.b.c", shaken)),
        (format!("..c;info=<{INFO}>"), identity("..c", None)),
        (format!("a;ext;info=\"{INFO}\";x=\"a;b\";y=1"), identity("a", None)),
    ] {
        assert_eq!(Identity::parse(value.as_bytes()), Ok(expected), "{value}");
    }
    let semicolon = Identity::parse(b"a.b.c;info=<https://x/a;b=c>;alg=ES384").unwrap();
    assert_eq!((semicolon.info, semicolon.alg), ("https://x/a;b=c", "ES384"));
}

#[test]
fn what_is_none() {
    let long = format!("{};info=<{INFO}>", "a".repeat(VALUE_MAX));
    for value in [
        "",
        ";",
        "a.b.c",
        "a.b.c;alg=ES256",
        "a.b.c;info=<>",
        "a.b.c;info",
        // The form of RFC 4474.
        "\"abc=\";info=<https://x>",
        "a b;info=<https://x>",
        "a=;info=<https://x>",
        "a.b.c;info=<https://x",
        "a.b.c;info=\"https://x",
        "a.b.c;info=<https://x>y",
        "a.b.c;info=<https://x>;info=<https://y>",
        "a.b.c;info=<https://x>;ppt=shaken;ppt=div",
        "a.b.c;a;b;c;d;e;f;g;h;info=<https://x>",
        "a.b.c;info=<https://x>;1;2;3;4;5;6;7;8",
        &long,
    ] {
        assert_eq!(Identity::parse(value.as_bytes()), Err(Failure::Malformed), "{value}");
    }
    assert_eq!(Identity::parse(b"a;info=<\xff>"), Err(Failure::Malformed));
}

#[test]
fn kinds_that_are_read() {
    for (ppt, known) in [(None, true), (Some("shaken"), true), (Some("SHAKEN"), true), (Some("div"), false)] {
        assert_eq!(identity("a", ppt).is_known(), known, "{ppt:?}");
    }
}

#[test]
fn what_is_written_is_read() {
    for ppt in [None, Some("shaken")] {
        let written = write("a.b.c", INFO, ppt);
        assert_eq!(Identity::parse(written.as_bytes()), Ok(identity("a.b.c", ppt)), "{written}");
        // What it needs ends there.
        let needed = written.find('>').unwrap();
        for at in 0..written.len() {
            let cut = Identity::parse(&written.as_bytes()[..at]);
            assert_eq!(cut.is_ok(), at > needed, "{ppt:?} {at}");
            if let Ok(cut) = cut {
                assert_eq!((cut.token, cut.info), ("a.b.c", INFO), "{ppt:?} {at}");
                assert!(ppt.is_none() || cut.ppt != ppt, "the whole of it, {at}");
            }
        }
    }
}
