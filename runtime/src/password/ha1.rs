//! What a SIP digest is checked with in place of the password (RFC 7616, 3.4.2; RFC 8760).
//!
//! Who has it can answer challenges of its realm, and no others: it is kept sealed, and the password is not kept at all.

use std::fmt;

use md5::{Digest as _, Md5};
use ring::digest::{Algorithm, SHA256, SHA512_256, digest};

use super::SecretString;
use crate::seal::to_hex;

/// `H(username:realm:password)` by each hash function that challenges offer, in small hexadecimal digits. Prints
/// redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    /// By MD5.
    pub md5: String,
    /// By SHA-256.
    pub sha256: String,
    /// By SHA-512/256.
    pub sha512_256: String,
}

/// Digits of 128 and of 256 bits.
const DIGITS: [usize; 3] = [32, 64, 64];

impl Ha1 {
    /// That of a user. No colon may be in `username` or `realm`: another user's could be the same.
    #[must_use]
    pub fn of(username: &str, realm: &str, password: &SecretString) -> Self {
        let text = SecretString(format!("{username}:{realm}:{}", password.expose()));
        let octets = text.expose().as_bytes();
        let sha = |algorithm: &'static Algorithm| to_hex(digest(algorithm, octets).as_ref());
        Self { md5: to_hex(&Md5::digest(octets)), sha256: sha(&SHA256), sha512_256: sha(&SHA512_256) }
    }

    /// As one secret, to be sealed.
    #[must_use]
    pub fn to_secret(&self) -> SecretString {
        SecretString(format!("{}:{}:{}", self.md5, self.sha256, self.sha512_256))
    }

    /// What [`Ha1::to_secret`] gave; `None` of any other text.
    #[must_use]
    pub fn from_secret(secret: &SecretString) -> Option<Self> {
        let mut parts = secret.expose().split(':').zip(DIGITS);
        let mut next = || {
            let (part, digits) = parts.next()?;
            let whole = part.len() == digits && part.bytes().all(|octet| octet.is_ascii_hexdigit());
            whole.then(|| part.to_owned())
        };
        let read = Self { md5: next()?, sha256: next()?, sha512_256: next()? };
        // Nothing stands behind the last.
        (read.to_secret() == *secret).then_some(read)
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1([redacted])")
    }
}

#[cfg(test)]
mod tests;
