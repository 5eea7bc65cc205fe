use super::*;

#[test]
fn strangers_learn_nothing() {
    let mut node = Node::new();
    for method in ["INVITE", "OPTIONS", "REGISTER", "BYE"] {
        let request = invite("a", "100").replace("INVITE", method);
        let sent = node.receive(STRANGER, request.clone());
        assert_eq!(words(&sent), ["403>203.0.113.66:5060"]);
        assert!(sent[0].message.bytes().len() <= request.len(), "an answer is never larger");
    }
    let rest = (0..100).filter(|_| !node.receive(STRANGER, invite("a", "100")).is_empty()).count();
    assert_eq!(rest, 6, "ten a second in all");
    assert!(node.happened().is_empty());
    node.settle();
}

#[test]
fn what_known_sources_may_ask() {
    let cases = [
        ("OPTIONS sip:203.0.113.5 SIP/2.0", "200"),
        ("REGISTER sip:203.0.113.5 SIP/2.0", "405"),
        ("MESSAGE sip:1555@203.0.113.5 SIP/2.0", "405"),
        ("OPTIONS sip:1555@198.51.100.1 SIP/2.0", "405"),
    ];
    for (line, expected) in cases {
        let mut node = Node::new();
        let method = line.split(' ').next().unwrap();
        let first = "INVITE sip:100@203.0.113.5 SIP/2.0";
        let request = invite("a", "100").replace(first, line).replace("1 INVITE", &format!("1 {method}"));
        let sent = node.receive(CUSTOMER, request);
        assert_eq!(words(&sent), [format!("{expected}>192.0.2.10:5060")], "{line}");
        assert!(sent[0].value(HeaderId::Allow).contains("INVITE"), "{}", sent[0].text());
        node.settle();
    }
}

#[test]
fn refusals() {
    let cases =
        [("19001234", "403", "not_allowed"), ("alice", "404", "no_route"), ("8821234", "403", "not_allowed")];
    for (number, expected, reason) in cases {
        let mut voice = crate::sip::testing::voice();
        voice.high_cost = vec![runtime::model::HighCost { prefix: "882".to_owned() }];
        let mut node = Node::with(voice);
        let sent = node.receive(CUSTOMER, invite("a", number));
        assert_eq!(words(&sent), ["100>192.0.2.10:5060".to_owned(), format!("{expected}>192.0.2.10:5060")]);
        assert_eq!(node.happened(), ["started".to_owned(), format!("ended {expected} {reason} None")]);
        node.settle();
    }
}

#[test]
fn a_suspended_customer() {
    let mut voice = crate::sip::testing::voice();
    voice.customers[0].status = "SUSPENDED".to_owned();
    let mut node = Node::with(voice);
    let sent = node.receive(CUSTOMER, invite("a", "1555"));
    assert_eq!(sent[1].word(), "403");
    assert_eq!(node.happened()[1], "ended 403 not_allowed None");
}

#[test]
fn a_call_to_a_number_of_ours() {
    let mut node = Node::new();
    let inbound = invite("a", "+15550100").replace("192.0.2.10", "198.51.100.2");
    let sent = node.receive(VENDORS[1], inbound);
    assert_eq!(words(&sent), ["100>198.51.100.2:5060", "INVITE>192.0.2.10:5060"]);
    assert!(sent[1].text().starts_with("INVITE sip:+15550100@192.0.2.10 SIP/2.0"), "{}", sent[1].text());
    let unknown = invite("b", "+15550199").replace("192.0.2.10", "198.51.100.2");
    assert_eq!(node.receive(VENDORS[1], unknown)[1].word(), "404");
    let sent = node.receive(CUSTOMER, response(&sent[1], 200, "t"));
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&sent[0]);
    assert_eq!(words(&node.receive(VENDORS[1], ack)), ["ACK>192.0.2.10:5060"]);
}

#[test]
fn a_loop_is_refused_and_a_spiral_is_not() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    // A vendor that is a customer too sends the call back: with our own Request-URI, and with another number.
    let via = sent[1].message.list(HeaderId::Via).next().map(text).unwrap();
    let again = invite("a", "+15551234").replacen(
        "Via: ",
        &format!("Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\nVia: {via}\r\nVia: "),
        1,
    );
    assert_eq!(words(&node.receive(CUSTOMER, again.clone())), ["482>192.0.2.10:5060"]);
    let changed = again.replacen("sip:+15551234@203", "sip:+15559999@203", 1);
    assert_eq!(node.receive(CUSTOMER, changed).len(), 2);
}

#[test]
fn foreign_responses_go_nowhere() {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    let ok = text(&response(&sent[1], 200, "t"));
    let forged = ok.replacen("branch=z9hG4bKw01", "branch=z9hG4bKw02", 1);
    assert!(node.receive(STRANGER, forged).is_empty());
    assert_eq!(node.counters.responses_foreign.get(), 1);
}
