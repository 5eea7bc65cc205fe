//! Who calls, by the Identity of a new call (RFC 8224, 6.2; ATIS-1000074, 5.3).
//!
//! It is looked at once, when the call is admitted, and before anybody is asked to take it. A certificate that is not
//! known is fetched by another: meanwhile the call waits as it would for a media node, if it may at all. Where it may not
//! it goes on unchecked, and where the wait ends without the certificate `refuse` refuses it. What came of it goes into the
//! call's record, and on to trunks that are trusted.

use std::time::{Duration, Instant};

use runtime::log::{Attested, CallIdentity, Reason, Verstat};
use runtime::model::{NumberRule, VerifyIdentity};
use sip::proxy::BranchId;
use sip::{HeaderId, Message, NameAddr, StatusCode, Uri};
use stir::{About, Attestation, Failure, Identity, Signed, Verified};

use super::{Hand, Turn, Worker};
use crate::sip::branch;
use crate::sip::counters::Counters;
use crate::sip::identities::{Identities, Source, Use, seconds};
use crate::sip::number::{dialled, digits};
use crate::sip::routing::{Direction, Plan, Refusal};
use crate::sip::transactions::{CallId, Now, Wake};

/// Identity values of one call that are looked at.
const IDENTITIES_MAX: usize = 8;
/// Those of them that fit the call whose signatures are checked.
const CHECKS_MAX: usize = 2;
/// Values of P-Asserted-Identity (RFC 3325, 9.1).
pub(super) const ASSERTED_MAX: usize = 2;
/// How soon a call that waits for a certificate looks whether it is there, and how long it pauses at most: twice as long
/// each time.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LAST: Duration = Duration::from_millis(200);

/// What is known of who calls.
#[derive(Debug, Default)]
pub(super) struct Identified {
    /// For records, and for who is called.
    pub(super) noted: CallIdentity,
    /// The number that was signed, where that was right.
    pub(super) number: Option<String>,
    /// Why its Identity refuses the call.
    pub(super) refused: Option<Failure>,
    awaits: Option<Box<Awaits>>,
}

/// Identities of a call, one of whose certificates is waited for.
#[derive(Debug)]
struct Awaits {
    signed: Vec<Signed>,
    call: Use,
    source: Source,
    until: Instant,
    policy: VerifyIdentity,
    /// How long it pauses before it looks again.
    pause: Duration,
    /// What was known when it looked last.
    generation: u64,
}

/// How a call goes on whose Identity may wait for a certificate.
pub(super) enum Certified {
    /// Now.
    Goes,
    /// When the certificate is there, or late.
    Waits,
    /// Not at all.
    Refused(StatusCode),
}

impl Identified {
    fn note(&mut self, checked: Result<Verified, Failure>, policy: VerifyIdentity) {
        let failure = match checked {
            Ok(verified) => {
                let received = verified.attestation.map(attested);
                self.noted = CallIdentity { verstat: Some(Verstat::Passed), received, signed: None };
                self.number = Some(verified.number);
                return;
            }
            Err(failure) => failure,
        };
        let verstat = if failure.is_against() { Verstat::Failed } else { Verstat::NoValidation };
        self.noted = CallIdentity { verstat: Some(verstat), ..CallIdentity::default() };
        self.refused = (policy == VerifyIdentity::Refuse).then_some(failure);
    }
}

impl Worker {
    /// Looks at the Identity of a new call where its source is to have one. With `refuse` one that is not right refuses
    /// the call.
    pub(super) fn look_at_identity(
        &self,
        message: &Message,
        planned: Result<Plan, Refusal>,
        now: Now,
    ) -> (Result<Plan, Refusal>, Identified) {
        let mut identified = Identified::default();
        let plan = match planned {
            Ok(plan) => plan,
            Err(refusal) => return (Err(refusal), identified),
        };
        let policy = policy(&plan);
        if policy == VerifyIdentity::Off {
            return (Ok(plan), identified);
        }
        let (read, call) = (read(message, &plan, now), used(message, &plan));
        let generation = self.settings.identities.certificates.generation();
        let checked = match &read {
            Ok(signed) => check(&self.settings.identities, signed, &call, now),
            Err(failure) => Some(Err(*failure)),
        };
        match (checked, read) {
            (Some(checked), _) => {
                identified.note(checked, policy);
                self.count_identity(identified.noted);
            }
            (None, Ok(signed)) => {
                // Until more is known.
                identified.note(Err(Failure::Unavailable), VerifyIdentity::Note);
                let (source, wait) = (source(&plan), self.settings.identities.wait());
                signed.iter().for_each(|signed| self.settings.identities.want(signed, source, now));
                let (until, pause) = (now.instant + wait, LOOK_FIRST);
                let awaits = Awaits { signed, call, source, until, policy, pause, generation };
                identified.awaits = (!wait.is_zero()).then(|| Box::new(awaits));
                if wait.is_zero() {
                    self.count_identity(identified.noted);
                }
            }
            (None, Err(_)) => {}
        }
        let Some(failure) = identified.refused else { return (Ok(plan), identified) };
        let status = status(failure);
        (Err(Refusal { status, reason: Reason::NotAllowed, detail: failure.phrase() }), identified)
    }

    fn count_identity(&self, noted: CallIdentity) {
        let counter = match noted.verstat {
            Some(Verstat::Passed) => &self.counters.identities_passed,
            Some(Verstat::Failed) => &self.counters.identities_failed,
            Some(Verstat::NoValidation) | None => &self.counters.identities_unchecked,
        };
        counter.add(1);
    }

    /// An INVITE to a vendor that wants calls signed.
    pub(super) fn count_signed(&self, signed: bool) {
        let Counters { identities_signed, identities_unsigned, .. } = &*self.counters;
        let counter = if signed { identities_signed } else { identities_unsigned };
        counter.add(1);
    }

    /// Looks whether the certificate is there that a call waits for, before it goes anywhere.
    pub(super) fn certified(&mut self, id: CallId, branch: BranchId, turn: &Turn<'_>) -> Certified {
        let Some(call) = self.calls.get_mut(id) else { return Certified::Goes };
        let Some(setup) = call.setup.as_deref_mut() else { return Certified::Goes };
        let Some(mut awaits) = setup.identified.awaits.take() else { return Certified::Goes };
        let (identities, now) = (&self.settings.identities, turn.now.instant);
        let generation = identities.certificates.generation();
        let mut checked = None;
        if generation != awaits.generation {
            checked = check(identities, &awaits.signed, &awaits.call, turn.now);
            if checked.is_none() {
                // Where there was no room for them there may be some now.
                awaits.signed.iter().for_each(|signed| identities.want(signed, awaits.source, turn.now));
            }
        }
        if checked.is_none() && now < awaits.until {
            let again_at = (now + awaits.pause).min(awaits.until);
            (awaits.pause, awaits.generation) = ((awaits.pause * 2).min(LOOK_LAST), generation);
            if self.transactions.arm_call(Wake::Identity(id, branch), again_at).is_some() {
                setup.identified.awaits = Some(awaits);
                return Certified::Waits;
            }
        }
        // Who is refused when it could not be had is refused when it could not be had in time, too. So is a call without
        // room for a timer.
        setup.identified.note(checked.unwrap_or(Err(Failure::Unavailable)), awaits.policy);
        let (refused, noted) = (setup.identified.refused, setup.identified.noted);
        if refused.is_some() {
            call.hung_up.get_or_insert(Reason::NotAllowed);
        }
        self.count_identity(noted);
        refused.map_or(Certified::Goes, |failure| Certified::Refused(status(failure)))
    }

    /// The time has come that [`Worker::certified`] waited for.
    pub(super) fn look_again(&mut self, id: CallId, branch: BranchId, turn: &mut Turn<'_>) {
        let mut inputs = self.memory.inputs.pop().unwrap_or_default();
        self.next_vendor(id, branch, &mut inputs, turn);
        self.call_inputs(id, inputs, Hand::default(), turn);
    }
}

/// What is done with the Identity of a call: its source says it.
fn policy(plan: &Plan) -> VerifyIdentity {
    let policy = match plan.direction {
        Direction::Outbound => plan.trunk().map(|trunk| trunk.config.verify_identity),
        Direction::Inbound => plan.hop(0).map(|(_, vendor, _)| vendor.config.verify_identity),
    };
    policy.unwrap_or(VerifyIdentity::Off)
}

/// Who sends a call.
fn source(plan: &Plan) -> Source {
    let trunk = || Source::Trunk(plan.trunk().map_or(0, |trunk| trunk.config.number));
    match plan.direction {
        Direction::Outbound => trunk(),
        Direction::Inbound => {
            plan.hop(0).map_or_else(trunk, |(_, vendor, _)| Source::Vendor(vendor.config.number))
        }
    }
}

/// The Identity of a call, held against the call.
/// Of several those that fit, first those that say how much is known of the caller; where none does, why.
fn read(message: &Message, plan: &Plan, now: Now) -> Result<Vec<Signed>, Failure> {
    let (orig, dest) = (callers(message, plan), callees(message, plan));
    let date = message.value(HeaderId::Date).and_then(stir::date::parse);
    let about = About { orig: &orig, dest: &dest, date, now: seconds(now.wall) };
    let (mut fitting, mut failure) = (Vec::new(), Failure::Missing);
    for value in message.list(HeaderId::Identity).take(IDENTITIES_MAX) {
        let read = match Identity::parse(value) {
            Ok(identity) if identity.is_known() => Signed::read(&identity, &about),
            Ok(_) => continue,
            Err(malformed) => Err(malformed),
        };
        match read {
            Ok(signed) => fitting.push(signed),
            Err(other) => failure = graver(failure, other),
        }
    }
    if fitting.is_empty() {
        return Err(failure);
    }
    fitting.sort_by_key(|signed: &Signed| !signed.is_shaken());
    fitting.truncate(CHECKS_MAX);
    Ok(fitting)
}

/// Whether one of them is right: a call is taken for wrong where all are (RFC 8224, 6.2). `None` while that depends on a
/// certificate that is not known.
fn check(
    identities: &Identities,
    signed: &[Signed],
    call: &Use,
    now: Now,
) -> Option<Result<Verified, Failure>> {
    let (mut failure, mut is_open) = (Failure::Missing, false);
    for signed in signed {
        match identities.check(signed, call, now) {
            Some(Ok(verified)) => return Some(Ok(verified)),
            Some(Err(other)) => failure = graver(failure, other),
            None => is_open = true,
        }
    }
    (!is_open).then_some(Err(failure))
}

/// Which of two says more against a call; the first one where they say as much.
const fn graver(one: Failure, other: Failure) -> Failure {
    if gravity(other) > gravity(one) { other } else { one }
}

const fn gravity(failure: Failure) -> u8 {
    match failure {
        Failure::Missing => 0,
        Failure::Unavailable => 1,
        Failure::Malformed => 2,
        Failure::Stale | Failure::Credential | Failure::Numbers | Failure::Signature | Failure::Replayed => 3,
    }
}

/// What a PASSporT is used for by this call.
fn used(message: &Message, plan: &Plan) -> Use {
    let source = match plan.direction {
        Direction::Outbound => plan.trunk().map(|trunk| trunk.config.id),
        Direction::Inbound => plan.hop(0).map(|(_, vendor, _)| vendor.config.id),
    };
    let source = branch::digest_of((0, 0), [source.unwrap_or_default().as_bytes().as_slice()]);
    let from = message.value(HeaderId::From).and_then(|from| NameAddr::parse(from).ok());
    let tag = from.and_then(|from| from.tag).unwrap_or_default();
    let call_id = message.value(HeaderId::CallId).unwrap_or_default();
    let number = stir::canonical(plan.number.as_bytes()).unwrap_or_default();
    let call = branch::digest_of((0, 0), [call_id, tag, number.as_bytes()]);
    Use { source, call, number }
}

/// Numbers that a call is said to come from, in their canonical form: first that of From by the rules of its source. What
/// is asserted counts where the source is believed.
fn callers(message: &Message, plan: &Plan) -> Vec<String> {
    let source = match plan.direction {
        Direction::Outbound => plan.trunk().map(|trunk| (&trunk.config.caller_rules, trunk.config.trusted)),
        Direction::Inbound => {
            plan.hop(0).map(|(_, vendor, _)| (&vendor.config.caller_rules, vendor.config.trusted))
        }
    };
    let (rules, trusted) = source.map(|(rules, trusted)| (rules.as_slice(), trusted)).unwrap_or_default();
    let from = message.value(HeaderId::From).and_then(user_of);
    let ruled = from.and_then(|from| by_rules(from, rules));
    let asserted_max = if trusted { ASSERTED_MAX } else { 0 };
    let asserted = message.list(HeaderId::PAssertedIdentity).take(asserted_max).filter_map(user_of);
    let written = from.into_iter().chain(asserted).filter_map(stir::canonical);
    ruled.into_iter().chain(written).collect()
}

/// Numbers that it goes to: that of To by the rules of its source and as it is written, and the one that is called.
fn callees(message: &Message, plan: &Plan) -> Vec<String> {
    let rules = match plan.direction {
        Direction::Outbound => plan.trunk().map(|trunk| trunk.config.callee_rules.as_slice()),
        Direction::Inbound => None,
    };
    let to = message.value(HeaderId::To).and_then(user_of);
    let ruled = to.and_then(|to| by_rules(to, rules.unwrap_or_default()));
    let written = to.and_then(stir::canonical);
    ruled.into_iter().chain(written).chain(stir::canonical(plan.number.as_bytes())).collect()
}

/// The number of a user part as rules rewrite it, without its plus.
pub(super) fn by_rules(user: &[u8], rules: &[NumberRule]) -> Option<String> {
    let number = dialled(user)?.number;
    let number = NumberRule::rewrite(rules, &number).unwrap_or(number);
    Some(digits(&number).to_owned())
}

/// The user part of a name: of a tel URI its number.
pub(super) fn user_of(name: &[u8]) -> Option<&[u8]> {
    NameAddr::parse(name).ok()?.uri().ok().and_then(Uri::user)
}

fn status(failure: Failure) -> StatusCode {
    StatusCode::new(failure.status()).unwrap_or(StatusCode::FORBIDDEN)
}

const fn attested(attestation: Attestation) -> Attested {
    match attestation {
        Attestation::A => Attested::A,
        Attestation::B => Attested::B,
        Attestation::C => Attested::C,
    }
}
