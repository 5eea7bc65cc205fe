//! How much anybody may ask: requests of a principal, logins of a source.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::auth::principal::Principal;
use crate::problem::{Code, Problem};

/// Logins a minute from one address, and of one name.
const LOGINS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// The limits of a node, each node its own.
pub(crate) struct RateLimits {
    requests: Option<DefaultKeyedRateLimiter<String>>,
    logins: DefaultKeyedRateLimiter<LoginSource>,
}

/// Whose logins are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoginSource {
    Address(IpAddr),
    Name(String),
}

impl RateLimits {
    /// With so many requests a second for each principal; 0 is no limit.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let quota = NonZeroU32::new(requests_per_second).map(Quota::per_second);
        Self {
            requests: quota.map(RateLimiter::keyed),
            logins: RateLimiter::keyed(Quota::per_minute(LOGINS_PER_MINUTE)),
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
        self.logins.check_key(&source).map_err(|early| {
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
    }
}

fn refused(what: &str, seconds: u64) -> Problem {
    let seconds = seconds.max(1);
    Problem::new(Code::TooManyRequests, format!("too many {what}, again in {seconds} s")).retry_after(seconds)
}
