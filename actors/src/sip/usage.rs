//! What a trunk or vendor uses of what it may: calls at one time, call attempts and registrations per second.
//!
//! Counts are live leases, not increments that somebody has to take back: a lease ends when it is dropped, with the
//! call that holds it, however that ends. Shared by all workers, without locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The use of one trunk or vendor. It outlives changes of configuration: limits come with every question.
#[derive(Debug)]
pub struct Usage {
    channels: Arc<AtomicU32>,
    origin: Instant,
    /// Nanoseconds since `origin` at which the attempts granted so far are used up at their rate.
    attempts_until: AtomicU64,
    /// The same of registrations.
    registers_until: AtomicU64,
}

/// One call that counts. Dropping it gives the channel back.
#[derive(Debug)]
pub struct Channel(Arc<AtomicU32>);

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Usage {
    /// Nothing in use; time begins at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let (attempts_until, registers_until) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { channels: Arc::default(), origin: now, attempts_until, registers_until }
    }

    /// Calls at present.
    pub fn channels(&self) -> u32 {
        self.channels.load(Ordering::Acquire)
    }

    /// A channel, unless `channels_max` are in use; 0 is no limit.
    pub fn take_channel(&self, channels_max: u32) -> Option<Channel> {
        let limit = if channels_max == 0 { u32::MAX } else { channels_max };
        let raised = self.channels.fetch_update(Ordering::AcqRel, Ordering::Acquire, |channels| {
            (channels < limit).then_some(channels + 1)
        });
        raised.is_ok().then(|| Channel(Arc::clone(&self.channels)))
    }

    /// Whether one more call attempt at `now` is within `per_second`; 0 is no limit. A second's worth may come at
    /// once, as calls do.
    pub fn take_attempt(&self, per_second: u32, now: Instant) -> bool {
        self.take(&self.attempts_until, per_second, now)
    }

    /// The same of registrations.
    pub fn take_register(&self, per_second: u32, now: Instant) -> bool {
        self.take(&self.registers_until, per_second, now)
    }

    fn take(&self, until: &AtomicU64, per_second: u32, now: Instant) -> bool {
        let Some(cost) = NANOS_PER_SECOND.checked_div(per_second.into()) else { return true };
        let elapsed = nanos(now.saturating_duration_since(self.origin));
        let taken = until.fetch_update(Ordering::AcqRel, Ordering::Acquire, |until| {
            let after = until.max(elapsed).saturating_add(cost);
            (after <= elapsed.saturating_add(NANOS_PER_SECOND)).then_some(after)
        });
        taken.is_ok()
    }

    /// An attempt that was granted and not made.
    pub fn give_back_attempt(&self, per_second: u32) {
        let Some(cost) = NANOS_PER_SECOND.checked_div(per_second.into()) else { return };
        let before = |until: u64| Some(until.saturating_sub(cost));
        let _ = self.attempts_until.fetch_update(Ordering::AcqRel, Ordering::Acquire, before);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_end_with_their_lease() {
        let usage = Usage::new(tokio::time::Instant::now().into_std());
        let held: Vec<_> = (0..3).map(|_| usage.take_channel(3).unwrap()).collect();
        assert!(usage.take_channel(3).is_none(), "a fourth of three");
        assert!(usage.take_channel(0).is_some(), "no limit");
        assert_eq!(usage.channels(), 3);
        drop(held);
        assert_eq!(usage.channels(), 0);
        assert!(usage.take_channel(1).is_some());
    }

    #[test]
    fn attempts_come_back_with_time() {
        let start = tokio::time::Instant::now().into_std();
        let usage = Usage::new(start);
        let granted =
            |at: Duration, tries: u32| (0..tries).filter(|_| usage.take_attempt(10, start + at)).count();
        assert_eq!(granted(Duration::ZERO, 100), 10, "a second's worth at once");
        assert_eq!(granted(Duration::from_millis(99), 100), 0);
        assert_eq!(granted(Duration::from_millis(100), 100), 1);
        assert_eq!(granted(Duration::from_secs(60), 100), 10, "silence saves nothing up");
        assert!((0..1000).all(|_| usage.take_attempt(0, start)), "no limit");
        let registers = (0..100).filter(|_| usage.take_register(10, start)).count();
        assert_eq!(registers, 10, "they are counted by themselves");
        // One that was not made may be made by another.
        usage.give_back_attempt(10);
        usage.give_back_attempt(0);
        assert_eq!(granted(Duration::from_secs(60), 100), 1);
    }
}
