//! How soon a node is back that was killed with many live messages, and whether all of them still arrive.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::esme::{Esme, EsmeOptions};
use super::load::Load;
use super::smsc::{Smsc, SmscOptions};
use crate::ledger::Ledger;
use crate::process::usage;
use crate::progress::Progress;
use crate::report::{Outcome, rounded};
use crate::subject::{Node, NodeOptions};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The backlog is taken to be stuck when nothing arrived for so long.
const QUIET: Duration = Duration::from_secs(20);

/// Fills a node with `messages` that wait for a vendor that is down, kills it, starts it again, and lets the
/// vendor come up. The unit is a message of the backlog; the latencies are the time until the node was ready.
/// Errors: the node cannot be started.
pub async fn measure(messages: u32, options: &NodeOptions) -> anyhow::Result<Outcome> {
    let load = Load::default();
    let ledger = Arc::new(Ledger::new(fastrand::u16(..), false));
    let vendor = free_address()?;
    let mut provision = load.provision(vendor);
    provision.queue_depth_max = messages;
    let mut node = Node::start(options, &provision).await?;
    let progress = Progress::start("smpp-restart", Arc::clone(&ledger));
    let smpp = *node.ports.smpp.first().context("the node listens on no SMPP port")?;
    let fill = EsmeOptions {
        sessions: load.sessions,
        window: load.window,
        total: Some(u64::from(messages)),
        ..EsmeOptions::new(smpp, &provision.system_id, &provision.password)
    };
    let filled = Instant::now();
    Esme::run(fill, Arc::clone(&ledger)).await?;
    let filled = filled.elapsed();
    let accepted = ledger.live().accepted.load(Relaxed);
    let ready = node.kill_and_start(options).await?;
    let process = node.process().context("the node ended")?;
    let (rss_kb, drained) = (usage(&[process]).map(|usage| usage.rss_kb), Instant::now());
    let smsc = SmscOptions { listen: vendor, ..SmscOptions::default() };
    let _smsc = Smsc::start(smsc, Arc::clone(&ledger)).await.context("cannot start the simulated SMSC")?;
    arrive(&ledger, accepted).await;
    let drained = drained.elapsed();
    drop(progress);
    let mut outcome = Outcome::new("smpp-restart", "warp", "message");
    let tally = ledger.tally();
    outcome.offered_per_s = rounded(accepted as f64 / filled.as_secs_f64());
    outcome.achieved_per_s = rounded(tally.reached as f64 / drained.as_secs_f64());
    (outcome.total, outcome.failed) = (tally.submitted, tally.failed());
    (outcome.lost, outcome.duplicates) = (tally.lost(), tally.duplicates());
    let ready_us = u64::try_from(ready.as_micros()).unwrap_or(u64::MAX);
    (outcome.p50_us, outcome.p99_us, outcome.max_us) = (Some(ready_us), Some(ready_us), Some(ready_us));
    outcome.rss_kb = usage(&[process]).map(|usage| usage.rss_kb).max(rss_kb);
    outcome.set("messages_live", accepted);
    outcome.set("ready_s", rounded(ready.as_secs_f64() * 1000.0) / 1000.0);
    outcome.set("drained_s", rounded(drained.as_secs_f64()));
    if accepted < u64::from(messages) {
        outcome.invalidate(format!("only {accepted} messages were accepted before the kill"));
    }
    node.stop().await?;
    Ok(outcome)
}

/// Waits until everything has arrived, or nothing arrives any more.
async fn arrive(ledger: &Ledger, wanted: u64) {
    let (mut reached, mut moved) = (0, Instant::now());
    while reached < wanted && moved.elapsed() < QUIET {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = ledger.live().reached.load(Relaxed);
        if now > reached {
            (reached, moved) = (now, Instant::now());
        }
    }
}

/// An address at which nobody listens yet.
fn free_address() -> anyhow::Result<SocketAddr> {
    let probe = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    probe.and_then(|probe| probe.local_addr()).context("no free port")
}
