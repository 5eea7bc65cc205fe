//! Texts that only nodes can read: what a hidden side is given to keep, and gives back in its messages.
//!
//! Pure. They are sealed as cookies are, by the same keys. The same text of the same call gives the same
//! sealed text under the same key, whichever node seals it: a Call-ID stays what it is through all of a
//! dialog. GCM-SIV forgives that its nonce comes again (RFC 8452 9); what shows is whether two texts of one
//! kind and one call are equal.

use std::iter::once;

use aes_gcm_siv::Tag;
use aes_gcm_siv::aead::AeadInOut;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Bound, Call, HEADER_LEN, KEY_NUMBER_MAX, Keys, TAG_LEN};

/// The longest text that is looked at.
const TEXT_MAX: usize = 4096;

/// What a text is. It stands where a cookie has its version, so that none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Call-ID.
    CallId,
    /// What stands for a Call-ID that is too long.
    CallName,
    /// A Contact.
    Contact,
    /// What a response gets back.
    Back,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::CallId => 2,
            Self::CallName => 3,
            Self::Contact => 4,
            Self::Back => 5,
        }
    }
}

/// Characters of a text of so many octets when it is sealed.
#[must_use]
pub const fn sealed_len(octets: usize) -> usize {
    ((HEADER_LEN + octets + TAG_LEN) * 4).div_ceil(3)
}

/// The number of the key that a cookie or a text was sealed by.
pub fn key_number(sealed: &[u8]) -> Option<u8> {
    let mut octets = [0; 3];
    URL_SAFE_NO_PAD.decode_slice(sealed.get(..4)?, &mut octets).ok()?;
    let [header, ..] = octets;
    Some(header & KEY_NUMBER_MAX)
}

impl Keys {
    /// Seals a text for a call: by the live key of this number, without such a one by that which seals.
    /// Characters of base64url, that need no escaping anywhere.
    #[must_use]
    pub fn seal_text(&self, kind: Kind, call: &[u8], plain: &[u8], by: Option<u8>) -> Vec<u8> {
        let live = self.0.load();
        let (secret, cipher) = live.key_of(by);
        let header = kind.number() << 4 | secret.number;
        let bound = bound(header, call);
        let mut octets = plain.to_vec();
        // A text is far below the cipher's limit.
        let Ok(tag) = cipher.encrypt_inout_detached(&bound.nonce(), &bound.0, octets.as_mut_slice().into())
        else {
            return Vec::new();
        };
        let sealed: Vec<u8> = once(header).chain(octets).chain(tag).collect();
        URL_SAFE_NO_PAD.encode(sealed).into_bytes()
    }

    /// Opens a text of this kind and this call; `None` for everything that no live key of ours has sealed so.
    #[must_use]
    pub fn open_text(&self, kind: Kind, call: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let end = sealed.len().checked_sub(TAG_LEN).filter(|end| *end >= HEADER_LEN)?;
        let (front, tag) = sealed.split_at_checked(end)?;
        let (header, octets) = front.split_first()?;
        if header >> 4 != kind.number() {
            return None;
        }
        let live = self.0.load();
        let mut keys = once(&live.sealing).chain(&live.other);
        let (_, cipher) = keys.find(|(secret, _)| secret.number == header & KEY_NUMBER_MAX)?;
        let (bound, tag) = (bound(*header, call), Tag::try_from(tag).ok()?);
        let mut plain = octets.to_vec();
        cipher.decrypt_inout_detached(&bound.nonce(), &bound.0, plain.as_mut_slice().into(), &tag).ok()?;
        Some(plain)
    }
}

fn bound(header: u8, call: &[u8]) -> Bound {
    Bound::to(header, &Call { call_id: call, caller_tag: b"" })
}

#[cfg(test)]
mod tests;
