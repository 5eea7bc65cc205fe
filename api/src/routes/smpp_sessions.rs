//! `/v1/smpp/sessions`: customers' sessions on this node, and the end of one.

use std::sync::Arc;

use actors::smpp::session_list::{self, Wanted};
use futures_util::future::BoxFuture;
use runtime::registry::{self, ActorName};
use runtime::store::group::Touched;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, note, to_the_end};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/smpp/sessions", Access::May(Permission::SmppRead, Reach::Platform), list)
        .says("Customers' sessions on this node")
        .asks(&[LIMIT, CURSOR, SYSTEM_ID])
        .like(200, SESSIONS),
    Route::new(
        Method::DELETE,
        "/v1/smpp/sessions/{name}",
        Access::May(Permission::SmppManage, Reach::Platform),
        close,
    )
    .says("Unbinds a session; its customer may bind again")
    .gives_nothing()
    .unconditional(),
];

/// What a page looks like.
const SESSIONS: &str = r#"{"live":1,"sessions":[{"name":"esme_session:acme:17","system_id":"acme",
    "customer_id":"0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11","ban":"TB-071161708","state":"bound_trx",
    "peer":"192.0.2.9:40112","since":"2026-01-02T03:04:05.000006Z","submitted":10,"refused":0,"delivered":9,
    "unanswered":1}],"next":null}"#;

const LIMIT: Param = Param::new("limit", Kind::Number { most: 1000, otherwise: 100 }, "Entries of one page");
const SYSTEM_ID: Param = Param::new("system_id", Kind::Text(15), "Only sessions of this account");

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let query = &request.query;
        let after = query.get("cursor").map(ActorName::parse).transpose();
        let after = after.map_err(|_| Problem::new(Code::Invalid, "cursor is no `next` of a page before"))?;
        let wanted = Wanted { system_id: query.get("system_id"), after: after.as_ref() };
        let limit = usize::try_from(query.number(&LIMIT)).unwrap_or_default();
        reply::json(&session_list::page(&api.smpp, wanted, limit).await)
    })
}

fn close(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let unknown = || Problem::new(Code::NotFound, "no session that is bound has this name");
        let name = registry::from_url(request.raw_param("name")).map_err(|_| unknown())?;
        let session = session_list::close(&api.smpp, &name).await.ok_or_else(unknown)?;
        tracing::info!(session = %name, by = request.principal.name, "operator ends a session");
        let ended = Change::deleted(&session, Touched::NOTHING).of_maybe(session.customer_id);
        note(&api, request, ended).await;
        let mut response = Response::new(Vec::new().into());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }))
}
