//! What passes to a hidden side: headers that a call needs and that hold no address of whoever wrote them, as
//! those of rules do not, and names of people, written anew. All others stay behind.

use runtime::model::{HeaderAction, HeaderRule};
use sip::{Edits, HeaderId, List, Message, NameAddr, Reason, StartLine, StatusCode};

use super::name::{self, is_one_of};
use crate::sip::dialog::unfolded;
use crate::sip::settings::Settings;

/// They pass as they are. Via, Record-Route, Contact, From, To and Call-ID are those for this side by then.
const PASS: [HeaderId; 47] = [
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::Contact,
    HeaderId::MaxForwards,
    HeaderId::MaxBreadth,
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::ContentLength,
    HeaderId::ContentType,
    HeaderId::ContentEncoding,
    HeaderId::ContentDisposition,
    HeaderId::ContentLanguage,
    HeaderId::MimeVersion,
    HeaderId::Accept,
    HeaderId::AcceptEncoding,
    HeaderId::AcceptLanguage,
    HeaderId::AcceptContact,
    HeaderId::RejectContact,
    HeaderId::RequestDisposition,
    HeaderId::Require,
    HeaderId::ProxyRequire,
    HeaderId::Supported,
    HeaderId::Unsupported,
    HeaderId::Allow,
    HeaderId::AllowEvents,
    HeaderId::Event,
    HeaderId::SubscriptionState,
    HeaderId::Expires,
    HeaderId::MinExpires,
    HeaderId::MinSe,
    HeaderId::SessionExpires,
    HeaderId::RAck,
    HeaderId::RSeq,
    HeaderId::Replaces,
    HeaderId::Join,
    HeaderId::TargetDialog,
    HeaderId::Privacy,
    HeaderId::PEarlyMedia,
    HeaderId::Identity,
    HeaderId::Date,
    HeaderId::Timestamp,
    HeaderId::Priority,
    HeaderId::Subject,
    HeaderId::UserToUser,
];

/// The same of those without an id.
const PASS_NAMED: [&[u8]; 13] = [
    b"Accept-Resource-Priority",
    b"Answer-Mode",
    b"Info-Package",
    b"P-Asserted-Service",
    b"P-Preferred-Service",
    b"Priv-Answer-Mode",
    b"Recv-Info",
    b"Refer-Sub",
    b"Resource-Priority",
    b"Session-ID",
    b"SIP-ETag",
    b"SIP-If-Match",
    b"Suppress-If-Match",
];

/// Headers with names of people. They stay, with our address in them: it is where they are reached from there.
const NAMES: [&[u8]; 11] = [
    b"P-Asserted-Identity",
    b"P-Preferred-Identity",
    b"P-Called-Party-ID",
    b"P-Served-User",
    b"P-Associated-URI",
    b"P-Charge-Info",
    b"Remote-Party-ID",
    b"Diversion",
    b"History-Info",
    b"Refer-To",
    b"Referred-By",
];

/// Takes off what does not pass, and writes the rest as it may. What `rules` have added passes as it is.
pub(super) fn pass(
    edits: &mut Edits<'_>,
    settings: &Settings,
    (ours, rules): (&str, &[HeaderRule]),
) -> Option<()> {
    let message = edits.message();
    let is_ruled = |name: &[u8], value: &[u8]| {
        rules.iter().any(|rule| {
            rule.action != HeaderAction::Remove
                && rule.name.as_bytes().eq_ignore_ascii_case(name)
                && rule.value.trim().as_bytes() == value
        })
    };
    let passes = |id: HeaderId, name: &[u8]| {
        let written = matches!(id, HeaderId::Reason | HeaderId::RetryAfter);
        // Those with an id may have come by their compact form.
        let full = if id == HeaderId::Unknown { name } else { id.name().as_bytes() };
        PASS.contains(&id) || written || is_one_of(&NAMES, full) || is_one_of(&PASS_NAMED, full)
    };
    edits
        .remove_where(|header| !passes(header.id, header.name) && !is_ruled(header.name, header.value))
        .ok()?;
    for name in NAMES {
        let values = message.values_named(name).filter(|&value| !is_ruled(name, value));
        let elements: Vec<&[u8]> = values.flat_map(List::new).collect();
        write(edits, name, &elements, |element| person(settings, element, ours))?;
    }
    let reasons: Vec<&[u8]> = message
        .values(HeaderId::Reason)
        .filter(|&value| !is_ruled(b"Reason", value))
        .flat_map(List::new)
        .collect();
    write(edits, b"Reason", &reasons, cause)?;
    // It may have a comment.
    let again: Vec<&[u8]> =
        message.values(HeaderId::RetryAfter).filter(|&value| !is_ruled(b"Retry-After", value)).collect();
    write(edits, b"Retry-After", &again, seconds)?;
    phrase(edits, message)
}

/// Puts what `anew` makes of them in place of elements of one header; it goes where one of them cannot be read.
fn write(
    edits: &mut Edits<'_>,
    name: &[u8],
    elements: &[&[u8]],
    anew: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<()> {
    let written: Option<Vec<Vec<u8>>> = elements.iter().map(|element| anew(element)).collect();
    let Some(written) = written else { return edits.remove_named(name).ok().map(drop) };
    let mut changed = elements.iter().zip(&written).filter(|(element, anew)| **element != anew.as_slice());
    changed.try_for_each(|(element, anew)| edits.replace(element, anew).ok())
}

fn person(settings: &Settings, element: &[u8], ours: &str) -> Option<Vec<u8>> {
    name::anew(settings, &NameAddr::parse(&unfolded(element)).ok()?, ours)
}

/// A Reason without its text (RFC 3326).
fn cause(element: &[u8]) -> Option<Vec<u8>> {
    let reason = Reason::parse(element).ok()?;
    let cause = reason.cause.map(|cause| format!(";cause={cause}")).unwrap_or_default();
    Some([reason.protocol, cause.as_bytes()].concat())
}

fn seconds(value: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// The phrase of a status line is text of whoever wrote it.
fn phrase(edits: &mut Edits<'_>, message: &Message) -> Option<()> {
    let StartLine::Response { code, reason } = message.start_line() else { return Some(()) };
    let usual = StatusCode::new(code).map_or("", StatusCode::reason_phrase);
    if reason.is_empty() || reason == usual.as_bytes() {
        return Some(());
    }
    edits.replace(reason, usual.as_bytes()).ok()
}
