//! Certificates of others, by where they are: those that are known, and those that somebody wants to know.
//!
//! Bounded in every way: so many are known, so many are wanted at one time, each for so long. What was refused is known
//! too, for a short time, so that nobody makes this node ask again with every call.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use stir::{Certificate, Failure};
use tokio::sync::Notify;

/// Certificates that are wanted, or on their way; who wants more hears nothing of it.
const WANTED_MAX: usize = 256;
/// A certificate is asked for again before its time is over: in the last part of it, one of so many.
const AGAIN_IN_LAST: u32 = 8;

/// What is known of a certificate.
pub type Outcome = Result<Arc<Certificate>, Failure>;

/// The certificates of others.
#[derive(Debug)]
pub struct Certificates {
    known: RwLock<HashMap<Box<str>, Known>>,
    wanted: Mutex<Wanted>,
    news: Notify,
    certificates_max: usize,
}

#[derive(Debug)]
struct Known {
    outcome: Outcome,
    /// From then on it is asked for again, and used until it is there.
    again_at: Instant,
    until: Instant,
}

#[derive(Debug, Default)]
struct Wanted {
    queue: VecDeque<Box<str>>,
    /// Those in the queue, and those on their way.
    asked: HashSet<Box<str>>,
}

impl Certificates {
    /// None yet, and so many at most.
    #[must_use]
    pub fn new(certificates_max: usize) -> Self {
        Self {
            known: RwLock::default(),
            wanted: Mutex::default(),
            news: Notify::new(),
            certificates_max: certificates_max.max(1),
        }
    }

    /// What is known of the certificate at this place; `None` where nothing is. It is wanted then.
    pub fn find(&self, url: &str, now: Instant) -> Option<Outcome> {
        let known = self.known.read();
        let found = known.get(url).filter(|known| now < known.until);
        let is_due = found.is_none_or(|known| now >= known.again_at);
        let found = found.map(|known| known.outcome.clone());
        drop(known);
        if is_due {
            self.want(url);
        }
        found
    }

    fn want(&self, url: &str) {
        let mut wanted = self.wanted.lock();
        if wanted.asked.len() >= WANTED_MAX || wanted.asked.contains(url) {
            return;
        }
        wanted.asked.insert(url.into());
        wanted.queue.push_back(url.into());
        drop(wanted);
        self.news.notify_one();
    }

    /// The next one that is wanted; it is on its way until it is [`put`](Self::put).
    pub fn next_wanted(&self) -> Option<Box<str>> {
        self.wanted.lock().queue.pop_front()
    }

    /// Waits until one is wanted.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Nothing is on its way: who fetched began anew.
    pub fn begin(&self) {
        let mut wanted = self.wanted.lock();
        wanted.asked = wanted.queue.iter().cloned().collect();
    }

    /// What came of one that was wanted, and for how long it is good. One that could not be had takes no other's place.
    pub fn put(&self, url: &str, outcome: Outcome, lifetime: Duration, now: Instant) {
        self.wanted.lock().asked.remove(url);
        let until = now + lifetime;
        let again_at = if outcome.is_ok() { until - lifetime / AGAIN_IN_LAST } else { until };
        let mut known = self.known.write();
        // What is good stays where the new one could not be had.
        let stays = |before: &Known| outcome == Err(Failure::Unavailable) && before.outcome.is_ok();
        if let Some(before) = known.get_mut(url)
            && now < before.until
            && stays(before)
        {
            before.again_at = until.min(before.until);
            return;
        }
        if known.len() >= self.certificates_max && !known.contains_key(url) {
            known.retain(|_, known| now < known.until);
        }
        if known.len() >= self.certificates_max && !known.contains_key(url) {
            let first = known.iter().min_by_key(|(_, known)| known.until).map(|(url, _)| url.clone());
            if let Some(first) = first {
                known.remove(&first);
            }
        }
        known.insert(url.into(), Known { outcome, again_at, until });
    }

    /// Forgets them all.
    pub fn forget(&self) {
        self.known.write().clear();
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.read().len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are wanted, or on their way.
    pub fn wanted(&self) -> usize {
        self.wanted.lock().asked.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Outcome = Err(Failure::Credential);
    const AWAY: Outcome = Err(Failure::Unavailable);
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn each_is_wanted_once() {
        let (certificates, now) = (Certificates::new(10), start());
        for _ in 0..3 {
            assert_eq!(certificates.find("https://a", now), None);
        }
        assert_eq!(certificates.next_wanted().as_deref(), Some("https://a"));
        assert_eq!(certificates.next_wanted(), None);
        certificates.find("https://a", now);
        assert_eq!(certificates.next_wanted(), None, "it is on its way");
        certificates.put("https://a", REFUSED, MINUTE, now);
        assert_eq!(certificates.find("https://a", now + MINUTE / 2), Some(REFUSED));
        assert_eq!(certificates.wanted(), 0);
        assert_eq!(certificates.find("https://a", now + MINUTE), None, "its time is over");
        assert_eq!(certificates.wanted(), 1);
        // Who fetched died with it.
        certificates.next_wanted();
        certificates.find("https://b", now);
        certificates.begin();
        assert_eq!(certificates.wanted(), 1);
        certificates.find("https://a", now + MINUTE);
        assert_eq!(certificates.next_wanted().as_deref(), Some("https://b"));
        assert_eq!(certificates.next_wanted().as_deref(), Some("https://a"));
    }

    #[test]
    fn so_many_and_no_more() {
        let (certificates, now) = (Certificates::new(3), start());
        for number in 0..WANTED_MAX + 10 {
            certificates.find(&format!("https://{number}"), now);
        }
        assert_eq!(certificates.wanted(), WANTED_MAX);
        for (number, minutes) in [(1, 3), (2, 1), (3, 2), (4, 4), (5, 5)] {
            certificates.put(&format!("https://{number}"), REFUSED, MINUTE * minutes, now);
            assert!(certificates.len() <= 3);
        }
        let known = |number: u32| certificates.find(&format!("https://{number}"), now).is_some();
        assert_eq!([1, 2, 3, 4, 5].map(known), [true, false, false, true, true], "the youngest stay longest");
        certificates.put("https://6", REFUSED, MINUTE, now + 4 * MINUTE);
        assert_eq!(certificates.len(), 2, "those whose time is over go first");
        certificates.forget();
        assert!(certificates.is_empty());
    }

    #[test]
    fn what_could_not_be_had_is_known_too() {
        let (certificates, now) = (Certificates::new(3), start());
        certificates.find("https://a", now);
        certificates.put("https://a", AWAY, MINUTE, now);
        assert_eq!(certificates.find("https://a", now), Some(AWAY));
        assert_eq!(certificates.wanted(), 0, "nobody asks again meanwhile");
    }
}
