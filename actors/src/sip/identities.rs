//! Who calls, signed and checked (STIR/SHAKEN): the key that this node signs with, the authorities that it believes, and
//! the certificates of others.
//!
//! Workers ask here and wait for nothing; the files are read and certificates are fetched by [`fetcher`]. To sign costs a
//! worker about 30 us, to check about 80: both happen once for a call, after it was admitted.

pub mod certificates;
pub mod fetcher;
mod known;
mod place;
mod report;
mod seen;
#[cfg(test)]
pub(crate) mod testing;
pub mod unmet;
mod wanted;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use runtime::clock::Timestamp;
use runtime::config::StirOptions;
use stir::{Authorities, Certificate, Claims, Failure, Signed, Signer, Verified};

use self::certificates::Certificates;
use self::place::Place;
use self::seen::Seen;
pub use self::seen::Use;
pub use self::wanted::Source;
use super::branch;
use super::transactions::Now;

/// Why the files of `[stir]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One cannot be read.
    #[error("stir: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key is of no use.
    #[error("stir.key_file: {0}")]
    Key(stir::sign::Error),
    /// Our certificate cannot be read.
    #[error("stir.certificate_file: {0}")]
    Certificate(stir::certificate::Error),
    /// Key and certificate are not of one another.
    #[error("stir.certificate_file: it is not the certificate of stir.key_file")]
    OtherKey,
    /// Another key than at the start: others would look for its certificate where that of the old one is.
    #[error(
        "stir.key_file: it is another key, which is taken at a restart, with a certificate_url of its own"
    )]
    NewKey,
    /// The authorities cannot be read.
    #[error("stir.authorities_file: {0}")]
    Authorities(stir::certificate::Error),
}

/// What calls are signed and checked with.
pub struct Identities {
    options: StirOptions,
    /// What the files said when they were taken.
    content: Mutex<Content>,
    own: ArcSwapOption<Own>,
    authorities: ArcSwap<Authorities>,
    /// Certificates of others.
    pub certificates: Certificates,
    seen: Mutex<Seen>,
    signatures: AtomicU64,
    random: SystemRandom,
}

/// What calls are signed with.
struct Own {
    signer: Signer,
    /// Where there is a file of it.
    certificate: Option<Certificate>,
}

/// What is to be said of our own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Nothing, or there is none.
    Good,
    /// It ends within a week.
    EndsSoon,
    /// It is not valid yet, or not any more.
    Over,
}

/// So long before its end the log says so of our own certificate, in seconds.
const FORETOLD: u64 = 7 * 86_400;

/// What the files hold: a key is among it, so that it is never shown.
#[derive(Default, PartialEq, Eq)]
struct Content {
    key: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    authorities: Option<Vec<u8>>,
}

/// What is made of that.
#[derive(Default)]
struct Loaded {
    own: Option<Arc<Own>>,
    authorities: Authorities,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("signs", &self.signs()).finish_non_exhaustive()
    }
}

impl Default for Identities {
    /// Signs nothing and believes nobody.
    fn default() -> Self {
        Self::new(StirOptions::default(), (Content::default(), Loaded::default()))
    }
}

impl Identities {
    fn new(options: StirOptions, (content, loaded): (Content, Loaded)) -> Self {
        let certificates_max = usize::try_from(options.certificates_max).unwrap_or(usize::MAX);
        Self {
            options,
            content: Mutex::new(content),
            own: ArcSwapOption::new(loaded.own),
            authorities: ArcSwap::from_pointee(loaded.authorities),
            certificates: Certificates::new(certificates_max),
            seen: Mutex::default(),
            signatures: AtomicU64::new(0),
            random: SystemRandom::new(),
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or holds what is of no use.
    pub fn open(options: &StirOptions) -> Result<Self, Error> {
        let content = Content::read(options)?;
        let loaded = content.load(options, &SystemRandom::new())?;
        Ok(Self::new(options.clone(), (content, loaded)))
    }

    /// Reads the files again, and takes them where they say something else; true when they do. Another key is not taken.
    /// On any other error what was there stays.
    ///
    /// # Errors
    /// As [`Identities::open`]; [`Error::NewKey`].
    pub fn reload(&self) -> Result<bool, Error> {
        let content = Content::read(&self.options)?;
        if *self.content.lock() == content {
            return Ok(false);
        }
        let Loaded { own, authorities } = content.load(&self.options, &self.random)?;
        let mut before = self.content.lock();
        if before.authorities != content.authorities {
            self.authorities.store(Arc::new(authorities));
            // Whom nobody believed may be believed now, and the other way round.
            self.certificates.forget();
            before.authorities.clone_from(&content.authorities);
        }
        if let (Some(old), Some(new)) = (&*self.own.load(), &own)
            && !old.signer.has_key_of(&new.signer)
        {
            return Err(Error::NewKey);
        }
        self.own.store(own);
        *before = content;
        Ok(true)
    }

    /// Whether anything is configured.
    pub fn is_used(&self) -> bool {
        let is_given = |path: &Path| !path.as_os_str().is_empty();
        is_given(&self.options.key_file) || is_given(&self.options.authorities_file)
    }

    /// What it was told.
    pub const fn options(&self) -> &StirOptions {
        &self.options
    }

    /// How long a call waits for a certificate.
    pub const fn wait(&self) -> Duration {
        self.options.certificate_wait.get()
    }

    /// The last second of our own certificate, where it is known.
    pub fn ends_at(&self) -> Option<u64> {
        self.own.load().as_deref()?.certificate.as_ref().map(Certificate::not_after)
    }

    /// What is to be said of our own certificate at this time, in seconds since 1970.
    pub fn term(&self, now: u64) -> Term {
        let own = self.own.load();
        let Some(own) = own.as_deref().and_then(|own| own.certificate.as_ref()) else { return Term::Good };
        if !own.is_valid_at(now) {
            return Term::Over;
        }
        if own.not_after().saturating_sub(now) < FORETOLD { Term::EndsSoon } else { Term::Good }
    }

    /// Whether there is a key.
    pub fn signs(&self) -> bool {
        self.own.load().is_some()
    }

    /// Why no call is signed at this time, in seconds since 1970; `None` where calls are.
    pub fn unsigned(&self, now: u64) -> Option<&'static str> {
        if !self.signs() {
            return Some("this node has no key (stir.key_file)");
        }
        (self.term(now) == Term::Over).then_some("our certificate is not valid now")
    }

    /// The value of an Identity header; `None` without a key, and while our certificate is not valid: everybody would
    /// refuse what it signs.
    pub fn sign(&self, claims: &Claims) -> Option<String> {
        let own = self.own.load();
        let own = own.as_deref()?;
        if own.certificate.as_ref().is_some_and(|certificate| !certificate.is_valid_at(claims.iat)) {
            return None;
        }
        let identity = own.signer.identity(claims, &self.random)?;
        self.signatures.fetch_add(1, Ordering::Relaxed);
        Some(identity)
    }

    /// Signatures that were made.
    pub fn signatures(&self) -> u64 {
        self.signatures.load(Ordering::Relaxed)
    }

    /// Whose certificates are believed.
    pub fn authorities(&self) -> Arc<Authorities> {
        self.authorities.load_full()
    }

    /// Wants the certificate of an Identity for a source of calls, where it is not known: who asks again may have it.
    pub fn want(&self, signed: &Signed, source: Source, now: Now) {
        if let Ok(place) = Place::read(signed.x5u(), &self.options) {
            self.certificates.want(&place, source, now.instant);
        }
    }

    /// Checks what a call was signed with; `None` while its certificate is not known.
    pub fn check(&self, signed: &Signed, call: &Use, now: Now) -> Option<Result<Verified, Failure>> {
        if self.authorities.load().is_empty() {
            return Some(Err(Failure::Unavailable));
        }
        let place = match Place::read(signed.x5u(), &self.options) {
            Ok(place) => place,
            Err(error) => {
                tracing::debug!(%error, "a certificate of an Identity is not asked for");
                return Some(Err(Failure::Unavailable));
            }
        };
        let certificate = match self.certificates.find(&place.url, now.instant)? {
            Ok(certificate) => certificate,
            Err(failure) => return Some(Err(failure)),
        };
        let checked = signed.check(&certificate, seconds(now.wall));
        if checked.is_ok() {
            self.certificates.proved(&place.url);
        }
        Some(checked.and_then(|verified| {
            let passport = branch::digest_of((0, 0), [signed.input().as_bytes()]);
            let is_signed = signed.is_for(&call.number);
            let is_new = self.seen.lock().note(passport, call, is_signed, now.instant);
            if is_new { Ok(verified) } else { Err(Failure::Replayed) }
        }))
    }
}

impl Content {
    fn read(options: &StirOptions) -> Result<Self, Error> {
        let read = |path: &Path| {
            if path.as_os_str().is_empty() {
                return Ok(None);
            }
            let failed = |source| Error::Read { path: path.to_owned(), source };
            std::fs::read(path).map(Some).map_err(failed)
        };
        Ok(Self {
            key: read(&options.key_file)?,
            certificate: read(&options.certificate_file)?,
            authorities: read(&options.authorities_file)?,
        })
    }

    fn load(&self, options: &StirOptions, random: &SystemRandom) -> Result<Loaded, Error> {
        let signer = self.key.as_deref().map(|key| Signer::new(&options.certificate_url, key, random));
        let signer = signer.transpose().map_err(Error::Key)?;
        let own = self.certificate.as_deref().map(Certificate::own);
        let own = own.transpose().map_err(Error::Certificate)?;
        if let (Some(signer), Some(own)) = (&signer, &own)
            && !signer.is_of(own)
        {
            return Err(Error::OtherKey);
        }
        let authorities = self.authorities.as_deref().map(Authorities::parse).transpose();
        Ok(Loaded {
            own: signer.map(|signer| Arc::new(Own { signer, certificate: own })),
            authorities: authorities.map_err(Error::Authorities)?.unwrap_or_default(),
        })
    }
}

/// Seconds since 1970.
pub fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests;
