//! What is known of certificates.
//!
//! One that has shown by a right signature that it is somebody's is kept apart: there are so many of those, and the one that
//! signed nothing for the longest time goes first. All else any caller can make known, be it a copy of a public certificate
//! at another place: it is bounded for each source of calls, and takes the place of nothing that is proven.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stir::{Certificate, Failure};

use super::certificates::Outcome;
use super::wanted::Source;

/// Outcomes that nothing is proven by: in all, and of one source of calls.
const UNPROVEN_MAX: usize = 2048;
const UNPROVEN_OF_SOURCE_MAX: usize = 256;
/// A certificate that is proven is asked for again before its time is over: in the last part of it, one of so many.
const AGAIN_IN_LAST: u32 = 8;

#[derive(Debug)]
pub(super) struct Known {
    proven: HashMap<Box<str>, Proven>,
    unproven: HashMap<Box<str>, Unproven>,
    proven_max: usize,
}

#[derive(Debug)]
struct Proven {
    certificate: Arc<Certificate>,
    /// From then on it is asked for again, and used until it is there.
    again_at: Instant,
    until: Instant,
    /// When it proved itself last, in the order of all that did.
    used: AtomicU64,
}

#[derive(Debug)]
struct Unproven {
    outcome: Outcome,
    lifetime: Duration,
    put_at: Instant,
    source: Option<Source>,
}

impl Unproven {
    fn until(&self) -> Instant {
        self.put_at + self.lifetime
    }
}

/// What is known of one, and whether it is to be asked for again.
pub(super) type Found = (Outcome, bool);

impl Known {
    pub(super) fn new(proven_max: usize) -> Self {
        Self { proven: HashMap::new(), unproven: HashMap::new(), proven_max: proven_max.max(1) }
    }

    pub(super) fn find(&self, url: &str, now: Instant) -> Option<Found> {
        if let Some(proven) = self.proven.get(url).filter(|proven| now < proven.until) {
            return Some((Ok(Arc::clone(&proven.certificate)), now >= proven.again_at));
        }
        let unproven = self.unproven.get(url).filter(|unproven| now < unproven.until())?;
        Some((unproven.outcome.clone(), false))
    }

    /// Whether it has proven itself, though its time may be over.
    pub(super) fn is_proven(&self, url: &str) -> bool {
        self.proven.contains_key(url)
    }

    /// Notes that one that is proven was right again; false where it is not proven.
    pub(super) fn note_use(&self, url: &str, use_number: u64) -> bool {
        let proven = self.proven.get(url);
        proven.inspect(|proven| proven.used.store(use_number, Ordering::Relaxed)).is_some()
    }

    /// A signature was right by one that was not proven.
    pub(super) fn prove(&mut self, url: &str, use_number: u64) {
        let Some(Unproven { outcome: Ok(certificate), lifetime, put_at, .. }) = self.unproven.get(url) else {
            return;
        };
        let until = *put_at + *lifetime;
        let proven = Proven {
            certificate: Arc::clone(certificate),
            again_at: until - *lifetime / AGAIN_IN_LAST,
            until,
            used: AtomicU64::new(use_number),
        };
        self.unproven.remove(url);
        while self.proven.len() >= self.proven_max {
            let used = |proven: &Proven| proven.used.load(Ordering::Relaxed);
            let last = self.proven.iter().min_by_key(|(_, proven)| used(proven)).map(|(url, _)| url.clone());
            let Some(last) = last else { break };
            self.proven.remove(&last);
        }
        self.proven.insert(url.into(), proven);
    }

    /// What came of fetching one for a source of calls, at this time, and for how long it is good.
    pub(super) fn put(
        &mut self,
        url: &str,
        (outcome, lifetime): (Outcome, Duration),
        source: Option<Source>,
        now: Instant,
    ) {
        let until = now + lifetime;
        if let Some(proven) = self.proven.get_mut(url) {
            match &outcome {
                Ok(certificate) => {
                    proven.certificate = Arc::clone(certificate);
                    proven.again_at = until - lifetime / AGAIN_IN_LAST;
                    proven.until = until;
                    self.unproven.remove(url);
                    return;
                }
                // What is good stays where the new one could not be had.
                Err(Failure::Unavailable) if now < proven.until => {
                    proven.again_at = until.min(proven.until);
                    return;
                }
                // It is worth asking again, before what nobody has proven.
                Err(Failure::Unavailable) => {}
                Err(_) => {
                    self.proven.remove(url);
                }
            }
        }
        self.make_room(url, source, now);
        self.unproven.insert(url.into(), Unproven { outcome, lifetime, put_at: now, source });
    }

    /// Makes room for one more that nothing is proven by: of the same source where that has its part, of any where there
    /// is none at all. Those go first that are over, then those that were refused, then the oldest.
    fn make_room(&mut self, url: &str, source: Option<Source>, now: Instant) {
        if self.unproven.contains_key(url) {
            return;
        }
        let of_source = self.unproven.values().filter(|unproven| unproven.source == source).count();
        let has_part = of_source >= UNPROVEN_OF_SOURCE_MAX;
        if !has_part && self.unproven.len() < UNPROVEN_MAX {
            return;
        }
        let may_go = |unproven: &Unproven| !has_part || unproven.source == source;
        let order = |unproven: &Unproven| (now < unproven.until(), unproven.outcome.is_ok(), unproven.put_at);
        let first = self.unproven.iter().filter(|(_, unproven)| may_go(unproven));
        let first = first.min_by_key(|(_, unproven)| order(unproven)).map(|(url, _)| url.clone());
        if let Some(first) = first {
            self.unproven.remove(&first);
        }
    }

    pub(super) fn clear(&mut self) {
        self.proven.clear();
        self.unproven.clear();
    }

    /// How many are proven, and how many are not.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.proven.len(), self.unproven.len())
    }
}

#[cfg(test)]
mod tests;
