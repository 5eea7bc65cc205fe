//! Processes: their processor time and memory, and their end.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tokio::process::Child;

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
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Some(Usage { cpu: sum.cpu + cpu(*process)?, rss_kb: sum.rss_kb + kb_of(&status, "VmRSS:")? })
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

/// Memory of `processes` with what they share counted once (the sum of their proportional sets). Reading it
/// walks their page tables, so it is for moments that are not measured. `None` without processes.
pub fn proportional_kb(processes: &[u32]) -> Option<u64> {
    if processes.is_empty() {
        return None;
    }
    processes.iter().try_fold(0, |sum, process| {
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        Some(sum + kb_of(&rollup, "Pss:")?)
    })
}

/// The living processes of a process group.
pub fn of_group(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let belongs = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        group_of(&stat) == Some(group)
    };
    processes.filter(belongs).collect()
}

/// Processor time of this process.
pub fn own_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Ends a child with SIGTERM and, when it takes longer than `within`, with SIGKILL.
pub async fn terminate(mut child: Child, within: Duration) -> anyhow::Result<()> {
    let Some(process) = child.id().and_then(|id| i32::try_from(id).ok()) else { return Ok(()) };
    // A child that ended a moment ago cannot be signalled, and is waited for below.
    let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
    match tokio::time::timeout(within, child.wait()).await {
        Ok(status) => drop(status.context("cannot wait for a child")?),
        Err(_) => child.kill().await.context("cannot kill a child")?,
    }
    Ok(())
}

/// By the process's own clock, which counts nanoseconds; /proc has hundredths of a second.
fn cpu(process: u32) -> Option<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(process).ok()?)).ok()?;
    clock_gettime(clock).ok().map(Duration::from)
}

fn kb_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn group_of(stat: &str) -> Option<u32> {
    // The name in parentheses may hold anything; state and parent come first (proc_pid_stat(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        assert_eq!(group_of("42 (a) b) S 1 43 44 0 -1"), Some(43));
        assert_eq!(group_of("42 (a"), None);
    }

    #[test]
    fn kilobytes() {
        assert_eq!(kb_of("Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t1\n", "VmRSS:"), Some(1234));
        assert_eq!(kb_of("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let own = [std::process::id()];
        assert!(usage(&own).unwrap().rss_kb > 0 && usage(&own).unwrap().cpu > Duration::ZERO);
        assert!(proportional_kb(&own).unwrap() > 0);
        assert_eq!(usage(&[u32::MAX]), None);
    }
}
