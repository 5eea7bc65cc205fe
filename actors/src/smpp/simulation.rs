//! The whole SMPP path in simulated time, on a simulated network and disk: a customer and a vendor speak with
//! a node that loses its power again and again. Afterwards the ledgers of both ends must agree with what was
//! acknowledged. A failure prints its seed, which replays it.

mod customer;
mod vendor;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use runtime::clock::{SimClock, Timestamp};
use runtime::config::{Config, HumanDuration};
use runtime::log::{Disk, Limits, MessageLog, SimLog, Uncertain};
use runtime::model::{Messaging, Money, Route};
use runtime::net::sim::SimNet;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::store::announce::Announcements;
use uuid::Uuid;

use super::message_router::Source;
use super::testing;
use super::tree::{self, Options};

const START: i64 = 1_790_000_000_000_000;
const SMPP_PORT: u16 = 2775;
const VENDOR_PORT: u16 = 3600;
/// Messages that the customer submits in one run.
const MESSAGES: u32 = 300;
const SEEDS: u64 = 12;

/// What both ends saw. Texts are numbers, so that nobody has to believe the node.
#[derive(Default)]
struct Ledger {
    /// Our id of each number whose submit_sm was acknowledged.
    acknowledged: HashMap<u32, String>,
    /// How often each number reached the vendor.
    reached: HashMap<u32, u32>,
    /// Receipts that the customer got, by our id.
    receipts: HashMap<String, u32>,
    /// True when the customer has sent everything and waits for receipts only.
    submitted_all: bool,
}

impl Ledger {
    fn is_settled(&self) -> bool {
        self.submitted_all && self.acknowledged.values().all(|id| self.receipts.contains_key(id))
    }
}

type SharedLedger = Arc<Mutex<Ledger>>;

fn config(policy: Uncertain) -> Messaging {
    let vendor = runtime::model::Vendor {
        host: "vendor".to_owned(),
        port: VENDOR_PORT,
        binds: 2,
        window: 10,
        ..super::routing::tests::vendor(7)
    };
    let route = Route {
        id: Uuid::from_u128(8),
        name: "all".to_owned(),
        prefix: String::new(),
        source_prefix: String::new(),
        customer: None,
        vendor: vendor.id,
        priority: 0,
        cost: Money::default(),
        weight: 1,
        uncertain: policy,
        active: true,
    };
    Messaging { vendors: vec![vendor], routes: vec![route], ..testing::config() }
}

async fn node(disk: Disk, config: Messaging, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let started_at = Timestamp::from_micros(START).plus(turmoil::sim_elapsed().unwrap_or_default());
    let clock = Arc::new(SimClock::starting_at(started_at));
    let random = Random::seeded(seed);
    let mut node = Config::default();
    node.smpp.listen = vec![([0, 0, 0, 0], SMPP_PORT).into()];
    node.smpp.uncertain_hold = HumanDuration::from_secs(3);
    let log = MessageLog::new(Arc::new(SimLog::new(disk, random.clone())), Limits::default());
    let _started = tree::start(Options {
        config: node,
        clock: clock.clone(),
        random: random.clone(),
        net: Arc::new(SimNet),
        registry: Registry::new(clock, random),
        metrics: runtime::telemetry::metrics::Metrics::new(),
        source: Source::Given(testing::given(config)),
        log,
        announcements: Announcements::default(),
        tls: None,
    })
    .await
    .map_err(|error| error.to_string())?;
    std::future::pending().await
}

/// One run; gives the ledger once everything has settled.
fn run(seed: u64, policy: Uncertain, power_losses: u32) -> Ledger {
    let ledger = SharedLedger::default();
    let disk = Disk::default();
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .build();
    let config = config(policy);
    sim.host("node", move || node(disk.clone(), config.clone(), seed));
    let vendors = Arc::clone(&ledger);
    sim.host("vendor", move || vendor::serve(Arc::clone(&vendors)));
    let customers = Arc::clone(&ledger);
    sim.client("customer", customer::submit(customers));

    let random = Random::seeded(seed ^ 0x5eed);
    let mut next_loss = Duration::from_millis(500 + random.below(2000));
    let mut losses = 0;
    loop {
        let finished = sim.step().unwrap_or_else(|error| {
            let ledger = ledger.lock();
            let (acknowledged, reached, receipts) =
                (ledger.acknowledged.len(), ledger.reached.len(), ledger.receipts.len());
            panic!(
                "seed {seed}: {error}; acknowledged {acknowledged}, reached {reached}, receipts {receipts}"
            )
        });
        if finished {
            break;
        }
        if losses < power_losses && sim.elapsed() >= next_loss {
            losses += 1;
            sim.crash("node");
            sim.bounce("node");
            next_loss = sim.elapsed() + Duration::from_millis(300 + random.below(2500));
        }
    }
    let settled = std::mem::take(&mut *ledger.lock());
    assert!(settled.is_settled(), "seed {seed}: not settled");
    settled
}

fn check(seed: u64, ledger: &Ledger, policy: Uncertain) {
    for (number, id) in &ledger.acknowledged {
        let reached = ledger.reached.get(number).copied().unwrap_or(0);
        let receipts = ledger.receipts.get(id).copied().unwrap_or(0);
        match policy {
            Uncertain::Retry => {
                assert!(reached >= 1, "seed {seed}: {number} ({id}) never reached the vendor")
            }
            Uncertain::Hold => {
                assert!(reached <= 1, "seed {seed}: {number} ({id}) reached the vendor {reached} times")
            }
        }
        assert!(receipts >= 1, "seed {seed}: {number} ({id}) got no receipt");
    }
}

#[test]
fn without_faults_everything_arrives_exactly_once() {
    let ledger = run(1, Uncertain::Hold, 0);
    assert_eq!(ledger.acknowledged.len(), MESSAGES as usize);
    assert!(ledger.reached.values().all(|count| *count == 1));
    assert!(ledger.receipts.values().all(|count| *count == 1));
}

#[test]
fn power_losses_lose_nothing_that_was_acknowledged() {
    for seed in 0..SEEDS {
        for policy in [Uncertain::Retry, Uncertain::Hold] {
            check(seed, &run(seed, policy, 6), policy);
        }
    }
}
