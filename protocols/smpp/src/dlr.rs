//! Delivery receipts (Appendix B; 5.3.2.12, 5.3.2.31, 5.3.2.35 for the TLVs), and the forms in which one
//! message id comes back.

mod date;
mod id;
mod scan;
mod state;
mod write;

use crate::pdu::Sm;
use crate::tlv::{Tag, Tlvs};
use crate::udh::Udh;

pub use date::Date;
pub use id::{Form, id_forms};
pub use state::MessageState;
pub use write::{ReceiptText, write_text};

/// What a receipt says, borrowed from its deliver_sm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The SMSC's message id as it stands; see [`id_forms`].
    pub id: &'a [u8],
    /// Messages submitted.
    pub sub: Option<u16>,
    /// Messages delivered.
    pub dlvrd: Option<u16>,
    /// 10, 12 or 14 digits, for [`Date::parse`].
    pub submit_date: Option<&'a [u8]>,
    /// 10, 12 or 14 digits, for [`Date::parse`].
    pub done_date: Option<&'a [u8]>,
    /// The state; a word that nobody knows is [`MessageState::Unknown`].
    pub stat: MessageState,
    /// The error code of the text, up to the first space or NUL; vendors put letters there too.
    pub err: Option<&'a [u8]>,
    /// The first characters of the message.
    pub text: Option<&'a [u8]>,
    /// network_error_code, when the TLV is there.
    pub network_error: Option<NetworkError>,
}

/// The network_error_code TLV (5.3.2.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkError {
    /// 1 ANSI-136, 2 IS-95, 3 GSM; 5.0 adds others.
    pub network_type: u8,
    /// The network's own code.
    pub code: u16,
}

impl<'a> Receipt<'a> {
    /// Reads the Appendix B text leniently: keys in any case and order, `_` or nothing for the space of a
    /// date key, spaces around values, fields missing. `None` without an id, and without a state in `stat`
    /// or as the first word of `text`.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        Self::from_parts(scan::scan(text), &Tlvs::EMPTY)
    }

    /// The receipt in a deliver_sm: TLVs first, the text for what they leave open. `None` when the message
    /// is not marked as a receipt by esm_class nor by receipted_message_id, whatever its text looks like:
    /// a subscriber can write "id:1 stat:DELIVRD" too.
    pub fn of(sm: &Sm<'a>) -> Option<Self> {
        if !sm.esm_class.is_delivery_receipt() && sm.tlvs.get(Tag::RECEIPTED_MESSAGE_ID).is_none() {
            return None;
        }
        let octets = sm.text_octets();
        let text = match Udh::parse(octets) {
            Ok((_, text)) if sm.esm_class.udhi() => text,
            _ => octets,
        };
        Self::from_parts(scan::scan(text), &sm.tlvs)
    }

    fn from_parts(fields: scan::Fields<'a>, tlvs: &Tlvs<'a>) -> Option<Self> {
        let id = tlvs.c_octet(Tag::RECEIPTED_MESSAGE_ID).map(<[u8]>::trim_ascii).filter(|id| !id.is_empty());
        let stat = state_of(tlvs).or_else(|| fields.state());
        Some(Self {
            id: id.or(fields.id)?,
            sub: fields.sub,
            dlvrd: fields.dlvrd,
            submit_date: fields.submit_date,
            done_date: fields.done_date,
            stat: stat?,
            err: fields.err,
            text: fields.text,
            network_error: network_error_of(tlvs),
        })
    }
}

/// message_state, whose one octet some peers widen to an integer.
fn state_of(tlvs: &Tlvs<'_>) -> Option<MessageState> {
    match tlvs.get(Tag::MESSAGE_STATE)? {
        [zeros @ .., state] if zeros.iter().all(|&octet| octet == 0) => MessageState::from_u8(*state),
        _ => None,
    }
}

fn network_error_of(tlvs: &Tlvs<'_>) -> Option<NetworkError> {
    let &[network_type, high, low] = tlvs.get(Tag::NETWORK_ERROR_CODE)?.first_chunk::<3>()?;
    Some(NetworkError { network_type, code: u16::from_be_bytes([high, low]) })
}

#[cfg(test)]
mod tests;
