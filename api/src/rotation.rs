//! A new key of cookies or of access tokens, or a new root key, made by a running node or by a command that
//! stands in for one.

use std::fmt;
use std::time::Duration;

use runtime::seal::KeySource;
use runtime::store::auth::signing_key;
use runtime::store::cookie_key::{self, Rotation};
use runtime::store::root_key;
use serde::Serialize;

use crate::auth::tokens;
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
    /// Access tokens may be good whose key would be dropped; so long one is.
    #[error(
        "the last key was made less than {} seconds ago, and access tokens that the one before it signed may \
         be good: their users would have to refresh them; force it where that is better",
        .0.as_secs() + signing_key::FORCED_MIN.as_secs()
    )]
    TokensLive(Duration),
    /// The key of access tokens that would be dropped may sign yet, whatever is forced.
    #[error(
        "the last key was made less than {} seconds ago, and the one before it, which signs until all nodes \
         have read the last, would be dropped: not even by force; try again later",
        signing_key::FORCED_MIN.as_secs()
    )]
    Unread,
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
        Rotation::Made(key) => {
            target.announcements.announce();
            Ok(Outcome { key: key.number })
        }
        Rotation::TooSoon => Err(Error::TooSoon),
        Rotation::Unsettled => Err(Error::Unsettled),
    }
}

/// What came of another key of access tokens.
#[derive(Debug, Serialize)]
pub struct AccessTokenKeyOutcome {
    /// Name of the new key, as tokens and the published key set have it.
    pub kid: String,
}

impl fmt::Display for AccessTokenKeyOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = signing_key::SETTLED_MIN.as_secs();
        let kid = &self.kid;
        writeln!(f, "key {kid} signs access tokens in {after} s, the one before verifies what it signed")
    }
}

/// Makes a key that signs access tokens once all nodes have it; the one before verifies what it has signed.
/// `lifetime` is that of a token.
///
/// # Errors
/// When tokens of the key that would be dropped may be good, unless `forced`; when it may sign yet; when the
/// database does not answer.
pub async fn access_token_key(
    target: Target,
    lifetime: Duration,
    forced: bool,
) -> Result<AccessTokenKeyOutcome, Error> {
    let _turn = target.turn.lock().await;
    let key = tokens::new_key(target.clock.now())?;
    match signing_key::rotate(&target.store, &target.root_key, &key, (lifetime, forced)).await? {
        signing_key::Rotation::Made => {
            target.announcements.announce();
            Ok(AccessTokenKeyOutcome { kid: key.kid })
        }
        signing_key::Rotation::TooSoon => Err(Error::TokensLive(lifetime)),
        signing_key::Rotation::Unsettled => Err(Error::Unread),
    }
}

/// What came of another root key.
#[derive(Debug, Serialize)]
pub struct RootKeyOutcome {
    /// Secrets that are under the new key now and were not before.
    pub rewrapped: usize,
    /// Secrets that no root key opens; they were left as they are.
    pub closed: usize,
    /// What is left to do, for people.
    pub advice: String,
}

impl fmt::Display for RootKeyOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} secrets were brought under the new root key", self.rewrapped)?;
        if self.closed > 0 {
            writeln!(f, "{} open with no root key and were left: give their passwords again", self.closed)?;
        }
        writeln!(f, "{}", self.advice)
    }
}

/// Brings every sealed value under a new root key, and goes on to the end even when the caller goes away meanwhile.
/// `new_key_env` names the variable of the new key where the old one has one too.
///
/// # Errors
/// When the new key cannot be had or the database does not answer; every value opens as before then.
pub async fn root_key(target: Target, new_key_env: Option<String>) -> Result<RootKeyOutcome, Error> {
    let runtime = tokio::runtime::Handle::current();
    // The key file is written and synced on the way, under the lock of the database: no place for a worker.
    let rotated = tokio::task::spawn_blocking(move || {
        runtime.block_on(async move {
            let _turn = target.turn.lock().await;
            let rotated = root_key::rotate(&target.store, &target.root_key, new_key_env.as_deref()).await?;
            let advice = advice(target.root_key.source(), new_key_env.as_deref(), &rotated);
            Ok(RootKeyOutcome { rewrapped: rotated.rewrapped, closed: rotated.closed, advice })
        })
    });
    match rotated.await {
        Ok(rotated) => rotated.map_err(Error::Store),
        Err(panicked) => Err(Error::Store(runtime::store::Error::new(
            runtime::store::ErrorKind::Other,
            format!("the rotation did not end: {panicked}"),
        ))),
    }
}

fn advice(source: &KeySource, new_key_env: Option<&str>, rotated: &root_key::Rotated) -> String {
    match (source, new_key_env, &rotated.old_key_kept) {
        (_, _, Some(reason)) => {
            format!(
                "the old key stays beside the new one in the {source}: {reason}; rotate again to take it out"
            )
        }
        (KeySource::File(path), _, None) => {
            format!(
                "{} holds the new key alone: keep a copy of it, and one of the old with old backups",
                path.display()
            )
        }
        (KeySource::Environment(old), Some(new), None) => format!(
            "set node.root_key_env to {new} on every node now: a node that starts with {old} opens no secret any more"
        ),
        (KeySource::Environment(name), None, None) => {
            format!("take the old key out of the environment variable {name} on every node")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_what_is_left_to_do() {
        let file = KeySource::File("/data/root.key".into());
        let environment = KeySource::Environment("KEY_1".to_owned());
        let kept = |reason: Option<&str>| root_key::Rotated {
            old_key_kept: reason.map(str::to_owned),
            ..root_key::Rotated::default()
        };
        for (source, new, rotated, expected) in [
            (&file, None, kept(None), "/data/root.key holds the new key alone"),
            (&file, None, kept(Some("disk full")), "root key /data/root.key: disk full; rotate again"),
            (&environment, Some("KEY_2"), kept(None), "set node.root_key_env to KEY_2"),
            (&environment, None, kept(None), "take the old key out of the environment variable KEY_1"),
        ] {
            let text = advice(source, new, &rotated);
            assert!(text.contains(expected), "{text}");
        }
    }
}
