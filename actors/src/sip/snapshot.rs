//! The configuration of calls as workers read it: everything looked up by place, nothing by name.
//!
//! A snapshot is built off the packet path and swapped whole; a call keeps the one that it began with, so that places
//! stay what they were. What trunks and vendors have in use is carried over from the snapshot before.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use runtime::config::HumanDuration;
use runtime::model::{
    self, AuthType, Ban, Cidr, Gateway, MediaNode, MediaProfile, SipVendor, Transport, VendorStatus, Voice,
};
use sip::StatusCode;
use sip::proxy::{self, FailoverOptions};
use uuid::Uuid;

use super::account::{Account, Accounts};
use super::acl::{self, Acl, Source};
use super::digest::Users;
use super::health::Health;
use super::lcr;
use super::prefixes::Prefixes;
use super::registration::Registration;
use super::settings::{default_port, transport_param};
use super::usage::Usage;

/// Everything that routes calls.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The version of the configuration that this was built from.
    pub version: i64,
    /// Trunks, in the order of the configuration.
    pub trunks: Vec<Trunk>,
    /// Vendors, in the order of the configuration.
    pub vendors: Vec<Vendor>,
    /// Offers; partitions, like vendors, by their place.
    pub offers: lcr::Table,
    /// Destinations that are closed until opened.
    pub high_cost: Prefixes,
    /// Media nodes.
    pub media_nodes: Vec<MediaNode>,
    trunk_acl: Acl,
    vendor_acl: Acl,
    dedicated: HashMap<IpAddr, Uuid>,
    numbers: HashMap<String, Number>,
    digests: Users,
    /// Whether a configuration before had some of them.
    had_digests: bool,
    closed_accounts: Vec<Uuid>,
}

/// A number of ours.
#[derive(Debug)]
struct Number {
    /// The trunk that gets its calls, by place.
    trunk: Option<u32>,
    /// Who has it.
    customer: Option<Uuid>,
}

/// A trunk.
#[derive(Debug)]
pub struct Trunk {
    /// As it is configured.
    pub config: model::Trunk,
    /// Its customer's BAN.
    pub ban: Option<Ban>,
    /// Whether its customer is served.
    pub served: bool,
    /// Its partition, by place.
    pub partition: Option<u32>,
    /// Where it may call.
    pub destinations: Prefixes,
    /// High-cost destinations that it may call.
    pub opened: Prefixes,
    /// Where calls to its numbers go.
    pub targets: Vec<Target>,
    /// What it has in use.
    pub usage: Arc<Usage>,
    /// What is done with its media.
    pub media: Arc<MediaProfile>,
}

/// A vendor.
#[derive(Debug)]
pub struct Vendor {
    /// As it is configured.
    pub config: SipVendor,
    /// Its gateways' addresses.
    pub targets: Vec<Target>,
    /// When a call goes on to the next one.
    pub proxy: proxy::Options,
    /// What it has in use.
    pub usage: Arc<Usage>,
    /// What is done with its media.
    pub media: Arc<MediaProfile>,
    /// What its challenges are answered with.
    pub account: Option<Arc<Account>>,
}

/// An address that calls go to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where requests are sent.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Whether it answers.
    pub health: Arc<Health>,
    /// A vendor's that we register at: what is known of that.
    pub registration: Option<Arc<Registration>>,
    /// Whether calls go there only while the registrar has us.
    pub registration_required: bool,
    /// The part of a Request-URI behind the at sign: host, port where one was given, transport.
    pub host_port: String,
}

/// Who a source is. A partner may be both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// The trunk that it calls from, by place.
    pub trunk: Option<u32>,
    /// The vendor that it is, by place.
    pub vendor: Option<u32>,
    /// The trunk whose source it is, by place, where the source is not enough, or says nothing: it has to say by digest who
    /// it is.
    pub listed: Option<u32>,
}

impl Peer {
    /// Whether nobody is known there.
    pub const fn is_stranger(&self) -> bool {
        self.trunk.is_none() && self.vendor.is_none() && self.listed.is_none()
    }

    /// Whether its source is a trunk's that has to say by digest who it is.
    pub const fn is_asked(&self) -> bool {
        self.trunk.is_none() && self.listed.is_some()
    }
}

/// Attempts of one call: several addresses of a vendor that is away must not use up those of the next.
const ATTEMPTS_MAX: u8 = 8;

/// Finds the addresses of gateways that have names: what is known at the moment, without waiting.
pub type Resolve<'a> = &'a dyn Fn(&Gateway) -> Vec<(SocketAddr, Transport)>;

impl Snapshot {
    /// Builds a snapshot. What is in use carries over from the one `before`.
    #[must_use]
    pub fn new(voice: Voice, before: Option<&Self>, resolve: Resolve<'_>, now: Instant) -> Self {
        let customers: HashMap<_, _> =
            voice.customers.iter().map(|customer| (customer.id, customer)).collect();
        let partitions = places(voice.partitions.iter().map(|partition| partition.id));
        let vendor_places = places(voice.vendors.iter().map(|vendor| vendor.id));
        let trunk_places = places(voice.trunks.iter().map(|trunk| trunk.id));
        let offers = voice.offers.iter().filter_map(|offer| {
            Some(lcr::Offer {
                partition: *partitions.get(&offer.partition)?,
                prefix: offer.prefix.clone(),
                vendor: *vendor_places.get(&offer.vendor)?,
                rate: offer.rate,
                priority: offer.priority,
                weight: offer.weight,
                blocked: offer.blocked,
            })
        });
        let offers = lcr::Table::new(offers.collect());
        let trunk_acl = voice.acl.iter().filter_map(|entry| {
            let trunk = *trunk_places.get(&entry.trunk)?;
            Some(acl::Entry { network: entry.network, port: entry.port, transport: entry.transport, trunk })
        });
        let trunk_acl = Acl::new(&trunk_acl.collect::<Vec<_>>());
        let numbers = voice.dids.into_iter().map(|did| {
            let trunk = did.trunk.and_then(|trunk| trunk_places.get(&trunk).copied());
            (did.number, Number { trunk, customer: did.customer })
        });
        let numbers = numbers.collect();
        let used = Used::of(before, now);
        let trunks = voice.trunks.into_iter().map(|config| Trunk {
            ban: customers.get(&config.customer).map(|customer| customer.ban.clone()),
            served: customers.get(&config.customer).is_some_and(|customer| customer.is_served()),
            partition: config.partition.and_then(|partition| partitions.get(&partition).copied()),
            destinations: Prefixes::new(&config.allow, &config.deny),
            opened: Prefixes::listed(&config.opened),
            targets: targets(&config.gateways, resolve, &used),
            usage: used.trunk(config.id),
            media: Arc::new(config.media.clone()),
            config,
        });
        let trunks = trunks.collect();
        let vendors: Vec<_> =
            voice.vendors.into_iter().map(|config| Vendor::new(config, resolve, &used)).collect();
        Self {
            version: voice.version,
            vendor_acl: vendor_acl(&vendors),
            trunks,
            vendors,
            offers,
            high_cost: Prefixes::listed(voice.high_cost.iter().map(|high_cost| &high_cost.prefix)),
            media_nodes: voice.media_nodes,
            trunk_acl,
            dedicated: voice
                .dedicated
                .into_iter()
                .map(|own| (own.address.to_canonical(), own.customer))
                .collect(),
            numbers,
            digests: Users::default(),
            had_digests: before.is_some_and(Self::may_have_asked),
            closed_accounts: Vec::new(),
        }
    }

    /// The same, with the trunks that say by digest who they are: those of the same configuration.
    #[must_use]
    pub fn with_digests(self, digests: Users) -> Self {
        Self { digests, ..self }
    }

    /// The same, with the accounts at its vendors: those of the same configuration.
    #[must_use]
    pub fn with_accounts(mut self, accounts: &Accounts) -> Self {
        for (vendor, place) in self.vendors.iter_mut().zip(0_u32..) {
            vendor.account = accounts.get(place);
            let registrations = vendor.targets.iter().filter_map(|target| target.registration.as_deref());
            registrations.for_each(|registration| registration.answer_with(vendor.account.as_ref()));
        }
        self.closed_accounts = accounts.closed().to_vec();
        self
    }

    /// The vendors whose accounts did not open.
    pub fn closed_accounts(&self) -> &[Uuid] {
        &self.closed_accounts
    }

    /// Who sends from `source` to our address `destination`. A destination that is dedicated to a customer admits
    /// that customer's trunks only; it admits nobody by itself. Of networks within each other the narrowest decides,
    /// whatever its trunk has to say besides.
    pub fn peer(&self, source: &Source, destination: IpAddr) -> Peer {
        let is_open = |place| self.trunk(place).is_some_and(|trunk| self.is_open(trunk, destination));
        let found = self.trunk_acl.find(source, is_open);
        let is_enough =
            |place: &u32| self.trunk(*place).is_some_and(|trunk| trunk.config.auth_type == AuthType::IpAcl);
        let vendor = self.vendor_acl.find(source, |_| true);
        Peer { trunk: found.filter(is_enough), vendor, listed: found.filter(|place| !is_enough(place)) }
    }

    /// Whether calls of a trunk may arrive at our address.
    fn is_open(&self, trunk: &Trunk, destination: IpAddr) -> bool {
        let dedicated = self.dedicated.get(&destination.to_canonical());
        trunk.config.active && dedicated.is_none_or(|customer| *customer == trunk.config.customer)
    }

    /// Those who say by digest who they are.
    pub const fn digests(&self) -> &Users {
        &self.digests
    }

    /// Whether somebody may have been asked who it is: by this configuration, or by an earlier one of this
    /// process.
    pub fn may_have_asked(&self) -> bool {
        self.had_digests || !self.digests.is_empty()
    }

    /// Whether a trunk that has said by digest who it is may call from `source` at `destination`. With `BOTH` the
    /// source has to be its own.
    pub fn admits(&self, place: u32, source: &Source, destination: IpAddr) -> bool {
        let Some(trunk) = self.trunk(place).filter(|trunk| self.is_open(trunk, destination)) else {
            return false;
        };
        match trunk.config.auth_type {
            AuthType::IpAcl => false,
            AuthType::Digest => true,
            AuthType::Both => self.trunk_acl.find(source, |found| found == place).is_some(),
        }
    }

    /// Every address with its health.
    fn targets(&self) -> impl Iterator<Item = ((SocketAddr, Transport), &Arc<Health>)> {
        let vendors = self.vendors.iter().flat_map(|vendor| &vendor.targets);
        let trunks = self.trunks.iter().flat_map(|trunk| &trunk.targets);
        vendors.chain(trunks).map(|target| ((target.address, target.transport), &target.health))
    }

    /// The trunk at a place.
    pub fn trunk(&self, place: u32) -> Option<&Trunk> {
        self.trunks.get(place as usize)
    }

    /// The vendor at a place.
    pub fn vendor(&self, place: u32) -> Option<&Vendor> {
        self.vendors.get(place as usize)
    }

    /// The trunk that has a number: digits of E.164.
    pub fn did(&self, number: &str) -> Option<u32> {
        self.numbers.get(number)?.trunk
    }

    /// The customer who has a number: digits of E.164.
    pub fn owner(&self, number: &str) -> Option<Uuid> {
        self.numbers.get(number)?.customer
    }
}

impl Trunk {
    /// Whether it may register where it is reached.
    pub fn registers(&self) -> bool {
        self.config.auth_type != AuthType::IpAcl
    }
}

impl Target {
    /// Whether calls may go there as far as our registration is concerned.
    pub fn lets_pass(&self, now: Instant) -> bool {
        let registration = self.registration.as_deref().filter(|_| self.registration_required);
        registration.is_none_or(|known| known.is_there(now))
    }

    /// Whom a vendor has registered there: user and domain. `None` where nobody is.
    pub fn registered<'a>(&'a self, vendor: &'a SipVendor) -> Option<(&'a str, &'a str)> {
        let account = vendor.account.as_ref()?;
        let register = account.register.as_ref()?;
        let domain = if register.domain.is_empty() { self.host() } else { &register.domain };
        Some((account.user(register), domain))
    }

    /// Its host, as it stands in a URI.
    fn host(&self) -> &str {
        let host = if self.host_port.starts_with('[') {
            self.host_port.split_inclusive(']').next()
        } else {
            self.host_port.split([':', ';']).next()
        };
        host.unwrap_or_default()
    }
}

impl Vendor {
    fn new(config: SipVendor, resolve: Resolve<'_>, used: &Used<'_>) -> Self {
        let mut failover = FailoverOptions {
            after_early_media: config.failover_after_early_media,
            attempts_max: ATTEMPTS_MAX,
            ..FailoverOptions::default()
        };
        for status in config.failover_statuses.iter().filter_map(|status| StatusCode::new(*status)) {
            failover.codes.insert(status);
        }
        // It is about the request, and for who sent it (RFC 4028 8.2).
        failover.codes.remove(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        let proxy = proxy::Options { timer_c: config.ring_timeout, pass_503: false, failover };
        let mut targets = targets(&config.gateways, resolve, used);
        if let Some(register) = config.account.as_ref().and_then(|account| account.register.as_ref()) {
            // Two names may have one address: it has one registration.
            let mut known = HashMap::new();
            for target in &mut targets {
                let at = &*target;
                let registration =
                    known.entry((at.address, at.transport)).or_insert_with(|| used.registration(&config, at));
                target.registration = Some(Arc::clone(registration));
                target.registration_required = register.required;
            }
        }
        Self {
            targets,
            proxy,
            usage: used.vendor(config.id),
            media: Arc::new(config.media.clone()),
            account: None,
            config,
        }
    }

    /// Whether an address is one of its own.
    pub fn is_at(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.targets.iter().any(|target| target.address.ip().to_canonical() == address)
            || self.config.networks.iter().any(|network| network.contains(address))
    }

    /// Whether new calls go to it.
    pub fn is_open(&self) -> bool {
        self.config.status == VendorStatus::Active
    }
}

/// What the snapshot before has counted.
struct Used<'a> {
    trunks: HashMap<Uuid, &'a Arc<Usage>>,
    vendors: HashMap<Uuid, &'a Vendor>,
    healths: HashMap<(SocketAddr, Transport), &'a Arc<Health>>,
    now: Instant,
}

impl<'a> Used<'a> {
    fn of(before: Option<&'a Snapshot>, now: Instant) -> Self {
        let trunks = before.into_iter().flat_map(|before| &before.trunks);
        let vendors = before.into_iter().flat_map(|before| &before.vendors);
        Self {
            trunks: trunks.map(|trunk| (trunk.config.id, &trunk.usage)).collect(),
            vendors: vendors.map(|vendor| (vendor.config.id, vendor)).collect(),
            healths: before.into_iter().flat_map(Snapshot::targets).collect(),
            now,
        }
    }

    fn health(&self, address: SocketAddr, transport: Transport) -> Arc<Health> {
        let known = self.healths.get(&(address, transport));
        known.map_or_else(|| Arc::new(Health::new(self.now)), |health| Arc::clone(health))
    }

    fn trunk(&self, id: Uuid) -> Arc<Usage> {
        self.trunks.get(&id).map_or_else(|| Arc::new(Usage::new(self.now)), |usage| Arc::clone(usage))
    }

    fn vendor(&self, id: Uuid) -> Arc<Usage> {
        let known = self.vendors.get(&id);
        known.map_or_else(|| Arc::new(Usage::new(self.now)), |vendor| Arc::clone(&vendor.usage))
    }

    /// The registration at a vendor's address. Of another user or domain it is another one; else it goes on, whatever
    /// has changed besides: the registrar has it.
    fn registration(&self, config: &SipVendor, target: &Target) -> Arc<Registration> {
        let vendor = self.vendors.get(&config.id);
        let same = |known: &&Target| known.address == target.address && known.transport == target.transport;
        let found = vendor.and_then(|vendor| {
            let known = vendor.targets.iter().find(same)?;
            Some((vendor, known, known.registration.as_ref()?))
        });
        let Some((vendor, known, registration)) = found else {
            return Arc::new(Registration::new(self.now));
        };
        if known.registered(&vendor.config) != target.registered(config) {
            return Arc::new(registration.replaced(self.now));
        }
        if expires(&vendor.config) != expires(config) {
            registration.hurry();
        }
        Arc::clone(registration)
    }
}

/// For how long a vendor is asked to have us.
fn expires(vendor: &SipVendor) -> Option<HumanDuration> {
    Some(vendor.account.as_ref()?.register.as_ref()?.expires)
}

fn places(ids: impl Iterator<Item = Uuid>) -> HashMap<Uuid, u32> {
    ids.zip(0..).collect()
}

fn targets(gateways: &[Gateway], resolve: Resolve<'_>, used: &Used<'_>) -> Vec<Target> {
    let targets_of = |gateway: &Gateway| {
        let found = match gateway.address() {
            Some(ip) => {
                let transport = gateway.transport.unwrap_or(Transport::Udp);
                vec![(
                    SocketAddr::new(ip, gateway.port.unwrap_or_else(|| default_port(transport))),
                    transport,
                )]
            }
            None => resolve(gateway),
        };
        let host =
            if gateway.host.contains(':') { format!("[{}]", gateway.host) } else { gateway.host.clone() };
        let port = gateway.port.map(|port| format!(":{port}")).unwrap_or_default();
        found.into_iter().map(move |(address, transport)| {
            let host_port = format!("{host}{port}{}", transport_param(transport));
            let health = used.health(address, transport);
            Target { address, transport, health, registration: None, registration_required: false, host_port }
        })
    };
    gateways.iter().flat_map(targets_of).collect()
}

/// Vendors send from their gateways, whatever the port, and from the networks they have named.
fn vendor_acl(vendors: &[Vendor]) -> Acl {
    let entries = vendors.iter().zip(0_u32..).flat_map(|(vendor, place)| {
        let own = vendor.targets.iter().map(|target| Cidr::from(target.address.ip().to_canonical()));
        let networks = own.chain(vendor.config.networks.iter().copied());
        networks.map(move |network| acl::Entry { network, port: None, transport: None, trunk: place })
    });
    Acl::new(&entries.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
