//! The keys of access tokens: loaded at the start, made at the first, rotated while nodes run.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use runtime::clock::Timestamp;
use runtime::config::AuthOptions;
use runtime::seal::RootKey;
use runtime::store::auth::signing_key::{self, SigningKey as Stored};
use runtime::store::{Db, Error, ErrorKind};
use uuid::Uuid;

use super::jwt::{Claims, KeySet, SigningKey};

/// Signs and verifies access tokens.
pub(crate) struct Tokens {
    issuer: String,
    lifetime: Duration,
    keys: ArcSwapOption<KeySet>,
}

impl Tokens {
    pub(crate) fn new(options: &AuthOptions) -> Self {
        Self {
            issuer: options.issuer.clone(),
            lifetime: options.access_token.get(),
            keys: ArcSwapOption::empty(),
        }
    }

    /// Reads the keys; where there is none yet one is made.
    pub(crate) async fn load(&self, db: &Db, root_key: &RootKey, now: Timestamp) -> Result<(), Error> {
        let mut stored = signing_key::load(db, root_key).await?;
        if stored.is_empty() {
            signing_key::insert_first(db, root_key, &new_key(now)?).await?;
            stored = signing_key::load(db, root_key).await?;
        }
        let keys = stored.iter().map(|key| SigningKey::restore(&key.kid, &key.key, key.created_at));
        let keys: Result<Vec<SigningKey>, _> = keys.collect();
        let set = keys.and_then(|keys| KeySet::new(&self.issuer, &self.issuer, keys));
        let set =
            set.map_err(|error| Error::new(ErrorKind::Other, format!("keys of access tokens: {error}")))?;
        self.keys.store(Some(Arc::new(set)));
        Ok(())
    }

    /// A token of a login, and how long it is good.
    pub(crate) fn issue(&self, user: Uuid, session: Uuid, now: Timestamp) -> Option<(String, Duration)> {
        let keys = self.keys.load();
        let keys = keys.as_ref()?;
        let claims = keys.claims(user, session, now, self.lifetime);
        keys.issue(&claims, now).ok().map(|token| (token, self.lifetime))
    }

    /// What a token says, while it is good.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.keys.load().as_ref()?.verify(token, now).ok()
    }

    /// RFC 7517.
    pub(crate) fn jwks(&self) -> serde_json::Value {
        let keys = self.keys.load();
        keys.as_ref().map_or_else(|| serde_json::json!({"keys": []}), |keys| keys.jwks())
    }
}

/// A key as the store keeps it, made now.
pub(crate) fn new_key(now: Timestamp) -> Result<Stored, Error> {
    let key = SigningKey::generate(now).map_err(|error| Error::new(ErrorKind::Other, error.to_string()))?;
    Ok(Stored { id: Uuid::new_v4(), kid: key.kid().to_owned(), key: key.secret(), created_at: now })
}
