//! `GET /health`: the process answers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use warp::http::Method;

use crate::context::Api;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(Method::GET, "/health", Access::Open, get)
    .says("Whether the process answers")
    .like(200, r#"{"status":"ok"}"#)];

fn get(_api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async { reply::json(&json!({"status": "ok"})) })
}
