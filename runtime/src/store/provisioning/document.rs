//! The provisioning file.

mod check;
mod of;
mod voice;

use serde::{Deserialize, Serialize};

pub use self::voice::{DedicatedAddressEntry, PartitionEntry, SipVendorEntry, TrunkEntry, VoiceRateEntry};
use super::Error;
use crate::config;
use crate::log::Uncertain;
use crate::model::{Alphabet, Ban, BindModes, BindType, Cidr, MessageIdFormat, Money, SystemId};
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
    /// `[[partitions]]`.
    pub partitions: Vec<PartitionEntry>,
    /// `[[sip_vendors]]`.
    pub sip_vendors: Vec<SipVendorEntry>,
    /// `[[trunks]]`.
    pub trunks: Vec<TrunkEntry>,
    /// `[[voice_rates]]`.
    pub voice_rates: Vec<VoiceRateEntry>,
    /// `high_cost`: the whole list of destination prefixes that are closed until opened; without it they are left
    /// alone.
    pub high_cost: Option<Vec<String>>,
    /// `[[dedicated_addresses]]`.
    pub dedicated_addresses: Vec<DedicatedAddressEntry>,
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
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
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
    /// Digits of the E.164 number; a plus before them is dropped.
    pub number: String,
    /// BAN of the customer who has it; empty while in stock.
    #[serde(default)]
    pub customer: String,
    /// The ESME account that gets its messages.
    #[serde(default)]
    pub system_id: String,
    /// The trunk that gets its calls.
    #[serde(default)]
    pub trunk: String,
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
use defaults;

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
        let prefixes = document.sms_routes.iter_mut().map(|route| &mut route.prefix);
        let prefixes = prefixes.chain(document.voice_rates.iter_mut().map(|rate| &mut rate.prefix));
        let prefixes = prefixes.chain(document.high_cost.iter_mut().flatten());
        prefixes.chain(document.dids.iter_mut().map(|did| &mut did.number)).for_each(voice::without_plus);
        document.trunks.iter_mut().for_each(TrunkEntry::normalize);
        Ok(document)
    }
}
