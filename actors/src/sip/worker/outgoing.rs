//! The INVITE as a vendor or gateway gets it: Record-Route, Request-URI, numbers and headers by rules.

use std::io::Write;

use bytes::Bytes;
use runtime::model::{HeaderAction, HeaderRule, NumberRule};
use runtime::store::registration::StoredRegistration;
use sip::{Edits, HeaderId, Message, NameAddr, Uri};
use uuid::Uuid;

use super::admit;
use super::forward::{Leave, pass_on};
use super::identity::{self, Told};
use super::passport::Identified;
use super::stamp::{self, Stamp};
use crate::sip::cookie::{self, Cookie};
use crate::sip::dialog::{End, unfolded};
use crate::sip::hiding::{self, Hides, Sender, Veil};
use crate::sip::number::{dialled, escaped};
use crate::sip::routing::{Direction, Plan};
use crate::sip::session_timer;
use crate::sip::settings::Settings;
use crate::sip::snapshot::{Target, Trunk, Vendor};
use crate::sip::transactions::Now;

/// An INVITE that goes to a target of a plan.
pub(super) struct Outgoing<'a> {
    /// The caller's, perhaps with another description of its session.
    pub(super) request: &'a Message,
    /// What is written in the place of that description, where it is: what the media node made of it.
    pub(super) sdp: Option<&'a [u8]>,
    pub(super) plan: &'a Plan,
    pub(super) hop: usize,
    pub(super) dialog: Uuid,
    /// The media node that carries it; 0 is none.
    pub(super) media: u8,
    pub(super) leave: Leave<'a>,
    /// Which sides are not shown the other one.
    pub(super) hides: Hides,
    /// What is known of who calls.
    pub(super) identified: &'a Identified,
    /// What it was signed with, where it is written once more for another transport.
    pub(super) stamp: Option<&'a Stamp>,
    pub(super) now: Now,
}

/// An INVITE as it goes to a vendor or gateway.
pub(super) struct Invite {
    pub(super) octets: Bytes,
    /// The number that it calls there.
    pub(super) callee: String,
    /// The caller's name in it; empty where it is the caller's own.
    pub(super) shown: Box<[u8]>,
    /// The Call-ID in it; empty where it is the caller's own.
    pub(super) call_id_shown: Box<[u8]>,
    /// Seconds that are asked for, where they are.
    pub(super) session_asked: Option<u32>,
    /// Seconds that the caller is told to refresh within, where the answer says nothing.
    pub(super) session: Option<u32>,
    /// What it is signed with, where it is.
    pub(super) signed: Option<Stamp>,
}

/// The INVITE as it goes to a vendor or gateway.
pub(super) fn invite(
    outgoing: &Outgoing<'_>,
    settings: &Settings,
    memory: &mut super::Memory,
) -> Option<Invite> {
    let Outgoing { request, plan, hop, leave, hides, .. } = outgoing;
    let (_, vendor, target) = plan.hop(*hop)?;
    let trunk = plan.trunk()?;
    let (callee_rules, header_rules) = match plan.direction {
        Direction::Outbound => (&vendor.config.callee_rules[..], &vendor.config.header_rules[..]),
        Direction::Inbound => (&[][..], &trunk.config.header_rules[..]),
    };
    let host = &settings.listeners.get(usize::from(leave.listener))?.sent_by;
    let told = Told::of(request, host, (plan.direction, (trunk, vendor)), &plan.snapshot);
    let callee = NumberRule::rewrite(callee_rules, &plan.number).unwrap_or_else(|| plan.number.clone());
    let mut edits = Edits::new(request);
    pass_on(&mut edits, leave, settings, &mut memory.text)?;
    if let Some(sdp) = outgoing.sdp {
        edits.replace_sdp(&request.sdp()?, sdp).ok()?;
    }
    // A caller does not choose the way to a vendor.
    edits.remove(HeaderId::Route).ok()?;
    let sealed = record_route(&mut edits, outgoing, (settings, told.hides()), &mut memory.text)?;
    match plan.contact(*hop) {
        Some(binding) => contact_uri(&mut edits, (&callee, &binding.stored), outgoing, settings)?,
        None => request_uri(&mut edits, (&callee, target), trunk.config.trusted, &mut memory.text)?,
    }
    if plan.is_forked(*hop) {
        without_reliable(&mut edits)?;
    }
    if leave.trusted {
        let contact = plan.contact(*hop).map(|binding| binding.stored.contact.as_bytes());
        let target = contact.unwrap_or(&memory.text);
        identity::diversions(&mut edits, told.diversions(), header_rules, target)?;
    }
    let ours = leave.hides.then_some((settings, host.as_str()));
    let shown = caller(&mut edits, (plan.direction, (trunk, vendor)), &told, ours)?;
    told.write(&mut edits, header_rules)?;
    let mut call_id_shown = Box::default();
    if leave.hides {
        let call_id = request.value(HeaderId::CallId)?;
        call_id_shown = hiding::sealed(&settings.cookies, call_id, cookie::key_number(&sealed));
        edits.set(HeaderId::CallId, &call_id_shown).ok()?;
        // It is called at our address, whatever address the caller has written.
        if let Some(to) = hiding::with_host(settings, request.value(HeaderId::To)?, host) {
            edits.set(HeaderId::To, &to).ok()?;
        }
    }
    // A rule for the header is the operator's own answer.
    let asked = plan.session(*hop).filter(|_| !header_rules.iter().any(is_of_session));
    let session = asked.map_or(Some(None), |asked| session_timer::ask(&mut edits, asked))?;
    header_rules.iter().try_for_each(|rule| change(&mut edits, rule))?;
    if hides.is_any() {
        // Calls that it names are others than this one.
        hiding::name_calls(&mut edits, None)?;
    }
    memory.octets.clear();
    edits.write(&mut memory.octets);
    let octets = Bytes::copy_from_slice(&memory.octets);
    let (mut octets, signed) = stamp::stamped(octets, (outgoing, &told), settings, memory);
    // Last: nothing that is written after it is hidden.
    if leave.hides {
        let name = if shown.is_empty() { None } else { request.value(HeaderId::From) };
        let sender = Sender { dialog: outgoing.dialog, end: End::Caller, name: name.unwrap_or_default() };
        let veil = Veil::new(settings, leave.listener)?.with_rules(header_rules).by(sender);
        octets = veil.request(octets)?;
    }
    Some(Invite { octets, callee, shown, call_id_shown, session_asked: asked, session, signed })
}

/// One Record-Route with the cookie; a second one where the call leaves by another listener than it came by (16.6
/// step 4): each side then sends to the one that it can reach. Gives the cookie.
fn record_route(
    edits: &mut Edits<'_>,
    outgoing: &Outgoing<'_>,
    (settings, withheld): (&Settings, bool),
    text: &mut Vec<u8>,
) -> Option<[u8; cookie::TEXT_LEN]> {
    let Outgoing { request, plan, hop, dialog, media, leave, hides, .. } = outgoing;
    let (_, vendor, _) = plan.hop(*hop)?;
    let from = NameAddr::parse(request.value(HeaderId::From)?).ok()?;
    let cookie = Cookie {
        dialog: *dialog,
        trunk: plan.trunk()?.config.number,
        vendor: vendor.config.number,
        media: *media,
        owner: settings.node,
        inbound: plan.direction == Direction::Inbound,
        withheld,
        answers: 0,
        hides: *hides,
    };
    let call = hiding::call_name(&settings.cookies, request.value(HeaderId::CallId)?);
    let bound = cookie::Call { call_id: &call, caller_tag: from.tag.unwrap_or_default() };
    let sealed = settings.cookies.seal(&cookie, &bound);
    let out = settings.listeners.get(usize::from(leave.listener))?;
    text.clear();
    write!(text, "<sip:{}{};lr;w=", out.sent_by, out.uri_transport()).ok()?;
    text.extend_from_slice(&sealed);
    text.push(b'>');
    edits.push_record_route(text).ok()?;
    if leave.source.listener != leave.listener {
        let inward = settings.listeners.get(usize::from(leave.source.listener))?;
        text.clear();
        write!(text, "<sip:{}{};lr>", inward.sent_by, inward.uri_transport()).ok()?;
        edits.push_record_route(text).ok()?;
    }
    Some(sealed)
}

/// The number that calls, by the rules of the side it comes from and of the one it goes to, or what stands for
/// it, with our address for a callee that is not shown the caller's. The caller gets its own From back with every
/// response.
fn caller(
    edits: &mut Edits<'_>,
    (direction, between): (Direction, (&Trunk, &Vendor)),
    told: &Told<'_>,
    ours: Ours<'_>,
) -> Option<Box<[u8]>> {
    let value = edits.message().value(HeaderId::From)?;
    if let Some(shown) = told.anew(value, (direction, between), ours) {
        edits.set(HeaderId::From, &shown).ok()?;
        return Some(shown);
    }
    let shown = shown(value, direction, between, ours);
    match shown_user(value, direction, between) {
        Some((user, written)) if ours.is_none() && !tells_number(value) => {
            edits.replace(user, &written).ok()?;
        }
        _ if shown.is_empty() => {}
        _ => edits.set(HeaderId::From, &shown).ok()?,
    }
    Some(shown)
}

/// Our address as a callee is shown it in place of the caller's, where it is.
pub(super) type Ours<'a> = Option<(&'a Settings, &'a str)>;

/// The caller's name as the callee of a call in this direction is shown it; empty where it is the caller's own.
pub(super) fn shown(
    value: &[u8],
    direction: Direction,
    between: (&Trunk, &Vendor),
    ours: Ours<'_>,
) -> Box<[u8]> {
    let shown = shown_user(value, direction, between);
    let shown = shown.map(|(user, written)| with_user(value, user, &written)).unwrap_or_default();
    let name = if shown.is_empty() { value } else { &*shown };
    let hidden = ours.and_then(|(settings, address)| hiding::with_host(settings, name, address));
    hidden.unwrap_or(shown)
}

/// A name with another user part, and without a display name that might tell the old one.
fn with_user(value: &[u8], user: &[u8], written: &[u8]) -> Box<[u8]> {
    let offset = |part: &[u8]| part.as_ptr().addr().saturating_sub(value.as_ptr().addr());
    let from = match NameAddr::parse(value) {
        // Behind it stand the brackets.
        Ok(name) if tells_number(value) => offset(name.uri).saturating_sub(1),
        _ => 0,
    };
    let start = offset(user);
    let (before, after) = (value.get(from..start), value.get(start + user.len()..));
    unfolded(&[before.unwrap_or_default(), written, after.unwrap_or_default()].concat())
}

/// Whether the display name of a name may be a number: it has as many digits as a short one.
pub(super) fn tells_number(value: &[u8]) -> bool {
    let display = NameAddr::parse(value).ok().and_then(|name| name.display).unwrap_or_default();
    display.iter().filter(|octet| octet.is_ascii_digit()).count() >= DISPLAYED_DIGITS
}

/// Digits of a display name from which on it is taken for a number.
const DISPLAYED_DIGITS: usize = 4;

/// The user part of a name, and what rules make of it; `None` where they change nothing.
fn shown_user<'v>(
    value: &'v [u8],
    direction: Direction,
    (trunk, vendor): (&Trunk, &Vendor),
) -> Option<(&'v [u8], Vec<u8>)> {
    let rules = match direction {
        Direction::Outbound => [&trunk.config.caller_rules, &vendor.config.caller_rules],
        Direction::Inbound => [&vendor.config.caller_rules, &trunk.config.caller_rules],
    };
    if rules.iter().all(|rules| rules.is_empty()) {
        return None;
    }
    let user = NameAddr::parse(value).ok()?.uri().ok()?.user()?;
    // A caller without a number has none to rewrite.
    let written = dialled(user)?;
    let mut number = written.number.clone();
    for rules in rules {
        number = NumberRule::rewrite(rules, &number).unwrap_or(number);
    }
    (number != written.number).then(|| (user, [escaped(&number).as_bytes(), written.params].concat()))
}

fn request_uri(
    edits: &mut Edits<'_>,
    (callee, target): (&str, &Target),
    trusted: bool,
    text: &mut Vec<u8>,
) -> Option<()> {
    let message = edits.message();
    let dialled = admit::callee(message)?;
    let uri = Uri::parse(message.request_uri()?).ok()?.sip();
    let phone = uri.and_then(|uri| uri.params.get(b"user")).and_then(|user| user.value);
    let phone = phone.is_some_and(|user| user.eq_ignore_ascii_case(b"phone"));
    text.clear();
    write!(text, "sip:{}", escaped(callee)).ok()?;
    // They would tell the vendor another number than the one that was looked up and priced.
    if trusted {
        text.extend_from_slice(dialled.params);
    }
    write!(text, "@{}{}", target.host_port, if phone { ";user=phone" } else { "" }).ok()?;
    edits.set_request_uri(text).ok()
}

/// A registered contact is what the request is for, by the way that it registered (RFC 3327, 5.4). The number
/// called stands beside it (RFC 7315, 4.2), since a contact stands for many.
fn contact_uri(
    edits: &mut Edits<'_>,
    (callee, contact): (&str, &StoredRegistration),
    outgoing: &Outgoing<'_>,
    settings: &Settings,
) -> Option<()> {
    edits.set_request_uri(contact.contact.as_bytes()).ok()?;
    if !contact.path.is_empty() {
        edits.push_route(contact.path.as_bytes()).ok()?;
    }
    edits.remove_named(CALLED.as_bytes()).ok()?;
    let rules = &outgoing.plan.trunk()?.config.header_rules;
    // A rule for the header is the operator's own answer.
    if rules.iter().any(|rule| rule.name.eq_ignore_ascii_case(CALLED)) {
        return Some(());
    }
    let own = settings.listeners.get(usize::from(outgoing.leave.listener))?;
    edits.append(CALLED, format!("<sip:{}@{}>", escaped(callee), own.sent_by).as_bytes()).ok()
}

/// Takes away that provisional responses may be reliable (RFC 3262): of several contacts that ring each could then have
/// the caller's media settled before one of them answers, and its answer would say nothing of it any more.
fn without_reliable(edits: &mut Edits<'_>) -> Option<()> {
    let options = edits.message().list(HeaderId::Supported);
    let reliable: Vec<&[u8]> = options.filter(|option| is_reliable(option)).collect();
    edits.remove_elements(&reliable).ok()
}

/// Whether an option tag is that of reliable provisional responses.
pub(super) fn is_reliable(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"100rel")
}

/// The header that says which number was called, where the Request-URI does not.
const CALLED: &str = "P-Called-Party-ID";

fn is_of_session(rule: &HeaderRule) -> bool {
    matches!(HeaderId::from_name(rule.name.as_bytes()), HeaderId::SessionExpires | HeaderId::MinSe)
}

fn change(edits: &mut Edits<'_>, rule: &HeaderRule) -> Option<()> {
    if matches!(rule.action, HeaderAction::Set | HeaderAction::Remove) {
        match edits.remove_named(rule.name.as_bytes()) {
            // It was an identity, and is taken off already.
            Ok(_) | Err(sip::EditError::Overlap) => {}
            Err(_) => return None,
        }
    }
    if rule.action != HeaderAction::Remove {
        edits.append(&rule.name, rule.value.as_bytes()).ok()?;
    }
    Some(())
}
