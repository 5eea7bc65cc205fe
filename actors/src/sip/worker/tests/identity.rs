//! Who calls: what each side is told, and what it may say.

mod limited;
mod withheld;

use runtime::model::{
    CallerSource, Diversions, ForeignNumbers, HeaderAction, HeaderRule, IdentityHeaders, NumberRule, Voice,
};

use super::*;
use crate::sip::event::What;

/// From, as the customer writes it.
const OWN: &str = "\"A\" <sip:+15550001@192.0.2.10>;tag=from-a";
/// What is to be seen of that by nobody who is not to see it.
const NUMBER: &str = "15550001";
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=from-a";
/// The caller's number, where we say it.
const ASSERTED: &str = "<sip:+15550001@203.0.113.5:5060;user=phone>";
/// P-Asserted-Identity, as the customer writes it.
const RECEIVED: &str = "<sip:+15550009@192.0.2.10>";

/// A node whose trunk and first vendor are trusted so, and are otherwise changed so.
fn node((trunk, vendor): (bool, bool), change: impl FnOnce(&mut Voice)) -> Node {
    let mut voice = crate::sip::testing::voice();
    (voice.trunks[0].trusted, voice.vendors[0].trusted) = (trunk, vendor);
    change(&mut voice);
    Node::with(voice)
}

/// The customer's INVITE with these headers, and with its number in Contact too.
fn call(headers: &str) -> String {
    let asserted = format!("P-Asserted-Identity: {RECEIVED}\r\nUser-Agent: of {NUMBER}\r\n");
    invite("a", "+15551234")
        .replace("P-Asserted-Identity: <sip:spoofed@192.0.2.10>\r\n", &asserted)
        .replace("<sip:caller@192.0.2.10:5060>", "\"15550001\" <sip:+15550001@192.0.2.10:5060;ob>;q=1")
        .replace("Content-Type:", &format!("{headers}Content-Type:"))
}

fn listed(sent: &Sent, id: HeaderId) -> Vec<String> {
    sent.message.list(id).map(text).collect()
}

/// A message of the customer that tells its number wherever it can.
fn telling(message: &str) -> String {
    let told = format!(
        "P-Asserted-Identity: {OWN}\r\nSubject: {NUMBER}\r\nServer: of {NUMBER}\r\n\
         Contact: \"{NUMBER}\" <sip:+{NUMBER}@"
    );
    message.replace("Contact: <sip:me@", &told).replace("Contact: <sip:callee@", &told)
}

#[track_caller]
fn unseen(sent: &Sent) {
    assert!(!sent.text().contains(NUMBER), "{}", sent.text());
}

/// The number that the record of the last call says that it came from.
fn recorded(node: &mut Node) -> String {
    let events = std::mem::take(&mut node.events);
    let started = events.into_iter().find_map(|event| match event.what {
        What::Started(started) => Some(started.caller),
        What::Attempted(_) | What::Answered(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    });
    started.expect("it has begun")
}

/// What a vendor gets, whatever headers it wants.
struct Row {
    /// Whether trunk and vendor are trusted.
    trusted: (bool, bool),
    privacy: &'static str,
    /// From names nobody.
    nameless: bool,
    /// P-Asserted-Identity passes where it is wanted as it came.
    passes: bool,
    /// P-Asserted-Identity is ours where we are to write it.
    asserts: bool,
    /// `screen` and `privacy` of Remote-Party-ID where we are to write it.
    party: Option<(&'static str, &'static str)>,
    /// Privacy without P-Asserted-Identity, and beside it.
    left: [&'static str; 2],
}

const fn row(
    trusted: (bool, bool),
    privacy: &'static str,
    (nameless, passes, asserts): (bool, bool, bool),
    party: Option<(&'static str, &'static str)>,
    left: [&'static str; 2],
) -> Row {
    Row { trusted, privacy, nameless, passes, asserts, party, left }
}

const NEITHER: (bool, bool) = (false, false);
const VENDOR: (bool, bool) = (false, true);
const TRUNK: (bool, bool) = (true, false);
const BOTH: (bool, bool) = (true, true);

const ROWS: [Row; 20] = [
    row(NEITHER, "", (false, false, false), Some(("no", "off")), ["", ""]),
    row(VENDOR, "", (false, false, false), Some(("no", "off")), ["", ""]),
    row(TRUNK, "", (false, false, true), Some(("yes", "off")), ["", ""]),
    row(BOTH, "", (false, true, true), Some(("yes", "off")), ["", ""]),
    row(NEITHER, "none", (false, false, false), Some(("no", "off")), ["none", "none"]),
    row(VENDOR, "none", (false, false, false), Some(("no", "off")), ["none", "none"]),
    row(TRUNK, "none", (false, false, true), Some(("yes", "off")), ["none", "none"]),
    row(BOTH, "none", (false, true, true), Some(("yes", "off")), ["none", "none"]),
    row(NEITHER, "id", (true, false, false), None, ["id", "id"]),
    row(VENDOR, "id", (false, false, false), Some(("no", "full")), ["id", "id"]),
    row(TRUNK, "id", (true, false, false), None, ["id", "id"]),
    row(BOTH, "id", (false, true, true), Some(("yes", "full")), ["id", "id"]),
    row(NEITHER, "user", (true, false, false), None, ["", ""]),
    row(VENDOR, "user", (true, false, false), Some(("no", "full")), ["", ""]),
    row(TRUNK, "user", (true, false, false), None, ["", ""]),
    row(BOTH, "user", (true, true, true), Some(("yes", "full")), ["", "id"]),
    row(NEITHER, "id;user;critical", (true, false, false), None, ["id;critical", "id;critical"]),
    row(
        VENDOR,
        "id;user;critical",
        (true, false, false),
        Some(("no", "full")),
        ["id;critical", "id;critical"],
    ),
    row(TRUNK, "id;user;critical", (true, false, false), None, ["id;critical", "id;critical"]),
    row(BOTH, "id;user;critical", (true, true, true), Some(("yes", "full")), ["id;critical", "id;critical"]),
];

#[test]
fn what_each_side_is_told() {
    use IdentityHeaders::{AsReceived, Nothing, PAssertedIdentity, RemotePartyId};
    for row in &ROWS {
        for send in [AsReceived, Nothing, PAssertedIdentity, RemotePartyId, IdentityHeaders::Both] {
            let Row { trusted, privacy, nameless, passes, asserts, party, left } = *row;
            let of = format!("{trusted:?} {privacy:?} {send:?}");
            let mut node = node(trusted, |voice| voice.vendors[0].identity.send = send);
            let header = if privacy.is_empty() { String::new() } else { format!("Privacy: {privacy}\r\n") };
            let sent = node.receive(CUSTOMER, call(&header)).remove(1);
            let asserted = match send {
                AsReceived if passes => vec![RECEIVED.to_owned()],
                PAssertedIdentity | IdentityHeaders::Both if asserts => vec![ASSERTED.to_owned()],
                AsReceived | Nothing | PAssertedIdentity | RemotePartyId | IdentityHeaders::Both => vec![],
            };
            assert_eq!(listed(&sent, HeaderId::PAssertedIdentity), asserted, "{of}");
            let wanted = matches!(send, RemotePartyId | IdentityHeaders::Both);
            let parties = party.filter(|_| wanted).map(|(screen, privacy)| {
                format!("{ASSERTED};party=calling;screen={screen};privacy={privacy}")
            });
            assert_eq!(listed(&sent, HeaderId::RemotePartyId), Vec::from_iter(parties), "{of}");
            let [alone, beside] = left;
            let privacy = if asserted.is_empty() { alone } else { beside };
            assert_eq!(sent.value(HeaderId::Privacy), privacy, "{of}");
            assert_eq!(sent.value(HeaderId::From), if nameless { ANONYMOUS } else { OWN }, "{of}");
            let contact = sent.value(HeaderId::Contact);
            if nameless {
                assert_eq!(contact, "<sip:anonymous@192.0.2.10:5060;ob>", "{of}");
            } else {
                assert!(contact.contains(NUMBER), "{of}: {contact}");
            }
            // Else it stands in no header, but in those that are for a side that is trusted.
            let written = asserted == [ASSERTED] || (wanted && party.is_some());
            assert_eq!(sent.text().contains(NUMBER), !nameless || written, "{of}: {}", sent.text());
            assert!(!nameless || !written || trusted.1, "{of}");
            assert_eq!(node.events.len(), 1, "{of}");
            assert_eq!(recorded(&mut node), "+15550001", "{of}: records say who calls");
        }
    }
}

/// The same the other way: a vendor calls one of our numbers.
#[test]
fn what_a_customer_is_told() {
    let table = [
        (NEITHER, "Privacy: id\r\n", true, None),
        (VENDOR, "Privacy: id\r\n", true, None),
        (VENDOR, "", false, Some("<sip:+15550009@203.0.113.5:5060;user=phone>")),
        (TRUNK, "Privacy: id\r\n", false, None),
        (BOTH, "Privacy: id\r\n", false, Some("<sip:+15550009@203.0.113.5:5060;user=phone>")),
        (NEITHER, "", false, None),
    ];
    for (trusted, privacy, nameless, asserted) in table {
        let mut node = node(trusted, |voice| {
            voice.trunks[0].identity.send = IdentityHeaders::PAssertedIdentity;
            voice.vendors[0].identity.caller_from = vec![CallerSource::PAssertedIdentity];
            // These are of a customer's own calls.
            voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Refuse;
        });
        let inbound = call(privacy).replace("192.0.2.10", "198.51.100.1").replace("+15551234", "+15550100");
        let sent = node.receive(VENDORS[0], inbound).remove(1);
        assert_eq!(sent.to.to_string(), CUSTOMER);
        let own = OWN.replace("192.0.2.10", "198.51.100.1");
        let expected = if nameless { ANONYMOUS.to_owned() } else { own };
        assert_eq!(sent.value(HeaderId::From), expected, "{trusted:?} {privacy}");
        let asserted: Vec<_> = asserted.into_iter().map(str::to_owned).collect();
        assert_eq!(listed(&sent, HeaderId::PAssertedIdentity), asserted, "{trusted:?} {privacy}");
        let number = if trusted.1 { "+15550009" } else { "+15550001" };
        assert_eq!(recorded(&mut node), number, "{trusted:?}: who is not trusted is not believed");
    }
}

/// A caller who is not to be known stays so through all of the dialog, and finds its own name in all that
/// comes back.
#[test]
fn a_caller_stays_unknown() {
    let mut node = node(NEITHER, |_| {});
    let invite = node.receive(CUSTOMER, call("Privacy: id\r\n")).remove(1);
    let ringing = node.receive(VENDORS[0], response(&invite, 180, "callee")).remove(0);
    let ok = node.receive(VENDORS[0], response(&invite, 200, "callee")).remove(0);
    assert_eq!([ringing.value(HeaderId::From), ok.value(HeaderId::From)], [OWN, OWN]);
    let ack = Within { method: "ACK", cseq: 1, branch: "ack" }.caller(&ok);
    let ack = node.receive(CUSTOMER, telling(&ack)).remove(0);
    assert_eq!(ack.value(HeaderId::From), ANONYMOUS);
    unseen(&ack);
    for (at, method) in ["UPDATE", "INVITE", "INFO"].into_iter().enumerate() {
        let cseq = 10 + u32::try_from(at).unwrap();
        let request = Within { method, cseq, branch: &format!("c-{at}") }.caller(&ok);
        let passed = node.receive(CUSTOMER, telling(&request)).pop().unwrap();
        assert_eq!(passed.value(HeaderId::From), ANONYMOUS, "{method}");
        assert_eq!(passed.value(HeaderId::Contact), "<sip:anonymous@192.0.2.10:5060>", "{method}");
        unseen(&passed);
        let back = node.receive(VENDORS[0], response(&passed, 200, "callee")).pop().unwrap();
        assert_eq!((back.word(), back.value(HeaderId::From)), ("200".to_owned(), OWN.to_owned()), "{method}");
        let request = Within { method, cseq, branch: &format!("v-{at}") }.callee(&invite, "callee");
        let passed = node.receive(VENDORS[0], request).pop().unwrap();
        assert_eq!(passed.value(HeaderId::To), OWN, "{method}");
        let target = passed.text().split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(target.starts_with("sip:+15550001@192.0.2.10:5060"), "{method}: {target}");
        let answer = telling(&text(&response(&passed, 200, "x")));
        let back = node.receive(CUSTOMER, answer).pop().unwrap();
        assert_eq!(
            (back.word(), back.value(HeaderId::To)),
            ("200".to_owned(), ANONYMOUS.to_owned()),
            "{method}"
        );
        unseen(&back);
    }
    // A process that has only the cookie knows as much.
    let bye = telling(&Within { method: "BYE", cseq: 20, branch: "bye" }.caller(&ok));
    let voice = crate::sip::testing::voice();
    let mut next = Node::started(voice, node.now.wall.micros() + 60_000_000);
    let passed = next.receive(CUSTOMER, bye).pop().unwrap();
    assert_eq!((passed.word(), passed.value(HeaderId::From)), ("BYE".to_owned(), ANONYMOUS.to_owned()));
    unseen(&passed);
    let back = next.receive(VENDORS[0], response(&passed, 200, "callee")).pop().unwrap();
    assert_eq!(back.value(HeaderId::From), OWN);
    // Nor do we tell it when we end the call.
    let dialog = node.events[0].dialog;
    let reason = runtime::log::Reason::Operator;
    let byes = node.handle(vec![crate::sip::worker::Input::HangUp(dialog, reason)]);
    assert_eq!(
        (byes[0].value(HeaderId::To), byes[1].value(HeaderId::From)),
        (OWN.to_owned(), ANONYMOUS.to_owned())
    );
    unseen(&byes[1]);
}

/// Each vendor that is tried is told what it may be told.
#[test]
fn the_next_vendor_may_be_told_more() {
    let mut node = node(NEITHER, |voice| voice.vendors[1].trusted = true);
    let first = node.receive(CUSTOMER, call("Privacy: id\r\n")).remove(1);
    assert_eq!(first.value(HeaderId::From), ANONYMOUS);
    let second = node.undelivered(&first).remove(0);
    assert_eq!((second.to.to_string().as_str(), second.value(HeaderId::From).as_str()), (VENDORS[1], OWN));
    let ok = node.receive(VENDORS[1], response(&second, 200, "callee")).remove(0);
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
    assert_eq!(node.receive(CUSTOMER, bye)[0].value(HeaderId::From), OWN);
}

#[test]
fn numbers_that_are_none_of_the_customers() {
    let ruled = |voice: &mut Voice| {
        voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Replace;
        voice.trunks[0].identity.default_number = "+15550100".to_owned();
        let rule = NumberRule { prefix: "+".to_owned(), strip: 1, add: "00".to_owned() };
        voice.vendors[0].caller_rules = vec![rule];
        voice.vendors[0].identity.send = IdentityHeaders::PAssertedIdentity;
    };
    let shown = "<sip:0015550100@203.0.113.5:5060;user=phone>;tag=from-a";
    let mut first = node(TRUNK, ruled);
    let sent = first.receive(CUSTOMER, call("")).remove(1);
    assert_eq!(sent.value(HeaderId::From), shown);
    assert_eq!(format!("{};tag=from-a", sent.value(HeaderId::PAssertedIdentity)), shown, "we say it");
    let ok = first.receive(VENDORS[0], response(&sent, 200, "callee")).remove(0);
    assert_eq!(ok.value(HeaderId::From), OWN, "its own back");
    let info = Within { method: "INFO", cseq: 2, branch: "info" }.caller(&ok);
    assert_eq!(first.receive(CUSTOMER, info)[0].value(HeaderId::From), shown);
    let bye = Within { method: "BYE", cseq: 3, branch: "bye" }.caller(&ok);
    assert_eq!(recorded(&mut first), "+15550100");
    // A process that has only the cookie finds the same.
    let mut voice = crate::sip::testing::voice();
    ruled(&mut voice);
    let mut next = Node::started(voice, first.now.wall.micros() + 60_000_000);
    assert_eq!(next.receive(CUSTOMER, bye)[0].value(HeaderId::From), shown);

    let refuse = |voice: &mut Voice| voice.trunks[0].identity.foreign_numbers = ForeignNumbers::Refuse;
    let mut node = node(TRUNK, refuse);
    let sent = node.receive(CUSTOMER, call(""));
    assert_eq!(words(&sent), ["100>192.0.2.10:5060", "403>192.0.2.10:5060"]);
    assert_eq!(node.happened(), ["started", "ended 403 not_allowed None"]);
    // One of its own goes out as it is.
    let own = call("").replace("\"A\" <sip:+15550001@", "\"A\" <sip:+15550100@").replace("a@192", "b@192");
    let sent = node.receive(CUSTOMER, own.replace("bK-a-1", "bK-b-1"));
    assert_eq!(sent[1].value(HeaderId::From), "\"A\" <sip:+15550100@192.0.2.10>;tag=from-a");
}

/// Who is not trusted is believed where it says a number of its own, and there alone.
#[test]
fn a_number_of_its_own() {
    for (said, recorded_as, asserted) in [
        ("+15550100", "+15550100", vec!["<sip:+15550100@203.0.113.5:5060;user=phone>".to_owned()]),
        ("+15550009", "+15550001", vec![]),
    ] {
        let mut node = node(NEITHER, |voice| {
            voice.trunks[0].identity.caller_from =
                vec![CallerSource::PPreferredIdentity, CallerSource::PAssertedIdentity];
            voice.vendors[0].identity.send = IdentityHeaders::PAssertedIdentity;
        });
        let preferred = format!("P-Preferred-Identity: \"A\" <sip:{said}@192.0.2.10>\r\n");
        let sent = node.receive(CUSTOMER, call(&preferred)).remove(1);
        assert_eq!(listed(&sent, HeaderId::PAssertedIdentity), asserted);
        assert!(!sent.message.has(HeaderId::PPreferredIdentity), "{}", sent.text());
        assert_eq!(sent.value(HeaderId::From), OWN, "what it shows is its matter");
        assert_eq!(recorded(&mut node), recorded_as);
    }
}

#[test]
fn who_was_called_before() {
    let diversion = "<sip:+15550002@192.0.2.10>;reason=user-busy;counter=1;privacy=off";
    let history = "<sip:+15550002@192.0.2.10?Privacy=none>;index=1, \
                   <sip:+15551234@198.51.100.1:5060;cause=486>;index=1.1;mp=1";
    let told = |diversion: &str, history: &str| {
        let line = |name, value: &str| {
            if value.is_empty() { String::new() } else { format!("{name}: {value}\r\n") }
        };
        line("Diversion", diversion) + &line("History-Info", history)
    };
    let table = [
        (BOTH, Diversions::AsReceived, (diversion, ""), (diversion, "")),
        (BOTH, Diversions::AsReceived, (diversion, history), (diversion, history)),
        (BOTH, Diversions::HistoryInfo, (diversion, ""), ("", history)),
        (BOTH, Diversions::HistoryInfo, ("<tel:+1>", history), ("", history)),
        (BOTH, Diversions::HistoryInfo, ("", history), ("", history)),
        (BOTH, Diversions::HistoryInfo, ("", ""), ("", "")),
        (BOTH, Diversions::HistoryInfo, ("<sip:", ""), ("", "")),
        (BOTH, Diversions::Diversion, ("", history), (diversion, "")),
        (BOTH, Diversions::Diversion, (diversion, "<sip:a@b>;index=1"), (diversion, "")),
        (BOTH, Diversions::Diversion, ("", "<sip:a@b>;index=1"), ("", "")),
        (TRUNK, Diversions::HistoryInfo, (diversion, ""), ("", "")),
        (VENDOR, Diversions::Diversion, ("", history), ("", "")),
        (NEITHER, Diversions::AsReceived, (diversion, history), ("", "")),
    ];
    for (trusted, wanted, came, expected) in table {
        let mut node = node(trusted, |voice| voice.vendors[0].identity.diversions = wanted);
        let sent = node.receive(CUSTOMER, call(&told(came.0, came.1))).remove(1);
        let found = [HeaderId::Diversion, HeaderId::HistoryInfo].map(|id| sent.value(id));
        assert_eq!(found, [expected.0, expected.1], "{trusted:?} {wanted:?} {came:?}");
    }
}

/// Within a call, and in answers, identities pass between sides that are trusted and want them as they come.
#[test]
fn identities_within_a_call() {
    for (trusted, send, passes) in [
        (BOTH, IdentityHeaders::AsReceived, true),
        (BOTH, IdentityHeaders::Nothing, false),
        (BOTH, IdentityHeaders::Both, false),
        (TRUNK, IdentityHeaders::AsReceived, false),
        (VENDOR, IdentityHeaders::AsReceived, false),
    ] {
        let mut node = node(trusted, |voice| voice.trunks[0].identity.send = send);
        let asserting = |message: String| {
            let line = format!("P-Asserted-Identity: {RECEIVED}\r\nX-Own: 1\r\nContent-Length:");
            message.replace("Content-Length:", &line)
        };
        let invite = node.receive(CUSTOMER, call("")).remove(1);
        let answer = asserting(text(&response(&invite, 200, "callee")));
        let ok = node.receive(VENDORS[0], answer).remove(0);
        let update = Within { method: "UPDATE", cseq: 2, branch: "u" }.caller(&ok);
        let update = node.receive(CUSTOMER, asserting(update)).remove(0);
        let info = Within { method: "INFO", cseq: 3, branch: "i" }.callee(&invite, "callee");
        let info = node.receive(VENDORS[0], asserting(info)).remove(0);
        for (sent, what) in [(&ok, "200"), (&update, "UPDATE"), (&info, "INFO")] {
            assert_eq!(sent.word(), what);
            let has = sent.message.has(HeaderId::PAssertedIdentity);
            assert_eq!(has, passes, "{trusted:?} {send:?}: {}", sent.text());
            let other = sent.message.values_named(b"x-own").next().is_some();
            assert_eq!(other, trusted == BOTH, "{trusted:?}: {}", sent.text());
        }
    }
}

/// What a rule says of a header is the operator's word.
#[test]
fn rules_have_the_last_word() {
    let rule = |action, name: &str, value: &str| HeaderRule {
        action,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let mut node = node(BOTH, |voice| {
        voice.vendors[0].identity.send = IdentityHeaders::Both;
        voice.vendors[0].identity.diversions = Diversions::HistoryInfo;
        voice.vendors[0].header_rules = vec![
            rule(HeaderAction::Set, "P-Asserted-Identity", "<sip:ours@example.com>"),
            rule(HeaderAction::Remove, "Remote-Party-ID", ""),
            rule(HeaderAction::Set, "Privacy", "none"),
            rule(HeaderAction::Set, "User-Agent", "warp"),
            rule(HeaderAction::Remove, "History-Info", ""),
        ];
    });
    let headers = "Privacy: user\r\nDiversion: <sip:a@b>;reason=away\r\n";
    let sent = node.receive(CUSTOMER, call(headers)).remove(1);
    assert_eq!(sent.word(), "INVITE");
    assert_eq!(listed(&sent, HeaderId::PAssertedIdentity), ["<sip:ours@example.com>"]);
    assert_eq!(sent.value(HeaderId::From), ANONYMOUS);
    let values = [HeaderId::RemotePartyId, HeaderId::Privacy, HeaderId::UserAgent, HeaderId::HistoryInfo];
    assert_eq!(values.map(|id| sent.value(id)), ["", "none", "warp", ""]);
}
