//! A node of ours as a separate process, in a directory that goes when it does.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::provision::Provisioning;
use crate::http;
use crate::process::terminate;

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of the node's log that an error shows.
const LOG_LINES: usize = 20;

/// Which node to start, and where.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// The `warp` program; `None` is the one beside this program.
    pub program: Option<PathBuf>,
    /// Where the run's directory is made; `None` is beside this program, which is on a real disk where
    /// temporary directories may be in memory.
    pub directory: Option<PathBuf>,
    /// The database; empty is the embedded one.
    pub store_url: String,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// Where it listens.
    pub ports: Ports,
    child: Child,
    directory: TempDir,
}

/// What the node writes into `ports.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Ports {
    /// The API.
    pub api: SocketAddr,
    /// The metrics page.
    pub metrics: Option<SocketAddr>,
    /// The SMPP listeners.
    #[serde(default)]
    pub smpp: Vec<SocketAddr>,
    /// The SIP listeners.
    #[serde(default)]
    pub sip: Vec<SocketAddr>,
}

impl Node {
    /// Provisions and starts a node and waits until it is ready. Errors tell what to do.
    pub async fn start(options: &NodeOptions, provision: &dyn Provisioning) -> anyhow::Result<Self> {
        let program = options.program()?;
        let directory = options.directory()?;
        let path = directory.path();
        let config = path.join("node.toml");
        let data_dir = data_dir_in(path);
        let provisioning = path.join("provision.toml");
        std::fs::create_dir_all(&data_dir).context("cannot make the node's data directory")?;
        std::fs::write(&config, provision.node_toml(&data_dir, &options.store_url))
            .context("cannot write node.toml")?;
        std::fs::write(&provisioning, provision.to_toml()).context("cannot write provision.toml")?;
        // PostgreSQL is migrated by hand only.
        if !options.store_url.is_empty() {
            warp(&program, &[OsStr::new("migrate")], &config).await?;
        }
        warp(&program, &[OsStr::new("apply"), provisioning.as_os_str()], &config).await?;
        let child = serve(&program, &config, path)?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let ports = Ports { api: nowhere, metrics: None, smpp: Vec::new(), sip: Vec::new() };
        let mut node = Self { ports, child, directory };
        node.ports = node.ready().await?;
        Ok(node)
    }

    /// Its process id, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        data_dir_in(self.directory.path())
    }

    /// Why it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("the node ended with {status}; its last words:\n{}", self.last_words()))
    }

    /// Ends it with SIGKILL and starts it again on the same files; how long until it was ready.
    pub async fn kill_and_start(&mut self, options: &NodeOptions) -> anyhow::Result<Duration> {
        self.child.kill().await.context("cannot end the node")?;
        // The file of the last life would name ports that nobody listens on.
        let _ = std::fs::remove_file(self.data_dir().join("ports.json"));
        let path = self.directory.path();
        let begun = Instant::now();
        self.child = serve(&options.program()?, &path.join("node.toml"), path)?;
        self.ports = self.ready().await?;
        Ok(begun.elapsed())
    }

    /// Ends it with SIGTERM, after 10 s with SIGKILL.
    pub async fn stop(self) -> anyhow::Result<()> {
        terminate(self.child, STOP_WITHIN).await
    }

    async fn ready(&mut self) -> anyhow::Result<Ports> {
        let deadline = Instant::now() + READY_WITHIN;
        let file = self.data_dir().join("ports.json");
        while Instant::now() < deadline {
            if let Some(reason) = self.ended() {
                bail!("{reason}");
            }
            let text = std::fs::read(&file).unwrap_or_default();
            if let Ok(ports) = serde_json::from_slice::<Ports>(&text)
                && http::get(ports.api, "/ready").await.is_ok_and(|response| response.status == 200)
            {
                return Ok(ports);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the node was not ready within {READY_WITHIN:?}; its last words:\n{}", self.last_words())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("node.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }
}

impl NodeOptions {
    fn program(&self) -> anyhow::Result<PathBuf> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => beside()?.join("warp"),
        };
        if !program.is_file() {
            bail!(
                "there is no node at {}; build it with `cargo build --release -p node`, or name it with --warp",
                program.display()
            );
        }
        Ok(program)
    }

    fn directory(&self) -> anyhow::Result<TempDir> {
        let parent = match &self.directory {
            Some(directory) => directory.clone(),
            None => beside()?,
        };
        tempfile::Builder::new().prefix("bench-run-").tempdir_in(&parent).with_context(|| {
            format!("cannot make a directory in {}; name another with --dir", parent.display())
        })
    }
}

fn beside() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(program.parent().unwrap_or_else(|| Path::new(".")).to_owned())
}

fn data_dir_in(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Runs a command of the program to its end.
async fn warp(program: &Path, arguments: &[&OsStr], config: &Path) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!(
            "`warp {}` ended with {}: {}{}",
            arguments.join(OsStr::new(" ")).display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn serve(program: &Path, config: &Path, directory: &Path) -> anyhow::Result<Child> {
    let log = File::create(directory.join("node.log")).context("cannot make node.log")?;
    let errors = log.try_clone().context("cannot share node.log")?;
    Command::new(program)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))
}

#[cfg(test)]
mod tests;
