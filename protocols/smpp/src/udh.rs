//! User data headers (3GPP TS 23.040, 9.2.3.24) and the sar TLVs that say the same (5.3.2.22 - 5.3.2.24).

use crate::tlv::{Tag, Tlvs};

/// IEI of concatenation with an 8-bit reference.
pub const CONCAT_8: u8 = 0x00;
/// IEI of concatenation with a 16-bit reference.
pub const CONCAT_16: u8 = 0x08;

/// A header whose elements are all whole, borrowed from the text octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Udh<'a>(&'a [u8]);

/// A header that does not hold what its lengths say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UdhError {
    /// The octets end before the header does, or are none.
    #[error("user data header is longer than the message")]
    Truncated,
    /// An element ends after the header.
    #[error("an element is longer than the user data header")]
    Element,
    /// [`UdhBuf::push`]: more than the 255 octets that the length octet can say.
    #[error("user data header is longer than 255 octets")]
    TooLong,
}

/// One part of a concatenated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The same in all parts of a message.
    pub reference: u16,
    /// Whether the reference has 16 bits.
    pub wide: bool,
    /// Parts of the message, 1 or more.
    pub total: u8,
    /// This part, from 1 to `total`.
    pub sequence: u8,
}

impl<'a> Udh<'a> {
    /// Splits text octets of a message with UDHI into header and text.
    pub fn parse(octets: &'a [u8]) -> Result<(Self, &'a [u8]), UdhError> {
        let (&length, rest) = octets.split_first().ok_or(UdhError::Truncated)?;
        let (elements, text) = rest.split_at_checked(usize::from(length)).ok_or(UdhError::Truncated)?;
        let mut left = elements;
        while !left.is_empty() {
            (_, _, left) = split_first(left).ok_or(UdhError::Element)?;
        }
        Ok((Self(elements), text))
    }

    /// Information elements in order: identifier and data.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let (iei, data, rest) = split_first(left)?;
            left = rest;
            Some((iei, data))
        })
    }

    /// The concatenation element, 8 or 16 bit, the last one that makes sense (23.040, 9.2.3.24: of repeated
    /// elements the last counts; a part number of 0 or beyond the total makes it void).
    pub fn concat(&self) -> Option<Concat> {
        self.iter().filter_map(|(iei, data)| concat_of(iei, data)).last()
    }
}

/// A header being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdhBuf(Vec<u8>);

impl Default for UdhBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl UdhBuf {
    /// A header without elements.
    pub fn new() -> Self {
        Self(vec![0])
    }

    /// Appends an element; [`UdhError::TooLong`] and unchanged when it does not fit.
    pub fn push(&mut self, iei: u8, data: &[u8]) -> Result<(), UdhError> {
        let length = u8::try_from(data.len()).map_err(|_| UdhError::TooLong)?;
        let octets = (self.0.len() - 1).saturating_add(2).saturating_add(data.len());
        let total = u8::try_from(octets).map_err(|_| UdhError::TooLong)?;
        self.0.extend_from_slice(&[iei, length]);
        self.0.extend_from_slice(data);
        if let Some(first) = self.0.first_mut() {
            *first = total;
        }
        Ok(())
    }

    /// The header with its length octet, to stand before the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends a whole header with this one concatenation element: 6 octets, or 7 when wide.
pub fn write_concat(concat: &Concat, out: &mut Vec<u8>) {
    let [high, low] = concat.reference.to_be_bytes();
    if concat.wide {
        out.extend_from_slice(&[6, CONCAT_16, 4, high, low, concat.total, concat.sequence]);
    } else {
        out.extend_from_slice(&[5, CONCAT_8, 3, low, concat.total, concat.sequence]);
    }
}

/// The part that sar_msg_ref_num, sar_total_segments and sar_segment_seqnum tell of; `None` unless all three
/// are there and make sense.
pub fn sar(tlvs: &Tlvs<'_>) -> Option<Concat> {
    let reference = tlvs.u16(Tag::SAR_MSG_REF_NUM)?;
    let total = tlvs.u8(Tag::SAR_TOTAL_SEGMENTS)?;
    let sequence = tlvs.u8(Tag::SAR_SEGMENT_SEQNUM)?;
    sensible(Concat { reference, wide: true, total, sequence })
}

fn concat_of(iei: u8, data: &[u8]) -> Option<Concat> {
    match (iei, data) {
        (CONCAT_8, &[reference, total, sequence]) => {
            sensible(Concat { reference: reference.into(), wide: false, total, sequence })
        }
        (CONCAT_16, &[high, low, total, sequence]) => {
            sensible(Concat { reference: u16::from_be_bytes([high, low]), wide: true, total, sequence })
        }
        _ => None,
    }
}

fn sensible(concat: Concat) -> Option<Concat> {
    (1..=concat.total).contains(&concat.sequence).then_some(concat)
}

fn split_first(elements: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[iei, length], rest) = elements.split_first_chunk::<2>()?;
    let (data, rest) = rest.split_at_checked(usize::from(length))?;
    Some((iei, data, rest))
}

#[cfg(test)]
mod tests;
