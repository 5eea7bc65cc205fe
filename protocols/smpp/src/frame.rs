//! Framing (3.2): a stream of octets becomes whole PDUs by command_length alone.

use bytes::{Bytes, BytesMut};

use crate::command::CommandId;
use crate::status::CommandStatus;

/// Octets of the PDU header: command_length, command_id, command_status, sequence_number.
pub const HEADER_LEN: usize = 16;

/// The four integers of a PDU header (3.2), in host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU, this field and the header included.
    pub command_length: u32,
    /// What the PDU is.
    pub command_id: CommandId,
    /// Zero in requests; receivers ignore it there.
    pub command_status: CommandStatus,
    /// Ties a response to its request.
    pub sequence_number: u32,
}

impl Header {
    /// Reads a header; `octets` are the first 16 of a PDU.
    pub const fn read(octets: &[u8; HEADER_LEN]) -> Self {
        let [l0, l1, l2, l3, c0, c1, c2, c3, e0, e1, e2, e3, s0, s1, s2, s3] = *octets;
        Self {
            command_length: u32::from_be_bytes([l0, l1, l2, l3]),
            command_id: CommandId(u32::from_be_bytes([c0, c1, c2, c3])),
            command_status: CommandStatus(u32::from_be_bytes([e0, e1, e2, e3])),
            sequence_number: u32::from_be_bytes([s0, s1, s2, s3]),
        }
    }
}

/// One whole PDU as it came, header included. A clone shares the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    header: Header,
    bytes: Bytes,
}

/// Why octets cannot be framed: the only faults that end a session. Answer generic_nack with
/// [`FrameError::command_status`] and the number from [`sequence_number_of`], then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// command_length below the 16 octets of a header.
    #[error("command_length {0} is below the 16 octets of a header")]
    LengthTooSmall(u32),
    /// command_length above the limit of this session.
    #[error("command_length {0} is above the limit")]
    LengthTooLarge(u32),
    /// [`Frame::from_bytes`] only: the octets are not exactly command_length long.
    #[error("command_length {command_length} does not match {octets} octets")]
    LengthMismatch {
        /// What the header says; 0 when the header itself is incomplete.
        command_length: u32,
        /// What is there.
        octets: usize,
    },
}

impl FrameError {
    /// The status of the generic_nack: always ESME_RINVCMDLEN.
    pub const fn command_status(&self) -> CommandStatus {
        CommandStatus::ESME_RINVCMDLEN
    }
}

/// Takes the next whole PDU off the front of `buf`, exactly command_length octets; `None` when more must be
/// read first. command_length is judged as soon as its 4 octets are there, and nothing is reserved on the
/// peer's word: `buf` grows only with octets that arrived. On an error `buf` is untouched.
pub fn split(buf: &mut BytesMut, command_length_max: u32) -> Result<Option<Frame>, FrameError> {
    let Some(length) = buf.first_chunk::<4>() else { return Ok(None) };
    let command_length = u32::from_be_bytes(*length);
    let octets = command_length as usize;
    if octets < HEADER_LEN {
        return Err(FrameError::LengthTooSmall(command_length));
    }
    if command_length > command_length_max {
        return Err(FrameError::LengthTooLarge(command_length));
    }
    if buf.len() < octets {
        return Ok(None);
    }
    let Some(header) = buf.first_chunk::<HEADER_LEN>().map(Header::read) else { return Ok(None) };
    Ok(Some(Frame { header, bytes: buf.split_to(octets).freeze() }))
}

/// The sequence_number of the PDU at the front of `octets`, or 0 when its header is incomplete: what a
/// generic_nack for a bad command_length carries (4.3.1).
pub fn sequence_number_of(octets: &[u8]) -> u32 {
    octets.first_chunk::<HEADER_LEN>().map_or(0, |header| Header::read(header).sequence_number)
}

impl Frame {
    /// Wraps octets that are one whole PDU, such as a stored frame.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, FrameError> {
        let octets = bytes.len();
        let Some(header) = bytes.first_chunk::<HEADER_LEN>().map(Header::read) else {
            return Err(FrameError::LengthMismatch { command_length: 0, octets });
        };
        if header.command_length as usize != octets {
            return Err(FrameError::LengthMismatch { command_length: header.command_length, octets });
        }
        Ok(Self { header, bytes })
    }

    /// The header.
    pub const fn header(&self) -> Header {
        self.header
    }

    /// The octets after the header.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The whole PDU.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole PDU, by value.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Shows the header only: a body holds passwords and texts.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Frame").field(&self.header).finish()
    }
}

#[cfg(test)]
mod tests;
