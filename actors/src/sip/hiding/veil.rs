//! What goes to a hidden side: the message as it would go to any other, without what it tells of the sender.

use bytes::Bytes;
use runtime::model::HeaderRule;
use sip::{Edits, HeaderId, Message, Method, NameAddr};
use smallvec::SmallVec;
use uuid::Uuid;

use super::name::is_one_of;
use super::{BACK, CONTACT, Sender, back, call_name, headers, is_our_route, read, with_host, written};
use crate::sip::cookie::{self, Kind};
use crate::sip::settings::{Listener, Settings};

/// The longest Contact that stands sealed in ours. A longer one is in the dialog's record alone.
const CONTACT_MAX: usize = 256;

/// Parameters of a Contact that say what its owner can do (RFC 3840), and not where it is.
const FEATURES: [&[u8]; 12] = [
    b"isfocus",
    b"audio",
    b"video",
    b"text",
    b"automata",
    b"class",
    b"duplex",
    b"mobility",
    b"methods",
    b"events",
    b"+g.3gpp.icsi-ref",
    b"+g.3gpp.iari-ref",
];

/// Writes what goes to a hidden side by one listener.
#[derive(Clone, Copy)]
pub struct Veil<'a> {
    settings: &'a Settings,
    listener: &'a Listener,
    rules: &'a [HeaderRule],
    dialog: Option<Uuid>,
    sender: Option<Sender<'a>>,
}

impl<'a> Veil<'a> {
    /// Of what leaves by the listener at this place.
    #[must_use]
    pub fn new(settings: &'a Settings, listener: u16) -> Option<Self> {
        let listener = settings.listeners.get(usize::from(listener))?;
        Some(Self { settings, listener, rules: &[], dialog: None, sender: None })
    }

    /// What these rules have added passes.
    #[must_use]
    pub const fn with_rules(self, rules: &'a [HeaderRule]) -> Self {
        Self { rules, ..self }
    }

    /// Of this dialog: a call that came round through us has Record-Routes of more than one.
    #[must_use]
    pub const fn of(self, dialog: Uuid) -> Self {
        Self { dialog: Some(dialog), ..self }
    }

    /// Of a request of this sender, who gets its response back.
    #[must_use]
    pub const fn by(self, sender: Sender<'a>) -> Self {
        Self { sender: Some(sender), ..self }
    }

    /// A request that is passed on, our Via on top. Its Call-ID, From and To are those for this side already.
    ///
    /// `None` when it has more Vias and Record-Routes than can be hidden, or its sender was not said.
    #[must_use]
    pub fn request(&self, octets: Bytes) -> Option<Bytes> {
        let message = read(self.settings, octets)?;
        let call = call_name(&self.settings.cookies, message.value(HeaderId::CallId)?);
        let routes: Vec<&[u8]> = message.list(HeaderId::RecordRoute).collect();
        // Ours of an earlier round stand between those of others, and have to come back to where they stood.
        let (_, below) = routes.split_at_checked(pushed(self.settings, &routes))?;
        let mut edits = Edits::new(&message);
        edits.remove_elements(below).ok()?;
        self.vias(&mut edits, below, &call)?;
        self.contact(&mut edits, &call)?;
        self.pass(&mut edits)?;
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
        match own_route(self.settings, &message, self.dialog) {
            Some(own) => edits.remove_elements(routes.get(..own)?).ok()?,
            None => _ = edits.remove(HeaderId::RecordRoute).ok()?,
        }
        self.contact(&mut edits, &call)?;
        // From is its own.
        let to = message.value(HeaderId::To);
        if let Some(to) = to.and_then(|to| with_host(self.settings, to, &self.listener.sent_by)) {
            edits.set(HeaderId::To, &to).ok()?;
        }
        self.pass(&mut edits)?;
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
        let sender = self.sender.as_ref()?;
        let sealed = back::sealed(self.settings, (call, sender), (below.as_slice(), routes))?;
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
        let params = NameAddr::parse(first).ok().map(|contact| contact.params).unwrap_or_default();
        for feature in params.iter().flatten().filter(|param| is_one_of(&FEATURES, param.name)) {
            let value = feature.value.map(|value| [b"=", value].concat()).unwrap_or_default();
            ours.extend([b";", feature.name, &value].concat());
        }
        edits.set(HeaderId::Contact, &ours).ok()
    }

    fn pass(&self, edits: &mut Edits<'_>) -> Option<()> {
        headers::pass(edits, self.settings, (self.listener.sent_by.as_str(), self.rules))
    }
}

/// How many of the Record-Routes at the top are those that we have just pushed: the one with the cookie, and
/// beneath it the one of the listener that the call came by, where that is another one.
fn pushed(settings: &Settings, routes: &[&[u8]]) -> usize {
    let is_second = |route: &&&[u8]| is_our_route(settings, route) && cookie_in(route).is_none();
    match routes.split_first() {
        Some((first, rest)) if is_our_route(settings, first) => {
            1 + rest.iter().take(1).filter(is_second).count()
        }
        _ => 0,
    }
}

/// Where a Record-Route of ours stands, and the cookie in it.
type Own<'a> = (usize, Option<&'a [u8]>);

/// The cookie in an element of Record-Route.
fn cookie_in(element: &[u8]) -> Option<&[u8]> {
    let uri = NameAddr::parse(element).ok()?.uri().ok()?.sip()?;
    uri.params.get(b"w")?.value
}

/// The place of our Record-Route in a response: the one with the cookie of this dialog, where a call that came
/// round through us has more than one; else the first of ours.
#[must_use]
pub fn own_route(settings: &Settings, response: &Message, dialog: Option<Uuid>) -> Option<usize> {
    let routes = response.list(HeaderId::RecordRoute).enumerate();
    let own = routes.filter(|(_, route)| is_our_route(settings, route));
    let own: SmallVec<[Own<'_>; 4]> = own.map(|(at, route)| (at, cookie_in(route))).collect();
    let first = own.first().map(|(at, _)| *at);
    let mut sealed = own.iter().filter_map(|(at, sealed)| Some((*at, (*sealed)?)));
    let Some(dialog) = dialog.filter(|_| sealed.clone().count() > 1) else { return first };
    let call = call_name(&settings.cookies, response.value(HeaderId::CallId)?);
    let from = NameAddr::parse(response.value(HeaderId::From)?).ok()?;
    let bound = cookie::Call { call_id: &call, caller_tag: from.tag.unwrap_or_default() };
    let is_of =
        |sealed: &[u8]| settings.cookies.open(sealed, &bound).is_ok_and(|cookie| cookie.dialog == dialog);
    sealed.find(|(_, sealed)| is_of(sealed)).map(|(at, _)| at).or(first)
}
