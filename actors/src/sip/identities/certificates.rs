//! Certificates of others, by where they are: those that are known, and those that somebody wants to know.
//!
//! Bounded in every way: so many are known ([`Known`]), so many are wanted at one time ([`Wanted`]), each for so long. What
//! was refused is known too, for a short time, so that nobody makes this node ask again with every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use stir::{Certificate, Failure};
use tokio::sync::Notify;

use super::known::Known;
use super::place::Place;
use super::wanted::{Added, Source, Wanted};

/// What is known of a certificate.
pub type Outcome = Result<Arc<Certificate>, Failure>;

/// The certificates of others.
#[derive(Debug)]
pub struct Certificates {
    known: RwLock<Known>,
    wanted: Mutex<Wanted>,
    news: Notify,
    /// Grows with all that becomes known, or is forgotten.
    generation: AtomicU64,
    /// Signatures that were right.
    uses: AtomicU64,
    /// Those that were wanted by too many, and have not been counted yet.
    dropped: AtomicU64,
}

impl Certificates {
    /// None yet, and so many at most that have proven themselves.
    #[must_use]
    pub fn new(certificates_max: usize) -> Self {
        Self {
            known: RwLock::new(Known::new(certificates_max)),
            wanted: Mutex::default(),
            news: Notify::new(),
            generation: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// What is known of the certificate at this place; `None` where nothing is.
    pub fn find(&self, url: &str, now: Instant) -> Option<Outcome> {
        let found = self.known.read().find(url, now);
        let (outcome, is_due) = found?;
        if is_due {
            let added = self.wanted.lock().again(url);
            self.tell(added);
        }
        Some(outcome)
    }

    /// Wants one for a source of calls, where nothing is known of it.
    pub(super) fn want(&self, place: &Place, source: Source, now: Instant) {
        let known = self.known.read();
        let (is_known, was_good) = (known.find(&place.url, now).is_some(), known.is_proven(&place.url));
        drop(known);
        if is_known {
            return;
        }
        let mut wanted = self.wanted.lock();
        let added = if was_good { wanted.again(&place.url) } else { wanted.new_one(place, source) };
        drop(wanted);
        self.tell(added);
    }

    fn tell(&self, added: Added) {
        match added {
            Added::Now => self.news.notify_one(),
            Added::Before => {}
            Added::Full => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A signature was right by the certificate at this place.
    pub fn proved(&self, url: &str) {
        let use_number = self.uses.fetch_add(1, Ordering::Relaxed);
        let is_noted = self.known.read().note_use(url, use_number);
        if !is_noted {
            self.known.write().prove(url, use_number);
        }
    }

    /// Changes when something becomes known: while it is the same, nobody who waits needs to look.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The next one that is wanted; it is on its way until it is [`put`](Self::put).
    pub fn next_wanted(&self) -> Option<Box<str>> {
        self.wanted.lock().take_next()
    }

    /// Waits until one is wanted.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Nothing is on its way: who fetched began anew.
    pub fn begin(&self) {
        self.wanted.lock().begin();
    }

    /// What came of one that was wanted, and for how long it is good.
    pub fn put(&self, url: &str, outcome: Outcome, lifetime: Duration, now: Instant) {
        let source = self.wanted.lock().source(url);
        self.known.write().put(url, (outcome, lifetime), source, now);
        // Only then, so that nobody wants it meanwhile.
        self.wanted.lock().done(url);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Forgets them all.
    pub fn forget(&self) {
        self.known.write().clear();
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// How many are known that have proven themselves, and how many outcomes that have not.
    pub fn known(&self) -> (usize, usize) {
        self.known.read().len()
    }

    /// How many are wanted, or on their way.
    pub fn wanted(&self) -> usize {
        self.wanted.lock().len()
    }

    /// How many were not fetched for want of room, since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
