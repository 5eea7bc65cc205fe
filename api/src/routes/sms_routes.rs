//! `/v1/admin/sms-routes`: where messages go.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Parts;
use runtime::store::group::Touched;
use runtime::store::provisioning::SmsRouteEntry;
use runtime::store::sms_route::{self, Filter, SmsRoute};
use runtime::store::{Tx, sms_vendor};
use uuid::Uuid;
use warp::http::Method;

use super::voice_rates::digits;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::RoutesRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::RoutesManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/sms-routes", READ, list)
        .says("Routes of messages in the order of their names")
        .asks(&[LIMIT, CURSOR, SEARCH, VENDOR, CUSTOMER, PREFIX])
        .gives::<Page<SmsRoute>>(200),
    Route::new(Method::POST, "/v1/admin/sms-routes", MANAGE, create)
        .says("Makes a route of messages")
        .takes::<SmsRouteEntry>()
        .gives::<SmsRoute>(201),
    Route::new(Method::GET, "/v1/admin/sms-routes/{id}", READ, get)
        .says("One route of messages")
        .gives::<SmsRoute>(200),
    Route::new(Method::PUT, "/v1/admin/sms-routes/{id}", MANAGE, update)
        .says("Changes a route of messages; what is not given goes back to its default")
        .takes::<SmsRouteEntry>()
        .gives::<SmsRoute>(200),
    Route::new(Method::DELETE, "/v1/admin/sms-routes/{id}", MANAGE, delete)
        .says("Takes a route of messages away")
        .gives_nothing(),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the name, in any case");
const VENDOR: Param =
    Param::new("vendor", Kind::Text(100), "Only routes to the vendor of this instance_name");
const CUSTOMER: Param = Param::new("customer", Kind::Text(20), "Only routes of the customer of this BAN");
const PREFIX: Param = Param::new("prefix", Kind::Text(21), "Only prefixes that begin with these digits");

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such route")
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let text = |name: &str| request.query.get(name).unwrap_or_default();
        let filter = Filter {
            search: request.query.get("search"),
            vendor: text("vendor"),
            customer: text("customer"),
            prefix: digits(text("prefix")),
            after: text("cursor"),
        };
        let routes = sms_route::page(&api.store, &filter, limit.saturating_add(1)).await?;
        reply::json(&Page::of(routes, limit, |route| route.entry.name.clone()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let route = sms_route::get(&api.store, request.id_param("id")?).await?;
        reply::tagged(&route.ok_or_else(unknown)?)
    })
}

fn form(request: &Request) -> Result<SmsRouteEntry, Problem> {
    let mut entry: SmsRouteEntry = request.json()?;
    entry.normalize();
    check::form(entry.check())?;
    Ok(entry)
}

/// The customer that a route is for alone, and the vendor that it leads to.
async fn named(tx: &mut Tx, entry: &SmsRouteEntry) -> Result<(Option<Uuid>, Uuid), Problem> {
    let customer = if entry.customer.is_empty() {
        None
    } else {
        let absent = || Problem::invalid("/customer", "there is no such customer");
        Some(sms_route::customer(tx, &entry.customer).await?.ok_or_else(absent)?)
    };
    let absent = || Problem::invalid("/vendor", "there is no such vendor");
    let vendor = sms_vendor::named(tx, &entry.vendor).await?.ok_or_else(absent)?;
    Ok((customer, vendor))
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry = form(&request)?;
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "a route has this name already");
                if sms_route::is_taken(tx, &entry.name).await? {
                    return Err(taken());
                }
                let (customer, vendor) = named(tx, &entry).await?;
                sms_route::put(tx, id, (customer, Some(vendor)), &entry, now).await?;
                // Not there under this id: another node has made one of this name just now.
                let route = sms_route::find(tx, id).await?.ok_or_else(taken)?;
                let location = format!("/v1/admin/sms-routes/{id}");
                Ok(Change::created(location, &route, Touched::only(Parts::ROUTES)).of_maybe(customer))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry = form(&request)?;
        let id = request.id_param("id")?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = sms_route::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                check::unchanged("/name", &before.entry.name, &entry.name)?;
                let (customer, vendor) = named(tx, &entry).await?;
                sms_route::put(tx, id, (customer, Some(vendor)), &entry, now).await?;
                let after = sms_route::find(tx, id).await?.ok_or_else(unknown)?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::ROUTES)).of_maybe(customer))
            })
        })
        .await
    })
}

/// Messages that were routed by it go on to its vendor; new ones go by other routes.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = sms_route::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                let customer = sms_route::customer(tx, &before.entry.customer).await?;
                sms_route::delete(tx, id).await?;
                Ok(Change::deleted(&before, Touched::only(Parts::ROUTES)).of_maybe(customer))
            })
        })
        .await
    })
}
