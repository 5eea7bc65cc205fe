//! ISO 8859-1: the first 256 code points, one octet each.

use super::{Unencodable, encode_into};

/// Appends the octets of `text`; on an error `out` is as it was.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    encode_into(encode_char, text, out)
}

/// Appends the text; every octet is a character.
pub fn decode(octets: &[u8], out: &mut String) {
    out.extend(octets.iter().copied().map(char::from));
}

pub(super) fn encode_char(char: char, out: &mut Vec<u8>) -> bool {
    let octet = u8::try_from(char).ok();
    out.extend(octet);
    octet.is_some()
}
