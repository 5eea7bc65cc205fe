//! The destination list of submit_multi (4.5.1.1).

use std::fmt;

use super::super::address::Address;
use super::super::error::{EncodeError, FieldError};
use super::super::field::{DESTINATION, DL_NAME};
use super::super::reader::Reader;
use super::super::writer::{Writer, append};
use crate::status::CommandStatus;

/// dest_flag of an SME address.
const SME_ADDRESS: u8 = 1;
/// dest_flag of a distribution list.
const DISTRIBUTION_LIST: u8 = 2;
/// 4.5.1: at most 254 destinations.
const COUNT_MAX: u8 = 254;

/// One destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// dest_flag 1.
    Address(Address<'a>),
    /// dest_flag 2, dl_name of at most 20 octets.
    DistributionList(&'a [u8]),
}

/// A checked run of destinations as it stands on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Destinations<'a> {
    count: u8,
    octets: &'a [u8],
}

/// Appends one destination to `octets`, for [`Destinations::parse`]. Errors as encode gives them; `octets`
/// is then unchanged.
pub fn write_destination(
    destination: &Destination<'_>,
    octets: &mut bytes::BytesMut,
) -> Result<(), EncodeError> {
    match destination {
        Destination::Address(address) => append(&[address.addr], octets, |w| {
            w.u8(SME_ADDRESS);
            w.address(&DESTINATION, address)
        }),
        Destination::DistributionList(name) => append(&[name], octets, |w| {
            w.u8(DISTRIBUTION_LIST);
            w.c_octet(&DL_NAME, name)
        }),
    }
}

impl<'a> Destinations<'a> {
    /// Wraps `count` destinations that [`write_destination`] wrote. Octets after them are not kept.
    pub fn parse(count: u8, octets: &'a [u8]) -> Result<Self, FieldError> {
        if !(1..=COUNT_MAX).contains(&count) {
            let command_status = CommandStatus::ESME_RINVNUMDESTS;
            return Err(FieldError { field: "number_of_dests", command_status });
        }
        let mut reader = Reader::new(octets);
        for _ in 0..count {
            read_one(&mut reader)?;
        }
        let used = octets.len().saturating_sub(reader.rest().len());
        Ok(Self { count, octets: octets.get(..used).unwrap_or_default() })
    }

    /// number_of_dests.
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The destinations in order.
    pub fn iter(&self) -> impl Iterator<Item = Destination<'a>> + use<'a> {
        let mut reader = Reader::new(self.octets);
        (0..self.count).map_while(move |_| read_one(&mut reader).ok())
    }

    pub(super) const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let count = reader.u8("number_of_dests")?;
        let parsed = Self::parse(count, reader.rest())?;
        reader.skip(parsed.octets.len());
        Ok(parsed)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.count == 0 {
            return Err(EncodeError::Value { field: "number_of_dests" });
        }
        writer.u8(self.count);
        writer.bytes(self.octets);
        Ok(())
    }
}

impl fmt::Debug for Destinations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn read_one<'a>(reader: &mut Reader<'a>) -> Result<Destination<'a>, FieldError> {
    match reader.u8("dest_flag")? {
        SME_ADDRESS => Ok(Destination::Address(reader.address(&DESTINATION)?)),
        DISTRIBUTION_LIST => Ok(Destination::DistributionList(reader.c_octet(&DL_NAME)?)),
        _ => Err(FieldError { field: "dest_flag", command_status: CommandStatus::ESME_RINVDESTFLAG }),
    }
}
