//! Bencode (BEP 3): integers, texts of octets, lists and dictionaries.
//!
//! Reading is bounded: so deep, so many values, so many octets, and nothing is allocated by a length that
//! is only claimed. Keys may stand in any order, as RTPEngine neither sorts them nor asks for it.

mod read;
mod write;

pub use read::{Error, parse};
pub use write::Writer;
pub(crate) use write::{count, text};

/// How many lists and dictionaries may stand within each other.
pub const DEPTH_MAX: usize = 16;
/// Octets of one value: more than a datagram holds.
pub const OCTETS_MAX: usize = 65_535;
/// Values of one message, those within lists and dictionaries counted.
pub const ITEMS_MAX: usize = 16_384;

/// One value, whose texts are those of the octets that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer.
    Int(i64),
    /// Octets, usually a text.
    Str(&'a [u8]),
    /// Values in their order.
    List(Vec<Self>),
    /// Keys with their values, in the order read.
    Dict(Vec<(&'a [u8], Self)>),
}

impl<'a> Value<'a> {
    /// What stands under `key`; of a key that comes twice the first. Nothing unless this is a dictionary.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let found = self.dict()?.iter().find(|(name, _)| *name == key.as_bytes());
        found.map(|(_, value)| value)
    }

    /// The octets of a text.
    #[must_use]
    pub fn str(&self) -> Option<&'a [u8]> {
        if let Self::Str(octets) = *self { Some(octets) } else { None }
    }

    /// An integer, also one that is written as a text of decimal digits, as RTPEngine does with some figures.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        if let Self::Int(value) = *self {
            return Some(value);
        }
        std::str::from_utf8(self.str()?).ok()?.parse().ok()
    }

    /// As [`Value::int`], for what is never negative.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.int().and_then(|value| u64::try_from(value).ok())
    }

    /// The values of a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The keys and values of a dictionary.
    #[must_use]
    pub fn dict(&self) -> Option<&[(&'a [u8], Self)]> {
        if let Self::Dict(pairs) = self { Some(pairs) } else { None }
    }
}

#[cfg(test)]
mod tests;
