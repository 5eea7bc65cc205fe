//! Which node a call takes: weighted rendezvous hashing.
//!
//! Pure. Every node is scored by the call and by itself, and the greatest score wins: where a node goes, its calls are
//! spread over the others by their weights, and no other call moves.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// The score of a node for a call; greater is better, and a weight of nothing is never better than another.
///
/// With -ln(u) of a number u between 0 and 1 the shares of the nodes are as their weights are.
#[must_use]
pub fn score(call: u128, node: u8, weight: u32) -> f64 {
    if weight == 0 {
        return 0.0;
    }
    let mut hasher = SipHasher13::new();
    hasher.write_u128(call);
    hasher.write_u8(node);
    // The upper 53 bits are what a double holds exactly; a half more keeps the ends out.
    let drawn = ((hasher.finish() >> 11) as f64 + 0.5) / MANTISSA;
    f64::from(weight) / -drawn.ln()
}

/// 2 to the 53rd.
const MANTISSA: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(call: u128, nodes: &[(u8, u32)]) -> u8 {
        let scored = nodes.iter().map(|(node, weight)| (score(call, *node, *weight), *node));
        scored.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap().1
    }

    #[test]
    fn shares_are_as_the_weights() {
        let nodes = [(1, 50), (2, 50), (3, 100), (4, 0)];
        let mut counts = [0_u32; 5];
        for call in 0..40_000_u128 {
            counts[usize::from(best(call.wrapping_mul(0x9E37_79B9_7F4A_7C15), &nodes))] += 1;
        }
        for (node, expected) in [(1, 10_000), (2, 10_000), (3, 20_000)] {
            assert!(counts[node].abs_diff(expected) < expected / 20, "{counts:?}");
        }
        assert_eq!(counts[4], 0, "without a weight it gets nothing");
    }

    proptest! {
        #[test]
        fn a_node_that_goes_moves_its_own_calls_only(call: u128, gone in 0_usize..5) {
            let nodes = [(1, 50), (2, 10), (3, 70), (9, 50), (200, 1)];
            let before = best(call, &nodes);
            let left: Vec<_> = nodes.iter().copied().filter(|node| *node != nodes[gone]).collect();
            let after = best(call, &left);
            prop_assert!(before == nodes[gone].0 || before == after);
        }

        #[test]
        fn every_score_is_a_number(call: u128, node: u8, weight: u32) {
            let score = score(call, node, weight);
            prop_assert!(score.is_finite() && score >= 0.0);
        }
    }
}
