//! `/v1/admin/partitions`: sets of rates that trunks choose from, and the vendors that have rates in them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Money;
use runtime::store::group::Touched;
use runtime::store::partition::{self, Partition, PartitionVendor};
use runtime::store::provisioning::{PartitionEntry, VoiceRateEntry};
use runtime::store::voice_rate::{self, VoiceRate};
use runtime::store::voice_vendor;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use warp::http::Method;

use super::{voice_rates, voice_vendors};
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::removal::{in_use, refused};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::PartitionsRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::PartitionsManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/partitions", READ, list)
        .says("Partitions in the order of their names")
        .asks(&[LIMIT, CURSOR, SEARCH])
        .gives::<Page<Partition>>(200),
    Route::new(Method::POST, "/v1/admin/partitions", MANAGE, create)
        .says("Makes a partition")
        .takes::<PartitionEntry>()
        .gives::<Partition>(201),
    Route::new(Method::GET, "/v1/admin/partitions/{id}", READ, get)
        .says("One partition")
        .gives::<Partition>(200),
    Route::new(Method::DELETE, "/v1/admin/partitions/{id}", MANAGE, delete)
        .says("Takes a partition away that no trunk chooses from and that has no rates")
        .gives_nothing(),
    Route::new(Method::GET, "/v1/admin/partitions/{id}/vendors", READ, vendors)
        .says("SIP vendors that have rates in a partition, in the order of their names")
        .asks(&[LIMIT, CURSOR])
        .gives::<Page<PartitionVendor>>(200),
    Route::new(Method::PUT, "/v1/admin/partitions/{id}/vendors/{vendor_id}", MANAGE, put_vendor)
        .says("Gives a SIP vendor a rate in a partition, or changes the one that it has for this prefix")
        .takes::<PartitionRate>()
        .gives::<VoiceRate>(200),
    Route::new(Method::DELETE, "/v1/admin/partitions/{id}/vendors/{vendor_id}", MANAGE, delete_vendor)
        .says("Takes all rates of a SIP vendor in a partition away")
        .gives_nothing()
        .unconditional(),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the name, in any case");

/// What a vendor takes in a partition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PartitionRate {
    /// Per minute.
    #[schema(value_type = String, example = "0.0042", pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
    rate: Money,
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
    #[serde(default)]
    #[schema(example = "1", pattern = "^[+]?[0-9]{0,20}$")]
    prefix: String,
    /// Lower first among equal rates.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    priority: i32,
    /// Share among equal rates and priorities.
    #[serde(default = "voice_rates::share")]
    #[schema(maximum = 10000, default = 100)]
    weight: u32,
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such partition")
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let (after, search) = (request.query.get("cursor").unwrap_or_default(), request.query.get("search"));
        let partitions = partition::page(&api.store, (after, search), limit.saturating_add(1)).await?;
        reply::json(&Page::of(partitions, limit, |partition| partition.name.clone()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let partition = partition::get(&api.store, request.id_param("id")?).await?;
        reply::tagged(&partition.ok_or_else(unknown)?)
    })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry: PartitionEntry = request.json()?;
        check::form(entry.check())?;
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "a partition has this name already");
                if partition::named(tx, &entry.name).await?.is_some() {
                    return Err(taken());
                }
                partition::insert(tx, id, &entry, now).await?;
                // Not there under this id: another node has made one of this name just now.
                let partition = partition::find(tx, id).await?.ok_or_else(taken)?;
                let location = format!("/v1/admin/partitions/{id}");
                Ok(Change::created(location, &partition, Touched::CONFIGURATION))
            })
        })
        .await
    })
}

/// A partition that trunks choose from, or that has rates, is not taken away: they go first.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = partition::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if let Some(trunk) = partition::trunk_of(tx, id).await? {
                    return Err(in_use(format!("trunk {trunk:?} chooses from it")));
                }
                if let Some(vendor) = partition::vendor_of(tx, id).await? {
                    return Err(in_use(format!("vendor {vendor:?} has rates in it")));
                }
                partition::delete(tx, id).await.map_err(refused)?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION))
            })
        })
        .await
    })
}

fn vendors(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let id = request.id_param("id")?;
        partition::get(&api.store, id).await?.ok_or_else(unknown)?;
        let after = request.query.get("cursor").unwrap_or_default();
        let vendors = partition::vendors(&api.store, id, after, limit.saturating_add(1)).await?;
        reply::json(&Page::of(vendors, limit, |vendor| vendor.vendor.clone()))
    })
}

fn put_vendor(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let PartitionRate { rate, prefix, priority, weight } = request.json()?;
        let (partition, vendor) = (String::new(), String::new());
        let mut entry = VoiceRateEntry { partition, prefix, vendor, rate, priority, weight, blocked: false };
        entry.normalize();
        check::form(entry.check())?;
        let keys = (request.id_param("id")?, request.id_param("vendor_id")?);
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                partition::find(tx, keys.0).await?.ok_or_else(unknown)?;
                voice_vendor::find(tx, keys.1).await?.ok_or_else(voice_vendors::unknown)?;
                voice_rates::write_one(tx, request, keys, &entry, now).await
            })
        })
        .await
    })
}

fn delete_vendor(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, vendor_id) = (request.id_param("id")?, request.id_param("vendor_id")?);
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let partition = partition::find(tx, id).await?.ok_or_else(unknown)?;
                let vendor = voice_vendor::find(tx, vendor_id).await?.ok_or_else(voice_vendors::unknown)?;
                let rates = voice_rate::delete_all(tx, id, vendor_id).await?;
                if rates == 0 {
                    return Err(Problem::new(Code::NotFound, "the vendor has no rates in this partition"));
                }
                let (partition, vendor) = (partition.name, vendor.entry.name);
                let before = json!({"partition": partition, "vendor": vendor, "rates": rates});
                Ok(Change::deleted(&before, Touched::CONFIGURATION))
            })
        })
        .await
    })
}
