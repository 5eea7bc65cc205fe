//! The highest rate without a failed call and with less than 1 % retransmissions.

use std::time::Duration;

use super::load::Load;
use super::subject::Target;
use super::{run, sipp};
use crate::print;
use crate::report::Outcome;

/// Retransmissions that a passing step may have, as a share of its calls.
const AGAIN_SHARE_MAX: f64 = 0.01;
/// A passing step carries this share of what it was offered.
const ACHIEVED_SHARE_MIN: f64 = 0.99;
/// The search ends when the next step would be closer than this to one that failed.
const RESOLUTION: f64 = 1.1;
/// From one step to the next while none has failed.
const GROWTH: f64 = 1.5;
/// On a shared machine one bad moment must not end a search.
const TRIES: usize = 2;

/// How to look.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions {
    /// Calls a second of the first step.
    pub from: f64,
    /// Never higher.
    pub to: f64,
    /// How long a step is.
    pub step: Duration,
}

/// What offers the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The harness's own parties.
    Own,
    /// SIPp's.
    Sipp,
}

/// Offers `load` at growing rates, each to a subject started anew, then narrows down. Every step goes to `each`;
/// the best one is returned, `None` when even the first failed.
pub async fn search(
    load: &Load,
    target: &Target,
    (options, driver): (SearchOptions, Driver),
    mut each: impl FnMut(&Outcome),
) -> anyhow::Result<Option<Outcome>> {
    let mut steps = Steps::new(options);
    let mut best: Option<Outcome> = None;
    while let Some(rate) = steps.next() {
        let mut passed = false;
        for _ in 0..TRIES {
            let outcome = step(&load.at(rate, options.step), target, driver).await?;
            passed = passes(&outcome);
            print::note(&format!(
                "{} at {rate:.0}/s {}",
                outcome.subject,
                if passed { "passed" } else { "failed" }
            ));
            each(&outcome);
            if passed {
                best = Some(outcome);
                break;
            }
        }
        steps.tried(rate, passed);
    }
    let reached = steps.passed.is_some_and(|passed| passed >= options.to);
    Ok(best.map(|mut best| {
        best.scenario = format!("{}/search", load.scenario);
        best.set("highest_rate", best.offered_per_s);
        best.set("first_failing_rate", serde_json::json!(steps.failed));
        best.set("limit_not_reached", reached);
        best
    }))
}

async fn step(load: &Load, target: &Target, driver: Driver) -> anyhow::Result<Outcome> {
    match driver {
        Driver::Own => run::measure(load, target).await,
        Driver::Sipp => sipp::measure(load, target).await,
    }
}

/// Whether every call was carried, and hardly any had to ask twice.
pub fn passes(outcome: &Outcome) -> bool {
    let again = outcome.figures.retransmissions.unwrap_or_default() as f64;
    outcome.valid
        && outcome.failed + outcome.lost + outcome.duplicates == 0
        && again < outcome.total as f64 * AGAIN_SHARE_MAX
        && outcome.achieved_per_s >= outcome.offered_per_s * ACHIEVED_SHARE_MIN
}

/// Which rate is tried next.
#[derive(Clone, Copy, Debug)]
struct Steps {
    options: SearchOptions,
    passed: Option<f64>,
    failed: Option<f64>,
}

impl Steps {
    const fn new(options: SearchOptions) -> Self {
        Self { options, passed: None, failed: None }
    }

    fn next(&self) -> Option<f64> {
        match (self.passed, self.failed) {
            (None, None) => Some(self.options.from.min(self.options.to)),
            (None, Some(_)) => None,
            (Some(passed), None) => {
                (passed < self.options.to).then(|| (passed * GROWTH).min(self.options.to))
            }
            (Some(passed), Some(failed)) => {
                // Whole hundreds, so that results of different days can be compared.
                let middle = ((passed + failed) / 200.0).round() * 100.0;
                (failed / passed > RESOLUTION && middle > passed && middle < failed).then_some(middle)
            }
        }
    }

    fn tried(&mut self, rate: f64, passed: bool) {
        let known = if passed { &mut self.passed } else { &mut self.failed };
        *known = Some(rate);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(limit: f64, to: f64) -> (Option<f64>, Option<f64>, usize) {
        let mut steps = Steps::new(SearchOptions { from: 1000.0, to, step: Duration::ZERO });
        let mut count = 0;
        while let Some(rate) = steps.next() {
            steps.tried(rate, rate <= limit);
            count += 1;
        }
        (steps.passed, steps.failed, count)
    }

    #[test]
    fn ends_at_the_bounds() {
        assert_eq!(found(500.0, 20_000.0), (None, Some(1000.0), 1));
        assert_eq!(found(50_000.0, 4_000.0), (Some(4_000.0), None, 5));
    }

    proptest! {
        #[test]
        fn comes_close(limit in 1000.0_f64..20_000.0) {
            let (passed, failed, count) = found(limit, 100_000.0);
            let (passed, failed) = (passed.unwrap(), failed.unwrap());
            prop_assert!(passed <= limit && limit < failed && count < 20);
            prop_assert!(failed / passed <= RESOLUTION + 0.2);
        }
    }

    #[test]
    fn what_passes() {
        let mut outcome = Outcome::new("s", "none", "call");
        (outcome.offered_per_s, outcome.achieved_per_s, outcome.total) = (100.0, 100.0, 1000);
        assert!(passes(&outcome));
        outcome.figures.retransmissions = Some(10);
        assert!(!passes(&outcome));
        outcome.figures.retransmissions = Some(9);
        assert!(passes(&outcome));
        outcome.lost = 1;
        assert!(!passes(&outcome));
    }
}
