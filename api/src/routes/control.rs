//! `POST /v1/control/apply` and `POST /v1/control/rotate/{cookie-key,access-token-key,root-key}`, on the
//! control socket only: a provisioning document takes effect, another key seals cookies, signs access tokens,
//! or seals everything that is sealed.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::ErrorKind;
use runtime::store::provisioning::{Error, Stir};
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::provision::{self, Target};
use crate::query::{FORMAT, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::rotation;
use crate::table::{Access, Route};
use crate::write::{Change, note, to_the_end};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/control/apply", Access::Control, apply)
        .says("A provisioning document takes effect")
        .asks(&[Param::new("dry_run", Kind::Flag, "Nothing is written"), FORMAT]),
    Route::new(Method::POST, "/v1/control/rotate/cookie-key", Access::Control, rotate_cookie_key)
        .says("Another key seals cookies")
        .asks(&[Param::new("force", Kind::Flag, "Although calls may be lost"), FORMAT]),
    Route::new(Method::POST, "/v1/control/rotate/access-token-key", Access::Control, rotate_access_token_key)
        .says("Another key signs access tokens")
        .asks(&[Param::new("force", Kind::Flag, "Although tokens may be good that it ends"), FORMAT]),
    Route::new(Method::POST, "/v1/control/rotate/root-key", Access::Control, rotate_root_key)
        .says("Another root key seals secrets")
        .asks(&[
            Param::new("new_key_env", Kind::Text(200), "Variable of the environment that holds it"),
            FORMAT,
        ]),
];

/// The body is the TOML document; with `dry_run` nothing is written.
fn apply(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let dry_run = request.query.flag("dry_run");
        let as_text = request.wants_text();
        let document = String::from_utf8(request.body.to_vec())
            .map_err(|_| Problem::new(Code::BadRequest, "the document is not UTF-8"))?;
        let outcome = provision::apply(target(&api), document, dry_run).await.map_err(problem)?;
        if !dry_run && !outcome.changes.is_empty() {
            let by = request.principal.name.as_str();
            tracing::info!(changes = outcome.changes.len(), by, "provisioning applied");
            note(&api, request, Change::gave("apply", &outcome.noted())).await;
        }
        if as_text { reply::text(outcome.to_string()) } else { reply::json(&outcome) }
    }))
}

/// Without `force` nothing is made while the key that would be dropped may have calls that are up; with it neither,
/// while that key may seal new ones.
fn rotate_cookie_key(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let forced = request.query.flag("force");
        let as_text = request.wants_text();
        let outcome = rotation::cookie_key(target(&api), forced).await.map_err(rotation_problem)?;
        tracing::info!(key = outcome.key, by = request.principal.name, "a new key of cookies was made");
        let made = json!({"key": outcome.key, "forced": forced});
        note(&api, request, Change::gave("rotate-cookie-key", &made)).await;
        if as_text { reply::text(outcome.to_string()) } else { reply::json(&outcome) }
    }))
}

/// Without `force` nothing is made while tokens of the key that would be dropped may be good; with it
/// neither, while that key may sign new ones.
fn rotate_access_token_key(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let forced = request.query.flag("force");
        let as_text = request.wants_text();
        let lifetime = api.auth.access_token.get();
        let rotated = rotation::access_token_key(target(&api), lifetime, forced).await;
        let outcome = rotated.map_err(rotation_problem)?;
        tracing::info!(kid = outcome.kid, by = request.principal.name, "a new key of access tokens was made");
        let made = json!({"kid": outcome.kid, "forced": forced});
        note(&api, request, Change::gave("rotate-access-token-key", &made)).await;
        if as_text { reply::text(outcome.to_string()) } else { reply::json(&outcome) }
    }))
}

/// Where the root key is in the environment, `new_key_env` names the variable of the node that holds the new one.
fn rotate_root_key(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let new_key_env = request.query.get("new_key_env").map(str::to_owned);
        let as_text = request.wants_text();
        let outcome = rotation::root_key(target(&api), new_key_env).await.map_err(rotation_problem)?;
        tracing::info!(
            rewrapped = outcome.rewrapped,
            closed = outcome.closed,
            by = request.principal.name,
            "secrets are under a new root key"
        );
        let made = json!({"rewrapped": outcome.rewrapped, "closed": outcome.closed});
        note(&api, request, Change::gave("rotate-root-key", &made)).await;
        if as_text { reply::text(outcome.to_string()) } else { reply::json(&outcome) }
    }))
}

fn target(api: &Api) -> Target {
    let stir = api.calls.as_ref().map(|calls| {
        let identities = &calls.settings.identities;
        Stir { signs: identities.signs(), believes: !identities.authorities().is_empty() }
    });
    Target {
        store: api.store.clone(),
        root_key: Arc::clone(&api.root_key),
        clock: Arc::clone(&api.smpp.clock),
        turn: Arc::clone(&api.applying),
        announcements: api.smpp.announcements.clone(),
        speaks_sip: api.calls.is_some(),
        stir: stir.unwrap_or_default(),
    }
}

fn rotation_problem(error: rotation::Error) -> Problem {
    let code = match &error {
        rotation::Error::TooSoon
        | rotation::Error::Unsettled
        | rotation::Error::TokensLive(_)
        | rotation::Error::Unread => Code::TooSoon,
        rotation::Error::Store(store) => code(store.kind()),
    };
    Problem::new(code, error.to_string())
}

const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed => Code::StoreUnavailable,
        ErrorKind::Constraint => Code::ProvisioningRefused,
        ErrorKind::Other => Code::Internal,
    }
}

fn problem(error: Error) -> Problem {
    let code = match &error {
        Error::Store(store) => code(store.kind()),
        Error::Changed => Code::ConfigurationChanged,
        Error::Form(_)
        | Error::Value { .. }
        | Error::Unknown { .. }
        | Error::Twice { .. }
        | Error::NoPassword { .. }
        | Error::Sealed(_) => Code::ProvisioningRefused,
    };
    Problem::new(code, error.to_string())
}
