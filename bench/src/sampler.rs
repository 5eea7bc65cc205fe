//! Watches the subject's processes and the generator's own during a run.

use std::time::Duration;

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::process::{Usage, usage};

const EVERY: Duration = Duration::from_secs(1);
/// Samples kept for a report.
const KEPT: usize = 60;

/// Samples once a second until it is finished or dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    processes: Vec<u32>,
    before: Option<Usage>,
    generator_before: Option<Usage>,
    started: Instant,
    rss: Arc<Mutex<Vec<(u64, u64)>>>,
    sampling: JoinHandle<()>,
}

/// What was used between start and finish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    /// By the subject; `None` when it has no processes known to us, or one of them ended.
    pub(crate) cpu: Option<Duration>,
    /// The subject's largest memory.
    pub(crate) rss_kb: Option<u64>,
    /// Seconds since the start, and the subject's memory then.
    pub(crate) rss_over_time: Vec<(u64, u64)>,
    /// The generator's share of all processors, 0 to 1.
    pub(crate) generator_share: f64,
}

impl Sampler {
    pub(crate) fn start(processes: Vec<u32>) -> Self {
        let rss = Arc::new(Mutex::new(Vec::new()));
        let started = Instant::now();
        Self {
            before: usage(&processes),
            generator_before: usage(&[std::process::id()]),
            sampling: tokio::spawn(sample(processes.clone(), started, Arc::clone(&rss))),
            processes,
            started,
            rss,
        }
    }

    pub(crate) fn finish(self) -> Samples {
        let mut rss_over_time = std::mem::take(&mut *self.rss.lock());
        let now = usage(&self.processes);
        let rss_now = now.map(|usage| usage.rss_kb);
        let rss_kb = rss_over_time.iter().map(|(_, kb)| *kb).chain(rss_now).max();
        let step = rss_over_time.len().div_ceil(KEPT).max(1);
        rss_over_time = rss_over_time.into_iter().step_by(step).collect();
        let known = !self.processes.is_empty();
        Samples {
            cpu: spent(self.before, now).filter(|_| known),
            rss_kb: rss_kb.filter(|_| known),
            rss_over_time,
            generator_share: self.generator_share(),
        }
    }

    fn generator_share(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let spent = spent(self.generator_before, usage(&[std::process::id()])).unwrap_or_default();
        let available = self.started.elapsed().as_secs_f64() * cores as f64;
        if available > 0.0 { spent.as_secs_f64() / available } else { 0.0 }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.sampling.abort();
    }
}

fn spent(before: Option<Usage>, after: Option<Usage>) -> Option<Duration> {
    Some(after?.cpu.saturating_sub(before?.cpu))
}

async fn sample(processes: Vec<u32>, started: Instant, rss: Arc<Mutex<Vec<(u64, u64)>>>) {
    let mut ticks = tokio::time::interval(EVERY);
    while !processes.is_empty() {
        ticks.tick().await;
        if let Some(usage) = usage(&processes) {
            rss.lock().push((started.elapsed().as_secs(), usage.rss_kb));
        }
    }
}
