//! Session timers that we ask for (RFC 4028 8).

use runtime::model::{HeaderAction, HeaderRule, Voice};

use super::*;
use crate::sip::event::What;
use crate::sip::testing::voice;

const TIMER: &str = "Supported: timer\r\n";

/// A trunk and a first vendor that want calls to be refreshed within so many seconds.
fn timed(trunk: u64, vendor: u64) -> Voice {
    let mut voice = voice();
    voice.trunks[0].session_expires = Duration::from_secs(trunk);
    voice.vendors[0].session_expires = Duration::from_secs(vendor);
    voice
}

fn with(message: &str, headers: &str) -> String {
    message.replacen("Contact:", &format!("{headers}Contact:"), 1)
}

fn asked(message: &Sent) -> [String; 3] {
    [HeaderId::SessionExpires, HeaderId::MinSe, HeaderId::Require].map(|id| message.value(id))
}

/// The session that the last answer or refresh has agreed to.
fn session(node: &mut Node) -> Option<u32> {
    let sessions = std::mem::take(&mut node.events).into_iter().filter_map(|event| match event.what {
        What::Answered(answered) => Some(answered.dialog.session),
        What::Refreshed(dialog) => Some(dialog.session),
        What::Started(_) | What::Attempted(_) | What::Ended(_) | What::Media(_) => None,
    });
    sessions.last().flatten()
}

#[test]
fn a_call_is_asked_to_be_refreshed() {
    const OURS: &str = "600;refresher=uac";
    // What the caller says, what the vendor answers, what the vendor gets, what the caller gets, the session.
    let table = [
        ("", "", "600", "", None),
        (TIMER, "", "600", OURS, Some(600)),
        (TIMER, "Session-Expires: 300;refresher=uas\r\n", "600", "300;refresher=uas", Some(300)),
        ("", "Session-Expires: 300;refresher=uas\r\n", "600", "300;refresher=uas", Some(300)),
        ("Supported: timer\r\nx: 1800;refresher=uac\r\n", "", "600;refresher=uac", OURS, Some(600)),
        ("k: 100rel, timer\r\nx: 120\r\n", "", "120", "120;refresher=uac", Some(120)),
        ("k: timer\r\nx: 1800\r\nMin-SE: 900\r\n", "", "900", "900;refresher=uac", Some(900)),
    ];
    for (caller, vendor, forwarded, answered, expected) in table {
        let mut node = Node::with(timed(0, 600));
        let sent = node.receive(CUSTOMER, with(&invite("a", "+15551234"), caller));
        assert_eq!(asked(&sent[1])[0], forwarded, "{caller}");
        let ok = with(&text(&response(&sent[1], 200, "callee")), vendor);
        let ours = answered == OURS || (vendor.is_empty() && !answered.is_empty());
        // Sent again, it is answered the same.
        for _ in 0..2 {
            let back = node.receive(VENDORS[0], ok.clone()).remove(0);
            let require = if ours { "timer" } else { "" };
            assert_eq!(asked(&back), [answered, "", require], "{caller} {vendor}");
        }
        assert_eq!(session(&mut node), expected, "{caller} {vendor}");
    }
}

#[test]
fn the_shorter_wish_counts() {
    let mut node = Node::with(timed(300, 600));
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    assert_eq!(asked(&sent[1])[0], "300");
    let mut node = Node::with(timed(300, 120));
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    assert_eq!(asked(&sent[1])[0], "120");
    let sent = node.receive(VENDORS[0], response(&sent[1], 503, "t"));
    assert_eq!(asked(&sent[1])[0], "300", "the next vendor wants nothing");
    let sent = Node::with(timed(0, 0)).receive(CUSTOMER, invite("a", "+15551234"));
    assert_eq!(asked(&sent[1])[0], "", "nobody wants anything");
}

#[test]
fn too_short_a_session() {
    let short = with(&invite("a", "+15551234"), "Supported: timer\r\nSession-Expires: 60\r\n");
    let mut node = Node::with(timed(0, 600));
    let sent = node.receive(CUSTOMER, short.clone());
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "422>192.0.2.10:5060"]);
    assert_eq!(asked(&sent[1])[1], "90");
    assert_eq!(node.happened(), ["started", "ended 422 rejected None"]);
    node.settle();
    // Who cannot ask for more is not refused, and who asks where nobody wants anything is let be.
    let sent = node.receive(CUSTOMER, short.replace("Supported", "Unknown").replace("-1;rport", "-2;rport"));
    assert_eq!(asked(&sent[1]), ["90", "90", ""]);
    let sent = Node::new().receive(CUSTOMER, short);
    assert_eq!(asked(&sent[1]), ["60", "", ""]);
}

/// It is about the request: another vendor would say the same, and the caller knows what to do.
#[test]
fn a_422_of_a_vendor_goes_back() {
    let mut voice = timed(0, 600);
    voice.vendors[0].failover_statuses = vec![404, 422];
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, with(&invite("a", "+15551234"), TIMER));
    let small = with(&text(&response(&sent[1], 422, "t")), "Min-SE: 1200\r\n");
    let sent = node.receive(VENDORS[0], small);
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "422>192.0.2.10:5060"]);
    assert_eq!(asked(&sent[1]), ["", "1200", ""]);
    node.settle();
}

#[test]
fn refreshes_are_asked_for_too() {
    let mut node = Node::with(timed(0, 600));
    let sent = node.receive(CUSTOMER, with(&invite("a", "+15551234"), TIMER));
    let to_vendor = sent[1].clone();
    let ok = node.receive(VENDORS[0], response(&to_vendor, 200, "callee")).remove(0);
    node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok));
    assert_eq!(session(&mut node), Some(600));
    for (at, method) in ["UPDATE", "INVITE"].into_iter().enumerate() {
        let cseq = u32::try_from(10 * (at + 1)).unwrap();
        for (supports, expected) in [(TIMER, Some(600)), ("", None)] {
            let require = if expected.is_some() { "timer" } else { "" };
            let answer = if expected.is_some() { "600;refresher=uac" } else { "" };
            let branch = format!("c-{method}-{}", supports.len());
            let request = Within { method, cseq: cseq + 1, branch: &branch }.caller(&ok);
            let passed = node.receive(CUSTOMER, with(&request, supports)).pop().unwrap();
            assert_eq!(asked(&passed)[0], "600", "{method}");
            let back = node.receive(VENDORS[0], response(&passed, 200, "callee")).remove(0);
            assert_eq!(asked(&back), [answer, "", require], "{method}");
            assert_eq!(session(&mut node), expected, "{method}");
            let branch = format!("v-{method}-{}", supports.len());
            let request = Within { method, cseq: cseq + 1, branch: &branch }.callee(&to_vendor, "callee");
            let passed = node.receive(VENDORS[0], with(&request, supports)).pop().unwrap();
            assert_eq!(asked(&passed)[0], "600", "{method}");
            let back = node.receive(CUSTOMER, response(&passed, 200, "x")).remove(0);
            assert_eq!(asked(&back), [answer, "", require], "{method}");
            assert_eq!(session(&mut node), expected, "{method}");
        }
        let short = "Supported: timer\r\nx: 30\r\n";
        let request = Within { method, cseq: cseq + 5, branch: &format!("s-{method}") }.caller(&ok);
        let sent = node.receive(CUSTOMER, with(&request, short)).pop().unwrap();
        assert_eq!((sent.word(), asked(&sent)[1].clone()), ("422".to_owned(), "90".to_owned()), "{method}");
        if method == "INVITE" {
            let ack = request.replace("INVITE sip", "ACK sip").replace(" INVITE\r\n", " ACK\r\n");
            assert!(node.receive(CUSTOMER, ack).is_empty(), "the ACK of a refusal is for one hop");
        }
    }
    let info = Within { method: "INFO", cseq: 50, branch: "info" }.caller(&ok);
    assert_eq!(asked(&node.receive(CUSTOMER, with(&info, TIMER))[0])[0], "", "it refreshes nothing");
    assert_eq!(node.worker.dialogs(), 1);
}

#[test]
fn a_rule_for_the_header_is_the_operators_own_answer() {
    let mut voice = timed(300, 600);
    voice.vendors[0].header_rules = vec![HeaderRule {
        action: HeaderAction::Set,
        name: "Session-Expires".to_owned(),
        value: "7200".to_owned(),
    }];
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, with(&invite("a", "+15551234"), TIMER));
    assert_eq!(asked(&sent[1])[0], "7200");
    let back = node.receive(VENDORS[0], response(&sent[1], 200, "callee")).remove(0);
    assert_eq!(asked(&back)[0], "");
}
