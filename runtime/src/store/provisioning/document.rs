//! The provisioning file.

mod check;
mod of;
mod trunk;
mod voice;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

pub use self::check::high_cost_prefix;
pub(crate) use self::trunk::TrunkIdentity;
pub use self::trunk::{StoredTrunk, TrunkDigest, TrunkEntry, TrunkForm};
pub use self::voice::{
    DedicatedAddressEntry, MediaNodeEntry, PartitionEntry, SipVendorEntry, VendorAccountEntry,
    VoiceRateEntry, without_plus,
};
use super::Error;
use crate::config;
use crate::log::Uncertain;
use crate::model::{Alphabet, Ban, BindModes, BindType, Cidr, MessageIdFormat, Money, SystemId};
use crate::password::SecretString;
use crate::schema::Name;

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
    /// `[[media_nodes]]`.
    pub media_nodes: Vec<MediaNodeEntry>,
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EsmeAccountEntry {
    /// Name at bind.
    pub system_id: SystemId,
    /// BAN of its customer.
    pub customer: Ban,
    /// Password at bind, at most 8 octets; needed once.
    #[serde(serialize_with = "never", skip_serializing_if = "unseen")]
    #[schema(value_type = Option<String>, write_only, max_length = 8, pattern = "^[ -~]*$")]
    pub password: Option<SecretString>,
    /// False: binds are refused, sessions closed.
    #[serde(default = "yes")]
    pub active: bool,
    /// Binds at one time.
    #[serde(default = "binds_max")]
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    pub binds_max: u32,
    /// Binds that are allowed: TX, RX, TRX.
    #[serde(default)]
    pub bind_modes: BindModes,
    /// Requests outstanding each way on one bind.
    #[serde(default = "window")]
    #[schema(minimum = 1, maximum = 10000, default = 100)]
    pub window: u32,
    /// Segments per second; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    pub throughput: u32,
    /// Source networks; empty is any.
    #[serde(default)]
    #[schema(max_items = 1000)]
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsVendorEntry {
    /// Unique short name.
    #[schema(value_type = Name)]
    pub instance_name: String,
    /// Name for people; the instance name by default.
    #[serde(default)]
    #[schema(example = "Sinch Atlanta", max_length = 100)]
    pub display_name: String,
    /// Kind of provider.
    #[serde(default = "smpp")]
    #[schema(value_type = Name)]
    pub provider_type: String,
    /// Host name or address.
    #[schema(example = "smpp.vendor.example", pattern = "^[A-Za-z0-9._:%-]{1,253}$")]
    pub host: String,
    /// TCP port.
    #[schema(example = 3601, minimum = 1, maximum = 65535)]
    pub port: u16,
    /// TLS from the first octet.
    #[serde(default)]
    pub tls: bool,
    /// PEM file with the vendor's own CA; empty for the public ones.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub tls_ca: String,
    /// How we bind.
    #[serde(default = "transceiver")]
    pub bind_type: BindType,
    /// Our name at bind.
    pub system_id: SystemId,
    /// Our password at bind; needed once.
    #[serde(serialize_with = "never", skip_serializing_if = "unseen")]
    #[schema(value_type = Option<String>, write_only, max_length = 8, pattern = "^[ -~]*$")]
    pub password: Option<SecretString>,
    /// system_type at bind.
    #[serde(default)]
    #[schema(max_length = 12, pattern = "^[ -~]*$")]
    pub system_type: String,
    /// Sessions that we hold.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100, default = 1)]
    pub binds: u32,
    /// Requests outstanding on one bind.
    #[serde(default = "vendor_window")]
    #[schema(minimum = 1, maximum = 10000, default = 10)]
    pub window: u32,
    /// Segments per second on one bind; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    pub throughput_limit: u32,
    /// Order among vendors of equal routes; lower first.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    pub priority: i32,
    /// False: no binds.
    #[serde(default = "yes")]
    pub active: bool,
    /// Meaning of data_coding 0.
    #[serde(default = "gsm7")]
    pub default_alphabet: Alphabet,
    /// Messages that may wait for this vendor.
    #[serde(default = "queue_depth_max")]
    #[schema(minimum = 1, maximum = 10000000, default = 100000)]
    pub queue_depth_max: u32,
    /// Ask for a receipt even when the customer did not.
    #[serde(default)]
    pub receipts_always: bool,
    /// Send long messages whole as message_payload, instead of split.
    #[serde(default)]
    pub long_as_payload: bool,
    /// Statuses that this vendor means as temporary, beside the usual ones.
    #[serde(default)]
    #[schema(max_items = 100, minimum = 1, maximum = 4294967295u32)]
    pub retryable_statuses: Vec<u32>,
}

/// A route.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsRouteEntry {
    /// Unique name; the label of routing metrics.
    #[schema(value_type = Name)]
    pub name: String,
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
    #[serde(default)]
    #[schema(example = "1", pattern = "^[+]?[0-9]{0,20}$")]
    pub prefix: String,
    /// Source prefix that the message must have; empty is any.
    #[serde(default)]
    #[schema(max_length = 20, pattern = "^[ -~]*$")]
    pub source_prefix: String,
    /// Only the customer of this BAN; empty is every customer.
    #[serde(default)]
    #[schema(pattern = "^([A-Z0-9-]{3,20})?$")]
    pub customer: String,
    /// instance_name of the vendor.
    #[schema(value_type = Name)]
    pub vendor: String,
    /// Lower first.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    pub priority: i32,
    /// Cost of a segment.
    #[serde(default)]
    #[schema(value_type = String, example = "0.0035", pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
    pub cost: Money,
    /// Share among routes of equal priority and cost.
    #[serde(default = "weight")]
    #[schema(maximum = 10000, default = 100)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
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
    pub(in crate::store) const fn word(self) -> &'static str {
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

/// A secret is written and never read: `skip_serializing` would hide it from the document of the interface, too.
const fn unseen(_: &Option<SecretString>) -> bool {
    true
}

fn never<S: Serializer>(_: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_none()
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

impl SmsVendorEntry {
    /// Fills in what follows from the rest.
    pub fn normalize(&mut self) {
        if self.display_name.is_empty() {
            self.display_name.clone_from(&self.instance_name);
        }
    }
}

impl SmsRouteEntry {
    /// Writes numbers as they are kept.
    pub fn normalize(&mut self) {
        without_plus(&mut self.prefix);
    }
}

impl Document {
    /// Reads a file's text.
    ///
    /// # Errors
    /// With the line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut document: Self =
            toml::from_str(text).map_err(|error| Error::Form(misplaced(text, &error)))?;
        document.sms_vendors.iter_mut().for_each(SmsVendorEntry::normalize);
        document.sms_routes.iter_mut().for_each(SmsRouteEntry::normalize);
        document.voice_rates.iter_mut().for_each(VoiceRateEntry::normalize);
        let prefixes = document.high_cost.iter_mut().flatten();
        prefixes.chain(document.dids.iter_mut().map(|did| &mut did.number)).for_each(without_plus);
        document.trunks.iter_mut().for_each(TrunkEntry::normalize);
        Ok(document)
    }
}

/// What is wrong where; of a key that is unknown below `[a.b]` also that it is of that table, and not of the entry.
fn misplaced(text: &str, error: &toml::de::Error) -> String {
    let told = config::one_line(text, error);
    let table = error.span().and_then(|span| table_at(text, span.start));
    match table.filter(|_| error.message().starts_with("unknown field")) {
        Some(table) => {
            format!("{told} (this line is in the table {table}, the keys of its entry stand before it)")
        }
        None => told,
    }
}

/// The name of the table within an entry that a place of a file is in; `None` where that is the entry itself.
fn table_at(text: &str, place: usize) -> Option<&str> {
    let rest = text.get(place..)?;
    let line = rest.find('\n').map_or(text.len(), |length| place.saturating_add(length));
    let header = text.get(..line)?.lines().rev().map(str::trim).find(|line| line.starts_with('['))?;
    let (name, _) = header.trim_start_matches('[').split_once(']')?;
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    // An array may begin a line too.
    (name.contains('.') && name.bytes().all(is_name)).then_some(name)
}
