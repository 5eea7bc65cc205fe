//! The hash functions of digests, and the answer that a secret gives to a challenge (RFC 7616, 3.4; RFC 8760, 2).

use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256, SHA512_256};
use subtle::ConstantTimeEq;

use super::{Algorithm, Credentials};

/// A hash function that challenges are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-512/256.
    Sha512Trunc256,
    /// SHA-256.
    Sha256,
    /// MD5, for equipment that knows nothing else.
    Md5,
}

impl Hash {
    /// All, the strongest first, as challenges are to stand (RFC 8760, 2.3).
    pub const STRONGEST_FIRST: [Self; 3] = [Self::Sha512Trunc256, Self::Sha256, Self::Md5];

    /// Its name in `algorithm`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha512Trunc256 => "SHA-512-256",
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The digest of texts with a colon between each and the next: H() and KD() of RFC 7616, 3.3.
    pub fn of(self, parts: &[&[u8]]) -> HexDigest {
        match self {
            Self::Md5 => {
                let mut hasher = Md5::new();
                joined(parts, |octets| hasher.update(octets));
                HexDigest::of(&hasher.finalize())
            }
            Self::Sha256 | Self::Sha512Trunc256 => {
                let algorithm = if self == Self::Sha256 { &SHA256 } else { &SHA512_256 };
                let mut context = Context::new(algorithm);
                joined(parts, |octets| context.update(octets));
                HexDigest::of(context.finish().as_ref())
            }
        }
    }
}

fn joined(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            take(b":");
        }
        take(part);
    }
}

/// A digest in hexadecimal digits, small letters: as it is part of other digests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexDigest {
    digits: [u8; DIGITS_MAX],
    len: usize,
}

/// Hexadecimal digits of 256 bits.
const DIGITS_MAX: usize = 64;

impl HexDigest {
    fn of(octets: &[u8]) -> Self {
        let mut digits = [0; DIGITS_MAX];
        let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
        digits.iter_mut().zip(nibbles).for_each(|(digit, nibble)| *digit = hex_digit(nibble));
        Self { digits, len: (octets.len() * 2).min(DIGITS_MAX) }
    }

    /// The digits.
    pub fn as_octets(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Whether these digits, in either case, are the same, in a time that does not tell how many are.
    pub fn is(&self, digits: &[u8]) -> bool {
        let mut given = [0; DIGITS_MAX];
        given.iter_mut().zip(digits).for_each(|(place, digit)| *place = digit.to_ascii_lowercase());
        digits.len() == self.len && bool::from(given.as_slice().ct_eq(self.digits.as_slice()))
    }
}

/// Most digests are secrets, or as good as one.
impl std::fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HexDigest([redacted])")
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}

impl Algorithm<'_> {
    /// The hash function of an algorithm that is offered here; `None` of every other one, and of `-sess`.
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Self::Md5 => Some(Hash::Md5),
            Self::Sha256 => Some(Hash::Sha256),
            Self::Sha512Trunc256 => Some(Hash::Sha512Trunc256),
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512Trunc256Sess | Self::Other(_) => None,
        }
    }
}

impl Credentials<'_> {
    /// The digest that who knows the secret gives, for a request of this method; `secret` is H(A1), the digits of
    /// H(username:realm:password) by the hash function of [`Credentials::algorithm`]. Protection may be `auth`, or
    /// none as before RFC 2617. `None` where nothing is right: `auth-int` and other words are not offered, and
    /// algorithms without [`Algorithm::hash`] neither.
    pub fn expected(&self, secret: &[u8], method: &[u8]) -> Option<HexDigest> {
        let hash = self.algorithm.hash()?;
        let request = hash.of(&[method, self.uri]);
        let request = request.as_octets();
        let Some(protection) = self.protection else {
            return Some(hash.of(&[secret, self.nonce, request]));
        };
        // The words as they came are part of the digest.
        let (qop, count) = (self.params.unquoted(b"qop")?, self.params.unquoted(b"nc")?);
        if !qop.eq_ignore_ascii_case(b"auth") {
            return None;
        }
        Some(hash.of(&[secret, self.nonce, count, protection.cnonce, qop, request]))
    }

    /// Whether they are by one who knows the secret, as [`Credentials::expected`] has it.
    pub fn are_by(&self, secret: &[u8], method: &[u8]) -> bool {
        self.expected(secret, method).is_some_and(|expected| expected.is(self.response))
    }
}

#[cfg(test)]
mod tests;
