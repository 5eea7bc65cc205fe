use super::{DUMMY, LANES, MEMORY_KIB, PASSES, PasswordHash, SecretString, hash, verify};

#[test]
fn only_the_right_password_is_accepted() {
    let stored = hash("correct horse");
    assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.as_str());
    assert_ne!(stored, hash("correct horse"), "each hash has its own salt");
    let stored: PasswordHash = stored.as_str().parse().unwrap();
    assert!(verify(Some(&stored), b"correct horse"));
    for wrong in [&b""[..], b"correct", b"correct horse ", b"\xff\xfe"] {
        assert!(!verify(Some(&stored), wrong));
    }
    assert!(!verify(None, b"correct horse"));
    assert!(!verify(Some(&PasswordHash("garbage".into())), b"garbage"));
}

#[test]
fn the_dummy_costs_what_a_hash_costs() {
    assert!(DUMMY.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")));
    assert!(DUMMY.parse::<PasswordHash>().is_ok());
    assert_eq!(DUMMY.len(), hash("x").as_str().len());
}

#[test]
fn a_hash_of_another_kind_is_refused() {
    for text in ["", "plain", "5f4dcc3b5aa765d61d8327deb882cf99"] {
        assert!(text.parse::<PasswordHash>().is_err(), "{text:?}");
    }
}

#[test]
fn secrets_do_not_print() {
    let secret: SecretString = serde_json::from_str("\"hunter2\"").unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
    assert_eq!(format!("{:?}", hash("hunter2")), "PasswordHash([redacted])");
}

#[test]
fn a_secret_of_another_type_is_refused_without_being_shown() {
    #[derive(Debug, serde::Deserialize)]
    struct Entry {
        #[expect(dead_code, reason = "never filled")]
        password: Option<SecretString>,
    }
    for value in
        ["12345678", "-12345678", "1234.5678", "true", "[12345678]", "{ a = 12345678 }", "1979-05-27"]
    {
        let refused = toml::from_str::<Entry>(&format!("password = {value}")).unwrap_err();
        assert_eq!(refused.message(), "a secret is text in quotes", "{value}");
    }
    for value in ["hunter2", "\"hunter2", "18446744073709551616"] {
        let refused = toml::from_str::<Entry>(&format!("password = {value}")).unwrap_err();
        assert!(!refused.message().contains(value.trim_matches('"')), "{}", refused.message());
    }
    for value in ["12345678", "null", "{\"a\":12345678}", "340282366920938463463374607431768211455"] {
        let refused = serde_json::from_str::<SecretString>(value).unwrap_err().to_string();
        assert!(refused.starts_with("a secret is text in quotes"), "{refused}");
    }
}
