//! The list of refused destinations in submit_multi_resp (4.5.2.1).

use std::fmt;

use super::super::address::Address;
use super::super::error::{EncodeError, FieldError};
use super::super::field::DESTINATION;
use super::super::reader::Reader;
use super::super::writer::{Writer, append};
use crate::status::CommandStatus;

/// One refused destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuccess<'a> {
    /// The destination.
    pub address: Address<'a>,
    /// Why (error_status_code).
    pub command_status: CommandStatus,
}

/// A checked run of refused destinations as it stands on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsuccesses<'a> {
    count: u8,
    octets: &'a [u8],
}

/// Appends one refused destination to `octets`, for [`Unsuccesses::parse`]. Errors as encode gives them;
/// `octets` is then unchanged.
pub fn write_unsuccess(unsuccess: &Unsuccess<'_>, octets: &mut bytes::BytesMut) -> Result<(), EncodeError> {
    append(&[unsuccess.address.addr], octets, |w| {
        w.address(&DESTINATION, &unsuccess.address)?;
        w.u32(unsuccess.command_status.0);
        Ok(())
    })
}

impl<'a> Unsuccesses<'a> {
    /// Wraps `count` entries that [`write_unsuccess`] wrote. Octets after them are not kept.
    pub fn parse(count: u8, octets: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(octets);
        for _ in 0..count {
            read_one(&mut reader)?;
        }
        let used = octets.len().saturating_sub(reader.rest().len());
        Ok(Self { count, octets: octets.get(..used).unwrap_or_default() })
    }

    /// no_unsuccess.
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The refused destinations in order.
    pub fn iter(&self) -> impl Iterator<Item = Unsuccess<'a>> + use<'a> {
        let mut reader = Reader::new(self.octets);
        (0..self.count).map_while(move |_| read_one(&mut reader).ok())
    }

    pub(super) const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// An absent list is an empty one.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        if reader.rest().is_empty() {
            return Ok(Self::default());
        }
        let count = reader.u8("no_unsuccess")?;
        let parsed = Self::parse(count, reader.rest())?;
        reader.skip(parsed.octets.len());
        Ok(parsed)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.count);
        writer.bytes(self.octets);
    }
}

impl fmt::Debug for Unsuccesses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn read_one<'a>(reader: &mut Reader<'a>) -> Result<Unsuccess<'a>, FieldError> {
    let address = reader.address(&DESTINATION)?;
    let command_status = CommandStatus(reader.u32("error_status_code")?);
    Ok(Unsuccess { address, command_status })
}
