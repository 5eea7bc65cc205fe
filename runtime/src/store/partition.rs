//! Partitions, one by one, and the vendors that have rates in them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::{collect, stored_time};
use super::provisioning::{PartitionEntry, next_number};
use super::{Db, Error, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;
use crate::model::{Money, VendorStatus};

statements! {
    PAGE = Sql::both(
        "SELECT id, name, created_at, updated_at FROM voice.partitions \
         WHERE name > $1 AND lower(name) LIKE $2 ESCAPE '!' ORDER BY name LIMIT $3");
    ONE = Sql::both("SELECT id, name, created_at, updated_at FROM voice.partitions WHERE id = $1");
    TAKEN = Sql::both("SELECT id FROM voice.partitions WHERE name = $1");
    UPSERT = Sql::both(
        "INSERT INTO voice.partitions (id, number, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM voice.partitions WHERE id = $1");
    TRUNK = Sql::both("SELECT name FROM accounts.trunk_groups WHERE partition_id = $1 ORDER BY name LIMIT 1");
    RATE = Sql::both(
        "SELECT v.name FROM voice.vendor_rates r JOIN voice.vendors v ON v.id = r.vendor_id \
         WHERE r.partition_id = $1 ORDER BY v.name LIMIT 1");
    VENDORS = Sql::both(
        "SELECT v.id, v.name, v.status, COUNT(*) AS prefixes, \
         MIN(CASE WHEN r.blocked THEN NULL ELSE r.rate END) AS lowest_rate \
         FROM voice.vendor_rates r JOIN voice.vendors v ON v.id = r.vendor_id \
         WHERE r.partition_id = $1 AND v.name > $2 GROUP BY v.id, v.name, v.status ORDER BY v.name LIMIT $3");
}

/// A set of offers that trunks choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Partition {
    /// Primary key.
    pub id: Uuid,
    /// Unique name; it never changes.
    #[schema(example = "wholesale")]
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

type Record = (Uuid, String, DateTime<Utc>, DateTime<Utc>);

fn partition((id, name, created_at, updated_at): Record) -> Partition {
    Partition { id, name, created_at: created_at.into(), updated_at: updated_at.into() }
}

/// Partitions behind the name given, in the order of their names; only those with `search` in it, in any case.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(
    db: &Db,
    (after, search): (&str, Option<&str>),
    limit: u32,
) -> Result<Vec<Partition>, Error> {
    let rows: Vec<Record> =
        fetch_all!(db, Record, PAGE, after.to_owned(), containing(search), i64::from(limit))?;
    Ok(rows.into_iter().map(partition).collect())
}

/// One partition.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db, id: Uuid) -> Result<Option<Partition>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id)?;
    Ok(row.map(partition))
}

/// One partition as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Partition>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id)?;
    Ok(row.map(partition))
}

/// The partition of this name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn named(tx: &mut Tx, name: &str) -> Result<Option<Uuid>, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), TAKEN, name.to_owned())?;
    Ok(row.map(|(id,)| id))
}

/// Adds a partition with the next number of its kind.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, id: Uuid, entry: &PartitionEntry, now: Timestamp) -> Result<(), Error> {
    let number = next_number(tx, "partition").await?;
    put(tx, (id, number), entry, now).await
}

/// Writes a partition; one of this name that is there already keeps its id and its number.
pub(super) async fn put(
    tx: &mut Tx,
    (id, number): (Uuid, i64),
    entry: &PartitionEntry,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(tx, UPSERT, id, number, entry.name.clone(), stored_time(now))?;
    Ok(())
}

/// A trunk that chooses from this partition.
///
/// # Errors
/// When the database cannot be asked.
pub async fn trunk_of(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), TRUNK, id)?;
    Ok(row.map(|(name,)| name))
}

/// A vendor that has rates in this partition.
///
/// # Errors
/// When the database cannot be asked.
pub async fn vendor_of(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), RATE, id)?;
    Ok(row.map(|(name,)| name))
}

/// Takes a partition away.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when a trunk or a rate names it.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}

/// A vendor that has rates in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartitionVendor {
    /// Primary key of the vendor.
    pub vendor_id: Uuid,
    /// Its name.
    #[schema(example = "atlantic")]
    pub vendor: String,
    /// Whether it gets calls.
    pub status: VendorStatus,
    /// Prefixes that it has rates for, those that are blocked among them.
    #[schema(example = 412, minimum = 1)]
    pub prefixes: i64,
    /// The lowest of its rates that are not blocked; null where all are.
    pub lowest_rate: Option<Money>,
}

#[derive(FromRow)]
struct VendorRecord {
    id: Uuid,
    name: String,
    status: String,
    prefixes: i64,
    lowest_rate: Option<i64>,
}

impl TryFrom<VendorRecord> for PartitionVendor {
    type Error = Error;

    fn try_from(row: VendorRecord) -> Result<Self, Error> {
        Ok(Self {
            vendor_id: row.id,
            vendor: row.name,
            status: row.status.parse()?,
            prefixes: row.prefixes,
            lowest_rate: row.lowest_rate.map(Money::from_nanos),
        })
    }
}

/// Vendors with rates in a partition, behind the name given, in the order of their names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn vendors(db: &Db, id: Uuid, after: &str, limit: u32) -> Result<Vec<PartitionVendor>, Error> {
    let rows: Vec<VendorRecord> =
        fetch_all!(db, VendorRecord, VENDORS, id, after.to_owned(), i64::from(limit))?;
    collect(rows, PartitionVendor::try_from)
}
