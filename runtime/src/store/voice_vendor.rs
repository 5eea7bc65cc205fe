//! SIP vendors, one by one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{collect, stored_time};
use super::provisioning::{SipVendorEntry, milliseconds, next_number};
use super::voice::{VendorRecord, vendor};
use super::{
    Db, Error, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements, tx_optional,
    vendor_account,
};
use crate::clock::Timestamp;
use crate::model::VendorStatus;

/// Columns of a vendor, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT v.id, v.number, v.name, v.status, v.gateways, v.networks, v.cps, v.channels, v.priority, \
             v.weight, v.pdd_timeout, v.ring_timeout, v.session_expires, v.failover_statuses, \
             v.failover_after_early_media, v.probe_interval, v.oversize, v.callee_rules, v.caller_rules, \
             v.header_rules, v.trusted, v.hide_topology, v.media, v.identity, v.verify_identity, v.sign_calls, \
             a.username, a.realm, a.ha1_sealed, a.registration, v.created_at, v.updated_at \
             FROM voice.vendors v LEFT JOIN voice.vendor_credentials a ON a.vendor_id = v.id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE v.name > $1 AND lower(v.name) LIKE $2 ESCAPE '!' AND ($3 = '' OR v.status = $3) ORDER BY v.name \
         LIMIT $4"));
    ONE = Sql::both(select!("WHERE v.id = $1"));
    TAKEN = Sql::both("SELECT id FROM voice.vendors WHERE name = $1");
    UPSERT = Sql::both(
        "INSERT INTO voice.vendors (id, number, name, status, gateways, networks, cps, channels, priority, weight, \
         pdd_timeout, ring_timeout, session_expires, failover_statuses, failover_after_early_media, probe_interval, \
         oversize, callee_rules, caller_rules, header_rules, trusted, media, identity, verify_identity, sign_calls, \
         hide_topology, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, $27, $27) \
         ON CONFLICT (name) DO UPDATE SET status = excluded.status, gateways = excluded.gateways, \
         networks = excluded.networks, cps = excluded.cps, channels = excluded.channels, \
         priority = excluded.priority, weight = excluded.weight, pdd_timeout = excluded.pdd_timeout, \
         ring_timeout = excluded.ring_timeout, session_expires = excluded.session_expires, \
         failover_statuses = excluded.failover_statuses, \
         failover_after_early_media = excluded.failover_after_early_media, \
         probe_interval = excluded.probe_interval, oversize = excluded.oversize, \
         callee_rules = excluded.callee_rules, caller_rules = excluded.caller_rules, \
         header_rules = excluded.header_rules, trusted = excluded.trusted, media = excluded.media, \
         identity = excluded.identity, verify_identity = excluded.verify_identity, \
         sign_calls = excluded.sign_calls, hide_topology = excluded.hide_topology, \
         updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM voice.vendors WHERE id = $1");
    RATE = Sql::both(
        "SELECT p.name FROM voice.vendor_rates r JOIN voice.partitions p ON p.id = r.partition_id \
         WHERE r.vendor_id = $1 ORDER BY p.name LIMIT 1");
}

/// A SIP vendor.
#[derive(Debug, Clone, Serialize)]
pub struct VoiceVendor {
    /// Primary key.
    pub id: Uuid,
    /// What it is to be.
    #[serde(flatten)]
    pub entry: SipVendorEntry,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Its short number, which stands in cookies and call records.
    #[serde(skip)]
    pub number: u32,
}

#[derive(FromRow)]
struct Record {
    #[sqlx(flatten)]
    vendor: VendorRecord,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for VoiceVendor {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let vendor = vendor(row.vendor)?;
        Ok(Self {
            id: vendor.id,
            entry: SipVendorEntry::of(&vendor),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            number: vendor.number,
        })
    }
}

/// Which vendors of a list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Part of the name, in any case.
    pub search: Option<&'a str>,
    /// Only those of this status.
    pub status: Option<VendorStatus>,
    /// The name behind which the page begins; empty is from the first.
    pub after: &'a str,
}

/// Vendors in the order of their names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<VoiceVendor>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.to_owned(),
        containing(filter.search),
        filter.status.map_or("", |status| status.as_str()),
        i64::from(limit),
    )?;
    collect(rows, VoiceVendor::try_from)
}

/// One vendor.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, id: Uuid) -> Result<Option<VoiceVendor>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id)?;
    row.map(VoiceVendor::try_from).transpose()
}

/// One vendor as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<VoiceVendor>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id)?;
    row.map(VoiceVendor::try_from).transpose()
}

/// Whether a vendor has this name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_taken(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), TAKEN, name.to_owned())?;
    Ok(row.is_some())
}

/// Adds a vendor with the next number of its kind.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, id: Uuid, entry: &SipVendorEntry, now: Timestamp) -> Result<(), Error> {
    let number = next_number(tx, "vendor").await?;
    put(tx, (id, number), entry, now).await
}

/// Writes a vendor; one of this name that is there already is made equal to it, and keeps its id and its number.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    (id, number): (Uuid, i64),
    entry: &SipVendorEntry,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        UPSERT,
        id,
        number,
        entry.name.clone(),
        entry.status.as_str(),
        json!(entry.gateways),
        json!(entry.networks),
        i64::from(entry.cps),
        i64::from(entry.channels),
        i64::from(entry.priority),
        i64::from(entry.weight),
        milliseconds(entry.pdd_timeout),
        milliseconds(entry.ring_timeout),
        milliseconds(entry.session_expires),
        json!(entry.failover_statuses),
        entry.failover_after_early_media,
        milliseconds(entry.probe_interval),
        entry.oversize.as_str(),
        json!(entry.callee_rules),
        json!(entry.caller_rules),
        json!(entry.header_rules),
        entry.trusted,
        json!(entry.media),
        json!(entry.identity),
        entry.verify_identity.as_str(),
        entry.sign_calls,
        entry.hide_topology,
        stored_time(now),
    )?;
    Ok(())
}

/// A partition in which this vendor has rates.
///
/// # Errors
/// When the database cannot be asked.
pub async fn partition_of(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), RATE, id)?;
    Ok(row.map(|(name,)| name))
}

/// Takes a vendor away, with the account at it.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when it has rates.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    vendor_account::delete(tx, id).await?;
    execute!(tx, DELETE, id)?;
    Ok(())
}
