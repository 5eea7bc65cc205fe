use std::net::IpAddr;

use super::*;

pub(super) const RFC8866: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc8866");
pub(super) const RFC3264_OFFER: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc3264_offer");
pub(super) const RFC3264_ANSWER: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc3264_answer");
pub(super) const RFC4317_OFFER: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc4317_offer");
pub(super) const RFC4317_EVENTS: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc4317_events");
pub(super) const RFC4317_HOLD: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc4317_hold");
pub(super) const RFC4568: &[u8] = include_bytes!("../../fuzz/corpus/sdp/rfc4568_srtp");
pub(super) const T38: &[u8] = include_bytes!("../../fuzz/corpus/sdp/t38");
pub(super) const GATEWAY: &[u8] = include_bytes!("../../fuzz/corpus/sdp/gateway");
pub(super) const FEEDBACK: &[u8] = include_bytes!("../../fuzz/corpus/sdp/feedback");
pub(super) const LF_LINES: &[u8] = include_bytes!("../../fuzz/corpus/sdp/lf_lines");
pub(super) const NO_LAST_END: &[u8] = include_bytes!("../../fuzz/corpus/sdp/no_last_end");

/// All that are well formed.
pub(super) const SAMPLES: [&[u8]; 12] = [
    RFC8866,
    RFC3264_OFFER,
    RFC3264_ANSWER,
    RFC4317_OFFER,
    RFC4317_EVENTS,
    RFC4317_HOLD,
    RFC4568,
    T38,
    GATEWAY,
    FEEDBACK,
    LF_LINES,
    NO_LAST_END,
];

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

/// Kind, port, ports, protocol and formats.
type Section<'a> = (MediaKind, u16, u16, &'a str, Vec<&'a str>);

fn section<'a>(media: &Media<'a>) -> Section<'a> {
    (media.kind, media.port, media.ports, text(media.protocol), media.formats().map(text).collect())
}

fn sections<'a>(sdp: &Sdp<'a>) -> Vec<Section<'a>> {
    sdp.media().iter().map(section).collect()
}

#[test]
fn sections_of_the_rfcs_are_read() {
    use MediaKind::{Audio, Image, Video};
    let avp = "RTP/AVP";
    let table: [(&[u8], Vec<Section<'_>>); 8] = [
        (
            RFC8866,
            vec![
                (Audio, 49_170, 1, avp, vec!["0"]),
                (Audio, 49_180, 1, avp, vec!["0"]),
                (Video, 51_372, 1, avp, vec!["99"]),
            ],
        ),
        (
            RFC3264_ANSWER,
            vec![
                (Audio, 49_920, 1, avp, vec!["0"]),
                (Video, 0, 1, avp, vec!["31"]),
                (Video, 53_000, 1, avp, vec!["32"]),
            ],
        ),
        (
            RFC4317_OFFER,
            vec![(Audio, 49_170, 1, avp, vec!["0", "8", "97"]), (Video, 51_372, 1, avp, vec!["31", "32"])],
        ),
        (RFC4568, vec![(Audio, 49_170, 1, "RTP/SAVP", vec!["0"])]),
        (T38, vec![(Audio, 0, 1, avp, vec!["8"]), (Image, 4_010, 1, "udptl", vec!["t38"])]),
        (
            FEEDBACK,
            vec![
                (Audio, 4_000, 2, "RTP/AVPF", vec!["96", "97", "98"]),
                (Video, 4_010, 1, "RTP/SAVPF", vec!["99"]),
            ],
        ),
        (LF_LINES, vec![(Audio, 4_000, 1, avp, vec!["8", "0"])]),
        (NO_LAST_END, vec![(Audio, 4_000, 1, avp, vec!["0", "18"])]),
    ];
    for (octets, expected) in table {
        assert_eq!(sections(&Sdp::parse(octets).unwrap()), expected, "{}", text(octets));
    }
}

#[test]
fn values_of_the_session_are_read() {
    let sdp = Sdp::parse(RFC8866).unwrap();
    let origin = sdp.origin().unwrap();
    assert_eq!((text(origin.username), text(origin.session_id)), ("jdoe", "3724394400"));
    assert_eq!((text(origin.version), text(origin.address)), ("3724394405", "198.51.100.1"));
    let address = |connection: Option<Connection<'_>>| connection.and_then(|connection| connection.ip());
    let (v4, v6): (IpAddr, IpAddr) = ("198.51.100.1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    assert_eq!(address(sdp.connection()), Some(v4));
    let found: Vec<_> = sdp.media().iter().map(|media| address(media.connection())).collect();
    assert_eq!(found, [Some(v4), Some(v4), Some(v6)]);
    assert_eq!(sdp.media()[2].connection().map(|connection| connection.family), Some(&b"IP6"[..]));
    let named = Sdp::parse(RFC3264_OFFER).unwrap().connection().unwrap();
    assert_eq!((named.address, named.ip()), (&b"host.anywhere.com"[..], None));
    let multicast = Sdp::parse(b"v=0\r\nc=IN IP4 224.2.36.42/127/3\r\n").unwrap().connection().unwrap();
    assert_eq!(text(multicast.address), "224.2.36.42");
}

#[test]
fn a_version_of_a_session_is_its_origin() {
    let table: [(&[u8], &[u8], bool); 5] = [
        (RFC4317_OFFER, RFC4317_EVENTS, true),
        (RFC4317_OFFER, RFC4317_HOLD, false),
        (b"v=0\r\no=- 1 1 IN IP4 a\r\ns=x\r\n", b"v=0\no=- 1 1 IN IP4 a", true),
        (b"v=0\r\no=- 1 1 IN IP4 a\r\n", b"v=0\r\no=- 1 2 IN IP4 a\r\n", false),
        (b"v=0\r\n", b"v=0\r\n", false),
    ];
    for (one, other, expected) in table {
        let (one, other) = (Sdp::parse(one).unwrap(), Sdp::parse(other).unwrap());
        assert_eq!(one.is_same_version(&other), expected, "{one:?}");
        assert_eq!(other.is_same_version(&one), expected, "{one:?}");
    }
}

/// One section of audio with these lines before and in it.
fn audio(before: &str, within: &str) -> Vec<u8> {
    format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{before}m=audio 4000 RTP/AVP 0\r\n{within}").into_bytes()
}

#[test]
fn directions_and_hold() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let table = [
        ("", "", SendRecv, false),
        ("", "a=sendrecv\r\n", SendRecv, false),
        ("", "a=recvonly\r\n", RecvOnly, false),
        ("", "a=sendonly", SendOnly, true),
        ("", "a=inactive\r\n", Inactive, true),
        ("a=sendonly\r\n", "", SendOnly, true),
        ("a=sendonly\r\n", "a=SendRecv \r\n", SendRecv, false),
        ("", "c=IN IP4 0.0.0.0\r\n", SendRecv, true),
        ("", "c=IN IP6 ::\r\n", SendRecv, true),
        ("", "a=sendonlyx\r\na=x:inactive\r\n", SendRecv, false),
    ];
    for (before, within, direction, hold) in table {
        let octets = audio(before, within);
        let sdp = Sdp::parse(&octets).unwrap();
        let media = &sdp.media()[0];
        assert_eq!((media.direction(), media.is_hold()), (direction, hold), "{before}{within}");
    }
    assert!(Sdp::parse(RFC4317_HOLD).unwrap().media()[0].is_hold());
    assert!(Sdp::parse(LF_LINES).unwrap().media()[0].is_hold());
}

#[test]
fn codecs_are_of_the_map_or_of_the_profile() {
    type Named = Option<(&'static str, u32, u16)>;
    let table: [(&str, &str, Named); 18] = [
        ("", "0", Some(("PCMU", 8_000, 1))),
        ("", "3", Some(("GSM", 8_000, 1))),
        ("", "4", Some(("G723", 8_000, 1))),
        ("", "8", Some(("PCMA", 8_000, 1))),
        ("", "9", Some(("G722", 8_000, 1))),
        ("", "10", Some(("L16", 44_100, 2))),
        ("", "13", Some(("CN", 8_000, 1))),
        ("", "18", Some(("G729", 8_000, 1))),
        ("", "34", Some(("H263", 90_000, 1))),
        ("", "96", None),
        ("", "300", None),
        ("", "x", None),
        ("a=rtpmap:97 iLBC/8000\r\n", "97", Some(("iLBC", 8_000, 1))),
        ("a=rtpmap:96 opus/48000/2\r\n", "96", Some(("opus", 48_000, 2))),
        ("a=rtpmap:0 Other/16000\r\na=rtpmap:0 PCMU/8000\r\n", "0", Some(("Other", 16_000, 1))),
        ("A=rtpmap:0 No/1\r\na=RTPMAP: 08  Wide / 16000 \r\n", "8", Some(("Wide", 16_000, 1))),
        ("a=rtpmap:0 PCMU\r\n", "0", None),
        ("a=rtpmap:00x PCMU/1\r\na=rtpmap:/8000\r\n", "0", Some(("PCMU", 8_000, 1))),
    ];
    for (lines, format, expected) in table {
        let octets = audio("", lines);
        let sdp = Sdp::parse(&octets).unwrap();
        let codec = sdp.media()[0].codec(format.as_bytes());
        let found = codec.map(|codec| (text(codec.name), codec.clock, codec.channels));
        assert_eq!(found, expected, "{lines}{format}");
    }
    let fax = Sdp::parse(T38).unwrap();
    assert_eq!(fax.media()[1].codec(b"0"), None, "no payload types but of RTP");
}

#[test]
fn packets_and_rtcp_are_read() {
    let sdp = Sdp::parse(GATEWAY).unwrap();
    let media = &sdp.media()[0];
    assert_eq!(media.ptime(), Some(20));
    let rtcp = media.rtcp().unwrap();
    assert_eq!((rtcp.port, rtcp.connection.and_then(|to| to.ip())), (18_460, "198.51.100.24".parse().ok()));
    let table = [
        ("a=rtcp:53020\r\n", Some((53_020, false))),
        ("a=rtcp:53020 IN IP6 2001:db8::2\r\n", Some((53_020, true))),
        ("a=rtcp:70000\r\n", None),
        ("a=rtcp-mux\r\n", None),
        ("a=rtcp:\r\n", None),
    ];
    for (lines, expected) in table {
        let octets = audio("a=ptime:30\r\na=rtcp:9\r\n", lines);
        let sdp = Sdp::parse(&octets).unwrap();
        let rtcp = sdp.media()[0].rtcp();
        assert_eq!(rtcp.map(|rtcp| (rtcp.port, rtcp.connection.is_some())), expected, "{lines}");
        assert_eq!(sdp.media()[0].ptime(), None, "it is a matter of each section");
    }
}

#[test]
fn what_media_are() {
    let table: [(&[u8], usize, [bool; 4]); 9] = [
        (RFC8866, 0, [false, true, false, false]),
        (RFC3264_ANSWER, 1, [true, true, false, false]),
        (T38, 0, [true, true, false, false]),
        (T38, 1, [false, false, true, false]),
        (RFC4568, 0, [false, true, false, true]),
        (FEEDBACK, 0, [false, true, false, false]),
        (FEEDBACK, 1, [false, true, false, true]),
        (b"v=0\na=fingerprint:sha-256 00\nm=audio 1 RTP/AVP 0", 0, [false, true, false, true]),
        (b"v=0\nm=image 1 UDP/TLS/UDPTL T38\n", 0, [false, false, true, true]),
    ];
    for (octets, place, expected) in table {
        let sdp = Sdp::parse(octets).unwrap();
        let media = &sdp.media()[place];
        let found = [media.is_rejected(), media.is_rtp(), media.is_t38(), media.is_secure()];
        assert_eq!(found, expected, "{}", text(octets));
    }
    let plain = audio("", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n");
    assert!(Sdp::parse(&plain).unwrap().media()[0].is_secure());
}

#[test]
fn what_cannot_be_read_is_refused() {
    let table: [(&[u8], SdpError); 15] = [
        (b"", SdpError::Version),
        (b"v", SdpError::Version),
        (b"\r\nv=0\r\n", SdpError::Version),
        (b"o=- 1 1 IN IP4 a\r\nv=0\r\n", SdpError::Version),
        (b"V=0\r\n", SdpError::Version),
        (b"v=0\rm=audio 1 RTP/AVP 0\r\n", SdpError::Control),
        (b"v=0\r\r\n", SdpError::Control),
        (b"v=0\r\ns=a\0b\r\n", SdpError::Control),
        (b"v=0\r\nm=\r\n", SdpError::Media),
        (b"v=0\r\nm=audio\r\n", SdpError::Media),
        (b"v=0\r\nm=audio 4000\r\n", SdpError::Media),
        (b"v=0\r\nm=audio x RTP/AVP 0\r\n", SdpError::Media),
        (b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", SdpError::Media),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", SdpError::Media),
        (b"v=0\r\nm=audio 4000/ RTP/AVP 0\r\n", SdpError::Media),
    ];
    for (octets, expected) in table {
        assert_eq!(Sdp::parse(octets).unwrap_err(), expected, "{}", octets.escape_ascii());
    }
}

#[test]
fn sizes_have_bounds() {
    let section = |formats: usize| format!("m=audio 1 RTP/AVP{}\r\n", " 0".repeat(formats));
    let table = [
        ("a\r\n".repeat(LINES_MAX - 1), true),
        ("a\r\n".repeat(LINES_MAX), false),
        (section(1).repeat(SECTIONS_MAX), true),
        (section(1).repeat(SECTIONS_MAX + 1), false),
        (section(FORMATS_MAX), true),
        (section(FORMATS_MAX + 1), false),
        ("x".repeat(OCTETS_MAX - 5), true),
        ("x".repeat(OCTETS_MAX - 4), false),
    ];
    for (rest, fits) in table {
        let octets = format!("v=0\r\n{rest}");
        let refused = Sdp::parse(octets.as_bytes()).err();
        assert_eq!(refused, (!fits).then_some(SdpError::TooLarge), "{} octets", octets.len());
    }
}

/// Cut anywhere, a description is read as far as it goes, or refused; half a line end changes nothing.
#[test]
fn descriptions_may_be_cut() {
    for sample in SAMPLES {
        for end in 0..sample.len() {
            let cut = &sample[..end];
            match Sdp::parse(cut) {
                Ok(sdp) => assert_eq!(sdp.octets(), cut),
                Err(error) => assert!(matches!(error, SdpError::Version | SdpError::Media), "{error}"),
            }
        }
        let whole = Sdp::parse(sample).unwrap();
        let line_end = sample.len() - without_end(sample).len();
        for missing in 0..=line_end {
            let cut = Sdp::parse(&sample[..sample.len() - missing]).unwrap();
            assert_eq!(sections(&cut), sections(&whole));
        }
    }
}

/// Addresses and keys are not for logs.
#[test]
fn nothing_but_sizes_and_media_lines_is_shown() {
    let shown = format!("{:?}", Sdp::parse(RFC4568).unwrap());
    assert!(shown.contains("RTP/SAVP") && !shown.contains("168.2") && !shown.contains("inline"), "{shown}");
}
