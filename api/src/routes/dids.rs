//! `/v1/admin/dids` and `/v1/customers/{id}/dids`: the stock of numbers, and who has which.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{Ban, Parts};
use runtime::store::did::{self, Filter, Holder, StoredDid};
use runtime::store::group::Touched;
use runtime::store::provisioning::{DidEntry, without_plus};
use runtime::store::{ErrorKind, Tx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::batch;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Document, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

/// SMPP 3.4, 5.2.1, without the NUL.
const SYSTEM_ID_MAX: usize = 15;
const READ: Access = Access::May(Permission::DidsRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::DidsManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/dids", READ, list)
        .says("Numbers in the order of their digits")
        .asks(&[LIMIT, CURSOR, CUSTOMER, ASSIGNED, PREFIX])
        .gives::<Page<StoredDid>>(200),
    Route::new(Method::POST, "/v1/admin/dids", MANAGE, create)
        .says("Takes a number into stock")
        .takes::<NewDid>()
        .gives::<StoredDid>(201),
    Route::new(Method::POST, "/v1/admin/dids/batch", MANAGE, create_all)
        .says("Takes those of many numbers into stock that can be, given to customers or not")
        .takes::<Batch>()
        .gives::<Outcomes>(200),
    Route::new(Method::GET, "/v1/admin/dids/{id}", READ, get).says("One number").gives::<StoredDid>(200),
    Route::new(Method::DELETE, "/v1/admin/dids/{id}", MANAGE, delete)
        .says("Takes a number out of stock, unless somebody has it")
        .gives_nothing(),
    Route::new(Method::PUT, "/v1/admin/dids/{id}/assignment", MANAGE, assign)
        .says("Gives a number to a customer, or leads it elsewhere")
        .takes::<Assignment>()
        .gives::<StoredDid>(200),
    Route::new(Method::DELETE, "/v1/admin/dids/{id}/assignment", MANAGE, release)
        .says("Takes a number back into stock: its calls and messages end at once")
        .gives_nothing(),
    Route::new(
        Method::GET,
        "/v1/customers/{id}/dids",
        Access::May(Permission::DidsRead, Reach::Customer),
        list_of,
    )
    .says("Numbers of a customer in the order of their digits")
    .asks(&[LIMIT, CURSOR, PREFIX])
    .gives::<Page<StoredDid>>(200),
    Route::new(
        Method::POST,
        "/v1/customers/{id}/dids",
        Access::May(Permission::DidsManage, Reach::Customer),
        assign_all,
    )
    .says("Gives a customer numbers out of stock: all of them, or none")
    .takes::<Numbers>()
    .gives::<Dids>(200),
];

const CUSTOMER: Param = Param::new("customer", Kind::Text(20), "Only numbers of the customer of this BAN");
const ASSIGNED: Param =
    Param::new("assigned", Kind::Flag, "Only numbers that somebody has, or only those in stock");
const PREFIX: Param = Param::new("prefix", Kind::Text(21), "Digits that they begin with");

/// A number that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDid {
    /// Digits of the E.164 number, with a plus or without.
    #[schema(example = "+15550002222", pattern = "^[+]?[0-9]{1,20}$")]
    number: String,
}

/// Numbers that are to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DidBatch)]
struct Batch {
    /// The numbers.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<Item>,
}

/// One of many numbers: what cannot be taken of it is refused in its own answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DidItem)]
struct Item {
    /// Digits of the E.164 number, with a plus or without.
    #[schema(example = "+15550002222")]
    number: String,
    /// BAN of the customer who gets it; without it it is in stock.
    #[schema(example = "TB-071161708")]
    customer: Option<String>,
    /// The customer's ESME account that gets its messages.
    #[schema(example = "acme")]
    system_id: Option<String>,
    /// Name of the customer's trunk that gets its calls.
    #[schema(example = "acme-east")]
    trunk: Option<String>,
}

/// What became of many numbers, in the order of the request.
#[derive(Serialize, ToSchema)]
#[schema(as = DidOutcomes)]
struct Outcomes {
    /// One for each.
    items: Vec<Outcome>,
}

/// What became of one number.
#[derive(Serialize, ToSchema)]
#[schema(as = DidOutcome)]
struct Outcome {
    /// 201: it was added; 409: it is there already; 422: it cannot be.
    #[schema(example = 201)]
    status: u16,
    /// The number, where it was added.
    did: Option<StoredDid>,
    /// Why it was not; its pointers begin at the item.
    problem: Option<Document>,
}

/// Who is to have a number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DidAssignment)]
struct Assignment {
    /// BAN of the customer.
    customer: Ban,
    /// The customer's ESME account that gets its messages.
    #[schema(example = "acme", max_length = 15)]
    system_id: Option<String>,
    /// Name of the customer's trunk that gets its calls.
    #[schema(example = "acme-east", max_length = 100)]
    trunk: Option<String>,
}

/// Numbers out of stock.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DidNumbers)]
struct Numbers {
    /// The numbers, with a plus or without.
    #[schema(example = json!(["+15550002222"]), min_items = 1, max_items = 1000, pattern = "^[+]?[0-9]{1,20}$")]
    numbers: Vec<String>,
}

/// Numbers as they are now.
#[derive(Serialize, ToSchema)]
struct Dids {
    /// In the order of the request.
    items: Vec<StoredDid>,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let customer = request.query.get("customer").filter(|ban| !ban.is_empty());
        let known = customer.map(|ban| api.customers.by_ban(ban));
        if let Some(None) = known {
            return reply::json(&Page::<StoredDid> { items: Vec::new(), next: None });
        }
        page(&api, &request, known.flatten().map(|customer| customer.id)).await
    })
}

fn list_of(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { page(&api, &request, Some(request.customer()?.id)).await })
}

async fn page(api: &Api, request: &Request, customer: Option<Uuid>) -> Reply {
    let limit = request.query.number(&LIMIT);
    // A plus that is not escaped is a space in a query.
    let prefix = request.query.get("prefix").unwrap_or_default().trim_start_matches(['+', ' ']);
    let filter = Filter {
        customer,
        assigned: request.query.get("assigned").map(|_| request.query.flag("assigned")),
        prefix,
        after: request.query.get("cursor").unwrap_or_default(),
    };
    let dids = did::page(&api.store, &filter, limit.saturating_add(1)).await?;
    reply::json(&Page::of(dids, limit, |did| did.number.clone()))
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let did = did::get(&api.store, request.id_param("id")?).await?;
        reply::tagged(&did.ok_or_else(unknown)?)
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such number")
}

/// The digits of a number.
fn digits(mut number: String) -> Result<String, Problem> {
    without_plus(&mut number);
    let none = String::new;
    let entry = DidEntry { number, customer: none(), system_id: none(), trunk: none() };
    check::form(entry.check())?;
    Ok(entry.number)
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewDid { number } = request.json()?;
        let number = digits(number)?;
        let now = api.clock.now();
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let did = add(tx, &number, None, now).await?;
                let location = format!("/v1/admin/dids/{}", did.id);
                Ok(Change::created(location, &did, Touched::only(Parts::NUMBERS)))
            })
        })
        .await
    })
}

async fn add(
    tx: &mut Tx,
    number: &str,
    holder: Option<Holder>,
    now: Timestamp,
) -> Result<StoredDid, Problem> {
    if did::by_number(tx, number).await?.is_some() {
        return Err(Problem::new(Code::AlreadyExists, format!("{number} is there already")));
    }
    let id = uuid_v7(now.micros());
    did::insert(tx, (id, number), holder, now).await.map_err(|error| match error.kind() {
        // It was absent a moment ago: another node was faster.
        ErrorKind::Constraint => {
            Problem::new(Code::ConfigurationChanged, "somebody else added it just now: ask again")
        }
        ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed | ErrorKind::Other => {
            error.into()
        }
    })
}

fn create_all(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Batch { items } = request.json()?;
        batch::check_count("/items", items.len())?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let mut outcomes = Vec::with_capacity(items.len());
                for item in items {
                    outcomes.push(outcome(tx, item, now, &request.id).await?);
                }
                let added = outcomes.iter().any(|outcome| outcome.did.is_some());
                let touched = if added { Touched::only(Parts::NUMBERS) } else { Touched::NOTHING };
                Ok(Change::several(&Outcomes { items: outcomes }, touched))
            })
        })
        .await
    })
}

async fn outcome(tx: &mut Tx, item: Item, now: Timestamp, request: &str) -> Result<Outcome, Problem> {
    match import(tx, item, now).await {
        Ok(did) => Ok(Outcome { status: 201, did: Some(did), problem: None }),
        Err(problem) => {
            let (status, problem) = batch::refusal(problem, request)?;
            Ok(Outcome { status, did: None, problem: Some(problem) })
        }
    }
}

async fn import(tx: &mut Tx, item: Item, now: Timestamp) -> Result<StoredDid, Problem> {
    let number = digits(item.number)?;
    let named = (item.system_id.as_deref(), item.trunk.as_deref());
    let holder = match (item.customer.as_deref(), named) {
        (Some(ban), named) => Some(holder(tx, ban, named).await?),
        (None, (None, None)) => None,
        (None, _) => return Err(Problem::invalid("/customer", "it is needed with system_id and trunk")),
    };
    add(tx, &number, holder, now).await
}

/// Who is meant by a BAN and the names of an ESME account and a trunk of its customer.
async fn holder(
    tx: &mut Tx,
    ban: &str,
    (system_id, trunk): (Option<&str>, Option<&str>),
) -> Result<Holder, Problem> {
    let unknown = || Problem::invalid("/customer", "there is no such customer");
    let customer = did::customer(tx, ban).await?.ok_or_else(unknown)?;
    let own = |found: Option<(Uuid, Uuid)>, pointer: &str| {
        let found = found.filter(|(_, owner)| *owner == customer);
        let absent = || Problem::invalid(pointer, format!("customer {ban} has none of this name"));
        found.map(|(id, _)| id).ok_or_else(absent)
    };
    let account = match system_id {
        Some(name) => Some(own(did::account(tx, name).await?, "/system_id")?),
        None => None,
    };
    let trunk = match trunk {
        Some(name) => Some(own(did::trunk(tx, name).await?, "/trunk")?),
        None => None,
    };
    Ok(Holder { customer, account, trunk })
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = did::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if let Some(ban) = &before.customer {
                    return Err(Problem::new(Code::InUse, format!("customer {ban} has it")));
                }
                did::delete(tx, id).await?;
                Ok(Change::deleted(&before, Touched::only(Parts::NUMBERS)))
            })
        })
        .await
    })
}

/// Another customer's number is released first: a slip of the pen must not cut anybody off.
fn assign(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Assignment { customer, system_id, trunk } = request.json()?;
        if let Some(trunk) = &trunk {
            check::name("/trunk", trunk, 0..=100)?;
        }
        if system_id.as_ref().is_some_and(|system_id| system_id.len() > SYSTEM_ID_MAX) {
            return Err(Problem::invalid("/system_id", format!("it is longer than {SYSTEM_ID_MAX} octets")));
        }
        let id = request.id_param("id")?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = did::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                let named = (system_id.as_deref(), trunk.as_deref());
                let holder = holder(tx, customer.as_str(), named).await?;
                refuse_moving(&before, holder.customer)?;
                let after = did::assign(tx, &before, Some(holder), now).await?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::NUMBERS)).of(holder.customer))
            })
        })
        .await
    })
}

fn refuse_moving(did: &StoredDid, customer: Uuid) -> Result<(), Problem> {
    if did.holder.is_none_or(|holder| holder.customer == customer) {
        return Ok(());
    }
    let holder = did.customer.as_deref().unwrap_or_default();
    Err(Problem::new(Code::InUse, format!("customer {holder} has {}: release it first", did.number)))
}

fn release(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = did::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                let nobodys = || Problem::new(Code::NotFound, "nobody has this number");
                let holder = before.holder.ok_or_else(nobodys)?;
                did::assign(tx, &before, None, now).await?;
                Ok(Change::deleted(&before, Touched::only(Parts::NUMBERS)).of(holder.customer))
            })
        })
        .await
    })
}

/// By the platform's own people: a customer does not help itself to the stock.
fn assign_all(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        if !request.principal.operator {
            return Err(Problem::new(Code::Forbidden, "the platform gives numbers out"));
        }
        let Numbers { numbers } = request.json()?;
        batch::check_count("/numbers", numbers.len())?;
        let customer = request.customer()?.id;
        let now = api.clock.now();
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let mut items = Vec::with_capacity(numbers.len());
                for (place, number) in numbers.into_iter().enumerate() {
                    let pointer = format!("/numbers/{place}");
                    items.push(take(tx, (number, &pointer), customer, now).await?);
                }
                Ok(Change::several(&Dids { items }, Touched::only(Parts::NUMBERS)).of(customer))
            })
        })
        .await
    })
}

/// Takes a number out of stock for a customer; one that it has already stays as it is.
async fn take(
    tx: &mut Tx,
    (mut number, pointer): (String, &str),
    customer: Uuid,
    now: Timestamp,
) -> Result<StoredDid, Problem> {
    without_plus(&mut number);
    let absent = || Problem::invalid(pointer, "it is not in stock");
    let before = did::by_number(tx, &number).await?.ok_or_else(absent)?;
    refuse_moving(&before, customer)?;
    if before.holder.is_some() {
        return Ok(before);
    }
    let holder = Holder { customer, account: None, trunk: None };
    Ok(did::assign(tx, &before, Some(holder), now).await?)
}
