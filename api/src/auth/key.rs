//! Secrets that a caller presents whole: API keys and refresh tokens.
//!
//! They are random, so one SHA-256 is enough to keep of them: nothing can be guessed, and a slow hash would be
//! paid at every request. The text of one exists where it is made and where it is presented, nowhere else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::random::secret_bytes;
use sha2::{Digest as _, Sha256};

/// What every API key begins with, so that a search for leaked secrets knows one.
const MARK: &str = "warp_";
/// Characters of an API key's visible part.
pub(crate) const PREFIX_LEN: usize = 8;
/// Letters of the visible part: 32 of them, none that is read for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Octets of randomness in a secret, which are 43 characters of base64url.
const SECRET_OCTETS: usize = 32;
const SECRET_LEN: usize = 43;
/// Characters of an API key.
const KEY_LEN: usize = MARK.len() + PREFIX_LEN + 1 + SECRET_LEN;

/// The SHA-256 of a secret: what is stored of it. Compared in constant time only.
#[derive(Clone, Copy)]
pub(crate) struct Hash([u8; 32]);

/// An API key: `warp_` + 8 visible characters + `_` + 43 secret ones.
///
/// The visible part finds the row; the hash of the whole decides.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

/// A refresh token: 43 characters of base64url, without any meaning.
#[derive(Clone)]
pub(crate) struct RefreshToken(String);

impl Hash {
    /// A hash as it was stored; none when it has another length than 32 octets.
    #[cfg(test)]
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    /// For storing.
    pub(crate) fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of one secret, in constant time.
    #[cfg(test)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;

        self.0.ct_eq(&other.0).into()
    }

    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl ApiKey {
    /// A new key.
    pub(crate) fn generate() -> Self {
        let letters = secret_bytes::<PREFIX_LEN>();
        // A remainder of 32 favours no letter.
        let prefix = letters.iter().filter_map(|octet| LETTERS.get(usize::from(octet % 32)));
        let prefix: String = prefix.map(|letter| char::from(*letter)).collect();
        Self(format!("{MARK}{prefix}_{}", random_text()))
    }

    /// The key that a caller presents; none when it cannot be one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != KEY_LEN {
            return None;
        }
        let (prefix, secret) = text.strip_prefix(MARK)?.split_at_checked(PREFIX_LEN)?;
        let named = prefix.bytes().all(|letter| LETTERS.contains(&letter));
        (named && is_random_text(secret.strip_prefix('_')?)).then(|| Self(text.to_owned()))
    }

    /// The visible part: shown in lists, kept in logs, unique among the stored keys.
    pub(crate) fn prefix(&self) -> &str {
        self.0.get(MARK.len()..MARK.len() + PREFIX_LEN).unwrap_or_default()
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }

    /// The whole key, for the one answer that shows it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl RefreshToken {
    /// A new token.
    pub(crate) fn generate() -> Self {
        Self(random_text())
    }

    /// The token that a caller presents; none when it cannot be one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_random_text(text).then(|| Self(text.to_owned()))
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }

    /// The token itself, for the one answer that carries it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash([redacted])")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({MARK}{}_[redacted])", self.prefix())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken([redacted])")
    }
}

fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(secret_bytes::<SECRET_OCTETS>())
}

/// Whether `text` is 32 octets in their only spelling.
fn is_random_text(text: &str) -> bool {
    text.len() == SECRET_LEN && URL_SAFE_NO_PAD.decode(text).is_ok_and(|octets| octets.len() == SECRET_OCTETS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    #[test]
    fn a_key_is_parsed_found_and_compared() {
        let made = ApiKey::generate();
        let read = ApiKey::parse(made.expose()).unwrap();
        assert_eq!(read.prefix(), made.prefix());
        assert_eq!(made.prefix().len(), PREFIX_LEN);
        let stored = Hash::from_octets(made.hash().octets()).unwrap();
        assert!(stored.is(&read.hash()));
        assert!(!stored.is(&ApiKey::generate().hash()));
        assert!(Hash::from_octets(&[0; 31]).is_none());
        let keys: BTreeSet<String> = (0..100).map(|_| ApiKey::generate().prefix().to_owned()).collect();
        assert_eq!(keys.len(), 100);
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_text() {
        let key = ApiKey::parse(&format!("warp_abcdefgh_{SECRET}")).unwrap();
        let hex: String = key.hash().octets().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, HASH_OF_EXAMPLE);
        let other = ApiKey::parse(&format!("warp_abcdefgj_{SECRET}")).unwrap();
        assert!(!key.hash().is(&other.hash()), "the visible part belongs to the secret");
    }

    const HASH_OF_EXAMPLE: &str = "bdcb20386d09b9a574c97454bb07ac0ecb3fb2e92a73a7d20c07ac9a7b75d1aa";

    #[test]
    fn what_is_no_key_is_not_looked_up() {
        let good = format!("warp_abcdefgh_{SECRET}");
        assert!(ApiKey::parse(&good).is_some());
        let tail = good.get(1..).unwrap();
        for text in [
            String::new(),
            "warp_".to_owned(),
            good.to_uppercase(),
            tail.to_owned(),
            good.trim_end_matches('8').to_owned(),
            format!("{good}A"),
            format!("{good}\n"),
            format!(" {tail}"),
            good.replace("_abc", "-abc"),
            good.replace("gh_", "gh-"),
            good.replace("abcdefgh", "abcdefg1"),
            good.replace("abcdefgh", "abcdef_h"),
            good.replace("abcdefgh", "abcdefé"),
            // The last character of 32 octets has two unused bits, which must be zero.
            good.replace("Hh8", "Hh9"),
            good.replace("AAEC", "AA+C"),
            good.replace("AAEC", "AA=C"),
        ] {
            assert!(ApiKey::parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn refresh_tokens() {
        let made = RefreshToken::generate();
        assert_eq!(made.expose().len(), SECRET_LEN);
        assert!(RefreshToken::parse(made.expose()).unwrap().hash().is(&made.hash()));
        assert!(!made.hash().is(&RefreshToken::generate().hash()));
        for text in ["", SECRET.get(1..).unwrap(), &format!("{SECRET}A"), &SECRET.replace("Hh8", "Hh9"), "é"]
        {
            assert!(RefreshToken::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn none_of_them_is_printed() {
        let key = ApiKey::parse(&format!("warp_abcdefgh_{SECRET}")).unwrap();
        let token = RefreshToken::parse(SECRET).unwrap();
        let printed = format!("{key:?} {token:?} {:?} {:?}", key.hash(), token.hash());
        assert_eq!(
            printed,
            "ApiKey(warp_abcdefgh_[redacted]) RefreshToken([redacted]) Hash([redacted]) Hash([redacted])"
        );
    }
}
