//! Randomness: a seedable generator for back-off and choice, the operating system's for secrets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use parking_lot::Mutex;

/// A generator for jitter, choice and simulation. Clones share one sequence. Never for secrets.
#[derive(Clone)]
pub struct Random(Arc<Mutex<fastrand::Rng>>);

impl Random {
    /// Seeded by the operating system.
    pub fn system() -> Self {
        Self::seeded(u64::from_ne_bytes(secret_bytes()))
    }

    /// The same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A uniform 64-bit number.
    pub fn u64(&self) -> u64 {
        self.0.lock().u64(..)
    }

    /// Uniform in `0..n`; 0 when `n` is 0.
    pub fn below(&self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.0.lock().u64(..n) }
    }

    /// Full jitter: uniform in `[0, ceiling]`, to the nanosecond.
    pub fn jitter(&self, ceiling: Duration) -> Duration {
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.lock().u64(..=nanos))
    }

    /// Overwrites `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill(bytes);
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// `N` bytes from the operating system, for tokens, keys and salts.
///
/// # Panics
/// When the operating system has no randomness to give: no secret may be made then.
pub fn secret_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
