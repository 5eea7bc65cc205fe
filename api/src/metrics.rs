//! Metrics of the API. Labels are route templates, never paths as they came.

use prometheus::{HistogramVec, IntCounterVec};
use runtime::telemetry::metrics::Metrics as Registry;

const LATENCY_SECONDS: [f64; 8] = [0.000_1, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0];

pub(crate) struct Metrics {
    /// Requests by route template, method and status.
    pub(crate) requests: IntCounterVec,
    /// From the header's end to the answer, by route template.
    pub(crate) seconds: HistogramVec,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            requests: registry.counter_vec(
                "warp_api_requests_total",
                "API requests by route, method and status",
                &["route", "method", "status"],
            ),
            seconds: registry.histogram_vec(
                "warp_api_request_seconds",
                "time to answer an API request, seconds",
                &LATENCY_SECONDS,
                &["route"],
            ),
        }
    }
}
