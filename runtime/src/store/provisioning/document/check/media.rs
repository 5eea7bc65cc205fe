//! What entries may say about media.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::{Entry, unique};
use crate::model::{MediaNode, MediaPath, MediaProfile};
use crate::store::provisioning::Error;
use crate::store::provisioning::document::MediaNodeEntry;

/// Each has a number of its own, from 1.
const NODES_MAX: usize = MediaNode::NUMBER_MAX as usize;
/// Codecs of one list.
const CODECS_MAX: usize = 16;
/// Octets of the name of a codec, and of an interface.
const NAME_MAX: usize = 32;
/// Media of one packet comes in steps, and what is longer than this cannot be talked over.
const PTIME_STEP_MS: u128 = 10;
const PTIME_MAX: Duration = Duration::from_millis(200);
/// What is kept for longer than ten years is kept.
const RETENTION_MAX: Duration = Duration::from_secs(3650 * 24 * 3600);

/// No name and no address may be two nodes', and each node needs a number.
pub(super) fn nodes(entries: &[MediaNodeEntry], stored: &[MediaNode]) -> Result<(), Error> {
    unique("media_node", entries.iter().map(|entry| entry.name.as_str()))?;
    let mut names: HashSet<&str> = stored.iter().map(|node| node.name.as_str()).collect();
    let mut owners: HashMap<SocketAddr, &str> =
        stored.iter().map(|node| (node.address, node.name.as_str())).collect();
    for entry in entries {
        entry.check()?;
        let at = Entry { kind: "media_node", key: &entry.name };
        if names.insert(&entry.name) && names.len() > NODES_MAX {
            return Err(at.refused("name", format!("there are {NODES_MAX} media nodes already")));
        }
        let owner = owners.insert(entry.address, &entry.name);
        if let Some(owner) = owner.filter(|owner| *owner != entry.name) {
            let text = format!("{} is media node {owner:?}'s, which goes elsewhere first", entry.address);
            return Err(at.refused("address", text));
        }
    }
    Ok(())
}

impl MediaNodeEntry {
    /// Checks what it says.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "media_node", key: &self.name };
        at.name("name", &self.name, 1)?;
        let ip = self.address.ip();
        if ip.is_unspecified() || ip.is_multicast() || self.address.port() == 0 {
            return Err(at.refused("address", format!("no node listens on {}", self.address)));
        }
        if ip.to_canonical() != ip {
            return Err(at.refused("address", "write IPv4 as IPv4"));
        }
        at.range("weight", self.weight, 0..=10_000)
    }
}

impl Entry<'_> {
    /// The media of a trunk or a vendor.
    pub(super) fn media(&self, media: &MediaProfile) -> Result<(), Error> {
        self.codecs("media.codecs", &media.codecs)?;
        self.codecs("media.transcode", &media.transcode)?;
        let steps = media.ptime.as_millis().is_multiple_of(PTIME_STEP_MS);
        if !steps || media.ptime > PTIME_MAX {
            return Err(self.refused("media.ptime", "it is 0s, or 10ms to 200ms in steps of 10ms"));
        }
        let in_interface = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
        if media.interface.len() > NAME_MAX || !media.interface.bytes().all(in_interface) {
            let text = format!("{:?} is not at most {NAME_MAX} letters, digits, - and _", media.interface);
            return Err(self.refused("media.interface", text));
        }
        if media.recording && media.path == MediaPath::Direct {
            return Err(self.refused("media.recording", "what goes direct from peer to peer is not recorded"));
        }
        if media.recording_retention > RETENTION_MAX {
            return Err(self.refused("media.recording_retention", "it is over 3650d; 0s keeps recordings"));
        }
        Ok(())
    }

    /// Names of codecs are equal in any case (RFC 8866, 6.6).
    fn codecs(&self, field: &str, codecs: &[String]) -> Result<(), Error> {
        self.at_most(field, codecs, CODECS_MAX)?;
        let in_name = |octet: u8| octet.is_ascii_alphanumeric() || b".-_/".contains(&octet);
        let mut seen = HashSet::new();
        for codec in codecs {
            if !(1..=NAME_MAX).contains(&codec.len()) || !codec.bytes().all(in_name) {
                let text = format!("{codec:?} is not 1 to {NAME_MAX} letters, digits, ., -, _ and /");
                return Err(self.refused(field, text));
            }
            if !seen.insert(codec.to_ascii_lowercase()) {
                return Err(self.refused(field, format!("{codec} stands in it twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
