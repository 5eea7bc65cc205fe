//! Values for tests of this folder.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use prometheus::{IntCounterVec, Opts};
use runtime::clock::{SimClock, Timestamp};
use runtime::config::SmppOptions;
use runtime::log::{Direction, Disk, Limits, MessageLog, MessageRow, Progress, SimLog, State, Uncertain};
use runtime::model::{self, Alphabet, BindModes, Customer, MessageIdFormat, Messaging};
use runtime::net::OsNet;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::store::announce::Announcements;
use runtime::telemetry;
use tokio::time::Instant;
use uuid::Uuid;

use super::account::{Account, Accounts};
use super::message::Message;
use super::message_router::install;
use super::metrics::Metrics;
use super::{Parts, Smpp};

/// A configuration with one customer and one account, `acme`.
pub(crate) fn config() -> Messaging {
    let customer = Customer {
        id: Uuid::from_u128(1),
        ban: "TB-000000001".parse().unwrap(),
        company_name: "Acme".to_owned(),
        status: "ACTIVE".to_owned(),
        kind: "POSTPAID".to_owned(),
        services: vec!["Messaging".to_owned()],
    };
    let account = model::Account {
        id: Uuid::from_u128(2),
        system_id: "acme".parse().unwrap(),
        customer: customer.id,
        // argon2id of "secret12" with the cheapest parameters that the format has.
        password: runtime::password::hash("secret12"),
        active: true,
        binds_max: 10,
        bind_modes: BindModes::default(),
        window: 10,
        throughput: 0,
        ip_whitelist: Vec::new(),
        default_alphabet: Alphabet::Gsm7,
        message_id_format: MessageIdFormat::Hex,
        transcode: false,
    };
    Messaging { version: 1, customers: vec![customer], accounts: vec![account], ..Messaging::default() }
}

pub(crate) fn account() -> Arc<Account> {
    let labels = IntCounterVec::new(Opts::new("submit", "submit"), &["customer_id"]).unwrap();
    let accounts = Accounts::default().updated(&config(), &labels, Instant::now());
    Arc::clone(accounts.by_system_id("acme").unwrap())
}

/// A queued message.
pub(crate) fn message(id: i64) -> Box<Message> {
    static ACCOUNT: Mutex<Option<Arc<Account>>> = Mutex::new(None);
    let account = Arc::clone(ACCOUNT.lock().get_or_insert_with(account));
    Message::new(row(id), account)
}

pub(crate) fn row(id: i64) -> MessageRow {
    MessageRow {
        id,
        direction: Direction::Mt,
        customer: Uuid::from_u128(1),
        account: Uuid::from_u128(2),
        parent: None,
        part: 0,
        answered_as: None,
        segments: 1,
        source: "WARP".into(),
        destination: "15550001111".into(),
        alphabet: 0,
        registered_delivery: 1,
        priority: 0,
        accepted_at: 1_790_000_000_000_000,
        expires_at: i64::MAX,
        hold: 0,
        progress: Progress {
            state: State::Queued,
            vendor: None,
            route: None,
            uncertain: Uncertain::Hold,
            attempts: 0,
            submitted_at: None,
            done_at: None,
            deadline: None,
            vendor_message_id: None,
            dlr_hash: None,
            command_status: None,
            error: None,
        },
        frame: Bytes::new(),
    }
}

/// A configuration that a simulation changes.
pub(crate) fn given(config: Messaging) -> Arc<ArcSwap<Messaging>> {
    Arc::new(ArcSwap::from_pointee(config))
}

/// The SMPP side of a node with one vendor and a route to it, nothing bound; its log commits while
/// [`runtime::log::MessageLog::run`] does.
pub(crate) fn smpp(config: Messaging) -> (Arc<Smpp>, Disk) {
    let (disk, random) = (Disk::default(), Random::seeded(1));
    let clock = Arc::new(SimClock::starting_at(Timestamp::from_micros(1_790_000_000_000_000)));
    let smpp = Smpp::new(Parts {
        options: SmppOptions::default(),
        node: 0,
        clock: clock.clone(),
        random: random.clone(),
        net: Arc::new(OsNet),
        registry: Registry::new(clock, random.clone()),
        log: MessageLog::new(Arc::new(SimLog::new(disk.clone(), random)), Limits::default()),
        metrics: Metrics::new(&telemetry::metrics::Metrics::new()),
        announcements: Announcements::default(),
    });
    let vendor = super::routing::tests::vendor(7);
    let route = super::routing::tests::route("all", "", 7);
    install(&smpp, Messaging { vendors: vec![vendor], routes: vec![route], ..config });
    (smpp, disk)
}

/// The log of a node, committing.
pub(crate) fn commit(smpp: &Arc<Smpp>) {
    let log = smpp.log.clone();
    tokio::spawn(async move { log.run(|_| ()).await });
}
