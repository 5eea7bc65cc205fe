//! Toll fraud of a trunk: of a sudden many answered calls to expensive destinations.
//!
//! Pure. A call is expensive when its number is in the list of high-cost destinations, or when its rate is several
//! times what the trunk's calls mostly cost. Expensive calls are counted by the minute and compared with the minutes
//! before, so that a trunk that sells such calls every day alerts nobody, and neither does a busy morning.

use std::time::{Duration, Instant};

use runtime::model::Money;

/// Fewer expensive calls in a minute are no fraud that a person should be woken for.
const CALLS_MIN: u32 = 10;
/// A rate is high at this multiple of what the trunk's calls mostly cost.
const RATE_FACTOR: i64 = 3;
/// Calls after which it is known what a trunk's calls mostly cost.
const CALLS_KNOWN: u32 = 100;
/// Calls that the usual rate is a mean of.
const RATE_CALLS: u32 = 1000;
/// Minutes that the usual number is a mean of.
const MINUTES: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// One trunk alerts once in this time.
const QUIET: Duration = Duration::from_secs(3600);
/// Minutes of a node after which it knows what is usual.
const MINUTES_KNOWN: u32 = 5;
/// Means are kept in thousandths.
const SCALE: u64 = 1000;

/// What one trunk does.
#[derive(Debug)]
pub struct Watch {
    /// When the present minute began.
    minute: Instant,
    /// Expensive calls in it, and what a minute of all of them costs.
    calls: u32,
    spend: i64,
    /// Thousandths of expensive calls in a usual minute, and the minutes that this is made of.
    usual: u64,
    minutes: u32,
    /// The usual rate, and the calls that it is made of.
    rate: i64,
    rated: u32,
    alerted: Option<Instant>,
}

/// An answered call.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// The vendor's rate of a minute.
    pub rate: Money,
    /// Whether the number is in the list of high-cost destinations.
    pub high_cost: bool,
}

/// What an operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Expensive calls in this minute.
    pub calls: u32,
    /// What a minute of all of them costs.
    pub spend: Money,
    /// Expensive calls in a usual minute, rounded up.
    pub usual: u64,
}

impl Watch {
    /// A trunk of which nothing is known since the node began. One that was silent all the time has a usual number of 0.
    pub const fn new(began: Instant) -> Self {
        Self { minute: began, calls: 0, spend: 0, usual: 0, minutes: 0, rate: 0, rated: 0, alerted: None }
    }

    /// A call was answered; an alert when it is one too many: `factor` times the usual number, and not told within the
    /// hour. A factor of 0 never alerts.
    pub fn answered(&mut self, spent: Spent, factor: u32, now: Instant) -> Option<Alert> {
        self.roll(now);
        let known = self.rated >= CALLS_KNOWN;
        let dear = known && spent.rate.nanos() > self.rate.saturating_mul(RATE_FACTOR);
        self.learn_rate(spent.rate.nanos());
        if factor == 0 || !(spent.high_cost || dear) {
            return None;
        }
        self.calls = self.calls.saturating_add(1);
        self.spend = self.spend.saturating_add(spent.rate.nanos());
        let many = self.usual.saturating_mul(factor.into()) < u64::from(self.calls).saturating_mul(SCALE);
        let quiet = self.alerted.is_none_or(|at| now.saturating_duration_since(at) >= QUIET);
        if self.calls < CALLS_MIN || !many || !quiet || self.minutes < MINUTES_KNOWN {
            return None;
        }
        self.alerted = Some(now);
        let usual = self.usual.div_ceil(SCALE);
        Some(Alert { calls: self.calls, spend: Money::from_nanos(self.spend), usual })
    }

    /// Minutes that are over become part of the mean.
    fn roll(&mut self, now: Instant) {
        let over = now.saturating_duration_since(self.minute).as_secs() / MINUTE.as_secs();
        // After that many without a call the mean is what it would be after any more.
        for _ in 0..over.min(u64::from(MINUTES) * 4) {
            self.minutes = (self.minutes + 1).min(MINUTES);
            let (calls, weight) = (u64::from(self.calls) * SCALE, u64::from(self.minutes));
            self.usual = (self.usual.saturating_mul(weight - 1).saturating_add(calls)) / weight;
            (self.calls, self.spend) = (0, 0);
        }
        if over > 0 {
            self.minute = now;
        }
    }

    /// A dear call moves the usual rate as any other does, but by no more than one of a thousand.
    fn learn_rate(&mut self, rate: i64) {
        self.rated = (self.rated + 1).min(RATE_CALLS);
        self.rate = self.rate.saturating_add(rate.saturating_sub(self.rate) / i64::from(self.rated));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Spent = Spent { rate: Money::from_nanos(10_000_000), high_cost: false };
    const DEAR: Spent = Spent { rate: Money::from_nanos(900_000_000), high_cost: false };
    const LISTED: Spent = Spent { rate: Money::from_nanos(10_000_000), high_cost: true };
    const FACTOR: u32 = 8;

    /// So many calls in each of so many minutes; the alerts.
    fn play(watch: &mut Watch, now: &mut Instant, spent: Spent, (minutes, calls): (u32, u32)) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for _ in 0..minutes {
            for _ in 0..calls {
                *now += MINUTE / (calls + 1);
                alerts.extend(watch.answered(spent, FACTOR, *now));
            }
            *now += MINUTE / (calls + 1);
        }
        alerts
    }

    #[test]
    fn expensive_calls_of_a_sudden() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        assert!(play(&mut watch, &mut now, CHEAP, (30, 60)).is_empty(), "a usual half hour");
        assert!(play(&mut watch, &mut now, CHEAP, (1, 6000)).is_empty(), "a busy minute");
        assert!(play(&mut watch, &mut now, DEAR, (1, CALLS_MIN - 1)).is_empty(), "a few");
        let alerts = play(&mut watch, &mut now, DEAR, (3, 60));
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].calls >= CALLS_MIN && alerts[0].usual <= 1, "{alerts:?}");
        assert_eq!(alerts[0].spend.nanos(), 900_000_000 * i64::from(alerts[0].calls));
    }

    #[test]
    fn once_an_hour() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        now += MINUTE * MINUTES_KNOWN;
        assert_eq!(play(&mut watch, &mut now, LISTED, (59, 20)).len(), 1);
        // What was sudden an hour ago is usual by now; more of it is sudden again.
        assert!(play(&mut watch, &mut now, LISTED, (10, 20)).is_empty());
        assert_eq!(play(&mut watch, &mut now, LISTED, (1, 400)).len(), 1);
    }

    #[test]
    fn who_sells_such_calls_every_day() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        play(&mut watch, &mut now, LISTED, (70, 9));
        assert!(play(&mut watch, &mut now, LISTED, (10, 40)).is_empty(), "four times the usual");
        assert!(play(&mut watch, &mut now, DEAR, (1, 5)).is_empty());
    }

    /// What it sold before the node began is not known: it has some minutes to show it.
    #[test]
    fn who_sold_such_calls_before_the_node_began() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        assert!(play(&mut watch, &mut now, LISTED, (60, 100)).is_empty());
        assert_eq!(play(&mut watch, &mut now, LISTED, (2, 1000)).len(), 1);
        // One that said nothing in that time has sold none.
        let mut watch = Watch::new(now);
        now += MINUTE * MINUTES_KNOWN;
        assert_eq!(play(&mut watch, &mut now, LISTED, (1, CALLS_MIN)).len(), 1);
    }

    #[test]
    fn free_calls_are_no_measure_that_nothing_exceeds() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        let free = Spent { rate: Money::from_nanos(0), high_cost: false };
        assert!(play(&mut watch, &mut now, free, (10, 100)).is_empty());
        assert_eq!(play(&mut watch, &mut now, CHEAP, (1, 20)).len(), 1);
    }

    #[test]
    fn a_trunk_that_slept() {
        let mut now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        play(&mut watch, &mut now, LISTED, (70, 9));
        now += MINUTE * 60 * 24 * 365;
        assert_eq!(play(&mut watch, &mut now, LISTED, (1, 10)).len(), 1, "nothing is usual any more");
    }

    #[test]
    fn switched_off() {
        let now = tokio::time::Instant::now().into_std();
        let mut watch = Watch::new(now);
        assert!((0..10_000).all(|_| watch.answered(LISTED, 0, now).is_none()));
    }
}
