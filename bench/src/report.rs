//! What a run found: one JSON object, the same keys for every scenario of the harness.

use serde::Serialize;
use serde_json::{Map, Value};

/// The result of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Which load, such as `smpp/sustained`.
    pub scenario: String,
    /// What was measured: `warp`, a peer's name, or `none` for the generator against itself.
    pub subject: String,
    /// What is counted.
    pub unit: &'static str,
    /// Units a second that the generator offered: the rate asked for, or what it wrote when unlimited.
    pub offered_per_s: f64,
    /// Units a second that were carried through to the end.
    pub achieved_per_s: f64,
    /// Units offered.
    pub total: u64,
    /// Units of which the customer knows that they failed.
    pub failed: u64,
    /// Acknowledged units that vanished, on either way.
    pub lost: u64,
    /// Copies too many, on either way.
    pub duplicates: u64,
    /// Median time to the acknowledgement.
    pub p50_us: Option<u64>,
    /// Its 99th percentile.
    pub p99_us: Option<u64>,
    /// Its maximum.
    pub max_us: Option<u64>,
    /// Processor time of the subject's processes for one unit.
    pub cpu_us_per_unit: Option<f64>,
    /// The largest resident memory of the subject's processes.
    pub rss_kb: Option<u64>,
    /// Whether the figures mean anything; if not, `settings.invalid_because` says why.
    pub valid: bool,
    /// Figures that only some scenarios have.
    #[serde(flatten)]
    pub figures: Figures,
    /// The parameters of the run, and details.
    pub settings: Map<String, Value>,
}

/// Figures of SMPP scenarios, and of SIP ones where they are given.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Figures {
    /// Median time from submission to the receipt, the SMSC's own delay included.
    pub dlr_p50_us: Option<u64>,
    /// Its 99th percentile.
    pub dlr_p99_us: Option<u64>,
    /// Median time of the node's fsync during the run, as the node measured it.
    pub fsync_p50_us: Option<u64>,
    /// Its 99th percentile.
    pub fsync_p99_us: Option<u64>,
    /// Requests and responses that the generator had to send again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmissions: Option<u64>,
    /// Median time from INVITE to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_100_p50_us: Option<u64>,
    /// Its 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_100_p99_us: Option<u64>,
    /// Memory that the subject took for each call that was up, beyond what it had when idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kb_per_live_call: Option<f64>,
}

impl Outcome {
    /// An empty result.
    pub fn new(scenario: &str, subject: &str, unit: &'static str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            subject: subject.to_owned(),
            unit,
            offered_per_s: 0.0,
            achieved_per_s: 0.0,
            total: 0,
            failed: 0,
            lost: 0,
            duplicates: 0,
            p50_us: None,
            p99_us: None,
            max_us: None,
            cpu_us_per_unit: None,
            rss_kb: None,
            valid: true,
            figures: Figures::default(),
            settings: Map::new(),
        }
    }

    /// Adds a setting or detail.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.settings.insert(key.to_owned(), value.into());
    }

    /// Declares the run invalid, saying why.
    pub fn invalidate(&mut self, reason: impl Into<String>) {
        self.valid = false;
        let reasons = self.settings.entry("invalid_because").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(reasons) = reasons {
            reasons.push(Value::String(reason.into()));
        }
    }
}

/// A figure as it is printed: one digit after the point.
pub fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// How many a second `count` in `seconds` makes; 0 when no time passed.
pub fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { rounded(count as f64 / seconds) } else { 0.0 }
}
