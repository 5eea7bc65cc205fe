//! Kamailio: a SIP proxy under the same calls, configured for the same work.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::process::{of_group, terminate};
use crate::report::Outcome;

const TEMPLATE: &str = include_str!("../../peers/kamailio.cfg");
const STARTED_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// UDP workers at which it was measured on two cores.
const WORKERS: usize = 2;
/// Shared memory in MB at which it did not run out up to the highest rate it carried.
const SHARED_MB: u32 = 6_144;
/// The largest receive buffer it may try for, as much as the system grants.
const RECEIVE_BUFFER: u32 = 8 << 20;
/// Processor time per call that was recorded on two cores with the fast manager; a run beyond a factor of two
/// around it says more about the set-up than about Kamailio.
const RECORDED_CPU_US: (f64, f64) = (71.0, 88.0);

/// How it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KamailioOptions {
    /// With the fast memory manager and 6 GB of shared memory; otherwise as packaged, which takes twice the
    /// processor time and runs out of memory early.
    pub fast: bool,
}

/// A running Kamailio in a process group and a directory of its own.
#[derive(Debug)]
pub struct Kamailio {
    /// Where it listens.
    pub addr: SocketAddr,
    child: Option<Child>,
    group: u32,
    directory: TempDir,
}

impl Kamailio {
    /// Starts one that sends calls to `vendors` in turn. Errors: it is not installed or does not start.
    pub async fn start(options: KamailioOptions, vendors: &[SocketAddr]) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bench-kamailio-").tempdir()?;
        let path = directory.path();
        let addr = free_addr().context("no free port for Kamailio")?;
        let text = [
            ("{listen}", addr.to_string()),
            ("{workers}", WORKERS.to_string()),
            ("{directory}", path.display().to_string()),
        ]
        .into_iter()
        .fold(TEMPLATE.to_owned(), |text, (word, value)| text.replace(word, &value));
        let set: String = vendors.iter().map(|vendor| format!("1 sip:{vendor}\n")).collect();
        let write = |name: &str, text: &str| {
            std::fs::write(path.join(name), text).with_context(|| format!("cannot write {name}"))
        };
        write("kamailio.cfg", &text)?;
        write("dispatcher.list", &set)?;
        write("address.list", "1 127.0.0.1 32 0\n")?;
        let log = File::create(path.join("kamailio.log")).context("cannot make kamailio.log")?;
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-b", &RECEIVE_BUFFER.to_string()]);
        if options.fast {
            command.args(["-x", "fm", "-m", &SHARED_MB.to_string()]);
        }
        let child = command
            .arg("-f")
            .arg(path.join("kamailio.cfg"))
            .arg("-Y")
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot run kamailio; install it with `apt-get install kamailio`")?;
        let group = child.id().context("kamailio ended at once")?;
        let mut kamailio = Self { addr, child: Some(child), group, directory };
        kamailio.ready().await?;
        Ok(kamailio)
    }

    /// Its processes.
    pub fn processes(&self) -> Vec<u32> {
        of_group(self.group)
    }

    /// Why it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!("kamailio ended with {status}; its last words:\n{}", self.last_words()))
    }

    /// Ends it with SIGTERM, after 10 s with SIGKILL.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        match self.child.take() {
            Some(child) => terminate(child, STOPPED_WITHIN).await,
            None => Ok(()),
        }
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + STARTED_WITHIN;
        let probe = UdpSocket::bind("127.0.0.1:0").context("no socket for a probe")?;
        probe.set_nonblocking(true)?;
        let local = probe.local_addr()?;
        let (addr, mut answer) = (self.addr, [0; 2048]);
        let request = format!(
            "OPTIONS sip:{addr} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKready\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bench@{local}>;tag=1\r\nTo: <sip:{addr}>\r\n\
             Call-ID: ready@{local}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        while Instant::now() < deadline {
            if let Some(reason) = self.ended() {
                bail!("{reason}");
            }
            // Refused until it listens.
            let _ = probe.send_to(request.as_bytes(), addr);
            tokio::time::sleep(LOOK_EVERY).await;
            if probe.recv_from(&mut answer).is_ok() {
                return Ok(());
            }
        }
        bail!("kamailio did not answer within {STARTED_WITHIN:?}; its last words:\n{}", self.last_words())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.directory.path().join("kamailio.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its children outlive a master that was killed. The group is our own: it began with our child.
        if let Ok(group) = i32::try_from(self.group)
            && group > 1
            && !of_group(self.group).is_empty()
        {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// Adds what is known of Kamailio to a result, and refuses one that is far from it.
pub fn judge(outcome: &mut Outcome, options: KamailioOptions) {
    let (low, high) = RECORDED_CPU_US;
    outcome.set("kamailio_workers", WORKERS);
    outcome.set("kamailio_memory_manager", if options.fast { "fm, 6144 MB" } else { "package default" });
    if !options.fast || outcome.unit != "call" {
        return;
    }
    outcome.set("recorded_cpu_us_per_call", serde_json::json!([low, high]));
    let expected = low / 2.0..=high * 2.0;
    if outcome.failed + outcome.lost == 0
        && outcome.cpu_us_per_unit.is_some_and(|cpu| !expected.contains(&cpu))
    {
        outcome.invalidate(format!("not within a factor of two of the recorded {low} to {high} us a call"));
    }
}

/// An address that was free a moment ago; Kamailio cannot pick its own.
fn free_addr() -> std::io::Result<SocketAddr> {
    UdpSocket::bind("127.0.0.1:0")?.local_addr()
}
