//! Keys that sign access tokens, sealed under the root key. The youngest signs, the one before verifies what it signed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::seal::RootKey;
use crate::store::messaging::stored_time;
use crate::store::{Db, Error, Sql, Tx, execute, fetch_all, statements};

statements! {
    YOUNGEST = Sql::both("SELECT id, kid, key_sealed, created_at FROM auth.signing_keys ORDER BY created_at DESC LIMIT 2");
    INSERT = Sql::both("INSERT INTO auth.signing_keys (id, kid, key_sealed, created_at) VALUES ($1, $2, $3, $4)");
    FORGET = Sql::both("DELETE FROM auth.signing_keys WHERE created_at < $1");
}

/// A key.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Primary key.
    pub id: Uuid,
    /// `kid` of its tokens.
    pub kid: String,
    /// The private key in the form of its maker.
    pub key: SecretString,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The two youngest keys, the youngest first.
///
/// # Errors
/// When the database cannot be asked, or a key does not open with this root key.
pub async fn load(db: &Db, root_key: &RootKey) -> Result<Vec<SigningKey>, Error> {
    type Row = (Uuid, String, Vec<u8>, DateTime<Utc>);
    let rows: Vec<Row> = fetch_all!(db, Row, YOUNGEST)?;
    let open = |(id, kid, sealed, created_at): Row| {
        Ok(SigningKey { id, kid, key: root_key.open(id, &sealed)?, created_at: created_at.into() })
    };
    rows.into_iter().map(open).collect()
}

/// Adds a key and forgets those that verify no longer.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    tx: &mut Tx,
    root_key: &RootKey,
    key: &SigningKey,
    verifies: Timestamp,
) -> Result<(), Error> {
    let sealed = root_key.seal(key.id, &key.key)?;
    execute!(tx, INSERT, key.id, key.kid.clone(), sealed.clone(), stored_time(key.created_at))?;
    execute!(tx, FORGET, stored_time(verifies))?;
    Ok(())
}
