//! The provisioning file.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;
use crate::config;
use crate::log::Uncertain;
use crate::model::{Alphabet, Ban, BindModes, BindType, Cidr, MessageIdFormat, Messaging, Money, SystemId};
use crate::password::SecretString;

/// A provisioning file (TOML).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// `[[customers]]`.
    pub customers: Vec<CustomerEntry>,
    /// `[[esme_accounts]]`.
    pub esme_accounts: Vec<EsmeAccountEntry>,
    /// `[[sms_vendors]]`.
    pub sms_vendors: Vec<SmsVendorEntry>,
    /// `[[sms_routes]]`.
    pub sms_routes: Vec<SmsRouteEntry>,
    /// `[[dids]]`.
    pub dids: Vec<DidEntry>,
}

/// A customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerEntry {
    /// Billing account number.
    pub ban: Ban,
    /// Name for people.
    pub company_name: String,
    /// ACTIVE, TRIAL or SUSPENDED.
    #[serde(default = "active")]
    pub status: String,
    /// PREPAID or POSTPAID.
    #[serde(default = "postpaid", rename = "type")]
    pub kind: String,
    /// Voice, Messaging, Telecom Data.
    #[serde(default = "messaging")]
    pub services: Vec<String>,
    /// Segments per second over all its accounts; 0 is no limit.
    #[serde(default)]
    pub throughput: u32,
    /// `deliver_sm` kept while an account is away; beyond it the oldest are given up.
    #[serde(default = "outbox_max")]
    pub outbox_max: u32,
}

/// An ESME account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsmeAccountEntry {
    /// Name at bind.
    pub system_id: SystemId,
    /// BAN of its customer.
    pub customer: Ban,
    /// Password at bind, at most 8 octets; needed once.
    #[serde(skip_serializing)]
    pub password: Option<SecretString>,
    /// False: binds are refused, sessions closed.
    #[serde(default = "yes")]
    pub active: bool,
    /// Binds at one time.
    #[serde(default = "binds_max")]
    pub binds_max: u32,
    /// Binds that are allowed: TX, RX, TRX.
    #[serde(default)]
    pub bind_modes: BindModes,
    /// Requests outstanding each way on one bind.
    #[serde(default = "window")]
    pub window: u32,
    /// Segments per second; 0 is no limit.
    #[serde(default)]
    pub throughput: u32,
    /// Source networks; empty is any.
    #[serde(default)]
    pub ip_whitelist: Vec<Cidr>,
    /// Meaning of data_coding 0.
    #[serde(default = "gsm7")]
    pub default_alphabet: Alphabet,
    /// How our message ids look to it.
    #[serde(default = "hex")]
    pub message_id_format: MessageIdFormat,
    /// Re-encode text for vendors whose data_coding 0 means something else.
    #[serde(default)]
    pub transcode: bool,
}

/// An SMS vendor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsVendorEntry {
    /// Unique short name.
    pub instance_name: String,
    /// Name for people; the instance name by default.
    #[serde(default)]
    pub display_name: String,
    /// Kind of provider.
    #[serde(default = "smpp")]
    pub provider_type: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS from the first octet.
    #[serde(default)]
    pub tls: bool,
    /// PEM file with the vendor's own CA; empty for the public ones.
    #[serde(default)]
    pub tls_ca: String,
    /// How we bind.
    #[serde(default = "transceiver")]
    pub bind_type: BindType,
    /// Our name at bind.
    pub system_id: SystemId,
    /// Our password at bind; needed once.
    #[serde(skip_serializing)]
    pub password: Option<SecretString>,
    /// system_type at bind.
    #[serde(default)]
    pub system_type: String,
    /// Sessions that we hold.
    #[serde(default = "one")]
    pub binds: u32,
    /// Requests outstanding on one bind.
    #[serde(default = "vendor_window")]
    pub window: u32,
    /// Segments per second on one bind; 0 is no limit.
    #[serde(default)]
    pub throughput_limit: u32,
    /// Order among vendors of equal routes; lower first.
    #[serde(default)]
    pub priority: i32,
    /// False: no binds.
    #[serde(default = "yes")]
    pub active: bool,
    /// Meaning of data_coding 0.
    #[serde(default = "gsm7")]
    pub default_alphabet: Alphabet,
    /// Messages that may wait for this vendor.
    #[serde(default = "queue_depth_max")]
    pub queue_depth_max: u32,
    /// Ask for a receipt even when the customer did not.
    #[serde(default)]
    pub receipts_always: bool,
    /// Send long messages whole as message_payload, instead of split.
    #[serde(default)]
    pub long_as_payload: bool,
    /// Statuses that this vendor means as temporary, beside the usual ones.
    #[serde(default)]
    pub retryable_statuses: Vec<u32>,
}

/// A route.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsRouteEntry {
    /// Unique name; the label of routing metrics.
    pub name: String,
    /// Destination prefix, digits; empty is every destination.
    #[serde(default)]
    pub prefix: String,
    /// Source prefix that the message must have; empty is any.
    #[serde(default)]
    pub source_prefix: String,
    /// Only the customer of this BAN; empty is every customer.
    #[serde(default)]
    pub customer: String,
    /// instance_name of the vendor.
    pub vendor: String,
    /// Lower first.
    #[serde(default)]
    pub priority: i32,
    /// Cost of a segment.
    #[serde(default)]
    pub cost: Money,
    /// Share among routes of equal priority and cost.
    #[serde(default = "weight")]
    pub weight: u32,
    /// `hold` or `retry`: what to do when the vendor's answer is lost.
    #[serde(default)]
    pub uncertain: UncertainWord,
    /// False: never chosen.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A number of ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DidEntry {
    /// Digits of the E.164 number.
    pub number: String,
    /// BAN of the customer who has it; empty while in stock.
    #[serde(default)]
    pub customer: String,
    /// The ESME account that gets its messages.
    #[serde(default)]
    pub system_id: String,
}

/// The policy as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UncertainWord {
    /// At most once.
    #[default]
    Hold,
    /// At least once.
    Retry,
}

impl From<Uncertain> for UncertainWord {
    fn from(policy: Uncertain) -> Self {
        match policy {
            Uncertain::Hold => Self::Hold,
            Uncertain::Retry => Self::Retry,
        }
    }
}

impl UncertainWord {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Retry => "retry",
        }
    }
}

macro_rules! defaults {
    ($($name:ident: $kind:ty = $value:expr;)+) => { $(fn $name() -> $kind { $value })+ };
}

defaults! {
    active: String = "ACTIVE".to_owned();
    postpaid: String = "POSTPAID".to_owned();
    messaging: Vec<String> = vec!["Messaging".to_owned()];
    outbox_max: u32 = 1_000_000;
    yes: bool = true;
    binds_max: u32 = 10;
    window: u32 = 100;
    gsm7: Alphabet = Alphabet::Gsm7;
    hex: MessageIdFormat = MessageIdFormat::Hex;
    smpp: String = "SMPP".to_owned();
    transceiver: BindType = BindType::Transceiver;
    one: u32 = 1;
    vendor_window: u32 = 10;
    queue_depth_max: u32 = 100_000;
    weight: u32 = 100;
}

impl Document {
    /// Reads a file's text.
    ///
    /// # Errors
    /// With the line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut document: Self =
            toml::from_str(text).map_err(|error| Error::Form(config::one_line(text, &error)))?;
        for vendor in &mut document.sms_vendors {
            if vendor.display_name.is_empty() {
                vendor.display_name.clone_from(&vendor.instance_name);
            }
        }
        Ok(document)
    }

    /// The document that describes what is in the database, without passwords.
    #[must_use]
    pub fn of(current: &Messaging) -> Self {
        let ban = |id: Uuid| {
            current.customers.iter().find(|customer| customer.id == id).map(|found| found.ban.clone())
        };
        let ban_text = |id: Option<Uuid>| id.and_then(ban).map_or_else(String::new, String::from);
        Self {
            customers: current
                .customers
                .iter()
                .map(|customer| CustomerEntry::of(customer, current))
                .collect(),
            esme_accounts: current
                .accounts
                .iter()
                .filter_map(|account| Some(EsmeAccountEntry::of(account, ban(account.customer)?)))
                .collect(),
            sms_vendors: current.vendors.iter().map(SmsVendorEntry::of).collect(),
            sms_routes: current
                .routes
                .iter()
                .map(|route| SmsRouteEntry::of(route, current, ban_text(route.customer)))
                .collect(),
            dids: current
                .dids
                .iter()
                .map(|did| DidEntry {
                    number: did.number.clone(),
                    customer: ban_text(did.customer),
                    system_id: current
                        .accounts
                        .iter()
                        .find(|account| Some(account.id) == did.account)
                        .map_or_else(String::new, |account| account.system_id.to_string()),
                })
                .collect(),
        }
    }

    /// Checks keys, words and references before anything is written.
    pub(super) fn check(&self, current: &Messaging) -> Result<(), Error> {
        unique("customer", self.customers.iter().map(|entry| entry.ban.as_str()))?;
        unique("esme_account", self.esme_accounts.iter().map(|entry| entry.system_id.as_str()))?;
        unique("sms_vendor", self.sms_vendors.iter().map(|entry| entry.instance_name.as_str()))?;
        unique("sms_route", self.sms_routes.iter().map(|entry| entry.name.as_str()))?;
        unique("did", self.dids.iter().map(|entry| entry.number.as_str()))?;
        let known = Self::of(current);
        for entry in &self.customers {
            one_of("customer", entry.ban.as_str(), &entry.status, &["ACTIVE", "TRIAL", "SUSPENDED"])?;
            one_of("customer", entry.ban.as_str(), &entry.kind, &["PREPAID", "POSTPAID"])?;
        }
        let customer = |kind, key: &str, name: &str| {
            let both = self.customers.iter().chain(&known.customers);
            exists(kind, key, ("customer", name), both.map(|entry| entry.ban.as_str()))
        };
        for entry in &self.esme_accounts {
            customer("esme_account", entry.system_id.as_str(), entry.customer.as_str())?;
            let stored = known.esme_accounts.iter().any(|now| now.system_id == entry.system_id);
            has_password("esme_account", entry.system_id.as_str(), stored, entry.password.as_ref(), 8)?;
        }
        for entry in &self.sms_vendors {
            let stored = known.sms_vendors.iter().any(|now| now.instance_name == entry.instance_name);
            has_password("sms_vendor", &entry.instance_name, stored, entry.password.as_ref(), 8)?;
        }
        for entry in &self.sms_routes {
            if !entry.customer.is_empty() {
                customer("sms_route", &entry.name, &entry.customer)?;
            }
            let both = self.sms_vendors.iter().chain(&known.sms_vendors);
            let names = both.map(|entry| entry.instance_name.as_str());
            exists("sms_route", &entry.name, ("sms_vendor", &entry.vendor), names)?;
        }
        for entry in &self.dids {
            if !entry.customer.is_empty() {
                customer("did", &entry.number, &entry.customer)?;
            }
            if !entry.system_id.is_empty() {
                let both = self.esme_accounts.iter().chain(&known.esme_accounts);
                let names = both.map(|entry| entry.system_id.as_str());
                exists("did", &entry.number, ("esme_account", &entry.system_id), names)?;
            }
        }
        Ok(())
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

fn exists<'a>(
    kind: &'static str,
    key: &str,
    (named, name): (&'static str, &str),
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    if names.any(|known| known == name) {
        Ok(())
    } else {
        Err(Error::Unknown { kind, key: key.to_owned(), named, name: name.to_owned() })
    }
}

fn one_of(kind: &'static str, key: &str, word: &str, words: &[&str]) -> Result<(), Error> {
    if words.contains(&word) {
        Ok(())
    } else {
        Err(Error::Form(format!("{kind} {key:?}: {word:?} is not one of {}", words.join(", "))))
    }
}

fn has_password(
    kind: &'static str,
    key: &str,
    stored: bool,
    password: Option<&SecretString>,
    octets_max: usize,
) -> Result<(), Error> {
    match password {
        None if !stored => Err(Error::NoPassword { kind, key: key.to_owned() }),
        Some(password) if password.expose().len() > octets_max => {
            Err(Error::Form(format!("{kind} {key:?}: an SMPP password has at most {octets_max} octets")))
        }
        _ => Ok(()),
    }
}

mod of {
    //! Entries as they describe entities.

    use super::{Ban, CustomerEntry, EsmeAccountEntry, Messaging, SmsRouteEntry, SmsVendorEntry};
    use crate::model::{Account, Customer, Route, Vendor};

    impl CustomerEntry {
        pub(super) fn of(customer: &Customer, current: &Messaging) -> Self {
            let config = current.customer_configs.iter().find(|config| config.customer == customer.id);
            Self {
                ban: customer.ban.clone(),
                company_name: customer.company_name.clone(),
                status: customer.status.clone(),
                kind: customer.kind.clone(),
                services: customer.services.clone(),
                throughput: config.map_or(0, |config| config.throughput),
                outbox_max: config.map_or_else(super::outbox_max, |config| config.outbox_max),
            }
        }
    }

    impl EsmeAccountEntry {
        pub(super) fn of(account: &Account, customer: Ban) -> Self {
            Self {
                system_id: account.system_id.clone(),
                customer,
                password: None,
                active: account.active,
                binds_max: account.binds_max,
                bind_modes: account.bind_modes,
                window: account.window,
                throughput: account.throughput,
                ip_whitelist: account.ip_whitelist.clone(),
                default_alphabet: account.default_alphabet,
                message_id_format: account.message_id_format,
                transcode: account.transcode,
            }
        }
    }

    impl SmsVendorEntry {
        pub(super) fn of(vendor: &Vendor) -> Self {
            Self {
                instance_name: vendor.instance_name.clone(),
                display_name: vendor.display_name.clone(),
                provider_type: vendor.provider_type.clone(),
                host: vendor.host.clone(),
                port: vendor.port,
                tls: vendor.tls,
                tls_ca: vendor.tls_ca.clone(),
                bind_type: vendor.bind_type,
                system_id: vendor.system_id.clone(),
                password: None,
                system_type: vendor.system_type.clone(),
                binds: vendor.binds,
                window: vendor.window,
                throughput_limit: vendor.throughput_limit,
                priority: vendor.priority,
                active: vendor.active,
                default_alphabet: vendor.default_alphabet,
                queue_depth_max: vendor.queue_depth_max,
                receipts_always: vendor.receipts_always,
                long_as_payload: vendor.long_as_payload,
                retryable_statuses: vendor.retryable_statuses.clone(),
            }
        }
    }

    impl SmsRouteEntry {
        pub(super) fn of(route: &Route, current: &Messaging, customer: String) -> Self {
            let vendor = current.vendors.iter().find(|vendor| vendor.id == route.vendor);
            Self {
                name: route.name.clone(),
                prefix: route.prefix.clone(),
                source_prefix: route.source_prefix.clone(),
                customer,
                vendor: vendor.map_or_else(String::new, |vendor| vendor.instance_name.clone()),
                priority: route.priority,
                cost: route.cost,
                weight: route.weight,
                uncertain: route.uncertain.into(),
                active: route.active,
            }
        }
    }
}
