//! `/v1/smpp/vendors`: the state of every vendor's binds, and the operator's hand on them.

use std::sync::Arc;

use actors::smpp::{Smpp, stats};
use futures_util::future::BoxFuture;
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

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
    Box::pin(async move { command(&api, &request, "reconnect", stats::reconnect) })
}

/// Unbinds and stays away until reconnect.
fn disconnect(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { command(&api, &request, "disconnect", stats::disconnect) })
}

fn command(api: &Api, request: &Request, verb: &str, act: impl Fn(&Smpp, &str) -> bool) -> Reply {
    let asked = request.param("id")?;
    let vendors = api.smpp.vendors.load();
    let named = vendors.values().find(|vendor| vendor.id.to_string() == asked || vendor.name() == asked);
    let Some(vendor) = named.filter(|vendor| act(&api.smpp, &vendor.id.to_string())) else {
        let detail = format!("no vendor has the id or instance_name {asked:?}");
        return Err(Problem::new(Code::UnknownVendor, detail));
    };
    let name = vendor.name();
    tracing::info!(vendor = name, verb, "operator's command to a vendor");
    reply::json(&json!({"success": true, "vendor_id": vendor.id, "vendor_name": name}))
}
