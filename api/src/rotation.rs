//! A new key of cookies, made by a running node or by a command that stands in for one.

use std::fmt;

use runtime::store::cookie_key::{self, Rotation};
use serde::Serialize;

use crate::provision::Target;

/// What rotating did.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Number of the new key.
    pub key: u8,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "key {} seals cookies soon, the one before opens its own", self.key)
    }
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Calls may be up whose key would be dropped.
    #[error(
        "the last key but one has been retired for less than {} hours, and calls that it sealed may be up: they would \
         be lost; force it where that is better",
        cookie_key::RETIRED_MIN.as_secs() / 3600
    )]
    TooSoon,
    /// The key that would be dropped may seal yet, whatever is forced.
    #[error(
        "the last key was made less than {} seconds ago, and the one before it, which all calls may be sealed with, \
         would be dropped: not even by force; try again later",
        cookie_key::FORCED_MIN.as_secs()
    )]
    Unsettled,
    /// The database.
    #[error(transparent)]
    Store(#[from] runtime::store::Error),
}

/// Makes a key that seals cookies once all nodes have it; the one before opens what it has sealed.
///
/// # Errors
/// When the key that would be dropped has not been retired for long, unless `forced`; when it may seal yet; when the
/// database does not answer.
pub async fn cookie_key(target: Target, forced: bool) -> Result<Outcome, Error> {
    let _turn = target.turn.lock().await;
    match cookie_key::rotate(&target.store, &target.root_key, target.clock.now(), forced).await? {
        Rotation::Made(key) => Ok(Outcome { key: key.number }),
        Rotation::TooSoon => Err(Error::TooSoon),
        Rotation::Unsettled => Err(Error::Unsettled),
    }
}
