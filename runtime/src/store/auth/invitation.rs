//! Invitations: who may become a user, by a secret that one mail carries.

use chrono::{DateTime, Utc};
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::messaging::stored_time;
use crate::store::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, user_type, customer_id, invited_by, expires_at, sent_at, accepted_at, created_at \
             FROM auth.invitations ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE id > $1 AND (accepted_at IS NULL AND expires_at > $2 OR $3) ORDER BY id LIMIT $4"));
    BY_ID = Sql::both(select!("WHERE id = $1"));
    BY_TOKEN = Sql::both(select!("WHERE token_hash = $1"));
    INSERT = Sql::both(
        "INSERT INTO auth.invitations (id, email, user_type, customer_id, token_hash, invited_by, expires_at, sent_at, \
         accepted_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, $8)");
    RENEW = Sql::both(
        "UPDATE auth.invitations SET token_hash = $2, expires_at = $3, sent_at = NULL \
         WHERE id = $1 AND accepted_at IS NULL");
    SENT = Sql::both("UPDATE auth.invitations SET sent_at = $3 WHERE id = $1 AND token_hash = $2");
    ACCEPT = Sql::both(
        "UPDATE auth.invitations SET accepted_at = $3 \
         WHERE id = $1 AND token_hash = $2 AND accepted_at IS NULL AND expires_at > $3");
    DELETE = Sql::both("DELETE FROM auth.invitations WHERE id = $1 AND accepted_at IS NULL");
    FORGET_EXPIRED = Sql::both(
        "DELETE FROM auth.invitations WHERE email = $1 AND accepted_at IS NULL AND expires_at <= $2");
}

/// Somebody who may become a user. Its secret is kept as a hash alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Primary key, a UUID of version 7.
    pub id: Uuid,
    /// Whom; lowercase.
    pub email: String,
    /// What the user will be.
    pub user_type: String,
    /// The customer that the user will work for; none: as its type says.
    pub customer: Option<Uuid>,
    /// Who invites.
    pub invited_by: String,
    /// After which it is no good.
    pub expires_at: Timestamp,
    /// When its mail was handed over; none while it was not.
    pub sent_at: Option<Timestamp>,
    /// When it became a user.
    pub accepted_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Invitation {
    /// Whether it can be accepted.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && now < self.expires_at
    }
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    email: String,
    user_type: String,
    customer_id: Option<Uuid>,
    invited_by: String,
    expires_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Record> for Invitation {
    fn from(row: Record) -> Self {
        Self {
            id: row.id,
            email: row.email,
            user_type: row.user_type,
            customer: row.customer_id,
            invited_by: row.invited_by,
            expires_at: row.expires_at.into(),
            sent_at: row.sent_at.map(Timestamp::from),
            accepted_at: row.accepted_at.map(Timestamp::from),
            created_at: row.created_at.into(),
        }
    }
}

/// Invitations after the invitation `after`: those that can be accepted at this time, or all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn page(
    db: &Db,
    open_at: Option<Timestamp>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Invitation>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    let now = stored_time(open_at.unwrap_or_default());
    let rows: Vec<Record> = fetch_all!(db, Record, PAGE, after, now, open_at.is_none(), i64::from(limit))?;
    Ok(rows.into_iter().map(Invitation::from).collect())
}

/// One invitation.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_id(db: &Db, id: Uuid) -> Result<Option<Invitation>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    Ok(row.map(Invitation::from))
}

/// One invitation as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Invitation>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    Ok(row.map(Invitation::from))
}

/// The invitation whose secret has this hash.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_token(db: &Db, hash: &[u8]) -> Result<Option<Invitation>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_TOKEN, hash.to_vec())?;
    Ok(row.map(Invitation::from))
}

/// Adds an invitation; those of its address that expired go.
///
/// # Errors
/// [`crate::store::ErrorKind::Constraint`] when one of its address is open.
pub async fn insert(tx: &mut Tx, invitation: &Invitation, hash: &[u8]) -> Result<(), Error> {
    let created = stored_time(invitation.created_at);
    execute!(tx, FORGET_EXPIRED, invitation.email.clone(), created)?;
    execute!(
        tx,
        INSERT,
        invitation.id,
        invitation.email.clone(),
        invitation.user_type.clone(),
        invitation.customer,
        hash.to_vec(),
        invitation.invited_by.clone(),
        stored_time(invitation.expires_at),
        created,
    )?;
    Ok(())
}

/// Gives an invitation another secret, which is good until `expires_at`; false when it was accepted.
///
/// # Errors
/// When the database refuses.
pub async fn renew(tx: &mut Tx, id: Uuid, hash: &[u8], expires_at: Timestamp) -> Result<bool, Error> {
    Ok(execute!(tx, RENEW, id, hash.to_vec(), stored_time(expires_at))? > 0)
}

/// Notes that the mail with this secret was handed over.
///
/// # Errors
/// When the database refuses.
pub async fn sent(tx: &mut Tx, id: Uuid, hash: &[u8], now: Timestamp) -> Result<bool, Error> {
    Ok(execute!(tx, SENT, id, hash.to_vec(), stored_time(now))? > 0)
}

/// Uses a secret up; false when it is not good any more.
///
/// # Errors
/// When the database refuses.
pub async fn accept(tx: &mut Tx, id: Uuid, hash: &[u8], now: Timestamp) -> Result<bool, Error> {
    Ok(execute!(tx, ACCEPT, id, hash.to_vec(), stored_time(now))? > 0)
}

/// Takes an invitation back; false when it was accepted.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<bool, Error> {
    Ok(execute!(tx, DELETE, id)? > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::ErrorKind;
    use crate::store::testing::{Engine, each_engine};

    fn invitation(number: u128, email: &str, now: Timestamp) -> Invitation {
        Invitation {
            id: Uuid::from_u128(number),
            email: email.to_owned(),
            user_type: "admin".to_owned(),
            customer: None,
            invited_by: "bootstrap".to_owned(),
            expires_at: now.plus(Duration::from_secs(60)),
            sent_at: None,
            accepted_at: None,
            created_at: now,
        }
    }

    #[tokio::test]
    async fn a_secret_is_good_once_and_not_for_ever() {
        each_engine(async |engine: Engine| {
            let now = Timestamp::from_micros(1_790_000_000_000_000);
            let (late, later) = (now.plus(Duration::from_secs(60)), now.plus(Duration::from_secs(120)));
            let maria = invitation(1, "maria@example.net", now);
            let mut tx = engine.store.begin().await.unwrap();
            insert(&mut tx, &maria, &[1]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(by_token(&engine.store, &[1]).await.unwrap(), Some(maria.clone()));

            let mut tx = engine.store.begin().await.unwrap();
            let twice = insert(&mut tx, &invitation(2, "maria@example.net", now), &[2]).await.unwrap_err();
            assert_eq!(twice.kind(), ErrorKind::Constraint, "one of this address is open");
            drop(tx);

            let mut tx = engine.store.begin().await.unwrap();
            assert!(!accept(&mut tx, maria.id, &[2], now).await.unwrap(), "another secret");
            assert!(!accept(&mut tx, maria.id, &[1], late).await.unwrap(), "too late");
            assert!(renew(&mut tx, maria.id, &[3], later).await.unwrap());
            assert!(!accept(&mut tx, maria.id, &[1], now).await.unwrap(), "the secret before");
            assert!(!sent(&mut tx, maria.id, &[1], late).await.unwrap());
            assert!(sent(&mut tx, maria.id, &[3], late).await.unwrap());
            assert!(accept(&mut tx, maria.id, &[3], late).await.unwrap());
            assert!(!accept(&mut tx, maria.id, &[3], late).await.unwrap(), "a second time");
            assert!(!renew(&mut tx, maria.id, &[4], later).await.unwrap());
            assert!(!delete(&mut tx, maria.id).await.unwrap());
            insert(&mut tx, &invitation(2, "maria@example.net", now), &[2]).await.unwrap();
            insert(&mut tx, &invitation(3, "maria@example.net", later), &[5]).await.unwrap();
            assert_eq!(find(&mut tx, Uuid::from_u128(2)).await.unwrap(), None, "it had expired");
            tx.commit().await.unwrap();

            let all = page(&engine.store, None, None, 10).await.unwrap();
            let ids: Vec<u128> = all.iter().map(|one| one.id.as_u128()).collect();
            assert_eq!((ids, all[0].sent_at, all[0].accepted_at), (vec![1, 3], Some(late), Some(late)));
            let open = page(&engine.store, Some(later), None, 10).await.unwrap();
            assert_eq!(open.iter().map(|one| one.id.as_u128()).collect::<Vec<_>>(), [3]);
            assert_eq!(page(&engine.store, None, Some(Uuid::from_u128(1)), 10).await.unwrap().len(), 1);
        })
        .await;
    }
}
