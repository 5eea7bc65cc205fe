//! What the other side of a call is told of who calls: From, identity headers, Privacy, and who was called
//! before.

use bytes::BytesMut;
use runtime::model::{
    Diversions, HeaderAction, HeaderRule, IdentityHeaders, IdentityProfile, NumberRule, VerifyIdentity,
};
use sip::identity::{self, Privacy, RemoteParty};
use sip::{EditError, Edits, HeaderId, Message, NameAddr, Sdp};

use super::Worker;
use super::outgoing::{self, Ours};
use crate::sip::dialog::unfolded;
use crate::sip::flow::Flow;
use crate::sip::identity::{Caller, Origin, Standing, Withheld};
use crate::sip::number::escaped;
use crate::sip::routing::Direction;
use crate::sip::snapshot::{Snapshot, Trunk, Vendor};

/// What says who calls.
const CALLER: [HeaderId; 3] =
    [HeaderId::PAssertedIdentity, HeaderId::PPreferredIdentity, HeaderId::RemotePartyId];

/// What says who was called before.
const CALLED: [HeaderId; 2] = [HeaderId::Diversion, HeaderId::HistoryInfo];

/// What tells of a person beside From, and is not needed for a call (RFC 3323, 5.3). Who signs a call tells its number
/// (RFC 8224), and who transfers one its own.
const PERSONAL: [HeaderId; 10] = [
    HeaderId::Identity,
    HeaderId::IdentityInfo,
    HeaderId::ReferredBy,
    HeaderId::Subject,
    HeaderId::CallInfo,
    HeaderId::Organization,
    HeaderId::UserAgent,
    HeaderId::Server,
    HeaderId::ReplyTo,
    HeaderId::InReplyTo,
];

/// The option tag of requests that ask for privacy of a proxy (RFC 3323, 4.3).
pub(super) const PRIVACY: &[u8] = b"privacy";

/// A call's direction, and between whom it is.
type Between<'a> = (Direction, (&'a Trunk, &'a Vendor));

/// What is told of who calls.
pub(super) struct Told<'a> {
    /// Where that is needed.
    caller: Option<Caller>,
    withheld: Withheld,
    /// Whether identity headers go on as they came.
    passes: bool,
    /// Whether what the caller's side says of a number that was checked counts: it is trusted, and nobody checks it here.
    /// And whether it may not say every number.
    believed: bool,
    limited: bool,
    /// Of the side that is told.
    profile: &'a IdentityProfile,
    trusted: bool,
    rules: &'a [NumberRule],
    /// What we call ourselves there.
    host: &'a str,
}

impl<'a> Told<'a> {
    /// What the other side is told of who sends this request.
    pub(super) fn of(
        request: &Message,
        host: &'a str,
        (direction, (trunk, vendor)): Between<'a>,
        snapshot: &Snapshot,
    ) -> Self {
        let origin = Origin::of(direction, (trunk, vendor));
        let (profile, trusted, rules) = match direction {
            Direction::Outbound => {
                (&vendor.config.identity, vendor.config.trusted, &vendor.config.caller_rules)
            }
            Direction::Inbound => (&trunk.config.identity, trunk.config.trusted, &trunk.config.caller_rules),
        };
        let verify = match direction {
            Direction::Outbound => trunk.config.verify_identity,
            Direction::Inbound => vendor.config.verify_identity,
        };
        let as_received = profile.send == IdentityHeaders::AsReceived;
        let plain = origin.is_plain()
            && matches!(profile.send, IdentityHeaders::AsReceived | IdentityHeaders::Nothing);
        Self {
            caller: (!plain).then(|| Caller::of(request, &origin, snapshot)),
            withheld: Withheld::of(request),
            passes: as_received && trusted && origin.is_believed(),
            believed: origin.is_trusted() && verify == VerifyIdentity::Off,
            limited: origin.is_limited(),
            profile,
            trusted,
            rules,
            host,
        }
    }

    /// Whether From is to name nobody.
    pub(super) fn hides(&self) -> bool {
        let nameless = |caller: &Caller| caller.standing == Standing::Nameless;
        self.withheld.hides_from(self.trusted) || self.caller.as_ref().is_some_and(nameless)
    }

    /// How it wants to be told who was called before.
    pub(super) fn diversions(&self) -> Diversions {
        self.profile.diversions
    }

    /// The name in From, where more than its number and address is another than in the one that came. It has our address,
    /// or nobody's, or `ours` where that stands in place of the caller's.
    pub(super) fn anew(
        &self,
        from: &[u8],
        (direction, parties): Between<'_>,
        ours: Ours<'_>,
    ) -> Option<Box<[u8]>> {
        self.name(from).or_else(|| {
            let said = self.said(from)?;
            let shown = outgoing::shown(&said, direction, parties, ours);
            Some(if shown.is_empty() { said } else { shown })
        })
    }

    /// From as its sender may write it, where it came otherwise: beside a number of its own no display name that tells
    /// another, and no word for the number of who is not trusted, or is checked here.
    fn said(&self, from: &[u8]) -> Option<Box<[u8]>> {
        let plain = if self.believed { None } else { identity::without_verstat(from) };
        let said = plain.as_deref().unwrap_or(from);
        if self.limited && outgoing::tells_number(said) {
            let name = NameAddr::parse(said).ok()?;
            let tag = name.tag.map(|tag| [b";tag=", tag].concat()).unwrap_or_default();
            return Some([b"<", name.uri, b">", &tag].concat().into_boxed_slice());
        }
        plain.map(|plain| unfolded(&plain))
    }

    /// The name in From, where that is not the one that came, nor what rules make of it.
    fn name(&self, from: &[u8]) -> Option<Box<[u8]>> {
        if self.hides() {
            return Some(anonymous(from));
        }
        let caller = self.caller.as_ref().filter(|caller| caller.standing != Standing::Stands)?;
        let address = self.address().filter(|_| caller.standing == Standing::GivesWay);
        let tag = NameAddr::parse(from).ok().and_then(|from| from.tag);
        let tag = tag.map(|tag| [b";tag=", tag].concat()).unwrap_or_default();
        let named = address.map(|address| [b"<", address.as_bytes(), b">", &tag].concat().into_boxed_slice());
        Some(named.unwrap_or_else(|| anonymous(from)))
    }

    /// Whether From goes on with the number of [`Told::number`] in place of the one that came.
    pub(super) fn replaces(&self) -> bool {
        let gives_way = |caller: &Caller| caller.standing == Standing::GivesWay;
        !self.hides() && self.caller.as_ref().is_some_and(gives_way)
    }

    /// Whether identity headers go on as they came.
    pub(super) const fn passes(&self) -> bool {
        self.passes
    }

    /// The number that counts, by the rules of the side that it comes from, and as this side wants it; none where that is
    /// simply the one that headers have.
    pub(super) fn number(&self) -> Option<(&str, String)> {
        let number = self.caller.as_ref()?.number.as_deref()?;
        Some((number, NumberRule::rewrite(self.rules, number).unwrap_or_else(|| number.to_owned())))
    }

    /// The caller's address with its number as this side wants it.
    fn address(&self) -> Option<String> {
        let (_, number) = self.number()?;
        Some(format!("sip:{}@{};user=phone", escaped(&number), self.host))
    }

    /// The identity headers, and Privacy that goes with them. A rule for one of them is the operator's own
    /// answer.
    pub(super) fn write(&self, edits: &mut Edits<'_>, rules: &[HeaderRule]) -> Option<()> {
        if self.hides() {
            hide(edits)?;
        } else if self.replaces() {
            // It speaks for another number.
            remove(edits, &[HeaderId::Identity])?;
        }
        if !self.passes {
            remove(edits, &CALLER)?;
        } else if !self.believed && !is_ruled(rules, HeaderId::PAssertedIdentity) {
            unmarked(edits)?;
        }
        let sends = |header: IdentityHeaders, id: HeaderId| {
            (self.profile.send == header || self.profile.send == IdentityHeaders::Both)
                && !is_ruled(rules, id)
        };
        // What is asked to be kept stays within the trust domain (RFC 3325, 7).
        let may = self.trusted || self.withheld == Withheld::No;
        let (address, verified) = match self.caller.as_ref().filter(|_| may) {
            Some(caller) => (self.address(), caller.verified),
            None => (None, false),
        };
        // It would be our word for it.
        let asserted = address
            .as_ref()
            .filter(|_| verified && sends(IdentityHeaders::PAssertedIdentity, HeaderId::PAssertedIdentity));
        if let Some(address) = asserted {
            let value = [b"<", address.as_bytes(), b">"].concat();
            edits.append(HeaderId::PAssertedIdentity.name(), &value).ok()?;
        }
        let party = address.as_ref();
        if let Some(address) =
            party.filter(|_| sends(IdentityHeaders::RemotePartyId, HeaderId::RemotePartyId))
        {
            let withheld = self.withheld != Withheld::No;
            let party = RemoteParty { calling: true, screened: verified, withheld };
            let value = party.value(address.as_bytes());
            edits.append(HeaderId::RemotePartyId.name(), &value).ok()?;
        }
        if is_ruled(rules, HeaderId::Privacy) {
            return Some(());
        }
        self.privacy(edits, asserted.is_some())
    }

    /// What is still to be asked for: what was done is not, and who is not to be known is not to be told of further on.
    fn privacy(&self, edits: &mut Edits<'_>, asserted: bool) -> Option<()> {
        let value = edits.message().value(HeaderId::Privacy);
        let asked = value.map(Privacy::parse).unwrap_or_default();
        let done = asked.user && self.hides();
        let passes = self.passes && edits.message().has(HeaderId::PAssertedIdentity);
        // A trusted side is to keep it, and may not be sent what asked for it. Who asked for none has said so.
        let quiet = self.trusted && self.withheld == Withheld::FromStrangers && !asked.none;
        let told = quiet || (asserted && self.withheld != Withheld::No) || (passes && done);
        let words = value.unwrap_or_default();
        let words = if done { Privacy::without(words, b"user") } else { words.to_vec() };
        match (done, told && !asked.id) {
            (false, false) => Some(()),
            (_, true) => edits.set(HeaderId::Privacy, &Privacy::with(&words, b"id")).ok(),
            (true, false) if words.is_empty() => edits.remove(HeaderId::Privacy).ok().map(drop),
            (true, false) => edits.set(HeaderId::Privacy, &words).ok(),
        }
    }
}

impl Worker {
    /// What we call ourselves to who is at the other end of a flow.
    pub(super) fn sent_by(&self, flow: Flow) -> &str {
        let listener = self.settings.listeners.get(usize::from(flow.listener));
        listener.map_or("unknown.invalid", |listener| listener.sent_by.as_str())
    }
}

/// The caller's name as the callee was shown it, made again of a request of the caller's. Where it is not shown the
/// caller's address, `ours` is what it was shown in place of that.
pub(super) fn again(
    request: &Message,
    host: &str,
    between: Between<'_>,
    snapshot: &Snapshot,
    ours: Ours<'_>,
) -> Box<[u8]> {
    let from = request.value(HeaderId::From).unwrap_or_default();
    let told = Told::of(request, host, between, snapshot);
    let (direction, parties) = between;
    told.anew(from, between, ours).unwrap_or_else(|| outgoing::shown(from, direction, parties, ours))
}

/// A name that names nobody, with the tag of this one.
pub(super) fn anonymous(name: &[u8]) -> Box<[u8]> {
    identity::anonymous(NameAddr::parse(name).ok().and_then(|name| name.tag)).into_boxed_slice()
}

/// Takes off who calls and who was called before.
pub(super) fn strip(edits: &mut Edits<'_>) -> Option<()> {
    remove(edits, &CALLER)?;
    remove(edits, &CALLED)
}

/// Takes off what somebody else says of numbers that are asserted.
fn unmarked(edits: &mut Edits<'_>) -> Option<()> {
    let message = edits.message();
    for value in message.list(HeaderId::PAssertedIdentity) {
        if let Some(plain) = identity::without_verstat(value) {
            edits.replace(value, &unfolded(&plain)).ok()?;
        }
    }
    Some(())
}

fn remove(edits: &mut Edits<'_>, headers: &[HeaderId]) -> Option<()> {
    headers.iter().try_for_each(|id| edits.remove(*id).map(drop)).ok()
}

/// What a message of somebody who is not to be known loses beside its name. Where its Contact leads stays:
/// without it there is no call.
pub(super) fn hide(edits: &mut Edits<'_>) -> Option<()> {
    remove(edits, &PERSONAL)?;
    hide_session(edits)?;
    // It asked for what is done here (RFC 3323, 4.3): who comes next need not know how.
    let mut required = edits.message().list(HeaderId::ProxyRequire);
    if required.all(|tag| tag.eq_ignore_ascii_case(PRIVACY)) {
        remove(edits, &[HeaderId::ProxyRequire])?;
    }
    let Some(contact) = edits.message().list(HeaderId::Contact).next() else { return Some(()) };
    let Some(nameless) = nameless(contact) else { return remove(edits, &[HeaderId::Contact]) };
    match edits.set(HeaderId::Contact, &nameless) {
        // It names us by now.
        Ok(()) | Err(EditError::Overlap) => Some(()),
        Err(_) => None,
    }
}

/// Takes out of a session description who made it. One that cannot be read passes as it came.
fn hide_session(edits: &mut Edits<'_>) -> Option<()> {
    let Some(found) = edits.message().sdp() else { return Some(()) };
    let Ok(sdp) = Sdp::parse(found.octets) else { return Some(()) };
    let mut nameless = BytesMut::with_capacity(found.octets.len());
    if !sdp.write_nameless(&mut nameless) {
        return Some(());
    }
    match edits.replace_sdp(&found, &nameless) {
        // It is gone by now.
        Ok(()) | Err(EditError::Overlap) => Some(()),
        Err(_) => None,
    }
}

/// A Contact without name, user and parameters; `None` where it has no SIP URI.
fn nameless(contact: &[u8]) -> Option<Vec<u8>> {
    let contact = NameAddr::parse(contact).ok()?;
    let uri = contact.uri().ok()?.sip()?;
    let scheme: &[u8] = if uri.secure { b"sips:anonymous@" } else { b"sip:anonymous@" };
    let colon = contact.uri.iter().position(|octet| *octet == b':')?;
    let at = contact.uri.iter().position(|octet| *octet == b'@').unwrap_or(colon);
    let host = contact.uri.get(at + 1..)?;
    Some([b"<", scheme, host, b">"].concat())
}

/// Who was called before, in the header that the other side wants. Where that came, it stays as it is, and
/// the other one goes.
pub(super) fn diversions(
    edits: &mut Edits<'_>,
    wanted: Diversions,
    rules: &[HeaderRule],
    target: &[u8],
) -> Option<()> {
    let (wanted, other) = match wanted {
        Diversions::AsReceived => return Some(()),
        Diversions::Diversion => (HeaderId::Diversion, HeaderId::HistoryInfo),
        Diversions::HistoryInfo => (HeaderId::HistoryInfo, HeaderId::Diversion),
    };
    let request = edits.message();
    let made = if request.has(wanted) || is_ruled(rules, wanted) {
        None
    } else if wanted == HeaderId::Diversion {
        identity::diversions(request.list(other))
    } else {
        identity::history(request.list(other), target)
    };
    edits.remove(other).ok()?;
    made.map_or(Some(()), |value| edits.append(wanted.name(), &value).ok())
}

/// Whether a rule says what becomes of a header.
fn is_ruled(rules: &[HeaderRule], id: HeaderId) -> bool {
    let is_it = |rule: &HeaderRule| HeaderId::from_name(rule.name.as_bytes()) == id;
    rules.iter().any(|rule| rule.action != HeaderAction::Add && is_it(rule))
}
