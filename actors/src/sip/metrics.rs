//! Metrics of calls: the workers' counters, read when they are asked for.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Opts};
use runtime::telemetry::metrics::Metrics;

use super::calls::Calls;

struct Workers {
    calls: Arc<Calls>,
    descriptions: Vec<Desc>,
}

/// Registers the counters of a node's calls.
pub fn register(metrics: &Metrics, calls: &Arc<Calls>) {
    let names = calls.counters.all().map(|(name, help, _)| (total(name), help));
    let live = ("warp_sip_active_dialogs".to_owned(), LIVE);
    let descriptions = names.chain([live]).filter_map(|(name, help)| {
        Desc::new(name, help.to_owned(), Vec::new(), std::collections::HashMap::new()).ok()
    });
    metrics.register(Workers { calls: Arc::clone(calls), descriptions: descriptions.collect() });
}

const LIVE: &str = "Calls that live, early ones too.";

fn total(name: &str) -> String {
    format!("warp_sip_{name}_total")
}

impl Collector for Workers {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counted = self.calls.counters.all().flat_map(|(name, help, sum)| {
            let counter = IntCounter::with_opts(Opts::new(total(name), help)).ok();
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
        counted.chain(live).collect()
    }
}
