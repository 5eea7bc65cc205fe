//! Programs that were not written here.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::process::{environment, root};
use super::wait;

/// Says that a test cannot run for want of a peer; fails it where all peers must be there.
#[track_caller]
pub(crate) fn absent(what: &str) {
    assert!(
        environment("WARP_TEST_REQUIRE").is_none(),
        "{what} is absent: start the tests through tests/run"
    );
    wait::progress(&format!("NOT TESTED: {what} is absent; tests/run installs it"));
}

/// A program of the system.
#[track_caller]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    if found.is_none() {
        absent(name);
    }
    found
}

/// Python with smpplib.
#[track_caller]
pub(crate) fn python() -> Option<PathBuf> {
    in_environment("venv/bin/python", "smpplib (PyPI)")
}

/// The folder that holds npm's `smpp`, for `NODE_PATH`.
#[track_caller]
pub(crate) fn node_path() -> Option<PathBuf> {
    in_environment("node_modules/smpp/package.json", "smpp (npm)")
        .and_then(|path| Some(path.parent()?.parent()?.to_owned()))
}

/// A program that a package of npm brings.
#[track_caller]
pub(crate) fn npm(program: &str) -> Option<PathBuf> {
    in_environment(&format!("node_modules/.bin/{program}"), &format!("{program} (npm)"))
}

/// A script under tests/peers.
pub(crate) fn script(name: &str) -> PathBuf {
    root().join("tests/peers").join(name)
}

/// Where `tests/run` installs what comes from PyPI and npm.
pub(crate) fn folder() -> PathBuf {
    environment("WARP_TEST_PEERS").map_or_else(|| root().join("target/tests-env"), PathBuf::from)
}

#[track_caller]
fn in_environment(path: &str, what: &str) -> Option<PathBuf> {
    let found = Some(folder().join(path)).filter(|path| path.exists());
    if found.is_none() {
        absent(what);
    }
    found
}

/// A peer that runs beside the node and says in JSON, one object a line on stdout, what happens to it.
pub(crate) struct Peer {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Peer {
    /// Starts it; it ends with this thread at the latest.
    pub(crate) fn start(program: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        configure(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (stdout, heard) = (child.stdout.take().unwrap(), Arc::clone(&events));
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for event in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                heard.lock().push(event);
            }
        });
        Self { child, events }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far that has this `event`.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        self.events.lock().iter().filter(|said| said["event"] == event).cloned().collect()
    }

    /// Waits until it has said `count` of these.
    #[track_caller]
    pub(crate) fn wait(&self, event: &str, count: usize, within: Duration) -> Vec<Value> {
        wait::until(&format!("{count} events {event:?} of the peer"), within, || {
            Some(self.events(event)).filter(|said| said.len() >= count)
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
