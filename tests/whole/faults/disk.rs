//! A disk that is full, and one whose sync fails: the node stops promising, says so, and keeps its promises.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::esme::Esme;
use super::super::pdu::Sm;
use super::super::peer;
use super::super::process::{Node, Place, Setup, free_port, run};
use super::super::smsc::{Script, Smsc};
use super::super::wait;
use super::provision;

/// Time for readiness to follow a refusal.
const NOTICED: Duration = Duration::from_secs(10);
/// More messages than the disk of the test holds.
const TOO_MANY: u32 = 200_000;
/// submit_sm written before their answers are read.
const BATCH: u32 = 50;

#[test]
fn a_full_disk_stops_acknowledging_and_loses_nothing() {
    let Some(disk) = Disk::mount("24m") else { return };
    let vendor = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let place = Place::new(&Setup {
        provision: provision(&[vendor.port()]),
        data_dir: Some(disk.path().join("data")),
        ..Setup::default()
    });
    let mut node = place.start();
    let promised = submit_until_refused(&node);
    assert!(!promised.is_empty(), "some messages fitted");
    assert_noticed(&mut node);

    node.kill();
    disk.grow("512m");
    assert_all_reach(&place, vendor, &promised);
}

#[test]
fn a_failed_sync_stops_acknowledging_and_loses_nothing() {
    let Some(strace) = peer::program("strace") else { return };
    let vendor = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let place = Place::new(&Setup { provision: provision(&[vendor.port()]), ..Setup::default() });
    let mut node = place.start();
    let mut promised = HashSet::new();
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    for n in 0..100 {
        let text = format!("before {n}");
        esme.submit(&Sm::new("15551234567", &text), &mut Vec::new());
        promised.insert(text);
    }
    let fault = Fault::inject(&strace, node.pid());
    promised.extend(submit_until_refused(&node));
    assert_noticed(&mut node);
    drop(fault);
    node.kill();
    assert_all_reach(&place, vendor, &promised);
}

/// Submits in batches until something else than ESME_ROK comes back, or the node ends; the texts that were
/// acknowledged.
fn submit_until_refused(node: &Node) -> HashSet<String> {
    let mut promised = HashSet::new();
    // The node may have ended at the very fault: then nothing more is promised.
    let Some(mut esme) = Esme::try_bound(node.smpp(), "acme", "secret12") else { return promised };
    for first in (0..TOO_MANY).step_by(BATCH as usize) {
        let mut texts = std::collections::HashMap::new();
        for n in first..first + BATCH {
            let text = format!("{n:0>150}");
            if esme.try_send(&Sm::new("15551234567", &text).submit(n)).is_err() {
                return promised;
            }
            texts.insert(n, text);
        }
        for _ in 0..BATCH {
            let super::super::esme::Received::Pdu(answer) = esme.receive(NOTICED) else { return promised };
            if answer.status != 0 {
                return promised;
            }
            promised.extend(texts.remove(&answer.sequence));
        }
    }
    panic!("{TOO_MANY} messages were accepted on a disk that cannot hold them");
}

/// Readiness is off, or the process has ended to be started again; either way the log says why.
#[track_caller]
fn assert_noticed(node: &mut Node) {
    wait::until("readiness goes off", NOTICED, || {
        let ended = node.exit_status().is_some();
        (ended || !node.ready()).then_some(())
    });
    let log = node.place().log().to_lowercase();
    let said =
        log.lines().any(|line| line.contains("error") && (line.contains("log") || line.contains("disk")));
    assert!(said, "the log says what is wrong");
    assert!(!log.contains("panicked"), "nothing panics over a disk");
}

/// Starts the node again, and the vendor for the first time.
#[track_caller]
fn assert_all_reach(place: &std::sync::Arc<Place>, vendor: SocketAddr, promised: &HashSet<String>) {
    let smsc = Smsc::on(vendor, Script { receipt_after: None, ..Script::default() });
    let node = place.start();
    smsc.wait("all that was acknowledged", Duration::from_secs(120), |state| {
        state.submits.len() >= promised.len()
    });
    wait::until("none is missing", Duration::from_secs(30), || {
        let reached: HashSet<String> = smsc.state().texts().into_iter().collect();
        promised.is_subset(&reached).then_some(())
    });
    drop(node);
}

/// A tmpfs.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`, said aloud, where this user may not mount.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0777");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "warp-test"]).arg(folder.path());
        let mounted = run(&mut mount, NOTICED);
        if mounted.status.success() {
            return Some(Self(folder));
        }
        peer::absent(&format!("the right to mount a tmpfs ({})", mounted.stderr.trim()));
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        run(Command::new("mount").args(["-o", &options]).arg(self.path()), NOTICED).assert_success();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(self.path()), NOTICED);
    }
}

/// strace that makes every sync of a process fail.
struct Fault(Child);

impl Fault {
    #[track_caller]
    fn inject(strace: &Path, pid: u32) -> Self {
        let said = tempfile::NamedTempFile::new().unwrap();
        let mut child = Command::new(strace)
            .args(["-f", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"])
            .args(["-o", "/dev/null", "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.reopen().unwrap())
            .spawn()
            .unwrap();
        wait::until("strace is attached", NOTICED, || {
            let text = std::fs::read_to_string(said.path()).unwrap();
            assert_eq!(child.try_wait().unwrap(), None, "strace ended: {text}");
            text.contains("attached").then_some(())
        });
        Self(child)
    }
}

impl Drop for Fault {
    /// SIGTERM, on which strace lets its process go; SIGKILL would leave it stopped.
    fn drop(&mut self) {
        super::super::process::signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}
