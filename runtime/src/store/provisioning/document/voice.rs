//! Entries of voice.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::yes;
use crate::config::HumanDuration;
use crate::model::{
    AclSource, AuthType, Ban, Cidr, Gateway, HeaderRule, Money, NumberRule, Oversize, VendorStatus,
};

/// A set of offers that trunks choose from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionEntry {
    /// Unique name.
    pub name: String,
}

/// A SIP vendor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipVendorEntry {
    /// Unique name.
    pub name: String,
    /// ACTIVE, DRAINED or DISABLED.
    #[serde(default = "vendor_active")]
    pub status: VendorStatus,
    /// Where its calls go, in this order.
    #[serde(default)]
    pub gateways: Vec<Gateway>,
    /// Sources that it may send from, beside its gateways' addresses.
    #[serde(default)]
    pub networks: Vec<Cidr>,
    /// New calls per second to it; 0 is no limit.
    #[serde(default)]
    pub cps: u32,
    /// Calls at one time to it; 0 is no limit.
    #[serde(default)]
    pub channels: u32,
    /// Lower first where offers have equal rates and priorities.
    #[serde(default)]
    pub priority: i32,
    /// Share among vendors whose offers are equal.
    #[serde(default = "share")]
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
    pub callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten for it.
    #[serde(default)]
    pub caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    #[serde(default)]
    pub header_rules: Vec<HeaderRule>,
    /// Identity headers go to it and are believed from it.
    #[serde(default)]
    pub trusted: bool,
}

/// A customer's trunk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkEntry {
    /// Unique name.
    pub name: String,
    /// BAN of its customer.
    pub customer: Ban,
    /// IP_ACL, DIGEST or BOTH.
    #[serde(default = "ip_acl")]
    pub auth_type: AuthType,
    /// False: no call either way.
    #[serde(default = "yes")]
    pub active: bool,
    /// Sources of its calls; made equal to the file. Compared apart: it may be long.
    #[serde(default, skip_serializing)]
    pub acl: Vec<AclSource>,
    /// New calls per second, both ways together; 0 is no limit.
    #[serde(default)]
    pub cps: u32,
    /// Calls at one time, both ways together; 0 is no limit.
    #[serde(default)]
    pub channels: u32,
    /// Name of the partition that its calls choose from; empty: it may not call out.
    #[serde(default)]
    pub partition: String,
    /// Digit prefixes that it may call, a plus before them is dropped; empty is any.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Digit prefixes that it may not call, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<String>,
    /// High-cost prefixes that it may call all the same.
    #[serde(default)]
    pub opened: Vec<String>,
    /// Highest rate per minute that its calls may take; without it any.
    pub rate_max: Option<Money>,
    /// Its identity headers pass; else they are taken off.
    #[serde(default)]
    pub trusted: bool,
    /// Longest call; zero is no limit of the trunk's own.
    #[serde(default = "no_time")]
    pub max_duration: HumanDuration,
    /// Time within which its calls are to be refreshed (RFC 4028); zero asks for nothing.
    #[serde(default = "no_time")]
    pub session_expires: HumanDuration,
    /// How called numbers are rewritten as they come in from it.
    #[serde(default)]
    pub callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten as they come in from it.
    #[serde(default)]
    pub caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    #[serde(default)]
    pub header_rules: Vec<HeaderRule>,
    /// Where calls to its numbers go, in this order.
    #[serde(default)]
    pub gateways: Vec<Gateway>,
}

/// A vendor's rate for a destination, within a partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceRateEntry {
    /// Name of the partition.
    pub partition: String,
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
    #[serde(default)]
    pub prefix: String,
    /// Name of the vendor.
    pub vendor: String,
    /// Per minute.
    pub rate: Money,
    /// Lower first among equal rates.
    #[serde(default)]
    pub priority: i32,
    /// Share among equal rates and priorities.
    #[serde(default = "share")]
    pub weight: u32,
    /// The vendor does not get these numbers, although it has a rate for a shorter prefix.
    #[serde(default)]
    pub blocked: bool,
}

impl VoiceRateEntry {
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
    pdd_timeout: HumanDuration = HumanDuration::from_secs(4);
    ring_timeout: HumanDuration = HumanDuration::from_secs(180);
    probe_interval: HumanDuration = HumanDuration::from_secs(30);
    oversize: Oversize = Oversize::Tcp;
    ip_acl: AuthType = AuthType::IpAcl;
    no_time: HumanDuration = HumanDuration::from(Duration::ZERO);
}

/// Numbers are kept and compared as digits; people write them with a plus.
pub(super) fn without_plus(number: &mut String) {
    if let Some(digits) = number.strip_prefix('+') {
        *number = digits.to_owned();
    }
}

impl TrunkEntry {
    pub(super) fn normalize(&mut self) {
        for list in [&mut self.allow, &mut self.deny, &mut self.opened] {
            list.iter_mut().for_each(without_plus);
        }
    }
}
