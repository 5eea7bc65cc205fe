//! Strict routers on either side: they send to us as if we were the target, and want to be sent to as if they were
//! (RFC 3261 12.2.1.1, 16.4, 16.6 step 6).

use super::*;
use crate::sip::testing::voice;

/// Proxies of the customer and of the vendor, without `lr`.
const INNER: &str = "192.0.2.11:5060";
const OUTER: &str = "198.51.100.9:5060";

const CALLER: &str = "sip:caller@192.0.2.10:5060";
const CALLEE: &str = "sip:callee@198.51.100.1:5060";

/// A call that is up between them: our Record-Route, as each side has it, and the 200 that the caller got.
fn between(node: &mut Node, call: &str) -> (String, Sent, Sent) {
    let record_route = |address: &str| format!("Record-Route: <sip:{address}>\r\n");
    let invite = invite(call, "+15551234").replace("Contact:", &format!("{}Contact:", record_route(INNER)));
    let to_vendor = node.receive(INNER, invite).remove(1);
    let own = text(to_vendor.message.list(HeaderId::RecordRoute).next().unwrap());
    let ok = text(&response(&to_vendor, 200, "callee"));
    let ok = ok.replacen("Record-Route:", &format!("{}Record-Route:", record_route(OUTER)), 1);
    let ok = node.receive(OUTER, ok).remove(0);
    (own.trim_matches(['<', '>']).to_owned(), to_vendor, ok)
}

/// A request as a strict router hands it to us: we are its target, and its target is the last Route.
fn handed_over(request: &str, own: &str, target: &str) -> String {
    let (start, rest) = request.split_once("\r\n").unwrap();
    let method = start.split(' ').next().unwrap();
    let rest: Vec<&str> = rest.split("\r\n").filter(|line| !line.starts_with("Route:")).collect();
    let rest = rest.join("\r\n");
    format!("{method} {own} SIP/2.0\r\n{}", rest.replacen("From:", &format!("Route: <{target}>\r\nFrom:"), 1))
}

/// It goes to the router, which finds itself in the Request-URI and the target at the end of the Route.
fn assert_strict(sent: &Sent, (router, target): (&str, &str)) {
    let method = sent.message.method().unwrap().as_str();
    assert_eq!(sent.to, router.parse().unwrap(), "{method}");
    let start = format!("{method} sip:{router} SIP/2.0\r\n");
    assert!(sent.text().starts_with(&start), "{}", sent.text());
    let routes: Vec<String> = sent.message.list(HeaderId::Route).map(text).collect();
    assert_eq!(routes, [format!("<{target}>")], "{method}");
}

fn wide() -> Node {
    let mut voice = voice();
    voice.acl[0].network = "192.0.2.0/24".parse().unwrap();
    voice.vendors[0].networks = vec!["198.51.100.9".parse().unwrap()];
    Node::with(voice)
}

#[test]
fn within_a_dialog_both_ways() {
    let mut node = wide();
    let (own, to_vendor, ok) = between(&mut node, "a");
    let by_caller = |method, cseq| {
        let branch = format!("c-{method}-{cseq}");
        handed_over(&Within { method, cseq, branch: &branch }.caller(&ok), &own, CALLEE)
    };
    let by_callee = |method, cseq| {
        let branch = format!("v-{method}-{cseq}");
        handed_over(&Within { method, cseq, branch: &branch }.callee(&to_vendor, "callee"), &own, CALLER)
    };
    assert_strict(&node.receive(INNER, by_caller("ACK", 1))[0], (OUTER, CALLEE));
    for (cseq, method) in (10..).zip(["INFO", "UPDATE", "INVITE"]) {
        let passed = node.receive(INNER, by_caller(method, cseq)).pop().unwrap();
        assert_strict(&passed, (OUTER, CALLEE));
        // A refusal of a re-INVITE is acknowledged the same way, hop by hop (17.1.1.3).
        let back = node.receive(OUTER, response(&passed, 488, "callee"));
        assert_eq!(back.last().map(Sent::word).as_deref(), Some("488"), "{method}");
        if method == "INVITE" {
            assert_strict(&back[0], (OUTER, CALLEE));
            let ack = by_caller("INVITE", cseq).replace("INVITE sip", "ACK sip");
            assert!(node.receive(INNER, ack.replace(" INVITE\r\n", " ACK\r\n")).is_empty());
        }
        let passed = node.receive(OUTER, by_callee(method, cseq)).pop().unwrap();
        assert_strict(&passed, (INNER, CALLER));
        node.receive(INNER, response(&passed, 488, "x"));
    }
    let passed = node.receive(OUTER, by_callee("BYE", 20)).pop().unwrap();
    assert_strict(&passed, (INNER, CALLER));
    assert_eq!(words(&node.receive(INNER, response(&passed, 200, "x"))), [format!("200>{OUTER}")]);
    assert_eq!(
        node.happened().last().map(String::as_str),
        Some("ended 200 answered Some(Callee)"),
        "the far side took it"
    );
    node.settle();
}

#[test]
fn what_we_write_ourselves() {
    let mut node = wide();
    between(&mut node, "a");
    let dialog = node.events[0].dialog;
    let asked = node.handle(vec![crate::sip::worker::Input::Check(dialog)]);
    assert_strict(&asked[0], (INNER, CALLER));
    assert_strict(&asked[1], (OUTER, CALLEE));
    let byes = node.handle(vec![crate::sip::worker::Input::HangUp(dialog, runtime::log::Reason::Operator)]);
    assert_strict(&byes[0], (INNER, CALLER));
    assert_strict(&byes[1], (OUTER, CALLEE));
    node.settle();
}

/// A vendor that was given up answers: its ACK and BYE go by its strict router.
#[test]
fn an_answer_that_nobody_wants() {
    let mut node = wide();
    let to_vendor = node.receive(INNER, invite("a", "+15551234")).remove(1);
    node.receive(OUTER, response(&to_vendor, 100, "callee"));
    let sent = node.pass(4 * SECOND);
    assert_eq!(words(&sent), ["CANCEL>198.51.100.1:5060", "INVITE>198.51.100.2:5060"]);
    let ok = text(&response(&to_vendor, 200, "callee"));
    let ok = ok.replacen("Record-Route:", &format!("Record-Route: <sip:{OUTER}>\r\nRecord-Route:"), 1);
    let sent = node.receive(OUTER, ok);
    assert_eq!(sent.iter().map(Sent::word).collect::<Vec<_>>(), ["ACK", "BYE"]);
    sent.iter().for_each(|sent| assert_strict(sent, (OUTER, CALLEE)));
}
