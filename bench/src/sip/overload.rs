//! More calls than the subject can carry, then fewer: what is refused, what completes, how long until all is well.

use std::time::Duration;

use super::load::{Load, Stage};
use super::run;
use super::subject::Target;
use super::tally::Second;
use crate::report::{Outcome, rounded};

/// The share of the highest rate that is offered before and after.
const CALM_SHARE: f64 = 0.8;
/// How long before.
const BEFORE: Duration = Duration::from_secs(5);
/// How long after: recovery beyond it is not seen.
const AFTER: Duration = Duration::from_secs(40);

/// Offers 80 % of `peak`, then `factor` times `peak` for `during`, then 80 % again.
pub async fn measure(
    load: &Load,
    (peak, factor): (f64, f64),
    during: Duration,
    target: &Target,
) -> anyhow::Result<Outcome> {
    let calm = peak * CALM_SHARE;
    let stages = vec![
        Stage { rate: calm, duration: BEFORE },
        Stage { rate: peak * factor, duration: during },
        Stage { rate: calm, duration: AFTER },
    ];
    let load = Load { scenario: format!("sip/overload-{factor}x"), stages, ..load.clone() };
    let (mut outcome, seconds) = run::measure_seconds(&load, target).await?;
    let (from, to) = (whole(BEFORE), whole(BEFORE + during));
    let mut sum = Second::default();
    seconds.get(from..to).unwrap_or_default().iter().for_each(|second| sum.add(*second));
    let goodput = sum.completed as f64 / during.as_secs_f64();
    outcome.set("peak_per_s", peak);
    outcome.set("overload_factor", factor);
    outcome.set("overload_offered", sum.offered);
    outcome.set("overload_completed", sum.completed);
    outcome.set("overload_refused_503", sum.unavailable);
    outcome.set("overload_otherwise_failed", sum.failed);
    outcome.set("goodput_per_s", rounded(goodput));
    outcome.set("goodput_share_of_peak", (goodput / peak * 1000.0).round() / 1000.0);
    outcome.set("recovery_s", serde_json::json!(recovery(seconds.get(to..).unwrap_or_default())));
    Ok(outcome)
}

/// Seconds until all that follow are well; `None` when the last one is not.
fn recovery(after: &[Second]) -> Option<usize> {
    let offered: Vec<&Second> = after.iter().filter(|second| second.offered > 0).collect();
    let ill = offered.iter().rposition(|second| !second.is_well());
    match ill {
        None => Some(0),
        Some(last) => (last + 1 < offered.len()).then_some(last + 1),
    }
}

fn whole(duration: Duration) -> usize {
    usize::try_from(duration.as_secs()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_counts_to_the_last_ill_second() {
        let well = Second { offered: 10, completed: 10, ..Second::default() };
        let ill = Second { offered: 10, completed: 9, unavailable: 1, ..Second::default() };
        let none = Second::default();
        for (seconds, expected) in [
            (vec![well, well, none], Some(0)),
            (vec![ill, well, none], Some(1)),
            (vec![ill, well, ill, well], Some(3)),
            (vec![well, ill], None),
            (vec![well, ill, none], None),
            (vec![], Some(0)),
        ] {
            assert_eq!(recovery(&seconds), expected);
        }
    }
}
