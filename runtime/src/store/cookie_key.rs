//! Keys that seal the routing truth of calls into their cookies: all nodes of a cluster read the same.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::announce::announce_in;
use super::version::raise;
use super::{Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, statements};
use crate::clock::Timestamp;
use crate::model::Parts;
use crate::password::SecretString;
use crate::random::secret_bytes;
use crate::seal::{RootKey, to_hex};

statements! {
    KEYS = Sql::both(
        "SELECT id, number, key_sealed, created_at FROM voice.cookie_keys ORDER BY created_at DESC, number DESC");
    DELETE_OTHERS = Sql::both("DELETE FROM voice.cookie_keys WHERE number <> $1");
    INSERT = Sql::both(
        "INSERT INTO voice.cookie_keys (id, number, key_sealed, created_at) VALUES ($1, $2, $3, $4)");
    INSERT_FIRST = Sql::both(
        "INSERT INTO voice.cookie_keys (id, number, key_sealed, created_at) VALUES ($1, 0, $2, $3) \
         ON CONFLICT (number) DO NOTHING");
}

/// Numbers of keys: four bits of a cookie.
const NUMBERS: u8 = 16;

/// How long a key must have opened only before [`rotate`] drops it: calls that it sealed may be up.
pub const RETIRED_MIN: Duration = Duration::from_hours(24);

/// By wall time a key is known to all nodes after so long: more than they take to read it, and than their clocks
/// differ.
pub const SETTLED_MIN: Duration = Duration::from_mins(1);

/// Nothing makes [`rotate`] drop the key before one that is younger: it may seal yet. A process that began before
/// [`SETTLED_MIN`] goes on with it for some polls.
pub const FORCED_MIN: Duration = Duration::from_mins(2);

/// A key and its number, 0 to 15, which cookies name it by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieKey {
    /// The number.
    pub number: u8,
    /// The key.
    pub key: [u8; 16],
    /// When it was made, by the clock of the node that made it.
    pub created_at: Timestamp,
}

impl CookieKey {
    /// Whether it was made longer than `after` ago. The clock of the node that made it may be ahead: a time to come is
    /// as near as one that has passed. One that is far off is of a clock that was set, and says nothing of the key.
    #[must_use]
    pub fn is_settled(&self, now: Timestamp, after: Duration) -> bool {
        now.since(self.created_at).max(self.created_at.since(now)) >= after
    }
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKey").field("number", &self.number).finish_non_exhaustive()
    }
}

/// What came of [`rotate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// This key was made.
    Made(CookieKey),
    /// None: the one that would be dropped opens only for less than [`RETIRED_MIN`]; it can be forced.
    TooSoon,
    /// None: the one that would be dropped may seal yet, the youngest is not [`FORCED_MIN`] old. All calls that are up
    /// would be lost, so that this cannot be forced.
    Unsettled,
}

type Row = (Uuid, i64, Vec<u8>, DateTime<Utc>);

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
    let (id, _, sealed) = new_key(root_key)?;
    let mut tx = db.begin().await?;
    execute!(&mut tx, INSERT_FIRST, id, sealed, now.utc())?;
    tx.commit().await?;
    load(db, root_key).await
}

/// Makes a new key. The one that sealed until now opens from now on, and the ones before it are dropped: none is made,
/// unless `forced`, while one of these may have calls that are up. Running nodes learn of it as of any change of the
/// configuration. Of two that do this at one time the second finds the key of the first.
///
/// # Errors
/// As [`load_or_create`].
pub async fn rotate(db: &Db, root_key: &RootKey, now: Timestamp, forced: bool) -> Result<Rotation, Error> {
    load_or_create(db, root_key, now).await?;
    let mut tx = db.begin().await?;
    // First, since others wait for this row: the keys that are read behind it stay as they are until the commit.
    raise(&mut tx, Parts::NOTHING).await?;
    announce_in(&mut tx).await?;
    let keys = opened(root_key, rows(&mut tx).await?)?;
    if let Some(refused) = refusal(&keys, now, forced) {
        return Ok(refused);
    }
    let Some(youngest) = keys.first() else { return Err(unusable("there is no key")) };
    let (id, key, sealed) = new_key(root_key)?;
    let number = (youngest.number + 1) % NUMBERS;
    // The youngest, whatever became of the clock.
    let created_at = now.max(youngest.created_at.plus(Duration::from_micros(1)));
    execute!(&mut tx, DELETE_OTHERS, i64::from(youngest.number))?;
    execute!(&mut tx, INSERT, id, i64::from(number), sealed, created_at.utc())?;
    tx.commit().await?;
    // Nothing is read after the commit: an error would say that there is no new key.
    Ok(Rotation::Made(CookieKey { number, key, created_at }))
}

/// Why no key is to be made. With one key nothing is dropped.
fn refusal(keys: &[CookieKey], now: Timestamp, forced: bool) -> Option<Rotation> {
    let [youngest, _, ..] = keys else { return None };
    if !forced && now.since(youngest.created_at) < RETIRED_MIN {
        return Some(Rotation::TooSoon);
    }
    (!youngest.is_settled(now, FORCED_MIN)).then_some(Rotation::Unsettled)
}

/// The key that seals now, and the other one that opens: the youngest seals once it is `settled`, known to all nodes.
#[must_use]
pub fn in_force(keys: &[CookieKey], settled: bool) -> Option<(CookieKey, Option<CookieKey>)> {
    match *keys {
        [] => None,
        [only] => Some((only, None)),
        [youngest, before, ..] if settled => Some((youngest, Some(before))),
        [youngest, before, ..] => Some((before, Some(youngest))),
    }
}

/// Every key, the youngest first.
///
/// # Errors
/// As [`load_or_create`].
pub async fn load(db: &Db, root_key: &RootKey) -> Result<Vec<CookieKey>, Error> {
    opened(root_key, fetch_all!(db, Row, KEYS)?)
}

/// Every key as a transaction sees it.
async fn rows(tx: &mut Tx) -> Result<Vec<Row>, Error> {
    let rows = match tx {
        Tx::Pg(tx) => sqlx::query_as::<_, Row>(KEYS.pg()).fetch_all(&mut **tx).await,
        Tx::Lite(tx) => sqlx::query_as::<_, Row>(KEYS.lite()).fetch_all(&mut **tx).await,
    };
    rows.map_err(Error::from)
}

fn opened(root_key: &RootKey, rows: Vec<Row>) -> Result<Vec<CookieKey>, Error> {
    let key = |(id, number, sealed, created_at): Row| {
        let secret = root_key.open(id, &sealed).map_err(unusable)?;
        let key =
            from_hex(secret.expose()).ok_or_else(|| unusable("a cookie key is not 32 hexadecimal digits"))?;
        let created_at = Timestamp::from_micros(created_at.timestamp_micros());
        Ok(CookieKey { number: u8::try_from(number).map_err(unusable)?, key, created_at })
    };
    rows.into_iter().map(key).collect()
}

fn new_key(root_key: &RootKey) -> Result<(Uuid, [u8; 16], Vec<u8>), Error> {
    let id = Uuid::new_v4();
    let key = secret_bytes::<16>();
    let sealed = root_key.seal(id, &SecretString::new(to_hex(&key))).map_err(unusable)?;
    Ok((id, key, sealed))
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
            let version = crate::store::version::version(store).await.unwrap();
            // (hours, forced, why none is made, the keys then)
            let table: [(u64, bool, Option<Rotation>, &[u8]); 7] = [
                (0, false, None, &[1, 0]),
                (1, false, Some(Rotation::TooSoon), &[1, 0]),
                (1, true, None, &[2, 1]),
                // Key 1 may seal yet.
                (1, true, Some(Rotation::Unsettled), &[2, 1]),
                // The clock was set back.
                (0, true, None, &[3, 2]),
                (26, false, None, &[4, 3]),
                (27, false, Some(Rotation::TooSoon), &[4, 3]),
            ];
            for (hours, forced, refused, expected) in table {
                let rotated = rotate(store, &root_key, at(hours), forced).await.unwrap();
                let keys = load(store, &root_key).await.unwrap();
                assert_eq!(rotated, refused.unwrap_or(Rotation::Made(keys[0])), "{hours} {forced}");
                assert_eq!(numbers(&keys), expected, "{hours} {forced}");
            }
            let raised = crate::store::version::version(store).await.unwrap();
            assert_eq!(raised - version, 4, "one for each");
            for hours in 30..46 {
                rotate(store, &root_key, at(hours), true).await.unwrap();
            }
            let keys = load(store, &root_key).await.unwrap();
            assert_eq!(numbers(&keys), [4, 3], "numbers come again");
        })
        .await;
    }

    /// By the same line of a crontab on two nodes.
    #[tokio::test]
    async fn of_two_rotations_at_one_time_one_makes_a_key() {
        each_engine(async |engine: Engine| {
            let directory = tempfile::tempdir().unwrap();
            let root_key = RootKey::load_or_create(&directory.path().join("root.key")).unwrap();
            let store = &engine.store;
            load_or_create(store, &root_key, Timestamp::from_micros(START)).await.unwrap();
            let version = crate::store::version::version(store).await.unwrap();
            let table: [(u64, bool, Rotation, [u8; 2]); 3] = [
                (1, false, Rotation::TooSoon, [1, 0]),
                (2, true, Rotation::Unsettled, [2, 1]),
                (30, false, Rotation::TooSoon, [3, 2]),
            ];
            for (hours, forced, refused, expected) in table {
                let now = Timestamp::from_micros(START).plus(Duration::from_hours(hours));
                let (one, other) = tokio::join!(
                    rotate(store, &root_key, now, forced),
                    rotate(store, &root_key, now, forced)
                );
                let rotated = [one.unwrap(), other.unwrap()];
                let keys = load(store, &root_key).await.unwrap();
                assert_eq!(numbers(&keys), expected, "{hours}");
                assert!(rotated.contains(&Rotation::Made(keys[0])), "{hours} {rotated:?}");
                assert!(rotated.contains(&refused), "{hours} {rotated:?}");
            }
            let raised = crate::store::version::version(store).await.unwrap();
            assert_eq!(raised - version, 3, "one for each key");
        })
        .await;
    }

    fn numbers(keys: &[CookieKey]) -> Vec<u8> {
        keys.iter().map(|key| key.number).collect()
    }

    #[test]
    fn the_youngest_seals_once_all_nodes_have_it() {
        // The key that seals, and the other one.
        type Numbers = Option<(u8, Option<u8>)>;
        let key = |number| CookieKey { number, key: [number; 16], created_at: Timestamp::from_micros(START) };
        let (old, new) = (key(0), key(1));
        let table: [(&[CookieKey], bool, Numbers); 5] = [
            (&[], true, None),
            (&[old], false, Some((0, None))),
            (&[old], true, Some((0, None))),
            (&[new, old], false, Some((0, Some(1)))),
            (&[new, old], true, Some((1, Some(0)))),
        ];
        for (keys, settled, expected) in table {
            let found = in_force(keys, settled);
            let found = found.map(|(sealing, other)| (sealing.number, other.map(|key| key.number)));
            assert_eq!(found, expected, "{} keys, {settled}", keys.len());
        }
    }

    #[test]
    fn a_clock_behind_makes_no_key_old() {
        let key = CookieKey { number: 1, key: [1; 16], created_at: Timestamp::from_micros(START) };
        // Seconds from when it was made, by the clock of another node.
        for (seconds, settled) in
            [(-60, true), (-59, false), (-1, false), (0, false), (59, false), (60, true)]
        {
            let now = Timestamp::from_micros(START + seconds * 1_000_000);
            assert_eq!(key.is_settled(now, SETTLED_MIN), settled, "{seconds}");
        }
    }
}
