//! Codecs of descriptions that pass without a node.

use super::*;
use crate::sip::dialog::Dialog;

/// A description with these formats of audio.
fn audio(formats: &str) -> String {
    let g729 = if formats.contains("18") { "a=rtpmap:18 G729/8000\r\n" } else { "" };
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {formats}\r\n{g729}a=rtpmap:101 telephone-event/8000\r\n"
    )
}

fn calling(sdp: &str) -> String {
    let body = format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    invite("a", "+15551234").replace("Content-Length: 5\r\n\r\nv=0\r\n", &body)
}

fn names(codecs: &[&str]) -> Vec<String> {
    codecs.iter().map(|codec| (*codec).to_owned()).collect()
}

/// A customer's trunk and the first vendor have these codecs; the description goes past us for one of two reasons.
fn past_nodes(direct: bool, trunk: &[&str], vendor: &[&str]) -> Node {
    let mut voice = if direct { anchored() } else { voice() };
    voice.trunks[0].media.codecs = names(trunk);
    voice.vendors[0].media.codecs = names(vendor);
    if direct {
        voice.trunks[0].media.path = MediaPath::Direct;
        voice.vendors.iter_mut().for_each(|vendor| vendor.media.path = MediaPath::Direct);
    }
    Node::with(voice)
}

/// A message has a description with these formats of audio, and with what belongs to them.
#[track_caller]
fn formats_are(sent: &Sent, expected: &str) {
    assert_eq!(body(sent), audio(expected), "{}", sent.text());
    assert_eq!(sent.value(HeaderId::ContentLength), body(sent).len().to_string());
}

/// Whoever offers, and whoever answers: in the order of who gets an offer, and of who gives an answer.
#[test]
fn codecs_of_both_sides_hold_without_a_node() {
    for direct in [true, false] {
        let mut node = past_nodes(direct, &[], &["PCMA", "PCMU"]);
        let sent = node.receive(CUSTOMER, calling(&audio("0 8 18 101")));
        assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
        let to_vendor = sent[1].clone();
        formats_are(&to_vendor, "8 0 101");
        let early = described(&text(&response(&to_vendor, 183, "callee")), &audio("0 18 8 101"));
        formats_are(&node.receive(VENDORS[0], early)[0], "0 8 101");
        let ok = described(&text(&response(&to_vendor, 200, "callee")), &audio("8 101"));
        let ok = node.receive(VENDORS[0], ok).remove(0);
        formats_are(&ok, "8 101");
        node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok));
        assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);

        // Of each side within the call, and what answers it.
        let by_caller = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
        let sent = node.receive(CUSTOMER, described(&by_caller, &audio("18 0 8")));
        let passed = sent.iter().find(|sent| sent.word() == "INVITE").unwrap().clone();
        formats_are(&passed, "8 0");
        let answer = described(&text(&response(&passed, 200, "zz")), &audio("18 8"));
        formats_are(&node.receive(VENDORS[0], answer)[0], "8");
        let by_callee = Within { method: "UPDATE", cseq: 7, branch: "up" }.callee(&to_vendor, "callee");
        let sent = node.receive(VENDORS[0], described(&by_callee, &audio("18 0")));
        assert_eq!(words(&sent), ["UPDATE>192.0.2.10:5060"]);
        formats_are(&sent[0], "0");
        let answer = described(&text(&response(&sent[0], 200, "zz")), &audio("0 18"));
        formats_are(&node.receive(CUSTOMER, answer)[0], "0");
        assert!(node.asked.is_empty(), "no node has part in it");
    }
}

/// The next vendor may take what the first does not; where none does, the caller may offer something else.
#[test]
fn an_offer_of_which_nothing_is_left_goes_to_nobody() {
    let mut node = past_nodes(true, &[], &["G729"]);
    let sent = node.receive(CUSTOMER, calling(&audio("0 101")));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.2:5060"]);
    formats_are(&sent[1], "0 101");

    let mut voice = voice();
    voice.trunks[0].media.codecs = names(&["PCMU"]);
    voice.vendors.iter_mut().for_each(|vendor| vendor.media.codecs = names(&["PCMA"]));
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, calling(&audio("0 8 101")));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "488>192.0.2.10:5060"], "they have none in common");
    assert!(node.happened().last().unwrap().starts_with("ended 488"));

    // The call goes on as it was.
    let mut node = past_nodes(true, &[], &["PCMA"]);
    let to_vendor = node.receive(CUSTOMER, calling(&audio("8 0"))).remove(1);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), &audio("8"));
    let ok = node.receive(VENDORS[0], ok).remove(0);
    node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok));
    let again = Within { method: "INVITE", cseq: 7, branch: "er" }.callee(&to_vendor, "callee");
    let sent = node.receive(VENDORS[0], described(&again, &audio("0")));
    assert_eq!(words(&sent), ["488>198.51.100.1:5060"]);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, bye)), ["BYE>198.51.100.1:5060"]);
}

/// An answer is not refused for its codecs, nor anything for what is no sound or is not read.
#[test]
fn what_is_not_filtered_passes_as_it_came() {
    let fax = "v=0\r\no=- 1 2 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
               m=audio 0 RTP/AVP 0\r\nm=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n";
    let mut node = past_nodes(true, &["PCMA"], &["PCMA"]);
    let to_vendor = node.receive(CUSTOMER, calling(&audio("8"))).remove(1);
    let answer = audio("0 101");
    let ok = described(&text(&response(&to_vendor, 200, "callee")), &answer);
    let ok = node.receive(VENDORS[0], ok).remove(0);
    assert_eq!(body(&ok), answer);
    node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok));
    for (cseq, branch, passes) in
        [(7, "fax", fax), (8, "cut", "v=0\r\nm=audio\r\n"), (9, "other", "no description")]
    {
        let update = Within { method: "UPDATE", cseq, branch }.callee(&to_vendor, "callee");
        let sent = node.receive(VENDORS[0], described(&update, passes));
        assert_eq!(words(&sent), ["UPDATE>192.0.2.10:5060"], "{branch}");
        assert_eq!(body(&sent[0]), passes);
    }
}

/// The callee offers in its answer, and the caller answers in the ACK.
#[test]
fn a_late_offer_is_filtered_too() {
    let mut node = past_nodes(true, &["PCMU"], &[]);
    let late = invite("a", "+15551234").replace(
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
        "Content-Length: 0\r\n\r\n",
    );
    let to_vendor = node.receive(CUSTOMER, late).remove(1);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), &audio("8 0 101"));
    let ok = node.receive(VENDORS[0], ok).remove(0);
    formats_are(&ok, "0 101");
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    let sent = node.receive(CUSTOMER, described(&ack, &audio("0 18 101")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060"]);
    formats_are(&sent[0], "0 101");
}

/// A call of an earlier process is known by its cookie, and its sides' codecs by the configuration.
#[test]
fn codecs_hold_after_a_restart() {
    let mut node = past_nodes(true, &[], &["PCMA"]);
    let to_vendor = node.receive(CUSTOMER, calling(&audio("8 0"))).remove(1);
    let ok = described(&text(&response(&to_vendor, 200, "callee")), &audio("8"));
    let ok = node.receive(VENDORS[0], ok).remove(0);
    let answered = node.events.iter().find_map(|event| {
        let What::Answered(answered) = &event.what else { return None };
        Some(Dialog::clone(&answered.dialog))
    });
    // What the record does not have.
    let dialog = Dialog { profiles: None, ..answered.unwrap() };
    let mut next = past_nodes(true, &[], &["PCMA"]);
    next.worker.recover(dialog);
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let sent = next.receive(CUSTOMER, described(&again, &audio("0 8")));
    formats_are(sent.iter().find(|sent| sent.word() == "INVITE").unwrap(), "8");
}

/// One vendor without the codec, and one that is full: the caller may try elsewhere, and offers nothing else.
#[test]
fn who_is_full_is_not_without_the_codec() {
    let next = |call: &str| call.replace("a@192.0.2.10", "b@192.0.2.10").replace("bK-a-1", "bK-b-1");
    for (unfit, full) in [(0, 1), (1, 0)] {
        let mut voice = voice();
        voice.offers.truncate(2);
        voice.vendors[unfit].media.codecs = names(&["PCMA"]);
        voice.vendors[full].channels = 1;
        let mut node = Node::with(voice);
        let sent = node.receive(CUSTOMER, calling(&audio("0")));
        assert_eq!(words(&sent[1..]), [format!("INVITE>{}", VENDORS[full])]);
        let sent = node.receive(CUSTOMER, next(&calling(&audio("0"))));
        assert_eq!(words(&sent), ["100>192.0.2.10:5060", "503>192.0.2.10:5060"], "{unfit}");
        assert!(node.happened().last().unwrap().starts_with("ended 503 capacity"));
    }
    // What a vendor was not asked is none of its attempts.
    let mut voice = voice();
    voice.vendors[0].media.codecs = names(&["PCMA"]);
    voice.vendors[0].cps = 1;
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, calling(&audio("0")));
    assert_eq!(words(&sent[1..]), ["INVITE>198.51.100.2:5060"]);
    let sent = node.receive(CUSTOMER, next(&calling(&audio("8"))));
    assert_eq!(words(&sent[1..]), ["INVITE>198.51.100.1:5060"]);
}
