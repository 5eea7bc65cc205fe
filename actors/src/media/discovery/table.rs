//! The table of RTPEngine nodes that Kamailio reads from Redis, and what is made of it here.
//!
//! Pure. An entry is a hash with the columns of Kamailio's table `rtpengine`. What it says is a hint and never an
//! order: the configuration comes first, a table that is empty, or lacks a node once, takes nothing away, and a node that
//! carries calls goes when they are over.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str;
use std::time::{Duration, Instant};

use bytes::Bytes;
use runtime::model::{MediaNode, MediaNodeState};
use uuid::Uuid;

/// Numbers of entries.
pub const ENTRIES: RangeInclusive<u8> = 1..=64;
/// The columns that are read.
pub const FIELDS: [&str; 4] = ["setid", "url", "weight", "disabled"];

/// Values of an entry, in the order of [`FIELDS`].
pub type Row = Vec<Option<Bytes>>;

/// The greatest weight that is taken, as in the configuration.
const WEIGHT_MAX: u32 = 10_000;

/// The number of the node of the first entry; each other one's follows from its entry too. Those of the configuration
/// are below.
const NUMBERS_FROM: u8 = MediaNode::NUMBER_MAX + 1;

/// A node that the table lacks is kept for the calls that it carries for so long. They may be another's, and never end.
const DRAINS_MAX: Duration = Duration::from_secs(6 * 3_600);

/// A node of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number, which stands in cookies: that of its entry, so that all nodes of ours have the same, and no other
    /// entry moves it.
    pub number: u8,
    /// Where it takes commands.
    pub address: SocketAddr,
    /// Its share of new calls.
    pub weight: u32,
    /// It gets no new calls.
    pub drains: bool,
}

/// Why an entry names no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `url` is missing, or not `udp:ADDRESS:PORT`.
    #[error("url is not udp:ADDRESS:PORT with an IP address")]
    Url,
    /// `setid`, `weight` or `disabled` is no number, or too great a one.
    #[error("{0} is no number that it may be")]
    Number(&'static str),
}

/// The key of an entry, as Kamailio's `db_redis` makes it of the table's name, the name of its index and its number.
pub fn key(number: u8) -> String {
    format!("rtpengine:entry::{number}")
}

/// The number of the node of an entry.
pub const fn number(entry: u8) -> u8 {
    NUMBERS_FROM.saturating_add(entry.saturating_sub(1))
}

/// The node of an entry; `None` of one that is of another set.
///
/// # Errors
/// [`Error`], where it names no node.
pub fn read(row: &[Option<Bytes>], entry: u8, set: u32) -> Result<Option<Found>, Error> {
    let text = |place: usize| {
        let value = row.get(place).and_then(Option::as_deref).and_then(|value| str::from_utf8(value).ok());
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    let parsed = |place: usize, column: &'static str| {
        text(place).map(|value| value.parse::<u32>().map_err(|_| Error::Number(column))).transpose()
    };
    if parsed(0, "setid")?.unwrap_or_default() != set {
        return Ok(None);
    }
    let (address, share) = text(1).and_then(address).ok_or(Error::Url)?;
    let weight = parsed(2, "weight")?.or(share).unwrap_or(1);
    if weight > WEIGHT_MAX {
        return Err(Error::Number("weight"));
    }
    let drains = parsed(3, "disabled")?.is_some_and(|disabled| disabled != 0);
    Ok(Some(Found { number: number(entry), address, weight, drains }))
}

/// Address and weight of `udp:192.0.2.20:2223=50`.
fn address(url: &str) -> Option<(SocketAddr, Option<u32>)> {
    let (url, weight) = match url.split_once('=') {
        Some((url, weight)) => (url, Some(weight.parse().ok()?)),
        None => (url, None),
    };
    let rest = url.strip_prefix("udp:").or_else(|| url.strip_prefix("udp6:"))?;
    let address: SocketAddr = rest.parse().ok()?;
    let ip = address.ip();
    let fits = !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0 && ip.to_canonical() == ip;
    fits.then_some((address, weight))
}

/// What a look at the table shows.
#[derive(Debug)]
pub struct Look {
    /// Nodes that entries name.
    pub shown: Vec<Found>,
    /// Numbers of the nodes of entries that name none for they cannot be read.
    pub unfit: Vec<u8>,
    /// When it was.
    pub at: Instant,
}

/// What is known of the table.
#[derive(Debug, Default)]
pub struct Known {
    /// By number.
    nodes: Vec<Found>,
    /// What else is known of each of them, in their order.
    kept: Vec<Kept>,
}

/// What is known of a node beside what it is.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The number that follows from the entry that named it last.
    entry: u8,
    /// Since when the table lacks it.
    lacked: Option<Instant>,
}

impl Known {
    /// What was known before.
    pub fn of(nodes: Vec<Found>) -> Self {
        let kept = nodes.iter().map(|node| Kept { entry: node.number, lacked: None }).collect();
        Self { nodes, kept }
    }

    /// Takes in what a look has shown; true where anything is another now. A node goes when two looks in a row do not
    /// show it, and when it does not carry calls any more, as `carries` tells by its address. Until then nobody else has
    /// its number. A table without any node is one that was lost, and says nothing.
    pub fn follow(&mut self, mut look: Look, carries: impl Fn(SocketAddr) -> bool) -> bool {
        if look.shown.is_empty() {
            return false;
        }
        look.shown.sort_by_key(|found| found.number);
        let before = self.nodes.iter().zip(&self.kept);
        let mut after: Vec<(Found, Kept)> =
            before.filter_map(|(node, kept)| next(node, *kept, &look, &carries)).collect();
        for found in &look.shown {
            // Two entries of one node are one node.
            let is_taken =
                |(node, _): &(Found, Kept)| node.address == found.address || node.number == found.number;
            if !after.iter().any(is_taken) {
                after.push((found.clone(), Kept { entry: found.number, lacked: None }));
            }
        }
        after.sort_by_key(|(node, _)| node.number);
        let (nodes, kept): (Vec<Found>, Vec<Kept>) = after.into_iter().unzip();
        let changed = nodes != self.nodes;
        (self.nodes, self.kept) = (nodes, kept);
        changed
    }

    /// The nodes, by number.
    pub fn nodes(&self) -> &[Found] {
        &self.nodes
    }
}

/// A node that is known, behind another look; `None` of one that is gone. Calls know it by its number, which it keeps
/// wherever it stands.
fn next(
    node: &Found,
    kept: Kept,
    look: &Look,
    carries: impl Fn(SocketAddr) -> bool,
) -> Option<(Found, Kept)> {
    if let Some(found) = look.shown.iter().find(|found| found.address == node.address) {
        let kept = Kept { entry: found.number, lacked: None };
        return Some((Found { number: node.number, ..found.clone() }, kept));
    }
    // Nobody has said that it is to go.
    if look.unfit.contains(&kept.entry) {
        return Some((node.clone(), Kept { lacked: None, ..kept }));
    }
    let Some(since) = kept.lacked else {
        return Some((node.clone(), Kept { lacked: Some(look.at), ..kept }));
    };
    let drains = look.at.saturating_duration_since(since) < DRAINS_MAX && carries(node.address);
    drains.then(|| (Found { drains: true, ..node.clone() }, kept))
}

/// The name of a node that was found.
pub fn name(address: SocketAddr) -> String {
    format!("redis-{address}")
}

/// Nodes of the configuration, and those beside them that were found. One that the configuration has is the
/// configuration's, and so is a number.
pub fn merged(configured: &[MediaNode], found: &[Found]) -> Vec<MediaNode> {
    let mut nodes = configured.to_vec();
    for Found { number, address, weight, drains } in found {
        let name = name(*address);
        let is_taken =
            |node: &MediaNode| node.address == *address || node.name == name || node.number == *number;
        if nodes.iter().any(is_taken) {
            continue;
        }
        let state = if *drains { MediaNodeState::Draining } else { MediaNodeState::Active };
        nodes.push(MediaNode {
            id: Uuid::nil(),
            number: *number,
            name,
            address: *address,
            weight: *weight,
            state,
        });
    }
    nodes
}

#[cfg(test)]
mod tests;
