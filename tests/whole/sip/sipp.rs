//! SIPp as a process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::wait;
use super::{SOON, Transport};

/// Time of a whole run; SIPp ends itself then, with an error.
const RUN: Duration = Duration::from_secs(90);
/// Last lines of a file that a failure shows.
const SHOWN: usize = 60;

/// What a process is to do.
pub(super) struct Part<'a> {
    /// For files and failures.
    pub(super) name: String,
    pub(super) scenario: String,
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    /// Whom it calls; nobody when it is called.
    pub(super) calls: Option<SocketAddr>,
    /// How many calls, and how many of them a second.
    pub(super) count: (u32, u32),
    /// Where its files go.
    pub(super) folder: &'a Path,
}

/// A run of SIPp; it ends with this thread at the latest.
pub(super) struct Sipp {
    name: String,
    child: Child,
    folder: PathBuf,
}

impl Sipp {
    /// Starts it; one that is called listens when this returns.
    #[track_caller]
    pub(super) fn start(program: &Path, part: Part<'_>) -> Self {
        Self::start_with(program, part, &[])
    }

    /// The same with these arguments more.
    #[track_caller]
    pub(super) fn start_with(program: &Path, part: Part<'_>, more: &[String]) -> Self {
        let Part { name, scenario, transport, local, calls, count: (count, rate), folder } = part;
        let file = |kind: &str| folder.join(format!("{name}.{kind}"));
        fs::write(file("xml"), scenario).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-sf").arg(file("xml"));
        command.args(["-i", &local.ip().to_string(), "-p", &local.port().to_string()]);
        command.args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }]);
        command.args(["-m", &count.to_string(), "-r", &rate.to_string(), "-nostdin"]);
        // All may be up at one time; by itself it holds calls back beyond three seconds' worth.
        command.args(["-l", &count.to_string()]);
        command.args(["-timeout", &format!("{}s", RUN.as_secs()), "-timeout_error"]);
        command.arg("-trace_err").arg("-error_file").arg(file("errors"));
        command.arg("-trace_msg").arg("-message_file").arg(file("messages"));
        command.args(more).args(calls.map(|called| called.to_string()));
        let output = File::create(file("output")).unwrap();
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut sipp = Self { name, child, folder: folder.to_owned() };
        if calls.is_none() {
            wait::until("SIPp listens", SOON, || {
                assert!(sipp.child.try_wait().unwrap().is_none(), "{}", sipp.failure("ended at once"));
                listens(transport, local).then_some(())
            });
        }
        sipp
    }

    /// Whether it has given up any call.
    pub(super) fn has_given_up(&self) -> bool {
        let errors = fs::read(self.folder.join(format!("{}.errors", self.name))).unwrap_or_default();
        String::from_utf8_lossy(&errors).contains("Aborting call")
    }

    /// Its end, and what it says when a call was not as its scenario wants it.
    pub(super) fn finish(mut self) -> Result<(), String> {
        let status = wait::within_time(RUN + SOON, || self.child.try_wait().unwrap());
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failure(&status.to_string())),
            None => Err(self.failure("did not end")),
        }
    }

    fn failure(&self, why: &str) -> String {
        let mut text = format!("SIPp {}: {why}\n", self.name);
        for kind in ["output", "errors", "messages"] {
            let octets = fs::read(self.folder.join(format!("{}.{kind}", self.name))).unwrap_or_default();
            let said = String::from_utf8_lossy(&octets).into_owned();
            let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines.len().saturating_sub(SHOWN);
            // What failed a call may have been long before the end.
            let (before, _) = lines.split_at(last);
            let wrong = before.iter().filter(|line| line.contains("Aborting")).take(SHOWN / 10);
            text.extend(wrong.flat_map(|line| [line, "\n"]));
            text.extend(lines.iter().skip(last).flat_map(|line| [line, "\n"]));
        }
        text
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a socket has this port; looked up, since to try it would take it from whom we wait for.
fn listens(transport: Transport, local: SocketAddr) -> bool {
    let table = if transport == Transport::Udp { "/proc/net/udp" } else { "/proc/net/tcp" };
    let port = format!(":{:04X}", local.port());
    let text = fs::read_to_string(table).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&port))
}
