//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::payload::Mix;
use crate::peer::kannel;
use crate::print;
use crate::report::Outcome;
use crate::smpp::load::Load;
use crate::smpp::smsc::IdFormat;
use crate::smpp::suite::Scenario;
use crate::smpp::{idle, restart, run, suite};
use crate::subject::{Attached, NodeOptions, Target};

mod api;
mod media;
mod rtpengine;
mod sip;

/// Load harness of the WARP carrier core.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Submits messages to a node, takes them at a simulated SMSC, and accounts for every one.
    Smpp(Box<Smpp>),
    /// Measures a node with bound and silent sessions, or with none.
    SmppIdle(Box<SmppIdle>),
    /// Kills a node with many live messages, starts it again, and lets them arrive.
    SmppRestart(Box<SmppRestart>),
    /// Places calls through a node to a simulated vendor, and accounts for every one.
    Sip(Box<sip::Sip>),
    /// Reads and writes customers through the REST interface, or measures how long changes take to be in force.
    Api(Box<api::Api>),
    /// Asks a media node as fast as it answers, or compares calls with and without media nodes.
    Media(media::Media),
    /// Plays a media node until it is killed.
    #[command(hide = true)]
    Rtpengine(rtpengine::Rtpengine),
}

#[derive(Debug, Args)]
struct SmppRestart {
    /// Messages that wait when the node is killed.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Smpp {
    /// Customer sessions (transceivers).
    #[arg(long, default_value_t = 10)]
    sessions: usize,
    /// submit_sm outstanding per session.
    #[arg(long, default_value_t = 100)]
    window: usize,
    /// submit_sm a second; 0 is as fast as they are answered.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// For how long to submit.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// gsm7, ucs2, concat, long, mixed or plain.
    #[arg(long, default_value = "gsm7")]
    payload: Mix,
    /// From the SMSC's answer to its receipt.
    #[arg(long, default_value_t = 20)]
    receipt_delay_ms: u64,
    /// From the SMSC's submit_sm to its answer.
    #[arg(long, default_value_t = 0)]
    answer_delay_ms: u64,
    /// Whether the simulators acknowledge TCP segments at once.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    quick_ack: Switch,
    /// The node's binds at the SMSC.
    #[arg(long, default_value_t = 2)]
    binds: usize,
    /// The window of each of them.
    #[arg(long, default_value_t = 500)]
    vendor_window: usize,
    /// The share of receipts that the SMSC ever sends; 0 asks for none.
    #[arg(long, default_value_t = 1.0)]
    receipts: f64,
    /// How the SMSC writes message ids: hex, hex-padded, decimal or uuid.
    #[arg(long, default_value = "hex")]
    message_ids: IdFormat,
    /// The share of submit_sm that the SMSC answers with ESME_RTHROTTLED.
    #[arg(long, default_value_t = 0.0)]
    throttled: f64,
    /// submit_sm a second per bind beyond which the SMSC throttles; 0 is no limit.
    #[arg(long, default_value_t = 0)]
    vendor_throughput: u64,
    /// The SMSC loses a connection at every Nth submit_sm; 0 is never.
    #[arg(long, default_value_t = 0)]
    drop_every: u64,
    /// How long the node keeps messages that have ended, in seconds; otherwise as its default says.
    #[arg(long)]
    retention_seconds: Option<u64>,
    /// Runs the same load through a peer too, after the subject.
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Runs all scenarios of the documentation instead; the parameters above are then ignored.
    #[arg(long)]
    suite: bool,
    /// With --suite: only scenarios whose name contains this.
    #[arg(long, requires = "suite")]
    only: Option<String>,
    /// Skips the short run that measures the generator by itself.
    #[arg(long)]
    no_calibration: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct SmppIdle {
    /// Sessions to bind; 0 measures the node alone.
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
    /// For how long to watch.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// One JSON object per run on stdout.
    #[arg(long)]
    json: bool,
    /// What is measured; none is the generator against itself.
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
    /// Uses a node that runs already: its SMPP host.
    #[arg(long, requires_all = ["system_id", "password"])]
    host: Option<String>,
    /// Its SMPP port.
    #[arg(long, default_value_t = 2775)]
    port: u16,
    /// The customer's account on it.
    #[arg(long)]
    system_id: Option<String>,
    /// The account's password.
    #[arg(long)]
    password: Option<String>,
    /// Its process, for processor time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Its metrics listener.
    #[arg(long)]
    metrics: Option<SocketAddr>,
    /// Where the simulated SMSC listens; the running node's vendor must point here.
    #[arg(long, default_value = "127.0.0.1:3601")]
    smsc_listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Peer {
    Kannel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SubjectKind {
    Warp,
    None,
}

impl Cli {
    /// Does what was asked for; results go to stdout.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Smpp(smpp) if smpp.suite => smpp.run_suite().await,
            Command::Smpp(smpp) => smpp.run_once().await,
            Command::Sip(sip) => Box::pin(sip.run()).await,
            Command::Api(api) => Box::pin(api.run()).await,
            Command::Media(media) => media.run().await,
            Command::Rtpengine(rtpengine) => rtpengine.run().await,
            Command::SmppIdle(idle) => {
                let target = idle.common.target().await?;
                let watched = Duration::from_secs_f64(idle.seconds);
                idle.common.print(&idle::measure(idle.sessions, watched, &target).await?);
                Ok(())
            }
            Command::SmppRestart(restart) => {
                let target = restart.common.target().await?;
                restart.common.print(&restarted(restart.messages, &target).await?);
                Ok(())
            }
        }
    }
}

async fn restarted(messages: u32, target: &Target) -> anyhow::Result<Outcome> {
    match target {
        Target::Start(options) => restart::measure(messages, options).await,
        Target::Direct | Target::Attach(_) => bail!("a restart is measured on a node of the harness's own"),
    }
}

impl Smpp {
    async fn run_once(&self) -> anyhow::Result<()> {
        let (load, target) = (self.load()?, self.common.target().await?);
        let limit = self.limit(&load, &target).await?;
        self.common.print(&run::measure(&load, &target, limit).await?);
        match self.peer {
            Some(Peer::Kannel) => self.common.print(&kannel::measure(&load).await?),
            None => {}
        }
        Ok(())
    }

    async fn run_suite(&self) -> anyhow::Result<()> {
        let target = self.common.target().await?;
        let wanted = self.only.as_deref().unwrap_or_default();
        // All loads of the suite have the same sessions, windows and texts, hence one limit.
        let limit = self.limit(&Load::default(), &target).await?;
        let mut failed = 0;
        for scenario in suite::scenarios() {
            let name = scenario.name();
            if !name.contains(wanted) {
                continue;
            }
            let outcome = match scenario {
                Scenario::Load(load) => run::measure(&load, &target, limit).await,
                Scenario::Idle(sessions, watched) => idle::measure(sessions, watched, &target).await,
                Scenario::Restart(messages) => restarted(messages, &target).await,
            };
            match outcome {
                Ok(outcome) => self.common.print(&outcome),
                Err(error) => {
                    failed += 1;
                    print::note(&format!("{name}: {error:#}"));
                }
            }
        }
        if failed > 0 {
            bail!("{failed} scenarios could not be run");
        }
        Ok(())
    }

    async fn limit(&self, load: &Load, target: &Target) -> anyhow::Result<Option<f64>> {
        if self.no_calibration || matches!(target, Target::Direct) {
            return Ok(None);
        }
        run::generator_limit(load).await.map(Some)
    }

    fn load(&self) -> anyhow::Result<Load> {
        if self.sessions == 0 || self.window == 0 || self.binds == 0 || self.vendor_window == 0 {
            bail!("sessions, binds and windows must be at least 1");
        }
        let shares = [self.receipts, self.throttled];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) || !self.rate.is_finite() {
            bail!("a share lies between 0 and 1, and a rate is a number");
        }
        Ok(Load {
            scenario: "smpp".to_owned(),
            sessions: self.sessions,
            window: self.window,
            rate: self.rate.max(0.0),
            duration: Duration::try_from_secs_f64(self.seconds).context("--seconds is no duration")?,
            mix: self.payload,
            receipt_delay: Duration::from_millis(self.receipt_delay_ms),
            answer_delay: Duration::from_millis(self.answer_delay_ms),
            quick_ack: matches!(self.quick_ack, Switch::On),
            vendor_binds: self.binds,
            vendor_window: self.vendor_window,
            receipts: self.receipts,
            answer_id: self.message_ids,
            throttled: self.throttled,
            vendor_throughput: self.vendor_throughput,
            drop_every: self.drop_every,
            retention: self.retention_seconds.map(Duration::from_secs),
        })
    }
}

impl Common {
    fn print(&self, outcome: &Outcome) {
        if self.json { print::json(outcome) } else { print::table(outcome) }
    }

    async fn target(&self) -> anyhow::Result<Target> {
        if self.subject == SubjectKind::None {
            return Ok(Target::Direct);
        }
        let Some(host) = &self.host else {
            return Ok(Target::Start(NodeOptions {
                program: self.warp.clone(),
                directory: self.dir.clone(),
                store_url: self.store_url.clone(),
            }));
        };
        let mut found = tokio::net::lookup_host((host.as_str(), self.port)).await;
        let smpp = found.as_mut().ok().and_then(Iterator::next);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(Target::Attach(Attached {
            smpp: smpp.with_context(|| format!("{host} is no host"))?,
            metrics: self.metrics,
            process: self.pid,
            system_id: text(&self.system_id),
            password: text(&self.password),
            vendor: self.smsc_listen,
        }))
    }
}
