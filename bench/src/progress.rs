//! The line that tells how a run is going.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::ledger::{Ledger, Live};
use crate::print;

const EVERY: Duration = Duration::from_millis(500);

/// Keeps the line current until it is dropped.
#[derive(Debug)]
pub struct Progress {
    writing: JoinHandle<()>,
}

impl Progress {
    /// Starts writing about the messages of `ledger`.
    pub fn start(title: &str, ledger: Arc<Ledger>) -> Self {
        Self { writing: tokio::spawn(write(title.to_owned(), ledger)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.writing.abort();
        print::progress_over();
    }
}

/// What the line says about the messages so far.
pub fn line(live: &Live) -> String {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
    format!(
        "{} submitted, {} accepted, {} refused, {} at the SMSC, {} receipts",
        count(&live.submitted),
        count(&live.accepted),
        count(&live.refused),
        count(&live.reached),
        count(&live.receipts),
    )
}

async fn write(title: String, ledger: Arc<Ledger>) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(EVERY);
    let mut last = (0, started);
    loop {
        let now = ticks.tick().await;
        let settled = ledger.live().settled.load(Relaxed);
        let seconds = now.saturating_duration_since(last.1).as_secs_f64();
        let rate = if seconds > 0.0 { (settled - last.0) as f64 / seconds } else { 0.0 };
        last = (settled, now);
        let elapsed = started.elapsed().as_secs();
        print::progress(&format!("{title} {elapsed} s: {}, {rate:.0}/s", line(ledger.live())));
    }
}
