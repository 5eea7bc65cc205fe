//! What is of another call, of the other side, or of before: a hidden side gets nothing of it, and nothing of its own is taken
//! for it.

use super::*;

/// A vendor that rang when the process ended gets no Call-ID opened that it only has to name, whether the call is up by now
/// or not.
#[test]
fn a_hidden_vendor_answers_itself() {
    let mut before = Watched::new(true, false);
    let call = name(&before.node);
    let (to_vendor, _) = before.answers(&call);
    let record = before.dialogs().remove(0);
    let own = vias(&to_vendor).remove(0);
    let itself =
        format!("{}, SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK-v", own.split_once(";v=").unwrap().0);
    for code in [180, 486] {
        let forged = by_switch(&to_vendor, code).replacen(&own, &itself, 1);
        assert!(forged.contains(&itself), "{forged}");
        let lines = forged.split("\r\n").filter(|line| !line.starts_with("Record-Route"));
        let unrouted = lines.collect::<Vec<_>>().join("\r\n");
        for is_up in [false, true] {
            for forged in [&forged, &unrouted] {
                let mut node = before.next(5);
                if is_up {
                    node.node.worker.recover(record.clone());
                }
                for sent in node.receive(VENDORS[0], forged.clone()) {
                    assert_eq!(sent.value(HeaderId::CallId), to_vendor.value(HeaderId::CallId));
                }
            }
        }
    }
}

/// What a request to a hidden side went without goes to its sender alone: sealed for one end of a dialog it is nothing to
/// the other, of the same call.
#[test]
fn the_vias_of_another_sender() {
    let mut node = Watched::new(true, true);
    let (to_vendor, ok) = node.answers("a");
    let to_customer = node.receive(VENDORS[0], by_callee(&to_vendor, ("INFO", 2))).remove(0);
    let passed = node.receive(CUSTOMER, by_caller(&ok, ("INFO", 2))).remove(0);
    let sealed = |sent: &Sent| vias(sent).remove(0).split_once(";v=").unwrap().1.to_owned();
    let (customers, vendors) = (sealed(&passed), sealed(&to_customer));
    let answer = text(&response(&passed, 200, "x"));
    let swapped = node.receive(VENDORS[0], answer.replacen(&customers, &vendors, 1));
    assert!(!swapped.iter().any(|sent| sent.text().contains("z9hG4bK-v-INFO")), "{swapped:?}");
    assert!(!words(&swapped).contains(&"200>192.0.2.10:5060".to_owned()), "{swapped:?}");
    // Each gets its own.
    let back = node.receive(BEHIND, response(&to_customer, 200, "x"));
    assert_eq!(words(&back), ["200>198.51.100.1:5060"]);
}

/// Who is hidden is what it was when the call began, whatever the configuration says by now.
#[test]
fn a_change_is_for_new_calls() {
    for hidden in [true, false] {
        let mut before = Watched::new(hidden, false);
        let (to_vendor, ok) = before.answers("a");
        let shown = to_vendor.value(HeaderId::CallId);
        assert_eq!(shown == own_id("a"), !hidden);
        before.voice.vendors[0].hide_topology = !hidden;
        let mut node = before.next(60);
        let (bye, back) = node.passes((CUSTOMER, VENDORS[0]), &by_caller(&ok, ("BYE", 2)));
        assert_eq!((bye.value(HeaderId::CallId), back.value(HeaderId::CallId)), (shown.clone(), own_id("a")));
        // By the other side too; without hiding the customer's proxy stands in its way, which no configuration knows.
        if hidden {
            let mut node = before.next(60);
            let (bye, back) = node.passes((VENDORS[0], CUSTOMER), &by_callee(&to_vendor, ("BYE", 2)));
            assert_eq!((bye.value(HeaderId::CallId), back.value(HeaderId::CallId)), (own_id("a"), shown));
        }
    }
}

/// A call that rings at a restart and whose Call-ID nobody knows is ended where it is, and its refusal acknowledged.
#[test]
fn a_long_call_id_at_a_restart() {
    let mut before = Watched::new(true, false);
    let own = |name: &String| before.node.worker.settings.worker_of_call(own_id(name).as_bytes()) == 1;
    let long = (0..).map(|at| format!("a{at:0>200}")).find(own).unwrap();
    let (to_vendor, _) = before.rings(&long);
    let mut node = before.next(5);
    let sent = node.receive(VENDORS[0], by_switch(&to_vendor, 200));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(sent.iter().all(|sent| sent.value(HeaderId::CallId) == to_vendor.value(HeaderId::CallId)));
    assert_eq!(node.node.counters.responses_stray.get(), 1);
    assert!(node.dialogs().is_empty());
    let mut node = before.next(5);
    assert_eq!(words(&node.receive(VENDORS[0], by_switch(&to_vendor, 486))), ["ACK>198.51.100.1:5060"]);
}

/// The same where the process ends meanwhile: the second call is not taken for the first, which is the hidden vendor's too.
#[test]
fn a_call_that_comes_back_at_a_restart() {
    let mut before = Watched::new(true, false);
    let call = name(&before.node);
    let (to_vendor, _) = before.rings(&call);
    let shown = to_vendor.value(HeaderId::CallId);
    let inner = before.receive(VENDORS[0], round(&to_vendor)).remove(1);
    // It rings, and is answered.
    let mut node = before.next(5);
    for code in [180, 200] {
        let sent = node.receive(CUSTOMER, response(&inner, code, "inner"));
        assert_eq!(words(&sent), [format!("{code}>198.51.100.1:5060")]);
        assert_eq!(sent[0].value(HeaderId::CallId), shown, "as the vendor has it");
    }
    let adopted = node.dialogs().remove(0);
    assert_eq!((&*adopted.call_id, &*adopted.call_id_shown), (shown.as_bytes(), &b""[..]));
    assert!(adopted.hides.caller && !adopted.hides.callee, "{adopted:?}");
    let bye = Within { method: "BYE", cseq: 9, branch: "a-inner" }.callee(&inner, "inner");
    let passed = node.receive(CUSTOMER, bye.clone());
    assert_eq!(
        (words(&passed), passed[0].value(HeaderId::CallId)),
        (vec!["BYE>198.51.100.1:5060".to_owned()], shown.clone())
    );
    // It was up, and nobody has a record of it.
    let ok = before.receive(CUSTOMER, response(&inner, 200, "inner"));
    assert_eq!(words(&ok), ["200>198.51.100.1:5060"]);
    let mut node = before.next(60);
    let passed = node.receive(CUSTOMER, bye);
    assert_eq!(
        (words(&passed), passed[0].value(HeaderId::CallId)),
        (vec!["BYE>198.51.100.1:5060".to_owned()], shown)
    );
}

/// Calls that a request names are those of its own dialog, or nobody's: neither side has another's name opened, or gets one
/// sealed that it knows.
#[test]
fn other_calls_are_not_named() {
    let with = |request: String, line: &str| request.replacen("Contact:", &format!("{line}\r\nContact:"), 1);
    let mut node = Watched::new(true, false);
    let (to_vendor, ok) = node.answers("a");
    let (other, _) = node.answers("a2");
    let shown = other.value(HeaderId::CallId);
    let named = with(by_callee(&to_vendor, ("INFO", 2)), &format!("Target-Dialog: {shown};local-tag=x"));
    let passed = node.receive(VENDORS[0], named).remove(0);
    assert!(!passed.message.has(HeaderId::TargetDialog), "{}", passed.text());
    let named = with(by_caller(&ok, ("INFO", 3)), &format!("Target-Dialog: {};local-tag=x", own_id("a2")));
    let passed = node.receive(CUSTOMER, named).remove(0);
    assert!(!passed.message.has(HeaderId::TargetDialog), "{}", passed.text());
    // A new call to a customer would be told whose the other one is.
    let replaces = format!("Replaces: {shown};to-tag=x;from-tag=y");
    let call = invite("b", "15550100").replace("192.0.2.10", "198.51.100.1");
    let sent = node.receive(VENDORS[0], with(call, &replaces));
    assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
    assert!(!sent[1].message.has(HeaderId::Replaces), "{}", sent[1].text());
    // Both sides know a call by the same name where the caller alone is hidden from.
    let mut node = Watched::new(false, true);
    let (to_vendor, _) = node.answers("a");
    let line = format!("Target-Dialog: {};local-tag=x", own_id("a"));
    let passed = node.receive(VENDORS[0], with(by_callee(&to_vendor, ("INFO", 2)), &line)).remove(0);
    assert_eq!(passed.value(HeaderId::TargetDialog), format!("{};local-tag=x", own_id("a")));
}
