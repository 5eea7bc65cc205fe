//! `/v1/admin/voice-vendors/{id}/rates`: what a SIP vendor takes, by partition and prefix.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{Money, Parts};
use runtime::store::group::Touched;
use runtime::store::provisioning::VoiceRateEntry;
use runtime::store::voice_rate::{self, Filter, RateRow, VoiceRate};
use runtime::store::{Tx, partition, voice_vendor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::voice_vendors::unknown;
use crate::batch;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Document, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

const READ: Access = Access::May(Permission::VendorsRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::VendorsManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/voice-vendors/{id}/rates", READ, list)
        .says("Rates of a SIP vendor in the order of their partitions and prefixes")
        .asks(&[LIMIT, CURSOR, PARTITION, PREFIX])
        .gives::<Page<VoiceRate>>(200),
    Route::new(Method::PUT, "/v1/admin/voice-vendors/{id}/rates", MANAGE, put)
        .says("Gives a SIP vendor a rate for a prefix in a partition, or changes the one that it has")
        .takes::<RateForm>()
        .gives::<VoiceRate>(200),
    Route::new(Method::POST, "/v1/admin/voice-vendors/{id}/rates/batch", MANAGE, put_all)
        .says("Gives a SIP vendor many rates at once; those that cannot be are left out and told")
        .takes::<RateBatch>()
        .gives::<RateOutcomes>(200),
    Route::new(Method::DELETE, "/v1/admin/voice-vendors/{id}/rates/{rate_id}", MANAGE, delete)
        .says("Takes a rate away")
        .gives_nothing(),
];

const PARTITION: Param = Param::new("partition", Kind::Text(100), "Only rates in the partition of this name");
const PREFIX: Param = Param::new("prefix", Kind::Text(21), "Only prefixes that begin with these digits");

/// A rate of the vendor that the path names.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RateForm {
    /// Name of the partition.
    #[schema(example = "wholesale", min_length = 1, max_length = 100)]
    partition: String,
    /// Destination prefix, digits, a plus before them is dropped; empty is every destination.
    #[serde(default)]
    #[schema(example = "1", pattern = "^[+]?[0-9]{0,20}$")]
    prefix: String,
    /// Per minute.
    #[schema(value_type = String, example = "0.0042", pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
    rate: Money,
    /// Lower first among equal rates.
    #[serde(default)]
    #[schema(minimum = -2147483648, maximum = 2147483647, default = 0)]
    priority: i32,
    /// Share among equal rates and priorities.
    #[serde(default = "share")]
    #[schema(maximum = 10000, default = 100)]
    weight: u32,
    /// The vendor does not get these numbers, although it has a rate for a shorter prefix.
    #[serde(default)]
    blocked: bool,
}

pub(super) const fn share() -> u32 {
    100
}

impl From<RateForm> for VoiceRateEntry {
    fn from(form: RateForm) -> Self {
        let RateForm { partition, prefix, rate, priority, weight, blocked } = form;
        let mut entry = Self { partition, prefix, vendor: String::new(), rate, priority, weight, blocked };
        entry.normalize();
        entry
    }
}

/// Many rates.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RateBatch {
    /// The rates, none for the same prefix in the same partition.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<RateForm>,
}

/// What became of many rates, in the order of the request.
#[derive(Serialize, ToSchema)]
struct RateOutcomes {
    /// One for each.
    items: Vec<RateOutcome>,
}

/// What became of one rate.
#[derive(Serialize, ToSchema)]
struct RateOutcome {
    /// 200: it is so now; 422: it cannot be.
    #[schema(example = 200)]
    status: u16,
    /// Name of the partition.
    #[schema(example = "wholesale")]
    partition: String,
    /// The prefix as it is kept.
    #[schema(example = "1")]
    prefix: String,
    /// Per minute.
    rate: Money,
    /// Why it cannot be; its pointers begin at the item.
    problem: Option<Document>,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let vendor = request.id_param("id")?;
        voice_vendor::get(&api.store, vendor).await?.ok_or_else(unknown)?;
        // A prefix has no slash, the name of a partition may.
        let after = request.query.get("cursor").and_then(|cursor| cursor.split_once('/')).unwrap_or_default();
        let filter = Filter {
            partition: request.query.get("partition").unwrap_or_default(),
            prefix: digits(request.query.get("prefix").unwrap_or_default()),
            after: (after.1, after.0),
        };
        let rates = voice_rate::page(&api.store, vendor, &filter, limit.saturating_add(1)).await?;
        let key = |rate: &VoiceRate| format!("{}/{}", rate.entry.prefix, rate.entry.partition);
        reply::json(&Page::of(rates, limit, key))
    })
}

/// A plus of a query that nobody has escaped is a space.
pub(super) fn digits(text: &str) -> &str {
    text.trim_start_matches([' ', '+'])
}

fn put(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let form: RateForm = request.json()?;
        let entry = VoiceRateEntry::from(form);
        check::form(entry.check())?;
        let vendor = request.id_param("id")?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                voice_vendor::find(tx, vendor).await?.ok_or_else(unknown)?;
                let no_partition = || Problem::invalid("/partition", NO_PARTITION);
                let partition = partition::named(tx, &entry.partition).await?.ok_or_else(no_partition)?;
                write_one(tx, request, (partition, vendor), &entry, now).await
            })
        })
        .await
    })
}

const NO_PARTITION: &str = "there is no such partition";

/// Writes one rate of a vendor in a partition.
pub(super) async fn write_one(
    tx: &mut Tx,
    request: &Request,
    (partition, vendor): (Uuid, Uuid),
    entry: &VoiceRateEntry,
    now: Timestamp,
) -> Result<Change, Problem> {
    let before = voice_rate::of(tx, (partition, vendor), &entry.prefix).await?;
    match &before {
        Some(before) => check_match(request, before)?,
        None if request.if_match.is_some() => {
            return Err(Problem::new(Code::Changed, "there is no such rate to be changed"));
        }
        None => {}
    }
    let row = RateRow { partition: Some(partition), vendor: Some(vendor), rate: entry };
    voice_rate::put(tx, &[row], now).await?;
    let lost = || Problem::new(Code::Internal, "the rate is not there after it was written");
    let after = voice_rate::of(tx, (partition, vendor), &entry.prefix).await?.ok_or_else(lost)?;
    Ok(Change::updated(&before, &after, Touched::only(Parts::RATES)))
}

fn put_all(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let RateBatch { items } = request.json()?;
        batch::check_count("/items", items.len())?;
        let entries: Vec<VoiceRateEntry> = items.into_iter().map(VoiceRateEntry::from).collect();
        let vendor = request.id_param("id")?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                voice_vendor::find(tx, vendor).await?.ok_or_else(unknown)?;
                let partitions = named(tx, &entries).await?;
                let (rows, done) = judge(&entries, &partitions, (vendor, &request.id))?;
                voice_rate::put(tx, &rows, now).await?;
                let touched = if rows.is_empty() { Touched::NOTHING } else { Touched::only(Parts::RATES) };
                Ok(Change::several(&done, touched))
            })
        })
        .await
    })
}

/// The partitions that the rates of a batch name, those that there are.
async fn named<'a>(tx: &mut Tx, entries: &'a [VoiceRateEntry]) -> Result<HashMap<&'a str, Uuid>, Problem> {
    let names: HashSet<&str> = entries.iter().map(|entry| entry.partition.as_str()).collect();
    let mut partitions = HashMap::with_capacity(names.len());
    for name in names {
        if let Some(id) = partition::named(tx, name).await? {
            partitions.insert(name, id);
        }
    }
    Ok(partitions)
}

/// Which rates of a batch can be, and what is told of each.
fn judge<'e>(
    entries: &'e [VoiceRateEntry],
    partitions: &HashMap<&str, Uuid>,
    (vendor, request): (Uuid, &str),
) -> Result<(Vec<RateRow<'e>>, RateOutcomes), Problem> {
    let mut seen = HashSet::with_capacity(entries.len());
    let mut rows = Vec::with_capacity(entries.len());
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let partition = partitions.get(entry.partition.as_str()).copied();
        let problem = match (check::form(entry.check()), partition) {
            (Err(problem), _) => Some(problem),
            (Ok(()), None) => Some(Problem::invalid("/partition", NO_PARTITION)),
            (Ok(()), Some(partition)) if !seen.insert((partition, entry.prefix.as_str())) => {
                Some(Problem::invalid("/prefix", "it stands in the batch before"))
            }
            (Ok(()), Some(_)) => None,
        };
        let (status, problem) = match problem {
            Some(problem) => {
                let (status, document) = batch::refusal(problem, request)?;
                (status, Some(document))
            }
            None => {
                rows.push(RateRow { partition, vendor: Some(vendor), rate: entry });
                (200, None)
            }
        };
        let (partition, prefix) = (entry.partition.clone(), entry.prefix.clone());
        items.push(RateOutcome { status, partition, prefix, rate: entry.rate, problem });
    }
    Ok((rows, RateOutcomes { items }))
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (vendor, id) = (request.id_param("id")?, request.id_param("rate_id")?);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let unknown = || Problem::new(Code::NotFound, "the vendor has no such rate");
                let before = voice_rate::find(tx, vendor, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                voice_rate::delete(tx, id).await?;
                Ok(Change::deleted(&before, Touched::only(Parts::RATES)))
            })
        })
        .await
    })
}
