//! Limits of the fields and the status that answers a breach (4.x tables, 5.2, 5.1.3).

use super::error::{EncodeError, FieldError};
use super::nul;
use crate::status::CommandStatus;

/// A C-octet string or octet string field.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Octets without the NUL.
    pub(super) octets_max: usize,
    pub(super) command_status: CommandStatus,
}

/// TON, NPI and address.
pub(super) struct AddressField {
    pub(super) ton: OctetField,
    pub(super) npi: OctetField,
    pub(super) addr: Field,
}

/// A one-octet integer with a highest value.
pub(super) struct OctetField {
    pub(super) name: &'static str,
    pub(super) max: u8,
    pub(super) command_status: CommandStatus,
}

/// 5.2.5: 0b110 "abbreviated" is the last that is not reserved.
const TON_MAX: u8 = 6;
/// 5.2.6: 18 "WAP client id" is the last; the gaps below it are let through.
const NPI_MAX: u8 = 18;

const fn field(name: &'static str, octets_max: usize, command_status: CommandStatus) -> Field {
    Field { name, octets_max, command_status }
}

const fn octet(name: &'static str, max: u8, command_status: CommandStatus) -> OctetField {
    OctetField { name, max, command_status }
}

pub(super) const SYSTEM_ID: Field = field("system_id", 15, CommandStatus::ESME_RINVSYSID);
pub(super) const PASSWORD: Field = field("password", 8, CommandStatus::ESME_RINVPASWD);
pub(super) const SYSTEM_TYPE: Field = field("system_type", 12, CommandStatus::ESME_RINVSYSTYP);
pub(super) const SERVICE_TYPE: Field = field("service_type", 5, CommandStatus::ESME_RINVSERTYP);
pub(super) const SCHEDULE: Field = field("schedule_delivery_time", 16, CommandStatus::ESME_RINVSCHED);
pub(super) const VALIDITY: Field = field("validity_period", 16, CommandStatus::ESME_RINVEXPIRY);
pub(super) const MESSAGE_ID: Field = field("message_id", 64, CommandStatus::ESME_RINVMSGID);
pub(super) const FINAL_DATE: Field = field("final_date", 16, CommandStatus::ESME_RUNKNOWNERR);
pub(super) const DL_NAME: Field = field("dl_name", 20, CommandStatus::ESME_RINVDLNAME);
/// 5.2.21, 5.2.22: 254 octets; more goes into message_payload.
pub(super) const SHORT_MESSAGE: Field = field("short_message", 254, CommandStatus::ESME_RINVMSGLEN);

pub(super) const SOURCE: AddressField = source(20);
pub(super) const DESTINATION: AddressField = destination(20);
/// data_sm and alert_notification allow longer addresses (4.7.1, 4.12.1).
pub(super) const SOURCE_LONG: AddressField = source(64);
pub(super) const DESTINATION_LONG: AddressField = destination(64);
/// The TON and NPI of a bind say nothing that we use, and peers fill them at will: no limit.
pub(super) const ADDRESS_RANGE: AddressField = AddressField {
    ton: octet("addr_ton", u8::MAX, CommandStatus::ESME_RBINDFAIL),
    npi: octet("addr_npi", u8::MAX, CommandStatus::ESME_RBINDFAIL),
    addr: field("address_range", 40, CommandStatus::ESME_RBINDFAIL),
};
/// alert_notification's second address; it has no status of its own.
pub(super) const ESME_ADDR: AddressField = AddressField {
    ton: octet("esme_addr_ton", TON_MAX, CommandStatus::ESME_RINVDSTTON),
    npi: octet("esme_addr_npi", NPI_MAX, CommandStatus::ESME_RINVDSTNPI),
    addr: field("esme_addr", 64, CommandStatus::ESME_RINVDSTADR),
};

const fn source(octets_max: usize) -> AddressField {
    AddressField {
        ton: octet("source_addr_ton", TON_MAX, CommandStatus::ESME_RINVSRCTON),
        npi: octet("source_addr_npi", NPI_MAX, CommandStatus::ESME_RINVSRCNPI),
        addr: field("source_addr", octets_max, CommandStatus::ESME_RINVSRCADR),
    }
}

const fn destination(octets_max: usize) -> AddressField {
    AddressField {
        ton: octet("dest_addr_ton", TON_MAX, CommandStatus::ESME_RINVDSTTON),
        npi: octet("dest_addr_npi", NPI_MAX, CommandStatus::ESME_RINVDSTNPI),
        addr: field("destination_addr", octets_max, CommandStatus::ESME_RINVDSTADR),
    }
}

impl Field {
    pub(super) const fn refused(&self) -> FieldError {
        FieldError { field: self.name, command_status: self.command_status }
    }

    pub(super) const fn fits(&self, value: &[u8]) -> Result<(), EncodeError> {
        if value.len() > self.octets_max {
            let (field, octets, octets_max) = (self.name, value.len(), self.octets_max);
            return Err(EncodeError::TooLong { field, octets, octets_max });
        }
        Ok(())
    }

    /// Whether this may go out as a C-octet string.
    #[inline]
    pub(super) fn check(&self, value: &[u8]) -> Result<(), EncodeError> {
        self.fits(value)?;
        if nul::is_in(value) {
            return Err(EncodeError::Nul { field: self.name });
        }
        Ok(())
    }
}

impl OctetField {
    pub(super) const fn refused(&self) -> FieldError {
        FieldError { field: self.name, command_status: self.command_status }
    }
}
