//! When which call is due. The schedule is fixed before the run and waits for nobody: a subject that falls behind
//! gets the same calls, and their latency counts from when they were due.

use std::time::Duration;

use super::load::Stage;

/// Calls that a run may have: their numbers have eight digits.
pub(crate) const CALLS_MAX: u64 = 100_000_000;

/// Stages one after another, evenly paced within each.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    parts: Vec<Part>,
    total: u64,
    length: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    /// The first call of this stage.
    first: u64,
    begins: Duration,
    rate: f64,
}

impl Schedule {
    pub(crate) fn new(stages: &[Stage]) -> Self {
        let mut schedule = Self { parts: Vec::new(), total: 0, length: Duration::ZERO };
        for stage in stages {
            schedule.parts.push(Part {
                first: schedule.total,
                begins: schedule.length,
                rate: stage.rate.max(f64::MIN_POSITIVE),
            });
            schedule.total += stage.calls();
            schedule.length += stage.duration;
        }
        schedule.total = schedule.total.min(CALLS_MAX);
        schedule
    }

    /// Calls of all stages.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// How long the stages take.
    pub(crate) const fn length(&self) -> Duration {
        self.length
    }

    /// When call `place` is due, from the start; `None` beyond the last.
    pub(crate) fn due(&self, place: u64) -> Option<Duration> {
        if place >= self.total {
            return None;
        }
        let part = self.parts.iter().rev().find(|part| part.first <= place)?;
        Some(part.begins + Duration::from_secs_f64((place - part.first) as f64 / part.rate))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage(rate: f64, millis: u64) -> Stage {
        Stage { rate, duration: Duration::from_millis(millis) }
    }

    #[test]
    fn stages_follow_each_other() {
        let schedule = Schedule::new(&[stage(10.0, 500), stage(1000.0, 10)]);
        assert_eq!((schedule.total(), schedule.length()), (15, Duration::from_millis(510)));
        let due = |place| schedule.due(place).map(|due| due.as_millis());
        assert_eq!(
            [0, 1, 4, 5, 6, 14, 15].map(due),
            [Some(0), Some(100), Some(400), Some(500), Some(501), Some(509), None]
        );
    }

    proptest! {
        #[test]
        fn time_never_goes_back(stages in proptest::collection::vec((1.0_f64..5000.0, 1_u64..2000), 1..5)) {
            let stages: Vec<Stage> = stages.into_iter().map(|(rate, millis)| stage(rate, millis)).collect();
            let schedule = Schedule::new(&stages);
            let mut before = Duration::ZERO;
            for place in 0..schedule.total() {
                let due = schedule.due(place).unwrap();
                prop_assert!(due >= before && due <= schedule.length());
                before = due;
            }
        }
    }
}
