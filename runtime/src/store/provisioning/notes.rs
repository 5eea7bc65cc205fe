//! What a document may say, and what does nothing as it stands: it is applied all the same, and said.

use std::collections::HashSet;

use super::{Current, Document, SipVendorEntry, TrunkEntry};
use crate::model::{AuthType, VerifyIdentity};

/// Notes that are given one by one.
const NOTES_MAX: usize = 100;

/// What the `[stir]` of a node is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stir {
    /// It has a key to sign calls with.
    pub signs: bool,
    /// It has authorities whose certificates it believes.
    pub believes: bool,
}

/// What of a document does nothing, a sentence for each; of very many the first, and how many more there are. Without
/// the `stir` of a node that speaks SIP nothing is said of signing and checking calls.
#[must_use]
pub fn notes(document: &Document, current: &Current, stir: Option<Stir>) -> Vec<String> {
    let of_trunks =
        document.trunks.iter().filter_map(|entry| Some(format!("trunk {}: {}", entry.name, idle(entry)?)));
    let rated = rated(document, current);
    let of_vendors = document.sip_vendors.iter().filter(|entry| never_called(entry, &rated));
    let of_vendors = of_vendors
        .map(|entry| format!("sip_vendor {}: it has rates and no gateways: it gets no calls", entry.name));
    let unmet = stir.map(|stir| unmet(document, stir)).unwrap_or_default();
    let mut notes: Vec<String> = of_trunks.chain(of_vendors).chain(unmet).collect();
    if let Some(more @ 1..) = notes.len().checked_sub(NOTES_MAX) {
        notes.truncate(NOTES_MAX);
        notes.push(format!("and {more} more of the kind"));
    }
    notes
}

/// Why a trunk can never call, or what of it counts for nothing.
fn idle(entry: &TrunkEntry) -> Option<&'static str> {
    if !entry.active {
        return None;
    }
    let (has_digest, has_acl) = (entry.digest.is_some(), !entry.acl.is_empty());
    // Who only gets calls needs no source.
    let calls = !entry.partition.is_empty();
    match entry.auth_type {
        AuthType::IpAcl if has_digest => {
            Some("digest counts for nothing with auth_type IP_ACL: make that DIGEST or BOTH")
        }
        AuthType::IpAcl if calls && !has_acl => {
            Some("it can never call: auth_type is IP_ACL and acl is empty")
        }
        AuthType::Digest if !has_digest => Some("it can never call: auth_type is DIGEST without a digest"),
        AuthType::Both if !has_digest => Some("it can never call: auth_type is BOTH without a digest"),
        AuthType::Both if calls && !has_acl => Some("it can never call: auth_type is BOTH and acl is empty"),
        AuthType::IpAcl | AuthType::Digest | AuthType::Both => None,
    }
}

/// What is to be signed and checked, and cannot be at this node.
fn unmet(document: &Document, stir: Stir) -> Vec<String> {
    let of_trunks = document.trunks.iter().filter(|entry| entry.active).filter_map(|entry| {
        let checks = unchecked(entry.verify_identity).filter(|_| !stir.believes)?;
        Some(format!("trunk {}: {checks}", entry.name))
    });
    let of_vendors = document.sip_vendors.iter().flat_map(|entry| {
        let signs = (entry.sign_calls && !stir.signs).then_some(UNSIGNED);
        let checks = unchecked(entry.verify_identity).filter(|_| !stir.believes);
        signs.into_iter().chain(checks).map(move |what| format!("sip_vendor {}: {what}", entry.name))
    });
    of_trunks.chain(of_vendors).collect()
}

const UNSIGNED: &str = "sign_calls signs no call to it: this node has no stir.key_file";

/// What becomes of calls that are to be checked where nobody is believed.
const fn unchecked(policy: VerifyIdentity) -> Option<&'static str> {
    match policy {
        VerifyIdentity::Off => None,
        VerifyIdentity::Note => {
            Some("verify_identity checks no call of it: this node has no stir.authorities_file")
        }
        VerifyIdentity::Refuse => {
            Some("verify_identity refuses every call of it: this node has no stir.authorities_file")
        }
    }
}

fn never_called(entry: &SipVendorEntry, rated: &HashSet<&str>) -> bool {
    entry.gateways.is_empty() && rated.contains(entry.name.as_str())
}

/// The vendors with rates, as they will be: no rate is ever taken away by a document.
fn rated<'a>(document: &'a Document, current: &'a Current) -> HashSet<&'a str> {
    // A rate deck has a hundred thousand rates: it is read where somebody asks.
    if document.sip_vendors.iter().all(|entry| !entry.gateways.is_empty()) {
        return HashSet::new();
    }
    let voice = &current.voice;
    let stored: HashSet<_> = voice.offers.iter().map(|offer| offer.vendor).collect();
    let stored = voice.vendors.iter().filter(|vendor| stored.contains(&vendor.id));
    let stored = stored.map(|vendor| vendor.name.as_str());
    document.voice_rates.iter().map(|rate| rate.vendor.as_str()).chain(stored).collect()
}

#[cfg(test)]
mod tests;
