//! Linphone as a process: a telephone that was not written here and knows SHA-256, by the commands of its daemon.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::process::READY;
use super::super::wait;

/// Time for something that it does: it has threads that all wait for one another.
const DONE: Duration = Duration::from_secs(30);

/// What it says of its call while that is up, and when there is none.
pub(super) const TALKING: &str = "LinphoneCallStreamsRunning";
pub(super) const IDLE: &str = "No current call";

/// An account at a node, for [`Linphone::start`], and more lines of it: it does not register unless they say so.
pub(super) fn account(username: &str, password: &str, node: SocketAddr, more: &str) -> String {
    let registers = if more.contains("reg_sendregister") { "" } else { "reg_sendregister=0\n" };
    format!(
        "[proxy_0]\nreg_proxy=<sip:{node}>\nreg_identity=sip:{username}@{node}\n{registers}{more}\n\
         [auth_info_0]\nusername={username}\npasswd={password}\nrealm=warp\n"
    )
}

/// A telephone without sound.
pub(super) struct Linphone {
    child: Child,
    control: UnixStream,
    /// Where it has put its socket.
    socket: PathBuf,
    folder: TempDir,
}

impl Linphone {
    /// Starts it; it takes calls, which it answers itself, and commands when this returns.
    #[track_caller]
    pub(super) fn start(program: &Path, local: SocketAddr, account: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Without this folder it opens no socket for SIP.
        fs::create_dir_all(folder.path().join(".local/share/linphone")).unwrap();
        let config = folder.path().join("linphonerc");
        let (address, port) = (local.ip(), local.port());
        let lines = format!(
            "[sip]\ndefault_proxy=0\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\nbind_address={address}\n\
             guess_hostname=0\n[rtp]\naudio_rtp_port=-1\nvideo_rtp_port=-1\ntext_rtp_port=-1\n{account}"
        );
        fs::write(&config, lines).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let pipe = format!("warp-test-linphone-{}-{port}", std::process::id());
        let socket = Path::new("/tmp").join(&pipe);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("--auto-answer");
        command.arg("--config").arg(&config).args(["--pipe", &pipe]);
        command.env("HOME", folder.path()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        let control = wait::until("Linphone takes commands", READY, || UnixStream::connect(&socket).ok());
        control.set_read_timeout(Some(DONE)).unwrap();
        Self { child, control, socket, folder }
    }

    /// What it says to a command that it takes.
    #[track_caller]
    pub(super) fn command(&self, command: &str) -> String {
        let said = self.ask(command);
        assert!(said.starts_with("Status: Ok"), "{command}: {said}{}", self.output());
        said
    }

    /// Waits for an event, those before it included.
    #[track_caller]
    pub(super) fn wait(&self, event: &str) {
        let mut seen = Vec::new();
        let found = wait::within_time(DONE, || {
            let told = self.command("pop-event");
            let name = told.lines().find_map(|line| line.strip_prefix("Event: "))?.to_owned();
            seen.push(name.clone());
            (name == event).then_some(())
        });
        assert!(found.is_some(), "no {event} of Linphone, but {seen:?}\n{}", self.output());
    }

    /// Waits until what it says to a command has this in it.
    #[track_caller]
    pub(super) fn wait_for(&self, command: &str, wanted: &str) {
        let mut last = String::new();
        let found = wait::within_time(DONE, || {
            last = self.ask(command);
            last.contains(wanted).then_some(())
        });
        assert!(found.is_some(), "no {wanted:?} in what it says to {command}: {last}{}", self.output());
    }

    fn ask(&self, command: &str) -> String {
        (&self.control).write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut buffer = vec![0; 65_536];
        let deadline = Instant::now() + DONE;
        // One answer is one write of it.
        loop {
            match (&self.control).read(&mut buffer) {
                Ok(0) => panic!("Linphone ended at {command}: {}", self.output()),
                Ok(read) => return String::from_utf8_lossy(&buffer[..read]).into_owned(),
                Err(error) if error.kind() == ErrorKind::Interrupted && Instant::now() < deadline => {}
                Err(error) => panic!("{command}: {error}: {}", self.output()),
            }
        }
    }

    fn output(&self) -> String {
        let octets = fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
    }
}
