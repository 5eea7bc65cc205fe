//! Trunks that say who they are, at addresses that others have or nobody, and across what changes meanwhile.

use runtime::model::{AclEntry, AuthType, Voice};
use uuid::Uuid;

use super::digest::{ROAMING, Says, asked, call, node, saying, taken, users, with};
use super::*;
use crate::sip::digest::Users;
use crate::sip::event::What;

/// The trunk of the configuration that says who it is.
const ACME: Uuid = Uuid::from_u128(60);

/// A network of a trunk: of the one that says who it is, or of the other.
fn source(id: u128, trunk: Uuid, network: &str) -> AclEntry {
    let network = network.parse().unwrap();
    AclEntry { id: Uuid::from_u128(id), trunk, network, port: None, transport: None }
}

/// The place of the trunk whose call began last.
fn began(node: &Node) -> u32 {
    let mut started = node.events.iter().rev().filter_map(|event| match &event.what {
        What::Started(started) => Some(started.trunk),
        What::Attempted(_) | What::Answered(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    });
    started.next().expect("a call")
}

/// Who calls from where a vendor is, or another trunk may call from, is asked where its own entry is the narrowest.
#[test]
fn an_entry_of_its_own_decides_who_is_asked() {
    let mut voice = with(AuthType::Digest);
    let main = voice.trunks[0].id;
    voice.acl.push(source(61, ACME, "198.51.100.1"));
    voice.acl.push(source(62, main, "203.0.113.96/28"));
    voice.acl.push(source(63, ACME, "203.0.113.99"));
    let mut node = node(voice);
    for (name, from) in [("a", VENDORS[0]), ("b", ROAMING)] {
        taken(&mut node, name, from);
        assert_eq!(began(&node), 1, "{from}");
        let options = call("o", from, 1).replace("INVITE sip:+15551234@", "OPTIONS sip:");
        let options =
            options.replace("1 INVITE", "1 OPTIONS").replace("Call-ID: ", &format!("Call-ID: {name}"));
        assert_eq!(words(&node.receive(from, options)), [format!("200>{from}")]);
    }
    let neighbour = "203.0.113.98:5062";
    let sent = node.receive(neighbour, call("c", neighbour, 1));
    assert_eq!(words(&sent), [format!("100>{neighbour}"), "INVITE>198.51.100.1:5060".to_owned()]);
    assert_eq!(began(&node), 0, "the wider network is another trunk's");
    // The vendor goes on calling our numbers.
    let inbound = invite("d", "+15550100").replace("192.0.2.10", "198.51.100.1");
    let sent = node.receive(VENDORS[0], inbound);
    assert_eq!(words(&sent), ["100>198.51.100.1:5060", "INVITE>192.0.2.10:5060"]);
}

/// Who has said who it is is sent to where it called from, whatever its Contact says.
#[test]
fn a_caller_is_reached_where_it_called_from() {
    for contact in ["100.64.3.9:5060", "198.51.100.3:5070", "203.0.113.99:5070"] {
        let mut node = node(with(AuthType::Digest));
        let challenge = asked(&mut node, "a", ROAMING);
        let says = Says::right("sip:+15551234@203.0.113.5").to(&challenge, "INVITE");
        let invite = saying(&call("a", ROAMING, 2), &says);
        let invite = invite.replace(&format!("caller@{ROAMING}"), &format!("caller@{contact}"));
        let passed = node.receive(ROAMING, invite).remove(1);
        node.receive(VENDORS[0], response(&passed, 200, "callee"));
        let bye = Within { method: "BYE", cseq: 1, branch: "bye" }.callee(&passed, "callee");
        let sent = node.receive(VENDORS[0], bye);
        assert_eq!(words(&sent), [format!("BYE>{ROAMING}")], "{contact}");
        assert!(sent[0].text().starts_with(&format!("BYE sip:caller@{contact} SIP/2.0\r\n")));
    }
}

/// Who registers is asked from wherever that is: trunks that are known by their source do not register.
#[test]
fn a_register_is_asked_whatever_its_source() {
    for (source, bare) in [(CUSTOMER, "405"), (VENDORS[0], "405"), (STRANGER, "403")] {
        let register = call("r", source, 1)
            .replace("INVITE sip:+15551234@203.0.113.5", "REGISTER sip:203.0.113.5")
            .replace("1 INVITE", "1 REGISTER");
        let sent = node(with(AuthType::Digest)).receive(source, register.clone());
        assert_eq!(words(&sent), [format!("401>{source}")]);
        assert_eq!(
            words(&Node::new().receive(source, register)),
            [format!("{bare}>{source}")],
            "nobody would"
        );
    }
}

/// Who scans takes no challenge from who has to be asked.
#[test]
fn challenges_are_counted_by_themselves() {
    let mut node = node(with(AuthType::Digest));
    let scans = (0..100).map(|at| call(&format!("s{at}"), STRANGER, 1).replace("INVITE", "OPTIONS"));
    let heard = scans.filter(|options| !node.receive(STRANGER, options.clone()).is_empty()).count();
    assert_eq!(heard, 10, "a second's worth");
    asked(&mut node, "a", ROAMING);
}

#[test]
fn who_calls_all_the_time_stays_known() {
    let mut node = node(with(AuthType::Digest));
    for name in ["a", "b"] {
        let passed = taken(&mut node, name, ROAMING);
        node.receive(VENDORS[0], response(&passed, 486, "callee"));
        node.pass(2400 * SECOND);
    }
    let strangers = (0..100).map(|at| call(&format!("s{at}"), STRANGER, 1));
    let heard = strangers.filter(|invite| !node.receive(STRANGER, invite.clone()).is_empty()).count();
    assert_eq!(heard, 10, "a second's worth");
    asked(&mut node, "c", ROAMING);
    node.pass(2400 * SECOND);
    let strangers = (0..100).map(|at| call(&format!("t{at}"), STRANGER, 1));
    strangers.for_each(|invite| drop(node.receive(STRANGER, invite)));
    assert!(node.receive(ROAMING, call("d", ROAMING, 1)).is_empty(), "an hour after it said so last");
}

/// A trunk that is closed while its call rings gives it up all the same.
#[test]
fn a_call_of_a_trunk_that_is_closed() {
    let mut node = node(with(AuthType::Digest));
    let invite = taken(&mut node, "a", ROAMING);
    node.receive(VENDORS[0], response(&invite, 180, "callee"));
    let mut closed = with(AuthType::Digest);
    closed.trunks[1].active = false;
    node.configure(closed, Users::default());
    let cancel = call("a", ROAMING, 2).replace("INVITE sip", "CANCEL sip").replace("2 INVITE", "2 CANCEL");
    let sent = words(&node.receive(ROAMING, cancel));
    assert_eq!(sent[0], format!("200>{ROAMING}"));
    assert!(sent.contains(&"CANCEL>198.51.100.1:5060".to_owned()), "{sent:?}");
    let sent = node.receive(ROAMING, call("b", ROAMING, 1));
    assert_eq!(words(&sent), [format!("403>{ROAMING}")], "a new one is a stranger's");
}

/// A source that is not enough from now on has its calls.
#[test]
fn a_call_of_a_trunk_that_has_to_say_more_from_now_on() {
    let mut node = Node::with(with(AuthType::Digest));
    ringing(&mut node, "a");
    let mut voice = with(AuthType::Digest);
    voice.trunks[0].auth_type = AuthType::Both;
    node.configure(voice.clone(), users(&voice));
    let first = invite("a", "+15551234");
    assert_eq!(words(&node.receive(CUSTOMER, first.clone())), ["180>192.0.2.10:5060"], "it came again");
    let cancel = first.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL");
    let sent = words(&node.receive(CUSTOMER, cancel));
    assert!(sent.contains(&"CANCEL>198.51.100.1:5060".to_owned()), "{sent:?}");
    assert_eq!(words(&node.receive(CUSTOMER, invite("b", "+15551234"))), ["407>192.0.2.10:5060"]);
}

/// A call that the worker of the tests has in every process of its node.
fn name(host: &str) -> String {
    let node = Node::new();
    let own = |name: &String| node.worker.settings.worker_of_call(format!("{name}@{host}").as_bytes()) == 1;
    (0..).map(|at| format!("call-{at}")).find(own).unwrap()
}

/// The next process of a node.
fn next(before: &Node, voice: &Voice) -> Node {
    let node = Node::started(voice.clone(), before.now.wall.micros() + 5_000_000);
    node.configure(voice.clone(), users(voice));
    node
}

/// As the caller at this address makes it, who got this 2xx.
fn within(ok: &Sent, method: &str, cseq: u32) -> String {
    let request = Within { method, cseq, branch: &format!("{method}-{cseq}") }.caller(ok);
    request.replace("192.0.2.10:5060", ROAMING)
}

#[test]
fn a_call_is_answered_after_a_restart() {
    let voice = with(AuthType::Digest);
    let mut before = node(voice.clone());
    let invite = taken(&mut before, &name("203.0.113.99"), ROAMING);
    let mut node = next(&before, &voice);
    let sent = node.receive(VENDORS[0], response(&invite, 180, "callee"));
    assert_eq!(words(&sent), [format!("180>{ROAMING}")]);
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&ok), [format!("200>{ROAMING}")]);
    assert_eq!(began(&node), 1);
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered"]);
    assert_eq!(words(&node.receive(ROAMING, within(&ok[0], "ACK", 2))), ["ACK>198.51.100.1:5060"]);
    let bye = node.receive(ROAMING, within(&ok[0], "BYE", 3));
    assert_eq!(words(&bye), ["BYE>198.51.100.1:5060"]);
    assert_eq!(words(&node.receive(VENDORS[0], response(&bye[0], 200, "x"))), [format!("200>{ROAMING}")]);
    assert_eq!(node.happened(), ["ended 200 answered Some(Caller)"]);
    node.settle();
    // A trunk that is no more has no call; the vendor keeps none either.
    let mut closed = voice;
    closed.trunks[1].active = false;
    let mut node = next(&before, &closed);
    let sent = node.receive(VENDORS[0], response(&invite, 200, "callee"));
    assert_eq!(words(&sent), ["ACK>198.51.100.1:5060", "BYE>198.51.100.1:5060"]);
    assert!(node.happened().is_empty());
    node.settle();
}

/// Nothing but the cookie tells then that it is not to be shown the vendor.
#[test]
fn a_hidden_call_is_answered_after_a_restart() {
    let mut voice = with(AuthType::Digest);
    voice.trunks[1].hide_topology = true;
    let mut before = node(voice.clone());
    let invite = taken(&mut before, &name("203.0.113.99"), ROAMING);
    let mut node = next(&before, &voice);
    for code in [180, 200] {
        let sent = node.receive(VENDORS[0], response(&invite, code, "callee"));
        assert_eq!(words(&sent), [format!("{code}>{ROAMING}")]);
        let contact = sent[0].value(HeaderId::Contact);
        assert!(contact.starts_with("<sip:203.0.113.5:5060;c="), "{contact}");
        assert!(!sent[0].text().contains("198.51.100."), "{}", sent[0].text());
    }
}

/// A configuration in which our number is the trunk's that says who it is, whose gateway is where it calls from.
fn called() -> Voice {
    let mut voice = with(AuthType::Digest);
    voice.dids[0].trunk = Some(ACME);
    voice.trunks[1].gateways = vec![format!("sip:{ROAMING}").parse().unwrap()];
    voice
}

/// A vendor calls our number; the INVITE at the gateway of the trunk.
fn inbound(node: &mut Node, name: &str) -> Sent {
    let inbound = invite(name, "+15550100").replace("192.0.2.10", "198.51.100.2");
    let mut sent = node.receive(VENDORS[1], inbound);
    assert_eq!(words(&sent), ["100>198.51.100.2:5060".to_owned(), format!("INVITE>{ROAMING}")]);
    sent.remove(1)
}

#[test]
fn a_gateway_answers_after_a_restart() {
    let voice = called();
    let mut before = node(voice.clone());
    let invite = inbound(&mut before, &name("198.51.100.2"));
    let (own, other) = ("received=198.51.100.2", "received=203.0.113.66");
    let sent =
        next(&before, &voice).receive(ROAMING, text(&response(&invite, 200, "pbx")).replace(own, other));
    assert_eq!(words(&sent), [format!("ACK>{ROAMING}"), format!("BYE>{ROAMING}")], "nobody else hears of it");
    let mut node = next(&before, &voice);
    let sent = node.receive(ROAMING, response(&invite, 200, "pbx"));
    assert_eq!(words(&sent), ["200>198.51.100.2:5060"]);
    assert_eq!(node.happened(), ["started", "answered"]);
}

/// A gateway that answers after all has a call that nobody else has.
#[test]
fn a_gateway_answers_too_late() {
    let mut node = node(called());
    let invite = inbound(&mut node, "a");
    node.receive(ROAMING, response(&invite, 486, "pbx"));
    node.pass(300 * SECOND);
    let sent = node.receive(ROAMING, response(&invite, 200, "pbx"));
    assert_eq!(words(&sent), [format!("ACK>{ROAMING}"), format!("BYE>{ROAMING}")]);
    node.settle();
}

/// What ends a call whose record was lost passes with the cookie that was given for it, and nothing else does.
#[test]
fn a_call_without_a_record_ends() {
    let voice = with(AuthType::Digest);
    let mut before = node(voice.clone());
    let invite = taken(&mut before, "a", ROAMING);
    let ok = before.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
    let mut node = next(&before, &voice);
    for method in ["INFO", "INVITE", "UPDATE", "REFER"] {
        let sent = node.receive(ROAMING, within(&ok, method, 3));
        assert_eq!(words(&sent), [format!("403>{ROAMING}")], "{method}");
    }
    let sent = node.receive(ROAMING, within(&ok, "BYE", 4).replace("tag=from-a", "tag=from-b"));
    assert_eq!(words(&sent), [format!("403>{ROAMING}")], "of another call");
    assert_eq!(words(&node.receive(ROAMING, within(&ok, "ACK", 2))), ["ACK>198.51.100.1:5060"]);
    let bye = node.receive(ROAMING, within(&ok, "BYE", 5));
    assert_eq!(words(&bye), ["BYE>198.51.100.1:5060"]);
    assert_eq!(words(&node.receive(VENDORS[0], response(&bye[0], 200, "x"))), [format!("200>{ROAMING}")]);
    assert_eq!(node.happened(), ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]);
    assert_eq!(
        words(&node.receive(ROAMING, within(&ok, "BYE", 6))),
        [format!("481>{ROAMING}")],
        "it is over"
    );
    node.settle();
    // Of a trunk that has to be where it is listed the address is asked for.
    let mut both = with(AuthType::Both);
    both.acl.push(source(61, ACME, "203.0.113.97"));
    let mut node = next(&before, &both);
    let sent = node.receive(ROAMING, within(&ok, "BYE", 5));
    assert_eq!(words(&sent), [format!("403>{ROAMING}")]);
}
