//! Google's ID tokens (OpenID Connect Core 1.0, 3.1.3.7): who a person is, by the word of Google.
//!
//! Signatures are RS256 by a key of Google's published set, which [`keys`] fetches and keeps. This module knows
//! no user of ours: an [`Identity`] is a claim of Google's, whether it may sign in is decided elsewhere.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation};
use runtime::clock::Timestamp;
use runtime::http_client::HttpClient;
use serde::Deserialize;

use self::keys::{Document, Fetch, KeyCache};
use super::{crypto, jwt};

pub(crate) mod keys;

/// Issuers that Google has used.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// Where Google publishes its keys.
const JWKS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// Octets of a subject and of an address (RFC 5321, 4.5.3.1) at most.
const SUBJECT_OCTETS_MAX: usize = 255;
const EMAIL_OCTETS_MAX: usize = 254;
/// Characters of a person's name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// Why nobody is known by a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Without a client id no token is for us.
    #[error("no client id of Google is configured")]
    NotConfigured,
    /// The token is damaged, another's, or out of its time.
    #[error(transparent)]
    Token(#[from] jwt::Error),
    /// There is no key to check it with: none was ever fetched.
    #[error("the keys of the issuer cannot be fetched: {0}")]
    Keys(String),
    /// The account's address is not known to be its holder's.
    #[error("the address of the account is not verified")]
    EmailNotVerified,
    /// The account belongs to no domain that is let in.
    #[error("the account is of no domain that may sign in")]
    Domain,
}

/// Whose tokens are accepted, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct GoogleOptions {
    /// OAuth client ids of this installation; the token's audience is one of them.
    pub(crate) client_ids: Vec<String>,
    /// Workspace domains (`hd`) that may sign in; empty: any account of Google.
    pub(crate) hosted_domains: Vec<String>,
    /// The key set of the issuer.
    pub(crate) jwks_url: String,
    /// Names of the issuer.
    pub(crate) issuers: Vec<String>,
}

impl Default for GoogleOptions {
    fn default() -> Self {
        Self {
            client_ids: Vec::new(),
            hosted_domains: Vec::new(),
            jwks_url: JWKS_URL.to_owned(),
            issuers: ISSUERS.map(str::to_owned).to_vec(),
        }
    }
}

/// Who signed in, as Google says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Google's number of the account: never given to another, unlike the address.
    pub(crate) subject: String,
    /// A verified address, in lower case.
    pub(crate) email: String,
    /// The name that the person goes by; none where the token has none.
    pub(crate) name: Option<String>,
}

/// Checks ID tokens. Shared by all requests.
pub(crate) struct Google {
    options: GoogleOptions,
    validation: Validation,
    keys: KeyCache,
}

/// The claims that are looked at.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    iat: i64,
    email: Option<String>,
    /// A boolean and nothing that reads like one.
    email_verified: Option<bool>,
    hd: Option<String>,
    name: Option<String>,
    /// Present so that a list of audiences is no token for us.
    #[serde(rename = "aud")]
    _aud: String,
}

impl Google {
    /// A check by the keys at the issuer's URL, fetched by `client`.
    ///
    /// # Errors
    /// [`Error::NotConfigured`].
    pub(crate) fn over_https(options: GoogleOptions, client: HttpClient) -> Result<Self, Error> {
        let fetch = over_https(client, options.jwks_url.clone());
        Self::new(options, fetch)
    }

    /// A check by the keys that `fetch` brings.
    ///
    /// # Errors
    /// [`Error::NotConfigured`].
    pub(crate) fn new(options: GoogleOptions, fetch: Fetch) -> Result<Self, Error> {
        crypto::install();
        if options.client_ids.is_empty() || options.issuers.is_empty() {
            return Err(Error::NotConfigured);
        }
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&options.client_ids);
        validation.set_issuer(&options.issuers);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        // The crate reads the system's clock; times are checked here, against the time that is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self { options, validation, keys: KeyCache::new(fetch) })
    }

    /// The account that `token` was issued to, for us, and whose time it is.
    ///
    /// # Errors
    /// See [`Error`]. A network fault is one only when there never was a key.
    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Error> {
        let header = jwt::header(token, Algorithm::RS256)?;
        let kid = header.kid.ok_or(jwt::Error::UnknownKey)?;
        let key = self.keys.key(&kid).await.map_err(Error::Keys)?.ok_or(jwt::Error::UnknownKey)?;
        let claims: Claims =
            jsonwebtoken::decode(token, &key, &self.validation).map_err(|error| jwt::refused(&error))?.claims;
        jwt::in_time(claims.exp, claims.iat, now)?;
        self.identity(claims)
    }

    fn identity(&self, claims: Claims) -> Result<Identity, Error> {
        let domains = &self.options.hosted_domains;
        // The claim, not what stands behind the @ of the address: anybody may own an account with any address.
        let let_in = |hd: &String| domains.iter().any(|domain| domain.eq_ignore_ascii_case(hd));
        if !domains.is_empty() && !claims.hd.as_ref().is_some_and(let_in) {
            return Err(Error::Domain);
        }
        let email = claims.email.filter(|_| claims.email_verified == Some(true));
        let email = email.ok_or(Error::EmailNotVerified)?;
        let subject_fits = !claims.sub.is_empty() && claims.sub.len() <= SUBJECT_OCTETS_MAX;
        if !subject_fits || email.len() > EMAIL_OCTETS_MAX || !is_address(&email) {
            return Err(jwt::Error::Malformed.into());
        }
        Ok(Identity {
            subject: claims.sub,
            email: email.to_lowercase(),
            name: claims.name.and_then(|name| tidy(&name)),
        })
    }
}

/// Fetches the key set at `url`. The client's policy may be any: the URL is the operator's.
fn over_https(client: HttpClient, url: String) -> Fetch {
    Box::new(move || {
        let (client, url) = (client.clone(), url.clone());
        Box::pin(async move {
            let response = client.get(&url).await.map_err(|error| error.to_string())?;
            if response.status != hyper::StatusCode::OK {
                return Err(format!("{url} answers {}", response.status));
            }
            if response.truncated {
                return Err(format!("{url} answers with too much"));
            }
            let control = response.headers.get_all(hyper::header::CACHE_CONTROL);
            let max_age = control.iter().filter_map(|value| value.to_str().ok()).find_map(max_age);
            Ok(Document { body: response.body, max_age })
        })
    })
}

/// The lifetime that a Cache-Control header gives (RFC 9111, 5.2.2.1).
fn max_age(control: &str) -> Option<Duration> {
    control.split(',').find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("max-age") {
            return None;
        }
        value.trim().trim_matches('"').parse().ok().map(Duration::from_secs)
    })
}

/// Two parts and nothing that would end a header or a log line. Google has checked the rest by sending to it.
fn is_address(text: &str) -> bool {
    let printable = !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    printable && text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
}

/// A name for people: without control characters, not endless.
fn tidy(name: &str) -> Option<String> {
    let kept: String = name.chars().filter(|letter| !letter.is_control()).take(NAME_CHARS_MAX).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests;
