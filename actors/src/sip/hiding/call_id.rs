//! Call-IDs: as the caller has made them, as a hidden callee has them, and what a call is known by to us.
//!
//! Only a callee has another Call-ID than the caller, who made it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use sip::{EditError, Edits, HeaderId, NameAddr, Uri};

use crate::sip::cookie::{self, Keys, Kind};

/// The longest Call-ID that is sealed itself: the callee's has 153 characters at most. In place of a longer
/// one a digest of it is sealed, and the Call-ID itself is in the record of the dialog alone.
const CALL_ID_MAX: usize = 96;

/// What sealed Call-IDs begin with.
const MARK: &[u8; 1] = b"w";

/// No sealed Call-ID is longer: more is not looked at, since anybody may send it.
const SEALED_MAX: usize = MARK.len() + cookie::sealed_len(CALL_ID_MAX);

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
fn root<'a>(keys: &Keys, call_id: &'a [u8]) -> Cow<'a, [u8]> {
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
    let text = call_id.strip_prefix(MARK).filter(|_| call_id.len() <= SEALED_MAX)?;
    let call_id = keys.open_text(Kind::CallId, b"", text).map(Opened::CallId);
    call_id.or_else(|| keys.open_text(Kind::CallName, b"", text).map(Opened::Name))
}

/// The Call-ID of the call that a request is of, as its sender and as who gets it know it.
pub type Ids<'a> = (&'a [u8], &'a [u8]);

/// Gives the call that a request names in Replaces, Join, Target-Dialog or the Replaces of Refer-To the Call-ID that it
/// has on the side that the request goes to. Of a call whose sides are not both shown the other one (RFC 3891, 3911,
/// 4538).
///
/// Only the call that the request itself is of (`ids`) is known to be between the same two: the name of any other would
/// tell one side of whom it is, and be another call's on the other. It is taken off. `None` for a transfer to another
/// call, which is nothing without it; an INVITE that begins a call has none to transfer.
pub fn name_calls(edits: &mut Edits<'_>, ids: Option<Ids<'_>>) -> Option<()> {
    let message = edits.message();
    for id in [HeaderId::Replaces, HeaderId::Join, HeaderId::TargetDialog] {
        let mut values = message.values(id);
        let Some(value) = values.next() else { continue };
        let named = value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        match ids.filter(|(own, _)| *own == named && values.next().is_none()) {
            Some((_, other)) => replace(edits, named, other)?,
            None => take_off(edits, id)?,
        }
    }
    let Some(refer_to) = message.value(HeaderId::ReferTo) else { return Some(()) };
    let Some(named) = replaced(refer_to) else { return Some(()) };
    let Some((own, other)) = ids else { return take_off(edits, HeaderId::ReferTo) };
    if unescaped(named) != own {
        return None;
    }
    replace(edits, named, &escaped(other))
}

fn take_off(edits: &mut Edits<'_>, id: HeaderId) -> Option<()> {
    match edits.remove(id) {
        // A rule has done so.
        Ok(_) | Err(EditError::Overlap) => Some(()),
        Err(_) => None,
    }
}

/// What a rule has taken off stays off.
fn replace(edits: &mut Edits<'_>, named: &[u8], other: &[u8]) -> Option<()> {
    match edits.replace(named, other) {
        Ok(()) | Err(EditError::Overlap) => Some(()),
        Err(_) => None,
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
