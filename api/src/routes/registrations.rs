//! `…/trunks/{id}/registrations`: where a trunk with a digest has registered, as the platform's own people
//! and those of its customer see it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::group::Touched;
use runtime::store::registration::{self, StoredRegistration};
use uuid::Uuid;
use warp::http::Method;

use super::{own_trunks, trunks};
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

const READ: Access = Access::May(Permission::TrunksRead, Reach::OperatorOf);
const MANAGE: Access = Access::May(Permission::TrunksManage, Reach::OperatorOf);
const READ_OWN: Access = Access::May(Permission::TrunksRead, Reach::Own);
const WRITE_OWN: Access = Access::May(Permission::TrunksWrite, Reach::Own);

/// Of a customer's trunk.
const OF_CUSTOMER: &str = "/v1/admin/customers/{ban}/trunks/{id}/registrations";
const ONE_OF_CUSTOMER: &str = "/v1/admin/customers/{ban}/trunks/{id}/registrations/{registration_id}";
/// Of one's own trunk.
const OF_OWN: &str = "/v1/customers/trunks/{id}/registrations";
const ONE_OF_OWN: &str = "/v1/customers/trunks/{id}/registrations/{registration_id}";

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, OF_CUSTOMER, READ, list)
        .says("Contacts that a trunk has registered, at whichever node")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<StoredRegistration>>(200),
    Route::new(Method::GET, ONE_OF_CUSTOMER, READ, get)
        .says("One contact that a trunk has registered")
        .gives::<StoredRegistration>(200),
    Route::new(Method::DELETE, ONE_OF_CUSTOMER, MANAGE, delete)
        .says("Takes a registration from a trunk; its equipment may register again")
        .gives_nothing(),
    Route::new(Method::GET, OF_OWN, READ_OWN, list_own)
        .says("Contacts that one of one's own trunks has registered")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<StoredRegistration>>(200),
    Route::new(Method::GET, ONE_OF_OWN, READ_OWN, get_own)
        .says("One contact that one of one's own trunks has registered")
        .gives::<StoredRegistration>(200),
    Route::new(Method::DELETE, ONE_OF_OWN, WRITE_OWN, delete_own)
        .says("Takes a registration from one of one's own trunks; its equipment may register again")
        .gives_nothing(),
];

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let trunk = trunks::of_path(&api, &request).await?;
        page(&api, &request, trunk.id).await
    })
}

fn list_own(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own_trunks::own(&api, &request).await?;
        page(&api, &request, trunk.id).await
    })
}

async fn page(api: &Api, request: &Request, trunk: Uuid) -> Reply {
    let limit = request.query.number(&LIMIT);
    let (after, now) = (request.query.id("cursor"), api.clock.now());
    let found = registration::page(&api.store, trunk, now, (after, limit.saturating_add(1))).await?;
    reply::json(&Page::of(found, limit, |registration| registration.id.to_string()))
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let trunk = trunks::of_path(&api, &request).await?;
        one(&api, &request, trunk.id).await
    })
}

fn get_own(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own_trunks::own(&api, &request).await?;
        one(&api, &request, trunk.id).await
    })
}

async fn one(api: &Api, request: &Request, trunk: Uuid) -> Reply {
    let id = request.id_param("registration_id")?;
    let found = registration::get(&api.store, (trunk, id), api.clock.now()).await?;
    reply::tagged(&found.ok_or_else(unknown)?)
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such registration")
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, trunk) = (request.customer()?.id, request.id_param("id")?);
        remove(&api, request, (customer, trunk)).await
    })
}

fn delete_own(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own_trunks::own(&api, &request).await?;
        remove(&api, request, (trunk.customer, trunk.id)).await
    })
}

/// This node hears of it at once, others at their next poll.
async fn remove(api: &Arc<Api>, request: Request, (customer, trunk): (Uuid, Uuid)) -> Reply {
    let (id, now) = (request.id_param("registration_id")?, api.clock.now());
    let calls = api.calls.clone();
    write(api, request, move |tx, request| {
        Box::pin(async move {
            trunks::owned(tx, customer, trunk).await?;
            // Behind it nobody renews what is looked at.
            let version = registration::raise(tx).await?;
            let before = registration::find(tx, (trunk, id), now).await?.ok_or_else(unknown)?;
            check_match(request, &before)?;
            registration::remove(tx, id, now, version).await?;
            let look = move || calls.iter().for_each(|calls| calls.registrar.look());
            Ok(Change::deleted(&before, Touched::NOTHING).of(customer).then(look))
        })
    })
    .await
}
