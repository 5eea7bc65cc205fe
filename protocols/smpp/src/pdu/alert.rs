//! alert_notification (4.12) and outbind (4.1.7): the two requests that get no response.

use std::fmt;

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{ESME_ADDR, PASSWORD, SOURCE_LONG, SYSTEM_ID};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::tlv::Tlvs;

/// An SME has become reachable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertNotification<'a> {
    /// The SME, at most 64 octets.
    pub source: Address<'a>,
    /// The ESME that asked for the alert, at most 64 octets.
    pub esme: Address<'a>,
    /// ms_availability_status.
    pub tlvs: Tlvs<'a>,
}

impl<'a> AlertNotification<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        let source = reader.address(&SOURCE_LONG)?;
        let esme = reader.address(&ESME_ADDR)?;
        Ok(Self { source, esme, tlvs: reader.tlvs_lenient() })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.source.addr, self.esme.addr, self.tlvs.as_bytes()];
        writer::encode(Head::request(CommandId::ALERT_NOTIFICATION, sequence_number), &strings, out, |w| {
            w.address(&SOURCE_LONG, &self.source)?;
            w.address(&ESME_ADDR, &self.esme)?;
            w.tlvs(self.tlvs);
            Ok(())
        })
    }
}

/// An SMSC asks an ESME to bind.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Outbind<'a> {
    /// At most 15 octets.
    pub system_id: &'a [u8],
    /// At most 8 octets.
    pub password: &'a [u8],
}

impl<'a> Outbind<'a> {
    /// Reads the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FieldError> {
        let mut reader = Reader::new(body);
        Ok(Self { system_id: reader.c_octet(&SYSTEM_ID)?, password: reader.c_octet(&PASSWORD)? })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.system_id, self.password];
        writer::encode(Head::request(CommandId::OUTBIND, sequence_number), &strings, out, |w| {
            w.c_octet(&SYSTEM_ID, self.system_id)?;
            w.c_octet(&PASSWORD, self.password)
        })
    }
}

/// Shows no password.
impl fmt::Debug for Outbind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbind")
            .field("system_id", &format_args!("{}", self.system_id.escape_ascii()))
            .field("password", &format_args!("[redacted]"))
            .finish()
    }
}
