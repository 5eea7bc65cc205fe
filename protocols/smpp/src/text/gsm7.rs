//! GSM 03.38 (3GPP TS 23.038, 6.2.1): the default alphabet and its extension table.

mod packing;
mod table;

use super::{Unencodable, encode_into};
use table::{DEFAULT, EXTENSION, extension_of, septet_of};

pub use packing::{pack, unpack};

/// Announces a septet of the extension table.
pub const ESC: u8 = 0x1B;

/// Appends the septets of `text`, one per octet, two for a character of the extension table; on an error
/// `out` is as it was.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    encode_into(encode_char, text, out)
}

/// Appends the text of unpacked septets. An octet over 0x7F becomes U+FFFD; ESC before a septet that the
/// extension table lacks is skipped, and ESC ESC or ESC at the end is a space (23.038, 6.2.1 notes).
pub fn decode(octets: &[u8], out: &mut String) {
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        let char = match octet {
            ESC => octets.next().map_or(' ', escaped),
            _ => plain(octet),
        };
        out.push(char);
    }
}

pub(super) fn encode_char(char: char, out: &mut Vec<u8>) -> bool {
    if let Some(septet) = septet_of(char) {
        out.push(septet);
        return true;
    }
    if let Some(septet) = extension_of(char) {
        out.extend_from_slice(&[ESC, septet]);
        return true;
    }
    false
}

fn plain(octet: u8) -> char {
    DEFAULT.get(usize::from(octet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn escaped(octet: u8) -> char {
    match EXTENSION.iter().find(|(septet, _)| *septet == octet) {
        Some((_, char)) => *char,
        None if octet == ESC => ' ',
        None => plain(octet),
    }
}
