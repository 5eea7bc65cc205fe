//! The ports of a simulated node: pairs of an even one for RTP and the odd one above it for RTCP.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Pairs that no call has.
#[derive(Debug)]
pub(super) struct Ports {
    /// Their even ports. What was freed last is taken last, so that late packets of one call do not reach
    /// another.
    free: VecDeque<u16>,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        let last = *range.end();
        Self { free: range.filter(|port| port.is_multiple_of(2) && *port < last).collect() }
    }

    /// The even ports of so many pairs, or nothing where there are fewer.
    pub(super) fn take(&mut self, pairs: usize) -> Option<Vec<u16>> {
        (pairs <= self.free.len()).then(|| self.free.drain(..pairs).collect())
    }

    pub(super) fn give_back(&mut self, pairs: impl IntoIterator<Item = u16>) {
        self.free.extend(pairs);
    }

    /// Pairs that are left.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_odd() {
        for (range, even) in [
            (21_000..=21_005, vec![21_000, 21_002, 21_004]),
            (21_001..=21_004, vec![21_002]),
            (21_000..=21_000, vec![]),
            (65_532..=u16::MAX, vec![65_532, 65_534]),
        ] {
            let mut ports = Ports::new(range.clone());
            assert_eq!(ports.left(), even.len(), "{range:?}");
            assert_eq!(ports.take(even.len() + 1), None, "{range:?}");
            assert_eq!(ports.take(even.len()), Some(even), "{range:?}");
        }
    }

    #[test]
    fn what_is_given_back_is_taken_last() {
        let mut ports = Ports::new(21_000..=21_005);
        let first = ports.take(1).unwrap();
        ports.give_back(first.clone());
        assert_eq!(ports.take(3).unwrap().last(), first.first());
    }
}
