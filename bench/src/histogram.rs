//! Latencies in logarithmic buckets: 128 per power of two, so a quantile is at most 0.8 % off.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per power of two; values below this are exact.
const PER_OCTAVE: u64 = 1 << PER_OCTAVE_BITS;
const PER_OCTAVE_BITS: u32 = 7;
/// Values are cut at 2^40 microseconds, 12 days.
const VALUE_BITS_MAX: u32 = 40;
const BUCKETS: usize = ((VALUE_BITS_MAX - PER_OCTAVE_BITS + 1) as usize) << PER_OCTAVE_BITS;

/// A histogram of microseconds that any number of tasks may write while others read. 36 KB, fixed.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU64]>,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts one duration, in whole microseconds.
    pub fn record(&self, duration: Duration) {
        self.record_us(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts one value in microseconds.
    pub fn record_us(&self, value: u64) {
        if let Some(count) = self.counts.get(bucket_of(value)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.max.fetch_max(value, Ordering::Relaxed);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The largest value, exact; `None` while empty.
    pub fn max_us(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.max.load(Ordering::Relaxed))
    }

    /// The value that the share `per_mille` / 1000 of all values does not exceed; `None` while empty.
    pub fn quantile_us(&self, per_mille: u64) -> Option<u64> {
        let total = self.count();
        let rank = (total.saturating_mul(per_mille).div_ceil(1000)).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count.load(Ordering::Relaxed);
            if seen >= rank {
                return Some(middle_of(bucket).min(self.max.load(Ordering::Relaxed)));
            }
        }
        None
    }
}

fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS_MAX) - 1);
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(PER_OCTAVE_BITS + 1);
    // In octave n > 0 the top 8 bits run from 128 to 255, so consecutive octaves join without a gap.
    let bucket = u64::from(octave) * PER_OCTAVE + (value >> octave);
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = (bucket / PER_OCTAVE).saturating_sub(1);
    let lowest = (bucket - octave * PER_OCTAVE) << octave;
    lowest + ((1 << octave) >> 1)
}

#[cfg(test)]
mod tests;
