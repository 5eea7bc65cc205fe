//! `warp demo` with its media at a real media node.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::peer;
use super::super::super::process::{binary, run};
use super::Rtpengine;

/// For the messages and calls, a flaky vendor and two useless carriers included, on two busy cores.
const DEMO: Duration = Duration::from_secs(120);
const CALLS: u64 = 50;

#[test]
fn the_calls_of_the_demo_go_through_a_real_media_node() {
    let Some(program) = peer::program("rtpengine") else { return };
    let media = Rtpengine::start(&program, &[]);
    let folder = tempfile::tempdir().unwrap();
    let (place, calls) = (media.ng.to_string(), CALLS.to_string());
    let mut demo = Command::new(binary());
    demo.args(["demo", "--exit", "--json", "--messages", "50", "--calls", &calls, "--rtpengine", &place]);
    let ended = run(demo.current_dir(folder.path()), DEMO);
    ended.assert_success();
    let told: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("one JSON object on stdout: {error}\n{}", ended.stdout));
    for (key, count) in [("offered", CALLS), ("answered", CALLS), ("failed", 0), ("cdrs", CALLS)] {
        assert_eq!(told["calls"][key], count, "{key} in {told}");
    }
    // What it did for others cannot be told apart: nothing is said of offers and answers.
    assert_eq!(told["media"], json!({"node": place, "calls_left": 0}), "{told}");
    assert!(media.had() >= CALLS, "it had {} calls", media.had());
    media.wait_empty();
}
