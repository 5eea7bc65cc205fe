//! Where a call may go: admission of its number, and the vendors or gateways to try, in order.
//!
//! Pure: the same snapshot, peer and draws give the same plan. [`Refusal`] says why there is none, in the words of the
//! call record.

use std::sync::Arc;

use runtime::log::Reason;
use runtime::model::{Fork, Money, NumberRule};
use serde::{Deserialize, Serialize};
use sip::StatusCode;
use smallvec::SmallVec;
use uuid::Uuid;

use super::bindings::Binding;
use super::hiding::Hides;
use super::lcr::Candidate;
use super::number::digits;
use super::session_timer;
use super::snapshot::{Peer, Snapshot, Target, Trunk, Vendor};

/// Where a call comes from and where its attempts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From a customer's trunk to vendors.
    Outbound,
    /// From a vendor to the trunk of one of our numbers.
    Inbound,
}

/// The attempts that a call may have.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the places are of.
    pub snapshot: Arc<Snapshot>,
    /// Which way.
    pub direction: Direction,
    /// The trunk, the caller's or the callee's.
    pub trunk: u32,
    /// The number called, by the rules of where it came from.
    pub number: String,
    /// In the order to be tried.
    pub hops: SmallVec<[Hop; 4]>,
    /// Where the trunk of an inbound call has registered: the first of its targets, before its gateways.
    pub contacts: Vec<Arc<Binding>>,
    /// How many of its contacts are called at once; what follows them is tried in turn.
    pub wave: u8,
    /// Whether the number is in the list of high-cost destinations, and opened for the trunk.
    pub high_cost: bool,
}

/// Contacts of a trunk that are called at once, at most; more of them follow one after the other.
pub const WAVE_MAX: u8 = 10;

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The vendor, by place: of an outbound call the one tried, of an inbound one where it came from.
    pub vendor: u32,
    /// Which of the targets of vendor or trunk; those of a trunk begin with its contacts.
    pub target: u32,
    /// The vendor's rate of a minute, and the digits of the prefix that it is for.
    pub rate: Money,
    /// Digits of the prefix of that rate.
    pub prefix_len: u8,
}

/// Why a call goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The answer.
    pub status: StatusCode,
    /// For the call record.
    pub reason: Reason,
    /// For people.
    pub detail: &'static str,
}

const fn refused(status: StatusCode, reason: Reason, detail: &'static str) -> Refusal {
    Refusal { status, reason, detail }
}

/// Which sides of a call between them are not shown the other one.
pub const fn hides(direction: Direction, trunk: &Trunk, vendor: &Vendor) -> Hides {
    let (trunk, vendor) = (trunk.config.hide_topology, vendor.config.hide_topology);
    match direction {
        Direction::Outbound => Hides { caller: trunk, callee: vendor },
        Direction::Inbound => Hides { caller: vendor, callee: trunk },
    }
}

impl Plan {
    /// The trunk.
    pub fn trunk(&self) -> Option<&Trunk> {
        self.snapshot.trunk(self.trunk)
    }

    /// Seconds within which a call of this attempt is to be refreshed; `None` where neither side wants that.
    pub fn session(&self, attempt: usize) -> Option<u32> {
        let (trunk, (_, vendor, _)) = (self.trunk()?, self.hop(attempt)?);
        session_timer::wanted(trunk.config.session_expires, vendor.config.session_expires)
    }

    /// Which sides of an attempt are not shown the other one.
    pub fn hides(&self, attempt: usize) -> Option<Hides> {
        let (trunk, (_, vendor, _)) = (self.trunk()?, self.hop(attempt)?);
        Some(hides(self.direction, trunk, vendor))
    }

    /// The vendor and the target of an attempt.
    pub fn hop(&self, attempt: usize) -> Option<(Hop, &Vendor, &Target)> {
        let hop = *self.hops.get(attempt)?;
        let vendor = self.snapshot.vendor(hop.vendor)?;
        if let Some(binding) = self.contact(attempt) {
            return Some((hop, vendor, &binding.target));
        }
        let targets = match self.direction {
            Direction::Outbound => &vendor.targets,
            Direction::Inbound => &self.trunk()?.targets,
        };
        let place = (hop.target as usize).checked_sub(self.contacts.len())?;
        Some((hop, vendor, targets.get(place)?))
    }

    /// The registered contact that an attempt is at; `None` where it is at a vendor or a gateway.
    pub fn contact(&self, attempt: usize) -> Option<&Binding> {
        let hop = self.hops.get(attempt)?;
        self.contacts.get(hop.target as usize).map(|binding| &**binding)
    }

    /// Whether an attempt is one of several at once.
    pub fn is_forked(&self, attempt: usize) -> bool {
        self.wave > 1 && attempt < usize::from(self.wave)
    }

    /// The plan of an inbound call with what its trunk has registered, which `contacts` tells by the trunk's key, in
    /// the order to be tried. Any other plan stays as it is.
    ///
    /// # Errors
    /// [`Refusal`] where nothing is registered and there is no gateway either.
    pub fn with_contacts(
        mut self,
        peer: Peer,
        contacts: impl FnOnce(Uuid) -> Vec<Arc<Binding>>,
    ) -> Result<Self, Refusal> {
        let inbound = self.direction == Direction::Inbound;
        let Some(trunk) = self.trunk().filter(|trunk| inbound && trunk.registers()) else {
            return Ok(self);
        };
        let contacts = contacts(trunk.config.id);
        let (wave, gateways) = (wave(trunk, contacts.len()), trunk.targets.len());
        let vendor = peer.vendor.unwrap_or_default();
        self.hops = inbound_hops(vendor, contacts.len().saturating_add(gateways));
        (self.contacts, self.wave) = (contacts, wave);
        if self.hops.is_empty() {
            return Err(refused(
                StatusCode::TEMPORARILY_UNAVAILABLE,
                Reason::NoRoute,
                "the trunk of the number has not registered, and has no gateway whose address is known",
            ));
        }
        Ok(self)
    }
}

/// So many digits of a number from its beginning, as rates have them.
#[must_use]
pub fn prefix(number: &str, len: u8) -> String {
    digits(number).get(..len.into()).unwrap_or_default().to_owned()
}

/// The trunk that a call is of, and which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// The trunk, by place: the caller's or the callee's.
    pub trunk: u32,
    /// Which way.
    pub direction: Direction,
}

/// Whose a call is, whatever becomes of it; `None` where no trunk is known. Without a number the source alone says it.
#[must_use]
pub fn party(snapshot: &Snapshot, peer: Peer, dialled: Option<&str>) -> Option<Party> {
    let own = dialled.and_then(|dialled| own(snapshot, peer, dialled));
    let inbound = own.map(|(_, trunk)| Party { trunk, direction: Direction::Inbound });
    inbound.or_else(|| Some(Party { trunk: peer.trunk?, direction: Direction::Outbound }))
}

/// The vendor that calls and the trunk of the number, where a vendor calls a number of ours.
fn own(snapshot: &Snapshot, peer: Peer, dialled: &str) -> Option<(u32, u32)> {
    let vendor = peer.vendor?;
    Some((vendor, snapshot.did(digits(dialled))?))
}

/// How many of its contacts a call to a trunk's number is sent to at once: 1 where it goes to one after the other.
#[must_use]
pub fn wave(trunk: &Trunk, contacts: usize) -> u8 {
    match trunk.config.fork {
        Fork::Serial => 1,
        Fork::Parallel => u8::try_from(contacts).unwrap_or(u8::MAX).clamp(1, WAVE_MAX),
    }
}

/// Plans a call to `dialled`. `draw(n)` gives a number below `n`; `found` is memory that is used again.
///
/// # Errors
/// [`Refusal`] when the number may not be called, or nobody carries it.
pub fn plan(
    snapshot: &Arc<Snapshot>,
    peer: Peer,
    dialled: &str,
    draw: impl FnMut(u64) -> u64,
    found: &mut Vec<Candidate>,
) -> Result<Plan, Refusal> {
    match (own(snapshot, peer, dialled), peer.trunk) {
        (Some((vendor, trunk)), _) => inbound(snapshot, vendor, trunk, dialled),
        (None, Some(trunk)) => outbound(snapshot, trunk, dialled, draw, found),
        (None, None) if peer.vendor.is_some() => {
            Err(refused(StatusCode::NOT_FOUND, Reason::NoRoute, "the number is none of ours"))
        }
        (None, None) => Err(refused(StatusCode::FORBIDDEN, Reason::NotAllowed, "no trunk has this source")),
    }
}

fn inbound(snapshot: &Arc<Snapshot>, vendor: u32, place: u32, dialled: &str) -> Result<Plan, Refusal> {
    let trunk = snapshot.trunk(place).filter(|trunk| trunk.config.active);
    let trunk = trunk.ok_or(refused(
        StatusCode::NOT_FOUND,
        Reason::NoRoute,
        "the trunk of the number is not active",
    ))?;
    if !trunk.served {
        return Err(refused(StatusCode::FORBIDDEN, Reason::NotAllowed, "the customer is suspended"));
    }
    let hops = inbound_hops(vendor, trunk.targets.len());
    // One that registers is asked for its contacts yet.
    if hops.is_empty() && !trunk.registers() {
        return Err(refused(
            StatusCode::TEMPORARILY_UNAVAILABLE,
            Reason::NoRoute,
            "the trunk of the number has no gateway whose address is known",
        ));
    }
    let number = dialled.to_owned();
    Ok(Plan {
        snapshot: Arc::clone(snapshot),
        direction: Direction::Inbound,
        trunk: place,
        number,
        hops,
        contacts: Vec::new(),
        wave: 1,
        high_cost: false,
    })
}

fn inbound_hops(vendor: u32, targets: usize) -> SmallVec<[Hop; 4]> {
    let hop = |target| Hop { vendor, target, rate: Money::default(), prefix_len: 0 };
    (0..).take(targets).map(hop).collect()
}

/// Each gateway of each vendor with an offer that takes calls.
fn outbound_hops(snapshot: &Snapshot, found: &[Candidate]) -> SmallVec<[Hop; 4]> {
    let mut hops = SmallVec::new();
    for offer in found {
        let Some(vendor) = snapshot.vendor(offer.vendor).filter(|vendor| vendor.is_open()) else { continue };
        hops.extend((0..).take(vendor.targets.len()).map(|target| Hop {
            vendor: offer.vendor,
            target,
            rate: offer.rate,
            prefix_len: offer.prefix_len,
        }));
    }
    hops
}

fn outbound(
    snapshot: &Arc<Snapshot>,
    place: u32,
    dialled: &str,
    draw: impl FnMut(u64) -> u64,
    found: &mut Vec<Candidate>,
) -> Result<Plan, Refusal> {
    let trunk = snapshot.trunk(place).ok_or(refused(
        StatusCode::FORBIDDEN,
        Reason::NotAllowed,
        "no trunk has this source",
    ))?;
    if !trunk.served {
        return Err(refused(StatusCode::FORBIDDEN, Reason::NotAllowed, "the customer is suspended"));
    }
    let partition = trunk.partition.ok_or(refused(
        StatusCode::FORBIDDEN,
        Reason::NotAllowed,
        "the trunk has no partition and may not call out",
    ))?;
    let number =
        NumberRule::rewrite(&trunk.config.callee_rules, dialled).unwrap_or_else(|| dialled.to_owned());
    let wanted = digits(&number);
    // What is no digit ends the prefixes that are looked at: it could hide where the call really goes.
    if wanted.is_empty() || !wanted.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(refused(
            StatusCode::NOT_FOUND,
            Reason::NoRoute,
            "the number has more than digits after the trunk's rules",
        ));
    }
    if !trunk.destinations.contains(wanted) {
        return Err(refused(
            StatusCode::FORBIDDEN,
            Reason::NotAllowed,
            "the trunk may not call this destination",
        ));
    }
    let high_cost = snapshot.high_cost.contains(wanted);
    if high_cost && !trunk.opened.contains(wanted) {
        return Err(refused(
            StatusCode::FORBIDDEN,
            Reason::NotAllowed,
            "the destination is of high cost and not opened for the trunk",
        ));
    }
    snapshot.offers.candidates(partition, wanted, draw, found);
    if found.is_empty() {
        return Err(refused(StatusCode::NOT_FOUND, Reason::NoRoute, "no vendor has an offer for the number"));
    }
    let dear = |rate: Money| trunk.config.rate_max.is_some_and(|rate_max| rate > rate_max);
    found.retain(|offer| !dear(offer.rate));
    if found.is_empty() {
        return Err(refused(
            StatusCode::FORBIDDEN,
            Reason::NotAllowed,
            "every offer is dearer than the trunk's highest rate",
        ));
    }
    let hops = outbound_hops(snapshot, found);
    if hops.is_empty() {
        return Err(refused(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::Capacity,
            "every vendor with an offer is disabled, drained or without a known address",
        ));
    }
    let (direction, contacts, wave) = (Direction::Outbound, Vec::new(), 1);
    let (snapshot, trunk) = (Arc::clone(snapshot), place);
    Ok(Plan { snapshot, direction, trunk, number, hops, contacts, wave, high_cost })
}
