use rcgen::{CertifiedIssuer, CustomExtension, KeyPair, PKCS_ECDSA_P384_SHA384, date_time_ymd};

use super::*;
use crate::testing::{CALLER, CARRIER, NOW, OID, Pki, authority, carrier};

const YEAR: u64 = 365 * 86_400;

/// What is said of a chain.
fn taken(pki: &Pki, chain: &[u8]) -> Result<Certificate, Error> {
    pki.authorities().certificate(chain, NOW)
}

fn is_chain(result: &Result<Certificate, Error>) -> bool {
    matches!(result, Err(Error::Chain(_)))
}

#[test]
fn a_chain_to_a_trusted_authority() {
    let pki = Pki::new();
    let certificate = pki.carrier().certificate(&pki);
    // 2026-01-01 and 2027-01-01.
    let (from, until) = (1_767_225_600, 1_798_761_600);
    for (at, expected) in [(from - 1, false), (from, true), (until, true), (until + 1, false)] {
        assert_eq!(certificate.is_valid_at(at), expected, "{at}");
    }
    assert_eq!(certificate.not_after(), until);
    assert!(certificate.may_sign(CALLER), "a carrier may for every number");
    let (carrier, other) = (pki.carrier(), pki.carrier());
    let own = |chain: &str| Certificate::own(chain.as_bytes()).unwrap();
    assert!(carrier.signer().is_of(&own(&carrier.chain)) && !carrier.signer().is_of(&own(&other.chain)));
}

#[test]
fn who_is_not_trusted() {
    let (pki, others) = (Pki::new(), Pki::new());
    let carrier_of_others = others.carrier();
    assert!(is_chain(&taken(&pki, carrier_of_others.chain.as_bytes())), "another authority");
    let chain = pki.carrier().chain;
    let end = "-----END CERTIFICATE-----";
    let (alone, _) = chain.split_at(chain.find(end).unwrap() + end.len());
    assert!(is_chain(&taken(&pki, alone.as_bytes())), "the certificate between is missing");
    let own = KeyPair::generate().unwrap();
    let own = carrier(Some(CARRIER)).self_signed(&own).unwrap();
    assert!(is_chain(&taken(&pki, own.pem().as_bytes())), "nobody but itself");
    assert!(is_chain(&taken(&pki, pki.pem().as_bytes())), "an authority signs no calls");
    let nobody = Authorities::default();
    assert!(nobody.is_empty());
    assert!(is_chain(&nobody.certificate(chain.as_bytes(), NOW)));
    for at in [NOW - 2 * YEAR, NOW + 2 * YEAR] {
        assert!(is_chain(&pki.authorities().certificate(chain.as_bytes(), at)), "{at}");
    }
}

#[test]
fn certificates_that_sign_no_calls() {
    let pki = Pki::new();
    let issue = |numbers: Option<&[u8]>| pki.issue(&carrier(numbers), KeyPair::generate().unwrap());
    let none = taken(&pki, issue(None).chain.as_bytes());
    assert_eq!(none, Err(Error::NoNumbers), "it speaks for nobody");
    let empty = taken(&pki, issue(Some(&[0x30, 0x00])).chain.as_bytes());
    assert_eq!(empty, Err(Error::NoNumbers));
    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let other = pki.issue(&carrier(Some(CARRIER)), other);
    assert_eq!(taken(&pki, other.chain.as_bytes()), Err(Error::Curve));
}

#[test]
fn what_is_no_chain() {
    let pki = Pki::new();
    let carrier = pki.carrier();
    for empty in ["", "hello", &carrier.key] {
        assert_eq!(taken(&pki, empty.as_bytes()), Err(Error::Empty), "{empty}");
    }
    let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    for form in [broken, &carrier.chain.repeat(CHAIN_MAX), &" ".repeat(CHAIN_OCTETS_MAX + 1)] {
        assert!(matches!(taken(&pki, form.as_bytes()), Err(Error::Form(_))), "{form}");
    }
    for at in 0..carrier.chain.len() {
        // Cut behind the first one it is a chain that leads nowhere.
        assert!(
            taken(&pki, &carrier.chain.as_bytes()[..at]).is_err() || at + 1 == carrier.chain.len(),
            "{at}"
        );
    }
    assert_eq!(Authorities::parse(b"").unwrap_err(), Error::Empty);
    assert!(matches!(Authorities::parse(broken.as_bytes()), Err(Error::Form(_))));
}

#[test]
fn one_certificate_as_it_is() {
    let pki = Pki::new();
    let key = KeyPair::generate().unwrap();
    // The authority's own: there is nothing between.
    let pem = pki.carrier().chain;
    let first = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    assert!(is_chain(&taken(&pki, &first)), "read, and it leads nowhere");
    assert_eq!(Certificate::own(&first), Certificate::own(pem.as_bytes()));
    let all = carrier(Some(CARRIER)).self_signed(&key).unwrap();
    for at in 0..all.der().len() {
        assert!(Certificate::own(&all.der()[..at]).is_err(), "{at}");
    }
}

#[test]
fn a_certificate_that_can_have_no_extensions() {
    let form = |text: &str| Err(Error::Form(text.to_owned()));
    let certificate = |fields: &[u8]| tagged(0x30, &tagged(0x30, fields));
    // Its number is the first of a certificate of version 1; behind it nothing is looked at.
    let (version_1, version_3) = (certificate(&[2, 1, 5]), certificate(&[0xA0, 3, 2, 1, 2, 2, 1, 5]));
    assert_eq!(Certificate::own(&version_1), form("it is of version 1, which has no extensions"));
    assert_eq!(Certificate::own(&version_3), form("it is cut short"));
    for at in 0..version_1.len() {
        assert!(Certificate::own(&version_1[..at]).is_err(), "{at}");
    }
}

/// A TNAuthList of these entries.
fn list(entries: &[&[u8]]) -> Vec<u8> {
    let content = entries.concat();
    tagged(0x30, &content)
}

fn ia5(text: &str) -> Vec<u8> {
    tagged(IA5, text.as_bytes())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat()
}

const IA5: u8 = 0x16;

#[test]
fn what_a_certificate_may_speak_for() {
    let one = tagged(0xA2, &ia5("12155551212"));
    let range = [ia5("12125550100"), vec![0x02, 0x02, 0x00, 0xC8]].concat();
    let range = tagged(0xA1, &tagged(0x30, &range));
    let lists = list(&[&one, &range]);
    let table = [
        ("12155551212", true),
        ("12155551213", false),
        ("2155551212", false),
        ("12125550099", false),
        ("12125550100", true),
        ("12125550299", true),
        ("12125550300", false),
        ("2125550100", false),
        ("*67", false),
        ("", false),
    ];
    let pki = Pki::new();
    let certificate = pki.issue(&carrier(Some(&lists)), KeyPair::generate().unwrap());
    let certificate = certificate.certificate(&pki);
    for (number, expected) in table {
        assert_eq!(certificate.may_sign(number), expected, "{number}");
    }
    let inner = &lists[2..];
    for at in 1..inner.len() {
        // Behind the first entry the list is a shorter one.
        assert_eq!(Numbers::read(&inner[..at]).is_some(), at == one.len(), "{at}");
    }
    for wrong in [
        tagged(0xA3, &ia5("1")),
        tagged(0xA2, &ia5("")),
        tagged(0xA2, &ia5("1234567890123456")),
        tagged(0xA2, &ia5("12a")),
        tagged(0xA2, &[0x0C, 0x01, b'1']),
        tagged(0xA0, &[]),
        tagged(0xA1, &ia5("1")),
    ] {
        assert_eq!(Numbers::read(&wrong), None, "{wrong:?}");
    }
    let many = tagged(0xA2, &ia5("1")).repeat(1025);
    assert_eq!(Numbers::read(&many), None, "more than anybody has");
}

/// TNAuthLists of an issuer and of who has a certificate of it (RFC 9060, 4).
#[test]
fn nobody_gives_more_than_it_has() {
    fn range(first: &str, count: u8) -> Vec<u8> {
        tagged(0xA1, &tagged(0x30, &[ia5(first), vec![0x02, 0x01, count]].concat()))
    }
    fn code(code: &str) -> Vec<u8> {
        tagged(0xA0, &ia5(code))
    }
    fn one(number: &str) -> Vec<u8> {
        tagged(0xA2, &ia5(number))
    }
    // What the issuer has, what the other claims, and whether that is taken.
    let table = [
        (code("709J"), code("709J"), true),
        (code("709J"), code("123A"), false),
        (code("709J"), one("12155551212"), true),
        (code("709J"), range("12155551200", 100), true),
        (one("12155551212"), code("709J"), false),
        (range("12155551200", 100), code("709J"), false),
        (one("12155551212"), one("12155551212"), true),
        (one("12155551212"), one("12155551213"), false),
        (one("12155551212"), range("12155551212", 1), true),
        (one("12155551212"), range("12155551212", 2), false),
        (range("12155551200", 100), one("12155551299"), true),
        (range("12155551200", 100), one("12155551300"), false),
        (range("12155551200", 100), range("12155551250", 50), true),
        (range("12155551200", 100), range("12155551250", 51), false),
        (range("12155551200", 100), range("12155551199", 2), false),
        (range("12155551200", 100), range("2155551200", 1), false),
        // All of what it claims has to be there.
        (one("12155551212"), [one("12155551212"), one("12155551213")].concat(), false),
        ([one("12155551212"), one("12155551213")].concat(), one("12155551213"), true),
        ([one("12155551212"), code("709J")].concat(), code("709J"), true),
    ];
    let root = CertifiedIssuer::self_signed(authority("STI-CA"), KeyPair::generate().unwrap()).unwrap();
    let authorities = Authorities::parse(root.pem().as_bytes()).unwrap();
    for (issuer, claimed, expected) in table {
        let limited = |name: &str| {
            let mut params = authority(name);
            params.custom_extensions.push(extension(OID, &tagged(0x30, &issuer)));
            (params, KeyPair::generate().unwrap())
        };
        let (claimer, key) = (carrier(Some(&tagged(0x30, &claimed))), KeyPair::generate().unwrap());
        // Of one between, and of one that is trusted by itself.
        let (params, between_key) = limited("delegate");
        let between = CertifiedIssuer::signed_by(params, between_key, &root).unwrap();
        let chain = claimer.signed_by(&key, &between).unwrap().pem() + &between.pem();
        let delegated = authorities.certificate(chain.as_bytes(), NOW);
        let (params, trusted_key) = limited("limited");
        let trusted = CertifiedIssuer::self_signed(params, trusted_key).unwrap();
        let chain = claimer.signed_by(&key, &trusted).unwrap().pem();
        let direct = Authorities::parse(trusted.pem().as_bytes()).unwrap();
        let direct = direct.certificate(chain.as_bytes(), NOW);
        for taken in [delegated, direct] {
            assert_eq!(taken.is_ok(), expected, "{issuer:?} {claimed:?} {taken:?}");
            assert!(expected || taken == Err(Error::Chain(UNBOUNDED.to_owned())), "{taken:?}");
        }
    }
}

/// What is bound stays so however many stand between.
#[test]
fn a_long_chain_is_as_bound_as_its_narrowest() {
    let mut params = authority("delegate");
    params.custom_extensions.push(extension(OID, &tagged(0x30, &tagged(0xA2, &ia5(CALLER)))));
    let root = CertifiedIssuer::self_signed(authority("STI-CA"), KeyPair::generate().unwrap()).unwrap();
    let between = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &root).unwrap();
    let below =
        CertifiedIssuer::signed_by(authority("below"), KeyPair::generate().unwrap(), &between).unwrap();
    let leaf = carrier(Some(CARRIER)).signed_by(&KeyPair::generate().unwrap(), &below).unwrap();
    let chain = [leaf.pem(), below.pem(), between.pem()].concat();
    let taken = Authorities::parse(root.pem().as_bytes()).unwrap().certificate(chain.as_bytes(), NOW);
    assert_eq!(taken, Err(Error::Chain(UNBOUNDED.to_owned())));
}

/// A certificate whose holder may not make every claim might be used for one that it may not make.
#[test]
fn constraints_that_are_not_read() {
    let pki = Pki::new();
    // SEQUENCE { mustInclude [0] { "attest" } }; it is not looked into.
    let constraints = tagged(0x30, &tagged(0xA0, &ia5("attest")));
    for (last, is_read) in [(27, false), (33, false), (99, true)] {
        let mut params = carrier(Some(CARRIER));
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, last];
        params.custom_extensions.push(extension(&oid, &constraints));
        let leaf = pki.issue(&params, KeyPair::generate().unwrap());
        let taken = taken(&pki, leaf.chain.as_bytes());
        assert!(if is_read { taken.is_ok() } else { is_chain(&taken) }, "{last} {taken:?}");

        let mut params = authority("delegate");
        params.custom_extensions.push(extension(&oid, &constraints));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        assert_eq!(Authorities::parse(issuer.pem().as_bytes()).is_ok(), is_read, "{last}");
    }
}

fn extension(oid: &[u64], content: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(oid, content.to_vec())
}

#[test]
fn times_of_both_kinds() {
    let pki = Pki::new();
    let mut params = carrier(Some(CARRIER));
    params.not_before = date_time_ymd(1999, 12, 31);
    params.not_after = date_time_ymd(2099, 6, 1);
    let certificate = pki.issue(&params, KeyPair::generate().unwrap()).certificate(&pki);
    assert_eq!((certificate.not_before, certificate.not_after), (946_598_400, 4_083_955_200));
}
