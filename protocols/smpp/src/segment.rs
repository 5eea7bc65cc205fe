//! Splitting a text into parts that fit one SMS each (3GPP TS 23.040, 9.2.3.24.1).

use crate::text::Alphabet;
use crate::text::gsm7::ESC;
use crate::udh::{Concat, write_concat};

/// Parts that a concatenation element can count.
pub const PARTS_MAX: usize = 255;

/// The reference that ties the parts together; its width decides how much text a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// 8 bits: 153 septets, 67 UCS2 units or 134 octets a part.
    Eight(u8),
    /// 16 bits: 152 septets, 66 UCS2 units or 133 octets a part.
    Sixteen(u16),
}

/// The text needs more than [`PARTS_MAX`] parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text needs {parts} parts, 255 are allowed")]
pub struct TooMany {
    /// Parts it would need.
    pub parts: usize,
}

/// One part, ready for short_message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// User data header, if any, then text.
    pub octets: Vec<u8>,
    /// What the header says; `None` when the text fits one part, which then has no header and needs no UDHI.
    pub concat: Option<Concat>,
}

/// The parts in order; see [`segments`].
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    alphabet: Alphabet,
    rest: &'a [u8],
    part_max: usize,
    /// Of the next part; `None` when the text fits one part.
    concat: Option<Concat>,
    left: u8,
}

/// Splits `octets`, text in `alphabet`, into one part without a header or several with one. A pair of ESC
/// and septet and a surrogate pair stay in one part. No text is one empty part.
pub fn segments(alphabet: Alphabet, octets: &[u8], reference: Reference) -> Result<Segments<'_>, TooMany> {
    if octets.len() <= single_max(alphabet) {
        let part_max = single_max(alphabet);
        return Ok(Segments { alphabet, rest: octets, part_max, concat: None, left: 1 });
    }
    let part_max = part_max(alphabet, reference);
    let parts = parts_of(alphabet, octets, part_max);
    let total = u8::try_from(parts).map_err(|_| TooMany { parts })?;
    let (reference, wide) = match reference {
        Reference::Eight(reference) => (reference.into(), false),
        Reference::Sixteen(reference) => (reference, true),
    };
    let concat = Some(Concat { reference, wide, total, sequence: 1 });
    Ok(Segments { alphabet, rest: octets, part_max, concat, left: total })
}

/// Octets of text that fit one SMS without a header: 160 unpacked septets, else 140. ASCII counts as
/// septets, since that is what the SMSC makes of it.
pub const fn single_max(alphabet: Alphabet) -> usize {
    match alphabet {
        Alphabet::Gsm7 | Alphabet::Ascii => 160,
        Alphabet::Latin1 | Alphabet::Ucs2 | Alphabet::Octets => 140,
    }
}

/// How many parts `octets` takes with an 8-bit reference, at least 1; may exceed [`PARTS_MAX`].
pub fn count(alphabet: Alphabet, octets: &[u8]) -> usize {
    if octets.len() <= single_max(alphabet) {
        return 1;
    }
    parts_of(alphabet, octets, part_max(alphabet, Reference::Eight(0)))
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        self.left = self.left.checked_sub(1)?;
        let (text, rest) = split_part(self.alphabet, self.rest, self.part_max);
        self.rest = rest;
        let mut octets = Vec::with_capacity(HEADER_OCTETS_MAX + text.len());
        let concat = self.concat;
        if let Some(concat) = &concat {
            write_concat(concat, &mut octets);
            self.concat = Some(Concat { sequence: concat.sequence.saturating_add(1), ..*concat });
        }
        octets.extend_from_slice(text);
        Some(Segment { octets, concat })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for Segments<'_> {}

/// Octets of a header with a 16-bit reference.
const HEADER_OCTETS_MAX: usize = 7;

/// Octets of text in a part: 140 less the header, in whole septets or whole UCS2 units.
const fn part_max(alphabet: Alphabet, reference: Reference) -> usize {
    match (alphabet, reference) {
        (Alphabet::Gsm7 | Alphabet::Ascii, Reference::Eight(_)) => 153,
        (Alphabet::Gsm7 | Alphabet::Ascii, Reference::Sixteen(_)) => 152,
        (Alphabet::Latin1 | Alphabet::Ucs2 | Alphabet::Octets, Reference::Eight(_)) => 134,
        (Alphabet::Ucs2, Reference::Sixteen(_)) => 132,
        (Alphabet::Latin1 | Alphabet::Octets, Reference::Sixteen(_)) => 133,
    }
}

fn parts_of(alphabet: Alphabet, octets: &[u8], part_max: usize) -> usize {
    let mut parts = 0_usize;
    let mut rest = octets;
    while !rest.is_empty() {
        (_, rest) = split_part(alphabet, rest, part_max);
        parts += 1;
    }
    parts
}

/// The longest front of `octets` within `part_max` that cuts no character; never empty unless `octets` is.
fn split_part(alphabet: Alphabet, octets: &[u8], part_max: usize) -> (&[u8], &[u8]) {
    let mut length = 0;
    if octets.len() <= part_max {
        length = octets.len();
    } else {
        while let Some(rest) = octets.get(length..) {
            let next = length + char_octets(alphabet, rest);
            if next > part_max {
                break;
            }
            length = next;
        }
    }
    octets.split_at_checked(length).unwrap_or((octets, &[]))
}

/// Octets of the first character of `rest`, which is not empty.
fn char_octets(alphabet: Alphabet, rest: &[u8]) -> usize {
    match (alphabet, rest) {
        (Alphabet::Gsm7, [ESC, _, ..]) => 2,
        (Alphabet::Ucs2, [0xD8..=0xDB, _, 0xDC..=0xDF, _, ..]) => 4,
        (Alphabet::Ucs2, [_, _, ..]) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
