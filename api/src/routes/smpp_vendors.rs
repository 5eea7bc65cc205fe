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
        .says("The state of every vendor's binds"),
    Route::new(Method::GET, "/api/v1/vendors", Access::May(Permission::SmppRead, Reach::Platform), list)
        .says("The state of every vendor's binds, at the path of the old gateway"),
    Route::new(
        Method::POST,
        "/v1/smpp/vendors/{id}/reconnect",
        Access::May(Permission::SmppManage, Reach::Platform),
        reconnect,
    )
    .says("Drops a vendor's sessions and binds again at once"),
    Route::new(
        Method::POST,
        "/v1/smpp/vendors/{id}/disconnect",
        Access::May(Permission::SmppManage, Reach::Platform),
        disconnect,
    )
    .says("Unbinds from a vendor and stays away"),
];

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
