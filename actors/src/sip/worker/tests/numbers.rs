use runtime::model::NumberRule;

use super::*;

fn rule(prefix: &str, strip: u8, add: &str) -> NumberRule {
    NumberRule { prefix: prefix.to_owned(), strip, add: add.to_owned() }
}

#[test]
fn rules_of_trunk_and_vendor() {
    let mut voice = crate::sip::testing::voice();
    voice.trunks[0].callee_rules = vec![rule("00", 2, "+"), rule("0", 1, "+44")];
    voice.vendors[0].callee_rules = vec![rule("+", 1, "9911#")];
    voice.trunks[0].caller_rules = vec![rule("+1", 2, "")];
    voice.vendors[0].caller_rules = vec![rule("555", 0, "001")];
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, invite("a", "002012345;npdi"));
    let seen = sent[1].text();
    assert!(seen.starts_with("INVITE sip:9911%232012345@198.51.100.1:5060 SIP/2.0\r\n"), "{seen}");
    assert!(seen.contains("From: \"A\" <sip:0015550001@192.0.2.10>;tag=from-a\r\n"), "{seen}");
    let ok = node.receive(VENDORS[0], response(&sent[1], 200, "callee")).remove(0);
    assert_eq!(ok.value(HeaderId::From), "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a", "its own back");
    // A vendor without rules of its own gets what the trunk's made of it.
    let second = node_invite(&mut node, "b");
    let sent = node.undelivered(&second);
    assert!(sent[0].text().starts_with("INVITE sip:+442079@198.51.100.2:5060 SIP/2.0"), "{}", sent[0].text());
    assert!(sent[0].text().contains("<sip:5550001@192.0.2.10>"), "{}", sent[0].text());
}

fn node_invite(node: &mut Node, call: &str) -> Sent {
    node.receive(CUSTOMER, invite(call, "02079")).remove(1)
}

/// The vendor knows the caller by one name, the caller itself by another, through all of the dialog.
#[test]
fn each_side_knows_its_own_caller() {
    const OWN: &str = "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a";
    const SHOWN: &str = "\"A\" <sip:49@192.0.2.10>;tag=from-a";
    let ruled = || {
        let mut voice = crate::sip::testing::voice();
        voice.trunks[0].caller_rules = vec![rule("+1555", 9, "49")];
        voice
    };
    let shown = SHOWN.to_owned();
    let mut node = Node::with(ruled());
    let (invite, ok) = answered(&mut node, "a");
    assert_eq!((invite.value(HeaderId::From), ok.value(HeaderId::From)), (shown.clone(), OWN.to_owned()));
    for (at, method) in ["UPDATE", "INVITE", "INFO"].into_iter().enumerate() {
        let cseq = 10 + u32::try_from(at).unwrap();
        let request = Within { method, cseq, branch: &format!("c-{at}") }.caller(&ok);
        let passed = node.receive(CUSTOMER, request).pop().unwrap();
        assert_eq!(passed.value(HeaderId::From), shown, "{method}");
        let back = node.receive(VENDORS[0], response(&passed, 200, "callee")).pop().unwrap();
        assert_eq!((back.word(), back.value(HeaderId::From)), ("200".to_owned(), OWN.to_owned()), "{method}");
        let request = Within { method, cseq, branch: &format!("v-{at}") }.callee(&invite, "callee");
        let passed = node.receive(VENDORS[0], request).pop().unwrap();
        assert_eq!(passed.value(HeaderId::To), OWN, "{method}");
        let back = node.receive(CUSTOMER, response(&passed, 200, "x")).pop().unwrap();
        assert_eq!((back.word(), back.value(HeaderId::To)), ("200".to_owned(), shown.clone()), "{method}");
    }
    let ack = Within { method: "ACK", cseq: 11, branch: "ack" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, ack)[0].value(HeaderId::From), shown);
    // A process that has only the cookie makes the same name by the same rules.
    let bye = Within { method: "BYE", cseq: 20, branch: "bye" }.caller(&ok);
    let mut next = Node::started(ruled(), node.now.wall.micros() + 60_000_000);
    let passed = next.receive(CUSTOMER, bye).pop().unwrap();
    assert_eq!(passed.value(HeaderId::From), shown);
    let back = next.receive(VENDORS[0], response(&passed, 200, "callee")).pop().unwrap();
    assert_eq!(back.value(HeaderId::From), OWN);
    let dialog = node.events[0].dialog;
    let reason = runtime::log::Reason::Operator;
    let byes = node.handle(vec![crate::sip::worker::Input::HangUp(dialog, reason)]);
    assert_eq!((byes[0].value(HeaderId::To), byes[1].value(HeaderId::From)), (OWN.to_owned(), shown));
}

/// A display name that is a number goes with the number that it may tell; another one stays.
#[test]
fn a_display_name_tells_no_number() {
    let table = [
        ("\"+15550001\" <sip:+15550001@192.0.2.10>", "<sip:49@192.0.2.10>;tag=from-a"),
        ("\"(555) 00-01\"<sip:+15550001@192.0.2.10>", "<sip:49@192.0.2.10>;tag=from-a"),
        ("15550001 <sip:+15550001@192.0.2.10>", "<sip:49@192.0.2.10>;tag=from-a"),
        ("\"Room 101\" <sip:+15550001@192.0.2.10>", "\"Room 101\" <sip:49@192.0.2.10>;tag=from-a"),
        ("<sip:+15550001@192.0.2.10>", "<sip:49@192.0.2.10>;tag=from-a"),
    ];
    for (from, expected) in table {
        let mut voice = crate::sip::testing::voice();
        voice.trunks[0].caller_rules = vec![rule("+1555", 9, "49")];
        let mut node = Node::with(voice);
        let own = "\"A\" <sip:+15550001@192.0.2.10>";
        let sent = node.receive(CUSTOMER, invite("a", "+15551234").replace(own, from));
        assert_eq!(sent[1].value(HeaderId::From), expected);
        let ok = node.receive(VENDORS[0], response(&sent[1], 200, "callee")).remove(0);
        assert_eq!(ok.value(HeaderId::From), format!("{from};tag=from-a"), "its own back");
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        assert_eq!(node.receive(CUSTOMER, bye)[0].value(HeaderId::From), expected);
    }
    // Where the number stays, so does the name.
    let shown = "\"+15550001\" <sip:+15550001@192.0.2.10>";
    let invite = invite("a", "+15551234").replace("\"A\" <sip:+15550001@192.0.2.10>", shown);
    assert!(Node::new().receive(CUSTOMER, invite)[1].value(HeaderId::From).starts_with(shown));
}
