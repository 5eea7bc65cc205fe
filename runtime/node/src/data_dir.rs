//! The data directory: its files, and the lock that makes it one process's.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::Failure;

/// Set on directories that many share, as /tmp.
const STICKY: u32 = 0o1000;

/// Where a node keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

/// The directory is ours until this is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock, which goes with the file")] File);

/// Why the directory is not ours.
#[derive(Debug)]
pub(crate) enum Busy {
    /// A node or another command holds it; its process id where known.
    Held(Option<u32>),
    /// The directory or the lock's file cannot be had.
    Failed(Failure),
}

/// `ports.json`: where a node listens, for those who gave it port 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ports {
    pub(crate) api: SocketAddr,
    pub(crate) api_tls: Vec<SocketAddr>,
    pub(crate) metrics: SocketAddr,
    pub(crate) smpp: Vec<SocketAddr>,
    pub(crate) smpp_tls: Vec<SocketAddr>,
    pub(crate) sip: Vec<SocketAddr>,
}

impl DataDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    pub(crate) fn token(&self) -> PathBuf {
        self.0.join(api::token::FILE)
    }

    pub(crate) fn ports(&self) -> PathBuf {
        self.0.join("ports.json")
    }

    /// Makes the directory if it is absent, closes it to others, and takes its lock.
    pub(crate) fn lock(&self) -> Result<Lock, Busy> {
        let shown = self.0.display();
        let failed = |what: &str, error: io::Error| {
            Busy::Failed(Failure::run(format!("data directory {shown}: {what}: {error}")))
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| failed("cannot be made", error))?;
        self.tighten()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.0.join("lock"));
        let mut file = file.map_err(|error| failed("its lock cannot be opened", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Busy::Held(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(failed("its lock cannot be taken", error)),
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| failed("its lock cannot be written", error))?;
        Ok(Lock(file))
    }

    /// Closes an existing directory to others: keys, tokens and messages are in it.
    fn tighten(&self) -> Result<(), Busy> {
        let refused =
            |what: String| Busy::Failed(Failure::run(format!("data directory {}: {what}", self.0.display())));
        let failed = |error: io::Error| refused(format!("its mode cannot be read or set: {error}"));
        let found = std::fs::metadata(&self.0).map_err(failed)?;
        let mode = found.mode() & 0o7777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        // The owner of our own entry in /proc is the user we run as.
        let ours = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == found.uid());
        if !ours || mode & STICKY != 0 {
            let whose = if ours { "shared" } else { "another user's" };
            return Err(refused(format!(
                "others may open it (mode {mode:04o}), and it is {whose}: give the node one of its own, mode 0700"
            )));
        }
        std::fs::set_permissions(&self.0, Permissions::from_mode(0o700)).map_err(failed)
    }

    /// The lock, for those who cannot do without.
    pub(crate) fn lock_or_refuse(&self) -> Result<Lock, Failure> {
        self.lock().map_err(|busy| match busy {
            Busy::Held(pid) => {
                let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
                Failure::run(format!("another node runs in {}{pid}", self.0.display()))
            }
            Busy::Failed(failure) => failure,
        })
    }

    /// Writes `ports.json` whole, so that a reader sees all of it or none.
    pub(crate) fn write_ports(&self, ports: &Ports) -> io::Result<()> {
        let part = self.0.join("ports.part");
        std::fs::write(&part, serde_json::to_vec(ports)?)?;
        std::fs::rename(part, self.ports())
    }

    /// Removes what only a running node has; what an earlier node left behind too.
    pub(crate) fn remove_ports(&self) {
        for path in [self.ports(), self.control_socket()] {
            // Absent is as good as removed.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_processs_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::new(&directory.path().join("a/b"));
        let lock = data.lock_or_refuse().unwrap();
        let refused = data.lock_or_refuse().unwrap_err().to_string();
        let pid = std::process::id();
        assert_eq!(refused, format!("another node runs in {} (pid {pid})", data.path().display()));
        drop(lock);
        data.lock_or_refuse().unwrap();
    }

    #[test]
    fn an_existing_directory_is_closed_to_others() {
        let directory = tempfile::tempdir().unwrap();
        for (found, left) in
            [(0o755, Some(0o700)), (0o770, Some(0o700)), (0o700, Some(0o700)), (0o1777, None)]
        {
            std::fs::set_permissions(directory.path(), Permissions::from_mode(found)).unwrap();
            let locked = DataDir::new(directory.path()).lock_or_refuse();
            match left {
                Some(left) => {
                    locked.unwrap();
                    let mode = std::fs::metadata(directory.path()).unwrap().mode() & 0o7777;
                    assert_eq!(mode, left, "{found:o}");
                }
                None => {
                    let refused = locked.unwrap_err().to_string();
                    assert!(
                        refused.contains("others may open it (mode 1777), and it is shared"),
                        "{refused}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_directory_that_cannot_be_is_said_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = DataDir::new(&file.join("data")).lock_or_refuse().unwrap_err().to_string();
        assert!(refused.contains("file/data: cannot be made: "), "{refused}");
    }

    #[test]
    fn ports_are_written_whole() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::new(directory.path());
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let ports = Ports {
            api: address(1),
            api_tls: Vec::new(),
            metrics: address(2),
            smpp: vec![address(3)],
            smpp_tls: Vec::new(),
            sip: Vec::new(),
        };
        data.write_ports(&ports).unwrap();
        assert_eq!(
            std::fs::read_to_string(data.ports()).unwrap(),
            r#"{"api":"127.0.0.1:1","api_tls":[],"metrics":"127.0.0.1:2","smpp":["127.0.0.1:3"],"smpp_tls":[],"sip":[]}"#
        );
        data.remove_ports();
        assert!(!data.ports().exists());
    }
}
