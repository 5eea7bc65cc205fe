//! Calls that do not come up, or not at once: whatever becomes of them, media nodes keep nothing.

use super::super::Message;
use super::rtp::converse;
use super::side::{Side, hang_up};
use super::{CALLED, Stage, Up};

#[test]
fn calls_that_are_cancelled_or_refused_leave_nothing() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    for early in [false, true] {
        let invite = rings(&stage, early, &mut caller, &mut callee);
        caller.cancel();
        caller.expect("200 CANCEL");
        let cancel = callee.expect("CANCEL");
        callee.reply(&cancel, "200 OK", "", "");
        callee.refuse(&invite, "487 Request Terminated");
        caller.is_refused(487);
        stage.wait_empty();
    }
    for early in [false, true] {
        let invite = rings(&stage, early, &mut caller, &mut callee);
        callee.refuse(&invite, "486 Busy Here");
        caller.is_refused(486);
        stage.wait_empty();
    }
}

#[test]
fn another_vendor_takes_a_call_that_the_first_refuses() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, [mut first, mut second]) = (stage.caller(), [0, 1].map(|number| stage.callee(number)));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = first.expect("INVITE");
    stage.leads(&invite);
    first.refuse(&invite, "503 Service Unavailable");
    takes_over(&stage, &mut caller, &mut second);
}

#[test]
fn another_vendor_takes_a_call_after_the_first_ones_early_media() {
    let Some(stage) = Stage::new("", "failover_after_early_media = true") else { return };
    let (mut caller, [mut first, mut second]) = (stage.caller(), [0, 1].map(|number| stage.callee(number)));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = first.expect("INVITE");
    let of_first = stage.leads(&invite);
    first.reply(&invite, "183 Session Progress", "", &first.sdp("sendrecv"));
    let early = stage.leads(&caller.expect("183 INVITE"));
    converse((&caller.media, &early), (&first.media, &of_first));
    first.refuse(&invite, "503 Service Unavailable");
    takes_over(&stage, &mut caller, &mut second);
}

/// Media that no node can read, and none at all: a node remembers such a call although it refuses it.
const UNREADABLE: [&str; 2] = ["m=audio nothing RTP/AVP 0\r\n", ""];

#[test]
fn what_is_no_description_is_not_acceptable() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, callee) = (stage.caller(), stage.callee(0));
    for media in UNREADABLE {
        let head = "v=0\r\no=test 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n";
        caller.call(CALLED, &format!("{head}{media}"));
        caller.is_refused(488);
        stage.wait_empty();
    }
    assert!(callee.heard_nothing(), "no vendor gets such a call");
}

/// A call that rings, perhaps with early media, and that a media node carries.
#[track_caller]
fn rings(stage: &Stage, early: bool, caller: &mut Side, callee: &mut Side) -> Message {
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    stage.leads(&invite);
    if early {
        callee.reply(&invite, "183 Session Progress", "", &callee.sdp("sendrecv"));
        stage.leads(&caller.expect("183 INVITE"));
    } else {
        callee.reply(&invite, "180 Ringing", "", "");
        caller.expect("180 INVITE");
    }
    assert_eq!(stage.carried().len(), 1, "a media node carries it");
    invite
}

/// The second vendor answers, both sides hear each other, and the call ends as any other.
#[track_caller]
fn takes_over(stage: &Stage, caller: &mut Side, second: &mut Side) {
    let invite = second.expect("INVITE");
    let Up { of_caller, of_callee } = stage.answer(caller, second, &invite);
    converse((&caller.media, &of_caller), (&second.media, &of_callee));
    assert_eq!(stage.carried().len(), 1, "one call, however many vendors had it");
    hang_up(caller, second);
    stage.wait_empty();
}
