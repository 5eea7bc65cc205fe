//! Alphabets of message text (5.2.19), to and from `str`.

pub mod ascii;
pub mod gsm7;
pub mod latin1;
pub mod ucs2;

/// How text octets read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 03.38 default alphabet with its extension table, unpacked: one septet per octet.
    Gsm7,
    /// IA5.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16BE; called UCS2 by the specification, in practice with surrogate pairs.
    Ucs2,
    /// Octets that are no text, or in a coding that is only relayed.
    Octets,
}

/// A character that the alphabet lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{char:?} at octet {at} is not in the alphabet")]
pub struct Unencodable {
    /// The character.
    pub char: char,
    /// Its offset in the `str`, in octets.
    pub at: usize,
}

/// The text of `octets`. What does not decode becomes U+FFFD; [`Alphabet::Octets`] read as Latin-1, so that
/// nothing is lost.
pub fn decode(alphabet: Alphabet, octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    match alphabet {
        Alphabet::Gsm7 => gsm7::decode(octets, &mut text),
        Alphabet::Ascii => ascii::decode(octets, &mut text),
        Alphabet::Latin1 | Alphabet::Octets => latin1::decode(octets, &mut text),
        Alphabet::Ucs2 => ucs2::decode(octets, &mut text),
    }
    text
}

/// The octets of `text`; the first character that the alphabet lacks is the error.
pub fn encode(alphabet: Alphabet, text: &str) -> Result<Vec<u8>, Unencodable> {
    let mut octets = Vec::with_capacity(text.len());
    encode_into(encoder(alphabet), text, &mut octets)?;
    Ok(octets)
}

/// The octets of `text` with `?` for every character that the alphabet lacks.
pub fn encode_lossy(alphabet: Alphabet, text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let encode_char = encoder(alphabet);
    for char in text.chars() {
        if !encode_char(char, &mut octets) {
            encode_char('?', &mut octets);
        }
    }
    octets
}

/// The same text in another alphabet. [`Alphabet::Octets`] on either side is not transcoded: the octets come
/// back as they are.
pub fn transcode(from: Alphabet, to: Alphabet, octets: &[u8]) -> Result<Vec<u8>, Unencodable> {
    if from == to || from == Alphabet::Octets || to == Alphabet::Octets {
        return Ok(octets.to_vec());
    }
    encode(to, &decode(from, octets))
}

/// Appends a character's octets; false, and nothing appended, when the alphabet lacks it.
type EncodeChar = fn(char, &mut Vec<u8>) -> bool;

fn encoder(alphabet: Alphabet) -> EncodeChar {
    match alphabet {
        Alphabet::Gsm7 => gsm7::encode_char,
        Alphabet::Ascii => ascii::encode_char,
        Alphabet::Latin1 | Alphabet::Octets => latin1::encode_char,
        Alphabet::Ucs2 => ucs2::encode_char,
    }
}

/// Appends `text`; on an error `out` is as it was.
fn encode_into(encode_char: EncodeChar, text: &str, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let start = out.len();
    for (at, char) in text.char_indices() {
        if !encode_char(char, out) {
            out.truncate(start);
            return Err(Unencodable { char, at });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
