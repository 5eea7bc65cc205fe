//! Where trunks that register are reached, as all nodes see it.
//!
//! Every change raises a version of its own ([`raise`]), which is not that of the configuration: who changes
//! bindings waits there for whoever does it at the same time, and what is read behind it stays as it is until
//! the commit. Nodes read what changed since the version that they know. On PostgreSQL nobody waits there for long,
//! and who stands still behind it is thrown out: all nodes wait for it.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::{collect, stored_time};
use super::sql::of_pg;
use super::{
    Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_all, tx_optional,
};
use crate::clock::Timestamp;
use crate::model::Transport;
use crate::schema::SocketAddress;

/// Columns of a registration, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, trunk_id, contact, path, q, call_id, cseq, source, transport, node, listener, user_agent, \
             registered_at, expires_at, version FROM voice.registrations ",
            $rest
        )
    };
}

statements! {
    RAISE = Sql::both(
        "UPDATE voice.registration_version SET version = version + 1 WHERE id = 1 RETURNING version");
    VERSION = Sql::both("SELECT version FROM voice.registration_version WHERE id = 1");
    OF_TRUNK = Sql::both(select!("WHERE trunk_id = $1 ORDER BY id"));
    LIVING = Sql::both(select!("WHERE expires_at > $1 AND id > $2 ORDER BY id LIMIT $3"));
    PAGE = Sql::both(select!("WHERE trunk_id = $1 AND expires_at > $2 AND id > $3 ORDER BY id LIMIT $4"));
    BY_ID = Sql::both(select!("WHERE id = $1 AND trunk_id = $2 AND expires_at > $3"));
    SINCE = Sql::both(select!("WHERE (version, id) > ($1, $2) ORDER BY version, id LIMIT $3"));
    UPSERT = Sql::both(
        "INSERT INTO voice.registrations (id, trunk_id, contact, path, q, call_id, cseq, source, transport, node, \
         listener, user_agent, registered_at, expires_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (id) DO UPDATE SET contact = excluded.contact, path = excluded.path, q = excluded.q, \
         call_id = excluded.call_id, cseq = excluded.cseq, source = excluded.source, \
         transport = excluded.transport, node = excluded.node, listener = excluded.listener, \
         user_agent = excluded.user_agent, registered_at = excluded.registered_at, \
         expires_at = excluded.expires_at, version = excluded.version");
    EXPIRE = Sql::both("UPDATE voice.registrations SET expires_at = $2, version = $3 WHERE id = $1");
    SWEEP = Sql::both("DELETE FROM voice.registrations WHERE expires_at < $1");
}

/// So long a change waits for those before it, and so long others wait for one whose node stands still in the middle of
/// it. Both end with the transaction.
const BOUNDED: &str = "SELECT set_config('lock_timeout', '2s', true), \
                       set_config('idle_in_transaction_session_timeout', '5s', true)";
/// What comes behind waits as everything else does.
const WAITS_AGAIN: &str = "SET LOCAL lock_timeout = DEFAULT";

/// A contact that a trunk has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Registration)]
pub struct StoredRegistration {
    /// Primary key.
    pub id: Uuid,
    /// Whose it is.
    #[serde(skip)]
    pub trunk: Uuid,
    /// The URI that calls to it are for.
    #[schema(example = "sip:acme@10.0.0.7:5060")]
    pub contact: String,
    /// Where it registered from: calls to it go there.
    #[schema(value_type = SocketAddress)]
    pub source: SocketAddr,
    /// How it registered.
    pub transport: Transport,
    /// Proxies on the way to it, as a Route; empty without.
    #[schema(example = "<sip:edge.example.net;lr>")]
    pub path: String,
    /// Its preference in thousandths: the greatest is called first.
    #[schema(maximum = 1000, example = 1000)]
    pub q: u16,
    /// Number of the node that it registered at.
    #[schema(example = 1)]
    pub node: u16,
    /// The listener that it registered at, by its place in the configuration of that node.
    #[serde(skip)]
    pub listener: u16,
    /// Call-ID of the request.
    #[serde(skip)]
    pub call_id: String,
    /// CSeq of the request.
    #[serde(skip)]
    pub cseq: u32,
    /// What it calls itself; empty where it does not.
    #[schema(example = "Asterisk PBX 20.9.2")]
    pub user_agent: String,
    /// When it registered last.
    pub registered_at: Timestamp,
    /// When it is no more, unless it registers again before.
    pub expires_at: Timestamp,
    /// The change that wrote it.
    #[serde(skip)]
    pub version: i64,
}

impl StoredRegistration {
    /// Whether it is there at this time.
    #[must_use]
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// Whether the same request has made both.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let request = |one: &Self| (one.id, one.cseq, one.source, one.registered_at);
        request(self) == request(other) && self.call_id == other.call_id
    }
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    trunk_id: Uuid,
    contact: String,
    path: String,
    q: i64,
    call_id: String,
    cseq: i64,
    source: String,
    transport: String,
    node: i64,
    listener: i64,
    user_agent: String,
    registered_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    version: i64,
}

fn registration(row: Record) -> Result<StoredRegistration, Error> {
    let source = row.source.parse().map_err(|_| {
        let text = format!("registrations: {:?} is not an IP address and a port", row.source);
        Error::new(ErrorKind::Other, text)
    })?;
    Ok(StoredRegistration {
        id: row.id,
        trunk: row.trunk_id,
        contact: row.contact,
        source,
        transport: row.transport.parse()?,
        path: row.path,
        q: short(row.q),
        node: short(row.node),
        listener: short(row.listener),
        call_id: row.call_id,
        cseq: u32::try_from(row.cseq).unwrap_or(0),
        user_agent: row.user_agent,
        registered_at: row.registered_at.into(),
        expires_at: row.expires_at.into(),
        version: row.version,
    })
}

fn short(value: i64) -> u16 {
    u16::try_from(value).unwrap_or(0)
}

/// The version of a change that begins. Others who begin one wait for the end of the transaction.
///
/// # Errors
/// When the database refuses, or another change does not end in time.
pub async fn raise(tx: &mut Tx) -> Result<i64, Error> {
    set(tx, BOUNDED).await?;
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), RAISE)?;
    set(tx, WAITS_AGAIN).await?;
    row.map(|(version,)| version).ok_or_else(no_version)
}

fn no_version() -> Error {
    Error::new(ErrorKind::Other, "voice.registration_version has no row")
}

/// SQLite has one writer, which is waited for before the transaction.
async fn set(tx: &mut Tx, text: &'static str) -> Result<(), Error> {
    if let Tx::Pg(tx) = tx {
        of_pg::execute(tx, sqlx::query(text)).await?;
    }
    Ok(())
}

/// The version of the last change.
///
/// # Errors
/// When the database cannot be asked.
pub async fn version(db: &Db) -> Result<i64, Error> {
    let row: Option<(i64,)> = fetch_optional!(db, (i64,), VERSION)?;
    row.map(|(version,)| version).ok_or_else(no_version)
}

/// What a trunk has registered, as a transaction sees it: what is no more, too, until it is deleted.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn of_trunk(tx: &mut Tx, trunk: Uuid) -> Result<Vec<StoredRegistration>, Error> {
    let rows: Vec<Record> = tx_all!(tx, Record, OF_TRUNK, trunk)?;
    collect(rows, registration)
}

/// What all trunks have registered, after the registration `after`.
///
/// # Errors
/// As [`of_trunk`].
pub async fn living(
    db: &Db,
    now: Timestamp,
    (after, limit): (Uuid, u32),
) -> Result<Vec<StoredRegistration>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, LIVING, stored_time(now), after, i64::from(limit))?;
    collect(rows, registration)
}

/// What a trunk has registered, after the registration `after`.
///
/// # Errors
/// As [`of_trunk`].
pub async fn page(
    db: &Db,
    trunk: Uuid,
    now: Timestamp,
    (after, limit): (Option<Uuid>, u32),
) -> Result<Vec<StoredRegistration>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    let rows: Vec<Record> = fetch_all!(db, Record, PAGE, trunk, stored_time(now), after, i64::from(limit))?;
    collect(rows, registration)
}

/// One registration of a trunk.
///
/// # Errors
/// As [`of_trunk`].
pub async fn get(
    db: &Db,
    (trunk, id): (Uuid, Uuid),
    now: Timestamp,
) -> Result<Option<StoredRegistration>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id, trunk, stored_time(now))?;
    row.map(registration).transpose()
}

/// One registration of a trunk as it is in this transaction.
///
/// # Errors
/// As [`of_trunk`].
pub async fn find(
    tx: &mut Tx,
    (trunk, id): (Uuid, Uuid),
    now: Timestamp,
) -> Result<Option<StoredRegistration>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id, trunk, stored_time(now))?;
    row.map(registration).transpose()
}

/// What changed after a version and, within that, a registration: in the order of the changes, those among it
/// that are no more.
///
/// # Errors
/// As [`of_trunk`].
pub async fn since(
    db: &Db,
    (version, id): (i64, Uuid),
    limit: u32,
) -> Result<Vec<StoredRegistration>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, SINCE, version, id, i64::from(limit))?;
    collect(rows, registration)
}

/// Writes a registration, with the version of this change.
///
/// # Errors
/// When the database refuses.
pub async fn put(tx: &mut Tx, registration: &StoredRegistration, version: i64) -> Result<(), Error> {
    let one = registration;
    execute!(
        tx,
        UPSERT,
        one.id,
        one.trunk,
        one.contact.clone(),
        one.path.clone(),
        i64::from(one.q),
        one.call_id.clone(),
        i64::from(one.cseq),
        one.source.to_string(),
        one.transport.as_str(),
        i64::from(one.node),
        i64::from(one.listener),
        one.user_agent.clone(),
        stored_time(one.registered_at),
        stored_time(one.expires_at),
        version,
    )?;
    Ok(())
}

/// Takes a registration back, with the version of this change.
///
/// # Errors
/// When the database refuses.
pub async fn remove(tx: &mut Tx, id: Uuid, now: Timestamp, version: i64) -> Result<(), Error> {
    execute!(tx, EXPIRE, id, stored_time(now), version)?;
    Ok(())
}

/// Deletes what was no more at that time; how much it was.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(db: &Db, before: Timestamp) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    let deleted = execute!(&mut tx, SWEEP, stored_time(before))?;
    tx.commit().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests;
