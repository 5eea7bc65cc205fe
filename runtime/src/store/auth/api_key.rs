//! Keys of programs.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::model::Cidr;
use crate::store::messaging::stored_time;
use crate::store::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, prefix, key_hash, customer_id, permissions, addresses, expires_at, revoked_at, \
             created_by, created_at FROM auth.api_keys ",
            $rest
        )
    };
}

statements! {
    BY_HASH = Sql::both(select!("WHERE key_hash = $1"));
    BY_ID = Sql::both(select!("WHERE id = $1"));
    PAGE = Sql::both(select!("WHERE id > $1 AND (customer_id = $2 OR $3) ORDER BY id LIMIT $4"));
    INSERT = Sql::both(
        "INSERT INTO auth.api_keys (id, name, prefix, key_hash, customer_id, permissions, addresses, expires_at, \
         revoked_at, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $10)");
    REVOKE = Sql::both("UPDATE auth.api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL");
}

/// A key, without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Primary key.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// Its first characters, by which people tell keys apart.
    pub prefix: String,
    /// SHA-256 of the whole.
    pub key_hash: Vec<u8>,
    /// The customer that it works for; none: the platform.
    pub customer: Option<Uuid>,
    /// What it may do.
    pub permissions: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    pub addresses: Vec<Cidr>,
    /// After which it is no good.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// Whether it is good at this time.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires| now < expires)
    }
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    name: String,
    prefix: String,
    key_hash: Vec<u8>,
    customer_id: Option<Uuid>,
    permissions: Json<Vec<String>>,
    addresses: Json<Vec<Cidr>>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<Record> for ApiKey {
    fn from(row: Record) -> Self {
        Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            key_hash: row.key_hash,
            customer: row.customer_id,
            permissions: row.permissions.0,
            addresses: row.addresses.0,
            expires_at: row.expires_at.map(Timestamp::from),
            revoked_at: row.revoked_at.map(Timestamp::from),
            created_by: row.created_by,
            created_at: row.created_at.into(),
        }
    }
}

/// The key of this hash.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_hash(db: &Db, hash: &[u8]) -> Result<Option<ApiKey>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_HASH, hash.to_vec())?;
    Ok(row.map(ApiKey::from))
}

/// One key.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db, id: Uuid) -> Result<Option<ApiKey>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    Ok(row.map(ApiKey::from))
}

/// One key as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<ApiKey>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    Ok(row.map(ApiKey::from))
}

/// Keys after the key `after`; of one customer or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(
    db: &Db,
    customer: Option<Uuid>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    let rows: Vec<Record> =
        fetch_all!(db, Record, PAGE, after, customer, customer.is_none(), i64::from(limit))?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Adds a key.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, key: &ApiKey) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        key.id,
        key.name.clone(),
        key.prefix.clone(),
        key.key_hash.clone(),
        key.customer,
        Json(key.permissions.clone()),
        Json(key.addresses.clone()),
        key.expires_at.map(stored_time),
        key.created_by.clone(),
        stored_time(key.created_at),
    )?;
    Ok(())
}

/// Takes a key back; false when it was before.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Error> {
    Ok(execute!(tx, REVOKE, id, stored_time(now))? > 0)
}
