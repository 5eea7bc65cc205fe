use runtime::clock::Timestamp;
use stir::{About, Identity};

use super::testing::{NOW, Pki, THEIRS, claims};
use super::*;

fn now() -> Now {
    let wall = Timestamp::from_micros(i64::try_from(NOW * 1_000_000).unwrap());
    Now { instant: tokio::time::Instant::now().into_std(), wall }
}

/// A call of one side with this Call-ID, to this number.
fn call(id: u64, number: &str) -> Use {
    Use { source: 1, call: id, number: number.to_owned() }
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
    assert_eq!(format!("{identities:?}"), "Identities { signs: true, .. }");
}

#[test]
fn files_that_change_are_taken_unless_they_are_of_no_use() {
    let pki = Pki::new();
    let identities = pki.identities();
    assert!(!identities.reload().unwrap(), "nothing has changed");
    let theirs = pki.carrier();
    theirs.publish(&identities, now().instant);
    pki.write("own.pem", &pki.carrier().chain);
    assert!(identities.reload().is_err(), "it is of another key");
    assert_eq!((identities.signs(), identities.certificates.known()), (true, (0, 1)), "what was there stays");
    let years = ((2026, 1, 1), (2028, 1, 1));
    pki.write("own.pem", &pki.renewed(years));
    assert!(identities.reload().unwrap());
    assert_eq!(identities.ends_at(), Some(1_830_297_600));
    assert_eq!(identities.certificates.known(), (0, 1), "whom it believes is the same");
    pki.write("ca.pem", &format!("{}{}", pki.authority_pem(), Pki::new().authority_pem()));
    assert!(identities.reload().unwrap());
    assert_eq!(identities.certificates.known(), (0, 0), "whom it believes is asked anew");
}

/// Others have the certificate of the old key, from the URL of the start.
#[test]
fn another_key_is_not_taken() {
    let pki = Pki::new();
    let identities = pki.identities();
    let other = pki.carrier();
    pki.write("key.pem", &other.key);
    assert!(matches!(identities.reload(), Err(Error::OtherKey)));
    pki.write("own.pem", &other.chain);
    pki.write("ca.pem", &format!("{}{}", pki.authority_pem(), Pki::new().authority_pem()));
    pki.carrier().publish(&identities, now().instant);
    for _ in 0..2 {
        let refused = identities.reload().unwrap_err().to_string();
        assert!(refused.starts_with("stir.key_file: it is another key"), "{refused}");
        let value = identities.sign(&claims("15550001", "15550100")).unwrap();
        let checked = signed(&value, now()).check(&pki.own.certificate(), NOW);
        assert!(checked.is_ok(), "it signs as before: {checked:?}");
        assert_eq!(identities.certificates.known().1, 0, "the authorities are taken");
    }
    let identities = pki.identities();
    let value = identities.sign(&claims("15550001", "15550100")).unwrap();
    assert!(signed(&value, now()).check(&other.certificate(), NOW).is_ok(), "at a restart it is");
}

#[test]
fn a_certificate_signs_nothing_outside_its_time() {
    let pki = Pki::new();
    let identities = pki.identities();
    // 2026-01-01 to 2027-01-01.
    let (begin, end) = (1_767_225_600, 1_798_761_600);
    for (at, term, signs) in [
        (begin - 1, Term::Over, false),
        (begin, Term::Good, true),
        (end - FORETOLD, Term::Good, true),
        (end - FORETOLD + 1, Term::EndsSoon, true),
        (end, Term::EndsSoon, true),
        (end + 1, Term::Over, false),
    ] {
        let claims = Claims { iat: at, ..claims("15550001", "15550100") };
        assert_eq!((identities.term(at), identities.sign(&claims).is_some()), (term, signs), "{at}");
        assert_eq!(identities.unsigned(at).is_none(), signs, "{at}");
    }
    // Where the file is not named nothing is known of it.
    let options = StirOptions { certificate_file: PathBuf::new(), ..pki.options() };
    let identities = Identities::open(&options).unwrap();
    let late = Claims { iat: end + 1, ..claims("15550001", "15550100") };
    assert_eq!((identities.term(end + 1), identities.sign(&late).is_some()), (Term::Good, true));
    assert_eq!((identities.unsigned(end + 1), Identities::default().term(end)), (None, Term::Good));
    assert!(Identities::default().unsigned(end).is_some_and(|why| why.contains("stir.key_file")));
}

/// What may not be fetched is wanted by nobody, and known at once.
#[test]
fn a_place_that_is_not_asked() {
    let pki = Pki::new();
    let options = StirOptions { certificate_hosts: vec!["elsewhere.example".to_owned()], ..pki.options() };
    let theirs = pki.carrier();
    let signed = signed(&theirs.sign(&claims("15550001", "15550100")), now());
    let identities = Identities::open(&options).unwrap();
    theirs.publish(&identities, now().instant);
    identities.want(&signed, Source::Vendor(1), now());
    assert_eq!(identities.check(&signed, &call(1, "15550100"), now()), Some(Err(Failure::Unavailable)));
    assert_eq!(identities.certificates.wanted(), 0);
}

#[test]
fn a_certificate_decides() {
    let pki = Pki::new();
    let identities = pki.identities();
    let theirs = pki.carrier();
    let signed = signed(&theirs.sign(&claims("15550001", "15550100")), now());
    let first = call(1, "15550100");
    assert_eq!(identities.check(&signed, &first, now()), None, "it is not known");
    assert_eq!(identities.certificates.wanted(), 0);
    identities.want(&signed, Source::Vendor(1), now());
    assert_eq!(identities.certificates.next_wanted().as_deref(), Some(THEIRS));
    theirs.publish(&identities, now().instant);
    assert_eq!(identities.certificates.known(), (0, 1), "it has signed nothing yet");
    for id in 1..=3 {
        let checked = identities.check(&signed, &call(id, "15550100"), now()).unwrap();
        assert_eq!(checked.unwrap().number, "15550001");
    }
    assert_eq!(identities.certificates.known(), (1, 0));
    let diverted = identities.check(&signed, &call(4, "15550101"), now()).unwrap();
    assert!(diverted.is_ok(), "{diverted:?}");
    let other = Use { source: 2, ..call(5, "15550102") };
    let replayed = Some(Err(Failure::Replayed));
    assert_eq!(identities.check(&signed, &other, now()), replayed, "to a second number");
    assert_eq!(identities.check(&signed, &call(5, "15550100"), now()), replayed, "too often");
    pki.carrier().publish(&identities, now().instant);
    assert_eq!(identities.check(&signed, &first, now()), Some(Err(Failure::Signature)), "of another key");
    let nobody = Identities::default();
    assert_eq!(nobody.check(&signed, &first, now()), Some(Err(Failure::Unavailable)), "nobody is believed");
    assert_eq!(nobody.certificates.wanted(), 0);
}
