//! Names that dashboards, alerts and customers already use.

use std::collections::BTreeSet;

use super::source::rust;

/// Metric names of the platform; every other one of ours begins with `warp_`.
const METRICS: [&str; 12] = [
    "smpp_server_active_sessions_total",
    "smpp_server_bind_requests_total",
    "smpp_server_submit_sm_total",
    "smpp_server_deliver_sm_total",
    "smpp_client_connections_total",
    "smpp_client_submit_sm_total",
    "smpp_client_dlr_received_total",
    "smpp_client_throughput_current",
    "message_routing_duration_seconds",
    "message_queue_depth",
    "dlr_tracking_hits_total",
    "rate_limit_exceeded_total",
];

/// The functions that register a metric; the name is their first argument.
const REGISTER: [&str; 6] =
    [".counter(", ".counter_vec(", ".gauge(", ".gauge_vec(", ".histogram(", ".histogram_vec("];

#[test]
fn metrics_have_the_names_of_the_contract() {
    let mut registered = BTreeSet::new();
    for file in rust().iter().filter(|file| !file.is_test()) {
        let code = file.code();
        for register in REGISTER {
            for (at, _) in code.blanked.match_indices(register) {
                let arguments = code.parenthesised(at + register.len() - 1);
                let Some(first) = code.literals_in(arguments.clone()).next() else { continue };
                // A variable's name stands first where metrics are not registered but made possible.
                if !code.blanked[arguments.start + 1..first.at].trim().is_empty() {
                    continue;
                }
                let name = first.value.clone();
                assert!(
                    file.path.ends_with("metrics.rs"),
                    "{} registers {name}: metrics.rs is the place",
                    file.path
                );
                let known = METRICS.contains(&name.as_str()) || name.starts_with("warp_");
                assert!(known, "{}: {name} is neither in the contract nor warp_*", file.path);
                assert!(registered.insert(name.clone()), "{name} is registered in two places");
            }
        }
    }
    for name in METRICS {
        assert!(registered.contains(name), "{name} of the contract is not registered");
    }
}
