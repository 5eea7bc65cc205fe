//! A message in memory: its row, the account it came from, and what only this process knows of it.

use std::sync::Arc;

use bytes::Bytes;
use runtime::log::{Contents, MessageRow, Progress, State};
use runtime::model::MessageId;
use smpp::pdu::Sm;
use smpp::text::Alphabet;
use smpp::{HEADER_LEN, RegisteredDelivery};
use uuid::Uuid;

use super::account::Account;

/// Bits of [`MessageRow::registered_delivery`] that SMPP reserves (5.2.17) and that are ours.
pub const MARKS: u8 = 0b1110_0000;
/// The vendor is asked for receipts, so that the end is known, and the customer is sent none.
pub const TELLS_NOBODY: u8 = 0x80;
/// It was written as text: its octets are re-encoded for every vendor, whatever its account says.
pub const WRITTEN_AS_TEXT: u8 = 0x40;

/// A message on its way. Boxed wherever it is kept, so that moving it is cheap.
#[derive(Debug)]
pub struct Message {
    /// The row as the log has it or will have it.
    pub row: MessageRow,
    /// Who gets the receipts.
    pub account: Arc<Account>,
    /// Routes tried since this process knows the message.
    pub tried: Vec<Uuid>,
    /// Tries on the present route.
    pub tries: u16,
}

impl Message {
    /// A message as it stands in a row.
    #[must_use]
    pub fn new(row: MessageRow, account: Arc<Account>) -> Box<Self> {
        Box::new(Self { row, account, tried: Vec::new(), tries: 0 })
    }

    /// Our id.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        MessageId(self.row.id)
    }

    /// Body of the submit_sm; None when the frame is not one, which only a damaged log can bring about.
    #[must_use]
    pub fn sm(&self) -> Option<Sm<'_>> {
        self.row.frame.get(HEADER_LEN..).and_then(|body| Sm::decode(body).ok())
    }

    /// What the vendor is asked to tell.
    #[must_use]
    pub const fn registered_delivery(&self) -> RegisteredDelivery {
        RegisteredDelivery(self.row.registered_delivery & !MARKS)
    }

    /// What the customer is told.
    #[must_use]
    pub const fn told(&self) -> RegisteredDelivery {
        let silent = self.row.registered_delivery & TELLS_NOBODY != 0;
        if silent { RegisteredDelivery::NONE } else { self.registered_delivery() }
    }

    /// Whether its octets are re-encoded for vendors with another alphabet.
    #[must_use]
    pub fn is_transcoded(&self) -> bool {
        self.row.registered_delivery & WRITTEN_AS_TEXT != 0 || self.account.settings.load().account.transcode
    }

    /// Segments it counts for; at least one.
    #[must_use]
    pub fn segments(&self) -> u32 {
        u32::from(self.row.segments).max(1)
    }

    /// The progress as it is written on a change.
    #[must_use]
    pub fn change(&self) -> (i64, Progress) {
        (self.row.id, self.row.progress.clone())
    }

    /// Puts it back in line for a vendor, as if the last attempt had not been.
    pub fn requeue(&mut self) {
        let progress = &mut self.row.progress;
        progress.state = State::Queued;
        progress.deadline = Some(self.row.expires_at);
    }

    /// What the log keeps of it beside its progress.
    pub fn contents(&self) -> Contents {
        let MessageRow { alphabet, registered_delivery, expires_at, ref frame, .. } = self.row;
        Contents { alphabet, registered_delivery, expires_at, frame: frame.clone() }
    }

    /// Ends it.
    pub fn finish(&mut self, state: State, now: i64, error: Option<Arc<str>>) {
        let progress = &mut self.row.progress;
        progress.state = state;
        progress.done_at = Some(now);
        progress.deadline = None;
        progress.dlr_hash = None;
        if error.is_some() {
            progress.error = error;
        }
    }
}

/// Octets of an address as text; every octet is one Latin-1 character, so nothing is lost.
#[must_use]
pub fn address_text(octets: &[u8]) -> Arc<str> {
    match std::str::from_utf8(octets) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => octets.iter().map(|octet| char::from(*octet)).collect::<String>().into(),
    }
}

/// The octets of an address that [`address_text`] made text.
#[must_use]
pub fn address_octets(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// Numbers of alphabets in the log.
#[must_use]
pub const fn alphabet_code(alphabet: Alphabet) -> u8 {
    match alphabet {
        Alphabet::Gsm7 => 0,
        Alphabet::Ascii => 1,
        Alphabet::Latin1 => 2,
        Alphabet::Ucs2 => 3,
        Alphabet::Octets => 4,
    }
}

/// The alphabet of a number in the log.
#[must_use]
pub const fn alphabet_of(code: u8) -> Alphabet {
    match code {
        1 => Alphabet::Ascii,
        2 => Alphabet::Latin1,
        3 => Alphabet::Ucs2,
        4 => Alphabet::Octets,
        _ => Alphabet::Gsm7,
    }
}

/// What data_coding 0 means to a peer, as configured.
#[must_use]
pub const fn default_alphabet(configured: runtime::model::Alphabet) -> Alphabet {
    match configured {
        runtime::model::Alphabet::Gsm7 => Alphabet::Gsm7,
        runtime::model::Alphabet::Ascii => Alphabet::Ascii,
        runtime::model::Alphabet::Latin1 => Alphabet::Latin1,
    }
}

/// An exact copy in an allocation of its own. A frame split off a read buffer would keep the whole buffer
/// alive for as long as the message lives.
#[must_use]
pub fn own(frame: &Bytes) -> Bytes {
    Bytes::copy_from_slice(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_whatever_their_octets() {
        for octets in [&b"15550001111"[..], b"WARP", &[0xe9, b'a', 0xff], b""] {
            assert_eq!(address_octets(&address_text(octets)), octets);
        }
    }

    #[test]
    fn alphabets_read_back() {
        for alphabet in [Alphabet::Gsm7, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2, Alphabet::Octets]
        {
            assert_eq!(alphabet_of(alphabet_code(alphabet)), alphabet);
        }
    }
}
