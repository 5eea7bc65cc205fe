//! The table of RTPEngine nodes that Kamailio reads from Redis, and what is made of it here.
//!
//! Pure. An entry is a hash with the columns of Kamailio's table `rtpengine`. What it says is a hint and never an
//! order: the configuration comes first, and a table that is empty, or lacks a node once, takes nothing away.

use std::hash::Hasher;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str;

use bytes::Bytes;
use runtime::model::{MediaNode, MediaNodeState};
use siphasher::sip::SipHasher13;
use uuid::Uuid;

/// Numbers of entries.
pub const ENTRIES: RangeInclusive<u8> = 1..=64;
/// The columns that are read.
pub const FIELDS: [&str; 4] = ["setid", "url", "weight", "disabled"];

/// Values of an entry, in the order of [`FIELDS`].
pub type Row = Vec<Option<Bytes>>;

/// The greatest weight that is taken, as in the configuration.
const WEIGHT_MAX: u32 = 10_000;

/// Numbers of nodes that are found are from here on. Those of the configuration begin at 1.
const NUMBERS_FROM: u8 = 128;
/// How many of them there are.
const NUMBERS: u8 = 128;

/// A node of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
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

/// The node of an entry; `None` of one that is of another set.
///
/// # Errors
/// [`Error`], where it names no node.
pub fn read(row: &[Option<Bytes>], set: u32) -> Result<Option<Found>, Error> {
    let text = |place: usize| {
        let value = row.get(place).and_then(Option::as_deref).and_then(|value| str::from_utf8(value).ok());
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    let number = |place: usize, column: &'static str| {
        text(place).map(|value| value.parse::<u32>().map_err(|_| Error::Number(column))).transpose()
    };
    if number(0, "setid")?.unwrap_or_default() != set {
        return Ok(None);
    }
    let (address, share) = text(1).and_then(address).ok_or(Error::Url)?;
    let weight = number(2, "weight")?.or(share).unwrap_or(1);
    if weight > WEIGHT_MAX {
        return Err(Error::Number("weight"));
    }
    let drains = number(3, "disabled")?.is_some_and(|disabled| disabled != 0);
    Ok(Some(Found { address, weight, drains }))
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

/// What is known of the table.
#[derive(Debug, Default)]
pub struct Known {
    /// By address.
    nodes: Vec<Found>,
    /// Those of them that the last look did not show.
    missing: Vec<SocketAddr>,
}

impl Known {
    /// Takes in what a look has shown; true where anything is another now. A node goes when two looks in a row do not
    /// show it. A table without any node is one that was lost, and says nothing.
    pub fn follow(&mut self, mut shown: Vec<Found>) -> bool {
        if shown.is_empty() {
            return false;
        }
        let mut missing = Vec::new();
        for known in &self.nodes {
            if shown.iter().any(|found| found.address == known.address) {
                continue;
            }
            if !self.missing.contains(&known.address) {
                missing.push(known.address);
                shown.push(known.clone());
            }
        }
        shown.sort_by_key(|found| found.address);
        // Two entries of one node are one node.
        shown.dedup_by_key(|found| found.address);
        self.missing = missing;
        let changed = shown != self.nodes;
        self.nodes = shown;
        changed
    }

    /// The nodes, by address.
    pub fn nodes(&self) -> &[Found] {
        &self.nodes
    }
}

/// The name of a node that was found.
pub fn name(address: SocketAddr) -> String {
    format!("redis-{address}")
}

/// Nodes of the configuration, and those beside them that were found, which stand by address. One that the
/// configuration has is the configuration's.
pub fn merged(configured: &[MediaNode], found: &[Found]) -> Vec<MediaNode> {
    let mut nodes = configured.to_vec();
    for Found { address, weight, drains } in found {
        let name = name(*address);
        let is_known = nodes.iter().any(|node| node.address == *address || node.name == name);
        // There are more numbers than entries are read; where the configuration has them all, it is enough.
        let Some(number) = number(&nodes, *address).filter(|_| !is_known) else { continue };
        let state = if *drains { MediaNodeState::Draining } else { MediaNodeState::Active };
        nodes.push(MediaNode { id: Uuid::nil(), number, name, address: *address, weight: *weight, state });
    }
    nodes
}

/// The number of a node that was found, which stands in cookies: the same at every node of ours, and the same again
/// whatever comes and goes beside it, unless it and a node before it want one number.
fn number(nodes: &[MediaNode], address: SocketAddr) -> Option<u8> {
    let mut hasher = SipHasher13::new();
    hasher.write(address.to_string().as_bytes());
    let wanted = u8::try_from(hasher.finish() % u64::from(NUMBERS)).unwrap_or_default();
    let mut numbers = (0..NUMBERS).map(|step| NUMBERS_FROM + (wanted + step) % NUMBERS);
    numbers.find(|number| nodes.iter().all(|node| node.number != *number))
}

#[cfg(test)]
mod tests;
