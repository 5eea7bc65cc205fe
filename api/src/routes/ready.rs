//! `GET /ready`: the node takes messages. 503 with the reason while it recovers, drains or cannot make
//! messages durable.

use std::sync::Arc;

use actors::smpp::stats;
use futures_util::future::BoxFuture;
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(Method::GET, "/ready", Access::Open, get)
    .says("Whether the node takes work")
    .like(200, r#"{"status":"ready"}"#)];

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        stats::ready(&api.smpp).map_err(|reason| Problem::new(Code::NotReady, reason))?;
        reply::json(&json!({"status": "ready"}))
    })
}
