//! Descriptions that no node is asked about, on their way to a side that is not shown whose they are.

use super::*;

/// What tells where the switch is.
const TELLING: &str = "v=0\r\nc=IN IP4 198.51.100.9\r\n";

#[test]
fn no_address_goes_past_the_node() {
    for hidden in [true, false] {
        let mut voice = anchored();
        voice.trunks[0].hide_topology = hidden;
        let mut node = Node::with(voice);
        let (to_vendor, ok) = up(&mut node);
        let options = Within { method: "OPTIONS", cseq: 5, branch: "options" }.caller(&ok);
        let passed = node.receive(CUSTOMER, options).remove(0);
        let answer = described(&text(&response(&passed, 200, "x")), TELLING);
        let back = node.receive(VENDORS[0], answer).remove(0);
        assert_eq!((back.word().as_str(), body(&back).is_empty()), ("200", hidden), "what it can do");
        assert_eq!(back.message.has(HeaderId::ContentType), !hidden);
        let info = described(
            &Within { method: "INFO", cseq: 6, branch: "info" }.callee(&to_vendor, "callee"),
            TELLING,
        );
        let passed = node.receive(VENDORS[0], info).remove(0);
        assert_eq!((passed.word().as_str(), body(&passed).is_empty()), ("INFO", hidden));
        let back = node.receive(CUSTOMER, described(&text(&response(&passed, 200, "x")), TELLING)).remove(0);
        assert!(!body(&back).is_empty(), "the vendor is not hidden from");
        assert!(node.asked.is_empty(), "{:?}", node.all_asked());
        // A refusal that says what could have been taken (RFC 3261, 21.4.26).
        assert_eq!(words(&node.receive(CUSTOMER, invite("b", "+15551234"))), ["100>192.0.2.10:5060"]);
        let second = node.rewrite().remove(0);
        let refused = described(&text(&response(&second, 606, "callee")), TELLING);
        let sent = node.receive(VENDORS[0], refused);
        let refused = sent.iter().find(|sent| sent.word() == "606").unwrap();
        assert_eq!(body(refused).is_empty(), hidden);
    }
}
