//! Media nodes that freeze or die, and a node of ours that does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::{peer, wait};
use super::super::{SOON, records, wait_quiet};
use super::rtp::converse;
use super::side::hang_up;
use super::{CALLED, PREFIX, Rtpengine, Side, Stage, Up};

/// New calls after something has happened to a media node.
const CALLS: usize = 20;
/// A media node is asked whether it is there each second: after this time it was heard while the call was up.
const HEARD: Duration = Duration::from_millis(1_500);
/// A media node that is told to wait for 3 s for media has ended a call by then.
const TIMED_OUT: Duration = Duration::from_secs(5);
/// Lines of a node that waits for little before it takes a call that rang when its process died for one that is over.
const IMPATIENT: &str = "media_sweep = \"1s\"\nmedia_leftovers = \"3s\"";
/// Time for that, the start of the next process included.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// The slowest takes this at most: a fifth of a second until the other node is asked, on a busy machine.
const SET_UP: Duration = Duration::from_secs(2);

#[test]
fn a_frozen_media_node_holds_up_no_new_call() {
    let Some(stage) = Stage::new("", "") else { return };
    let mut callee = stage.callee(0);
    let mut before = stage.share(&mut callee);
    let [frozen, other] = &stage.media;
    frozen.freeze();
    // What is sent to a node that is frozen is sent again for a while, and is in its socket all the same.
    before.iter_mut().for_each(|(caller, _)| hang_up(caller, &mut callee));
    let slowest = calls(&stage, other, &mut callee);
    assert!(slowest < SET_UP, "the slowest call took {slowest:?}");
    frozen.thaw();
    stage.wait_empty();
    // It takes calls again.
    stage.wait_up(2);
    let mut after = stage.share(&mut callee);
    after.iter_mut().for_each(|(caller, _)| hang_up(caller, &mut callee));
    stage.wait_empty();
}

#[test]
fn the_death_of_a_media_node_fails_no_new_call() {
    let Some(mut stage) = Stage::new("", "") else { return };
    let mut callee = stage.callee(0);
    stage.media[0].kill();
    let slowest = calls(&stage, &stage.media[1], &mut callee);
    assert!(slowest < SET_UP, "the slowest call took {slowest:?}");
    wait_quiet(&stage.node);
    stage.media[1].wait_empty();
}

/// Nobody hears anything any more: it was up until its media node was heard last, and nobody pays for what came then.
#[test]
fn a_call_ends_with_its_media_node() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(mut stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let up = Instant::now();
    stage.set_up(&mut caller, &mut callee);
    std::thread::sleep(HEARD);
    stage.media.iter_mut().for_each(Rtpengine::kill);
    let heard = up.elapsed();
    for side in [&mut caller, &mut callee] {
        let bye = side.expect("BYE");
        side.reply(&bye, "200 OK", "", "");
    }
    wait_quiet(&stage.node);
    let cdr = records::wait_cdrs(&sqlite, &stage.node, PREFIX, 1).remove(0);
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "media_failed", "system"), "{cdr:?}");
    assert!(cdr.answered && Duration::from_millis(cdr.duration_ms) <= heard, "{cdr:?}, {heard:?}");
}

/// A media node tells nobody of a call that it ends for want of media: what it counts and lists does.
#[test]
fn a_call_that_no_media_comes_for_ends() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(stage) = Stage::with(("", ""), [&["--timeout=3"]; 2]) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let up = Instant::now();
    stage.set_up(&mut caller, &mut callee);
    // Until a media node has ended it.
    std::thread::sleep(TIMED_OUT);
    for side in [&mut caller, &mut callee] {
        let bye = side.expect("BYE");
        side.reply(&bye, "200 OK", "", "");
    }
    let ended = up.elapsed();
    stage.wait_empty();
    wait_quiet(&stage.node);
    let cdr = records::wait_cdrs(&sqlite, &stage.node, PREFIX, 1).remove(0);
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "media_failed", "system"), "{cdr:?}");
    let lasted = Duration::from_millis(cdr.duration_ms);
    assert!(cdr.answered && lasted >= HEARD && lasted < ended, "{cdr:?}, {ended:?}");
}

/// RTPEngine says its release where it describes a call of one side.
#[test]
fn a_media_node_of_an_unsafe_release_is_told_of() {
    let Some(stage) = Stage::with(("", ""), [&["--software-id=rtpengine-13.3.1.4"], &[]]) else { return };
    let note = |at: u8| {
        let seen = stage.node.get(&format!("/v1/actors/rtpengine_node:media-{at}:0")).json();
        seen["note"].as_str().map(str::to_owned)
    };
    let unsafe_one = wait::within_time(SOON, || note(0)).expect("its release is known");
    assert!(
        unsafe_one.contains("RTPEngine 13.3.1.4 ") && unsafe_one.contains("CVE-2025-53399"),
        "{unsafe_one}"
    );
    // As it comes with the system.
    let installed = wait::within_time(SOON, || note(1)).expect("its release is known");
    let release = installed.trim_start_matches("RTPEngine ").split(' ').next().unwrap();
    assert_eq!(release.split('.').filter_map(|number| number.parse::<u16>().ok()).count(), 4, "{installed}");
    let page = stage.node.metrics();
    assert!(page.contains("warp_rtpengine_outdated{node=\"media-0\"} 1\n"), "{page}");
    assert!(page.contains("warp_rtpengine_outdated{node=\"media-1\"} "), "{page}");
    let log = stage.node.place().log();
    assert!(log.lines().any(|line| line.contains("CVE-2025-53399") && line.contains("media-0")), "{log}");
    stage.wait_empty();
}

#[test]
fn without_any_media_node_no_call_comes_up() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(mut stage) = Stage::new("", "") else { return };
    let (mut caller, callee) = (stage.caller(), stage.callee(0));
    stage.media.iter_mut().for_each(Rtpengine::kill);
    // One may find out that they are gone; the other comes when that is known.
    for known in [false, true] {
        if known {
            stage.wait_up(0);
        }
        caller.call(CALLED, &caller.sdp("sendrecv"));
        caller.is_refused(503);
    }
    assert!(callee.heard_nothing(), "no vendor gets a call that nobody could hear");
    wait_quiet(&stage.node);
    for cdr in records::wait_cdrs(&sqlite, &stage.node, PREFIX, 2) {
        assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (503, "media_failed", "system"), "{cdr:?}");
        assert!(!cdr.answered && cdr.attempts.is_empty() && cdr.billed_seconds == 0, "{cdr:?}");
    }
}

#[test]
fn a_call_that_outlives_the_process_is_deleted_at_its_media_node() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(mut stage) = Stage::new("", "") else { return };
    let (mut first, mut second, mut callee) = (stage.caller(), stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut first, &mut callee);
    stage.set_up(&mut second, &mut callee);
    wait::until("both calls are on the disk", SOON, || {
        (records::dialogs(&sqlite, &stage.node) == 2).then_some(())
    });
    stage.node.kill();
    assert_eq!(stage.carried().len(), 2, "media nodes know nothing of it");
    converse((&first.media, &of_caller), (&callee.media, &of_callee));
    stage.node = Arc::clone(stage.node.place()).start();
    wait::until("the calls are known again", SOON, || {
        (stage.node.get("/v1/calls?limit=1").json()["live"] == 2).then_some(())
    });
    stage.wait_up(2);

    stage.change(("INVITE", "sendonly", "recvonly"), &mut first, &mut callee);
    let resumed = ("INVITE", "sendrecv", "sendrecv");
    let [of_caller, of_callee] = stage.change(resumed, &mut first, &mut callee);
    converse((&first.media, &of_caller), (&callee.media, &of_callee));
    assert_eq!(stage.carried().len(), 2, "it is the same call still");
    hang_up(&mut first, &mut callee);
    // Its last call is the other one.
    hang_up(&mut callee, &mut second);
    stage.wait_empty();
}

/// Nobody is left who could end it there: its dialog is in no record, and what becomes of it says nothing of its number.
#[test]
fn a_call_that_rings_when_the_process_dies_leaves_nothing_at_its_media_node() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(mut stage) = Stage::provisioned(IMPATIENT, "", ("", "")) else { return };
    let (mut caller, mut ringing, mut callee) = (stage.caller(), stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    wait::until("the call is on the disk", SOON, || {
        (records::dialogs(&sqlite, &stage.node) == 1).then_some(())
    });
    let up = stage.carried();
    ringing.call(CALLED, &ringing.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    stage.leads(&invite);
    callee.reply(&invite, "180 Ringing", "", "");
    ringing.expect("180 INVITE");
    stage.node.kill();
    assert_eq!(stage.carried().len(), 2, "media nodes know nothing of it");
    stage.node = Arc::clone(stage.node.place()).start();
    wait::until("what rang is deleted, and nothing else", FORGOTTEN, || {
        (stage.carried() == up).then_some(())
    });
    assert!((stage.node.metric("warp_sip_media_leaks_total") - 1.0).abs() < 0.5);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// Calls one after the other, which this media node carries; how long the slowest took to come up.
#[track_caller]
fn calls(stage: &Stage, media: &Rtpengine, callee: &mut Side) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..CALLS {
        let mut caller = stage.caller();
        let began = Instant::now();
        let Up { of_caller, of_callee } = stage.set_up(&mut caller, callee);
        slowest = slowest.max(began.elapsed());
        assert_eq!((of_caller.at.ip(), of_callee.at.ip()), (media.address, media.address));
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));
        hang_up(&mut caller, callee);
    }
    slowest
}
