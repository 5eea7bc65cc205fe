//! Destinations that are closed to trunks that have not opened them: one list.

use std::collections::HashSet;

use super::{Bulk, Db, Error, Sql, Tx, execute_rows, fetch_all, statements, tx_all};

statements! {
    LIST = Sql::both("SELECT prefix FROM voice.high_cost ORDER BY prefix");
}

pub(crate) static DELETE: Bulk = Bulk::new("DELETE FROM voice.high_cost WHERE prefix IN (", 1, ")");
pub(crate) static INSERT: Bulk = Bulk::new("INSERT INTO voice.high_cost (prefix) VALUES ", 1, "");

/// The prefixes, sorted.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = fetch_all!(db, (String,), LIST)?;
    Ok(rows.into_iter().map(|(prefix,)| prefix).collect())
}

/// The prefixes as they are in this transaction, sorted.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = tx_all!(tx, (String,), LIST)?;
    Ok(rows.into_iter().map(|(prefix,)| prefix).collect())
}

/// Makes the list that is stored equal to the one that is wanted.
///
/// # Errors
/// When the database refuses.
pub async fn replace(tx: &mut Tx, stored: &[&str], wanted: &[String]) -> Result<(), Error> {
    let stored: HashSet<&str> = stored.iter().copied().collect();
    let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
    let surplus: Vec<&str> = stored.difference(&wanted).copied().collect();
    let added: Vec<&str> = wanted.difference(&stored).copied().collect();
    execute_rows!(tx, DELETE, surplus, |prefix| ((*prefix).to_owned()));
    execute_rows!(tx, INSERT, added, |prefix| ((*prefix).to_owned()));
    Ok(())
}
