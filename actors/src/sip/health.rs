//! Whether an address of a vendor answers: learnt from probes and from calls alike.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Silences in a row after which an address is taken for down: one lost packet is none, as requests are sent again.
const FAILURES_DOWN: u32 = 3;
/// How long an address that is down is left alone by calls; then one may try it, probed or not.
const TRIAL_AFTER: Duration = Duration::from_secs(30);

/// The health of one address, shared by workers and by snapshots that follow each other.
#[derive(Debug)]
pub struct Health {
    origin: Instant,
    failures: AtomicU32,
    /// Milliseconds since `origin` of the last silence, or of the last trial.
    tried_at: AtomicU64,
}

impl Health {
    /// Nothing is known: it is taken for up.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { origin: now, failures: AtomicU32::new(0), tried_at: AtomicU64::new(0) }
    }

    /// It answered, whatever it said.
    pub fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// It was silent, or could not be reached.
    pub fn silent(&self, now: Instant) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.tried_at.store(self.millis(now), Ordering::Relaxed);
    }

    /// Whether it is taken for up.
    pub fn is_up(&self) -> bool {
        self.failures.load(Ordering::Relaxed) < FAILURES_DOWN
    }

    /// Whether a call may go there now: it is up, or was left alone for long enough that this call may try it.
    pub fn may_try(&self, now: Instant) -> bool {
        if self.is_up() {
            return true;
        }
        let (tried_at, now) = (self.tried_at.load(Ordering::Relaxed), self.millis(now));
        let due = now.saturating_sub(tried_at) >= millis(TRIAL_AFTER);
        due && self.tried_at.compare_exchange(tried_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.origin))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_silences_and_one_answer() {
        let now = tokio::time::Instant::now().into_std();
        let health = Health::new(now);
        health.silent(now);
        health.silent(now);
        assert!(health.may_try(now));
        health.answered();
        (0..3).for_each(|_| health.silent(now));
        assert!(!health.is_up() && !health.may_try(now));
        let later = now + TRIAL_AFTER;
        assert!(health.may_try(later), "one call tries");
        assert!(!health.may_try(later), "and no other");
        health.answered();
        assert!(health.may_try(later));
    }
}
