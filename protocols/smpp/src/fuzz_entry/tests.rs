use std::path::Path;

use proptest::prelude::*;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("pdu", super::pdu),
    ("stream", super::stream),
    ("tlv", super::tlv),
    ("udh", super::udh),
    ("text", super::text),
    ("dlr", super::dlr),
    ("time", super::time),
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

proptest! {
    #[test]
    fn random_octets_hold(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, run) in TARGETS {
            run(&octets);
        }
    }

    /// Octets behind a header that some decoder takes.
    #[test]
    fn random_bodies_hold(
        id in prop::sample::select(vec![1, 2, 3, 4, 5, 7, 8, 9, 0xB, 0x21, 0x102, 0x103]), response in any::<bool>(),
        body in prop::collection::vec(prop_oneof![3 => Just(0), 2 => 0..8_u8, 2 => any::<u8>()], 0..120),
    ) {
        let id: u32 = if response { id | 0x8000_0000 } else { id };
        super::pdu(&[&[0; 4][..], &id.to_be_bytes(), &[0; 8], &body].concat());
    }
}
