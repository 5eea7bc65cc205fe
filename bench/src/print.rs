//! The only place that writes to the terminal: results to stdout, everything else to stderr.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its user here")]

use std::io::IsTerminal as _;

use crate::report::Outcome;

/// Writes one line of JSON.
pub fn json(outcome: &Outcome) {
    // An outcome holds only numbers, text and maps with text keys.
    println!("{}", serde_json::to_string(outcome).unwrap_or_default());
}

/// Writes one line for a program that reads it.
pub fn line(line: &str) {
    println!("{line}");
}

/// Writes a result for people.
pub fn table(outcome: &Outcome) {
    let verdict = if outcome.valid { "valid" } else { "INVALID" };
    println!("{} through {} ({verdict})", outcome.scenario, outcome.subject);
    let row = |name: &str, value: String| println!("  {name:<22} {value}");
    let unit = outcome.unit;
    row("offered", format!("{} {unit}s/s", outcome.offered_per_s));
    row("achieved", format!("{} {unit}s/s", outcome.achieved_per_s));
    row(
        "counts",
        format!(
            "{} total, {} failed, {} lost, {} duplicates",
            outcome.total, outcome.failed, outcome.lost, outcome.duplicates
        ),
    );
    let micros = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |us| format!("{us} us"));
    row(
        "response",
        format!(
            "p50 {}, p99 {}, max {}",
            micros(outcome.p50_us),
            micros(outcome.p99_us),
            micros(outcome.max_us)
        ),
    );
    let figures = &outcome.figures;
    match figures.retransmissions {
        Some(again) => {
            row("retransmissions", again.to_string());
            let (p50, p99) = (figures.invite_100_p50_us, figures.invite_100_p99_us);
            row("INVITE to 100", format!("p50 {}, p99 {}", micros(p50), micros(p99)));
        }
        None => {
            row("receipt", format!("p50 {}, p99 {}", micros(figures.dlr_p50_us), micros(figures.dlr_p99_us)));
            row(
                "fsync",
                format!("p50 {}, p99 {}", micros(figures.fsync_p50_us), micros(figures.fsync_p99_us)),
            );
        }
    }
    let cpu = outcome.cpu_us_per_unit.map_or_else(|| "-".to_owned(), |us| format!("{us} us/{unit}"));
    let rss = outcome.rss_kb.map_or_else(|| "-".to_owned(), |kb| format!("{kb} kB"));
    row("subject", format!("cpu {cpu}, rss {rss}"));
    if let Some(kb) = figures.rss_kb_per_live_call {
        row("rss per live call", format!("{kb} kB"));
    }
    for (key, value) in &outcome.settings {
        row(key, value.to_string());
    }
}

/// Replaces the progress line; without a terminal nothing is shown.
pub fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1B[K{line}");
    }
}

/// Takes the progress line away.
pub fn progress_over() {
    progress("");
}

/// Writes a line for the operator.
pub fn note(line: &str) {
    eprintln!("bench: {line}");
}
