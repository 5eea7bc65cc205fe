//! `bench sip`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use crate::peer::kamailio::{self, KamailioOptions};
use crate::print;
use crate::report::Outcome;
use crate::sip::load::{Load, Stage, Work};
use crate::sip::search::{Driver, SearchOptions, search};
use crate::sip::subject::{Attached, Target};
use crate::sip::{overload, run, sipp};
use crate::subject::NodeOptions;

/// Calls beyond the ramp stay up so long together.
const HOLD_TOGETHER: Duration = Duration::from_secs(16);

#[derive(Debug, Args)]
pub(super) struct Sip {
    /// Calls a second; with --search the first step, with --overload the highest rate known.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// For how long, or of each step, or of the overload.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// From the vendor's 180 to its 200.
    #[arg(long, default_value_t = 100)]
    ring_ms: u64,
    /// From ACK to BYE.
    #[arg(long, default_value_t = 1_000)]
    hold_ms: u64,
    /// Looks for the highest rate with no failed call and less than 1 % retransmissions.
    #[arg(long, conflicts_with_all = ["options", "hold_calls", "overload"])]
    search: bool,
    /// With --search: never higher.
    #[arg(long, default_value_t = 20_000.0)]
    rate_max: f64,
    /// Builds up so many calls at --rate and holds them together.
    #[arg(long, conflicts_with_all = ["options", "overload"])]
    hold_calls: Option<u32>,
    /// OPTIONS instead of calls.
    #[arg(long, conflicts_with = "overload")]
    options: bool,
    /// Offers so many times --rate after and before 80 % of it.
    #[arg(long)]
    overload: Option<f64>,
    /// Runs the same through a peer too, after the subject.
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Kamailio's memory: its fast manager with 6 GB, or as packaged.
    #[arg(long, value_enum, default_value_t = Memory::Fast)]
    peer_memory: Memory,
    /// Who makes the calls.
    #[arg(long, value_enum, default_value_t = DriverKind::Own)]
    driver: DriverKind,
    /// The customer's sockets; with SIPp its processes.
    #[arg(long, default_value_t = 4)]
    uac_sockets: usize,
    /// The vendor's sockets; with SIPp its processes.
    #[arg(long, default_value_t = 2)]
    uas_sockets: usize,
    /// The customer's threads.
    #[arg(long, default_value_t = 1)]
    uac_threads: usize,
    /// The vendor's threads.
    #[arg(long, default_value_t = 1)]
    uas_threads: usize,
    /// The generator rests so long after each round, in microseconds: for rates at which its own processor time
    /// would be missed; latencies become as coarse.
    #[arg(long, default_value_t = 0)]
    coalesce_us: u64,
    /// The subject is watched so long beyond the last call.
    #[arg(long, default_value_t = 6.0)]
    settle: f64,
    /// One JSON object per run on stdout.
    #[arg(long)]
    json: bool,
    /// What is measured; none is the generator against itself, peer-only leaves the node out.
    #[arg(long, value_enum, default_value_t = SubjectKind::Warp)]
    subject: SubjectKind,
    /// The node's program; otherwise the `warp` beside this program.
    #[arg(long)]
    warp: Option<PathBuf>,
    /// Where the node's data goes; otherwise beside this program.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The node's database, postgres://…; otherwise the embedded one.
    #[arg(long, default_value = "")]
    store_url: String,
    /// Drives whatever listens there; it must send calls for +4420… to --uas-listen.
    #[arg(long)]
    target: Option<SocketAddr>,
    /// Its processes, for processor time and memory.
    #[arg(long)]
    pid: Vec<u32>,
    /// With --target: where the simulated vendor listens; further sockets take the ports that follow.
    #[arg(long, default_value = "127.0.0.1:5090")]
    uas_listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Peer {
    Kamailio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Memory {
    Fast,
    Packaged,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DriverKind {
    Own,
    Sipp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SubjectKind {
    Warp,
    None,
    PeerOnly,
}

impl Sip {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let load = self.load()?;
        if let Some(target) = self.target() {
            self.measure(&load, &target).await?;
        }
        match self.peer {
            Some(Peer::Kamailio) => {
                let options = KamailioOptions { fast: self.peer_memory == Memory::Fast };
                self.measure(&load, &Target::Kamailio(options)).await
            }
            None => Ok(()),
        }
    }

    async fn measure(&self, load: &Load, target: &Target) -> anyhow::Result<()> {
        let during = seconds(self.seconds)?;
        if self.search {
            let options = SearchOptions { from: self.rate, to: self.rate_max, step: during };
            let each = |outcome: &Outcome| self.print(outcome.clone(), target);
            let best = search(load, target, (options, self.driver()), each).await?;
            self.print(best.context("even the first step of the search failed")?, target);
            return Ok(());
        }
        let outcome = match (self.overload, self.driver()) {
            (Some(factor), _) => overload::measure(load, (self.rate, factor), during, target).await?,
            (None, Driver::Own) => run::measure(load, target).await?,
            (None, Driver::Sipp) => sipp::measure(load, target).await?,
        };
        self.print(outcome, target);
        Ok(())
    }

    fn print(&self, mut outcome: Outcome, target: &Target) {
        if let Target::Kamailio(options) = target {
            kamailio::judge(&mut outcome, *options);
        }
        if self.json { print::json(&outcome) } else { print::table(&outcome) }
    }

    const fn driver(&self) -> Driver {
        match self.driver {
            DriverKind::Own => Driver::Own,
            DriverKind::Sipp => Driver::Sipp,
        }
    }

    fn load(&self) -> anyhow::Result<Load> {
        let counts = [self.uac_sockets, self.uas_sockets, self.uac_threads, self.uas_threads];
        if counts.contains(&0) || !self.rate.is_finite() || self.rate <= 0.0 {
            bail!("a rate is above 0, and there is at least one socket and thread on each side");
        }
        if self.overload.is_some_and(|factor| !factor.is_finite() || factor <= 0.0) {
            bail!("an overload is so many times the highest rate, above 0");
        }
        let mut load = Load {
            stages: vec![Stage { rate: self.rate, duration: seconds(self.seconds)? }],
            ring: Duration::from_millis(self.ring_ms),
            hold: Duration::from_millis(self.hold_ms),
            uac_sockets: self.uac_sockets,
            uas_sockets: self.uas_sockets,
            uac_threads: self.uac_threads,
            uas_threads: self.uas_threads,
            coalesce: Duration::from_micros(self.coalesce_us),
            settle: seconds(self.settle)?,
            ..Load::default()
        };
        if self.options {
            load.work = Work::Options;
            load.scenario = "sip/options".to_owned();
        }
        if let Some(calls) = self.hold_calls {
            let ramp = Duration::from_secs_f64(f64::from(calls) / self.rate);
            load.stages = vec![Stage { rate: self.rate, duration: ramp }];
            load.hold = ramp + HOLD_TOGETHER;
            load.per_live_call = true;
            load.scenario = "sip/hold".to_owned();
        }
        Ok(load)
    }

    fn target(&self) -> Option<Target> {
        if let Some(target) = self.target {
            let processes = self.pid.clone();
            return Some(Target::Attach(Attached { target, processes, vendor: self.uas_listen }));
        }
        match self.subject {
            SubjectKind::PeerOnly => None,
            SubjectKind::None => Some(Target::Direct),
            SubjectKind::Warp => Some(Target::Start(NodeOptions {
                program: self.warp.clone(),
                directory: self.dir.clone(),
                store_url: self.store_url.clone(),
            })),
        }
    }
}

fn seconds(seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds).context("seconds are no duration")
}
