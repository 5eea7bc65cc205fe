//! A test PKI: an authority, one below it, and carriers.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use ring::rand::SystemRandom;

use crate::{Attestation, Authorities, Certificate, Claims, Party, Shaken, Signer};

/// 2026-09-21, in seconds since 1970.
pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const X5U: &str = "https://certificates.example.net/shaken.pem";
pub(crate) const CALLER: &str = "12155551212";
pub(crate) const CALLEE: &str = "12125551213";

/// A TNAuthList with the code of a carrier.
pub(crate) const CARRIER: &[u8] = &[0x30, 0x08, 0xA0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];

pub(crate) const OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

/// An authority, and one below it that signs certificates of carriers.
pub(crate) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    between: CertifiedIssuer<'static, KeyPair>,
}

/// A carrier's key and chain, in PEM.
pub(crate) struct Carrier {
    pub(crate) key: String,
    pub(crate) chain: String,
}

pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// What a carrier's certificate says, with this TNAuthList.
pub(crate) fn carrier(numbers: Option<&[u8]>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "SHAKEN 709J");
    let numbers = numbers.map(|list| CustomExtension::from_oid_content(OID, list.to_vec()));
    params.custom_extensions.extend(numbers);
    params
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = CertifiedIssuer::self_signed(authority("STI-CA"), KeyPair::generate().unwrap()).unwrap();
        let between = authority("STI-CA 2");
        let between = CertifiedIssuer::signed_by(between, KeyPair::generate().unwrap(), &root).unwrap();
        Self { root, between }
    }

    pub(crate) fn authorities(&self) -> Authorities {
        Authorities::parse(self.root.pem().as_bytes()).unwrap()
    }

    /// The authorities in PEM.
    pub(crate) fn pem(&self) -> String {
        self.root.pem()
    }

    /// A carrier whose certificate is good from 2026 to 2027.
    pub(crate) fn carrier(&self) -> Carrier {
        let mut params = carrier(Some(CARRIER));
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        self.issue(&params, KeyPair::generate().unwrap())
    }

    pub(crate) fn issue(&self, params: &CertificateParams, key: KeyPair) -> Carrier {
        let certificate = params.signed_by(&key, &self.between).unwrap();
        let chain = format!("{}{}", certificate.pem(), self.between.pem());
        Carrier { key: key.serialize_pem(), chain }
    }
}

impl Carrier {
    pub(crate) fn signer(&self) -> Signer {
        Signer::new(X5U, self.key.as_bytes(), &SystemRandom::new()).unwrap()
    }

    pub(crate) fn certificate(&self, pki: &Pki) -> Certificate {
        pki.authorities().certificate(self.chain.as_bytes(), NOW).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        self.signer().identity(claims, &SystemRandom::new()).unwrap()
    }
}

pub(crate) fn claims() -> Claims {
    Claims {
        orig: Party::Number(CALLER.to_owned()),
        dest_tn: vec![CALLEE.to_owned()],
        dest_uri: Vec::new(),
        iat: NOW,
        shaken: Some(Shaken {
            attest: Attestation::A,
            origid: "123e4567-e89b-12d3-a456-426655440000".to_owned(),
        }),
    }
}
