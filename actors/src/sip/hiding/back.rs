//! What a hidden side's response gets back: the Vias and Record-Routes that its request went without, sealed
//! into our Via, which every response brings back as it was (RFC 3261 8.2.6.2).

use std::borrow::Cow;

use sip::{Edits, HeaderId, Message, Via};
use uuid::Uuid;

use super::{BACK, call_name, read, written};
use crate::sip::cookie::Kind;
use crate::sip::dialog::{End, unfolded};
use crate::sip::settings::Settings;

/// Octets of Vias and Record-Routes that one request may be hidden with; a dozen Vias are fewer. A request
/// with more does not go to a hidden side.
const BACK_MAX: usize = 1024;

/// Octets of From that are sealed with them. The sender of a longer one gets back what the hidden side was shown, where
/// the process that knew it has ended meanwhile.
const NAME_MAX: usize = 256;

/// How the ends of a dialog are written.
const CALLER: u8 = 0;
const CALLEE: u8 = 1;

/// Who sends what goes to a hidden side.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The dialog.
    pub dialog: Uuid,
    /// Its end of that.
    pub end: End,
    /// From as it wrote it, where its response is to bring that back whatever process gets it; else empty.
    pub name: &'a [u8],
}

/// Who sent a request to a hidden side, as our Via in the response tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The dialog.
    pub dialog: Uuid,
    /// Who it was.
    pub end: End,
    /// From as it wrote it; may be empty.
    pub name: Box<[u8]>,
}

/// A response with the Vias of whoever it is for.
#[derive(Debug)]
pub struct Restored<'m> {
    /// The response.
    pub whole: Cow<'m, Message>,
    /// Who sent its request, where that went to a hidden side.
    pub sent: Option<Sent>,
}

/// Seals what a request goes without; `None` when it is too much.
pub(super) fn sealed(
    settings: &Settings,
    (call, sender): (&[u8], &Sender<'_>),
    (vias, routes): (&[&[u8]], &[&[u8]]),
) -> Option<Vec<u8>> {
    let joined = |elements: &[&[u8]]| {
        let lines: Vec<_> = elements.iter().map(|element| unfolded(element)).collect();
        lines.join(&b", "[..])
    };
    let (vias, routes) = (joined(vias), joined(routes));
    let name = Some(unfolded(sender.name)).filter(|name| name.len() <= NAME_MAX).unwrap_or_default();
    let end = match sender.end {
        End::Caller => CALLER,
        End::Callee => CALLEE,
    };
    let mut plain = [sender.dialog.as_bytes().as_slice(), &[end]].concat();
    for part in [&vias, &routes] {
        plain.extend(u16::try_from(part.len()).ok()?.to_be_bytes());
        plain.extend_from_slice(part);
    }
    plain.extend_from_slice(&name);
    let fits = vias.len() + routes.len() <= BACK_MAX;
    fits.then(|| settings.cookies.seal_text(Kind::Back, call, &plain, None))
}

/// A response with what our Via has of it: below that the Vias of whoever sent the request, behind its
/// Record-Routes theirs. As it came, where it has Vias below ours; `None` where nobody can be told for whom
/// it is.
pub fn restored<'m>(settings: &Settings, message: &'m Message) -> Option<Restored<'m>> {
    let top = message.list(HeaderId::Via).next()?;
    let via = Via::parse(top).ok()?;
    let Some(sealed) = via.params.get(BACK.as_bytes()).and_then(|param| param.value) else {
        let below = message.list(HeaderId::Via).nth(1);
        return below.map(|_| Restored { whole: Cow::Borrowed(message), sent: None });
    };
    let call = call_name(&settings.cookies, message.value(HeaderId::CallId)?);
    let plain = settings.cookies.open_text(Kind::Back, &call, sealed)?;
    let (dialog, rest) = plain.split_first_chunk::<16>()?;
    let (end, rest) = rest.split_first()?;
    let end = if *end == CALLER { End::Caller } else { End::Callee };
    let (vias, rest) = part(rest)?;
    let (routes, name) = part(rest)?;
    let mut edits = Edits::new(message);
    let top_line = unfolded(top);
    edits.replace(top, &[&*top_line, b", ".as_slice(), vias].concat()).ok()?;
    // A refusal has none, and makes no route.
    if message.has(HeaderId::RecordRoute) && !routes.is_empty() {
        edits.append(HeaderId::RecordRoute.name(), routes).ok()?;
    }
    let whole = read(settings, written(&edits))?;
    let sent = Sent { dialog: Uuid::from_bytes(*dialog), end, name: Box::from(name) };
    Some(Restored { whole: Cow::Owned(whole), sent: Some(sent) })
}

/// What stands first, behind its length, and the rest.
fn part(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
