//! Keys that seal the routing truth of calls into their cookies: all nodes of a cluster read the same.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Db, Error, ErrorKind, Sql, execute, fetch_all, statements};
use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::random::secret_bytes;
use crate::seal::{RootKey, to_hex};

statements! {
    KEYS = Sql::both(
        "SELECT id, number, key_sealed, created_at FROM voice.cookie_keys ORDER BY created_at DESC, number DESC");
    DELETE_OTHERS = Sql::both("DELETE FROM voice.cookie_keys WHERE number <> $1");
    INSERT = Sql::both(
        "INSERT INTO voice.cookie_keys (id, number, key_sealed, created_at) VALUES ($1, $2, $3, $4)");
    RAISE_VERSION = Sql::both("UPDATE accounts.config_version SET version = version + 1 WHERE id = 1");
    INSERT_FIRST = Sql::both(
        "INSERT INTO voice.cookie_keys (id, number, key_sealed, created_at) VALUES ($1, 0, $2, $3) \
         ON CONFLICT (number) DO NOTHING");
}

/// Numbers of keys: four bits of a cookie.
const NUMBERS: u8 = 16;

/// How long a key must have opened only before [`rotate`] drops it: calls that it sealed may be up.
pub const RETIRED_MIN: Duration = Duration::from_hours(24);

/// A key and its number, 0 to 15, which cookies name it by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieKey {
    /// The number.
    pub number: u8,
    /// The key.
    pub key: [u8; 16],
    /// When it was made. All nodes are to have it before one seals with it.
    pub created_at: Timestamp,
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
    let (id, sealed) = new_key(root_key)?;
    let mut tx = db.begin().await?;
    execute!(&mut tx, INSERT_FIRST, id, sealed, now.utc())?;
    tx.commit().await?;
    load(db, root_key).await
}

/// Makes a new key. The one that sealed until now opens from now on, and the ones before it are dropped: none is made,
/// unless `forced`, while one of these may have calls that are up. Running nodes learn of it as of any change of the
/// configuration.
///
/// # Errors
/// As [`load_or_create`], and when two do this at one time.
pub async fn rotate(
    db: &Db,
    root_key: &RootKey,
    now: Timestamp,
    forced: bool,
) -> Result<Option<CookieKey>, Error> {
    let keys = load_or_create(db, root_key, now).await?;
    let Some(sealing) = keys.first() else { return Err(unusable("there is no key")) };
    if keys.len() > 1 && now.since(sealing.created_at) < RETIRED_MIN && !forced {
        return Ok(None);
    }
    let (id, sealed) = new_key(root_key)?;
    let number = (sealing.number + 1) % NUMBERS;
    // The youngest, whatever became of the clock.
    let created_at = now.max(sealing.created_at.plus(Duration::from_micros(1)));
    let mut tx = db.begin().await?;
    execute!(&mut tx, DELETE_OTHERS, i64::from(sealing.number))?;
    execute!(&mut tx, INSERT, id, i64::from(number), sealed, created_at.utc())?;
    execute!(&mut tx, RAISE_VERSION)?;
    tx.commit().await?;
    Ok(load(db, root_key).await?.into_iter().find(|key| key.number == number))
}

/// The key that seals now, and the other one that opens: a new one seals once it has been there for `spread`, the time
/// that all nodes take to learn of it.
#[must_use]
pub fn in_force(
    keys: &[CookieKey],
    now: Timestamp,
    spread: Duration,
) -> Option<(CookieKey, Option<CookieKey>)> {
    match *keys {
        [] => None,
        [only] => Some((only, None)),
        // A clock that was set back makes nothing wait for long.
        [youngest, before, ..] if youngest.created_at <= now && now.since(youngest.created_at) < spread => {
            Some((before, Some(youngest)))
        }
        [youngest, before, ..] => Some((youngest, Some(before))),
    }
}

/// Every key, the youngest first.
///
/// # Errors
/// As [`load_or_create`].
pub async fn load(db: &Db, root_key: &RootKey) -> Result<Vec<CookieKey>, Error> {
    type Row = (Uuid, i64, Vec<u8>, DateTime<Utc>);
    let rows: Vec<Row> = fetch_all!(db, Row, KEYS)?;
    let key = |(id, number, sealed, created_at): Row| {
        let secret = root_key.open(id, &sealed).map_err(unusable)?;
        let key =
            from_hex(secret.expose()).ok_or_else(|| unusable("a cookie key is not 32 hexadecimal digits"))?;
        let created_at = Timestamp::from_micros(created_at.timestamp_micros());
        Ok(CookieKey { number: u8::try_from(number).map_err(unusable)?, key, created_at })
    };
    rows.into_iter().map(key).collect()
}

fn new_key(root_key: &RootKey) -> Result<(Uuid, Vec<u8>), Error> {
    let id = Uuid::new_v4();
    let secret = SecretString::new(to_hex(&secret_bytes::<16>()));
    Ok((id, root_key.seal(id, &secret).map_err(unusable)?))
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

    const START: i64 = 1_790_000_000_000_000;

    #[tokio::test]
    async fn the_first_key_is_made_once() {
        each_engine(async |engine: Engine| {
            let directory = tempfile::tempdir().unwrap();
            let root_key = RootKey::load_or_create(&directory.path().join("root.key")).unwrap();
            let now = Timestamp::from_micros(START);
            let first = load_or_create(&engine.store, &root_key, now).await.unwrap();
            assert_eq!(first.len(), 1);
            assert_eq!(load_or_create(&engine.store, &root_key, now).await.unwrap(), first);
            let other = RootKey::load_or_create(&directory.path().join("other.key")).unwrap();
            assert!(load_or_create(&engine.store, &other, now).await.is_err(), "another root key");
        })
        .await;
    }
    #[tokio::test]
    async fn a_new_key_seals_and_the_last_one_opens() {
        each_engine(async |engine: Engine| {
            let directory = tempfile::tempdir().unwrap();
            let root_key = RootKey::load_or_create(&directory.path().join("root.key")).unwrap();
            let store = &engine.store;
            let at = |hours: u64| Timestamp::from_micros(START).plus(Duration::from_hours(hours));
            let version = crate::store::messaging::version(store).await.unwrap();
            let numbers = async || {
                let keys = load(store, &root_key).await.unwrap();
                keys.iter().map(|key| key.number).collect::<Vec<u8>>()
            };
            // (hours, forced, whether one is made, the keys then)
            let table: [(u64, bool, bool, &[u8]); 6] = [
                (0, false, true, &[1, 0]),
                (1, false, false, &[1, 0]),
                (1, true, true, &[2, 1]),
                // The clock was set back.
                (0, true, true, &[3, 2]),
                (26, false, true, &[4, 3]),
                (27, false, false, &[4, 3]),
            ];
            for (hours, forced, made, expected) in table {
                let rotated = rotate(store, &root_key, at(hours), forced).await.unwrap();
                assert_eq!(rotated.map(|key| key.number), made.then_some(expected[0]), "{hours} {forced}");
                assert_eq!(numbers().await, expected, "{hours} {forced}");
            }
            let raised = crate::store::messaging::version(store).await.unwrap();
            assert_eq!(raised - version, 4, "one for each");
            for _ in 4..20 {
                rotate(store, &root_key, at(30), true).await.unwrap();
            }
            assert_eq!(numbers().await, [4, 3], "numbers come again");
        })
        .await;
    }

    #[test]
    fn a_key_seals_once_all_nodes_have_it() {
        // The key that seals, and the other one.
        type Numbers = Option<(u8, Option<u8>)>;
        let key = |number, seconds: i64| CookieKey {
            number,
            key: [number; 16],
            created_at: Timestamp::from_micros(START + seconds * 1_000_000),
        };
        let (old, new) = (key(0, 0), key(1, 100));
        let spread = Duration::from_secs(2);
        let table: [(&[CookieKey], i64, Numbers); 7] = [
            (&[], 100, None),
            (&[old], 0, Some((0, None))),
            (&[new, old], 100, Some((0, Some(1)))),
            (&[new, old], 101, Some((0, Some(1)))),
            (&[new, old], 102, Some((1, Some(0)))),
            (&[new, old], 10_000, Some((1, Some(0)))),
            (&[new, old], 50, Some((1, Some(0)))),
        ];
        for (keys, seconds, expected) in table {
            let found = in_force(keys, Timestamp::from_micros(START + seconds * 1_000_000), spread);
            let found = found.map(|(sealing, other)| (sealing.number, other.map(|key| key.number)));
            assert_eq!(found, expected, "{} keys, {seconds}", keys.len());
        }
    }
}
