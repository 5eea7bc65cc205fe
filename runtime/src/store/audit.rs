//! What was done by the interface, and the answers that are given again to a repeated request.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements};
use crate::clock::Timestamp;

statements! {
    INSERT = Sql::both(
        "INSERT INTO auth.audit (id, at, principal, address, request_id, action, resource, customer_id, state_before, \
         state_after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    RECENT = Sql::both(
        "SELECT id, at, principal, address, request_id, action, resource, customer_id, state_before, state_after \
         FROM auth.audit WHERE id < $1 AND (customer_id = $2 OR $3) ORDER BY id DESC LIMIT $4");
    REMEMBER = Sql::both(
        "INSERT INTO auth.idempotency_keys (principal, key, request_hash, status, location, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)");
    REMEMBERED = Sql::both(
        "SELECT request_hash, status, location, body FROM auth.idempotency_keys WHERE principal = $1 AND key = $2 \
         AND created_at > $3");
    FORGET = Sql::both("DELETE FROM auth.idempotency_keys WHERE created_at <= $1");
}

/// One write by the interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// A UUID of version 7: entries are in order of time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: `user:…`, `key:…`, `bootstrap`, `control`.
    pub principal: String,
    /// From where.
    pub address: String,
    /// The request.
    pub request_id: String,
    /// What: `create`, `update`, `delete` or the word of a command.
    pub action: String,
    /// On what: its path in the interface.
    pub resource: String,
    /// The customer whose it is.
    pub customer: Option<Uuid>,
    /// As it was shown before; never a secret.
    pub before: Option<Value>,
    /// As it is shown now.
    pub after: Option<Value>,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    at: DateTime<Utc>,
    principal: String,
    address: String,
    request_id: String,
    action: String,
    resource: String,
    customer_id: Option<Uuid>,
    state_before: Option<Json<Value>>,
    state_after: Option<Json<Value>>,
}

impl From<Record> for Entry {
    fn from(row: Record) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            principal: row.principal,
            address: row.address,
            request_id: row.request_id,
            action: row.action,
            resource: row.resource,
            customer: row.customer_id,
            before: row.state_before.map(|json| json.0),
            after: row.state_after.map(|json| json.0),
        }
    }
}

/// Adds an entry to the write that it tells of.
///
/// # Errors
/// When the database refuses.
pub async fn record(tx: &mut Tx, entry: Entry) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        entry.id,
        stored_time(entry.at),
        entry.principal.clone(),
        entry.address.clone(),
        entry.request_id.clone(),
        entry.action.clone(),
        entry.resource.clone(),
        entry.customer,
        entry.before.clone().map(Json),
        entry.after.clone().map(Json),
    )?;
    Ok(())
}

/// Entries before `before`, the newest first; of one customer or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn recent(
    db: &Db,
    customer: Option<Uuid>,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let before = before.unwrap_or(Uuid::max());
    let rows: Vec<Record> =
        fetch_all!(db, Record, RECENT, before, customer, customer.is_none(), i64::from(limit))?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of the request: method, path and body.
    pub request_hash: Vec<u8>,
    /// HTTP status.
    pub status: u16,
    /// Location header; empty for none.
    pub location: String,
    /// Body.
    pub body: String,
}

/// Keeps an answer in the transaction of the write.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when another request with this key came first.
pub async fn remember(
    tx: &mut Tx,
    (principal, key): (&str, &str),
    answer: &Answer,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        REMEMBER,
        principal.to_owned(),
        key.to_owned(),
        answer.request_hash.clone(),
        i16::try_from(answer.status).unwrap_or(i16::MAX),
        answer.location.clone(),
        answer.body.clone(),
        stored_time(now),
    )?;
    Ok(())
}

/// The answer that was given to this key after `since`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn remembered(
    db: &Db,
    (principal, key): (&str, &str),
    since: Timestamp,
) -> Result<Option<Answer>, Error> {
    type Row = (Vec<u8>, i16, String, String);
    let row: Option<Row> =
        fetch_optional!(db, Row, REMEMBERED, principal.to_owned(), key.to_owned(), stored_time(since))?;
    Ok(row.map(|(request_hash, status, location, body)| Answer {
        request_hash,
        status: u16::try_from(status).unwrap_or(0),
        location,
        body,
    }))
}

/// Forgets answers that were given before `until`.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut Tx, until: Timestamp) -> Result<u64, Error> {
    execute!(tx, FORGET, stored_time(until))
}
