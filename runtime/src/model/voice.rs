//! Configuration entities of voice, as the actors see them.

mod account;
mod address;
mod digest;
mod identity;
mod media;
mod rule;

use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;

pub use self::account::{VendorAccount, VendorRegister};
pub use self::address::{AclSource, Gateway};
pub use self::digest::{DigestCredential, SIP_REALM};
pub use self::identity::IdentityProfile;
pub use self::media::{MediaNode, MediaProfile};
pub use self::rule::{HeaderRule, NumberRule};
use super::{
    Attestation, AuthType, Cidr, Customer, Did, Fork, Money, Oversize, Transport, VendorStatus,
    VerifyIdentity, Versions,
};

/// A customer's trunk: where calls come from, what they may cost, where calls to its numbers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Primary key.
    pub id: Uuid,
    /// Short stable number, from 1, never given again: it stands in sealed cookies and in call records.
    pub number: u32,
    /// Unique name.
    pub name: String,
    /// Who pays.
    pub customer: Uuid,
    /// How its calls are authenticated.
    pub auth_type: AuthType,
    /// What it says who it is by, where it is asked.
    pub digest: Option<DigestCredential>,
    /// False: no call either way.
    pub active: bool,
    /// New calls per second, both ways together; 0 is no limit.
    pub cps: u32,
    /// Calls at one time, both ways together; 0 is no limit.
    pub channels: u32,
    /// Which offers its calls choose from; None: it may not call out.
    pub partition: Option<Uuid>,
    /// Digit prefixes that it may call; empty is any.
    pub allow: Vec<String>,
    /// Digit prefixes that it may not call, whatever `allow` says.
    pub deny: Vec<String>,
    /// High-cost prefixes that it may call all the same.
    pub opened: Vec<String>,
    /// Highest rate per minute that its calls may take.
    pub rate_max: Option<Money>,
    /// Its identity headers are believed and pass to others that are trusted; else they are taken off.
    pub trusted: bool,
    /// Who calls, as it says it and is told it.
    pub identity: IdentityProfile,
    /// What it is sent names us in place of the other side: topology hiding.
    pub hide_topology: bool,
    /// Longest call; zero is no limit of the trunk's own.
    pub max_duration: Duration,
    /// Time within which its calls are to be refreshed (RFC 4028); zero asks for nothing.
    pub session_expires: Duration,
    /// How called numbers are rewritten as they come in from it.
    pub callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten as they come in from it.
    pub caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    pub header_rules: Vec<HeaderRule>,
    /// Where calls to its numbers go, in this order.
    pub gateways: Vec<Gateway>,
    /// What is done with the media on its side of calls.
    pub media: MediaProfile,
    /// What is done with the Identity that its calls come with (RFC 8224).
    pub verify_identity: VerifyIdentity,
    /// The most that is said of its callers when its calls are signed.
    pub attestation_max: Attestation,
    /// How calls to its numbers go to what it has registered.
    pub fork: Fork,
}

/// A source that a trunk's calls come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// Primary key.
    pub id: Uuid,
    /// The trunk.
    pub trunk: Uuid,
    /// Source addresses.
    pub network: Cidr,
    /// Source port; None is any.
    pub port: Option<u16>,
    /// Transport; None is any.
    pub transport: Option<Transport>,
}

impl AclEntry {
    /// The source without whose it is.
    #[must_use]
    pub const fn source(&self) -> AclSource {
        AclSource { network: self.network, port: self.port, transport: self.transport }
    }
}

/// An address of ours at which only one customer's calls arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedicatedAddress {
    /// Primary key.
    pub id: Uuid,
    /// Destination address.
    pub address: IpAddr,
    /// The customer.
    pub customer: Uuid,
}

/// A SIP vendor account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipVendor {
    /// Primary key.
    pub id: Uuid,
    /// Short stable number, as a trunk's, in a numbering of its own.
    pub number: u32,
    /// Unique name.
    pub name: String,
    /// Whether it gets calls.
    pub status: VendorStatus,
    /// Where its calls go, in this order.
    pub gateways: Vec<Gateway>,
    /// Sources that it may send from, beside its gateways' addresses.
    pub networks: Vec<Cidr>,
    /// New calls per second to it; 0 is no limit.
    pub cps: u32,
    /// Calls at one time to it; 0 is no limit.
    pub channels: u32,
    /// Lower first where offers have equal rates and priorities.
    pub priority: i32,
    /// Share among vendors whose offers have equal rates, priorities and weights of 0.
    pub weight: u32,
    /// Time for its first answer other than 100; then the next vendor has the call.
    pub pdd_timeout: Duration,
    /// Time for its final answer after that (timer C, RFC 3261 section 16.6).
    pub ring_timeout: Duration,
    /// Time within which its calls are to be refreshed (RFC 4028); zero asks for nothing.
    pub session_expires: Duration,
    /// Final statuses after which the next vendor has the call, beside 408 and 5xx.
    pub failover_statuses: Vec<u16>,
    /// The next vendor may have the call even when this one had sent early media.
    pub failover_after_early_media: bool,
    /// Time between OPTIONS to each gateway; zero is never.
    pub probe_interval: Duration,
    /// How requests over UDP go that are larger than 1,300 octets (RFC 3261 18.1.1).
    pub oversize: Oversize,
    /// How called numbers are rewritten for it.
    pub callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten for it.
    pub caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    pub header_rules: Vec<HeaderRule>,
    /// Identity headers go to it and are believed from it; else they are taken off.
    pub trusted: bool,
    /// Who calls, as it says it and is told it.
    pub identity: IdentityProfile,
    /// What it is sent names us in place of the other side: topology hiding.
    pub hide_topology: bool,
    /// What is done with the media on its side of calls.
    pub media: MediaProfile,
    /// What it is told who calls, where it asks.
    pub account: Option<VendorAccount>,
    /// What is done with the Identity that its calls come with (RFC 8224).
    pub verify_identity: VerifyIdentity,
    /// Calls to it are signed.
    pub sign_calls: bool,
}

/// A set of offers that trunks choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Primary key.
    pub id: Uuid,
    /// Short stable number, as a trunk's, in a numbering of its own.
    pub number: u32,
    /// Unique name.
    pub name: String,
}

/// A vendor's rate for a destination, within a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Primary key.
    pub id: Uuid,
    /// The partition.
    pub partition: Uuid,
    /// Destination prefix, digits; empty is every destination.
    pub prefix: String,
    /// The vendor.
    pub vendor: Uuid,
    /// Per minute.
    pub rate: Money,
    /// Lower first among equal rates.
    pub priority: i32,
    /// Share among equal rates and priorities.
    pub weight: u32,
    /// The vendor does not get these numbers, although it has an offer for a shorter prefix.
    pub blocked: bool,
}

/// A destination that is closed to trunks that have not opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HighCost {
    /// Destination prefix, digits.
    pub prefix: String,
}

/// Everything that voice is configured with, at one version.
#[derive(Debug, Clone, Default)]
pub struct Voice {
    /// The version read; it grows with every change.
    pub version: i64,
    /// When its parts changed last, for who reads only what changed since.
    pub parts: Versions,
    /// Customers.
    pub customers: Vec<Customer>,
    /// Their trunks.
    pub trunks: Vec<Trunk>,
    /// Sources of the trunks; no source twice.
    pub acl: Vec<AclEntry>,
    /// Addresses of ours that are one customer's.
    pub dedicated: Vec<DedicatedAddress>,
    /// Vendors.
    pub vendors: Vec<SipVendor>,
    /// Partitions.
    pub partitions: Vec<Partition>,
    /// Offers of vendors.
    pub offers: Vec<Offer>,
    /// Destinations that are closed until opened.
    pub high_cost: Vec<HighCost>,
    /// Numbers.
    pub dids: Vec<Did>,
    /// Nodes that media goes through.
    pub media_nodes: Vec<MediaNode>,
}
