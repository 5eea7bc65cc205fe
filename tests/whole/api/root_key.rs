//! Another root key while a node runs, and in the next process: every secret opens, and the old key opens none.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::process::{Node, Place, Setup};
use super::super::wait;
use super::client::{Client, PASSWORD, administrator, log_in, text};

const SOON: Duration = Duration::from_secs(10);
const MARIA: &str = "maria@example.net";
/// What a node says of a vendor whose password it cannot open.
const CLOSED: &str = "vendor without its password";

/// Whether the node knows its vendor and Maria's session.
#[track_caller]
fn is_whole(node: &Node, token: &str) {
    let vendors = Client::bootstrap(node).get("/v1/admin/sms-vendors");
    assert_eq!(vendors["items"][0]["instance_name"], "atlanta", "{vendors}");
    assert_eq!(Client::with(node, token).ask("GET /auth/validate", &Value::Null).status, 200);
    assert!(!node.place().log().contains(CLOSED), "the password of the vendor opens");
}

#[test]
fn a_new_root_key_closes_nothing_and_the_old_one_opens_nothing() {
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("root.key");
    let place = Place::new(&Setup { node: format!("root_key_file = {file:?}\n"), ..Setup::default() });
    let mut node = place.start();
    let operator = Client::bootstrap(&node);
    let vendor = json!({
        "instance_name": "atlanta", "host": "127.0.0.1", "port": 9, "system_id": "warp", "password": "hidden12",
    });
    operator.ask("POST /v1/admin/sms-vendors", &vendor).expect(201);
    administrator(&operator, MARIA, PASSWORD);
    let token = text(&log_in(&node, MARIA, PASSWORD), "access_token");
    let before = fs::read_to_string(&file).unwrap();

    let rotated = place.warp(&["rotate", "root-key"]);
    rotated.assert_success();
    let after = fs::read_to_string(&file).unwrap();
    assert_eq!((after.trim().len(), before.trim().len()), (64, 64), "{}", rotated.stdout);
    assert_ne!(after, before);
    // Everything is read again with the new key: this change is a vendor's.
    operator.ask("POST /v1/admin/sms-vendors", &json!({
        "instance_name": "boston", "host": "127.0.0.1", "port": 9, "system_id": "warp", "password": "hidden34",
    })).expect(201);
    wait::until("both vendors are known", SOON, || {
        let router = operator.get("/v1/actors/message_router:main:0");
        (router["counters"]["vendors"] == 2).then_some(())
    });
    is_whole(&node, &token);
    node.kill();
    let mut node = place.start();
    is_whole(&node, &token);
    log_in(&node, MARIA, PASSWORD);
    node.kill();

    fs::write(&file, before).unwrap();
    let mut stranger = place.spawn();
    let ended = wait::until("a node with the old key ends", SOON, || stranger.exit_status());
    assert!(!ended.success() && place.log().contains("does not open"), "{}", place.log());
}
