//! `GET /v1/explain/sms`: which way a message would go, and why, without sending one.

use std::sync::Arc;

use actors::smpp::explain;
use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/v1/explain/sms",
    access: Access::Token,
    query: &["system_id", "from", "to", "format"],
    handler: get,
}];

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let question = explain::Question {
            system_id: request.query.required("system_id")?.to_owned(),
            from: request.query.get("from").unwrap_or_default().to_owned(),
            to: request.query.required("to")?.to_owned(),
        };
        let explanation = explain::sms(&api.smpp, &question)
            .map_err(|error| Problem::new(Code::ExplainRefused, error.to_string()))?;
        if request.wants_text()? { reply::text(explanation.to_string()) } else { reply::json(&explanation) }
    })
}
