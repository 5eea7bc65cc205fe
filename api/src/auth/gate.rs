//! The gate: a presented token becomes a principal, or nothing does.
//!
//! A token that was verified once is known by its SHA-256 until it expires or anything about users, access, keys or
//! sessions changes anywhere: then all known tokens are verified anew. While the database is away, what is known holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use runtime::clock::{SharedClock, Timestamp};
use runtime::model::Cidr;
use runtime::store::auth::{self, api_key, session, user};
use runtime::store::{Db, Error as StoreError};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::jwt::Claims;
use super::key::ApiKey;
use super::principal::{Grants, Principal};
use super::tokens::Tokens;
use crate::limits::Failures;
use crate::permission::Permissions;
use crate::problem::Problem;
use crate::token::TokenHash;

/// Tokens that are known; more and all are forgotten.
const KNOWN_MAX: usize = 65_536;
/// For how long a key is known without being looked up again.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// For how long others go on by what is known while one of them looks it up again, which takes long when the database
/// is away.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(10);
/// For how long what was looked up holds while the database cannot be asked: one that was taken back meanwhile is good
/// on this node as long.
const HOLDS_FOR: Duration = Duration::from_secs(3600);

/// Why nobody was let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The token is none, or no longer. Which of these is not told.
    Unknown,
    /// The key may not be used from this address.
    Address,
    /// Too many tokens from this address were none; another key that was never good is not looked up now.
    TooMany(Problem),
    /// The database cannot be asked.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Lets in.
pub(crate) struct Gate {
    store: Db,
    clock: SharedClock,
    bootstrap: TokenHash,
    tokens: Arc<Tokens>,
    known: RwLock<HashMap<[u8; 32], Known>>,
    /// Grows when tokens are forgotten: one that was looked up before that is looked up again.
    forgotten: AtomicU64,
}

/// What is known of a token that was good.
#[derive(Clone)]
struct Known {
    principal: Arc<Principal>,
    addresses: Arc<[Cidr]>,
    /// When it is looked up again.
    look_again: Timestamp,
    /// When it was looked up.
    looked_up: Timestamp,
    /// From when on the token is no good by itself.
    expires: Option<Timestamp>,
    /// What [`Gate::forgotten`] was before it was looked up.
    forgotten: u64,
}

impl Known {
    fn admits(&self, address: Option<IpAddr>) -> bool {
        let within = |address| self.addresses.iter().any(|network| network.contains(address));
        self.addresses.is_empty() || address.is_some_and(within)
    }

    /// Whether it is good as far as can be told without the database: it has not expired, and nothing changed since.
    fn stands(&self, now: Timestamp, forgotten: u64) -> bool {
        self.forgotten == forgotten && self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it is let in while the database cannot be asked.
    fn holds(&self, now: Timestamp, forgotten: u64) -> bool {
        self.stands(now, forgotten) && now.since(self.looked_up) < HOLDS_FOR
    }

    /// Whether the database need not be asked.
    fn is_fresh(&self, now: Timestamp, forgotten: u64) -> bool {
        now < self.look_again && self.stands(now, forgotten)
    }
}

/// A token at the gate.
struct Presented<'a> {
    token: &'a str,
    hash: [u8; 32],
    address: Option<IpAddr>,
    now: Timestamp,
    /// What [`Gate::forgotten`] was when it came.
    forgotten: u64,
}

/// What a token says of itself; whether it is good, the database knows.
enum Claim {
    Key,
    User(Claims),
}

impl Gate {
    pub(crate) fn new(store: Db, clock: SharedClock, (bootstrap, tokens): (TokenHash, Arc<Tokens>)) -> Self {
        Self { store, clock, bootstrap, tokens, known: RwLock::default(), forgotten: AtomicU64::new(0) }
    }

    /// Whose token this is, presented from `address`. A token that is none is counted among the failures of the
    /// address, and keys that were never good are refused when it has too many.
    pub(crate) async fn admit(
        &self,
        token: &str,
        address: Option<IpAddr>,
        failures: &Failures,
    ) -> Result<Arc<Principal>, Refusal> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (now, forgotten) = (self.clock.now(), self.forgotten.load(Ordering::Acquire));
        let presented = Presented { token, hash, address, now, forgotten };
        let known = self.known.read().get(&hash).cloned();
        let known = match known {
            Some(known) if known.is_fresh(now, forgotten) => known,
            known => self.verify(&presented, known, failures).await?,
        };
        if known.admits(address) { Ok(known.principal) } else { Err(Refusal::Address) }
    }

    /// Has every token that is known looked up again. Which they are stays: they are no strangers.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        let now = self.clock.now();
        self.known.write().retain(|_, known| known.expires.is_none_or(|expires| now < expires));
    }

    async fn verify(
        &self,
        presented: &Presented<'_>,
        known: Option<Known>,
        failures: &Failures,
    ) -> Result<Known, Refusal> {
        let &Presented { token, now, forgotten, .. } = presented;
        if self.bootstrap.accepts(token.as_bytes()) {
            let principal = Arc::new(Principal::bootstrap());
            let look_again = now.plus(KNOWN_FOR);
            let addresses = Arc::default();
            let known = Known { principal, addresses, look_again, looked_up: now, expires: None, forgotten };
            self.keep(presented, &known);
            return Ok(known);
        }
        let claim = if ApiKey::parse(token).is_some() {
            Claim::Key
        } else {
            Claim::User(self.tokens.verify(token, now).ok_or(Refusal::Unknown)?)
        };
        match known {
            Some(known) => self.look_again(presented, &claim, known).await,
            None => self.look_first(presented, &claim, failures).await,
        }
    }

    /// A token that nobody has shown before, or none at all.
    async fn look_first(
        &self,
        presented: &Presented<'_>,
        claim: &Claim,
        failures: &Failures,
    ) -> Result<Known, Refusal> {
        // A user's token has our signature: no stranger makes one, and none is locked out by strangers.
        if matches!(claim, Claim::Key) {
            failures.check(presented.address, Instant::now()).map_err(Refusal::TooMany)?;
        }
        let found = self.look_up(presented, claim).await;
        if let Err(Refusal::Unknown) = found {
            failures.count(presented.address, Instant::now());
        }
        found
    }

    /// A token that was good. Where the database cannot be asked it still is, to its own end and as long as nothing is
    /// known to have changed.
    async fn look_again(
        &self,
        presented: &Presented<'_>,
        claim: &Claim,
        known: Known,
    ) -> Result<Known, Refusal> {
        if known.stands(presented.now, presented.forgotten) {
            self.postpone(presented);
        }
        match self.look_up(presented, claim).await {
            Err(Refusal::Store(error))
                if known.holds(self.clock.now(), self.forgotten.load(Ordering::Acquire)) =>
            {
                let principal = known.principal.name.as_str();
                tracing::debug!(%error, principal, "a token cannot be looked up, what is known of it holds");
                Ok(known)
            }
            Err(Refusal::Unknown) => {
                self.known.write().remove(&presented.hash);
                Err(Refusal::Unknown)
            }
            found => found,
        }
    }

    /// Others who present the token do not wait for its being looked up.
    fn postpone(&self, presented: &Presented<'_>) {
        if let Some(known) = self.known.write().get_mut(&presented.hash) {
            known.look_again = presented.now.plus(LOOKED_UP_WITHIN);
        }
    }

    async fn look_up(&self, presented: &Presented<'_>, claim: &Claim) -> Result<Known, Refusal> {
        let known = match claim {
            Claim::Key => self.key(presented).await?,
            Claim::User(claims) => self.user(presented, claims).await?,
        };
        self.keep(presented, &known);
        Ok(known)
    }

    fn keep(&self, presented: &Presented<'_>, known: &Known) {
        let mut all = self.known.write();
        if all.len() >= KNOWN_MAX {
            all.retain(|_, known| known.stands(presented.now, presented.forgotten));
        }
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(presented.hash, known.clone());
    }

    /// A user, by an access token of his session.
    async fn user(&self, presented: &Presented<'_>, claims: &Claims) -> Result<Known, Refusal> {
        let &Presented { now, forgotten, .. } = presented;
        let session = session::by_id(&self.store, claims.sid).await?;
        session
            .filter(|session| session.user == claims.sub && session.is_good(now))
            .ok_or(Refusal::Unknown)?;
        let user = user::by_id(&self.store, claims.sub).await?.filter(|user| user.active);
        let user = user.ok_or(Refusal::Unknown)?;
        let types = auth::user_types(&self.store).await?;
        let user_type = types.iter().find(|known| known.name == user.user_type).ok_or(Refusal::Unknown)?;
        let access = user::access(&self.store, user.id).await?;
        let principal = Arc::new(Principal::user(&user, claims.sid, user_type, &access));
        let expires = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        let addresses = Arc::default();
        let (look_again, expires) = (expires, Some(expires));
        Ok(Known { principal, addresses, look_again, looked_up: now, expires, forgotten })
    }

    /// A key of a program.
    async fn key(&self, presented: &Presented<'_>) -> Result<Known, Refusal> {
        let &Presented { hash, now, forgotten, .. } = presented;
        let key = api_key::by_hash(&self.store, &hash).await?.filter(|key| key.is_good(now));
        let key = key.ok_or(Refusal::Unknown)?;
        let permissions = Permissions::named(&key.permissions);
        let (operator, grants) = match key.customer {
            None => (true, Grants::Everywhere(permissions)),
            Some(customer) => (false, Grants::For(vec![(customer, permissions)])),
        };
        let principal = Principal {
            name: format!("key:{}", key.prefix),
            operator,
            user: None,
            session: None,
            user_type: "key".to_owned(),
            grants,
        };
        Ok(Known {
            principal: Arc::new(principal),
            addresses: key.addresses.into(),
            look_again: now.plus(KNOWN_FOR),
            looked_up: now,
            expires: key.expires_at,
            forgotten,
        })
    }
}

#[cfg(test)]
mod tests;
