//! Certificates that PASSporTs are signed with (RFC 8226, RFC 5280, ATIS-1000080): a chain to a trusted authority, a key
//! on P-256, and the list of what it may speak for.
//!
//! A certificate that another one signed speaks for no more than that one may (RFC 9060, 4), however long the chain. What a
//! certificate allows of claims (RFC 8226, 8; RFC 9118) is not read: a chain that says so is not taken.
//!
//! What is not looked at: revocation. The authorities of SHAKEN publish one list for all of them, which is no matter of a
//! single call.

mod der;
mod numbers;

use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

pub(crate) use self::der::ec_private_key;
use self::numbers::Numbers;

/// Octets of what is read as a chain.
pub const CHAIN_OCTETS_MAX: usize = 32 * 1024;
/// Certificates of a chain.
const CHAIN_MAX: usize = 6;
/// Octets of a point of P-256, uncompressed.
const POINT_LEN: usize = 65;
/// What a key on P-256 begins with (RFC 5480, 2): its algorithm, its curve, a bit string of whole octets.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// How authorities sign certificates.
static CHAIN_ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 3] =
    [webpki::ring::ECDSA_P256_SHA256, webpki::ring::ECDSA_P384_SHA384, webpki::ring::ECDSA_P256_SHA384];

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is none in it.
    #[error("it holds no certificate")]
    Empty,
    /// It is no PEM, or larger than a chain is.
    #[error("it is no chain of certificates: {0}")]
    Form(String),
    /// It leads to no authority that is trusted, or is not valid now.
    #[error("its chain is not good: {0}")]
    Chain(String),
    /// Its key is on another curve, or none of ECDSA.
    #[error("its key is not on the curve P-256")]
    Curve,
    /// It does not say what it may speak for.
    #[error("it has no TNAuthList (RFC 8226, 9)")]
    NoNumbers,
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
    /// What each may speak for; of most everything.
    bounds: Vec<Option<Numbers>>,
}

impl Authorities {
    /// Reads the certificates of authorities in PEM.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Form`]; [`Error::Chain`] where one is no authority.
    pub fn parse(pem: &[u8]) -> Result<Self, Error> {
        let mut authorities = Self::default();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| Error::Form(error.to_string()))?;
            let anchor =
                anchor_from_trusted_cert(&certificate).map_err(|error| Error::Chain(error.to_string()))?;
            authorities.anchors.push(anchor.to_owned());
            authorities.bounds.push(bound(&certificate)?);
        }
        if authorities.is_empty() { Err(Error::Empty) } else { Ok(authorities) }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether there is none: no certificate is taken then.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Reads a chain, its own certificate first: PEM, or one certificate in DER. It has to lead to one of these, at this
    /// time, in seconds since 1970.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn certificate(&self, chain: &[u8], now: u64) -> Result<Certificate, Error> {
        let chain = chain_of(chain)?;
        let (own, between) = chain.split_first().ok_or(Error::Empty)?;
        let not_good = |error: webpki::Error| Error::Chain(error.to_string());
        let end = EndEntityCert::try_from(own).map_err(not_good)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let path = end
            .verify_for_usage(&CHAIN_ALGORITHMS, &self.anchors, between, at, AnyUse, None, None)
            .map_err(not_good)?;
        bound(own)?;
        let certificate = Certificate::read(own)?;
        let anchors = self.anchors.iter().zip(&self.bounds);
        let anchors = anchors.filter(|(anchor, _)| *anchor == path.anchor());
        let mut bounds: Vec<Option<Numbers>> = anchors.map(|(_, numbers)| numbers.clone()).collect();
        for issuer in path.intermediate_certificates() {
            bounds.push(bound(&issuer.der())?);
        }
        let is_within = bounds.iter().flatten().all(|numbers| certificate.numbers.is_within(numbers));
        if is_within { Ok(certificate) } else { Err(Error::Chain(UNBOUNDED.to_owned())) }
    }
}

/// Why a chain is not taken whose first certificate claims what an issuer has not.
const UNBOUNDED: &str = "it speaks for more than who has signed it";

fn parts(certificate: &[u8]) -> Result<der::Parts<'_>, Error> {
    der::Parts::read(certificate).ok_or_else(|| {
        let is_old = der::is_of_version_1(certificate);
        let text = if is_old { "it is of version 1, which has no extensions" } else { "it is cut short" };
        Error::Form(text.to_owned())
    })
}

/// What an issuer may speak for, where that is not everything.
fn bound(certificate: &[u8]) -> Result<Option<Numbers>, Error> {
    let parts = parts(certificate)?;
    if parts.constrains_claims {
        return Err(Error::Chain("it has JWTClaimConstraints, which are not read here".to_owned()));
    }
    let numbers = parts.numbers.map(|list| Numbers::read(list).ok_or(Error::NoNumbers));
    numbers.transpose()
}

/// The use of a key is said by its TNAuthList; SHAKEN knows no extended key usage.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// A certificate that leads to a trusted authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    point: [u8; POINT_LEN],
    not_before: u64,
    not_after: u64,
    numbers: Numbers,
}

impl Certificate {
    /// What one says; whether it is trusted is another matter.
    fn read(certificate: &[u8]) -> Result<Self, Error> {
        let parts = parts(certificate)?;
        let point = parts.key.strip_prefix(P256).and_then(|point| <[u8; POINT_LEN]>::try_from(point).ok());
        let point = point.filter(|point| point.first() == Some(&4)).ok_or(Error::Curve)?;
        let (not_before, not_after) = parts.valid;
        let numbers = parts.numbers.ok_or(Error::NoNumbers)?;
        let numbers = Numbers::read(numbers).ok_or(Error::NoNumbers)?;
        Ok(Self { point, not_before, not_after, numbers })
    }

    /// The first certificate of a chain, whoever made it: that of the holder of a key.
    ///
    /// # Errors
    /// As [`Authorities::certificate`], but for trust.
    pub fn own(chain: &[u8]) -> Result<Self, Error> {
        Self::read(chain_of(chain)?.first().ok_or(Error::Empty)?)
    }

    /// Whether it is valid at this time, in seconds since 1970.
    #[must_use]
    pub const fn is_valid_at(&self, seconds: u64) -> bool {
        self.not_before <= seconds && seconds <= self.not_after
    }

    /// The last second in which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether it may speak for a number in its canonical form. One that names a carrier may for every number: which ones
    /// the carrier has stands elsewhere.
    #[must_use]
    pub fn may_sign(&self, number: &str) -> bool {
        self.numbers.has(number)
    }

    /// Whether this is the key's signature of a message, by ES256.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.point).verify(message, signature).is_ok()
    }

    /// Whether its key is this one, by its point.
    pub(crate) fn is_of(&self, point: &[u8]) -> bool {
        self.point == *point
    }
}

fn chain_of(octets: &[u8]) -> Result<Vec<CertificateDer<'_>>, Error> {
    if octets.len() > CHAIN_OCTETS_MAX {
        return Err(Error::Form(format!("it is longer than {CHAIN_OCTETS_MAX} octets")));
    }
    // A sequence of ASN.1: one certificate as it is (RFC 8224, 7.4 allows application/pkix-cert).
    if octets.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(octets)]);
    }
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(octets) {
        if chain.len() >= CHAIN_MAX {
            return Err(Error::Form(format!("it has more than {CHAIN_MAX} certificates")));
        }
        chain.push(certificate.map_err(|error| Error::Form(error.to_string()))?);
    }
    if chain.is_empty() { Err(Error::Empty) } else { Ok(chain) }
}

#[cfg(test)]
mod tests;
