//! Metrics of media nodes.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use runtime::telemetry::metrics::Metrics as Registry;

use super::load::{Load, Shortage};

/// Every handle, registered once per node of ours.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Commands by node and by what became of them: `answered`, `silent`, `unsent`.
    pub commands: IntCounterVec,
    /// Commands that were sent once more, by node.
    pub repeats: IntCounterVec,
    /// Commands that a node refused, by node and by why: `full`, `overloaded`.
    pub refusals: IntCounterVec,
    /// Whether a node answers: 1 or 0.
    pub up: IntGaugeVec,
    /// Calls that a node carries, by its own word.
    pub sessions: IntGaugeVec,
    /// Packets per second that a node passes on, by its own word.
    pub packets: IntGaugeVec,
    /// Octets per second that it passes on.
    pub bytes: IntGaugeVec,
    /// Medias that it transcodes.
    pub transcoded: IntGaugeVec,
    /// Commands under way.
    pub waiting: IntGaugeVec,
    /// Whether a node passes on media of strangers by its release: 1 or 0. None of one that does not tell its release.
    pub outdated: IntGaugeVec,
    /// Nodes that were found in Redis.
    pub found: IntGauge,
    /// Time from a command to its answer.
    pub round_trip: Histogram,
}

/// Handles of one node: to find one by its labels costs more than to count.
#[derive(Clone, Debug)]
pub struct OfNode {
    /// Commands that were answered.
    pub answered: IntCounter,
    /// Those that were not.
    pub silent: IntCounter,
    /// Those that were not sent.
    pub unsent: IntCounter,
    /// Those that were sent once more.
    pub repeats: IntCounter,
    /// Those that were refused as the node had no room.
    pub full: IntCounter,
    /// Those that were refused as it had too much to do.
    pub overloaded: IntCounter,
    /// Commands under way.
    pub waiting: IntGauge,
    /// Time from a command to its answer.
    pub round_trip: Histogram,
}

/// Seconds: a node nearby, one that is busy, one that was asked again.
const ROUND_TRIP_SECONDS: [f64; 9] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.25, 1.0];

impl Metrics {
    /// Registers everything in a node's registry.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        let r = registry;
        let node = &["node"];
        Self {
            commands: r.counter_vec(
                "warp_rtpengine_commands_total",
                "commands to an RTPEngine node, by what became of them",
                &["node", "outcome"],
            ),
            repeats: r.counter_vec(
                "warp_rtpengine_repeats_total",
                "commands to an RTPEngine node that were sent once more, as no answer had come",
                node,
            ),
            refusals: r.counter_vec(
                "warp_rtpengine_refusals_total",
                "commands that an RTPEngine node refused: it has no room, or is overloaded",
                &["node", "reason"],
            ),
            up: r.gauge_vec("warp_rtpengine_up", "whether an RTPEngine node answers", node),
            sessions: r.gauge_vec(
                "warp_rtpengine_sessions",
                "calls that an RTPEngine node carries, ours and others'",
                node,
            ),
            packets: r.gauge_vec(
                "warp_rtpengine_packets_per_second",
                "packets per second that an RTPEngine node passes on",
                node,
            ),
            bytes: r.gauge_vec(
                "warp_rtpengine_bytes_per_second",
                "octets per second that an RTPEngine node passes on",
                node,
            ),
            transcoded: r.gauge_vec(
                "warp_rtpengine_transcoded_media",
                "medias that an RTPEngine node transcodes",
                node,
            ),
            waiting: r.gauge_vec(
                "warp_rtpengine_waiting",
                "commands to an RTPEngine node without answer",
                node,
            ),
            outdated: r.gauge_vec(
                "warp_rtpengine_outdated",
                "whether the release of an RTPEngine node passes on media of strangers (CVE-2025-53399)",
                node,
            ),
            found: r.gauge("warp_rtpengine_found", "RTPEngine nodes that were found in Redis"),
            round_trip: r.histogram(
                "warp_rtpengine_round_trip_seconds",
                "time from a command to an RTPEngine node to its answer",
                &ROUND_TRIP_SECONDS,
            ),
        }
    }

    /// The node with this name has this to do.
    pub fn carries(&self, node: &str, load: &Load) {
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge.with_label_values(&[node]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.packets, load.packets_per_second);
        set(&self.bytes, load.bytes_per_second);
        set(&self.transcoded, load.transcoded_media);
    }

    /// The handles of the node with this name.
    #[must_use]
    pub fn of(&self, node: &str) -> OfNode {
        let commands = |outcome: &str| self.commands.with_label_values(&[node, outcome]);
        let refusals = |why: Shortage| self.refusals.with_label_values(&[node, why.name()]);
        OfNode {
            answered: commands("answered"),
            silent: commands("silent"),
            unsent: commands("unsent"),
            repeats: self.repeats.with_label_values(&[node]),
            full: refusals(Shortage::Full),
            overloaded: refusals(Shortage::Overloaded),
            waiting: self.waiting.with_label_values(&[node]),
            round_trip: self.round_trip.clone(),
        }
    }
}
