//! Who calls: which number of an INVITE counts, by the settings of the side that it comes from, and from whom
//! it is to be kept.
//!
//! Pure. Of a side that is not trusted nothing counts but its From, and numbers that are its customer's own.

use runtime::log::Reason;
use runtime::model::{CallerSource, ForeignNumbers, IdentityHeaders, IdentityProfile, NumberRule};
use sip::identity::{Privacy, RemoteParty, VALUES_MAX, is_anonymous};
use sip::{HeaderId, Message, NameAddr, StatusCode};
use uuid::Uuid;

use super::number::{dialled, digits};
use super::routing::{Direction, Plan, Refusal};
use super::snapshot::{Snapshot, Trunk, Vendor};

/// Why a call is refused whose caller's number may not be said.
pub const FOREIGN: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    reason: Reason::NotAllowed,
    detail: "the number that calls is none of the customer's",
};

/// The side that a call comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    profile: &'a IdentityProfile,
    trusted: bool,
    /// How it writes numbers.
    rules: &'a [NumberRule],
    /// Whose numbers are its own; of a vendor nobody's.
    customer: Option<Uuid>,
}

impl<'a> Origin<'a> {
    /// The side that calls of this direction come from.
    pub fn of(direction: Direction, (trunk, vendor): (&'a Trunk, &'a Vendor)) -> Self {
        match direction {
            Direction::Outbound => Self::trunk(trunk),
            Direction::Inbound => Self {
                profile: &vendor.config.identity,
                trusted: vendor.config.trusted,
                rules: &vendor.config.caller_rules,
                customer: None,
            },
        }
    }

    /// A customer's trunk.
    pub fn trunk(trunk: &'a Trunk) -> Self {
        Self {
            profile: &trunk.config.identity,
            trusted: trunk.config.trusted,
            rules: &trunk.config.caller_rules,
            customer: Some(trunk.config.customer),
        }
    }

    /// Whether its identity headers may pass as they are: it is trusted, and may call from every number.
    pub fn is_believed(&self) -> bool {
        self.trusted && !self.is_limited()
    }

    /// Whether what it says of itself counts.
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Whether it may not call from every number.
    pub fn is_limited(&self) -> bool {
        self.foreign() != ForeignNumbers::Pass
    }

    /// Whether who calls is simply whom From names.
    pub fn is_plain(&self) -> bool {
        !self.is_limited() && self.profile.caller_from.iter().all(|source| *source == CallerSource::From)
    }

    fn foreign(&self) -> ForeignNumbers {
        let policy = self.profile.foreign_numbers;
        if self.customer.is_none() {
            ForeignNumbers::Pass
        } else if policy == ForeignNumbers::Replace && self.profile.default_number.is_empty() {
            ForeignNumbers::Refuse
        } else {
            policy
        }
    }

    fn number(&self, user: &[u8], snapshot: &Snapshot) -> Option<Number> {
        let written = dialled(user)?.number;
        let number = NumberRule::rewrite(self.rules, &written).unwrap_or_else(|| written.clone());
        let is_own = self.customer.is_some() && snapshot.owner(digits(&number)) == self.customer;
        Some(Number { written, number, is_own })
    }

    /// The number of a name.
    fn named(&self, value: &[u8], snapshot: &Snapshot) -> Option<Number> {
        self.number(NameAddr::parse(value).ok()?.uri().ok()?.user()?, snapshot)
    }

    /// The first number of a header that counts.
    fn found(&self, message: &Message, source: CallerSource, snapshot: &Snapshot) -> Option<Number> {
        let id = match source {
            CallerSource::From => return self.named(message.value(HeaderId::From)?, snapshot),
            CallerSource::PAssertedIdentity => HeaderId::PAssertedIdentity,
            CallerSource::PPreferredIdentity => HeaderId::PPreferredIdentity,
            CallerSource::RemotePartyId => HeaderId::RemotePartyId,
        };
        let is_calling = |value: &&[u8]| {
            id != HeaderId::RemotePartyId || remote_party(value).is_some_and(|party| party.calling)
        };
        let values = message.list(id).take(VALUES_MAX).filter(is_calling);
        let mut numbers = values.filter_map(|value| self.named(value, snapshot));
        numbers.find(|number| self.trusted || number.is_own)
    }
}

/// A number that somebody says to call from.
#[derive(Debug)]
struct Number {
    written: String,
    /// By the rules of the side that it comes from.
    number: String,
    /// Whether it is one of the customer's.
    is_own: bool,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The number, by the rules of the side that it comes from; none of a caller without one.
    pub number: Option<String>,
    /// The number for the record, where that is not the one in From.
    pub recorded: Option<String>,
    /// Whether we may assert it: the side that says it is trusted, or the number is its own.
    pub verified: bool,
    /// What becomes of the call, and of its From.
    pub standing: Standing,
}

/// What becomes of a caller's From.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It goes on with the number that it has.
    Stands,
    /// It goes on with the caller's number.
    GivesWay,
    /// It names nobody, and goes on as the name that names nobody: what else stands in it may be a number.
    Nameless,
    /// The call does not go on.
    Refused,
}

impl Caller {
    /// Who calls by this INVITE.
    pub fn of(message: &Message, origin: &Origin<'_>, snapshot: &Snapshot) -> Self {
        let mut sources = origin.profile.caller_from.iter().copied().chain([CallerSource::From]);
        let found = sources.find_map(|source| Some((source, origin.found(message, source, snapshot)?)));
        let in_from = origin.found(message, CallerSource::From, snapshot);
        let in_from = in_from.is_some_and(|number| number.is_own);
        Self::judged(origin, found, (is_nobody(message), in_from))
    }

    /// Who calls from this number, of whom nothing else is known.
    pub fn of_number(from: &str, origin: &Origin<'_>, snapshot: &Snapshot) -> Self {
        let found = origin.number(from.as_bytes(), snapshot);
        let in_from = found.as_ref().is_some_and(|number| number.is_own);
        let nobody = from.eq_ignore_ascii_case("anonymous");
        Self::judged(origin, found.map(|number| (CallerSource::From, number)), (nobody, in_from))
    }

    /// `nobody`: whether From names nobody; `stands`: whether its number may be shown where not every number may.
    fn judged(
        origin: &Origin<'_>,
        found: Option<(CallerSource, Number)>,
        (nobody, stands): (bool, bool),
    ) -> Self {
        let foreign = origin.foreign();
        let own = found.as_ref().is_some_and(|(_, number)| number.is_own);
        let standing = match foreign {
            ForeignNumbers::Pass => Standing::Stands,
            ForeignNumbers::Refuse if !own => Standing::Refused,
            ForeignNumbers::Replace | ForeignNumbers::Refuse if nobody => Standing::Nameless,
            ForeignNumbers::Replace | ForeignNumbers::Refuse if stands => Standing::Stands,
            ForeignNumbers::Replace | ForeignNumbers::Refuse => Standing::GivesWay,
        };
        if foreign == ForeignNumbers::Replace && !own {
            let number = Some(origin.profile.default_number.clone());
            return Self { number: number.clone(), recorded: number, verified: true, standing };
        }
        let verified = own || (origin.trusted && found.is_some());
        let elsewhere = found.as_ref().filter(|(source, _)| *source != CallerSource::From);
        let recorded = elsewhere.map(|(_, number)| number.written.clone());
        Self { number: found.map(|(_, number)| number.number), recorded, verified, standing }
    }
}

/// Who calls by the INVITE of a plan, where that is more than a question of whom From names.
pub fn caller(plan: &Plan, message: &Message) -> Option<Caller> {
    let (_, vendor, _) = plan.hop(0)?;
    let origin = Origin::of(plan.direction, (plan.trunk()?, vendor));
    (!origin.is_plain()).then(|| Caller::of(message, &origin, &plan.snapshot))
}

/// Whether identity headers of requests and answers within a call pass as they came.
pub fn pass_within(direction: Direction, between: (&Trunk, &Vendor)) -> bool {
    let (trunk, vendor) = between;
    let sends = [trunk.config.identity.send, vendor.config.identity.send];
    trunk.config.trusted
        && vendor.config.trusted
        && Origin::of(direction, between).is_believed()
        && sends.into_iter().all(|send| send == IdentityHeaders::AsReceived)
}

/// From whom the number of a caller is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// From nobody.
    No,
    /// From a side that is not trusted.
    FromStrangers,
    /// From every side, as far as From tells it.
    FromAll,
}

impl Withheld {
    /// What the headers of an INVITE ask for. That is done for everybody: at worst it hides too much.
    pub fn of(message: &Message) -> Self {
        let privacy = message.value(HeaderId::Privacy).map(Privacy::parse).unwrap_or_default();
        let party = |value| remote_party(value).is_some_and(|party| party.calling && party.withheld);
        if privacy.user {
            Self::FromAll
        } else if privacy.id
            || is_nobody(message)
            || (!privacy.none && message.list(HeaderId::RemotePartyId).take(VALUES_MAX).any(party))
        {
            Self::FromStrangers
        } else {
            Self::No
        }
    }

    /// Whether From is to name nobody towards a side.
    pub const fn hides_from(self, trusted: bool) -> bool {
        match self {
            Self::No => false,
            Self::FromStrangers => !trusted,
            Self::FromAll => true,
        }
    }
}

fn remote_party(value: &[u8]) -> Option<RemoteParty> {
    NameAddr::parse(value).ok().map(|value| RemoteParty::of(&value))
}

/// Whether From names nobody.
fn is_nobody(message: &Message) -> bool {
    let from = message.value(HeaderId::From).and_then(|value| NameAddr::parse(value).ok());
    from.is_some_and(|from| is_anonymous(&from))
}

#[cfg(test)]
mod tests;
