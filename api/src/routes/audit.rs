//! `/v1/audit`: who changed what.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::store::audit::{self, Entry, Filter};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::query::{CURSOR_ID, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/audit", Access::May(Permission::AuditRead, Reach::Platform), list)
        .says("Writes by the interface, the newest first")
        .asks(&[LIMIT, CURSOR_ID, CUSTOMER, PRINCIPAL, ACTION, SINCE, UNTIL])
        .gives::<Page<Audited>>(200)];

const CUSTOMER: Param = Param::new("customer_id", Kind::Id, "Only what touched this customer");
const PRINCIPAL: Param = Param::new(
    "principal",
    Kind::Text(300),
    "Only what this one did: user:, key: or another word as the entries have it, whole",
);
const ACTION: Param =
    Param::new("action", Kind::Text(100), "Only what was done by this word, as create or update");
const SINCE: Param = Param::new("since", Kind::Time, "Only what was done at this time or later");
const UNTIL: Param = Param::new("until", Kind::Time, "Only what was done before this time");

/// One write.
#[derive(Serialize, ToSchema)]
struct Audited {
    /// Primary key, in the order of time.
    id: Uuid,
    /// When.
    at: Timestamp,
    /// Who.
    #[schema(example = "user:maria@example.net")]
    principal: String,
    /// From where.
    #[schema(example = "198.51.100.7")]
    address: String,
    /// The request.
    #[schema(example = "5f0c1d6e8a9b4c3d2e1f0a9b8c7d6e5f")]
    request_id: String,
    /// What was done.
    #[schema(example = "update")]
    action: String,
    /// To what.
    #[schema(example = "/v1/customers/0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11")]
    resource: String,
    /// Whose it is.
    customer_id: Option<Uuid>,
    /// As it was shown before.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// As it is shown since.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

impl From<Entry> for Audited {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            principal: entry.principal,
            address: entry.address,
            request_id: entry.request_id,
            action: entry.action,
            resource: entry.resource,
            customer_id: entry.customer,
            before: entry.before,
            after: entry.after,
        }
    }
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let before = request.query.id("cursor");
        let text = |param: &Param| request.query.get(param.name).map(str::to_owned);
        let filter = Filter {
            customer: request.query.id(CUSTOMER.name),
            principal: text(&PRINCIPAL),
            action: text(&ACTION),
            since: request.query.time(SINCE.name),
            until: request.query.time(UNTIL.name),
        };
        let entries = audit::recent(&api.store, &filter, before, limit.saturating_add(1)).await?;
        let entries = entries.into_iter().map(Audited::from).collect();
        reply::json(&Page::of(entries, limit, |entry: &Audited| entry.id.to_string()))
    })
}
