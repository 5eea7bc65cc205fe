//! What the demo found.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench::ledger::Tally;
use bench::sip::carriers::{Account, Conduct};
use bench::smpp::esme::{Counters, Report};
use bench::smpp::smsc::Smsc;
use serde::Serialize;

use super::calls::CARRIERS;
use super::cast::Vendors;

/// The account of one run; its JSON is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) messages: Messages,
    pub(super) calls: Calls,
    pub(super) media: Media,
    /// From the first submission until everything was settled.
    pub(super) seconds: f64,
}

/// Calls by their fate, as both ends saw it.
#[derive(Debug, Serialize)]
pub(super) struct Calls {
    /// INVITEs written to the node, each once.
    pub(super) offered: u64,
    /// Answered with a 2xx.
    pub(super) answered: u64,
    /// Ended well after more than one carrier was tried.
    pub(super) failed_over: u64,
    /// Did not end well.
    pub(super) failed: u64,
    /// Records that the node made durable.
    pub(super) cdrs: u64,
    /// From INVITE to the first response of a carrier other than 100.
    pub(super) pdd_p50_us: Option<u64>,
    /// See `pdd_p50_us`.
    pub(super) pdd_p99_us: Option<u64>,
}

/// The media of the calls, as their media node tells it.
#[derive(Debug, Serialize)]
pub(super) struct Media {
    /// Where it takes commands.
    pub(super) node: String,
    /// Offers that it gave ports to; of a simulated one, as the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offers: Option<u64>,
    /// Answers that it gave ports to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answers: Option<u64>,
    /// Calls and attempts that were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deletes: Option<u64>,
    /// Calls that it still has when all have ended.
    pub(super) calls_left: u64,
}

/// Messages by their fate, as both ends saw it.
#[derive(Debug, Serialize)]
pub(super) struct Messages {
    /// Written to the node.
    pub(super) submitted: u64,
    /// Acknowledged with ESME_ROK.
    pub(super) accepted: u64,
    /// The customer got a receipt DELIVRD.
    pub(super) delivered: u64,
    /// Refused, or the customer got another final receipt.
    pub(super) failed: u64,
    /// The customer got a final receipt.
    pub(super) receipts: u64,
    /// The vendor's answer was lost with its connection.
    pub(super) uncertain: u64,
    /// Acknowledged, and nothing more was heard.
    pub(super) lost: u64,
    /// Copies too many, at a vendor or of a receipt.
    pub(super) duplicates: u64,
    /// From submit_sm to submit_sm_resp.
    pub(super) p50_us: Option<u64>,
    /// See `p50_us`.
    pub(super) p99_us: Option<u64>,
    /// Accepted a second while submitting.
    pub(super) per_s: f64,
}

impl Figures {
    pub(super) fn new(
        (tally, esme, report): (&Tally, &Counters, &Report),
        uncertain: u64,
        (account, cdrs): (&Account, u64),
        media: Media,
        elapsed: Duration,
    ) -> Self {
        let submitting = report.submitting.as_secs_f64();
        let messages = Messages {
            submitted: tally.submitted,
            accepted: tally.accepted,
            delivered: tally.receipts_seen.saturating_sub(tally.failed_receipts),
            failed: tally.failed(),
            receipts: tally.receipts_seen,
            uncertain,
            lost: tally.lost(),
            duplicates: tally.duplicates(),
            p50_us: esme.resp.quantile_us(500),
            p99_us: esme.resp.quantile_us(990),
            per_s: if submitting > 0.0 { (tally.accepted as f64 / submitting).round() } else { 0.0 },
        };
        let Account { offered, answered, failed_over, failed, pdd_p50_us, pdd_p99_us, .. } = *account;
        let calls = Calls { offered, answered, failed_over, failed, cdrs, pdd_p50_us, pdd_p99_us };
        Self { messages, calls, media, seconds: (elapsed.as_secs_f64() * 1000.0).round() / 1000.0 }
    }

    /// One object on one line.
    pub(super) fn json(&self) -> String {
        // Numbers always serialise.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// For people.
    pub(super) fn table(&self, vendors: &Vendors, account: &Account) -> String {
        let m = &self.messages;
        let rows = [
            ("submitted", m.submitted.to_string(), "submit_sm written to the node"),
            ("accepted", m.accepted.to_string(), "acknowledged, which means on disk"),
            ("delivered", m.delivered.to_string(), "receipt DELIVRD"),
            ("failed", m.failed.to_string(), "refused, or another final receipt"),
            ("receipts", m.receipts.to_string(), "final receipts at the customer"),
            ("uncertain", m.uncertain.to_string(), "the vendor's answer was lost with its connection"),
            ("lost", m.lost.to_string(), "acknowledged, then never heard of"),
            ("duplicates", m.duplicates.to_string(), "copies too many, at a vendor or of a receipt"),
            ("p50", micros(m.p50_us), "submit_sm to submit_sm_resp"),
            ("p99", micros(m.p99_us), ""),
            ("rate", format!("{:.0}/s", m.per_s), "while submitting"),
        ];
        let mut table = section("MESSAGES", &rows);
        table.push_str("VENDORS\n");
        for (name, smsc) in [("steady", &vendors.steady), ("flaky", &vendors.flaky)] {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {name:<12}{}", vendor(smsc));
        }
        table.push_str(&self.calls.table());
        table.push_str("CARRIERS\n");
        for ((name, conduct, _), seen) in CARRIERS.into_iter().zip(&account.seen) {
            let said = match conduct {
                Conduct::Answers => "answered",
                Conduct::Refuses => "refused with 503",
                Conduct::Vanishes => "left without any answer",
            };
            let _ = writeln!(table, "  {name:<12}{seen} INVITE, {said}");
        }
        table.push_str(&self.media.table());
        let _ =
            writeln!(table, "TIME\n  {:<12}{:>8.1} s   until everything was settled", "all", self.seconds);
        table
    }
}

impl Calls {
    fn table(&self) -> String {
        section(
            "CALLS",
            &[
                ("offered", self.offered.to_string(), "INVITE written to the node"),
                ("answered", self.answered.to_string(), "200, ACK; each ended by a BYE"),
                ("failed over", self.failed_over.to_string(), "ended well after another carrier had failed"),
                ("failed", self.failed.to_string(), "did not end well at both ends"),
                ("cdrs", self.cdrs.to_string(), "call records on disk"),
                ("pdd p50", micros(self.pdd_p50_us), "INVITE to the first 180 of a carrier"),
                ("pdd p99", micros(self.pdd_p99_us), ""),
            ],
        )
    }
}

impl Media {
    /// Whether the media of every call went through the node, and none is left there.
    pub(super) fn is_well(&self, calls: &Calls) -> bool {
        let all = |count: Option<u64>, of: u64| count.is_none_or(|count| count >= of);
        self.calls_left == 0 && all(self.offers, calls.offered) && all(self.answers, calls.answered)
    }

    fn table(&self) -> String {
        let counted = [
            ("offers", self.offers, "of attempts, given ports"),
            ("answers", self.answers, "given ports"),
            ("deletes", self.deletes, "of calls and of attempts that failed"),
            ("calls left", Some(self.calls_left), "not deleted although they ended"),
        ];
        let counted = counted
            .into_iter()
            .filter_map(|(name, count, meaning)| Some((name, count?.to_string(), meaning)));
        section(&format!("MEDIA of the RTPEngine at {}", self.node), &counted.collect::<Vec<_>>())
    }
}

fn section(title: &str, rows: &[(&str, String, &str)]) -> String {
    let mut section = format!("{title}\n");
    for (name, value, meaning) in rows {
        let line = format!("  {name:<12}{value:>10}   {meaning}");
        // Writing to a String cannot fail.
        let _ = writeln!(section, "{}", line.trim_end());
    }
    section
}

fn micros(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |us| format!("{us} us"))
}

fn vendor(smsc: &Smsc) -> String {
    let counters = &smsc.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    format!(
        "{} submit_sm, {} taken, {} throttled, {} connections dropped, {} receipts",
        count(&counters.submits),
        count(&counters.taken),
        count(&counters.throttled),
        count(&counters.drops),
        count(&counters.receipts_sent),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_has_the_promised_keys() {
        let tally = Tally {
            submitted: 10,
            accepted: 9,
            refused: 1,
            reached: 9,
            receipts_sent: 8,
            receipts_seen: 8,
            failed_receipts: 2,
            lost_receipts: 1,
            duplicate_messages: 1,
            ..Tally::default()
        };
        let esme = Counters::default();
        esme.resp.record_us(100);
        let report = Report {
            submitting: Duration::from_secs(3),
            elapsed: Duration::from_millis(4000),
            settled_in_time: 8,
            settled: true,
        };
        let account = Account {
            offered: 7,
            answered: 6,
            failed_over: 2,
            failed: 1,
            pdd_p50_us: Some(1500),
            pdd_p99_us: Some(500_000),
            seen: vec![2, 1, 6],
        };
        let media = Media {
            node: "127.0.0.1:2223".to_owned(),
            offers: Some(9),
            answers: Some(6),
            deletes: Some(8),
            calls_left: 0,
        };
        let elapsed = Duration::from_millis(4500);
        let figures = Figures::new((&tally, &esme, &report), 3, (&account, 7), media, elapsed);
        let json: serde_json::Value = serde_json::from_str(&figures.json()).unwrap();
        assert_eq!(
            json,
            json!({
                "messages": {
                    "submitted": 10, "accepted": 9, "delivered": 6, "failed": 3, "receipts": 8,
                    "uncertain": 3, "lost": 1, "duplicates": 1, "p50_us": 100, "p99_us": 100, "per_s": 3.0
                },
                "calls": {
                    "offered": 7, "answered": 6, "failed_over": 2, "failed": 1, "cdrs": 7, "pdd_p50_us": 1500,
                    "pdd_p99_us": 500_000
                },
                "media": {
                    "node": "127.0.0.1:2223", "offers": 9, "answers": 6, "deletes": 8, "calls_left": 0
                },
                "seconds": 4.5
            })
        );
        assert_eq!(figures.json().lines().count(), 1);
        // Of a real node nothing is told but what it still has.
        let real = Media { offers: None, answers: None, deletes: None, ..figures.media };
        assert_eq!(serde_json::to_value(real).unwrap(), json!({"node": "127.0.0.1:2223", "calls_left": 0}));
    }

    #[test]
    fn media_is_well_when_every_call_went_through_the_node_and_none_is_left() {
        let calls = Calls {
            offered: 5,
            answered: 4,
            failed_over: 1,
            failed: 0,
            cdrs: 5,
            pdd_p50_us: None,
            pdd_p99_us: None,
        };
        for (offers, answers, calls_left, is_well) in [
            (Some(6), Some(4), 0, true),
            (Some(5), Some(4), 0, true),
            (Some(4), Some(4), 0, false),
            (Some(6), Some(3), 0, false),
            (Some(6), Some(4), 1, false),
            (None, None, 0, true),
            (None, None, 1, false),
        ] {
            let media = Media { node: String::new(), offers, answers, deletes: offers, calls_left };
            assert_eq!(media.is_well(&calls), is_well, "{media:?}");
        }
    }
}
