//! The interface against its own document: requests that it describes, and requests that it does not.

use std::process::Command;
use std::time::Duration;

use super::super::process::{Node, Setup, environment, root, run};
use super::super::{peer, wait};

/// Time for the bounded run; `tests/peers/schemathesis.sh` runs for as long as it is told.
const WITHIN: Duration = Duration::from_secs(600);

#[test]
fn the_interface_does_what_its_document_says() {
    let Some(python) = peer::python() else { return };
    let schemathesis = python.with_file_name("schemathesis");
    if !schemathesis.exists() {
        peer::absent("schemathesis (PyPI)");
        return;
    }
    let sections = "[sip]\nlisten = [{ transport = \"udp\", address = \"127.0.0.1:0\" }]\n".to_owned();
    let api = "requests_per_second = 0".to_owned();
    let node = Node::new(&Setup { sections, api, ..Setup::default() });
    let finished = run(
        Command::new(&schemathesis)
            .current_dir(root().join("tests/peers"))
            .args(["--config-file", "schemathesis.toml", "run"])
            .arg(format!("http://{}/openapi.json", node.ports().api))
            .args(["--header", &format!("Authorization: Bearer {}", node.token())])
            .args(["--seed", &environment("WARP_TEST_SEED").unwrap_or_else(|| "1".to_owned())])
            .args(["--checks", "all", "--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", "10", "--workers", "2", "--no-color"]),
        WITHIN,
    );
    wait::progress(finished.stdout.lines().rev().take(12).collect::<Vec<_>>().join("\n").as_str());
    finished.assert_success();
}
