//! submit_sm and deliver_sm, which share their layout (4.4.1, 4.6.1).

use std::fmt;

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{DESTINATION, SCHEDULE, SERVICE_TYPE, SOURCE, VALIDITY};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::data_coding::DataCoding;
use crate::esm_class::EsmClass;
use crate::registered_delivery::RegisteredDelivery;
use crate::status::CommandStatus;
use crate::time::Time;
use crate::tlv::{Tag, Tlvs};
use crate::udh::Udh;

/// A short message, in either direction. Strings come without their NUL.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sm<'a> {
    /// At most 5 octets; ESME_RINVSERTYP.
    pub service_type: &'a [u8],
    /// At most 20 octets; ESME_RINVSRCTON, ESME_RINVSRCNPI, ESME_RINVSRCADR.
    pub source: Address<'a>,
    /// At most 20 octets; ESME_RINVDSTTON, ESME_RINVDSTNPI, ESME_RINVDSTADR.
    pub destination: Address<'a>,
    /// Mode, type and UDHI.
    pub esm_class: EsmClass,
    /// GSM TP-PID.
    pub protocol_id: u8,
    /// 0 (lowest) to 3.
    pub priority_flag: u8,
    /// Empty or 16 octets, for [`Time::parse`]; decode takes up to 16, ESME_RINVSCHED.
    pub schedule_delivery_time: &'a [u8],
    /// Empty or 16 octets, for [`Time::parse`]; decode takes up to 16, ESME_RINVEXPIRY.
    pub validity_period: &'a [u8],
    /// Which receipts are wanted.
    pub registered_delivery: RegisteredDelivery,
    /// 1 replaces an earlier message.
    pub replace_if_present: u8,
    /// The alphabet of the text.
    pub data_coding: DataCoding,
    /// A predefined message of the SMSC, 0 for none.
    pub sm_default_msg_id: u8,
    /// The text when it fits, at most 254 octets, 255 from a 5.0 peer; ESME_RINVMSGLEN.
    pub short_message: &'a [u8],
    /// Optional parameters; ESME_RINVTLVSTREAM, ESME_RINVPARLEN.
    pub tlvs: Tlvs<'a>,
}

impl<'a> Sm<'a> {
    /// Reads the body of submit_sm or deliver_sm. What only an SMSC may judge is left to
    /// [`Sm::check_submit`].
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            service_type: reader.c_octet(&SERVICE_TYPE)?,
            source: reader.address(&SOURCE)?,
            destination: reader.address(&DESTINATION)?,
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

    /// Appends the message as `command_id`, which is SUBMIT_SM or DELIVER_SM.
    pub fn encode(
        &self,
        command_id: CommandId,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let strings = [
            self.service_type,
            self.source.addr,
            self.destination.addr,
            self.schedule_delivery_time,
            self.validity_period,
            self.short_message,
            self.tlvs.as_bytes(),
        ];
        writer::encode(Head::request(command_id, sequence_number), &strings, out, |w| {
            w.c_octet(&SERVICE_TYPE, self.service_type)?;
            w.address(&SOURCE, &self.source)?;
            w.address(&DESTINATION, &self.destination)?;
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

    /// The text octets: short_message, or message_payload when short_message is empty.
    pub fn text_octets(&self) -> &'a [u8] {
        if self.short_message.is_empty() { self.payload() } else { self.short_message }
    }

    /// The text octets as 5.3.2.32 weighs them: message_payload, or short_message without one.
    pub fn payload(&self) -> &'a [u8] {
        self.tlvs.get(Tag::MESSAGE_PAYLOAD).unwrap_or(self.short_message)
    }

    /// Whether text stands in both places, which 4.4.1 forbids (ESME_ROPTPARNOTALLWD).
    pub fn has_both(&self) -> bool {
        !self.short_message.is_empty() && self.tlvs.get(Tag::MESSAGE_PAYLOAD).is_some()
    }

    /// What an SMSC refuses in a submit_sm beyond field limits: no destination (ESME_RINVDSTADR), a
    /// priority over 4 (ESME_RINVPRTFLG; 5.0 has a fourth), replace_if_present over 1 (ESME_RINVREPFLAG), a
    /// time that is none (ESME_RINVSCHED, ESME_RINVEXPIRY), text in both places (ESME_ROPTPARNOTALLWD), a
    /// user data header that does not hold (ESME_RINVESMCLASS).
    pub fn check_submit(&self) -> Result<(), FieldError> {
        let refuse = |field, command_status| Err(FieldError { field, command_status });
        if self.destination.addr.is_empty() {
            return refuse("destination_addr", CommandStatus::ESME_RINVDSTADR);
        }
        if self.priority_flag > 4 {
            return refuse("priority_flag", CommandStatus::ESME_RINVPRTFLG);
        }
        if self.replace_if_present > 1 {
            return refuse("replace_if_present_flag", CommandStatus::ESME_RINVREPFLAG);
        }
        if Time::parse(self.schedule_delivery_time).is_err() {
            return refuse("schedule_delivery_time", CommandStatus::ESME_RINVSCHED);
        }
        if Time::parse(self.validity_period).is_err() {
            return refuse("validity_period", CommandStatus::ESME_RINVEXPIRY);
        }
        if self.has_both() {
            return refuse("message_payload", CommandStatus::ESME_ROPTPARNOTALLWD);
        }
        if self.esm_class.udhi() && Udh::parse(self.text_octets()).is_err() {
            return refuse("esm_class", CommandStatus::ESME_RINVESMCLASS);
        }
        Ok(())
    }
}

/// Shows lengths in place of texts, and masked addresses.
impl fmt::Debug for Sm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sm")
            .field("service_type", &format_args!("{}", self.service_type.escape_ascii()))
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class.0)
            .field("protocol_id", &self.protocol_id)
            .field("priority_flag", &self.priority_flag)
            .field("schedule_delivery_time", &format_args!("{}", self.schedule_delivery_time.escape_ascii()))
            .field("validity_period", &format_args!("{}", self.validity_period.escape_ascii()))
            .field("registered_delivery", &self.registered_delivery.0)
            .field("replace_if_present", &self.replace_if_present)
            .field("data_coding", &self.data_coding.0)
            .field("sm_default_msg_id", &self.sm_default_msg_id)
            .field("short_message_octets", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish()
    }
}
