//! `GET /v1/explain/call`: which way a call would go, and why, without placing one.

use std::sync::Arc;

use actors::sip::explain;
use futures_util::future::BoxFuture;
use runtime::model::Transport;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/v1/explain/call",
    access: Access::Token,
    query: &["from", "to", "source", "transport", "format"],
    handler: get,
}];

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let query = &request.query;
        let transport = query.get("transport").unwrap_or("udp");
        let transport: Transport = transport.parse().map_err(|_| {
            Problem::new(Code::BadRequest, format!("transport is udp, tcp or tls, not {transport:?}"))
        })?;
        let source = query.required("source")?;
        let source = explain::source(source, transport).ok_or_else(|| {
            let detail =
                format!("source is an address, or address:port ([address]:port for IPv6), not {source:?}");
            Problem::new(Code::BadRequest, detail)
        })?;
        let question = explain::Question {
            from: query.get("from").unwrap_or_default().to_owned(),
            to: query.required("to")?.to_owned(),
            source,
            transport,
        };
        let calls = api.calls()?;
        let told = explain::call(&calls.snapshot.load_full(), &calls.settings.listeners, &question);
        if request.wants_text()? { reply::text(told.to_string()) } else { reply::json(&told) }
    })
}
