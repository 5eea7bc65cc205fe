//! How much anybody may ask: requests of a principal, logins and refused tokens of a source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::auth::principal::Principal;
use crate::problem::{Code, Problem};

/// Logins a minute from one address, and of one name; and refused refresh tokens of one address.
const LOGINS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// What a failure costs its address: 50 a second are paid off…
const FAILURE_COST: Duration = Duration::from_millis(20);
/// …and 100 may come at once.
const OWED_MAX: Duration = Duration::from_secs(2);
/// Addresses whose failures are counted; more and all are forgotten.
const SOURCES_MAX: usize = 65_536;

/// The limits of a node, each node its own.
pub(crate) struct RateLimits {
    requests: Option<DefaultKeyedRateLimiter<String>>,
    logins: DefaultKeyedRateLimiter<LoginSource>,
    /// Keys and access tokens that were looked up and are none.
    pub(crate) failures: Failures,
    /// Refresh tokens that were looked up and are none.
    pub(crate) refresh_failures: Failures,
}

/// Whose logins are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoginSource {
    Address(IpAddr),
    Name(String),
    /// Of a refresh token that was refused: it takes nothing from the logins of its address.
    Refresh(IpAddr),
}

impl LoginSource {
    /// As it is counted.
    fn counted(self) -> Self {
        match self {
            Self::Address(address) => Self::Address(subscriber(address)),
            Self::Refresh(address) => Self::Refresh(subscriber(address)),
            Self::Name(name) => Self::Name(name),
        }
    }
}

/// Failures by address. Only they count, and that something fails is known late: so the debt is looked at before, and
/// grows after. Who has no address has no limit.
#[derive(Default)]
pub(crate) struct Failures {
    /// When what an address owes is paid off.
    paid_off: Mutex<HashMap<IpAddr, Instant>>,
}

impl Failures {
    /// Refuses who owes too much.
    pub(crate) fn check(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Problem> {
        if self.owed(address, now) < OWED_MAX { Ok(()) } else { Err(refused("refused tokens", 1)) }
    }

    /// Counts a failure.
    pub(crate) fn count(&self, address: Option<IpAddr>, now: Instant) {
        let Some(address) = address else { return };
        let mut all = self.paid_off.lock();
        if all.len() >= SOURCES_MAX {
            all.retain(|_, paid_off| *paid_off > now);
        }
        if all.len() >= SOURCES_MAX {
            all.clear();
        }
        let paid_off = all.entry(subscriber(address)).or_insert(now);
        // Those that were under way together owe no more than is refused.
        *paid_off = ((*paid_off).max(now) + FAILURE_COST).min(now + OWED_MAX);
    }

    pub(crate) fn owed(&self, address: Option<IpAddr>, now: Instant) -> Duration {
        let Some(address) = address else { return Duration::ZERO };
        let paid_off = self.paid_off.lock().get(&subscriber(address)).copied();
        paid_off.map_or(Duration::ZERO, |paid_off| paid_off.saturating_duration_since(now))
    }

    fn sweep(&self, now: Instant) {
        self.paid_off.lock().retain(|_, paid_off| *paid_off > now);
    }
}

/// Whose address it is: in IPv6 whoever has one has the 2^64 of its network.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl RateLimits {
    /// With so many requests a second for each principal; 0 is no limit.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let quota = NonZeroU32::new(requests_per_second).map(Quota::per_second);
        Self {
            requests: quota.map(RateLimiter::keyed),
            logins: RateLimiter::keyed(Quota::per_minute(LOGINS_PER_MINUTE)),
            failures: Failures::default(),
            refresh_failures: Failures::default(),
        }
    }

    /// Counts a request.
    pub(crate) fn take(&self, principal: &Principal) -> Result<(), Problem> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests.check_key(&principal.name).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            refused("requests", wait.as_secs())
        })
    }

    /// Counts a login, before its password is looked at.
    pub(crate) fn take_login(&self, source: LoginSource) -> Result<(), Problem> {
        self.logins.check_key(&source.counted()).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            refused("logins", wait.as_secs())
        })
    }

    /// Forgets those who have asked little for long.
    pub(crate) fn sweep(&self) {
        if let Some(requests) = &self.requests {
            requests.retain_recent();
        }
        self.logins.retain_recent();
        self.failures.sweep(Instant::now());
        self.refresh_failures.sweep(Instant::now());
    }
}

fn refused(what: &str, seconds: u64) -> Problem {
    let seconds = seconds.max(1);
    Problem::new(Code::TooManyRequests, format!("too many {what}, again in {seconds} s")).retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_an_address_are_paid_off() {
        let failures = Failures::default();
        let start = Instant::now();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().ok());
        let good = |address: Option<IpAddr>, now: Instant| failures.check(address, now).is_ok();
        for _ in 0..100 {
            assert!(good(one, start));
            failures.count(one, start);
        }
        assert!(!good(one, start));
        let refused = failures.check(one, start).unwrap_err();
        assert_eq!(refused.code, Code::TooManyRequests);
        assert_eq!(refused.into_response("").headers()["retry-after"], "1");
        assert!(good(other, start) && good(None, start));

        let later = start + FAILURE_COST;
        assert!(good(one, later), "one is paid off");
        failures.count(one, later);
        assert!(!good(one, later));
        // Many that were under way together.
        for _ in 0..1000 {
            failures.count(one, later);
        }
        assert!(good(one, later + FAILURE_COST * 2));
        failures.sweep(later);
        assert_eq!(failures.owed(one, later), OWED_MAX);
        failures.sweep(later + OWED_MAX);
        assert!(failures.paid_off.lock().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let failures = Failures::default();
        let now = Instant::now();
        let of = |address: &str| address.parse::<IpAddr>().ok();
        failures.count(of("2001:db8::1"), now);
        failures.count(of("::ffff:192.0.2.1"), now);
        for (address, counted) in
            [("2001:db8::2", true), ("2001:db8:0:1::1", false), ("192.0.2.1", true), ("192.0.2.2", false)]
        {
            assert_eq!(failures.owed(of(address), now) > Duration::ZERO, counted, "{address}");
        }
        let limits = RateLimits::new(0);
        let login = |address: &str| limits.take_login(LoginSource::Address(address.parse().unwrap()));
        for host in 1..=5 {
            assert!(login(&format!("2001:db8::{host}")).is_ok());
        }
        assert!(login("2001:db8::6").is_err());
        assert!(login("2001:db8:0:1::6").is_ok());
        let refresh = LoginSource::Refresh("2001:db8::6".parse().unwrap());
        assert!(limits.take_login(refresh).is_ok(), "they are counted apart");
    }

    #[test]
    fn sources_are_bounded() {
        let failures = Failures::default();
        let now = Instant::now();
        for host in 0..=u32::try_from(SOURCES_MAX).unwrap() {
            failures.count(Some(IpAddr::V4(host.into())), now);
        }
        assert_eq!(failures.paid_off.lock().len(), 1);
    }
}
