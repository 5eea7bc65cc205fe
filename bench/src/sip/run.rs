//! One run: both parties against a subject, and what came of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use self::parties::{Gone, Parties};
use super::datagrams;
use super::endpoint::now;
use super::load::Load;
use super::subject::{Subject, Target};
use super::tally::Second;
use crate::print;
use crate::process::{own_cpu, proportional_kb};
use crate::report::Outcome;
use crate::sampler::{Sampler, Samples};

mod outcome;
mod parties;

/// Between the threads' start and the first call.
const LEAD: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Beside what a call takes: the transactions' own time to give up, and a little.
const DRAIN: Duration = Duration::from_secs(70);

/// Offers `load` to `target` and accounts for every call. Errors: sockets cannot be bound, or the subject does
/// not start.
pub async fn measure(load: &Load, target: &Target) -> anyhow::Result<Outcome> {
    measure_seconds(load, target).await.map(|(outcome, _)| outcome)
}

/// The same, with what became of the calls of each second.
pub(super) async fn measure_seconds(load: &Load, target: &Target) -> anyhow::Result<(Outcome, Vec<Second>)> {
    let parties = Parties::bind(load, target).context("cannot bind the simulated parties")?;
    let mut subject = target.prepare(&parties.vendors()).await?;
    let idle_kb = proportional_kb(&subject.processes);
    let ports = parties.ports();
    let before = Before { overflowed: datagrams::overflowed(), cpu: own_cpu(), idle_kb };
    let sampler = Sampler::start(subject.processes.clone());
    let stop = Stop::default();
    let start = now() + LEAD;
    let direct = matches!(target, Target::Direct);
    let running = parties.start(load, &subject.targets, (start, direct), &stop)?;
    let up_kb = watch(load, &running, &subject, start).await;
    let elapsed = now().saturating_duration_since(start);
    let generator_cpu = own_cpu().saturating_sub(before.cpu);
    tokio::time::sleep(load.settle).await;
    let samples = sampler.finish();
    let settled_kb = proportional_kb(&subject.processes);
    let dropped = datagrams::dropped_at(&ports);
    stop.all();
    let gone = running.join().await?;
    let ended = subject.ended();
    let run = Run {
        load,
        subject: &subject,
        direct,
        gone,
        samples,
        elapsed,
        generator_cpu,
        memory: Memory { idle_kb: before.idle_kb, up_kb, settled_kb },
        dropped,
        overflowed: datagrams::overflowed().saturating_sub(before.overflowed),
    };
    let mut outcome = run.outcome();
    if let Some(reason) = ended {
        outcome.invalidate(reason);
    }
    let seconds = run.gone.seconds;
    subject.stop().await?;
    Ok((outcome, seconds))
}

/// Everything that one run left behind.
struct Run<'a> {
    load: &'a Load,
    subject: &'a Subject,
    direct: bool,
    gone: Gone,
    samples: Samples,
    /// From the first call to the end of the last.
    elapsed: Duration,
    generator_cpu: Duration,
    memory: Memory,
    /// At the generator's own sockets.
    dropped: u64,
    /// On the whole machine.
    overflowed: u64,
}

struct Before {
    overflowed: u64,
    cpu: Duration,
    idle_kb: Option<u64>,
}

/// Memory of the subject, what its processes share counted once.
#[derive(Clone, Copy, Debug)]
struct Memory {
    idle_kb: Option<u64>,
    /// When the last call had been offered.
    up_kb: Option<u64>,
    /// When all was over.
    settled_kb: Option<u64>,
}

/// Tells the threads to stop.
#[derive(Clone, Debug, Default)]
struct Stop {
    uac: Arc<AtomicBool>,
    uas: Arc<AtomicBool>,
}

impl Stop {
    fn all(&self) {
        self.uac.store(true, Relaxed);
        self.uas.store(true, Relaxed);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        // A run that was cut off leaves no threads.
        self.all();
    }
}

/// Waits until the customers are done or out of time; the subject's memory when all calls had been offered.
async fn watch(load: &Load, running: &parties::Running, subject: &Subject, start: Instant) -> Option<u64> {
    let offered_at = start + load.stages.iter().map(|stage| stage.duration).sum();
    let cut_off = offered_at + load.ring + load.hold + load.patience + DRAIN;
    let mut up_kb = None;
    while !running.is_over() && now() < cut_off {
        tokio::time::sleep(LOOK_EVERY).await;
        if up_kb.is_none() && now() >= offered_at + load.ring {
            up_kb = proportional_kb(&subject.processes);
        }
        print::progress(&running.line(subject.name));
    }
    print::progress_over();
    up_kb
}
