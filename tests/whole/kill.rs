//! kill -9 at any moment under load. The ledger is the test's own: what was acknowledged to the customer or
//! to the vendor must reach its end, whatever the node remembers.

mod ledger;
mod load;
mod panics;

use std::sync::Arc;
use std::time::Duration;

use super::pdu::Sm;
use super::process::{Database, Node, Place, Setup, environment};
use super::random::Random;
use super::smsc::{Script, Smsc};
use super::wait;
use ledger::Ledger;
use load::Customer;

/// Of each of the two vendors.
const BINDS: usize = 2;
const WINDOW: usize = 10;
/// The most messages whose vendor answer one kill can lose.
const OUTSTANDING: usize = 2 * BINDS * WINDOW;
/// Time for everything to reach its end after the last kill.
const SETTLE: Duration = Duration::from_secs(90);
/// The deadline of held messages in the configuration below.
const UNCERTAIN_HOLD: &str = "2s";
const DID: &str = "15550001111";

#[test]
fn fifty_rounds() {
    let given = environment("WARP_TEST_KILL_ROUNDS");
    let rounds = given.map_or(50, |rounds| rounds.parse().expect("WARP_TEST_KILL_ROUNDS is a number"));
    run(rounds, "");
}

#[test]
fn postgres_carries_the_messages_too() {
    let Some(database) = Database::create() else { return };
    run(5, &format!("[store]\nurl = {:?}\n", database.url()));
}

/// Load, kill, restart, `rounds` times; then the ledger is balanced.
fn run(rounds: u32, sections: &str) {
    let (mut random, seed) = Random::seeded();
    wait::progress(&format!("kill: {rounds} rounds, WARP_TEST_SEED={seed}"));
    let vendors = Vendors::start();
    let place = Place::new(&setup(&vendors, sections));
    let mut node = place.start();
    let ledger = Arc::new(Ledger::default());
    let customers: Vec<Customer> = (0..2).map(|n| Customer::start(n, node.smpp(), &ledger)).collect();
    for round in 1..=rounds {
        vendors.send_mo(round);
        wait::pause(random.between(50, 900));
        assert_few_uncertain(&node);
        node.kill();
        while random.below(5) == 0 {
            // Sometimes the node dies again before it is up.
            let mut early = place.spawn();
            wait::pause(random.between(1, 300));
            early.kill();
        }
        node = place.start();
        if round % 10 == 0 {
            wait::progress(&format!("kill: round {round} of {rounds}, {}", ledger.summary()));
        }
    }
    customers.iter().for_each(Customer::stop_submitting);
    settle(&vendors, &ledger, rounds);
    assert_few_uncertain(&node);
    drop(customers);
    node.kill();
    balance(&vendors, &ledger, rounds as usize);
}

fn setup(vendors: &Vendors, sections: &str) -> Setup {
    Setup {
        smpp: format!(
            "uncertain_hold = {UNCERTAIN_HOLD:?}\nreconnect_first = \"20ms\"\nreconnect_max = \"200ms\"\n"
        ),
        sections: sections.to_owned(),
        provision: vendors.provision(),
        fixed_ports: true,
        ..Setup::default()
    }
}

/// Two vendors: 1... goes to the one whose lost messages are sent again, 2... to the one where they are held.
struct Vendors {
    retry: Smsc,
    hold: Smsc,
}

/// MO messages owed to the node in each round.
const MO_OF_A_ROUND: u32 = 5;

impl Vendors {
    fn start() -> Self {
        Self { retry: Smsc::start(Script::default()), hold: Smsc::start(Script::default()) }
    }

    fn send_mo(&self, round: u32) {
        for n in 0..MO_OF_A_ROUND {
            let key = format!("mo {round} {n}");
            self.retry.send_mo(&key, Sm { registered_delivery: 0, ..Sm::new(DID, &key) });
        }
    }

    fn provision(&self) -> String {
        let vendor = |name: &str, smsc: &Smsc| {
            let port = smsc.port();
            format!(
                "[[sms_vendors]]\ninstance_name = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
                 system_id = \"{name}\"\npassword = \"secret\"\nbinds = {BINDS}\nwindow = {WINDOW}\n"
            )
        };
        let route = |prefix: u8, uncertain: &str| {
            format!(
                "[[sms_routes]]\nname = \"{uncertain}\"\nprefix = \"{prefix}\"\nvendor = \"{uncertain}\"\n\
                 uncertain = \"{uncertain}\"\n"
            )
        };
        [
            "[[customers]]\nban = \"TB-000000001\"\ncompany_name = \"Load\"\nstatus = \"ACTIVE\"\n",
            "type = \"POSTPAID\"\n[[esme_accounts]]\nsystem_id = \"load\"\ncustomer = \"TB-000000001\"\n",
            "password = \"secret12\"\nbinds_max = 20\nwindow = 100\n",
            &format!("[[dids]]\nnumber = \"{DID}\"\ncustomer = \"TB-000000001\"\nsystem_id = \"load\"\n"),
            &vendor("retry", &self.retry),
            &vendor("hold", &self.hold),
            &route(1, "retry"),
            &route(2, "hold"),
        ]
        .concat()
    }
}

/// Of this process's life; the counter begins at 0 with each.
#[track_caller]
fn assert_few_uncertain(node: &Node) {
    let uncertain = node.metric("warp_messages_uncertain_total");
    assert!(uncertain <= OUTSTANDING as f64, "{uncertain} uncertain, {OUTSTANDING} were outstanding at most");
}

/// Waits until nothing is owed to anybody.
#[track_caller]
fn settle(vendors: &Vendors, ledger: &Ledger, rounds: u32) {
    let mo = (rounds * MO_OF_A_ROUND) as usize;
    let settled = wait::within_time(SETTLE, || {
        let owed = vendors.retry.state().owed() + vendors.hold.state().owed();
        (owed == 0 && ledger.unfinished().is_empty() && ledger.mo_heard() == mo).then_some(())
    });
    if settled.is_none() {
        let missing: Vec<String> = ledger.unfinished().into_iter().take(10).collect();
        let owed = (vendors.retry.state().owed(), vendors.hold.state().owed());
        panic!("not settled, {}; owed {owed:?}, MO of {mo}; {missing:?}", ledger.summary());
    }
}

/// What reached the vendors against what the customer was told.
fn balance(vendors: &Vendors, ledger: &Ledger, kills: usize) {
    let (retry, hold) = (vendors.retry.state(), vendors.hold.state());
    let (reached_retry, reached_hold) = (ledger::count(&retry.texts()), ledger::count(&hold.texts()));
    let lossy = kills * BINDS * WINDOW;

    for (text, outcome) in ledger.outcomes("1") {
        assert!(reached_retry.contains_key(&text), "{text} was acknowledged and never reached the vendor");
        assert_eq!(outcome, "DELIVRD", "{text} was sent until it was delivered");
    }
    let again: usize = reached_retry.values().map(|count| count - 1).sum();
    assert!(again <= lossy, "{again} messages reached the vendor again, {lossy} can have been outstanding");

    let twice: Vec<_> = reached_hold.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "held messages reached the vendor twice: {twice:?}");
    let held = ledger.outcomes("2");
    let undelivered = held.iter().filter(|(_, outcome)| outcome != "DELIVRD").count();
    assert!(undelivered <= lossy, "{undelivered} held messages failed, {lossy} can have been outstanding");
    for (text, outcome) in held {
        let reached = reached_hold.contains_key(&text);
        assert!(reached || outcome != "DELIVRD", "{text} is DELIVRD and never reached the vendor");
    }

    // Accepted messages whose submit_sm_resp was lost have receipts too, under ids that the customer never
    // learned: hence a number, not names.
    let receipted = retry.acknowledged.iter().chain(&hold.acknowledged).filter(|key| !key.starts_with("mo "));
    let receipted = receipted.collect::<std::collections::HashSet<_>>().len();
    assert!(ledger.receipts() >= receipted, "{} of {receipted} receipts were heard", ledger.receipts());
    wait::progress(&format!("kill: balanced, {}; sent again {again}, held {undelivered}", ledger.summary()));
}
