//! Timers of transactions (RFC 3261 table 4, RFC 6026 for L and M) and their times.

use std::time::Duration;

use super::Transport;

/// No interval is shorter: a T1 of zero would retransmit without end.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// How long a peer of the default T1 sends again, 64 times 500 ms. Our own T1 says nothing of the peer's: a
/// transaction that ended before it would take the next retransmission for something new.
const LINGER_MIN: Duration = Duration::from_secs(32);

/// The longest time of any timer, so that every one can be added to the clock; more counts as this.
pub const TIME_MAX: Duration = Duration::from_hours(24);

/// The timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// INVITE client: retransmission of the request.
    A,
    /// INVITE client: no response at all.
    B,
    /// INVITE client: wait for retransmissions of a non-2xx.
    D,
    /// Non-INVITE client: retransmission of the request.
    E,
    /// Non-INVITE client: no final response.
    F,
    /// INVITE server: retransmission of a non-2xx.
    G,
    /// INVITE server: no ACK.
    H,
    /// INVITE server: wait for retransmissions of the ACK.
    I,
    /// Non-INVITE server: wait for retransmissions of the request, answered or abandoned.
    J,
    /// Non-INVITE client: wait for retransmissions of the response.
    K,
    /// INVITE server: wait for retransmissions of the INVITE after a 2xx.
    L,
    /// INVITE client: wait for more 2xx.
    M,
    /// INVITE client: wait for the final response after a CANCEL (9.1).
    Cancelled,
    /// Server: the 100 is due (17.2.1; RFC 4320 4.1).
    Trying,
}

impl Timer {
    /// 0 or 1. Of one transaction, at most one timer of each slot is armed at a time, so that a table needs room
    /// for two.
    pub const fn slot(self) -> usize {
        match self {
            Self::A | Self::E | Self::G | Self::Trying => 0,
            Self::B
            | Self::D
            | Self::F
            | Self::H
            | Self::I
            | Self::J
            | Self::K
            | Self::L
            | Self::M
            | Self::Cancelled => 1,
        }
    }
}

/// Times, per trunk or vendor. T1 and T2 below 10 ms count as 10 ms, and every time above [`TIME_MAX`] as that.
/// Timers J, L, M and the wait after a CANCEL are 64 T1, and at least 32 s; I and K are T4. Timer C is the proxy's,
/// not a transaction's: see `proxy::Options`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerOptions {
    /// Round-trip estimate: the first retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and of responses to INVITE.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
    /// From the INVITE to its first response.
    pub b: Duration,
    /// How long a non-2xx is acknowledged again, over an unreliable transport; at least 32 s (17.1.1.2).
    pub d: Duration,
    /// From another request to its final response.
    pub f: Duration,
    /// From a non-2xx to its ACK.
    pub h: Duration,
    /// From an INVITE to the 100, where the user answers nothing before; zero sends it at once.
    pub trying: Duration,
}

impl Default for TimerOptions {
    /// T1 500 ms, T2 4 s, T4 5 s; B, D, F, H 32 s; 100 after 200 ms.
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            b: Duration::from_secs(32),
            d: Duration::from_secs(32),
            f: Duration::from_secs(32),
            h: Duration::from_secs(32),
            trying: Duration::from_millis(200),
        }
    }
}

impl TimerOptions {
    /// Timer A after the request was sent `sent` times: doubles without limit; B ends it.
    pub(super) fn a(&self, sent: u8) -> Duration {
        self.t1().saturating_mul(1 << sent.saturating_sub(1).min(16)).min(TIME_MAX)
    }

    /// Timers E and G after `sent` sendings: doubles up to T2.
    pub(super) fn e(&self, sent: u8) -> Duration {
        self.a(sent).min(self.t2())
    }

    pub(super) fn t2(&self) -> Duration {
        self.t2.clamp(INTERVAL_MIN, TIME_MAX)
    }

    pub(super) fn t4(&self) -> Duration {
        self.t4.min(TIME_MAX)
    }

    pub(super) fn b(&self) -> Duration {
        self.b.min(TIME_MAX)
    }

    pub(super) fn d(&self) -> Duration {
        self.d.clamp(LINGER_MIN, TIME_MAX)
    }

    pub(super) fn f(&self) -> Duration {
        self.f.min(TIME_MAX)
    }

    pub(super) fn h(&self) -> Duration {
        self.h.min(TIME_MAX)
    }

    /// From an INVITE to its 100.
    pub(super) fn trying(&self) -> Duration {
        self.trying.min(TIME_MAX)
    }

    /// Timers J, L, M and the wait after a CANCEL.
    pub(super) fn linger(&self) -> Duration {
        self.t1().saturating_mul(64).clamp(LINGER_MIN, TIME_MAX)
    }

    /// When a non-INVITE without an answer gets a 100: once the client's timer E has reached T2, not before
    /// (RFC 4320 4.1).
    pub(super) fn trying_non_invite(&self) -> Duration {
        let (mut after, mut interval) = (Duration::ZERO, self.t1());
        while interval < self.t2() {
            after = after.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        after.clamp(self.t1(), TIME_MAX)
    }

    fn t1(&self) -> Duration {
        self.t1.clamp(INTERVAL_MIN, TIME_MAX)
    }
}

/// D, I, J and K: so long, or zero where nothing can be retransmitted.
pub(super) const fn wait(transport: Transport, after: Duration) -> Duration {
    match transport {
        Transport::Unreliable => after,
        Transport::Reliable => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn intervals_double() {
        let timers = TimerOptions::default();
        let a: Vec<Duration> = (1..=7).map(|sent| timers.a(sent)).collect();
        assert_eq!(a, [500, 1000, 2000, 4000, 8000, 16_000, 32_000].map(ms));
        let e: Vec<Duration> = (1..=6).map(|sent| timers.e(sent)).collect();
        assert_eq!(e, [500, 1000, 2000, 4000, 4000, 4000].map(ms));
        assert_eq!(timers.a(u8::MAX), ms(500 << 16));
        assert_eq!(timers.linger(), ms(32_000));
        assert_eq!(timers.trying_non_invite(), ms(3500), "0.5 + 1 + 2 s");
    }

    #[test]
    fn no_interval_is_zero() {
        let (t1, t2) = (Duration::ZERO, Duration::ZERO);
        let timers = TimerOptions { t1, t2, ..TimerOptions::default() };
        assert_eq!((timers.a(1), timers.e(9), timers.trying_non_invite()), (ms(10), ms(10), ms(10)));
    }

    #[test]
    fn every_time_can_be_added_to_the_clock() {
        let max = Duration::MAX;
        let timers = TimerOptions { t1: max, t2: max, t4: max, b: max, d: max, f: max, h: max, trying: max };
        let intervals = [timers.a(1), timers.a(9), timers.e(9), timers.t2(), timers.trying_non_invite()];
        let waits =
            [timers.t4(), timers.b(), timers.d(), timers.f(), timers.h(), timers.trying(), timers.linger()];
        assert!(intervals.iter().chain(&waits).all(|time| *time == TIME_MAX), "{intervals:?} {waits:?}");
        // Near the limit the sum of the intervals goes beyond it.
        let near = TimerOptions { t1: ms(20 * 3_600_000), ..timers };
        assert_eq!(near.trying_non_invite(), ms(20 * 3_600_000));
        let near = TimerOptions { t1: ms(10 * 3_600_000), ..timers };
        assert_eq!(near.trying_non_invite(), TIME_MAX, "10 + 20 h");
    }

    #[test]
    fn a_short_t1_of_ours_does_not_shorten_the_peers() {
        let timers = TimerOptions { t1: ms(50), d: ms(0), ..TimerOptions::default() };
        assert_eq!((timers.linger(), timers.d()), (ms(32_000), ms(32_000)));
        assert_eq!(TimerOptions { t1: ms(1000), ..timers }.linger(), ms(64_000));
        assert_eq!(wait(Transport::Reliable, timers.d()), Duration::ZERO);
    }
}
