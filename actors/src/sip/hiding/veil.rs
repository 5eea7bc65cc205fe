//! What goes to a hidden side: the message as it would go to any other, without what it tells of the sender.

use bytes::Bytes;
use sip::{Edits, HeaderId, Host, List, Method, NameAddr, Uri};

use super::{BACK, CONTACT, back, call_name, is_our_route, is_ours, read, written};
use crate::sip::cookie::Kind;
use crate::sip::dialog::unfolded;
use crate::sip::settings::{Listener, Settings};

/// The longest Contact that stands sealed in ours. A longer one is in the dialog's record alone.
const CONTACT_MAX: usize = 256;

/// Headers that only tell of whoever wrote them, or of other calls of theirs.
const TELLING: [HeaderId; 13] = [
    HeaderId::UserAgent,
    HeaderId::Server,
    HeaderId::Organization,
    HeaderId::Warning,
    HeaderId::CallInfo,
    HeaderId::ErrorInfo,
    HeaderId::AlertInfo,
    HeaderId::ReplyTo,
    HeaderId::InReplyTo,
    HeaderId::Path,
    HeaderId::ServiceRoute,
    HeaderId::IdentityInfo,
    HeaderId::PChargingVector,
];

/// Those without an id.
const TELLING_NAMED: [&[u8]; 3] =
    [b"P-Charging-Function-Addresses", b"P-Access-Network-Info", b"P-Visited-Network-ID"];

/// Headers whose names of people stay, with our address in them: it is where they are reached from there.
const NAMES: [&[u8]; 8] = [
    b"P-Asserted-Identity",
    b"P-Preferred-Identity",
    b"Remote-Party-ID",
    b"Diversion",
    b"History-Info",
    b"P-Charge-Info",
    b"Refer-To",
    b"Referred-By",
];

/// Writes what goes to a hidden side by one listener.
#[derive(Clone, Copy)]
pub struct Veil<'a> {
    settings: &'a Settings,
    listener: &'a Listener,
}

impl<'a> Veil<'a> {
    /// Of what leaves by the listener at this place.
    #[must_use]
    pub fn new(settings: &'a Settings, listener: u16) -> Option<Self> {
        let listener = settings.listeners.get(usize::from(listener))?;
        Some(Self { settings, listener })
    }

    /// A request that is passed on, our Via on top. Its Call-ID, From and To are those for this side already.
    ///
    /// `None` when it has more Vias and Record-Routes than can be hidden.
    #[must_use]
    pub fn request(&self, octets: Bytes) -> Option<Bytes> {
        let message = read(self.settings, octets)?;
        let call = call_name(&self.settings.cookies, message.value(HeaderId::CallId)?);
        let routes = message.list(HeaderId::RecordRoute);
        let others: Vec<&[u8]> = routes.filter(|route| !is_our_route(self.settings, route)).collect();
        let mut edits = Edits::new(&message);
        edits.remove_elements(&others).ok()?;
        self.vias(&mut edits, &others, &call)?;
        self.contact(&mut edits, &call)?;
        self.names(&mut edits)?;
        Some(written(&edits))
    }

    /// A response that goes back, our Via off. Of its Record-Routes stay ours and those behind them, which
    /// are of the side that gets it.
    #[must_use]
    pub fn response(&self, octets: Bytes) -> Option<Bytes> {
        let message = read(self.settings, octets)?;
        let call = call_name(&self.settings.cookies, message.value(HeaderId::CallId)?);
        let routes: Vec<&[u8]> = message.list(HeaderId::RecordRoute).collect();
        let mut edits = Edits::new(&message);
        match routes.iter().position(|route| is_our_route(self.settings, route)) {
            Some(own) => edits.remove_elements(routes.get(..own)?).ok()?,
            None => _ = edits.remove(HeaderId::RecordRoute).ok()?,
        }
        self.contact(&mut edits, &call)?;
        self.names(&mut edits)?;
        Some(written(&edits))
    }

    /// Our Via alone. What stood below it is sealed into it, with the Record-Routes of an INVITE that begins
    /// a call; an ACK has no response that would need them.
    fn vias(&self, edits: &mut Edits<'_>, routes: &[&[u8]], call: &[u8]) -> Option<()> {
        let message = edits.message();
        let mut vias = message.list(HeaderId::Via);
        let own = vias.next()?;
        let below: Vec<&[u8]> = vias.collect();
        edits.remove_elements(&below).ok()?;
        if message.method() == Some(Method::Ack) {
            return Some(());
        }
        let to = NameAddr::parse(message.value(HeaderId::To)?).ok()?;
        let routes = if to.tag.is_none() { routes } else { &[] };
        let sealed = back::sealed(self.settings, call, (below.as_slice(), routes))?;
        let with = [own, b";", BACK.as_bytes(), b"=", &sealed].concat();
        edits.replace(own, &with).ok()
    }

    /// Our Contact, with the one that it stands for. What would send elsewhere goes.
    fn contact(&self, edits: &mut Edits<'_>, call: &[u8]) -> Option<()> {
        let message = edits.message();
        let Some(first) = message.list(HeaderId::Contact).next() else { return Some(()) };
        if message.status_code().is_some_and(|code| matches!(code, 300..400 | 485)) {
            return edits.remove(HeaderId::Contact).ok().map(|_| ());
        }
        let Listener { sent_by, .. } = self.listener;
        let mut ours = format!("<sip:{sent_by}{}", self.listener.uri_transport()).into_bytes();
        let target = NameAddr::parse(first).ok().map(|contact| contact.uri);
        if let Some(target) = target.filter(|target| target.len() <= CONTACT_MAX) {
            let sealed = self.settings.cookies.seal_text(Kind::Contact, call, target, None);
            ours.extend([b";", CONTACT.as_bytes(), b"=", &sealed].concat());
        }
        ours.push(b'>');
        edits.set(HeaderId::Contact, &ours).ok()
    }

    /// Names of people with our address; one that cannot be read goes, as does what only tells of its writer.
    fn names(&self, edits: &mut Edits<'_>) -> Option<()> {
        let message = edits.message();
        let telling = |name: &[u8]| TELLING_NAMED.iter().any(|known| known.eq_ignore_ascii_case(name));
        edits.remove_where(|header| TELLING.contains(&header.id) || telling(header.name)).ok()?;
        for name in NAMES {
            let elements = message.values_named(name).flat_map(List::new);
            let uris: Option<Vec<&[u8]>> = elements.map(uri_of).collect();
            let Some(uris) = uris else {
                edits.remove_named(name).ok()?;
                continue;
            };
            for host in uris.into_iter().filter_map(|uri| foreign(self.settings, uri)) {
                edits.replace(host, self.listener.sent_by.as_bytes()).ok()?;
            }
        }
        Some(())
    }
}

/// A name with our address in place of another one; `None` where it has none that tells anything.
#[must_use]
pub fn with_host(settings: &Settings, name: &[u8], ours: &str) -> Option<Box<[u8]>> {
    let name = unfolded(name);
    let host = foreign(settings, NameAddr::parse(&name).ok()?.uri)?;
    let start = host.as_ptr().addr().checked_sub(name.as_ptr().addr())?;
    let (before, after) = (name.get(..start)?, name.get(start + host.len()..)?);
    Some([before, ours.as_bytes(), after].concat().into_boxed_slice())
}

/// The URI of a value, where it is of a kind whose address we can tell.
fn uri_of(element: &[u8]) -> Option<&[u8]> {
    let uri = NameAddr::parse(element).ok()?.uri;
    match Uri::parse(uri).ok()? {
        Uri::Sip(_) | Uri::Tel(_) => Some(uri),
        Uri::Other { .. } => None,
    }
}

/// Host and port of a SIP URI, as they are written, unless they are ours or nobody's (RFC 3323 4.1.1.3).
fn foreign<'u>(settings: &Settings, uri: &'u [u8]) -> Option<&'u [u8]> {
    let parsed = Uri::parse(uri).ok()?.sip()?;
    if is_ours(settings, &parsed) || matches!(parsed.host, Host::Name(name) if is_nobody(name)) {
        return None;
    }
    let scheme = uri.iter().position(|octet| *octet == b':')?;
    let user = uri.iter().position(|octet| *octet == b'@');
    let rest = uri.get(user.unwrap_or(scheme) + 1..)?;
    let end = rest.iter().position(|octet| matches!(octet, b';' | b'?'));
    rest.get(..end.unwrap_or(rest.len()))
}

fn is_nobody(host: &[u8]) -> bool {
    const NOBODY: &[u8] = b".invalid";
    let at = host.len().checked_sub(NOBODY.len());
    at.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(NOBODY))
}
