//! When which message is submitted, decided for all sessions of a generator together.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::Ledger;

/// The shared schedule: message n is due at start + n / rate.
#[derive(Debug)]
pub(crate) struct Pace {
    plan: Plan,
    period: u32,
    ledger: Arc<Ledger>,
    start: OnceLock<Instant>,
    /// The place of the next message that no session has taken.
    next: AtomicU64,
}

/// How much is to be submitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Messages a second; 0 is as fast as possible.
    pub(crate) rate: f64,
    /// Stop after so many.
    pub(crate) total: Option<u64>,
    /// Stop after so long.
    pub(crate) duration: Option<Duration>,
}

/// Consecutive messages that one session sends.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    ids: Range<u32>,
    place: u64,
}

/// What a session is to do next.
pub(crate) enum Next {
    /// Submit the message `id`, which stands at `place` in the pattern and was due then.
    Submit { id: u32, place: u64, due: Instant },
    /// Nothing is due before.
    Wait(Instant),
    /// Nothing any more.
    Done,
}

impl Pace {
    pub(crate) fn new(plan: Plan, period: u32, ledger: Arc<Ledger>) -> Self {
        Self { plan, period, ledger, start: OnceLock::new(), next: AtomicU64::new(0) }
    }

    pub(crate) fn start(&self, at: Instant) {
        // Started once, by the one who made it.
        let _ = self.start.set(at);
    }

    /// Whether nothing more will be submitted, `submitted` having been written so far.
    pub(crate) fn is_over(&self, now: Instant, submitted: u64) -> bool {
        self.plan.total.is_some_and(|total| submitted >= total) || self.is_late(now)
    }

    /// The next message of a session; `block` is what it has taken and not sent.
    pub(crate) fn next(&self, block: &mut Option<Block>, now: Instant) -> Next {
        let Some(start) = self.start.get().copied().filter(|_| !self.is_late(now)) else { return Next::Done };
        if block.as_ref().is_none_or(|block| block.ids.is_empty()) {
            let free = |place| self.is_free(place, start, now).then(|| place + u64::from(self.period));
            match self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free) {
                Ok(place) => *block = Some(Block { ids: self.ledger.issue(self.length_at(place)), place }),
                Err(place) if self.plan.total.is_some_and(|total| place >= total) => return Next::Done,
                Err(place) => return Next::Wait(self.due(place, start)),
            }
        }
        let Some(block) = block else { return Next::Done };
        let due = self.due(block.place, start);
        if due > now {
            return Next::Wait(due);
        }
        let Some(id) = block.ids.next() else { return Next::Done };
        let place = block.place;
        block.place += 1;
        Next::Submit { id, place, due: if self.plan.rate > 0.0 { due } else { now } }
    }

    fn is_late(&self, now: Instant) -> bool {
        let start = self.start.get();
        start.zip(self.plan.duration).is_some_and(|(start, duration)| now.duration_since(*start) >= duration)
    }

    fn is_free(&self, place: u64, start: Instant, now: Instant) -> bool {
        self.plan.total.is_none_or(|total| place < total) && self.due(place, start) <= now
    }

    fn length_at(&self, place: u64) -> u32 {
        let left = self.plan.total.map_or(u64::MAX, |total| total.saturating_sub(place));
        u32::try_from(left).unwrap_or(u32::MAX).min(self.period)
    }

    fn due(&self, place: u64, start: Instant) -> Instant {
        if self.plan.rate > 0.0 {
            start + Duration::from_secs_f64(place as f64 / self.plan.rate)
        } else {
            start
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(plan: Plan) -> (Pace, Instant) {
        let pace = Pace::new(plan, 10, Arc::new(Ledger::new(0xACE, false)));
        let start = Instant::now();
        pace.start(start);
        (pace, start)
    }

    /// Takes all that is due; the places taken and what came then.
    fn take(pace: &Pace, block: &mut Option<Block>, now: Instant) -> (Vec<u64>, Next) {
        let mut places = Vec::new();
        loop {
            match pace.next(block, now) {
                Next::Submit { place, due, .. } => {
                    assert!(due <= now);
                    places.push(place);
                }
                next @ (Next::Wait(_) | Next::Done) => return (places, next),
            }
        }
    }

    #[test]
    fn a_thousand_a_second_is_one_each_millisecond_until_the_end() {
        let (pace, start) =
            pace(Plan { rate: 1_000.0, total: None, duration: Some(Duration::from_millis(500)) });
        let mut block = None;
        let mut seen = Vec::new();
        for ms in [0, 1, 2, 250, 499] {
            let (places, next) = take(&pace, &mut block, start + Duration::from_millis(ms));
            seen.extend(places);
            assert_eq!(seen, (0..=ms).collect::<Vec<_>>());
            let Next::Wait(until) = next else { panic!("not over at {ms} ms") };
            assert_eq!(until.duration_since(start).as_micros(), u128::from(ms + 1) * 1_000);
        }
        assert!(matches!(pace.next(&mut block, start + Duration::from_millis(500)), Next::Done));
    }

    #[test]
    fn two_sessions_share_a_total_without_a_gap() {
        let (pace, start) = pace(Plan { rate: 0.0, total: Some(25), duration: None });
        let (mut first, mut second) = (None, None);
        let mut seen = Vec::new();
        for turn in 0.. {
            let block = if turn % 2 == 0 { &mut first } else { &mut second };
            match pace.next(block, start) {
                Next::Submit { place, .. } => seen.push(place),
                Next::Wait(_) | Next::Done => break,
            }
        }
        seen.extend(take(&pace, &mut first, start).0);
        seen.extend(take(&pace, &mut second, start).0);
        seen.sort_unstable();
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        assert!(pace.is_over(start, 25) && !pace.is_over(start, 24));
    }
}
