//! data_sm (4.7.1); its response is [`super::SmResp`].

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{DESTINATION_LONG, SERVICE_TYPE, SOURCE_LONG};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::data_coding::DataCoding;
use crate::esm_class::EsmClass;
use crate::registered_delivery::RegisteredDelivery;
use crate::tlv::{Tag, Tlvs};

/// A message in either direction whose text is the message_payload TLV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSm<'a> {
    /// At most 5 octets; ESME_RINVSERTYP.
    pub service_type: &'a [u8],
    /// At most 64 octets; ESME_RINVSRCTON, ESME_RINVSRCNPI, ESME_RINVSRCADR.
    pub source: Address<'a>,
    /// At most 64 octets; ESME_RINVDSTTON, ESME_RINVDSTNPI, ESME_RINVDSTADR.
    pub destination: Address<'a>,
    /// Mode, type and UDHI.
    pub esm_class: EsmClass,
    /// Which receipts are wanted.
    pub registered_delivery: RegisteredDelivery,
    /// The alphabet of the text.
    pub data_coding: DataCoding,
    /// Optional parameters, message_payload among them.
    pub tlvs: Tlvs<'a>,
}

impl<'a> DataSm<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            service_type: reader.c_octet(&SERVICE_TYPE)?,
            source: reader.address(&SOURCE_LONG)?,
            destination: reader.address(&DESTINATION_LONG)?,
            esm_class: EsmClass(reader.u8("esm_class")?),
            registered_delivery: RegisteredDelivery(reader.u8("registered_delivery")?),
            data_coding: DataCoding(reader.u8("data_coding")?),
            tlvs: reader.tlvs()?,
        })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.service_type, self.source.addr, self.destination.addr, self.tlvs.as_bytes()];
        writer::encode(Head::request(CommandId::DATA_SM, sequence_number), &strings, out, |w| {
            w.c_octet(&SERVICE_TYPE, self.service_type)?;
            w.address(&SOURCE_LONG, &self.source)?;
            w.address(&DESTINATION_LONG, &self.destination)?;
            w.bytes(&[self.esm_class.0, self.registered_delivery.0, self.data_coding.0]);
            w.tlvs(self.tlvs);
            Ok(())
        })
    }

    /// The text octets; empty without a message_payload.
    pub fn payload(&self) -> &'a [u8] {
        self.tlvs.get(Tag::MESSAGE_PAYLOAD).unwrap_or_default()
    }
}
