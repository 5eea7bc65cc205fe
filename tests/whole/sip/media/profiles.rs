//! What a trunk and a vendor want done with media.

use super::rtp::body;
use super::side::hang_up;
use super::{CALLED, Stage};

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

/// A suite that every implementation has (RFC 4568 6.2), and a key for it.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

#[test]
fn a_vendor_has_srtp_while_its_customer_has_rtp() {
    // With all its keys the offer is longer than what goes by UDP unasked.
    let vendor = "oversize = \"fragment\"\nmedia = { security = \"srtp\" }";
    let Some(stage) = Stage::new("", vendor) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    assert_eq!(stage.leads(&invite).protocol, "RTP/SAVP");
    let offered = body(&invite).lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    let suites: Vec<Vec<&str>> = offered.map(|line| line.split(' ').collect()).collect();
    let chosen = suites.iter().find(|words| words[1] == SUITE);
    let number = chosen.unwrap_or_else(|| panic!("no {SUITE} in {suites:?}"))[0];
    let answer = format!("a=crypto:{number} {SUITE} inline:{KEY}\r\n");
    callee.reply(&invite, "200 OK", "", &callee.media.describe("RTP/SAVP 0 101", &answer));
    let answered = caller.expect("200 INVITE");
    assert_eq!(stage.leads(&answered).protocol, "RTP/AVP");
    assert!(!body(&answered).contains("a=crypto"), "{}", answered.text);
    caller.request("ACK", "");
    callee.expect("ACK");
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}
