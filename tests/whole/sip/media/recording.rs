//! Calls that are recorded: what a media node puts where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::super::process::{root, run};
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
    assert_eq!(file.as_path(), Path::new(sound), "the first line leads to it");
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

/// What stands in a description, how old it is, and whether it is still there behind the script.
const KEPT: [(&str, &str, bool); 7] = [
    ("dialog:1|retention:3600\n", "2 hours ago", false),
    ("dialog:2|retention:3600\n", "30 minutes ago", true),
    // For ever.
    ("dialog:3|retention:0\n", "2 years ago", true),
    // Of somebody else.
    ("", "2 years ago", true),
    ("dialog:4|retention:soon\n", "2 years ago", true),
    // What a side may say of itself is no line of ours.
    ("a=tool:dialog|retention:1\n", "2 years ago", true),
    ("a=tool:dialog|retention:1\ndialog:5|retention:86400\n", "2 days ago", false),
];

#[test]
fn recordings_are_deleted_when_their_time_is_over() {
    let trunk = "media = { recording = true, recording_retention = \"1h\" }";
    let Some(stage) = Stage::new(trunk, "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
    let described = || stage.media.iter().find(|node| !node.recorded("metadata").is_empty());
    let node = wait::within_time(SOON, described).expect("a file tells of it");
    let (told, sound) = (node.recorded("metadata").remove(0), node.recorded("pcaps").remove(0));
    let folder = node.recordings();
    let made: Vec<_> = (0..).zip(KEPT).map(|(at, kept)| (describe(&folder, at, kept), kept.2)).collect();
    delete_recordings(&folder);
    assert!(told.exists() && sound.exists(), "its hour is not over");
    for ((told, sound), is_kept) in &made {
        assert_eq!((told.exists(), sound.exists()), (*is_kept, *is_kept), "{}", told.display());
    }
    age(&told, "61 minutes ago");
    delete_recordings(&folder);
    assert!(!told.exists() && !sound.exists(), "its hour is over");
    // Where there is nothing, that is no error.
    let others = stage.media.iter().find(|other| other.address != node.address).unwrap();
    delete_recordings(&others.recordings());
}

/// A description that begins as RTPEngine's, and the recording that it leads to.
#[track_caller]
fn describe(folder: &Path, at: u32, (text, old, _): (&str, &str, bool)) -> (PathBuf, PathBuf) {
    let sound = folder.join(format!("pcaps/of another {at}.pcap"));
    fs::write(&sound, "sound").unwrap();
    let told = folder.join(format!("metadata/rtpengine-meta-of another {at}.txt"));
    fs::write(&told, format!("{}\n\nSDP mode: offer\n{text}", sound.display())).unwrap();
    age(&told, old);
    (told, sound)
}

#[track_caller]
fn age(file: &Path, old: &str) {
    run(Command::new("touch").args(["-d", old]).arg(file), SOON).assert_success();
}

/// As the guide has it done.
#[track_caller]
fn delete_recordings(folder: &Path) {
    let script = root().join("deploy/rtpengine/delete-recordings");
    let ended = run(Command::new("sh").arg(script).arg(folder), SOON);
    ended.assert_success();
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "cron sends mail of each word: {ended:?}");
}
