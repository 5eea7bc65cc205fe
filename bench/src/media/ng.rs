//! One media node, asked as fast as it answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::Builder;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use self::asker::{Asker, AskerOptions};
use crate::process::{own_cpu, usage};
use crate::report::{Outcome, per_second, rounded};
use crate::rtpengine;
use crate::sip::endpoint::{drive, now};
use crate::sip::socket::Bound;

mod asker;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Whether it is there.
    Pings,
    /// To take calls: an offer, its answer, a delete.
    Calls,
}

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The node's ng address.
    pub node: SocketAddr,
    /// Its process, where that is known, for its processor time.
    pub process: Option<u32>,
    /// What it is asked.
    pub work: Work,
    /// Commands under way at one time; a call has one.
    pub in_flight: usize,
    /// For how long.
    pub during: Duration,
}

/// Tells the thread to stop, at the latest when it goes.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Asks until time is up, then until every call is deleted. Errors: there is no socket, or the node does not
/// say which calls it has.
pub async fn measure(load: &Load) -> anyhow::Result<Outcome> {
    let bound = Bound::bind(any_like(load.node)).context("no socket for ng")?;
    let start = now();
    let Load { node, work, in_flight, during, .. } = *load;
    let (end, seed) = (start + during, fastrand::u64(..));
    let asker = Asker::new(AskerOptions { node, work, in_flight, start, end, seed });
    let ours = asker.prefix().to_owned();
    let (cpu, node_cpu) = (own_cpu(), cpu_of(load.process));
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let thread = Builder::new().name("ng".to_owned());
    let thread = thread.spawn(move || drive(asker, vec![bound], Duration::ZERO, &stopped));
    let thread = thread.context("cannot start a thread")?;
    while !thread.is_finished() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (asker, unsent) = thread.join().map_err(|_| anyhow!("the thread that asks failed"))?;
    let (cpu, node_cpu_now) = (own_cpu().saturating_sub(cpu), cpu_of(load.process));
    let node_cpu = node_cpu.zip(node_cpu_now).map(|(before, after)| after.saturating_sub(before));
    let listed = rtpengine::list(node).await.with_context(|| format!("the media node at {node}"))?;
    let left = listed.iter().filter(|call| call.starts_with(&ours)).count();
    let mut outcome = described(load, &asker, (cpu, node_cpu));
    outcome.set("calls_left", left);
    if left > 0 {
        outcome.invalidate(format!("the node still has {left} calls"));
    }
    if unsent > 0 {
        outcome.invalidate(format!("the kernel refused {unsent} datagrams"));
    }
    Ok(outcome)
}

fn described(load: &Load, asker: &Asker, (cpu, node_cpu): (Duration, Option<Duration>)) -> Outcome {
    let scenario = match load.work {
        Work::Pings => "media/ng-pings",
        Work::Calls => "media/ng-calls",
    };
    let mut outcome = Outcome::new(scenario, "media node", "round trip");
    let tally = &asker.tally;
    let total = tally.round_trips.count();
    let elapsed = asker.elapsed().as_secs_f64();
    let per_unit = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / total.max(1) as f64);
    outcome.total = total;
    outcome.failed = tally.errors;
    outcome.lost = tally.silent;
    outcome.achieved_per_s = per_second(total, elapsed);
    outcome.offered_per_s = outcome.achieved_per_s;
    outcome.p50_us = tally.round_trips.quantile_us(500);
    outcome.p99_us = tally.round_trips.quantile_us(990);
    outcome.max_us = tally.round_trips.max_us();
    outcome.cpu_us_per_unit = node_cpu.map(per_unit);
    outcome.set("node", load.node.to_string());
    outcome.set("in_flight", load.in_flight);
    outcome.set("seconds", load.during.as_secs_f64());
    outcome.set("generator_cpu_us_per_unit", per_unit(cpu));
    outcome.set("calls", asker.calls());
    outcome.set("sent_again", tally.again);
    outcome.set("stray", tally.stray);
    if total == 0 {
        outcome.invalidate("the node answered nothing");
    }
    outcome
}

fn cpu_of(process: Option<u32>) -> Option<Duration> {
    usage(&[process?]).map(|usage| usage.cpu)
}

/// Any port of any address of the same family.
fn any_like(node: SocketAddr) -> SocketAddr {
    if node.is_ipv4() { SocketAddr::from(([0_u8; 4], 0)) } else { SocketAddr::from(([0_u16; 8], 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtpengine::{Rtpengine, RtpengineOptions};

    /// Over sockets, against the simulated node.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn both_works_leave_nothing_behind() {
        let node = Rtpengine::start(RtpengineOptions::default()).unwrap();
        for work in [Work::Pings, Work::Calls] {
            let during = Duration::from_millis(100);
            let load = Load { node: node.address(), process: None, work, in_flight: 8, during };
            let outcome = measure(&load).await.unwrap();
            assert!(outcome.valid && outcome.total > 0, "{outcome:?}");
            assert_eq!((outcome.failed, outcome.lost), (0, 0), "{outcome:?}");
        }
        let did = node.counters();
        assert!(did.offers > 0 && did.offers == did.answers && did.answers == did.deletes, "{did:?}");
        assert_eq!(node.calls(), Vec::<String>::new());
    }
}
