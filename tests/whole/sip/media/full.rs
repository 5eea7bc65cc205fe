//! A media node that has no room: calls go through the other one.

use super::super::super::{peer, wait};
use super::super::{SOON, records, wait_quiet};
use super::side::{Side, hang_up};
use super::{PREFIX, SHARED, Stage, Up, all_hear};

/// What makes a media node small, how many calls that leaves it at most, and what it says of one more. A call takes four
/// ports.
const SMALL: [(&str, usize, &str); 2] =
    [("--max-sessions=1", 1, "Parallel session limit reached"), ("--port-max=30007", 2, "Ran out of ports")];

#[test]
fn calls_that_a_media_node_has_no_room_for_go_through_the_other() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    for (option, room, refusal) in SMALL {
        let Some(stage) = Stage::with(("", ""), [&[option], &[]]) else { return };
        let [small, other] = &stage.media;
        let mut callee = stage.callee(0);
        let mut calls: Vec<(Side, Up)> = Vec::new();
        // All stay up, so that it is asked when it is full.
        while calls.is_empty() || !small.has_said(refusal) {
            assert!(calls.len() < SHARED, "{SHARED} calls, and {option} has refused none of them");
            let mut caller = stage.caller();
            let up = stage.set_up(&mut caller, &mut callee);
            calls.push((caller, up));
        }
        // Whoever is refused there does not notice.
        let (_, refused) = calls.last().unwrap();
        assert_eq!(refused.of_caller.at.ip(), other.address, "{option}");
        let carried = calls.iter().filter(|(_, up)| up.of_caller.at.ip() == small.address).count();
        assert!(carried <= room, "{option}: it carries {carried}");
        // What it refused is not there any more.
        wait::until("each call is at one media node", SOON, || {
            ((small.calls().len(), other.calls().len()) == (carried, calls.len() - carried)).then_some(())
        });
        all_hear(&calls, &callee);

        calls.iter_mut().for_each(|(caller, _)| hang_up(caller, &mut callee));
        stage.wait_empty();
        wait_quiet(&stage.node);
        let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, calls.len());
        let of_small = cdrs.iter().filter(|cdr| cdr.media.is_some_and(|(node, _)| node == 1)).count();
        assert_eq!((cdrs.len(), of_small), (calls.len(), carried), "{option}: {cdrs:?}");
        for cdr in &cdrs {
            assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "answered", "caller"), "{cdr:?}");
        }
    }
}
