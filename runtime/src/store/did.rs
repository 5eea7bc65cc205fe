//! Numbers of ours: the stock, and who has which.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;

/// Columns of a number, in the order of `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.number, d.customer_id, c.ban, d.esme_account_id, a.system_id, d.trunk_id, \
             t.name AS trunk, d.created_at, d.updated_at FROM voice.dids d \
             LEFT JOIN accounts.customers c ON c.id = d.customer_id \
             LEFT JOIN messaging.esme_accounts a ON a.id = d.esme_account_id \
             LEFT JOIN accounts.trunk_groups t ON t.id = d.trunk_id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE d.number > $1 AND d.number LIKE $2 AND (d.customer_id = $3 OR $4) \
         AND (d.customer_id IS NOT NULL OR $5) AND (d.customer_id IS NULL OR $6) ORDER BY d.number LIMIT $7"));
    BY_ID = Sql::both(select!("WHERE d.id = $1"));
    BY_NUMBER = Sql::both(select!("WHERE d.number = $1"));
    UPSERT = Sql::both(
        "INSERT INTO voice.dids (id, number, customer_id, esme_account_id, trunk_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (number) DO UPDATE SET \
         customer_id = excluded.customer_id, esme_account_id = excluded.esme_account_id, \
         trunk_id = excluded.trunk_id, updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM voice.dids WHERE id = $1");
    CUSTOMER = Sql::both("SELECT id FROM accounts.customers WHERE ban = $1");
    ACCOUNT = Sql::both("SELECT id, customer_id FROM messaging.esme_accounts WHERE system_id = $1");
    TRUNK = Sql::both("SELECT id, customer_id FROM accounts.trunk_groups WHERE name = $1");
}

/// A number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Did)]
pub struct StoredDid {
    /// Primary key.
    pub id: Uuid,
    /// Digits of the E.164 number.
    #[schema(example = "15550002222", pattern = "^[0-9]{1,20}$")]
    pub number: String,
    /// BAN of the customer who has it; null while in stock.
    #[schema(example = "TB-071161708")]
    pub customer: Option<String>,
    /// The ESME account that gets its messages.
    #[schema(example = "acme")]
    pub system_id: Option<String>,
    /// Name of the trunk that gets its calls.
    #[schema(example = "acme-east")]
    pub trunk: Option<String>,
    /// When it came into stock.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Who has it, by id.
    #[serde(skip)]
    pub holder: Option<Holder>,
}

/// Who has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The customer.
    pub customer: Uuid,
    /// Its ESME account that gets the messages.
    pub account: Option<Uuid>,
    /// Its trunk that gets the calls.
    pub trunk: Option<Uuid>,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    number: String,
    customer_id: Option<Uuid>,
    ban: Option<String>,
    esme_account_id: Option<Uuid>,
    system_id: Option<String>,
    trunk_id: Option<Uuid>,
    trunk: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for StoredDid {
    fn from(row: Record) -> Self {
        let (account, trunk) = (row.esme_account_id, row.trunk_id);
        Self {
            id: row.id,
            number: row.number,
            customer: row.ban,
            system_id: row.system_id,
            trunk: row.trunk,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            holder: row.customer_id.map(|customer| Holder { customer, account, trunk }),
        }
    }
}

/// Which numbers of a list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Of this customer; none: of all, and those in stock.
    pub customer: Option<Uuid>,
    /// Only those that somebody has, or only those in stock.
    pub assigned: Option<bool>,
    /// Digits that they begin with.
    pub prefix: &'a str,
    /// The number after which the page begins; empty: the first page.
    pub after: &'a str,
}

/// Numbers in the order of their digits.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<StoredDid>, Error> {
    if !filter.prefix.bytes().all(|octet| octet.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.to_owned(),
        format!("{}%", filter.prefix),
        filter.customer,
        filter.customer.is_none(),
        filter.assigned != Some(true),
        filter.assigned != Some(false),
        i64::from(limit),
    )?;
    Ok(rows.into_iter().map(StoredDid::from).collect())
}

/// One number.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db, id: Uuid) -> Result<Option<StoredDid>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    Ok(row.map(StoredDid::from))
}

/// One number as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredDid>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    Ok(row.map(StoredDid::from))
}

/// The number of these digits as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_number(tx: &mut Tx, number: &str) -> Result<Option<StoredDid>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_NUMBER, number.to_owned())?;
    Ok(row.map(StoredDid::from))
}

/// A number as it is to be stored.
pub(super) struct DidRow<'a> {
    pub(super) id: Uuid,
    pub(super) number: &'a str,
    pub(super) customer: Option<Uuid>,
    pub(super) account: Option<Uuid>,
    pub(super) trunk: Option<Uuid>,
}

/// Writes a number; one that is there already is made equal to it, and keeps its id.
pub(super) async fn put(tx: &mut Tx, row: &DidRow<'_>, now: Timestamp) -> Result<(), Error> {
    let DidRow { id, number, customer, account, trunk } = *row;
    execute!(tx, UPSERT, id, number.to_owned(), customer, account, trunk, stored_time(now))?;
    Ok(())
}

/// Adds a number and gives it as it is then.
///
/// # Errors
/// [`ErrorKind::Constraint`] when it is there already.
pub async fn insert(
    tx: &mut Tx,
    (id, number): (Uuid, &str),
    holder: Option<Holder>,
    now: Timestamp,
) -> Result<StoredDid, Error> {
    let stored = save(tx, (id, number), holder, now).await?;
    // A number that was there has kept its id; who began this takes it back.
    if stored.id != id {
        return Err(Error::new(ErrorKind::Constraint, format!("{number} is there already")));
    }
    Ok(stored)
}

/// Gives a number to somebody, or back into stock, and gives it as it is then.
///
/// # Errors
/// When the database refuses.
pub async fn assign(
    tx: &mut Tx,
    did: &StoredDid,
    holder: Option<Holder>,
    now: Timestamp,
) -> Result<StoredDid, Error> {
    save(tx, (did.id, &did.number), holder, now).await
}

async fn save(
    tx: &mut Tx,
    (id, number): (Uuid, &str),
    holder: Option<Holder>,
    now: Timestamp,
) -> Result<StoredDid, Error> {
    let row = DidRow {
        id,
        number,
        customer: holder.map(|holder| holder.customer),
        account: holder.and_then(|holder| holder.account),
        trunk: holder.and_then(|holder| holder.trunk),
    };
    put(tx, &row, now).await?;
    let gone = || Error::new(ErrorKind::Other, format!("{number} was written and is not there"));
    by_number(tx, number).await?.ok_or_else(gone)
}

/// Takes a number out of stock.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}

/// The customer of a BAN as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn customer(tx: &mut Tx, ban: &str) -> Result<Option<Uuid>, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), CUSTOMER, ban.to_owned())?;
    Ok(row.map(|(id,)| id))
}

/// The ESME account of a name, and its customer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn account(tx: &mut Tx, system_id: &str) -> Result<Option<(Uuid, Uuid)>, Error> {
    tx_optional!(tx, (Uuid, Uuid), ACCOUNT, system_id.to_owned())
}

/// The trunk of a name, and its customer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn trunk(tx: &mut Tx, name: &str) -> Result<Option<(Uuid, Uuid)>, Error> {
    tx_optional!(tx, (Uuid, Uuid), TRUNK, name.to_owned())
}
