//! Entries of voice.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::HumanDuration;
use crate::model::{
    Cidr, Gateway, HeaderRule, IdentityProfile, MediaNodeState, MediaProfile, Money, NumberRule, Oversize,
    VendorRegister, VendorStatus, VerifyIdentity,
};
use crate::password::SecretString;
use crate::schema::{Name, SocketAddress};

/// A set of offers that trunks choose from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionEntry {
    /// Unique name.
    #[schema(value_type = Name)]
    pub name: String,
}

/// A SIP vendor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SipVendorEntry {
    /// Unique name.
    #[schema(value_type = Name)]
    pub name: String,
    /// ACTIVE, DRAINED or DISABLED.
    #[serde(default = "vendor_active")]
    pub status: VendorStatus,
    /// Where its calls go, in this order.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub gateways: Vec<Gateway>,
    /// Sources that it may send from, beside its gateways' addresses.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub networks: Vec<Cidr>,
    /// New calls per second to it; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    pub cps: u32,
    /// Calls at one time to it; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    pub channels: u32,
    /// Lower first where offers have equal rates and priorities.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    pub priority: i32,
    /// Share among vendors whose offers are equal.
    #[serde(default = "share")]
    #[schema(maximum = 10000, default = 100)]
    pub weight: u32,
    /// Time for its first answer other than 100.
    #[serde(default = "pdd_timeout")]
    pub pdd_timeout: HumanDuration,
    /// Time for its final answer after that.
    #[serde(default = "ring_timeout")]
    pub ring_timeout: HumanDuration,
    /// Time within which its calls are to be refreshed (RFC 4028); zero asks for nothing.
    #[serde(default = "no_time")]
    pub session_expires: HumanDuration,
    /// Final statuses after which the next vendor has the call, beside 408 and 5xx.
    #[serde(default)]
    #[schema(max_items = 400, minimum = 300, maximum = 699)]
    pub failover_statuses: Vec<u16>,
    /// The next vendor may have the call even when this one had sent early media.
    #[serde(default)]
    pub failover_after_early_media: bool,
    /// Time between OPTIONS to each gateway; zero is never.
    #[serde(default = "probe_interval")]
    pub probe_interval: HumanDuration,
    /// How its large requests go.
    #[serde(default = "oversize")]
    pub oversize: Oversize,
    /// How called numbers are rewritten for it.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten for it.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub header_rules: Vec<HeaderRule>,
    /// Identity headers go to it and are believed from it.
    #[serde(default)]
    pub trusted: bool,
    /// Who calls, as it says it and is told it.
    #[serde(default)]
    pub identity: IdentityProfile,
    /// What it is sent names us in place of the customers: Call-ID, Contact, Via, Record-Route, From.
    #[serde(default)]
    pub hide_topology: bool,
    /// What is done with the media on its side of calls.
    #[serde(default)]
    pub media: MediaProfile,
    /// What it is told who calls, where it asks by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<VendorAccountEntry>,
    /// What is done with the Identity that its calls come with (RFC 8224): off, note or refuse.
    #[serde(default = "verify_off")]
    pub verify_identity: VerifyIdentity,
    /// Calls to it are signed, with the key of the node's `[stir]`.
    #[serde(default)]
    pub sign_calls: bool,
}

/// An account of ours at a vendor that asks by digest who calls (RFC 7616). Its password is written and never read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VendorAccountEntry {
    /// The name that is said.
    #[schema(example = "warp-atlanta", pattern = r"^[!#-9;-\[\]-~]{1,128}$")]
    pub username: String,
    /// The realm of the vendor's challenges, as they have it: those of another one are not answered.
    #[schema(example = "sip.atlantic.example", pattern = r"^[ !#-\[\]-~]{1,128}$")]
    pub realm: String,
    /// Its password; needed once, and with another username or realm.
    #[serde(serialize_with = "super::never", skip_serializing_if = "super::unseen")]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 128, pattern = "^[ -~]*$")]
    pub password: Option<SecretString>,
    /// How it is registered at each gateway; without it not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<VendorRegister>,
}

impl VendorAccountEntry {
    /// Whether a password for this one is a password for the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.username == other.username && self.realm == other.realm
    }
}

/// An RTPEngine node, which the media of calls goes through.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaNodeEntry {
    /// Unique name.
    #[schema(value_type = Name)]
    pub name: String,
    /// Where it listens for the ng protocol.
    #[schema(value_type = SocketAddress)]
    pub address: SocketAddr,
    /// Its share of new calls; 0 gets none.
    #[serde(default = "node_share")]
    #[schema(maximum = 10000, default = 50)]
    pub weight: u32,
    /// ACTIVE, DRAINING or DISABLED.
    #[serde(default = "node_active")]
    pub state: MediaNodeState,
}

/// A vendor's rate for a destination, within a partition.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoiceRateEntry {
    /// Name of the partition.
    #[schema(value_type = Name)]
    pub partition: String,
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
    #[serde(default)]
    #[schema(example = "1", pattern = "^[+]?[0-9]{0,20}$")]
    pub prefix: String,
    /// Name of the vendor.
    #[schema(value_type = Name)]
    pub vendor: String,
    /// Per minute.
    #[schema(value_type = String, example = "0.0042", pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
    pub rate: Money,
    /// Lower first among equal rates.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    pub priority: i32,
    /// Share among equal rates and priorities.
    #[serde(default = "share")]
    #[schema(maximum = 10000, default = 100)]
    pub weight: u32,
    /// The vendor does not get these numbers, although it has a rate for a shorter prefix.
    #[serde(default)]
    pub blocked: bool,
}

impl VoiceRateEntry {
    /// Writes numbers as they are kept.
    pub fn normalize(&mut self) {
        without_plus(&mut self.prefix);
    }

    /// The natural key for people.
    pub(in super::super) fn key(&self) -> String {
        format!("{}/{}/{}", self.partition, self.prefix, self.vendor)
    }
}

/// An address of ours at which only one customer's calls arrive.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DedicatedAddressEntry {
    /// Destination address.
    pub address: IpAddr,
    /// BAN of the customer; empty: it is nobody's own any more.
    #[serde(default)]
    pub customer: String,
}

super::defaults! {
    vendor_active: VendorStatus = VendorStatus::Active;
    share: u32 = 100;
    node_share: u32 = 50;
    node_active: MediaNodeState = MediaNodeState::Active;
    pdd_timeout: HumanDuration = HumanDuration::from_secs(4);
    ring_timeout: HumanDuration = HumanDuration::from_secs(180);
    probe_interval: HumanDuration = HumanDuration::from_secs(30);
    oversize: Oversize = Oversize::Tcp;
    verify_off: VerifyIdentity = VerifyIdentity::Off;
    no_time: HumanDuration = HumanDuration::from(Duration::ZERO);
}

/// Numbers are kept and compared as digits; people write them with a plus.
pub fn without_plus(number: &mut String) {
    if let Some(digits) = number.strip_prefix('+') {
        *number = digits.to_owned();
    }
}
