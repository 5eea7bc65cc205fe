//! What a run says.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::counters::{UacCounters, UasCounters};
use super::super::load::Work;
use super::super::schedule::Schedule;
use super::Run;
use crate::process::load_average;
use crate::report::{Outcome, per_second, rounded};

/// Calls begun later than this at the 99th percentile were not offered at the rate asked for.
const LATENESS_MAX: Duration = Duration::from_millis(20);
/// A generator that takes more of all processors leaves the subject too little.
const GENERATOR_CPU_SHARE_MAX: f64 = 0.6;
/// Seconds that a result lists one by one.
const SECONDS_MAX: usize = 180;

impl Run<'_> {
    pub(super) fn outcome(&self) -> Outcome {
        let (uac, uas, tally) = (&self.gone.uac, &self.gone.uas, &self.gone.tally);
        let unit = if self.load.work == Work::Calls { "call" } else { "request" };
        let mut outcome = Outcome::new(&self.load.scenario, self.subject.name, unit);
        let schedule = Schedule::new(&self.load.stages);
        let seconds = schedule.length().as_secs_f64();
        outcome.offered_per_s = per_second(schedule.total(), seconds);
        outcome.achieved_per_s = per_second(tally.completed, seconds);
        outcome.total = schedule.total();
        outcome.failed = tally.failed();
        outcome.lost = tally.lost();
        outcome.duplicates = read(&uac.duplicates) + read(&uas.duplicates);
        outcome.p50_us = uac.from_due.quantile_us(500);
        outcome.p99_us = uac.from_due.quantile_us(990);
        outcome.max_us = uac.from_due.max_us();
        let units = schedule.total().max(1) as f64;
        let per_unit = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / units);
        outcome.cpu_us_per_unit = self.samples.cpu.map(per_unit);
        self.memory(&mut outcome);
        let figures = &mut outcome.figures;
        figures.retransmissions = Some(read(&uac.again_sent) + read(&uas.again_sent));
        figures.invite_100_p50_us = uac.trying.quantile_us(500);
        figures.invite_100_p99_us = uac.trying.quantile_us(990);
        self.load.describe(&mut outcome);
        outcome.set("generator_cpu_us_per_unit", per_unit(self.generator_cpu));
        self.describe(&mut outcome);
        self.judge(&mut outcome);
        outcome
    }

    /// One process: its resident set. Several: what they share is counted once.
    fn memory(&self, outcome: &mut Outcome) {
        let memory = &self.memory;
        let several = self.subject.processes.len() > 1;
        let proportional = memory.up_kb.max(memory.settled_kb);
        outcome.rss_kb = if several { proportional } else { self.samples.rss_kb };
        outcome.set("rss_kb_sum_of_processes", json!(self.samples.rss_kb));
        outcome.set("pss_kb_idle", json!(memory.idle_kb));
        outcome.set("pss_kb_all_up", json!(memory.up_kb));
        outcome.set("pss_kb_settled", json!(memory.settled_kb));
        let live = read(&self.gone.uac.live_max);
        if self.load.per_live_call && live > 0 {
            let grown = memory.up_kb.zip(memory.idle_kb).map(|(up, idle)| up.saturating_sub(idle));
            outcome.figures.rss_kb_per_live_call =
                grown.map(|kb| (kb as f64 / live as f64 * 100.0).round() / 100.0);
        }
    }

    fn describe(&self, outcome: &mut Outcome) {
        let (uac, uas, tally) = (&self.gone.uac, &self.gone.uas, &self.gone.tally);
        outcome.set("cores", std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        outcome.set("load_average", load_average());
        outcome.set("processes", self.subject.processes.len());
        outcome.set("elapsed_s", rounded(self.elapsed.as_secs_f64()));
        outcome.set("generator_cpu_share", (self.generator_share() * 1000.0).round() / 1000.0);
        outcome.set("live_max", read(&uac.live_max));
        let quantiles = |histogram: &crate::histogram::Histogram| {
            json!({
                "count": histogram.count(), "p50": histogram.quantile_us(500),
                "p99": histogram.quantile_us(990), "max": histogram.max_us(),
            })
        };
        outcome.set("generator_late_us", quantiles(&uac.lateness));
        if self.load.work == Work::Calls {
            outcome.set("invite_100_us", quantiles(&uac.trying));
            outcome.set("invite_180_us", quantiles(&uac.ringing));
            outcome.set("invite_200_us", quantiles(&uac.answer));
            outcome.set("bye_200_us", quantiles(&uac.bye));
            outcome.set("uas", described_uas(uas));
        } else {
            outcome.set("options_final_us", quantiles(&uac.answer));
        }
        outcome.set("uac", described_uac(uac));
        outcome.set(
            "calls",
            json!({
                "completed": tally.completed, "refused": tally.refused, "broken": tally.broken,
                "no_final": tally.no_final, "no_bye_final": tally.no_bye_final, "open": tally.open,
                "half_seen_by_vendor": tally.half, "without_ack": tally.without_ack, "skipped": tally.skipped,
            }),
        );
        let refusals = uac.refusals.lock();
        let named = refusals.iter().map(|(status, count)| (status.to_string(), Value::from(*count)));
        outcome.set("refusals", Value::Object(named.collect::<Map<_, _>>()));
        outcome.set("udp_overflows_of_the_machine", self.overflowed);
        let seconds = self.gone.seconds.iter().take(SECONDS_MAX).map(|second| {
            [second.offered, second.completed, second.unavailable, second.failed, second.again]
        });
        outcome.set("seconds_offered_completed_503_failed_again", json!(seconds.collect::<Vec<_>>()));
    }

    /// Marks a run that says more about the generator than about the subject.
    fn judge(&self, outcome: &mut Outcome) {
        let before = outcome.valid;
        let late = self.gone.uac.lateness.quantile_us(990).unwrap_or_default();
        if u128::from(late) > LATENESS_MAX.as_micros() {
            outcome.invalidate(format!("the generator was {late} us late at the 99th percentile"));
        }
        let share = self.generator_share();
        if !self.direct && share > GENERATOR_CPU_SHARE_MAX {
            outcome.invalidate(format!("the generator took {:.0} % of all processors", share * 100.0));
        }
        if self.dropped > 0 {
            outcome.invalidate(format!("the generator's sockets dropped {} datagrams", self.dropped));
        }
        if self.gone.unsent > 0 {
            outcome.invalidate(format!("the kernel refused {} datagrams", self.gone.unsent));
        }
        if self.gone.tally.skipped > 0 {
            outcome.invalidate("too many calls were open for the generator");
        }
        outcome.set("generator_limited", before && !outcome.valid);
        if self.gone.tally.completed == 0 {
            outcome.invalidate("no call was completed");
        }
    }

    fn generator_share(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let available = self.elapsed.as_secs_f64() * cores as f64;
        if available > 0.0 { self.generator_cpu.as_secs_f64() / available } else { 0.0 }
    }
}

fn described_uac(uac: &UacCounters) -> Value {
    json!({
        "requests_sent_again": read(&uac.again_sent), "acks_sent_again": read(&uac.acks_again),
        "responses_that_came_again": read(&uac.again_received), "reordered": read(&uac.reordered),
        "second_answers": read(&uac.duplicates), "late_answers": read(&uac.late_answers),
        "ended_by_the_other_side": read(&uac.ended_early), "malformed": read(&uac.malformed),
        "stray": read(&uac.stray),
    })
}

fn described_uas(uas: &UasCounters) -> Value {
    json!({
        "calls": read(&uas.calls), "answers_sent_again": read(&uas.again_sent),
        "invites_that_came_again": read(&uas.again_invites), "acks_that_came_again": read(&uas.again_acks),
        "byes_that_came_again": read(&uas.again_byes), "second_invites": read(&uas.duplicates),
        "unacknowledged": read(&uas.unacknowledged), "cancels": read(&uas.cancels),
        "probes": read(&uas.options), "malformed": read(&uas.malformed), "stray": read(&uas.stray),
    })
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
