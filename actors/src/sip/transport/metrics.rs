//! Metrics of SIP's transports.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use runtime::telemetry::metrics::Metrics as Registry;

/// Every handle, registered once per node.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Messages that were not taken: `worker` (its ring is full), `send_queue` (a socket's is), `system` (the
    /// system has no buffer), `mirror`.
    pub dropped: IntCounterVec,
    /// Messages told to be undeliverable: `icmp`, `send`, `stream`.
    pub undelivered: IntCounterVec,
    /// Stream connections up or being made.
    pub connections: IntGauge,
    /// Connections made by us, by outcome: `made`, `failed`.
    pub connects: IntCounterVec,
    /// Connections accepted and kept.
    pub accepted: IntCounter,
    /// Connections closed by us, or refused, by reason: a [`Closed`](super::stream::Closed).
    pub closed: IntCounterVec,
    /// Names looked up, by outcome: `found`, `absent`, `failed`, `busy`.
    pub lookups: IntCounterVec,
    /// Names served from an answer past its time, because no newer one could be had.
    pub stale: IntCounter,
    /// How long the oldest datagram of a worker's turn had waited in its socket.
    pub queue_age: Histogram,
}

/// Seconds: a turn, a busy worker, the age at which new calls are refused.
const AGE_SECONDS: [f64; 8] = [0.000_1, 0.000_5, 0.002, 0.01, 0.025, 0.05, 0.1, 0.5];

impl Metrics {
    /// Registers everything in a node's registry.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let r = registry;
        let reason = &["reason"];
        let outcome = &["outcome"];
        Self {
            dropped: r.counter_vec("warp_sip_dropped_total", "SIP messages dropped by a transport", reason),
            undelivered: r.counter_vec(
                "warp_sip_undelivered_total",
                "SIP messages whose sender was told that they cannot be delivered",
                reason,
            ),
            connections: r.gauge("warp_sip_connections", "SIP stream connections"),
            connects: r.counter_vec("warp_sip_connects_total", "SIP connections made by us", outcome),
            accepted: r.counter("warp_sip_connections_accepted_total", "SIP connections accepted"),
            closed: r.counter_vec(
                "warp_sip_connections_closed_total",
                "SIP connections closed by us or refused",
                reason,
            ),
            lookups: r.counter_vec("warp_sip_lookups_total", "names of next hops looked up", outcome),
            stale: r.counter("warp_sip_lookups_stale_total", "next hops served from an outdated answer"),
            queue_age: r.histogram(
                "warp_sip_queue_age_seconds",
                "age of the oldest datagram of a worker's turn, seconds",
                &AGE_SECONDS,
            ),
        }
    }
}
