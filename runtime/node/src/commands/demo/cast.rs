//! Who takes part in the demo, and how they behave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bench::ledger::Ledger;
use bench::payload::Mix;
use bench::smpp::esme::EsmeOptions;
use bench::smpp::smsc::{IdFormat, Smsc, SmscOptions};
use runtime::config::{Config, HumanDuration};

use super::calls;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::start::Node;

/// Binds of the node to each vendor.
pub(super) const BINDS: u64 = 2;
/// The account of the simulated customer, and the one for a person's own SMPP client.
pub(super) const CUSTOMER: (&str, &str) = ("demo", "demo1234");
pub(super) const GUEST: (&str, &str) = ("guest", "guest123");

const SESSIONS: usize = 2;
const WINDOW: usize = 50;
/// submit_sm a second: slow enough to be watched.
const RATE: f64 = 500.0;
/// How long a message whose vendor answer was lost stays open. A node of a carrier waits a day.
const UNCERTAIN_HOLD: HumanDuration = HumanDuration::from_secs(2);
const DRAIN: HumanDuration = HumanDuration::from_secs(3);

/// Two SMSCs: one at its best, one that makes trouble.
pub(super) struct Vendors {
    pub(super) steady: Smsc,
    pub(super) flaky: Smsc,
}

impl Vendors {
    pub(super) async fn start(ledger: &Arc<Ledger>) -> Result<Self, Failure> {
        let steady = SmscOptions {
            answer_delay: Duration::from_millis(2),
            receipt_delay: Duration::from_millis(100),
            ..SmscOptions::default()
        };
        let flaky = SmscOptions {
            answer_delay: Duration::from_millis(10),
            answer_id: IdFormat::Hex,
            receipt_id: IdFormat::Decimal,
            receipt_delay: Duration::from_millis(800),
            // Each one makes the node ask half as much of that bind, and a tenth more every second after.
            throttled_share: 0.01,
            failed_share: 0.02,
            drop_every: 60,
            ..SmscOptions::default()
        };
        let start = async |options| {
            let started = Smsc::start(options, Arc::clone(ledger)).await;
            started.map_err(|error| Failure::run(format!("a simulated vendor cannot listen: {error}")))
        };
        Ok(Self { steady: start(steady).await?, flaky: start(flaky).await? })
    }
}

/// A node on free ports of the loopback interface.
pub(super) fn config(data_dir: &DataDir) -> Config {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config::default();
    data_dir.path().clone_into(&mut config.node.data_dir);
    config.node.drain = DRAIN;
    config.api.listen = free;
    config.api.metrics_listen = free;
    config.smpp.listen = vec![free];
    config.smpp.uncertain_hold = UNCERTAIN_HOLD;
    calls::listen(&mut config);
    config
}

/// One customer with two accounts, both vendors, two routes that share the traffic.
pub(super) fn provisioning(vendors: &Vendors) -> String {
    let account = |(system_id, password): (&str, &str)| {
        format!(
            "[[esme_accounts]]\nsystem_id = \"{system_id}\"\ncustomer = \"TB-000000001\"\n\
             password = \"{password}\"\nwindow = {WINDOW}\n\n"
        )
    };
    let vendor = |name: &str, weight: u32, smsc: &Smsc| {
        format!(
            "[[sms_vendors]]\ninstance_name = \"{name}\"\nhost = \"{}\"\nport = {}\nsystem_id = \"warp\"\n\
             password = \"warp1234\"\nbinds = {BINDS}\nwindow = 20\n\n\
             [[sms_routes]]\nname = \"via-{name}\"\nvendor = \"{name}\"\ncost = \"0.0035\"\n\
             weight = {weight}\n\n",
            smsc.addr.ip(),
            smsc.addr.port()
        )
    };
    let customer = "[[customers]]\nban = \"TB-000000001\"\ncompany_name = \"Demo\"\n\n";
    let accounts = account(CUSTOMER) + &account(GUEST);
    let (steady, flaky) = (vendor("steady", 80, &vendors.steady), vendor("flaky", 20, &vendors.flaky));
    format!("{customer}{accounts}{steady}{flaky}")
}

/// The customer: GSM 7-bit, UCS2, concatenated and message_payload texts, each with a receipt asked for.
pub(super) fn esme(node: &Node, messages: u32) -> Result<EsmeOptions, Failure> {
    let address = node.ports.smpp.first().copied();
    let address = address.ok_or_else(|| Failure::run("the node has no SMPP listener"))?;
    Ok(EsmeOptions {
        sessions: SESSIONS,
        window: WINDOW,
        rate: RATE,
        total: Some(u64::from(messages)),
        mix: Mix::Mixed,
        ..EsmeOptions::new(address, CUSTOMER.0, CUSTOMER.1)
    })
}
