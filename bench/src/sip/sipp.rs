//! The same calls by SIPp: several customers and vendors as processes, their own statistics read from their
//! files. Latency comes from a few calls of our own beside them: SIPp's clock has steps of 4 ms.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use self::statistics::Statistics;
use super::load::{Load, Stage, Work};
use super::subject::{Attached, Subject, Target};
use super::{datagrams, run};
use crate::process::{proportional_kb, terminate, usage};
use crate::report::{Outcome, per_second, rounded};
use crate::sampler::Sampler;

mod statistics;

const UAC: &str = include_str!("uac.xml");
const UAS: &str = include_str!("uas.xml");
/// Calls a second of our own that measure latency.
const PROBE_RATE: f64 = 20.0;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between the vendors' start and the first call.
const LEAD: Duration = Duration::from_millis(500);
const DRAIN: Duration = Duration::from_secs(70);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// Calls of one process at once.
const OPEN_MAX: u32 = 500_000;

/// Offers `load` by SIPp. Errors: SIPp is not installed, its ports are taken, or the subject does not start.
pub async fn measure(load: &Load, target: &Target) -> anyhow::Result<Outcome> {
    if load.work != Work::Calls {
        bail!("SIPp is driven for calls only");
    }
    let [stage] = load.stages.as_slice() else { bail!("SIPp is driven at one rate only") };
    let directory = tempfile::Builder::new().prefix("bench-sipp-").tempdir()?;
    let mut vendors = Vec::new();
    for place in 0..load.uas_sockets.max(1) {
        vendors.push(free(target.vendor_addr(u16::try_from(place).unwrap_or(u16::MAX)))?);
    }
    let mut subject = target.prepare(&vendors).await?;
    let idle_kb = proportional_kb(&subject.processes);
    let mut sipp = Sipp::start(load, *stage, &subject, (&vendors, directory)).await?;
    let sampler = Sampler::start(subject.processes.clone());
    let overflowed = datagrams::overflowed();
    let started = Instant::now();
    let probe = probe(load, *stage, &subject, &vendors);
    let (probe, generator_cpu) =
        tokio::join!(probe, sipp.watch(started + stage.duration + load.hold + DRAIN));
    let elapsed = started.elapsed();
    let up_kb = proportional_kb(&subject.processes);
    tokio::time::sleep(load.settle).await;
    let samples = sampler.finish();
    let (uac, uas) = sipp.finish().await?;
    let probe = probe?;
    let mut outcome = Outcome::new(&format!("{}/sipp", load.scenario), subject.name, "call");
    outcome.offered_per_s = stage.rate;
    outcome.achieved_per_s = per_second(uac.successful, stage.duration.as_secs_f64());
    outcome.total = stage.calls();
    outcome.failed = uac.failed;
    outcome.lost = stage.calls().saturating_sub(uac.successful + uac.failed);
    outcome.figures.retransmissions = Some(uac.retransmissions + uas.retransmissions);
    outcome.rss_kb = if subject.processes.len() > 1 { up_kb } else { samples.rss_kb };
    let units = (stage.calls() + probe.total).max(1) as f64;
    let per_unit = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / units);
    outcome.cpu_us_per_unit = samples.cpu.map(per_unit);
    load.describe(&mut outcome);
    outcome.set("driver", "sipp");
    outcome.set("generator_cpu_us_per_unit", per_unit(generator_cpu));
    outcome.set("elapsed_s", rounded(elapsed.as_secs_f64()));
    outcome.set("pss_kb_idle", serde_json::json!(idle_kb));
    outcome.set("udp_overflows_of_the_machine", datagrams::overflowed().saturating_sub(overflowed));
    outcome.set("uac", uac.to_json());
    outcome.set("uas", uas.to_json());
    latency_of(&probe, &mut outcome);
    if uac.created < stage.calls() {
        outcome.invalidate(format!("SIPp offered {} of {} calls only", uac.created, stage.calls()));
    }
    if let Some(reason) = subject.ended() {
        outcome.invalidate(reason);
    }
    subject.stop().await?;
    Ok(outcome)
}

/// Calls of our own through the same subject to the same vendors.
async fn probe(
    load: &Load,
    stage: Stage,
    subject: &Subject,
    vendors: &[SocketAddr],
) -> anyhow::Result<Outcome> {
    let target = subject.targets.first().copied().context("nowhere to send calls")?;
    let vendor = vendors.first().copied().context("nobody to answer calls")?;
    let probing = Attached { target, processes: Vec::new(), vendor: SocketAddr::new(vendor.ip(), 0) };
    let probe = Load {
        scenario: "sip/probe".to_owned(),
        stages: vec![Stage { rate: PROBE_RATE, duration: stage.duration }],
        settle: Duration::ZERO,
        ..load.clone()
    };
    Box::pin(run::measure(&probe, &Target::Attach(probing))).await
}

fn latency_of(probe: &Outcome, outcome: &mut Outcome) {
    (outcome.p50_us, outcome.p99_us, outcome.max_us) = (probe.p50_us, probe.p99_us, probe.max_us);
    outcome.figures.invite_100_p50_us = probe.figures.invite_100_p50_us;
    outcome.figures.invite_100_p99_us = probe.figures.invite_100_p99_us;
    outcome.set("latency_of", format!("{} probe calls, {PROBE_RATE}/s", probe.total));
    for key in ["invite_100_us", "invite_180_us", "invite_200_us"] {
        if let Some(value) = probe.settings.get(key) {
            outcome.set(key, value.clone());
        }
    }
}

/// SIPp's processes.
struct Sipp {
    uac: Vec<Process>,
    uas: Vec<Process>,
    _directory: TempDir,
}

struct Process {
    child: Child,
    file: PathBuf,
}

impl Sipp {
    async fn start(
        load: &Load,
        stage: Stage,
        subject: &Subject,
        (vendors, directory): (&[SocketAddr], TempDir),
    ) -> anyhow::Result<Self> {
        let path = directory.path();
        let (uac_xml, uas_xml) = (path.join("uac.xml"), path.join("uas.xml"));
        let millis = |duration: Duration| duration.as_millis().to_string();
        std::fs::write(&uac_xml, UAC.replace("{hold_ms}", &millis(load.hold)))?;
        std::fs::write(&uas_xml, UAS.replace("{ring_ms}", &millis(load.ring)))?;
        let mut sipp = Self { uac: Vec::new(), uas: Vec::new(), _directory: directory };
        let path = uac_xml.parent().map(Path::to_owned).unwrap_or_default();
        for (place, vendor) in vendors.iter().enumerate() {
            let file = path.join(format!("uas{place}.csv"));
            sipp.uas.push(Process::spawn(&uas_xml, *vendor, file, &[])?);
        }
        tokio::time::sleep(LEAD).await;
        let count = load.uac_sockets.max(1) as u64;
        for place in 0..count {
            let local = free(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            let file = path.join(format!("uac{place}.csv"));
            let calls = stage.calls() / count + u64::from(place < stage.calls() % count);
            // Whole calls in a period: SIPp's rate is an integer.
            let per_second = (stage.rate / count as f64).max(0.1);
            let (rate, period) = (format!("{:.0}", per_second * 10.0), "10000".to_owned());
            let target = usize::try_from(place).unwrap_or_default() % subject.targets.len().max(1);
            let target = subject.targets.get(target).context("nowhere to send calls")?;
            let more =
                [target.to_string(), "-m".into(), calls.to_string(), "-r".into(), rate, "-rp".into(), period];
            sipp.uac.push(Process::spawn(&uac_xml, local, file, &more)?);
        }
        Ok(sipp)
    }

    /// Waits for the customers to end; what all processes have used by then, as far as they can be asked.
    async fn watch(&mut self, until: Instant) -> Duration {
        let mut used = Duration::ZERO;
        loop {
            let ids: Vec<u32> =
                self.uac.iter().chain(&self.uas).filter_map(|process| process.child.id()).collect();
            used = used.max(usage(&ids).map_or(used, |usage| usage.cpu));
            let over = self.uac.iter_mut().all(|process| matches!(process.child.try_wait(), Ok(Some(_))));
            if over || Instant::now() >= until {
                return used;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends all and reads what they wrote.
    async fn finish(self) -> anyhow::Result<(Statistics, Statistics)> {
        let mut sums = [Statistics::default(), Statistics::default()];
        for (sum, processes) in sums.iter_mut().zip([self.uac, self.uas]) {
            for process in processes {
                terminate(process.child, STOPPED_WITHIN).await?;
                let text = std::fs::read_to_string(&process.file).unwrap_or_default();
                let read = Statistics::read(&text);
                sum.add(&read.with_context(|| format!("no statistics in {}", process.file.display()))?);
            }
        }
        let [uac, uas] = sums;
        Ok((uac, uas))
    }
}

impl Process {
    fn spawn(scenario: &Path, local: SocketAddr, file: PathBuf, more: &[String]) -> anyhow::Result<Self> {
        let child = Command::new("sipp")
            .args(more)
            .arg("-sf")
            .arg(scenario)
            .args(["-i", &local.ip().to_string(), "-p", &local.port().to_string()])
            .args(["-nostdin", "-trace_stat", "-fd", "1", "-l", &OPEN_MAX.to_string(), "-stf"])
            .arg(&file)
            // A short receive buffer would make SIPp the one that drops.
            .args(["-buff_size", "1048576"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run sipp; install it with `apt-get install sip-tester`")?;
        Ok(Self { child, file })
    }
}

/// An address that was free a moment ago; SIPp cannot pick its own and say so.
fn free(addr: SocketAddr) -> std::io::Result<SocketAddr> {
    UdpSocket::bind(addr)?.local_addr()
}
