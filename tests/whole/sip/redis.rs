//! The ACL in Redis as Kamailio reads it: made true at the start and after each change, and again after Redis lost it.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::super::process::{self, READY};
use super::super::{peer, wait};
use super::{Node, SOON, Transport, free_port, place, provision};

/// Of the server; the node must not show it.
const PASSWORD: &str = "not-to-be-shown";
const FIELDS: [&str; 6] = ["grp", "ip_addr", "mask", "port", "proto", "tag"];
const BAN: &str = "TB-000000001";
/// The key of an entry that no source has.
const UNKNOWN: &str = "address:entry:6a1de1ab-5a52-4a37-9d6e-2a8d1c6f1d11";
const SYNC: &str = "/v1/admin/trunks/sync-redis";

/// Values of an entry, in the order of `FIELDS`.
type Entry = Vec<String>;

#[test]
fn the_acl_is_published_and_comes_back_after_redis_lost_it() {
    let Some(mut redis) = Redis::new() else { return };
    redis.ask(&["HSET", UNKNOWN, "grp", "100", "ip_addr", "198.51.100.9", "mask", "32"]);
    redis.ask(&["SET", "address:entry:of-nobody", "no hash"]);
    redis.ask(&["HSET", "address:other", "grp", "1"]);

    let sources = |sources: &[&str]| provision(sources.join("\", \""), &[]);
    let first = sources(&["203.0.113.0/28", "203.0.113.77:5060/udp", "[2001:db8:77::1]:5061/tls"]);
    let place = place(&[Transport::Udp], &redis.section(), first);
    let node = place.start();
    let kept = ["203.0.113.77 32 5060 udp", "2001:db8:77::1 128 5061 tls"];
    redis.wait_for(&["203.0.113.0 28 0 any", kept[0], kept[1]]);
    assert_eq!(redis.ask(&["HGET", "address:other", "grp"]), "1", "it is not ours");
    assert_eq!(state(&node).0, "connected");

    // A source goes, a source comes: the hashes of the others stay what they are.
    let before = redis.keys();
    place
        .apply(&sources(&["203.0.113.77:5060/udp", "[2001:db8:77::1]:5061/tls", "203.0.113.99"]))
        .assert_success();
    redis.wait_for(&[kept[0], kept[1], "203.0.113.99 32 0 any"]);
    assert_eq!(redis.keys().intersection(&before).count(), 2);

    let lost = redis.keys();
    redis.kill();
    wait::until("the node sees that Redis is away", SOON, || (state(&node).0 == "connecting").then_some(()));
    wait::until("the node says why", SOON, || state(&node).1.contains("Redis: ").then_some(()));
    assert!(node.ready(), "calls need no Redis");
    // What changes meanwhile is published later.
    place.apply(&sources(&["203.0.113.77:5060/udp", "203.0.113.99"])).assert_success();
    redis.start();
    redis.wait_for(&[kept[0], "203.0.113.99 32 0 any"]);
    assert!(redis.keys().is_subset(&lost));
    assert!(node.metric("warp_acl_published_entries") > 1.5, "{}", node.metrics());
    assert!(node.metrics().contains("warp_acl_publish_total{result=\"ok\"}"), "{}", node.metrics());

    // Whose calls are not taken is not in it.
    let suspended = sources(&["203.0.113.77:5060/udp"]).replace("\"ACTIVE\"", "\"SUSPENDED\"");
    place.apply(&suspended).assert_success();
    redis.wait_for(&[]);
    assert!(!place.log().contains(PASSWORD), "{}", place.log());
}

#[test]
fn what_somebody_else_broke_is_repaired_on_demand() {
    let Some(mut redis) = Redis::new() else { return };
    let sources = provision(["203.0.113.77:5060/udp", "203.0.113.99"].join("\", \""), &[]);
    let node = place(&[Transport::Udp], &redis.section(), sources).start();
    let entries = ["203.0.113.77 32 5060 udp", "203.0.113.99 32 0 any"];
    redis.wait_for(&entries);
    let synced = || node.post(SYNC).json();
    assert_eq!(synced(), json!({"entries": 2, "written": 0, "deleted": 0}), "all is as it should be");

    let keys = redis.keys();
    let broken = keys.first().expect("an entry");
    assert_eq!(redis.ask(&["HDEL", broken, "tag"]), "1");
    assert_eq!(redis.ask(&["HGET", broken, "tag"]), "");
    redis.ask(&["HSET", UNKNOWN, "grp", "100", "ip_addr", "198.51.100.9", "mask", "32"]);
    assert_eq!(synced(), json!({"entries": 2, "written": 1, "deleted": 1}));
    assert_eq!(redis.ask(&["HGET", broken, "tag"]), BAN);
    assert_eq!(redis.keys(), keys);
    redis.wait_for(&entries);

    redis.kill();
    let refused = node.post(SYNC);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.body.contains("not_ready") && !refused.body.contains(PASSWORD), "{}", refused.body);
}

/// State of the publisher, and its note.
fn state(node: &Node) -> (String, String) {
    let seen = node.get("/v1/actors/acl_publisher:main:0").json();
    (
        seen["state"].as_str().unwrap_or_default().to_owned(),
        seen["note"].as_str().unwrap_or_default().to_owned(),
    )
}

/// A server of this test alone, which keeps nothing.
pub(super) struct Redis {
    server: PathBuf,
    client: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// One that answers, and is empty; none where the programs are absent.
    #[track_caller]
    pub(super) fn new() -> Option<Self> {
        let (server, client) = (peer::program("redis-server"), peer::program("redis-cli"));
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { server: server?, client: client?, folder, port: free_port(), child: None };
        redis.start();
        Some(redis)
    }

    /// Starts it, empty; it answers when this returns.
    #[track_caller]
    pub(super) fn start(&mut self) {
        let output = File::create(self.folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.server);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--requirepass", PASSWORD]);
        command
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(self.folder.path());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        self.child = Some(command.spawn().unwrap());
        wait::until("redis-server answers", SOON, || {
            let status = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(status.is_none(), "{}", self.log());
            (self.ask(&["PING"]) == "PONG").then_some(())
        });
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// `[redis]`.
    pub(super) fn section(&self) -> String {
        format!("[redis]\nurl = \"redis://:{PASSWORD}@127.0.0.1:{}\"\n", self.port)
    }

    /// What a command answers, a line for each value.
    #[track_caller]
    pub(super) fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.client);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(arguments);
        process::run(command.env("REDISCLI_AUTH", PASSWORD), READY).stdout.trim_end().to_owned()
    }

    #[track_caller]
    fn keys(&self) -> BTreeSet<String> {
        self.ask(&["KEYS", "address:entry:*"]).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn entries(&self) -> BTreeSet<Entry> {
        let keys = self.keys();
        let values = |key: &String| {
            self.ask(&[&["HMGET", key][..], &FIELDS].concat()).lines().map(str::to_owned).collect()
        };
        keys.iter().map(values).collect()
    }

    /// Waits until there are these entries and no other, given as address, mask, port and protocol.
    #[track_caller]
    fn wait_for(&self, expected: &[&str]) {
        let entry = |text: &&str| {
            let values = ["100"].into_iter().chain(text.split(' ')).chain([BAN]);
            values.map(str::to_owned).collect::<Entry>()
        };
        let expected: BTreeSet<Entry> = expected.iter().map(entry).collect();
        let found = wait::within_time(SOON * 3, || Some(self.entries()).filter(|found| *found == expected));
        assert!(found.is_some(), "expected {expected:?}, found {:?}", self.entries());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
