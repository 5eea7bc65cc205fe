use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits::Limits;

const RULES: Rules = Rules { expires_min: 60, expires_default: 3600, expires_max: 7200, bindings_max: 3 };

fn message(text: &str) -> Message {
    let text = text.trim_start().replace('\n', "\r\n");
    Message::parse_datagram(Bytes::from(text), &Limits::default()).unwrap()
}

/// A REGISTER with these headers beside those that each has.
fn register(headers: &str) -> Message {
    message(&format!(
        "REGISTER sip:registrar.biloxi.com SIP/2.0\n\
         Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7\n\
         Max-Forwards: 70\n\
         To: Bob <sip:bob@biloxi.com>\n\
         From: Bob <sip:bob@biloxi.com>;tag=456248\n\
         Call-ID: 843817637684230@998sdasdh09\n\
         CSeq: 1826 REGISTER\n{headers}Content-Length: 0\n\n"
    ))
}

fn read(headers: &str) -> Result<Registration, Error> {
    Registration::read(&register(headers))
}

fn contact(uri: &str, q: u16, expires: Option<u32>) -> Contact {
    Contact { uri: uri.to_owned(), q, expires }
}

/// Bindings that other requests have made.
fn others<'a>(uris: &[&'a str]) -> Vec<Bound<'a>> {
    uris.iter().map(|&uri| Bound { uri, call_id: "other", cseq: 9, elsewhere: false }).collect()
}

/// RFC 3261, 24.1 F1.
#[test]
fn the_registration_of_rfc_3261() {
    let read = read("Contact: <sip:bob@192.0.2.4>\nExpires: 7200\n").unwrap();
    let expected = Registration {
        call_id: "843817637684230@998sdasdh09".to_owned(),
        cseq: 1826,
        wanted: Wanted::Contacts(vec![contact("sip:bob@192.0.2.4", Q_MAX, None)]),
        expires: Some(7200),
        path: String::new(),
    };
    assert_eq!(read, expected);
    let changes = read.decide(&[], &RULES).unwrap();
    assert_eq!(changes, [Change::Bind { contact: 0, over: None, expires: 7200 }]);
}

/// RFC 3665, 2.1 to 2.4: a new one, the list of them, and their end. A contact that is no SIP URI is of no
/// use here.
#[test]
fn registrations_of_rfc_3665() {
    let one = |headers: &str| {
        Registration::read(&message(&format!(
            "REGISTER sips:ss2.biloxi.example.com SIP/2.0\n\
             Via: SIP/2.0/TLS client.biloxi.example.com:5061;branch=z9hG4bKnashd92\n\
             Max-Forwards: 70\n\
             From: Bob <sips:bob@biloxi.example.com>;tag=ja743ks76zlflH\n\
             To: Bob <sips:bob@biloxi.example.com>\n\
             Call-ID: 1j9FpLxk3uxtm8tn@biloxi.example.com\n\
             CSeq: 2 REGISTER\n{headers}Content-Length: 0\n\n"
        )))
    };
    let new = one("Contact: <sips:bob@client.biloxi.example.com>\n").unwrap();
    assert_eq!(
        new.decide(&[], &RULES).unwrap(),
        [Change::Bind { contact: 0, over: None, expires: 3600 }],
        "the default"
    );
    assert_eq!(one("Contact: mailto:bob@biloxi.example.com\n"), Err(Error::Scheme));
    let list = one("").unwrap();
    let bound = others(&["sips:bob@client.biloxi.example.com"]);
    assert_eq!((&list.wanted, list.decide(&bound, &RULES).unwrap()), (&Wanted::List, Vec::new()));
    let end = one("Expires: 0\nContact: *\n").unwrap();
    assert_eq!(end.decide(&bound, &RULES).unwrap(), [Change::Remove(0)]);
    let listed =
        Listed { uri: "sips:bob@client.biloxi.example.com".to_owned(), q: Q_MAX, expires: 3600 }.to_string();
    assert_eq!(listed, "<sips:bob@client.biloxi.example.com>;expires=3600");
}

/// RFC 3327, 5.5.1: two proxies on the way.
#[test]
fn the_path_of_rfc_3327() {
    let one = read(
        "Path: <sip:P3.EXAMPLEHOME.COM;lr>,<sip:P1.EXAMPLEVISITED.COM;lr>\nContact: <sip:UA1@192.0.2.4>\n\
         Supported: path\n",
    );
    assert_eq!(one.unwrap().path, "<sip:P3.EXAMPLEHOME.COM;lr>, <sip:P1.EXAMPLEVISITED.COM;lr>");
    let lines = read("Path: <sip:p2;lr>\nPath: <sip:p1;lr;ob>\n").unwrap();
    assert_eq!(lines.path, "<sip:p2;lr>, <sip:p1;lr;ob>");
    for path in ["<sip:p1>", "sip:p1;lr", "<tel:+1555>", "<sip:p1;lr>, <", "<sip:p1;lr>,"] {
        assert_eq!(read(&format!("Path: {path}\n")), Err(Error::Path), "{path}");
    }
    let long = format!("<sip:{};lr>", "p".repeat(400));
    assert!(read(&format!("Path: {long}, {long}\n")).is_ok());
    assert_eq!(read(&format!("Path: {long}, {long}, {long}\n")), Err(Error::Path));
}

/// RFC 4475, 3.3.14 and 3.1.2.13: headers in a contact's URI are valid, and would be added to requests of
/// others.
#[test]
fn contacts_of_rfc_4475() {
    for (name, octets, expected) in [
        ("regescrt", &include_bytes!("../../torture/rfc4475/regescrt.sip")[..], Error::Headers),
        ("regbadct", &include_bytes!("../../torture/rfc4475/regbadct.sip")[..], Error::Contact),
    ] {
        let message = Message::parse_datagram(Bytes::from_static(octets), &Limits::default()).unwrap();
        assert_eq!(Registration::read(&message), Err(expected), "{name}");
    }
}

#[test]
fn contacts_with_what_they_say() {
    let q = |q| contact("sip:a@b", q, None);
    let expires = |expires| contact("sip:a@b", Q_MAX, Some(expires));
    let table = [
        ("<sip:a@b>", q(1000)),
        ("\"A\" <sip:a@b>;q=0.7", q(700)),
        ("sip:a@b;Q=0", q(0)),
        ("<sip:a@b>;q=1.000", q(1000)),
        ("<sip:a@b>;q=0.055", q(55)),
        ("<sip:a@b>;q=0.", q(0)),
        ("<sip:a@b>;q=1.1", q(1000)),
        ("<sip:a@b>;q=0.7777", q(1000)),
        ("<sip:a@b>;q=high", q(1000)),
        ("<sip:a@b>;q", q(1000)),
        ("sip:a@b;expires=60", expires(60)),
        ("<sip:a@b>;expires=0", expires(0)),
        ("<sip:a@b>;expires=\"90\"", expires(90)),
        ("<sip:a@b>;expires=4294967296", expires(u32::MAX)),
        ("<sip:a@b>;expires=-1", expires(3600)),
        ("<sip:a@b>;expires", expires(3600)),
        ("<sip:a@b;expires=60>", contact("sip:a@b;expires=60", Q_MAX, None)),
    ];
    for (value, expected) in table {
        let read = read(&format!("Contact: {value}\n")).unwrap();
        assert_eq!(read.contacts(), [expected], "{value}");
    }
    let many = read("Contact: <sip:a@b>;q=0.5, sip:c@d\nm: <sips:e@[2001:db8::1]:5061;transport=tcp>\n");
    let uris: Vec<_> = many.unwrap().contacts().iter().map(|contact| contact.uri.clone()).collect();
    assert_eq!(uris, ["sip:a@b", "sip:c@d", "sips:e@[2001:db8::1]:5061;transport=tcp"]);
}

#[test]
fn what_cannot_be_registered() {
    let long = format!("Contact: <sip:{}@b>\n", "a".repeat(URI_MAX));
    let many = "Contact: <sip:a@b>\n".repeat(CONTACTS_MAX + 1);
    let table: [(&str, Error, u16); 13] = [
        ("Contact: *\n", Error::Wildcard, 400),
        ("Contact: *\nExpires: 1\n", Error::Wildcard, 400),
        ("Contact: *\nExpires: soon\n", Error::Wildcard, 400),
        ("Contact: *, <sip:a@b>\nExpires: 0\n", Error::Wildcard, 400),
        ("Contact: <sip:a@b\n", Error::Contact, 400),
        ("Contact: <sip:a@>\n", Error::Contact, 400),
        ("Contact: <sip:a@b;x=\"y\">\n", Error::Contact, 400),
        ("Contact: <sip:\u{fc}@b>\n", Error::Contact, 400),
        ("Contact: <tel:+15550100>\n", Error::Scheme, 400),
        ("Contact: <http://b>\n", Error::Scheme, 400),
        ("Contact: <sip:a@b?Replaces=x>\n", Error::Headers, 400),
        (&long, Error::Contact, 400),
        (&many, Error::TooMany, 403),
    ];
    for (headers, expected, status) in table {
        assert_eq!(read(headers), Err(expected), "{headers}");
        assert_eq!(expected.status().as_u16(), status, "{headers}");
    }
    let text = String::from_utf8(register("").bytes().to_vec()).unwrap();
    let with = |from: &str, to: &str| {
        let octets = Bytes::from(text.replace(from, to));
        Registration::read(&Message::parse_datagram(octets, &Limits::default()).unwrap())
    };
    assert_eq!(with("843817637684230", &"9".repeat(CALL_ID_MAX)), Err(Error::CallId));
    assert_eq!(with("843817637684230", "\u{fc}"), Err(Error::CallId));
    assert_eq!(with("Call-ID:", "X-Call:"), Err(Error::CallId));
    assert_eq!(with("CSeq: 1826", "CSeq: x"), Err(Error::CSeq));
}

/// 10.3 step 7: a contact's own time goes before Expires, that before the default.
#[test]
fn how_long() {
    let bound = others(&["sip:a@b"]);
    let table: [(&str, &str, Result<u32, Error>); 12] = [
        ("", "", Ok(3600)),
        ("", "Expires: 90\n", Ok(90)),
        (";expires=120", "Expires: 90\n", Ok(120)),
        (";expires=60", "", Ok(60)),
        (";expires=59", "", Err(Error::TooBrief)),
        (";expires=1", "", Err(Error::TooBrief)),
        ("", "Expires: 59\n", Err(Error::TooBrief)),
        (";expires=7200", "", Ok(7200)),
        (";expires=7201", "", Ok(7200)),
        (";expires=4294967295", "", Ok(7200)),
        (";expires=never", "Expires: 90\n", Ok(3600)),
        ("", "Expires: never\n", Ok(3600)),
    ];
    for (own, header, expected) in table {
        let decided = read(&format!("Contact: <sip:a@b>{own}\n{header}")).unwrap().decide(&bound, &RULES);
        let expected = expected.map(|expires| vec![Change::Bind { contact: 0, over: Some(0), expires }]);
        assert_eq!(decided, expected, "{own} {header}");
    }
    for (own, header) in [(";expires=0", ""), ("", "Expires: 0\n"), (";expires=0", "Expires: 90\n")] {
        let request = read(&format!("Contact: <sip:a@b>{own}\n{header}")).unwrap();
        assert_eq!(request.decide(&bound, &RULES).unwrap(), [Change::Remove(0)], "{own} {header}");
        assert!(request.decide(&[], &RULES).unwrap().is_empty(), "there is nothing to remove");
    }
    // An hour is never too brief.
    let patient = Rules { expires_min: 7200, ..RULES };
    let hour = read("Contact: <sip:a@b>;expires=3600\n").unwrap();
    assert!(hour.decide(&[], &patient).is_ok());
    let less = read("Contact: <sip:a@b>;expires=3599\n").unwrap();
    assert_eq!(less.decide(&[], &patient), Err(Error::TooBrief));
    assert_eq!(Error::TooBrief.status().as_u16(), 423);
}

/// 10.3 steps 6 and 7: requests of one Call-ID are in order, those of another one go over what is there.
#[test]
fn in_order() {
    let table = [
        ("843817637684230@998sdasdh09", 1825, Ok(())),
        ("843817637684230@998sdasdh09", 1826, Err(Error::OutOfOrder)),
        ("843817637684230@998sdasdh09", 1827, Err(Error::OutOfOrder)),
        ("another", 1827, Ok(())),
    ];
    for (call_id, cseq, expected) in table {
        let bound = [Bound { uri: "sip:a@b", call_id, cseq, elsewhere: false }];
        for headers in ["Contact: <sip:a@b>\n", "Contact: <sip:a@b>;expires=0\n", "Contact: *\nExpires: 0\n"]
        {
            let decided = read(headers).unwrap().decide(&bound, &RULES);
            assert_eq!(decided.map(|_| ()), expected, "{call_id} {cseq} {headers}");
        }
    }
    // One that is late keeps the others from being changed.
    let bound = [
        Bound { uri: "sip:a@b", call_id: "another", cseq: 1, elsewhere: false },
        Bound { uri: "sip:c@d", call_id: "843817637684230@998sdasdh09", cseq: 1826, elsewhere: false },
    ];
    let both = read("Contact: <sip:a@b>, <sip:c@d>\n").unwrap();
    assert_eq!(both.decide(&bound, &RULES), Err(Error::OutOfOrder));
    assert_eq!(Error::OutOfOrder.status().as_u16(), 500);
}

#[test]
fn the_same_contact_in_other_words() {
    let bind = |contact, over| Change::Bind { contact, over, expires: 3600 };
    let table: [(&[&str], &str, Vec<Change>); 6] = [
        (&["sip:a@b.example:5060"], "<sip:a@B.EXAMPLE:5060>", vec![bind(0, Some(0))]),
        (&["sip:%61@b"], "<sip:a@b>", vec![bind(0, Some(0))]),
        (&["sip:a@b"], "<sip:a@b:5060>", vec![bind(0, None)]),
        (&["sip:a@b"], "<sip:a@b;transport=tcp>", vec![bind(0, None)]),
        // Of one that comes twice the last counts.
        (&["sip:a@b"], "<sip:a@b>;q=0.1, <sip:A@b>, <sip:a@B>", vec![bind(1, None), bind(2, Some(0))]),
        // Both are equal to what is bound, and not to each other: it is one of them.
        (&["sip:a@b"], "<sip:a@b;x=1>, <sip:a@b;x=2>", vec![bind(0, Some(0)), bind(1, None)]),
    ];
    for (bound, contacts, expected) in table {
        let request = read(&format!("Contact: {contacts}\n")).unwrap();
        assert_eq!(request.decide(&others(bound), &RULES).unwrap(), expected, "{bound:?} {contacts}");
    }
}

#[test]
fn no_more_than_may_be() {
    let three = &["sip:1@b", "sip:2@b", "sip:3@b"][..];
    let four = &["sip:1@b", "sip:2@b", "sip:3@b", "sip:4@b"][..];
    // Which of the bindings go, the first of them before the others.
    type Row<'a> = (&'a [&'a str], &'a str, Option<&'a [usize]>);
    let table: [Row<'_>; 9] = [
        (&[], "<sip:1@b>, <sip:2@b>, <sip:3@b>", Some(&[])),
        (&[], "<sip:1@b>, <sip:2@b>, <sip:3@b>, <sip:4@b>", None),
        (three, "<sip:4@b>", Some(&[0])),
        (three, "<sip:4@b>, <sip:1@b>", Some(&[1])),
        (three, "<sip:3@b>", Some(&[])),
        (three, "<sip:4@b>, <sip:1@b>;expires=0", Some(&[0])),
        (three, "<sip:4@b>, <sip:5@b>, <sip:6@b>, <sip:3@b>", None),
        // The limit was lowered: what is there stays until something new comes.
        (four, "<sip:4@b>", Some(&[])),
        (four, "<sip:5@b>, <sip:4@b>;expires=0", Some(&[0, 3])),
    ];
    for (bound, contacts, gone) in table {
        let decided = read(&format!("Contact: {contacts}\n")).unwrap().decide(&others(bound), &RULES);
        let removed = decided.map(|changes| {
            let removed = changes.iter().filter_map(|change| match change {
                Change::Remove(place) => Some(*place),
                Change::Bind { .. } => None,
            });
            removed.collect::<Vec<_>>()
        });
        assert_eq!(removed, gone.map(<[usize]>::to_vec).ok_or(Error::TooMany), "{bound:?} {contacts}");
    }
}

/// What a later request of the same Call-ID has made gives way to none that was before it.
#[test]
fn what_is_late_takes_nobodys_place() {
    let own = "843817637684230@998sdasdh09";
    let made = |uri, cseq| Bound { uri, call_id: own, cseq, elsewhere: false };
    let bound = [made("sip:1@b", 1827), made("sip:2@b", 1825), made("sip:3@b", 1827)];
    let request = |contacts: &str| read(&format!("Contact: {contacts}\n")).unwrap().decide(&bound, &RULES);
    let expected = [Change::Remove(1), Change::Bind { contact: 0, over: None, expires: 3600 }];
    assert_eq!(request("<sip:4@b>").unwrap(), expected);
    assert_eq!(request("<sip:4@b>, <sip:5@b>"), Err(Error::TooMany));
}

/// A private address names somebody else at each site.
#[test]
fn the_same_words_for_another_one() {
    let at = |elsewhere| [Bound { uri: "sip:a@192.168.1.10", call_id: "other", cseq: 9, elsewhere }];
    for (elsewhere, over) in [(false, Some(0)), (true, None)] {
        let changes = read("Contact: <sip:a@192.168.1.10>\n").unwrap().decide(&at(elsewhere), &RULES);
        assert_eq!(changes.unwrap(), [Change::Bind { contact: 0, over, expires: 3600 }]);
        let changes = read("Contact: <sip:a@192.168.1.10>;expires=0\n").unwrap();
        let expected: Vec<_> = over.map(Change::Remove).into_iter().collect();
        assert_eq!(changes.decide(&at(elsewhere), &RULES).unwrap(), expected);
    }
    let all = read("Contact: *\nExpires: 0\n").unwrap().decide(&at(true), &RULES);
    assert_eq!(all.unwrap(), [Change::Remove(0)]);
}

#[test]
fn how_bindings_are_listed() {
    for (q, expires, expected) in [
        (1000, 3600, "<sip:a@b>;expires=3600"),
        (700, 60, "<sip:a@b>;expires=60;q=0.700"),
        (5, 1, "<sip:a@b>;expires=1;q=0.005"),
        (0, 0, "<sip:a@b>;expires=0;q=0.000"),
    ] {
        let listed = Listed { uri: "sip:a@b".to_owned(), q, expires }.to_string();
        assert_eq!(listed, expected);
        // As a registrar would read it.
        let again = read(&format!("Contact: {listed}\n")).unwrap();
        assert_eq!(again.contacts(), [contact("sip:a@b", q, Some(expires))]);
    }
}

/// What is cut off anywhere is read as no contact that the whole does not have.
#[test]
fn requests_that_were_cut_off() {
    let whole = register(
        "Contact: \"B\" <sip:bob@192.0.2.4:5062;transport=tcp>;q=0.7;expires=60\n\
         Path: <sip:p1.example;lr>\nExpires: 7200\n",
    );
    let octets = whole.bytes();
    let known = Registration::read(&whole).unwrap();
    for end in 0..octets.len() {
        let Ok(cut) = Message::parse_datagram(octets.slice(..end), &Limits::default()) else { continue };
        let Ok(read) = Registration::read(&cut) else { continue };
        let found = read.contacts().iter().all(|contact| known.contacts()[0].uri.starts_with(&contact.uri));
        assert!(found && known.path.starts_with(&read.path), "{end}: {read:?}");
    }
}

proptest! {
    /// Bindings never become too many, each place is changed once, and what is late changes nothing.
    #[test]
    fn any_requests(
        requests in prop::collection::vec(
            (0..3_u8, 0..4_u32, prop::collection::vec((0..6_u8, 0..3_u32), 0..4)),
            1..12,
        )
    ) {
        let mut bound: Vec<(String, String, u32)> = Vec::new();
        for (call, cseq, contacts) in requests {
            let contacts = contacts
                .into_iter()
                .map(|(name, hours)| contact(&format!("sip:{name}@b"), Q_MAX, Some(hours * 3600)))
                .collect::<Vec<_>>();
            let request = Registration {
                call_id: format!("call-{call}"),
                cseq,
                wanted: if contacts.is_empty() { Wanted::RemoveAll } else { Wanted::Contacts(contacts) },
                expires: Some(0),
                path: String::new(),
            };
            let before = bound.clone();
            let held: Vec<_> = before
                .iter()
                .map(|(uri, call_id, cseq)| Bound { uri, call_id, cseq: *cseq, elsewhere: false })
                .collect();
            let Ok(changes) = request.decide(&held, &RULES) else { continue };
            let mut gone: Vec<usize> = Vec::new();
            for change in changes {
                match change {
                    Change::Remove(place) => gone.push(place),
                    Change::Bind { contact, over, expires } => {
                        prop_assert!(expires > 0);
                        gone.extend(over);
                        let uri = request.contacts()[contact].uri.clone();
                        bound.push((uri, request.call_id.clone(), request.cseq));
                    }
                }
            }
            for place in &gone {
                let (_, call_id, cseq) = &before[*place];
                prop_assert!(*call_id != request.call_id || *cseq < request.cseq);
            }
            gone.sort_unstable();
            prop_assert!(gone.windows(2).all(|pair| pair[0] != pair[1]));
            for place in gone.into_iter().rev() {
                bound.remove(place);
            }
            prop_assert!(bound.len() <= RULES.bindings_max);
            let mut uris: Vec<_> = bound.iter().map(|(uri, ..)| uri).collect();
            uris.sort_unstable();
            prop_assert!(uris.windows(2).all(|pair| pair[0] != pair[1]), "bound twice: {:?}", uris);
        }
    }
}
