//! How vendors write their message ids.

use std::io::Write as _;

use crate::hash::mix;

/// The written form of the number behind a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdFormat {
    /// Lowercase hexadecimal without leading zeros.
    #[default]
    Hex,
    /// Uppercase hexadecimal, zero-padded to 16 digits.
    HexPadded,
    /// Decimal.
    Decimal,
    /// A UUID.
    Uuid,
}

impl IdFormat {
    /// Replaces what is in `out` by the id.
    pub fn write(self, number: u64, out: &mut Vec<u8>) {
        out.clear();
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Hex => write!(out, "{number:x}"),
            Self::HexPadded => write!(out, "{number:016X}"),
            Self::Decimal => write!(out, "{number}"),
            Self::Uuid => {
                let (high, low) = (mix(number), mix(mix(number)));
                let (a, b, c) = (high >> 32, (high >> 16) & 0xFFFF, high & 0x0FFF);
                let (d, e) = ((low >> 48) & 0x3FFF | 0x8000, low & 0xFFFF_FFFF_FFFF);
                write!(out, "{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
            }
        };
    }
}

impl std::str::FromStr for IdFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "hex" => Ok(Self::Hex),
            "hex-padded" => Ok(Self::HexPadded),
            "decimal" => Ok(Self::Decimal),
            "uuid" => Ok(Self::Uuid),
            other => Err(format!("no id format is called {other:?}: hex, hex-padded, decimal or uuid")),
        }
    }
}
