//! `POST /auth/invitations/accept`: who has the secret becomes a user.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::password::{PasswordHash, SecretString};
use runtime::store::audit::{self, Entry};
use runtime::store::auth::invitation::{self, Invitation};
use runtime::store::auth::user::{self, Access as Granted, User};
use runtime::store::group::{Touched, Written};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::StatusCode;

use crate::auth::key::RefreshToken;
use crate::auth::{login, secret};
use crate::check;
use crate::context::Api;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::routes::users;
use crate::write::uuid_v7;

/// Who becomes a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Acceptance {
    /// The secret of the mail: what stands behind the `#` of its link.
    #[schema(
        value_type = String,
        write_only,
        example = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        max_length = 100
    )]
    token: SecretString,
    /// For people.
    #[schema(example = "Maria Silva", min_length = 1, max_length = 100)]
    name: String,
    /// The password from now on.
    #[schema(
        value_type = String,
        write_only,
        example = "correct horse battery staple",
        min_length = 12,
        max_length = 200
    )]
    password: SecretString,
}

/// Who became a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedInvitation)]
pub(in crate::routes) struct Accepted {
    /// The user.
    user_id: Uuid,
    /// The name at login.
    #[schema(example = "maria@example.net")]
    email: String,
    /// For people.
    #[schema(example = "Maria Silva")]
    name: String,
    /// What it may do.
    #[schema(example = "user")]
    user_type: String,
}

/// Counted as a login is. It keeps no answer by an `Idempotency-Key`: the secret is good once.
pub(super) fn accept(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Acceptance { token, name, password } = request.json()?;
        check::name("/name", &name, 1..=users::NAME_MAX)?;
        secret::check("/password", &password)?;
        login::count(&api, &request, None)?;
        let token = RefreshToken::parse(token.expose()).ok_or_else(refused)?;
        let hash = token.hash().octets().to_vec();
        let found = invitation::by_token(&api.store, &hash).await?;
        // Before the password is hashed, which costs something.
        let found = found.filter(|one| one.is_open(api.clock.now())).ok_or_else(refused)?;
        let password = secret::hash(&api, password).await?;
        let user = become_user(&api, &request, (found, hash), (name, password)).await?;
        let User { id, email, name, user_type, .. } = user;
        let shown = Accepted { user_id: id, email, name, user_type };
        let mut response = reply::json(&shown)?;
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    })
}

async fn become_user(
    api: &Arc<Api>,
    request: &Request,
    (invitation, hash): (Invitation, Vec<u8>),
    (name, password): (String, PasswordHash),
) -> Result<User, Problem> {
    let now = api.clock.now();
    let user = User {
        id: uuid_v7(now.micros()),
        email: invitation.email.clone(),
        name,
        user_type: invitation.user_type.clone(),
        active: true,
        password: Some(password),
        google_subject: None,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    };
    let entry = Entry {
        id: uuid_v7(now.micros()),
        at: now,
        principal: format!("user:{}", user.email),
        address: request.address.map(|address| address.to_string()).unwrap_or_default(),
        request_id: request.id.clone(),
        action: "accept".to_owned(),
        resource: format!("/v1/invitations/{}", invitation.id),
        customer: invitation.customer,
        before: None,
        after: serde_json::to_value(users::Shown::from(&user)).ok(),
    };
    api.writes
        .run(move |tx| {
            Box::pin(async move {
                if !invitation::accept(tx, invitation.id, &hash, now).await? {
                    return Err(refused());
                }
                user::insert(tx, &user).await.map_err(users::taken)?;
                if let Some(customer) = invitation.customer {
                    let access = Granted { customer, permissions: Vec::new() };
                    user::grant(tx, user.id, &access, now).await?;
                }
                audit::record(tx, entry).await?;
                Ok(Written::new(user, Touched::NOTHING))
            })
        })
        .await
}

/// One text for every secret that is not good, whatever it was.
fn refused() -> Problem {
    Problem::invalid("/token", "the invitation is not good: it was accepted or taken back, or has expired")
}
