//! UTF-16BE under the name of UCS2.

use super::{Unencodable, encode_into};

/// Appends the octets of `text`, two or four a character; cannot fail.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    encode_into(encode_char, text, out)
}

/// Appends the text; a lone surrogate and an odd last octet become U+FFFD.
pub fn decode(octets: &[u8], out: &mut String) {
    let (pairs, odd) = octets.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
    out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    if !odd.is_empty() {
        out.push(char::REPLACEMENT_CHARACTER);
    }
}

pub(super) fn encode_char(char: char, out: &mut Vec<u8>) -> bool {
    for unit in char.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(&unit.to_be_bytes());
    }
    true
}
