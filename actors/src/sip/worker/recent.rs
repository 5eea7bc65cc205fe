//! What is remembered of calls that are over, for as long as something of them may still come.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A full table is walked so often: meanwhile what is new finds no room.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// Keys that were noted lately. Bounded: what finds no room is said to be [`Noted::Full`], and not remembered.
#[derive(Debug)]
pub(super) struct Recent<K> {
    noted: HashMap<K, Instant>,
    keep: Duration,
    keys_max: usize,
    /// When those that are over were last looked for.
    swept: Option<Instant>,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// It is new, and is remembered from now on.
    First,
    /// It was here before.
    Again,
    /// There is no room.
    Full,
}

impl<K: Eq + Hash> Recent<K> {
    pub(super) fn new(keep: Duration, keys_max: usize) -> Self {
        Self { noted: HashMap::new(), keep, keys_max, swept: None }
    }

    /// Remembers a key from its first time on.
    pub(super) fn note(&mut self, key: K, now: Instant) -> Noted {
        if self.has(&key, now) {
            return Noted::Again;
        }
        let rested = self.swept.is_none_or(|at| now.saturating_duration_since(at) >= SWEPT_EVERY);
        if rested && self.noted.len() >= self.keys_max {
            let keep = self.keep;
            self.noted.retain(|_, at| now.saturating_duration_since(*at) < keep);
            self.swept = Some(now);
        }
        if self.noted.len() >= self.keys_max {
            return Noted::Full;
        }
        self.noted.insert(key, now);
        Noted::First
    }

    /// Remembers a key from now on, where it is known or there is room.
    pub(super) fn renew(&mut self, key: K, now: Instant) {
        if let Some(at) = self.noted.get_mut(&key) {
            *at = now;
        } else {
            self.note(key, now);
        }
    }

    pub(super) fn has(&self, key: &K, now: Instant) -> bool {
        self.noted.get(key).is_some_and(|at| now.saturating_duration_since(*at) < self.keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_it_may_matter() {
        let start = tokio::time::Instant::now().into_std();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = Recent::new(Duration::from_secs(10), 2);
        let table = [
            (1, 0, Noted::First),
            (1, 9, Noted::Again),
            (2, 9, Noted::First),
            (3, 9, Noted::Full),
            (1, 10, Noted::First),
            (3, 18, Noted::Full),
            (3, 19, Noted::First),
            (2, 20, Noted::First),
        ];
        for (key, seconds, expected) in table {
            assert_eq!(recent.note(key, at(seconds)), expected, "{key} at {seconds}");
        }
        assert!(recent.has(&3, at(20)) && !recent.has(&3, at(29)) && !recent.has(&1, at(20)));
        recent.renew(3, at(28));
        recent.renew(4, at(29));
        assert!(recent.has(&3, at(37)) && !recent.has(&3, at(38)), "from then on");
        assert!(!recent.has(&4, at(29)), "no room");
    }

    #[test]
    fn a_full_table_is_walked_once_a_second() {
        let start = tokio::time::Instant::now().into_std();
        let at = |millis| start + Duration::from_millis(millis);
        let mut recent = Recent::new(Duration::from_millis(100), 1);
        let table =
            [(1, 0, Noted::First), (2, 50, Noted::Full), (2, 150, Noted::Full), (2, 1050, Noted::First)];
        for (key, millis, expected) in table {
            assert_eq!(recent.note(key, at(millis)), expected, "{key} at {millis}");
        }
    }
}
