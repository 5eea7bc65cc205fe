//! Answers to challenges that were right: each counts once.
//!
//! A nonce is one entry, however often it is used, with the highest count that it came with. Each trunk has room of its
//! own: who fills it shuts out nobody else. What is old is forgotten by the generation, so that no table is walked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::sip::digest::{LIFETIME, SKEW};

/// Answers are remembered for as long as their nonces are good, at least.
const KEEP: Duration = LIFETIME.saturating_add(SKEW.saturating_mul(2));
/// Nonces of one trunk in that time: 1,800 calls a second. What comes beyond is refused with 503.
const NONCES_MAX: usize = 1 << 17;

/// An answer that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number of the trunk that gave it.
    pub(super) trunk: u32,
    /// A digest of its nonce.
    pub(super) nonce: u64,
    /// How often the nonce was used, with this time; nothing without protection.
    pub(super) count: u32,
}

/// Highest counts by nonce, by trunk.
type Generation = HashMap<u32, HashMap<u64, u32>>;

/// Those that count no more.
#[derive(Debug)]
pub(super) struct Answers {
    young: Generation,
    old: Generation,
    /// Since when the young ones are noted.
    since: Instant,
    nonces_max: usize,
}

impl Answers {
    /// None; time begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self::with_room(now, NONCES_MAX)
    }

    /// The same, with room for so many nonces of each trunk.
    pub(super) fn with_room(now: Instant, nonces_max: usize) -> Self {
        Self { young: Generation::new(), old: Generation::new(), since: now, nonces_max }
    }

    /// Whether it was noted, or a later one for its nonce.
    pub(super) fn is_used(&self, answer: Answer) -> bool {
        let highest = |known: &Generation| known.get(&answer.trunk)?.get(&answer.nonce).copied();
        let is_used = |known: &Generation| highest(known).is_some_and(|highest| answer.count <= highest);
        is_used(&self.young) || is_used(&self.old)
    }

    /// Remembers it; says whether there was room.
    pub(super) fn note(&mut self, answer: Answer, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= KEEP {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        // As many as before are to be expected, and a table that grows holds all calls up.
        let expected = self.old.get(&answer.trunk).map_or(0, HashMap::len);
        let known = self.young.entry(answer.trunk).or_insert_with(|| HashMap::with_capacity(expected));
        if known.len() >= self.nonces_max && !known.contains_key(&answer.nonce) {
            return false;
        }
        let highest = known.entry(answer.nonce).or_default();
        *highest = answer.count.max(*highest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_for_as_long_as_its_nonce_is_good() {
        let start = tokio::time::Instant::now().into_std();
        let mut answers = Answers::with_room(start, 2);
        // Trunk, nonce, count, second; whether it was used, and else whether there is room.
        let table = [
            (1, 7, 1, 0, (false, true)),
            (1, 7, 1, 1, (true, true)),
            (1, 7, 3, 2, (false, true)),
            (1, 7, 2, 3, (true, true)),
            (1, 7, 0, 3, (true, true)),
            (1, 8, 0, 4, (false, true)),
            (1, 8, 0, 5, (true, true)),
            // Its room is full; what it has used may be used on, and another trunk has its own.
            (1, 9, 1, 6, (false, false)),
            (1, 8, 1, 7, (false, true)),
            (2, 7, 1, 8, (false, true)),
            (2, 9, 1, 69, (false, true)),
            (2, 9, 1, 70, (true, true)),
            // A generation later, and noted for as long as ever.
            (1, 9, 1, 71, (false, true)),
            (1, 7, 3, 72, (true, true)),
            (2, 9, 1, 138, (true, true)),
            (1, 7, 4, 139, (false, true)),
            (1, 5, 4, 140, (false, false)),
            (3, 5, 4, 141, (false, true)),
            (1, 9, 1, 142, (true, true)),
            (1, 8, 1, 143, (false, true)),
        ];
        for (trunk, nonce, count, second, expected) in table {
            let answer = Answer { trunk, nonce, count };
            let is_used = answers.is_used(answer);
            let has_room = is_used || answers.note(answer, start + Duration::from_secs(second));
            assert_eq!((is_used, has_room), expected, "{answer:?} at {second}");
        }
    }

    /// A nonce that is used for every count that there is takes the room of one.
    #[test]
    fn a_nonce_takes_one_place() {
        let start = tokio::time::Instant::now().into_std();
        let mut answers = Answers::with_room(start, 1);
        for count in 1..=70_000 {
            let answer = Answer { trunk: 1, nonce: 7, count };
            assert!(!answers.is_used(answer) && answers.note(answer, start), "{count}");
        }
        assert!(!answers.note(Answer { trunk: 1, nonce: 8, count: 1 }, start));
    }
}
