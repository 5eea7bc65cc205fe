//! `/v1/actors`: the live tree.

use std::sync::Arc;

use actors::smpp::drain;
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
use crate::write::{Change, note, to_the_end};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/actors", Access::May(Permission::ActorsRead, Reach::Platform), list)
        .says("The live tree of actors")
        .asks(&[FORMAT])
        .like(200, ACTORS),
    Route::new(Method::GET, "/v1/actors/{name}", Access::May(Permission::ActorsRead, Reach::Platform), get)
        .says("One actor")
        .like(200, ACTOR),
    Route::new(
        Method::POST,
        "/v1/actors/{name}/restart",
        Access::May(Permission::ActorsManage, Reach::Platform),
        restart,
    )
    .says("Stops an actor and starts it again")
    .like(200, DONE),
    Route::new(
        Method::POST,
        "/v1/actors/{name}/drain",
        Access::May(Permission::ActorsManage, Reach::Platform),
        drain,
    )
    .says("Has an actor take nothing new and finish what is under way")
    .like(200, DONE),
    Route::new(
        Method::POST,
        "/v1/actors/{name}/panic",
        Access::May(Permission::ActorsManage, Reach::Platform),
        panic,
    )
    .says("Makes an actor panic, to see it heal")
    .like(200, DONE),
];

/// What an actor looks like.
const ACTOR: &str = r#"{"name":"vendor_bind:sinch-atlanta:0","parent":"vendor_binds:sinch-atlanta:0","depth":3,
    "state":"bound","since":"2026-01-02T03:04:05.000006Z","restarts":0,"last_error":null,"queue_depth":0,
    "counters":{"sent":10,"receipts":8,"throttled":0},"note":"192.0.2.1:3601"}"#;
/// What the tree looks like.
const ACTORS: &str = r#"[{"name":"vendor_bind:sinch-atlanta:0","parent":"vendor_binds:sinch-atlanta:0","depth":3,
    "state":"bound","since":"2026-01-02T03:04:05.000006Z","restarts":0,"last_error":null,"queue_depth":0,
    "counters":{"sent":10,"receipts":8,"throttled":0},"note":"192.0.2.1:3601"}]"#;
/// What is said of an actor that something was done to.
const DONE: &str = r#"{"success":true,"name":"vendor_bind:sinch-atlanta:0"}"#;

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
    to_the_end(Box::pin(async move {
        let registry = &api.smpp.registry;
        let (name, before) = find(registry, &request)?;
        let Some(parent) = before.parent.clone() else {
            let detail = format!("{name} is nobody's child; restart the node instead");
            return Err(Problem::new(Code::NotRestartable, detail));
        };
        let restarted = registry.supervisor(parent).restart(&name).await;
        restarted.map_err(|error| Problem::new(Code::NotRestartable, error.to_string()))?;
        tracing::info!(%name, by = request.principal.name, "operator restarts an actor");
        note(&api, request, Change::done("restart", &before)).await;
        reply::json(&json!({"success": true, "name": name}))
    }))
}

/// Has a session, a vendor's bind or all of them, or a listener take nothing new, and finish what is under
/// way.
fn drain(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let (name, before) = find(&api.smpp.registry, &request)?;
        let drained = drain::drain(&api.smpp, &name).await;
        let session = drained.map_err(|error| Problem::new(Code::NotDrainable, error.to_string()))?;
        tracing::info!(%name, by = request.principal.name, "operator drains an actor");
        let customer = session.and_then(|session| session.customer_id);
        note(&api, request, Change::done("drain", &before).of_maybe(customer)).await;
        reply::json(&json!({"success": true, "name": name}))
    }))
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
        let (name, before) = find(registry, &request)?;
        tracing::warn!(%name, by = request.principal.name, "panic on request");
        if !registry.poison(&name) {
            return Err(Problem::new(Code::NotRestartable, format!("{name} does not run now")));
        }
        note(&api, request, Change::done("panic", &before)).await;
        reply::json(&json!({"success": true, "name": name}))
    })
}

fn find(registry: &Registry, request: &Request) -> Result<(ActorName, Snapshot), Problem> {
    let unknown = |detail: String| Problem::new(Code::UnknownActor, detail);
    let name = registry::from_url(request.raw_param("name")).map_err(|error| unknown(error.to_string()))?;
    let snapshot = registry.get(&name).ok_or_else(|| unknown(format!("no actor is called {name}")))?;
    Ok((name, snapshot))
}
