//! ESME accounts, one by one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{AccountRecord, account, collect, stored_time};
use super::provisioning::EsmeAccountEntry;
use super::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional, webhook};
use crate::clock::Timestamp;
use crate::password::PasswordHash;

/// Columns of an account, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.system_id, a.customer_id, a.password_hash, a.active, a.binds_max, a.bind_modes, \
             a.\"window\", a.throughput, a.ip_whitelist, a.default_alphabet, a.message_id_format, a.transcode, \
             a.created_at, a.updated_at, c.ban FROM messaging.esme_accounts a \
             JOIN accounts.customers c ON c.id = a.customer_id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!("WHERE a.customer_id = $1 AND a.system_id > $2 ORDER BY a.system_id LIMIT $3"));
    ONE = Sql::both(select!("WHERE a.id = $1 AND a.customer_id = $2"));
    TAKEN = Sql::both("SELECT id FROM messaging.esme_accounts WHERE system_id = $1");
    UPSERT = Sql::both(
        "INSERT INTO messaging.esme_accounts (id, system_id, customer_id, password_hash, active, binds_max, \
         bind_modes, \"window\", throughput, ip_whitelist, default_alphabet, message_id_format, transcode, \
         created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) \
         ON CONFLICT (system_id) DO UPDATE SET customer_id = excluded.customer_id, \
         password_hash = excluded.password_hash, active = excluded.active, binds_max = excluded.binds_max, \
         bind_modes = excluded.bind_modes, \"window\" = excluded.\"window\", throughput = excluded.throughput, \
         ip_whitelist = excluded.ip_whitelist, default_alphabet = excluded.default_alphabet, \
         message_id_format = excluded.message_id_format, transcode = excluded.transcode, \
         updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM messaging.esme_accounts WHERE id = $1");
    NUMBER = Sql::both("SELECT number FROM voice.dids WHERE esme_account_id = $1 ORDER BY number LIMIT 1");
}

/// An ESME account.
#[derive(Debug, Clone, Serialize)]
pub struct EsmeAccount {
    /// Primary key.
    pub id: Uuid,
    /// What it is to be.
    #[serde(flatten)]
    pub entry: EsmeAccountEntry,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Hash of its password; shown to nobody.
    #[serde(skip)]
    pub password: PasswordHash,
}

#[derive(FromRow)]
struct Record {
    #[sqlx(flatten)]
    account: AccountRecord,
    ban: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for EsmeAccount {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let account = account(row.account)?;
        Ok(Self {
            id: account.id,
            entry: EsmeAccountEntry::of(&account, row.ban.parse()?),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            password: account.password,
        })
    }
}

/// Accounts of a customer behind the `system_id` given, in the order of theirs.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, customer: Uuid, after: &str, limit: u32) -> Result<Vec<EsmeAccount>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, PAGE, customer, after.to_owned(), i64::from(limit))?;
    collect(rows, EsmeAccount::try_from)
}

/// One account of a customer.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, customer: Uuid, id: Uuid) -> Result<Option<EsmeAccount>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id, customer)?;
    row.map(EsmeAccount::try_from).transpose()
}

/// One account of a customer as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, customer: Uuid, id: Uuid) -> Result<Option<EsmeAccount>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id, customer)?;
    row.map(EsmeAccount::try_from).transpose()
}

/// Whether an account has this `system_id`, whosever it is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_taken(tx: &mut Tx, system_id: &str) -> Result<bool, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), TAKEN, system_id.to_owned())?;
    Ok(row.is_some())
}

/// Writes an account; one of this `system_id` that is there already is made equal to it, and keeps its id.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    (id, customer): (Uuid, Option<Uuid>),
    (entry, hash): (&EsmeAccountEntry, &PasswordHash),
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        UPSERT,
        id,
        entry.system_id.as_str().to_owned(),
        customer,
        hash.as_str().to_owned(),
        entry.active,
        i64::from(entry.binds_max),
        entry.bind_modes.to_string(),
        i64::from(entry.window),
        i64::from(entry.throughput),
        json!(entry.ip_whitelist),
        entry.default_alphabet.as_str(),
        entry.message_id_format.as_str(),
        entry.transcode,
        stored_time(now),
    )?;
    Ok(())
}

/// A number whose messages go to this account.
///
/// # Errors
/// When the database cannot be asked.
pub async fn number_of(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), NUMBER, id)?;
    Ok(row.map(|(number,)| number))
}

/// Takes an account away, and its webhook.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when a number names it.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    webhook::delete(tx, id).await?;
    execute!(tx, DELETE, id)?;
    Ok(())
}
