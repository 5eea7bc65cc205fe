//! The demo's calls: a customer's trunk, and three carriers of which two make trouble.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actors::sip::calls::Calls;
use bench::sip::carriers::{Account, Carriers, Conduct, Placing, Plan};
use runtime::config::{Config, HumanDuration, SipListener};
use runtime::model::Transport;
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::start::Node;

/// Name, conduct and share of each carrier; all ask the same rate, so that shares decide who is tried first.
pub(super) const CARRIERS: [(&str, Conduct, u32); 3] =
    [("busy", Conduct::Refuses, 20), ("gone", Conduct::Vanishes, 10), ("solid", Conduct::Answers, 70)];

/// Calls a second: slow enough to be watched.
const RATE: f64 = 100.0;
const RING: Duration = Duration::from_millis(100);
const HOLD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
/// Time for the node to obey the provisioning.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(20);
/// Time for the records of the last calls to be on disk.
const RECORDS_WITHIN: Duration = Duration::from_secs(10);
/// How late a call may be taken: a machine that is busy with other things shows its calls, not how it sheds load.
const QUEUE_AGE_MAX: HumanDuration = HumanDuration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Binds the carriers.
pub(super) fn carriers() -> Result<Carriers, Failure> {
    let bound = Carriers::bind(&CARRIERS.map(|(_, conduct, _)| conduct));
    bound.map_err(|error| Failure::run(format!("a simulated carrier cannot listen: {error}")))
}

/// The node speaks SIP on a free port of the loopback interface.
pub(super) fn listen(config: &mut Config) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.sip.listen = vec![SipListener { transport: Transport::Udp, address, advertise: String::new() }];
    config.sip.queue_age_max = QUEUE_AGE_MAX;
}

/// The trunk of the demo's customer, the carriers and their rates.
pub(super) fn provisioning(carriers: &Carriers) -> String {
    let carrier = |((name, _, weight), address): ((&str, Conduct, u32), SocketAddr)| {
        // A carrier that says nothing is left soon: the demo is in a hurry.
        let hurry = if name == "gone" { "pdd_timeout = \"500ms\"\n" } else { "" };
        format!(
            "[[sip_vendors]]\nname = \"{name}\"\ngateways = [\"sip:{address};transport=udp\"]\n\
             probe_interval = \"0s\"\n{hurry}\n\
             [[voice_rates]]\npartition = \"demo\"\nvendor = \"{name}\"\nprefix = \"44\"\nrate = \"0.0100\"\n\
             weight = {weight}\n\n"
        )
    };
    let carriers: String = CARRIERS.into_iter().zip(carriers.addrs()).map(carrier).collect();
    format!(
        "[[partitions]]\nname = \"demo\"\n\n{carriers}[[trunks]]\nname = \"demo\"\ncustomer = \"TB-000000001\"\n\
         partition = \"demo\"\nacl = [\"127.0.0.1/32\"]\n\n"
    )
}

/// Places the calls once the node knows the trunk.
pub(super) async fn place(node: &Node, carriers: Carriers, calls: u32) -> Result<Placing, Failure> {
    let target = node.ports.sip.first().copied();
    let (Some(target), Some(shared)) = (target, node.calls()) else {
        return Err(Failure::run("the node has no SIP listener"));
    };
    let deadline = Instant::now() + IN_FORCE_WITHIN;
    while shared.snapshot.load().trunks.is_empty() {
        if Instant::now() >= deadline {
            let reason = format!("the node did not take the demo's trunk within {IN_FORCE_WITHIN:?}");
            return Err(Failure::run(reason));
        }
        sleep(LOOK_EVERY).await;
    }
    let plan = Plan { calls, rate: RATE, ring: RING, hold: HOLD, patience: PATIENCE };
    carriers.place(target, &plan).map_err(Failure::run)
}

/// How the calls ended, and how many records of them the node has on disk.
pub(super) async fn settle(placing: Placing, shared: Option<&Arc<Calls>>) -> Result<(Account, u64), Failure> {
    let account = placing.finish().await.map_err(Failure::run)?;
    let records = || shared.map_or(0, |calls| calls.log.call_totals().cdrs);
    let deadline = Instant::now() + RECORDS_WITHIN;
    while records() < account.offered && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    Ok((account, records()))
}
