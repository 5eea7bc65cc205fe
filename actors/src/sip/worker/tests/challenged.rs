//! Vendors that ask who calls.

use bytes::{Bytes, BytesMut};
use runtime::log::Reason;
use runtime::password::{Ha1, SecretString};
use sip::digest::{Credentials, Hash, Username};
use sip::{Response, StatusCode};

use super::*;
use crate::sip::account::{Account, Accounts};
use crate::sip::dialog::{Challenged, Dialog};
use crate::sip::event::What;
use crate::sip::testing::{START, voice};
use crate::sip::worker::Input;
use crate::sip::worker::challenged::realms;

pub(super) const REALM: &str = "sip.vendor.example";
pub(super) const PASSWORD: &str = "correct horse battery";

/// An account at the first vendor alone.
pub(super) fn accounts() -> Accounts {
    let ha1 = Ha1::of("warp", REALM, &SecretString::new(PASSWORD));
    Accounts::of([(0, Account::new("warp".to_owned(), REALM.to_owned(), ha1))])
}

pub(super) fn node() -> Node {
    Node::with_accounts(voice(), &accounts(), START)
}

pub(super) fn asks(nonce: &str) -> String {
    format!("Digest realm=\"{REALM}\",nonce=\"{nonce}\",opaque=\"o\",qop=\"auth\",algorithm=SHA-256")
}

pub(super) fn asks_again(nonce: &str) -> String {
    format!("{},stale=true", asks(nonce))
}

/// A 401 or 407 to a request.
pub(super) fn challenge(request: &Sent, code: u16, value: &str) -> Bytes {
    let name = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let response = Response {
        to_tag: Some(b"asks"),
        headers: &[(name, value.as_bytes())],
        ..Response::new(StatusCode::new(code).unwrap())
    };
    let mut out = BytesMut::new();
    response.write(&request.message, &mut out).unwrap();
    out.freeze()
}

/// The nonce, and how often it was used, of a request that shows who sent it.
pub(super) fn proof(sent: &Sent, header: HeaderId) -> (String, u32) {
    let value = sent.message.value(header).unwrap_or_else(|| panic!("no credentials: {}", sent.text()));
    let said = Credentials::parse(value).unwrap();
    let secret = Hash::Sha256.of(&[b"warp", REALM.as_bytes(), PASSWORD.as_bytes()]);
    let method = sent.message.method().unwrap().as_str();
    assert!(said.are_by(secret.as_octets(), method.as_bytes()), "{}", sent.text());
    assert_eq!((said.username, said.opaque), (Username::Plain(b"warp"), Some(&b"o"[..])));
    assert_eq!(Some(said.uri), sent.message.request_uri());
    (text(said.nonce), said.protection.unwrap().count)
}

fn has_credentials(sent: &Sent) -> bool {
    sent.message.has(HeaderId::Authorization) || sent.message.has(HeaderId::ProxyAuthorization)
}

/// A call whose INVITE was challenged, as it goes once more.
pub(super) fn asked(node: &mut Node, code: u16) -> Sent {
    let first = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
    let mut sent = node.receive(VENDORS[0], challenge(&first, code, &asks("n1")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    assert_eq!(sent[0].value(HeaderId::CSeq), "1 ACK");
    let again = sent.remove(1);
    for same in [HeaderId::CallId, HeaderId::From, HeaderId::To] {
        assert_eq!(again.value(same), first.value(same));
    }
    assert_ne!(again.value(HeaderId::Via), first.value(HeaderId::Via));
    assert_eq!(again.message.body(), first.message.body());
    again
}

/// As [`asked`], and up: the INVITE that was answered, and the 200 as the customer got it.
pub(super) fn up(node: &mut Node) -> (Sent, Sent) {
    let again = asked(node, 401);
    let ok = node.receive(VENDORS[0], response(&again, 200, "callee")).remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    assert_eq!(words(&node.receive(CUSTOMER, ack)), ["ACK>198.51.100.1:5060"]);
    node.happened();
    (again, ok)
}

#[test]
fn a_challenge_is_answered_and_nobody_hears_of_it() {
    for (code, header) in [(401, HeaderId::Authorization), (407, HeaderId::ProxyAuthorization)] {
        let mut node = node();
        let again = asked(&mut node, code);
        assert_eq!(again.value(HeaderId::CSeq), "2 INVITE");
        assert_eq!(proof(&again, header), ("n1".to_owned(), 1));
        assert_eq!(node.happened(), ["started"]);
        let ringing = node.receive(VENDORS[0], response(&again, 180, "callee"));
        assert_eq!(
            (words(&ringing)[0].as_str(), ringing[0].value(HeaderId::CSeq).as_str()),
            ("180>192.0.2.10:5060", "1 INVITE")
        );
        let ok = node.receive(VENDORS[0], response(&again, 200, "callee")).remove(0);
        assert_eq!((ok.word(), ok.value(HeaderId::CSeq)), ("200".to_owned(), "1 INVITE".to_owned()));
        let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
        let ack = node.receive(CUSTOMER, ack).remove(0);
        assert_eq!(ack.value(HeaderId::CSeq), "2 ACK");
        assert_eq!(ack.value(header), again.value(header), "those of the INVITE (22.1)");
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        let bye = node.receive(CUSTOMER, bye).remove(0);
        assert_eq!(bye.value(HeaderId::CSeq), "3 BYE");
        assert_eq!(proof(&bye, header), ("n1".to_owned(), 2), "before it is asked");
        let done = node.receive(VENDORS[0], response(&bye, 200, "x")).remove(0);
        assert_eq!((done.word(), done.value(HeaderId::CSeq)), ("200".to_owned(), "2 BYE".to_owned()));
        let happened = ["attempt 1 200", "answered", "ended 200 answered Some(Caller)"];
        assert_eq!(node.happened(), happened);
        assert_eq!(node.counters.challenges_answered.get(), 1);
        node.settle();
    }
}

/// Whoever else asks, or asks for something else, hears nothing, and the next vendor has the call.
#[test]
fn nobody_else_is_answered() {
    let stranger = "198.51.100.9:5060";
    for (from, value) in [
        (VENDORS[0], asks("n1").replace(REALM, "other.example")),
        (VENDORS[0], asks("n1").replace(REALM, "SIP.vendor.example")),
        (VENDORS[0], asks("n1").replace("SHA-256", "SHA-256-sess")),
        (VENDORS[0], asks("n1").replace("\"auth\"", "\"auth-int\"")),
        (VENDORS[0], "Basic realm=\"sip.vendor.example\"".to_owned()),
        (VENDORS[0], "Digest".to_owned()),
        (stranger, asks("n1")),
        (VENDORS[1], asks("n1")),
        ("198.51.100.1:5099", asks("n1")),
    ] {
        let mut node = node();
        let first = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
        let sent = node.receive(from, challenge(&first, 401, &value));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.2:5060"], "{from} {value}");
        assert!(!sent.iter().any(has_credentials), "{from} {value}");
        assert_eq!(node.happened(), ["started", "attempt 1 401"], "{from} {value}");
        assert_eq!(node.counters.challenges_unanswered.get(), 1);
    }
}

/// What it says is kept as long as the call is up.
#[test]
fn a_challenge_that_is_too_long_is_not_answered() {
    for (nonce, next, unanswered) in
        [(Challenged::MAX - 1, "198.51.100.1:5060", 0), (Challenged::MAX, "198.51.100.2:5060", 1)]
    {
        let mut node = node();
        let first = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
        let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks(&"n".repeat(nonce))));
        assert_eq!(words(&sent), ["ACK>198.51.100.1:5060".to_owned(), format!("INVITE>{next}")]);
        assert_eq!(has_credentials(&sent[1]), unanswered == 0, "{}", sent[1].text());
        assert_eq!(node.counters.challenges_unanswered.get(), unanswered);
    }
}

/// The log tells in which realms was asked, and no more of that than a line has room for.
#[test]
fn realms_are_told_as_they_were_asked() {
    let told = |values: &[&str]| realms(values.iter().map(|value| value.as_bytes()));
    let asks_in = |realm: &str| format!("Digest realm=\"{realm}\",nonce=\"n\"");
    let (one, other, long) = (asks_in("SIP.vendor.example"), asks_in("b"), asks_in(&"r".repeat(70)));
    let (one, other, long, cut) = (one.as_str(), other.as_str(), long.as_str(), "r".repeat(64));
    for (values, expected) in [
        (&[one][..], "SIP.vendor.example"),
        (&[one, other][..], "SIP.vendor.example, b"),
        (&["Basic realm=\"x\"", "Digest", other][..], "b"),
        (&[other; 5][..], "b, b, b"),
        (&[long][..], cut.as_str()),
        (&[][..], ""),
    ] {
        assert_eq!(told(values), expected, "{values:?}");
    }
}

/// A customer would show a vendor that asks for it who it is here.
#[test]
fn a_challenge_never_reaches_the_customer() {
    let mut node = Node::new();
    let mut last = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
    let value = "Digest realm=\"warp\",nonce=\"n\"";
    for (vendor, code) in VENDORS.into_iter().zip([401, 407, 401]) {
        let mut sent = node.receive(vendor, challenge(&last, code, value));
        last = sent.pop().unwrap();
        assert!(!last.text().contains("Authenticate"), "{}", last.text());
    }
    assert_eq!(words(&[last]), ["500>192.0.2.10:5060"]);
    let happened =
        ["started", "attempt 1 401", "attempt 2 407", "attempt 3 401", "ended 500 vendor_failed None"];
    assert_eq!(node.happened(), happened);

    let (invite, ok) = answered(&mut node, "b");
    node.happened();
    for method in ["INFO", "UPDATE"] {
        let request = Within { method, cseq: 5, branch: method }.caller(&ok);
        let passed = node.receive(CUSTOMER, request).remove(0);
        let sent = node.receive(VENDORS[0], challenge(&passed, 407, value));
        assert_eq!(words(&sent), ["500>192.0.2.10:5060"], "{method}");
        let request = Within { method, cseq: 5, branch: &format!("v-{method}") }.callee(&invite, "callee");
        let passed = node.receive(VENDORS[0], request).remove(0);
        let sent = node.receive(CUSTOMER, challenge(&passed, 401, value));
        assert_eq!(words(&sent), ["500>198.51.100.1:5060"], "nor the vendor: {method}");
        assert!(!sent[0].text().contains("Authenticate"), "{}", sent[0].text());
    }
    let again = Within { method: "INVITE", cseq: 9, branch: "re" }.caller(&ok);
    let again = node.receive(CUSTOMER, again).remove(1);
    let sent = node.receive(VENDORS[0], challenge(&again, 401, value));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "500>192.0.2.10:5060"]);
    assert_eq!(node.worker.dialogs(), 1, "the call goes on");
}

#[test]
fn an_answer_that_is_refused_is_not_given_again() {
    let mut node = node();
    let second = asked(&mut node, 401);
    let sent = node.receive(VENDORS[0], challenge(&second, 401, &asks("n2")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.2:5060"]);
    assert_eq!(sent[0].value(HeaderId::Authorization), second.value(HeaderId::Authorization), "22.1");
    assert!(!has_credentials(&sent[1]) && sent[1].value(HeaderId::CSeq) == "1 INVITE", "{}", sent[1].text());
    assert_eq!(node.happened(), ["started", "attempt 1 401"]);
}

/// A nonce that was too old is no wrong answer, once.
#[test]
fn a_stale_nonce_is_replaced_once() {
    let mut node = node();
    let second = asked(&mut node, 401);
    let sent = node.receive(VENDORS[0], challenge(&second, 401, &asks_again("n2")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    let third = sent[1].clone();
    assert_eq!(third.value(HeaderId::CSeq), "3 INVITE");
    assert_eq!(proof(&third, HeaderId::Authorization), ("n2".to_owned(), 1));
    assert_eq!(third.message.values(HeaderId::Authorization).count(), 1);
    let sent = node.receive(VENDORS[0], challenge(&third, 401, &asks_again("n3")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.2:5060"]);
    // What still comes of the first two is acknowledged, and nothing else.
    let late = node.receive(VENDORS[0], challenge(&second, 401, &asks_again("n2")));
    assert_eq!(words(&late), ["ACK>198.51.100.1:5060"]);
    node.receive(VENDORS[1], response(&sent[1], 486, "x"));
    node.pass(40 * SECOND);
    node.settle();
}

#[test]
fn the_next_vendor_after_an_answer() {
    let mut node = node();
    let second = asked(&mut node, 407);
    let sent = node.receive(VENDORS[0], response(&second, 503, "x"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.2:5060"]);
    let other = sent[1].clone();
    assert!(!has_credentials(&other));
    let ok = node.receive(VENDORS[1], response(&other, 200, "callee")).remove(0);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    let ack = node.receive(CUSTOMER, ack).remove(0);
    assert_eq!((ack.to.to_string().as_str(), ack.value(HeaderId::CSeq).as_str()), (VENDORS[1], "1 ACK"));
    assert!(!has_credentials(&ack));
    assert_eq!(node.happened(), ["started", "attempt 1 503", "attempt 2 200", "answered"]);
}

/// The last nonce of a dialog may be too old: its request goes once more, and its sender hears of one alone.
#[test]
fn requests_within_a_dialog_are_answered_for() {
    let mut node = node();
    let (_, ok) = up(&mut node);
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let first = node.receive(CUSTOMER, again).remove(1);
    assert_eq!(first.value(HeaderId::CSeq), "3 INVITE");
    assert_eq!(proof(&first, HeaderId::Authorization), ("n1".to_owned(), 2));
    let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks_again("n2")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "INVITE>198.51.100.1:5060"]);
    let second = sent[1].clone();
    assert_eq!(second.value(HeaderId::CSeq), "4 INVITE");
    assert_eq!(proof(&second, HeaderId::Authorization), ("n2".to_owned(), 1));
    let answer = node.receive(VENDORS[0], response(&second, 200, "x")).remove(0);
    assert_eq!((answer.word(), answer.value(HeaderId::CSeq)), ("200".to_owned(), "2 INVITE".to_owned()));
    let ack = Within { method: "ACK", cseq: 2, branch: "re-ack" }.caller(&ok);
    let ack = node.receive(CUSTOMER, ack).remove(0);
    assert_eq!(ack.value(HeaderId::CSeq), "4 ACK");
    assert_eq!(ack.value(HeaderId::Authorization), second.value(HeaderId::Authorization));
    // The ACK of the first one, sent again, has the number that the first one had.
    let late = Within { method: "ACK", cseq: 1, branch: "late-ack" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, late)[0].value(HeaderId::CSeq), "2 ACK");

    let bye = Within { method: "BYE", cseq: 3, branch: "bye" }.caller(&ok);
    let first = node.receive(CUSTOMER, bye).remove(0);
    assert_eq!(first.value(HeaderId::CSeq), "5 BYE");
    let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks_again("n3")));
    assert_eq!(words(&sent), ["BYE>198.51.100.1:5060"]);
    assert_eq!(sent[0].value(HeaderId::CSeq), "6 BYE");
    assert_eq!(proof(&sent[0], HeaderId::Authorization), ("n3".to_owned(), 1));
    let done = node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    assert_eq!(
        (words(&done), done[0].value(HeaderId::CSeq)),
        (vec!["200>192.0.2.10:5060".to_owned()], "3 BYE".to_owned())
    );
    let happened = ["refreshed", "refreshed", "ended 200 answered Some(Caller)"];
    assert_eq!(node.happened(), happened, "the record has the numbers before the answer");
    node.settle();
}

/// What acknowledges a provisional response names its INVITE by the number that the vendor knows (RFC 3262, 7.2).
#[test]
fn a_prack_names_the_invite_that_was_answered() {
    let mut node = node();
    let again = asked(&mut node, 407);
    let shown = node.receive(VENDORS[0], response(&again, 183, "callee")).remove(0);
    let prack = Within { method: "PRACK", cseq: 2, branch: "prack" }.caller(&shown);
    let prack = prack.replace("Content-Length:", "RAck: 776 1 INVITE\r\nContent-Length:");
    let sent = node.receive(CUSTOMER, prack).remove(0);
    assert_eq!(sent.value(HeaderId::RAck), "776 2 INVITE");
    assert_eq!(sent.value(HeaderId::CSeq), "3 PRACK");
    assert_eq!(proof(&sent, HeaderId::ProxyAuthorization).1, 2);
}

/// Requests of the vendor, and what the customer answers, stay as they are.
#[test]
fn the_other_way_nothing_changes() {
    let mut node = node();
    let (invite, _) = up(&mut node);
    let bye = Within { method: "BYE", cseq: 7, branch: "b" }.callee(&invite, "callee");
    let passed = node.receive(VENDORS[0], bye).remove(0);
    assert_eq!((passed.to.to_string().as_str(), passed.value(HeaderId::CSeq).as_str()), (CUSTOMER, "7 BYE"));
    assert!(!has_credentials(&passed));
    let sent = node.receive(CUSTOMER, challenge(&passed, 401, &asks("n9")));
    assert_eq!(words(&sent), ["500>198.51.100.1:5060"], "a customer gets no vendor's answer");
    assert_eq!(sent[0].value(HeaderId::CSeq), "7 BYE");
}

#[test]
fn a_call_that_we_end() {
    let mut node = node();
    let (up, _) = up(&mut node);
    let call_id = up.value(HeaderId::CallId);
    let dialog = node.worker.dialogs_of(call_id.as_bytes(), (b"from-a", b"")).next().unwrap().id;
    let sent = node.handle(vec![Input::HangUp(dialog, Reason::MaxDuration)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert!(!has_credentials(&sent[0]));
    assert_eq!(sent[1].value(HeaderId::CSeq), "3 BYE");
    assert_eq!(proof(&sent[1], HeaderId::Authorization), ("n1".to_owned(), 2));
    node.receive(CUSTOMER, response(&sent[0], 200, "x"));
    let again = node.receive(VENDORS[0], challenge(&sent[1], 401, &asks_again("n2")));
    assert_eq!(words(&again), ["BYE>198.51.100.1:5060"]);
    assert_eq!(again[0].value(HeaderId::CSeq), "4 BYE");
    assert_eq!(proof(&again[0], HeaderId::Authorization), ("n2".to_owned(), 1));
    node.receive(VENDORS[0], response(&again[0], 200, "x"));
    assert_eq!((node.counters.byes_refused.get(), node.counters.byes_unanswered.get()), (0, 0));
    node.settle();
}

fn cancel() -> String {
    let invite = invite("a", "+15551234").replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let (head, _) = invite.split_once("Content-Type").unwrap();
    format!("{head}Content-Length: 0\r\n\r\n")
}

/// A call that its caller gives up is not tried again.
#[test]
fn a_call_that_is_given_up() {
    let mut node = node();
    let first = node.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
    node.receive(VENDORS[0], response(&first, 100, "x"));
    let sent = node.receive(CUSTOMER, cancel());
    assert!(words(&sent).contains(&"CANCEL>198.51.100.1:5060".to_owned()), "{:?}", words(&sent));
    let sent = node.receive(VENDORS[0], challenge(&first, 401, &asks("n1")));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "487>192.0.2.10:5060"]);
}

#[test]
fn a_cancel_goes_the_way_of_the_last_invite() {
    let mut node = node();
    let again = asked(&mut node, 401);
    node.receive(VENDORS[0], response(&again, 180, "callee"));
    let sent = node.receive(CUSTOMER, cancel());
    let cancelled = sent.iter().find(|sent| sent.word() == "CANCEL").unwrap();
    assert_eq!(cancelled.value(HeaderId::CSeq), "2 CANCEL");
    let branch = |sent: &Sent| text(sent.message.list(HeaderId::Via).next().unwrap());
    assert_eq!(branch(cancelled), branch(&again));
}

/// The next process knows by the vendor's answer how many challenges its INVITE had answered.
#[test]
fn a_call_that_rings_at_a_restart() {
    for (value, number) in [(None, 1), (Some(asks("n1")), 2), (Some(asks_again("n2")), 3)] {
        let mut before = node();
        let mut last = before.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
        let challenges = [asks("n1"), asks_again("n2")].into_iter().take(number - 1);
        assert_eq!(challenges.clone().next_back(), value);
        for value in challenges {
            last = before.receive(VENDORS[0], challenge(&last, 401, &value)).remove(1);
        }
        assert_eq!(last.value(HeaderId::CSeq), format!("{number} INVITE"));
        let mut node = Node::with_accounts(voice(), &accounts(), START + 5_000_000);
        for code in [180, 200] {
            let sent = node.receive(VENDORS[0], response(&last, code, "callee"));
            assert_eq!(words(&sent), [format!("{code}>192.0.2.10:5060")], "{number}");
            assert_eq!(sent[0].value(HeaderId::CSeq), "1 INVITE", "{number}");
        }
    }
}

/// The difference of the numbers is in the record of a call, the nonce is not.
#[test]
fn a_call_of_the_last_process() {
    let mut before = node();
    let again = asked(&mut before, 401);
    let ok = before.receive(VENDORS[0], response(&again, 200, "callee")).remove(0);
    let Some(What::Answered(answered)) = before.events.last().map(|event| &event.what) else {
        panic!("{:?}", before.happened())
    };
    let record = postcard::to_extend(&*answered.dialog, Vec::new()).unwrap();
    let dialog: Dialog = postcard::from_bytes(&record).unwrap();
    let later = START + 60_000_000;
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    let mut node = Node::with_accounts(voice(), &accounts(), later);
    node.worker.recover(dialog);
    let sent = node.receive(CUSTOMER, bye);
    assert_eq!(sent[0].value(HeaderId::CSeq), "3 BYE");
    assert!(!has_credentials(&sent[0]));
    let sent = node.receive(VENDORS[0], challenge(&sent[0], 401, &asks("n2")));
    assert_eq!(
        (words(&sent), sent[0].value(HeaderId::CSeq)),
        (vec!["BYE>198.51.100.1:5060".to_owned()], "4 BYE".to_owned())
    );
    assert_eq!(proof(&sent[0], HeaderId::Authorization), ("n2".to_owned(), 1));
}

/// Without a record the cookie says how many challenges the INVITE has answered that was accepted.
#[test]
fn a_call_of_which_only_the_cookie_is_known() {
    for (number, challenges) in [(1, vec![]), (2, vec![asks("n1")]), (3, vec![asks("n1"), asks_again("n2")])]
    {
        let mut before = node();
        let mut last = before.receive(CUSTOMER, invite("a", "+15551234")).remove(1);
        for value in &challenges {
            last = before.receive(VENDORS[0], challenge(&last, 401, value)).remove(1);
        }
        let ok = before.receive(VENDORS[0], response(&last, 200, "callee")).remove(0);
        for (method, cseq, expected) in [("ACK", 1, number), ("BYE", 2, number + 1)] {
            let mut node = Node::with_accounts(voice(), &accounts(), START + 60_000_000);
            let request = Within { method, cseq, branch: method }.caller(&ok);
            let sent = node.receive(CUSTOMER, request);
            assert_eq!(words(&sent), [format!("{method}>198.51.100.1:5060")], "{number}");
            assert_eq!(sent[0].value(HeaderId::CSeq), format!("{expected} {method}"));
        }
    }
}
