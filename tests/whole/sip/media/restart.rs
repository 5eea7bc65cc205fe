//! A media node that dies and is begun anew at the same address, and knows nothing of the calls that it had.

use std::time::{Duration, Instant};

use super::super::super::{peer, wait};
use super::super::{records, wait_quiet};
use super::side::{Side, hang_up};
use super::{PREFIX, Stage, Up, all_hear};

/// A media node is asked whether it is there each second: after this time it was heard while the calls were up.
const HEARD: Duration = Duration::from_millis(1_500);

#[test]
fn calls_end_with_a_media_node_that_is_begun_anew_and_it_takes_others() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    // It may be back before anybody has asked for it: then its list says what it lost.
    for is_missed in [true, false] {
        let Some(mut stage) = Stage::provisioned("media_sweep = \"1s\"", "", ("", "")) else { return };
        let mut callee = stage.callee(0);
        let began = Instant::now();
        let calls = stage.share(&mut callee);
        all_hear(&calls, &callee);
        wait::pause(HEARD);
        stage.media[0].kill();
        let heard = began.elapsed();
        if is_missed {
            stage.wait_up(1);
        }
        stage.media[0].begin_anew();
        let address = stage.media[0].address;
        let is_lost = |(_, up): &(Side, Up)| up.of_caller.at.ip() == address;
        let (mut lost, mut kept): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_lost);
        for (caller, _) in &mut lost {
            let bye = caller.expect("BYE");
            caller.reply(&bye, "200 OK", "", "");
            let bye = callee.expect("BYE");
            callee.reply(&bye, "200 OK", "", "");
        }
        let ended = began.elapsed();

        stage.wait_up(2);
        all_hear(&kept, &callee);
        let mut after = stage.share(&mut callee);
        all_hear(&after, &callee);
        kept.iter_mut().chain(&mut after).for_each(|(caller, _)| hang_up(caller, &mut callee));
        stage.wait_empty();
        wait_quiet(&stage.node);

        let good = kept.len() + after.len();
        let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, lost.len() + good);
        let (failed, answered): (Vec<_>, Vec<_>) = cdrs.iter().partition(|cdr| cdr.reason == "media_failed");
        assert_eq!((failed.len(), answered.len()), (lost.len(), good), "{cdrs:?}");
        // Nobody pays for what came when it was not heard any more.
        let longest = if is_missed { heard } else { ended };
        for cdr in failed {
            assert_eq!((cdr.status, cdr.ended_by, cdr.answered), (200, "system", true), "{cdr:?}");
            assert!(Duration::from_millis(cdr.duration_ms) <= longest, "{cdr:?}, {longest:?}");
        }
        for cdr in answered {
            assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "answered", "caller"), "{cdr:?}");
        }
    }
}
