//! Another key signs access tokens while nodes run: each node has it before any token is signed with it.

use std::time::Duration;

use serde_json::Value;

use super::super::process::{Database, Node, Place, Setup};
use super::super::wait;
use super::client::{Client, PASSWORD, administrator, log_in, text};

/// The promise is a second, which `bench api --propagation` measures. Here other tests take the cores meanwhile.
const EFFECT: Duration = Duration::from_secs(5);
const MARIA: &str = "maria@example.net";

/// Names of the published keys, the youngest first.
#[track_caller]
fn published(node: &Node) -> Vec<String> {
    let set = Client::stranger(node).get("/.well-known/jwks.json");
    set["keys"].as_array().unwrap().iter().map(|key| text(key, "kid")).collect()
}

#[track_caller]
fn is_known(nodes: &[Node], token: &str) {
    for node in nodes {
        assert_eq!(Client::with(node, token).ask("GET /auth/validate", &Value::Null).status, 200);
    }
}

#[test]
fn every_node_has_a_new_key_of_access_tokens_before_it_signs() {
    let Some(database) = Database::create() else { return };
    let sections = format!("[store]\nurl = {:?}\n", database.url());
    // What one seals in the database the other opens.
    let keys = tempfile::tempdir().unwrap();
    let root_key = keys.path().join("root.key").display().to_string();
    let setup = Setup { sections, node: format!("root_key_file = {root_key:?}\n"), ..Setup::default() };
    let nodes = [(); 2].map(|()| Place::new(&setup).start());
    let [one, other] = &nodes;
    administrator(&Client::bootstrap(one), MARIA, PASSWORD);
    let before = text(&log_in(one, MARIA, PASSWORD), "access_token");
    is_known(&nodes, &before);
    let first = published(one);
    assert_eq!((first.len(), &published(other)), (1, &first));

    let rotated = one.place().warp(&["rotate", "access-token-key"]);
    rotated.assert_success();
    assert!(rotated.stdout.contains("signs access tokens in 60 s"), "{}", rotated.stdout);
    for node in &nodes {
        wait::until("the key is published", EFFECT, || {
            let keys = published(node);
            (keys.len() == 2 && keys[1] == first[0] && rotated.stdout.contains(&keys[0])).then_some(())
        });
    }
    // Signed by one node at once, known to both.
    is_known(&nodes, &text(&log_in(other, MARIA, PASSWORD), "access_token"));
    is_known(&nodes, &before);
    for arguments in [&["rotate", "access-token-key"][..], &["rotate", "access-token-key", "--force"]] {
        let again = other.place().warp(arguments);
        again.assert_refused(&["the last key was made less than"]);
    }
}
