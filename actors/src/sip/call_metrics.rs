//! What calls do, by vendor and by trunk: attempts, answers, post-dial delay, duration.
//!
//! Counted by the actors of dialogs, off the path of packets. Labels are names of the configuration; so that they stay
//! few, trunks and vendors beyond [`PARTIES_MAX`] of each kind are `other` together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, Opts};
use runtime::log::{CallDirection, Cdr};
use runtime::telemetry::metrics::Metrics;
use uuid::Uuid;

use super::event::{Attempted, CallEvent, What};
use super::live_call::LiveCall;
use super::snapshot::Snapshot;
use super::toll_fraud::{Alert, Spent, Watch};

/// Names of one kind that are told apart.
pub const PARTIES_MAX: usize = 1000;
const OTHER: &str = "other";

/// Seconds: a phone rings after some, a vendor that is away is given up after `pdd_timeout`.
const PDD_SECONDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Seconds: false answers are short, conversations are minutes.
const CALL_SECONDS: [f64; 7] = [1.0, 6.0, 30.0, 60.0, 180.0, 600.0, 3600.0];

/// Every handle, registered once per node.
#[derive(Debug)]
pub struct CallMetrics {
    vendors: Arc<Parties>,
    trunks: Arc<Parties>,
    toll_fraud_alerts: IntCounterVec,
    /// What trunks spend; those beyond [`PARTIES_MAX`] are watched as one.
    watches: Mutex<HashMap<Uuid, Watch>>,
    /// When the node began to watch.
    began: Instant,
}

/// Names of one kind.
#[derive(Debug)]
struct Parties {
    attempts: IntCounterVec,
    answers: IntCounterVec,
    pdd: HistogramVec,
    seconds: HistogramVec,
    known: RwLock<HashMap<Uuid, Arc<Party>>>,
}

/// One trunk or vendor, looked up once.
#[derive(Debug)]
struct Party {
    name: String,
    attempts: IntCounter,
    answers: IntCounter,
    pdd: Histogram,
    seconds: Histogram,
}

impl CallMetrics {
    /// Registers everything in a node's registry.
    #[must_use]
    pub fn new(registry: &Metrics) -> Self {
        let r = registry;
        let vendors = Parties {
            attempts: r.counter_vec(
                "warp_sip_vendor_attempts_total",
                "attempts that ended or were answered",
                &["vendor"],
            ),
            answers: r.counter_vec("warp_sip_vendor_answers_total", "attempts answered", &["vendor"]),
            pdd: r.histogram_vec(
                "warp_sip_vendor_pdd_seconds",
                "from the INVITE to the vendor's first 180, 183 or 200, seconds",
                &PDD_SECONDS,
                &["vendor"],
            ),
            seconds: r.histogram_vec(
                "warp_sip_vendor_call_seconds",
                "duration of answered calls that ended, seconds",
                &CALL_SECONDS,
                &["vendor"],
            ),
            known: RwLock::default(),
        };
        let trunks = Parties {
            attempts: r.counter_vec("warp_sip_trunk_attempts_total", "calls that began", &["trunk"]),
            answers: r.counter_vec("warp_sip_trunk_answers_total", "calls answered", &["trunk"]),
            pdd: r.histogram_vec(
                "warp_sip_trunk_pdd_seconds",
                "from the INVITE to the first 180, 183 or 200 of whoever took it, seconds",
                &PDD_SECONDS,
                &["trunk"],
            ),
            seconds: r.histogram_vec(
                "warp_sip_trunk_call_seconds",
                "duration of answered calls that ended, seconds",
                &CALL_SECONDS,
                &["trunk"],
            ),
            known: RwLock::default(),
        };
        let (vendors, trunks) = (Arc::new(vendors), Arc::new(trunks));
        for (kind, parties) in [("vendor", &vendors), ("trunk", &trunks)] {
            if let Some(ratios) = Ratios::new(kind, parties)
                && let Err(error) = registry.register(ratios)
            {
                tracing::error!(%error, kind, "ratios of calls are not shown");
            }
        }
        let toll_fraud_alerts = r.counter_vec(
            "warp_sip_toll_fraud_alerts_total",
            "minutes with many more expensive calls than usual, one an hour at most",
            &["trunk"],
        );
        let began = tokio::time::Instant::now().into_std();
        Self { vendors, trunks, toll_fraud_alerts, watches: Mutex::default(), began }
    }

    /// A call began.
    pub fn on_begun(&self, call: &LiveCall, snapshot: &Snapshot) {
        self.trunk(call, snapshot).attempts.inc();
    }

    /// What happened to a call, before it is applied to it.
    pub fn on_event(&self, call: &LiveCall, event: &CallEvent, snapshot: &Snapshot) {
        match &event.what {
            // The attempts of an inbound call are at the customer's gateways.
            What::Attempted(attempted) if !call.is_inbound() => {
                self.on_attempted(attempted, snapshot);
            }
            What::Answered(_) => self.trunk(call, snapshot).answers.inc(),
            What::Attempted(_) | What::Started(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => {}
        }
    }

    /// A call rings for the first time, or was answered without ringing.
    pub fn on_pdd(&self, call: &LiveCall, pdd: Duration, snapshot: &Snapshot) {
        self.trunk(call, snapshot).pdd.observe(pdd.as_secs_f64());
    }

    /// A call that was up has ended.
    pub fn on_ended(&self, cdr: &Cdr, snapshot: &Snapshot) {
        if cdr.answered_at.is_none() {
            return;
        }
        let seconds = Duration::from_millis(cdr.duration_ms).as_secs_f64();
        self.trunks.of(cdr.trunk, || trunk_name(snapshot, cdr.trunk)).seconds.observe(seconds);
        if let Some(vendor) = cdr.vendor.filter(|_| cdr.direction == CallDirection::Outbound) {
            self.vendors.of(vendor, || vendor_name(snapshot, vendor)).seconds.observe(seconds);
        }
    }

    /// A vendor answered: the operator is told when the trunk's calls are of a sudden expensive, `factor` times as many
    /// as usual.
    pub fn on_spent(&self, call: &LiveCall, event: &CallEvent, (snapshot, factor): (&Snapshot, u32)) {
        let What::Attempted(attempted) = &event.what else { return };
        if factor == 0 || call.is_inbound() || !attempted.status.is_success() {
            return;
        }
        let (trunk, _) = call.between();
        let spent = Spent { rate: attempted.rate, high_cost: attempted.high_cost };
        let Some(alert) = self.watch(trunk, spent, factor, event.at.instant) else { return };
        let name = &self.trunk(call, snapshot).name;
        self.toll_fraud_alerts.with_label_values(&[name]).inc();
        tracing::warn!(
            trunk = name, trunk_id = %trunk, calls_per_minute = alert.calls, usual_per_minute = alert.usual,
            spend_per_minute = %alert.spend, last_prefix = attempted.prefix,
            "a trunk has many more expensive calls than usual, which may be toll fraud: ask the customer, and until then \
             deny the destinations or lower rate_max of the trunk, and end its calls (warp calls)"
        );
    }

    fn watch(&self, trunk: Uuid, spent: Spent, factor: u32, now: Instant) -> Option<Alert> {
        let mut watches = self.watches.lock();
        let room = watches.len() < PARTIES_MAX || watches.contains_key(&trunk);
        let of = if room { trunk } else { Uuid::nil() };
        watches.entry(of).or_insert_with(|| Watch::new(self.began)).answered(spent, factor, now)
    }

    fn on_attempted(&self, attempted: &Attempted, snapshot: &Snapshot) {
        let Some(id) = attempted.vendor_id else { return };
        let vendor = self.vendors.of(id, || vendor_name(snapshot, id));
        vendor.attempts.inc();
        if attempted.status.is_success() {
            vendor.answers.inc();
        }
        if let Some(ringing) = attempted.ringing {
            let pdd = ringing.instant.saturating_duration_since(attempted.started.instant);
            vendor.pdd.observe(pdd.as_secs_f64());
        }
    }

    fn trunk(&self, call: &LiveCall, snapshot: &Snapshot) -> Arc<Party> {
        let (id, _) = call.between();
        self.trunks.of(id, || trunk_name(snapshot, id))
    }
}

fn trunk_name(snapshot: &Snapshot, id: Uuid) -> Option<&str> {
    let trunk = snapshot.trunks.iter().find(|trunk| trunk.config.id == id);
    trunk.map(|trunk| trunk.config.name.as_str())
}

fn vendor_name(snapshot: &Snapshot, id: Uuid) -> Option<&str> {
    let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.id == id);
    vendor.map(|vendor| vendor.config.name.as_str())
}

impl Parties {
    /// The handles of one; its name is asked for the first time only.
    fn of<'a>(&self, id: Uuid, name: impl FnOnce() -> Option<&'a str>) -> Arc<Party> {
        if let Some(known) = self.known.read().get(&id) {
            return Arc::clone(known);
        }
        let name = name().filter(|_| self.known.read().len() < PARTIES_MAX);
        let party = Arc::new(self.party(name.unwrap_or(OTHER)));
        // One without a name of its own is looked for again: the list of those that are known is bounded.
        if name.is_some() {
            self.known.write().insert(id, Arc::clone(&party));
        }
        party
    }

    fn party(&self, name: &str) -> Party {
        Party {
            name: name.to_owned(),
            attempts: self.attempts.with_label_values(&[name]),
            answers: self.answers.with_label_values(&[name]),
            pdd: self.pdd.with_label_values(&[name]),
            seconds: self.seconds.with_label_values(&[name]),
        }
    }
}

/// ASR and ACD, since the node's start, made when they are asked for.
struct Ratios {
    parties: Arc<Parties>,
    asr: GaugeVec,
    acd: GaugeVec,
}

impl Ratios {
    /// `None` when a name is no name of a metric, which a test would show.
    fn new(kind: &'static str, parties: &Arc<Parties>) -> Option<Self> {
        let asr =
            Opts::new(format!("warp_sip_{kind}_asr_ratio"), "answers per attempt since the node's start");
        let acd = Opts::new(
            format!("warp_sip_{kind}_acd_seconds"),
            "mean duration of answered calls since the node's start",
        );
        Some(Self {
            parties: Arc::clone(parties),
            asr: GaugeVec::new(asr, &[kind]).ok()?,
            acd: GaugeVec::new(acd, &[kind]).ok()?,
        })
    }
}

impl Collector for Ratios {
    fn desc(&self) -> Vec<&Desc> {
        self.asr.desc().into_iter().chain(self.acd.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for party in self.parties.known.read().values() {
            let attempts = party.attempts.get();
            if attempts > 0 {
                let asr = party.answers.get() as f64 / attempts as f64;
                self.asr.with_label_values(&[&party.name]).set(asr);
            }
            let ended = party.seconds.get_sample_count();
            if ended > 0 {
                let acd = party.seconds.get_sample_sum() / ended as f64;
                self.acd.with_label_values(&[&party.name]).set(acd);
            }
        }
        self.asr.collect().into_iter().chain(self.acd.collect()).collect()
    }
}

#[cfg(test)]
mod tests;
