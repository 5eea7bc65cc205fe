//! `/v1/users/{id}/password` and `/v1/users/{id}/revoke-sessions`: what one does for oneself, and an administrator for
//! others.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::password::SecretString;
use runtime::store::auth::session;
use runtime::store::auth::user::{self, User};
use runtime::store::group::Touched;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::users::{self, Shown};
use crate::auth::{login, secret};
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::{Access, Route};
use crate::write::{Change, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::PUT, "/v1/users/{id}/password", Access::Known, set_password)
        .says("Sets a password, your own or by `users:manage`; ends the user's other sessions")
        .takes::<PasswordUpdate>()
        .gives::<Shown>(200),
    Route::new(Method::POST, "/v1/users/{id}/revoke-sessions", Access::Known, revoke_sessions)
        .says("Logs a user out everywhere, yourself or by `users:manage`")
        .gives::<Ended>(200),
];

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordUpdate {
    /// What it is from now on.
    #[schema(
        value_type = String,
        write_only,
        example = "correct horse battery staple",
        min_length = 12,
        max_length = 200
    )]
    password: SecretString,
    /// What it was: needed for your own.
    #[schema(value_type = Option<String>, write_only, example = "incorrect horse", max_length = 200)]
    current: Option<SecretString>,
}

/// Characters of a password.
const CURRENT_MAX: usize = 200;

/// Sessions that were ended.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionsEnded)]
struct Ended {
    /// How many.
    #[schema(example = 2)]
    ended: u64,
}

fn set_password(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let user = subject(&api, &request).await?;
        let PasswordUpdate { password, current } = request.json()?;
        secret::check("/password", &password)?;
        if current.as_ref().is_some_and(|current| current.expose().chars().count() > CURRENT_MAX) {
            return Err(Problem::invalid("/current", "it is not your password"));
        }
        if is_own(&request, user.id) {
            prove(&api, &request, &user, current).await?;
        }
        let hash = secret::hash(&api, password).await?;
        let now = api.clock.now();
        // Sent twice it does the same; and what is kept of a request by its key must not be of a password.
        let request = Request { idempotency_key: None, ..request };
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = user::find(tx, user.id).await?.ok_or_else(users::unknown)?;
                users::unchanged(&user, &before)?;
                let after = User { password: Some(hash), updated_at: now, ..before.clone() };
                user::update(tx, &after).await?;
                let kept = request.principal.session.unwrap_or(Uuid::nil());
                session::revoke_others(tx, user.id, kept, now).await?;
                Ok(Change::updated(&Shown::from(&before), &Shown::from(&after), Touched::AUTH))
            })
        })
        .await
    })
}

/// Who holds a token of somebody's session is not for that somebody: he must know the password. Guesses are counted as
/// logins are.
async fn prove(
    api: &Api,
    request: &Request,
    user: &User,
    current: Option<SecretString>,
) -> Result<(), Problem> {
    let Some(hash) = user.password.clone() else {
        let detail = "you log in by Google: an administrator gives you the first password";
        return Err(Problem::new(Code::Forbidden, detail));
    };
    let Some(current) = current else {
        return Err(Problem::invalid("/current", "it is needed to change your own password"));
    };
    login::count(api, request, Some(&user.email))?;
    if secret::verify(api, Some(hash), current).await? {
        return Ok(());
    }
    Err(Problem::invalid("/current", "it is not your password"))
}

fn revoke_sessions(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let user = subject(&api, &request).await?;
        let now = api.clock.now();
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let ended = session::revoke_all(tx, user.id, now).await?;
                Ok(Change::updated(&(), &Ended { ended }, Touched::AUTH))
            })
        })
        .await
    })
}

fn is_own(request: &Request, id: Uuid) -> bool {
    request.principal.user == Some(id)
}

/// The user of the path, where it is who asks, or where who asks may change it.
async fn subject(api: &Api, request: &Request) -> Result<User, Problem> {
    let id = request.id_param("id")?;
    if !is_own(request, id) && !request.principal.may(Permission::UsersManage) {
        let detail = format!("{} is needed for another user", Permission::UsersManage);
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let user = users::named(api, request).await?;
    if !is_own(request, id) {
        users::may_change(api, &request.principal, &user).await?;
    }
    Ok(user)
}
