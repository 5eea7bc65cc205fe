//! What a hidden side's response gets back: the Vias and Record-Routes that its request went without, sealed
//! into our Via, which every response brings back as it was (RFC 3261 8.2.6.2).

use std::borrow::Cow;

use sip::{Edits, HeaderId, Message, Via};

use super::{BACK, call_name, read, written};
use crate::sip::cookie::Kind;
use crate::sip::dialog::unfolded;
use crate::sip::settings::Settings;

/// Octets of Vias and Record-Routes that one request may be hidden with; a dozen Vias are fewer. A request
/// with more does not go to a hidden side.
const BACK_MAX: usize = 1024;

/// Seals what a request goes without; `None` when it is too much.
pub(super) fn sealed(
    settings: &Settings,
    call: &[u8],
    (vias, routes): (&[&[u8]], &[&[u8]]),
) -> Option<Vec<u8>> {
    let joined = |elements: &[&[u8]]| {
        let lines: Vec<_> = elements.iter().map(|element| unfolded(element)).collect();
        lines.join(&b", "[..])
    };
    let (vias, routes) = (joined(vias), joined(routes));
    let length = u16::try_from(vias.len()).ok()?.to_be_bytes();
    let plain = [length.as_slice(), vias.as_slice(), routes.as_slice()].concat();
    (plain.len() <= BACK_MAX).then(|| settings.cookies.seal_text(Kind::Back, call, &plain, None))
}

/// A response with what our Via has of it: below that the Vias of whoever sent the request, behind its
/// Record-Routes theirs. As it came, where it has Vias below ours; `None` where nobody can be told for whom
/// it is.
pub fn restored<'m>(settings: &Settings, message: &'m Message) -> Option<Cow<'m, Message>> {
    let top = message.list(HeaderId::Via).next()?;
    let via = Via::parse(top).ok()?;
    let Some(sealed) = via.params.get(BACK.as_bytes()).and_then(|param| param.value) else {
        return message.list(HeaderId::Via).nth(1).map(|_| Cow::Borrowed(message));
    };
    let call = call_name(&settings.cookies, message.value(HeaderId::CallId)?);
    let plain = settings.cookies.open_text(Kind::Back, &call, sealed)?;
    let (length, rest) = plain.split_first_chunk::<2>()?;
    let (vias, routes) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let mut edits = Edits::new(message);
    let top_line = unfolded(top);
    edits.replace(top, &[&*top_line, b", ".as_slice(), vias].concat()).ok()?;
    // A refusal has none, and makes no route.
    if message.has(HeaderId::RecordRoute) && !routes.is_empty() {
        edits.append(HeaderId::RecordRoute.name(), routes).ok()?;
    }
    read(settings, written(&edits)).map(Cow::Owned)
}
