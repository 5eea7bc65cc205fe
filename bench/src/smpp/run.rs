//! One measurement: an SMSC, a subject, a customer, and the account of what became of every message.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::esme::{self, Esme, Finished};
use super::load::Load;
use super::smsc::{self, Smsc};
use crate::ledger::{Ledger, Tally};
use crate::metrics_page::Buckets;
use crate::process::{disk_octets, load_average};
use crate::progress::Progress;
use crate::report::{Outcome, per_second, rounded};
use crate::sampler::{Sampler, Samples};
use crate::subject::{Subject, Target};

/// A run above this share of what the generator reaches by itself measures the generator.
const GENERATOR_RATE_SHARE_MAX: f64 = 0.7;
/// So does a run in which the generator takes more than this share of all processors.
const GENERATOR_CPU_SHARE_MAX: f64 = 0.7;
const VENDOR_BIND_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const CALIBRATION: Duration = Duration::from_secs(3);

/// Runs `load` through `target`. `limit` is what the generator reaches by itself with such a load, see
/// [`generator_limit`]. Errors: the subject cannot be started, or binds do not come about.
pub async fn measure(load: &Load, target: &Target, limit: Option<f64>) -> anyhow::Result<Outcome> {
    let ledger = Arc::new(Ledger::new(fastrand::u16(..), load.receipts > 0.0));
    let smsc = Smsc::start(load.smsc(target.vendor_addr()), Arc::clone(&ledger));
    let smsc = smsc.await.context("cannot start the simulated SMSC")?;
    let mut subject = target.prepare(&load.provision(smsc.addr)).await?;
    if subject.binds_vendor {
        vendor_bound(&smsc.counters, load.vendor_binds).await.map_err(|error| subject.blame(error))?;
    }
    let fsyncs_before = subject.fsyncs().await;
    let esme = Esme::start(load.esme(&subject), Arc::clone(&ledger)).await;
    let esme = esme.map_err(|error| subject.blame(error))?;
    let sampler = Sampler::start(subject.processes.clone());
    let progress = Progress::start(&load.scenario, Arc::clone(&ledger));
    let finished = esme.finish_course().await;
    drop(progress);
    let samples = sampler.finish();
    let fsyncs = fsyncs_before.zip(subject.fsyncs().await);
    let run =
        Run { load, finished, samples, tally: ledger.tally(), esme: &esme.counters, smsc: &smsc.counters };
    let mut outcome = run.outcome(subject.name);
    run.describe_subject(&mut outcome, &mut subject, fsyncs.as_ref());
    if subject.name != "none" {
        run.judge_generator(&mut outcome, limit);
    }
    esme.stop().await;
    subject.stop().await?;
    Ok(outcome)
}

/// Messages a second that the generator carries from its own customers to its own SMSC and back.
pub async fn generator_limit(load: &Load) -> anyhow::Result<f64> {
    let direct = measure(&load.flat_out(CALIBRATION), &Target::Direct, None).await?;
    Ok(direct.achieved_per_s)
}

/// Waits until the subject has its binds at the SMSC.
pub(crate) async fn vendor_bound(smsc: &smsc::Counters, binds: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + VENDOR_BIND_WITHIN;
    while smsc.bound.load(Relaxed) < binds as u64 {
        if Instant::now() >= deadline {
            let bound = smsc.bound.load(Relaxed);
            bail!(
                "the subject bound {bound} of {binds} times at the simulated SMSC in {VENDOR_BIND_WITHIN:?}"
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Everything that one run left behind.
pub(crate) struct Run<'a> {
    pub(crate) load: &'a Load,
    pub(crate) finished: Finished,
    pub(crate) samples: Samples,
    pub(crate) tally: Tally,
    pub(crate) esme: &'a esme::Counters,
    pub(crate) smsc: &'a smsc::Counters,
}

impl Run<'_> {
    /// The figures that every subject has.
    pub(crate) fn outcome(&self, subject: &str) -> Outcome {
        let (load, tally, report) = (self.load, &self.tally, &self.finished.report);
        let mut outcome = Outcome::new(&load.scenario, subject, "message");
        let submitting = report.submitting.as_secs_f64();
        outcome.offered_per_s =
            if load.rate > 0.0 { load.rate } else { per_second(tally.submitted, submitting) };
        outcome.achieved_per_s = self.achieved_per_s();
        outcome.total = tally.submitted;
        outcome.failed = tally.failed();
        outcome.lost = tally.lost();
        outcome.duplicates = tally.duplicates();
        outcome.p50_us = self.esme.resp.quantile_us(500);
        outcome.p99_us = self.esme.resp.quantile_us(990);
        outcome.max_us = self.esme.resp.max_us();
        outcome.figures.dlr_p50_us = self.esme.dlr.quantile_us(500);
        outcome.figures.dlr_p99_us = self.esme.dlr.quantile_us(990);
        let settled = tally.reached.max(1) as f64;
        outcome.cpu_us_per_unit = self.samples.cpu.map(|cpu| rounded(cpu.as_secs_f64() * 1e6 / settled));
        outcome.rss_kb = self.samples.rss_kb;
        load.describe(&mut outcome);
        self.describe(&mut outcome);
        if self.finished.cut_off {
            outcome
                .invalidate("messages were still moving at the end of the wait; `lost` counts the late ones");
        }
        if outcome.achieved_per_s <= 0.0 {
            outcome.invalidate("nothing was carried through");
        }
        outcome
    }

    /// Messages a second that went all the way. A subject that finishes as fast as it accepts shows that while
    /// the load lasts; one that first queues shows it over the whole run. Both are rates that it did sustain,
    /// so the better one counts.
    fn achieved_per_s(&self) -> f64 {
        let report = &self.finished.report;
        let path = self.load.receipt_delay + self.load.answer_delay;
        let while_loaded = per_second(report.settled_in_time, report.submitting.as_secs_f64());
        let overall = per_second(
            self.finished.settled_in_all,
            report.elapsed.saturating_sub(path).max(report.submitting).as_secs_f64(),
        );
        while_loaded.max(overall)
    }

    /// Marks a run that says more about the generator than about the subject.
    pub(crate) fn judge_generator(&self, outcome: &mut Outcome, limit: Option<f64>) {
        let share = self.samples.generator_share;
        let mut limited = share > GENERATOR_CPU_SHARE_MAX;
        if limited {
            outcome.invalidate(format!("the generator took {:.0} % of all processors", share * 100.0));
        }
        if let Some(limit) = limit {
            outcome.set("generator_limit_per_s", limit);
            if outcome.achieved_per_s > limit * GENERATOR_RATE_SHARE_MAX {
                limited = true;
                outcome.invalidate(format!("more than 70 % of the generator's own {limit} messages/s"));
            }
        }
        outcome.set("generator_limited", limited);
    }

    fn describe(&self, outcome: &mut Outcome) {
        let (tally, report) = (&self.tally, &self.finished.report);
        outcome.set("cores", std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        outcome.set("load_average", load_average());
        outcome.set("generator_cpu_share", (self.samples.generator_share * 1000.0).round() / 1000.0);
        outcome.set("accepted_per_s", per_second(tally.accepted, report.submitting.as_secs_f64()));
        outcome.set("elapsed_s", (report.elapsed.as_secs_f64() * 1000.0).round() / 1000.0);
        outcome.set("settled", report.settled);
        outcome.set(
            "messages",
            json!({
                "accepted": tally.accepted, "refused": tally.refused, "unknown": tally.unknown,
                "reached_smsc": tally.reached, "receipts_sent": tally.receipts_sent,
                "receipts_withheld": tally.receipts_withheld, "receipts_seen": tally.receipts_seen,
                "failure_receipts": tally.failed_receipts, "lost_before_smsc": tally.lost_messages,
                "lost_receipts": tally.lost_receipts, "duplicates_at_smsc": tally.duplicate_messages,
                "duplicates_uncertain": tally.duplicates_uncertain,
                "duplicate_receipts": tally.duplicate_receipts, "unmatched_receipts": tally.unmatched_receipts,
            }),
        );
        outcome.set(
            "smsc",
            json!({
                "submits": self.smsc.submits.load(Relaxed), "throttled": self.smsc.throttled.load(Relaxed),
                "drops": self.smsc.drops.load(Relaxed), "corrupt": self.smsc.corrupt.load(Relaxed),
                "unmarked": self.smsc.unmarked.load(Relaxed), "malformed": self.smsc.malformed.load(Relaxed),
                "binds": self.smsc.binds.load(Relaxed),
                "delivers_refused": self.smsc.delivers_refused.load(Relaxed),
            }),
        );
        outcome.set("lost_connections", self.esme.lost_connections.load(Relaxed));
        let refusals = self.esme.refusals.lock();
        let named = refusals
            .iter()
            .map(|(status, count)| (smpp::CommandStatus(*status).to_string(), Value::from(*count)));
        outcome.set("refusals", Value::Object(named.collect()));
    }

    fn describe_subject(
        &self,
        outcome: &mut Outcome,
        subject: &mut Subject,
        fsyncs: Option<&(Buckets, Buckets)>,
    ) {
        if let Some((before, after)) = fsyncs {
            outcome.figures.fsync_p50_us = after.quantile_us(before, 0.5);
            outcome.figures.fsync_p99_us = after.quantile_us(before, 0.99);
        }
        if let Some(data_dir) = &subject.data_dir {
            let octets = disk_octets(data_dir);
            outcome.set("disk_octets", octets);
            outcome
                .set("disk_octets_per_message", rounded(octets as f64 / self.tally.accepted.max(1) as f64));
            outcome.set("durability", "acknowledged after fsync");
        }
        if !self.samples.rss_over_time.is_empty() {
            outcome.set("rss_kb_at_s", json!(self.samples.rss_over_time));
        }
        if let Some(reason) = subject.ended() {
            outcome.invalidate(reason);
        }
    }
}

#[cfg(test)]
mod tests;
