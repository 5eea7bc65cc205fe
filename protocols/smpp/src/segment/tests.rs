use proptest::prelude::*;

use super::*;
use crate::text;
use crate::udh::Udh;
use Alphabet::{Ascii, Gsm7, Latin1, Octets, Ucs2};

const ALL: [Alphabet; 5] = [Gsm7, Ascii, Latin1, Ucs2, Octets];

fn parts(alphabet: Alphabet, octets: &[u8], reference: Reference) -> Vec<Segment> {
    segments(alphabet, octets, reference).unwrap().collect()
}

/// Text octets of each part.
fn texts(alphabet: Alphabet, octets: &[u8], reference: Reference) -> Vec<usize> {
    parts(alphabet, octets, reference)
        .iter()
        .map(|part| match part.concat {
            Some(_) => Udh::parse(&part.octets).unwrap().1.len(),
            None => part.octets.len(),
        })
        .collect()
}

#[test]
fn parts_are_filled_to_their_limits() {
    let (eight, sixteen) = (Reference::Eight(1), Reference::Sixteen(1));
    let cases: [(Alphabet, Reference, usize, &[usize]); 19] = [
        (Gsm7, eight, 0, &[0]),
        (Gsm7, eight, 160, &[160]),
        (Gsm7, eight, 161, &[153, 8]),
        (Gsm7, eight, 306, &[153, 153]),
        (Gsm7, eight, 307, &[153, 153, 1]),
        (Gsm7, sixteen, 304, &[152, 152]),
        (Gsm7, sixteen, 305, &[152, 152, 1]),
        (Ascii, eight, 161, &[153, 8]),
        (Ucs2, eight, 140, &[140]),
        (Ucs2, eight, 142, &[134, 8]),
        (Ucs2, eight, 268, &[134, 134]),
        (Ucs2, sixteen, 264, &[132, 132]),
        (Ucs2, sixteen, 266, &[132, 132, 2]),
        (Latin1, eight, 140, &[140]),
        (Latin1, eight, 141, &[134, 7]),
        (Octets, eight, 268, &[134, 134]),
        (Octets, eight, 269, &[134, 134, 1]),
        (Octets, sixteen, 266, &[133, 133]),
        (Octets, sixteen, 267, &[133, 133, 1]),
    ];
    for (alphabet, reference, octets, expected) in cases {
        let text = vec![b'a'; octets];
        assert_eq!(texts(alphabet, &text, reference), expected, "{alphabet:?} {octets}");
        if reference == eight {
            assert_eq!(count(alphabet, &text), expected.len());
        }
    }
}

#[test]
fn headers_tell_the_parts() {
    let parts = parts(Gsm7, &[b'a'; 307], Reference::Eight(0xAB));
    let headers: Vec<&[u8]> = parts.iter().map(|part| &part.octets[..6]).collect();
    assert_eq!(headers, [&[5, 0, 3, 0xAB, 3, 1][..], &[5, 0, 3, 0xAB, 3, 2], &[5, 0, 3, 0xAB, 3, 3]]);
    let wide = segments(Ucs2, &[0; 300], Reference::Sixteen(0x12AB)).unwrap().next().unwrap();
    assert_eq!(wide.octets[..7], [6, 8, 4, 0x12, 0xAB, 3, 1]);
    assert_eq!(wide.octets.len(), 139);
}

#[test]
fn pairs_stay_whole() {
    // The pair would lie across the end of the first part.
    let mut escape = vec![b'a'; 152];
    escape.extend_from_slice(&[ESC, 0x65]);
    escape.extend_from_slice(&[b'a'; 20]);
    assert_eq!(texts(Gsm7, &escape, Reference::Eight(1)), [152, 22]);
    // The second ESC is the second half of a pair and begins none.
    let mut twice = vec![b'a'; 151];
    twice.extend_from_slice(&[ESC, ESC, 0x65]);
    twice.extend_from_slice(&[b'a'; 20]);
    assert_eq!(texts(Gsm7, &twice, Reference::Eight(1)), [153, 21]);
    let mut emoji = b"\0a".repeat(66);
    emoji.extend_from_slice(b"\xD8\x3D\xDE\x00");
    emoji.extend_from_slice(&b"\0a".repeat(10));
    assert_eq!(texts(Ucs2, &emoji, Reference::Eight(1)), [132, 24]);
    // Lone surrogates are units of their own.
    let lone = b"\xD8\x3D".repeat(71);
    assert_eq!(texts(Ucs2, &lone, Reference::Eight(1)), [134, 8]);
}

#[test]
fn more_than_255_parts_are_refused() {
    assert_eq!(parts(Gsm7, &vec![b'a'; 255 * 153], Reference::Eight(1)).len(), 255);
    let long = vec![b'a'; 255 * 153 + 1];
    assert_eq!(segments(Gsm7, &long, Reference::Eight(1)).unwrap_err(), TooMany { parts: 256 });
    assert_eq!(count(Gsm7, &long), 256);
    assert_eq!(segments(Gsm7, &vec![b'a'; 255 * 152 + 1], Reference::Sixteen(1)).unwrap_err().parts, 256);
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![any::<u8>().prop_map(Reference::Eight), any::<u16>().prop_map(Reference::Sixteen)]
}

/// Text rich in pairs, as octets of its alphabet.
fn encoded() -> impl Strategy<Value = (Alphabet, Vec<u8>)> {
    let chars = prop::sample::select(vec!['a', 'b', '€', '[', 'é', '@']);
    let gsm7 = prop::collection::vec(chars, 0..900)
        .prop_map(|chars| (Gsm7, text::encode(Gsm7, &chars.into_iter().collect::<String>()).unwrap()));
    let chars = prop::sample::select(vec!['a', 'ж', '😀', '🇩', '好']);
    let ucs2 = prop::collection::vec(chars, 0..500)
        .prop_map(|chars| (Ucs2, text::encode(Ucs2, &chars.into_iter().collect::<String>()).unwrap()));
    prop_oneof![gsm7, ucs2]
}

proptest! {
    #[test]
    fn parts_together_are_the_whole(
        which in 0..5_usize, octets in prop::collection::vec(any::<u8>(), 0..1500), reference in reference(),
    ) {
        let alphabet = ALL[which];
        let parts = parts(alphabet, &octets, reference);
        let mut whole = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let text = match part.concat {
                Some(concat) => {
                    let (udh, text) = Udh::parse(&part.octets).unwrap();
                    prop_assert_eq!(udh.concat(), Some(concat));
                    prop_assert_eq!(usize::from(concat.sequence), index + 1);
                    prop_assert_eq!(usize::from(concat.total), parts.len());
                    prop_assert!(text.len() <= part_max(alphabet, reference) && !text.is_empty());
                    text
                }
                None => {
                    prop_assert!(parts.len() == 1 && part.octets.len() <= single_max(alphabet));
                    &part.octets[..]
                }
            };
            whole.extend_from_slice(text);
        }
        prop_assert_eq!(whole, octets);
    }

    #[test]
    fn every_part_decodes_alone((alphabet, octets) in encoded(), reference in reference()) {
        let mut whole = String::new();
        for part in parts(alphabet, &octets, reference) {
            let text = match part.concat {
                Some(_) => Udh::parse(&part.octets).unwrap().1,
                None => &part.octets[..],
            };
            let decoded = text::decode(alphabet, text);
            prop_assert!(!decoded.contains('\u{FFFD}'), "a pair was split");
            whole.push_str(&decoded);
        }
        prop_assert_eq!(whole, text::decode(alphabet, &octets));
    }
}
