//! Readers and writers, each with one request under way on a connection of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::client::{self, Client};
use super::messages::Messages;
use super::provision::Scale;
use crate::histogram::Histogram;
use crate::report::{Outcome, per_second, rounded};
use crate::sampler::Sampler;
use crate::subject::{Node, NodeOptions};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections, each with one request under way.
    pub connections: u32,
    /// Requests a second over all of them; 0 is as fast as they are answered.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
    /// Writes in a hundred requests.
    pub writes_percent: u32,
    /// Customers that the node has.
    pub customers: u32,
    /// Messages a second through the same node meanwhile.
    pub messages: f64,
}

#[derive(Default)]
struct Tally {
    reads: Histogram,
    writes: Histogram,
    failed: AtomicU64,
}

/// Runs the load through a node of the harness's own.
///
/// # Errors
/// When the node cannot be started, or answers nothing.
pub async fn measure(load: &Load, options: &NodeOptions) -> anyhow::Result<Outcome> {
    let beside = Messages::prepare(load.messages).await?;
    let messages = beside.as_ref().map(Messages::to_toml).unwrap_or_default();
    let scale = Scale { customers: load.customers, messages, ..Scale::default() };
    let node = Node::start(options, &scale).await?;
    let key = client::key(node.ports.api, &node.data_dir()).await?;
    let mut first = Client::connect(node.ports.api, &key).await?;
    let ids: Arc<[String]> = client::customers(&mut first).await?.into();
    if ids.is_empty() {
        bail!("the node has no customer");
    }
    let flow = match beside {
        Some(beside) => Some(beside.begin(&node).await?),
        None => None,
    };
    let tally = Arc::new(Tally::default());
    let processes: Vec<u32> = node.process().into_iter().collect();
    let sampler = Sampler::start(processes);
    let begun = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..load.connections {
        let client = Client::connect(node.ports.api, &key).await.context("cannot connect")?;
        let worker =
            Worker { client, ids: Arc::clone(&ids), tally: Arc::clone(&tally), load: *load, begun, number };
        workers.spawn(worker.run());
    }
    while let Some(worker) = workers.join_next().await {
        worker.context("a connection's task ended")?;
    }
    let (elapsed, samples) = (begun.elapsed(), sampler.finish());
    let name = if load.writes_percent == 0 { "api/read" } else { "api/mixed" };
    let mut outcome = Outcome::new(name, "warp", "request");
    let total = tally.reads.count() + tally.writes.count();
    outcome.total = total;
    outcome.failed = tally.failed.load(Ordering::Relaxed);
    outcome.achieved_per_s = per_second(total, elapsed.as_secs_f64());
    outcome.offered_per_s = if load.rate > 0.0 { load.rate } else { outcome.achieved_per_s };
    outcome.p50_us = tally.reads.quantile_us(500);
    outcome.p99_us = tally.reads.quantile_us(990);
    outcome.max_us = tally.reads.max_us();
    outcome.cpu_us_per_unit = samples.cpu.map(|cpu| rounded(cpu.as_secs_f64() * 1e6 / total.max(1) as f64));
    outcome.rss_kb = samples.rss_kb;
    outcome.set("connections", load.connections);
    outcome.set("customers", load.customers);
    outcome.set("writes_percent", load.writes_percent);
    outcome.set("seconds", load.duration.as_secs_f64());
    outcome.set("generator_share", rounded(samples.generator_share * 100.0));
    if load.writes_percent > 0 {
        outcome.set("writes_p50_us", tally.writes.quantile_us(500));
        outcome.set("writes_p99_us", tally.writes.quantile_us(990));
        outcome.set("writes_per_s", per_second(tally.writes.count(), elapsed.as_secs_f64()));
    }
    if outcome.failed > 0 {
        outcome.invalidate("requests failed");
    }
    if let Some(flow) = flow {
        flow.end(&mut outcome).await;
    }
    node.stop().await?;
    Ok(outcome)
}

struct Worker {
    client: Client,
    ids: Arc<[String]>,
    tally: Arc<Tally>,
    load: Load,
    begun: Instant,
    number: u32,
}

impl Worker {
    async fn run(mut self) {
        let mut random = fastrand::Rng::with_seed(u64::from(self.number));
        let pause = Duration::from_secs_f64(if self.load.rate > 0.0 {
            f64::from(self.load.connections) / self.load.rate
        } else {
            0.0
        });
        // Connections take turns within a pause.
        let mut next =
            self.begun + pause.mul_f64(f64::from(self.number) / f64::from(self.load.connections.max(1)));
        while self.begun.elapsed() < self.load.duration {
            if self.load.rate > 0.0 {
                sleep_until(next).await;
            }
            // From when it was due: a late answer delays the next request, and that is not hidden.
            let due = if self.load.rate > 0.0 { next } else { Instant::now() };
            next += pause;
            let Some(id) = self.ids.get(random.usize(..self.ids.len())).cloned() else { return };
            let writes = random.u32(..100) < self.load.writes_percent;
            let answer = if writes { self.write(&id, &mut random).await } else { self.read(&id).await };
            let histogram = if writes { &self.tally.writes } else { &self.tally.reads };
            if answer.is_some_and(|status| (200..300).contains(&status)) {
                histogram.record(due.elapsed());
            } else {
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    async fn read(&mut self, id: &str) -> Option<u16> {
        let answer = self.client.get(&format!("/v1/customers/{id}")).await.ok()?;
        (answer.body.windows(id.len()).any(|part| part == id.as_bytes())).then_some(answer.status)
    }

    /// One in two changes the customer, the other adds a note.
    async fn write(&mut self, id: &str, random: &mut fastrand::Rng) -> Option<u16> {
        let answer = if random.bool() {
            let body = json!({"company_name": format!("Company {}", random.u32(..)), "credit_limit": "100"});
            self.client.send("PUT", &format!("/v1/customers/{id}"), &body).await
        } else {
            let body = json!({"text": "Called, wants a second trunk."});
            self.client.send("POST", &format!("/v1/customers/{id}/notes"), &body).await
        };
        answer.ok().map(|answer| answer.status)
    }
}
