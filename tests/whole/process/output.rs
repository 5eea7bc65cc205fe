//! Commands that run to their end.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::super::wait;

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command; one that does not end in time is killed and fails the test.
#[track_caller]
pub(crate) fn run(command: &mut Command, within: Duration) -> Finished {
    // Into files, not pipes: nobody has to read while it runs.
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = wait::within_time(within, || child.try_wait().unwrap());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (text(&mut stdout), text(&mut stderr));
    let status = status.unwrap_or_else(|| panic!("{command:?} runs over {within:?}:\n{stdout}\n{stderr}"));
    Finished { status, stdout, stderr }
}

fn text(file: &mut File) -> String {
    let mut octets = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut octets).unwrap();
    String::from_utf8_lossy(&octets).into_owned()
}

impl Finished {
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
    }

    /// Refused as people expect it: an exit code, one line that says what and where, no trace of the inside.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        let code = self.status.code();
        assert!(code.is_some_and(|code| code != 0 && code != 101), "exit code {code:?}\n{}", self.stderr);
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let reason = lines.last().copied().unwrap_or_default();
        for word in words {
            assert!(reason.contains(word), "{word:?} is missing in {:?}", self.stderr);
        }
        for inside in ["panicked", "backtrace", "RUST_BACKTRACE", "stack backtrace", "src/"] {
            assert!(!self.stderr.contains(inside), "{inside:?} in {:?}", self.stderr);
        }
    }
}
