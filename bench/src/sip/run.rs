//! One run: both parties against a subject, and what came of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use self::parties::{Gone, Parties, Running};
use super::datagrams;
use super::endpoint::now;
use super::load::Load;
use super::subject::{Subject, Target};
use super::tally::Second;
use crate::histogram::Histogram;
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
    let flow = Flow::begin(load, target).await?;
    let watched = flow.watch().await;
    flow.settle(watched).await.finish().await
}

/// A load on its way through a subject.
pub(crate) struct Flow<'a> {
    subject: Subject,
    load: &'a Load,
    direct: bool,
    running: Running,
    stop: Stop,
    /// When the first call is due.
    start: Instant,
    before: Before,
    sampler: Sampler,
    /// The generator's own.
    ports: Vec<u16>,
}

/// What there was to see until the last call had ended.
pub(crate) struct Watched {
    up_kb: Option<u64>,
    elapsed: Duration,
    generator_cpu: Duration,
}

/// A load that is over; the subject still runs.
pub(crate) struct Settled<'a> {
    pub(crate) subject: Subject,
    load: &'a Load,
    direct: bool,
    running: Running,
    stop: Stop,
    watched: Watched,
    samples: Samples,
    memory: Memory,
    dropped: u64,
    overflowed: u64,
}

/// Time from INVITE to 200 of some calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetUp {
    pub(crate) calls: u64,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) max_us: Option<u64>,
}

/// Calls that were due since a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) placed: u64,
    pub(crate) completed: u64,
    pub(crate) set_up: SetUp,
}

impl SetUp {
    fn of(answer: &Histogram) -> Self {
        Self {
            calls: answer.count(),
            p50_us: answer.quantile_us(500),
            p99_us: answer.quantile_us(990),
            max_us: answer.max_us(),
        }
    }
}

impl<'a> Flow<'a> {
    /// Starts the subject and the parties. Errors: sockets cannot be bound, or the subject does not start.
    pub(crate) async fn begin(load: &'a Load, target: &Target) -> anyhow::Result<Self> {
        let parties = Parties::bind(load, target).context("cannot bind the simulated parties")?;
        let subject = target.prepare(&parties.vendors()).await?;
        let idle_kb = proportional_kb(&subject.processes);
        let ports = parties.ports();
        let before = Before { overflowed: datagrams::overflowed(), cpu: own_cpu(), idle_kb };
        let sampler = Sampler::start(subject.processes.clone());
        let stop = Stop::default();
        let start = now() + LEAD;
        let direct = matches!(target, Target::Direct);
        let running = parties.start(load, &subject.targets, (start, direct), &stop)?;
        Ok(Self { subject, load, direct, running, stop, start, before, sampler, ports })
    }

    /// Waits until the last call has ended.
    pub(crate) async fn watch(&self) -> Watched {
        let up_kb = watch(self.load, &self.running, &self.subject, self.start).await;
        Watched {
            up_kb,
            elapsed: now().saturating_duration_since(self.start),
            generator_cpu: own_cpu().saturating_sub(self.before.cpu),
        }
    }

    /// When the first call is due.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// Something was broken just now: calls that are due from now on are counted apart. How long the calls
    /// before took to be set up. Only the first time counts.
    pub(crate) fn mark_fault(&self) -> SetUp {
        let customer = self.running.customer();
        let before = SetUp::of(&customer.answer);
        let _ = customer.fault_at.set(now());
        before
    }

    /// Watches the subject for the time that the load asks for.
    pub(crate) async fn settle(self, watched: Watched) -> Settled<'a> {
        let Self { subject, load, direct, running, stop, before, sampler, ports, .. } = self;
        tokio::time::sleep(load.settle).await;
        let samples = sampler.finish();
        let settled_kb = proportional_kb(&subject.processes);
        let memory = Memory { idle_kb: before.idle_kb, up_kb: watched.up_kb, settled_kb };
        let dropped = datagrams::dropped_at(&ports);
        let overflowed = datagrams::overflowed().saturating_sub(before.overflowed);
        Settled { subject, load, direct, running, stop, watched, samples, memory, dropped, overflowed }
    }
}

impl Settled<'_> {
    /// How long calls took to be set up.
    pub(crate) fn set_up(&self) -> SetUp {
        SetUp::of(&self.running.customer().answer)
    }

    /// Calls that were due since the fault; `None` where there was none.
    pub(crate) fn behind_fault(&self) -> Option<Behind> {
        let customer = self.running.customer();
        customer.fault_at.get()?;
        Some(Behind {
            placed: customer.placed_behind.load(Relaxed),
            completed: customer.completed_behind.load(Relaxed),
            set_up: SetUp::of(&customer.answer_behind),
        })
    }

    /// Ends the parties and the subject; what came of the load, and of the calls of each second.
    pub(crate) async fn finish(self) -> anyhow::Result<(Outcome, Vec<Second>)> {
        let Self { mut subject, load, direct, running, stop, watched, samples, memory, dropped, overflowed } =
            self;
        stop.all();
        let gone = running.join().await?;
        let ended = subject.ended();
        let run = Run {
            load,
            subject: &subject,
            direct,
            gone,
            samples,
            elapsed: watched.elapsed,
            generator_cpu: watched.generator_cpu,
            memory,
            dropped,
            overflowed,
        };
        let mut outcome = run.outcome();
        if let Some(reason) = ended {
            outcome.invalidate(reason);
        }
        let seconds = run.gone.seconds;
        subject.stop().await?;
        Ok((outcome, seconds))
    }
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
async fn watch(load: &Load, running: &Running, subject: &Subject, start: Instant) -> Option<u64> {
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
