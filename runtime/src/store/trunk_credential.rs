//! What trunks say who they are by: a username, and in place of the password a sealed digest of it.

use uuid::Uuid;

use super::messaging::stored_time;
use super::{Error, Sql, Tx, execute, statements};
use crate::clock::Timestamp;
use crate::model::{DigestCredential, SIP_REALM};
use crate::password::{Ha1, SecretString};
use crate::seal::{self, RootKey};

statements! {
    UPSERT = Sql::both(
        "INSERT INTO accounts.trunk_credentials (trunk_group_id, username, realm, ha1_sealed, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (trunk_group_id) DO UPDATE SET username = excluded.username, \
         realm = excluded.realm, ha1_sealed = excluded.ha1_sealed, updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM accounts.trunk_credentials WHERE trunk_group_id = $1");
}

/// What is stored in place of a password.
///
/// # Errors
/// Never in practice; see [`seal::Error::Seal`].
pub fn seal(
    key: &RootKey,
    trunk: Uuid,
    (username, password): (&str, &SecretString),
) -> Result<Vec<u8>, seal::Error> {
    key.seal(trunk, &Ha1::of(username, SIP_REALM, password).to_secret())
}

/// What a trunk's answers are checked with.
///
/// # Errors
/// When it was sealed with another root key, for another trunk, or is none.
pub fn open(key: &RootKey, trunk: Uuid, stored: &DigestCredential) -> Result<Ha1, seal::Error> {
    let secret = key.open(trunk, &stored.ha1_sealed)?;
    Ha1::from_secret(&secret).ok_or(seal::Error::Open(trunk))
}

/// Writes what a trunk says who it is by; `sealed` is of the same username.
///
/// # Errors
/// [`ErrorKind::Constraint`](super::ErrorKind::Constraint) when another trunk has the username.
pub async fn put(
    tx: &mut Tx,
    trunk: Uuid,
    (username, sealed): (&str, Vec<u8>),
    now: Timestamp,
) -> Result<(), Error> {
    execute!(tx, UPSERT, trunk, username.to_owned(), SIP_REALM, sealed, stored_time(now))?;
    Ok(())
}

/// Takes it from a trunk, which nobody proves to be then.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, trunk: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, trunk)?;
    Ok(())
}

#[cfg(test)]
mod tests;
