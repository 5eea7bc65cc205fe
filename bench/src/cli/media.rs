//! `bench media`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::media::nodes::{Kind, MediaNode};
use crate::media::{calls, ng};
use crate::print;
use crate::report::Outcome;
use crate::sip::load::{Load, Stage};
use crate::subject::NodeOptions;

/// Commands that the node's own client may have under way at one media node.
const IN_FLIGHT_MAX: usize = 8_192;

#[derive(Debug, Args)]
pub(super) struct Media {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks one media node as fast as it answers: pings, then calls that are offered, answered and deleted.
    Ng(Ng),
    /// Places the same calls without media nodes and with two of them, and compares.
    Calls(Box<Calls>),
}

#[derive(Debug, Args)]
struct Ng {
    /// The node's ng address; otherwise a simulated one is started.
    #[arg(long)]
    node: Option<SocketAddr>,
    /// Commands under way at one time.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// For how long pings are sent, and then calls.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// One JSON object per run on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Calls {
    /// Calls a second.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// From the vendor's 180 to its 200.
    #[arg(long, default_value_t = 100)]
    ring_ms: u64,
    /// From ACK to BYE.
    #[arg(long, default_value_t = 1_000)]
    hold_ms: u64,
    /// The subject is watched so long beyond the last call.
    #[arg(long, default_value_t = 6.0)]
    settle: f64,
    /// So often without and with media nodes, in turn: machines differ from minute to minute.
    #[arg(long, default_value_t = 1, conflicts_with = "freeze")]
    pairs: u32,
    /// Two real media nodes by this program instead of simulated ones.
    #[arg(long)]
    real: Option<PathBuf>,
    /// Stops one of the two nodes in the middle, and tells how long calls before and behind it took to be set
    /// up; without a run for comparison.
    #[arg(long)]
    freeze: bool,
    /// One JSON object per run on stdout.
    #[arg(long)]
    json: bool,
    /// The node's program; otherwise the `warp` beside this program.
    #[arg(long)]
    warp: Option<PathBuf>,
    /// Where the node's data goes; otherwise beside this program.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The node's database, postgres://…; otherwise the embedded one.
    #[arg(long, default_value = "")]
    store_url: String,
}

impl Media {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Ng(ng) => Box::pin(ng.run()).await,
            Command::Calls(calls) => Box::pin(calls.run()).await,
        }
    }
}

impl Ng {
    async fn run(&self) -> anyhow::Result<()> {
        if !(1..=IN_FLIGHT_MAX).contains(&self.in_flight) {
            bail!("--in-flight lies between 1 and {IN_FLIGHT_MAX}");
        }
        let during = seconds(self.seconds)?;
        let own = match self.node {
            Some(_) => None,
            None => Some(MediaNode::start(&Kind::simulated()?, 0).await?),
        };
        let node = self.node.or_else(|| own.as_ref().map(|own| own.address)).context("no media node")?;
        let process = own.as_ref().and_then(MediaNode::process);
        for work in [ng::Work::Pings, ng::Work::Calls] {
            let load = ng::Load { node, process, work, in_flight: self.in_flight, during };
            show(&ng::measure(&load).await?, self.json);
        }
        Ok(())
    }
}

impl Calls {
    async fn run(&self) -> anyhow::Result<()> {
        let load = self.load()?;
        let options = NodeOptions {
            program: self.warp.clone(),
            directory: self.dir.clone(),
            store_url: self.store_url.clone(),
        };
        let kind = match &self.real {
            Some(program) => Kind::Real(program.clone()),
            None => Kind::simulated()?,
        };
        if self.freeze {
            show(&calls::measure_frozen(&load, &options, &kind).await?, self.json);
            return Ok(());
        }
        for _ in 0..self.pairs {
            let off = calls::measure_off(&load, &options).await?;
            show(&off.outcome, self.json);
            show(&calls::measure_on(&load, &options, &kind, &off).await?, self.json);
        }
        Ok(())
    }

    fn load(&self) -> anyhow::Result<Load> {
        if !self.rate.is_finite() || self.rate <= 0.0 || self.pairs == 0 {
            bail!("a rate is above 0, and there is at least one pair");
        }
        Ok(Load {
            stages: vec![Stage { rate: self.rate, duration: seconds(self.seconds)? }],
            ring: Duration::from_millis(self.ring_ms),
            hold: Duration::from_millis(self.hold_ms),
            settle: seconds(self.settle)?,
            ..Load::default()
        })
    }
}

fn show(outcome: &Outcome, as_json: bool) {
    if as_json { print::json(outcome) } else { print::table(outcome) }
}

fn seconds(seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds).context("seconds are no duration")
}
