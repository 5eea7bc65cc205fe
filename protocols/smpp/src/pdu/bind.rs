//! bind_receiver, bind_transmitter, bind_transceiver and their responses (4.1).

use std::fmt;

use bytes::BytesMut;

use super::address::Address;
use super::error::{EncodeError, FieldError};
use super::field::{ADDRESS_RANGE, PASSWORD, SYSTEM_ID, SYSTEM_TYPE};
use super::reader::Reader;
use super::writer::{self, Head};
use crate::command::CommandId;
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// Which way messages flow on a bound session, seen from the ESME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindMode {
    /// The ESME receives deliver_sm.
    Receiver,
    /// The ESME sends submit_sm.
    Transmitter,
    /// Both.
    Transceiver,
}

impl BindMode {
    /// The mode that a bind request or bind response asks for; `None` for other PDUs.
    pub const fn of(command_id: CommandId) -> Option<Self> {
        match command_id {
            CommandId::BIND_RECEIVER | CommandId::BIND_RECEIVER_RESP => Some(Self::Receiver),
            CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSMITTER_RESP => Some(Self::Transmitter),
            CommandId::BIND_TRANSCEIVER | CommandId::BIND_TRANSCEIVER_RESP => Some(Self::Transceiver),
            _ => None,
        }
    }

    /// The command_id of the request.
    pub const fn command_id(self) -> CommandId {
        match self {
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    /// Whether deliver_sm flows.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// Whether submit_sm flows.
    pub const fn transmits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }
}

/// A bind request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// From the command_id.
    pub mode: BindMode,
    /// At most 15 octets; ESME_RINVSYSID.
    pub system_id: &'a [u8],
    /// At most 8 octets; ESME_RINVPASWD.
    pub password: &'a [u8],
    /// At most 12 octets; ESME_RINVSYSTYP.
    pub system_type: &'a [u8],
    /// 0x34 for 3.4; 0x33 and below for older ESMEs.
    pub interface_version: u8,
    /// addr_ton, addr_npi and address_range, at most 40 octets; ESME_RBINDFAIL.
    pub address: Address<'a>,
}

impl<'a> Bind<'a> {
    /// Reads the body of a bind request; octets after address_range are ignored. Any other command_id is
    /// refused with ESME_RINVCMDID.
    pub fn decode(command_id: CommandId, body: &'a [u8]) -> Result<Self, FieldError> {
        let mode = mode_of(command_id)?;
        let mut reader = Reader::new(body);
        Ok(Self {
            mode,
            system_id: reader.c_octet(&SYSTEM_ID)?,
            password: reader.c_octet(&PASSWORD)?,
            system_type: reader.c_octet(&SYSTEM_TYPE)?,
            interface_version: reader.u8("interface_version")?,
            address: reader.address(&ADDRESS_RANGE)?,
        })
    }

    /// Appends the request.
    pub fn encode(&self, sequence_number: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        let strings = [self.system_id, self.password, self.system_type, self.address.addr];
        writer::encode(Head::request(self.mode.command_id(), sequence_number), &strings, out, |w| {
            w.c_octet(&SYSTEM_ID, self.system_id)?;
            w.c_octet(&PASSWORD, self.password)?;
            w.c_octet(&SYSTEM_TYPE, self.system_type)?;
            w.u8(self.interface_version);
            w.address(&ADDRESS_RANGE, &self.address)
        })
    }
}

/// Shows no password.
impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("mode", &self.mode)
            .field("system_id", &format_args!("{}", self.system_id.escape_ascii()))
            .field("password", &format_args!("[redacted]"))
            .field("system_type", &format_args!("{}", self.system_type.escape_ascii()))
            .field("interface_version", &self.interface_version)
            .field("address", &self.address)
            .finish()
    }
}

/// The response to a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// From the command_id.
    pub mode: BindMode,
    /// The SMSC's own system_id; empty when the body was left out.
    pub system_id: &'a [u8],
    /// sc_interface_version, if the SMSC speaks 3.4.
    pub tlvs: Tlvs<'a>,
}

impl<'a> BindResp<'a> {
    /// Reads the body of a bind response; an empty body is one. A command_id that is no bind is refused with
    /// ESME_RINVCMDID.
    pub fn decode(command_id: CommandId, body: &'a [u8]) -> Result<Self, FieldError> {
        let mode = mode_of(command_id)?;
        let mut reader = Reader::new(body);
        let system_id = reader.c_octet_lenient();
        Ok(Self { mode, system_id, tlvs: reader.tlvs_lenient() })
    }

    /// Appends the response.
    pub fn encode(
        &self,
        command_status: CommandStatus,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let head = Head { command_id: self.mode.command_id().response(), command_status, sequence_number };
        writer::encode_c_octet(head, &SYSTEM_ID, self.system_id, self.tlvs, out)
    }
}

fn mode_of(command_id: CommandId) -> Result<BindMode, FieldError> {
    let refused = FieldError { field: "command_id", command_status: CommandStatus::ESME_RINVCMDID };
    BindMode::of(command_id).ok_or(refused)
}
