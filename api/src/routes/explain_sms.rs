//! `GET /v1/explain/sms`: which way a message would go, and why, without sending one.

use std::sync::Arc;

use actors::smpp::explain;
use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{FORMAT, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/explain/sms", Access::May(Permission::ExplainRead, Reach::Platform), get)
        .says("Which way a message would go, and why")
        .asks(&[
            Param::new("system_id", Kind::Text(15), "The account that sends").needed(),
            Param::new("from", Kind::Text(64), "Source address"),
            Param::new("to", Kind::Text(64), "Destination address").needed(),
            FORMAT,
        ])
        .like(200, EXPLAINED)];

/// What an explanation looks like.
const EXPLAINED: &str = r#"{"question":{"system_id":"acme","from":"WARP","to":"15551234567"},
    "customer":"TB-071161708","outcome":"accept","candidates":[{"route":"us","prefix":"1","vendor":"sinch-atlanta",
    "priority":10,"cost":"0.0035","weight":100,"own":false,"binds_up":2,"binds":2,"queued":0}]}"#;

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let question = explain::Question {
            system_id: request.query.required("system_id").to_owned(),
            from: request.query.get("from").unwrap_or_default().to_owned(),
            to: request.query.required("to").to_owned(),
        };
        let explanation = explain::sms(&api.smpp, &question)
            .map_err(|error| Problem::new(Code::ExplainRefused, error.to_string()))?;
        if request.wants_text() { reply::text(explanation.to_string()) } else { reply::json(&explanation) }
    })
}
