//! The gate: a presented token becomes a principal, or nothing does.
//!
//! A token that was verified once is known by its SHA-256 until it expires or anything about users, access, keys or
//! sessions changes anywhere: then all known tokens are forgotten and verified anew.

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

use super::jwt::Claims;
use super::key::ApiKey;
use super::principal::{Grants, Principal};
use super::tokens::Tokens;
use crate::permission::Permissions;
use crate::token::TokenHash;

/// Tokens that are known; more and all are forgotten.
const KNOWN_MAX: usize = 65_536;
/// For how long a key that never expires is known without being looked up again.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// Why nobody was let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The token is none, or no longer. Which of these is not told.
    Unknown,
    /// The key may not be used from this address.
    Address,
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
    /// Grows when tokens are forgotten: one that was looked up before that is not kept.
    forgotten: AtomicU64,
}

#[derive(Clone)]
struct Known {
    principal: Arc<Principal>,
    addresses: Arc<[Cidr]>,
    until: Timestamp,
}

impl Known {
    fn admits(&self, address: Option<IpAddr>) -> bool {
        let within = |address| self.addresses.iter().any(|network| network.contains(address));
        self.addresses.is_empty() || address.is_some_and(within)
    }
}

impl Gate {
    pub(crate) fn new(store: Db, clock: SharedClock, (bootstrap, tokens): (TokenHash, Arc<Tokens>)) -> Self {
        Self { store, clock, bootstrap, tokens, known: RwLock::default(), forgotten: AtomicU64::new(0) }
    }

    /// Whose token this is, presented from `address`.
    pub(crate) async fn admit(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<Principal>, Refusal> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = self.clock.now();
        let known = self.known.read().get(&hash).filter(|known| now < known.until).cloned();
        let known = match known {
            Some(known) => known,
            None => self.verify(token, hash, now).await?,
        };
        if known.admits(address) { Ok(known.principal) } else { Err(Refusal::Address) }
    }

    /// Forgets every token that is known.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.known.write().clear();
    }

    async fn verify(&self, token: &str, hash: [u8; 32], now: Timestamp) -> Result<Known, Refusal> {
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let known = if self.bootstrap.accepts(token.as_bytes()) {
            let principal = Arc::new(Principal::bootstrap());
            Known { principal, addresses: Arc::default(), until: now.plus(KNOWN_FOR) }
        } else if ApiKey::parse(token).is_some() {
            self.key(&hash, now).await?
        } else {
            let claims = self.tokens.verify(token, now).ok_or(Refusal::Unknown)?;
            self.user(&claims, now).await?
        };
        let mut all = self.known.write();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        if forgotten == self.forgotten.load(Ordering::Acquire) {
            all.insert(hash, known.clone());
        }
        Ok(known)
    }

    /// A user, by an access token of his session.
    async fn user(&self, claims: &Claims, now: Timestamp) -> Result<Known, Refusal> {
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
        let until = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        Ok(Known { principal, addresses: Arc::default(), until })
    }

    /// A key of a program.
    async fn key(&self, hash: &[u8; 32], now: Timestamp) -> Result<Known, Refusal> {
        let key = api_key::by_hash(&self.store, hash).await?.filter(|key| key.is_good(now));
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
        let known = now.plus(KNOWN_FOR);
        let until = key.expires_at.map_or(known, |expires| expires.min(known));
        Ok(Known { principal: Arc::new(principal), addresses: key.addresses.into(), until })
    }
}
