//! `POST /v1/admin/trunks/sync-redis`: the sources of all trunks, for the Kamailio that reads them from Redis.

use std::sync::Arc;

use actors::sip::acl_publisher::Report;
use futures_util::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, note, to_the_end};

pub(super) const ROUTES: &[Route] = &[Route::new(
    Method::POST,
    "/v1/admin/trunks/sync-redis",
    Access::May(Permission::TrunksManage, Reach::Platform),
    post,
)
.says("Compares the sources of all trunks with those in Redis and repairs them; after a change it happens by itself")
.gives::<Synced>(200)
.or(&[(501, "This installation has no Redis")])];

/// Seconds after which it may be asked for again where Redis is away.
const AGAIN_AFTER: u64 = 15;

/// What is in Redis now.
#[derive(Serialize, ToSchema)]
struct Synced {
    /// Sources that are published.
    #[schema(example = 1200)]
    entries: u64,
    /// Of them, those that were missing or wrong.
    #[schema(example = 2)]
    written: u64,
    /// Those that were there and should not have been.
    #[schema(example = 1)]
    deleted: u64,
}

fn post(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    to_the_end(Box::pin(async move {
        let Report { entries, written, deleted, .. } = sync(&api).await?;
        let by = request.principal.name.as_str();
        tracing::info!(entries, written, deleted, by, "operator has the sources in redis compared");
        let synced = Synced { entries, written, deleted };
        note(&api, request, Change::gave("sync-redis", &synced)).await;
        reply::json(&synced)
    }))
}

async fn sync(api: &Api) -> Result<Report, Problem> {
    let publisher = api.calls.as_ref().and_then(|calls| calls.publisher());
    let without = || Problem::new(Code::NotImplemented, "[redis] url is empty, or this node speaks no SIP");
    let report = publisher.ok_or_else(without)?.sync().await;
    report.map_err(|error| Problem::new(Code::NotReady, error.to_string()).retry_after(AGAIN_AFTER))
}
