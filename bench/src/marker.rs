//! The 16 characters at the start of every generated text: which run, which message, and a check of the text
//! that follows. They read the same in GSM 7-bit, ASCII and Latin-1 (one octet each) and UCS2 (two).

use crate::hash::{hash64, mix};

/// Characters of a marker: `W`, 4 hex digits of the run, 8 of the id, 3 of the check.
pub const MARKER_CHARS: usize = 16;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Tells the messages of this run from those left in the node by an earlier one.
    pub run: u16,
    /// The dense number of the message in its ledger.
    pub id: u32,
    /// 12 bits over id and text.
    pub check: u16,
}

impl Marker {
    /// The marker for message `id` whose text goes on with octets of this [`tail_hash`].
    pub fn new(run: u16, id: u32, tail_hash: u64) -> Self {
        let [.., high, low] = mix(tail_hash ^ u64::from(id)).to_be_bytes();
        Self { run, id, check: u16::from_be_bytes([high & 0x0F, low]) }
    }

    /// The 16 characters.
    pub fn to_chars(self) -> [u8; MARKER_CHARS] {
        let mut chars = [b'W'; MARKER_CHARS];
        let all = (u64::from(self.run) << 44) | (u64::from(self.id) << 12) | u64::from(self.check);
        for (place, char) in chars.iter_mut().skip(1).enumerate() {
            *char = hex_digit(all >> (56 - 4 * place));
        }
        chars
    }

    /// Reads a marker at the very start of a text, one octet a character or UCS2. Also returns the octets
    /// behind it. `None` when there is none.
    pub fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        if text.first() == Some(&0) {
            let (head, tail) = text.split_first_chunk::<{ 2 * MARKER_CHARS }>()?;
            let mut chars = [0_u8; MARKER_CHARS];
            for (char, pair) in chars.iter_mut().zip(head.as_chunks::<2>().0) {
                let [0, low] = *pair else { return None };
                *char = low;
            }
            return Some((Self::from_chars(&chars)?, tail));
        }
        let (chars, tail) = text.split_first_chunk::<MARKER_CHARS>()?;
        Some((Self::from_chars(chars)?, tail))
    }

    /// Whether the octets behind the marker are those it was made for.
    pub fn matches(self, tail: &[u8]) -> bool {
        Self::new(self.run, self.id, tail_hash(tail)) == self
    }

    fn from_chars(chars: &[u8; MARKER_CHARS]) -> Option<Self> {
        let [b'W', digits @ ..] = chars else { return None };
        let mut all = 0_u64;
        for digit in digits {
            all = (all << 4) | u64::from(char::from(*digit).to_digit(16)?);
        }
        let [_, _, _, _, high, low] = *all.to_be_bytes().last_chunk::<6>()?;
        Some(Self {
            run: u16::try_from(all >> 44).ok()?,
            id: u32::try_from((all >> 12) & u64::from(u32::MAX)).ok()?,
            check: u16::from_be_bytes([high & 0x0F, low]),
        })
    }
}

/// The hash of the text behind a marker, computed once per template by the sender.
pub fn tail_hash(tail: &[u8]) -> u64 {
    hash64(tail)
}

fn hex_digit(value: u64) -> u8 {
    let digit = usize::try_from(value & 0xF).unwrap_or_default();
    b"0123456789abcdef".get(digit).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wire_form() {
        let marker = Marker { run: 0xBEEF, id: 0x0000_002A, check: 0x123 };
        assert_eq!(&marker.to_chars(), b"Wbeef0000002a123");
    }

    #[test]
    fn what_is_no_marker() {
        for text in
            [&b""[..], b"W", b"Xbeef0000002a123", b"Wbeef0000002a12", b"Wbeef0000002g123", b"\0W\0b\0e"]
        {
            assert_eq!(Marker::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(run: u16, id: u32, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let marker = Marker::new(run, id, tail_hash(&tail));
            let mut text = marker.to_chars().to_vec();
            text.extend_from_slice(&tail);
            prop_assert_eq!(Marker::parse(&text), Some((marker, tail.as_slice())));
            prop_assert!(marker.matches(&tail));
            let mut wide: Vec<u8> = marker.to_chars().iter().flat_map(|char| [0, *char]).collect();
            wide.extend_from_slice(&tail);
            prop_assert_eq!(Marker::parse(&wide), Some((marker, tail.as_slice())));
        }
    }

    #[test]
    fn a_changed_text_is_noticed() {
        let marker = Marker::new(7, 42, tail_hash(b"the text"));
        assert!(!marker.matches(b"the test"));
        assert!(!marker.matches(b"the tex"));
    }
}
