//! The bootstrap admin token: made at the first start, kept in a file that only the node's user reads. The
//! node itself keeps its SHA-256 alone.

use std::path::{Path, PathBuf};

use runtime::password::SecretString;
use runtime::random::secret_bytes;
use runtime::seal::{to_hex, write_private};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Name of the file in the data directory.
pub const FILE: &str = "bootstrap.token";
/// Octets from the operating system's randomness; the token is their hexadecimal form.
const SECRET_OCTETS: usize = 32;
/// A shorter token in the file, put there by hand, is refused.
const TOKEN_OCTETS_MIN: usize = 32;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("bootstrap token {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds too little to be a token.
    #[error("bootstrap token {}: at least {TOKEN_OCTETS_MIN} characters are needed; delete the file for a new one", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
    },
}

/// What a presented token is compared with.
#[derive(Clone)]
pub struct TokenHash([u8; 32]);

/// The token of a data directory.
pub struct Loaded {
    /// For comparing.
    pub hash: TokenHash,
    /// The token itself, only when it was made just now: to be shown this once.
    pub created: Option<SecretString>,
}

/// Reads the token's file, or makes one with a new token and mode 0600 when there is none.
///
/// # Errors
/// When the file cannot be read or made, or holds no token.
pub fn load_or_create(path: &Path) -> Result<Loaded, Error> {
    let file_error = |source| Error::File { path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let token = text.trim();
            if token.len() < TOKEN_OCTETS_MIN {
                return Err(Error::TooShort { path: path.to_owned() });
            }
            Ok(Loaded { hash: TokenHash::of(token.as_bytes()), created: None })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = to_hex(&secret_bytes::<SECRET_OCTETS>());
            write_private(path, format!("{token}\n").as_bytes()).map_err(file_error)?;
            let hash = TokenHash::of(token.as_bytes());
            Ok(Loaded { hash, created: Some(SecretString::new(token)) })
        }
        Err(error) => Err(file_error(error)),
    }
}

impl TokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether `presented` is the token, in constant time.
    #[must_use]
    pub fn accepts(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.0.ct_eq(&presented).into()
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750, 2.1).
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let first = load_or_create(&path).unwrap();
        let token = first.created.unwrap();
        assert_eq!(token.expose().len(), 64);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = load_or_create(&path).unwrap();
        assert!(again.created.is_none());
        for hash in [&first.hash, &again.hash] {
            assert!(hash.accepts(token.expose().as_bytes()));
            assert!(!hash.accepts(b""));
            assert!(!hash.accepts(&token.expose().as_bytes()[1..]));
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "\n").unwrap();
        let error = load_or_create(&path).err().unwrap().to_string();
        assert!(error.contains("bootstrap.token") && error.contains("delete the file"), "{error}");
        let error = load_or_create(&dir.path().join("none").join(FILE)).err().unwrap().to_string();
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn authorization_headers() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(header), token, "{header:?}");
        }
    }
}
