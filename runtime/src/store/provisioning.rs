//! Declarative provisioning: a file says what should be, [`plan`] says what differs, [`apply`] makes it so.
//!
//! Entities are known by their natural key (BAN, system_id, instance_name, name, DID number; a rate by partition,
//! prefix and vendor). What the file does not name is left alone; no entity is deleted. A list within an entry, the
//! sources of a trunk among them, is made equal to the file's. Passwords are compared without being shown.

mod document;
mod notes;
mod voice;
mod write;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::document::TrunkIdentity;
pub use self::document::{
    CustomerEntry, DedicatedAddressEntry, DidEntry, Document, EsmeAccountEntry, MediaNodeEntry,
    PartitionEntry, SipVendorEntry, SmsRouteEntry, SmsVendorEntry, StoredTrunk, TrunkDigest, TrunkEntry,
    TrunkForm, UncertainWord, VendorAccountEntry, VoiceRateEntry, high_cost_prefix, without_plus,
};
pub use self::notes::{Stir, notes};
pub use self::write::apply;
pub(super) use self::write::voice::{milliseconds, next_number};
use super::{Db, trunk_credential, vendor_account};
use crate::model::{Messaging, Voice};
use crate::password::{self, Ha1};
use crate::seal::RootKey;

/// What is in the database: what a document is compared with.
#[derive(Debug, Clone, Default)]
pub struct Current {
    /// Messaging. Its version is the one that [`apply`] goes by: it is read before everything else.
    pub messaging: Messaging,
    /// Voice.
    pub voice: Voice,
    /// What stands in place of the passwords of trunks; of those alone that open.
    pub digests: HashMap<Uuid, Ha1>,
    /// The same of accounts at vendors, by vendor.
    pub accounts: HashMap<Uuid, Ha1>,
}

impl Current {
    /// Reads everything.
    ///
    /// # Errors
    /// When the database cannot be asked, or a row holds what this program does not know.
    pub async fn load(db: &Db, key: &RootKey) -> Result<Self, super::Error> {
        let messaging = super::messaging::load(db, key).await?;
        let voice = super::voice::load(db).await?;
        let stored = voice.trunks.iter().filter_map(|trunk| Some((trunk.id, trunk.digest.as_ref()?)));
        let opened = |(id, digest)| Some((id, trunk_credential::open(key, id, digest).ok()?));
        let digests = stored.filter_map(opened).collect();
        let stored = voice.vendors.iter().filter_map(|vendor| Some((vendor.id, vendor.account.as_ref()?)));
        let opened = |(id, account)| Some((id, vendor_account::open(key, id, account).ok()?));
        let accounts = stored.filter_map(opened).collect();
        Ok(Self { messaging, voice, digests, accounts })
    }
}

/// Why a file cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, or a key or value that means nothing; the text names the line.
    #[error("{0}")]
    Form(String),
    /// A value of an entry that it may not have.
    #[error("{kind} {key:?}: {field}: {text}")]
    Value {
        /// Kind of the entry.
        kind: &'static str,
        /// Its key.
        key: String,
        /// The field.
        field: String,
        /// What is wrong with its value.
        text: String,
    },
    /// An entry names another that is neither in the file nor in the database.
    #[error("{kind} {key:?} names {named} {name:?}, which is neither in the file nor known")]
    Unknown {
        /// Kind of the entry.
        kind: &'static str,
        /// Its key.
        key: String,
        /// Kind of what it names.
        named: &'static str,
        /// What it names.
        name: String,
    },
    /// Two entries of the file have the same key.
    #[error("{kind} {key:?} stands in the file twice")]
    Twice {
        /// Kind of the entries.
        kind: &'static str,
        /// Their key.
        key: String,
    },
    /// A new account or vendor without a password.
    #[error("{kind} {key:?} is new and has no password")]
    NoPassword {
        /// Kind of the entry.
        kind: &'static str,
        /// Its key.
        key: String,
    },
    /// A known vendor's password does not open, and the file does not give it.
    #[error("sms_vendor {0:?}: the stored password does not open with this root key; give it in the file")]
    Sealed(String),
    /// Somebody else changed the configuration after it was compared with the file.
    #[error("the configuration was changed meanwhile, apply again")]
    Changed,
    /// The database refused.
    #[error("database: {0}")]
    Store(#[from] super::Error),
}

/// One difference between file and database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `customer`, `esme_account`, `sms_vendor`, `sms_route`, `media_node`, `partition`, `sip_vendor`, `trunk`,
    /// `voice_rate`, `high_cost`, `dedicated_address` or `did`.
    pub kind: &'static str,
    /// Natural key.
    pub key: String,
    /// True when the entity does not exist yet.
    pub new: bool,
    /// Fields that differ: name, value now, value wanted. Empty for a new entity.
    pub fields: Vec<(String, String, String)>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", if self.new { "+" } else { "~" }, self.kind, self.key)?;
        for (name, now, wanted) in &self.fields {
            write!(f, "\n    {name}: {now} -> {wanted}")?;
        }
        Ok(())
    }
}

/// What applying the document would change. Checks every password, which takes tens of milliseconds each:
/// call it where blocking is allowed.
///
/// # Errors
/// When the document is not consistent in itself or with the database.
pub fn plan(document: &Document, current: &Current) -> Result<Vec<Change>, Error> {
    document.check(current)?;
    let known = Document::of(current);
    let mut changes = Vec::new();
    let stored = by_key(&known.customers, |entry| entry.ban.as_str());
    for entry in &document.customers {
        let now = stored.get(entry.ban.as_str()).copied();
        compare(&mut changes, "customer", entry.ban.as_str(), (now, entry), false);
    }
    let stored = by_key(&known.esme_accounts, |entry| entry.system_id.as_str());
    let hashes = by_key(&current.messaging.accounts, |account| account.system_id.as_str());
    for entry in &document.esme_accounts {
        let key = entry.system_id.as_str();
        let differs = entry.password.as_ref().zip(hashes.get(key)).is_some_and(|(wanted, stored)| {
            !password::verify(Some(&stored.password), wanted.expose().as_bytes())
        });
        compare(&mut changes, "esme_account", key, (stored.get(key).copied(), entry), differs);
    }
    vendors(document, (&current.messaging, &known), &mut changes);
    let stored = by_key(&known.sms_routes, |entry| &entry.name);
    for entry in &document.sms_routes {
        let now = stored.get(entry.name.as_str()).copied();
        compare(&mut changes, "sms_route", &entry.name, (now, entry), false);
    }
    voice::plan(document, (current, &known), &mut changes);
    let stored = by_key(&known.dids, |entry| &entry.number);
    for entry in &document.dids {
        let now = stored.get(entry.number.as_str()).copied();
        compare(&mut changes, "did", &entry.number, (now, entry), false);
    }
    Ok(changes)
}

fn vendors(document: &Document, (current, known): (&Messaging, &Document), changes: &mut Vec<Change>) {
    let stored = by_key(&known.sms_vendors, |entry| &entry.instance_name);
    let passwords = by_key(&current.vendors, |vendor| &vendor.instance_name);
    for entry in &document.sms_vendors {
        let key = entry.instance_name.as_str();
        if current.vendors_sealed.iter().any(|(_, name)| name == key) {
            let field = ("password".to_owned(), "[does not open]".to_owned(), "[redacted]".to_owned());
            changes.push(Change { kind: "sms_vendor", key: key.to_owned(), new: false, fields: vec![field] });
            continue;
        }
        let both = entry.password.as_ref().zip(passwords.get(key));
        let differs = both.is_some_and(|(wanted, stored)| *wanted != stored.password);
        compare(changes, "sms_vendor", key, (stored.get(key).copied(), entry), differs);
    }
}

fn by_key<T>(entries: &[T], key: impl Fn(&T) -> &str) -> HashMap<&str, &T> {
    entries.iter().map(|entry| (key(entry), entry)).collect()
}

fn compare<T: Serialize>(
    changes: &mut Vec<Change>,
    kind: &'static str,
    key: &str,
    (now, wanted): (Option<&T>, &T),
    password_differs: bool,
) {
    let mut fields = now.map_or_else(Vec::new, |now| differences(&json(now), &json(wanted)));
    if password_differs {
        fields.push(("password".to_owned(), "[redacted]".to_owned(), "[redacted]".to_owned()));
    }
    if now.is_none() || !fields.is_empty() {
        changes.push(Change { kind, key: key.to_owned(), new: now.is_none(), fields });
    }
}

fn json(entry: &impl Serialize) -> Value {
    serde_json::to_value(entry).unwrap_or(Value::Null)
}

fn differences(now: &Value, wanted: &Value) -> Vec<(String, String, String)> {
    let (Some(now), Some(wanted)) = (now.as_object(), wanted.as_object()) else { return Vec::new() };
    let differing = wanted.iter().filter(|(name, value)| now.get(*name) != Some(value));
    let text = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), ToString::to_string);
    differing.map(|(name, value)| (name.clone(), text(now.get(name)), text(Some(value)))).collect()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) fn statements() -> [&'static [(&'static str, &'static super::Sql)]; 2] {
    [write::ALL, write::voice::ALL]
}

#[cfg(test)]
pub(crate) fn bulk_statements() -> [&'static super::Bulk; 5] {
    use super::{high_cost, trunk_ip, voice_rate};
    [
        &high_cost::DELETE,
        &high_cost::INSERT,
        &trunk_ip::DELETE_SOURCES,
        &trunk_ip::INSERT_SOURCES,
        &voice_rate::UPSERT,
    ]
}
