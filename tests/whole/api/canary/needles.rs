//! Secrets that are looked for, in every form in which they could have been written.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Octets that each form begins with and is found by.
const START: usize = 8;

/// What is looked for.
#[derive(Default)]
pub(super) struct Needles {
    /// Kind and form of a secret, and its octets.
    forms: Vec<(String, Vec<u8>)>,
    starts: HashMap<[u8; START], Vec<usize>>,
}

impl Needles {
    /// Looks for a secret from now on, plain, in hexadecimal digits and in base64.
    #[track_caller]
    pub(super) fn add(&mut self, kind: &str, secret: &str) {
        assert!(secret.len() >= START, "{kind}: a shorter one stands anywhere");
        let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
        self.form(kind, "plain", secret.as_bytes());
        self.form(kind, "hexadecimal", hex.to_uppercase().as_bytes());
        self.form(kind, "hexadecimal", hex.as_bytes());
        // Three octets are four characters, and before the secret may stand anything.
        for skipped in 0..3 {
            let rest = &secret.as_bytes()[skipped..];
            let whole = &rest[..rest.len() / 3 * 3];
            self.form(kind, "base64", STANDARD.encode(whole).as_bytes());
            self.form(kind, "base64url", URL_SAFE.encode(whole).as_bytes());
        }
    }

    fn form(&mut self, kind: &str, form: &str, octets: &[u8]) {
        let start = octets[..START].try_into().unwrap();
        self.starts.entry(start).or_default().push(self.forms.len());
        self.forms.push((format!("{kind}, {form}"), octets.to_vec()));
    }

    /// Kinds and forms of what is in there.
    pub(super) fn found(&self, octets: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, start) in octets.windows(START).enumerate() {
            // Most of a database's files is empty; no form has a zero.
            if start[0] == 0 || start[START - 1] == 0 {
                continue;
            }
            let start: [u8; START] = start.try_into().unwrap();
            for form in self.starts.get(&start).into_iter().flatten() {
                let (name, form) = &self.forms[*form];
                if octets[at..].starts_with(form) {
                    found.insert(name.as_str());
                }
            }
        }
        found
    }
}

#[test]
fn every_form_is_found() {
    let mut needles = Needles::default();
    needles.add("password", "k3Jq9-Za");
    for (text, form) in [
        ("password=k3Jq9-Za", "password, plain"),
        ("6b334a71392d5a61", "password, hexadecimal"),
        ("0x6B334A71392D5A61", "password, hexadecimal"),
        // "k3Jq9-Za", ":k3Jq9-Za" and "a:k3Jq9-Za", RFC 4648, 4.
        ("Basic azNKcTktWmE=", "password, base64"),
        ("Basic OmszSnE5LVph", "password, base64"),
        ("Basic YTprM0pxOS1aYQ==", "password, base64"),
    ] {
        assert!(needles.found(text.as_bytes()).contains(form), "{form} in {text}");
    }
    assert!(needles.found(b"k3Jq9-Z, k3Jq9-ZA and 6b334a71392d5a60").is_empty());
}
