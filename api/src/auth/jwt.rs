//! The platform's access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037).
//!
//! A [`KeySet`] holds one or two keys. Both verify, so that tokens of the older one live out their time after
//! a rotation; the younger one signs as soon as all nodes have read it. A set is a value: a rotation makes
//! another one.
//!
//! This module knows no user, no session table and no revocation; whoever accepts the claims asks for those.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use runtime::clock::Timestamp;
use runtime::password::SecretString;
use runtime::random::secret_bytes;
use runtime::store::auth::signing_key::{self, SETTLED_MIN};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::crypto::{self, PUBLIC_OCTETS, SEED_OCTETS};

/// A longer token is refused before anything of it is decoded, octets.
pub(crate) const TOKEN_OCTETS_MAX: usize = 8 * 1024;
/// How far clocks may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);
/// Keys that live at one time.
pub(crate) const KEYS_MAX: usize = 2;

/// Why a key set is not one, or a token is not accepted. None of it says more than its holder knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No key, or more than [`KEYS_MAX`], or two with one name.
    #[error("a key set has one or two keys with different names")]
    KeySet,
    /// A stored key does not read.
    #[error("a signing key is not 32 octets in base64url, or its name is not its thumbprint")]
    Key,
    /// A token could not be signed.
    #[error("the token could not be signed")]
    Signing,
    /// Longer than [`TOKEN_OCTETS_MAX`].
    #[error("the token is too long")]
    Oversize,
    /// Not three segments of base64url, or no JSON of the right shape in them.
    #[error("the token is malformed")]
    Malformed,
    /// The header names another algorithm or type, or an extension that must be understood.
    #[error("the token is of another kind")]
    Kind,
    /// The header names no key, or one that is not in the set.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature is another's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// Another audience.
    #[error("the token is for another audience")]
    Audience,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
}

/// What a token says. Times are seconds since the Unix epoch (NumericDate, RFC 7519, 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who issued it.
    pub(crate) iss: String,
    /// Whom it is for; one name, never a list.
    pub(crate) aud: String,
    /// The user.
    pub(crate) sub: Uuid,
    /// The session, by which a token is revoked.
    pub(crate) sid: Uuid,
    /// The token itself.
    pub(crate) jti: Uuid,
    /// Not accepted from then on.
    pub(crate) exp: i64,
    /// When it was issued.
    pub(crate) iat: i64,
    /// Not accepted before.
    pub(crate) nbf: i64,
}

/// A private key and its name.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    created_at: Timestamp,
    private: EncodingKey,
    public: [u8; PUBLIC_OCTETS],
}

/// Keys that sign and verify, for one issuer and one audience.
pub(crate) struct KeySet {
    /// Youngest first, never empty.
    keys: Vec<SigningKey>,
    decoding: Vec<DecodingKey>,
    issuer: String,
    audience: String,
    validation: Validation,
}

impl SigningKey {
    /// A new key, named by its thumbprint (RFC 7638).
    pub(crate) fn generate(created_at: Timestamp) -> Result<Self, Error> {
        Self::of_seed(&secret_bytes::<SEED_OCTETS>(), created_at)
    }

    /// The key that was kept as `kid` and [`SigningKey::secret`].
    pub(crate) fn restore(kid: &str, secret: &SecretString, created_at: Timestamp) -> Result<Self, Error> {
        let seed = URL_SAFE_NO_PAD.decode(secret.expose()).map_err(|_| Error::Key)?;
        let key = Self::of_seed(&seed, created_at)?;
        if key.kid == kid { Ok(key) } else { Err(Error::Key) }
    }

    /// The name by which tokens refer to it: 43 characters of base64url.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// When it was made.
    #[cfg(test)]
    pub(crate) fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The private part, for sealing: 43 characters of base64url.
    pub(crate) fn secret(&self) -> SecretString {
        SecretString::new(URL_SAFE_NO_PAD.encode(self.private.as_bytes()))
    }

    fn of_seed(seed: &[u8], created_at: Timestamp) -> Result<Self, Error> {
        let public = crypto::public_key(seed).ok_or(Error::Key)?;
        Ok(Self { kid: thumbprint(&public), created_at, private: EncodingKey::from_ed_der(seed), public })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {}, [redacted])", self.kid, self.created_at)
    }
}

impl KeySet {
    /// A set of one or two keys, in any order.
    pub(crate) fn new(issuer: &str, audience: &str, mut keys: Vec<SigningKey>) -> Result<Self, Error> {
        crypto::install();
        // Two keys of one microsecond are told apart by name, so that every node signs with the same one.
        keys.sort_by(|left, right| (right.created_at, &right.kid).cmp(&(left.created_at, &left.kid)));
        let twice = matches!(keys.as_slice(), [left, right] if left.kid == right.kid);
        if keys.is_empty() || keys.len() > KEYS_MAX || twice {
            return Err(Error::KeySet);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
        // The crate reads the system's clock; times are checked here, against the time that is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            decoding: keys.iter().map(|key| DecodingKey::from_ed_der(&key.public)).collect(),
            keys,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            validation,
        })
    }

    /// The set after a rotation: `key` and the youngest of the keys here. Tokens of an older one end with it, so
    /// two rotations are further apart than a token lives.
    #[cfg(test)]
    pub(crate) fn rotated(&self, key: SigningKey) -> Result<Self, Error> {
        let kept = self.keys.first().cloned();
        Self::new(&self.issuer, &self.audience, kept.into_iter().chain([key]).collect())
    }

    /// The keys, youngest first.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// Claims of a new token of this issuer for `lifetime` from `now` on, which lasts whole seconds.
    pub(crate) fn claims(&self, user: Uuid, session: Uuid, now: Timestamp, lifetime: Duration) -> Claims {
        let iat = seconds(now);
        Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user,
            sid: session,
            jti: Uuid::new_v4(),
            exp: iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            iat,
            nbf: iat,
        }
    }

    /// A token, signed by the key that signs now.
    pub(crate) fn issue(&self, claims: &Claims, now: Timestamp) -> Result<String, Error> {
        let key = self.signing(now).ok_or(Error::KeySet)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid.clone());
        jsonwebtoken::encode(&header, claims, &key.private).map_err(|_| Error::Signing)
    }

    /// The youngest key, once it is old enough to be known to all nodes: a node that has not read it yet
    /// would refuse its tokens. Until then the one before it.
    fn signing(&self, now: Timestamp) -> Option<&SigningKey> {
        match self.keys.as_slice() {
            [youngest, before, ..] if !signing_key::is_settled(youngest.created_at, now, SETTLED_MIN) => {
                Some(before)
            }
            keys => keys.first(),
        }
    }

    /// The claims of a token that one of the keys signed for us and whose time it is.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let header = header(token, Algorithm::EdDSA)?;
        let kid = header.kid.as_deref().ok_or(Error::UnknownKey)?;
        let place = self.keys.iter().position(|key| key.kid == kid).ok_or(Error::UnknownKey)?;
        let key = self.decoding.get(place).ok_or(Error::UnknownKey)?;
        let claims: Claims =
            jsonwebtoken::decode(token, key, &self.validation).map_err(|error| refused(&error))?.claims;
        in_time(claims.exp, claims.nbf.max(claims.iat), now)?;
        Ok(claims)
    }

    /// The public keys as a JWK set (RFC 7517, 5; RFC 8037, 2).
    pub(crate) fn jwks(&self) -> serde_json::Value {
        let keys: Vec<serde_json::Value> = self
            .keys
            .iter()
            .map(|key| {
                serde_json::json!({
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": URL_SAFE_NO_PAD.encode(key.public),
                    "kid": key.kid,
                    "use": "sig",
                    "alg": "EdDSA",
                })
            })
            .collect();
        serde_json::json!({ "keys": keys })
    }
}

/// The header of a token of bounded length that is a JWT of `algorithm`.
///
/// Nothing in it is believed but the name of a key: keys that it carries or points to are not looked at.
pub(super) fn header(token: &str, algorithm: Algorithm) -> Result<Header, Error> {
    if token.len() > TOKEN_OCTETS_MAX {
        return Err(Error::Oversize);
    }
    if token.bytes().filter(|octet| *octet == b'.').count() != 2 {
        return Err(Error::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Error::Malformed)?;
    let is_jwt = header.typ.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("JWT"));
    // An extension that must be understood is none of ours (RFC 7515, 4.1.11).
    if header.alg != algorithm || !is_jwt || header.crit.is_some() {
        return Err(Error::Kind);
    }
    Ok(header)
}

/// What of `jsonwebtoken`'s findings the holder may know.
pub(super) fn refused(error: &jsonwebtoken::errors::Error) -> Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it finds is a malformed token")]
    match error.kind() {
        ErrorKind::InvalidSignature => Error::Signature,
        ErrorKind::InvalidIssuer => Error::Issuer,
        ErrorKind::InvalidAudience => Error::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Error::Kind,
        _ => Error::Malformed,
    }
}

/// Whether `now` lies in `from..until`, both widened by [`LEEWAY`].
pub(super) fn in_time(until: i64, from: i64, now: Timestamp) -> Result<(), Error> {
    if seconds(now.minus(LEEWAY)) >= until {
        return Err(Error::Expired);
    }
    if seconds(now.plus(LEEWAY)) < from {
        return Err(Error::NotYet);
    }
    Ok(())
}

fn seconds(time: Timestamp) -> i64 {
    time.micros().div_euclid(1_000_000)
}

/// RFC 7638, 3: SHA-256 of the required members in the order of their names (RFC 8037, 2).
fn thumbprint(public: &[u8; PUBLIC_OCTETS]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests;
