//! submit_multi and its response (4.5).

mod destinations;
mod unsuccesses;

use std::fmt;

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{MESSAGE_ID, SCHEDULE, SERVICE_TYPE, SOURCE, VALIDITY};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::data_coding::DataCoding;
use crate::esm_class::EsmClass;
use crate::registered_delivery::RegisteredDelivery;
use crate::status::CommandStatus;
use crate::tlv::{Tag, Tlvs};

pub use destinations::{Destination, Destinations, write_destination};
pub use unsuccesses::{Unsuccess, Unsuccesses, write_unsuccess};

/// One message to at most 254 destinations. Fields are those of [`super::Sm`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SubmitMulti<'a> {
    /// At most 5 octets; ESME_RINVSERTYP.
    pub service_type: &'a [u8],
    /// At most 20 octets.
    pub source: Address<'a>,
    /// One to 254 addresses or distribution lists.
    pub destinations: Destinations<'a>,
    /// Mode, type and UDHI.
    pub esm_class: EsmClass,
    /// GSM TP-PID.
    pub protocol_id: u8,
    /// 0 (lowest) to 3.
    pub priority_flag: u8,
    /// Empty or 16 octets; ESME_RINVSCHED.
    pub schedule_delivery_time: &'a [u8],
    /// Empty or 16 octets; ESME_RINVEXPIRY.
    pub validity_period: &'a [u8],
    /// Which receipts are wanted.
    pub registered_delivery: RegisteredDelivery,
    /// Reserved in submit_multi.
    pub replace_if_present: u8,
    /// The alphabet of the text.
    pub data_coding: DataCoding,
    /// A predefined message of the SMSC, 0 for none.
    pub sm_default_msg_id: u8,
    /// At most 254 octets; ESME_RINVMSGLEN.
    pub short_message: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> SubmitMulti<'a> {
    /// Reads the body; the destinations are checked whole (ESME_RINVNUMDESTS, ESME_RINVDESTFLAG,
    /// ESME_RINVDLNAME, the statuses of a destination address).
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            service_type: reader.c_octet(&SERVICE_TYPE)?,
            source: reader.address(&SOURCE)?,
            destinations: Destinations::read(&mut reader)?,
            esm_class: EsmClass(reader.u8("esm_class")?),
            protocol_id: reader.u8("protocol_id")?,
            priority_flag: reader.u8("priority_flag")?,
            schedule_delivery_time: reader.c_octet(&SCHEDULE)?,
            validity_period: reader.c_octet(&VALIDITY)?,
            registered_delivery: RegisteredDelivery(reader.u8("registered_delivery")?),
            replace_if_present: reader.u8("replace_if_present_flag")?,
            data_coding: DataCoding(reader.u8("data_coding")?),
            sm_default_msg_id: reader.u8("sm_default_msg_id")?,
            short_message: reader.short_message()?,
            tlvs: reader.tlvs()?,
        })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [
            self.service_type,
            self.source.addr,
            self.destinations.as_bytes(),
            self.schedule_delivery_time,
            self.validity_period,
            self.short_message,
            self.tlvs.as_bytes(),
        ];
        writer::encode(Head::request(CommandId::SUBMIT_MULTI, sequence_number), &strings, out, |w| {
            w.c_octet(&SERVICE_TYPE, self.service_type)?;
            w.address(&SOURCE, &self.source)?;
            self.destinations.write(w)?;
            w.bytes(&[self.esm_class.0, self.protocol_id, self.priority_flag]);
            w.time(&SCHEDULE, self.schedule_delivery_time)?;
            w.time(&VALIDITY, self.validity_period)?;
            let delivery = self.registered_delivery.0;
            w.bytes(&[delivery, self.replace_if_present, self.data_coding.0, self.sm_default_msg_id]);
            w.short_message(self.short_message)?;
            w.tlvs(self.tlvs);
            Ok(())
        })
    }

    /// The text octets: message_payload, or short_message without one.
    pub fn payload(&self) -> &'a [u8] {
        self.tlvs.get(Tag::MESSAGE_PAYLOAD).unwrap_or(self.short_message)
    }
}

/// Shows lengths in place of texts.
impl fmt::Debug for SubmitMulti<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitMulti")
            .field("source", &self.source)
            .field("destinations", &self.destinations)
            .field("esm_class", &self.esm_class.0)
            .field("registered_delivery", &self.registered_delivery.0)
            .field("data_coding", &self.data_coding.0)
            .field("short_message_octets", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

/// The response: one id for all, and the destinations that were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitMultiResp<'a> {
    /// The SMSC's id; encode allows 64 octets.
    pub message_id: &'a [u8],
    /// Refused destinations.
    pub unsuccesses: Unsuccesses<'a>,
    /// TLVs of 5.0.
    pub tlvs: Tlvs<'a>,
}

impl<'a> SubmitMultiResp<'a> {
    /// Reads the body; an empty one gives empty fields, a cut list ESME_RINVCMDLEN.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        let message_id = reader.c_octet_lenient();
        let unsuccesses = Unsuccesses::read(&mut reader)?;
        Ok(Self { message_id, unsuccesses, tlvs: reader.tlvs_lenient() })
    }

    /// Appends the response.
    pub fn encode(
        &self,
        command_status: CommandStatus,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let head = Head { command_id: CommandId::SUBMIT_MULTI_RESP, command_status, sequence_number };
        let strings = [self.message_id, self.unsuccesses.as_bytes(), self.tlvs.as_bytes()];
        writer::encode(head, &strings, out, |w| {
            w.c_octet(&MESSAGE_ID, self.message_id)?;
            self.unsuccesses.write(w);
            w.tlvs(self.tlvs);
            Ok(())
        })
    }
}
