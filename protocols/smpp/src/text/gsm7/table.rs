//! The tables of 3GPP TS 23.038, 6.2.1 and 6.2.1.1.

/// Septet to character. The place of ESC holds U+001B and is never encoded to.
pub(super) const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1B}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// Septet after ESC to character.
pub(super) const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

const ABSENT: u8 = 0xFF;

/// Characters below U+0100 to septets: all but the Greek letters.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses an index out of bounds; septets are below 128"
)]
const LATIN: [u8; 256] = {
    let mut table = [ABSENT; 256];
    let mut septet = 0;
    while septet < DEFAULT.len() {
        let char = DEFAULT[septet] as usize;
        if char < table.len() && char != 0x1B {
            table[char] = septet as u8;
        }
        septet += 1;
    }
    table
};

pub(super) fn septet_of(char: char) -> Option<u8> {
    match LATIN.get(char as usize) {
        Some(&septet) => (septet != ABSENT).then_some(septet),
        None => greek(char),
    }
}

pub(super) fn extension_of(char: char) -> Option<u8> {
    EXTENSION.iter().find(|(_, found)| *found == char).map(|(septet, _)| *septet)
}

const fn greek(char: char) -> Option<u8> {
    Some(match char {
        'Δ' => 0x10,
        'Φ' => 0x12,
        'Γ' => 0x13,
        'Λ' => 0x14,
        'Ω' => 0x15,
        'Π' => 0x16,
        'Ψ' => 0x17,
        'Σ' => 0x18,
        'Θ' => 0x19,
        'Ξ' => 0x1A,
        _ => return None,
    })
}
