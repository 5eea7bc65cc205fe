//! The version of the configuration data, and which parts of it changed when.
//!
//! Every change raises the version in its own transaction and marks the parts that it touched. Nodes compare the version,
//! and read again the parts that changed since they last did: an address of a trunk costs no reading of all routes.

use super::{Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements};
use crate::model::{Parts, Versions};

statements! {
    VERSION = Sql::both("SELECT version FROM accounts.config_version WHERE id = 1");
    PARTS = Sql::both("SELECT part, version FROM accounts.config_parts");
    RAISE = Sql::both("UPDATE accounts.config_version SET version = version + 1 WHERE id = 1");
    RAISE_FROM = Sql::both(
        "UPDATE accounts.config_version SET version = version + 1 WHERE id = 1 AND version = $1");
    MARK = Sql::both(
        "UPDATE accounts.config_parts SET version = (SELECT version FROM accounts.config_version WHERE id = 1) \
         WHERE (part & $1) <> 0");
}

/// The version of the configuration data, for the check that finds missed announcements.
///
/// # Errors
/// When the database cannot be asked.
pub async fn version(db: &Db) -> Result<i64, Error> {
    let row: Option<(i64,)> = fetch_optional!(db, (i64,), VERSION)?;
    Ok(row.map_or(0, |(version,)| version))
}

/// The version, and when each part changed. To be read before what it is the version of: a change that comes in between
/// is read again later.
///
/// # Errors
/// When the database cannot be asked.
pub async fn versions(db: &Db) -> Result<(i64, Versions), Error> {
    let version = version(db).await?;
    let rows: Vec<(i64, i64)> = fetch_all!(db, (i64, i64), PARTS)?;
    let versions: Versions = rows.into_iter().collect();
    if !versions.is_whole() {
        return Err(Error::new(
            ErrorKind::Other,
            "accounts.config_parts lacks rows, nothing tells what changed",
        ));
    }
    Ok((version, versions))
}

/// Raises the version for a change of these parts. Others who raise it wait for the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn raise(tx: &mut Tx, parts: Parts) -> Result<(), Error> {
    execute!(tx, RAISE)?;
    mark(tx, parts).await
}

/// As [`raise`] with all parts, if the version is still this one; whether it is.
///
/// # Errors
/// When the database refuses.
pub async fn raise_from(tx: &mut Tx, version: i64) -> Result<bool, Error> {
    let raised = execute!(tx, RAISE_FROM, version)? != 0;
    if raised {
        mark(tx, Parts::ALL).await?;
    }
    Ok(raised)
}

async fn mark(tx: &mut Tx, parts: Parts) -> Result<(), Error> {
    if !parts.is_empty() {
        execute!(tx, MARK, parts.bits())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Engine, each_engine};

    #[tokio::test]
    async fn a_change_is_seen_in_its_parts() {
        each_engine(async |engine: Engine| {
            let before = versions(&engine.store).await.unwrap();
            assert_eq!(before.1.changed_since(&Versions::default()), Parts::ALL, "nothing is known at first");
            assert_eq!(before.1.changed_since(&before.1), Parts::NOTHING);
            let touched = Parts::ACL.with(Parts::OTHERS);
            let mut tx = engine.store.begin().await.unwrap();
            raise(&mut tx, touched).await.unwrap();
            tx.commit().await.unwrap();
            let after = versions(&engine.store).await.unwrap();
            assert_eq!((after.0, after.1.changed_since(&before.1)), (before.0 + 1, touched));

            let mut tx = engine.store.begin().await.unwrap();
            assert!(!raise_from(&mut tx, before.0).await.unwrap(), "an older version");
            assert!(raise_from(&mut tx, after.0).await.unwrap());
            tx.commit().await.unwrap();
            let last = versions(&engine.store).await.unwrap();
            assert_eq!(last.1.changed_since(&after.1), Parts::ALL);
        })
        .await;
    }
}
