//! `GET /v1/explain/call`: which way a call would go, and why, without placing one.

use std::sync::Arc;

use actors::sip::{explain, identities};
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
])
.like(200, EXPLAINED)];

/// What an explanation looks like.
const EXPLAINED: &str = r#"{"question":{"from":"+15550001111","to":"0111555123","source":"203.0.113.1:5060",
    "transport":"udp"},"trunk":"acme-east","vendor":null,"direction":"outbound","number":"+1555123","outcome":"route",
    "checks":[{"check":"source","passed":true,"detail":"of trunk acme-east"}],
    "candidates":[{"vendor":"atlantic","prefix":"1","rate":"0.0042","priority":0,"weight":100,"status":"ACTIVE",
    "channels_used":0,"channels":4000,"cps":200,"number":"9001#1555123","caller":"+15550001111",
    "gateways":["sip:192.0.2.10:5060 at 192.0.2.10:5060"],"passed_over":null,"attestation":"A","unsigned":null,
    "topology_hidden_from":{"caller":false,"callee":true}}],"gateways":[],"rung_at_once":null}"#;

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
        let now = api.clock.now();
        let contacts = |trunk| calls.registrar.bindings.of(trunk, now);
        let (snapshot, instant) = (calls.snapshot.load_full(), calls.now().instant);
        let unsigned = calls.settings.identities.unsigned(identities::seconds(now));
        let own = explain::Own { listeners: &calls.settings.listeners, unsigned };
        let told = explain::call(&snapshot, own, &question, &contacts, instant);
        let told = told.with_media(&snapshot, &calls.media, instant);
        if request.wants_text() { reply::text(told.to_string()) } else { reply::json(&told) }
    })
}
