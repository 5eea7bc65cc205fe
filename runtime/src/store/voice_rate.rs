//! Rates of SIP vendors, one by one and many at once.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{number, stored_time};
use super::provisioning::VoiceRateEntry;
use super::{Bulk, Db, Error, Sql, Tx, execute, execute_rows, fetch_all, statements, tx_optional};
use crate::clock::Timestamp;
use crate::model::Money;

/// Columns of a rate, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, p.name AS partition_name, r.prefix, v.name AS vendor_name, r.rate, r.priority, r.weight, r.blocked, \
             r.created_at, r.updated_at FROM voice.vendor_rates r \
             JOIN voice.partitions p ON p.id = r.partition_id JOIN voice.vendors v ON v.id = r.vendor_id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE r.vendor_id = $1 AND (p.name > $2 OR (p.name = $2 AND r.prefix > $3)) AND ($4 = '' OR p.name = $4) \
         AND ($5 = '' OR substr(r.prefix, 1, length($5)) = $5) ORDER BY p.name, r.prefix LIMIT $6"));
    ONE = Sql::both(select!("WHERE r.id = $1 AND r.vendor_id = $2"));
    OF = Sql::both(select!("WHERE r.partition_id = $1 AND r.prefix = $2 AND r.vendor_id = $3"));
    DELETE = Sql::both("DELETE FROM voice.vendor_rates WHERE id = $1");
    DELETE_ALL = Sql::both("DELETE FROM voice.vendor_rates WHERE partition_id = $1 AND vendor_id = $2");
}

pub(crate) static UPSERT: Bulk = Bulk::new(
    "INSERT INTO voice.vendor_rates (id, partition_id, prefix, vendor_id, rate, priority, weight, blocked, \
     created_at, updated_at) VALUES ",
    10,
    " ON CONFLICT (partition_id, prefix, vendor_id) DO UPDATE SET rate = excluded.rate, \
     priority = excluded.priority, weight = excluded.weight, blocked = excluded.blocked, \
     updated_at = excluded.updated_at",
);

/// What a vendor takes for a destination, within a partition.
#[derive(Debug, Clone, Serialize)]
pub struct VoiceRate {
    /// Primary key.
    pub id: Uuid,
    /// What it is to be.
    #[serde(flatten)]
    pub entry: VoiceRateEntry,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    partition_name: String,
    prefix: String,
    vendor_name: String,
    rate: i64,
    priority: i64,
    weight: i64,
    blocked: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for VoiceRate {
    fn from(row: Record) -> Self {
        let entry = VoiceRateEntry {
            partition: row.partition_name,
            prefix: row.prefix,
            vendor: row.vendor_name,
            rate: Money::from_nanos(row.rate),
            priority: i32::try_from(row.priority).unwrap_or(i32::MAX),
            weight: number(row.weight),
            blocked: row.blocked,
        };
        Self { id: row.id, entry, created_at: row.created_at.into(), updated_at: row.updated_at.into() }
    }
}

/// Which rates of a vendor; empty text is no filter.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Name of the partition.
    pub partition: &'a str,
    /// What the prefix begins with.
    pub prefix: &'a str,
    /// Name of the partition and the prefix behind which the page begins; both empty is from the first.
    pub after: (&'a str, &'a str),
}

/// Rates of a vendor in the order of their partitions' names and of their prefixes.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(db: &Db, vendor: Uuid, filter: &Filter<'_>, limit: u32) -> Result<Vec<VoiceRate>, Error> {
    let (partition, prefix) = filter.after;
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        vendor,
        partition.to_owned(),
        prefix.to_owned(),
        filter.partition.to_owned(),
        filter.prefix.to_owned(),
        i64::from(limit),
    )?;
    Ok(rows.into_iter().map(VoiceRate::from).collect())
}

/// One rate of a vendor as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, vendor: Uuid, id: Uuid) -> Result<Option<VoiceRate>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id, vendor)?;
    Ok(row.map(VoiceRate::from))
}

/// What a vendor takes for exactly this prefix in a partition.
///
/// # Errors
/// When the database cannot be asked.
pub async fn of(
    tx: &mut Tx,
    (partition, vendor): (Uuid, Uuid),
    prefix: &str,
) -> Result<Option<VoiceRate>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, OF, partition, prefix.to_owned(), vendor)?;
    Ok(row.map(VoiceRate::from))
}

/// A rate as it is to be stored; its names are those of these keys.
#[derive(Debug, Clone, Copy)]
pub struct RateRow<'a> {
    /// The partition.
    pub partition: Option<Uuid>,
    /// The vendor.
    pub vendor: Option<Uuid>,
    /// The rate.
    pub rate: &'a VoiceRateEntry,
}

/// Writes rates, none twice; those that are there already are made equal to them, and keep their ids.
///
/// # Errors
/// When the database refuses.
pub async fn put(tx: &mut Tx, rows: &[RateRow<'_>], now: Timestamp) -> Result<(), Error> {
    let now = stored_time(now);
    execute_rows!(tx, UPSERT, rows, |row| (
        Uuid::new_v4(),
        row.partition,
        row.rate.prefix.clone(),
        row.vendor,
        row.rate.rate.nanos(),
        i64::from(row.rate.priority),
        i64::from(row.rate.weight),
        row.rate.blocked,
        now,
        now,
    ));
    Ok(())
}

/// Takes a rate away.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}

/// Takes all rates of a vendor in a partition away; says how many there were.
///
/// # Errors
/// When the database refuses.
pub async fn delete_all(tx: &mut Tx, partition: Uuid, vendor: Uuid) -> Result<u64, Error> {
    execute!(tx, DELETE_ALL, partition, vendor)
}
