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
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
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

    /// A gauge of fractions.
    pub fn gauge_f64(&self, name: &'static str, help: &'static str) -> Gauge {
        self.once(name, || Gauge::new(name, help))
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
mod tests {
    use super::{Metrics, cpu_ticks, resident};

    #[test]
    fn a_name_is_registered_once() {
        let metrics = Metrics::new();
        metrics.counter("warp_test_total", "things").inc();
        let shared = metrics.clone();
        shared.counter("warp_test_total", "things").inc();
        metrics.counter_vec("warp_by_total", "things by kind", &["kind"]).with_label_values(&["a"]).inc();
        metrics.gauge("warp_depth", "depth").set(-3);
        metrics.gauge_vec("warp_depths", "depths", &["queue"]).with_label_values(&["q"]).set(4);
        metrics.gauge_f64("warp_ratio", "ratio").set(0.5);
        metrics.histogram("warp_wait_seconds", "waits", &[0.1, 1.0]).observe(0.5);
        metrics
            .histogram_vec("warp_waits_seconds", "waits", &[1.0], &["q"])
            .with_label_values(&["q"])
            .observe(2.0);
        let text = metrics.render();
        for line in [
            "warp_test_total 2",
            "warp_by_total{kind=\"a\"} 1",
            "warp_depth -3",
            "warp_depths{queue=\"q\"} 4",
            "warp_ratio 0.5",
            "warp_wait_seconds_bucket{le=\"0.1\"} 0",
            "warp_wait_seconds_bucket{le=\"1\"} 1",
            "warp_waits_seconds_count{q=\"q\"} 1",
            "# TYPE warp_process_cpu_seconds_total counter",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let resident =
            text.lines().find_map(|line| line.strip_prefix("warp_process_resident_bytes ")).unwrap();
        assert!(resident.parse::<u64>().unwrap() > 100_000);
    }

    #[test]
    fn two_nodes_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.counter("warp_test_total", "things").inc();
        assert_eq!(other.counter("warp_test_total", "things").get(), 0);
    }

    #[test]
    #[should_panic(expected = "metric warp_test is registered as another kind")]
    fn one_name_two_kinds() {
        let metrics = Metrics::new();
        metrics.counter("warp_test", "things");
        metrics.gauge("warp_test", "things");
    }

    #[test]
    fn proc_files() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 1 0 100 1000 200";
        assert_eq!(cpu_ticks(stat), Some(281));
        assert_eq!(resident("Name:\twarp\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        for broken in ["", "7 (a", "7 (a) S 1", "VmRSS:", "VmRSS: x kB"] {
            assert_eq!((cpu_ticks(broken), resident(broken)), (None, None), "{broken}");
        }
    }
}
