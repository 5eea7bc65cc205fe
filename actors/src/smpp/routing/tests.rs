use proptest::prelude::*;
use runtime::log::Uncertain;
use runtime::model::{Alphabet, BindType, Money, Vendor};
use runtime::password::SecretString;

use super::*;

pub(crate) fn vendor(n: u128) -> Vendor {
    Vendor {
        id: Uuid::from_u128(n),
        instance_name: format!("v{n}"),
        display_name: String::new(),
        provider_type: "SMPP".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 2775,
        tls: false,
        tls_ca: String::new(),
        bind_type: BindType::Transceiver,
        system_id: "warp".parse().unwrap(),
        password: SecretString::new("secret"),
        system_type: String::new(),
        binds: 1,
        window: 10,
        throughput_limit: 0,
        priority: 0,
        active: true,
        default_alphabet: Alphabet::Gsm7,
        queue_depth_max: 100,
        receipts_always: false,
        long_as_payload: false,
        retryable_statuses: Vec::new(),
    }
}

pub(crate) fn route(name: &str, prefix: &str, vendor: u128) -> Route {
    Route {
        id: Uuid::from_u128(name.bytes().fold(0, |sum, octet| sum << 8 | u128::from(octet))),
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        source_prefix: String::new(),
        customer: None,
        vendor: Uuid::from_u128(vendor),
        priority: 0,
        cost: Money::default(),
        weight: 100,
        uncertain: Uncertain::Hold,
        active: true,
    }
}

fn table(routes: Vec<Route>) -> Table {
    let vendors = (1..=5).map(|n| Vendor { active: n != 5, ..vendor(n) }).collect();
    Table::new(&Messaging { vendors, routes, ..Messaging::default() })
}

fn names(table: &Table, customer: u128, source: &str, destination: &str) -> String {
    let query = Query { customer: Uuid::from_u128(customer), source, destination };
    table.matching(&query).iter().map(|route| route.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_longest_prefix_that_serves_this_customer_wins() {
    let table = table(vec![
        route("all", "", 1),
        route("us", "1", 2),
        route("ny", "1212", 3),
        Route { customer: Some(Uuid::from_u128(9)), ..route("ny9", "1212", 1) },
        Route { customer: Some(Uuid::from_u128(9)), ..route("uk9", "44", 1) },
        Route { source_prefix: "WARP".to_owned(), ..route("sid", "1213", 4) },
        Route { active: false, ..route("off", "1212555", 1) },
        route("dead", "1214", 5),
    ]);
    for (customer, source, destination, expected) in [
        (1, "x", "491", "all"),
        (1, "x", "15550001111", "us"),
        (1, "x", "+15550001111", "us"),
        (1, "x", "12125551234", "ny"),
        (9, "x", "12125551234", "ny9 ny"),
        (1, "x", "447700900000", "all"),
        (9, "x", "447700900000", "uk9"),
        (1, "WARPING", "1213", "sid"),
        (1, "other", "1213", "us"),
        (1, "x", "1214000", "us"),
        (1, "x", "", "all"),
        (1, "x", "é12", "all"),
    ] {
        assert_eq!(
            names(&table, customer, source, destination),
            expected,
            "{customer} {source} {destination}"
        );
    }
}

#[test]
fn nothing_matches_where_nothing_is_configured() {
    assert_eq!(names(&table(vec![route("us", "1", 1)]), 1, "", "44"), "");
}

#[test]
fn priority_then_cost_then_weight_order_the_candidates() {
    let cost = |nanos| Money::from_nanos(nanos);
    let table = table(vec![
        Route { priority: 2, ..route("late", "1", 1) },
        Route { priority: 1, cost: cost(5), ..route("dear", "1", 1) },
        Route { priority: 1, cost: cost(3), weight: 300, ..route("a", "1", 1) },
        Route { priority: 1, cost: cost(3), weight: 100, ..route("b", "1", 2) },
    ]);
    let query = Query { customer: Uuid::nil(), source: "", destination: "1" };
    let mut first_is_a = 0;
    for point in 0..400 {
        let order = table.candidates(&query, |n| point % n);
        let tail: Vec<&str> = order.iter().skip(2).map(|route| route.name.as_str()).collect();
        assert_eq!(tail, ["dear", "late"]);
        first_is_a += u32::from(order[0].name == "a");
    }
    assert_eq!(first_is_a, 300);
}

proptest! {
    #[test]
    fn a_draw_reorders_and_never_drops_or_repeats(
        weights in proptest::collection::vec(0u32..50, 1..8),
        seed in any::<u64>(),
        destination in "[0-9]{0,24}",
    ) {
        let routes = weights.iter().enumerate().map(|(at, weight)| Route {
            weight: *weight, id: Uuid::from_u128(at as u128), ..route(&format!("r{at}"), "", 1 + at as u128 % 4)
        });
        let table = table(routes.collect());
        let query = Query { customer: Uuid::nil(), source: "s", destination: &destination };
        let mut state = seed;
        let drawn = table.candidates(&query, |n| { state = state.wrapping_mul(6364136223846793005).wrapping_add(1); (state >> 33) % n });
        let mut ids: Vec<_> = drawn.iter().map(|route| route.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), weights.len());
    }
}
