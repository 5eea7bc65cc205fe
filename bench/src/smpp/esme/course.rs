//! A generator's run seen from outside: when it stopped submitting, and when everything was settled.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::{Counters, LOOK_EVERY};
use crate::ledger::Ledger;
use crate::pace::Pace;

/// How a customer's run went, in time.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// From the first submission until submitting stopped.
    pub submitting: Duration,
    /// From the first submission until the last message was settled, or nothing moved any more.
    pub elapsed: Duration,
    /// Messages of the ledger that were settled when submitting stopped and the path delay was over.
    pub settled_in_time: u64,
    /// Whether everything accepted was settled in the end.
    pub settled: bool,
}

/// A report, and what only the harness's own results need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    pub(crate) report: Report,
    /// Messages of the ledger that were settled in the end.
    pub(crate) settled_in_all: u64,
    /// Whether messages were still moving when the time to wait for them was over: those that were not settled
    /// then are late rather than lost.
    pub(crate) cut_off: bool,
}

/// What a run is judged by.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) pace: Pace,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) counters: Arc<Counters>,
    /// Nothing more is expected when nothing has moved for so long.
    pub(crate) quiet: Duration,
    /// Nothing more is waited for after so long.
    pub(crate) drain_max: Duration,
    /// What the far end delays on purpose.
    pub(crate) path_delay: Duration,
}

impl Course {
    /// Waits for the end of a run that started at `started`.
    pub(crate) async fn finish(&self, started: Instant) -> Finished {
        let stopped = self.submitted().await;
        tokio::time::sleep_until(stopped + self.path_delay).await;
        let settled_in_time = self.settled();
        let (end, at) = self.drained().await;
        let report = Report {
            submitting: stopped.duration_since(started),
            elapsed: at.duration_since(started),
            settled_in_time,
            settled: end == End::Settled,
        };
        Finished { report, settled_in_all: self.settled(), cut_off: end == End::CutOff }
    }

    /// When submitting stopped: the time is up, all is written, or no session can write any more.
    async fn submitted(&self) -> Instant {
        let mut quiet = Quiet::new(self.quiet);
        loop {
            let now = Instant::now();
            let written = self.counters.submitted.load(Relaxed);
            if self.pace.is_over(now, written) || quiet.is_over(now, written) {
                return now;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How the waiting ended, and when the last message was settled.
    async fn drained(&self) -> (End, Instant) {
        let mut quiet = Quiet::new(self.quiet + self.path_delay);
        let deadline = Instant::now() + self.path_delay + self.drain_max;
        loop {
            let now = Instant::now();
            let outstanding = self.counters.outstanding.load(Relaxed);
            if outstanding == 0 && self.ledger.is_settled() {
                return (End::Settled, now);
            }
            if quiet.is_over(now, self.settled().wrapping_sub(outstanding)) {
                return (End::Quiet, quiet.moved);
            }
            if now >= deadline {
                return (End::CutOff, quiet.moved);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn settled(&self) -> u64 {
        self.ledger.live().settled.load(Relaxed)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Settled,
    /// Nothing moved any more.
    Quiet,
    /// Something still moved, but not fast enough.
    CutOff,
}

/// Tells when a number has not moved for some time.
struct Quiet {
    limit: Duration,
    last: u64,
    moved: Instant,
}

impl Quiet {
    fn new(limit: Duration) -> Self {
        Self { limit, last: 0, moved: Instant::now() }
    }

    fn is_over(&mut self, now: Instant, value: u64) -> bool {
        if value != self.last {
            self.last = value;
            self.moved = now;
        }
        now.duration_since(self.moved) >= self.limit
    }
}
