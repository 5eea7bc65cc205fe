//! A delivery receipt, and its text after SMPP 3.4 Appendix B.

use std::io::Write as _;

use bytes::BytesMut;
use smpp::pdu::{Address, Sm};
use smpp::{CommandId, EncodeError, EsmClass, Tag, TlvBuf};
use tokio::time::Instant;

use super::SmscOptions;
use crate::marker::MARKER_CHARS;
use crate::wall::Minute;

/// message_state values (5.2.28) of a receipt.
const DELIVERED: u8 = 2;
const UNDELIVERABLE: u8 = 5;
/// Digits of an address kept for the way back (4.4.1: 20 and the NUL).
const ADDRESS_MAX: usize = 20;

/// A receipt to be sent. Kept small: a slow vendor holds a second's worth of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) due: Instant,
    /// The number behind the message id.
    pub(super) number: u64,
    /// The message in the ledger; `None` when its text had no marker.
    pub(super) id: Option<u32>,
    pub(super) failed: bool,
    pub(super) source: Party,
    pub(super) destination: Party,
    /// The first characters of the text, when they are the marker.
    pub(super) text: [u8; MARKER_CHARS],
}

/// An address by value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    ton: u8,
    npi: u8,
    length: u8,
    digits: [u8; ADDRESS_MAX],
}

impl Party {
    pub(super) fn of(address: &Address<'_>) -> Self {
        let mut digits = [0; ADDRESS_MAX];
        for (to, from) in digits.iter_mut().zip(address.addr) {
            *to = *from;
        }
        let length = u8::try_from(address.addr.len().min(ADDRESS_MAX)).unwrap_or_default();
        Self { ton: address.ton, npi: address.npi, length, digits }
    }

    fn address(&self) -> Address<'_> {
        let addr = self.digits.get(..usize::from(self.length)).unwrap_or_default();
        Address { ton: self.ton, npi: self.npi, addr }
    }
}

/// Buffers that a connection reuses for every receipt.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    id: Vec<u8>,
    text: Vec<u8>,
    tlvs: TlvBuf,
}

impl Receipt {
    /// Appends the deliver_sm to `out`.
    pub(super) fn encode(
        &self,
        options: &SmscOptions,
        (sequence_number, minute): (u32, Minute),
        scratch: &mut Scratch,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        options.receipt_id.write(self.number, &mut scratch.id);
        self.write_text(minute, scratch);
        scratch.tlvs.clear();
        if options.receipt_tlvs {
            // An id of at most 36 octets always fits.
            let _ = scratch.tlvs.push_c_octet(Tag::RECEIPTED_MESSAGE_ID, &scratch.id);
            scratch.tlvs.push_u8(Tag::MESSAGE_STATE, if self.failed { UNDELIVERABLE } else { DELIVERED });
        }
        let sm = Sm {
            source: self.destination.address(),
            destination: self.source.address(),
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: &scratch.text,
            tlvs: scratch.tlvs.as_tlvs(),
            ..Sm::default()
        };
        sm.encode(CommandId::DELIVER_SM, sequence_number, out)
    }

    fn write_text(&self, (year, month, day, hour, minute): Minute, scratch: &mut Scratch) {
        let text = &mut scratch.text;
        text.clear();
        text.extend_from_slice(b"id:");
        text.extend_from_slice(&scratch.id);
        let (delivered, stat, error) = if self.failed { (0, "UNDELIV", 1) } else { (1, "DELIVRD", 0) };
        let date = format_args!("{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100);
        // Writing to a Vec cannot fail.
        let _ = write!(
            text,
            " sub:001 dlvrd:{delivered:03} submit date:{date} done date:{date} stat:{stat} err:{error:03} text:",
        );
        if self.text != [0; MARKER_CHARS] {
            text.extend_from_slice(&self.text);
        }
    }
}
