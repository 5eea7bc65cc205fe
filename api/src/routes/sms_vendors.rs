//! `/v1/admin/sms-vendors`: the SMSCs that the node binds to. Their passwords are written and never read.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Parts;
use runtime::password::SecretString;
use runtime::store::group::Touched;
use runtime::store::provisioning::SmsVendorEntry;
use runtime::store::sms_vendor::{self, Filter, SmsVendor};
use uuid::Uuid;
use warp::http::Method;

use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::removal::{DRAIN, in_use, refused};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::VendorsRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::VendorsManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/sms-vendors", READ, list)
        .says("SMS vendors in the order of their instance names")
        .asks(&[LIMIT, CURSOR, SEARCH, ACTIVE])
        .gives::<Page<SmsVendor>>(200),
    Route::new(Method::POST, "/v1/admin/sms-vendors", MANAGE, create)
        .says("Makes an SMS vendor; an active one is bound to within a second")
        .takes::<SmsVendorEntry>()
        .gives::<SmsVendor>(201),
    Route::new(Method::GET, "/v1/admin/sms-vendors/{id}", READ, get)
        .says("One SMS vendor")
        .gives::<SmsVendor>(200),
    Route::new(Method::PUT, "/v1/admin/sms-vendors/{id}", MANAGE, update)
        .says("Changes an SMS vendor; a password that is not given stays, anything else goes back to its default")
        .takes::<SmsVendorEntry>()
        .gives::<SmsVendor>(200),
    Route::new(Method::DELETE, "/v1/admin/sms-vendors/{id}", MANAGE, delete)
        .says("Takes an SMS vendor away that is not active and that no route leads to")
        .asks(&[DRAIN])
        .gives_nothing(),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of one of the names, in any case");
const ACTIVE: Param = Param::new("active", Kind::Flag, "Only vendors that are active, or that are not");

fn unknown() -> Problem {
    Problem::new(Code::UnknownVendor, "there is no such vendor")
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = Filter {
            search: request.query.get("search"),
            active: request.query.get("active").map(|_| request.query.flag("active")),
            after: request.query.get("cursor").unwrap_or_default(),
        };
        let vendors = sms_vendor::page(&api.store, &filter, limit.saturating_add(1)).await?;
        reply::json(&Page::of(vendors, limit, |vendor| vendor.entry.instance_name.clone()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let vendor = sms_vendor::get(&api.store, request.id_param("id")?).await?;
        reply::tagged(&vendor.ok_or_else(unknown)?)
    })
}

/// The body, and the password in it sealed for the vendor of this id.
fn form(api: &Api, request: &Request, id: Uuid) -> Result<(SmsVendorEntry, Option<Vec<u8>>), Problem> {
    let mut entry: SmsVendorEntry = request.json()?;
    entry.normalize();
    check::form(entry.check())?;
    let seal = |password: &SecretString| {
        let sealed = api.root_key.seal(id, password);
        sealed.map_err(|error| Problem::new(Code::Internal, error.to_string()))
    };
    let sealed = entry.password.as_ref().map(seal).transpose()?;
    Ok((entry, sealed))
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        let (entry, sealed) = form(&api, &request, id)?;
        let needed = || Problem::invalid("/password", "a new vendor needs one");
        let sealed = sealed.ok_or_else(needed)?;
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "a vendor has this instance_name already");
                if sms_vendor::named(tx, &entry.instance_name).await?.is_some() {
                    return Err(taken());
                }
                sms_vendor::put(tx, id, (&entry, &sealed), now).await?;
                // Not there under this id: another node has made one of this name just now.
                let vendor = sms_vendor::find(tx, id).await?.ok_or_else(taken)?;
                let location = format!("/v1/admin/sms-vendors/{id}");
                Ok(Change::created(location, &vendor, Touched::only(Parts::OTHERS)))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        let (entry, sealed) = form(&api, &request, id)?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = sms_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                check::unchanged("/instance_name", &before.entry.instance_name, &entry.instance_name)?;
                let sealed = sealed.as_ref().unwrap_or(&before.sealed);
                sms_vendor::put(tx, id, (&entry, sealed), now).await?;
                let after = sms_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::OTHERS)))
            })
        })
        .await
    })
}

/// A vendor that routes lead to is not taken away: they go first, or lead elsewhere. One that is active goes with
/// `drain` alone: its binds are ended then, and messages that wait for it go by another route, or end here.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, drain) = (request.id_param("id")?, request.query.flag("drain"));
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = sms_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if let Some(route) = sms_vendor::route_to(tx, id).await? {
                    return Err(in_use(format!("route {route:?} leads to it")));
                }
                if before.entry.active && !drain {
                    return Err(in_use("it is active: set active to false first, or ask with drain=true"));
                }
                sms_vendor::delete(tx, id).await.map_err(refused)?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION))
            })
        })
        .await
    })
}
