//! Metrics of calls: the workers' counters, read when they are asked for.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts};
use runtime::log::CallTotals;
use runtime::telemetry::metrics::Metrics;

use super::calls::Calls;

struct Workers {
    calls: Arc<Calls>,
    descriptions: Vec<Desc>,
}

/// Registers the counters of a node's calls.
///
/// # Errors
/// When a name of them is registered already.
pub fn register(metrics: &Metrics, calls: &Arc<Calls>) -> Result<(), prometheus::Error> {
    let names = counted(calls).map(|(name, help, _)| (name, help));
    let live = ("warp_sip_active_dialogs".to_owned(), LIVE);
    let plain =
        names.chain([live, (LEFT.to_owned(), LEFT_HELP)]).map(|(name, help)| (name, help, Vec::new()));
    let labels = LABELS.map(str::to_owned).to_vec();
    let descriptions = plain.chain([(REGISTERED.to_owned(), REGISTERED_HELP, labels)]);
    let descriptions = descriptions.filter_map(|(name, help, labels)| {
        Desc::new(name, help.to_owned(), labels, std::collections::HashMap::new()).ok()
    });
    let bound = registrations(calls);
    let bound = bound.iter().flat_map(|bound| bound.desc().into_iter().cloned());
    let descriptions = descriptions.chain(bound).collect();
    metrics.register(Workers { calls: Arc::clone(calls), descriptions })
}

const LIVE: &str = "Calls that live, early ones too.";
const LEFT: &str = "warp_sip_own_certificate_seconds_left";
const LEFT_HELP: &str = "Seconds until the certificate that calls are signed with ends; below 0 when it has.";
const REGISTERED: &str = "warp_sip_vendor_registered";
const REGISTERED_HELP: &str = "1 while a vendor's gateway has our registration, else 0.";
const LABELS: [&str; 2] = ["vendor", "gateway"];

/// Registrations at vendors: there are few.
fn registered(calls: &Calls) -> Vec<MetricFamily> {
    let Ok(gauges) = IntGaugeVec::new(Opts::new(REGISTERED, REGISTERED_HELP), &LABELS) else {
        return Vec::new();
    };
    let (snapshot, now) = (calls.snapshot.load(), calls.now().instant);
    let mut some = false;
    for vendor in &snapshot.vendors {
        for target in &vendor.targets {
            let Some(registration) = &target.registration else { continue };
            let gateway = target.address.to_string();
            let gauge = gauges.with_label_values(&[vendor.config.name.as_str(), gateway.as_str()]);
            gauge.set(i64::from(registration.is_there(now)));
            some = true;
        }
    }
    if some { gauges.collect() } else { Vec::new() }
}

/// Contacts that trunks have registered, at this node or at others of its database.
fn registrations(calls: &Calls) -> Option<IntGaugeVec> {
    let options = Opts::new("warp_sip_registrations", "Contacts that trunks have registered.");
    let gauge = IntGaugeVec::new(options, &["transport"]).ok()?;
    for (transport, count) in calls.registrar.bindings.count(calls.clock.now()) {
        gauge.with_label_values(&[transport.as_str()]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    Some(gauge)
}

/// How long our own certificate is good, where that is known.
fn left(calls: &Calls) -> Option<IntGauge> {
    let ends_at = i64::try_from(calls.settings.identities.ends_at()?).ok()?;
    let gauge = IntGauge::with_opts(Opts::new(LEFT, LEFT_HELP)).ok()?;
    gauge.set(ends_at.saturating_sub(calls.clock.now().micros() / 1_000_000));
    Some(gauge)
}

/// Name, meaning and sum of every counter: the workers', and what became of records.
fn counted(calls: &Calls) -> impl Iterator<Item = (String, &'static str, u64)> {
    let workers = calls.counters.all();
    let workers = workers.map(|(name, help, sum)| (format!("warp_sip_{name}_total"), help, sum));
    let CallTotals { cdrs, cdrs_repeated, dialogs_dropped } = calls.log.call_totals();
    let records = [
        ("warp_log_cdrs_total", "Call records made durable.", cdrs),
        ("warp_log_cdrs_repeated_total", "Call records of calls that had one, not written.", cdrs_repeated),
        (
            "warp_log_dialogs_dropped_total",
            "Records of calls that are up, not kept for want of room.",
            dialogs_dropped,
        ),
    ];
    workers.chain(records.map(|(name, help, sum)| (name.to_owned(), help, sum)))
}

impl Collector for Workers {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counted = counted(&self.calls).flat_map(|(name, help, sum)| {
            let counter = IntCounter::with_opts(Opts::new(name, help)).ok();
            counter.into_iter().flat_map(move |counter| {
                counter.inc_by(sum);
                counter.collect()
            })
        });
        let live = IntGauge::with_opts(Opts::new("warp_sip_active_dialogs", LIVE)).ok();
        let live = live.into_iter().flat_map(|gauge| {
            gauge.set(i64::try_from(self.calls.live()).unwrap_or(i64::MAX));
            gauge.collect()
        });
        let bound = registrations(&self.calls).into_iter().flat_map(|gauge| gauge.collect());
        let left = left(&self.calls).into_iter().flat_map(|gauge| gauge.collect());
        counted.chain(live).chain(bound).chain(left).chain(registered(&self.calls)).collect()
    }
}
