//! Who a trunk is by its digest (RFC 7616, RFC 8760): nonces that any node checks without a table, and the users whose
//! answers are right.
//!
//! Pure. A nonce is a time and a keyed digest of what it is good for: one source address and one Call-ID, for
//! [`LIFETIME`]. An answer that was overheard serves no other call, and none from elsewhere. The key is made of those
//! of cookies, which all nodes read. Not here: that an answer counts once, which the worker of its Call-ID remembers: at
//! each node for itself, and not beyond its process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use runtime::clock::Timestamp;
use runtime::model::{AuthType, DigestCredential, SIP_REALM, Trunk, Voice};
use runtime::password::Ha1;
use runtime::seal::RootKey;
use runtime::store::trunk_credential;
use sip::digest::{Credentials, Hash, Username};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::cookie::{Keys, Secret};

/// How long a nonce is good: a caller answers at once.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// What the clocks of nodes may differ by.
pub const SKEW: Duration = Duration::from_secs(5);

/// The layout of a nonce; other versions are foreign.
const VERSION: u8 = 1;
/// Milliseconds since 1970 in 48 bits.
const TIME_LEN: usize = 6;
/// Version and key number, then the time.
const CLEAR_LEN: usize = 1 + TIME_LEN;
/// Octets of the keyed digest: 128 bits are not guessed.
const TAG_LEN: usize = 16;
const NONCE_LEN: usize = CLEAR_LEN + TAG_LEN;
/// Characters of a nonce.
pub const TEXT_LEN: usize = (NONCE_LEN * 4).div_ceil(3);
/// Keys are numbered by four bits.
const KEY_NUMBER_MAX: u8 = 15;

/// What a nonce is good for.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// Whom it was given to, whatever the port: that changes behind a NAT.
    pub source: IpAddr,
    /// The Call-ID of what it was asked for.
    pub call_id: &'a [u8],
}

/// What a nonce is that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// Ours, for this, and not too old.
    Fresh,
    /// As that, and too old.
    Stale,
    /// Not ours, or for something else.
    Foreign,
}

/// A nonce that was made now.
#[must_use]
pub fn nonce(keys: &Keys, bound: &Bound<'_>, now: Timestamp) -> [u8; TEXT_LEN] {
    let (sealing, _) = keys.secrets();
    let mut octets = [0; NONCE_LEN];
    let [.., a, b, c, d, e, f] = millis(now).to_be_bytes();
    let clear = [VERSION << 4 | sealing.number, a, b, c, d, e, f];
    let tag = tag(&sealing, clear, bound);
    octets.iter_mut().zip(clear.into_iter().chain(tag)).for_each(|(place, octet)| *place = octet);
    let mut text = [0; TEXT_LEN];
    // The text has the length that it takes.
    let _ = URL_SAFE_NO_PAD.encode_slice(octets, &mut text);
    text
}

/// Looks at a nonce that came back.
#[must_use]
pub fn look(keys: &Keys, text: &[u8], bound: &Bound<'_>, now: Timestamp) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    if text.len() != TEXT_LEN || URL_SAFE_NO_PAD.decode_slice(text, &mut octets) != Ok(NONCE_LEN) {
        return Nonce::Foreign;
    }
    let Some((clear, given)) = octets.split_first_chunk::<CLEAR_LEN>() else { return Nonce::Foreign };
    let [header, time @ ..] = *clear;
    let (sealing, other) = keys.secrets();
    let mut live = std::iter::once(sealing).chain(other);
    let secret = live.find(|secret| secret.number == header & KEY_NUMBER_MAX);
    let Some(secret) = secret.filter(|_| header >> 4 == VERSION) else { return Nonce::Foreign };
    let expected = tag(&secret, *clear, bound);
    if !bool::from(expected.as_slice().ct_eq(given)) {
        return Nonce::Foreign;
    }
    let made = time.into_iter().fold(0_u64, |millis, octet| millis << 8 | u64::from(octet));
    let (now, lifetime, skew) = (millis(now), as_millis(LIFETIME), as_millis(SKEW));
    let is_fresh = now <= made.saturating_add(lifetime) && made <= now.saturating_add(skew);
    if is_fresh { Nonce::Fresh } else { Nonce::Stale }
}

/// The keyed digest of a nonce: by a key of its own, so that nothing of it says anything of cookies.
fn tag(secret: &Secret, clear: [u8; CLEAR_LEN], bound: &Bound<'_>) -> [u8; TAG_LEN] {
    let purpose = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret.key), b"nonces of digests");
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, purpose.as_ref()));
    context.update(&clear);
    // Of one length, so that no octet moves from one part to the next unseen.
    let source = match bound.source {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    context.update(&source.octets());
    context.update(bound.call_id);
    let mut tag = [0; TAG_LEN];
    tag.iter_mut().zip(context.sign().as_ref()).for_each(|(place, octet)| *place = *octet);
    tag
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1000).unwrap_or_default()
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The trunks that say by digest who they are, by username.
#[derive(Debug, Default)]
pub struct Users {
    by_name: HashMap<Vec<u8>, User>,
    closed: Vec<Uuid>,
}

#[derive(Debug)]
struct User {
    /// Its trunk, by place.
    trunk: u32,
    ha1: Ha1,
}

impl Users {
    /// Those of a configuration: of active trunks with `DIGEST` or `BOTH`, which stand in a snapshot at the same
    /// places. One whose secret does not open, or that has none, is nobody, and the log says so.
    #[must_use]
    pub fn open(voice: &Voice, root_key: &RootKey) -> Self {
        let mut closed = Vec::new();
        let users = secrets(voice).filter_map(|(trunk, place, stored)| {
            match trunk_credential::open(root_key, trunk.id, stored) {
                Ok(ha1) => Some((stored.username.clone(), place, ha1)),
                Err(error) => {
                    tracing::error!(
                        trunk = trunk.name,
                        %error,
                        "the calls of a trunk are refused, its secret does not open: restore the root key, or give \
                         its password again"
                    );
                    closed.push(trunk.id);
                    None
                }
            }
        });
        let users = Self::of(users);
        let mut without = asked(voice).map(|(trunk, _)| trunk).filter(|trunk| trunk.digest.is_none());
        if let Some(first) = without.next() {
            let others = without.count();
            tracing::warn!(trunk = first.name, others, "the calls of a trunk are refused, it has no digest");
        }
        Self { closed, ..users }
    }

    /// These: username, place of the trunk, and what its digests are checked with.
    pub fn of(users: impl IntoIterator<Item = (String, u32, Ha1)>) -> Self {
        let user = |(name, trunk, ha1): (String, u32, Ha1)| (name.into_bytes(), User { trunk, ha1 });
        Self { by_name: users.into_iter().map(user).collect(), closed: Vec::new() }
    }

    /// Whether there is none: nobody is challenged then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The trunks whose secrets did not open.
    #[must_use]
    pub fn closed(&self) -> &[Uuid] {
        &self.closed
    }

    /// Whether the secret of one of these trunks opens by now: the key that it was sealed with may have come since.
    #[must_use]
    pub fn opens_one(voice: &Voice, root_key: &RootKey, closed: &[Uuid]) -> bool {
        let mut tried = secrets(voice).filter(|(trunk, ..)| closed.contains(&trunk.id));
        tried.any(|(trunk, _, stored)| trunk_credential::open(root_key, trunk.id, stored).is_ok())
    }

    /// The trunk whose credentials these are, for a request of this method. An unknown name costs what a wrong password
    /// costs, and is answered as that.
    #[must_use]
    pub fn find(&self, credentials: &Credentials<'_>, method: &[u8]) -> Option<u32> {
        let hash = credentials.algorithm.hash()?;
        let user = self.user(credentials);
        let secret = user.map_or_else(|| nobodys(hash), |user| ha1_by(&user.ha1, hash));
        let right = are_by(credentials, secret.as_bytes(), method);
        user.filter(|_| right).map(|user| user.trunk)
    }

    /// The trunk that credentials name, whether they are right or not.
    #[must_use]
    pub fn named(&self, credentials: &Credentials<'_>) -> Option<u32> {
        self.user(credentials).map(|user| user.trunk)
    }

    fn user(&self, credentials: &Credentials<'_>) -> Option<&User> {
        match credentials.username {
            Username::Plain(name) => self.by_name.get(name),
            // Neither was offered.
            Username::Hashed(_) | Username::Encoded(_) => None,
        }
    }
}

/// The trunks of a configuration that are to say by digest who they are, each with its place.
fn asked(voice: &Voice) -> impl Iterator<Item = (&Trunk, u32)> {
    let trunks = voice.trunks.iter().zip(0_u32..);
    trunks.filter(|(trunk, _)| trunk.active && trunk.auth_type != AuthType::IpAcl)
}

/// Those of them that can, each with what is stored of its secret.
fn secrets(voice: &Voice) -> impl Iterator<Item = (&Trunk, u32, &DigestCredential)> {
    asked(voice).filter_map(|(trunk, place)| {
        let stored = trunk.digest.as_ref().filter(|stored| stored.realm == SIP_REALM)?;
        Some((trunk, place, stored))
    })
}

/// What stands in place of a password, by a hash function.
pub(super) fn ha1_by(ha1: &Ha1, hash: Hash) -> &str {
    match hash {
        Hash::Sha512Trunc256 => &ha1.sha512_256,
        Hash::Sha256 => &ha1.sha256,
        Hash::Md5 => &ha1.md5,
    }
}

/// Whether credentials are by who knows a secret: all the work that somebody's answer makes, whoever it names.
fn are_by(credentials: &Credentials<'_>, secret: &[u8], method: &[u8]) -> bool {
    #[cfg(test)]
    work::add();
    credentials.are_by(secret, method)
}

/// How often answers were checked by this thread.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static CHECKED: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn add() {
        CHECKED.set(CHECKED.get() + 1);
    }

    /// Since this was called last.
    pub(crate) fn take() -> u32 {
        CHECKED.take()
    }
}

/// What the digest of an unknown name is checked with; whatever comes of it, it is nobody's.
const fn nobodys(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha512Trunc256 | Hash::Sha256 => {
            "0000000000000000000000000000000000000000000000000000000000000000"
        }
        Hash::Md5 => "00000000000000000000000000000000",
    }
}

#[cfg(test)]
mod tests;
