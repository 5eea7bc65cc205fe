//! Keys that seal the routing truth of calls into their cookies: all nodes of a cluster read the same.

use std::fmt;

use uuid::Uuid;

use super::{Db, Error, ErrorKind, Sql, execute, fetch_all, statements};
use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::random::secret_bytes;
use crate::seal::{RootKey, to_hex};

statements! {
    KEYS = Sql::both("SELECT id, number, key_sealed FROM voice.cookie_keys ORDER BY created_at DESC, number DESC");
    INSERT_FIRST = Sql::both(
        "INSERT INTO voice.cookie_keys (id, number, key_sealed, created_at) VALUES ($1, 0, $2, $3) \
         ON CONFLICT (number) DO NOTHING");
}

/// A key and its number, 0 to 15, which cookies name it by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieKey {
    /// The number.
    pub number: u8,
    /// The key.
    pub key: [u8; 16],
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKey").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Every key, the youngest first, which seals; makes the first when there is none. Nodes that start together agree on
/// one.
///
/// # Errors
/// When the database cannot be asked, or a key does not open with this root key.
pub async fn load_or_create(db: &Db, root_key: &RootKey, now: Timestamp) -> Result<Vec<CookieKey>, Error> {
    let keys = load(db, root_key).await?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    let id = Uuid::new_v4();
    let secret = SecretString::new(to_hex(&secret_bytes::<16>()));
    let sealed = root_key.seal(id, &secret).map_err(unusable)?;
    let mut tx = db.begin().await?;
    execute!(&mut tx, INSERT_FIRST, id, sealed, now.utc())?;
    tx.commit().await?;
    load(db, root_key).await
}

async fn load(db: &Db, root_key: &RootKey) -> Result<Vec<CookieKey>, Error> {
    let rows: Vec<(Uuid, i64, Vec<u8>)> = fetch_all!(db, (Uuid, i64, Vec<u8>), KEYS)?;
    let key = |(id, number, sealed): (Uuid, i64, Vec<u8>)| {
        let secret = root_key.open(id, &sealed).map_err(unusable)?;
        let key =
            from_hex(secret.expose()).ok_or_else(|| unusable("a cookie key is not 32 hexadecimal digits"))?;
        Ok(CookieKey { number: u8::try_from(number).map_err(unusable)?, key })
    };
    rows.into_iter().map(key).collect()
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    let mut key = [0; 16];
    if text.len() != 2 * key.len() {
        return None;
    }
    for (at, octet) in key.iter_mut().enumerate() {
        *octet = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

fn unusable(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Other, format!("voice.cookie_keys: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Engine, each_engine};

    #[tokio::test]
    async fn the_first_key_is_made_once() {
        each_engine(async |engine: Engine| {
            let directory = tempfile::tempdir().unwrap();
            let root_key = RootKey::load_or_create(&directory.path().join("root.key")).unwrap();
            let now = Timestamp::from_micros(1_790_000_000_000_000);
            let first = load_or_create(&engine.store, &root_key, now).await.unwrap();
            assert_eq!(first.len(), 1);
            assert_eq!(load_or_create(&engine.store, &root_key, now).await.unwrap(), first);
            let other = RootKey::load_or_create(&directory.path().join("other.key")).unwrap();
            assert!(load_or_create(&engine.store, &other, now).await.is_err(), "another root key");
        })
        .await;
    }
}
