//! TLVs, the optional parameters (5.3; 5.0, 4.8).

use std::fmt;

use crate::pdu::FieldError;
use crate::status::CommandStatus;

pub use tag::Tag;

mod tag;

/// Octets of a TLV before its value: tag and length.
const TLV_HEADER_LEN: usize = 4;

/// A well-formed run of TLVs, borrowed, in the order in which they stood, unknown tags included. Values are
/// judged only when read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// No TLVs.
    pub const EMPTY: Tlvs<'static> = Tlvs(&[]);

    /// Takes the octets after the mandatory fields. One to three zero octets at the end are padding that
    /// some encoders leave; they are dropped.
    ///
    /// Errors: ESME_RINVTLVSTREAM (0xC0) when the rest is too short for a TLV header, ESME_RINVPARLEN
    /// (0xC2) when a length points past the end.
    pub fn parse(octets: &'a [u8]) -> Result<Self, FieldError> {
        let tlvs = Self::well_formed_prefix(octets);
        let rest = octets.get(tlvs.0.len()..).unwrap_or_default();
        if rest.len() >= TLV_HEADER_LEN {
            return Err(FieldError { field: "tlv", command_status: CommandStatus::ESME_RINVPARLEN });
        }
        if rest.iter().any(|&octet| octet != 0) {
            return Err(FieldError { field: "tlv", command_status: CommandStatus::ESME_RINVTLVSTREAM });
        }
        Ok(tlvs)
    }

    /// Takes as many whole TLVs as there are and drops the rest: for responses, where no error can be
    /// answered and the fields before the TLVs matter more.
    pub fn well_formed_prefix(octets: &'a [u8]) -> Self {
        let mut rest = octets;
        while let Some((_, _, after)) = split_first(rest) {
            rest = after;
        }
        Self(octets.get(..octets.len() - rest.len()).unwrap_or_default())
    }

    /// The TLVs in order.
    pub const fn iter(&self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The value of the first TLV with this tag.
    pub fn get(&self, tag: Tag) -> Option<&'a [u8]> {
        self.iter().find(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// The value of a 1-octet integer; `None` when absent or of another length.
    pub fn u8(&self, tag: Tag) -> Option<u8> {
        let value: [u8; 1] = self.get(tag)?.try_into().ok()?;
        Some(value[0])
    }

    /// The value of a 2-octet integer; `None` when absent or of another length.
    pub fn u16(&self, tag: Tag) -> Option<u16> {
        Some(u16::from_be_bytes(self.get(tag)?.try_into().ok()?))
    }

    /// The value of a C-octet string without its NUL, which peers leave out.
    pub fn c_octet(&self, tag: Tag) -> Option<&'a [u8]> {
        let value = self.get(tag)?;
        value.split(|&octet| octet == 0).next()
    }

    /// The octets as they stand on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = (Tag, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Shows tags and lengths only: values hold texts and numbers.
impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(tag, value)| (tag, value.len()))).finish()
    }
}

/// See [`Tlvs::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = (Tag, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, value, rest) = split_first(self.0)?;
        self.0 = rest;
        Some((tag, value))
    }
}

/// The first TLV and what follows it; `None` when no whole TLV is there.
fn split_first(octets: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let (&[t0, t1, l0, l1], rest) = octets.split_first_chunk::<TLV_HEADER_LEN>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    Some((Tag(u16::from_be_bytes([t0, t1])), value, rest))
}

/// A value longer than the 65,535 octets that a TLV length can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value of {octets} octets does not fit a TLV")]
pub struct TooLong {
    /// Octets of the refused value.
    pub octets: usize,
}

/// TLVs being written, owned.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlvBuf(Vec<u8>);

impl TlvBuf {
    /// None yet; allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a TLV; [`TooLong`] and unchanged when the value does not fit.
    pub fn push(&mut self, tag: Tag, value: &[u8]) -> Result<(), TooLong> {
        let length = Self::length_of(value.len())?;
        self.push_header(tag, length);
        self.0.extend_from_slice(value);
        Ok(())
    }

    /// Appends a 1-octet integer.
    pub fn push_u8(&mut self, tag: Tag, value: u8) {
        self.push_header(tag, 1);
        self.0.push(value);
    }

    /// Appends a C-octet string, writing its NUL; `value` comes without.
    pub fn push_c_octet(&mut self, tag: Tag, value: &[u8]) -> Result<(), TooLong> {
        let length = Self::length_of(value.len().saturating_add(1))?;
        self.push_header(tag, length);
        self.0.extend_from_slice(value);
        self.0.push(0);
        Ok(())
    }

    /// Appends TLVs as they stand, such as those of a relayed PDU.
    pub fn extend(&mut self, tlvs: Tlvs<'_>) {
        self.0.extend_from_slice(tlvs.as_bytes());
    }

    /// What was pushed, to be read or encoded.
    pub fn as_tlvs(&self) -> Tlvs<'_> {
        Tlvs(&self.0)
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn length_of(octets: usize) -> Result<u16, TooLong> {
        u16::try_from(octets).map_err(|_| TooLong { octets })
    }

    fn push_header(&mut self, tag: Tag, length: u16) {
        self.0.extend_from_slice(&tag.0.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}

impl fmt::Debug for TlvBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_tlvs(), f)
    }
}

#[cfg(test)]
mod tests;
