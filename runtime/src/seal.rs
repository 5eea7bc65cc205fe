//! Secrets at rest: each is sealed with AES-256-GCM under a data key of its own, and the data key under the node's
//! root key, so that another root key needs no secret to be sealed anew.
//!
//! Sealed form, version 2: version (1 octet), id of the root key (the first 4 octets of its SHA-256), data key (nonce,
//! 32 octets, tag; associated data: version, id and the row's identity), secret (nonce, ciphertext, tag; associated
//! data: the row's identity). A sealed value that is copied to another row does not open. Version 1 (version, nonce,
//! ciphertext and tag under the root key itself) is opened, and never written.

mod envelope;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use uuid::Uuid;

use self::envelope::Key;
pub use self::envelope::Rewrapped;
use self::source::KEYS_MAX;
pub use self::source::{KeySource, to_hex, write_private};
use crate::config;
use crate::password::SecretString;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read or written.
    #[error("{source_name}: {error}")]
    File {
        /// The file.
        source_name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The variable of the environment is absent, or no text.
    #[error("root key in the environment variable {name}: {text}")]
    Environment {
        /// The variable.
        name: String,
        /// Reason.
        text: String,
    },
    /// The key file or variable has another form.
    #[error("{0} does not hold 64 hexadecimal digits")]
    Form(String),
    /// The sealed value is not ours, or was sealed with another key or for another row.
    #[error("a sealed secret of {0} does not open: the root key is not the one it was sealed with")]
    Open(Uuid),
    /// The cipher refused, which it does only for absurd lengths.
    #[error("the secret of {0} cannot be sealed")]
    Seal(Uuid),
    /// A rotation without a new key.
    #[error(
        "node.root_key_env names one key: give the new one with --new-key-env NAME, or put it before the old one in \
         the same variable of every node, with a blank between them, and restart"
    )]
    NoNewKey,
    /// A new key by the environment while the old one is in a file.
    #[error("--new-key-env is for a node with node.root_key_env: the new key of a key file is made")]
    NotEnvironment,
    /// What is to name the variable of the new key names none.
    #[error("--new-key-env: {0}")]
    NewKeyName(&'static str),
    /// The key file changed during the rotation.
    #[error("{0} was changed meanwhile, its keys are left as they are")]
    Changed(String),
}

/// The root key of a node or cluster: the one that seals, and those before it that only open.
pub struct RootKey {
    source: KeySource,
    /// The first seals. A key stays as long as the process: what is read from the database may be older than the file.
    keys: ArcSwap<Vec<Arc<Key>>>,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKey({:?}, [redacted])", self.source)
    }
}

impl RootKey {
    /// Reads the key, or makes its file with a new key and mode 0600 when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, the variable is absent, or either has another form.
    pub fn load(source: KeySource) -> Result<Self, Error> {
        let keys = source.read_or_create()?.into_iter().map(Arc::new).collect();
        Ok(Self { source, keys: ArcSwap::from_pointee(keys) })
    }

    /// [`RootKey::load`] of a file.
    ///
    /// # Errors
    /// When the file cannot be read or made, or has another form.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        Self::load(KeySource::File(path.to_owned()))
    }

    /// Where it was read.
    #[must_use]
    pub const fn source(&self) -> &KeySource {
        &self.source
    }

    /// Seals a secret for one row. A key file that another node has changed is read first.
    ///
    /// # Errors
    /// Never in practice; see [`Error::Seal`].
    pub fn seal(&self, row: Uuid, secret: &SecretString) -> Result<Vec<u8>, Error> {
        self.refresh();
        let keys = self.keys.load();
        let sealed = keys.first().and_then(|key| envelope::seal(key, row, secret.expose().as_bytes()));
        sealed.ok_or(Error::Seal(row))
    }

    /// Opens the secret of one row. When no key opens it the key file is read again: another node may have rotated.
    ///
    /// # Errors
    /// When it was sealed with another key, for another row, or is not a sealed secret.
    pub fn open(&self, row: Uuid, sealed: &[u8]) -> Result<SecretString, Error> {
        let opened = envelope::open(&self.keys.load(), row, sealed);
        let again = || self.refresh().then(|| envelope::open(&self.keys.load(), row, sealed)).flatten();
        let text = opened.or_else(again).ok_or(Error::Open(row))?;
        String::from_utf8(text).map(SecretString::new).map_err(|_| Error::Open(row))
    }

    /// The same secret under the key that seals now.
    #[must_use]
    pub fn rewrap(&self, row: Uuid, sealed: &[u8]) -> Rewrapped {
        envelope::rewrap(&self.keys.load(), row, sealed)
    }

    /// A keyed digest of `parts`, by the key that seals now and for one purpose: equal parts have equal ones
    /// on all nodes, and who has not the key learns nothing from it, not even by trying all texts that are
    /// likely.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.keys.load().first().map(|key| key.fingerprint(purpose, parts)).unwrap_or_default()
    }

    /// Whether `fingerprint` is that of these parts, by any of the keys. When it is by none the key file is
    /// read again: another node may have rotated.
    #[must_use]
    pub fn has_fingerprint(&self, fingerprint: &[u8], purpose: &str, parts: &[&[u8]]) -> bool {
        let known = || self.keys.load().iter().any(|key| key.fingerprint(purpose, parts) == *fingerprint);
        known() || (self.refresh() && known())
    }

    /// The first step of a rotation: from here on a new key seals and the old one opens. A file holds both, the new
    /// one first, before this returns. Where two keys are known already, a rotation was begun by hand or never ended:
    /// it is taken up, and no key is made. `new_key_env` names the variable of a new key where the old one has one too.
    ///
    /// # Errors
    /// When the new key cannot be read, or the file not be written; nothing has changed then.
    pub fn begin_rotation(&self, new_key_env: Option<&str>) -> Result<(), Error> {
        let mut known = self.source.read()?;
        match (&self.source, new_key_env) {
            (KeySource::File(_), Some(_)) => return Err(Error::NotEnvironment),
            (KeySource::File(path), None) if known.len() == 1 => {
                known.insert(0, self.source.generate()?);
                self.source.write(path, &known.iter().collect::<Vec<_>>())?;
            }
            (KeySource::Environment(_), Some(name)) => {
                if let Some(reason) = config::environment_name_refusal(name) {
                    return Err(Error::NewKeyName(reason));
                }
                let mut new = KeySource::Environment(name.to_owned()).read()?;
                new.append(&mut known);
                known = new;
            }
            (KeySource::Environment(_), None) if known.len() == 1 => return Err(Error::NoNewKey),
            (KeySource::File(_) | KeySource::Environment(_), None) => {}
        }
        self.take(known);
        Ok(())
    }

    /// The last step, once nothing is sealed with an old key any more: the file holds the new one alone. This process
    /// goes on opening with both.
    ///
    /// # Errors
    /// When the file cannot be written, or does not begin with the key that seals; it is left as it is then.
    pub fn finish_rotation(&self) -> Result<(), Error> {
        let KeySource::File(path) = &self.source else { return Ok(()) };
        let stored = self.source.read()?;
        let keys = self.keys.load();
        match (stored.as_slice(), keys.first()) {
            ([first, ..], Some(sealing)) if first.octets() == sealing.octets() => {
                self.source.write(path, &[sealing])
            }
            _ => Err(Error::Changed(self.source.to_string())),
        }
    }

    /// A value of version 1, as older databases have it.
    #[cfg(test)]
    pub(crate) fn seal_direct(&self, row: Uuid, secret: &str) -> Vec<u8> {
        envelope::seal_direct(&self.keys.load()[0], row, secret.as_bytes())
    }

    /// Reads the key file again; whether there was a change. One that cannot be read changes nothing.
    fn refresh(&self) -> bool {
        match &self.source {
            KeySource::File(_) => self.source.read().is_ok_and(|found| self.take(found)),
            KeySource::Environment(_) => false,
        }
    }

    /// These keys first, then those that are known already; whether there was a change.
    fn take(&self, found: Vec<Key>) -> bool {
        let known = self.keys.load_full();
        let mut keys: Vec<Arc<Key>> = Vec::new();
        for key in found.into_iter().map(Arc::new).chain(known.iter().map(Arc::clone)) {
            if keys.len() < KEYS_MAX && !keys.iter().any(|other| other.octets() == key.octets()) {
                keys.push(key);
            }
        }
        let same = keys.iter().map(|key| key.octets()).eq(known.iter().map(|key| key.octets()));
        if !same {
            self.keys.store(Arc::new(keys));
        }
        !same
    }
}
