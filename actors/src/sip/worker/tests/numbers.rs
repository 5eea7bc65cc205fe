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
