//! Topology hiding: what a side of a call is sent in place of the other one's addresses, and what it gives
//! back.
//!
//! Pure. A hidden side sees a Call-ID, a Via, a Contact and a Record-Route of ours. What they stand for is
//! sealed in them ([`cookie::Kind`](super::cookie::Kind)): no table is needed to turn them back, so that any
//! node can, and the next process. Within a worker every message is in the form of the side that it came
//! from; it is turned when it crosses to the other side, and nowhere else.

mod back;
mod call_id;
mod headers;
mod name;
mod veil;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use sip::{Edits, HeaderId, Limits, Message, NameAddr, SipUri, Uri};

pub use self::back::{Restored, Sender, Sent, restored};
pub use self::call_id::{Ids, call_name, callers, name_calls, sealed};
pub use self::name::with_host;
pub use self::veil::{Veil, own_route};
use super::cookie::Kind;
use super::dialog::End;
use super::settings::Settings;

/// Which sides of a call are not shown the other one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hides {
    /// The caller is not shown the callee.
    pub caller: bool,
    /// The callee is not shown the caller.
    pub callee: bool,
}

impl Hides {
    /// Whether either side is not shown the other one.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.caller || self.callee
    }

    /// Whether this side is not shown the other one.
    #[must_use]
    pub const fn is_from(self, end: End) -> bool {
        match end {
            End::Caller => self.caller,
            End::Callee => self.callee,
        }
    }
}

/// The parameter of our Contact that holds the one that it stands for.
const CONTACT: &str = "c";
/// The parameter of our Via that holds what a response gets back.
const BACK: &str = "v";

/// What a request within a dialog is for. Where that is our Contact, what it stands for, if its sender was shown that
/// (`hidden`): another may have the same of a call that came back to us. Where a strict router put us in the place of the
/// target, the last Route (16.4).
pub fn target_of<'m>(settings: &Settings, message: &'m Message, hidden: bool) -> Option<Cow<'m, [u8]>> {
    if let Some(target) = hidden.then(|| sealed_target(settings, message)).flatten() {
        return Some(Cow::Owned(target));
    }
    let uri = message.request_uri()?;
    let routed = |uri: &SipUri<'_>| is_ours(settings, uri) && uri.params.get(CONTACT.as_bytes()).is_none();
    let for_us = Uri::parse(uri).ok().and_then(Uri::sip).is_some_and(|uri| routed(&uri));
    Some(Cow::Borrowed(last_route(message).filter(|_| for_us).unwrap_or(uri)))
}

/// The Contact that ours stands for, where a request is for ours.
pub fn sealed_target(settings: &Settings, message: &Message) -> Option<Vec<u8>> {
    let call = call_name(&settings.cookies, message.value(HeaderId::CallId)?);
    let opened = |uri: &[u8]| {
        let uri = Uri::parse(uri).ok()?.sip().filter(|uri| is_ours(settings, uri))?;
        let sealed = uri.params.get(CONTACT.as_bytes())?.value?;
        settings.cookies.open_text(Kind::Contact, &call, sealed)
    };
    [message.request_uri(), last_route(message)].into_iter().flatten().find_map(opened)
}

fn last_route(message: &Message) -> Option<&[u8]> {
    let last = message.list(HeaderId::Route).last()?;
    NameAddr::parse(last).ok().map(|route| route.uri)
}

fn is_ours(settings: &Settings, uri: &SipUri<'_>) -> bool {
    settings.listeners.iter().any(|listener| listener.is_named(uri.host, uri.port))
}

/// Whether an element of Record-Route leads to us.
fn is_our_route(settings: &Settings, element: &[u8]) -> bool {
    let uri = NameAddr::parse(element).ok().and_then(|route| route.uri().ok()).and_then(Uri::sip);
    uri.is_some_and(|uri| is_ours(settings, &uri))
}

fn written(edits: &Edits<'_>) -> Bytes {
    let mut octets = BytesMut::with_capacity(edits.len());
    edits.write(&mut octets);
    octets.freeze()
}

/// Reads a message that we have changed; `None` where some of it would go unseen. It may be larger than what
/// is let in.
fn read(settings: &Settings, octets: Bytes) -> Option<Message> {
    let Limits { message, headers, line, vias, .. } = settings.limits;
    let limits = Limits {
        message: message.saturating_mul(2),
        headers: headers.saturating_add(ADDED_MAX),
        line: line.saturating_mul(2),
        vias: vias.saturating_add(ADDED_MAX),
        ..settings.limits
    };
    Message::parse_datagram(octets, &limits).ok().filter(|message| message.defect().is_none())
}

/// Headers that we add to a message, rules of operators among them.
const ADDED_MAX: usize = 128;

#[cfg(test)]
mod tests;
