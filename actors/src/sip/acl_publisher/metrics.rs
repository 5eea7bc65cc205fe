//! Metrics of the published ACL.

use prometheus::{IntCounterVec, IntGauge};
use runtime::telemetry::metrics::Metrics as Registry;

/// Every handle, registered once per node.
pub(super) struct Metrics {
    /// By result: `ok` (something was changed), `error` (Redis is away, or refused).
    pub(super) publications: IntCounterVec,
    /// What Redis holds, as far as we know.
    pub(super) published: IntGauge,
}

impl Metrics {
    /// Registers everything in a node's registry.
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            publications: registry.counter_vec(
                "warp_acl_publish_total",
                "publications of the ACL in Redis that changed something or failed",
                &["result"],
            ),
            published: registry
                .gauge("warp_acl_published_entries", "entries of the ACL that Redis holds, as far as known"),
        }
    }
}
