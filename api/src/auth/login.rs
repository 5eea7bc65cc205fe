//! Logins: a session is opened, its refresh token exchanged, its end told to every node.

use std::sync::Arc;

use runtime::password::SecretString;
use runtime::store::audit::{self, Entry};
use runtime::store::auth::session::{self, Session};
use runtime::store::auth::user::{self, User};
use runtime::store::group::{Touched, Written};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::key::RefreshToken;
use super::secret;
use crate::context::Api;
use crate::limits::LoginSource;
use crate::problem::{Code, Problem};
use crate::request::Request;
use crate::write::uuid_v7;

/// What a login gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// For the header Authorization.
    #[schema(example = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2ln")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token is good.
    #[schema(example = 900)]
    expires_in: u64,
    /// Exchanged once for the next tokens.
    #[schema(example = "b3BhcXVlLCA0MyBjaGFyYWN0ZXJzIG9mIGJhc2U2NHVybA")]
    refresh_token: String,
}

/// One text for everything that is wrong with a login: who has a user here is nobody's business.
fn refused() -> Problem {
    Problem::new(Code::Unauthorized, "the login is not valid")
}

/// Counts a login against its source and its name.
pub(crate) fn count(api: &Api, request: &Request, name: Option<&str>) -> Result<(), Problem> {
    if let Some(address) = request.address {
        api.limits.take_login(LoginSource::Address(address))?;
    }
    match name {
        Some(name) => api.limits.take_login(LoginSource::Name(name.to_owned())),
        None => Ok(()),
    }
}

/// A login by address and password. As much work is done for an address that nobody has.
pub(crate) async fn by_password(
    api: &Arc<Api>,
    request: &Request,
    email: &str,
    password: String,
) -> Result<Tokens, Problem> {
    let email = email.to_lowercase();
    count(api, request, Some(&email))?;
    let user = user::by_email(&api.store, &email).await?;
    let hash = user.as_ref().and_then(|user| user.password.clone());
    let fits = secret::verify(api, hash, SecretString::new(password)).await?;
    match user.filter(|user| user.active && user.password.is_some()) {
        Some(user) if fits => open(api, request, user).await,
        _ => Err(refused()),
    }
}

/// Opens a session for a user who has shown who he is.
pub(crate) async fn open(api: &Arc<Api>, request: &Request, user: User) -> Result<Tokens, Problem> {
    let now = api.clock.now();
    let refresh = RefreshToken::generate();
    let login = Session {
        id: uuid_v7(now.micros()),
        user: user.id,
        refresh_hash: refresh.hash().octets().to_vec(),
        address: request.address.map(|address| address.to_string()).unwrap_or_default(),
        expires_at: now.plus(api.auth.session.get()),
        revoked_at: None,
        created_at: now,
    };
    let tokens = tokens(api, (user.id, login.id), &refresh)?;
    let entry = entry(api, request, &user.email, "login");
    api.writes
        .run(move |tx| {
            Box::pin(async move {
                // Another password, or none any more: what was shown is who he was.
                if !user::enter(tx, &user, now).await? {
                    return Err(refused());
                }
                session::insert(tx, &login).await?;
                audit::record(tx, entry).await?;
                Ok::<_, Problem>(Written::new((), Touched::NOTHING))
            })
        })
        .await?;
    Ok(tokens)
}

/// Exchanges a refresh token. One that comes a second time was copied by somebody: the session ends.
pub(crate) async fn refresh(api: &Arc<Api>, request: &Request, token: &str) -> Result<Tokens, Problem> {
    let presented = RefreshToken::parse(token).ok_or_else(refused)?.hash().octets().to_vec();
    let next = RefreshToken::generate();
    let to = next.hash().octets().to_vec();
    let now = api.clock.now();
    let reused = entry(api, request, "", "refresh_token_reused");
    let exchanged: Option<(Uuid, Uuid)> = api
        .writes
        .run(move |tx| {
            Box::pin(async move {
                let Some(login) = session::by_token(tx, &presented).await?.filter(|login| login.is_good(now))
                else {
                    return Ok::<_, Problem>(Written::new(None, Touched::NOTHING));
                };
                if !session::exchange(tx, login.id, (&presented, &to), now).await? {
                    session::revoke(tx, login.id, now).await?;
                    audit::record(tx, Entry { principal: format!("session:{}", login.id), ..reused }).await?;
                    return Ok(Written::new(None, Touched::AUTH));
                }
                let user = user::find(tx, login.user).await?.filter(|user| user.active);
                Ok(Written::new(user.map(|user| (user.id, login.id)), Touched::NOTHING))
            })
        })
        .await?;
    tokens(api, exchanged.ok_or_else(refused)?, &next)
}

fn tokens(api: &Api, (user, session): (Uuid, Uuid), refresh: &RefreshToken) -> Result<Tokens, Problem> {
    let issued = api.tokens.issue(user, session, api.clock.now());
    let absent =
        || Problem::new(Code::StoreUnavailable, "the keys of access tokens are not read yet").retry_after(1);
    let (access_token, lifetime) = issued.ok_or_else(absent)?;
    Ok(Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        refresh_token: refresh.expose().to_owned(),
    })
}

fn entry(api: &Api, request: &Request, email: &str, action: &str) -> Entry {
    let now = api.clock.now();
    Entry {
        id: uuid_v7(now.micros()),
        at: now,
        principal: format!("user:{email}"),
        address: request.address.map(|address| address.to_string()).unwrap_or_default(),
        request_id: request.id.clone(),
        action: action.to_owned(),
        resource: request.path.clone(),
        customer: None,
        before: None,
        after: None,
    }
}
