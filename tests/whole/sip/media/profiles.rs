//! What a trunk and a vendor want done with media.

use std::net::IpAddr;

use super::super::Message;
use super::rtp::{Described, body, converse};
use super::rtpengine::own_address;
use super::side::hang_up;
use super::{CALLED, Stage, Up};

#[test]
fn media_that_goes_past_us_is_described_as_it_came() {
    let direct = "media = { path = \"direct\" }";
    let Some(stage) = Stage::new(direct, direct) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let (offer, answer) = (caller.sdp("sendrecv"), callee.sdp("sendrecv"));
    caller.call(CALLED, &offer);
    let invite = callee.expect("INVITE");
    assert_eq!(body(&invite), offer);
    callee.reply(&invite, "200 OK", "", &answer);
    let answered = caller.expect("200 INVITE");
    assert_eq!(body(&answered), answer);
    caller.request("ACK", "");
    callee.expect("ACK");
    assert!(stage.carried().is_empty(), "no media node has part in it: {:?}", stage.carried());
    hang_up(&mut caller, &mut callee);
    assert!(stage.carried().is_empty(), "{:?}", stage.carried());
}

/// What a vendor may have holds where no media node looks at it.
#[test]
fn codecs_hold_for_media_that_goes_past_us() {
    let vendor = "media = { path = \"direct\", codecs = [\"PCMA\"] }";
    let Some(stage) = Stage::new("media = { path = \"direct\" }", vendor) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let offer = caller.sdp("sendrecv");
    caller.call(CALLED, &offer);
    let invite = callee.expect("INVITE");
    assert_eq!(body(&invite), offer.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101"));
    let answer = callee.sdp("sendrecv");
    callee.reply(&invite, "200 OK", "", &answer);
    let answered = caller.expect("200 INVITE");
    assert_eq!(body(&answered), answer.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101"));
    caller.request("ACK", "");
    callee.expect("ACK");
    // It has nothing else to offer.
    callee.request("INVITE", &callee.media.describe("RTP/AVP 0 101", ""));
    callee.expect("488 INVITE");
    assert!(stage.carried().is_empty(), "no media node has part in it: {:?}", stage.carried());
    hang_up(&mut caller, &mut callee);

    // No vendor takes it at all.
    caller.call(CALLED, &caller.media.describe("RTP/AVP 0 101", ""));
    caller.is_refused(488);
    assert!(callee.heard_nothing() && stage.carried().is_empty());
}

#[test]
fn one_side_alone_does_not_see_the_other() {
    let Some(stage) = Stage::new("media = { path = \"direct\" }", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    // Both descriptions lead to a media node.
    stage.set_up(&mut caller, &mut callee);
    assert_eq!(stage.carried().len(), 1);
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn a_vendor_is_offered_the_codecs_that_it_may_have() {
    let Some(stage) = Stage::new("", "media = { codecs = [\"PCMA\"] }") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    let offered = stage.leads(&invite);
    assert_eq!(offered.formats, ["8", "101"], "PCMA, and digits, which are no codec of speech");
    assert!(!body(&invite).contains("PCMU"), "{}", invite.text);
    callee.reply(&invite, "200 OK", "", &callee.media.describe("RTP/AVP 8 101", ""));
    let answered = stage.leads(&caller.expect("200 INVITE"));
    assert_eq!(answered.formats, ["8", "101"]);
    caller.request("ACK", "");
    callee.expect("ACK");
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// Each side is told the address of the interface that its profile names, whoever offers.
#[test]
fn each_side_has_the_interface_that_faces_it() {
    let outside = [(); 2].map(|()| own_address());
    let interfaces = outside.map(|address| format!("--interface=outside/{address}"));
    let options = [[interfaces[0].as_str()], [interfaces[1].as_str()]];
    let vendor = "media = { interface = \"outside\" }";
    let Some(stage) = Stage::with(("", vendor), [&options[0], &options[1]]) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    // The first interface is that of who names none. Nothing in what a side gets tells of the other one.
    let looks_so = |to_caller: &Message, to_callee: &Message| {
        let up = Up { of_caller: Described::of(to_caller), of_callee: Described::of(to_callee) };
        let (inner, outer) = (up.of_caller.at.ip(), up.of_callee.at.ip());
        let node = stage.media.iter().position(|media| media.address == inner);
        let node = node.unwrap_or_else(|| panic!("the caller is told of no media node: {}", to_caller.text));
        assert_eq!(outer, outside[node], "{}", to_callee.text);
        let tells = |message: &Message, address: IpAddr| {
            body(message).lines().any(|line| line.ends_with(&format!(" {address}")))
        };
        assert!(!tells(to_caller, outer) && !tells(to_callee, inner), "{}{}", to_caller.text, to_callee.text);
        up
    };
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    callee.reply(&invite, "200 OK", "", &callee.sdp("sendrecv"));
    let answer = caller.expect("200 INVITE");
    caller.request("ACK", "");
    callee.expect("ACK");
    let up = looks_so(&answer, &invite);
    converse((&caller.media, &up.of_caller), (&callee.media, &up.of_callee));

    callee.request("INVITE", &callee.sdp("sendrecv"));
    let invite = caller.expect("INVITE");
    caller.reply(&invite, "200 OK", "", &caller.sdp("sendrecv"));
    let answer = callee.expect("200 INVITE");
    callee.request("ACK", "");
    caller.expect("ACK");
    let up = looks_so(&invite, &answer);
    converse((&caller.media, &up.of_caller), (&callee.media, &up.of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}
