//! The published keys of an issuer (RFC 7517), fetched when they are needed and kept.
//!
//! A set lives as long as its Cache-Control says, within bounds. A key name that is not in it, or a set whose
//! time has passed, asks for another, but never twice within [`FLOOR`] and by one fetch for all who wait: a
//! stranger's invented names cost the issuer nothing. The last good set stays while fetching fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jsonwebtoken::DecodingKey;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A set is kept at least and at most so long, whatever its issuer says.
pub(crate) const AGE_MIN: Duration = Duration::from_secs(5 * 60);
pub(crate) const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Time between two fetches, at least.
pub(crate) const FLOOR: Duration = Duration::from_secs(60);
/// Time for one fetch.
pub(crate) const FETCH_TIME: Duration = Duration::from_secs(5);
/// A larger document is refused, octets.
pub(crate) const DOCUMENT_OCTETS_MAX: usize = 64 * 1024;
/// Keys of a set that are looked at.
const KEYS_MAX: usize = 64;

/// A fetched key set, not yet read.
pub(crate) struct Document {
    /// JSON.
    pub(crate) body: Bytes,
    /// What Cache-Control allows.
    pub(crate) max_age: Option<Duration>,
}

/// Fetches the document, or says for the operator why it could not.
pub(crate) type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Document, String>> + Send + Sync>;

type Keys = HashMap<String, Arc<DecodingKey>>;

/// The keys of one issuer.
pub(crate) struct KeyCache(Arc<Shared>);

struct Shared {
    fetch: Fetch,
    state: Mutex<State>,
    /// Counts fetches that ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// The last good set.
    keys: Option<Arc<Keys>>,
    fresh_until: Option<Instant>,
    /// When the last fetch began.
    attempted: Option<Instant>,
    fetching: bool,
    /// Why the last fetch failed.
    failure: Option<String>,
}

impl KeyCache {
    /// An empty cache; the first key that is asked for fills it.
    pub(crate) fn new(fetch: Fetch) -> Self {
        Self(Arc::new(Shared { fetch, state: Mutex::default(), ended: watch::Sender::new(0) }))
    }

    /// The key of that name; none when the issuer has none. Waits for a fetch where one is due.
    ///
    /// # Errors
    /// No set was ever fetched: why.
    pub(crate) async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, String> {
        if let Some(mut ended) = self.due(kid) {
            // The sender lives as long as this cache, so this cannot fail.
            let _ = ended.changed().await;
        }
        let state = self.0.state.lock();
        match &state.keys {
            Some(keys) => Ok(keys.get(kid).cloned()),
            None => Err(state.failure.clone().unwrap_or_else(|| "not fetched yet".to_owned())),
        }
    }

    /// What to wait for before the key is looked up: a fetch that runs or is started now.
    fn due(&self, kid: &str) -> Option<watch::Receiver<u64>> {
        let now = Instant::now();
        let mut state = self.0.state.lock();
        let known = state.keys.as_ref().is_some_and(|keys| keys.contains_key(kid));
        let fresh = state.fresh_until.is_some_and(|until| now < until);
        if known && fresh {
            return None;
        }
        if !state.fetching {
            let lately = state.attempted.is_some_and(|at| now.saturating_duration_since(at) < FLOOR);
            if lately {
                return None;
            }
            state.fetching = true;
            state.attempted = Some(now);
            // A task of its own: who asked may hang up, and must not take the fetch of all others along.
            tokio::spawn(Flight(Arc::clone(&self.0)).run());
        }
        Some(self.0.ended.subscribe())
    }
}

/// A fetch on its way; however it ends, who waits goes on.
struct Flight(Arc<Shared>);

impl Flight {
    async fn run(self) {
        let fetched = timeout(FETCH_TIME, (self.0.fetch)()).await;
        let outcome = match fetched {
            Ok(Ok(document)) => read(&document),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(format!("no answer within {} s", FETCH_TIME.as_secs())),
        };
        let mut state = self.0.state.lock();
        match outcome {
            Ok((keys, age)) => {
                state.keys = Some(Arc::new(keys));
                state.fresh_until = Some(Instant::now() + age);
                state.failure = None;
            }
            Err(reason) => {
                tracing::warn!(reason, kept = state.keys.is_some(), "key set of the issuer not fetched");
                state.failure = Some(reason);
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.state.lock().fetching = false;
        self.0.ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// A key that verifies RS256; others of a set do not read as one.
#[derive(Deserialize)]
struct RsaKey {
    kid: String,
    kty: Rsa,
    #[serde(rename = "use")]
    usage: Option<Sig>,
    alg: Option<Rs256>,
    n: String,
    e: String,
}

#[derive(Deserialize)]
enum Rsa {
    #[serde(rename = "RSA")]
    Rsa,
}

#[derive(Deserialize)]
enum Sig {
    #[serde(rename = "sig")]
    Sig,
}

#[derive(Deserialize)]
enum Rs256 {
    #[serde(rename = "RS256")]
    Rs256,
}

/// The usable keys of a set and how long it is kept. A set without any is a fault of the issuer.
fn read(document: &Document) -> Result<(Keys, Duration), String> {
    if document.body.len() > DOCUMENT_OCTETS_MAX {
        return Err(format!("the key set is longer than {DOCUMENT_OCTETS_MAX} octets"));
    }
    let set: Set = serde_json::from_slice(&document.body).map_err(|error| format!("no key set: {error}"))?;
    let keys: Keys = set.keys.into_iter().take(KEYS_MAX).filter_map(usable).collect();
    if keys.is_empty() {
        return Err("the key set has no key for RS256".to_owned());
    }
    Ok((keys, document.max_age.unwrap_or(AGE_MIN).clamp(AGE_MIN, AGE_MAX)))
}

fn usable(key: serde_json::Value) -> Option<(String, Arc<DecodingKey>)> {
    let RsaKey { kid, kty: Rsa::Rsa, usage: None | Some(Sig::Sig), alg: None | Some(Rs256::Rs256), n, e } =
        serde_json::from_value(key).ok()?;
    let key = DecodingKey::from_rsa_components(&n, &e).ok()?;
    Some((kid, Arc::new(key)))
}
