//! Who signs calls.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use crate::certificate::{Certificate, ec_private_key};
use crate::identity;
use crate::passport::{Claims, Header, signing_input};

/// Why a key is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is none in it.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// It is no key on P-256 that can be read.
    #[error("it is no key of ECDSA on the curve P-256: {0}")]
    Key(String),
}

/// A key, and where its certificate is.
pub struct Signer {
    key: EcdsaKeyPair,
    x5u: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("x5u", &self.x5u).finish_non_exhaustive()
    }
}

impl Signer {
    /// A key in PEM, PKCS #8 or SEC 1, whose certificate others find at `x5u`.
    ///
    /// # Errors
    /// When the key is of no use.
    pub fn new(x5u: &str, pem: &[u8], random: &dyn SecureRandom) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| Error::NoKey)?;
        let refused = |error: ring::error::KeyRejected| Error::Key(error.to_string());
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = if let PrivateKeyDer::Pkcs8(key) = &key {
            EcdsaKeyPair::from_pkcs8(algorithm, key.secret_pkcs8_der(), random).map_err(refused)?
        } else if let PrivateKeyDer::Sec1(key) = &key {
            let parts = ec_private_key(key.secret_sec1_der());
            let (private, public) =
                parts.ok_or_else(|| Error::Key("it has no public key in it".to_owned()))?;
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, random)
                .map_err(refused)?
        } else {
            return Err(Error::Key("it is of another kind".to_owned()));
        };
        Ok(Self { key, x5u: x5u.to_owned() })
    }

    /// Whether a certificate is of this key.
    #[must_use]
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        certificate.is_of(self.key.public_key().as_ref())
    }

    /// Whether another one signs with the same key.
    #[must_use]
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.key.public_key().as_ref() == other.key.public_key().as_ref()
    }

    /// The value of an Identity header for a call: the full form, since the short one cannot say what `shaken` adds.
    /// `None` where there is no randomness.
    #[must_use]
    pub fn identity(&self, claims: &Claims, random: &dyn SecureRandom) -> Option<String> {
        let ppt = claims.shaken.as_ref().map(|_| "shaken");
        let header = Header { x5u: self.x5u.clone(), ppt: ppt.map(str::to_owned) };
        let mut token = signing_input(&header, claims);
        let signature = self.key.sign(random, token.as_bytes()).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(identity::write(&token, &self.x5u, ppt))
    }
}

#[cfg(test)]
mod tests;
