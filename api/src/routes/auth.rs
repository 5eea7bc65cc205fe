//! `/auth`: logins and their tokens.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::auth::session;
use runtime::store::auth::user::{self, User};
use runtime::store::group::Touched;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::auth::login::{self, Tokens};
use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};
use crate::write::{Change, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/auth/login", Access::Open, log_in)
        .says("Logs in by address and password")
        .or(&[(401, "The login is not valid")])
        .takes::<Login>()
        .gives::<Tokens>(200),
    Route::new(Method::POST, "/auth/exchange", Access::Open, exchange)
        .says("Logs in by an ID token of Google")
        .or(&[(401, "The login is not valid"), (501, "Logins by Google are not configured")])
        .takes::<Exchange>()
        .gives::<Tokens>(200),
    Route::new(Method::POST, "/auth/refresh", Access::Open, refresh)
        .says("Exchanges a refresh token; each is good once")
        .or(&[(401, "The token is not valid")])
        .takes::<Refresh>()
        .gives::<Tokens>(200),
    Route::new(Method::GET, "/auth/validate", Access::Known, validate)
        .says("Who the token is")
        .gives::<Identity>(200),
    Route::new(Method::POST, "/auth/logout", Access::Known, log_out)
        .says("Ends the session of the token")
        .or(&[(404, "The token is of no session")])
        .gives_nothing(),
    Route::new(Method::GET, "/.well-known/jwks.json", Access::Open, jwks)
        .says("The keys of access tokens")
        .like(200, KEYS),
];

/// What a key set looks like (RFC 7517, RFC 8037).
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"5f1c9b7a",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A login by password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// Address of the user.
    #[schema(example = "maria@example.net", max_length = 254)]
    email: String,
    /// Its password.
    #[schema(example = "correct horse battery staple", max_length = 200)]
    password: String,
}

/// A login by Google.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// ID token of Google.
    #[schema(example = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.c2ln", max_length = 8192)]
    id_token: String,
}

/// An exchange of tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The refresh token of the last answer.
    #[schema(example = "b3BhcXVlLCA0MyBjaGFyYWN0ZXJzIG9mIGJhc2U2NHVybA", max_length = 200)]
    refresh_token: String,
}

/// Who a token is.
#[derive(Serialize, ToSchema)]
struct Identity {
    /// As the audit names it.
    #[schema(example = "user:maria@example.net")]
    name: String,
    /// Its type.
    #[schema(example = "admin")]
    user_type: String,
    /// The user, where it is one.
    user_id: Option<Uuid>,
    /// Whether it is of the platform's own.
    operator: bool,
    /// What it may do, somewhere.
    permissions: Vec<&'static str>,
}

fn log_in(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Login { email, password } = request.json()?;
        reply::json(&login::by_password(&api, &request, &email, password).await?)
    })
}

fn exchange(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Exchange { id_token } = request.json()?;
        let unknown = || Problem::new(Code::Unauthorized, "the login is not valid");
        let Some(google) = &api.google else {
            return Err(Problem::new(Code::NotImplemented, "[auth] google_client_ids is empty"));
        };
        login::count(&api, &request, None)?;
        let identity = google.verify(&id_token, api.clock.now()).await.map_err(|error| {
            let address = request.address.map(tracing::field::display);
            tracing::info!(%error, id = request.id, address, "a login by Google was refused");
            unknown()
        })?;
        let known = match user::by_google_subject(&api.store, &identity.subject).await? {
            Some(user) => Some(user),
            // An address can pass to another person: it counts once, at the first login.
            None => user::by_email(&api.store, &identity.email)
                .await?
                .filter(|user| user.google_subject.is_none())
                .map(|user| User { google_subject: Some(identity.subject), ..user }),
        };
        let name = known.as_ref().map(|user| user.email.clone());
        let Some(user) = known.filter(|user| user.active) else {
            login::note_refused(&request, "google", name.as_deref());
            return Err(unknown());
        };
        reply::json(&login::open(&api, &request, user).await?)
    })
}

fn refresh(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Refresh { refresh_token } = request.json()?;
        reply::json(&login::refresh(&api, &request, &refresh_token).await?)
    })
}

fn validate(_api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let principal = &request.principal;
        reply::json(&Identity {
            name: principal.name.clone(),
            user_type: principal.user_type.clone(),
            user_id: principal.user,
            operator: principal.operator,
            permissions: principal.permissions().names(),
        })
    })
}

fn log_out(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Some(id) = request.principal.session else {
            return Err(Problem::new(Code::NotFound, "the token is of no session"));
        };
        let now = api.clock.now();
        // What is kept by a key is kept for the user: it must not answer for another session of his.
        let request = Request { idempotency_key: None, ..request };
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                session::revoke(tx, id, now).await?;
                let ended = json!({"session_id": id});
                Ok(Change::deleted(&ended, Touched::AUTH).called("logout"))
            })
        })
        .await
    })
}

fn jwks(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&api.tokens.jwks()) })
}
