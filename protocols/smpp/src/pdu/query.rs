//! query_sm and its response (4.8).

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{FINAL_DATE, MESSAGE_ID, SOURCE};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::status::CommandStatus;

/// Asks for the state of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuerySm<'a> {
    /// The SMSC's id, at most 64 octets; ESME_RINVMSGID.
    pub message_id: &'a [u8],
    /// The source of that message; it must match.
    pub source: Address<'a>,
}

impl<'a> QuerySm<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self { message_id: reader.c_octet(&MESSAGE_ID)?, source: reader.address(&SOURCE)? })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.message_id, self.source.addr];
        writer::encode(Head::request(CommandId::QUERY_SM, sequence_number), &strings, out, |w| {
            w.c_octet(&MESSAGE_ID, self.message_id)?;
            w.address(&SOURCE, &self.source)
        })
    }
}

/// The state of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuerySmResp<'a> {
    /// As asked for.
    pub message_id: &'a [u8],
    /// When the message reached its final state (7.1.1), empty before.
    pub final_date: &'a [u8],
    /// [`crate::dlr::MessageState::from_u8`] reads it.
    pub message_state: u8,
    /// Network error code, 0 for none.
    pub error_code: u8,
}

impl<'a> QuerySmResp<'a> {
    /// Reads the body; an empty one gives empty fields, a cut one ESME_RINVCMDLEN.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(body);
        Ok(Self {
            message_id: reader.c_octet_lenient(),
            final_date: reader.c_octet_lenient(),
            message_state: reader.u8("message_state")?,
            error_code: reader.u8("error_code")?,
        })
    }

    /// Appends the response; final_date must be empty or 16 octets.
    pub fn encode(
        &self,
        command_status: CommandStatus,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let head = Head { command_id: CommandId::QUERY_SM_RESP, command_status, sequence_number };
        writer::encode(head, &[self.message_id, self.final_date], out, |w| {
            w.c_octet(&MESSAGE_ID, self.message_id)?;
            w.time(&FINAL_DATE, self.final_date)?;
            w.bytes(&[self.message_state, self.error_code]);
            Ok(())
        })
    }
}
