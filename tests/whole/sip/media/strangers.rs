//! Packets of somebody who has no part in the call and has found its ports: whether anybody hears them, and whether the
//! sound goes there.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::super::wait;
use super::super::SOON;
use super::rtp::{Described, Media, converse, new_source, words};
use super::side::hang_up;
use super::{Stage, Up};

/// Where the stranger is.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
/// What the packets of a side behind a NAT come from.
const TRANSLATED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));
/// RTPEngine looks for the address of a side for 3 s, unless it takes the first one that there is.
const LOOKED: Duration = Duration::from_secs(4);

/// Somebody at another address, and how much of what was said is refused.
struct Stranger<'a> {
    stage: &'a Stage,
    media: Media,
    refused: u64,
}

impl<'a> Stranger<'a> {
    fn new(stage: &'a Stage) -> Self {
        Self { stage, media: Media::bind(STRANGER), refused: 0 }
    }

    /// Sends where a side was told to, until the media node has refused all of it.
    #[track_caller]
    fn speaks_to(&mut self, of: &Described) {
        let said = words(new_source());
        self.media.send(&said, of.at);
        self.refused += said.len() as u64;
        let (node, call) = self.stage.up();
        let refused = wait::within_time(SOON, || (node.refused(&call) == self.refused).then_some(()));
        assert!(refused.is_some(), "{} of {} packets are refused", node.refused(&call), self.refused);
    }
}

/// Neither side has a NAT: media goes where the descriptions say, and comes from there.
#[test]
fn a_stranger_is_not_heard_and_hears_nothing() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    let mut stranger = Stranger::new(&stage);
    // Before anybody else, in the first second, and when RTPEngine looks for no address any more.
    for pause in [Duration::ZERO, Duration::ZERO, LOOKED] {
        wait::pause(pause);
        stranger.speaks_to(&of_caller);
        stranger.speaks_to(&of_callee);
        // Each hears the other one, and nothing else.
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));
        assert!(caller.media.heard_nothing() && callee.media.heard_nothing(), "after {pause:?}");
        assert!(stranger.media.heard_nothing(), "after {pause:?}");
    }
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// A side behind a NAT is found by what it sends, and then nobody else is taken for it.
#[test]
fn a_stranger_does_not_take_the_place_of_a_side_that_was_found() {
    for learning in ["immediate", "delayed", "heuristic"] {
        let Some(stage) = Stage::new(&format!("media = {{ learning = \"{learning}\" }}"), "") else { return };
        let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
        let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
        let translated = Media::bind(TRANSLATED);
        converse((&translated, &of_caller), (&callee.media, &of_callee));
        if learning != "immediate" {
            wait::pause(LOOKED);
            // What comes then is believed.
            converse((&translated, &of_caller), (&callee.media, &of_callee));
        }
        let mut stranger = Stranger::new(&stage);
        stranger.speaks_to(&of_caller);
        stranger.speaks_to(&of_callee);
        converse((&translated, &of_caller), (&callee.media, &of_callee));
        let others = [&translated, &caller.media, &callee.media, &stranger.media];
        assert!(others.iter().all(|media| media.heard_nothing()), "{learning}");
        hang_up(&mut caller, &mut callee);
        stage.wait_empty();
    }
}
