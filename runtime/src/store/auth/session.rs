//! Logins. A session has one refresh token at a time; each use exchanges it.

use chrono::{DateTime, Utc};
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::messaging::stored_time;
use crate::store::{Db, Error, Sql, Tx, execute, fetch_optional, statements, tx_optional};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, refresh_hash, address, expires_at, revoked_at, created_at FROM auth.sessions ",
            $rest
        )
    };
}

statements! {
    BY_ID = Sql::both(select!("WHERE id = $1"));
    BY_TOKEN = Sql::both(select!("WHERE refresh_hash = $1 OR used_hash = $1"));
    INSERT = Sql::both(
        "INSERT INTO auth.sessions (id, user_id, refresh_hash, used_hash, address, expires_at, revoked_at, \
         created_at, updated_at) VALUES ($1, $2, $3, NULL, $4, $5, NULL, $6, $6)");
    EXCHANGE = Sql::both(
        "UPDATE auth.sessions SET used_hash = refresh_hash, refresh_hash = $2, updated_at = $3 \
         WHERE id = $1 AND refresh_hash = $4 AND revoked_at IS NULL");
    REVOKE = Sql::both("UPDATE auth.sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL");
    REVOKE_ALL = Sql::both("UPDATE auth.sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL");
    REVOKE_OTHERS = Sql::both(
        "UPDATE auth.sessions SET revoked_at = $2 WHERE user_id = $1 AND id <> $3 AND revoked_at IS NULL");
    FORGET = Sql::both("DELETE FROM auth.sessions WHERE expires_at <= $1");
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Primary key; `sid` of its access tokens.
    pub id: Uuid,
    /// Who logged in.
    pub user: Uuid,
    /// SHA-256 of the refresh token that is good now.
    pub refresh_hash: Vec<u8>,
    /// Where it was made from.
    pub address: String,
    /// After which no token of it is good.
    pub expires_at: Timestamp,
    /// When it was ended before its time.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Session {
    /// Whether its tokens are good.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    user_id: Uuid,
    refresh_hash: Vec<u8>,
    address: String,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Record> for Session {
    fn from(row: Record) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            refresh_hash: row.refresh_hash,
            address: row.address,
            expires_at: row.expires_at.into(),
            revoked_at: row.revoked_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        }
    }
}

/// One session.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_id(db: &Db, id: Uuid) -> Result<Option<Session>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    Ok(row.map(Session::from))
}

/// The session of a refresh token as [`by_token`] finds it, outside a transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn of_token(db: &Db, hash: &[u8]) -> Result<Option<Session>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_TOKEN, hash.to_vec())?;
    Ok(row.map(Session::from))
}

/// The session of a refresh token, whether the token is good now or was exchanged for the one that is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_token(tx: &mut Tx, hash: &[u8]) -> Result<Option<Session>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_TOKEN, hash.to_vec())?;
    Ok(row.map(Session::from))
}

/// Adds a session.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), Error> {
    let Session { id, user, refresh_hash, address, expires_at, created_at, .. } = session;
    let (expires, created) = (stored_time(*expires_at), stored_time(*created_at));
    execute!(tx, INSERT, *id, *user, refresh_hash.clone(), address.clone(), expires, created)?;
    Ok(())
}

/// Exchanges a refresh token; false when it is no longer the good one.
///
/// # Errors
/// When the database refuses.
pub async fn exchange(
    tx: &mut Tx,
    id: Uuid,
    (from, to): (&[u8], &[u8]),
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(execute!(tx, EXCHANGE, id, to.to_vec(), stored_time(now), from.to_vec())? > 0)
}

/// Ends a session.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Error> {
    Ok(execute!(tx, REVOKE, id, stored_time(now))? > 0)
}

/// Ends all sessions of a user; gives how many.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_all(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<u64, Error> {
    execute!(tx, REVOKE_ALL, user, stored_time(now))
}

/// Ends all sessions of a user but one; gives how many.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_others(tx: &mut Tx, user: Uuid, kept: Uuid, now: Timestamp) -> Result<u64, Error> {
    execute!(tx, REVOKE_OTHERS, user, stored_time(now), kept)
}

/// Forgets sessions that expired before `until`.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut Tx, until: Timestamp) -> Result<u64, Error> {
    execute!(tx, FORGET, stored_time(until))
}
