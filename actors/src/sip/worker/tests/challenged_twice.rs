//! Vendors that ask who calls, where more than one request, one vendor or one datagram has to do with it.

use runtime::log::Reason;
use runtime::model::{Oversize, Transport, VendorStatus};
use runtime::password::{Ha1, SecretString};

use super::challenged::{PASSWORD, REALM, accounts, asked, asks, asks_again, challenge, node, proof, up};
use super::*;
use crate::sip::account::{Account, Accounts};
use crate::sip::dialog::Dialog;
use crate::sip::event::What;
use crate::sip::testing::{START, voice};
use crate::sip::worker::Input;

/// A call of the customer whose INVITE has so many octets at the vendor.
fn large(octets: usize) -> String {
    let with = |octets: usize| {
        let subject = format!("Subject: {}\r\nContent-Type", "x".repeat(octets));
        invite("a", "+15551234").replace("Content-Type", &subject)
    };
    let bare = Node::new().receive(CUSTOMER, with(0))[1].text().len();
    with(octets - bare)
}

fn numbers<const N: usize>(sent: &[Sent; N]) -> [String; N] {
    std::array::from_fn(|place| sent[place].value(HeaderId::CSeq))
}

/// No two of them have one number at the vendor, and each answer goes back by the number of its own request.
#[test]
fn two_requests_under_way() {
    let table: [(&[usize], [&str; 2], &str); 5] = [
        (&[], ["4 INFO", "5 INFO"], "6 BYE"),
        (&[0], ["6 INFO", "5 INFO"], "7 BYE"),
        (&[1], ["4 INFO", "6 INFO"], "7 BYE"),
        (&[0, 1], ["6 INFO", "7 INFO"], "8 BYE"),
        (&[1, 0], ["7 INFO", "6 INFO"], "8 BYE"),
    ];
    for (challenged, expected, last) in table {
        for answers in [[0, 1], [1, 0]] {
            let mut node = node();
            let (_, ok) = up(&mut node);
            let mut sent = [3, 4].map(|cseq| {
                let branch = format!("info-{cseq}");
                let info = Within { method: "INFO", cseq, branch: &branch }.caller(&ok);
                node.receive(CUSTOMER, info).remove(0)
            });
            assert_eq!(numbers(&sent), ["4 INFO", "5 INFO"]);
            for place in challenged {
                let again = node.receive(VENDORS[0], challenge(&sent[*place], 401, &asks_again("n2")));
                assert_eq!(words(&again), ["INFO>198.51.100.1:5060"], "{challenged:?}");
                sent[*place] = again[0].clone();
            }
            assert_eq!(numbers(&sent), expected, "{challenged:?}");
            for place in answers {
                let done = node.receive(VENDORS[0], response(&sent[place], 200, "x"));
                assert_eq!(words(&done), ["200>192.0.2.10:5060"], "{challenged:?}");
                assert_eq!(done[0].value(HeaderId::CSeq), format!("{} INFO", place + 3), "{challenged:?}");
            }
            let bye = Within { method: "BYE", cseq: 5, branch: "bye" }.caller(&ok);
            let bye = node.receive(CUSTOMER, bye).remove(0);
            assert_eq!(bye.value(HeaderId::CSeq), last, "{challenged:?}");
            node.receive(VENDORS[0], response(&bye, 200, "x"));
            node.settle();
        }
    }
}

/// The ACK has the number of the INVITE that was answered, also with a later request under way.
#[test]
fn a_request_behind_a_challenged_invite() {
    let mut node = node();
    let (_, ok) = up(&mut node);
    let again = Within { method: "INVITE", cseq: 2, branch: "re" }.caller(&ok);
    let first = node.receive(CUSTOMER, again).remove(1);
    let info = Within { method: "INFO", cseq: 3, branch: "info" }.caller(&ok);
    let info = node.receive(CUSTOMER, info).remove(0);
    assert_eq!(numbers(&[first.clone(), info.clone()]), ["3 INVITE", "4 INFO"]);
    let second = node.receive(VENDORS[0], challenge(&first, 401, &asks_again("n2"))).remove(1);
    assert_eq!(second.value(HeaderId::CSeq), "5 INVITE");
    let done = node.receive(VENDORS[0], response(&info, 200, "x")).remove(0);
    assert_eq!(done.value(HeaderId::CSeq), "3 INFO");
    let answer = node.receive(VENDORS[0], response(&second, 200, "x")).remove(0);
    assert_eq!(answer.value(HeaderId::CSeq), "2 INVITE");
    let ack = Within { method: "ACK", cseq: 2, branch: "re-ack" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, ack)[0].value(HeaderId::CSeq), "5 ACK");
    let bye = Within { method: "BYE", cseq: 4, branch: "bye" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, bye)[0].value(HeaderId::CSeq), "6 BYE");
}

/// Two accounts at one carrier have one address and one realm: a BYE of ours is answered for by that of its call.
#[test]
fn a_bye_of_ours_with_two_accounts_at_one_address() {
    let mut voice = voice();
    voice.vendors[0].status = VendorStatus::Drained;
    voice.vendors[1].gateways = voice.vendors[0].gateways.clone();
    let account = |name: &str| {
        let ha1 = Ha1::of(name, REALM, &SecretString::new(PASSWORD));
        Account::new(name.to_owned(), REALM.to_owned(), ha1)
    };
    let accounts = Accounts::of([(0, account("east")), (1, account("warp"))]);
    let mut before = Node::with_accounts(voice.clone(), &accounts, START);
    let again = asked(&mut before, 401);
    assert_eq!(proof(&again, HeaderId::Authorization).1, 1, "as warp");
    before.receive(VENDORS[0], response(&again, 200, "callee"));
    let Some(What::Answered(answered)) = before.events.last().map(|event| &event.what) else {
        panic!("{:?}", before.happened())
    };
    // What was said before is not in the record.
    let record = postcard::to_extend(&*answered.dialog, Vec::new()).unwrap();
    let dialog: Dialog = postcard::from_bytes(&record).unwrap();
    let mut node = Node::with_accounts(voice, &accounts, START + 60_000_000);
    let id = dialog.id;
    node.worker.recover(dialog);
    let sent = node.handle(vec![Input::HangUp(id, Reason::MaxDuration)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    assert!(!sent[1].message.has(HeaderId::Authorization));
    let again = node.receive(VENDORS[0], challenge(&sent[1], 401, &asks("n2")));
    assert_eq!(words(&again), ["BYE>198.51.100.1:5060"]);
    assert_eq!(proof(&again[0], HeaderId::Authorization), ("n2".to_owned(), 1), "as warp");
    node.receive(VENDORS[0], response(&again[0], 200, "x"));
    assert_eq!(node.counters.byes_refused.get(), 0);
}

/// An INVITE to a vendor that asks has room for the answer, or goes by TCP at once (18.1.1).
#[test]
fn credentials_make_an_invite_large() {
    for (octets, has_account, expected) in [
        (1200, true, Transport::Tcp),
        (1200, false, Transport::Udp),
        (1300 - 384, true, Transport::Udp),
        (1301, false, Transport::Tcp),
    ] {
        let mut voice = voice();
        voice.vendors[0].oversize = Oversize::Tcp;
        let mut node = Node::with_listeners(voice.clone(), 2);
        if has_account {
            node.configure_accounts(voice, &accounts());
        }
        let sent = node.receive(CUSTOMER, large(octets));
        assert_eq!(sent[1].transport, expected, "{octets} {has_account}");
        assert_eq!(node.counters.oversize_fragmented.get(), 0, "{octets} {has_account}");
        assert_eq!(node.counters.oversize_tcp.get(), u64::from(expected == Transport::Tcp), "{octets}");
    }
}

/// Where there is no TCP the fragments are counted, of the second INVITE too.
#[test]
fn fragments_that_are_counted() {
    let mut node = node();
    let first = node.receive(CUSTOMER, large(1200)).remove(1);
    assert_eq!((node.counters.oversize_fragmented.get(), first.text().len()), (0, 1200));
    let again = node.receive(VENDORS[0], challenge(&first, 401, &asks(&"n".repeat(200)))).remove(1);
    assert_eq!((node.counters.oversize_fragmented.get(), again.text().len() > 1300), (1, true));
}
