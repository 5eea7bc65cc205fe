use proptest::prelude::*;

use super::*;
use Alphabet::{Ascii, Gsm7, Latin1, Octets, Ucs2};

/// 3GPP TS 23.038, 6.2.1, as code points, sixteen septets a row; 0x1B is ESC.
const CODE_POINTS: [u16; 128] = [
    0x0040, 0x00A3, 0x0024, 0x00A5, 0x00E8, 0x00E9, 0x00F9, 0x00EC, 0x00F2, 0x00C7, 0x000A, 0x00D8, 0x00F8,
    0x000D, 0x00C5, 0x00E5, //
    0x0394, 0x005F, 0x03A6, 0x0393, 0x039B, 0x03A9, 0x03A0, 0x03A8, 0x03A3, 0x0398, 0x039E, 0x001B, 0x00C6,
    0x00E6, 0x00DF, 0x00C9, //
    0x0020, 0x0021, 0x0022, 0x0023, 0x00A4, 0x0025, 0x0026, 0x0027, 0x0028, 0x0029, 0x002A, 0x002B, 0x002C,
    0x002D, 0x002E, 0x002F, //
    0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003A, 0x003B, 0x003C,
    0x003D, 0x003E, 0x003F, //
    0x00A1, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047, 0x0048, 0x0049, 0x004A, 0x004B, 0x004C,
    0x004D, 0x004E, 0x004F, //
    0x0050, 0x0051, 0x0052, 0x0053, 0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005A, 0x00C4, 0x00D6,
    0x00D1, 0x00DC, 0x00A7, //
    0x00BF, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006A, 0x006B, 0x006C,
    0x006D, 0x006E, 0x006F, //
    0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077, 0x0078, 0x0079, 0x007A, 0x00E4, 0x00F6,
    0x00F1, 0x00FC, 0x00E0,
];

/// 6.2.1.1.
const EXTENSION: [(u8, u16); 10] = [
    (0x0A, 0x000C),
    (0x14, 0x005E),
    (0x28, 0x007B),
    (0x29, 0x007D),
    (0x2F, 0x005C),
    (0x3C, 0x005B),
    (0x3D, 0x007E),
    (0x3E, 0x005D),
    (0x40, 0x007C),
    (0x65, 0x20AC),
];

fn char_of(code_point: u16) -> char {
    char::from_u32(code_point.into()).unwrap()
}

#[test]
fn the_default_alphabet_both_ways() {
    for (septet, code_point) in (0_u8..).zip(CODE_POINTS).filter(|(septet, _)| *septet != gsm7::ESC) {
        let text = char_of(code_point).to_string();
        assert_eq!(decode(Gsm7, &[septet]), text, "{septet:#04x}");
        assert_eq!(encode(Gsm7, &text), Ok(vec![septet]), "{text:?}");
    }
}

#[test]
fn the_extension_table_both_ways() {
    for (septet, code_point) in EXTENSION {
        let text = char_of(code_point).to_string();
        assert_eq!(decode(Gsm7, &[gsm7::ESC, septet]), text);
        assert_eq!(encode(Gsm7, &text), Ok(vec![gsm7::ESC, septet]));
    }
    for septet in (0..128_u8).filter(|septet| EXTENSION.iter().all(|(known, _)| known != septet)) {
        let expected = if septet == gsm7::ESC { ' ' } else { char_of(CODE_POINTS[usize::from(septet)]) };
        assert_eq!(decode(Gsm7, &[gsm7::ESC, septet]), expected.to_string(), "ESC {septet:#04x}");
    }
}

#[test]
fn nothing_else_is_in_gsm7() {
    let known: Vec<char> = (CODE_POINTS.into_iter().filter(|code| *code != 0x1B))
        .chain(EXTENSION.iter().map(|(_, code)| *code))
        .map(char_of)
        .collect();
    assert_eq!(known.len(), 137);
    for char in ('\0'..=char::MAX).filter(|char| !known.contains(char)) {
        assert_eq!(encode(Gsm7, char.encode_utf8(&mut [0; 4])), Err(Unencodable { char, at: 0 }));
    }
}

#[test]
fn broken_gsm7_reads_as_far_as_it_goes() {
    assert_eq!(decode(Gsm7, &[b'a', gsm7::ESC]), "a ");
    assert_eq!(decode(Gsm7, &[0x80, 0xFF, b'a']), "\u{FFFD}\u{FFFD}a");
    assert_eq!(decode(Gsm7, &[gsm7::ESC, 0x80]), "\u{FFFD}");
}

#[test]
fn other_alphabets_at_their_edges() {
    let cases: [(Alphabet, &[u8], &str); 9] = [
        (Ascii, b"a\x7F\x80", "a\u{7F}\u{FFFD}"),
        (Latin1, b"\x00\x80\xE4\xFF", "\0\u{80}äÿ"),
        (Octets, b"\x00\x80\xE4\xFF", "\0\u{80}äÿ"),
        (Ucs2, b"\0A\x20\xAC", "A€"),
        (Ucs2, b"\xD8\x3D\xDE\x00", "😀"),
        (Ucs2, b"\xD8\x3D", "\u{FFFD}"),
        (Ucs2, b"\xDE\x00\0A", "\u{FFFD}A"),
        (Ucs2, b"\xD8\x3D\0A", "\u{FFFD}A"),
        (Ucs2, b"\0A\0", "A\u{FFFD}"),
    ];
    for (alphabet, octets, text) in cases {
        assert_eq!(decode(alphabet, octets), text, "{alphabet:?} {octets:?}");
    }
    assert_eq!(encode(Ucs2, "A€😀"), Ok(b"\0A\x20\xAC\xD8\x3D\xDE\x00".to_vec()));
    assert_eq!(encode(Latin1, "aä€"), Err(Unencodable { char: '€', at: 3 }));
    assert_eq!(encode(Ascii, "aä"), Err(Unencodable { char: 'ä', at: 1 }));
    for octet in 0..=u8::MAX {
        assert_eq!(encode(Latin1, &decode(Latin1, &[octet])), Ok(vec![octet]));
    }
}

#[test]
fn a_failed_encode_leaves_what_was_there() {
    let mut out = b"before".to_vec();
    assert_eq!(gsm7::encode("ab ж", &mut out), Err(Unencodable { char: 'ж', at: 3 }));
    assert_eq!(latin1::encode("ab ж", &mut out), Err(Unencodable { char: 'ж', at: 3 }));
    assert_eq!(out, b"before");
    gsm7::encode("@", &mut out).unwrap();
    assert_eq!(out, b"before\0");
}

#[test]
fn lossy_puts_question_marks() {
    assert_eq!(encode_lossy(Gsm7, "Grüße, 你好 ç"), encode(Gsm7, "Grüße, ?? ?").unwrap());
    assert_eq!(encode_lossy(Ascii, "é€"), b"??");
    assert_eq!(encode_lossy(Latin1, "é€"), b"\xE9?");
    assert_eq!(encode_lossy(Ucs2, "é"), b"\0\xE9");
}

#[test]
fn transcoding_keeps_the_text() {
    let cases: [(Alphabet, Alphabet, &[u8], &[u8]); 6] = [
        (Latin1, Gsm7, b"@\xE4\xA7", b"\x00\x7B\x5F"),
        (Gsm7, Ucs2, b"\x1B\x65\x00", b"\x20\xAC\0@"),
        (Ucs2, Gsm7, b"\x20\xAC\0@", b"\x1B\x65\x00"),
        (Gsm7, Gsm7, b"\xFF\x1B", b"\xFF\x1B"),
        (Octets, Gsm7, b"\xFF\x00", b"\xFF\x00"),
        (Gsm7, Octets, b"\x00", b"\x00"),
    ];
    for (from, to, octets, expected) in cases {
        assert_eq!(transcode(from, to, octets), Ok(expected.to_vec()), "{from:?} to {to:?}");
    }
    assert_eq!(transcode(Ucs2, Gsm7, b"\x04\x36"), Err(Unencodable { char: 'ж', at: 0 }));
}

#[test]
fn packed_septets_are_those_of_the_specification() {
    let cases: [(&[u8], u8, &[u8]); 5] = [
        (b"hellohello", 0, &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]),
        (b"", 0, &[]),
        (b"1", 0, &[0x31]),
        (b"1234567", 0, &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x00]),
        (b"a", 1, &[0xC2]),
    ];
    for (septets, fill_bits, expected) in cases {
        let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
        gsm7::pack(septets, fill_bits, &mut packed);
        assert_eq!(packed, expected);
        gsm7::unpack(&packed, fill_bits, septets.len(), &mut unpacked);
        assert_eq!(unpacked, septets);
    }
}

fn gsm7_text() -> impl Strategy<Value = String> {
    let chars: Vec<char> = (CODE_POINTS.into_iter().filter(|code| *code != 0x1B))
        .chain(EXTENSION.iter().map(|(_, code)| *code))
        .map(char_of)
        .collect();
    prop::collection::vec(prop::sample::select(chars), 0..200).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn gsm7_text_comes_back(text in gsm7_text()) {
        let octets = encode(Gsm7, &text).unwrap();
        prop_assert_eq!(decode(Gsm7, &octets), text);
    }

    #[test]
    fn ucs2_text_comes_back(text in any::<String>()) {
        prop_assert_eq!(decode(Ucs2, &encode(Ucs2, &text).unwrap()), text);
    }

    #[test]
    fn packing_comes_back(septets in prop::collection::vec(0..128_u8, 0..170), fill_bits in 0..7_u8) {
        let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
        gsm7::pack(&septets, fill_bits, &mut packed);
        prop_assert_eq!(packed.len(), (septets.len() * 7 + usize::from(fill_bits)).div_ceil(8));
        gsm7::unpack(&packed, fill_bits, septets.len(), &mut unpacked);
        prop_assert_eq!(unpacked, septets);
    }

    #[test]
    fn lossy_is_exact_where_it_can_be(text in any::<String>()) {
        for alphabet in [Gsm7, Ascii, Latin1, Ucs2, Octets] {
            match encode(alphabet, &text) {
                Ok(octets) => prop_assert_eq!(encode_lossy(alphabet, &text), octets),
                Err(Unencodable { char, at }) => {
                    prop_assert!(text.get(at..).unwrap().starts_with(char));
                },
            }
        }
    }
}
