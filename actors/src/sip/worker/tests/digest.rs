use runtime::model::{AuthType, Customer, DedicatedAddress, DigestCredential, SIP_REALM, Trunk, Voice};
use runtime::password::{Ha1, SecretString};
use sip::digest::{Algorithm, Challenge, Hash};
use uuid::Uuid;

use super::*;
use crate::sip::digest::{Users, work};
use crate::sip::testing::voice;
use crate::sip::worker::answers::Answers;

mod noted;

/// Where the trunk calls from that says by digest who it is: an address that nobody has.
pub(super) const ROAMING: &str = "203.0.113.99:5062";
const PASSWORD: &str = "correct horse battery";

fn ha1(username: &str) -> Ha1 {
    Ha1::of(username, SIP_REALM, &SecretString::new(PASSWORD))
}

/// The configuration with a second trunk, `acme`, that is authenticated so.
pub(super) fn with(auth_type: AuthType) -> Voice {
    let mut voice = voice();
    let (username, realm) = ("acme".to_owned(), SIP_REALM.to_owned());
    let trunk = Trunk {
        digest: Some(DigestCredential { username, realm, ha1_sealed: Vec::new() }),
        id: Uuid::from_u128(60),
        number: 2,
        name: "acme-roaming".to_owned(),
        auth_type,
        ..voice.trunks[0].clone()
    };
    voice.trunks.push(trunk);
    voice
}

/// Who the second trunk is.
pub(super) fn users(voice: &Voice) -> Users {
    let place = voice.trunks.iter().position(|trunk| trunk.number == 2).unwrap();
    Users::of([("acme".to_owned(), u32::try_from(place).unwrap(), ha1("acme"))])
}

pub(super) fn node(voice: Voice) -> Node {
    let users = users(&voice);
    Node::with_digests(voice, users)
}

/// An INVITE from an address, the `attempt`th of its call.
pub(super) fn call(call: &str, from: &str, attempt: u32) -> String {
    let invite = invite(call, "+15551234").replace("192.0.2.10:5060", from);
    let invite = invite.replace("192.0.2.10", from.split(':').next().unwrap());
    invite
        .replace("CSeq: 1 ", &format!("CSeq: {attempt} "))
        .replace(&format!("{call}-1;"), &format!("{call}-{attempt};"))
}

/// What a challenge is answered with.
pub(super) struct Says<'a> {
    username: &'a str,
    password: &'a str,
    hash: Hash,
    uri: &'a str,
    count: &'a str,
}

const ACME: Says<'static> = Says {
    username: "acme",
    password: PASSWORD,
    hash: Hash::Sha256,
    uri: "sip:+15551234@203.0.113.5",
    count: "00000001",
};

impl<'a> Says<'a> {
    /// The right ones, about a URI.
    pub(super) const fn right(uri: &'a str) -> Self {
        Self { uri, ..ACME }
    }

    /// The credentials for the challenge in a 407 or 401, as a header.
    pub(super) fn to(&self, asked: &Sent, method: &str) -> String {
        let (challenges, header) = match asked.word().as_str() {
            "401" => (HeaderId::WwwAuthenticate, "Authorization"),
            _ => (HeaderId::ProxyAuthenticate, "Proxy-Authorization"),
        };
        let values: Vec<_> =
            asked.message.values(challenges).map(|value| Challenge::parse(value).unwrap()).collect();
        let algorithms: Vec<_> = values.iter().map(|challenge| challenge.algorithm).collect();
        assert_eq!(
            algorithms,
            [Algorithm::Sha512Trunc256, Algorithm::Sha256, Algorithm::Md5],
            "the strongest first"
        );
        let nonce = text(values[0].nonce);
        let hash = self.hash;
        let secret = hash.of(&[self.username.as_bytes(), b"warp", self.password.as_bytes()]);
        let request = hash.of(&[method.as_bytes(), self.uri.as_bytes()]);
        let parts = [nonce.as_bytes(), self.count.as_bytes(), b"0a4f113b", b"auth"];
        let [nonce_octets, count, cnonce, qop] = parts;
        let response = hash.of(&[secret.as_octets(), nonce_octets, count, cnonce, qop, request.as_octets()]);
        format!(
            "{header}: Digest username=\"{}\",realm=\"warp\",nonce=\"{nonce}\",uri=\"{}\",response=\"{}\",\
             algorithm={},qop=auth,nc={},cnonce=\"0a4f113b\"\r\n",
            self.username,
            self.uri,
            text(response.as_octets()),
            hash.name(),
            self.count,
        )
    }
}

/// The request with one more header.
pub(super) fn saying(request: &str, header: &str) -> String {
    request.replacen("Content-Type:", &format!("{header}Content-Type:"), 1)
}

/// A call of the trunk is taken: as it was passed on.
pub(super) fn taken(node: &mut Node, name: &str, from: &str) -> Sent {
    let challenge = asked(node, name, from);
    let mut sent = node.receive(from, saying(&call(name, from, 2), &ACME.to(&challenge, "INVITE")));
    assert_eq!(words(&sent[..1]), [format!("100>{from}")]);
    assert_eq!(sent.len(), 2, "{:?}", words(&sent));
    sent.remove(1)
}

/// A first INVITE is asked who it is of; the 407.
pub(super) fn asked(node: &mut Node, name: &str, from: &str) -> Sent {
    let sent = node.receive(from, call(name, from, 1));
    assert_eq!(words(&sent), [format!("407>{from}")]);
    sent.into_iter().next().unwrap()
}

#[test]
fn a_call_of_a_trunk_from_anywhere() {
    for hash in Hash::STRONGEST_FIRST {
        let mut node = node(with(AuthType::Digest));
        let challenge = asked(&mut node, "a", ROAMING);
        assert!(node.happened().is_empty() && node.worker.is_empty(), "asking keeps nothing");
        let ack = call("a", ROAMING, 1).replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
        let to = challenge.value(HeaderId::To);
        let ack = ack.replace("To: <sip:+15551234@203.0.113.5>", &format!("To: {to}"));
        assert!(node.receive(ROAMING, ack).is_empty(), "an ACK is never answered");
        let answer = Says { hash, ..ACME }.to(&challenge, "INVITE");
        let invite = saying(&call("a", ROAMING, 2), &answer);
        let sent = node.receive(ROAMING, invite.clone());
        assert_eq!(
            words(&sent),
            [format!("100>{ROAMING}"), "INVITE>198.51.100.1:5060".to_owned()],
            "{hash:?}"
        );
        let passed = sent[1].clone();
        for secret in ["Authorization", "acme", "0a4f113b"] {
            assert!(!passed.text().contains(secret), "{secret} went to the vendor: {}", passed.text());
        }
        assert_eq!(words(&node.receive(ROAMING, invite)), [format!("100>{ROAMING}")], "a retransmission");
        let sent = node.receive(VENDORS[0], response(&passed, 200, "callee"));
        assert_eq!(words(&sent), [format!("200>{ROAMING}")]);
        let within = |method, cseq, branch| {
            let own = Within { method, cseq, branch }.caller(&sent[0]);
            own.replace("192.0.2.10:5060", ROAMING)
        };
        assert_eq!(words(&node.receive(ROAMING, within("ACK", 2, "ack"))), ["ACK>198.51.100.1:5060"]);
        let bye = node.receive(ROAMING, within("BYE", 3, "bye"));
        assert_eq!(words(&bye), ["BYE>198.51.100.1:5060"], "by its cookie and the address that was seen");
        node.receive(VENDORS[0], response(&bye[0], 200, "x"));
        assert_eq!(
            node.happened(),
            ["started", "attempt 1 200", "answered", "ended 200 answered Some(Caller)"]
        );
        node.settle();
    }
}

#[test]
fn whose_call_it_is() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    node.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
    let crate::sip::event::What::Started(started) = &node.events[0].what else { panic!("{:?}", node.events) };
    assert_eq!((started.trunk, started.source.to_string().as_str()), (1, ROAMING));
    // By its source the other trunk is known as ever.
    let sent = node.receive(CUSTOMER, invite("b", "+15551234"));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "INVITE>198.51.100.1:5060"]);
}

/// A CANCEL is never asked: it belongs to what was.
#[test]
fn a_call_that_is_given_up() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    let invite = saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE"));
    let sent = node.receive(ROAMING, invite);
    node.receive(VENDORS[0], response(&sent[1], 180, "callee"));
    let cancel = |attempt| {
        let cancel = call("a", ROAMING, attempt).replace("INVITE sip", "CANCEL sip");
        cancel.replace(&format!("{attempt} INVITE"), &format!("{attempt} CANCEL"))
    };
    let other = node.receive(ROAMING, cancel(7));
    assert_eq!(words(&other), [format!("403>{ROAMING}")], "of nothing that was taken");
    let sent = node.receive(ROAMING, cancel(2));
    assert_eq!(words(&sent[..1]), [format!("200>{ROAMING}")]);
    assert!(words(&sent).contains(&"CANCEL>198.51.100.1:5060".to_owned()), "{:?}", words(&sent));
}

/// An unknown name and a wrong password get the same answer, and so does everything else that is not so.
#[test]
fn what_is_not_so_is_refused_alike() {
    let mut answers = Vec::new();
    for (username, password, uri) in [
        ("acme", "wrong horse battery", ACME.uri),
        ("nobody", PASSWORD, ACME.uri),
        ("acme", "", ACME.uri),
        ("acme", PASSWORD, "sip:+19005550199@203.0.113.5"),
        ("acme", PASSWORD, "sip:203.0.113.5"),
        ("acme", PASSWORD, "not a URI"),
    ] {
        let mut node = node(with(AuthType::Digest));
        let challenge = asked(&mut node, "a", ROAMING);
        let says = Says { username, password, uri, ..ACME };
        work::take();
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says.to(&challenge, "INVITE")));
        assert_eq!(words(&sent), [format!("403>{ROAMING}")], "{username} {password} {uri}");
        assert_eq!(work::take(), 1, "for as much work: {username} {password} {uri}");
        assert!(node.happened().is_empty() && node.worker.is_empty());
        answers.push(sent[0].text());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    for (auth_type, active) in [(AuthType::IpAcl, true), (AuthType::Both, true), (AuthType::Digest, false)] {
        let mut voice = with(auth_type);
        voice.trunks[1].active = active;
        let mut node = node(voice);
        let challenge = asked(&mut node, "a", ROAMING);
        let says = ACME.to(&challenge, "INVITE");
        work::take();
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says));
        assert_eq!((sent[0].text(), work::take()), (answers[0].clone(), 1), "{auth_type:?} {active}");
    }
}

#[test]
fn an_answer_counts_once_and_for_its_call() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    let says = ACME.to(&challenge, "INVITE");
    assert_eq!(node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says)).len(), 2);
    let stale = |sent: &[Sent]| {
        assert_eq!(sent[0].word(), "407", "{}", sent[0].text());
        Challenge::parse(sent[0].message.value(HeaderId::ProxyAuthenticate).unwrap()).unwrap().stale
    };
    // Overheard, and said again: in another branch, in another call, from another address.
    assert!(stale(&node.receive(ROAMING, saying(&call("a", ROAMING, 3), &says))), "a second time");
    assert!(!stale(&node.receive(ROAMING, saying(&call("b", ROAMING, 2), &says))), "another call");
    let elsewhere = "203.0.113.98:5062";
    assert!(!stale(&node.receive(elsewhere, saying(&call("a", ROAMING, 4), &says))), "another address");
    let counted = Says { count: "00000002", ..ACME }.to(&challenge, "INVITE");
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 5), &counted));
    assert_eq!(sent.len(), 2, "the nonce is good for another use: {:?}", words(&sent));
    assert_eq!(node.counters.digests_right.get(), 2);
}

/// A trunk that uses a nonce as often as it likes takes one place of its own, and one that fills its room shuts out
/// itself.
#[test]
fn a_trunk_takes_no_room_of_another() {
    let mut voice = with(AuthType::Digest);
    let (id, name) = (Uuid::from_u128(64), "other-roaming".to_owned());
    let other = Trunk { id, number: 3, name, ..voice.trunks[1].clone() };
    voice.trunks.push(other);
    let users = Users::of([("acme".to_owned(), 1, ha1("acme")), ("other".to_owned(), 2, ha1("other"))]);
    let mut node = Node::with_digests(voice, users);
    node.worker.answers = Answers::with_room(node.now.instant, 2);
    let first = |node: &mut Node, name: &str, says: &Says<'_>| {
        let challenge = asked(node, name, ROAMING);
        let sent = node.receive(ROAMING, saying(&call(name, ROAMING, 2), &says.to(&challenge, "INVITE")));
        (challenge, words(&sent))
    };
    let taken = [format!("100>{ROAMING}"), "INVITE>198.51.100.1:5060".to_owned()];
    let (challenge, sent) = first(&mut node, "a", &ACME);
    assert_eq!(sent, taken);
    for count in 2..=50 {
        let says = Says { count: &format!("{count:08x}"), ..ACME }.to(&challenge, "INVITE");
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, count + 1), &says));
        assert_eq!(words(&sent), taken, "{count}");
    }
    assert_eq!(first(&mut node, "b", &ACME).1, taken, "another nonce has room");
    assert_eq!(first(&mut node, "c", &ACME).1, [format!("503>{ROAMING}")], "a third one has none");
    assert_eq!(
        first(&mut node, "d", &Says { username: "other", ..ACME }).1,
        taken,
        "what it has another has not"
    );
    let says = Says { count: "00000033", ..ACME }.to(&challenge, "INVITE");
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 52), &says));
    assert_eq!(words(&sent), taken, "what it has it may use");
}

/// A refusal that nothing is kept of is the same when the INVITE comes again, and no invitation to say it anew.
#[test]
fn what_is_refused_without_state_was_not_said() {
    let mut voice = with(AuthType::Digest);
    voice.trunks[1].cps = 1;
    let mut node = node(voice);
    let right = |node: &mut Node, name: &str| {
        let challenge = asked(node, name, ROAMING);
        saying(&call(name, ROAMING, 2), &ACME.to(&challenge, "INVITE"))
    };
    let first = right(&mut node, "a");
    assert_eq!(node.receive(ROAMING, first).len(), 2);
    let second = right(&mut node, "b");
    for attempt in 0..3 {
        let sent = node.receive(ROAMING, second.clone());
        assert_eq!(words(&sent), [format!("503>{ROAMING}")], "{attempt}");
    }
    node.pass(SECOND);
    assert_eq!(node.receive(ROAMING, second).len(), 2, "it has its time");
}

#[test]
fn an_old_challenge_is_asked_anew() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    node.pass(61 * SECOND);
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
    assert_eq!(words(&sent), [format!("407>{ROAMING}")]);
    let again = Challenge::parse(sent[0].message.value(HeaderId::ProxyAuthenticate).unwrap()).unwrap();
    assert!(again.stale, "nobody need be asked for a password again");
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 3), &ACME.to(&sent[0], "INVITE")));
    assert_eq!(sent.len(), 2, "{:?}", words(&sent));
}

/// Another process of the node, or another node, has the same keys and nothing else.
#[test]
fn any_node_takes_the_answer() {
    let mut first = node(with(AuthType::Digest));
    let challenge = asked(&mut first, "a", ROAMING);
    let mut second = node(with(AuthType::Digest));
    let sent = second.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
    assert_eq!(words(&sent), [format!("100>{ROAMING}"), "INVITE>198.51.100.1:5060".to_owned()]);
}

/// What a node does not ask for it does not take either.
#[test]
fn other_algorithms_than_those_that_are_asked_for() {
    let mut first = node(with(AuthType::Digest));
    let challenge = asked(&mut first, "a", ROAMING);
    let mut node = node(with(AuthType::Digest));
    std::sync::Arc::get_mut(&mut node.worker.settings).unwrap().digests = vec![Hash::Sha256, Hash::Md5];
    let sent = node.receive(ROAMING, call("a", ROAMING, 1));
    let challenges = sent[0].message.values(HeaderId::ProxyAuthenticate);
    let algorithms: Vec<_> = challenges.map(|value| Challenge::parse(value).unwrap().algorithm).collect();
    assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5], "in this order");
    let answers = |hash| Says { hash, ..ACME }.to(&challenge, "INVITE");
    let strong = saying(&call("a", ROAMING, 2), &answers(Hash::Sha512Trunc256));
    assert_eq!(words(&node.receive(ROAMING, strong)), [format!("403>{ROAMING}")]);
    assert_eq!(node.receive(ROAMING, saying(&call("a", ROAMING, 3), &answers(Hash::Md5))).len(), 2);
}

/// With `BOTH` the source is not enough, and neither is the digest.
#[test]
fn source_and_digest() {
    let mut voice = with(AuthType::Both);
    let mut own = voice.acl[0].clone();
    (own.id, own.trunk, own.network) =
        (Uuid::from_u128(61), voice.trunks[1].id, "203.0.113.99".parse().unwrap());
    // A wider network of the other trunk, which the source is enough for, does not let it in.
    let mut wide = voice.acl[0].clone();
    (wide.id, wide.network) = (Uuid::from_u128(62), "203.0.113.96/28".parse().unwrap());
    voice.acl.extend([own, wide]);
    let mut node = node(voice);
    let challenge = asked(&mut node, "a", ROAMING);
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
    assert_eq!(words(&sent), [format!("100>{ROAMING}"), "INVITE>198.51.100.1:5060".to_owned()]);
    let crate::sip::event::What::Started(started) = &node.events[0].what else { panic!("{:?}", node.events) };
    assert_eq!(started.trunk, 1);
    // Listed sources are told that we are there, and are asked as often as they call.
    let options = call("o", ROAMING, 1)
        .replace("INVITE sip:+15551234@", "OPTIONS sip:")
        .replace("1 INVITE", "1 OPTIONS");
    assert_eq!(words(&node.receive(ROAMING, options)), [format!("200>{ROAMING}")]);
    for number in 0..50 {
        asked(&mut node, &format!("c{number}"), ROAMING);
    }
}

#[test]
fn a_dedicated_address_is_its_customers() {
    for (customer, expected) in [(1, "100"), (2, "403")] {
        let mut voice = with(AuthType::Digest);
        let other =
            Customer { id: Uuid::from_u128(2), ban: "TB-2".parse().unwrap(), ..voice.customers[0].clone() };
        voice.customers.push(other);
        let (id, address) = (Uuid::from_u128(63), "203.0.113.5".parse().unwrap());
        voice.dedicated = vec![DedicatedAddress { id, address, customer: Uuid::from_u128(customer) }];
        let mut node = node(voice);
        let challenge = asked(&mut node, "a", ROAMING);
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
        assert_eq!(sent[0].word(), expected, "{customer}");
    }
}

#[test]
fn a_register_is_asked_in_its_own_way() {
    let mut node = node(with(AuthType::Digest));
    let register = |attempt| {
        let request = call("r", ROAMING, attempt)
            .replace("INVITE sip:+15551234@203.0.113.5", "REGISTER sip:203.0.113.5")
            .replace("To: <sip:+15551234@", "To: <sip:acme@");
        request.replace(&format!("{attempt} INVITE"), &format!("{attempt} REGISTER"))
    };
    let sent = node.receive(ROAMING, register(1));
    assert_eq!(words(&sent), [format!("401>{ROAMING}")]);
    let says = Says { uri: "sip:203.0.113.5", ..ACME };
    let right = says.to(&sent[0], "REGISTER");
    let elsewhere = right.replace("Authorization", "Proxy-Authorization");
    let again = node.receive(ROAMING, saying(&register(2), &elsewhere));
    assert_eq!(words(&again), [format!("401>{ROAMING}")], "a header for proxies says nothing to a registrar");
    let wrong = Says { password: "wrong", ..says }.to(&sent[0], "REGISTER");
    assert_eq!(words(&node.receive(ROAMING, saying(&register(3), &wrong))), [format!("403>{ROAMING}")]);
    assert!(node.receive(ROAMING, saying(&register(4), &right)).is_empty(), "the registrar has it");
    assert_eq!(words(&node.registrar()), [format!("200>{ROAMING}")]);
    node.settle();
}

/// Whom nobody knows is asked as seldom as strangers are answered; who has said who it is, as often as it calls.
#[test]
fn strangers_are_asked_at_a_rate() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    let heard =
        (0..100).filter(|at| !node.receive(STRANGER, call(&format!("s{at}"), STRANGER, 1)).is_empty());
    assert_eq!(heard.count(), 9, "ten a second in all");
    assert_eq!(node.counters.strangers_dropped.get(), 91);
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &ACME.to(&challenge, "INVITE")));
    assert_eq!(sent.len(), 2, "a right answer needs none of it: {:?}", words(&sent));
    for number in 0..50 {
        asked(&mut node, &format!("c{number}"), ROAMING);
    }
    // Methods that nobody is asked for, and what is none of SIP's forms, are a stranger's as ever.
    node.pass(SECOND);
    for (from, to) in [("INVITE", "MESSAGE"), ("INVITE", "BYE"), ("Call-ID:", "X-Call:")] {
        let sent = node.receive(STRANGER, call("m", STRANGER, 1).replace(from, to));
        assert_eq!(words(&sent), [format!("403>{STRANGER}")], "{to}");
    }
}

#[test]
fn nobody_is_asked_where_no_trunk_would_answer() {
    let mut node = Node::new();
    let sent = node.receive(STRANGER, call("a", STRANGER, 1));
    assert_eq!(words(&sent), [format!("403>{STRANGER}")]);
}

/// What belongs to a request before is read whole only where one may have been asked: also by the
/// configuration before.
#[test]
fn strangers_cost_little_where_nobody_was_asked() {
    for (asked, malformed) in [(false, 0), (true, 2)] {
        let mut node = if asked { node(with(AuthType::Digest)) } else { Node::new() };
        for _ in 0..2 {
            node.configure(voice(), Users::default());
        }
        for method in ["ACK", "CANCEL"] {
            let request = call("m", STRANGER, 1).replace("INVITE", method).replace("Call-ID:", "X-Call:");
            node.receive(STRANGER, request);
        }
        let counters = &node.counters;
        assert_eq!((counters.malformed.get(), counters.strangers.get()), (malformed, 2), "{asked}");
    }
}

/// A number in a digest that was overheard is the one that is called.
#[test]
fn hosts_may_be_rewritten_on_the_way() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    let says = Says { uri: "sip:+15551234@sip.warp.example;transport=udp", ..ACME };
    let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says.to(&challenge, "INVITE")));
    assert_eq!(sent.len(), 2, "{:?}", words(&sent));
}

/// Every octet less of a right answer is no answer.
#[test]
fn answers_that_were_cut_off() {
    let mut node = node(with(AuthType::Digest));
    let challenge = asked(&mut node, "a", ROAMING);
    let right = ACME.to(&challenge, "INVITE");
    let whole = right.trim_end();
    for (end, attempt) in ("Proxy-Authorization: ".len()..whole.len()).zip(2..) {
        let cut = format!("{}\r\n", whole.get(..end).unwrap());
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, attempt), &cut));
        assert!(sent.iter().all(|sent| ["403", "407"].contains(&sent.word().as_str())), "{cut}");
    }
    assert!(node.happened().is_empty());
}
