//! cancel_sm and replace_sm (4.9, 4.10). Their responses are headers alone.

use std::fmt;

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{DESTINATION, MESSAGE_ID, SCHEDULE, SERVICE_TYPE, SOURCE, VALIDITY};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::registered_delivery::RegisteredDelivery;
use crate::tlv::Tlvs;

/// Cancels one message, or all between two addresses when message_id is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelSm<'a> {
    /// At most 5 octets; ESME_RINVSERTYP.
    pub service_type: &'a [u8],
    /// The SMSC's id or empty, at most 64 octets; ESME_RINVMSGID.
    pub message_id: &'a [u8],
    /// The source of the message; it must match.
    pub source: Address<'a>,
    /// The destination; may be empty when message_id is given.
    pub destination: Address<'a>,
}

impl<'a> CancelSm<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            service_type: reader.c_octet(&SERVICE_TYPE)?,
            message_id: reader.c_octet(&MESSAGE_ID)?,
            source: reader.address(&SOURCE)?,
            destination: reader.address(&DESTINATION)?,
        })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.service_type, self.message_id, self.source.addr, self.destination.addr];
        writer::encode(Head::request(CommandId::CANCEL_SM, sequence_number), &strings, out, |w| {
            w.c_octet(&SERVICE_TYPE, self.service_type)?;
            w.c_octet(&MESSAGE_ID, self.message_id)?;
            w.address(&SOURCE, &self.source)?;
            w.address(&DESTINATION, &self.destination)
        })
    }
}

/// Replaces the text and times of a message that was not delivered yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplaceSm<'a> {
    /// The SMSC's id, at most 64 octets; ESME_RINVMSGID.
    pub message_id: &'a [u8],
    /// The source of the message; it must match.
    pub source: Address<'a>,
    /// Empty keeps the old one; ESME_RINVSCHED.
    pub schedule_delivery_time: &'a [u8],
    /// Empty keeps the old one; ESME_RINVEXPIRY.
    pub validity_period: &'a [u8],
    /// Which receipts are wanted.
    pub registered_delivery: RegisteredDelivery,
    /// A predefined message of the SMSC, 0 for none.
    pub sm_default_msg_id: u8,
    /// The new text, at most 254 octets, 255 from a 5.0 peer; ESME_RINVMSGLEN.
    pub short_message: &'a [u8],
    /// message_payload in 5.0; none in 3.4.
    pub tlvs: Tlvs<'a>,
}

impl<'a> ReplaceSm<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            message_id: reader.c_octet(&MESSAGE_ID)?,
            source: reader.address(&SOURCE)?,
            schedule_delivery_time: reader.c_octet(&SCHEDULE)?,
            validity_period: reader.c_octet(&VALIDITY)?,
            registered_delivery: RegisteredDelivery(reader.u8("registered_delivery")?),
            sm_default_msg_id: reader.u8("sm_default_msg_id")?,
            short_message: reader.short_message()?,
            tlvs: reader.tlvs()?,
        })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [
            self.message_id,
            self.source.addr,
            self.schedule_delivery_time,
            self.validity_period,
            self.short_message,
            self.tlvs.as_bytes(),
        ];
        writer::encode(Head::request(CommandId::REPLACE_SM, sequence_number), &strings, out, |w| {
            w.c_octet(&MESSAGE_ID, self.message_id)?;
            w.address(&SOURCE, &self.source)?;
            w.time(&SCHEDULE, self.schedule_delivery_time)?;
            w.time(&VALIDITY, self.validity_period)?;
            w.bytes(&[self.registered_delivery.0, self.sm_default_msg_id]);
            w.short_message(self.short_message)?;
            w.tlvs(self.tlvs);
            Ok(())
        })
    }
}

/// Shows the length in place of the text.
impl fmt::Debug for ReplaceSm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaceSm")
            .field("message_id", &format_args!("{}", self.message_id.escape_ascii()))
            .field("source", &self.source)
            .field("registered_delivery", &self.registered_delivery.0)
            .field("short_message_octets", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}
