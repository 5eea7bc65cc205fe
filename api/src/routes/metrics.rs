//! `GET /metrics` on the metrics port: Prometheus text format 0.0.4.

use std::sync::Arc;

use actors::smpp::stats;
use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(Method::GET, "/metrics", Access::Metrics, get)
    .says("Metrics of the node")
    .of_media("text/plain")];

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        stats::refresh(&api.smpp);
        let body = api.registry.render().into_bytes();
        Ok(reply::with_type(body, "text/plain; version=0.0.4; charset=utf-8"))
    })
}
