//! Processes: their processor time and memory from /proc, and their end.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};

/// The kernel reports times to user space in these, whatever its own tick is (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;

/// What some processes have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all threads, ended ones included.
    pub cpu: Duration,
    /// Resident memory now.
    pub rss_kb: u64,
}

/// The sum over `processes`; `None` when one of them is not there.
pub fn usage(processes: &[u32]) -> Option<Usage> {
    processes.iter().try_fold(Usage::default(), |sum, process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Some(Usage { cpu: sum.cpu + cpu_of(&stat)?, rss_kb: sum.rss_kb + rss_of(&status)? })
    })
}

/// Files that this process may have open, if the kernel says.
pub fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processes that wanted to run during the last minute; tells a quiet machine from a shared one.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Octets in files below a directory.
pub fn disk_octets(directory: &std::path::Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_octets(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Ends a child with SIGTERM and, when it takes longer than `within`, with SIGKILL.
pub async fn terminate(mut child: Child, within: Duration) -> anyhow::Result<()> {
    let Some(process) = child.id() else { return Ok(()) };
    // Sending a signal needs unsafe code or a shell.
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -TERM \"$1\"", "sh", &process.to_string()]);
    kill.status().await.context("cannot signal a child")?;
    match tokio::time::timeout(within, child.wait()).await {
        Ok(status) => drop(status.context("cannot wait for a child")?),
        Err(_) => child.kill().await.context("cannot kill a child")?,
    }
    Ok(())
}

/// utime and stime, fields 14 and 15 of proc_pid_stat(5); the name in parentheses may hold anything.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
}

fn rss_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 150 75 0 0 20 0 4 0 100 1000 200";
        assert_eq!(cpu_of(stat), Some(Duration::from_millis(2250)));
        assert_eq!(cpu_of("42 (a"), None);
    }

    #[test]
    fn status_line() {
        assert_eq!(rss_of("Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t1\n"), Some(1234));
        assert_eq!(rss_of("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(usage(&[std::process::id()]).unwrap().rss_kb > 0);
        assert_eq!(usage(&[u32::MAX]), None);
    }
}
