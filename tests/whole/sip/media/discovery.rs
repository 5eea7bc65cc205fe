//! Media nodes that Kamailio's table in a real Redis names.

use super::super::super::{peer, wait};
use super::super::SOON;
use super::super::redis::Redis;
use super::rtp::converse;
use super::side::hang_up;
use super::{Rtpengine, Stage, Up};

impl Stage {
    /// The state of the actor of a media node that was found; none where there is no such actor.
    fn found(&self, at: usize) -> Option<String> {
        let name = format!("rtpengine_node:redis-{}:0", self.media[at].ng);
        let seen = self.node.get(&format!("/v1/actors/{name}"));
        (seen.status == 200).then(|| seen.json()["state"].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn wait_found(&self, at: usize, state: Option<&str>) {
        let found = wait::within_time(SOON * 3, || (self.found(at).as_deref() == state).then_some(()));
        assert!(found.is_some(), "media node {at} is {:?} and not {state:?}", self.found(at));
    }

    /// A call with sound, and the address of the media node that carries it.
    #[track_caller]
    fn carried_by(&self) -> std::net::IpAddr {
        let (mut caller, mut callee) = (self.caller(), self.callee(0));
        let Up { of_caller, of_callee } = self.set_up(&mut caller, &mut callee);
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));
        hang_up(&mut caller, &mut callee);
        self.wait_empty();
        of_caller.at.ip()
    }
}

#[test]
fn media_nodes_of_kamailios_table_carry_calls() {
    let Some(program) = peer::program("rtpengine") else { return };
    let Some(mut redis) = Redis::new() else { return };
    let media = [(); 2].map(|()| Rtpengine::start(&program, &[]));
    for (number, node) in (1..).zip(&media) {
        enter(&redis, number, "0", &format!("udp:{}", node.ng));
    }
    enter(&redis, 3, "7", "udp:192.0.2.1:22222");
    enter(&redis, 4, "0", "udp:media.example.net:22222");
    let lines = format!("media_discovery = true\n{}", redis.section());
    let stage = Stage::placed(media, ("", ""), "", &lines);
    (0..2).for_each(|at| stage.wait_found(at, Some("up")));
    let listed = stage.node.get("/v1/admin/media-nodes").json();
    let items = listed["items"].as_array().into_iter().flatten();
    let found: Vec<_> = items.map(|item| (&item["origin"], &item["live"]["state"])).collect();
    assert_eq!(found.len(), 2, "{listed}");
    assert!(found.iter().all(|(origin, state)| *origin == "redis" && *state == "up"), "{listed}");
    let known = stage.media.each_ref().map(|node| node.address);
    assert!(known.contains(&stage.carried_by()));
    let seen = stage.node.get("/v1/actors/media_discovery:main:0").json();
    assert_eq!(seen["state"], "connected");
    assert!((1.5..2.5).contains(&stage.node.metric("warp_rtpengine_found")), "{}", stage.node.metrics());
    let note = seen["note"].as_str().unwrap_or_default();
    assert!(note.starts_with("rtpengine:entry::4: url is not"), "{note}");

    // One that is disabled there gets no new calls.
    redis.ask(&["HSET", "rtpengine:entry::1", "disabled", "1"]);
    stage.wait_found(0, Some("draining"));
    for _ in 0..5 {
        assert_eq!(stage.carried_by(), known[1]);
    }
    // One that is gone there is gone.
    redis.ask(&["DEL", "rtpengine:entry::1"]);
    stage.wait_found(0, None);
    assert_eq!(stage.carried_by(), known[1]);

    // Redis is a hint: without it, and where it has lost all, what was found is there still.
    redis.kill();
    wait::until("the node sees that Redis is away", SOON * 2, || {
        let seen = stage.node.get("/v1/actors/media_discovery:main:0").json();
        (seen["state"] == "connecting" && seen["note"].as_str()?.starts_with("Redis: ")).then_some(())
    });
    assert_eq!(stage.carried_by(), known[1]);
    redis.start();
    wait::until("it reads an empty table", SOON * 3, || {
        let seen = stage.node.get("/v1/actors/media_discovery:main:0").json();
        (seen["state"] == "connected" && seen["note"].is_null()).then_some(())
    });
    assert_eq!((stage.carried_by(), stage.found(1).as_deref()), (known[1], Some("up")));
}

/// An entry as the running platform writes it.
fn enter(redis: &Redis, number: u8, set: &str, url: &str) {
    let (key, id) = (format!("rtpengine:entry::{number}"), number.to_string());
    let columns = ["id", &id, "setid", set, "url", url, "weight", "50", "disabled", "0"];
    redis.ask(&[&["HSET", &key][..], &columns].concat());
}
