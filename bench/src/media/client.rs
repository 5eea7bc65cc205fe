//! The node's own ng client, as its metrics page has it.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::json;

use crate::metrics_page::{self, Buckets};
use crate::report::{Outcome, rounded};

const COMMANDS: &str = "warp_rtpengine_commands_total";
const REPEATS: &str = "warp_rtpengine_repeats_total";
/// In seconds.
const ROUND_TRIP: &str = "warp_rtpengine_round_trip_seconds";

/// What it did since the node's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Client {
    answered: f64,
    silent: f64,
    unsent: f64,
    repeats: f64,
    round_trips: Buckets,
}

impl Client {
    /// Reads the page. Errors: it is not there.
    pub(super) async fn read(metrics: Option<SocketAddr>) -> anyhow::Result<Self> {
        let metrics = metrics.context("the node has no metrics page")?;
        let page = metrics_page::page(metrics).await.context("the node's metrics page cannot be read")?;
        Ok(Self::of(&page))
    }

    fn of(page: &str) -> Self {
        let commands = |label: &str| metrics_page::sum(page, COMMANDS, label);
        Self {
            answered: commands("outcome=\"answered\""),
            silent: commands("outcome=\"silent\""),
            unsent: commands("outcome=\"unsent\""),
            repeats: metrics_page::sum(page, REPEATS, ""),
            round_trips: metrics_page::parse(page, ROUND_TRIP).unwrap_or_default(),
        }
    }

    /// Commands that were answered, of one call.
    pub(super) fn commands_per_call(&self, calls: u64) -> f64 {
        self.answered / calls.max(1) as f64
    }

    /// Writes them into a result. Quantiles are as fine as the node's buckets.
    pub(super) fn describe(&self, outcome: &mut Outcome) {
        let quantile = |q| self.round_trips.quantile_us(&Buckets::default(), q);
        outcome.set(
            "ng_commands",
            json!({
                "answered": self.answered, "silent": self.silent, "unsent": self.unsent,
                "again": self.repeats, "per_call": rounded(self.commands_per_call(outcome.total)),
                "p50_us": quantile(0.5), "p99_us": quantile(0.99),
            }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE warp_rtpengine_commands_total counter
warp_rtpengine_commands_total{node=\"media-1\",outcome=\"answered\"} 200
warp_rtpengine_commands_total{node=\"media-2\",outcome=\"answered\"} 100
warp_rtpengine_commands_total{node=\"media-2\",outcome=\"silent\"} 4
warp_rtpengine_repeats_total{node=\"media-2\"} 9
warp_rtpengine_round_trip_seconds_bucket{le=\"0.001\"} 100
warp_rtpengine_round_trip_seconds_bucket{le=\"+Inf\"} 100
";

    #[test]
    fn figures_of_all_nodes_together() {
        let client = Client::of(PAGE);
        let mut outcome = Outcome::new("media/on", "warp", "call");
        outcome.total = 100;
        client.describe(&mut outcome);
        let expected = json!({
            "answered": 300.0, "silent": 4.0, "unsent": 0.0, "again": 9.0, "per_call": 3.0,
            "p50_us": 500, "p99_us": 990,
        });
        assert_eq!(outcome.settings.get("ng_commands"), Some(&expected));
    }

    #[test]
    fn a_node_that_asked_nothing() {
        assert_eq!(Client::of(""), Client::default());
    }
}
