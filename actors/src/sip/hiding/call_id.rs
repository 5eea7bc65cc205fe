//! Call-IDs: as the caller has made them, as a hidden callee has them, and what a call is known by to us.
//!
//! Only a callee has another Call-ID than the caller, who made it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use sip::{EditError, Edits, HeaderId, NameAddr, Uri};

use crate::sip::cookie::{Keys, Kind};

/// The longest Call-ID that is sealed itself: the callee's has 153 characters at most. In place of a longer
/// one a digest of it is sealed, and the Call-ID itself is in the record of the dialog alone.
const CALL_ID_MAX: usize = 96;

/// What sealed Call-IDs begin with.
const MARK: &[u8; 1] = b"w";

/// How often a call may have come round through us, hidden each time: a Call-ID that is sealed itself grows
/// by a third.
const ROUNDS_MAX: usize = 4;

/// What a sealed Call-ID tells.
enum Opened {
    /// The caller's.
    CallId(Vec<u8>),
    /// That the caller's is too long, and what the call is known by.
    Name(Vec<u8>),
}

/// What a call is known by to cookies and sealed texts, and by what it finds its worker: the same from the
/// Call-ID of either side.
#[must_use]
pub fn call_name<'a>(keys: &Keys, call_id: &'a [u8]) -> Cow<'a, [u8]> {
    let root = root(keys, call_id);
    if root.len() <= CALL_ID_MAX {
        return root;
    }
    Cow::Owned(URL_SAFE_NO_PAD.encode(digest(&SHA256, &root)).into_bytes())
}

/// The Call-ID that all those of a call are made of, as far as they tell it.
#[must_use]
pub fn root<'a>(keys: &Keys, call_id: &'a [u8]) -> Cow<'a, [u8]> {
    let mut root = Cow::Borrowed(call_id);
    for _ in 0..ROUNDS_MAX {
        match opened(keys, &root) {
            Some(Opened::CallId(before)) => root = Cow::Owned(before),
            Some(Opened::Name(name)) => return Cow::Owned(name),
            None => break,
        }
    }
    root
}

/// The Call-ID for a hidden callee, by the key of this number. It is the same as long as that key lives.
#[must_use]
pub fn sealed(keys: &Keys, call_id: &[u8], by: Option<u8>) -> Box<[u8]> {
    let text = if call_id.len() <= CALL_ID_MAX {
        keys.seal_text(Kind::CallId, b"", call_id, by)
    } else {
        keys.seal_text(Kind::CallName, b"", &call_name(keys, call_id), by)
    };
    [MARK.as_slice(), text.as_slice()].concat().into_boxed_slice()
}

/// Whether a Call-ID was sealed for a hidden callee.
#[must_use]
pub fn is_sealed(keys: &Keys, call_id: &[u8]) -> bool {
    opened(keys, call_id).is_some()
}

/// The caller's Call-ID by that of a hidden callee; `None` for any other, and for one that is in the dialog's
/// record alone.
#[must_use]
pub fn callers(keys: &Keys, call_id: &[u8]) -> Option<Vec<u8>> {
    match opened(keys, call_id)? {
        Opened::CallId(call_id) => Some(call_id),
        Opened::Name(_) => None,
    }
}

fn opened(keys: &Keys, call_id: &[u8]) -> Option<Opened> {
    let text = call_id.strip_prefix(MARK)?;
    let call_id = keys.open_text(Kind::CallId, b"", text).map(Opened::CallId);
    call_id.or_else(|| keys.open_text(Kind::CallName, b"", text).map(Opened::Name))
}

/// Gives calls that a request names, in Replaces, Join, Target-Dialog or the Replaces of Refer-To, the
/// Call-ID that they have on the side that it goes to, when they are between the same two sides.
pub fn name_calls(edits: &mut Edits<'_>, keys: &Keys, hides: bool) -> Option<()> {
    let message = edits.message();
    for id in [HeaderId::Replaces, HeaderId::Join, HeaderId::TargetDialog] {
        let named = message.value(id).and_then(|value| value.split(|octet| *octet == b';').next());
        if let Some((named, other)) = named.and_then(|named| Some((named, across(keys, named, hides)?))) {
            replace(edits, named, &other)?;
        }
    }
    let Some(named) = message.value(HeaderId::ReferTo).and_then(replaced) else { return Some(()) };
    match across(keys, &unescaped(named), hides) {
        Some(other) => replace(edits, named, &escaped(&other)),
        None => Some(()),
    }
}

/// What a rule has taken off stays off.
fn replace(edits: &mut Edits<'_>, named: &[u8], other: &[u8]) -> Option<()> {
    match edits.replace(named, other) {
        Ok(()) | Err(EditError::Overlap) => Some(()),
        Err(_) => None,
    }
}

/// The Call-ID on one side of a call that the other side knows by this one; `None` where both know the same.
fn across(keys: &Keys, call_id: &[u8], hides: bool) -> Option<Box<[u8]>> {
    let call_id = call_id.trim_ascii();
    match callers(keys, call_id) {
        Some(own) => Some(own.into_boxed_slice()),
        None => (hides && !is_sealed(keys, call_id)).then(|| sealed(keys, call_id, None)),
    }
}

/// The Call-ID in the Replaces of a Refer-To (RFC 3891), as it is escaped there.
fn replaced(refer_to: &[u8]) -> Option<&[u8]> {
    let uri = Uri::parse(NameAddr::parse(refer_to).ok()?.uri).ok()?.sip()?;
    let value = uri.headers?.split(|octet| *octet == b'&').find_map(|header| {
        let (name, value) = header.split_at_checked(header.iter().position(|octet| *octet == b'=')?)?;
        name.eq_ignore_ascii_case(b"Replaces").then_some(value)?.get(1..)
    })?;
    let end = value.windows(3).position(|octets| octets.eq_ignore_ascii_case(b"%3B"));
    value.get(..end.unwrap_or(value.len()))
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) => {
                plain.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// As the headers of a URI have it: what is not unreserved is escaped (RFC 3261 25.1).
fn escaped(text: &[u8]) -> Vec<u8> {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet);
    let mut escaped = Vec::with_capacity(text.len());
    for octet in text {
        if unreserved(*octet) {
            escaped.push(*octet);
        } else {
            escaped.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
    escaped
}
