use runtime::clock::Timestamp;
use stir::{About, Identity};

use super::testing::{NOW, Pki, THEIRS, claims};
use super::*;

fn now() -> Now {
    let wall = Timestamp::from_micros(i64::try_from(NOW * 1_000_000).unwrap());
    Now { instant: tokio::time::Instant::now().into_std(), wall }
}

/// What a carrier signed of a call between these.
fn signed(value: &str, now: Now) -> Signed {
    let (orig, dest) = (["15550001".to_owned()], ["15550100".to_owned()]);
    let about = About { orig: &orig, dest: &dest, date: None, now: seconds(now.wall) };
    Signed::read(&Identity::parse(value.as_bytes()).unwrap(), &about).unwrap()
}

#[test]
fn files_are_read_and_told_apart() {
    let pki = Pki::new();
    let identities = pki.identities();
    assert!(identities.signs() && identities.is_used());
    assert_eq!(identities.ends_at(), Some(1_798_761_600));
    assert!(identities.sign(&claims("15550001", "15550100")).is_some());
    let nothing = Identities::default();
    assert!(!nothing.signs() && !nothing.is_used());
    assert_eq!((nothing.ends_at(), nothing.sign(&claims("1", "2"))), (None, None));

    let other = pki.carrier();
    let table: [(&str, &str, &str); 6] = [
        ("key.pem", &other.key, "stir.certificate_file: it is not the certificate of stir.key_file"),
        ("key.pem", "", "stir.key_file: it holds no private key in PEM"),
        ("key.pem", &other.chain, "stir.key_file: it holds no private key in PEM"),
        ("own.pem", "hello", "stir.certificate_file: it holds no certificate"),
        ("own.pem", &other.chain, "stir.certificate_file: it is not the certificate of stir.key_file"),
        ("ca.pem", "hello", "stir.authorities_file: it holds no certificate"),
    ];
    for (file, text, expected) in table {
        let pki = Pki::new();
        pki.write(file, text);
        let error = Identities::open(&pki.options()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{file}");
    }
    let missing = StirOptions { key_file: "no/such/file".into(), ..pki.options() };
    let error = Identities::open(&missing).unwrap_err().to_string();
    assert!(error.starts_with("stir: cannot read no/such/file: "), "{error}");
    assert!(!format!("{identities:?}").contains("PRIVATE"), "{identities:?}");
}

#[test]
fn files_that_change_are_taken_unless_they_are_of_no_use() {
    let pki = Pki::new();
    let identities = pki.identities();
    assert!(!identities.reload().unwrap(), "nothing has changed");
    let theirs = pki.carrier();
    theirs.publish(&identities, now().instant);
    let other = pki.carrier();
    pki.write("key.pem", &other.key);
    assert!(identities.reload().is_err(), "the certificate is of the old key");
    assert!(identities.signs() && !identities.certificates.is_empty(), "what was there stays");
    pki.write("own.pem", &other.chain);
    assert!(identities.reload().unwrap());
    assert!(identities.certificates.is_empty(), "whom it believes is asked anew");
    let value = identities.sign(&claims("15550001", "15550100")).unwrap();
    let checked = signed(&value, now()).check(&other.certificate(), NOW);
    assert!(checked.is_ok(), "{checked:?}");
}

#[test]
fn a_certificate_decides() {
    let pki = Pki::new();
    let identities = pki.identities();
    let theirs = pki.carrier();
    let signed = signed(&theirs.sign(&claims("15550001", "15550100")), now());
    assert_eq!(identities.check(&signed, b"a", now()), None, "it is not known");
    assert_eq!(identities.certificates.next_wanted().as_deref(), Some(THEIRS));
    theirs.publish(&identities, now().instant);
    for call in [b"a", b"b", b"c", b"d"] {
        let checked = identities.check(&signed, call, now()).unwrap();
        assert_eq!(checked.unwrap().number, "15550001");
    }
    assert_eq!(identities.check(&signed, b"e", now()), Some(Err(Failure::Replayed)));
    pki.carrier().publish(&identities, now().instant);
    assert_eq!(identities.check(&signed, b"a", now()), Some(Err(Failure::Signature)), "of another key");
    let nobody = Identities::default();
    assert_eq!(nobody.check(&signed, b"a", now()), Some(Err(Failure::Unavailable)), "nobody is believed");
    assert_eq!(nobody.certificates.wanted(), 0);
}
