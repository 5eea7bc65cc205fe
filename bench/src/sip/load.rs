//! The parameters of one SIP run.

use std::time::Duration;

use crate::report::Outcome;

/// Calls offered at one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Calls a second.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Whole calls: INVITE, ACK, BYE.
    Calls,
    /// OPTIONS to the subject itself.
    Options,
}

/// Calls of one run; the default is 1,000 a second for 10 s, each of 1.1 s.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name in results.
    pub scenario: String,
    /// What is offered.
    pub work: Work,
    /// One after another.
    pub stages: Vec<Stage>,
    /// From the vendor's 180 to its 200.
    pub ring: Duration,
    /// From the customer's ACK to its BYE.
    pub hold: Duration,
    /// How long the customer waits for a final response to INVITE once there was a provisional one, beside `ring`.
    pub patience: Duration,
    /// The customer's sockets.
    pub uac_sockets: usize,
    /// The vendor's sockets.
    pub uas_sockets: usize,
    /// Threads of the customer.
    pub uac_threads: usize,
    /// Threads of the vendor.
    pub uas_threads: usize,
    /// The generator's threads rest so long after each round: less of its processor time, coarser latencies.
    pub coalesce: Duration,
    /// Processor time and memory of the subject are watched so long beyond the last call: what ends late counts.
    pub settle: Duration,
    /// Whether memory is wanted per call that is up.
    pub per_live_call: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            scenario: "sip/calls".to_owned(),
            work: Work::Calls,
            stages: vec![Stage { rate: 1_000.0, duration: Duration::from_secs(10) }],
            ring: Duration::from_millis(100),
            hold: Duration::from_secs(1),
            patience: Duration::from_secs(32),
            uac_sockets: 4,
            uas_sockets: 2,
            uac_threads: 1,
            uas_threads: 1,
            coalesce: Duration::ZERO,
            settle: Duration::from_secs(6),
            per_live_call: false,
        }
    }
}

impl Stage {
    /// Calls in it.
    pub fn calls(&self) -> u64 {
        let calls = (self.rate * self.duration.as_secs_f64()).round();
        if calls.is_finite() && calls > 0.0 { whole(calls) } else { 0 }
    }
}

impl Load {
    /// The highest rate of its stages.
    pub fn rate_max(&self) -> f64 {
        self.stages.iter().map(|stage| stage.rate).fold(0.0, f64::max)
    }

    /// The same load at one rate.
    pub fn at(&self, rate: f64, duration: Duration) -> Self {
        Self { stages: vec![Stage { rate, duration }], ..self.clone() }
    }

    /// Writes the parameters into a result.
    pub(crate) fn describe(&self, outcome: &mut Outcome) {
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        let stages = self.stages.iter().map(|stage| vec![stage.rate, stage.duration.as_secs_f64()]);
        outcome.set("stages_rate_seconds", serde_json::json!(stages.collect::<Vec<_>>()));
        outcome.set("ring_ms", millis(self.ring));
        outcome.set("hold_ms", millis(self.hold));
        outcome.set("uac_sockets", self.uac_sockets);
        outcome.set("uas_sockets", self.uas_sockets);
        outcome.set("uac_threads", self.uac_threads);
        outcome.set("uas_threads", self.uas_threads);
        outcome.set("coalesce_us", self.coalesce.as_secs_f64() * 1e6);
        outcome.set("settle_s", self.settle.as_secs_f64());
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller has looked: positive, and a cast saturates"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}
