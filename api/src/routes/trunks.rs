//! `/v1/admin/customers/{ban}/trunks`: a customer's trunks, as the platform's own people see them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::AuthType;
use runtime::store::group::Touched;
use runtime::store::provisioning::{StoredTrunk, TrunkDigest, TrunkForm};
use runtime::store::trunk::{self, Filter, NewTrunk};
use runtime::store::{Error as StoreError, ErrorKind, Tx, trunk_credential};
use uuid::Uuid;
use warp::http::Method;

use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param, Query};
use crate::removal::{self, DRAIN};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::TrunksRead, Reach::OperatorOf);
const MANAGE: Access = Access::May(Permission::TrunksManage, Reach::OperatorOf);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/customers/{ban}/trunks", READ, list)
        .says("Trunks of a customer in the order of their names")
        .asks(&[LIMIT, CURSOR, SEARCH, ACTIVE])
        .gives::<Page<StoredTrunk>>(200),
    Route::new(Method::POST, "/v1/admin/customers/{ban}/trunks", MANAGE, create)
        .says("Makes a trunk; its sources are added to it one by one")
        .takes::<TrunkForm>()
        .gives::<StoredTrunk>(201),
    Route::new(Method::GET, "/v1/admin/customers/{ban}/trunks/{id}", READ, get)
        .says("One trunk")
        .gives::<StoredTrunk>(200),
    Route::new(Method::PUT, "/v1/admin/customers/{ban}/trunks/{id}", MANAGE, update)
        .says("Changes a trunk; what is not given goes back to its default, but for its name and a password")
        .takes::<TrunkForm>()
        .gives::<StoredTrunk>(200),
    Route::new(Method::DELETE, "/v1/admin/customers/{ban}/trunks/{id}", MANAGE, delete)
        .says("Takes a trunk away, with its sources; an active one only with drain")
        .asks(&[DRAIN])
        .gives_nothing(),
];

pub(super) const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the name, in any case");
pub(super) const ACTIVE: Param = Param::new("active", Kind::Flag, "Only active trunks, or only others");

/// Which trunks a query asks for, of one customer or of all.
pub(super) fn filter(query: &Query, customer: Option<Uuid>) -> Filter<'_> {
    Filter {
        customer,
        search: query.get("search"),
        active: query.get("active").map(|_| query.flag("active")),
        after: query.get("cursor").unwrap_or_default(),
    }
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = filter(&request.query, Some(request.customer()?.id));
        let trunks = trunk::page(&api.store, &filter, limit.saturating_add(1)).await?;
        reply::json(&Page::of(trunks, limit, |trunk| trunk.name.clone()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::tagged(&of_path(&api, &request).await?) })
}

/// The trunk of a path that names its customer too.
pub(super) async fn of_path(api: &Api, request: &Request) -> Result<StoredTrunk, Problem> {
    let customer = request.customer()?.id;
    let trunk = trunk::get(&api.store, request.id_param("id")?).await?;
    trunk.filter(|trunk| trunk.customer == customer).ok_or_else(unknown)
}

/// A customer's trunk as it is in a transaction.
pub(super) async fn owned(tx: &mut Tx, customer: Uuid, id: Uuid) -> Result<StoredTrunk, Problem> {
    let trunk = trunk::find(tx, id).await?;
    trunk.filter(|trunk| trunk.customer == customer).ok_or_else(unknown)
}

pub(super) fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such trunk")
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let form = form(&request)?;
        let (customer, ban) = (request.customer()?.id, request.customer()?.ban.clone());
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        let sealed = sealed(&api, id, &form)?;
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let partition = partition(tx, &form.partition).await?;
                let trunk = trunk::insert(tx, NewTrunk { id, customer, partition, form }, now).await;
                let trunk = trunk.map_err(taken)?;
                credentials(tx, (None, &trunk), sealed, now).await?;
                let location = format!("/v1/admin/customers/{ban}/trunks/{id}");
                Ok(Change::created(location, &trunk, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}

/// A name is one trunk's, whosever; nobody is told whose.
pub(super) fn taken(error: StoreError) -> Problem {
    match error.kind() {
        ErrorKind::Constraint => Problem::new(Code::AlreadyExists, "a trunk has this name already"),
        ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed | ErrorKind::Other => {
            error.into()
        }
    }
}

fn form(request: &Request) -> Result<TrunkForm, Problem> {
    let mut form: TrunkForm = request.json()?;
    form.normalize();
    check::form(form.check())?;
    Ok(form)
}

/// What is stored in place of the password in the body, for the trunk of this id.
fn sealed(api: &Api, id: Uuid, form: &TrunkForm) -> Result<Option<Vec<u8>>, Problem> {
    let given = form.digest.as_ref().and_then(|digest| Some((digest, digest.password.as_ref()?)));
    let Some((digest, password)) = given else { return Ok(None) };
    let sealed = trunk_credential::seal(&api.root_key, id, (&digest.username, password));
    sealed.map(Some).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

/// Nobody loses the password of a trunk that goes on needing one by not knowing the field: it cannot be had back.
fn check_digest(before: &StoredTrunk, form: &TrunkForm) -> Result<(), Problem> {
    let is_asked = |auth_type| auth_type != AuthType::IpAcl;
    let is_lost = before.digest.is_some() && form.digest.is_none();
    if is_lost && is_asked(before.auth_type) && is_asked(form.auth_type) {
        let text = "a trunk that is DIGEST or BOTH keeps it; without one it has auth_type IP_ACL";
        return Err(Problem::invalid("/digest", text));
    }
    Ok(())
}

/// Makes what a trunk says who it is by what its form says.
async fn credentials(
    tx: &mut Tx,
    (before, trunk): (Option<&TrunkDigest>, &StoredTrunk),
    sealed: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<(), Problem> {
    let Some(digest) = &trunk.digest else { return Ok(trunk_credential::delete(tx, trunk.id).await?) };
    let known = before.is_some_and(|before| before.username == digest.username);
    match sealed {
        Some(sealed) => {
            let put = trunk_credential::put(tx, trunk.id, (&digest.username, sealed), now).await;
            put.map_err(username_taken)
        }
        None if known => Ok(()),
        None => Err(Problem::invalid("/digest/password", "a username that is new needs one")),
    }
}

/// As a name.
fn username_taken(error: StoreError) -> Problem {
    match error.kind() {
        ErrorKind::Constraint => Problem::new(Code::AlreadyExists, "a trunk has this username already"),
        ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed | ErrorKind::Other => {
            error.into()
        }
    }
}

async fn partition(tx: &mut Tx, name: &str) -> Result<Option<Uuid>, Problem> {
    if name.is_empty() {
        return Ok(None);
    }
    let unknown = || Problem::invalid("/partition", "there is no such partition");
    trunk::partition(tx, name).await?.map(Some).ok_or_else(unknown)
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let form = form(&request)?;
        let (customer, id) = (request.customer()?.id, request.id_param("id")?);
        let sealed = sealed(&api, id, &form)?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = owned(tx, customer, id).await?;
                check_match(request, &before)?;
                check::unchanged("/name", &before.name, &form.name)?;
                check_digest(&before, &form)?;
                let partition = partition(tx, &form.partition).await?;
                let after = trunk::update(tx, &before, (form, partition), now).await?;
                credentials(tx, (before.digest.as_ref(), &after), sealed, now).await?;
                Ok(Change::updated(&before, &after, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}

/// Of an active trunk only with `drain`. Numbers that lead to it are released or led elsewhere first: whom else would
/// their calls go to?
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (request.customer()?.id, request.id_param("id")?);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = owned(tx, customer, id).await?;
                check_match(request, &before)?;
                if before.active && !request.query.flag("drain") {
                    return Err(removal::in_use(
                        "it is active: make it inactive first, or ask with drain=true",
                    ));
                }
                if let Some(number) = trunk::first_did(tx, id).await? {
                    return Err(removal::in_use(format!("the calls of {number} go to it")));
                }
                trunk::delete(tx, id).await.map_err(removal::refused)?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}
