//! What the node wrote down of calls, read from its log by SQLite's own program, or as its API tells it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::super::process::{Node, run};
use super::super::wait;
use super::{SOON, wait_quiet};

/// Words for the codes of reasons, in their order.
const REASONS: [&str; 17] = [
    "answered",
    "busy",
    "no_answer",
    "rejected",
    "cancelled",
    "timeout",
    "no_route",
    "capacity",
    "max_duration",
    "dead_call",
    "recovered",
    "operator",
    "media_failed",
    "vendor_failed",
    "unreachable",
    "not_allowed",
    "session_expired",
];
const ENDED_BY: [&str; 3] = ["caller", "callee", "system"];

/// One row of a call.
#[derive(Debug)]
pub(super) struct Cdr {
    pub(super) call_id: String,
    pub(super) status: u64,
    pub(super) reason: &'static str,
    pub(super) ended_by: &'static str,
    pub(super) answered: bool,
    pub(super) rang: bool,
    pub(super) duration_ms: u64,
    pub(super) billed_seconds: u64,
    pub(super) prefix: String,
    pub(super) recovered: bool,
    /// Number of its media node, and the packets that caller and callee sent, where that has told.
    pub(super) media: Option<(u64, [Option<u64>; 2])>,
    /// Gateway, its final status if it gave one, reason.
    pub(super) attempts: Vec<(String, Option<u64>, &'static str)>,
}

/// What is wanted of a record: status, reason, who ended it, and of each attempt gateway, status and reason.
pub(super) type Wanted<'a> = (u64, &'a str, &'a str, &'a [(SocketAddr, Option<u64>, &'a str)]);

/// Waits until no call is left, and demands that those to numbers that begin so have left one record, and this one.
#[track_caller]
pub(super) fn expect_one(sqlite: &Path, node: &Node, prefix: &str, wanted: Wanted<'_>) {
    wait_quiet(node);
    let cdrs = wait_cdrs(sqlite, node, prefix, 1);
    let [cdr] = &cdrs[..] else { panic!("{cdrs:?}") };
    let (status, reason, ended_by, attempts) = wanted;
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (status, reason, ended_by), "{cdr:?}");
    let attempt = |(gateway, status, reason): &(SocketAddr, Option<u64>, &'_ str)| {
        (gateway.to_string(), *status, (*reason).to_owned())
    };
    let wanted: Vec<_> = attempts.iter().map(attempt).collect();
    let found =
        cdr.attempts.iter().map(|(gateway, status, reason)| (gateway.clone(), *status, (*reason).to_owned()));
    assert_eq!(found.collect::<Vec<_>>(), wanted, "{cdr:?}");
}

/// Waits for `count` records of calls to numbers that begin so, then gives all that there are.
#[track_caller]
pub(super) fn wait_cdrs(sqlite: &Path, node: &Node, prefix: &str, count: usize) -> Vec<Cdr> {
    let found = || Some(cdrs(sqlite, node, prefix)).filter(|cdrs| cdrs.len() >= count);
    wait::until(&format!("{count} records of calls to {prefix}"), SOON, found)
}

/// The records of calls to numbers that begin so.
#[track_caller]
pub(super) fn cdrs(sqlite: &Path, node: &Node, prefix: &str) -> Vec<Cdr> {
    let calls = query(
        sqlite,
        node,
        &format!(
            "SELECT hex(id) AS id, call_id, status, reason, ended_by, answered_at, ringing_at, pdd_us, duration_ms, \
             billed_seconds, prefix, recovered, attempts, media_node, caller_packets, callee_packets FROM voice_cdrs WHERE ltrim(callee, '+') LIKE '{prefix}%'"
        ),
    );
    let attempts = query(
        sqlite,
        node,
        "SELECT hex(call_id) AS id, number, gateway, status, reason FROM voice_call_attempts ORDER BY number",
    );
    calls.iter().map(|row| cdr(row, &attempts)).collect()
}

/// How many calls have a record for the next process.
#[track_caller]
pub(super) fn dialogs(sqlite: &Path, node: &Node) -> u64 {
    let rows = query(sqlite, node, "SELECT count(*) AS n FROM voice_dialogs");
    rows.first().map_or(0, |row| number(row, "n"))
}

/// The same as the API tells it, whatever the store.
#[track_caller]
pub(super) fn cdrs_of_api(node: &Node, prefix: &str) -> Vec<Cdr> {
    let (mut cdrs, mut path) = (Vec::new(), "/v1/cdrs/recent?limit=500".to_owned());
    loop {
        let page = node.get(&path).json();
        let records = page["cdrs"].as_array().unwrap_or_else(|| panic!("{page}"));
        let of_prefix = |record: &&Value| text(record, "callee").trim_start_matches('+').starts_with(prefix);
        cdrs.extend(records.iter().filter(of_prefix).map(told));
        let Some(next) = page["next"].as_str() else { return cdrs };
        path = format!("/v1/cdrs/recent?limit=500&before={next}");
    }
}

fn told(record: &Value) -> Cdr {
    let attempts = record["attempts"].as_array().unwrap_or_else(|| panic!("{record}"));
    let attempt = |row: &Value| (text(row, "gateway"), row["status"].as_u64(), word(&REASONS, row, "reason"));
    Cdr {
        call_id: text(record, "call_id"),
        status: number(record, "status"),
        reason: word(&REASONS, record, "reason"),
        ended_by: word(&ENDED_BY, record, "ended_by"),
        answered: record["answered_at"].is_string(),
        rang: record["ringing_at"].is_string() && record["pdd_us"].is_u64(),
        duration_ms: number(record, "duration_ms"),
        billed_seconds: number(record, "billed_seconds"),
        prefix: text(record, "prefix"),
        recovered: record["recovered"] == true,
        media: record["media"]["node"]
            .as_u64()
            .map(|node| (node, ["caller", "callee"].map(|side| record["media"][side]["packets"].as_u64()))),
        attempts: attempts.iter().map(attempt).collect(),
    }
}

/// The one of these words that is in this column.
fn word(words: &[&'static str], row: &Value, column: &str) -> &'static str {
    let said = text(row, column);
    words.iter().find(|word| **word == said).unwrap_or_else(|| panic!("{column} in {row}"))
}

fn cdr(row: &Value, attempts: &[Value]) -> Cdr {
    let attempts: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt["id"] == row["id"])
        .map(|row| (text(row, "gateway"), row["status"].as_u64(), REASONS[index(row, "reason")]))
        .collect();
    assert_eq!(number(row, "attempts"), attempts.len() as u64, "{row}");
    Cdr {
        call_id: text(row, "call_id"),
        status: number(row, "status"),
        reason: REASONS[index(row, "reason")],
        ended_by: ENDED_BY[index(row, "ended_by")],
        answered: !row["answered_at"].is_null(),
        rang: !row["ringing_at"].is_null() && !row["pdd_us"].is_null(),
        duration_ms: number(row, "duration_ms"),
        billed_seconds: number(row, "billed_seconds"),
        prefix: text(row, "prefix"),
        recovered: number(row, "recovered") == 1,
        media: row["media_node"]
            .as_u64()
            .map(|node| (node, ["caller_packets", "callee_packets"].map(|column| row[column].as_u64()))),
        attempts,
    }
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} in {row}")).to_owned()
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().unwrap_or_else(|| panic!("{column} in {row}"))
}

fn index(row: &Value, column: &str) -> usize {
    usize::try_from(number(row, column)).unwrap()
}

#[track_caller]
fn query(sqlite: &Path, node: &Node, sql: &str) -> Vec<Value> {
    let mut command = Command::new(sqlite);
    command
        .args(["-readonly", "-json", "-cmd", ".timeout 5000"])
        .arg(node.place().data().join("log.db"))
        .arg(sql);
    let answered = run(&mut command, SOON);
    answered.assert_success();
    // No row is no text at all.
    if answered.stdout.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&answered.stdout).unwrap_or_else(|error| panic!("{error}: {}", answered.stdout))
}
