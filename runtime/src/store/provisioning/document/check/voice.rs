//! What an entry of voice may say.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Document, Entry, HOST_MAX, Known, NETWORKS_MAX, media, unique};
use crate::config::HumanDuration;
use crate::model::{
    AclSource, AuthType, Cidr, Did, Fork, Gateway, HeaderRule, NumberRule, VendorAccount, VendorRegister,
    Voice,
};
use crate::store::provisioning::Error;
use crate::store::provisioning::document::{
    DedicatedAddressEntry, PartitionEntry, SipVendorEntry, TrunkDigest, TrunkEntry, TrunkForm,
    VendorAccountEntry, VoiceRateEntry,
};

const GATEWAYS_MAX: usize = 32;
const USERNAME_MAX: usize = 64;
/// Who hears one answer to a challenge may try passwords for as long as it takes: a short one is soon found.
const SIP_PASSWORD: RangeInclusive<usize> = 12..=128;
/// Octets of what a vendor has given us as name, realm or password: any that a header has room for.
const ACCOUNT: RangeInclusive<usize> = 1..=128;
/// A shorter registration would be asked for all the time, a longer one is of no use.
const EXPIRES: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 3600);
const RULES_MAX: usize = 64;
const PREFIXES_MAX: usize = 10_000;
/// The least that a session may be refreshed within (RFC 4028 4), and the most that is of any use.
const SESSION_MIN: Duration = Duration::from_secs(90);
const SESSION_MAX: Duration = Duration::from_secs(24 * 3600);
/// The most that a request is waited for.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest limit of a call: what is longer is a slip.
const CALL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Media nodes, partitions, vendors, trunks, rates, high-cost prefixes and dedicated addresses.
pub(super) fn check(document: &Document, known: &Known<'_>, current: &Voice) -> Result<(), Error> {
    media::nodes(&document.media_nodes, &current.media_nodes)?;
    unique("partition", document.partitions.iter().map(|entry| entry.name.as_str()))?;
    unique("sip_vendor", document.sip_vendors.iter().map(|entry| entry.name.as_str()))?;
    unique("trunk", document.trunks.iter().map(|entry| entry.name.as_str()))?;
    document.partitions.iter().try_for_each(PartitionEntry::check)?;
    document.sip_vendors.iter().try_for_each(SipVendorEntry::check)?;
    document.trunks.iter().try_for_each(|entry| trunk(entry, known))?;
    moved(document, current)?;
    sources(document, current)?;
    digests(document, current)?;
    accounts(document, current)?;
    rates(&document.voice_rates, known)?;
    let high_cost = document.high_cost.iter().flatten();
    unique("high_cost", high_cost.clone().map(String::as_str))?;
    for prefix in high_cost {
        high_cost_prefix(prefix)?;
    }
    dedicated_addresses(document, known)
}

/// Checks a prefix of the list of high-cost prefixes.
///
/// # Errors
/// [`Error::Value`] when it is none.
pub fn high_cost_prefix(prefix: &str) -> Result<(), Error> {
    Entry { kind: "high_cost", key: prefix }.digits("prefix", prefix, 1)
}

impl PartitionEntry {
    /// Checks what it says.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        Entry { kind: "partition", key: &self.name }.name("name", &self.name, 1)
    }
}

impl SipVendorEntry {
    /// Checks what it says.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "sip_vendor", key: &self.name };
        at.name("name", &self.name, 1)?;
        at.gateways(&self.gateways)?;
        at.at_most("networks", &self.networks, NETWORKS_MAX)?;
        // All of the internet as a vendor would make every stranger's call an inbound one.
        if let Some(network) = self.networks.iter().find(|network| Cidr::bits(network) == 0) {
            return Err(at.refused("networks", format!("{network} is every address")));
        }
        at.range("weight", self.weight, 0..=10_000)?;
        for (field, time) in [("pdd_timeout", self.pdd_timeout), ("ring_timeout", self.ring_timeout)] {
            if time.get().is_zero() {
                return Err(at.refused(field, "zero cannot work"));
            }
            at.time(field, time)?;
        }
        at.time("probe_interval", self.probe_interval)?;
        at.session(self.session_expires)?;
        if let Some(status) = self.failover_statuses.iter().find(|status| !(300..=699).contains(*status)) {
            return Err(at.refused("failover_statuses", format!("{status} is not 300 to 699")));
        }
        at.at_most("failover_statuses", &self.failover_statuses, 400)?;
        at.media(&self.media)?;
        at.vendor_identity(&self.identity)?;
        self.account.as_ref().map_or(Ok(()), |account| at.account(account))?;
        at.rules((&self.callee_rules, &self.caller_rules), &self.header_rules)
    }
}

fn trunk(entry: &TrunkEntry, known: &Known<'_>) -> Result<(), Error> {
    let at = Entry { kind: "trunk", key: &entry.name };
    at.names("customer", entry.customer.as_str(), &known.customers)?;
    if !entry.partition.is_empty() {
        at.names("partition", &entry.partition, &known.partitions)?;
    }
    entry.form().check()
}

impl TrunkForm {
    /// Checks what it says by itself; the partition that it names is another matter.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        let at = Entry { kind: "trunk", key: &self.name };
        at.name("name", &self.name, 1)?;
        for (field, prefixes) in [("allow", &self.allow), ("deny", &self.deny), ("opened", &self.opened)] {
            at.at_most(field, prefixes, PREFIXES_MAX)?;
            prefixes.iter().try_for_each(|prefix| at.digits(field, prefix, 1))?;
        }
        if let Some(rate_max) = self.rate_max.filter(|rate| rate.nanos() < 0) {
            return Err(at.refused("rate_max", format!("{rate_max} is below 0")));
        }
        if self.max_duration.get() > CALL_MAX {
            return Err(at.refused("max_duration", "it is over 7d"));
        }
        at.session(self.session_expires)?;
        at.media(&self.media)?;
        at.identity(&self.identity)?;
        self.digest.as_ref().map_or(Ok(()), |digest| at.digest(digest))?;
        if self.fork == Fork::Parallel && self.auth_type == AuthType::IpAcl {
            let text =
                "parallel is for what a trunk registers, and with auth_type IP_ACL it registers nothing";
            return Err(at.refused("fork", text));
        }
        at.rules((&self.callee_rules, &self.caller_rules), &self.header_rules)?;
        at.gateways(&self.gateways)
    }
}

/// A trunk that goes to another customer takes its numbers along, or leaves them: the file has to say which.
fn moved(document: &Document, current: &Voice) -> Result<(), Error> {
    let bans: HashMap<_, _> = current.customers.iter().map(|stored| (stored.id, &stored.ban)).collect();
    let stored: HashMap<&str, _> = current.trunks.iter().map(|trunk| (trunk.name.as_str(), trunk)).collect();
    let named: HashSet<&str> = document.dids.iter().map(|entry| entry.number.as_str()).collect();
    for entry in &document.trunks {
        let Some(stored) = stored.get(entry.name.as_str()) else { continue };
        if bans.get(&stored.customer).is_none_or(|ban| **ban == entry.customer) {
            continue;
        }
        let left = |did: &&Did| did.trunk == Some(stored.id) && !named.contains(did.number.as_str());
        if let Some(did) = current.dids.iter().find(left) {
            let at = Entry { kind: "trunk", key: &entry.name };
            let text = format!("its number {} is another customer's; give it in the file too", did.number);
            return Err(at.refused("customer", text));
        }
    }
    Ok(())
}

/// No source may be two trunks': whose call would it be? A wider or narrower network may, the narrowest decides.
fn sources(document: &Document, current: &Voice) -> Result<(), Error> {
    let names: HashMap<_, _> = current.trunks.iter().map(|trunk| (trunk.id, trunk.name.as_str())).collect();
    let rewritten: HashSet<&str> = document.trunks.iter().map(|entry| entry.name.as_str()).collect();
    let stored = current.acl.iter().filter_map(|entry| Some((entry.source(), *names.get(&entry.trunk)?)));
    let mut owners: HashMap<AclSource, &str> =
        stored.filter(|(_, trunk)| !rewritten.contains(trunk)).collect();
    for entry in &document.trunks {
        let at = Entry { kind: "trunk", key: &entry.name };
        for source in &entry.acl {
            match owners.insert(*source, &entry.name) {
                None => {}
                Some(owner) if owner == entry.name => {
                    return Err(at.refused("acl", format!("{source} stands in it twice")));
                }
                Some(owner) => {
                    return Err(at.refused("acl", format!("{source} is trunk {owner:?}'s already")));
                }
            }
        }
    }
    Ok(())
}

/// A username is one trunk's: whose call would it be? A password is needed once.
fn digests(document: &Document, current: &Voice) -> Result<(), Error> {
    let stored = current.trunks.iter();
    let stored =
        stored.filter_map(|trunk| Some((trunk.name.as_str(), trunk.digest.as_ref()?.username.as_str())));
    let stored: HashMap<&str, &str> = stored.collect();
    let rewritten: HashSet<&str> = document.trunks.iter().map(|entry| entry.name.as_str()).collect();
    let kept = stored.iter().filter(|(trunk, _)| !rewritten.contains(*trunk));
    let mut owners: HashMap<&str, &str> = kept.map(|(trunk, username)| (*username, *trunk)).collect();
    for entry in &document.trunks {
        let at = Entry { kind: "trunk", key: &entry.name };
        let Some(digest) = &entry.digest else { continue };
        if let Some(owner) = owners.insert(&digest.username, &entry.name) {
            return Err(at.refused("digest.username", format!("it is trunk {owner:?}'s already")));
        }
        let known = stored.get(entry.name.as_str()) == Some(&digest.username.as_str());
        if digest.password.is_none() && !known {
            return Err(at.refused("digest.password", "a username that is new needs one"));
        }
    }
    Ok(())
}

/// A vendor's password is needed once, and with another username or realm: what is stored is of both.
fn accounts(document: &Document, current: &Voice) -> Result<(), Error> {
    let stored = current.vendors.iter();
    let stored = stored.filter_map(|vendor| Some((vendor.name.as_str(), vendor.account.as_ref()?)));
    let stored: HashMap<&str, _> = stored.collect();
    for entry in &document.sip_vendors {
        let Some(wanted) = entry.account.as_ref().filter(|wanted| wanted.password.is_none()) else {
            continue;
        };
        let same =
            |stored: &&VendorAccount| stored.username == wanted.username && stored.realm == wanted.realm;
        if stored.get(entry.name.as_str()).is_none_or(|stored| !same(stored)) {
            let at = Entry { kind: "sip_vendor", key: &entry.name };
            return Err(at.refused("account.password", "a username or realm that is new needs one"));
        }
    }
    Ok(())
}

fn rates(entries: &[VoiceRateEntry], known: &Known<'_>) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(entries.len());
    for entry in entries {
        let key = entry.key();
        let at = Entry { kind: "voice_rate", key: &key };
        if !seen.insert((&entry.partition, &entry.prefix, &entry.vendor)) {
            return Err(Error::Twice { kind: at.kind, key });
        }
        at.names("partition", &entry.partition, &known.partitions)?;
        at.names("sip_vendor", &entry.vendor, &known.sip_vendors)?;
        entry.check()?;
    }
    Ok(())
}

impl VoiceRateEntry {
    /// Checks what it says by itself; what it names is another matter.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that it may not have.
    pub fn check(&self) -> Result<(), Error> {
        let key = self.key();
        let at = Entry { kind: "voice_rate", key: &key };
        at.digits("prefix", &self.prefix, 0)?;
        if self.rate.nanos() < 0 {
            return Err(at.refused("rate", format!("{} is below 0", self.rate)));
        }
        at.range("weight", self.weight, 0..=10_000)
    }
}

fn dedicated_addresses(document: &Document, known: &Known<'_>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for entry in &document.dedicated_addresses {
        let key = entry.address.to_string();
        let at = Entry { kind: "dedicated_address", key: &key };
        entry.check()?;
        if !seen.insert(entry.address) {
            return Err(Error::Twice { kind: at.kind, key });
        }
        if !entry.customer.is_empty() {
            at.names("customer", &entry.customer, &known.customers)?;
        }
    }
    Ok(())
}

impl DedicatedAddressEntry {
    /// Checks the address; the customer that it names is another matter.
    ///
    /// # Errors
    /// [`Error::Value`] when no call can arrive there.
    pub fn check(&self) -> Result<(), Error> {
        let key = self.address.to_string();
        let at = Entry { kind: "dedicated_address", key: &key };
        if self.address.is_unspecified() || self.address.is_multicast() {
            return Err(at.refused("address", "no call arrives at such an address"));
        }
        if self.address.to_canonical() != self.address {
            return Err(at.refused("address", "write IPv4 as IPv4"));
        }
        Ok(())
    }
}

impl Entry<'_> {
    /// A username needs no quoting in a header, and has no colon, which would make it look like another's digest.
    fn digest(&self, digest: &TrunkDigest) -> Result<(), Error> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._~@+-".contains(&octet);
        if !(1..=USERNAME_MAX).contains(&digest.username.len()) || !digest.username.bytes().all(is_plain) {
            let text = format!("{:?} is not 1 to {USERNAME_MAX} letters, digits and ._~@+-", digest.username);
            return Err(self.refused("digest.username", text));
        }
        let Some(password) = &digest.password else { return Ok(()) };
        let printable = password.expose().bytes().all(|octet| (b' '..=b'~').contains(&octet));
        if !printable || !SIP_PASSWORD.contains(&password.expose().len()) {
            let (least, most) = (*SIP_PASSWORD.start(), *SIP_PASSWORD.end());
            let text = format!("a password of SIP has {least} to {most} printable characters of ASCII");
            return Err(self.refused("digest.password", text));
        }
        Ok(())
    }

    /// What stands between quotes in a header has none of its own, and a name no colon, which would make it look like
    /// another's digest.
    fn account(&self, account: &VendorAccountEntry) -> Result<(), Error> {
        let is_quoted = |octet: u8| (b' '..=b'~').contains(&octet) && !b"\"\\".contains(&octet);
        let is_name = |octet: u8| is_quoted(octet) && octet != b' ' && octet != b':';
        let (username, realm) = (&account.username, &account.realm);
        if !ACCOUNT.contains(&username.len()) || !username.bytes().all(is_name) {
            let text =
                format!("{username:?} is not 1 to 128 printable characters without blank, colon, quote");
            return Err(self.refused("account.username", text));
        }
        if !ACCOUNT.contains(&realm.len()) || !realm.bytes().all(is_quoted) {
            let text = format!("{realm:?} is not 1 to 128 printable characters without quote");
            return Err(self.refused("account.realm", text));
        }
        if let Some(password) = &account.password {
            let printable = password.expose().bytes().all(|octet| (b' '..=b'~').contains(&octet));
            if !printable || !ACCOUNT.contains(&password.expose().len()) {
                let text = "a password of SIP has 1 to 128 printable characters of ASCII here";
                return Err(self.refused("account.password", text));
            }
        }
        account.register.as_ref().map_or(Ok(()), |register| self.register(register))
    }

    fn register(&self, register: &VendorRegister) -> Result<(), Error> {
        let is_user = |octet: u8| octet.is_ascii_alphanumeric() || b"._~+-".contains(&octet);
        let is_domain = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
        if register.user.len() > USERNAME_MAX || !register.user.bytes().all(is_user) {
            let text = format!("{:?} is not up to {USERNAME_MAX} letters, digits and ._~+-", register.user);
            return Err(self.refused("account.register.user", text));
        }
        if register.domain.len() > HOST_MAX || !register.domain.bytes().all(is_domain) {
            let text = format!("{:?} is not a name of a host", register.domain);
            return Err(self.refused("account.register.domain", text));
        }
        if EXPIRES.contains(&register.expires.get()) {
            return Ok(());
        }
        Err(self.refused("account.register.expires", "it is not 60s to 24h"))
    }

    fn gateways(&self, gateways: &[Gateway]) -> Result<(), Error> {
        self.at_most("gateways", gateways, GATEWAYS_MAX)?;
        let mut seen = HashSet::new();
        match gateways.iter().find(|gateway| !seen.insert(*gateway)) {
            Some(twice) => Err(self.refused("gateways", format!("{twice} stands in it twice"))),
            None => Ok(()),
        }
    }

    /// A time after which nobody waits any more is a slip, and none that a clock can be set to.
    fn time(&self, field: &str, time: HumanDuration) -> Result<(), Error> {
        if time.get() <= TIME_MAX {
            return Ok(());
        }
        Err(self.refused(field, "it is over 24h"))
    }

    fn session(&self, time: HumanDuration) -> Result<(), Error> {
        let time = time.get();
        if time.is_zero() || (SESSION_MIN..=SESSION_MAX).contains(&time) {
            return Ok(());
        }
        Err(self.refused("session_expires", "it is 0s, or 90s to 24h (RFC 4028, 4)"))
    }

    fn rules(
        &self,
        (callee, caller): (&[NumberRule], &[NumberRule]),
        headers: &[HeaderRule],
    ) -> Result<(), Error> {
        self.at_most("callee_rules", callee, RULES_MAX)?;
        self.at_most("caller_rules", caller, RULES_MAX)?;
        self.at_most("header_rules", headers, RULES_MAX)
    }
}
