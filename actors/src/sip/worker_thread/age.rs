//! How long a datagram has waited in its socket, by the system's time stamp and in spite of it.
//!
//! The stamp is of the wall clock, and so may be set while a datagram waits; a program may even have been given another
//! clock than the system's. What is certain is the monotonic clock: since a socket was last found empty, nothing in it
//! can have waited longer. So each datagram says between what bounds the two clocks differ, and the age is counted
//! from there: a difference that stays costs the first datagrams at most, while a queue that is long stays long.

use std::time::{Duration, Instant};

use runtime::clock::Timestamp;

/// The ages of one socket's datagrams.
#[derive(Debug)]
pub(super) struct Ages {
    /// When nothing was in it.
    empty_at: Instant,
    /// How far our clock is ahead of that of the stamps at least, microseconds.
    ahead: i64,
}

impl Ages {
    /// Of a socket that was opened then.
    #[must_use]
    pub(super) const fn new(opened_at: Instant) -> Self {
        Self { empty_at: opened_at, ahead: 0 }
    }

    /// The age of a datagram with this stamp; `wall` and `now` are the same moment, after it was read: one that came
    /// later would say that our clock is behind.
    pub(super) fn of(&mut self, stamp: Timestamp, wall: Timestamp, now: Instant) -> Duration {
        let apart = wall.micros().saturating_sub(stamp.micros());
        let longest = now.saturating_duration_since(self.empty_at).as_micros();
        let longest = i64::try_from(longest).unwrap_or(i64::MAX);
        // Nothing comes from the future, and nothing is older than it can be.
        self.ahead = self.ahead.max(apart.saturating_sub(longest)).min(apart);
        Duration::from_micros(u64::try_from(apart.saturating_sub(self.ahead)).unwrap_or_default())
    }

    /// The socket was read until nothing was left, not before `now`, which is a moment before it was read.
    pub(super) const fn emptied(&mut self, now: Instant) {
        self.empty_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000_000;

    /// A socket, and what its datagrams' ages are said to be. Times are milliseconds.
    struct Socket {
        ages: Ages,
        origin: Instant,
    }

    impl Socket {
        fn new() -> Self {
            let origin = tokio::time::Instant::now().into_std();
            Self { ages: Ages::new(origin), origin }
        }

        /// At `now` a datagram is read that had come at `came`; our wall clock is `ahead` of the system's.
        fn read(&mut self, came: i64, now: i64, ahead: i64) -> u128 {
            let at = |time: i64| Timestamp::from_micros(START + time * 1000);
            let now_instant = self.origin + Duration::from_millis(now.unsigned_abs());
            self.ages.of(at(came), at(now + ahead), now_instant).as_millis()
        }

        fn emptied(&mut self, now: u64) {
            self.ages.emptied(self.origin + Duration::from_millis(now));
        }
    }

    #[test]
    fn the_age_is_what_the_clocks_say() {
        let mut socket = Socket::new();
        for (came, now, age) in [(10, 10, 0), (20, 130, 110), (131, 131, 0), (132, 40_132, 40_000)] {
            assert_eq!(socket.read(came, now, 0), age, "{came} {now}");
            socket.emptied(now.unsigned_abs());
        }
    }

    #[test]
    fn a_queue_that_never_ends_stays_old() {
        let mut socket = Socket::new();
        for now in (200..200_000).step_by(50) {
            assert_eq!(socket.read(now - 150, now, 0), 150, "{now}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_for_good_is_believed_soon() {
        for ahead in [150, 5_000, 86_400_000, -150, -86_400_000] {
            let mut socket = Socket::new();
            // A call after a long silence may be refused, its ACK tells.
            socket.read(30_000, 30_000, ahead);
            socket.emptied(30_000);
            assert!(socket.read(30_020, 30_020, ahead) <= 20, "{ahead}");
            socket.emptied(30_020);
            for now in [31_000, 90_000, 600_000] {
                assert!(socket.read(now, now, ahead) <= 20, "{ahead} {now}");
                socket.emptied(now.unsigned_abs());
            }
            // And what waits is seen to.
            let old = socket.read(700_000, 700_300, ahead);
            assert!((300..=320).contains(&old), "{ahead} {old}");
        }
    }

    #[test]
    fn a_clock_that_is_set_and_set_back_leaves_nothing() {
        let mut socket = Socket::new();
        for (now, ahead) in [(10, 0), (20, 3_000), (30, 3_000), (40, 0), (50, -3_000), (60, 0), (70, 0)] {
            let age = socket.read(now, now, ahead);
            assert!(age <= 10, "{now}: {age}");
            socket.emptied(now.unsigned_abs());
        }
        assert!((200..=210).contains(&socket.read(80, 280, 0)));
    }
}
