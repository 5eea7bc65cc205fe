//! data_coding (5.2.19, with the groups of GSM 03.38 that senders use in practice).

use crate::text::Alphabet;

/// The data_coding octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DataCoding(pub u8);

impl DataCoding {
    /// The SMSC's default alphabet: what that is belongs to the account.
    pub const DEFAULT: Self = Self(0x00);
    /// IA5 (ASCII).
    pub const IA5: Self = Self(0x01);
    /// UCS2, in practice UTF-16BE.
    pub const UCS2: Self = Self(0x08);

    /// The alphabet of the text. `None` exactly when it is the SMSC's default alphabet, an account setting:
    /// 0x00, the message waiting groups 0xC0-0xDF, and GSM classes with the default alphabet. Codings that
    /// this crate does not transcode (JIS, Cyrillic, Hebrew, Kanji, KS C 5601, reserved) are
    /// [`Alphabet::Octets`].
    pub const fn alphabet(self) -> Option<Alphabet> {
        match self.0 {
            0x00 | 0xC0..=0xDF => None,
            0x01 => Some(Alphabet::Ascii),
            0x03 => Some(Alphabet::Latin1),
            0x08 | 0xE0..=0xEF => Some(Alphabet::Ucs2),
            // GSM 03.38 general coding with a class: bits 3-2 name the alphabet.
            0x10..=0x1F => match (self.0 >> 2) & 0b11 {
                0b00 => None,
                0b10 => Some(Alphabet::Ucs2),
                _ => Some(Alphabet::Octets),
            },
            // GSM 03.38 message class: bit 2 tells 8-bit data from the default alphabet.
            0xF0..=0xFF => match self.0 & 0b100 {
                0 => None,
                _ => Some(Alphabet::Octets),
            },
            _ => Some(Alphabet::Octets),
        }
    }
}
