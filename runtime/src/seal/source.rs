//! Where root keys are: a file of the node's own, or a variable of the environment.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Error;
use super::envelope::{KEY_LEN, Key};
use crate::config;
use crate::random::secret_bytes;

/// Keys that one place may hold: the one that seals, and those before it while a rotation goes on.
pub(super) const KEYS_MAX: usize = 4;

/// Where the root key is: one key of 64 hexadecimal digits, or several with blanks or line ends between them, of
/// which the first seals and all open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file; made with a new key when it is absent.
    File(PathBuf),
    /// A variable of the environment, by its name.
    Environment(String),
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "root key {}", path.display()),
            Self::Environment(name) => write!(f, "root key in the environment variable {name}"),
        }
    }
}

impl KeySource {
    /// Every key, the one that seals first.
    pub(super) fn read(&self) -> Result<Vec<Key>, Error> {
        let text = match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| self.file_error(error))?,
            Self::Environment(name) => {
                let value = config::secret_from_environment(name);
                value.map_err(|text| Error::Environment { name: name.clone(), text })?.expose().to_owned()
            }
        };
        parse(&text).ok_or_else(|| Error::Form(self.to_string()))
    }

    /// As [`KeySource::read`]; an absent file is made.
    pub(super) fn read_or_create(&self) -> Result<Vec<Key>, Error> {
        match self {
            Self::File(path) if !path.exists() => {
                let key = self.generate()?;
                self.write(path, &[&key])?;
                Ok(vec![key])
            }
            Self::File(_) | Self::Environment(_) => self.read(),
        }
    }

    /// Replaces the file whole, durably: after a crash it holds these keys or those before.
    pub(super) fn write(&self, path: &Path, keys: &[&Key]) -> Result<(), Error> {
        let text: String = keys.iter().map(|key| to_hex(key.octets()) + "\n").collect();
        write_private(path, text.as_bytes()).map_err(|error| self.file_error(error))
    }

    pub(super) fn generate(&self) -> Result<Key, Error> {
        Key::new(secret_bytes::<KEY_LEN>()).ok_or_else(|| Error::Form(self.to_string()))
    }

    fn file_error(&self, error: std::io::Error) -> Error {
        Error::File { source_name: self.to_string(), error }
    }
}

/// One to [`KEYS_MAX`] keys.
fn parse(text: &str) -> Option<Vec<Key>> {
    let keys: Vec<Key> = text.split_ascii_whitespace().map(key_from_hex).collect::<Option<_>>()?;
    (1..=KEYS_MAX).contains(&keys.len()).then_some(keys)
}

fn key_from_hex(text: &str) -> Option<Key> {
    let mut octets = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Key::new(octets)
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
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}
