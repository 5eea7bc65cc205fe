//! Keys that sign access tokens, sealed under the root key. The youngest signs once all nodes have read it,
//! the one before it verifies what it signed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::password::SecretString;
use crate::seal::RootKey;
use crate::store::announce::announce_in;
use crate::store::messaging::stored_time;
use crate::store::{Db, Error, Sql, Tx, cookie_key, execute, fetch_all, statements, tx_all};

statements! {
    YOUNGEST = Sql::both(
        "SELECT id, kid, key_sealed, created_at FROM auth.signing_keys \
         ORDER BY created_at DESC, kid DESC LIMIT 2");
    INSERT = Sql::both(
        "INSERT INTO auth.signing_keys (id, kid, key_sealed, created_at) VALUES ($1, $2, $3, $4)");
    DELETE_OTHERS = Sql::both("DELETE FROM auth.signing_keys WHERE id <> $1");
    /// Held by whoever seals, so that no rotation of the root key drops a key meanwhile that a value needs.
    TURN = Sql::both("UPDATE accounts.config_version SET version = version WHERE id = 1");
    RAISE_VERSION = Sql::both("UPDATE auth.version SET version = version + 1 WHERE id = 1");
}

/// By wall time a key is known to all nodes after so long: more than they take to read it, and than their
/// clocks differ. It signs from then on.
pub const SETTLED_MIN: Duration = cookie_key::SETTLED_MIN;

/// Nothing makes [`rotate`] drop the key before one that is younger: it may sign yet, by a clock that is
/// behind.
pub const FORCED_MIN: Duration = cookie_key::FORCED_MIN;

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

/// What came of [`rotate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The key is there.
    Made,
    /// It is not: tokens of the one that would be dropped may be good yet; it can be forced.
    TooSoon,
    /// It is not: the one that would be dropped may sign yet, the youngest is not [`FORCED_MIN`] old. This
    /// cannot be forced.
    Unsettled,
}

type Row = (Uuid, String, Vec<u8>, DateTime<Utc>);

/// Whether a key that was made then is known to all nodes now. The clock of the node that made it may be
/// ahead: a time to come is as near as one that has passed. One that is far off is of a clock that was set,
/// and says nothing.
#[must_use]
pub fn is_settled(created_at: Timestamp, now: Timestamp, after: Duration) -> bool {
    now.since(created_at).max(created_at.since(now)) >= after
}

/// The two youngest keys, the youngest first.
///
/// # Errors
/// When the database cannot be asked, or a key does not open with this root key.
pub async fn load(db: &Db, root_key: &RootKey) -> Result<Vec<SigningKey>, Error> {
    let rows: Vec<Row> = fetch_all!(db, Row, YOUNGEST)?;
    let open = |(id, kid, sealed, created_at): Row| {
        Ok(SigningKey { id, kid, key: root_key.open(id, &sealed)?, created_at: created_at.into() })
    };
    rows.into_iter().map(open).collect()
}

/// Adds the first key. Of nodes that start together one does; the key of the others is nobody's.
///
/// # Errors
/// When the database refuses.
pub async fn insert_first(db: &Db, root_key: &RootKey, key: &SigningKey) -> Result<(), Error> {
    let (mut tx, known) = begin(db).await?;
    if known.is_empty() {
        insert(&mut tx, root_key, key).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Adds a key. The youngest until now signs on until all nodes have this one, then it verifies; the one
/// before it is dropped: none is added, unless `forced`, while a token that it signed may be good, which
/// tokens are for `lifetime`. Running nodes learn of it as of any change of who may do what. Of two that do
/// this at one time the second finds the key of the first.
///
/// # Errors
/// When the database refuses.
pub async fn rotate(
    db: &Db,
    root_key: &RootKey,
    key: &SigningKey,
    (lifetime, forced): (Duration, bool),
) -> Result<Rotation, Error> {
    let (mut tx, known) = begin(db).await?;
    let made: Vec<Timestamp> = known.iter().map(|(.., created_at)| (*created_at).into()).collect();
    if let Some(refused) = refusal(&made, key.created_at, lifetime, forced) {
        return Ok(refused);
    }
    let mut key = key.clone();
    if let (Some((id, ..)), Some(youngest)) = (known.first(), made.first()) {
        // The youngest, whatever became of the clock.
        key.created_at = key.created_at.max(youngest.plus(Duration::from_micros(1)));
        execute!(&mut tx, DELETE_OTHERS, *id)?;
    }
    insert(&mut tx, root_key, &key).await?;
    tx.commit().await?;
    Ok(Rotation::Made)
}

/// Why no key is to be added to those that were made then. With one key nothing is dropped.
fn refusal(made: &[Timestamp], now: Timestamp, lifetime: Duration, forced: bool) -> Option<Rotation> {
    let [youngest, _, ..] = made else { return None };
    // Until the youngest was settled the one before it signed.
    if !forced && now.since(*youngest) < lifetime.saturating_add(FORCED_MIN) {
        return Some(Rotation::TooSoon);
    }
    (!is_settled(*youngest, now, FORCED_MIN)).then_some(Rotation::Unsettled)
}

/// A transaction that others who add keys wait for, and the keys, which stay as they are until its commit.
/// All nodes are told of the commit.
async fn begin(db: &Db) -> Result<(Tx, Vec<Row>), Error> {
    let mut tx = db.begin().await?;
    execute!(&mut tx, TURN)?;
    execute!(&mut tx, RAISE_VERSION)?;
    announce_in(&mut tx).await?;
    let known: Vec<Row> = tx_all!(&mut tx, Row, YOUNGEST)?;
    Ok((tx, known))
}

async fn insert(tx: &mut Tx, root_key: &RootKey, key: &SigningKey) -> Result<(), Error> {
    let sealed = root_key.seal(key.id, &key.key)?;
    execute!(tx, INSERT, key.id, key.kid.clone(), sealed, stored_time(key.created_at))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::auth;
    use crate::store::testing::{Engine, each_engine};

    const START: i64 = 1_790_000_000_000_000;
    const LIFETIME: Duration = Duration::from_mins(15);

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_micros(START).plus(Duration::from_mins(minutes))
    }

    fn key(kid: &str, created_at: Timestamp) -> SigningKey {
        let secret = SecretString::new(format!("secret of {kid}"));
        SigningKey { id: Uuid::new_v4(), kid: kid.to_owned(), key: secret, created_at }
    }

    fn root_key(engine: &Engine) -> RootKey {
        RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap()
    }

    fn kids(keys: &[SigningKey]) -> Vec<&str> {
        keys.iter().map(|key| key.kid.as_str()).collect()
    }

    #[tokio::test]
    async fn the_first_key_is_made_once() {
        each_engine(async |engine: Engine| {
            let (store, root_key) = (&engine.store, root_key(&engine));
            let before = auth::version(store).await.unwrap();
            let [one, other] = ["one", "other"].map(|kid| key(kid, at(0)));
            let (first, second) =
                tokio::join!(insert_first(store, &root_key, &one), insert_first(store, &root_key, &other));
            first.unwrap();
            second.unwrap();
            let keys = load(store, &root_key).await.unwrap();
            assert_eq!(keys.len(), 1, "{keys:?}");
            assert_eq!(keys[0].key.expose(), format!("secret of {}", keys[0].kid));
            assert_eq!(auth::version(store).await.unwrap() - before, 1, "others hear of it");
            let stranger = RootKey::load_or_create(&engine.dir.path().join("other.key")).unwrap();
            assert!(load(store, &stranger).await.is_err(), "another root key");
        })
        .await;
    }

    #[tokio::test]
    async fn a_new_key_is_added_and_the_last_but_one_dropped_when_its_tokens_have_expired() {
        each_engine(async |engine: Engine| {
            let (store, root_key) = (&engine.store, root_key(&engine));
            let before = auth::version(store).await.unwrap();
            // (minutes, forced, what comes of it, the keys then)
            let table: [(u64, bool, Rotation, &[&str]); 11] = [
                (0, false, Rotation::Made, &["0"]),
                // Nothing is dropped.
                (1, false, Rotation::Made, &["1", "0"]),
                (2, false, Rotation::TooSoon, &["1", "0"]),
                // Key 0 may sign yet.
                (2, true, Rotation::Unsettled, &["1", "0"]),
                (3, true, Rotation::Made, &["4", "1"]),
                // It signed for up to two minutes, and its tokens are good for fifteen.
                (19, false, Rotation::TooSoon, &["4", "1"]),
                (20, false, Rotation::Made, &["6", "4"]),
                (21, true, Rotation::Unsettled, &["6", "4"]),
                // The clock was set back.
                (0, false, Rotation::TooSoon, &["6", "4"]),
                (0, true, Rotation::Made, &["9", "6"]),
                (60, false, Rotation::Made, &["10", "9"]),
            ];
            for (line, (minutes, forced, expected, then)) in table.into_iter().enumerate() {
                let key = key(&line.to_string(), at(minutes));
                let rotated = rotate(store, &root_key, &key, (LIFETIME, forced)).await.unwrap();
                let keys = load(store, &root_key).await.unwrap();
                assert_eq!((rotated, kids(&keys).as_slice()), (expected, then), "line {line}");
            }
            assert_eq!(auth::version(store).await.unwrap() - before, 6, "one for each key");
        })
        .await;
    }

    /// By the same line of a crontab on two nodes.
    #[tokio::test]
    async fn of_two_rotations_at_one_time_one_makes_a_key() {
        each_engine(async |engine: Engine| {
            let (store, root_key) = (&engine.store, root_key(&engine));
            insert_first(store, &root_key, &key("first", at(0))).await.unwrap();
            for (minutes, forced, refused) in [(1, false, Rotation::TooSoon), (30, true, Rotation::Unsettled)]
            {
                let [one, other] = ["one", "other"].map(|kid| key(&format!("{kid} {minutes}"), at(minutes)));
                let (first, second) = tokio::join!(
                    rotate(store, &root_key, &one, (LIFETIME, forced)),
                    rotate(store, &root_key, &other, (LIFETIME, forced))
                );
                let rotated = [first.unwrap(), second.unwrap()];
                assert!(rotated.contains(&Rotation::Made) && rotated.contains(&refused), "{rotated:?}");
                assert_eq!(load(store, &root_key).await.unwrap().len(), 2, "{minutes}");
            }
        })
        .await;
    }

    #[test]
    fn a_clock_behind_makes_no_key_old() {
        // Seconds from when it was made, by the clock of another node.
        for (seconds, settled) in
            [(-60, true), (-59, false), (-1, false), (0, false), (59, false), (60, true)]
        {
            let now = Timestamp::from_micros(START + seconds * 1_000_000);
            assert_eq!(is_settled(at(0), now, SETTLED_MIN), settled, "{seconds}");
        }
    }
}
