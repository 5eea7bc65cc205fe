use std::time::Duration;

use super::{Random, secret_bytes};

#[test]
fn a_seed_repeats_and_clones_share() {
    let (one, other) = (Random::seeded(42), Random::seeded(42));
    let shared = one.clone();
    for _ in 0..10 {
        assert_eq!([one.u64(), shared.u64()], [other.u64(), other.u64()]);
    }
    assert_ne!(Random::seeded(1).u64(), Random::seeded(2).u64());
    assert_ne!(Random::system().u64(), Random::system().u64());
}

#[test]
fn ranges() {
    let random = Random::seeded(3);
    assert_eq!(random.below(0), 0);
    assert_eq!(random.jitter(Duration::ZERO), Duration::ZERO);
    let ceiling = Duration::from_millis(10);
    let mut longest = Duration::ZERO;
    for _ in 0..1000 {
        assert!(random.below(7) < 7);
        longest = longest.max(random.jitter(ceiling));
    }
    assert!((Duration::from_millis(9)..=ceiling).contains(&longest));
    assert!(random.jitter(Duration::MAX) <= Duration::MAX);
}

#[test]
fn bytes() {
    let mut filled = [0; 32];
    Random::seeded(3).fill(&mut filled);
    assert_ne!(filled, [0; 32]);
    assert_ne!(secret_bytes::<32>(), secret_bytes::<32>());
}
