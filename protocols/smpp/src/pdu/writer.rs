//! Writes whole PDUs.

use bytes::BytesMut;

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

/// The integers and NULs of the PDU with most of them, submit_multi with 18, and some room.
const FIXED_OCTETS_MAX: usize = 32;

/// Appends a PDU whose body `fields` writes; undone when it fails. `strings` are all fields of variable
/// length: their sum says how much room is made, once and ahead of the writing.
pub(super) fn encode(
    head: Head,
    strings: &[&[u8]],
    out: &mut BytesMut,
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let body_max = FIXED_OCTETS_MAX + strings.iter().map(|string| string.len()).sum::<usize>();
    out.resize(start + HEADER_LEN + body_max, 0);
    let written = out.get_mut(start..).map_or(Err(NO_ROOM), |pdu| write(head, pdu, fields));
    out.truncate(start + written.unwrap_or(0));
    written.map(|_| ())
}

/// Appends a PDU whose body is one C-octet string and TLVs, as most responses are: the busiest encoder of a
/// gateway. Its length is known ahead, so nothing is made room for and cut again.
pub(super) fn encode_c_octet(
    head: Head,
    field: &Field,
    value: &[u8],
    tlvs: Tlvs<'_>,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    field.check(value)?;
    let octets = HEADER_LEN + value.len() + 1 + tlvs.as_bytes().len();
    let command_length = u32::try_from(octets).map_err(|_| NO_ROOM)?;
    let head = header(command_length, head.command_id, head.command_status, head.sequence_number);
    out.reserve(octets);
    out.extend_from_slice(&head);
    out.extend_from_slice(value);
    out.extend_from_slice(&[0]);
    if !tlvs.is_empty() {
        out.extend_from_slice(tlvs.as_bytes());
    }
    Ok(())
}

/// Appends fields without a header; undone when it fails.
pub(super) fn append(
    strings: &[&[u8]],
    out: &mut BytesMut,
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let body_max = FIXED_OCTETS_MAX + strings.iter().map(|string| string.len()).sum::<usize>();
    out.resize(start + body_max, 0);
    let written = out.get_mut(start..).map_or(Err(NO_ROOM), |body| write_fields(body, fields));
    out.truncate(start + written.unwrap_or(0));
    written.map(|_| ())
}

/// Fields outgrew the room that was made for them, or 32 bits.
const NO_ROOM: EncodeError = EncodeError::Value { field: "command_length" };

/// Fills the front of `pdu` and says how many octets that took.
fn write(
    head: Head,
    pdu: &mut [u8],
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<usize, EncodeError> {
    let (place, body) = pdu.split_first_chunk_mut::<HEADER_LEN>().ok_or(NO_ROOM)?;
    let octets = HEADER_LEN + write_fields(body, fields)?;
    let command_length = u32::try_from(octets).map_err(|_| NO_ROOM)?;
    *place = header(command_length, head.command_id, head.command_status, head.sequence_number);
    Ok(octets)
}

fn write_fields(
    body: &mut [u8],
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<usize, EncodeError> {
    let room = body.len();
    let mut writer = Writer { rest: body, outgrown: false };
    fields(&mut writer)?;
    if writer.outgrown { Err(NO_ROOM) } else { Ok(room - writer.rest.len()) }
}

#[inline]
fn header(length: u32, id: CommandId, status: CommandStatus, sequence_number: u32) -> [u8; HEADER_LEN] {
    let [length, id, status, number] = [length, id.0, status.0, sequence_number].map(u128::from);
    (length << 96 | id << 64 | status << 32 | number).to_be_bytes()
}

/// The room for a body, filled from the front.
pub(super) struct Writer<'a> {
    rest: &'a mut [u8],
    outgrown: bool,
}

impl Writer<'_> {
    pub(super) fn u8(&mut self, octet: u8) {
        self.bytes(&[octet]);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    #[inline]
    pub(super) fn bytes(&mut self, octets: &[u8]) {
        match std::mem::take(&mut self.rest).split_at_mut_checked(octets.len()) {
            Some((place, rest)) => {
                place.copy_from_slice(octets);
                self.rest = rest;
            }
            None => self.outgrown = true,
        }
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
        field.check(value)?;
        self.bytes(value);
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
        self.bytes(value);
        Ok(())
    }

    pub(super) fn tlvs(&mut self, tlvs: Tlvs<'_>) {
        self.bytes(tlvs.as_bytes());
    }
}
