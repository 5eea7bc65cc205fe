//! Why a call would go where: admission, routing and limits, told step by step, with nothing sent and nothing drawn.
//!
//! Pure: a snapshot, what is told of this node, a question and the time give the same answer. The outcome is the
//! router's own ([`routing::plan`]); the checks beside it say which of its conditions hold, those behind the first that
//! does not too.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use runtime::model::{Attestation, NumberRule, Transport};
use serde::Serialize;
use sip::StatusCode;
use uuid::Uuid;

use super::acl::Source;
use super::attestation;
use super::bindings::Binding;
use super::hiding::Hides;
use super::identity::{self, Caller, Origin, Standing};
use super::lcr;
use super::number::{dialled, digits};
use super::routing::{self, Direction, Plan, Refusal};
use super::settings::{Listener, default_port};
use super::snapshot::{Peer, Snapshot, Target, Trunk, Vendor};
use super::usage::Usage;

mod checks;
mod media;

/// The outcome of a call that goes its way.
const ROUTE: &str = "route";

/// The call that might be placed.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    /// Who calls: the user part of a SIP URI. It does not change the way of a call, but may have it refused.
    pub from: String,
    /// Who is called: the user part of a SIP URI.
    pub to: String,
    /// Where the INVITE comes from.
    pub source: SocketAddr,
    /// How.
    pub transport: Transport,
}

/// What would happen.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The question.
    pub question: Question,
    /// Name of the trunk that the source has.
    pub trunk: Option<String>,
    /// Name of the vendor that the source is.
    pub vendor: Option<String>,
    /// `outbound` or `inbound`; none of a call from nowhere.
    pub direction: Option<&'static str>,
    /// The number called, by the rules of the trunk.
    pub number: Option<String>,
    /// `route`, or the status of the refusal and why.
    pub outcome: String,
    /// In the order in which they are made.
    pub checks: Vec<Check>,
    /// Vendors with an offer, in the order in which they would be tried; of equal rate and priority any may be the
    /// first, by weight.
    pub candidates: Vec<Candidate>,
    /// Where an inbound call goes, in this order.
    pub gateways: Vec<String>,
    /// How many of them, from the first, are called at once, unless the caller requires 100rel; none where each is called
    /// in its turn.
    pub rung_at_once: Option<u8>,
}

/// A condition of the way.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// What was found.
    pub detail: String,
}

/// A vendor with an offer for the number.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// Name.
    pub vendor: String,
    /// Prefix of its offer.
    pub prefix: String,
    /// Price of a minute.
    pub rate: String,
    /// Lower first among equal rates.
    pub priority: i32,
    /// Share among equal rates and priorities.
    pub weight: u32,
    /// `ACTIVE`, `DRAINED` or `DISABLED`.
    pub status: &'static str,
    /// Calls at present.
    pub channels_used: u32,
    /// Calls at one time; 0 is no limit.
    pub channels: u32,
    /// New calls a second; 0 is no limit.
    pub cps: u32,
    /// The number called as it would be sent.
    pub number: String,
    /// The number that calls as it would be sent.
    pub caller: String,
    /// Where to, in this order.
    pub gateways: Vec<String>,
    /// Why it would be passed over; none of one that would be tried.
    pub passed_over: Option<&'static str>,
    /// What its call would be signed with, where the caller's number stands in From alone; none of one that is not
    /// signed.
    pub attestation: Option<Attestation>,
    /// Why it would not be signed; none of one that is.
    pub unsigned: Option<&'static str>,
    /// Who would not be shown the addresses of the other side.
    pub topology_hidden_from: Hides,
}

/// What is told of this node, beside its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// Where it listens.
    pub listeners: &'a [Listener],
    /// Why it signs no call; none where it does.
    pub unsigned: Option<&'static str>,
}

/// What a trunk has registered that lives, by the trunk's key.
pub type Contacts<'a> = &'a dyn Fn(Uuid) -> Vec<Arc<Binding>>;

/// Explains where a call would go now. Without a listener of the transport it is told as if it came to the first one.
#[must_use]
pub fn call(
    snapshot: &Arc<Snapshot>,
    own: Own<'_>,
    question: &Question,
    contacts: Contacts<'_>,
    now: Instant,
) -> Explanation {
    let listener = own.listeners.iter().find(|listener| listener.transport == question.transport);
    let at = listener.or_else(|| own.listeners.first());
    let at = at.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |listener| listener.address.ip());
    let Question { source, transport, .. } = question;
    let source = Source { address: source.ip(), port: source.port(), transport: *transport };
    let peer = snapshot.peer(&source, at);
    let number = dialled(question.to.as_bytes()).map(|dialled| dialled.number);
    let mut found = Vec::new();
    let planned = match &number {
        // Nothing is drawn: equals stay in the order of the configuration.
        Some(number) => routing::plan(snapshot, peer, number, |_| 0, &mut found),
        None => Err(NOT_A_NUMBER),
    };
    let planned = planned.and_then(|plan| plan.with_contacts(peer, contacts));
    let way = Way::of(snapshot, peer, number.as_deref(), contacts);
    let planned = planned.map_err(|refusal| if way.is_asked(snapshot) { ASKED } else { refusal });
    let caller = way.caller(snapshot, &question.from);
    let planned = planned.and_then(|plan| match &caller {
        Some(caller) if caller.standing == Standing::Refused => Err(identity::FOREIGN),
        Some(_) | None => Ok(plan),
    });
    let mut checks = checks::admission(snapshot, &way, listener.is_some(), *transport);
    checks.extend(way.checks(snapshot));
    checks.extend(caller.as_ref().map(checks::caller));
    let from = caller.filter(|caller| caller.standing == Standing::GivesWay).and_then(|from| from.number);
    let from = Calling { written: &question.from, given: from.as_deref(), unsigned: own.unsigned };
    let candidates = candidates(snapshot, &way, &from, now);
    let open =
        way.direction == Some(Direction::Inbound) || candidates.iter().any(|one| one.passed_over.is_none());
    checks.extend(checks::limits(&way, &planned, open));
    let name = |trunk: &Trunk| trunk.config.name.clone();
    Explanation {
        question: question.clone(),
        trunk: peer.trunk.and_then(|place| snapshot.trunk(place)).map(name),
        vendor: peer.vendor.and_then(|place| snapshot.vendor(place)).map(|vendor| vendor.config.name.clone()),
        direction: way.direction.map(word),
        number: way.number.clone(),
        outcome: outcome(&planned, &checks),
        gateways: if way.direction == Some(Direction::Inbound) { way.gateways(now) } else { Vec::new() },
        rung_at_once: way.wave(),
        checks,
        candidates,
    }
}

const NOT_A_NUMBER: Refusal =
    Refusal { status: StatusCode::NOT_FOUND, reason: runtime::log::Reason::NoRoute, detail: "not a number" };

/// A digest proves what its source does not. Whether one is right is not told here.
const ASKED: Refusal = Refusal {
    status: StatusCode::PROXY_AUTHENTICATION_REQUIRED,
    reason: runtime::log::Reason::NotAllowed,
    detail: "whoever shows the digest of a trunk is let in",
};

/// Whose call it is, and what it is for.
struct Way<'a> {
    peer: Peer,
    direction: Option<Direction>,
    /// The caller's of an outbound call, the callee's of an inbound one.
    trunk: Option<&'a Trunk>,
    number: Option<String>,
    /// What the trunk of an inbound call has registered.
    contacts: Vec<Arc<Binding>>,
}

impl<'a> Way<'a> {
    fn of(snapshot: &'a Snapshot, peer: Peer, number: Option<&str>, contacts: Contacts<'_>) -> Self {
        let own = peer.vendor.and(number).and_then(|number| snapshot.did(digits(number)));
        let trunk = own.or(peer.trunk).and_then(|place| snapshot.trunk(place));
        let direction = match (own, peer.trunk, peer.vendor) {
            (Some(_), ..) | (None, None, Some(_)) => Some(Direction::Inbound),
            (None, Some(_), _) => Some(Direction::Outbound),
            (None, None, None) => None,
        };
        let rules = trunk.filter(|_| direction == Some(Direction::Outbound));
        let rules = rules.map_or(&[][..], |trunk| &trunk.config.callee_rules);
        let number =
            number.map(|number| NumberRule::rewrite(rules, number).unwrap_or_else(|| number.to_owned()));
        let registers = trunk.filter(|trunk| direction == Some(Direction::Inbound) && trunk.registers());
        let contacts = registers.map(|trunk| contacts(trunk.config.id)).unwrap_or_default();
        Self { peer, direction, trunk, number, contacts }
    }

    /// Whether its INVITE is answered with a challenge.
    fn is_asked(&self, snapshot: &Snapshot) -> bool {
        let number = self.peer.vendor.and(self.number.as_deref());
        let is_for_us = number.is_some_and(|number| snapshot.did(digits(number)).is_some());
        let has_users = || !snapshot.digests().is_empty();
        !is_for_us && (self.peer.is_asked() || (self.peer.is_stranger() && has_users()))
    }

    fn checks(&self, snapshot: &Snapshot) -> Vec<Check> {
        match (self.direction, &self.number) {
            (Some(Direction::Outbound), Some(number)) => checks::outbound(snapshot, self.trunk, number),
            (Some(Direction::Inbound), Some(_)) => checks::inbound(self.trunk, self.contacts.len()),
            (_, None) | (None, _) => Vec::new(),
        }
    }

    /// Who calls, where a customer may not say any number.
    fn caller(&self, snapshot: &Snapshot, from: &str) -> Option<Caller> {
        let trunk = self.trunk.filter(|_| self.direction == Some(Direction::Outbound));
        let trunk = trunk.filter(|_| !from.is_empty());
        let origin = trunk.map(Origin::trunk).filter(Origin::is_limited)?;
        Some(Caller::of_number(from, &origin, snapshot))
    }

    /// How many of its contacts are called at once, where more than one is.
    fn wave(&self) -> Option<u8> {
        Some(routing::wave(self.trunk?, self.contacts.len())).filter(|wave| *wave > 1)
    }

    fn gateways(&self, now: Instant) -> Vec<String> {
        let contacts = self.contacts.iter().map(|binding| contact(binding));
        let gateways = self.trunk.iter().flat_map(|trunk| &trunk.targets).map(|target| gateway(target, now));
        contacts.chain(gateways).collect()
    }
}

const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

/// Who calls.
struct Calling<'a> {
    /// As the question has it.
    written: &'a str,
    /// What stands in place of that, by the rules of the trunk.
    given: Option<&'a str>,
    /// Why nothing is said of it to anybody.
    unsigned: Option<&'static str>,
}

impl Calling<'_> {
    /// The number by the rules of a trunk, and then by those of a vendor. What is no number stays as it is.
    fn shown(&self, trunk: &Trunk, vendor: &Vendor) -> String {
        match self.given {
            Some(given) => caller(given, [&[], &vendor.config.caller_rules]),
            None => caller(self.written, [&trunk.config.caller_rules, &vendor.config.caller_rules]),
        }
    }

    /// What a call to a vendor is signed with, or why it is not.
    fn attestation(
        &self,
        snapshot: &Snapshot,
        trunk: &Trunk,
        vendor: &Vendor,
    ) -> Result<Attestation, &'static str> {
        if !vendor.config.sign_calls {
            return Err("the vendor wants no calls signed");
        }
        if let Some(why) = self.unsigned {
            return Err(why);
        }
        let shown = self.shown(trunk, vendor);
        let shown = dialled(shown.as_bytes()).ok_or("nobody calls who has a number")?.number;
        let by_trunk = || caller(self.written, [&trunk.config.caller_rules, &[]]);
        let own = self.given.map_or_else(by_trunk, str::to_owned);
        let number = attestation::number(Some(digits(&own).to_owned()), &shown);
        Ok(attestation::of(snapshot, &trunk.config, &number))
    }
}

/// Every offer for the number, those too that would not be taken.
fn candidates(snapshot: &Snapshot, way: &Way<'_>, from: &Calling<'_>, now: Instant) -> Vec<Candidate> {
    let (Some(Direction::Outbound), Some(trunk), Some(number)) = (way.direction, way.trunk, &way.number)
    else {
        return Vec::new();
    };
    let candidate = |offer: &lcr::Candidate| {
        let vendor = snapshot.vendor(offer.vendor)?;
        let attestation = from.attestation(snapshot, trunk, vendor);
        Some(Candidate {
            vendor: vendor.config.name.clone(),
            prefix: routing::prefix(number, offer.prefix_len),
            rate: offer.rate.to_string(),
            priority: offer.priority,
            weight: offer.weight,
            status: vendor.config.status.as_str(),
            channels_used: vendor.usage.channels(),
            channels: vendor.config.channels,
            cps: vendor.config.cps,
            number: NumberRule::rewrite(&vendor.config.callee_rules, number)
                .unwrap_or_else(|| number.clone()),
            caller: from.shown(trunk, vendor),
            gateways: vendor.targets.iter().map(|target| gateway(target, now)).collect(),
            passed_over: passed_over(trunk, vendor, offer, now),
            attestation: attestation.ok(),
            unsigned: attestation.err(),
            topology_hidden_from: routing::hides(Direction::Outbound, trunk, vendor),
        })
    };
    offers(snapshot, trunk, number).iter().filter_map(candidate).collect()
}

fn offers(snapshot: &Snapshot, trunk: &Trunk, number: &str) -> Vec<lcr::Candidate> {
    let mut found = Vec::new();
    if let Some(partition) = trunk.partition {
        snapshot.offers.candidates(partition, digits(number), |_| 0, &mut found);
    }
    found
}

fn passed_over(trunk: &Trunk, vendor: &Vendor, offer: &lcr::Candidate, now: Instant) -> Option<&'static str> {
    if trunk.config.rate_max.is_some_and(|rate_max| offer.rate > rate_max) {
        Some("dearer than the trunk's highest rate")
    } else if !vendor.is_open() {
        Some("gets no new calls")
    } else if vendor.targets.is_empty() {
        Some("no gateway has a known address")
    } else if !vendor.targets.iter().any(|target| target.lets_pass(now)) {
        Some("no gateway has our registration, which it needs")
    } else if !has_channel(&vendor.usage, vendor.config.channels) {
        Some("all its channels are in use")
    } else {
        None
    }
}

/// The number that calls, by the rules of the trunk and then of the vendor. What is no number stays as it is.
fn caller(from: &str, rules: [&[NumberRule]; 2]) -> String {
    let Some(number) = dialled(from.as_bytes()).map(|dialled| dialled.number) else { return from.to_owned() };
    rules.into_iter().fold(number, |number, rules| NumberRule::rewrite(rules, &number).unwrap_or(number))
}

fn has_channel(usage: &Usage, channels_max: u32) -> bool {
    channels_max == 0 || usage.channels() < channels_max
}

fn gateway(target: &Target, now: Instant) -> String {
    let is_absent = target.registration.as_ref().is_some_and(|known| !known.is_there(now));
    let registered = match (is_absent, target.lets_pass(now)) {
        (false, _) => "",
        (true, true) => ", without our registration",
        (true, false) => ", without our registration, which it needs",
    };
    format!("sip:{} at {}{}{registered}", target.host_port, target.address, silent(target))
}

fn contact(binding: &Binding) -> String {
    let Binding { stored, target, .. } = binding;
    format!("{} at {}, registered{}", stored.contact, target.address, silent(target))
}

/// Who is not shown whose addresses.
const fn hidden(from: Hides) -> &'static str {
    match (from.caller, from.callee) {
        (false, false) => "topology shown to both sides",
        (false, true) => "topology of the customer hidden from the vendor",
        (true, false) => "topology of the vendor hidden from the customer",
        (true, true) => "topology hidden from both sides",
    }
}

/// A call goes around what is silent while another one is left.
fn silent(target: &Target) -> &'static str {
    if target.health.is_up() { "" } else { ", silent" }
}

/// The router's word; what it does not look at is what an INVITE meets before it and after it.
fn outcome(planned: &Result<Plan, Refusal>, checks: &[Check]) -> String {
    if let Some(deaf) = checks.iter().find(|check| check.check == checks::LISTENER && !check.passed) {
        return format!("nothing: {}", deaf.detail);
    }
    let refused = |status: StatusCode, detail: &str| {
        format!("{} {}: {detail}", status.as_u16(), status.reason_phrase())
    };
    match planned {
        Err(refusal) => refused(refusal.status, refusal.detail),
        Ok(_) => match checks.iter().find(|check| !check.passed) {
            Some(check) => refused(StatusCode::SERVICE_UNAVAILABLE, &check.detail),
            None => ROUTE.to_owned(),
        },
    }
}

/// Where an INVITE comes from, as a person writes it: an address, or an address with its port.
pub fn source(text: &str, transport: Transport) -> Option<SocketAddr> {
    let address = || Some(SocketAddr::new(text.parse().ok()?, default_port(transport)));
    text.parse().ok().or_else(address)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { from, to, source, transport } = &self.question;
        let way = self.direction.unwrap_or("nowhere");
        writeln!(f, "{from} to {to} from {source}/{}, {way}: {}", transport.as_str(), self.outcome)?;
        if let Some(number) = &self.number {
            writeln!(f, "  number {number}")?;
        }
        for Check { check, passed, detail } in &self.checks {
            writeln!(f, "  {} {check}: {detail}", if *passed { "+" } else { "-" })?;
        }
        for (at, one) in (1..).zip(&self.candidates) {
            let limit = |limit: u32| if limit == 0 { "any".to_owned() } else { limit.to_string() };
            let to = if one.gateways.is_empty() { "" } else { " to " };
            write!(
                f,
                "  {at}. {} (prefix {:?}, rate {}, priority {}, weight {}), {}, {} of {} calls, {} a second, as {} from {}{to}{}",
                one.vendor,
                one.prefix,
                one.rate,
                one.priority,
                one.weight,
                one.status,
                one.channels_used,
                limit(one.channels),
                limit(one.cps),
                one.number,
                one.caller,
                one.gateways.join(", "),
            )?;
            match one.passed_over {
                Some(why) => writeln!(f, ": passed over, {why}")?,
                None => writeln!(f)?,
            }
            match (one.attestation, one.unsigned) {
                (Some(attestation), _) => writeln!(f, "     signed with {}", attestation.as_str())?,
                (None, why) => writeln!(f, "     not signed: {}", why.unwrap_or_default())?,
            }
            writeln!(f, "     {}", hidden(one.topology_hidden_from))?;
        }
        (1..)
            .zip(&self.gateways)
            .try_for_each(|(at, gateway): (usize, _)| writeln!(f, "  {at}. {gateway}"))?;
        match self.rung_at_once {
            Some(wave) => {
                writeln!(
                    f,
                    "  1 to {wave} are called at once, unless the caller requires 100rel: then in turn"
                )
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
