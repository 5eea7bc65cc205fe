//! What differs in voice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;

use uuid::Uuid;

use super::{
    Change, Current, Document, SipVendorEntry, TrunkEntry, VoiceRateEntry, by_key, compare, differences, json,
};
use crate::model::{AclSource, SIP_REALM, Voice};
use crate::password::Ha1;

/// Items of a list that a change names; the others are counted.
const NAMED_MAX: usize = 10;

/// Adds what differs, in the order in which it is written.
pub(super) fn plan(document: &Document, (current, known): (&Current, &Document), changes: &mut Vec<Change>) {
    let stored = by_key(&known.media_nodes, |entry| &entry.name);
    for entry in &document.media_nodes {
        compare(changes, "media_node", &entry.name, (stored.get(entry.name.as_str()).copied(), entry), false);
    }
    let stored = by_key(&known.partitions, |entry| &entry.name);
    for entry in &document.partitions {
        compare(changes, "partition", &entry.name, (stored.get(entry.name.as_str()).copied(), entry), false);
    }
    let stored = by_key(&known.sip_vendors, |entry| &entry.name);
    let ids = by_key(&current.voice.vendors, |vendor| &vendor.name);
    for entry in &document.sip_vendors {
        let ha1 = ids.get(entry.name.as_str()).and_then(|vendor| current.accounts.get(&vendor.id));
        vendor(changes, (stored.get(entry.name.as_str()).copied(), entry), ha1);
    }
    let (stored, sources) = (by_key(&known.trunks, |entry| &entry.name), Sources::of(&current.voice));
    let ids = by_key(&current.voice.trunks, |trunk| &trunk.name);
    for entry in &document.trunks {
        let id = ids.get(entry.name.as_str()).map(|trunk| trunk.id);
        let ha1 = id.and_then(|id| current.digests.get(&id));
        trunk(changes, (stored.get(entry.name.as_str()).copied(), entry), (&sources, ha1));
    }
    rates(changes, &document.voice_rates, &known.voice_rates);
    let (wanted, now) = (document.high_cost.as_ref(), known.high_cost.iter().flatten());
    if let Some(field) = wanted.and_then(|wanted| list("prefixes", now, wanted.iter())) {
        changes.push(Change { kind: "high_cost", key: "list".to_owned(), new: false, fields: vec![field] });
    }
    let stored: HashMap<_, _> =
        known.dedicated_addresses.iter().map(|entry| (entry.address, entry)).collect();
    for entry in &document.dedicated_addresses {
        let now = stored.get(&entry.address).copied();
        if now.is_some() || !entry.customer.is_empty() {
            compare(changes, "dedicated_address", &entry.address.to_string(), (now, entry), false);
        }
    }
}

fn vendor(
    changes: &mut Vec<Change>,
    (now, wanted): (Option<&SipVendorEntry>, &SipVendorEntry),
    ha1: Option<&Ha1>,
) {
    let mut fields = now.map_or_else(Vec::new, |now| differences(&json(now), &json(wanted)));
    fields.extend(now.and_then(|now| account((now, wanted), ha1)));
    if now.is_none() || !fields.is_empty() {
        let (key, new) = (wanted.name.clone(), now.is_none());
        changes.push(Change { kind: "sip_vendor", key, new, fields });
    }
}

/// As [`digest`].
fn account(
    (now, wanted): (&SipVendorEntry, &SipVendorEntry),
    ha1: Option<&Ha1>,
) -> Option<(String, String, String)> {
    let field = |name: &str, now: &str, wanted: &str| (name.to_owned(), now.to_owned(), wanted.to_owned());
    let stored = now.account.as_ref()?;
    let Some(wanted) = &wanted.account else {
        return Some(field("account", &json(stored).to_string(), "-"));
    };
    let password = wanted.password.as_ref().filter(|_| wanted.is_same(stored))?;
    let Some(ha1) = ha1 else {
        return Some(field("account.password", "[does not open]", "[redacted]"));
    };
    let differs = Ha1::of(&wanted.username, &wanted.realm, password) != *ha1;
    differs.then(|| field("account.password", "[redacted]", "[redacted]"))
}

fn trunk(
    changes: &mut Vec<Change>,
    (now, wanted): (Option<&TrunkEntry>, &TrunkEntry),
    (sources, ha1): (&Sources<'_>, Option<&Ha1>),
) {
    let mut fields = now.map_or_else(Vec::new, |now| differences(&json(now), &json(wanted)));
    if let Some(now) = now {
        fields.extend(digest((now, wanted), ha1));
        fields.extend(list("acl", sources.stored(&wanted.name), wanted.acl.iter()));
    }
    if now.is_none() || !fields.is_empty() {
        changes.push(Change { kind: "trunk", key: wanted.name.clone(), new: now.is_none(), fields });
    }
}

/// What a differing username does not show: that there is to be none any more, or another password.
fn digest((now, wanted): (&TrunkEntry, &TrunkEntry), ha1: Option<&Ha1>) -> Option<(String, String, String)> {
    let field = |name: &str, now: &str, wanted: &str| (name.to_owned(), now.to_owned(), wanted.to_owned());
    let stored = now.digest.as_ref()?;
    let Some(wanted) = &wanted.digest else {
        return Some(field("digest", &json(stored).to_string(), "-"));
    };
    let password = wanted.password.as_ref().filter(|_| wanted.username == stored.username)?;
    let Some(ha1) = ha1 else {
        return Some(field("digest.password", "[does not open]", "[redacted]"));
    };
    let differs = Ha1::of(&wanted.username, SIP_REALM, password) != *ha1;
    differs.then(|| field("digest.password", "[redacted]", "[redacted]"))
}

fn rates(changes: &mut Vec<Change>, wanted: &[VoiceRateEntry], known: &[VoiceRateEntry]) {
    let key = |entry: &'_ VoiceRateEntry| -> (String, String, String) {
        (entry.partition.clone(), entry.prefix.clone(), entry.vendor.clone())
    };
    let stored: HashMap<_, _> = known.iter().map(|entry| (key(entry), entry)).collect();
    for entry in wanted {
        compare(changes, "voice_rate", &entry.key(), (stored.get(&key(entry)).copied(), entry), false);
    }
}

/// The difference of two lists whose order means nothing: counts, and what comes and goes.
fn list<'a, T: Ord + Display + 'a>(
    name: &str,
    now: impl Iterator<Item = &'a T>,
    wanted: impl Iterator<Item = &'a T>,
) -> Option<(String, String, String)> {
    let (now, wanted): (BTreeSet<&T>, BTreeSet<&T>) = (now.collect(), wanted.collect());
    let added = wanted.difference(&now).map(|item| format!("+{item}"));
    let mut items = added.chain(now.difference(&wanted).map(|item| format!("-{item}")));
    let mut named: Vec<String> = items.by_ref().take(NAMED_MAX).collect();
    if named.is_empty() {
        return None;
    }
    let more = items.count();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    Some((name.to_owned(), now.len().to_string(), format!("{}: {}", wanted.len(), named.join(" "))))
}

/// The stored sources of every trunk.
pub(super) struct Sources<'a>(HashMap<&'a str, HashMap<AclSource, Uuid>>);

impl<'a> Sources<'a> {
    pub(super) fn of(current: &'a Voice) -> Self {
        let names: HashMap<_, _> =
            current.trunks.iter().map(|trunk| (trunk.id, trunk.name.as_str())).collect();
        let mut sources: HashMap<&str, HashMap<AclSource, Uuid>> = HashMap::new();
        for entry in &current.acl {
            if let Some(name) = names.get(&entry.trunk) {
                sources.entry(*name).or_default().insert(entry.source(), entry.id);
            }
        }
        Self(sources)
    }

    fn stored(&self, trunk: &str) -> impl Iterator<Item = &AclSource> {
        self.0.get(trunk).into_iter().flat_map(HashMap::keys)
    }

    /// Sources that a trunk is to have and has not, and ids of those that it has and is not to have.
    pub(super) fn difference(&self, entry: &TrunkEntry) -> (Vec<AclSource>, Vec<Uuid>) {
        let wanted: HashSet<&AclSource> = entry.acl.iter().collect();
        let stored = self.0.get(entry.name.as_str());
        let absent = |source: &&AclSource| stored.is_none_or(|stored| !stored.contains_key(*source));
        let added = entry.acl.iter().filter(absent).copied().collect();
        let surplus = stored.into_iter().flatten().filter(|(source, _)| !wanted.contains(source));
        (added, surplus.map(|(_, id)| *id).collect())
    }
}
