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
