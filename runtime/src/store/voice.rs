//! Reads all of voice's configuration at one version.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{self, collect, number};
use super::version::versions;
use super::{Db, Error, ErrorKind, Sql, fetch_all, media_node, statements};
use crate::model::{
    AclEntry, Cidr, DedicatedAddress, DigestCredential, Gateway, HeaderRule, HighCost, IdentityProfile,
    MediaProfile, Money, NumberRule, Offer, Partition, Parts, SipVendor, Trunk, VendorAccount,
    VendorRegister, Voice,
};

statements! {
    TRUNKS = Sql::both(
        "SELECT t.id, t.number, t.name, t.customer_id, t.auth_type, t.active, t.cps, t.channels, t.partition_id, \
         t.allow_prefixes, t.deny_prefixes, t.opened_prefixes, t.rate_max, t.trusted, t.hide_topology, \
         t.max_duration, t.session_expires, t.callee_rules, t.caller_rules, t.header_rules, t.gateways, t.media, \
         t.identity, t.verify_identity, t.attestation_max, t.fork, c.username, c.realm, c.ha1_sealed \
         FROM accounts.trunk_groups t \
         LEFT JOIN accounts.trunk_credentials c ON c.trunk_group_id = t.id ORDER BY t.number");
    ACL = Sql::both("SELECT id, trunk_group_id, network, port, transport FROM accounts.trunk_ips");
    DEDICATED = Sql::both("SELECT id, address, customer_id FROM accounts.customer_dedicated_ips");
    VENDORS = Sql::both(
        "SELECT v.id, v.number, v.name, v.status, v.gateways, v.networks, v.cps, v.channels, v.priority, v.weight, \
         v.pdd_timeout, v.ring_timeout, v.session_expires, v.failover_statuses, v.failover_after_early_media, \
         v.probe_interval, v.oversize, v.callee_rules, v.caller_rules, v.header_rules, v.trusted, \
         v.hide_topology, v.media, v.identity, v.verify_identity, v.sign_calls, a.username, a.realm, a.ha1_sealed, \
         a.registration \
         FROM voice.vendors v LEFT JOIN voice.vendor_credentials a ON a.vendor_id = v.id ORDER BY v.number");
    PARTITIONS = Sql::both("SELECT id, number, name FROM voice.partitions");
    OFFERS = Sql::both(
        "SELECT id, partition_id, prefix, vendor_id, rate, priority, weight, blocked FROM voice.vendor_rates");
    HIGH_COST = Sql::both("SELECT prefix FROM voice.high_cost");
}

/// Reads everything.
///
/// # Errors
/// As [`reload`].
pub async fn load(db: &Db) -> Result<Voice, Error> {
    reload(db, Voice::default()).await
}

/// Reads what changed since `known` was read. The version is read first: a change that comes in between is read again
/// later, and until then an entity may name another that is not there.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn reload(db: &Db, known: Voice) -> Result<Voice, Error> {
    let (version, parts) = versions(db).await?;
    let changed = parts.changed_since(&known.parts);
    let mut voice = Voice { version, parts, ..known };
    if changed.has(Parts::CUSTOMERS) {
        voice.customers = messaging::customers(db).await?;
    }
    if changed.has(Parts::ACL) {
        let acl: Vec<AclRecord> = fetch_all!(db, AclRecord, ACL)?;
        voice.acl = collect(acl, acl_entry)?;
    }
    if changed.has(Parts::RATES) {
        let offers: Vec<OfferRecord> = fetch_all!(db, OfferRecord, OFFERS)?;
        voice.offers = offers.into_iter().map(offer).collect();
    }
    if changed.has(Parts::NUMBERS) {
        voice.dids = messaging::dids(db).await?;
    }
    if changed.has(Parts::MEDIA_NODES) {
        voice.media_nodes = media_node::all(db).await?;
    }
    if changed.has(Parts::OTHERS) {
        others(db, &mut voice).await?;
    }
    Ok(voice)
}

async fn others(db: &Db, voice: &mut Voice) -> Result<(), Error> {
    let trunks: Vec<TrunkRecord> = fetch_all!(db, TrunkRecord, TRUNKS)?;
    voice.trunks = collect(trunks, trunk)?;
    let dedicated: Vec<(Uuid, String, Uuid)> = fetch_all!(db, (Uuid, String, Uuid), DEDICATED)?;
    voice.dedicated = collect(dedicated, dedicated_address)?;
    let vendors: Vec<VendorRecord> = fetch_all!(db, VendorRecord, VENDORS)?;
    voice.vendors = collect(vendors, vendor)?;
    let partitions: Vec<(Uuid, i64, String)> = fetch_all!(db, (Uuid, i64, String), PARTITIONS)?;
    let partition = |(id, numbered, name)| Partition { id, number: number(numbered), name };
    voice.partitions = partitions.into_iter().map(partition).collect();
    let high_cost: Vec<(String,)> = fetch_all!(db, (String,), HIGH_COST)?;
    voice.high_cost = high_cost.into_iter().map(|(prefix,)| HighCost { prefix }).collect();
    Ok(())
}

#[derive(FromRow)]
struct TrunkRecord {
    id: Uuid,
    number: i64,
    name: String,
    customer_id: Uuid,
    auth_type: String,
    active: bool,
    cps: i64,
    channels: i64,
    partition_id: Option<Uuid>,
    allow_prefixes: Json<Vec<String>>,
    deny_prefixes: Json<Vec<String>>,
    opened_prefixes: Json<Vec<String>>,
    rate_max: Option<i64>,
    trusted: bool,
    hide_topology: bool,
    max_duration: i64,
    session_expires: i64,
    callee_rules: Json<Vec<NumberRule>>,
    caller_rules: Json<Vec<NumberRule>>,
    header_rules: Json<Vec<HeaderRule>>,
    gateways: Json<Vec<Gateway>>,
    media: Json<MediaProfile>,
    identity: Json<IdentityProfile>,
    verify_identity: String,
    attestation_max: String,
    fork: String,
    username: Option<String>,
    realm: Option<String>,
    ha1_sealed: Option<Vec<u8>>,
}

fn trunk(row: TrunkRecord) -> Result<Trunk, Error> {
    let digest = row.username.zip(row.realm).zip(row.ha1_sealed);
    let digest =
        digest.map(|((username, realm), ha1_sealed)| DigestCredential { username, realm, ha1_sealed });
    Ok(Trunk {
        digest,
        id: row.id,
        number: number(row.number),
        name: row.name,
        customer: row.customer_id,
        auth_type: row.auth_type.parse()?,
        active: row.active,
        cps: number(row.cps),
        channels: number(row.channels),
        partition: row.partition_id,
        allow: row.allow_prefixes.0,
        deny: row.deny_prefixes.0,
        opened: row.opened_prefixes.0,
        rate_max: row.rate_max.map(Money::from_nanos),
        trusted: row.trusted,
        identity: row.identity.0,
        hide_topology: row.hide_topology,
        max_duration: milliseconds(row.max_duration),
        session_expires: milliseconds(row.session_expires),
        callee_rules: row.callee_rules.0,
        caller_rules: row.caller_rules.0,
        header_rules: row.header_rules.0,
        gateways: row.gateways.0,
        media: row.media.0,
        verify_identity: row.verify_identity.parse()?,
        attestation_max: row.attestation_max.parse()?,
        fork: row.fork.parse()?,
    })
}

#[derive(FromRow)]
struct AclRecord {
    id: Uuid,
    trunk_group_id: Uuid,
    network: String,
    port: i64,
    transport: String,
}

fn acl_entry(row: AclRecord) -> Result<AclEntry, Error> {
    Ok(AclEntry {
        id: row.id,
        trunk: row.trunk_group_id,
        network: row.network.parse()?,
        port: u16::try_from(row.port).ok().filter(|port| *port != 0),
        transport: if row.transport.is_empty() { None } else { Some(row.transport.parse()?) },
    })
}

fn dedicated_address((id, text, customer): (Uuid, String, Uuid)) -> Result<DedicatedAddress, Error> {
    let address: IpAddr = text.parse().map_err(|_| {
        Error::new(ErrorKind::Other, format!("configuration data: {text:?} is not an IP address"))
    })?;
    Ok(DedicatedAddress { id, address, customer })
}

#[derive(FromRow)]
pub(super) struct VendorRecord {
    id: Uuid,
    number: i64,
    name: String,
    status: String,
    gateways: Json<Vec<Gateway>>,
    networks: Json<Vec<Cidr>>,
    cps: i64,
    channels: i64,
    priority: i64,
    weight: i64,
    pdd_timeout: i64,
    ring_timeout: i64,
    session_expires: i64,
    failover_statuses: Json<Vec<u16>>,
    failover_after_early_media: bool,
    probe_interval: i64,
    oversize: String,
    callee_rules: Json<Vec<NumberRule>>,
    caller_rules: Json<Vec<NumberRule>>,
    header_rules: Json<Vec<HeaderRule>>,
    trusted: bool,
    hide_topology: bool,
    media: Json<MediaProfile>,
    identity: Json<IdentityProfile>,
    verify_identity: String,
    sign_calls: bool,
    username: Option<String>,
    realm: Option<String>,
    ha1_sealed: Option<Vec<u8>>,
    registration: Option<Json<VendorRegister>>,
}

pub(super) fn vendor(row: VendorRecord) -> Result<SipVendor, Error> {
    let account = row.username.zip(row.realm).zip(row.ha1_sealed);
    let register = row.registration.map(|registration| registration.0);
    let account = account.map(|((username, realm), ha1_sealed)| VendorAccount {
        username,
        realm,
        ha1_sealed,
        register,
    });
    Ok(SipVendor {
        account,
        id: row.id,
        number: number(row.number),
        name: row.name,
        status: row.status.parse()?,
        gateways: row.gateways.0,
        networks: row.networks.0,
        cps: number(row.cps),
        channels: number(row.channels),
        priority: order(row.priority),
        weight: number(row.weight),
        pdd_timeout: milliseconds(row.pdd_timeout),
        ring_timeout: milliseconds(row.ring_timeout),
        session_expires: milliseconds(row.session_expires),
        failover_statuses: row.failover_statuses.0,
        failover_after_early_media: row.failover_after_early_media,
        probe_interval: milliseconds(row.probe_interval),
        oversize: row.oversize.parse()?,
        callee_rules: row.callee_rules.0,
        caller_rules: row.caller_rules.0,
        header_rules: row.header_rules.0,
        trusted: row.trusted,
        identity: row.identity.0,
        hide_topology: row.hide_topology,
        media: row.media.0,
        verify_identity: row.verify_identity.parse()?,
        sign_calls: row.sign_calls,
    })
}

#[derive(FromRow)]
struct OfferRecord {
    id: Uuid,
    partition_id: Uuid,
    prefix: String,
    vendor_id: Uuid,
    rate: i64,
    priority: i64,
    weight: i64,
    blocked: bool,
}

fn offer(row: OfferRecord) -> Offer {
    Offer {
        id: row.id,
        partition: row.partition_id,
        prefix: row.prefix,
        vendor: row.vendor_id,
        rate: Money::from_nanos(row.rate),
        priority: order(row.priority),
        weight: number(row.weight),
        blocked: row.blocked,
    }
}

fn order(priority: i64) -> i32 {
    i32::try_from(priority).unwrap_or(i32::MAX)
}

fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}
