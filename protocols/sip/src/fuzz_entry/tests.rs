use std::path::Path;

use proptest::prelude::*;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 4] = [
    ("datagram", super::datagram),
    ("stream", super::stream),
    ("values", super::values),
    ("sdp", super::sdp),
];

#[test]
fn every_corpus_file_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, run) in TARGETS {
        let files: Vec<_> =
            std::fs::read_dir(corpus.join(target)).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 3, "{target} has no corpus");
        for file in files {
            run(&std::fs::read(&file).unwrap());
        }
    }
}

/// Where an end is missing, functions behind a parser have read on (CVE-2023-27600, CVE-2023-27601).
#[test]
fn descriptions_cut_anywhere_hold() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = std::fs::read_dir(corpus.join("sdp")).unwrap().map(|file| file.unwrap().path());
    for file in files.chain([corpus.join("datagram/multipart_sdp"), corpus.join("datagram/sdp")]) {
        let octets = std::fs::read(&file).unwrap();
        let run: fn(&[u8]) = if file.starts_with(corpus.join("sdp")) { super::sdp } else { super::datagram };
        (0..octets.len()).for_each(|end| run(&octets[..end]));
    }
}

/// Lines of which descriptions are made, and parts of bodies.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "o=- 1 2 IN IP4 192.0.2.1",
        "c=IN IP4 0.0.0.0",
        "m=audio 4000 RTP/AVP 0 8 18 101 13",
        "m=audio 4000/2 RTP/SAVP 8  96\t0 97 ",
        "m=audio 0 RTP/AVP 0",
        "m=audio 4000 RTP/AVP",
        "m=image 4000 udptl t38",
        "m=video 4000 RTP/AVP 99",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 G729/8000",
        "a=rtpmap:96 iLBC/8000/1",
        "a=rtpmap:97 telephone-event/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:18 annexb=no",
        "a=fmtp:101 0-16",
        "a=rtcp-fb:* nack",
        "a=RTCP-FB:96 nack",
        "a=rtcp:4001",
        "a=sendonly",
        "--b",
        "--b--",
        "Content-Type: application/sdp",
        "Content-Type: multipart/alternative; boundary=c",
        "--c",
        "--c--",
        "",
        "a",
    ]);
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r", ""]);
    let lines = prop::collection::vec((line, end), 0..30);
    let text = |lines: Vec<(&str, &str)>| {
        lines.into_iter().map(|(line, end)| [line, end].concat()).collect::<String>()
    };
    lines.prop_map(text).prop_map(String::into_bytes)
}

/// Pieces of which messages are made, and of which their faults are.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "INVITE sip:a@b SIP/2.0\r\n",
        "SIP/2.0 200 OK\r\n",
        "Via: ",
        "v:",
        "From: ",
        "To: ",
        "Call-ID: 1\r\n",
        "CSeq: 1 INVITE\r\n",
        "Route: ",
        "Contact: ",
        "Content-Length: ",
        "SIP/2.0/UDP h;branch=z9hG4bK1",
        "SIP / 2.0 / TCP [2001:db8::1]:5060;rport",
        "<sip:a@b;lr>",
        "\"a, \\\"b\" <sip:x@[::1]:5060;p=\"q\"?h=v>",
        "sip:a@192.0.2.1",
        "tel:+1-555;phone-context=+1",
        ";tag=1",
        ";received=1.2.3.4",
        ";rport=7",
        ";x",
        "=",
        ";",
        ",",
        "(",
        ")",
        "<",
        ">",
        "\"",
        "\\",
        " ",
        "\t",
        "\r\n",
        "\r\n ",
        "\n",
        "\r",
        "0",
        "7",
        "70",
        "-1",
        "99999999999",
        "\0",
        "\u{fc}",
        "%41",
        "@",
        ":",
        "?",
        "[",
        "]",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

/// A request that passes, with one value replaced.
fn request_with(value: &[u8], place: usize) -> Vec<u8> {
    let mut headers: [(&str, &[u8]); 9] = [
        ("Via", b"SIP/2.0/UDP h;branch=z9hG4bK1"),
        ("From", b"<sip:x@y>;tag=1"),
        ("To", b"<sip:a@b>"),
        ("Call-ID", b"1"),
        ("CSeq", b"1 INVITE"),
        ("Route", b"<sip:r1;lr>, <sip:r2;lr>"),
        ("Contact", b"<sip:x@h>"),
        ("Subject", b"s"),
        ("Max-Forwards", b"70"),
    ];
    headers[place].1 = value;
    let mut octets = b"INVITE sip:a@b SIP/2.0\r\n".to_vec();
    for (name, value) in headers {
        octets.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    octets.extend_from_slice(b"\r\nbody");
    octets
}

proptest! {
    #[test]
    fn random_octets_hold(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, run) in TARGETS {
            run(&octets);
        }
    }

    #[test]
    fn random_pieces_hold(octets in pieces()) {
        for (_, run) in TARGETS {
            run(&octets);
        }
        super::datagram(&[b"INVITE sip:a@b SIP/2.0\r\n", octets.as_slice()].concat());
    }

    #[test]
    fn random_lines_hold(octets in lines()) {
        super::sdp(&octets);
        super::sdp(&[b"v=0\r\n", octets.as_slice()].concat());
        super::sdp(&[b"--b\r\nc:application/sdp\r\n\r\n", octets.as_slice(), b"\r\n--b--"].concat());
    }

    #[test]
    fn requests_with_one_odd_value_hold(value in pieces(), place in 0..9_usize) {
        super::datagram(&request_with(&value, place));
    }
}
