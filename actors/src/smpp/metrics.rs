//! Metrics of the SMPP actors. Names without `warp_` are those that dashboards already use.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use runtime::log::State;
use runtime::telemetry::metrics::Metrics as Registry;

/// Seconds; from 10 us to 10 s.
const LATENCY_SECONDS: [f64; 13] =
    [1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 1.0, 10.0];
/// Seconds; routing is a lookup in memory.
const ROUTING_SECONDS: [f64; 8] = [2.5e-7, 5e-7, 1e-6, 2.5e-6, 1e-5, 1e-4, 1e-3, 1e-2];

/// Every handle, registered once per node.
#[derive(Debug)]
pub struct Metrics {
    /// Sessions bound now.
    pub sessions: IntGauge,
    /// Bind requests by outcome: `ok`, `refused`.
    pub bind_requests: IntCounterVec,
    /// submit_sm accepted, by customer.
    pub submit_sm: IntCounterVec,
    /// deliver_sm received, by vendor.
    pub deliver_sm: IntCounterVec,
    /// Binds by vendor and state.
    pub connections: IntGaugeVec,
    /// submit_sm answered, by vendor and `success` or `failed`.
    pub client_submit_sm: IntCounterVec,
    /// Receipts received, by vendor.
    pub dlr_received: IntCounterVec,
    /// Messages in the last second, by vendor.
    pub throughput: IntGaugeVec,
    /// Time to choose a route, by the route's name.
    pub routing_seconds: HistogramVec,
    /// Messages that wait, by priority_flag.
    pub queue_depth: IntGaugeVec,
    /// Receipts that found their message.
    pub dlr_hits: IntCounter,
    /// Refusals by `customer`, `queue`, `log`, `binds`, `unbound`.
    pub rate_limit_exceeded: IntCounterVec,
    /// Messages refused by `command_status`.
    pub refused: IntCounterVec,
    /// PDUs that broke a rule, by what was answered.
    pub malformed: IntCounterVec,
    /// Vendor answers lost.
    pub uncertain: IntCounter,
    /// Receipts parked because no message was known.
    pub dlr_parked: IntCounter,
    /// Parked receipts given up.
    pub dlr_orphaned: IntCounter,
    /// Messages that ended, by state.
    pub finished: ByState,
    /// deliver_sm acknowledged by customers.
    pub delivered: IntCounter,
    /// deliver_sm given up: `expired`, `full` (beyond `outbox_max`), `refused` (by the customer).
    pub deliveries_dropped: IntCounterVec,
    /// Posts to webhooks by outcome: `taken` (2xx), `refused` (another status), `failed` (no answer, 408, 429, 5xx).
    pub webhook_posts: IntCounterVec,
    /// Duration of a group commit.
    pub log_commit_seconds: Histogram,
    /// Duration of its sync alone.
    pub log_fsync_seconds: Histogram,
    /// Records in a group commit.
    pub log_group_records: Histogram,
    /// Records that wait for the next commit.
    pub log_depth: IntGauge,
    /// Messages whose receipt is awaited in memory.
    pub receipts_in_memory: IntGauge,
    /// 1 while the log makes things durable.
    pub log_healthy: IntGauge,
}

/// Counters of one vendor, looked up once.
#[derive(Debug)]
pub struct VendorMetrics {
    /// submit_sm answered with ESME_ROK.
    pub success: IntCounter,
    /// submit_sm answered otherwise, or not at all.
    pub failed: IntCounter,
    /// deliver_sm and data_sm from the vendor.
    pub deliver_sm: IntCounter,
    /// Receipts among them.
    pub dlr_received: IntCounter,
}

impl Metrics {
    /// The counters of a vendor.
    #[must_use]
    pub fn of_vendor(&self, name: &str) -> VendorMetrics {
        VendorMetrics {
            success: self.client_submit_sm.with_label_values(&[name, "success"]),
            failed: self.client_submit_sm.with_label_values(&[name, "failed"]),
            deliver_sm: self.deliver_sm.with_label_values(&[name]),
            dlr_received: self.dlr_received.with_label_values(&[name]),
        }
    }

    /// Registers everything in a node's registry.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list of every metric, one after the other")]
    pub fn new(registry: &Registry) -> Self {
        let r = registry;
        Self {
            sessions: r.gauge("smpp_server_active_sessions_total", "customer sessions bound now"),
            bind_requests: r.counter_vec(
                "smpp_server_bind_requests_total",
                "bind requests by outcome",
                &["status"],
            ),
            submit_sm: r.counter_vec("smpp_server_submit_sm_total", "submit_sm accepted", &["customer_id"]),
            deliver_sm: r.counter_vec(
                "smpp_server_deliver_sm_total",
                "deliver_sm from vendors",
                &["vendor_id"],
            ),
            connections: r.gauge_vec(
                "smpp_client_connections_total",
                "binds towards vendors by state",
                &["vendor_id", "status"],
            ),
            client_submit_sm: r.counter_vec(
                "smpp_client_submit_sm_total",
                "submit_sm answered by vendors",
                &["vendor_id", "status"],
            ),
            dlr_received: r.counter_vec(
                "smpp_client_dlr_received_total",
                "receipts from vendors",
                &["vendor_id"],
            ),
            throughput: r.gauge_vec(
                "smpp_client_throughput_current",
                "submit_sm to the vendor in the last second",
                &["vendor_id"],
            ),
            routing_seconds: r.histogram_vec(
                "message_routing_duration_seconds",
                "time to choose a route, seconds",
                &ROUTING_SECONDS,
                &["route"],
            ),
            queue_depth: r.gauge_vec("message_queue_depth", "messages that wait for a vendor", &["priority"]),
            dlr_hits: r.counter("dlr_tracking_hits_total", "receipts that found their message"),
            rate_limit_exceeded: r.counter_vec("rate_limit_exceeded_total", "refusals by limit", &["type"]),
            refused: r.counter_vec(
                "warp_submit_sm_refused_total",
                "submit_sm refused by status",
                &["command_status"],
            ),
            malformed: r.counter_vec(
                "warp_smpp_malformed_total",
                "PDUs that broke a rule",
                &["command_status"],
            ),
            uncertain: r.counter("warp_messages_uncertain_total", "messages whose vendor answer was lost"),
            dlr_parked: r.counter("warp_dlr_parked_total", "receipts parked for want of their message"),
            dlr_orphaned: r.counter("warp_dlr_orphaned_total", "parked receipts given up"),
            finished: ByState::new(&r.counter_vec(
                "warp_messages_finished_total",
                "messages that reached a final state",
                &["state"],
            )),
            delivered: r
                .counter("warp_deliveries_acknowledged_total", "deliver_sm acknowledged by customers"),
            deliveries_dropped: r.counter_vec(
                "warp_deliveries_dropped_total",
                "deliver_sm given up",
                &["reason"],
            ),
            webhook_posts: r.counter_vec(
                "warp_webhook_posts_total",
                "posts to webhooks of customers by outcome",
                &["outcome"],
            ),
            log_commit_seconds: r.histogram(
                "warp_log_commit_seconds",
                "duration of a group commit, seconds",
                &LATENCY_SECONDS,
            ),
            log_fsync_seconds: r.histogram(
                "warp_log_fsync_seconds",
                "duration of the sync of a group commit, seconds",
                &LATENCY_SECONDS,
            ),
            log_group_records: r.histogram(
                "warp_log_group_records",
                "records in a group commit",
                &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0],
            ),
            log_depth: r.gauge("warp_log_depth", "records that wait for the next commit"),
            receipts_in_memory: r
                .gauge("warp_receipts_in_memory", "messages whose receipt is awaited in memory"),
            log_healthy: r.gauge("warp_log_healthy", "1 while the message log makes things durable"),
        }
    }
}

/// One counter for each state of a message, found without a look-up by label.
#[derive(Debug)]
pub struct ByState([IntCounter; State::ALL.len()]);

impl ByState {
    fn new(counters: &IntCounterVec) -> Self {
        Self(State::ALL.map(|state| counters.with_label_values(&[state.name()])))
    }

    /// The counter of a state.
    #[must_use]
    pub const fn of(&self, state: State) -> &IntCounter {
        let [scheduled, queued, submitted, uncertain, enroute, split, ended @ ..] = &self.0;
        let [delivered, expired, deleted, undeliverable, accepted, unknown, rejected] = ended;
        match state {
            State::Scheduled => scheduled,
            State::Queued => queued,
            State::Submitted => submitted,
            State::Uncertain => uncertain,
            State::Enroute => enroute,
            State::Split => split,
            State::Delivered => delivered,
            State::Expired => expired,
            State::Deleted => deleted,
            State::Undeliverable => undeliverable,
            State::Accepted => accepted,
            State::Unknown => unknown,
            State::Rejected => rejected,
        }
    }
}
