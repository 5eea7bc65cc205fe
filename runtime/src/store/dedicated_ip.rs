//! Addresses of ours at which only one customer's calls arrive.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;
use crate::schema::Address;

/// Columns of an address, in the order of `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, address, customer_id, created_at, updated_at FROM accounts.customer_dedicated_ips ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!("WHERE customer_id = $1 AND id > $2 ORDER BY id LIMIT $3"));
    BY_ID = Sql::both(select!("WHERE id = $1 AND customer_id = $2"));
    BY_ADDRESS = Sql::both(select!("WHERE address = $1"));
    COUNT = Sql::both("SELECT COUNT(*) FROM accounts.customer_dedicated_ips WHERE customer_id = $1");
    INSERT = Sql::both(
        "INSERT INTO accounts.customer_dedicated_ips (id, address, customer_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4)");
    UPSERT = Sql::both(
        "INSERT INTO accounts.customer_dedicated_ips (id, address, customer_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (address) DO UPDATE SET customer_id = excluded.customer_id, \
         updated_at = excluded.updated_at");
    DELETE_ADDRESS = Sql::both("DELETE FROM accounts.customer_dedicated_ips WHERE address = $1");
    DELETE = Sql::both("DELETE FROM accounts.customer_dedicated_ips WHERE id = $1");
}

/// An address of ours that is one customer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DedicatedIp)]
pub struct StoredAddress {
    /// Primary key.
    pub id: Uuid,
    /// Where its calls arrive.
    #[schema(value_type = Address)]
    pub address: IpAddr,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Whose it is.
    #[serde(skip)]
    pub customer: Uuid,
}

/// An address that is to be a customer's.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    /// Where its calls will arrive: an address of this installation.
    #[schema(value_type = Address)]
    pub address: IpAddr,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    address: String,
    customer_id: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for StoredAddress {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let address = row.address.parse().map_err(|_| {
            Error::new(
                ErrorKind::Other,
                format!("configuration data: {:?} is not an IP address", row.address),
            )
        })?;
        Ok(Self {
            id: row.id,
            address,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            customer: row.customer_id,
        })
    }
}

/// Addresses of a customer after the address `after`.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(
    db: &Db,
    customer: Uuid,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<StoredAddress>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    let rows: Vec<Record> = fetch_all!(db, Record, PAGE, customer, after, i64::from(limit))?;
    rows.into_iter().map(StoredAddress::try_from).collect()
}

/// One address of a customer.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, customer: Uuid, id: Uuid) -> Result<Option<StoredAddress>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id, customer)?;
    row.map(StoredAddress::try_from).transpose()
}

/// One address of a customer as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, customer: Uuid, id: Uuid) -> Result<Option<StoredAddress>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id, customer)?;
    row.map(StoredAddress::try_from).transpose()
}

/// An address, whosever it is.
///
/// # Errors
/// As [`page`].
pub async fn by_address(tx: &mut Tx, address: IpAddr) -> Result<Option<StoredAddress>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ADDRESS, address.to_string())?;
    row.map(StoredAddress::try_from).transpose()
}

/// How many addresses a customer has.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count(tx: &mut Tx, customer: Uuid) -> Result<i64, Error> {
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), COUNT, customer)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Gives a customer an address.
///
/// # Errors
/// [`ErrorKind::Constraint`] when somebody has it.
pub async fn insert(tx: &mut Tx, address: &StoredAddress) -> Result<(), Error> {
    let StoredAddress { id, address, created_at, customer, .. } = address;
    execute!(tx, INSERT, *id, address.to_string(), *customer, stored_time(*created_at))?;
    Ok(())
}

/// Makes an address a customer's, whosever it was, or nobody's own.
pub(super) async fn put(
    tx: &mut Tx,
    address: IpAddr,
    customer: Option<Uuid>,
    now: Timestamp,
) -> Result<(), Error> {
    match customer {
        Some(customer) => {
            execute!(tx, UPSERT, Uuid::new_v4(), address.to_string(), customer, stored_time(now))?
        }
        None => execute!(tx, DELETE_ADDRESS, address.to_string())?,
    };
    Ok(())
}

/// Takes an address back.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}
