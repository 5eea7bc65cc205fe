//! SMS vendors, one by one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{VendorRecord, collect, stored_time, vendor};
use super::provisioning::SmsVendorEntry;
use super::{Db, Error, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;
use crate::password::SecretString;

/// Columns of a vendor, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, instance_name, display_name, provider_type, host, port, tls, tls_ca, bind_type, system_id, \
             password_sealed, system_type, binds, \"window\", throughput_limit, priority, active, \
             default_alphabet, queue_depth_max, receipts, long_messages, retryable_statuses, health_status, \
             last_health_check, created_at, updated_at FROM messaging.vendors ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE instance_name > $1 AND (lower(instance_name) LIKE $2 ESCAPE '!' OR lower(display_name) LIKE $2 \
         ESCAPE '!') AND ($3 OR active = $4) ORDER BY instance_name LIMIT $5"));
    ONE = Sql::both(select!("WHERE id = $1"));
    TAKEN = Sql::both("SELECT id FROM messaging.vendors WHERE instance_name = $1");
    UPSERT = Sql::both(
        "INSERT INTO messaging.vendors (id, instance_name, display_name, provider_type, host, port, tls, tls_ca, \
         bind_type, system_id, password_sealed, system_type, binds, \"window\", throughput_limit, priority, \
         active, default_alphabet, queue_depth_max, receipts, long_messages, retryable_statuses, capabilities, \
         health_status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, 'unknown', $24, $24) \
         ON CONFLICT (instance_name) DO UPDATE SET display_name = excluded.display_name, \
         provider_type = excluded.provider_type, host = excluded.host, port = excluded.port, \
         tls = excluded.tls, tls_ca = excluded.tls_ca, bind_type = excluded.bind_type, \
         system_id = excluded.system_id, password_sealed = excluded.password_sealed, \
         system_type = excluded.system_type, binds = excluded.binds, \"window\" = excluded.\"window\", \
         throughput_limit = excluded.throughput_limit, priority = excluded.priority, \
         active = excluded.active, default_alphabet = excluded.default_alphabet, \
         queue_depth_max = excluded.queue_depth_max, receipts = excluded.receipts, \
         long_messages = excluded.long_messages, retryable_statuses = excluded.retryable_statuses, \
         updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM messaging.vendors WHERE id = $1");
    ROUTE = Sql::both("SELECT name FROM messaging.routes WHERE vendor_id = $1 ORDER BY name LIMIT 1");
}

/// An SMS vendor.
#[derive(Debug, Clone, Serialize)]
pub struct SmsVendor {
    /// Primary key.
    pub id: Uuid,
    /// What it is to be.
    #[serde(flatten)]
    pub entry: SmsVendorEntry,
    /// How it was when it was looked at last.
    pub health_status: String,
    /// When that was.
    pub last_health_check: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Its password, sealed for this row; shown to nobody.
    #[serde(skip)]
    pub sealed: Vec<u8>,
}

#[derive(FromRow)]
struct Record {
    #[sqlx(flatten)]
    vendor: VendorRecord,
    health_status: String,
    last_health_check: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for SmsVendor {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let sealed = row.vendor.password_sealed.clone();
        // Its password is nobody's business here.
        let vendor = vendor(row.vendor, SecretString::new(""))?;
        Ok(Self {
            id: vendor.id,
            entry: SmsVendorEntry::of(&vendor),
            health_status: row.health_status,
            last_health_check: row.last_health_check.map(Timestamp::from),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            sealed,
        })
    }
}

/// Which vendors of a list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Part of one of its names, in any case.
    pub search: Option<&'a str>,
    /// Only those that are active, or that are not.
    pub active: Option<bool>,
    /// The `instance_name` behind which the page begins; empty is from the first.
    pub after: &'a str,
}

/// Vendors in the order of their instance names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<SmsVendor>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.to_owned(),
        containing(filter.search),
        filter.active.is_none(),
        filter.active.unwrap_or_default(),
        i64::from(limit),
    )?;
    collect(rows, SmsVendor::try_from)
}

/// One vendor.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, id: Uuid) -> Result<Option<SmsVendor>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id)?;
    row.map(SmsVendor::try_from).transpose()
}

/// One vendor as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<SmsVendor>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id)?;
    row.map(SmsVendor::try_from).transpose()
}

/// The vendor of this `instance_name`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn named(tx: &mut Tx, instance_name: &str) -> Result<Option<Uuid>, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), TAKEN, instance_name.to_owned())?;
    Ok(row.map(|(id,)| id))
}

/// Writes a vendor with its password, sealed for the row of this id; one of this `instance_name` that is there already
/// is made equal to it, and keeps its id.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    id: Uuid,
    (entry, sealed): (&SmsVendorEntry, &[u8]),
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        UPSERT,
        id,
        entry.instance_name.clone(),
        entry.display_name.clone(),
        entry.provider_type.clone(),
        entry.host.clone(),
        i64::from(entry.port),
        entry.tls,
        entry.tls_ca.clone(),
        entry.bind_type.as_str(),
        entry.system_id.as_str().to_owned(),
        sealed.to_vec(),
        entry.system_type.clone(),
        i64::from(entry.binds),
        i64::from(entry.window),
        i64::from(entry.throughput_limit),
        i64::from(entry.priority),
        entry.active,
        entry.default_alphabet.as_str(),
        i64::from(entry.queue_depth_max),
        if entry.receipts_always { "always" } else { "asked" },
        if entry.long_as_payload { "payload" } else { "split" },
        json!(entry.retryable_statuses),
        json!({"sms": true, "mms": false, "unicode": true}),
        stored_time(now),
    )?;
    Ok(())
}

/// A route that leads to this vendor.
///
/// # Errors
/// When the database cannot be asked.
pub async fn route_to(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), ROUTE, id)?;
    Ok(row.map(|(name,)| name))
}

/// Takes a vendor away.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when a route leads to it.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}
