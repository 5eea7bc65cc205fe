//! Actors that panic while calls go through media nodes: whoever speaks does not notice, and each call ends, and is
//! written down, as if nothing had happened.

use std::collections::HashSet;

use super::super::super::process::Node;
use super::super::super::{peer, wait};
use super::super::{SOON, records, wait_quiet};
use super::rtp::converse;
use super::side::hang_up;
use super::{CALLED, PREFIX, Stage, Up, all_hear};

/// Kinds of actors that a call has part in, and how many of each panic at most.
const KINDS: [(&str, usize); 3] = [("rtpengine_node", 2), ("sip_worker", 4), ("dialog", 4)];
/// Packets that each side of a call sends while both hear each other once.
const PACKETS: u64 = 50;

#[test]
fn sound_goes_on_whichever_actor_panics() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(stage) = Stage::new("", "") else { return };
    let mut callee = stage.callee(0);
    let mut calls = stage.share(&mut callee);
    all_hear(&calls, &callee);
    let victims: Vec<String> =
        KINDS.iter().flat_map(|(kind, most)| named(&stage.node, kind).into_iter().take(*most)).collect();
    for (kind, _) in KINDS {
        assert!(victims.iter().any(|name| is_of(name, kind)), "no {kind} is among {victims:?}");
    }
    for name in &victims {
        heals(&stage.node, name);
        // What is agreed on within a call goes the same way as before.
        let (caller, up) = calls.last_mut().unwrap();
        stage.change(("INVITE", "sendonly", "recvonly"), caller, &mut callee);
        let [of_caller, of_callee] = stage.change(("INVITE", "sendrecv", "sendrecv"), caller, &mut callee);
        *up = Up { of_caller, of_callee };
        all_hear(&calls, &callee);
        // And a new one comes up.
        let mut caller = stage.caller();
        let up = stage.set_up(&mut caller, &mut callee);
        converse((&caller.media, &up.of_caller), (&callee.media, &up.of_callee));
        hang_up(&mut caller, &mut callee);
    }
    calls.iter_mut().for_each(|(caller, _)| hang_up(caller, &mut callee));
    stage.wait_empty();
    wait_quiet(&stage.node);

    let count = calls.len() + victims.len();
    // Once before the first panic, and once after each.
    let of_long = PACKETS * (victims.len() as u64 + 1);
    // A media node that is too late for the record of a call that ends behind all panics completes it.
    let cdrs = wait::until("the records, and what a call with all panics has sent", SOON, || {
        let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, count);
        let is_told = |cdr: &records::Cdr| cdr.media.is_some_and(|(_, sent)| sent == [Some(of_long); 2]);
        cdrs.iter().any(is_told).then_some(cdrs)
    });
    let ids: HashSet<&str> = cdrs.iter().map(|cdr| cdr.call_id.as_str()).collect();
    assert_eq!((cdrs.len(), ids.len()), (count, count), "one record a call: {cdrs:?}");
    for cdr in &cdrs {
        assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "answered", "caller"), "{cdr:?}");
        assert!(cdr.answered && !cdr.recovered && cdr.attempts.len() == 1, "{cdr:?}");
        let (_, sent) = cdr.media.unwrap_or_else(|| panic!("a media node carried it: {cdr:?}"));
        // A delete that was under way when its worker panicked is sent again, and finds nothing to tell of.
        let told = [[None; 2], [Some(PACKETS); 2], [Some(of_long); 2]];
        assert!(told.contains(&sent), "{of_long} or {PACKETS}: {cdr:?}");
    }
}

/// The transactions of a worker die with it. What a call that rang has at its media node is found by comparing lists.
#[test]
fn what_rings_when_its_worker_panics_is_deleted_at_its_media_node() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(stage) = Stage::provisioned("media_sweep = \"1s\"", "", ("", "")) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    stage.leads(&invite);
    callee.reply(&invite, "180 Ringing", "", "");
    caller.expect("180 INVITE");
    named(&stage.node, "sip_worker").iter().for_each(|name| heals(&stage.node, name));
    stage.wait_empty();
    wait_quiet(&stage.node);
    assert!(stage.node.metric("warp_sip_media_leaks_total") > 0.5, "nothing else has deleted it");
    let cdr = records::wait_cdrs(&sqlite, &stage.node, PREFIX, 1).remove(0);
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (500, "recovered", "system"), "{cdr:?}");
    assert!(!cdr.answered && cdr.billed_seconds == 0, "{cdr:?}");
}

/// It panics once, and lives again.
#[track_caller]
fn heals(node: &Node, name: &str) {
    let before = restarts(node, name).unwrap_or_else(|| panic!("{name} lives"));
    let asked = node.post(&format!("/v1/actors/{name}/panic"));
    assert_eq!(asked.status, 200, "{name}: {}", asked.body);
    wait::until(&format!("{name} heals"), SOON, || {
        restarts(node, name).filter(|now| *now > before).map(|_| ())
    });
    wait::until(&format!("the node is ready after {name}"), SOON, || node.ready().then_some(()));
}

/// How often an actor was begun anew; `None` while there is none of that name.
fn restarts(node: &Node, name: &str) -> Option<u64> {
    let seen = node.get(&format!("/v1/actors/{name}"));
    (seen.status == 200).then(|| seen.json()["restarts"].as_u64().unwrap())
}

/// The actors of a kind.
#[track_caller]
fn named(node: &Node, kind: &str) -> Vec<String> {
    let tree = node.get("/v1/actors").json();
    let names = tree.as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap());
    names.filter(|name| is_of(name, kind)).map(str::to_owned).collect()
}

fn is_of(name: &str, kind: &str) -> bool {
    name.split(':').next() == Some(kind)
}
