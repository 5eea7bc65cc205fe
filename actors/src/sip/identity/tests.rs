use runtime::model::{self, Voice};
use sip::Limits;

use super::*;
use crate::sip::testing::voice;

/// The number of the configuration for tests.
const OWN: &str = "+15550100";
const FOREIGN_FROM: &str = "From: <sip:+15550001@192.0.2.10>;tag=1\r\n";
const OWN_FROM: &str = "From: <sip:+15550100@192.0.2.10>;tag=1\r\n";
const NOBODY: &str = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\r\n";
/// It names nobody by its host, and somebody else's number by its user.
const HIDDEN: &str = "From: <sip:+19005551234@anonymous.invalid>;tag=1\r\n";

fn snapshot(voice: Voice) -> Snapshot {
    Snapshot::new(voice, None, &|_| Vec::new(), tokio::time::Instant::now().into_std())
}

fn invite(headers: &str) -> Message {
    let text = format!("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n{headers}\r\n");
    Message::parse_datagram(text.into(), &Limits::default()).unwrap()
}

/// Who calls from the trunk of the configuration, changed so.
fn of_trunk(change: impl FnOnce(&mut model::Trunk), headers: &str) -> Caller {
    let mut voice = voice();
    change(&mut voice.trunks[0]);
    let snapshot = snapshot(voice);
    Caller::of(&invite(headers), &Origin::trunk(&snapshot.trunks[0]), &snapshot)
}

fn found(number: Option<&str>, recorded: Option<&str>, verified: bool) -> Caller {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Caller { number: text(number), recorded: text(recorded), verified, standing: Standing::Stands }
}

#[test]
fn where_the_number_stands() {
    let asserted = |value: &str| format!("{FOREIGN_FROM}P-Asserted-Identity: {value}\r\n");
    let in_from = found(Some("+15550001"), None, false);
    let own = found(Some(OWN), Some(OWN), true);
    // An untrusted trunk: what it says, and who calls.
    let many = format!("{}<sip:{OWN}@h>", "<sip:+1444@h>, ".repeat(VALUES_MAX));
    let table = [
        (FOREIGN_FROM.to_owned(), in_from.clone()),
        (OWN_FROM.to_owned(), found(Some(OWN), None, true)),
        (asserted("<sip:+14445550000@h>"), in_from.clone()),
        (asserted("\"A\" <sip:+15550100@h;user=phone>"), own.clone()),
        (asserted("<tel:+1-555-0100>"), found(Some(OWN), Some(OWN), true)),
        (asserted("<sip:alice@h>, <sip:+14445550000@h>, <sip:15550100@h>"), {
            found(Some("15550100"), Some("15550100"), true)
        }),
        (asserted(&many), in_from.clone()),
        (asserted("<sip:"), in_from.clone()),
        (format!("{FOREIGN_FROM}P-Preferred-Identity: <sip:{OWN}@h>\r\n"), own.clone()),
        (format!("{FOREIGN_FROM}Remote-Party-ID: <sip:{OWN}@h>;party=calling\r\n"), own.clone()),
        (format!("{FOREIGN_FROM}Remote-Party-ID: <sip:{OWN}@h>;party=called\r\n"), in_from),
        (format!("{NOBODY}P-Asserted-Identity: <sip:{OWN}@h>\r\n"), own),
        (NOBODY.to_owned(), found(None, None, false)),
        ("From: <sip:alice@h>;tag=1\r\n".to_owned(), found(None, None, false)),
    ];
    let sources =
        [CallerSource::PAssertedIdentity, CallerSource::PPreferredIdentity, CallerSource::RemotePartyId];
    for (headers, expected) in table {
        let caller = of_trunk(|trunk| trunk.identity.caller_from = sources.to_vec(), &headers);
        assert_eq!(caller, expected, "{headers}");
        let caller = of_trunk(|_| {}, &headers);
        assert_eq!(caller.recorded, None, "{headers}: From alone");
    }
    // One that is trusted is believed, in the order that is wanted.
    let headers = format!("{}Remote-Party-ID: <sip:+14445550002@h>\r\n", asserted("<sip:+14445550001@h>"));
    for (sources, number) in [
        (vec![CallerSource::PAssertedIdentity, CallerSource::RemotePartyId], "+14445550001"),
        (vec![CallerSource::RemotePartyId, CallerSource::From], "+14445550002"),
        (vec![CallerSource::PPreferredIdentity, CallerSource::RemotePartyId], "+14445550002"),
    ] {
        let trusted = |trunk: &mut model::Trunk| {
            (trunk.trusted, trunk.identity.caller_from) = (true, sources);
        };
        assert_eq!(of_trunk(trusted, &headers), found(Some(number), Some(number), true));
    }
}

#[test]
fn numbers_of_others() {
    let policy = |foreign_numbers: ForeignNumbers, default_number: &'static str| {
        move |trunk: &mut model::Trunk| {
            trunk.identity = IdentityProfile {
                caller_from: vec![CallerSource::PAssertedIdentity],
                foreign_numbers,
                default_number: default_number.to_owned(),
                ..IdentityProfile::default()
            };
        }
    };
    let judged = |caller: Caller| (caller.number, caller.standing);
    let is = |number: Option<&str>, standing| (number.map(str::to_owned), standing);
    let own = format!("P-Asserted-Identity: <sip:{OWN}@h>\r\n");
    let alice = "From: <sip:alice@h>;tag=1\r\n".to_owned();
    let default = "+15550199";
    for (headers, replaced, refused) in [
        (
            FOREIGN_FROM.to_owned(),
            is(Some(default), Standing::GivesWay),
            is(Some("+15550001"), Standing::Refused),
        ),
        (OWN_FROM.to_owned(), is(Some(OWN), Standing::Stands), is(Some(OWN), Standing::Stands)),
        (
            format!("{FOREIGN_FROM}{own}"),
            is(Some(OWN), Standing::GivesWay),
            is(Some(OWN), Standing::GivesWay),
        ),
        (format!("{alice}{own}"), is(Some(OWN), Standing::GivesWay), is(Some(OWN), Standing::GivesWay)),
        (format!("{NOBODY}{own}"), is(Some(OWN), Standing::Nameless), is(Some(OWN), Standing::Nameless)),
        // Whatever number stands beside what names nobody.
        (format!("{HIDDEN}{own}"), is(Some(OWN), Standing::Nameless), is(Some(OWN), Standing::Nameless)),
        (
            HIDDEN.to_owned(),
            is(Some(default), Standing::Nameless),
            is(Some("+19005551234"), Standing::Refused),
        ),
        (alice, is(Some(default), Standing::GivesWay), is(None, Standing::Refused)),
        (NOBODY.to_owned(), is(Some(default), Standing::Nameless), is(None, Standing::Refused)),
    ] {
        let caller = of_trunk(policy(ForeignNumbers::Replace, default), &headers);
        assert_eq!(caller.recorded.as_deref() == Some(default), replaced.0.as_deref() == Some(default));
        assert!(caller.verified, "{headers}");
        assert_eq!(judged(caller), replaced, "{headers}");
        for policy in [policy(ForeignNumbers::Refuse, ""), policy(ForeignNumbers::Replace, "")] {
            assert_eq!(judged(of_trunk(policy, &headers)), refused, "{headers}: without a number for it");
        }
    }
    // Trust lets nobody say what is another's.
    let trusted = |trunk: &mut model::Trunk| {
        policy(ForeignNumbers::Refuse, "")(trunk);
        trunk.trusted = true;
    };
    let headers = format!("{OWN_FROM}P-Asserted-Identity: <sip:+14445550000@h>\r\n");
    assert_eq!(of_trunk(trusted, &headers).standing, Standing::Refused);
}

#[test]
fn rules_come_first() {
    let ruled = |trunk: &mut model::Trunk| {
        trunk.identity.foreign_numbers = ForeignNumbers::Refuse;
        trunk.caller_rules = vec![NumberRule { prefix: "0".to_owned(), strip: 1, add: "+1".to_owned() }];
    };
    let caller = of_trunk(ruled, "From: <sip:05550100@h>;tag=1\r\n");
    assert_eq!(caller, found(Some(OWN), None, true));
    assert_eq!(of_trunk(ruled, "From: <sip:5550100@h>;tag=1\r\n").standing, Standing::Refused);
}

/// Callers of vendors have numbers of all the world, ours among them.
#[test]
fn a_vendor_has_no_numbers_of_its_own() {
    let mut voice = voice();
    voice.vendors[0].identity.foreign_numbers = ForeignNumbers::Refuse;
    voice.vendors[0].identity.caller_from = vec![CallerSource::PAssertedIdentity];
    let headers = format!("{FOREIGN_FROM}P-Asserted-Identity: <sip:{OWN}@h>\r\n");
    for (trusted, number, recorded) in [(false, "+15550001", None), (true, OWN, Some(OWN))] {
        voice.vendors[0].trusted = trusted;
        let snapshot = snapshot(voice.clone());
        let origin = Origin::of(Direction::Inbound, (&snapshot.trunks[0], &snapshot.vendors[0]));
        let caller = Caller::of(&invite(&headers), &origin, &snapshot);
        assert_eq!(caller, found(Some(number), recorded, trusted));
    }
}

#[test]
fn what_privacy_is_asked_for() {
    let table = [
        ("", Withheld::No),
        ("Privacy: none\r\n", Withheld::No),
        ("Privacy: history;critical\r\n", Withheld::No),
        ("Privacy: id\r\n", Withheld::FromStrangers),
        ("Privacy: critical; ID\r\n", Withheld::FromStrangers),
        ("Privacy: id;user\r\n", Withheld::FromAll),
        ("Remote-Party-ID: <sip:1@h>;privacy=full\r\n", Withheld::FromStrangers),
        ("Remote-Party-ID: <sip:1@h>;privacy=off, <sip:2@h>;privacy=uri\r\n", Withheld::FromStrangers),
        ("Remote-Party-ID: <sip:1@h>;party=called;privacy=full\r\n", Withheld::No),
        ("Privacy: none\r\nRemote-Party-ID: <sip:1@h>;privacy=full\r\n", Withheld::No),
    ];
    for (headers, expected) in table {
        assert_eq!(Withheld::of(&invite(&format!("{OWN_FROM}{headers}"))), expected, "{headers}");
    }
    for from in [NOBODY, "f: sip:Anonymous@pbx.example;tag=1\r\n"] {
        assert_eq!(Withheld::of(&invite(from)), Withheld::FromStrangers, "{from}");
        assert_eq!(Withheld::of(&invite(&format!("{from}Privacy: none\r\n"))), Withheld::FromStrangers);
    }
    let hidden = [Withheld::No, Withheld::FromStrangers, Withheld::FromAll];
    let hidden = hidden.map(|withheld| (withheld.hides_from(false), withheld.hides_from(true)));
    assert_eq!(hidden, [(false, false), (true, false), (true, true)]);
}
