//! The conditions of a call's way, one by one.

use runtime::model::Transport;

use super::super::anchor::Profiles;
use super::super::identity::{Caller, FOREIGN, Standing};
use super::super::number::digits;
use super::super::routing::{Direction, Plan, Refusal};
use super::super::snapshot::{Snapshot, Trunk, Vendor};
use super::{Check, Way, has_channel, offers};
use crate::media::pool::Pool;

/// Name of the check that nothing can pass by.
pub(super) const LISTENER: &str = "listener";

fn check(check: &'static str, passed: bool, yes: impl Into<String>, no: impl Into<String>) -> Check {
    Check { check, passed, detail: if passed { yes.into() } else { no.into() } }
}

/// Where it comes from, and whether it is a number.
pub(super) fn admission(
    snapshot: &Snapshot,
    way: &Way<'_>,
    is_listening: bool,
    transport: Transport,
) -> Vec<Check> {
    let trunk = way.peer.trunk.and_then(|place| snapshot.trunk(place)).map(|trunk| &trunk.config.name);
    let vendor = way.peer.vendor.and_then(|place| snapshot.vendor(place)).map(|vendor| &vendor.config.name);
    let known = match (trunk, vendor) {
        (Some(trunk), Some(vendor)) => format!("of trunk {trunk} and of vendor {vendor}"),
        (Some(trunk), None) => format!("of trunk {trunk}"),
        (None, Some(vendor)) => format!("of vendor {vendor}"),
        (None, None) => String::new(),
    };
    let listed = way.peer.listed.and_then(|place| snapshot.trunk(place)).map(|trunk| &trunk.config.name);
    let unknown = "no active trunk with authentication by source, and no vendor, has it";
    let unknown = listed.map_or_else(
        || unknown.to_owned(),
        |name| format!("of trunk {name}, whose calls need a digest: this is told as without one"),
    );
    let number = way.number.clone().unwrap_or_default();
    let transport = transport.as_str();
    vec![
        check(
            LISTENER,
            is_listening,
            format!("we listen on {transport}"),
            format!("we do not listen on {transport}"),
        ),
        check("source", !known.is_empty(), known, unknown),
        check("number", way.number.is_some(), number, "not a number"),
    ]
}

/// What a trunk may call, and who would carry it.
pub(super) fn outbound(snapshot: &Snapshot, trunk: Option<&Trunk>, number: &str) -> Vec<Check> {
    let Some(trunk) = trunk else { return Vec::new() };
    let wanted = digits(number);
    let closed = snapshot.high_cost.contains(wanted);
    let offers = offers(snapshot, trunk, number);
    let cheap = |rate| trunk.config.rate_max.is_none_or(|rate_max| rate <= rate_max);
    let within: Vec<_> = offers.iter().filter(|offer| cheap(offer.rate)).collect();
    let open = within.iter().filter_map(|offer| snapshot.vendor(offer.vendor));
    let open = open.filter(|vendor| vendor.is_open() && !vendor.targets.is_empty()).count();
    let rate_max =
        trunk.config.rate_max.map_or_else(|| "any rate".to_owned(), |rate| format!("at most {rate}"));
    vec![
        check("customer", trunk.served, "served", "the customer is suspended"),
        check(
            "partition",
            trunk.partition.is_some(),
            "the trunk has one",
            "the trunk has none and may not call out",
        ),
        check(
            "destination",
            trunk.destinations.contains(wanted),
            "the trunk may call it",
            "not in the trunk's allow list, or in its deny list",
        ),
        check(
            "high_cost",
            !closed || trunk.opened.contains(wanted),
            if closed { "opened for the trunk" } else { "not of high cost" },
            "of high cost and not opened for the trunk",
        ),
        check(
            "offers",
            !offers.is_empty(),
            format!("{} vendors", offers.len()),
            "no vendor has one for the number",
        ),
        check("rate_max", !within.is_empty(), rate_max.clone(), format!("{rate_max}: no offer is within")),
        check(
            "vendors",
            open > 0,
            format!("{open} are open"),
            "every one is disabled, drained or without a known address",
        ),
    ]
}

/// Whether a number of ours can be called.
pub(super) fn inbound(trunk: Option<&Trunk>, contacts: usize) -> Vec<Check> {
    let own = check(
        "did",
        trunk.is_some(),
        trunk.map(|trunk| format!("of trunk {}", trunk.config.name)).unwrap_or_default(),
        "the number is none of ours, or has no trunk",
    );
    let of_trunk = trunk.map(|trunk| {
        let gateways = trunk.targets.len();
        let known = if trunk.registers() {
            format!("{contacts} registered, {gateways} known")
        } else {
            format!("{gateways} known")
        };
        let none = if trunk.registers() {
            "nothing is registered, and none has a known address"
        } else {
            "none has a known address"
        };
        [
            check("trunk", trunk.config.active, "active", "not active"),
            check("customer", trunk.served, "served", "the customer is suspended"),
            check("gateways", contacts + gateways > 0, known, none),
        ]
    });
    std::iter::once(own).chain(of_trunk.into_iter().flatten()).collect()
}

/// Whether the number that calls may be said; told as if it stood in From alone.
pub(super) fn caller(caller: &Caller) -> Check {
    let number = caller.number.as_deref().unwrap_or_default();
    let yes = match caller.standing {
        Standing::GivesWay => format!("{number} stands in place of another's"),
        Standing::Nameless => "nobody is named".to_owned(),
        Standing::Stands | Standing::Refused => format!("{number} may be said"),
    };
    check("caller", caller.standing != Standing::Refused, yes, FOREIGN.detail)
}

/// What an INVITE that has a way meets then: the trunk's channels, and the vendors'. How many calls came within the
/// last second is not told.
pub(super) fn limits(way: &Way<'_>, planned: &Result<Plan, Refusal>, open: bool) -> Vec<Check> {
    let Some(trunk) = way.trunk else { return Vec::new() };
    let (used, most) = (trunk.usage.channels(), trunk.config.channels);
    let used =
        if most == 0 { format!("{used} in use, any number") } else { format!("{used} of {most} in use") };
    let full = format!("all channels of the trunk are in use: {used}");
    let channels = check("channels", has_channel(&trunk.usage, most), used, full);
    let capacity = check("capacity", open, "a vendor has room", "no vendor has room");
    let outbound = way.direction == Some(Direction::Outbound) && planned.is_ok();
    std::iter::once(channels).chain(outbound.then_some(capacity)).collect()
}

/// What carries the sound of a call between these; `takes`: whether a media node would take it.
pub(super) fn media(trunk: &Trunk, vendor: &Vendor, media: &Pool, takes: bool) -> Check {
    let profiles = Profiles::between(trunk, vendor);
    let (is_past, is_direct) = (media.is_empty(), profiles.is_direct());
    let records = profiles.trunk.recording || profiles.vendor.recording;
    let yes = match (is_past, is_direct) {
        (true, _) if records => "past us and not recorded: there is no media node".to_owned(),
        (true, _) => "past us: there is no media node".to_owned(),
        (false, true) => "past us: both sides say so".to_owned(),
        (false, false) => {
            let recorded = if records { ", recorded" } else { "" };
            format!(
                "anchored{recorded}; {} of {} media nodes take calls",
                media.taking(),
                media.nodes().len()
            )
        }
    };
    check("media", is_past || is_direct || takes, yes, "no media node takes calls, see `warp actors`")
}
