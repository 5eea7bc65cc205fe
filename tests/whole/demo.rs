//! `warp demo`, the first thing that a newcomer sees.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::process::{binary, run};

/// For 2,000 messages and 500 calls, a flaky vendor and two useless carriers included, on two busy cores.
const DEMO: Duration = Duration::from_secs(120);

#[test]
fn every_message_and_call_of_the_demo_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(binary());
    let ended = run(demo.args(["demo", "--exit", "--json"]).current_dir(folder.path()), DEMO);
    ended.assert_success();
    let json: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("one JSON object on stdout: {error}\n{}", ended.stdout));
    let messages = json["messages"].as_object().expect("messages");
    let count =
        |key: &str| messages.get(key).and_then(Value::as_u64).unwrap_or_else(|| panic!("{key} in {json}"));
    for key in ["p50_us", "p99_us", "per_s"] {
        assert!(messages[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {json}");
    }
    assert!(json["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{json}");
    assert_eq!(count("submitted"), 2000, "{json}");
    assert_eq!((count("lost"), count("duplicates")), (0, 0), "{json}");
    assert_eq!(count("delivered") + count("failed"), count("accepted"), "{json}");
    assert!(count("accepted") > 0 && count("receipts") >= count("accepted"), "{json}");
    assert!(count("uncertain") <= count("accepted"), "{json}");
    let calls = |key: &str| json["calls"][key].as_u64().unwrap_or_else(|| panic!("calls.{key} in {json}"));
    assert_eq!(
        (calls("offered"), calls("answered"), calls("failed"), calls("cdrs")),
        (500, 500, 0, 500),
        "{json}"
    );
    assert!((50..450).contains(&calls("failed_over")), "{json}");
    let media = |key: &str| json["media"][key].as_u64().unwrap_or_else(|| panic!("media.{key} in {json}"));
    assert_eq!(media("calls_left"), 0, "{json}");
    // An offer for each attempt, and the media node hears of the end of each: a call that failed over had two at least.
    assert!(media("offers") >= 500 + calls("failed_over"), "{json}");
    assert!(media("answers") >= 500 && media("deletes") >= 500, "{json}");
    assert!(0 < calls("pdd_p50_us") && calls("pdd_p50_us") <= calls("pdd_p99_us"), "{json}");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "the demo leaves nothing behind: {left:?}");
}
