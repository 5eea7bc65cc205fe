//! Secrets at rest: vendor passwords are sealed with AES-256-GCM under the node's root key.
//!
//! Sealed form: version (1 octet, now 1), nonce (12 octets), ciphertext and tag. The row's identity is the
//! associated data, so a sealed value copied to another row does not open.

use std::io::Write;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use uuid::Uuid;

use crate::password::SecretString;
use crate::random::secret_bytes;

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read or written.
    #[error("root key {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The key file has another form.
    #[error("root key {0} does not hold 64 hexadecimal digits")]
    Form(String),
    /// The sealed value is not ours, or was sealed with another key or for another row.
    #[error("a sealed secret of {0} does not open: the root key is not the one it was sealed with")]
    Open(Uuid),
    /// The cipher refused, which it does only for absurd lengths.
    #[error("the secret of {0} cannot be sealed")]
    Seal(Uuid),
}

/// The root key of a node or cluster.
pub struct RootKey(LessSafeKey);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey([redacted])")
    }
}

impl RootKey {
    /// Reads the key file, or makes one with a new key and mode 0600 when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or has another form.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        let file_error = |error| Error::File { path: path.display().to_string(), error };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_hex(text.trim()).ok_or_else(|| Error::Form(path.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = secret_bytes::<KEY_LEN>();
                write_private(path, to_hex(&key).as_bytes()).map_err(file_error)?;
                Self::new(&key).ok_or_else(|| Error::Form(path.display().to_string()))
            }
            Err(error) => Err(file_error(error)),
        }
    }

    fn new(key: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    fn from_hex(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        let key: Vec<u8> =
            digits?.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect();
        if key.len() == KEY_LEN { Self::new(&key) } else { None }
    }

    /// Seals a secret for one row.
    ///
    /// # Errors
    /// Never in practice; see [`Error::Seal`].
    pub fn seal(&self, row: Uuid, secret: &SecretString) -> Result<Vec<u8>, Error> {
        let nonce = secret_bytes::<NONCE_LEN>();
        let mut sealed = secret.expose().as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(row.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Error::Seal(row))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens the secret of one row.
    ///
    /// # Errors
    /// When it was sealed with another key, for another row, or is not a sealed secret.
    pub fn open(&self, row: Uuid, sealed: &[u8]) -> Result<SecretString, Error> {
        let failed = || Error::Open(row);
        let (version, rest) = sealed.split_first().ok_or_else(failed)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        if *version != VERSION {
            return Err(failed());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut text = ciphertext.to_vec();
        let opened =
            self.0.open_in_place(nonce, Aad::from(row.as_bytes()), &mut text).map_err(|_| failed())?;
        String::from_utf8(opened.to_vec()).map(SecretString::new).map_err(|_| failed())
    }
}

/// Writes a file that only its owner may read, durably; an existing one is replaced whole.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let part = path.with_extension("part");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(part, path)?;
    // Without this the name may be gone after a power failure, and a root key with it.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Lowercase hexadecimal digits.
#[must_use]
pub fn to_hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_row_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = RootKey::load_or_create(&dir.path().join("root.key")).unwrap();
        let again = RootKey::load_or_create(&dir.path().join("root.key")).unwrap();
        let other = RootKey::load_or_create(&dir.path().join("other.key")).unwrap();
        let row = Uuid::new_v4();
        let sealed = key.seal(row, &SecretString::new("s3cret".to_owned())).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(again.open(row, &sealed).unwrap().expose(), "s3cret");
        assert!(key.open(Uuid::new_v4(), &sealed).is_err());
        assert!(other.open(row, &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(key.open(row, &sealed[..cut]).is_err());
        }
    }
}
