use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use runtime::clock::Timestamp;
use runtime::model::{HeaderAction, HeaderRule, Transport};

use super::*;
use crate::sip::cookie::{Keys, Secret, key_number};
use crate::sip::settings::Listener;
use crate::sip::testing;
use crate::sip::transactions::Now;

const OLD: Secret = Secret { number: 3, key: [7; 16] };
const NEW: Secret = Secret { number: 4, key: [8; 16] };
const CALL_ID: &[u8] = b"3848276298220188511@atlanta.example.com";

fn settings() -> Settings {
    let instant = tokio::time::Instant::now().into_std();
    let now = Now { instant, wall: Timestamp::from_micros(1_790_000_000_000_000) };
    let listener = Listener::new(Transport::Udp, "203.0.113.5:5060".parse().unwrap(), "").unwrap();
    testing::settings(now, vec![listener])
}

/// A request as it would go to a side that sees all: our Via and Record-Route on top.
const REQUEST: &str = "INVITE sip:+15551234@198.51.100.1:5060 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKw01\r\n\
    Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1;received=192.0.2.10,\
    SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK2\r\n\
    v: SIP/2.0/TCP inner.example;branch=z9hG4bK3\r\n\
    Record-Route: <sip:203.0.113.5:5060;lr;w=x>\r\n\
    Record-Route: <sip:192.0.2.10;lr>, <sip:inner.example;lr>\r\n\
    From: <sip:+1@203.0.113.5:5060>;tag=1\r\nTo: <sip:+15551234@203.0.113.5>\r\n\
    Call-ID: wx\r\nCSeq: 1 INVITE\r\nMax-Forwards: 69\r\n\
    m: \"A\" <sip:caller@inner.example;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";isfocus;q=0.5, \
    <sip:other@192.0.2.12>\r\n\
    User-Agent: inner.example\r\nP-Access-Network-Info: inner.example\r\nIn-Reply-To: 1@inner.example\r\n\
    P-Asserted-Identity: \"A\" <sip:+1@inner.example;user=phone>, <tel:+1>\r\n\
    P-Charge-Info: <sip:+1@192.0.2.10:5070;npi=ISDN>\r\nHistory-Info: not <a, name\r\n\
    b: <sip:anonymous@anonymous.invalid>\r\n\
    P-Called-Party-ID: <sip:+2@inner.example>\r\nP-Served-User: <sip:+1@inner.example>;sescase=orig\r\n\
    P-Associated-URI: <sip:+1@inner.example>\r\nGeolocation: <cid:1@inner.example>\r\n\
    P-Location: inner.example\r\nX-Gateway: inner.example\r\nAlert-Info: <http://inner.example>\r\n\
    Reason: Q.850 ;cause=16;text=\"inner.example\", SIP;text=\"inner.example\"\r\n\
    Retry-After: 60 (inner.example)\r\nk: timer, 100rel\r\nx: 90\r\nMin-SE: 90\r\nRAck: 1 1 INVITE\r\n\
    Info-Package: dtmf\r\nContent-Length: 0\r\n\r\n";

/// What the sender's side is called in it.
const TELLING: [&str; 4] = ["inner.example", "192.0.2.", "z9hG4bK1", "caller@"];

const SENDER: Sender<'static> = Sender {
    dialog: uuid::Uuid::from_u128(7),
    end: End::Caller,
    name: b"\"A\" <sip:+1@inner.example>;tag=1",
};

fn veil(settings: &Settings) -> Veil<'_> {
    Veil::new(settings, 0).unwrap().by(SENDER)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn parsed(octets: impl Into<Bytes>) -> Message {
    Message::parse_datagram(octets.into(), &Limits::default()).unwrap()
}

#[test]
fn a_request_shows_us_alone() {
    let settings = settings();
    let hidden = veil(&settings).request(Bytes::from_static(REQUEST.as_bytes())).unwrap();
    let seen = text(&hidden);
    assert!(!TELLING.iter().any(|telling| seen.contains(telling)), "{seen}");
    for stays in [
        "P-Asserted-Identity: \"A\" <sip:+1@203.0.113.5:5060;user=phone>, <tel:+1>\r\n",
        "P-Charge-Info: <sip:+1@203.0.113.5:5060;npi=ISDN>\r\n",
        "b: <sip:anonymous@anonymous.invalid>\r\n",
        "Record-Route: <sip:203.0.113.5:5060;lr;w=x>\r\n",
        "P-Called-Party-ID: <sip:+2@203.0.113.5:5060>\r\n",
        "P-Served-User: <sip:+1@203.0.113.5:5060>;sescase=orig\r\n",
        "P-Associated-URI: <sip:+1@203.0.113.5:5060>\r\n",
        "Reason: Q.850;cause=16, SIP\r\n",
        "Retry-After: 60\r\nk: timer, 100rel\r\nx: 90\r\nMin-SE: 90\r\nRAck: 1 1 INVITE\r\nInfo-Package: dtmf\r\n",
    ] {
        assert!(seen.contains(stays), "{seen}");
    }
    for gone in ["Geolocation", "P-Location", "X-Gateway", "Alert-Info"] {
        assert!(!seen.contains(gone), "{gone}: {seen}");
    }
    assert!(!seen.contains("History-Info"), "it cannot be read, and may tell anything: {seen}");
    let message = parsed(hidden);
    assert_eq!((message.list(HeaderId::Via).count(), message.list(HeaderId::Contact).count()), (1, 1));
    // A request for that Contact is for what it stands for.
    let contact = message.list(HeaderId::Contact).next().unwrap();
    assert!(text(contact).ends_with(">;isfocus"), "what it can do, and no more");
    let uri = text(NameAddr::parse(contact).unwrap().uri);
    let bye = |uri: &str, call_id: &str, route: &str| {
        let target = format!("BYE {uri} SIP/2.0\r\nCall-ID: {call_id}\r\n{route}\r\n");
        text(&target_of(&settings, &parsed(target), true).unwrap())
    };
    assert_eq!(bye(&uri, "wx", ""), "sip:caller@inner.example;transport=tcp");
    let strict = format!("Route: <sip:a>,<{uri}>\r\n");
    assert_eq!(bye("sip:203.0.113.5", "wx", &strict), "sip:caller@inner.example;transport=tcp");
    assert_eq!(bye(&uri, "another call", ""), uri);
    let other = format!("BYE {uri} SIP/2.0\r\nCall-ID: wx\r\nRoute: <sip:a@b>\r\n\r\n");
    let for_other = text(&target_of(&settings, &parsed(other), false).unwrap());
    assert_eq!(for_other, uri, "it is another's, and no strict router's");
    assert_eq!(bye("sip:203.0.113.5", "wx", "Route: <sip:a@b>\r\n"), "sip:a@b", "a strict router's");
    assert_eq!(bye("sip:c@d", "wx", "Route: <sip:a@b>\r\n"), "sip:c@d");
}

#[test]
fn its_response_gets_back_what_it_went_without() {
    let settings = settings();
    let veil = veil(&settings);
    let hidden = parsed(veil.request(Bytes::from_static(REQUEST.as_bytes())).unwrap());
    let via = text(hidden.list(HeaderId::Via).next().unwrap());
    let response = |headers: &str| {
        let response = format!(
            "SIP/2.0 200 OK\r\nVia: {via};received=203.0.113.5\r\nCall-ID: wx\r\n\
             To: <sip:a@b>;tag=2\r\n{headers}\r\n"
        );
        restored(&settings, &parsed(response)).map(|restored| restored.whole.into_owned())
    };
    let routed = response("Record-Route: <sip:far>, <sip:203.0.113.5:5060;lr;w=x>\r\n").unwrap();
    let original = parsed(REQUEST);
    let vias = |message: &Message| message.list(HeaderId::Via).skip(1).map(text).collect::<Vec<_>>();
    assert_eq!((vias(&routed), vias(&routed).len()), (vias(&original), 3));
    let routes: Vec<_> = routed.list(HeaderId::RecordRoute).map(text).collect();
    let ours = "<sip:203.0.113.5:5060;lr;w=x>";
    assert_eq!(routes, ["<sip:far>", ours, "<sip:192.0.2.10;lr>", "<sip:inner.example;lr>"]);
    assert!(!response("").unwrap().has(HeaderId::RecordRoute));
    // To a hidden caller goes what is ours, and its own.
    let back = parsed(veil.response(routed.bytes().clone()).unwrap());
    let routes: Vec<_> = back.list(HeaderId::RecordRoute).map(text).collect();
    assert_eq!(routes, [ours, "<sip:192.0.2.10;lr>", "<sip:inner.example;lr>"]);
    // It says who sent the request, and what he called himself.
    for (name, back) in [(SENDER.name, SENDER.name), (&[b'x'; 257][..], &b""[..])] {
        for end in [End::Caller, End::Callee] {
            let sender = Sender { end, name, ..SENDER };
            let veil = Veil::new(&settings, 0).unwrap().by(sender);
            let hidden = parsed(veil.request(Bytes::from_static(REQUEST.as_bytes())).unwrap());
            let via = text(hidden.list(HeaderId::Via).next().unwrap());
            let response = format!("SIP/2.0 180 Ringing\r\nVia: {via}\r\nCall-ID: wx\r\n\r\n");
            let sent = restored(&settings, &parsed(response)).unwrap().sent;
            assert_eq!(sent, Some(Sent { dialog: sender.dialog, end, name: Box::from(back) }));
        }
    }
    let unsaid = Veil::new(&settings, 0).unwrap().request(Bytes::from_static(REQUEST.as_bytes()));
    assert_eq!(unsaid, None, "nobody could be answered");
    // Who lost it has nobody to answer.
    let lost = format!("SIP/2.0 200 OK\r\nVia: {}\r\nCall-ID: wx\r\n\r\n", via.split(";v=").next().unwrap());
    assert!(restored(&settings, &parsed(lost)).is_none());
}

#[test]
fn what_only_some_messages_have() {
    let settings = settings();
    let veil = veil(&settings);
    let ack = REQUEST.replace("INVITE", "ACK");
    let ack = text(&veil.request(ack.into()).unwrap());
    assert!(ack.contains("Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKw01\r\n"), "no response: {ack}");
    // A refresh makes no route.
    let again = REQUEST.replace("To: <sip:+15551234@203.0.113.5>", "To: <sip:+15551234@203.0.113.5>;tag=2");
    let length = |request: String| veil.request(request.into()).unwrap().len();
    assert!(length(again) < length(REQUEST.to_owned()), "Record-Routes are not kept");
    for (code, expected) in [(180, 1), (200, 1), (302, 0), (485, 0), (486, 1)] {
        let response = format!(
            "SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK9\r\nCall-ID: wx\r\n\
             Record-Route: <sip:far>\r\nContact: <sip:a@far>,<sip:b@far>\r\nContent-Length: 0\r\n\r\n"
        );
        let back = parsed(veil.response(response.into()).unwrap());
        assert_eq!(back.list(HeaderId::Contact).count(), expected, "{code}");
        assert!(!text(back.bytes()).contains("far"), "{code}");
    }
    // A Contact that is too long is in the dialog's record alone.
    let long = REQUEST.replace("sip:caller@inner.example", &format!("sip:{}@inner.example", "c".repeat(300)));
    let message = parsed(veil.request(long.into()).unwrap());
    assert_eq!(message.value(HeaderId::Contact).map(text).as_deref(), Some("<sip:203.0.113.5:5060>;isfocus"));
    let vias = "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK-many-of-these\r\n".repeat(20);
    let many = REQUEST.replacen("Record-Route:", &format!("{vias}Record-Route:"), 1);
    assert_eq!(veil.request(many.into()), None);
}

/// What a rule has added passes, whatever it tells; the same header of somebody else does not.
#[test]
fn headers_of_rules() {
    let settings = settings();
    let rule = |name: &str, value: &str| HeaderRule {
        action: HeaderAction::Add,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let rules = [rule("x-gateway", "192.0.2.99"), rule("Diversion", "<sip:+3@192.0.2.98>")];
    let added = "X-Gateway: 192.0.2.99\r\nDiversion: <sip:+3@192.0.2.98>\r\nk: timer";
    let request = REQUEST.replacen("k: timer", added, 1);
    let hidden = veil(&settings).with_rules(&rules).request(request.into()).unwrap();
    let seen = text(&hidden);
    assert!(seen.contains(added) && !seen.contains("X-Gateway: inner.example"), "{seen}");
}

/// What whoever answers has to say is said by a number alone.
#[test]
fn no_text_of_an_answer() {
    let settings = settings();
    let response = "SIP/2.0 503 no route on inner.example\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK9\r\n\
        From: <sip:own@pbx.example>;tag=1\r\nTo: <sip:+2@inner.example;x=inner.example>;tag=2\r\n\
        Call-ID: wx\r\nReason: x y\r\nRetry-After: inner.example\r\nContent-Length: 0\r\n\r\n";
    let seen = text(&Veil::new(&settings, 0).unwrap().response(response.into()).unwrap());
    assert!(seen.starts_with("SIP/2.0 503 Service Unavailable\r\n"), "{seen}");
    assert!(
        seen.contains("From: <sip:own@pbx.example>;tag=1\r\nTo: <sip:+2@203.0.113.5:5060>;tag=2\r\n"),
        "{seen}"
    );
    assert!(!seen.contains("inner.example") && !seen.contains("Reason"), "{seen}");
}

/// Of a call that came round through us all that stands below what was just pushed comes back in its place.
#[test]
fn ours_of_an_earlier_round() {
    let settings = settings();
    let ours = ["<sip:203.0.113.5:5060;lr;w=x>", "<sip:203.0.113.5:5060;lr>"];
    let below = ["<sip:192.0.2.20;lr>", "<sip:203.0.113.5:5060;lr;w=y>", "<sip:192.0.2.10;lr>"];
    let (_, rest) = REQUEST.split_once("Record-Route: ").unwrap();
    let (_, rest) = rest.split_once("inner.example;lr>\r\n").unwrap();
    for pushed in 1..=2 {
        let routes = [&ours[..pushed], &below[..]].concat();
        let (start, _) = REQUEST.split_once("Record-Route: ").unwrap();
        let request = format!("{start}Record-Route: {}\r\n{rest}", routes.join(", "));
        let hidden = parsed(veil(&settings).request(request.into()).unwrap());
        let seen: Vec<_> = hidden.list(HeaderId::RecordRoute).map(text).collect();
        assert_eq!(seen, &ours[..pushed]);
        let via = text(hidden.list(HeaderId::Via).next().unwrap());
        let response = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nCall-ID: wx\r\nTo: <sip:a@b>;tag=2\r\nRecord-Route: {}\r\n\r\n",
            seen.join(", ")
        );
        let response = parsed(response);
        let back = restored(&settings, &response).unwrap();
        assert_eq!(back.whole.list(HeaderId::RecordRoute).map(text).collect::<Vec<_>>(), routes);
    }
}

/// A message with one value of a header cut short, in every way.
fn cut_values(message: &str) -> Vec<String> {
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = head.split("\r\n").collect();
    let mut cut = Vec::new();
    // The first Via is our own.
    for at in 2..lines.len() {
        let (name, value) = lines[at].split_once(": ").unwrap();
        for end in 0..value.len() {
            let short = format!("{name}: {}", value.get(..end).unwrap());
            let lines = [&lines[..at], &[short.as_str()], &lines[at + 1..]].concat();
            cut.push(format!("{}\r\n\r\n{body}", lines.join("\r\n")));
        }
    }
    cut
}

/// A value that is cut short does no harm, and shows no more.
#[test]
fn cut_short_at_every_octet() {
    let settings = settings();
    let veil = veil(&settings);
    let mut written = 0;
    for cut in cut_values(REQUEST) {
        let Some(hidden) = veil.request(cut.clone().into()) else { continue };
        written += 1;
        let seen = text(&hidden);
        assert!(!TELLING.iter().any(|telling| seen.contains(telling)), "{cut}\n{seen}");
    }
    assert!(written > 300, "{written}");
    let hidden = text(&veil.request(Bytes::from_static(REQUEST.as_bytes())).unwrap());
    let response = hidden.replacen(hidden.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
    for message in [&hidden, &response] {
        for cut in cut_values(message) {
            let message = parsed(cut.clone());
            let _ = (restored(&settings, &message), target_of(&settings, &message, true));
            if let Some(hidden) = veil.response(cut.into()) {
                assert!(!TELLING.iter().any(|telling| text(&hidden).contains(telling)));
            }
        }
    }
    // The Via itself, of which all depends.
    let via = text(parsed(hidden).list(HeaderId::Via).next().unwrap());
    for end in 0..via.len() {
        let cut = response.replacen(&via, via.get(..end).unwrap(), 1);
        if let Ok(message) = Message::parse_datagram(cut.into(), &Limits::default()) {
            assert!(restored(&settings, &message).is_none(), "{end}");
        }
    }
}

#[test]
fn names_with_our_address() {
    let settings = settings();
    for (name, expected) in [
        ("\"A\" <sip:+1@192.0.2.10>;tag=1", Some("\"A\" <sip:+1@us:1>;tag=1")),
        ("<sips:+1:p@[2001:db8::1]:5061;x=y?h=1>;tag=1", Some("<sips:+1@us:1>;tag=1")),
        (
            "<sip:+1;npdi;rn=+2;phone-context=pbx.example;tgrp=T;trunk-context=h@h;user=phone;maddr=h>\
             ;tag=1;epid=h",
            Some("<sip:+1;npdi;rn=+2@us:1;user=phone>;tag=1"),
        ),
        ("<sip:1;phone-context=+49@h>;tag=1", Some("<sip:1;phone-context=+49@us:1>;tag=1")),
        ("<sip:+1;tgrp=h@203.0.113.5>;tag=1", Some("<sip:+1@203.0.113.5>;tag=1")),
        ("<tel:1;phone-context=h;ext=3>;tag=1", Some("<tel:1;ext=3>;tag=1")),
        (
            "<sip:1@h?Reason=SIP%3Bcause%3D302%3btext%3Dh&Referred-By=h&Privacy=none>;index=1.1;h=h",
            Some("<sip:1@us:1?Reason=SIP%3Bcause%3D302&Privacy=none>;index=1.1"),
        ),
        ("sip:+1;phone-context=h@192.0.2.10;tag=1", Some("<sip:unknown@us:1>;tag=1")),
        ("sip:192.0.2.10:5060;tag=1", Some("sip:us:1;tag=1")),
        ("<sip:+1@\r\n 192.0.2.10>", None),
        ("<sip:+1@203.0.113.5>;tag=1", None),
        ("<sip:anonymous@Anonymous.INVALID>;tag=1", None),
        ("<tel:+1>;tag=1", None),
        ("<mailto:a@b>;tag=1", Some("<sip:unknown@us:1>;tag=1")),
        ("", None),
    ] {
        let with = with_host(&settings, name.as_bytes(), "us:1");
        assert_eq!(with.as_deref().map(text).as_deref(), expected, "{name}");
    }
}

/// Whichever Call-ID of a call a message has, the call is the same, whoever asks and by which key.
#[test]
fn one_call_one_name() {
    let (before, both) = (Keys::new(OLD, None), Keys::new(NEW, Some(OLD)));
    let long = b"9".repeat(97);
    for call_id in [CALL_ID, b"w", b"", b"wAAAA", &long[..96], long.as_slice()] {
        let shown = sealed(&before, call_id, None);
        assert_eq!(sealed(&both, call_id, Some(3)), shown, "the key of its dialog");
        assert_ne!(sealed(&both, call_id, None), shown);
        assert_eq!(call_name(&both, &shown), call_name(&before, call_id));
        assert_eq!(callers(&both, &shown), (call_id.len() <= 96).then(|| call_id.to_vec()));
        assert_eq!(callers(&both, call_id), None);
        // Round again, hidden each time.
        let twice = sealed(&both, &shown, None);
        assert_eq!(call_name(&both, &twice), call_name(&before, call_id));
        let later = Keys::new(Secret { number: 5, key: [9; 16] }, Some(NEW));
        assert_eq!(callers(&later, &shown), None, "its key is gone");
        assert_eq!(key_number(&shown[1..]), Some(3));
    }
    assert_eq!(call_name(&both, CALL_ID), CALL_ID);
    let settings = settings();
    let shown = sealed(&settings.cookies, CALL_ID, None);
    assert_eq!(settings.worker_of_call(&shown), settings.worker_of_call(CALL_ID));
}

/// A request names its own call as the other side knows it, and no other one.
#[test]
fn calls_that_a_request_names() {
    let ids: Ids<'_> = (b"own@a", b"wother");
    let to_own = "Refer-To: <sip:a@b?Replaces=own%40a%3Bto-tag%3D1>";
    let to_other = "Refer-To: <sip:a@b?Replaces=more%40a%3Bto-tag%3D1>";
    for (line, within, begins) in [
        ("Replaces: own@a;to-tag=1", Some("Replaces: wother;to-tag=1\r\n"), Some("")),
        ("Replaces: more@a;to-tag=1", Some(""), Some("")),
        ("Target-Dialog: own@a ;local-tag=1", Some("Target-Dialog: wother ;local-tag=1\r\n"), Some("")),
        ("Target-Dialog: wother;local-tag=1", Some(""), Some("")),
        ("Join: own@a\r\nJoin: more@a", Some(""), Some("")),
        (to_own, Some("Refer-To: <sip:a@b?Replaces=wother%3Bto-tag%3D1>\r\n"), Some("")),
        (to_other, None, Some("")),
        ("Refer-To: <sip:a@b>", Some("Refer-To: <sip:a@b>\r\n"), Some("Refer-To: <sip:a@b>\r\n")),
    ] {
        let message = parsed(format!("INFO sip:a@b SIP/2.0\r\nCall-ID: own@a\r\n{line}\r\n\r\n"));
        for (ids, expected) in [(Some(ids), within), (None, begins)] {
            let mut edits = Edits::new(&message);
            let named = name_calls(&mut edits, ids).map(|()| text(&written(&edits)));
            let expected =
                expected.map(|lines| format!("INFO sip:a@b SIP/2.0\r\nCall-ID: own@a\r\n{lines}\r\n"));
            assert_eq!(named, expected, "{line}");
        }
    }
}

/// What is longer than any sealed Call-ID is not looked at, whoever sealed it.
#[test]
fn long_call_ids_are_nothing() {
    let keys = Keys::new(OLD, None);
    let longest = sealed(&keys, &[b'9'; 96], None);
    assert_eq!((longest.len(), callers(&keys, &longest).is_some()), (152, true));
    let longer = [b"w", keys.seal_text(Kind::CallId, b"", &[b'9'; 100], None).as_slice()].concat();
    assert_eq!(callers(&keys, &longer), None);
    assert_eq!(key_number(&longer[1..]), Some(3), "it is a text of ours");
}

proptest! {
    #[test]
    fn a_call_id_is_short_and_a_word(call_id in vec(any::<u8>(), 0..300)) {
        let keys = Keys::new(OLD, None);
        let shown = sealed(&keys, &call_id, None);
        prop_assert!(shown.len() <= 153 && shown.starts_with(b"w"));
        prop_assert!(shown.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(octet)));
        prop_assert_eq!(call_name(&keys, &shown), call_name(&keys, &call_id));
        prop_assert_eq!(callers(&keys, &shown), (call_id.len() <= 96).then_some(call_id));
    }

    #[test]
    fn a_changed_call_id_is_another_one(at in 0_usize..75, octet: u8) {
        let keys = Keys::new(OLD, None);
        let mut shown = sealed(&keys, CALL_ID, None);
        prop_assume!(shown[at] != octet);
        shown[at] = octet;
        prop_assert_eq!(callers(&keys, &shown), None);
        prop_assert_eq!(call_name(&keys, &shown).into_owned(), shown.into_vec());
    }
}
