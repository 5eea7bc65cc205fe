//! `/v1/sync` and `/webhooks/hubspot`: the routes of the CRM, which say that this installation has none.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Document, Problem};
use crate::query::{Kind, Param};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::{Access, Reach, Route};

const OF_CUSTOMER: Access = Access::May(Permission::CrmManage, Reach::Customer);
const MANAGE: Access = Access::May(Permission::CrmManage, Reach::Platform);
const READ: Access = Access::May(Permission::CrmRead, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    absent(Method::POST, "/v1/sync/customers/{id}/to-hubspot", OF_CUSTOMER)
        .says("Writes a customer into HubSpot at once"),
    absent(Method::POST, "/v1/sync/customers/{id}/queue", OF_CUSTOMER)
        .says("Has a customer written into HubSpot soon"),
    absent(Method::POST, "/v1/sync/process-queue", MANAGE).says("Does what is queued now"),
    absent(Method::GET, "/v1/sync/hubspot/companies/search", READ)
        .says("Companies in HubSpot by a part of their name")
        .asks(&[Param::new("q", Kind::Text(100), "Part of the name").needed()]),
    absent(Method::POST, "/webhooks/hubspot/company", Access::Open)
        .says("HubSpot tells of a company that changed"),
];

/// A route that answers 501.
const fn absent(method: Method, path: &'static str, access: Access) -> Route {
    Route::new(method, path, access, not_here).gives::<Document>(501).of_media("application/problem+json")
}

fn not_here(_api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async { Err(Problem::new(Code::NotImplemented, "this installation has no CRM")) })
}
