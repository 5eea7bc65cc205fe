use std::path::Path;

use proptest::prelude::*;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] =
    [("identity", super::identity), ("chain", super::chain), ("words", super::words)];

/// Every file of a corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_corpus_file_holds() {
    for (target, run) in TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 3, "{target} has no corpus");
        files.iter().for_each(|file| run(file));
    }
}

#[test]
fn every_corpus_file_holds_when_cut_or_changed() {
    for (target, run) in TARGETS {
        for file in corpus(target) {
            for at in 0..file.len() {
                run(&file[..at]);
                for octet in *b";<0" {
                    let mut changed = file.clone();
                    changed[at] = octet;
                    run(&changed);
                }
            }
        }
    }
}

/// Pieces of which values are made, and of which their faults are.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly94L2EifQ",
        "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly94L2EifQ",
        "e30",
        "W10",
        "..",
        ".",
        ";",
        "=",
        "info=",
        "<https://x/a>",
        "<",
        ">",
        "\"",
        "alg=ES256",
        "alg=none",
        "ppt=shaken",
        "ppt=div",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "MIIB",
        "0\u{1}",
        " ",
        "+1",
        "%23",
        "Sat, 13 Nov 2010 ",
        "23:29:00 GMT",
    ]);
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
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
    }
}
