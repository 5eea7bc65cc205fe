//! What this node did in the last hour: totals of every minute, the oldest of which is taken from those of now.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::context::Api;

const HOUR: Duration = Duration::from_secs(3600);

/// What was counted since the node's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Messages accepted from customers.
    pub(crate) submitted: u64,
    /// Deliveries to customers, receipts among them.
    pub(crate) delivered: u64,
    /// Calls from known sources.
    pub(crate) calls: u64,
    /// Of those, the ones that were answered.
    pub(crate) answered: u64,
}

/// Totals as they were, the oldest first; never empty.
pub(crate) struct LastHour(Mutex<VecDeque<(Instant, Totals)>>);

impl Totals {
    pub(crate) fn of(api: &Api) -> Self {
        let counters = api.calls.as_ref().map(|calls| &calls.counters);
        Self {
            submitted: api.smpp.submitted.load(Ordering::Relaxed),
            delivered: api.smpp.delivered.load(Ordering::Relaxed),
            calls: counters.map_or(0, |counters| counters.invites.get()),
            answered: counters.map_or(0, |counters| counters.answers.get()),
        }
    }

    fn less(self, before: Self) -> Self {
        Self {
            submitted: self.submitted.saturating_sub(before.submitted),
            delivered: self.delivered.saturating_sub(before.delivered),
            calls: self.calls.saturating_sub(before.calls),
            answered: self.answered.saturating_sub(before.answered),
        }
    }
}

impl LastHour {
    /// Of a node that starts.
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(VecDeque::from([(now, Totals::default())])))
    }

    /// Once a minute. One sample that is an hour old is kept: it is what the hour begins with.
    pub(crate) fn note(&self, now: Instant, totals: Totals) {
        let mut samples = self.0.lock();
        samples.push_back((now, totals));
        while samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= HOUR) {
            samples.pop_front();
        }
    }

    /// What was done since the oldest sample, and how long that is: an hour, or less since the start.
    pub(crate) fn since(&self, now: Instant, totals: Totals) -> (Duration, Totals) {
        let samples = self.0.lock();
        let (at, before) = samples.front().copied().unwrap_or((now, totals));
        (now.duration_since(at), totals.less(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_goes_by() {
        let start = Instant::now();
        let minutes = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let totals = |messages| Totals { submitted: messages, ..Totals::default() };
        let hour = LastHour::new(start);
        assert_eq!(hour.since(minutes(1), totals(5)), (Duration::from_secs(60), totals(5)));
        for minute in 1..=180 {
            hour.note(minutes(minute), totals(10 * minute));
            assert!(hour.0.lock().len() <= 61);
        }
        assert_eq!(hour.since(minutes(180), totals(1800)), (HOUR, totals(600)));
        assert_eq!(hour.since(minutes(181), totals(1805)), (Duration::from_secs(3660), totals(605)));
    }
}
