//! `/v1/actors`: the live tree.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::registry::{self, ActorName, Registry, Snapshot};
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/v1/actors",
        access: Access::Token,
        query: &["format"],
        handler: list,
    },
    Route { method: Method::GET, path: "/v1/actors/{name}", access: Access::Token, query: &[], handler: get },
    Route {
        method: Method::POST,
        path: "/v1/actors/{name}/restart",
        access: Access::Token,
        query: &[],
        handler: restart,
    },
    Route {
        method: Method::POST,
        path: "/v1/actors/{name}/panic",
        access: Access::Token,
        query: &[],
        handler: panic,
    },
];

/// Parents before children, as a JSON array or as the indented text of `warp actors`.
fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let registry = &api.smpp.registry;
        if request.wants_text()? { reply::text(registry.tree_text()) } else { reply::json(&registry.list()) }
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&find(&api.smpp.registry, &request)?.1) })
}

/// Stops the actor, with those that its supervisor's strategy ties to it, and starts it again.
fn restart(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let registry = &api.smpp.registry;
        let (name, snapshot) = find(registry, &request)?;
        let Some(parent) = snapshot.parent else {
            let detail = format!("{name} is nobody's child; restart the node instead");
            return Err(Problem::new(Code::NotRestartable, detail));
        };
        let restarted = registry.supervisor(parent).restart(&name).await;
        restarted.map_err(|error| Problem::new(Code::NotRestartable, error.to_string()))?;
        reply::json(&json!({"success": true, "name": name}))
    })
}

/// Makes the actor panic, where the configuration allows it: to see it heal.
fn panic(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        if !api.fault_injection {
            let detail =
                "panics on request are off; [api] fault_injection = true lets an administrator cause them";
            return Err(Problem::new(Code::FaultInjectionOff, detail.to_owned()));
        }
        let registry = &api.smpp.registry;
        let (name, _) = find(registry, &request)?;
        tracing::warn!(%name, "panic on request");
        if !registry.poison(&name) {
            return Err(Problem::new(Code::NotRestartable, format!("{name} does not run now")));
        }
        reply::json(&json!({"success": true, "name": name}))
    })
}

fn find(registry: &Registry, request: &Request) -> Result<(ActorName, Snapshot), Problem> {
    let unknown = |detail: String| Problem::new(Code::UnknownActor, detail);
    let name = registry::from_url(request.raw_param("name")).map_err(|error| unknown(error.to_string()))?;
    let snapshot = registry.get(&name).ok_or_else(|| unknown(format!("no actor is called {name}")))?;
    Ok((name, snapshot))
}
