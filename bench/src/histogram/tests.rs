use proptest::prelude::*;

use super::*;

#[test]
fn empty_has_no_quantiles() {
    let histogram = Histogram::default();
    assert_eq!(histogram.count(), 0);
    assert_eq!(histogram.quantile_us(500), None);
    assert_eq!(histogram.max_us(), None);
}

#[test]
fn quantiles_of_a_uniform_run_are_within_one_percent() {
    let histogram = Histogram::default();
    (1..=1_000_000).for_each(|value| histogram.record_us(value));
    for (per_mille, exact) in [(1, 1_000), (500, 500_000), (900, 900_000), (990, 990_000), (999, 999_000)] {
        let found = histogram.quantile_us(per_mille).unwrap();
        let error = found.abs_diff(exact) * 1000 / exact;
        assert!(error <= 10, "p{per_mille}: {found} instead of {exact}");
    }
    assert_eq!(histogram.max_us(), Some(1_000_000));
    assert_eq!(
        histogram.quantile_us(1000),
        Some(1_000_000 - 1_000_000 % 4_096 + 2_048).map(|v| v.min(1_000_000))
    );
}

#[test]
fn small_values_are_exact() {
    for value in 0..256 {
        let histogram = Histogram::default();
        histogram.record_us(value);
        assert_eq!(histogram.quantile_us(500), Some(value));
    }
}

proptest! {
    #[test]
    fn any_value_comes_back_within_one_percent(value in 0_u64..(1 << 40)) {
        let bucket = bucket_of(value);
        prop_assert!(bucket < BUCKETS);
        prop_assert!(middle_of(bucket).abs_diff(value) * 100 <= value);
    }

    #[test]
    fn buckets_keep_the_order(a in 0_u64..(1 << 40), b in 0_u64..(1 << 40)) {
        prop_assert_eq!(a.min(b) == a || bucket_of(a) >= bucket_of(b), true);
        if a <= b { prop_assert!(bucket_of(a) <= bucket_of(b)); }
    }

    #[test]
    fn values_beyond_the_last_bucket_are_kept_in_it(value in (1_u64 << 40)..u64::MAX) {
        prop_assert_eq!(bucket_of(value), BUCKETS - 1);
    }
}
