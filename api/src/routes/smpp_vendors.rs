//! `/v1/smpp/vendors`: the state of every vendor's binds, and the operator's hand on them.

use std::sync::Arc;

use actors::smpp::{Smpp, stats};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, note};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/smpp/vendors", Access::May(Permission::SmppRead, Reach::Platform), list)
        .says("The state of every vendor's binds")
        .like(200, VENDORS),
    Route::new(Method::GET, "/api/v1/vendors", Access::May(Permission::SmppRead, Reach::Platform), list)
        .says("The state of every vendor's binds, at the path of the old gateway")
        .like(200, VENDORS),
    Route::new(
        Method::POST,
        "/v1/smpp/vendors/{id}/reconnect",
        Access::May(Permission::SmppManage, Reach::Platform),
        reconnect,
    )
    .says("Drops a vendor's sessions and binds again at once")
    .like(200, TOLD),
    Route::new(
        Method::POST,
        "/v1/smpp/vendors/{id}/disconnect",
        Access::May(Permission::SmppManage, Reach::Platform),
        disconnect,
    )
    .says("Unbinds from a vendor and stays away")
    .like(200, TOLD),
];

/// What the vendors look like.
const VENDORS: &str = r#"{"success":true,"count":1,"vendors":{"3a99346d-7f9c-4d0a-8f5e-2c1d7a9b4e60":{
    "vendor_id":"3a99346d-7f9c-4d0a-8f5e-2c1d7a9b4e60","vendor_name":"sinch-atlanta","status":"connected",
    "connected_at":"2026-01-02T03:04:05.000006Z","messages_sent":10,"messages_success":9,"messages_failed":1,
    "dlrs_received":8,"queued":0,"binds_up":2,"binds":2}}}"#;
/// What is said of a vendor that something was done to.
const TOLD: &str =
    r#"{"success":true,"vendor_id":"3a99346d-7f9c-4d0a-8f5e-2c1d7a9b4e60","vendor_name":"sinch-atlanta"}"#;

fn list(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&stats::vendors(&api.smpp)) })
}

/// Drops the vendor's sessions and binds again at once.
fn reconnect(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(command(api, request, ("reconnect", stats::reconnect)))
}

/// Unbinds and stays away until reconnect.
fn disconnect(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(command(api, request, ("disconnect", stats::disconnect)))
}

/// What a vendor is told, by its id; false when there is none.
type Command = fn(&Smpp, &str) -> bool;

async fn command(api: Arc<Api>, request: Request, (verb, act): (&'static str, Command)) -> Reply {
    let asked = request.param("id")?;
    let unknown = || {
        let detail = format!("no vendor has the id or instance_name {asked:?}");
        Problem::new(Code::UnknownVendor, detail)
    };
    let (id, name) = find(&api.smpp, &asked).ok_or_else(unknown)?;
    let before = shown(&api.smpp, &id);
    if !act(&api.smpp, &id) {
        return Err(unknown());
    }
    tracing::info!(vendor = name, verb, by = request.principal.name, "operator's command to a vendor");
    note(&api, request, Change::done(verb, &before)).await;
    reply::json(&json!({"success": true, "vendor_id": id, "vendor_name": name}))
}

/// Id and name of the vendor that has this one or the other.
fn find(smpp: &Smpp, asked: &str) -> Option<(String, String)> {
    let vendors = smpp.vendors.load();
    let mut named = vendors.values().map(|vendor| (vendor.id.to_string(), vendor.name()));
    named.find(|(id, name)| id == asked || name == asked)
}

/// A vendor as the list shows it.
fn shown(smpp: &Smpp, id: &str) -> Option<Value> {
    let list = serde_json::to_value(stats::vendors(smpp)).ok()?;
    list.get("vendors")?.get(id).cloned()
}
