//! The same calls without media nodes and with two of them: what anchoring costs, and what becomes of new
//! calls when one of the two stands still.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::nodes::{Kind, MediaNode};
use crate::report::{Outcome, rounded};
use crate::sip::load::Load;
use crate::sip::run::{Behind, Flow, SetUp};
use crate::sip::subject::Target;
use crate::subject::NodeOptions;

/// Media nodes of a run: calls are shared among them, and one may stand still.
const NODES: u8 = 2;
/// What simulated nodes count, summed up in a result.
const COUNTED: [&str; 5] = ["offers", "answers", "deletes", "unknown", "errors"];

/// Calls without media nodes.
#[derive(Clone, Debug)]
pub struct Off {
    /// The result.
    pub outcome: Outcome,
    set_up: SetUp,
}

/// Calls with media nodes.
struct Anchored {
    outcome: Outcome,
    set_up: SetUp,
    client: Client,
    fault: Option<Fault>,
}

/// Calls before and behind the moment at which a node was stopped.
struct Fault {
    before: SetUp,
    behind: Behind,
}

/// Without media nodes. Errors: sockets cannot be bound, or the node does not start.
pub async fn measure_off(load: &Load, options: &NodeOptions) -> anyhow::Result<Off> {
    let load = named(load, "media/off");
    let flow = Flow::begin(&load, &Target::Start(options.clone())).await?;
    let watched = flow.watch().await;
    let settled = flow.settle(watched).await;
    let set_up = settled.set_up();
    let (mut outcome, _) = settled.finish().await?;
    outcome.set("set_up_us", described(set_up));
    Ok(Off { outcome, set_up })
}

/// With two media nodes, compared with `off`. Errors: as of [`measure_off`], and when a media node does not
/// start.
pub async fn measure_on(
    load: &Load,
    options: &NodeOptions,
    kind: &Kind,
    off: &Off,
) -> anyhow::Result<Outcome> {
    let load = named(load, "media/on");
    let Anchored { mut outcome, set_up, client, .. } = Box::pin(anchored(&load, options, kind, None)).await?;
    let cpu = off.outcome.cpu_us_per_unit.zip(outcome.cpu_us_per_unit);
    let more = cpu.map(|(off, on)| on - off);
    let commands = client.commands_per_call(outcome.total);
    let more_per_command = more.filter(|_| commands > 0.0).map(|more| rounded(more / commands));
    outcome.set("off_cpu_us_per_call", off.outcome.cpu_us_per_unit);
    outcome.set("more_cpu_us_per_call", more.map(rounded));
    // All that anchoring costs, shared among the commands: more than the ng client by itself.
    outcome.set("more_cpu_us_per_command", more_per_command);
    outcome.set("off_set_up_us", described(off.set_up));
    outcome.set("more_set_up_p50_us", difference(off.set_up.p50_us, set_up.p50_us));
    outcome.set("more_set_up_p99_us", difference(off.set_up.p99_us, set_up.p99_us));
    judge(&mut outcome, &off.outcome);
    Ok(outcome)
}

/// Marks a run that cannot be compared with the one without media nodes.
fn judge(outcome: &mut Outcome, off: &Outcome) {
    if !off.valid {
        outcome.invalidate("the run without media nodes is not valid");
    }
    // What is refused costs less than a call, and what is sent again more.
    if outcome.failed.max(off.failed) > 0 {
        let (on, off) = (outcome.failed, off.failed);
        outcome.invalidate(format!("{on} calls failed, and {off} without media nodes: the work differs"));
    }
}

/// With two media nodes, of which one is stopped when half of the calls were due. It goes on when the last
/// call has ended. Errors: as of [`measure_on`].
pub async fn measure_frozen(load: &Load, options: &NodeOptions, kind: &Kind) -> anyhow::Result<Outcome> {
    let load = named(load, "media/freeze");
    let after = load.stages.iter().map(|stage| stage.duration).sum::<Duration>() / 2;
    let run = Box::pin(anchored(&load, options, kind, Some(after))).await?;
    let (mut outcome, fault) = (run.outcome, run.fault.context("no media node was stopped")?);
    let Fault { before, behind } = fault;
    outcome.set("frozen_after_s", after.as_secs_f64());
    outcome.set("set_up_before_us", described(before));
    outcome.set("set_up_behind_us", described(behind.set_up));
    outcome.set("more_set_up_p99_us", difference(before.p99_us, behind.set_up.p99_us));
    outcome.set("placed_behind", behind.placed);
    // Calls that the node had when it was stopped may fail; these may not.
    outcome.set("failed_behind", behind.placed.saturating_sub(behind.completed));
    if before.calls == 0 || behind.set_up.calls == 0 {
        outcome.invalidate("no call was set up before, or none behind");
    }
    Ok(outcome)
}

/// One run. With `freeze_after` the first media node is stopped so long after the first call was due.
async fn anchored(
    load: &Load,
    options: &NodeOptions,
    kind: &Kind,
    freeze_after: Option<Duration>,
) -> anyhow::Result<Anchored> {
    let mut nodes = Vec::new();
    for place in 0..NODES {
        nodes.push(MediaNode::start(kind, place).await?);
    }
    let addresses = nodes.iter().map(|node| node.address).collect();
    let flow = Flow::begin(load, &Target::Anchored(options.clone(), addresses)).await?;
    let cpu: Duration = nodes.iter().map(MediaNode::cpu).sum();
    let freezing = async {
        let (Some(after), Some(node)) = (freeze_after, nodes.first()) else { return anyhow::Ok(None) };
        sleep_until(Instant::from_std(flow.start() + after)).await;
        node.freeze()?;
        Ok(Some(flow.mark_fault()))
    };
    let (watched, before) = tokio::join!(flow.watch(), freezing);
    let before = before?;
    if let Some(frozen) = nodes.first().filter(|_| before.is_some()) {
        frozen.thaw()?;
    }
    let settled = flow.settle(watched).await;
    let cpu = nodes.iter().map(MediaNode::cpu).sum::<Duration>().saturating_sub(cpu);
    let client = Client::read(settled.subject.metrics).await?;
    // While the node still runs: it sends deletes again.
    let (mut left, mut accounts) = (0, Vec::new());
    for node in &mut nodes {
        left += node.settle().await?;
        accounts.push(node.account().await?);
    }
    let (set_up, behind) = (settled.set_up(), settled.behind_fault());
    let (mut outcome, _) = settled.finish().await?;
    outcome.set("media_nodes", kind.name());
    let per_call = cpu.as_secs_f64() * 1e6 / outcome.total.max(1) as f64;
    outcome.set("media_nodes_cpu_us_per_call", rounded(per_call));
    outcome.set("set_up_us", described(set_up));
    client.describe(&mut outcome);
    account(&mut outcome, accounts, left);
    let fault = before.zip(behind).map(|(before, behind)| Fault { before, behind });
    Ok(Anchored { outcome, set_up, client, fault })
}

/// What the media nodes did, together and each of them.
fn account(outcome: &mut Outcome, accounts: Vec<Value>, left: u64) {
    for key in COUNTED {
        let each = accounts.iter().map(|account| account.get(key).and_then(Value::as_u64));
        // A real node does not tell.
        outcome.set(key, each.sum::<Option<u64>>());
    }
    outcome.set("calls_left", left);
    outcome.set("media_node_accounts", accounts);
    if left > 0 {
        outcome.invalidate(format!("media nodes still have {left} calls"));
    }
}

fn named(load: &Load, scenario: &str) -> Load {
    Load { scenario: scenario.to_owned(), ..load.clone() }
}

fn described(set_up: SetUp) -> Value {
    let SetUp { calls, p50_us, p99_us, max_us } = set_up;
    json!({"calls": calls, "p50": p50_us, "p99": p99_us, "max": max_us})
}

/// How much more the second is; less than nothing where it is less.
fn difference(first: Option<u64>, second: Option<u64>) -> Option<i64> {
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    first.zip(second).map(|(first, second)| signed(second) - signed(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_summed_where_all_nodes_give_them() {
        let told = || vec![json!({"offers": 3, "deletes": 2}), json!({"offers": 4})];
        for (left, is_valid) in [(0, true), (1, false)] {
            let mut outcome = Outcome::new("media/on", "warp", "call");
            account(&mut outcome, told(), left);
            assert_eq!(outcome.settings.get("offers"), Some(&json!(7)));
            assert_eq!(outcome.settings.get("deletes"), Some(&Value::Null));
            assert_eq!(outcome.settings.get("calls_left"), Some(&json!(left)));
            assert_eq!(outcome.valid, is_valid);
        }
    }

    #[test]
    fn runs_are_compared_where_both_did_the_same() {
        let run = |failed| Outcome { failed, ..Outcome::new("media/on", "warp", "call") };
        for (on, off, off_valid, is_valid) in
            [(0, 0, true, true), (1, 0, true, false), (0, 1, true, false), (0, 0, false, false)]
        {
            let (mut outcome, off) = (run(on), Outcome { valid: off_valid, ..run(off) });
            judge(&mut outcome, &off);
            assert_eq!(outcome.valid, is_valid, "{on} {}", off.failed);
        }
    }

    #[test]
    fn differences_have_a_sign() {
        assert_eq!(difference(Some(1_000), Some(1_250)), Some(250));
        assert_eq!(difference(Some(1_250), Some(1_000)), Some(-250));
        assert_eq!(difference(None, Some(1)), None);
        assert_eq!(difference(Some(u64::MAX), Some(0)), Some(-i64::MAX));
    }
}
