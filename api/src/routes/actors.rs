//! `/v1/actors`: the live tree.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::registry::{self, ActorName, Registry, Snapshot};
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::FORMAT;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/actors", Access::May(Permission::ActorsRead, Reach::Platform), list)
        .says("The live tree of actors")
        .asks(&[FORMAT]),
    Route::new(Method::GET, "/v1/actors/{name}", Access::May(Permission::ActorsRead, Reach::Platform), get)
        .says("One actor"),
    Route::new(
        Method::POST,
        "/v1/actors/{name}/restart",
        Access::May(Permission::ActorsManage, Reach::Platform),
        restart,
    )
    .says("Stops an actor and starts it again"),
    Route::new(
        Method::POST,
        "/v1/actors/{name}/panic",
        Access::May(Permission::ActorsManage, Reach::Platform),
        panic,
    )
    .says("Makes an actor panic, to see it heal"),
];

/// Parents before children, as a JSON array or as the indented text of `warp actors`.
fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let registry = &api.smpp.registry;
        if request.wants_text() { reply::text(registry.tree_text()) } else { reply::json(&registry.list()) }
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
        if !api.options.fault_injection {
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
