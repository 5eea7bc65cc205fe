//! `POST /v1/control/apply`, on the control socket only: a provisioning document takes effect.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::ErrorKind;
use runtime::store::provisioning::Error;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::provision::{self, Target};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/v1/control/apply",
    access: Access::Control,
    query: &["dry_run", "format"],
    handler: apply,
}];

/// The body is the TOML document; with `dry_run` nothing is written.
fn apply(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let dry_run = request.query.flag("dry_run")?;
        let as_text = request.wants_text()?;
        let document = String::from_utf8(request.body.to_vec())
            .map_err(|_| Problem::new(Code::BadRequest, "the document is not UTF-8"))?;
        let target = Target {
            store: api.store.clone(),
            root_key: Arc::clone(&api.root_key),
            clock: Arc::clone(&api.smpp.clock),
            turn: Arc::clone(&api.applying),
        };
        let outcome = provision::apply(target, document, dry_run).await.map_err(problem)?;
        if !dry_run && !outcome.changes.is_empty() {
            tracing::info!(changes = outcome.changes.len(), "provisioning applied");
            api.smpp.config_changed.notify_one();
        }
        if as_text { reply::text(outcome.to_string()) } else { reply::json(&outcome) }
    })
}

fn problem(error: Error) -> Problem {
    let code = match &error {
        Error::Store(store) => match store.kind() {
            ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed => Code::StoreUnavailable,
            ErrorKind::Constraint => Code::ProvisioningRefused,
            ErrorKind::Other => Code::Internal,
        },
        Error::Changed => Code::ConfigurationChanged,
        Error::Form(_)
        | Error::Unknown { .. }
        | Error::Twice { .. }
        | Error::NoPassword { .. }
        | Error::Sealed(_) => Code::ProvisioningRefused,
    };
    Problem::new(code, error.to_string())
}
