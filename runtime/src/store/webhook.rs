//! Webhooks: where receipts and messages of an ESME account are posted to. One for each account at most.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;
use crate::model;
use crate::seal::RootKey;

statements! {
    EVERY = Sql::both("SELECT account_id, url, secret_sealed, created_at, updated_at FROM messaging.webhooks");
    ONE = Sql::both(
        "SELECT account_id, url, secret_sealed, created_at, updated_at FROM messaging.webhooks \
         WHERE account_id = $1");
    UPSERT = Sql::both(
        "INSERT INTO messaging.webhooks (account_id, url, secret_sealed, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (account_id) DO UPDATE SET url = excluded.url, \
         secret_sealed = excluded.secret_sealed, updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM messaging.webhooks WHERE account_id = $1");
}

/// A webhook as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct StoredWebhook {
    /// Where receipts and messages are posted to.
    pub url: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// What signs them, sealed for the account; shown to nobody.
    #[serde(skip)]
    pub secret_sealed: Vec<u8>,
}

#[derive(FromRow)]
struct Record {
    account_id: Uuid,
    url: String,
    secret_sealed: Vec<u8>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for StoredWebhook {
    fn from(row: Record) -> Self {
        Self {
            url: row.url,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            secret_sealed: row.secret_sealed,
        }
    }
}

/// Every webhook whose secret opens. The others are named in the log, and what is owed to their accounts waits.
///
/// # Errors
/// When the database cannot be asked.
pub(super) async fn load(db: &Db, key: &RootKey) -> Result<Vec<model::Webhook>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, EVERY)?;
    let open = |row: Record| {
        let secret = key.open(row.account_id, &row.secret_sealed).inspect_err(|error| {
            tracing::error!(account = %row.account_id, %error, "webhook without its secret: set it again");
        });
        model::Webhook { account: row.account_id, url: row.url.into(), secret: secret.ok() }
    };
    Ok(rows.into_iter().map(open).collect())
}

/// The webhook of an account.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db, account: Uuid) -> Result<Option<StoredWebhook>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, account)?;
    Ok(row.map(Into::into))
}

/// The webhook of an account as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, account: Uuid) -> Result<Option<StoredWebhook>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, account)?;
    Ok(row.map(Into::into))
}

/// Writes the webhook of an account, its secret sealed for it.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    account: Uuid,
    (url, secret_sealed): (&str, Vec<u8>),
    now: Timestamp,
) -> Result<(), Error> {
    execute!(tx, UPSERT, account, url.to_owned(), secret_sealed, stored_time(now))?;
    Ok(())
}

/// Takes the webhook of an account away.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, account: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, account)?;
    Ok(())
}
