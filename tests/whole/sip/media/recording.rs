//! Calls that are recorded: what a media node puts where.

use std::fs;

use super::super::super::wait;
use super::super::SOON;
use super::rtp::converse;
use super::side::hang_up;
use super::{Stage, Up};

/// Packets of both sides, each with 172 octets of RTP and as many of UDP, IP and the file as there are at least.
const OCTETS_MIN: u64 = 100 * (172 + 28 + 16);

#[test]
fn a_recorded_call_is_a_file_that_says_how_long_it_is_kept() {
    let trunk = "media = { recording = true, recording_retention = \"90s\" }";
    let Some(stage) = Stage::new(trunk, "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    let carried = stage.carried();
    let [call] = &carried[..] else { panic!("one call: {carried:?}") };
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();

    let recorded = || {
        let described: Vec<_> = stage.media.iter().flat_map(|node| node.recorded("metadata")).collect();
        (described.len() == 1).then(|| described[0].clone())
    };
    let described = wait::within_time(SOON, recorded).expect("one file tells of it");
    let text = fs::read_to_string(&described).unwrap();
    // The number of the call in its record is the end of its name at the node.
    let dialog = call.splitn(3, '-').nth(2).unwrap();
    assert!(text.lines().any(|line| line == format!("dialog:{dialog}|retention:90")), "{text}");
    let sound = text.lines().next().unwrap();
    let files: Vec<_> = stage.media.iter().flat_map(|node| node.recorded("pcaps")).collect();
    let [file] = &files[..] else { panic!("one recording: {files:?}") };
    assert_eq!(file.as_path(), std::path::Path::new(sound), "the first line leads to it");
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with(call.as_str()), "{files:?}");
    let octets = fs::metadata(file).unwrap().len();
    assert!(octets >= OCTETS_MIN, "both sides are in it: {octets} octets");
}

#[test]
fn other_calls_are_not_recorded() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
    for what in ["pcaps", "metadata"] {
        assert!(stage.media.iter().all(|node| node.recorded(what).is_empty()), "{what}");
    }
}
