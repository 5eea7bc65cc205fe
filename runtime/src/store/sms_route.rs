//! Routes of messages, one by one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{RouteRecord, collect, route, stored_time};
use super::provisioning::SmsRouteEntry;
use super::{Db, Error, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;

/// Columns of a route, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.name, r.prefix, r.source_prefix, r.customer_id, r.vendor_id, r.priority, r.cost, \
             r.weight, r.uncertain, r.active, r.created_at, r.updated_at, v.instance_name, c.ban \
             FROM messaging.routes r JOIN messaging.vendors v ON v.id = r.vendor_id \
             LEFT JOIN accounts.customers c ON c.id = r.customer_id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE r.name > $1 AND lower(r.name) LIKE $2 ESCAPE '!' AND ($3 = '' OR v.instance_name = $3) \
         AND ($4 = '' OR c.ban = $4) AND ($5 = '' OR substr(r.prefix, 1, length($5)) = $5) \
         ORDER BY r.name LIMIT $6"));
    ONE = Sql::both(select!("WHERE r.id = $1"));
    TAKEN = Sql::both("SELECT id FROM messaging.routes WHERE name = $1");
    CUSTOMER = Sql::both("SELECT id FROM accounts.customers WHERE ban = $1");
    UPSERT = Sql::both(
        "INSERT INTO messaging.routes (id, name, prefix, source_prefix, customer_id, vendor_id, priority, cost, \
         weight, uncertain, active, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (name) DO UPDATE SET \
         prefix = excluded.prefix, source_prefix = excluded.source_prefix, customer_id = excluded.customer_id, \
         vendor_id = excluded.vendor_id, priority = excluded.priority, cost = excluded.cost, \
         weight = excluded.weight, uncertain = excluded.uncertain, active = excluded.active, \
         updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM messaging.routes WHERE id = $1");
}

/// A route of messages.
#[derive(Debug, Clone, Serialize)]
pub struct SmsRoute {
    /// Primary key.
    pub id: Uuid,
    /// What it is to be.
    #[serde(flatten)]
    pub entry: SmsRouteEntry,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Record {
    #[sqlx(flatten)]
    route: RouteRecord,
    instance_name: String,
    ban: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for SmsRoute {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let route = route(row.route)?;
        Ok(Self {
            id: route.id,
            entry: SmsRouteEntry::of(&route, row.instance_name, row.ban.unwrap_or_default()),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// Which routes of a list; empty text is no filter.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Part of the name, in any case.
    pub search: Option<&'a str>,
    /// `instance_name` of the vendor.
    pub vendor: &'a str,
    /// BAN of the customer that the route is for alone.
    pub customer: &'a str,
    /// What the prefix begins with.
    pub prefix: &'a str,
    /// The name behind which the page begins.
    pub after: &'a str,
}

/// Routes in the order of their names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<SmsRoute>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.to_owned(),
        containing(filter.search),
        filter.vendor.to_owned(),
        filter.customer.to_owned(),
        filter.prefix.to_owned(),
        i64::from(limit),
    )?;
    collect(rows, SmsRoute::try_from)
}

/// One route.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, id: Uuid) -> Result<Option<SmsRoute>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id)?;
    row.map(SmsRoute::try_from).transpose()
}

/// One route as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<SmsRoute>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id)?;
    row.map(SmsRoute::try_from).transpose()
}

/// Whether a route has this name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_taken(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), TAKEN, name.to_owned())?;
    Ok(row.is_some())
}

/// The customer of this BAN.
///
/// # Errors
/// When the database cannot be asked.
pub async fn customer(tx: &mut Tx, ban: &str) -> Result<Option<Uuid>, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), CUSTOMER, ban.to_owned())?;
    Ok(row.map(|(id,)| id))
}

/// Writes a route for a customer, or for all, to a vendor; one of this name that is there already is made equal to it,
/// and keeps its id.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    id: Uuid,
    (customer, vendor): (Option<Uuid>, Option<Uuid>),
    entry: &SmsRouteEntry,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        UPSERT,
        id,
        entry.name.clone(),
        entry.prefix.clone(),
        entry.source_prefix.clone(),
        customer,
        vendor,
        i64::from(entry.priority),
        entry.cost.nanos(),
        i64::from(entry.weight),
        entry.uncertain.word(),
        entry.active,
        stored_time(now),
    )?;
    Ok(())
}

/// Takes a route away.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}
