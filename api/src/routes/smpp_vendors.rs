//! `/v1/smpp/vendors`: the state of every vendor's binds, and the operator's hand on them.

use std::sync::Arc;

use actors::smpp::{Smpp, stats};
use futures_util::future::BoxFuture;
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route { method: Method::GET, path: "/v1/smpp/vendors", access: Access::Token, query: &[], handler: list },
    // The old gateway's path.
    Route { method: Method::GET, path: "/api/v1/vendors", access: Access::Token, query: &[], handler: list },
    Route {
        method: Method::POST,
        path: "/v1/smpp/vendors/{id}/reconnect",
        access: Access::Token,
        query: &[],
        handler: reconnect,
    },
    Route {
        method: Method::POST,
        path: "/v1/smpp/vendors/{id}/disconnect",
        access: Access::Token,
        query: &[],
        handler: disconnect,
    },
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
