//! Kamailio as a process, by a configuration of a test's own.

use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::super::process::{READY, signal};
use super::super::wait;
use super::{HERE, SOON};

/// A Kamailio of one test alone.
pub(super) struct Kamailio {
    child: Child,
    folder: TempDir,
}

impl Kamailio {
    /// Starts it; it answers at this address by UDP when this returns.
    #[track_caller]
    pub(super) fn start(program: &Path, local: SocketAddr, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, configuration).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        // Its children outlive one that is killed.
        command.args(["--pdeathsig", "TERM"]).arg(program).args(["-DD", "-E", "-m", "64", "-M", "8"]);
        command.arg("-Y").arg(folder.path()).arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut kamailio = Self { child: command.spawn().unwrap(), folder };
        kamailio.wait_ready(local);
        kamailio
    }

    #[track_caller]
    fn wait_ready(&mut self, local: SocketAddr) {
        let probe = UdpSocket::bind((HERE, 0)).unwrap();
        probe.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let own = probe.local_addr().unwrap();
        let options = format!(
            "OPTIONS sip:{local} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
             From: <sip:test@{own}>;tag=1\r\nTo: <sip:{local}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        wait::until("Kamailio answers", READY, || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "Kamailio ended: {}", self.log());
            // Nobody takes it before it listens.
            let _ = probe.send_to(options.as_bytes(), local);
            let mut answer = vec![0; 4096];
            let read = probe.recv(&mut answer).unwrap_or_default();
            answer[..read].starts_with(b"SIP/2.0 200").then_some(())
        });
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(super) fn wait_for(&self, said: &str) {
        let found = wait::within_time(SOON * 3, || self.log().contains(said).then_some(()));
        assert!(found.is_some(), "no {said:?} of Kamailio: {}", self.log());
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.child.id(), "TERM");
        }
        let _ = wait::within_time(SOON, || self.child.try_wait().ok().flatten());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
