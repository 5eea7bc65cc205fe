//! `/v1/admin/voice-vendors`: to whom calls go, and from whom calls to our numbers come.

mod shown;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{Parts, VendorStatus};
use runtime::store::group::Touched;
use runtime::store::provisioning::{SipVendorEntry, VendorAccountEntry};
use runtime::store::voice_vendor::{self, Filter, VoiceVendor};
use runtime::store::{Tx, vendor_account};
use uuid::Uuid;
use warp::http::Method;

use self::shown::Shown;
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
    Route::new(Method::GET, "/v1/admin/voice-vendors", READ, list)
        .says("SIP vendors in the order of their names, with our registrations there")
        .asks(&[LIMIT, CURSOR, SEARCH, STATUS])
        .gives::<Page<Shown>>(200),
    Route::new(Method::POST, "/v1/admin/voice-vendors", MANAGE, create)
        .says("Makes a SIP vendor")
        .takes::<SipVendorEntry>()
        .gives::<VoiceVendor>(201),
    Route::new(Method::GET, "/v1/admin/voice-vendors/{id}", READ, get)
        .says("One SIP vendor, with our registrations there")
        .gives::<Shown>(200),
    Route::new(Method::PUT, "/v1/admin/voice-vendors/{id}", MANAGE, update)
        .says("Changes a SIP vendor; what is not given goes back to its default, but for a password")
        .takes::<SipVendorEntry>()
        .gives::<VoiceVendor>(200),
    Route::new(Method::DELETE, "/v1/admin/voice-vendors/{id}", MANAGE, delete)
        .says("Takes a SIP vendor away that is DISABLED and has no rates and no calls")
        .asks(&[DRAIN])
        .gives_nothing(),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the name, in any case");
const STATUS: Param =
    Param::new("status", Kind::Words(&["ACTIVE", "DRAINED", "DISABLED"]), "Only vendors of this status");

pub(super) fn unknown() -> Problem {
    Problem::new(Code::UnknownVendor, "there is no such vendor")
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = Filter {
            search: request.query.get("search"),
            status: request.query.get("status").and_then(|word| word.parse().ok()),
            after: request.query.get("cursor").unwrap_or_default(),
        };
        let vendors = voice_vendor::page(&api.store, &filter, limit.saturating_add(1)).await?;
        let page = Page::of(vendors, limit, |vendor| vendor.entry.name.clone());
        let items: Vec<_> = page.items.into_iter().map(|vendor| Shown::of(&api, vendor)).collect();
        reply::json(&Page { items, next: page.next })
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let vendor = voice_vendor::get(&api.store, request.id_param("id")?).await?;
        let shown = Shown::of(&api, vendor.ok_or_else(unknown)?);
        reply::tagged_as(&shown.vendor, &shown)
    })
}

/// What is stored in place of the password in the body, for the vendor of this id.
fn sealed(api: &Api, id: Uuid, entry: &SipVendorEntry) -> Result<Option<Vec<u8>>, Problem> {
    let given = entry.account.as_ref().and_then(|account| Some((account, account.password.as_ref()?)));
    let Some((account, password)) = given else { return Ok(None) };
    let sealed = vendor_account::seal(&api.root_key, id, (&account.username, &account.realm), password);
    sealed.map(Some).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

/// Makes the account at a vendor what its entry says.
async fn account(
    tx: &mut Tx,
    id: Uuid,
    (before, entry): (Option<&VendorAccountEntry>, &SipVendorEntry),
    (sealed, now): (Option<Vec<u8>>, Timestamp),
) -> Result<(), Problem> {
    let Some(account) = &entry.account else { return Ok(vendor_account::delete(tx, id).await?) };
    if sealed.is_none() && before.is_none_or(|before| !before.is_same(account)) {
        return Err(Problem::invalid("/account/password", "a username or realm that is new needs one"));
    }
    Ok(vendor_account::put(tx, id, (account, sealed), now).await?)
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry: SipVendorEntry = request.json()?;
        check::form(entry.check())?;
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        let sealed = sealed(&api, id, &entry)?;
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "a vendor has this name already");
                if voice_vendor::is_taken(tx, &entry.name).await? {
                    return Err(taken());
                }
                voice_vendor::insert(tx, id, &entry, now).await?;
                // Not there under this id: another node has made one of this name just now.
                voice_vendor::find(tx, id).await?.ok_or_else(taken)?;
                account(tx, id, (None, &entry), (sealed, now)).await?;
                let vendor = voice_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                let location = format!("/v1/admin/voice-vendors/{id}");
                Ok(Change::created(location, &vendor, Touched::only(Parts::OTHERS)))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry: SipVendorEntry = request.json()?;
        check::form(entry.check())?;
        let id = request.id_param("id")?;
        let sealed = sealed(&api, id, &entry)?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = voice_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                check::unchanged("/name", &before.entry.name, &entry.name)?;
                voice_vendor::put(tx, (id, before.number.into()), &entry, now).await?;
                account(tx, id, (before.entry.account.as_ref(), &entry), (sealed, now)).await?;
                let after = voice_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::OTHERS)))
            })
        })
        .await
    })
}

/// A vendor that has rates is not taken away: its rates go first. One that is not DISABLED, or that has calls of this
/// node, goes with `drain` alone: no new call goes to it then or comes from it, and those that are up go on.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, drain) = (request.id_param("id")?, request.query.flag("drain"));
        let calls = calls_to(&api, id);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = voice_vendor::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if let Some(partition) = voice_vendor::partition_of(tx, id).await? {
                    return Err(in_use(format!("it has rates in partition {partition:?}")));
                }
                if !drain && before.entry.status != VendorStatus::Disabled {
                    let status = before.entry.status.as_str();
                    return Err(in_use(format!(
                        "it is {status}: make it DISABLED first, or ask with drain=true"
                    )));
                }
                if !drain && calls > 0 {
                    return Err(in_use(format!("{calls} calls go to it: wait, or ask with drain=true")));
                }
                voice_vendor::delete(tx, id).await.map_err(refused)?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION))
            })
        })
        .await
    })
}

/// Calls of this node that go to a vendor.
fn calls_to(api: &Api, id: Uuid) -> u32 {
    let Some(calls) = &api.calls else { return 0 };
    let snapshot = calls.snapshot.load();
    let vendor = snapshot.vendors.iter().find(|vendor| vendor.config.id == id);
    vendor.map_or(0, |vendor| vendor.usage.channels())
}
