//! Another root key: everything that is sealed comes under it, while nodes run.
//!
//! A crash at any point leaves every value openable. The key file holds the new key and the old one before the first
//! value is rewrapped, and until none is left under the old one; all values change in one transaction. A rotation that
//! was cut off is taken up by the next one.

use uuid::Uuid;

use super::version::raise;
use super::{Db, Error, Sql, Tx, execute, statements};
use crate::model::Parts;
use crate::seal::{Rewrapped, RootKey};

statements! {
    VENDORS = Sql::both("SELECT id, password_sealed FROM messaging.vendors");
    UPDATE_VENDOR = Sql::both(
        "UPDATE messaging.vendors SET password_sealed = $2 WHERE id = $1 AND password_sealed = $3");
    COOKIE_KEYS = Sql::both("SELECT id, key_sealed FROM voice.cookie_keys");
    UPDATE_COOKIE_KEY = Sql::both(
        "UPDATE voice.cookie_keys SET key_sealed = $2 WHERE id = $1 AND key_sealed = $3");
    SIGNING_KEYS = Sql::both("SELECT id, key_sealed FROM auth.signing_keys");
    UPDATE_SIGNING_KEY = Sql::both(
        "UPDATE auth.signing_keys SET key_sealed = $2 WHERE id = $1 AND key_sealed = $3");
    TRUNKS = Sql::both("SELECT trunk_group_id, ha1_sealed FROM accounts.trunk_credentials");
    UPDATE_TRUNK = Sql::both(
        "UPDATE accounts.trunk_credentials SET ha1_sealed = $2 WHERE trunk_group_id = $1 AND ha1_sealed = $3");
    ACCOUNTS = Sql::both("SELECT vendor_id, ha1_sealed FROM voice.vendor_credentials");
    UPDATE_ACCOUNT = Sql::both(
        "UPDATE voice.vendor_credentials SET ha1_sealed = $2 WHERE vendor_id = $1 AND ha1_sealed = $3");
    WEBHOOKS = Sql::both("SELECT account_id, secret_sealed FROM messaging.webhooks");
    UPDATE_WEBHOOK = Sql::both(
        "UPDATE messaging.webhooks SET secret_sealed = $2 WHERE account_id = $1 AND secret_sealed = $3");
}

/// A column of sealed values; the row's id is what they are sealed for.
pub(super) struct Sealed {
    /// As `voice.cookie_keys.key_sealed`.
    pub(super) column: &'static str,
    select: &'static Sql,
    update: &'static Sql,
}

/// Every column of sealed values. A column whose name ends in `_sealed` and that is missing here fails a test.
pub(super) static SEALED: [Sealed; 6] = [
    Sealed { column: "messaging.vendors.password_sealed", select: &VENDORS, update: &UPDATE_VENDOR },
    Sealed { column: "voice.cookie_keys.key_sealed", select: &COOKIE_KEYS, update: &UPDATE_COOKIE_KEY },
    Sealed { column: "auth.signing_keys.key_sealed", select: &SIGNING_KEYS, update: &UPDATE_SIGNING_KEY },
    Sealed { column: "accounts.trunk_credentials.ha1_sealed", select: &TRUNKS, update: &UPDATE_TRUNK },
    Sealed { column: "voice.vendor_credentials.ha1_sealed", select: &ACCOUNTS, update: &UPDATE_ACCOUNT },
    Sealed { column: "messaging.webhooks.secret_sealed", select: &WEBHOOKS, update: &UPDATE_WEBHOOK },
];

type Row = (Uuid, Vec<u8>);

/// What [`rotate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Values that were sealed with an older key and now are with the new one.
    pub rewrapped: usize,
    /// Values that no root key opens; they were left as they are.
    pub closed: usize,
    /// Why the old key still stands in the key file, although all is done, or is to be done again.
    pub old_key_kept: Option<String>,
}

/// Makes a new root key (or takes up a rotation that was begun) and brings every sealed value under it. Of two that do
/// this at one time the second finds the key of the first. `new_key_env` as [`RootKey::begin_rotation`] has it.
///
/// # Errors
/// When the new key cannot be had or the database refuses. Every value opens as before then, and a new try goes on
/// from there.
pub async fn rotate(db: &Db, root_key: &RootKey, new_key_env: Option<&str>) -> Result<Rotated, Error> {
    let mut rotated = rewrap_all(db, root_key, new_key_env).await?;
    // Nothing fails from here on: the new key is in force.
    rotated.old_key_kept = match drop_old(db, root_key).await {
        Ok(0) => None,
        Ok(left) => Some(format!(
            "{left} secrets were sealed with it meanwhile, by a node that has not read the new one"
        )),
        Err(error) => Some(error.to_string()),
    };
    Ok(rotated)
}

/// The key file with both keys, then one transaction over all values.
pub(super) async fn rewrap_all(
    db: &Db,
    root_key: &RootKey,
    new_key_env: Option<&str>,
) -> Result<Rotated, Error> {
    let mut tx = db.begin().await?;
    // First, since all who write the configuration wait for this row, other rotations too: a key is made by one alone.
    raise(&mut tx, Parts::OTHERS).await?;
    root_key.begin_rotation(new_key_env)?;
    let mut rotated = Rotated::default();
    for sealed in &SEALED {
        for (id, value) in rows(&mut tx, sealed.select).await? {
            match root_key.rewrap(id, &value) {
                Rewrapped::Same => {}
                Rewrapped::Closed => {
                    let column = sealed.column;
                    tracing::warn!(column, %id, "a sealed secret opens with no root key, it is left as it is");
                    rotated.closed += 1;
                }
                Rewrapped::New(new) => {
                    execute!(&mut tx, sealed.update, id, new, value)?;
                    rotated.rewrapped += 1;
                }
            }
        }
    }
    tx.commit().await?;
    Ok(rotated)
}

/// Takes the old key out of the key file unless values need it; gives how many do.
async fn drop_old(db: &Db, root_key: &RootKey) -> Result<usize, Error> {
    // Rolled back when it is dropped: it is there for its lock. Nobody seals meanwhile, and no other rotation writes
    // the file.
    let mut tx = db.begin().await?;
    raise(&mut tx, Parts::NOTHING).await?;
    let left = left_under_old(&mut tx, root_key).await?;
    if left == 0 {
        root_key.finish_rotation()?;
    }
    Ok(left)
}

/// Values that an older key still opens: one node may have sealed while another rotated.
async fn left_under_old(tx: &mut Tx, root_key: &RootKey) -> Result<usize, Error> {
    let mut left = 0;
    for sealed in &SEALED {
        let rows = rows(tx, sealed.select).await?;
        let is_old = |(id, value): &&Row| matches!(root_key.rewrap(*id, value), Rewrapped::New(_));
        left += rows.iter().filter(is_old).count();
    }
    Ok(left)
}

/// A column as the transaction sees it.
async fn rows(tx: &mut Tx, select: &Sql) -> Result<Vec<Row>, Error> {
    let rows = match tx {
        Tx::Pg(tx) => sqlx::query_as::<_, Row>(select.pg()).fetch_all(&mut **tx).await,
        Tx::Lite(tx) => sqlx::query_as::<_, Row>(select.lite()).fetch_all(&mut **tx).await,
    };
    rows.map_err(Error::from)
}

#[cfg(test)]
mod tests;
