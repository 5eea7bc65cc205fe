//! What an INVITE is given last on its way out: an Identity, where its vendor wants calls signed (RFC 8224, 6.1), and what
//! came of checking one, where a trusted trunk gets the call.
//!
//! It is done to the INVITE as it leaves, when all rules have made of it what they make: what is signed is what its
//! receiver reads.

use bytes::Bytes;
use runtime::log::{Attested, Verstat};
use runtime::model::Attestation;
use sip::{Edits, HeaderId, Message, NameAddr, Uri};
use stir::{Claims, Party, Shaken};

use super::Memory;
use super::identity::Told;
use super::outgoing::Outgoing;
use super::passport::{ASSERTED_MAX, by_rules, user_of};
use crate::sip::attestation;
use crate::sip::identities::seconds;
use crate::sip::number::{dialled, digits};
use crate::sip::routing::Direction;
use crate::sip::settings::Settings;

/// An INVITE, and what its receiver is told of who calls.
type Of<'a> = (&'a Outgoing<'a>, &'a Told<'a>);

/// What an INVITE was signed with.
#[derive(Clone)]
pub(super) struct Stamp {
    /// How much is said of the caller.
    pub(super) attested: Attested,
    /// The value of its Identity.
    identity: String,
}

/// The INVITE, and what it was signed with, where it was.
pub(super) fn stamped(
    octets: Bytes,
    of: Of<'_>,
    settings: &Settings,
    memory: &mut Memory,
) -> (Bytes, Option<Stamp>) {
    let stamped = match of.0.plan.direction {
        Direction::Outbound => signed(&octets, of, settings, memory),
        Direction::Inbound => noted(&octets, of, settings, memory).map(|octets| (octets, None)),
    };
    stamped.unwrap_or((octets, None))
}

/// A call to a vendor that wants calls signed. One that somebody has signed whom we trust goes on as it is. Any other
/// Identity gives way, also where there is none of ours in its place: the vendor would take it for one that we let pass.
fn signed(
    octets: &Bytes,
    (outgoing, told): Of<'_>,
    settings: &Settings,
    memory: &mut Memory,
) -> Option<(Bytes, Option<Stamp>)> {
    let trunk = &outgoing.plan.trunk()?.config;
    let (_, vendor, _) = outgoing.plan.hop(outgoing.hop)?;
    if !vendor.config.sign_calls {
        return None;
    }
    let message = Message::parse_datagram(octets.clone(), &settings.limits).ok()?;
    let is_right = outgoing.identified.noted.verstat != Some(Verstat::Failed);
    let came = message.has(HeaderId::Identity);
    if trunk.trusted && is_right && came {
        return None;
    }
    let again = outgoing.stamp.cloned();
    let stamp = again.or_else(|| stamp(&message, (outgoing, told), settings));
    if stamp.is_none() && !came {
        return None;
    }
    let mut edits = Edits::new(&message);
    edits.remove(HeaderId::Identity).ok()?;
    if let Some(stamp) = &stamp {
        // What is signed is of this time, whatever the caller's clock shows (RFC 8224, 6.1, step 3).
        let date = stir::date::write(seconds(outgoing.now.wall));
        edits.set(HeaderId::Date, date.as_bytes()).ok()?;
        edits.append(HeaderId::Identity.name(), stamp.identity.as_bytes()).ok()?;
    }
    Some((written(&edits, memory), stamp))
}

/// What the INVITE is signed with; none without a key, and where the caller is not to be known there: it has no number to
/// sign.
fn stamp(message: &Message, (outgoing, told): Of<'_>, settings: &Settings) -> Option<Stamp> {
    let (plan, trunk) = (outgoing.plan, &outgoing.plan.trunk()?.config);
    if !settings.identities.signs() || told.hides() {
        return None;
    }
    let (orig, dest) = (caller(message, (outgoing, told))?, callee(outgoing)?);
    let (attest, attested) = letter(attestation::of(&plan.snapshot, trunk, &orig));
    let claims = Claims {
        orig: Party::Number(orig),
        dest_tn: vec![dest],
        dest_uri: Vec::new(),
        iat: seconds(outgoing.now.wall),
        shaken: Some(Shaken { attest, origid: trunk.id.to_string() }),
    };
    Some(Stamp { attested, identity: settings.identities.sign(&claims)? })
}

/// The number that calls, as the vendor is told it: in P-Asserted-Identity where that goes along, else in From. Who is not
/// to be known has none there. Where the trunk's settings say which number counts, it is that one, which no rule of the
/// vendor has written in another form.
fn caller(message: &Message, (outgoing, told): Of<'_>) -> Option<String> {
    let mut asserted = message.list(HeaderId::PAssertedIdentity).take(ASSERTED_MAX).filter_map(user_of);
    let asserted = asserted.find_map(stir::canonical);
    if let Some((own, shown)) = told.number() {
        let is_told =
            asserted.as_deref().map_or_else(|| told.replaces(), |asserted| asserted == digits(&shown));
        if is_told {
            return Some(attestation::number(Some(digits(own).to_owned()), &shown));
        }
    }
    if asserted.is_some() {
        return asserted;
    }
    let shown = dialled(user_of(message.value(HeaderId::From)?)?)?.number;
    let own = user_of(outgoing.request.value(HeaderId::From)?);
    let own = own.and_then(|own| by_rules(own, &outgoing.plan.trunk()?.config.caller_rules));
    Some(attestation::number(own, &shown))
}

/// The number called: of To by the trunk's rules, which no vendor's prefix stands before; where there is none, the one
/// that is called.
fn callee(outgoing: &Outgoing<'_>) -> Option<String> {
    let to = outgoing.request.value(HeaderId::To).and_then(user_of);
    let to = to.and_then(|to| by_rules(to, &outgoing.plan.trunk()?.config.callee_rules));
    to.or_else(|| stir::canonical(outgoing.plan.number.as_bytes()))
}

/// A call to a trusted trunk: what came of checking its Identity, as a parameter of the number that is asserted (3GPP TS
/// 24.229, 7.2A.20). Where nothing is asserted, a number that was checked is, unless the trunk is told who calls in
/// another way, or is not to know.
fn noted(
    octets: &Bytes,
    (outgoing, told): Of<'_>,
    settings: &Settings,
    memory: &mut Memory,
) -> Option<Bytes> {
    let verstat = outgoing.identified.noted.verstat.filter(|_| outgoing.leave.trusted)?;
    let message = Message::parse_datagram(octets.clone(), &settings.limits).ok()?;
    let mut edits = Edits::new(&message);
    let number = outgoing.identified.number.as_deref();
    for element in message.list(HeaderId::PAssertedIdentity).take(ASSERTED_MAX) {
        let Some(asserted) = user_of(element).and_then(stir::canonical) else { continue };
        // What was signed says nothing of another number.
        let is_other = verstat == Verstat::Passed && number != Some(asserted.as_str());
        let verstat = if is_other { Verstat::NoValidation } else { verstat };
        let (part, changed) = with_verstat(element, verstat)?;
        edits.replace(part, &changed).ok()?;
    }
    let is_free = told.passes() && !told.hides() && !message.has(HeaderId::PAssertedIdentity);
    if let Some(number) = number.filter(|_| is_free) {
        let asserted = format!("<tel:+{number};verstat={}>", verstat.as_str());
        edits.append(HeaderId::PAssertedIdentity.name(), asserted.as_bytes()).ok()?;
    }
    Some(written(&edits, memory))
}

/// The part of a name that has its number, and what it becomes.
fn with_verstat(element: &[u8], verstat: Verstat) -> Option<(&[u8], Vec<u8>)> {
    let name = NameAddr::parse(element).ok()?;
    match name.uri().ok()? {
        Uri::Sip(uri) => {
            let user = uri.user?;
            Some((user, marked(user, verstat)))
        }
        Uri::Tel(_) if name.bracketed => Some((name.uri, marked(name.uri, verstat))),
        // Without brackets the parameter would be the header's.
        Uri::Tel(_) => Some((name.uri, [&b"<"[..], &marked(name.uri, verstat), b">"].concat())),
        Uri::Other { .. } => None,
    }
}

/// A number with this parameter, and with none that somebody else gave it.
fn marked(number: &[u8], verstat: Verstat) -> Vec<u8> {
    let is_other = |part: &&[u8]| !part.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"verstat"));
    let kept: Vec<&[u8]> = number.split(|octet| *octet == b';').filter(is_other).collect();
    [&kept.join(&b';')[..], b";verstat=", verstat.as_str().as_bytes()].concat()
}

fn written(edits: &Edits<'_>, memory: &mut Memory) -> Bytes {
    memory.octets.clear();
    edits.write(&mut memory.octets);
    Bytes::copy_from_slice(&memory.octets)
}

const fn letter(attestation: Attestation) -> (stir::Attestation, Attested) {
    match attestation {
        Attestation::A => (stir::Attestation::A, Attested::A),
        Attestation::B => (stir::Attestation::B, Attested::B),
        Attestation::C => (stir::Attestation::C, Attested::C),
    }
}
