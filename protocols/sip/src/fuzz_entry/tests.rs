use std::path::Path;

use proptest::prelude::*;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] =
    [("datagram", super::datagram), ("stream", super::stream), ("values", super::values)];

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
    fn requests_with_one_odd_value_hold(value in pieces(), place in 0..9_usize) {
        super::datagram(&request_with(&value, place));
    }
}
