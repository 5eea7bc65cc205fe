//! What a node costs that does nothing: by itself, or with sessions bound and silent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::esme::{Esme, EsmeOptions};
use super::load::Load;
use super::smsc::Smsc;
use crate::ledger::Ledger;
use crate::process::{open_files_max, usage};
use crate::report::{Outcome, rounded};
use crate::subject::{Subject, Target};

/// Lets start-up and binds settle before memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// Open files beside those of the sessions.
const OTHER_FILES: u64 = 64;
/// How long all sessions may take to bind.
const BIND_WITHIN: Duration = Duration::from_secs(120);

/// Binds `sessions` sessions and watches the node for `watched`; the unit is a session, or with none the
/// node itself for a second. Errors: the subject has no process that could be watched, or binds fail.
pub async fn measure(sessions: usize, watched: Duration, target: &Target) -> anyhow::Result<Outcome> {
    if open_files_max().is_some_and(|max| max < sessions as u64 + OTHER_FILES) {
        bail!(
            "{sessions} sessions need more open files than allowed; raise the limit with `ulimit -n 65536`"
        );
    }
    let load = Load { sessions, ..Load::default() };
    let ledger = Arc::new(Ledger::new(fastrand::u16(..), false));
    let smsc = Smsc::start(load.smsc(target.vendor_addr()), Arc::clone(&ledger));
    let smsc = smsc.await.context("cannot start the simulated SMSC")?;
    let subject = target.prepare(&load.provision(smsc.addr)).await?;
    if subject.processes.is_empty() {
        bail!("an idle measurement needs a process to watch; name it with --pid");
    }
    tokio::time::sleep(SETTLE).await;
    let rss_before = rss_of(&subject)?;
    let options = EsmeOptions {
        sessions,
        bind_within: BIND_WITHIN,
        ..EsmeOptions::new(subject.smpp, &subject.system_id, &subject.password)
    };
    let esme = Esme::start(options, ledger).await.map_err(|error| subject.blame(error))?;
    tokio::time::sleep(SETTLE).await;
    let cpu_before = usage(&subject.processes).context("the subject ended")?.cpu;
    tokio::time::sleep(watched).await;
    let after = usage(&subject.processes).context("the subject ended")?;
    let cpu = (after.cpu - cpu_before).as_secs_f64();
    let outcome = outcome(sessions, watched, (rss_before, after.rss_kb), cpu);
    esme.stop().await;
    subject.stop().await?;
    Ok(outcome)
}

fn outcome(sessions: usize, watched: Duration, (before, after): (u64, u64), cpu: f64) -> Outcome {
    let (scenario, unit) =
        if sessions == 0 { ("smpp-idle/node", "second") } else { ("smpp-idle/sessions", "session") };
    let mut outcome = Outcome::new(scenario, "warp", unit);
    let units = if sessions == 0 { watched.as_secs_f64() } else { sessions as f64 };
    outcome.total = if sessions == 0 { watched.as_secs() } else { sessions as u64 };
    outcome.cpu_us_per_unit = Some(rounded(cpu * 1e6 / units));
    outcome.rss_kb = Some(after);
    outcome.set("sessions", sessions);
    outcome.set("seconds", watched.as_secs_f64());
    outcome.set("rss_kb_before_binds", before);
    outcome.set("cpu_share_of_a_core", (cpu / watched.as_secs_f64() * 1e4).round() / 1e4);
    if sessions > 0 {
        let grown = after.saturating_sub(before) as f64;
        outcome.set("rss_kb_per_session", rounded(grown / sessions as f64));
    }
    outcome
}

fn rss_of(subject: &Subject) -> anyhow::Result<u64> {
    Ok(usage(&subject.processes).context("the subject ended")?.rss_kb)
}
