use proptest::prelude::*;

use crate::testing::datagrams;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 2] = [("reply", super::reply), ("request", super::request)];

#[test]
fn every_corpus_file_holds() {
    for (target, run) in TARGETS {
        let datagrams = datagrams(target);
        assert!(datagrams.len() >= 3, "{target} has no corpus");
        for (_, datagram) in datagrams {
            run(&datagram);
        }
    }
}

#[test]
fn every_corpus_file_holds_when_cut_or_changed() {
    for (target, run) in TARGETS {
        for (_, datagram) in datagrams(target) {
            for at in 0..datagram.len() {
                run(&datagram[..at]);
                for octet in *b"e9" {
                    let mut changed = datagram.clone();
                    changed[at] = octet;
                    run(&changed);
                }
            }
        }
    }
}

/// Pieces of which messages are made, and of which their faults are.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "d",
        "l",
        "e",
        "i",
        "-",
        "0",
        "1",
        "9223372036854775807",
        "9223372036854775808",
        ":",
        " ",
        "ck1 ",
        "i0e",
        "i42e",
        "i-1e",
        "0:",
        "1:a",
        "le",
        "de",
        "6:result",
        "2:ok",
        "4:pong",
        "5:error",
        "12:error-reason",
        "7:command",
        "4:ping",
        "7:call-id",
        "8:from-tag",
        "3:sdp",
        "10:statistics",
        "17:currentstatistics",
        "15:totalstatistics",
        "15:avgcallduration",
        "6:uptime",
        "3:1.5",
        "4:tags",
        "6:medias",
        "7:streams",
        "8:endpoint",
        "7:address",
        "3:::1",
        "4:port",
        "5:stats",
        "7:packets",
        "4:SSRC",
        "11:average MOS",
        "6:totals",
        "3:RTP",
        "5:flags",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
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
            run(&[b"d", octets.as_slice(), b"e"].concat());
            run(&[b"d6:result2:ok4:tagsd1:ad", octets.as_slice(), b"eee"].concat());
            run(&[b"d6:result2:ok10:statisticsd", octets.as_slice(), b"ee"].concat());
        }
    }
}
