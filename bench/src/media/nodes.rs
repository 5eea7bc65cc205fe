//! Media nodes as processes of their own: simulated ones, or real ones in userspace on the loopback
//! interface.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::process::usage;
use crate::rtpengine::{self, Counters};

const STARTED_WITHIN: Duration = Duration::from_secs(20);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Time for what the subject still deletes: it sends a delete again for ten seconds, and compares the calls
/// of a node that came back with its own.
const EMPTY_WITHIN: Duration = Duration::from_secs(30);
/// A simulated node opens none of them, so it may have all: four a call.
const SIMULATED_PORTS: &str = "1024-65535";
/// Below those that the system gives to whoever asks for any: four a call, too.
const REAL_PORTS: (u16, u16) = (10_000, 31_999);

/// Which media nodes are started.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `bench rtpengine`, which this is the program of.
    Simulated(PathBuf),
    /// RTPEngine's own program.
    Real(PathBuf),
}

/// A running media node; it ends when it is dropped.
#[derive(Debug)]
pub struct MediaNode {
    /// Where it takes commands.
    pub address: SocketAddr,
    child: Child,
    /// A simulated one tells what it did.
    told: Option<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    directory: Option<TempDir>,
}

/// The first line of a simulated node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
}

impl Kind {
    /// Simulated nodes by this program.
    pub fn simulated() -> anyhow::Result<Self> {
        std::env::current_exe().map(Self::Simulated).context("cannot tell where this program is")
    }

    /// Its name in results.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Simulated(_) => "simulated",
            Self::Real(_) => "rtpengine",
        }
    }
}

impl MediaNode {
    /// Starts number `place` of a run and waits until it answers. Errors tell what to do.
    pub async fn start(kind: &Kind, place: u8) -> anyhow::Result<Self> {
        let mut node = match kind {
            Kind::Simulated(program) => simulated(program).await?,
            Kind::Real(program) => real(program, place)?,
        };
        node.ready().await?;
        Ok(node)
    }

    /// Its process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its processor time so far.
    pub fn cpu(&self) -> Duration {
        self.process().and_then(|process| usage(&[process])).map_or(Duration::ZERO, |usage| usage.cpu)
    }

    /// Stops it where it is (SIGSTOP): its socket goes on taking what comes.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Waits until it has no call any more; how many it has when time is up, a thousand at most. Errors: it
    /// does not answer.
    pub async fn settle(&self) -> anyhow::Result<u64> {
        let deadline = Instant::now() + EMPTY_WITHIN;
        loop {
            let calls = rtpengine::list(self.address).await.with_context(|| self.to_string())?;
            if calls.is_empty() || Instant::now() >= deadline {
                return Ok(calls.len() as u64);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// What it did, as far as it tells. Errors: it does not answer.
    pub async fn account(&mut self) -> anyhow::Result<Value> {
        let figures = rtpengine::statistics(self.address).await.with_context(|| self.to_string())?;
        let mut account = json!({
            "address": self.address.to_string(),
            "calls_managed": figures.totals.managed_sessions,
            "calls_deleted": figures.totals.regular_terminated_sessions,
            "calls_timed_out": figures.totals.timeout_sessions + figures.totals.silent_timeout_sessions
                + figures.totals.offer_timeout_sessions,
            "calls_refused": figures.totals.rejected_sessions,
        });
        let counters = self.counters().await?.map(serde_json::to_value).transpose()?;
        if let (Some(Value::Object(counters)), Some(account)) = (counters, account.as_object_mut()) {
            account.extend(counters);
        }
        Ok(account)
    }

    /// Of a simulated one.
    async fn counters(&mut self) -> anyhow::Result<Option<Counters>> {
        let name = self.to_string();
        let Some((input, output)) = &mut self.told else { return Ok(None) };
        input.write_all(b"\n").await.with_context(|| format!("{name} is gone"))?;
        let line = next_line(output).await.with_context(|| format!("{name} does not tell what it did"))?;
        serde_json::from_str(&line).map(Some).with_context(|| format!("{name} tells {line}"))
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process().and_then(|process| i32::try_from(process).ok());
        let process = process.with_context(|| format!("{self} is gone"))?;
        kill(Pid::from_raw(process), signal).with_context(|| format!("cannot send {signal} to {self}"))
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + STARTED_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("cannot wait for a media node")? {
                bail!("{self} ended with {status}; its last words:\n{}", self.last_words());
            }
            // Refused until it listens.
            if rtpengine::list(self.address).await.is_ok() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("{self} did not answer within {STARTED_WITHIN:?}; its last words:\n{}", self.last_words())
    }

    fn last_words(&self) -> String {
        let file = self.directory.as_ref().map(|directory| directory.path().join("log"));
        let log = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl std::fmt::Display for MediaNode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the media node at {}", self.address)
    }
}

async fn simulated(program: &Path) -> anyhow::Result<MediaNode> {
    let mut child = Command::new(program)
        .args(["rtpengine", "--tell", "--listen", "127.0.0.1:0", "--ports", SIMULATED_PORTS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let input = child.stdin.take().context("a simulated media node without input")?;
    let output = child.stdout.take().context("a simulated media node without output")?;
    let mut output = BufReader::new(output).lines();
    let line = next_line(&mut output).await.context("a simulated media node does not say where it is")?;
    let Listening { address } =
        serde_json::from_str(&line).with_context(|| format!("a simulated media node tells {line}"))?;
    Ok(MediaNode { address, child, told: Some((input, output)), directory: None })
}

fn real(program: &Path, place: u8) -> anyhow::Result<MediaNode> {
    let directory = tempfile::Builder::new().prefix("bench-rtpengine-").tempdir()?;
    let path = directory.path();
    let log = File::create(path.join("log")).context("cannot make RTPEngine's log")?;
    let errors = log.try_clone().context("cannot share RTPEngine's log")?;
    // It cannot pick a port and say which.
    let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let address = address.context("no free port for RTPEngine")?;
    let (first, last) = REAL_PORTS;
    let child = Command::new(program)
        .args(["--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=4"])
        .args(["--num-threads=2", "--timeout=60"])
        .args([format!("--interface={}", media_address(place)), format!("--listen-ng={address}")])
        .args([format!("--port-min={first}"), format!("--port-max={last}")])
        .arg(format!("--pidfile={}", path.join("pid").display()))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!("cannot run {}; install it with `apt-get install rtpengine-daemon`", program.display())
        })?;
    Ok(MediaNode { address, child, told: None, directory: Some(directory) })
}

/// Each real node has an address of its own, so that none takes another's ports.
const fn media_address(place: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 2, place.saturating_add(1)))
}

async fn next_line(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    let line = timeout(ANSWERED_WITHIN, output.next_line()).await.context("it is silent")??;
    line.context("it has ended")
}

#[cfg(test)]
mod tests;
