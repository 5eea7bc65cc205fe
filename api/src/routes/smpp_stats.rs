//! `GET /v1/smpp/stats`: totals of both sides.

use std::sync::Arc;

use actors::smpp::stats;
use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/smpp/stats", Access::May(Permission::SmppRead, Reach::Platform), get)
        .says("Totals of both sides of messaging"),
    Route::new(Method::GET, "/api/v1/admin/stats", Access::May(Permission::SmppRead, Reach::Platform), get)
        .says("Totals, at the path of the old gateway"),
];

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&stats::server(&api.smpp)) })
}
