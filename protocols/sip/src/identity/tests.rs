use proptest::prelude::*;

use super::*;
use crate::list::List;

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

fn name(text: &str) -> NameAddr<'_> {
    NameAddr::parse(text.as_bytes()).unwrap()
}

fn history_of(diversions: &str, target: &str) -> Option<String> {
    history(List::new(diversions.as_bytes()), target.as_bytes()).map(|value| text(&value))
}

fn diversions_of(history: &str) -> Option<String> {
    diversions(List::new(history.as_bytes())).map(|value| text(&value))
}

#[test]
fn privacy_words() {
    assert_eq!(Privacy::parse(b"id"), Privacy { id: true, ..Privacy::default() });
    let both = Privacy { id: true, critical: true, ..Privacy::default() };
    assert_eq!(Privacy::parse(b" ID ; critical;x"), both);
    assert_eq!(Privacy::parse(b"id, critical"), both);
    assert!(Privacy::parse(b"none").none && !Privacy::parse(b"").id);
}

#[test]
fn privacy_that_was_done_and_privacy_that_is_wanted() {
    for (value, without_user, with_id) in [
        ("", "", "id"),
        ("user", "", "user;id"),
        ("user;critical", "", "user;critical;id"),
        ("id;User;x-later", "id;x-later", "User;x-later;id"),
        (" id ,\r\n header", "id;header", "header;id"),
        ("none", "none", "id"),
        ("a b;\"c\";id", "id", "id"),
        (";;", "", "id"),
    ] {
        assert_eq!(text(&Privacy::without(value.as_bytes(), b"user")), without_user, "{value}");
        assert_eq!(text(&Privacy::with(value.as_bytes(), b"id")), with_id, "{value}");
    }
}

/// Only the parameter goes, with its semicolon.
#[test]
fn what_others_say_of_a_number() {
    for (value, expected) in [
        ("<sip:+15550001@h>;tag=1", None),
        ("\"a;verstat=x\" <sip:verstat@h;x=verstat>;tag=verstat", None),
        ("<sip:+15550001;verstat=TN-Validation-Passed@h>;tag=1", Some("<sip:+15550001@h>;tag=1")),
        (
            "\"A\" <sip:+15550001;npdi;VerStat=No-TN-Validation;rn=+1:pw@h;user=phone>;tag=1",
            Some("\"A\" <sip:+15550001;npdi;rn=+1:pw@h;user=phone>;tag=1"),
        ),
        ("<sip:+1;verstat;;verstat=2;=;%76erst%61t=3@h>;tag=1", Some("<sip:+1;;=@h>;tag=1")),
        ("<sip:+1@h;user=phone;verstat=\"a;b\">;tag=1", Some("<sip:+1@h;user=phone>;tag=1")),
        ("<sip:+1@h> ; verstat = x ; tag = 1", Some("<sip:+1@h>  ; tag = 1")),
        ("sip:+1@h;verstat=x;tag=1", Some("sip:+1@h;tag=1")),
        ("<tel:+1555;verstat=x;ext=1>;tag=1", Some("<tel:+1555;ext=1>;tag=1")),
        ("<isbn:1;verstat=x>;verstat=;tag=1", Some("<isbn:1;verstat=x>;tag=1")),
        ("<sip:", None),
    ] {
        assert_eq!(without_verstat(value.as_bytes()).map(|left| text(&left)).as_deref(), expected, "{value}");
    }
    let sample = "\"A\" <sip:+1;verstat=x:pw@h;verstat=y>;verstat=\"z\";tag=1";
    (0..=sample.len()).for_each(|len| read(&sample.as_bytes()[..len]));
}

/// RFC 3325, 10.1 and 10.2; RFC 3323, 4.1.
#[test]
fn callers_who_are_not_to_be_known() {
    for (from, expected) in [
        ("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=9802748", true),
        ("<sip:+14085264000@Anonymous.Invalid>", true),
        ("sip:Anonymous@pbx.example;tag=1", true),
        ("\"Anonymous\" <sip:+14085264000@cisco.com>", false),
        ("\"Cullen Jennings\" <sip:fluffy@cisco.com>", false),
        ("<tel:+14085264000>", false),
        ("<sip:192.0.2.1>", false),
    ] {
        assert_eq!(is_anonymous(&name(from)), expected, "{from}");
    }
    let written = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=9802748";
    assert_eq!(text(&anonymous(Some(b"9802748"))), written);
    assert!(is_anonymous(&name(&text(&anonymous(None)))));
}

#[test]
fn remote_parties() {
    let of = |calling, screened, withheld| RemoteParty { calling, screened, withheld };
    for (value, expected) in [
        ("<sip:a@b>", of(true, false, false)),
        ("<sip:a@b>;privacy=off;screen=yes", of(true, true, false)),
        (
            "\"Jo\" <sip:+19725551212@foo.com>;party=calling;screen=yes;privacy=full;id-type=subscriber",
            of(true, true, true),
        ),
        ("<sip:a@b>;party=called;privacy=\"name\";screen=no", of(false, false, true)),
        ("<tel:+1555>;Party=Calling;Privacy=OFF", of(true, false, false)),
    ] {
        assert_eq!(RemoteParty::of(&name(value)), expected, "{value}");
    }
    for (calling, screened, withheld) in [(true, true, false), (false, false, true)] {
        let party = of(calling, screened, withheld);
        assert_eq!(RemoteParty::of(&name(&text(&party.value(b"sip:a@b")))), party);
    }
    let value = of(true, true, true).value(b"sip:+1555@192.0.2.1;user=phone");
    assert_eq!(text(&value), "<sip:+1555@192.0.2.1;user=phone>;party=calling;screen=yes;privacy=full");
}

#[test]
fn diversion_parameters() {
    let of = |reason, counter, withheld| Diverted { reason, counter, withheld };
    for (value, expected) in [
        ("<sip:a@b>", of(None, 1, None)),
        ("<sip:a@b>;reason=\"user busy\";counter=3", of(Some(&b"user busy"[..]), 3, None)),
        (
            "<sip:+19195551212@gw.example>;reason=no-answer;counter=2;privacy=full;screen=yes",
            of(Some(b"no-answer"), 2, Some(true)),
        ),
        ("<sip:a@b>;privacy=\"off\";counter=99999999999", of(None, 1, Some(false))),
    ] {
        assert_eq!(Diverted::of(&name(value)), expected, "{value}");
    }
}

/// The first values are of RFC 7044.
#[test]
fn history_parameters() {
    let of = |index, instead_of: Option<&'static [u8]>, cause, withheld| {
        Some(Targeted { index, instead_of, cause, withheld })
    };
    for (value, expected) in [
        ("<sip:bob@example.com>;index=1", of(&b"1"[..], None, None, false)),
        ("<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1", of(b"1.1", None, None, false)),
        (
            "<sip:office@example.com;cause=480?Reason=x&privacy=history>;index=1.2;mp=1",
            of(b"1.2", Some(b"1"), Some(480), true),
        ),
        ("<sip:a@b?Privacy=none>;index=1", of(b"1", None, None, false)),
        ("<tel:+1555;cause=302>;index=2;mp=\"1\"", of(b"2", None, Some(302), false)),
        ("<sip:a@b;cause=x>;index=1", of(b"1", None, None, false)),
        ("<sip:a@b>", None),
        ("<sip:a@b>;index=", None),
        ("<sip:a@b>;index=1.a", None),
        ("<sip:>;index=1", None),
        ("<mailto:a@b>;index=1", None),
    ] {
        assert_eq!(Targeted::of(&name(value)), expected, "{value}");
    }
    let long = format!("<sip:a@b>;index={}", "1".repeat(129));
    assert_eq!(Targeted::of(&name(&long)), None);
}

/// Three diversions, the last one on top, as RFC 7544 maps them both ways.
#[test]
fn each_way_of_telling_is_made_of_the_other() {
    let diversions = "<sip:user3@example.com>;reason=unconditional;counter=1;privacy=off, \
                      <sip:user2@example.com>;reason=user-busy;counter=1;privacy=full, \
                      <sip:user1@example.com>;reason=no-answer;counter=1;privacy=off";
    let history = "<sip:user1@example.com?Privacy=none>;index=1, \
                   <sip:user2@example.com;cause=408?Privacy=history>;index=1.1;mp=1, \
                   <sip:user3@example.com;cause=486?Privacy=none>;index=1.1.1;mp=1.1, \
                   <sip:last@192.0.2.1;cause=302>;index=1.1.1.1;mp=1.1.1";
    assert_eq!(history_of(diversions, "sip:last@192.0.2.1").as_deref(), Some(history));
    assert_eq!(diversions_of(history).as_deref(), Some(diversions));
}

#[test]
fn diversions_become_history() {
    for (diversions, expected) in [
        ("<sip:a@b>", Some("<sip:a@b>;index=1, <sip:t@h;cause=404>;index=1.1;mp=1")),
        (
            "<tel:+1-555>;reason=DEFLECTION;privacy=uri",
            Some(
                "<sip:+1-555@unknown.invalid;user=phone?Privacy=history>;index=1, \
                 <sip:t@h;cause=480>;index=1.1;mp=1",
            ),
        ),
        // What would stand there twice does not.
        (
            "\"A, B\" <sip:a;x@b:5080;cause=302;user=phone?X=y>;reason=away",
            Some("<sip:a;x@b:5080>;index=1, <sip:t@h;cause=404>;index=1.1;mp=1"),
        ),
        // Twice before it is known who.
        (
            "<sip:a@b;user=phone>;counter=3;reason=unavailable",
            Some(
                "<sip:unknown@unknown.invalid>;index=1, \
                 <sip:unknown@unknown.invalid;cause=404>;index=1.1;mp=1, \
                 <sip:a@b;user=phone;cause=404>;index=1.1.1;mp=1.1, \
                 <sip:t@h;cause=503>;index=1.1.1.1;mp=1.1.1",
            ),
        ),
        (
            "<tel:7042;phone-context=example.com>, <mailto:a@b>",
            Some(
                "<sip:unknown@unknown.invalid>;index=1, \
                 <sip:unknown@unknown.invalid;cause=404>;index=1.1;mp=1, \
                 <sip:t@h;cause=404>;index=1.1.1;mp=1.1",
            ),
        ),
        ("", None),
        (",,", None),
        ("<sip:a@b", None),
    ] {
        assert_eq!(history_of(diversions, "sip:t@h").as_deref(), expected, "{diversions}");
    }
}

#[test]
fn history_becomes_diversions() {
    for (history, expected) in [
        // A call that went from one address of somebody to another was not diverted.
        ("<sip:bob@example.com>;index=1, <sip:bob@192.0.2.4>;index=1.1;rc=1", None),
        // By whom `mp` names, and not by whom stands before.
        (
            "<sip:a@b>;index=1, <sip:a@h>;index=1.1;rc=1, <sip:c@d;cause=487>;index=1.2;mp=1",
            Some("<sip:a@b>;reason=deflection;counter=1;privacy=off"),
        ),
        (
            "<sip:a@b;user=phone>;index=1, <sip:c@d;cause=302>;index=1.1",
            Some("<sip:a@b;user=phone>;reason=unconditional;counter=1;privacy=off"),
        ),
        (
            "<tel:+1555>;index=1, <sip:c@d;cause=600>;index=1.1;mp=1",
            Some("<tel:+1555>;reason=unknown;counter=1;privacy=off"),
        ),
        // RFC 8119: the number of a service.
        ("<sip:112@b>;index=1, <sip:c@d;cause=380>;index=1.1;mp=1", None),
        ("<sip:c@d;cause=302>;index=1", None),
        ("<sip:a@b>;index=1, <sip:c@d;cause=302>;index=1.1;mp=9", None),
        ("", None),
    ] {
        assert_eq!(diversions_of(history).as_deref(), expected, "{history}");
    }
}

#[test]
fn lists_have_an_end() {
    let many = |value: &str, count| vec![value; count].join(",");
    let values = |value: Option<String>| value.map(|value| List::new(value.as_bytes()).count());
    assert_eq!(values(history_of(&many("<sip:a@b>", 1000), "sip:t@h")), Some(VALUES_MAX + 1));
    let entries = many("<sip:a@b;cause=302>;index=1", 1000);
    // Nobody stands before the first of those that are looked at, which are the last.
    assert_eq!(values(diversions_of(&entries)), Some(VALUES_MAX - 1));
    let entries = format!("{entries}, <sip:last@b;cause=486>;index=7;mp=1");
    assert!(diversions_of(&entries).unwrap().starts_with("<sip:a@b>;reason=user-busy"));
    let counted = history_of("<sip:a@b>;counter=4294967295", "sip:t@h");
    assert_eq!(values(counted), Some(VALUES_MAX + 2));
    let long = format!("<sip:{}@b>", "a".repeat(5000));
    assert_eq!(history_of(&long, "sip:t@h"), None);
    assert_eq!(diversions_of(&format!("{long};index=1, <sip:c@d;cause=302>;index=1.1")), None);
    let longer = many("<sip:a@b>;counter=16", 16);
    assert_eq!(history_of(&longer, "sip:t@h"), None);
}

/// Everything that reads or makes a value, on any octets.
fn read(octets: &[u8]) {
    crate::fuzz_entry::values(octets);
}

#[test]
fn values_cut_anywhere() {
    for value in [
        "\"John Smith\" <sip:+19725551212@foo.com>;party=calling;screen=yes;privacy=full;id-type=subscriber",
        "<tel:+1-555;phone-context=+1;cause=302>;reason=\"user busy\";counter=12;privacy=\"full\"",
        "<sip:a;x@b;cause=302?Privacy=history&Reason=SIP%3Bcause%3D302>;index=1.1;mp=1, <sip:c@d>;index=1.2",
        "id;header;session;user;history;critical;none",
    ] {
        (0..=value.len()).for_each(|end| read(&value.as_bytes()[..end]));
    }
}

proptest! {
    /// What is made is read back, whatever it was made of.
    #[test]
    fn anything_holds(text in "([<>a-c@:;,=?&.1\" %]|sip:|tel:|verstat|cause=|index=|mp=|counter=|Privacy=){0,40}") {
        read(text.as_bytes());
    }

    /// Who diverted, why, and whether that is to be kept, comes back from the other way of telling it.
    #[test]
    fn what_was_told_comes_back(
        diverted in prop::collection::vec(("[a-z]{1,8}", 0..6_usize, any::<bool>()), 1..8)
    ) {
        let reasons =
            ["unconditional", "user-busy", "no-answer", "deflection", "unavailable", "unknown"];
        let value = |(user, reason, full): &(String, usize, bool)| {
            let privacy = if *full { "full" } else { "off" };
            format!("<sip:{user}@h>;reason={};counter=1;privacy={privacy}", reasons[*reason])
        };
        let diversions = diverted.iter().map(value).collect::<Vec<_>>().join(", ");
        let history = history_of(&diversions, "sip:t@h").unwrap();
        prop_assert_eq!(List::new(history.as_bytes()).count(), diverted.len() + 1);
        prop_assert_eq!(diversions_of(&history), Some(diversions));
    }
}
