//! What a worker knows of a dialog: who may speak in it, where requests go, and enough to end it itself.
//!
//! Pure data. The sealed cookie is the routing truth: a dialog that is not here can still be served from it. What is
//! here makes it strict (tags, addresses) and lets us write a BYE to either side.

mod asked;
mod seen;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use runtime::model::Transport;
use serde::{Deserialize, Serialize};
use sip::{CSeq, HeaderId, Message, NameAddr, SessionExpires, SipUri, Uri};
use uuid::Uuid;

use super::anchor::{Anchor, Profiles};
use super::flow::Flow;
use super::hiding::Hides;
use super::routing::Direction;
use super::session_timer;
use super::settings::default_port;

pub use self::asked::{Asked, CREDENTIALS_LEN, Challenged};
pub use self::seen::{Answer, Seen, Verdict};

/// Forks of one vendor, or contacts that ring at the same time, that are told apart beside the first; requests of and to
/// others are refused.
pub const FORKS_MAX: usize = 9;

/// One dialog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dialog {
    /// Its number, in its cookie.
    pub id: Uuid,
    /// Which way the call goes.
    pub direction: Direction,
    /// Number of the trunk, as in the cookie.
    pub trunk: u32,
    /// Number of the vendor, as in the cookie.
    pub vendor: u32,
    /// Call-ID, as the caller has made it.
    pub call_id: Box<[u8]>,
    /// Who called.
    pub caller: Side,
    /// Who was called; of an early dialog the first that was heard.
    pub callee: Side,
    /// Others of the same vendor that were heard as well, at most [`FORKS_MAX`]: while the call is early, and, of one
    /// that is up, those that answered too.
    #[serde(skip)]
    pub forks: Vec<Side>,
    /// The caller's name as the callee was shown it; empty where it is the caller's own.
    pub shown: Box<[u8]>,
    /// The Call-ID as the callee was shown it; empty where it is the caller's own.
    pub call_id_shown: Box<[u8]>,
    /// Which sides are not shown the other one.
    pub hides: Hides,
    /// Whether both sides are trusted with identities.
    pub trusted: bool,
    /// Whether what they say of themselves within the call passes then as it came; not in the next process.
    #[serde(skip)]
    pub identities: bool,
    /// Whether a 2xx came.
    pub confirmed: bool,
    /// Seconds within which the sides have agreed to refresh it (RFC 4028); `None` where they have not.
    pub session: Option<u32>,
    /// Seconds that we ask for in what refreshes it; `None` where we only watch.
    pub session_asked: Option<u32>,
    /// What carries its sound; `None` where that goes past us.
    pub media: Option<Anchor>,
    /// What is done with descriptions of a call whose sound goes past us; of one of an earlier process it is looked up.
    #[serde(skip)]
    pub profiles: Option<Profiles>,
    /// How its vendor has asked who we are.
    pub asked: Asked,
    /// Who has made an offer that has no answer yet.
    #[serde(skip)]
    pub offered_by: Option<End>,
    /// Requests and responses of it that came again to this process.
    #[serde(skip)]
    pub repeats: u32,
    /// When anything was last heard of both sides.
    #[serde(skip)]
    pub seen: Seen,
    /// Requests that may have passed through it unseen, at most.
    #[serde(skip)]
    pub unseen: u32,
}

/// One end of a dialog, as we see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Where requests to it go.
    pub flow: Flow,
    /// Where its messages come from.
    pub source: SocketAddr,
    /// From or To as this side writes itself, with its tag.
    pub name: Box<[u8]>,
    /// Its Contact, a URI: what requests to it are for.
    pub target: Box<[u8]>,
    /// Route values of requests to it, the nearest first, without us.
    pub routes: Box<[u8]>,
    /// The last CSeq that it sent; 0 before.
    pub cseq: u32,
    /// Whether it is known by what it has said, and not by where it is: requests to it go to where its messages come
    /// from, whatever its Contact says. Of a call of an earlier process the configuration tells it.
    #[serde(skip)]
    pub pinned: bool,
    /// What carries the sound of its attempt, where it is one of several that ring at the same time.
    #[serde(skip)]
    pub media: Option<Anchor>,
}

/// The session interval that a 2xx to INVITE or UPDATE agrees to. Without the header there is none (RFC 4028 7.2).
pub fn session_of(response: &Message) -> Option<u32> {
    let value = response.value(HeaderId::SessionExpires)?;
    SessionExpires::parse(value).ok().map(|session| session.seconds.max(session_timer::LEAST))
}

/// Which side of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Who called.
    Caller,
    /// Who was called.
    Callee,
}

impl End {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

impl Dialog {
    /// One side.
    pub const fn side(&self, end: End) -> &Side {
        match end {
            End::Caller => &self.caller,
            End::Callee => &self.callee,
        }
    }

    /// One side.
    pub const fn side_mut(&mut self, end: End) -> &mut Side {
        match end {
            End::Caller => &mut self.caller,
            End::Callee => &mut self.callee,
        }
    }

    /// The side that is the vendor.
    pub const fn vendor_end(&self) -> End {
        match self.direction {
            Direction::Outbound => End::Callee,
            Direction::Inbound => End::Caller,
        }
    }

    /// The number of CSeq by which one side knows a request of the other.
    pub fn cseq_at(&self, end: End, number: u32) -> u32 {
        if end == self.vendor_end() { self.asked.to_vendor(number) } else { number }
    }

    /// The header that names the caller in a request of `from` and in the responses to it, and the name by which `to`
    /// knows the caller; `None` where both sides know the same, unless what the callee makes of it is not for the caller.
    pub fn caller_for(&self, from: End, to: End) -> Option<(HeaderId, &[u8])> {
        let id = match from {
            End::Caller => HeaderId::From,
            End::Callee => HeaderId::To,
        };
        let differs = !self.shown.is_empty() || (to == End::Caller && self.hides.caller);
        let known = differs && !self.caller.name.is_empty();
        known.then(|| (id, self.caller_name(to)))
    }

    /// The caller's name as one side knows it.
    pub fn caller_name(&self, known_by: End) -> &[u8] {
        match known_by {
            End::Callee if !self.shown.is_empty() => &self.shown,
            End::Caller | End::Callee => &self.caller.name,
        }
    }

    /// Whether the callee is not to know who calls.
    pub fn is_withheld(&self) -> bool {
        let shown = NameAddr::parse(&self.shown);
        shown.is_ok_and(|shown| shown.uri == sip::identity::ANONYMOUS)
    }

    /// The Call-ID as one side knows it.
    pub fn call_id_of(&self, known_by: End) -> &[u8] {
        match known_by {
            End::Callee if !self.call_id_shown.is_empty() => &self.call_id_shown,
            End::Caller | End::Callee => &self.call_id,
        }
    }

    /// Who stands at one end of the dialog with this callee's tag; `None` when there is no such fork.
    pub fn party(&self, end: End, callee_tag: &[u8]) -> Option<&Side> {
        match end {
            End::Caller => Some(&self.caller),
            End::Callee => {
                std::iter::once(&self.callee).chain(&self.forks).find(|side| side.tag() == callee_tag)
            }
        }
    }

    /// As [`Dialog::party`].
    pub fn party_mut(&mut self, end: End, callee_tag: &[u8]) -> Option<&mut Side> {
        match end {
            End::Caller => Some(&mut self.caller),
            End::Callee => {
                let all = std::iter::once(&mut self.callee).chain(&mut self.forks);
                all.into_iter().find(|side| side.tag() == callee_tag)
            }
        }
    }

    /// What carries the sound between the caller and the callee with this tag.
    pub fn media_with(&self, callee_tag: &[u8]) -> Option<&Anchor> {
        let own = self.party(End::Callee, callee_tag).and_then(|side| side.media.as_ref());
        own.or(self.media.as_ref())
    }

    /// The attempt of this anchor is carried by another node than it was.
    pub fn moves(&mut self, anchor: &Anchor) {
        let forks = self.forks.iter_mut().filter_map(|fork| fork.media.as_mut());
        let own = [&mut self.media, &mut self.callee.media].into_iter().filter_map(Option::as_mut);
        for known in own.chain(forks).filter(|known| known.branch == anchor.branch) {
            known.node = anchor.node;
        }
    }

    /// A callee that answers the INVITE with this tag, perhaps for the first time; `None` when it is one too many.
    pub fn callee_heard(&mut self, tag: &[u8], flow: Flow) -> Option<&mut Side> {
        let own = self.callee.tag();
        if own == tag || (own.is_empty() && !self.confirmed) {
            return Some(&mut self.callee);
        }
        let known = self.forks.iter().position(|fork| fork.tag() == tag);
        if known.is_none() && (tag.is_empty() || self.forks.len() >= FORKS_MAX) {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.forks.push(self.callee.fork(flow));
            self.forks.len() - 1
        });
        self.forks.get_mut(place)
    }

    /// The callee with this tag answers: the dialog is with it, and the early dialogs of all others are over.
    pub fn callee_answers(&mut self, tag: &[u8], flow: Flow) -> &mut Side {
        let own = self.callee.tag();
        if !own.is_empty() && own != tag {
            let known = self.forks.iter().position(|fork| fork.tag() == tag);
            self.callee = known.map_or_else(|| self.callee.fork(flow), |place| self.forks.swap_remove(place));
        }
        self.forks = Vec::new();
        self.confirmed = true;
        &mut self.callee
    }
}

impl Dialog {
    /// Forgets connections, whose numbers are those of another process.
    pub fn disconnect(&mut self) {
        for side in [&mut self.caller, &mut self.callee].into_iter().chain(&mut self.forks) {
            side.flow.connection = 0;
        }
    }

    /// The same with names that say no more than they must: the address, and the tag.
    #[must_use]
    pub fn plain(&self) -> Self {
        let mut dialog = self.clone();
        for name in [&mut dialog.caller.name, &mut dialog.callee.name, &mut dialog.shown] {
            if let Some(short) = plain(name) {
                *name = short;
            }
        }
        dialog
    }
}

impl Side {
    /// A side of which nothing is known but where requests to it go.
    pub fn unknown(flow: Flow) -> Self {
        let nothing = || Box::from(&[][..]);
        Self {
            flow,
            source: flow.peer,
            name: nothing(),
            target: nothing(),
            routes: nothing(),
            cseq: 0,
            pinned: false,
            media: None,
        }
    }

    /// Another one that answers what was sent to this one.
    fn fork(&self, flow: Flow) -> Self {
        let flow = if self.pinned { self.flow } else { flow };
        Self { pinned: self.pinned, ..Self::unknown(flow) }
    }

    /// Its tag; empty before it has one.
    pub fn tag(&self) -> &[u8] {
        NameAddr::parse(&self.name).ok().and_then(|name| name.tag).unwrap_or_default()
    }

    /// Whether its messages may come from an address.
    pub fn is_at(&self, address: IpAddr) -> bool {
        [self.source, self.flow.peer].iter().any(|known| known.ip().to_canonical() == address.to_canonical())
    }

    /// Learns from a request that this side sent: the caller's INVITE, or a target refresh.
    pub fn learn_request(&mut self, request: &Message, flow: Flow) {
        self.source = flow.peer;
        if let Some(from) = request.value(HeaderId::From) {
            self.name = unfolded(from);
        }
        if let Some(cseq) = request.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok()) {
            self.cseq = self.cseq.max(cseq.number);
        }
        self.learn_target(request, flow);
    }

    /// Learns from a response that this side sent.
    pub fn learn_response(&mut self, response: &Message, flow: Flow) {
        self.source = flow.peer;
        if let Some(to) = response.value(HeaderId::To) {
            self.name = unfolded(to);
        }
        self.learn_target(response, flow);
    }

    /// A new Contact is the new remote target (12.2.1.2). It does not move a side that is known by what it has said.
    pub fn learn_target(&mut self, message: &Message, flow: Flow) {
        let contact = message.list(HeaderId::Contact).next().and_then(|value| NameAddr::parse(value).ok());
        if let Some(contact) = contact.filter(|contact| !contact.is_star() && contact.uri().is_ok()) {
            self.target = Box::from(contact.uri);
        }
        let next = first_route(&self.routes).unwrap_or_else(|| self.target.to_vec());
        self.flow = if !self.pinned {
            flow_to(&next, flow)
        } else if message.is_request() || flow.connection != 0 {
            flow
        } else {
            // What reached it goes there again; where it answers from need let nothing in.
            self.flow
        };
    }

    /// Takes the Record-Routes of a message as the route set (12.1): `ours` of them at the near end are our own.
    /// The caller's stand in the INVITE as it came; the callee's in its response, in the reverse order.
    pub fn learn_routes<'m>(&mut self, elements: impl Iterator<Item = &'m [u8]>) {
        let routes: Vec<Box<[u8]>> = elements.map(unfolded).collect();
        self.routes = routes.join(&b", "[..]).into_boxed_slice();
    }

    /// Where requests to it go when the connection that it had is gone: its first Route, or its Contact, says where to
    /// make another.
    pub fn reconnected(&self) -> Flow {
        let known = Flow { connection: 0, ..self.flow };
        if self.pinned {
            return known;
        }
        let next = first_route(&self.routes).unwrap_or_else(|| self.target.to_vec());
        flow_to(&next, known)
    }
}

/// Where a request for `uri` goes, as far as the URI tells it without a question to DNS; else, and where the address
/// is a private one behind which the peer hides, back to where its messages come from.
pub fn flow_to(uri: &[u8], known: Flow) -> Flow {
    let Some(uri) = Uri::parse(uri).ok().and_then(Uri::sip) else { return known };
    let transport = transport_of(&uri).unwrap_or(known.transport);
    let Some(ip) = uri.host.ip() else { return known };
    let peer = SocketAddr::new(ip, uri.port.unwrap_or_else(|| default_port(transport)));
    let known_ip = known.peer.ip();
    let nowhere = ip.is_unspecified() || ip.is_multicast() || peer.port() == 0;
    let hidden =
        nowhere || (is_private(ip) && !is_private(known_ip)) || (ip.is_loopback() && !known_ip.is_loopback());
    let family = ip.is_ipv4() == known.peer.is_ipv4();
    // A stream that is up leads there as well, and through what stands between.
    let connected = known.connection != 0 && ip == known.peer.ip();
    if hidden || !family || connected || transport != known.transport {
        return known;
    }
    Flow { peer, ..known }
}

/// A Request-URI, and the routes that go with it.
pub type Way<'a> = (&'a [u8], Vec<Box<[u8]>>);

/// What a request for `target` is written with where the nearest of its routes is a strict router (12.2.1.1, 16.6 step
/// 6): that is what the request is for, and the target is the last of the routes. `None` where it is a loose one.
pub fn strict<'a>(target: &[u8], mut routes: impl Iterator<Item = &'a [u8]>) -> Option<Way<'a>> {
    let first = NameAddr::parse(routes.next()?).ok()?.uri;
    if Uri::parse(first).ok().and_then(Uri::sip).is_none_or(|uri| uri.is_loose_router()) {
        return None;
    }
    let last = [b"<", target, b">"].concat().into_boxed_slice();
    Some((first, routes.map(Box::from).chain([last]).collect()))
}

/// The transport that a URI names.
pub fn transport_of(uri: &SipUri<'_>) -> Option<Transport> {
    match uri.transport()? {
        name if name.eq_ignore_ascii_case(b"tcp") => Some(Transport::Tcp),
        name if name.eq_ignore_ascii_case(b"tls") => Some(Transport::Tls),
        name if name.eq_ignore_ascii_case(b"udp") => Some(Transport::Udp),
        _ => None,
    }
}

fn first_route(routes: &[u8]) -> Option<Vec<u8>> {
    let first = sip::List::new(routes).next()?;
    NameAddr::parse(first).ok().map(|route| route.uri.to_vec())
}

/// A value as we may write it: on one line. Of one that holds controls, as only quoted strings may, its URI and its tag
/// stay.
pub fn unfolded(value: &[u8]) -> Box<[u8]> {
    // Without an early end: that way it is done many octets at a time.
    if !value.iter().fold(false, |found, octet| found | (*octet < b' ') | (*octet == 0x7F)) {
        return value.into();
    }
    let line: Box<[u8]> = value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    if !line.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
        return line;
    }
    plain(&line).unwrap_or_default()
}

/// URI and tag of a name.
fn plain(name: &[u8]) -> Option<Box<[u8]>> {
    let name = NameAddr::parse(name).ok()?;
    let tag = name.tag.map(|tag| [b";tag=", tag].concat()).unwrap_or_default();
    Some([b"<", name.uri, b">", &tag].concat().into())
}

/// Carriers' own NATs (RFC 6598).
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xC0 == 64
}

const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
