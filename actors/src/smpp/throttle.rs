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

    /// Takes tokens for what goes out anyway; they are paid before the next.
    pub fn owe(&mut self, tokens: u32) {
        if self.rate > 0.0 {
            self.tokens -= f64::from(tokens);
        }
    }

    /// Loses what has gathered; without a rate, what is flowing is the rate from now on.
    pub fn hold(&mut self, flowing_per_second: f64, now: Instant) {
        if self.rate <= 0.0 {
            self.set_rate(flowing_per_second.max(1.0), now);
        }
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

/// The rate of a bind as its vendor's refusals for speed allow: cut to what the vendor took when it refuses more
/// than now and then, raised while it does not.
///
/// A tenth of refusals is let be: a vendor that refuses at any speed would be cut to nothing, and one with a
/// limit shows it best by refusing a little.
#[derive(Debug, Clone)]
pub struct Aimd {
    /// The configured rate; 0 is no limit.
    limit: f64,
    /// The rate now; None while nothing holds it below the configured one.
    rate: Option<f64>,
    /// What the vendor took when the rate was cut last; the rate grows fast below it and slowly above.
    taken: f64,
    interval: Interval,
}

/// Answers since a moment.
#[derive(Debug, Clone)]
struct Interval {
    since: Instant,
    accepted: u32,
    throttled: u32,
}

impl Interval {
    const fn new(since: Instant) -> Self {
        Self { since, accepted: 0, throttled: 0 }
    }
}

/// Answers are judged together over this time.
const INTERVAL: Duration = Duration::from_millis(500);
/// The share of refusals that is let be.
const REFUSED_SHARE_MAX: f64 = 0.1;
const RATE_MIN: f64 = 1.0;
/// A rate above this is no limit.
const RATE_FREE: f64 = 100_000.0;

impl Aimd {
    /// Starts at the configured rate.
    #[must_use]
    pub fn new(limit: u32, now: Instant) -> Self {
        Self { limit: f64::from(limit), rate: None, taken: 0.0, interval: Interval::new(now) }
    }

    /// The vendor took a message.
    pub const fn accepted(&mut self) {
        self.interval.accepted = self.interval.accepted.saturating_add(1);
    }

    /// The vendor refused a message for speed. True for the first of an interval: what has gathered in the
    /// bucket is not to follow it.
    pub const fn throttled(&mut self) -> bool {
        self.interval.throttled = self.interval.throttled.saturating_add(1);
        self.interval.throttled == 1
    }

    /// Judges an interval that is over. Gives the new rate when it changed; 0 is no limit.
    pub fn judge(&mut self, now: Instant) -> Option<f64> {
        let elapsed = now.saturating_duration_since(self.interval.since);
        if elapsed < INTERVAL {
            return None;
        }
        let Interval { accepted, throttled, .. } = std::mem::replace(&mut self.interval, Interval::new(now));
        let (accepted, throttled) = (f64::from(accepted), f64::from(throttled));
        if throttled > (accepted + throttled) * REFUSED_SHARE_MAX {
            let seconds = elapsed.as_secs_f64();
            return Some(self.cut(accepted / seconds, (accepted + throttled) / seconds));
        }
        if throttled > 0.0 {
            // The first refusal held a bind that has no limit to what was flowing; it is let be.
            return self.rate.is_none().then_some(self.limit);
        }
        self.raise(elapsed)
    }

    /// To what the vendor took, but no lower than half: an interval may begin with a refusal that belongs to
    /// the one before.
    fn cut(&mut self, taken: f64, offered: f64) -> f64 {
        let before = self.rate.unwrap_or(offered).min(offered.max(RATE_MIN));
        let rate = taken.clamp(before / 2.0, before).max(RATE_MIN);
        // A vendor that took nothing at all is away rather than slow, and comes back as it was.
        self.taken = if taken > 0.0 { rate } else { self.taken.max(offered) };
        self.rate = Some(rate);
        rate
    }

    fn raise(&mut self, elapsed: Duration) -> Option<f64> {
        let rate = self.rate?;
        let share = if rate < self.taken * 0.9 { 0.5 } else { 0.05 };
        let raised = rate + (rate * share).max(1.0) * elapsed.as_secs_f64().min(1.0);
        let free = if self.limit > 0.0 { self.limit } else { RATE_FREE };
        self.rate = (raised < free).then_some(raised);
        Some(self.rate.unwrap_or(self.limit))
    }

    /// When the interval is over, while there is something to judge.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let judged = self.rate.is_some() || self.interval.throttled > 0;
        judged.then(|| self.interval.since + INTERVAL)
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

    /// A bind that sends all its bucket allows for so many seconds, to a vendor that refuses as `refuses` says;
    /// how many the vendor took, and how many it refused, in the second half.
    fn drive(limit: u32, seconds: u64, mut refuses: impl FnMut(Instant) -> bool) -> (u32, u32) {
        let start = Instant::now();
        let (mut bucket, mut aimd) = (TokenBucket::new(limit, start), Aimd::new(limit, start));
        let (mut taken, mut refused) = (0, 0);
        for tick in 0..seconds * 1000 {
            let now = start + Duration::from_millis(tick);
            // A window of ten answered within the tick.
            for _ in 0..10 {
                if !bucket.take(1, now) {
                    break;
                }
                let counts = tick >= seconds * 500;
                let refusal = refuses(now);
                refused += u32::from(counts && refusal);
                taken += u32::from(counts && !refusal);
                match refusal {
                    true if aimd.throttled() => bucket.hold(5000.0, now),
                    true => {}
                    false => aimd.accepted(),
                }
            }
            if let Some(rate) = aimd.judge(now) {
                bucket.set_rate(rate, now);
            }
        }
        (taken, refused)
    }

    #[test]
    fn a_bind_follows_the_vendors_limit() {
        for (configured, limit) in [(0, 100), (200, 100), (1000, 300)] {
            let mut vendors = TokenBucket::new(limit, Instant::now());
            let (taken, refused) = drive(configured, 40, |now| !vendors.take(1, now));
            let possible = limit * 20;
            assert!(taken > possible * 9 / 10, "{taken} of {possible}, configured {configured}");
            assert!(refused < taken / 8, "{refused} refused beside {taken}");
        }
    }

    #[test]
    fn a_vendor_that_refuses_now_and_then_is_not_starved() {
        let mut n = 0;
        let (taken, _) = drive(500, 40, |_| {
            n += 1;
            n % 20 == 0
        });
        assert!(taken > 500 * 20 * 8 / 10, "{taken} in twenty seconds");
        let mut first = true;
        let (taken, _) = drive(0, 10, |_| std::mem::take(&mut first));
        assert_eq!(taken, 50_000, "a window of ten in every millisecond, after one refusal at the start");
    }

    #[test]
    fn a_vendor_that_takes_nothing_is_asked_once_a_second_and_comes_back() {
        let start = Instant::now();
        let (_, refused) = drive(100, 60, |_| true);
        assert!(refused <= 45, "{refused} in thirty seconds");
        let mut first = None;
        let (taken, _) = drive(100, 80, |now| now.duration_since(*first.get_or_insert(now)).as_secs() < 20);
        assert!(taken > 100 * 40 * 9 / 10, "{taken} in forty seconds");
        assert_eq!(Aimd::new(0, start).judge(start + Duration::from_secs(9)), None, "nothing to raise");
    }
}
