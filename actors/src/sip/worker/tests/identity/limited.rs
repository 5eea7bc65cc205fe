//! What a side may not say of who calls.

use super::*;

/// The customer's INVITE with this name.
fn named(from: &str) -> String {
    call("").replace("\"A\" <sip:+15550001@192.0.2.10>", from)
}

/// The same name with the tag of the dialog.
fn tagged(from: &str) -> String {
    format!("{from};tag=from-a")
}

/// Who may not say every number says none in a name of nobody.
#[test]
fn a_name_of_nobody_tells_no_number() {
    let own = "<sip:+15550100@192.0.2.10>";
    for policy in [ForeignNumbers::Replace, ForeignNumbers::Refuse] {
        for from in [
            "\"+1 900 555 1234\" <sip:+19005551234@anonymous.invalid>",
            "\"Bank +19005551234\" <sip:anonymous@192.0.2.10>",
            "<sip:%2B%31900555%31234@anonymous.invalid>",
        ] {
            let mut node = node(VENDOR, |voice| {
                let identity = &mut voice.trunks[0].identity;
                identity.foreign_numbers = policy;
                identity.caller_from = vec![CallerSource::PAssertedIdentity];
                identity.default_number = "+15550100".to_owned();
            });
            let sent = node.receive(CUSTOMER, named(from).replace(RECEIVED, own)).remove(1);
            assert_eq!(sent.value(HeaderId::From), ANONYMOUS, "{policy:?} {from}");
            assert_eq!(sent.value(HeaderId::Privacy), "id", "{policy:?} {from}");
            let foreign = ["1900555", "900 555", "%31900"].map(|number| sent.text().contains(number));
            assert_eq!(foreign, [false; 3], "{}", sent.text());
            let ok = node.receive(VENDORS[0], response(&sent, 200, "callee")).remove(0);
            assert_eq!(ok.value(HeaderId::From), tagged(from), "its own back");
            let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
            assert_eq!(node.receive(CUSTOMER, bye)[0].value(HeaderId::From), ANONYMOUS);
            assert_eq!(recorded(&mut node), "+15550100");
        }
    }
}

/// Beside a number of its own a limited trunk shows no other.
#[test]
fn a_display_name_is_no_number() {
    for policy in [ForeignNumbers::Pass, ForeignNumbers::Replace, ForeignNumbers::Refuse] {
        for (display, is_number) in [("\"Acme\"", false), ("Room 12", false), ("\"+1 900 555 1234\"", true)] {
            let mut node = node(VENDOR, |voice| {
                voice.trunks[0].identity.foreign_numbers = policy;
                voice.trunks[0].identity.default_number = "+15550100".to_owned();
            });
            let from = format!("{display} <sip:+15550100@192.0.2.10>");
            let sent = node.receive(CUSTOMER, named(&from)).remove(1);
            let goes = is_number && policy != ForeignNumbers::Pass;
            let expected = if goes { tagged("<sip:+15550100@192.0.2.10>") } else { tagged(&from) };
            assert_eq!(sent.value(HeaderId::From), expected, "{policy:?}");
            let ok = node.receive(VENDORS[0], response(&sent, 200, "callee")).remove(0);
            assert_eq!(ok.value(HeaderId::From), tagged(&from), "its own back");
            let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
            assert_eq!(node.receive(CUSTOMER, bye)[0].value(HeaderId::From), expected, "{policy:?}");
        }
    }
}

/// That a number was checked is the word of who is trusted.
#[test]
fn nobody_checks_its_own_number() {
    let said = "\"A\" <sip:+15550001;verstat=TN-Validation-Passed@192.0.2.10>";
    let plain = "\"A\" <sip:+15550001@192.0.2.10>";
    for (trusted, stays) in [(NEITHER, false), (VENDOR, false), (TRUNK, true), (BOTH, true)] {
        for ruled in [false, true] {
            let configured = |voice: &mut Voice| {
                let rule = NumberRule { prefix: "+".to_owned(), strip: 1, add: "00".to_owned() };
                voice.vendors[0].caller_rules = Vec::from_iter(ruled.then_some(rule));
            };
            let mut node = node(trusted, configured);
            let sent = node.receive(CUSTOMER, named(said)).remove(1);
            let shown = tagged(if stays { said } else { plain });
            let shown = if ruled { shown.replace("+15550001", "0015550001") } else { shown };
            assert_eq!(sent.value(HeaderId::From), shown, "{trusted:?}");
            let ok = node.receive(VENDORS[0], response(&sent, 200, "callee")).remove(0);
            assert_eq!(ok.value(HeaderId::From), tagged(said), "its own back");
            let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
            assert_eq!(node.receive(CUSTOMER, bye.clone())[0].value(HeaderId::From), shown, "{trusted:?}");
            // A process that has only the cookie makes the same of it.
            let mut voice = crate::sip::testing::voice();
            (voice.trunks[0].trusted, voice.vendors[0].trusted) = trusted;
            configured(&mut voice);
            let mut next = Node::started(voice, node.now.wall.micros() + 60_000_000);
            assert_eq!(next.receive(CUSTOMER, bye)[0].value(HeaderId::From), shown, "{trusted:?}");
        }
    }
    // Nor does a vendor's caller.
    for (trusted, stays) in [(NEITHER, false), (TRUNK, false), (VENDOR, true)] {
        let mut node = node(trusted, |_| {});
        let inbound = named(said).replace("192.0.2.10", "198.51.100.1").replace("+15551234", "+15550100");
        let sent = node.receive(VENDORS[0], inbound).remove(1);
        let expected = tagged(if stays { said } else { plain }).replace("192.0.2.10", "198.51.100.1");
        assert_eq!(sent.value(HeaderId::From), expected, "{trusted:?}");
    }
}
