//! `/v1/calls`: calls that live, and the end of one.

use std::sync::Arc;

use actors::sip::live_list;
use futures_util::future::BoxFuture;
use runtime::log::Reason;
use serde_json::json;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/v1/calls",
        access: Access::Token,
        query: &["limit", "after", "format"],
        handler: list,
    },
    Route {
        method: Method::DELETE,
        path: "/v1/calls/{id}",
        access: Access::Token,
        query: &[],
        handler: hang_up,
    },
];

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// The oldest first, from behind the call `after`.
fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number("limit", LIMIT, LIMIT_MAX)?;
        let after = request.query.id("after")?;
        let page = live_list::page(api.calls()?, after, usize::try_from(limit).unwrap_or_default());
        if request.wants_text()? { reply::text(page.to_string()) } else { reply::json(&page) }
    })
}

/// The call gets its BYE, or its final response, from us; its record says `operator`.
fn hang_up(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let asked = request.param("id")?;
        let id: Option<Uuid> = asked.parse().ok();
        let calls = api.calls()?;
        let Some(id) = id.filter(|id| calls.hang_up(*id, Reason::Operator)) else {
            return Err(Problem::new(Code::UnknownCall, format!("no call that lives has the id {asked:?}")));
        };
        tracing::info!(dialog = %id, "operator ends a call");
        reply::accepted(&json!({"success": true, "id": id}))
    })
}
