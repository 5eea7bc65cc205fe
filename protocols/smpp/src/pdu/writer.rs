//! Writes whole PDUs.

use bytes::{BufMut, BytesMut};

use super::address::Address;
use super::error::EncodeError;
use super::field::{AddressField, Field, OctetField, SHORT_MESSAGE};
use crate::command::CommandId;
use crate::frame::HEADER_LEN;
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// Appends a PDU that is a header alone: enquire_link_resp, unbind_resp, cancel_sm_resp, replace_sm_resp,
/// generic_nack, and every response that refuses its request (its body is then left out, 4.1.2, 4.4.2).
pub fn encode_resp_header(
    command_id: CommandId,
    command_status: CommandStatus,
    sequence_number: u32,
    out: &mut BytesMut,
) {
    out.extend_from_slice(&header(HEADER_ONLY, command_id, command_status, sequence_number));
}

/// Appends a request that is a header alone: enquire_link or unbind.
pub fn encode_request_header(command_id: CommandId, sequence_number: u32, out: &mut BytesMut) {
    encode_resp_header(command_id, CommandStatus::ESME_ROK, sequence_number, out);
}

/// command_length of a PDU without a body.
const HEADER_ONLY: u32 = 16;

/// The three header fields that the sender chooses.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) command_id: CommandId,
    pub(super) command_status: CommandStatus,
    pub(super) sequence_number: u32,
}

impl Head {
    pub(super) const fn request(command_id: CommandId, sequence_number: u32) -> Self {
        Self { command_id, command_status: CommandStatus::ESME_ROK, sequence_number }
    }
}

/// Appends a PDU whose body `fields` writes; undone when it fails.
pub(super) fn encode(
    head: Head,
    out: &mut BytesMut,
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&header(0, head.command_id, head.command_status, head.sequence_number));
    let written = fields(&mut Writer(out)).and_then(|()| write_length(start, out));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_length(start: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let octets = out.len().saturating_sub(start);
    let refused = EncodeError::TooLong { field: "command_length", octets, octets_max: u32::MAX as usize };
    let command_length = u32::try_from(octets).map_err(|_| refused)?;
    let field = out.get_mut(start..).and_then(|pdu| pdu.first_chunk_mut::<4>()).ok_or(refused)?;
    *field = command_length.to_be_bytes();
    Ok(())
}

#[inline]
fn header(length: u32, id: CommandId, status: CommandStatus, sequence_number: u32) -> [u8; HEADER_LEN] {
    let mut octets = [0; HEADER_LEN];
    let fields = [length, id.0, status.0, sequence_number];
    for (place, field) in octets.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_be_bytes());
    }
    octets
}

/// The body being written.
pub(super) struct Writer<'a>(&'a mut BytesMut);

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut BytesMut) -> Self {
        Self(out)
    }

    /// Makes room at once for a body of about this many octets.
    pub(super) fn reserve(&mut self, octets: usize) {
        self.0.reserve(octets);
    }

    pub(super) fn u8(&mut self, octet: u8) {
        self.0.put_u8(octet);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.put_u32(value);
    }

    pub(super) fn octet(&mut self, field: &OctetField, octet: u8) -> Result<(), EncodeError> {
        if octet > field.max {
            return Err(EncodeError::Value { field: field.name });
        }
        self.u8(octet);
        Ok(())
    }

    /// A C-octet string and its NUL.
    pub(super) fn c_octet(&mut self, field: &Field, value: &[u8]) -> Result<(), EncodeError> {
        field.fits(value)?;
        if value.contains(&0) {
            return Err(EncodeError::Nul { field: field.name });
        }
        self.0.extend_from_slice(value);
        self.u8(0);
        Ok(())
    }

    /// A time field, which is empty or exactly 16 octets (7.1).
    pub(super) fn time(&mut self, field: &Field, value: &[u8]) -> Result<(), EncodeError> {
        if !value.is_empty() && value.len() < field.octets_max {
            return Err(EncodeError::Value { field: field.name });
        }
        self.c_octet(field, value)
    }

    pub(super) fn address(&mut self, field: &AddressField, address: &Address<'_>) -> Result<(), EncodeError> {
        self.octet(&field.ton, address.ton)?;
        self.octet(&field.npi, address.npi)?;
        self.c_octet(&field.addr, address.addr)
    }

    /// sm_length and short_message.
    pub(super) fn short_message(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        SHORT_MESSAGE.fits(value)?;
        // The limit checked above is below 256.
        self.u8(u8::try_from(value.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(value);
        Ok(())
    }

    pub(super) fn bytes(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    pub(super) fn tlvs(&mut self, tlvs: Tlvs<'_>) {
        self.0.extend_from_slice(tlvs.as_bytes());
    }
}
