//! Callers that are not to be known: what might tell them beside From.

use super::*;
use crate::sip::dialog::Dialog;
use crate::sip::testing::voice;
use crate::sip::worker::Input;

/// A description as many telephones write it, and without its maker.
const SDP: &str = "v=0\r\no=15550001 1 1 IN IP4 192.0.2.7\r\ns=Call of 15550001\r\nc=IN IP4 192.0.2.7\r\n\
                   t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const NAMELESS: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\n\
                        t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A message with that description.
fn described(message: &str) -> String {
    let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
    message
        .replace("Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n", &body)
        .replace("Content-Length: 0\r\n\r\n", &body)
}

/// Nor does the end of a call tell who it was: what answers a request that was under way then.
#[test]
fn who_called_is_not_told_when_the_call_is_over() {
    for (by_callee, status) in
        [(true, 200), (true, 481), (true, 487), (false, 200), (false, 481), (false, 487)]
    {
        let mut node = node(NEITHER, |_| {});
        let invite = node.receive(CUSTOMER, call("Privacy: id\r\n")).remove(1);
        let ok = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
        node.receive(CUSTOMER, Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok));
        let bye = Within { method: "BYE", cseq: 7, branch: "bye" }.callee(&invite, "callee");
        let bye = by_callee.then(|| node.receive(VENDORS[0], bye).remove(0));
        let again = Within { method: "INVITE", cseq: 8, branch: "re" }.callee(&invite, "callee");
        let again = node.receive(VENDORS[0], again).pop().unwrap();
        assert_eq!((again.word(), again.value(HeaderId::To)), ("INVITE".to_owned(), OWN.to_owned()));
        if let Some(bye) = bye {
            let back = node.receive(CUSTOMER, telling(&text(&response(&bye, 200, "x")))).remove(0);
            unseen(&back);
        } else {
            let dialog = node.events[0].dialog;
            node.handle(vec![Input::HangUp(dialog, runtime::log::Reason::Operator)]);
        }
        assert_eq!(node.worker.dialogs(), 0);
        let answer = described(&telling(&text(&response(&again, status, "x"))));
        let sent = node.receive(CUSTOMER, answer);
        let back = sent.iter().find(|sent| sent.to.to_string() == VENDORS[0]).unwrap();
        assert_eq!((back.word(), back.value(HeaderId::To)), (status.to_string(), ANONYMOUS.to_owned()));
        // Nothing says by now what the callee may know of the caller's addresses.
        let contact = back.value(HeaderId::Contact);
        assert!(contact.starts_with("<sip:203.0.113.5:5060;c="), "{contact}");
        unseen(back);
    }
}

/// What the caller answers after a restart is known by its dialog; where that is not known either, all that can go
/// goes.
#[test]
fn who_called_is_not_told_after_a_restart() {
    for (at, method) in ["INVITE", "UPDATE", "INFO"].into_iter().enumerate() {
        let mut before = node(NEITHER, |_| {});
        let invite = before.receive(CUSTOMER, call("Privacy: id\r\n")).remove(1);
        before.receive(VENDORS[0], response(&invite, 200, "callee"));
        let answered = before.events.iter().find_map(|event| {
            let What::Answered(answered) = &event.what else { return None };
            Some(Dialog::clone(&answered.dialog))
        });
        let request = Within { method, cseq: 7, branch: &format!("v-{at}") }.callee(&invite, "callee");
        let passed = before.receive(VENDORS[0], request).pop().unwrap();
        let answer = telling(&text(&response(&passed, 200, "x")));
        let later = before.now.wall.micros() + 60_000_000;

        let mut next = Node::started(voice(), later);
        next.worker.recover(answered.unwrap());
        let back = next.receive(CUSTOMER, answer.clone());
        assert_eq!(words(&back), ["200>198.51.100.1:5060"], "{method}");
        assert_eq!(back[0].value(HeaderId::To), ANONYMOUS, "{method}");
        unseen(&back[0]);

        if method != "INVITE" {
            let mut next = Node::started(voice(), later);
            let back = next.receive(CUSTOMER, answer).remove(0);
            let values = [HeaderId::Contact, HeaderId::Server, HeaderId::Subject].map(|id| back.value(id));
            assert_eq!(values, ["<sip:anonymous@192.0.2.10:5060>", "", ""], "{method}");
        }
    }
}

/// The maker of a description, in offers and in answers of whoever is not to be known.
#[test]
fn a_description_does_not_tell_who_called() {
    let body = |sent: &Sent| text(sent.message.body());
    for (trusted, expected) in [(NEITHER, NAMELESS), (VENDOR, SDP)] {
        let mut node = node(trusted, |_| {});
        let invite = node.receive(CUSTOMER, described(&call("Privacy: id\r\n"))).remove(1);
        let answer = described(&text(&response(&invite, 200, "callee")));
        let ok = node.receive(VENDORS[0], answer).remove(0);
        assert_eq!(body(&ok), SDP, "the callee is not hidden");
        let again = Within { method: "INVITE", cseq: 2, branch: "c" }.caller(&ok);
        let by_caller = node.receive(CUSTOMER, described(&again)).pop().unwrap();
        node.receive(VENDORS[0], response(&by_caller, 200, "callee"));
        let again = Within { method: "INVITE", cseq: 7, branch: "v" }.callee(&invite, "callee");
        let by_callee = node.receive(VENDORS[0], again).pop().unwrap();
        let answer = described(&text(&response(&by_callee, 200, "x")));
        let back = node.receive(CUSTOMER, answer).pop().unwrap();
        for sent in [&invite, &by_caller, &back] {
            assert_eq!(body(sent), expected, "{trusted:?}");
            assert_eq!(sent.value(HeaderId::ContentLength), expected.len().to_string(), "{trusted:?}");
        }
    }
}

/// Who signs a call tells its number, and so does who transfers it.
#[test]
fn no_other_header_tells_who_called() {
    let signed = "e30.eyJvcmlnIjp7InRuIjoiMTU1NTAwMDEifX0.c2lnbmVk;info=<https://a.example/a.pem>";
    let referred = format!("<sip:+{NUMBER}@192.0.2.10>");
    for names in [["Identity", "Identity-Info", "Referred-By"], ["y", "n", "b"]] {
        let [identity, info, by] = names;
        let told = format!(
            "{identity}: {signed}\r\n{info}: <https://a.example/b.pem>\r\n{by}: {referred}\r\n\
             P-Served-User: {referred}\r\n"
        );
        for (trusted, privacy, passes) in
            [(NEITHER, "id", false), (TRUNK, "id", false), (BOTH, "user", false), (BOTH, "id", true)]
        {
            let mut node = node(trusted, |_| {});
            let invite = node.receive(CUSTOMER, call(&format!("Privacy: {privacy}\r\n{told}"))).remove(1);
            let ok = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
            let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
            let info = info.replace("Content-Length:", &format!("{told}Content-Length:"));
            let info = node.receive(CUSTOMER, info).remove(0);
            for sent in [&invite, &info] {
                let headers = [HeaderId::Identity, HeaderId::IdentityInfo, HeaderId::ReferredBy];
                assert_eq!(headers.map(|id| sent.message.has(id)), [passes; 3], "{trusted:?} {privacy}");
                let served = sent.message.values_named(b"P-Served-User").next().is_some();
                assert_eq!(served, trusted == BOTH, "{trusted:?}: of the trust domain");
            }
        }
    }
}

/// We are the privacy service that a telephone may insist on, and have to be asked by nobody further on.
#[test]
fn privacy_that_is_required_of_a_proxy() {
    for (trusted, privacy, left) in [(NEITHER, "id", ""), (BOTH, "user", ""), (VENDOR, "id", "privacy")] {
        let mut node = node(trusted, |_| {});
        let headers = format!("Privacy: {privacy}\r\nProxy-Require: privacy\r\n");
        let sent = node.receive(CUSTOMER, call(&headers)).remove(1);
        assert_eq!((sent.word(), sent.value(HeaderId::ProxyRequire)), ("INVITE".to_owned(), left.to_owned()));
    }
    let mut node = node(NEITHER, |_| {});
    let sent = node.receive(CUSTOMER, call("Proxy-Require: privacy, other\r\n"));
    assert_eq!(words(&sent), ["420>192.0.2.10:5060"]);
}

/// A trusted side is asked to keep what was to be kept, by whatever that was asked of us.
#[test]
fn privacy_is_asked_for_on() {
    use IdentityHeaders::{AsReceived, Nothing, PAssertedIdentity, RemotePartyId};
    let party = |privacy: &str| {
        format!("Remote-Party-ID: <sip:+15550001@192.0.2.10>;party=calling;privacy={privacy}\r\n")
    };
    let table = [
        (NEITHER, party("full"), ""),
        (TRUNK, party("full"), ""),
        (VENDOR, party("full"), "id"),
        (BOTH, party("full"), "id"),
        (VENDOR, party("off"), ""),
        (VENDOR, format!("Privacy: critical\r\n{}", party("full")), "critical;id"),
        (VENDOR, format!("Privacy: none\r\n{}", party("full")), "none"),
    ];
    for (trusted, headers, expected) in table {
        for send in [AsReceived, Nothing, PAssertedIdentity, RemotePartyId, IdentityHeaders::Both] {
            let mut node = node(trusted, |voice| voice.vendors[0].identity.send = send);
            let sent = node.receive(CUSTOMER, call(&headers)).remove(1);
            assert_eq!(sent.value(HeaderId::Privacy), expected, "{trusted:?} {send:?} {headers}");
            let from = if trusted.1 { OWN } else { ANONYMOUS };
            assert_eq!(sent.value(HeaderId::From), from, "{trusted:?} {send:?} {headers}");
        }
    }
    // So it is where From alone says it, unless privacy is not wanted in so many words.
    for (headers, expected) in [("", "id"), ("Privacy: none\r\n", "none")] {
        let mut node = node(VENDOR, |_| {});
        let nobody = call(headers).replace("\"A\" <sip:+15550001@192.0.2.10>", "<sip:anonymous@192.0.2.10>");
        let sent = node.receive(CUSTOMER, nobody).remove(1);
        assert_eq!(sent.value(HeaderId::From), "<sip:anonymous@192.0.2.10>;tag=from-a");
        assert_eq!(sent.value(HeaderId::Privacy), expected);
    }
}
