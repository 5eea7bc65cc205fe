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
        .says("Totals of both sides of messaging")
        .like(200, TOTALS),
    Route::new(Method::GET, "/api/v1/admin/stats", Access::May(Permission::SmppRead, Reach::Platform), get)
        .says("Totals, at the path of the old gateway")
        .like(200, TOTALS),
];

/// What the totals look like.
const TOTALS: &str = r#"{"success":true,"data":{
    "smpp_server":{"active_sessions":2,"total_binds":2,"total_submit_sm":2000,"total_deliver_sm":1990},
    "vendors":{"total_sent":2000,"total_success":1990,"total_failed":10},"timestamp":"2026-01-02T03:04:05.000006Z"}}"#;

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::json(&stats::server(&api.smpp)) })
}
