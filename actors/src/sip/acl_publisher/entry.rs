//! What Redis is to hold of the ACL, and what has to be written so that it does. No Redis here.
//!
//! Kamailio's address table (module permissions) as hashes, one for each source: a mask is the length of the prefix,
//! port 0 is any port.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use runtime::model::{AuthType, Cidr, Transport, Voice};
use uuid::Uuid;

/// What the keys of all entries begin with; nobody else's begin so.
pub const PREFIX: &str = "address:entry:";
/// The fields of an entry, in the order of [`Entry::values`].
pub const FIELDS: [&str; 6] = ["grp", "ip_addr", "mask", "port", "proto", "tag"];
/// Kamailio's group of addresses that customers call from.
const GROUP: &str = "100";

/// A source that calls are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Source addresses.
    pub network: Cidr,
    /// Source port; None is any.
    pub port: Option<u16>,
    /// Transport; None is any.
    pub transport: Option<Transport>,
    /// Billing account number of the customer.
    pub ban: Arc<str>,
}

impl Entry {
    /// What each of [`FIELDS`] holds.
    #[must_use]
    pub fn values(&self) -> [String; 6] {
        [
            GROUP.to_owned(),
            // Kamailio takes an address with bits outside of the mask for another network.
            self.network.first().to_string(),
            self.network.bits().to_string(),
            self.port.unwrap_or(0).to_string(),
            self.transport.map_or("any", Transport::as_str).to_owned(),
            self.ban.to_string(),
        ]
    }

    /// Whether these values, in the order of [`FIELDS`], are its own.
    #[must_use]
    pub fn is(&self, found: &[Option<Bytes>]) -> bool {
        let own = self.values();
        let same = |(found, own): (&Option<Bytes>, &String)| found.as_ref().is_some_and(|found| found == own);
        found.len() == own.len() && found.iter().zip(&own).all(same)
    }
}

/// Entries by the primary keys of the sources.
pub type Entries = HashMap<Uuid, Entry>;

/// The key of an entry.
#[must_use]
pub fn key(id: Uuid) -> String {
    format!("{PREFIX}{id}")
}

/// Whose key this is; none for one that no entry has.
#[must_use]
pub fn id(found: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(found.strip_prefix(PREFIX)?).ok()?;
    // An identifier can be written in several ways, and only one of them is its key.
    (key(id) == found).then_some(id)
}

/// The entries of a configuration: sources of active trunks that are asked for their source, of customers that are
/// served.
#[must_use]
pub fn entries(voice: &Voice) -> Entries {
    let served = voice.customers.iter().filter(|customer| customer.is_served());
    let bans: HashMap<Uuid, Arc<str>> =
        served.map(|customer| (customer.id, Arc::from(customer.ban.as_str()))).collect();
    let admitted = voice.trunks.iter().filter(|trunk| trunk.active && trunk.auth_type != AuthType::Digest);
    let trunks: HashMap<Uuid, &Arc<str>> =
        admitted.filter_map(|trunk| Some((trunk.id, bans.get(&trunk.customer)?))).collect();
    let entry = |source: &runtime::model::AclEntry| {
        let ban = Arc::clone(trunks.get(&source.trunk)?);
        let entry = Entry { network: source.network, port: source.port, transport: source.transport, ban };
        Some((source.id, entry))
    };
    voice.acl.iter().filter_map(entry).collect()
}

/// What makes published entries the wanted ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New, or other than what is published.
    pub write: Vec<Uuid>,
    /// No longer wanted.
    pub delete: Vec<Uuid>,
}

impl Changes {
    /// From entries that are published to those that are wanted.
    #[must_use]
    pub fn between(published: &Entries, wanted: &Entries) -> Self {
        let write = wanted.iter().filter(|(id, entry)| published.get(*id) != Some(*entry));
        let delete = published.keys().filter(|id| !wanted.contains_key(*id));
        Self { write: write.map(|(id, _)| *id).collect(), delete: delete.copied().collect() }
    }

    /// Where Redis holds these as they are wanted, and nothing else.
    #[must_use]
    pub fn beside(right: &HashSet<Uuid>, wanted: &Entries) -> Self {
        let write = wanted.keys().filter(|id| !right.contains(*id));
        Self { write: write.copied().collect(), delete: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
