//! A test PKI: an authority, and carriers whose certificates it signs.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use ring::rand::SystemRandom;
use runtime::config::StirOptions;
use stir::{Attestation, Certificate, Claims, Party, Shaken, Signer};
use tempfile::TempDir;

use super::Identities;

/// Where our own certificate is, and where that of the carrier that calls.
pub(crate) const OWN: &str = "https://sti.example.net/own.pem";
pub(crate) const THEIRS: &str = "https://certificates.example.org/theirs.pem";
/// The time of simulated nodes, in seconds since 1970.
pub(crate) const NOW: u64 = 1_790_000_000;

/// A TNAuthList with the code of a carrier.
const CARRIER: &[u8] = &[0x30, 0x08, 0xA0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];
const OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

/// An authority, and a folder with its certificate (`ca.pem`), and our key and chain (`key.pem`, `own.pem`).
pub(crate) struct Pki {
    pub(crate) folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    pub(crate) own: Carrier,
}

/// A key and its certificate, in PEM.
pub(crate) struct Carrier {
    pub(crate) key: String,
    pub(crate) chain: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "STI-CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let own = carrier(&authority);
        let folder = tempfile::tempdir().unwrap();
        let pki = Self { folder, authority, own };
        pki.write("ca.pem", &pki.authority.pem());
        pki.write("key.pem", &pki.own.key);
        pki.write("own.pem", &pki.own.chain);
        pki
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A carrier with a certificate of this authority, good until the end of 2026.
    pub(crate) fn carrier(&self) -> Carrier {
        carrier(&self.authority)
    }

    pub(crate) fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// A new certificate of our key, good between these days.
    pub(crate) fn renewed(&self, (from, to): ((i32, u8, u8), (i32, u8, u8))) -> String {
        let key = KeyPair::from_pem(&self.own.key).unwrap();
        let mut params = params();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        params.signed_by(&key, &self.authority).unwrap().pem()
    }

    /// What a node is told of all this.
    pub(crate) fn options(&self) -> StirOptions {
        let path = |name: &str| self.folder.path().join(name);
        StirOptions {
            certificate_url: OWN.to_owned(),
            key_file: path("key.pem"),
            certificate_file: path("own.pem"),
            authorities_file: path("ca.pem"),
            ..StirOptions::default()
        }
    }

    pub(crate) fn identities(&self) -> Arc<Identities> {
        Arc::new(Identities::open(&self.options()).unwrap())
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "SHAKEN 709J");
    params.custom_extensions.push(CustomExtension::from_oid_content(OID, CARRIER.to_vec()));
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn carrier(authority: &CertifiedIssuer<'static, KeyPair>) -> Carrier {
    let params = params();
    let key = KeyPair::generate().unwrap();
    let chain = params.signed_by(&key, authority).unwrap().pem();
    Carrier { key: key.serialize_pem(), chain }
}

impl Carrier {
    /// The value of an Identity header that it signs, of a certificate at [`THEIRS`].
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let random = SystemRandom::new();
        Signer::new(THEIRS, self.key.as_bytes(), &random).unwrap().identity(claims, &random).unwrap()
    }

    /// Makes its certificate known at [`THEIRS`].
    pub(crate) fn publish(&self, identities: &Identities, now: std::time::Instant) {
        let certificate = identities.authorities().certificate(self.chain.as_bytes(), NOW).unwrap();
        identities.certificates.put(THEIRS, Ok(Arc::new(certificate)), Duration::from_secs(600), now);
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::own(self.chain.as_bytes()).unwrap()
    }
}

/// What is signed of a call between these, in canonical form.
pub(crate) fn claims(orig: &str, dest: &str) -> Claims {
    Claims {
        orig: Party::Number(orig.to_owned()),
        dest_tn: vec![dest.to_owned()],
        dest_uri: Vec::new(),
        iat: NOW,
        shaken: Some(Shaken { attest: Attestation::A, origid: "of-theirs".to_owned() }),
    }
}
