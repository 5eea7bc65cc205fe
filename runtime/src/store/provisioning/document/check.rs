//! What an entry may say: keys, ranges, forms and references, so that a document which passes is one that the
//! database takes and that can have an effect. The ranges are those of the migrations' CHECK constraints.

mod voice;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use super::{CustomerEntry, DidEntry, Document, EsmeAccountEntry, SmsRouteEntry, SmsVendorEntry};
use crate::password::SecretString;
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
        let Current { messaging: current, voice } = current;
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
    at.range("outbox_max", entry.outbox_max, 1..=100_000_000)
}

fn account(entry: &EsmeAccountEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "esme_account", key: entry.system_id.as_str() };
    at.names("customer", entry.customer.as_str(), &known.customers)?;
    at.password(entry.password.as_ref())?;
    if entry.password.is_none() && !known.accounts_stored.contains(at.key) {
        return Err(Error::NoPassword { kind: at.kind, key: at.key.to_owned() });
    }
    at.range("binds_max", entry.binds_max, 1..=1000)?;
    at.range("window", entry.window, 1..=10_000)
}

fn vendor(entry: &SmsVendorEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "sms_vendor", key: &entry.instance_name };
    at.name("instance_name", &entry.instance_name, 1)?;
    at.name("display_name", &entry.display_name, 1)?;
    at.name("provider_type", &entry.provider_type, 1)?;
    let in_host = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:%".contains(&octet);
    if !(1..=HOST_MAX).contains(&entry.host.len()) || !entry.host.bytes().all(in_host) {
        return Err(at.refused("host", format!("{:?} is not a host name or address", entry.host)));
    }
    at.range("port", u32::from(entry.port), 1..=65_535)?;
    if entry.tls_ca.chars().any(char::is_control) {
        return Err(at.refused("tls_ca", format!("{:?} is not the name of a file", entry.tls_ca)));
    }
    at.password(entry.password.as_ref())?;
    match &entry.password {
        None if known.vendors_sealed.contains(at.key) => return Err(Error::Sealed(at.key.to_owned())),
        None if !known.vendors_stored.contains(at.key) => {
            return Err(Error::NoPassword { kind: at.kind, key: at.key.to_owned() });
        }
        _ => {}
    }
    if entry.system_type.len() > SYSTEM_TYPE_MAX || !entry.system_type.bytes().all(is_printable) {
        let text = format!("{:?} is not at most {SYSTEM_TYPE_MAX} ASCII characters", entry.system_type);
        return Err(at.refused("system_type", text));
    }
    at.range("binds", entry.binds, 1..=100)?;
    at.range("window", entry.window, 1..=10_000)?;
    at.range("queue_depth_max", entry.queue_depth_max, 1..=10_000_000)?;
    if entry.retryable_statuses.contains(&0) {
        return Err(at.refused("retryable_statuses", "0 is success"));
    }
    Ok(())
}

fn route(entry: &SmsRouteEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "sms_route", key: &entry.name };
    at.name("name", &entry.name, 1)?;
    at.digits("prefix", &entry.prefix, 0)?;
    if entry.source_prefix.len() > ADDRESS_MAX || !entry.source_prefix.bytes().all(is_printable) {
        let text = format!("{:?} is not at most {ADDRESS_MAX} ASCII characters", entry.source_prefix);
        return Err(at.refused("source_prefix", text));
    }
    if !entry.customer.is_empty() {
        at.names("customer", &entry.customer, &known.customers)?;
    }
    at.names("sms_vendor", &entry.vendor, &known.vendors)?;
    if entry.cost.nanos() < 0 {
        return Err(at.refused("cost", format!("{} is below 0", entry.cost)));
    }
    at.range("weight", entry.weight, 0..=10_000)
}

fn did(entry: &DidEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "did", key: &entry.number };
    at.digits("number", &entry.number, 1)?;
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
        Error::Form(format!("{} {:?}: {field}: {text}", self.kind, self.key))
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
