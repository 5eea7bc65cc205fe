use proptest::collection::vec;
use proptest::prelude::*;
use runtime::random::Random;
use tokio::time::Instant;

use super::*;

fn offer(prefix: &str, vendor: u32, rate: i64) -> Offer {
    Offer {
        partition: 0,
        prefix: prefix.to_owned(),
        vendor,
        rate: Money::from_nanos(rate),
        priority: 0,
        weight: 0,
        blocked: false,
    }
}

fn vendors(table: &Table, number: &str) -> Vec<u32> {
    let mut found = Vec::new();
    table.candidates(0, number, |_| 0, &mut found);
    found.iter().map(|candidate| candidate.vendor).collect()
}

#[test]
fn each_vendor_counts_with_its_own_longest_prefix() {
    let table = Table::new(vec![
        offer("", 1, 90),
        offer("44", 1, 10),
        offer("447", 1, 50),
        offer("44", 2, 20),
        offer("447700", 3, 30),
        Offer { blocked: true, ..offer("4479", 2, 0) },
        Offer { partition: 2, ..offer("44", 4, 1) },
        offer("44", 2, 1),
        offer("4x", 5, 1),
        offer("1234567890123456789012345", 6, 1),
    ]);
    for (number, expected) in [
        ("442071234567", &[1, 2][..]),
        ("+447700900123", &[2, 3, 1]),
        ("447911123456", &[1]),
        ("4479", &[1]),
        ("447;ext=1", &[2, 1]),
        ("33", &[1]),
        ("", &[1]),
        ("12345678901234567890123456", &[1]),
        ("not a number", &[1]),
    ] {
        assert_eq!(vendors(&table, number), expected, "{number}");
    }
    let mut found = vec![];
    table.candidates(2, "44", |_| 0, &mut found);
    assert_eq!(
        found.iter().map(|candidate| (candidate.vendor, candidate.prefix_len)).collect::<Vec<_>>(),
        [(4, 2)]
    );
    for partition in [1, 3, u32::MAX] {
        table.candidates(partition, "44", |_| 0, &mut found);
        assert_eq!(found, []);
    }
}

#[test]
fn equal_rates_go_by_priority_and_then_by_weight() {
    let share = |vendor, priority, weight| Offer { priority, weight, ..offer("1", vendor, 5) };
    let table =
        Table::new(vec![share(1, 1, 9), share(2, 0, 1), share(3, 0, 3), share(4, 0, 0), offer("1", 5, 4)]);
    let random = Random::seeded(3);
    let mut firsts = [0_u32; 6];
    let mut found = Vec::new();
    for _ in 0..4000 {
        table.candidates(0, "1", |n| random.below(n), &mut found);
        assert_eq!((found[0].vendor, found[4].vendor), (5, 1));
        firsts[found[1].vendor as usize] += 1;
    }
    assert!((2800..3200).contains(&firsts[3]) && firsts[2] + firsts[3] == 4000, "{firsts:?}");
}

proptest! {
    /// Against the definition, by a look at every offer.
    #[test]
    fn a_walk_finds_what_a_look_at_every_offer_finds(
        offers in vec(("[12]{0,4}", 0..4_u32, 0..3_i64, any::<bool>()), 0..40),
        numbers in vec("[12]{0,6}", 1..20),
    ) {
        let offers: Vec<Offer> = offers
            .into_iter()
            .map(|(prefix, vendor, rate, blocked)| Offer { blocked, ..offer(&prefix, vendor, rate) })
            .collect();
        let table = Table::new(offers.clone());
        for number in numbers {
            let mut expected: Vec<(Money, u32)> = (0..4)
                .filter_map(|vendor| {
                    let fits = |offer: &&Offer| offer.vendor == vendor && number.starts_with(&offer.prefix);
                    // The first of the longest.
                    let best = offers.iter().filter(fits).rev().max_by_key(|offer| offer.prefix.len())?;
                    (!best.blocked).then_some((best.rate, vendor))
                })
                .collect();
            expected.sort();
            let expected: Vec<u32> = expected.into_iter().map(|(_, vendor)| vendor).collect();
            prop_assert_eq!(vendors(&table, &number), expected, "{}", number);
        }
    }
}

#[test]
#[ignore = "measures; proves nothing"]
fn what_a_lookup_costs() {
    const OFFERS: u32 = 1_000_000;
    const LOOKUPS: u32 = 1_000_000;
    let random = Random::seeded(1);
    let number =
        |digits: usize| format!("{:0digits$}", random.below(10_u64.pow(u32::try_from(digits).unwrap())));
    let offers = (0..OFFERS)
        .map(|n| offer(&number(3 + n as usize % 6), n % 20, i64::try_from(random.below(1000)).unwrap()))
        .collect();
    let numbers: Vec<String> = (0..LOOKUPS).map(|_| number(12)).collect();
    let begun = Instant::now();
    let table = Table::new(offers);
    let built = begun.elapsed();
    let begun = Instant::now();
    let (mut found, mut candidates) = (Vec::new(), 0);
    for number in &numbers {
        table.candidates(0, number, |n| random.below(n), &mut found);
        candidates += found.len();
    }
    let each = begun.elapsed() / LOOKUPS;
    let candidates = candidates as f64 / f64::from(LOOKUPS);
    eprintln!("{OFFERS} offers built in {built:?}, {each:?} a lookup of {candidates:.1} vendors");
}
