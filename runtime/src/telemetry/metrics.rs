//! Metrics of one node in Prometheus' text format. Never process-global: several nodes share a process in
//! tests.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    TextEncoder,
};

/// The metrics of one node. Clones are the same.
///
/// Names, helps and labels are words of the program, given once each; asking again for a registered name
/// returns the handle that exists.
///
/// # Panics
/// The registering calls panic when a name is not a metric name, or is registered already as another kind:
/// both are mistakes in the program that its first start shows.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    registry: prometheus::Registry,
    handles: Mutex<HashMap<&'static str, Box<dyn Any + Send>>>,
}

impl Metrics {
    /// No metrics yet but those of the process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whatever tells its numbers when it is asked. Its names must be its own.
    ///
    /// # Errors
    /// When a name of it is registered already.
    pub fn register(&self, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
        self.0.registry.register(Box::new(collector))
    }

    /// A counter.
    pub fn counter(&self, name: &'static str, help: &'static str) -> IntCounter {
        self.once(name, || IntCounter::new(name, help))
    }

    /// Counters by labels.
    pub fn counter_vec(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
    ) -> IntCounterVec {
        self.once(name, || IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A gauge of whole numbers.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> IntGauge {
        self.once(name, || IntGauge::new(name, help))
    }

    /// Gauges by labels.
    pub fn gauge_vec(&self, name: &'static str, help: &'static str, labels: &[&'static str]) -> IntGaugeVec {
        self.once(name, || IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A histogram; `buckets` are upper bounds, rising, in the unit of the name.
    pub fn histogram(&self, name: &'static str, help: &'static str, buckets: &[f64]) -> Histogram {
        self.once(name, || Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    /// Histograms by labels.
    pub fn histogram_vec(
        &self,
        name: &'static str,
        help: &'static str,
        buckets: &[f64],
        labels: &[&'static str],
    ) -> HistogramVec {
        let opts = || HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.once(name, || HistogramVec::new(opts(), labels))
    }

    /// All metrics in the text format 0.0.4, the process's own read at this moment.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.0.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        write_process(&mut text);
        text
    }

    #[expect(clippy::panic, reason = "mistakes in the program, shown by its first start; see the type's doc")]
    fn once<T>(&self, name: &'static str, make: impl FnOnce() -> prometheus::Result<T>) -> T
    where
        T: Collector + Clone + 'static,
    {
        let mut handles = self.0.handles.lock();
        if let Some(handle) = handles.get(name) {
            let Some(handle) = handle.downcast_ref::<T>() else {
                panic!("metric {name} is registered as another kind")
            };
            return handle.clone();
        }
        let registered = make().and_then(|handle| {
            self.0.registry.register(Box::new(handle.clone()))?;
            Ok(handle)
        });
        match registered {
            Ok(handle) => {
                handles.insert(name, Box::new(handle.clone()));
                handle
            }
            Err(error) => panic!("metric {name} cannot be registered: {error}"),
        }
    }
}

/// Ticks of /proc/self/stat in a second: `USER_HZ`, 100 on every Linux that we run on.
const TICKS_PER_SECOND: u64 = 100;

fn write_process(out: &mut String) {
    // Writing to a String cannot fail.
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_ticks(&stat)) {
        let (seconds, hundredths) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
        let _ = write!(
            out,
            "# HELP warp_process_cpu_seconds_total user and system CPU time of the process\n\
             # TYPE warp_process_cpu_seconds_total counter\n\
             warp_process_cpu_seconds_total {seconds}.{hundredths:02}\n"
        );
    }
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().and_then(|status| resident(&status)) {
        let _ = write!(
            out,
            "# HELP warp_process_resident_bytes memory of the process held in RAM\n\
             # TYPE warp_process_resident_bytes gauge\n\
             warp_process_resident_bytes {bytes}\n"
        );
    }
}

/// utime + stime, fields 14 and 15 of proc_pid_stat(5). Field 2, the command, may hold spaces and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut times = after_command.split_ascii_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    user.checked_add(system)
}

/// VmRSS of proc_pid_status(5), in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests;
