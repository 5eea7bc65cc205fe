//! submit_sm_resp, deliver_sm_resp and data_sm_resp (4.4.2, 4.6.2, 4.7.2).

use bytes::BytesMut;

use super::error::EncodeError;
use super::error::FieldError;
use super::field::MESSAGE_ID;
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// The response to a message. A refusal goes out as [`super::encode_resp_header`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmResp<'a> {
    /// The SMSC's id; empty in deliver_sm_resp and where the peer left the body out. Decode takes any
    /// length, encode at most 64 octets.
    pub message_id: &'a [u8],
    /// TLVs of data_sm_resp and of 5.0.
    pub tlvs: Tlvs<'a>,
}

impl<'a> SmResp<'a> {
    /// Reads the body; never fails today, since losing a vendor's id costs more than an odd octet.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        let message_id = reader.c_octet_lenient();
        Ok(Self { message_id, tlvs: reader.tlvs_lenient() })
    }

    /// Appends the response as `command_id`: SUBMIT_SM_RESP, DELIVER_SM_RESP or DATA_SM_RESP.
    pub fn encode(
        &self,
        command_id: CommandId,
        command_status: CommandStatus,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let head = Head { command_id, command_status, sequence_number };
        writer::encode_c_octet(head, &MESSAGE_ID, self.message_id, self.tlvs, out)
    }
}
