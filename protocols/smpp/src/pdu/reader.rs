//! Reads fields off the front of a body.

use super::address::Address;
use super::error::FieldError;
use super::field::{AddressField, Field, OctetField};
use super::nul;
use crate::status::CommandStatus;
use crate::tlv::Tlvs;

/// What is left of a body.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// One octet; ESME_RINVCMDLEN when the body ends before it.
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, FieldError> {
        let (&octet, rest) = self.0.split_first().ok_or_else(|| ended_before(field))?;
        self.0 = rest;
        Ok(octet)
    }

    /// One octet within the field's limit.
    pub(super) fn octet(&mut self, field: &OctetField) -> Result<u8, FieldError> {
        let octet = self.u8(field.name)?;
        if octet > field.max { Err(field.refused()) } else { Ok(octet) }
    }

    /// A C-octet string without its NUL. ESME_RINVCMDLEN when the body ends before it, the field's own
    /// status when no NUL stands within its limit.
    pub(super) fn c_octet(&mut self, field: &Field) -> Result<&'a [u8], FieldError> {
        let within = self.0.get(..=field.octets_max).unwrap_or(self.0);
        let Some(length) = nul::find(within) else {
            return Err(if self.0.is_empty() { ended_before(field.name) } else { field.refused() });
        };
        Ok(self.take_c_octet(length))
    }

    /// A C-octet string of any length whose NUL may be missing at the end of the body.
    pub(super) fn c_octet_lenient(&mut self) -> &'a [u8] {
        let length = nul::find(self.0).unwrap_or(self.0.len());
        self.take_c_octet(length)
    }

    pub(super) fn address(&mut self, field: &AddressField) -> Result<Address<'a>, FieldError> {
        let ton = self.octet(&field.ton)?;
        let npi = self.octet(&field.npi)?;
        Ok(Address { ton, npi, addr: self.c_octet(&field.addr)? })
    }

    /// sm_length and short_message; ESME_RINVMSGLEN when the length is past the end. 3.4 ends at 254 octets,
    /// which is what we write; 5.0 (4.7.28) has 255, and its peers send them.
    pub(super) fn short_message(&mut self) -> Result<&'a [u8], FieldError> {
        let sm_length = usize::from(self.u8("sm_length")?);
        let refused = FieldError { field: "sm_length", command_status: CommandStatus::ESME_RINVMSGLEN };
        let (short_message, rest) = self.0.split_at_checked(sm_length).ok_or(refused)?;
        self.0 = rest;
        Ok(short_message)
    }

    /// Everything that is left, without taking it.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Takes `octets` that were found in [`Reader::rest`].
    pub(super) fn skip(&mut self, octets: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(octets).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, FieldError> {
        let (octets, rest) = self.0.split_first_chunk::<4>().ok_or_else(|| ended_before(field))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*octets))
    }

    /// The TLVs of a request.
    pub(super) fn tlvs(self) -> Result<Tlvs<'a>, FieldError> {
        if self.0.is_empty() { Ok(Tlvs::EMPTY) } else { Tlvs::parse(self.0) }
    }

    /// The TLVs of a response: what is broken is dropped.
    pub(super) fn tlvs_lenient(self) -> Tlvs<'a> {
        Tlvs::well_formed_prefix(self.0)
    }

    fn take_c_octet(&mut self, length: usize) -> &'a [u8] {
        let (value, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest.get(1..).unwrap_or_default();
        value
    }
}

const fn ended_before(field: &'static str) -> FieldError {
    FieldError { field, command_status: CommandStatus::ESME_RINVCMDLEN }
}
