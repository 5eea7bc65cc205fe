//! What the record of a call says beside times and numbers.

use super::*;
use crate::sip::event::{Ended, What};

fn end(node: &mut Node) -> Ended {
    let mut ends = std::mem::take(&mut node.events).into_iter().filter_map(|event| match event.what {
        What::Ended(ended) => Some(ended),
        What::Started(_) | What::Attempted(_) | What::Answered(_) | What::Refreshed(_) | What::Media(_) => {
            None
        }
    });
    ends.next().expect("an end")
}

#[test]
fn what_came_again_is_counted() {
    let mut node = Node::new();
    let first = invite("a", "+15551234");
    let to_vendor = node.receive(CUSTOMER, first.clone()).remove(1);
    node.receive(CUSTOMER, first);
    let ok = response(&to_vendor, 200, "callee");
    let shown = node.receive(VENDORS[0], ok.clone()).remove(0);
    node.receive(VENDORS[0], response(&to_vendor, 200, "fork"));
    for _ in 0..2 {
        node.receive(VENDORS[0], ok.clone());
    }
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&shown);
    let passed = node.receive(CUSTOMER, info.clone()).remove(0);
    node.receive(CUSTOMER, info);
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    let again = Within { method: "INVITE", cseq: 3, branch: "re" }.callee(&to_vendor, "callee");
    let passed = node.receive(VENDORS[0], again).remove(1);
    for _ in 0..2 {
        node.receive(CUSTOMER, response(&passed, 488, "x"));
    }
    let bye = Within { method: "BYE", cseq: 4, branch: "bye" }.caller(&shown);
    let passed = node.receive(CUSTOMER, bye.clone()).remove(0);
    node.receive(CUSTOMER, bye);
    node.receive(VENDORS[0], response(&passed, 200, "callee"));
    assert_eq!(end(&mut node).retransmissions, Some(1 + 2 + 1 + 1 + 1 + 1), "a fork's answer is another one");
    node.settle();
    node.receive(CUSTOMER, invite("b", "alice"));
    assert_eq!(end(&mut node).retransmissions, Some(0));
}

#[test]
fn the_cause_of_the_telephone_network() {
    let table = [
        ("Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\n", Some(16)),
        ("Reason: SIP;cause=200, q.850 ; cause=127\r\n", Some(127)),
        ("Reason: SIP;cause=480\r\nReason: Q.850;cause=0\r\n", Some(0)),
        ("Reason: Q.850;cause=128\r\n", None),
        ("Reason: Q.850\r\n", None),
        ("Reason: ;cause=1\r\n", None),
        ("", None),
    ];
    for (header, expected) in table {
        let with = |text: String| text.replacen("Contact:", &format!("{header}Contact:"), 1);
        let mut node = Node::new();
        let (invite, ok) = answered(&mut node, "a");
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" };
        let (from, to, bye) = if expected == Some(16) {
            (CUSTOMER, VENDORS[0], bye.caller(&ok))
        } else {
            (VENDORS[0], CUSTOMER, bye.callee(&invite, "callee"))
        };
        let sent = node.receive(from, with(bye));
        node.receive(to, response(&sent[0], 200, "callee"));
        assert_eq!(end(&mut node).q850_cause, expected, "{header}");
        // Of a call that came to nothing it is that of the final response, or of what ours stands for.
        for codes in [&[486][..], &[503, 503, 503]] {
            let mut node = Node::new();
            let mut last = node.receive(CUSTOMER, crate::sip::testing::invite("a", "+15551234")).remove(1);
            for (code, vendor) in codes.iter().zip(VENDORS) {
                let sent = node.receive(vendor, with(text(&response(&last, *code, "t"))));
                last = sent.into_iter().next_back().unwrap();
            }
            assert_eq!(end(&mut node).q850_cause, expected, "{header} {codes:?}");
        }
    }
}
