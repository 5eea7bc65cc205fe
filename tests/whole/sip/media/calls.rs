//! Calls that come up, whoever offers, and what changes in them.

use super::super::super::{peer, wait};
use super::super::{SOON, records};
use super::rtp::{converse, speak};
use super::side::hang_up;
use super::{CALLED, PREFIX, Stage, Up};

/// On a busy machine a media node is too late for the record of some, and completes it.
const RECORDED: usize = 5;

#[test]
fn both_sides_hear_each_other_through_a_media_node() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    let of_callee = stage.leads(&invite);
    let answer = callee.sdp("sendrecv");
    callee.reply(&invite, "183 Session Progress", "", &answer);
    let early = stage.leads(&caller.expect("183 INVITE"));
    converse((&caller.media, &early), (&callee.media, &of_callee));
    callee.reply(&invite, "200 OK", "", &answer);
    let of_caller = stage.leads(&caller.expect("200 INVITE"));
    assert_eq!(of_caller.at, early.at, "an answer that is given twice is one answer");
    caller.request("ACK", "");
    callee.expect("ACK");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));

    let [one, other] = [&stage.media[0], &stage.media[1]].map(|media| (media, media.calls()));
    let (media, calls) = if one.1.is_empty() { other } else { one };
    let [call] = &calls[..] else { panic!("one call is up: {calls:?}") };
    assert_eq!(stage.carried().len(), 1, "one node carries it");
    assert!([of_caller.at.ip(), of_callee.at.ip()].iter().all(|at| *at == media.address));
    assert_eq!(media.packets(call), 200, "50 each way, before the answer and after it");

    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn records_have_what_each_side_sent() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    for _ in 0..RECORDED {
        let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));
        speak((&caller.media, of_caller.at), (&callee.media, of_callee.at));
        hang_up(&mut caller, &mut callee);
    }
    stage.wait_empty();
    // What a media node tells late completes its record.
    let cdrs = wait::until("records with all figures", SOON, || {
        let cdrs = records::wait_cdrs(&sqlite, &stage.node, PREFIX, RECORDED);
        let is_told = |cdr: &records::Cdr| cdr.media.is_some_and(|(_, sent)| sent[0].is_some());
        cdrs.iter().all(is_told).then_some(cdrs)
    });
    let mut media: Vec<_> = cdrs.iter().map(|cdr| cdr.media).collect();
    for carried in &media {
        let (node, sent) = carried.unwrap_or_else(|| panic!("a media node carried all of them: {cdrs:?}"));
        assert!((1..=2).contains(&node) && sent == [Some(100), Some(50)], "{cdrs:?}");
    }
    let of_api = records::cdrs_of_api(&stage.node, PREFIX);
    let mut of_api: Vec<_> = of_api.iter().map(|cdr| cdr.media).collect();
    media.sort();
    of_api.sort();
    assert_eq!(of_api, media);
}

#[test]
fn who_answers_offers_where_the_call_does_not() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, "");
    let invite = callee.expect("INVITE");
    assert!(!invite.text.contains("m=audio"), "{}", invite.text);
    callee.reply(&invite, "180 Ringing", "", "");
    caller.expect("180 INVITE");
    callee.reply(&invite, "200 OK", "", &callee.sdp("sendrecv"));
    let of_caller = stage.leads(&caller.expect("200 INVITE"));
    caller.request("ACK", &caller.sdp("sendrecv"));
    let of_callee = stage.leads(&callee.expect("ACK"));
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut callee, &mut caller);
    stage.wait_empty();
}

#[test]
fn either_side_holds_the_call_and_takes_it_up_again() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    for method in ["INVITE", "UPDATE"] {
        stage.change((method, "sendonly", "recvonly"), &mut caller, &mut callee);
        let resumed = (method, "sendrecv", "sendrecv");
        let [of_caller, of_callee] = stage.change(resumed, &mut caller, &mut callee);
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));

        stage.change((method, "sendonly", "recvonly"), &mut callee, &mut caller);
        let [of_callee, of_caller] = stage.change(resumed, &mut callee, &mut caller);
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));

        stage.change((method, "inactive", "inactive"), &mut caller, &mut callee);
        let [of_caller, of_callee] = stage.change(resumed, &mut caller, &mut callee);
        converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    }
    assert_eq!(stage.carried().len(), 1);
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// The callee hears a fax, as a gateway does, and wants it as T.38 until it is through (ITU-T T.38 D.2.2.4).
#[test]
fn fax_takes_the_place_of_sound_and_gives_it_back() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));

    callee.request("INVITE", &callee.media.fax());
    let request = caller.expect("INVITE");
    let of_caller = stage.leads(&request);
    caller.reply(&request, "200 OK", "", &caller.media.fax());
    let of_callee = stage.leads(&callee.expect("200 INVITE"));
    callee.request("ACK", "");
    caller.expect("ACK");
    for of_fax in [&of_caller, &of_callee] {
        assert_eq!((of_fax.protocol.as_str(), &of_fax.formats), ("udptl", &vec!["t38".to_owned()]));
    }
    // What UDPTL carries is nothing to a media node.
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));

    let sound = ("INVITE", "sendrecv", "sendrecv");
    let [of_callee, of_caller] = stage.change(sound, &mut callee, &mut caller);
    assert_eq!(of_caller.protocol, "RTP/AVP");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    assert_eq!(stage.carried().len(), 1, "it is one call");
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn fax_is_refused_where_a_profile_says_so() {
    let Some(stage) = Stage::new("", "media = { t38 = \"refuse\" }") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let Up { of_caller, of_callee } = stage.set_up(&mut caller, &mut callee);
    callee.request("INVITE", &callee.media.fax());
    callee.expect("488 INVITE");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

/// What makes a provisional response reliable (RFC 3262), and what says that it has arrived.
const RELIABLE: &str = "Require: 100rel\r\nRSeq: 1\r\n";
const RELIED_ON: &str = "RAck: 1 1 INVITE\r\n";

#[test]
fn media_is_agreed_on_and_changed_before_the_answer() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, &caller.sdp("sendrecv"));
    let invite = callee.expect("INVITE");
    let of_callee = stage.leads(&invite);
    callee.reply(&invite, "183 Session Progress", RELIABLE, &callee.sdp("sendrecv"));
    let of_caller = stage.leads(&caller.expect("183 INVITE"));
    caller.request_with("PRACK", RELIED_ON, "");
    let prack = callee.expect("PRACK");
    callee.reply(&prack, "200 OK", "", "");
    caller.expect("200 PRACK");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));

    let update = ("UPDATE", "sendrecv", "sendrecv");
    let [of_caller, of_callee] = stage.change(update, &mut caller, &mut callee);
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));

    callee.reply(&invite, "200 OK", "", "");
    caller.expect("200 INVITE");
    caller.request("ACK", "");
    callee.expect("ACK");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn what_is_offered_in_a_reliable_response_is_answered_in_its_prack() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    caller.call(CALLED, "");
    let invite = callee.expect("INVITE");
    callee.reply(&invite, "183 Session Progress", RELIABLE, &callee.sdp("sendrecv"));
    let of_caller = stage.leads(&caller.expect("183 INVITE"));
    let answer = caller.sdp("sendrecv");
    caller.request_with("PRACK", RELIED_ON, &answer);
    let prack = callee.expect("PRACK");
    let of_callee = stage.leads(&prack);
    callee.reply(&prack, "200 OK", "", "");
    caller.expect("200 PRACK");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    callee.reply(&invite, "200 OK", "", "");
    caller.expect("200 INVITE");
    caller.request("ACK", "");
    callee.expect("ACK");
    converse((&caller.media, &of_caller), (&callee.media, &of_callee));
    hang_up(&mut callee, &mut caller);
    stage.wait_empty();
}
