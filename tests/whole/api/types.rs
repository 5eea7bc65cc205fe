//! The console's types of the interface: what its document says, and what programs may rely on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::super::peer;
use super::super::process::{root, run};

/// Time for a tool of npm on a busy machine.
const WITHIN: Duration = Duration::from_secs(120);
const TYPES: &str = "api/console/src/api.d.ts";

#[test]
fn the_types_in_git_are_those_of_the_document() {
    if peer::npm("openapi-typescript").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("api.d.ts");
    let mut script = Command::new(root().join("api/types.sh"));
    run(script.arg(&fresh).env("WARP_TEST_PEERS", peer::folder()), WITHIN).assert_success();
    let [fresh, kept] = [fresh, root().join(TYPES)].map(|path| fs::read_to_string(path).unwrap());
    assert!(fresh == kept, "{TYPES} is not what api/openapi.json says: run api/types.sh");
}

#[test]
fn the_types_take_what_the_interface_takes_and_nothing_else() {
    let Some(tsc) = peer::npm("tsc") else { return };
    let options = "--noEmit --strict --target es2022 --module esnext --moduleResolution bundler";
    let mut checking = Command::new(tsc);
    checking.current_dir(root()).args(options.split(' ')).arg("tests/peers/api_types.ts");
    run(&mut checking, WITHIN).assert_success();
}
