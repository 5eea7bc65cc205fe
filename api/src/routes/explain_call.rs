//! `GET /v1/explain/call`: which way a call would go, and why, without placing one.

use std::sync::Arc;

use actors::sip::explain;
use futures_util::future::BoxFuture;
use runtime::model::Transport;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{FORMAT, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] = &[Route::new(
    Method::GET,
    "/v1/explain/call",
    Access::May(Permission::ExplainRead, Reach::Platform),
    get,
)
.says("Which way a call would go, and why")
.asks(&[
    Param::new("from", Kind::Text(64), "Calling number"),
    Param::new("to", Kind::Text(64), "Called number").needed(),
    Param::new("source", Kind::Text(64), "Address, or address:port, that the call comes from").needed(),
    Param::new("transport", Kind::Words(&["udp", "tcp", "tls"]), "Transport that it comes by"),
    FORMAT,
])];

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let query = &request.query;
        let transport = query.get("transport").unwrap_or("udp");
        let transport: Transport = transport.parse().map_err(|_| {
            Problem::new(Code::BadRequest, format!("transport is udp, tcp or tls, not {transport:?}"))
        })?;
        let source = query.required("source");
        let source = explain::source(source, transport).ok_or_else(|| {
            let detail =
                format!("source is an address, or address:port ([address]:port for IPv6), not {source:?}");
            Problem::new(Code::ExplainRefused, detail)
        })?;
        let question = explain::Question {
            from: query.get("from").unwrap_or_default().to_owned(),
            to: query.required("to").to_owned(),
            source,
            transport,
        };
        let calls = api.calls()?;
        let told = explain::call(&calls.snapshot.load_full(), &calls.settings.listeners, &question);
        if request.wants_text() { reply::text(told.to_string()) } else { reply::json(&told) }
    })
}
