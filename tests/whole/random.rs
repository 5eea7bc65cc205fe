//! Numbers that differ from run to run, and can be had again by their seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::process::environment;

/// splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// From `WARP_TEST_SEED`, else from the clock; returns the seed to print.
    pub(crate) fn seeded() -> (Self, u64) {
        let given =
            environment("WARP_TEST_SEED").map(|seed| seed.parse().expect("WARP_TEST_SEED is a number"));
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos()) ^ now.as_secs()
        });
        (Self(seed), seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Between two times, whole milliseconds.
    pub(crate) fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.below(to_ms - from_ms))
    }
}
