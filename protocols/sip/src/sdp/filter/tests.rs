use proptest::prelude::*;

use super::*;
use crate::sdp::tests::{FEEDBACK, GATEWAY, LF_LINES, NO_LAST_END, RFC4317_OFFER, RFC8866, SAMPLES, T38};

/// What is replaced by what.
type Replaced<'a> = &'a [(&'a str, &'a str)];
type Rule = CodecRule<'static, &'static str>;

/// What a filter writes, behind what was there before; `Err` where it writes nothing.
fn filtered(octets: &[u8], rule: &Rule) -> Result<String, Filtered> {
    let mut out = BytesMut::from(&b"before"[..]);
    let filtered = Sdp::parse(octets).unwrap().filter_codecs(rule, &mut out);
    let written = out.strip_prefix(b"before").unwrap();
    if filtered == Filtered::Changed {
        return Ok(String::from_utf8(written.to_vec()).unwrap());
    }
    assert_eq!(written, b"");
    Err(filtered)
}

/// `octets` with parts replaced.
fn with(octets: &[u8], parts: &[(&str, &str)]) -> String {
    let text = String::from_utf8(octets.to_vec()).unwrap();
    parts.iter().fold(text, |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replacen(old, new, 1)
    })
}

const ALL: Rule = CodecRule { allowed: &[], denied: &[], order: &[] };

#[test]
fn codecs_go_with_their_lines() {
    let g729 = [("8 0 18 101", "8 0 101"), ("a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n", "")];
    let pcma = [("8 0 18 101", "8 101"), ("a=rtpmap:0 PCMU/8000\r\n", ""), g729[1]];
    let plain = [
        ("8 0 18 101 13", "0"),
        ("a=rtpmap:8 PCMA/8000\r\n", ""),
        g729[1],
        ("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n", ""),
    ];
    let speex = [
        ("96 97 98", "97 98"),
        ("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtcp-fb:96 nack\r\n", ""),
    ];
    let ilbc = [("0 8 97", "97"), ("a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n", "")];
    let table: [(&[u8], Rule, Replaced<'_>); 6] = [
        (GATEWAY, CodecRule { denied: &["g729"], ..ALL }, &g729),
        (GATEWAY, CodecRule { allowed: &["PCMA"], ..ALL }, &pcma),
        (GATEWAY, CodecRule { allowed: &["pcmu"], denied: &["CN", "Telephone-Event"], ..ALL }, &plain),
        (FEEDBACK, CodecRule { allowed: &["speex"], ..ALL }, &speex),
        (RFC4317_OFFER, CodecRule { allowed: &["iLBC"], ..ALL }, &ilbc),
        // The last line has no end, and leaves the one before as it was.
        (
            NO_LAST_END,
            CodecRule { denied: &["G729"], ..ALL },
            &[("0 18", "0"), ("a=rtpmap:18 G729/8000", "")],
        ),
    ];
    for (octets, rule, parts) in table {
        assert_eq!(filtered(octets, &rule).as_deref(), Ok(with(octets, parts).as_str()), "{rule:?}");
    }
}

#[test]
fn preferred_codecs_come_first() {
    let table: [(&[u8], Rule, Replaced<'_>); 4] = [
        (GATEWAY, CodecRule { order: &["G729", "PCMU"], ..ALL }, &[("8 0 18 101 13", "18 0 8 101 13")]),
        (
            GATEWAY,
            CodecRule { order: &["opus", "telephone-event"], ..ALL },
            &[("8 0 18 101 13", "101 8 0 18 13")],
        ),
        (LF_LINES, CodecRule { order: &["PCMU"], ..ALL }, &[("8 0", "0 8")]),
        (
            NO_LAST_END,
            CodecRule { allowed: &["G729"], order: &["G729", "PCMU"], ..ALL },
            &[("AVP 0 18", "AVP 18")],
        ),
    ];
    for (octets, rule, parts) in table {
        assert_eq!(filtered(octets, &rule).as_deref(), Ok(with(octets, parts).as_str()), "{rule:?}");
    }
}

#[test]
fn what_needs_no_change_is_not_written() {
    let table: [(&[u8], Rule); 6] = [
        (GATEWAY, ALL),
        (GATEWAY, CodecRule { denied: &["opus"], order: &["PCMA", "PCMU"], ..ALL }),
        (GATEWAY, CodecRule { allowed: &["PCMA", "PCMU", "G729"], ..ALL }),
        // Video is not asked, nor is a section that is rejected, nor fax.
        (FEEDBACK, CodecRule { denied: &["VP8"], ..ALL }),
        (T38, CodecRule { allowed: &["G729"], ..ALL }),
        (b"v=0\r\nm=audio 4000 RTP/AVP\r\na=rtpmap:0 PCMU/8000\r\n", CodecRule { allowed: &["G729"], ..ALL }),
    ];
    for (octets, rule) in table {
        assert_eq!(filtered(octets, &rule), Err(Filtered::Unchanged), "{rule:?}");
    }
}

#[test]
fn a_section_without_a_codec_is_told() {
    let table: [(&[u8], Rule); 5] = [
        (GATEWAY, CodecRule { allowed: &["opus"], ..ALL }),
        // Events alone are no call.
        (GATEWAY, CodecRule { denied: &["PCMA", "PCMU", "G729"], ..ALL }),
        (RFC8866, CodecRule { denied: &["PCMU"], ..ALL }),
        // The first section would change, the second one has none left.
        (b"v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=audio 2 RTP/AVP 8\r\n", CodecRule { denied: &["PCMA"], ..ALL }),
        // What is not known to be of a codec that is allowed, is not.
        (b"v=0\r\nm=audio 1 RTP/AVP 96 x 200\r\n", CodecRule { allowed: &["PCMA"], ..ALL }),
    ];
    for (octets, rule) in table {
        assert_eq!(filtered(octets, &rule), Err(Filtered::NothingLeft), "{rule:?}");
    }
}

/// A section of events alone came that way (RFC 4317, 2.4), and may stay.
#[test]
fn events_may_have_a_section_of_their_own() {
    let octets = crate::sdp::tests::RFC4317_EVENTS;
    assert_eq!(filtered(octets, &CodecRule { allowed: &["iLBC"], ..ALL }), Err(Filtered::Unchanged));
    let denied = CodecRule { denied: &["telephone-event"], ..ALL };
    assert_eq!(filtered(octets, &denied), Err(Filtered::NothingLeft));
}

/// What a format is of, each section says for itself.
#[test]
fn sections_do_not_share_formats() {
    let first = "v=0\nm=audio 1 RTP/AVP 96 0\na=rtpmap:96 iLBC/8000\n";
    let second = "m=audio 2 RTP/AVP 96 0\na=rtpmap:96 opus/48000\na=x";
    let octets = [first, second].concat().into_bytes();
    let found = filtered(&octets, &CodecRule { denied: &["iLBC"], ..ALL });
    assert_eq!(found, Ok(["v=0\nm=audio 1 RTP/AVP 0\n", second].concat()));
}

/// Cut anywhere, a filter takes whole lines and writes no octet that is not there (CVE-2023-27600,
/// CVE-2023-27601).
#[test]
fn filters_hold_where_descriptions_are_cut() {
    let rules = [
        ALL,
        CodecRule { denied: &["PCMU", "G729", "iLBC"], ..ALL },
        CodecRule { allowed: &["PCMU"], ..ALL },
    ];
    for sample in SAMPLES {
        for end in 0..sample.len() {
            for rule in &rules {
                let Ok(sdp) = Sdp::parse(&sample[..end]) else { continue };
                let mut out = BytesMut::new();
                let changed = sdp.filter_codecs(rule, &mut out) == Filtered::Changed;
                assert!(out.len() < end.max(1) && changed != out.is_empty());
            }
        }
    }
}

/// Codecs by payload type, dynamic ones among them.
const CODECS: [(u8, &str); 7] = [
    (0, "PCMU"),
    (8, "PCMA"),
    (18, "G729"),
    (96, "iLBC"),
    (97, "opus"),
    (101, "telephone-event"),
    (13, "CN"),
];

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    let names: Vec<&str> = CODECS.iter().map(|(_, name)| *name).collect();
    prop::collection::vec(prop::sample::select(names), 0..4)
}

/// Lines of a section, which of its formats they are of, and whether they are in the description.
fn lines_of(formats: &[(u8, &str)], end: &str) -> Vec<(Option<u8>, String)> {
    let mut lines = vec![(None, format!("c=IN IP4 192.0.2.1{end}"))];
    for &(payload_type, name) in formats {
        lines.push((Some(payload_type), format!("a=rtpmap:{payload_type} {name}/8000{end}")));
        lines.push((None, format!("a=x-{payload_type}:{payload_type} 1{end}")));
        lines.push((Some(payload_type), format!("a=fmtp:{payload_type} x=1;y=2{end}")));
    }
    lines.push((None, format!("a=rtcp-fb:* nack{end}")));
    lines
}

proptest! {
    /// Every octet outside the lines of formats that go is the same and in its place; those that stay are the
    /// ones that the rule keeps, in its order.
    #[test]
    fn nothing_else_changes(
        formats in prop::sample::subsequence(CODECS.to_vec(), 1..=7).prop_shuffle(),
        allowed in names(), denied in names(), order in names(),
        lf in any::<bool>(), last_end in any::<bool>(),
    ) {
        let end = if lf { "\n" } else { "\r\n" };
        let lines = lines_of(&formats, end);
        let build = |stays: &[(u8, &str)]| {
            let types: Vec<String> = stays.iter().map(|(payload_type, _)| payload_type.to_string()).collect();
            let is_there = |of: &Option<u8>| of.is_none_or(|of| stays.iter().any(|(stays, _)| *stays == of));
            let lines = lines.iter().filter(|(of, _)| is_there(of)).map(|(_, line)| line.as_str());
            let lines = lines.collect::<String>();
            let audio = format!("v=0{end}m=audio 4000 RTP/AVP {}  {end}{lines}", types.join(" "));
            let text = format!("{audio}m=video 4002 RTP/AVP 0{end}a=rtpmap:0 PCMU/8000{end}");
            if last_end { text } else { text.trim_end().to_owned() }
        };
        let is_auxiliary = |name: &str| matches!(name, "telephone-event" | "CN");
        let keeps = |name: &str| {
            !denied.contains(&name) && (allowed.is_empty() || is_auxiliary(name) || allowed.contains(&name))
        };
        let mut stays = formats.clone();
        stays.retain(|(_, name)| keeps(name));
        stays.sort_by_key(|(_, name)| order.iter().position(|one| one == name).unwrap_or(order.len()));
        let is_sound = |formats: &[(u8, &str)]| formats.iter().any(|(_, name)| !is_auxiliary(name));
        let nothing = stays.is_empty() || is_sound(&formats) && !is_sound(&stays);
        let rule = CodecRule { allowed: &allowed, denied: &denied, order: &order };
        let before = build(&formats);
        let mut out = BytesMut::new();
        let found = Sdp::parse(before.as_bytes()).unwrap().filter_codecs(&rule, &mut out);
        let expected = match found {
            Filtered::NothingLeft => {
                prop_assert!(nothing);
                String::new()
            }
            Filtered::Unchanged => {
                prop_assert_eq!(&stays, &formats);
                String::new()
            }
            Filtered::Changed => {
                prop_assert_ne!(&stays, &formats);
                build(&stays)
            }
        };
        prop_assert!(found == Filtered::NothingLeft || !nothing);
        prop_assert_eq!(out, expected.as_bytes());
    }
}
