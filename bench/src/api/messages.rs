//! Messages that flow through the same node meanwhile: one customer, one SMSC, a receipt for each.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::report::{Outcome, per_second};
use crate::smpp::esme::{Esme, EsmeOptions};
use crate::smpp::run::vendor_bound;
use crate::smpp::smsc::{Smsc, SmscOptions};
use crate::subject::Node;

/// Goes into the marker of every message.
const RUN: u16 = 1;
const SESSIONS: usize = 2;
const WINDOW: usize = 200;
/// The account, and its password.
const ACCOUNT: (&str, &str) = ("beside", "beside12");

/// An SMSC that waits for the node.
pub(super) struct Messages {
    smsc: Smsc,
    ledger: Arc<Ledger>,
    rate: f64,
}

/// Messages on their way.
pub(super) struct Flow {
    esme: Esme,
    begun: Instant,
    _smsc: Smsc,
}

impl Messages {
    /// So many a second; none at 0.
    pub(super) async fn prepare(rate: f64) -> anyhow::Result<Option<Self>> {
        if rate <= 0.0 {
            return Ok(None);
        }
        let ledger = Arc::new(Ledger::new(RUN, true));
        let smsc = Smsc::start(SmscOptions::default(), Arc::clone(&ledger)).await;
        Ok(Some(Self { smsc: smsc.context("the simulated SMSC cannot listen")?, ledger, rate }))
    }

    /// What the node needs for them.
    pub(super) fn to_toml(&self) -> String {
        let (system_id, password) = ACCOUNT;
        format!(
            "[[esme_accounts]]\nsystem_id = \"{system_id}\"\ncustomer = \"{ban}\"\npassword = \"{password}\"\n\
             window = {WINDOW}\n\n[[sms_vendors]]\ninstance_name = \"beside\"\nhost = \"{host}\"\nport = {port}\n\
             system_id = \"bench\"\npassword = \"bench\"\nwindow = {WINDOW}\n\n\
             [[sms_routes]]\nname = \"beside\"\nvendor = \"beside\"\n\n",
            ban = super::provision::BAN,
            host = self.smsc.addr.ip(),
            port = self.smsc.addr.port(),
        )
    }

    /// Begins once the node is bound at the SMSC.
    pub(super) async fn begin(self, node: &Node) -> anyhow::Result<Flow> {
        vendor_bound(&self.smsc.counters, 1).await?;
        let address = node.ports.smpp.first().copied().context("the node listens on no SMPP port")?;
        let options = EsmeOptions {
            sessions: SESSIONS,
            window: WINDOW,
            rate: self.rate,
            total: None,
            ..EsmeOptions::new(address, ACCOUNT.0, ACCOUNT.1)
        };
        let esme = Esme::start(options, self.ledger).await?;
        Ok(Flow { esme, begun: Instant::now(), _smsc: self.smsc })
    }
}

impl Flow {
    /// Ends it, and tells how it went.
    pub(super) async fn end(self, outcome: &mut Outcome) {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let counters = Arc::clone(&self.esme.counters);
        outcome.set("messages_per_s", per_second(counters.resp.count(), elapsed));
        outcome.set("messages_p50_us", counters.resp.quantile_us(500));
        outcome.set("messages_p99_us", counters.resp.quantile_us(990));
        outcome.set("messages_max_us", counters.resp.max_us());
        let lost = counters.lost_connections.load(Ordering::Relaxed);
        self.esme.stop().await;
        let refused: u64 = counters.refusals.lock().values().sum();
        if refused + lost > 0 {
            outcome.invalidate("messages were refused, or a connection of theirs was lost");
        }
    }
}
