//! `[auth]`

use serde::Deserialize;

use super::HumanDuration;

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthOptions {
    /// Name of this installation in its access tokens; the same on all nodes.
    pub issuer: String,
    /// How long an access token is good.
    pub access_token: HumanDuration,
    /// How long a login lasts.
    pub session: HumanDuration,
    /// OAuth client ids of Google; empty: nobody logs in by Google.
    pub google_client_ids: Vec<String>,
    /// Google Workspace domains whose accounts may log in; empty: any account that has a user here.
    pub google_domains: Vec<String>,
    /// Google's keys.
    pub google_jwks_url: String,
    /// Who issues Google's ID tokens.
    pub google_issuers: Vec<String>,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            issuer: "warp".to_owned(),
            access_token: HumanDuration::from_secs(15 * 60),
            session: HumanDuration::from_secs(30 * 24 * 3600),
            google_client_ids: Vec::new(),
            google_domains: Vec::new(),
            google_jwks_url: "https://www.googleapis.com/oauth2/v3/certs".to_owned(),
            google_issuers: vec!["accounts.google.com".to_owned(), "https://accounts.google.com".to_owned()],
        }
    }
}
