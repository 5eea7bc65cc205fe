//! IA5, taken as ASCII.

use super::{Unencodable, encode_into};

/// Appends the octets of `text`; on an error `out` is as it was.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    encode_into(encode_char, text, out)
}

/// Appends the text; octets over 0x7F become U+FFFD.
pub fn decode(octets: &[u8], out: &mut String) {
    out.extend(
        octets.iter().map(|&octet| if octet.is_ascii() { octet.into() } else { char::REPLACEMENT_CHARACTER }),
    );
}

pub(super) fn encode_char(char: char, out: &mut Vec<u8>) -> bool {
    let octet = u8::try_from(char).ok().filter(u8::is_ascii);
    out.extend(octet);
    octet.is_some()
}
