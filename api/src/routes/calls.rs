//! `/v1/calls`: calls that live, and the end of one.

use std::sync::Arc;

use actors::sip::live_list::{self, Wanted};
use futures_util::future::BoxFuture;
use runtime::log::Reason;
use runtime::store::group::Touched;
use serde_json::json;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{FORMAT, Kind, Param};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, note};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/calls", Access::May(Permission::CallsRead, Reach::Platform), list)
        .says("Calls that live")
        .asks(&[LIMIT, AFTER, CUSTOMER, TRUNK, VENDOR, FORMAT])
        .like(200, CALLS),
    Route::new(Method::GET, "/v1/calls/{id}", Access::May(Permission::CallsRead, Reach::Platform), get)
        .says("One call that lives")
        .like(200, CALL),
    Route::new(
        Method::DELETE,
        "/v1/calls/{id}",
        Access::May(Permission::CallsManage, Reach::Platform),
        hang_up,
    )
    .says("Ends a call")
    .like(202, ENDING)
    .unconditional(),
];

/// What a call looks like.
const CALL: &str = r#"{"id":"0198c9a0-5b7e-7c3a-9d5e-3f0b6a0f1c11","state":"confirmed",
    "customer_id":"0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11","ban":"TB-071161709","trunk":"acme-east","vendor":"atlantic",
    "caller":"+155******11","callee":"+155******22","started_at":"2026-01-02T03:04:05.000006Z",
    "answered_at":"2026-01-02T03:04:09.000006Z"}"#;
/// What a page of calls looks like.
const CALLS: &str = r#"{"live":1,"calls":[{"id":"0198c9a0-5b7e-7c3a-9d5e-3f0b6a0f1c11","state":"confirmed",
    "customer_id":"0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11","ban":"TB-071161709","trunk":"acme-east","vendor":"atlantic",
    "caller":"+155******11","callee":"+155******22","started_at":"2026-01-02T03:04:05.000006Z",
    "answered_at":"2026-01-02T03:04:09.000006Z"}],"next":null}"#;
/// What is said of a call that is being ended.
const ENDING: &str = r#"{"success":true,"id":"0198c9a0-5b7e-7c3a-9d5e-3f0b6a0f1c11"}"#;

const LIMIT: Param = Param::new("limit", Kind::Number { most: 1000, otherwise: 100 }, "Entries of one page");
const AFTER: Param = Param::new("after", Kind::Id, "The call that the page begins behind");
const CUSTOMER: Param = Param::new("customer_id", Kind::Id, "Only calls of this customer");
const TRUNK: Param = Param::new("trunk", Kind::Text(100), "Only calls of a trunk of this name");
const VENDOR: Param = Param::new(
    "vendor",
    Kind::Text(100),
    "Only calls that a vendor of this name has; of an early call, that it was done with last",
);

/// The oldest first, from behind the call `after`.
fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let wanted = Wanted {
            customer: request.query.id(CUSTOMER.name),
            trunk: request.query.get(TRUNK.name),
            vendor: request.query.get(VENDOR.name),
            after: request.query.id(AFTER.name),
        };
        let page = live_list::page(api.calls()?, wanted, usize::try_from(limit).unwrap_or_default());
        if request.wants_text() { reply::text(page.to_string()) } else { reply::json(&page) }
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let asked = request.param("id")?;
        let id: Option<Uuid> = asked.parse().ok();
        let calls = api.calls()?;
        let call = id.and_then(|id| live_list::find(calls, id));
        let unknown = || Problem::new(Code::UnknownCall, format!("no call that lives has the id {asked:?}"));
        reply::json(&call.ok_or_else(unknown)?)
    })
}

/// The call gets its BYE, or its final response, from us; its record says `operator`.
fn hang_up(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let asked = request.param("id")?;
        let id: Option<Uuid> = asked.parse().ok();
        let calls = api.calls()?;
        let call = id.and_then(|id| live_list::find(calls, id));
        let Some(id) = id.filter(|id| calls.hang_up(*id, Reason::Operator)) else {
            return Err(Problem::new(Code::UnknownCall, format!("no call that lives has the id {asked:?}")));
        };
        tracing::info!(dialog = %id, by = request.principal.name, "operator ends a call");
        let customer = call.as_ref().map(|call| call.customer_id);
        note(&api, request, Change::deleted(&call, Touched::NOTHING).of_maybe(customer)).await;
        reply::accepted(&json!({"success": true, "id": id}))
    })
}
