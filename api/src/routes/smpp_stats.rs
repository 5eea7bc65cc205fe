//! `GET /v1/smpp/stats`: totals of both sides.

use std::sync::Arc;

use actors::smpp::stats;
use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route { method: Method::GET, path: "/v1/smpp/stats", access: Access::Token, query: &[], handler: get },
    // The old gateway's path.
    Route {
        method: Method::GET,
        path: "/api/v1/admin/stats",
        access: Access::Token,
        query: &[],
        handler: get,
    },
];

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&stats::server(&api.smpp)) })
}
