//! Logins: a session is opened, its refresh token exchanged, its end told to every node.

use std::sync::Arc;

use runtime::password::SecretString;
use runtime::store::audit::{self, Entry};
use runtime::store::auth::session::{self, Session};
use runtime::store::auth::user::{self, User};
use runtime::store::group::{Touched, Written};
use serde::Serialize;
use tokio::time::Instant;
use tracing::field::display;
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
    let known = user.as_ref().map(|user| user.email.clone());
    let hash = user.as_ref().and_then(|user| user.password.clone());
    let fits = secret::verify(api, hash, SecretString::new(password)).await?;
    match user.filter(|user| user.active && user.password.is_some()) {
        Some(user) if fits => open(api, request, user).await,
        _ => {
            note_refused(request, "password", known.as_deref());
            Err(refused())
        }
    }
}

/// Logs a login that was refused. A `user` is named only who is one: people type their passwords into the wrong field.
pub(crate) fn note_refused(request: &Request, by: &str, user: Option<&str>) {
    tracing::info!(by, user, id = request.id, address = request.address.map(display), "a login was refused");
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

/// What became of a refresh token.
enum Exchange {
    /// It is the user's, by this session.
    Done(Uuid, Uuid),
    /// It was exchanged before: the session has ended.
    Reused(Uuid),
    Refused,
}

/// Exchanges a refresh token. One that comes a second time was copied by somebody: the session ends.
pub(crate) async fn refresh(api: &Arc<Api>, request: &Request, token: &str) -> Result<Tokens, Problem> {
    api.limits.refresh_failures.check(request.address, Instant::now())?;
    let next = RefreshToken::generate();
    let exchange = match known(api, request, token).await? {
        Some(presented) => exchange(api, request, presented, &next).await?,
        None => Exchange::Refused,
    };
    match exchange {
        Exchange::Done(user, session) => tokens(api, (user, session), &next),
        Exchange::Reused(session) => Err(refuse_refresh(api, request, Some(session))),
        Exchange::Refused => Err(refuse_refresh(api, request, None)),
    }
}

/// The hash of a refresh token that is or was one of a session that is good. Strangers are told apart here, on the
/// reading side: they take no place among those who write.
async fn known(api: &Api, request: &Request, token: &str) -> Result<Option<Vec<u8>>, Problem> {
    let Some(token) = RefreshToken::parse(token) else { return Ok(None) };
    let hash = token.hash().octets().to_vec();
    let login = session::of_token(&api.store, &hash).await?;
    if login.is_some_and(|login| login.is_good(api.clock.now())) {
        return Ok(Some(hash));
    }
    api.limits.refresh_failures.count(request.address, Instant::now());
    Ok(None)
}

async fn exchange(
    api: &Api,
    request: &Request,
    presented: Vec<u8>,
    next: &RefreshToken,
) -> Result<Exchange, Problem> {
    let to = next.hash().octets().to_vec();
    let now = api.clock.now();
    let reused = entry(api, request, "", "refresh_token_reused");
    api.writes
        .run(move |tx| {
            Box::pin(async move {
                let Some(login) = session::by_token(tx, &presented).await?.filter(|login| login.is_good(now))
                else {
                    return Ok::<_, Problem>(Written::new(Exchange::Refused, Touched::NOTHING));
                };
                if !session::exchange(tx, login.id, (&presented, &to), now).await? {
                    session::revoke(tx, login.id, now).await?;
                    audit::record(tx, Entry { principal: format!("session:{}", login.id), ..reused }).await?;
                    return Ok(Written::new(Exchange::Reused(login.id), Touched::AUTH));
                }
                let user = user::find(tx, login.user).await?.filter(|user| user.active);
                let done = user.map_or(Exchange::Refused, |user| Exchange::Done(user.id, login.id));
                Ok(Written::new(done, Touched::NOTHING))
            })
        })
        .await
}

/// Counts a refresh that is refused, logs and answers it. What is beyond the limit is not logged, or strangers would
/// fill the log.
fn refuse_refresh(api: &Api, request: &Request, reused: Option<Uuid>) -> Problem {
    let (id, address) = (&request.id, request.address.map(display));
    if let Some(session) = reused {
        tracing::info!(id, address, %session, "a refresh token came twice, its session has ended");
        return refused();
    }
    let source = request.address.map(LoginSource::Refresh);
    if let Some(Err(too_many)) = source.map(|source| api.limits.take_login(source)) {
        return too_many;
    }
    tracing::info!(id, address, "a refresh token was refused");
    refused()
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
