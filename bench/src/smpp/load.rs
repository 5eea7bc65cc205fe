//! The parameters of one SMPP run.

use std::net::SocketAddr;
use std::time::Duration;

use crate::payload::Mix;
use crate::report::Outcome;
use crate::smpp::esme::EsmeOptions;
use crate::smpp::smsc::{IdFormat, SmscOptions};
use crate::subject::{Provision, Subject};

/// Submissions and receipts of one run; the default is 10 sessions with a window of 100, for a minute, as
/// fast as they are answered.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name in results.
    pub scenario: String,
    /// Customer sessions.
    pub sessions: usize,
    /// submit_sm outstanding per session.
    pub window: usize,
    /// submit_sm a second; 0 is as fast as they are answered.
    pub rate: f64,
    /// For how long to submit.
    pub duration: Duration,
    /// What to submit.
    pub mix: Mix,
    /// From the SMSC's answer to its receipt.
    pub receipt_delay: Duration,
    /// From the SMSC's submit_sm to its answer.
    pub answer_delay: Duration,
    /// The simulators acknowledge TCP segments at once.
    pub quick_ack: bool,
    /// The node's binds at the SMSC.
    pub vendor_binds: usize,
    /// The window of each.
    pub vendor_window: usize,
    /// The share of receipts that the SMSC ever sends; with 0 no receipt is asked for.
    pub receipts: f64,
    /// How the SMSC writes its ids.
    pub answer_id: IdFormat,
    /// The share of submit_sm that the SMSC throttles.
    pub throttled: f64,
    /// submit_sm a second per bind beyond which the SMSC throttles; 0 is no limit.
    pub vendor_throughput: u64,
    /// The SMSC loses a connection at every Nth submit_sm; 0 is never.
    pub drop_every: u64,
    /// How long the node keeps messages that have ended; its default without.
    pub retention: Option<Duration>,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            scenario: "smpp".to_owned(),
            sessions: 10,
            window: 100,
            rate: 0.0,
            duration: Duration::from_secs(60),
            mix: Mix::Gsm7,
            receipt_delay: Duration::from_millis(20),
            answer_delay: Duration::ZERO,
            quick_ack: true,
            vendor_binds: 2,
            vendor_window: 500,
            receipts: 1.0,
            answer_id: IdFormat::Hex,
            throttled: 0.0,
            vendor_throughput: 0,
            drop_every: 0,
            retention: None,
        }
    }
}

/// Messages that may wait for the vendor of a run.
const QUEUE_DEPTH_MAX: u32 = 100_000;

impl Load {
    /// The SMSC of this run.
    pub(crate) fn smsc(&self, listen: SocketAddr) -> SmscOptions {
        SmscOptions {
            listen,
            answer_delay: self.answer_delay,
            answer_id: self.answer_id,
            receipt_id: self.answer_id,
            receipt_delay: self.receipt_delay,
            receipt_share: self.receipts,
            throttled_share: self.throttled,
            throughput_max: self.vendor_throughput,
            drop_every: self.drop_every,
            quick_ack: self.quick_ack,
            ..SmscOptions::default()
        }
    }

    /// The customer of this run.
    pub(crate) fn esme(&self, subject: &Subject) -> EsmeOptions {
        EsmeOptions {
            sessions: self.sessions,
            window: self.window,
            rate: self.rate,
            total: None,
            duration: Some(self.duration),
            mix: self.mix,
            quick_ack: self.quick_ack,
            path_delay: self.receipt_delay + self.answer_delay,
            ..EsmeOptions::new(subject.smpp, &subject.system_id, &subject.password)
        }
    }

    /// What a node needs for this run.
    pub(crate) fn provision(&self, vendor: SocketAddr) -> Provision {
        Provision {
            system_id: "bench".to_owned(),
            password: "bench123".to_owned(),
            binds_max: self.sessions.max(1),
            window: self.window,
            vendor,
            vendor_binds: self.vendor_binds,
            vendor_window: self.vendor_window,
            queue_depth_max: QUEUE_DEPTH_MAX,
            retention: self.retention,
            retry_uncertain: self.drop_every > 0,
        }
    }

    /// The same load as fast as the generator can: no pace, no delay, no fault.
    pub(crate) fn flat_out(&self, duration: Duration) -> Self {
        Self {
            rate: 0.0,
            duration,
            receipt_delay: Duration::ZERO,
            answer_delay: Duration::ZERO,
            throttled: 0.0,
            vendor_throughput: 0,
            drop_every: 0,
            ..self.clone()
        }
    }

    /// Writes the parameters into a result.
    pub(crate) fn describe(&self, outcome: &mut Outcome) {
        outcome.set("sessions", self.sessions);
        outcome.set("window", self.window);
        outcome.set("rate", self.rate);
        outcome.set("seconds", self.duration.as_secs_f64());
        outcome.set("payload", self.mix.name());
        outcome.set("receipt_delay_ms", millis(self.receipt_delay));
        outcome.set("answer_delay_ms", millis(self.answer_delay));
        outcome.set("quick_ack", self.quick_ack);
        outcome.set("vendor_binds", self.vendor_binds);
        outcome.set("vendor_window", self.vendor_window);
        outcome.set("receipts", self.receipts);
        if self.throttled > 0.0 {
            outcome.set("throttled", self.throttled);
        }
        if self.vendor_throughput > 0 {
            outcome.set("vendor_throughput", self.vendor_throughput);
        }
        if self.drop_every > 0 {
            outcome.set("drop_every", self.drop_every);
        }
        if let Some(retention) = self.retention {
            outcome.set("retention_s", retention.as_secs());
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
