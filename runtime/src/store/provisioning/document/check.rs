//! What an entry may say: keys, ranges, forms and references, so that a document which passes is one that the
//! database takes and that can have an effect. The ranges are those of the migrations' CHECK constraints.

mod identity;
mod media;
mod voice;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

pub use self::voice::high_cost_prefix;
use super::{CustomerEntry, DidEntry, Document, EsmeAccountEntry, SmsRouteEntry, SmsVendorEntry};
use crate::password::SecretString;
use crate::store::messaging_config::MessagingConfig;
use crate::store::provisioning::{Current, Error};

/// Characters of a name for people or of a natural key.
const NAME_MAX: usize = 100;
/// RFC 1035, 2.3.4.
const HOST_MAX: usize = 253;
/// Octets of an address in submit_sm without its NUL (SMPP 3.4, 4.4.1); routes are searched up to it.
const ADDRESS_MAX: usize = 20;
/// 5.2.2, without the NUL.
const PASSWORD_MAX: usize = 8;
/// 5.2.3, without the NUL.
const SYSTEM_TYPE_MAX: usize = 12;
/// Characters of the name of a file.
const PATH_MAX: usize = 1000;
const NETWORKS_MAX: usize = 1000;
/// Statuses that a vendor means otherwise than others do.
const STATUSES_MAX: usize = 100;

impl Document {
    /// Checks keys, values and references before anything is written.
    pub(in super::super) fn check(&self, current: &Current) -> Result<(), Error> {
        unique("customer", self.customers.iter().map(|entry| entry.ban.as_str()))?;
        unique("esme_account", self.esme_accounts.iter().map(|entry| entry.system_id.as_str()))?;
        unique("sms_vendor", self.sms_vendors.iter().map(|entry| entry.instance_name.as_str()))?;
        unique("sms_route", self.sms_routes.iter().map(|entry| entry.name.as_str()))?;
        unique("did", self.dids.iter().map(|entry| entry.number.as_str()))?;
        let known = Known::new(self, current);
        self.customers.iter().try_for_each(customer)?;
        self.esme_accounts.iter().try_for_each(|entry| account(entry, &known))?;
        self.sms_vendors.iter().try_for_each(|entry| vendor(entry, &known))?;
        self.sms_routes.iter().try_for_each(|entry| route(entry, &known))?;
        voice::check(self, &known, &current.voice)?;
        self.dids.iter().try_for_each(|entry| did(entry, &known))
    }
}

/// What entries may name: the file's and the database's.
struct Known<'a> {
    customers: HashSet<&'a str>,
    accounts: HashSet<&'a str>,
    vendors: HashSet<&'a str>,
    accounts_stored: HashSet<&'a str>,
    vendors_stored: HashSet<&'a str>,
    vendors_sealed: HashSet<&'a str>,
    partitions: HashSet<&'a str>,
    sip_vendors: HashSet<&'a str>,
    /// With the BAN of its customer.
    trunks: HashMap<&'a str, &'a str>,
}

impl<'a> Known<'a> {
    fn new(document: &'a Document, current: &'a Current) -> Self {
        let Current { messaging: current, voice, .. } = current;
        let accounts_stored: HashSet<&str> =
            current.accounts.iter().map(|stored| stored.system_id.as_str()).collect();
        let vendors_stored: HashSet<&str> =
            current.vendors.iter().map(|stored| stored.instance_name.as_str()).collect();
        let vendors_sealed: HashSet<&str> =
            current.vendors_sealed.iter().map(|(_, name)| name.as_str()).collect();
        let customers = document.customers.iter().map(|entry| entry.ban.as_str());
        let accounts = document.esme_accounts.iter().map(|entry| entry.system_id.as_str());
        let vendors = document.sms_vendors.iter().map(|entry| entry.instance_name.as_str());
        let partitions = document.partitions.iter().map(|entry| entry.name.as_str());
        let sip_vendors = document.sip_vendors.iter().map(|entry| entry.name.as_str());
        let bans: HashMap<_, _> =
            current.customers.iter().map(|stored| (stored.id, stored.ban.as_str())).collect();
        let trunks_stored = voice.trunks.iter();
        let trunks_stored = trunks_stored
            .map(|stored| (stored.name.as_str(), bans.get(&stored.customer).copied().unwrap_or_default()));
        let trunks = document.trunks.iter().map(|entry| (entry.name.as_str(), entry.customer.as_str()));
        Self {
            customers: customers.chain(current.customers.iter().map(|stored| stored.ban.as_str())).collect(),
            accounts: accounts.chain(accounts_stored.iter().copied()).collect(),
            vendors: vendors.chain(vendors_stored.union(&vendors_sealed).copied()).collect(),
            accounts_stored,
            vendors_stored,
            vendors_sealed,
            partitions: partitions
                .chain(voice.partitions.iter().map(|stored| stored.name.as_str()))
                .collect(),
            sip_vendors: sip_vendors.chain(voice.vendors.iter().map(|stored| stored.name.as_str())).collect(),
            // The file's own last, which are then what counts.
            trunks: trunks_stored.chain(trunks).collect(),
        }
    }
}

fn customer(entry: &CustomerEntry) -> Result<(), Error> {
    let at = Entry { kind: "customer", key: entry.ban.as_str() };
    at.name("company_name", &entry.company_name, 0)?;
    at.one_of("status", &entry.status, &["ACTIVE", "TRIAL", "SUSPENDED"])?;
    at.one_of("type", &entry.kind, &["PREPAID", "POSTPAID"])?;
    entry.services.iter().try_for_each(|service| at.name("services", service, 1))?;
    at.range("outbox_max", entry.outbox_max, 1..=MessagingConfig::OUTBOX_MAX)
}

impl EsmeAccountEntry {
    /// Checks what it says by itself; whom it names is another matter.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "esme_account", key: self.system_id.as_str() };
        at.password(self.password.as_ref())?;
        at.range("binds_max", self.binds_max, 1..=1000)?;
        at.range("window", self.window, 1..=10_000)?;
        at.at_most("ip_whitelist", &self.ip_whitelist, NETWORKS_MAX)
    }
}

fn account(entry: &EsmeAccountEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "esme_account", key: entry.system_id.as_str() };
    at.names("customer", entry.customer.as_str(), &known.customers)?;
    if entry.password.is_none() && !known.accounts_stored.contains(at.key) {
        return Err(Error::NoPassword { kind: at.kind, key: at.key.to_owned() });
    }
    entry.check()
}

impl SmsVendorEntry {
    /// As [`EsmeAccountEntry::check`].
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "sms_vendor", key: &self.instance_name };
        at.name("instance_name", &self.instance_name, 1)?;
        at.name("display_name", &self.display_name, 1)?;
        at.name("provider_type", &self.provider_type, 1)?;
        let in_host = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:%".contains(&octet);
        if !(1..=HOST_MAX).contains(&self.host.len()) || !self.host.bytes().all(in_host) {
            return Err(at.refused("host", format!("{:?} is not a host name or address", self.host)));
        }
        at.range("port", u32::from(self.port), 1..=65_535)?;
        if self.tls_ca.chars().count() > PATH_MAX || self.tls_ca.chars().any(char::is_control) {
            return Err(at.refused("tls_ca", format!("{:?} is not the name of a file", self.tls_ca)));
        }
        at.password(self.password.as_ref())?;
        if self.system_type.len() > SYSTEM_TYPE_MAX || !self.system_type.bytes().all(is_printable) {
            let text = format!("{:?} is not at most {SYSTEM_TYPE_MAX} ASCII characters", self.system_type);
            return Err(at.refused("system_type", text));
        }
        at.range("binds", self.binds, 1..=100)?;
        at.range("window", self.window, 1..=10_000)?;
        at.range("queue_depth_max", self.queue_depth_max, 1..=10_000_000)?;
        if self.retryable_statuses.contains(&0) {
            return Err(at.refused("retryable_statuses", "0 is success"));
        }
        at.at_most("retryable_statuses", &self.retryable_statuses, STATUSES_MAX)
    }
}

fn vendor(entry: &SmsVendorEntry, known: &Known<'_>) -> Result<(), Error> {
    entry.check()?;
    match (&entry.password, entry.instance_name.as_str()) {
        (None, key) if known.vendors_sealed.contains(key) => Err(Error::Sealed(key.to_owned())),
        (None, key) if !known.vendors_stored.contains(key) => {
            Err(Error::NoPassword { kind: "sms_vendor", key: key.to_owned() })
        }
        _ => Ok(()),
    }
}

impl SmsRouteEntry {
    /// As [`EsmeAccountEntry::check`].
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "sms_route", key: &self.name };
        at.name("name", &self.name, 1)?;
        at.digits("prefix", &self.prefix, 0)?;
        if self.source_prefix.len() > ADDRESS_MAX || !self.source_prefix.bytes().all(is_printable) {
            let text = format!("{:?} is not at most {ADDRESS_MAX} ASCII characters", self.source_prefix);
            return Err(at.refused("source_prefix", text));
        }
        if self.cost.nanos() < 0 {
            return Err(at.refused("cost", format!("{} is below 0", self.cost)));
        }
        at.range("weight", self.weight, 0..=10_000)
    }
}

fn route(entry: &SmsRouteEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "sms_route", key: &entry.name };
    if !entry.customer.is_empty() {
        at.names("customer", &entry.customer, &known.customers)?;
    }
    at.names("sms_vendor", &entry.vendor, &known.vendors)?;
    entry.check()
}

impl DidEntry {
    /// As [`EsmeAccountEntry::check`].
    ///
    /// # Errors
    /// [`Error::Value`] when its number is none.
    pub fn check(&self) -> Result<(), Error> {
        Entry { kind: "did", key: &self.number }.digits("number", &self.number, 1)
    }
}

fn did(entry: &DidEntry, known: &Known<'_>) -> Result<(), Error> {
    entry.check()?;
    let at = Entry { kind: "did", key: &entry.number };
    if !entry.customer.is_empty() {
        at.names("customer", &entry.customer, &known.customers)?;
    }
    if !entry.system_id.is_empty() {
        at.names("esme_account", &entry.system_id, &known.accounts)?;
    }
    if entry.trunk.is_empty() {
        return Ok(());
    }
    match known.trunks.get(entry.trunk.as_str()) {
        None => Err(at.unknown("trunk", &entry.trunk)),
        Some(ban) if *ban != entry.customer => Err(at.refused(
            "trunk",
            format!("{:?} is customer {ban:?}'s, not {:?}'s", entry.trunk, entry.customer),
        )),
        Some(_) => Ok(()),
    }
}

fn unique<'a>(kind: &'static str, keys: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(Error::Twice { kind, key: key.to_owned() });
        }
    }
    Ok(())
}

const fn is_printable(octet: u8) -> bool {
    matches!(octet, b' '..=b'~')
}

/// The entry that is looked at.
struct Entry<'a> {
    kind: &'static str,
    key: &'a str,
}

impl Entry<'_> {
    fn refused(&self, field: &str, text: impl std::fmt::Display) -> Error {
        let (key, field, text) = (self.key.to_owned(), field.to_owned(), text.to_string());
        Error::Value { kind: self.kind, key, field, text }
    }

    fn names(&self, named: &'static str, name: &str, known: &HashSet<&str>) -> Result<(), Error> {
        if known.contains(name) {
            return Ok(());
        }
        Err(self.unknown(named, name))
    }

    fn unknown(&self, named: &'static str, name: &str) -> Error {
        Error::Unknown { kind: self.kind, key: self.key.to_owned(), named, name: name.to_owned() }
    }

    fn at_most<T>(&self, field: &str, list: &[T], max: usize) -> Result<(), Error> {
        if list.len() <= max {
            return Ok(());
        }
        Err(self.refused(field, format!("{} of them, more than {max}", list.len())))
    }

    fn one_of(&self, field: &str, word: &str, words: &[&str]) -> Result<(), Error> {
        if words.contains(&word) {
            return Ok(());
        }
        Err(self.refused(field, format!("{word:?} is not one of {}", words.join(", "))))
    }

    fn range(&self, field: &str, value: u32, range: RangeInclusive<u32>) -> Result<(), Error> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(self.refused(field, format!("{value} is not {} to {}", range.start(), range.end())))
    }

    /// PostgreSQL takes no NUL, and no other control character belongs into a name.
    fn name(&self, field: &str, text: &str, length_min: usize) -> Result<(), Error> {
        let length = text.chars().count();
        let blank = length > 0 && text.trim().is_empty();
        if blank || !(length_min..=NAME_MAX).contains(&length) || text.chars().any(char::is_control) {
            let text = format!("{text:?} is not {length_min} to {NAME_MAX} printable characters");
            return Err(self.refused(field, text));
        }
        Ok(())
    }

    fn digits(&self, field: &str, text: &str, length_min: usize) -> Result<(), Error> {
        let length_fits = (length_min..=ADDRESS_MAX).contains(&text.len());
        if length_fits && text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Ok(());
        }
        Err(self.refused(field, format!("{text:?} is not {length_min} to {ADDRESS_MAX} digits")))
    }

    fn password(&self, password: Option<&SecretString>) -> Result<(), Error> {
        let Some(password) = password else { return Ok(()) };
        if password.expose().len() > PASSWORD_MAX {
            let text = format!("an SMPP password has at most {PASSWORD_MAX} octets");
            return Err(self.refused("password", text));
        }
        if password.expose().contains('\0') {
            return Err(self.refused("password", "an SMPP password ends at a NUL"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
