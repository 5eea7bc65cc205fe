//! Password hashes (argon2id, RFC 9106) and secrets that do not print themselves.
//!
//! Hashing and verifying take tens of milliseconds and 19 MiB: call them on `spawn_blocking` and bound
//! how many run at once.

mod ha1;

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::de::{self, Deserialize, Deserializer, Visitor};

pub use self::ha1::Ha1;

/// Memory of one hash in KiB (OWASP's minimum for argon2id with two passes).
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
pub const PASSES: u32 = 2;
/// Lanes.
pub const LANES: u32 = 1;

/// Compared against when there is no such user, so that both failures cost the same. Made with the
/// parameters above from a password nobody knows.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$lWZO1/VtLAQNgWdN9GSfYA$mRWl2ozCu8/dZ6nbM6RyZ24C+zO9XI97QIFyCDtEL1Y";

/// An argon2id hash as a PHC string (`$argon2id$v=19$m=...`). Prints redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string, to be stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PasswordHash {
    type Err = Error;

    /// Accepts a PHC string as stored.
    fn from_str(text: &str) -> Result<Self, Error> {
        password_hash::PasswordHash::new(text).map_err(|_| Error::NotPhc)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// Why a stored hash is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a PHC string.
    #[error("the stored password hash is not a PHC string; set the password again")]
    NotPhc,
}

/// Hashes `password` under a fresh salt. Blocking: tens of milliseconds.
pub fn hash(password: &str) -> PasswordHash {
    let salt = SaltString::generate(&mut OsRng);
    #[expect(
        clippy::expect_used,
        reason = "fails only for parameters, which are constants, or a password over 4 GiB"
    )]
    let hash = hasher().hash_password(password.as_bytes(), &salt).expect("argon2id with constant parameters");
    PasswordHash(hash.to_string())
}

/// Whether `password` is the hashed one. Blocking: tens of milliseconds.
///
/// With no hash (unknown user) or an unreadable one it does the same work against a fixed hash and says
/// no, so that time does not tell an unknown user from a wrong password.
pub fn verify(hash: Option<&PasswordHash>, password: &[u8]) -> bool {
    let stored = hash.and_then(|hash| password_hash::PasswordHash::new(&hash.0).ok());
    let known = stored.is_some();
    let Some(target) = stored.or_else(|| password_hash::PasswordHash::new(DUMMY).ok()) else {
        return false;
    };
    hasher().verify_password(password, &target).is_ok() && known
}

/// A digest of a password under a key of this process: to know again one that was right, without keeping it.
#[must_use]
pub fn keyed_digest(key: &[u8; 32], password: &[u8]) -> [u8; 32] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let tag = ring::hmac::sign(&key, password);
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    digest
}

/// Compares digests in constant time.
#[must_use]
pub fn digests_equal(left: &[u8; 32], right: &[u8; 32]) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(&left[..], &right[..]))
}

/// A secret from the configuration: prints `[redacted]`, is never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretString(String);

/// What a secret of another type is refused with; serde's own words would show it.
const NOT_TEXT: &str = "a secret is text in quotes";

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

macro_rules! refused {
    ($($visit:ident: $kind:ty,)+) => { $(
        fn $visit<E: de::Error>(self, _: $kind) -> Result<SecretString, E> {
            Err(E::custom(NOT_TEXT))
        }
    )+ };
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretString, E> {
        Ok(SecretString::new(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<SecretString, E> {
        Ok(SecretString(text))
    }

    refused! {
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_bytes: &[u8],
    }

    fn visit_unit<E: de::Error>(self) -> Result<SecretString, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<SecretString, A::Error> {
        Err(de::Error::custom(NOT_TEXT))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<SecretString, A::Error> {
        Err(de::Error::custom(NOT_TEXT))
    }
}

impl SecretString {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn hasher() -> Argon2<'static> {
    const PARAMS: Params = match Params::new(MEMORY_KIB, PASSES, LANES, None) {
        Ok(params) => params,
        Err(_) => Params::DEFAULT,
    };
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

#[cfg(test)]
mod tests;
