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
use crate::sip::counters::Counters;
use crate::sip::identities::{Source, seconds};
use crate::sip::number::{dialled, digits};
use crate::sip::routing::{Direction, Plan, Refusal};
use crate::sip::transactions::{CallId, Now, Wake};

/// Identity values of one call that are looked at.
const IDENTITIES_MAX: usize = 8;
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

/// An Identity whose certificate is waited for.
#[derive(Debug)]
struct Awaits {
    signed: Signed,
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
        let read = read(message, &plan, now);
        let generation = self.settings.identities.certificates.generation();
        let checked = match &read {
            Ok(signed) => self.settings.identities.check(signed, call_id(message), now),
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
                self.settings.identities.want(&signed, source, now);
                let (until, pause) = (now.instant + wait, LOOK_FIRST);
                let awaits = Awaits { signed, source, until, policy, pause, generation };
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
            checked = identities.check(&awaits.signed, call_id(&setup.request), turn.now);
            if checked.is_none() {
                // Where there was no room for it there may be some now.
                identities.want(&awaits.signed, awaits.source, turn.now);
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
fn read(message: &Message, plan: &Plan, now: Now) -> Result<Signed, Failure> {
    let (orig, dest) = (callers(message, plan), callees(message, plan));
    let date = message.value(HeaderId::Date).and_then(stir::date::parse);
    let about = About { orig: &orig, dest: &dest, date, now: seconds(now.wall) };
    let mut failure = Failure::Missing;
    for value in message.list(HeaderId::Identity).take(IDENTITIES_MAX) {
        match Identity::parse(value) {
            Ok(identity) if identity.is_known() => return Signed::read(&identity, &about),
            Ok(_) => {}
            Err(malformed) => failure = malformed,
        }
    }
    Err(failure)
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

fn call_id(message: &Message) -> &[u8] {
    message.value(HeaderId::CallId).unwrap_or_default()
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
