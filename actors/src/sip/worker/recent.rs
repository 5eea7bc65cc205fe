//! What is remembered of calls that are over, for as long as something of them may still come.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Keys that were noted lately. Bounded: what finds no room is said to be [`Noted::Full`], and not remembered.
#[derive(Debug)]
pub(super) struct Recent<K> {
    noted: HashMap<K, Instant>,
    keep: Duration,
    keys_max: usize,
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
        Self { noted: HashMap::new(), keep, keys_max }
    }

    /// Remembers a key from its first time on.
    pub(super) fn note(&mut self, key: K, now: Instant) -> Noted {
        if self.has(&key, now) {
            return Noted::Again;
        }
        if self.noted.len() >= self.keys_max {
            let keep = self.keep;
            self.noted.retain(|_, at| now.saturating_duration_since(*at) < keep);
        }
        if self.noted.len() >= self.keys_max {
            return Noted::Full;
        }
        self.noted.insert(key, now);
        Noted::First
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
    }
}
