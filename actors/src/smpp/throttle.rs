//! Token buckets, and the rate that follows a vendor's throttling.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket that counts segments. Holds at most one second's worth, so a burst is never larger.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    /// Tokens per second; 0 is no limit.
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> Self {
        let rate = f64::from(per_second);
        Self { rate, tokens: rate.max(1.0), filled: now }
    }

    /// Changes the rate; tokens beyond the new second's worth are lost.
    pub fn set_rate(&mut self, per_second: f64, now: Instant) {
        self.fill(now);
        self.rate = per_second;
        self.tokens = self.tokens.min(self.burst());
    }

    /// Takes tokens, all or none. More than a second's worth is granted from a full bucket, as a debt.
    pub fn take(&mut self, tokens: u32, now: Instant) -> bool {
        if self.rate <= 0.0 {
            return true;
        }
        self.fill(now);
        let wanted = f64::from(tokens);
        if self.tokens >= wanted.min(self.burst()) {
            self.tokens -= wanted;
            return true;
        }
        false
    }

    /// Gives back tokens that were not used.
    pub fn give_back(&mut self, tokens: u32) {
        self.tokens += f64::from(tokens);
    }

    /// Loses what has gathered, so that a new rate holds from now on.
    pub fn empty(&mut self) {
        self.tokens = self.tokens.min(0.0);
    }

    /// How long until one token is there.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        if self.rate <= 0.0 {
            return Duration::ZERO;
        }
        let tokens = self.tokens + now.saturating_duration_since(self.filled).as_secs_f64() * self.rate;
        Duration::from_secs_f64(((1.0 - tokens) / self.rate).clamp(0.0, 60.0))
    }

    fn burst(&self) -> f64 {
        self.rate.max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.burst());
        self.filled = now;
    }
}

/// Additive increase, multiplicative decrease of a bind's rate: a vendor that says ESME_RTHROTTLED is asked
/// less until it stops saying so.
#[derive(Debug, Clone)]
pub struct Aimd {
    /// The configured rate; 0 is no limit.
    limit: f64,
    /// The rate now; None while nothing was ever throttled.
    rate: Option<f64>,
    changed: Instant,
}

/// Refusals within this time of a cut belong to the same burst.
const CUT_INTERVAL: Duration = Duration::from_millis(200);
const RAISE_INTERVAL: Duration = Duration::from_secs(1);
const RATE_MIN: f64 = 1.0;

impl Aimd {
    /// Starts at the configured rate.
    #[must_use]
    pub fn new(limit: u32, now: Instant) -> Self {
        Self { limit: f64::from(limit), rate: None, changed: now }
    }

    /// A refusal: the rate falls to half of what was flowing, at most once per interval. Gives the new rate.
    pub fn throttled(&mut self, flowing_per_second: f64, now: Instant) -> Option<f64> {
        if self.rate.is_some() && now.saturating_duration_since(self.changed) < CUT_INTERVAL {
            return None;
        }
        let from = self.rate.map_or(flowing_per_second, |rate| rate.min(flowing_per_second.max(RATE_MIN)));
        let from = if self.limit > 0.0 { from.min(self.limit) } else { from };
        let rate = (from / 2.0).max(RATE_MIN);
        self.rate = Some(rate);
        self.changed = now;
        Some(rate)
    }

    /// Time passes without a refusal: the rate rises by a tenth of the way, and the limit falls away when the
    /// configured one is reached. Gives the new rate when it changed; 0 is no limit.
    pub fn calm(&mut self, now: Instant) -> Option<f64> {
        let rate = self.rate?;
        if now.saturating_duration_since(self.changed) < RAISE_INTERVAL {
            return None;
        }
        self.changed = now;
        let raised = rate + (rate / 10.0).max(1.0);
        let free = if self.limit > 0.0 { self.limit } else { 100_000.0 };
        self.rate = (raised < free).then_some(raised);
        Some(self.rate.unwrap_or(self.limit))
    }

    /// The rate in force; 0 is no limit.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_its_rate_through_and_no_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100, start);
        let mut taken = 0;
        for ms in 0..10_000 {
            if bucket.take(1, start + Duration::from_millis(ms)) {
                taken += 1;
            }
        }
        assert!((1095..=1105).contains(&taken), "{taken} in ten seconds after one second's burst");
    }

    #[test]
    fn no_rate_is_no_limit_and_a_long_message_is_not_starved() {
        let start = Instant::now();
        assert!((0..100_000).all(|_| TokenBucket::new(0, start).take(255, start)));
        let mut bucket = TokenBucket::new(2, start);
        assert!(bucket.take(10, start), "a message of ten segments passes a full bucket of two");
        assert!(!bucket.take(1, start + Duration::from_secs(3)), "and is paid for");
        assert!(bucket.take(1, start + Duration::from_secs(6)));
        assert!(bucket.wait(start + Duration::from_secs(6)) <= Duration::from_millis(500));
    }

    #[test]
    fn throttling_halves_once_per_burst_and_calm_brings_the_rate_back() {
        let start = Instant::now();
        let mut aimd = Aimd::new(100, start);
        assert_eq!(aimd.throttled(80.0, start), Some(40.0));
        assert_eq!(aimd.throttled(80.0, start + Duration::from_millis(10)), None);
        assert_eq!(aimd.throttled(40.0, start + Duration::from_millis(300)), Some(20.0));
        let mut rate = 20.0;
        let mut steps = 0;
        for second in 2..100 {
            let Some(raised) = aimd.calm(start + Duration::from_secs(second)) else { continue };
            assert!(raised >= rate);
            rate = raised;
            steps += 1;
        }
        assert!((rate - 100.0).abs() < f64::EPSILON && steps > 10, "{rate} after {steps}");
        assert_eq!(aimd.calm(start + Duration::from_secs(200)), None);
    }
}
