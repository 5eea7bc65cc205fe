//! Accounts of ours at vendors: a username, a realm, and in place of the password sealed digests of it.

use sqlx::types::Json;
use uuid::Uuid;

use super::messaging::stored_time;
use super::provisioning::VendorAccountEntry;
use super::{Error, Sql, Tx, execute, statements};
use crate::clock::Timestamp;
use crate::model::VendorAccount;
use crate::password::{Ha1, SecretString};
use crate::seal::{self, RootKey};

statements! {
    UPSERT = Sql::both(
        "INSERT INTO voice.vendor_credentials (vendor_id, username, realm, ha1_sealed, registration, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (vendor_id) DO UPDATE SET \
         username = excluded.username, realm = excluded.realm, ha1_sealed = excluded.ha1_sealed, \
         registration = excluded.registration, updated_at = excluded.updated_at");
    REGISTER = Sql::both(
        "UPDATE voice.vendor_credentials SET registration = $2, updated_at = $3 WHERE vendor_id = $1");
    DELETE = Sql::both("DELETE FROM voice.vendor_credentials WHERE vendor_id = $1");
}

/// What is stored in place of a password.
///
/// # Errors
/// Never in practice; see [`seal::Error::Seal`].
pub fn seal(
    key: &RootKey,
    vendor: Uuid,
    (username, realm): (&str, &str),
    password: &SecretString,
) -> Result<Vec<u8>, seal::Error> {
    key.seal(vendor, &Ha1::of(username, realm, password).to_secret())
}

/// What a vendor's challenges are answered with.
///
/// # Errors
/// When it was sealed with another root key, for another vendor, or is none.
pub fn open(key: &RootKey, vendor: Uuid, stored: &VendorAccount) -> Result<Ha1, seal::Error> {
    let secret = key.open(vendor, &stored.ha1_sealed)?;
    Ha1::from_secret(&secret).ok_or(seal::Error::Open(vendor))
}

/// Writes the account at a vendor; `sealed` is of its username and realm. Without it what is stored stays, and with it
/// username and realm.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    tx: &mut Tx,
    vendor: Uuid,
    (account, sealed): (&VendorAccountEntry, Option<Vec<u8>>),
    now: Timestamp,
) -> Result<(), Error> {
    let registration = account.register.clone().map(Json);
    let now = stored_time(now);
    match sealed {
        Some(sealed) => {
            let (username, realm) = (account.username.clone(), account.realm.clone());
            execute!(tx, UPSERT, vendor, username, realm, sealed, registration, now)?;
        }
        None => {
            execute!(tx, REGISTER, vendor, registration, now)?;
        }
    }
    Ok(())
}

/// Takes the account at a vendor away: its challenges are answered no more.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, vendor: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, vendor)?;
    Ok(())
}

#[cfg(test)]
mod tests;
