use ng::Request;
use ng::command::Name as Word;
use proptest::prelude::*;
use runtime::model::T38;

use super::*;
use crate::sip::testing::dialog;

fn profile() -> MediaProfile {
    MediaProfile { t38: T38::Pass, ..MediaProfile::default() }
}

fn described<'a>(sender: &'a MediaProfile, receiver: &'a MediaProfile) -> Description<'a> {
    Description {
        name: Name { owner: 7, dialog: Uuid::from_u128(1) },
        branch: b"z9hG4bK1",
        offers: End::Caller,
        offerer: b"from",
        answerer: None,
        sdp: b"v=0\r\n",
        sender,
        receiver,
    }
}

/// What the dictionary of a command has, as text.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn a_name_is_read_back_and_another_is_not() {
    let name = Name { owner: 65_535, dialog: Uuid::from_u128(u128::MAX) };
    assert_eq!(Name::parse(name.to_string().as_bytes()), Some(name));
    for other in [
        "",
        "warp-",
        "warp-1",
        "warp-x-00000000-0000-0000-0000-000000000001",
        "a84b4c76e66710@pc33",
        "warp-7-z",
    ] {
        assert_eq!(Name::parse(other.as_bytes()), None, "{other}");
    }
}

/// It is kept for thousands of calls.
#[test]
fn a_question_takes_no_more_room_than_it_has_octets() {
    let name = Name { owner: 65_535, dialog: Uuid::from_u128(1) };
    let octets = query(name);
    let request = Request::parse(&octets).unwrap();
    assert_eq!(request.name, Some(Word::Query));
    assert_eq!(request.call_id(), Some(&b"warp-65535-00000000-0000-0000-0000-000000000001"[..]));
    assert_eq!(query(name).try_into_mut().unwrap().capacity(), octets.len());
}

#[test]
fn an_offer_as_a_rule() {
    let profile = profile();
    let octets = offer(&described(&profile, &profile));
    let request = Request::parse(&octets).unwrap();
    assert_eq!(request.name, Some(Word::Offer));
    assert_eq!(request.call_id(), Some(&b"warp-7-00000000-0000-0000-0000-000000000001"[..]));
    assert_eq!((request.from_tag(), request.to_tag()), (Some(&b"a-from"[..]), None));
    assert_eq!((request.via_branch(), request.sdp()), (Some(&b"z9hG4bK1"[..]), Some(&b"v=0\r\n"[..])));
    let expected =
        [("flags", "asymmetric"), ("flags", "strict-source"), ("replace", "origin"), ("rtcp-mux", "demux")];
    for (list, word) in expected {
        assert!(request.lists(list, word), "{list}: {word} in {}", text(&octets));
    }
    for part in ["18:transport protocol7:RTP/AVP", "3:ICE6:remove", "4:DTLS3:off"] {
        assert!(text(&octets).contains(part), "{part} in {}", text(&octets));
    }
    for absent in ["codec", "record", "direction", "ptime", "endpoint-learning"] {
        assert!(!text(&octets).contains(absent), "{absent} in {}", text(&octets));
    }
}

/// Each setting, whose it is, and what it makes of an offer.
#[test]
fn what_a_profile_changes() {
    let plain = profile();
    let codecs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let sender = |profile: MediaProfile| (profile, plain.clone());
    let receiver = |profile: MediaProfile| (plain.clone(), profile);
    let both = |one: &[&str], other: &[&str]| {
        (
            MediaProfile { codecs: codecs(one), ..profile() },
            MediaProfile { codecs: codecs(other), ..profile() },
        )
    };
    let ms = std::time::Duration::from_millis;
    let table = [
        (
            sender(MediaProfile { learning: model::EndpointLearning::Heuristic, ..profile() }),
            "17:endpoint-learningl9:heuristice",
        ),
        (sender(MediaProfile { learning: model::EndpointLearning::Off, ..profile() }), "10:asymmetric"),
        (
            receiver(MediaProfile { security: MediaSecurity::Srtp, ..profile() }),
            "18:transport protocol8:RTP/SAVP",
        ),
        (
            receiver(MediaProfile { codecs: codecs(&["PCMA", "G729"]), ..profile() }),
            "5:codecd5:stripl3:alle5:offerl4:PCMA4:G72915:telephone-event2:CNee",
        ),
        (
            sender(MediaProfile { codecs: codecs(&["PCMA"]), ..profile() }),
            "5:codecd5:stripl3:alle5:offerl4:PCMA15:telephone-event2:CNee",
        ),
        (both(&["PCMU", "PCMA"], &["PCMA", "G729"]), "5:offerl4:PCMA15:telephone-event2:CNe"),
        (receiver(MediaProfile { transcode: codecs(&["PCMA"]), ..profile() }), "9:transcodel4:PCMAe"),
        (
            receiver(MediaProfile { dtmf: Dtmf::TelephoneEvent, ..profile() }),
            "9:transcodel15:telephone-evente",
        ),
        (receiver(MediaProfile { dtmf: Dtmf::Inband, ..profile() }), "4:maskl15:telephone-evente"),
        (receiver(MediaProfile { ptime: ms(30), ..profile() }), "5:ptimei30e"),
        (sender(MediaProfile { ptime: ms(20), ..profile() }), "13:ptime-reversei20e"),
        (
            sender(MediaProfile { interface: "inside".to_owned(), ..profile() }),
            "9:directionl6:inside7:defaulte",
        ),
        (
            receiver(MediaProfile { interface: "outside".to_owned(), ..profile() }),
            "9:directionl7:default7:outsidee",
        ),
        (sender(MediaProfile { recording: true, ..profile() }), "11:record call3:yes"),
        (
            receiver(MediaProfile { recording: true, recording_retention: ms(90_000), ..profile() }),
            "|retention:90",
        ),
    ];
    for ((sender, receiver), part) in table {
        let octets = text(&offer(&described(&sender, &receiver)));
        assert!(octets.contains(part), "{part} in {octets}");
    }
    let unlimited = MediaProfile { recording: true, ..profile() };
    let limited = MediaProfile { recording: true, recording_retention: ms(5_000), ..profile() };
    assert!(text(&offer(&described(&unlimited, &limited))).contains("|retention:0"), "one keeps it for ever");
}

/// Of what is taken out a node takes nothing: what it transcodes from, and digits that become tones, are masked.
#[test]
fn what_is_transcoded_from_is_masked() {
    let pcma = || MediaProfile { codecs: vec!["PCMA".to_owned()], ..profile() };
    let table = [
        (
            MediaProfile { dtmf: Dtmf::Inband, ..profile() },
            "5:codecd4:maskl15:telephone-evente6:acceptl15:telephone-eventee",
        ),
        (
            MediaProfile { transcode: vec!["PCMA".to_owned()], ..pcma() },
            "5:codecd5:offerl4:PCMA15:telephone-event2:CNe4:maskl3:alle9:transcodel4:PCMAee",
        ),
        (
            MediaProfile { dtmf: Dtmf::Inband, ..pcma() },
            "5:codecd5:offerl4:PCMA2:CNe4:maskl3:alle6:acceptl15:telephone-eventee",
        ),
        (
            MediaProfile { dtmf: Dtmf::TelephoneEvent, ..pcma() },
            "5:codecd5:offerl4:PCMA15:telephone-event2:CNe4:maskl3:alle9:transcodel15:telephone-eventee",
        ),
    ];
    for (receiver, part) in table {
        let octets = text(&offer(&described(&profile(), &receiver)));
        assert!(octets.contains(part), "{part} in {octets}");
    }
}

/// Who may offer PCMU only offers no more by transcoding.
#[test]
fn what_is_transcoded_is_what_its_sender_may_have() {
    let names = |name: &str| vec![name.to_owned()];
    let sender = MediaProfile { codecs: names("pcmu"), ..profile() };
    let receiver = MediaProfile { codecs: names("PCMA"), transcode: names("PCMA"), ..profile() };
    let sdp = |formats: &str, g729: &str| {
        format!("v=0\r\nm=audio 4000 RTP/AVP {formats}\r\n{g729}a=rtpmap:101 telephone-event/8000\r\n")
    };
    let mapped = "a=rtpmap:18 G729/8000\r\n";
    for (sent, expected) in [
        (sdp("18 0 101", mapped), sdp("0 101", "")),
        (sdp("0 101", ""), sdp("0 101", "")),
        // Nothing is left, and what is not read is nobody's to change.
        (sdp("18 101", mapped), sdp("18 101", mapped)),
        ("m=audio".to_owned(), "m=audio".to_owned()),
    ] {
        let octets = offer(&Description { sdp: sent.as_bytes(), ..described(&sender, &receiver) });
        assert_eq!(text(Request::parse(&octets).unwrap().sdp().unwrap()), expected);
    }
}

/// In the order of who gets them; each list that names nothing takes all.
#[test]
fn codecs_that_both_sides_take() {
    type Codecs = &'static [&'static str];
    let table: [(Codecs, Codecs, Option<Codecs>); 6] = [
        (&[], &[], None),
        (&["PCMU", "PCMA"], &[], Some(&["PCMU", "PCMA"])),
        (&[], &["PCMA", "PCMU"], Some(&["PCMA", "PCMU"])),
        (&["PCMU", "G729", "pcma"], &["PCMA", "PCMU", "opus"], Some(&["PCMA", "PCMU"])),
        (&["PCMU"], &["PCMA"], Some(&[])),
        (&["G729"], &["G729"], Some(&["G729"])),
    ];
    let profile_of = |codecs: &[&str]| MediaProfile {
        codecs: codecs.iter().map(|codec| (*codec).to_owned()).collect(),
        ..profile()
    };
    for (sender, receiver, expected) in table {
        let (sender, receiver) = (profile_of(sender), profile_of(receiver));
        assert_eq!(agreed(&sender, &receiver).as_deref(), expected);
    }
}

#[test]
fn an_answer_says_nothing_of_codecs() {
    let sender = MediaProfile { codecs: vec!["PCMA".to_owned()], strict_source: false, ..profile() };
    let receiver = profile();
    let octets = answer(&Description { answerer: Some(b"to"), ..described(&sender, &receiver) });
    let request = Request::parse(&octets).unwrap();
    assert_eq!((request.name, request.to_tag()), (Some(Word::Answer), Some(&b"b-to"[..])));
    assert!(request.lists("flags", "asymmetric") && !request.lists("flags", "strict-source"));
    assert!(!text(&octets).contains("codec") && !text(&octets).contains("transport"));
}

#[test]
fn deletions_are_at_once_and_of_what_they_say() {
    let name = Name { owner: 1, dialog: Uuid::nil() };
    for (octets, from_tag, branch) in [
        (delete(name, b"b1"), Some(&b"b1"[..]), Some(&b"b1"[..])),
        (delete_call(name, &dialog("callee")), Some(&b"a-from-a"[..]), None),
        (delete_all(name), None, None),
    ] {
        let request = Request::parse(&octets).unwrap();
        assert_eq!(
            (request.name, request.from_tag(), request.via_branch()),
            (Some(Word::Delete), from_tag, branch)
        );
        assert_eq!(request.to_tag(), None);
        assert!(text(&octets).contains("12:delete delayi0e"));
    }
}

proptest! {
    #[test]
    fn whatever_peers_write_is_one_dictionary(from: Vec<u8>, to: Vec<u8>, sdp: Vec<u8>) {
        let profile = profile();
        let described = Description { offerer: &from, answerer: Some(&to), sdp: &sdp, ..described(&profile, &profile) };
        for octets in [offer(&described), answer(&described)] {
            let request = Request::parse(&octets).unwrap();
            prop_assert_eq!(request.sdp(), Some(&sdp[..]));
            prop_assert_eq!(request.call_id(), Some(&b"warp-7-00000000-0000-0000-0000-000000000001"[..]));
        }
    }
}
