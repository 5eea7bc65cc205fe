//! `/v1/admin/customers/{ban}/trunks/{id}/ips`: where a trunk's calls come from.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{AclSource, Cidr, Parts, Transport};
use runtime::store::group::Touched;
use runtime::store::trunk_ip::{self, StoredSource, Taken};
use runtime::store::{ErrorKind, Tx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::trunks;
use crate::auth::principal::Tenant;
use crate::batch;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Document, Problem};
use crate::query::{CURSOR_ID, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::TrunksRead, Reach::OperatorOf);
const MANAGE: Access = Access::May(Permission::TrunksManage, Reach::OperatorOf);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/customers/{ban}/trunks/{id}/ips", READ, list)
        .says("Sources of a trunk")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<StoredSource>>(200),
    Route::new(Method::POST, "/v1/admin/customers/{ban}/trunks/{id}/ips", MANAGE, create)
        .says("Adds a source to a trunk: its calls are taken within a second")
        .asks(&[OVERLAP])
        .takes::<NewSource>()
        .gives::<StoredSource>(201),
    Route::new(Method::POST, "/v1/admin/customers/{ban}/trunks/{id}/ips/batch", MANAGE, create_all)
        .says("Adds those of many sources that can be added")
        .asks(&[OVERLAP])
        .takes::<Batch>()
        .gives::<Outcomes>(200),
    Route::new(Method::GET, "/v1/admin/customers/{ban}/trunks/{id}/ips/{ip_id}", READ, get)
        .says("One source of a trunk")
        .gives::<StoredSource>(200),
    Route::new(Method::PUT, "/v1/admin/customers/{ban}/trunks/{id}/ips/{ip_id}", MANAGE, update)
        .says("Changes a source of a trunk")
        .asks(&[OVERLAP])
        .takes::<NewSource>()
        .gives::<StoredSource>(200),
    Route::new(Method::DELETE, "/v1/admin/customers/{ban}/trunks/{id}/ips/{ip_id}", MANAGE, delete)
        .says("Takes a source from a trunk: its calls are refused within a second")
        .gives_nothing(),
];

const OVERLAP: Param = Param::new(
    "overlap",
    Kind::Flag,
    "Although another customer's network lies within it or around it: the narrowest decides",
);
/// Sources of one trunk.
const SOURCES_MAX: i64 = 1000;
/// The shortest prefixes: what is wider is no peer but a part of the internet.
const BITS_MIN: (u8, u8) = (8, 16);
/// Characters of a note.
const NOTE_MAX: usize = 200;

/// A source that is to be.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTrunkIp)]
pub(super) struct NewSource {
    /// Addresses that calls come from: an address, or a network of at most /8 (IPv4) or /16 (IPv6).
    network: Cidr,
    /// Port that they come from; without it any.
    #[schema(minimum = 1, maximum = 65535, example = 5060)]
    port: Option<u16>,
    /// How they come; without it any way.
    transport: Option<Transport>,
    /// What it is, for people.
    #[serde(default)]
    #[schema(max_length = 200, example = "SBC in Atlanta")]
    note: String,
}

impl NewSource {
    /// The source that it means, and the note.
    fn checked(self) -> Result<(AclSource, String), Problem> {
        let source = AclSource::new(self.network, self.port, self.transport);
        let source = source.map_err(|invalid| Problem::invalid("/network", invalid.to_string()))?;
        let least = if self.network.address().is_ipv4() { BITS_MIN.0 } else { BITS_MIN.1 };
        if self.network.bits() < least {
            return Err(Problem::invalid("/network", format!("it is wider than /{least}")));
        }
        if self.port == Some(0) {
            return Err(Problem::invalid("/port", "it is not 1 to 65535"));
        }
        check::name("/note", &self.note, 0..=NOTE_MAX)?;
        Ok((source, self.note))
    }
}

/// Sources that are to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrunkIpBatch)]
struct Batch {
    /// The sources.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<Item>,
}

/// One of many sources: a network that cannot be read is refused in its own answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrunkIpItem)]
struct Item {
    /// Addresses that calls come from: an address, or a network of at most /8 (IPv4) or /16 (IPv6).
    #[schema(example = "198.51.100.0/24")]
    network: String,
    /// Port that they come from; without it any.
    #[schema(maximum = 65535, example = 5060)]
    port: Option<u16>,
    /// How they come; without it any way.
    transport: Option<Transport>,
    /// What it is, for people.
    #[serde(default)]
    #[schema(example = "SBC in Atlanta")]
    note: String,
}

impl Item {
    fn checked(self) -> Result<(AclSource, String), Problem> {
        let Self { network, port, transport, note } = self;
        let network: Result<Cidr, _> = network.parse();
        let network = network.map_err(|invalid| Problem::invalid("/network", invalid.to_string()))?;
        NewSource { network, port, transport, note }.checked()
    }
}

/// What became of many sources, in the order of the request.
#[derive(Serialize, ToSchema)]
#[schema(as = TrunkIpOutcomes)]
struct Outcomes {
    /// One for each.
    items: Vec<Outcome>,
}

/// What became of one source.
#[derive(Serialize, ToSchema)]
#[schema(as = TrunkIpOutcome)]
struct Outcome {
    /// 201: it was added; 409: it is taken; 422: it cannot be.
    #[schema(example = 201)]
    status: u16,
    /// The source, where it was added.
    source: Option<StoredSource>,
    /// Why it was not; its pointers begin at the item.
    problem: Option<Document>,
}

/// Somebody who claims sources for a trunk.
pub(super) struct Claim {
    pub(super) trunk: Uuid,
    pub(super) customer: Uuid,
    /// Whose sources may be named to him.
    pub(super) tenant: Tenant,
    /// Whether networks of others may lie within or around.
    pub(super) overlap: bool,
    pub(super) now: Timestamp,
}

impl Claim {
    /// By one of the platform's own people.
    fn of_path(api: &Api, request: &Request) -> Result<Self, Problem> {
        Ok(Self {
            trunk: request.id_param("id")?,
            customer: request.customer()?.id,
            tenant: request.tenant()?,
            overlap: request.query.flag("overlap"),
            now: api.clock.now(),
        })
    }

    /// Adds a source.
    async fn add(&self, tx: &mut Tx, (source, note): (AclSource, String)) -> Result<StoredSource, Problem> {
        self.refuse_taken(tx, &source, None).await?;
        if trunk_ip::count(tx, self.trunk).await? >= SOURCES_MAX {
            return Err(Problem::invalid("", format!("the trunk has {SOURCES_MAX} sources: no more fit")));
        }
        let AclSource { network, port, transport } = source;
        let stored = StoredSource {
            id: uuid_v7(self.now.micros()),
            trunk: self.trunk,
            network,
            port,
            transport,
            note,
            created_at: self.now,
        };
        trunk_ip::insert(tx, &stored).await.map_err(|error| match error.kind() {
            // It was free a moment ago: another node was faster, and the transaction is spoilt.
            ErrorKind::Constraint => {
                Problem::new(Code::ConfigurationChanged, "somebody else took it just now: ask again")
            }
            ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed | ErrorKind::Other => {
                error.into()
            }
        })?;
        Ok(stored)
    }

    /// Adds one of many.
    async fn outcome(&self, tx: &mut Tx, item: Item, request: &str) -> Result<Outcome, Problem> {
        let added = match item.checked() {
            Ok(source) => self.add(tx, source).await,
            Err(problem) => Err(problem),
        };
        match added {
            Ok(source) => Ok(Outcome { status: 201, source: Some(source), problem: None }),
            Err(problem) => {
                let (status, problem) = batch::refusal(problem, request)?;
                Ok(Outcome { status, source: None, problem: Some(problem) })
            }
        }
    }

    /// Two trunks cannot have one source: whose would its calls be? Of networks within each other the narrowest
    /// decides, so that who adds one may take calls from somebody else.
    async fn refuse_taken(
        &self,
        tx: &mut Tx,
        source: &AclSource,
        except: Option<Uuid>,
    ) -> Result<(), Problem> {
        if let Some(taken) = trunk_ip::equal(tx, source, except).await? {
            return Err(Problem::new(Code::AlreadyExists, self.about(source, "is", &taken)));
        }
        if self.overlap {
            return Ok(());
        }
        match trunk_ip::overlapping(tx, source, self.customer, except).await? {
            Some(taken) => Err(Problem::new(Code::InUse, self.about(source, "overlaps with", &taken))),
            None => Ok(()),
        }
    }

    /// What is told of a source that is taken: of another tenant nothing but that.
    fn about(&self, source: &AclSource, relation: &str, taken: &Taken) -> String {
        let Taken { source: theirs, trunk, customer, ban } = taken;
        if !self.tenant.has(*customer) {
            return format!("{source} {relation} a source that is taken");
        }
        format!("{source} {relation} the source {theirs} of trunk {trunk:?} of customer {ban}")
    }
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let trunk = trunks::of_path(&api, &request).await?;
        page(&api, &request, trunk.id).await
    })
}

/// A page of the sources of a trunk.
pub(super) async fn page(api: &Api, request: &Request, trunk: Uuid) -> Reply {
    let limit = request.query.number(&LIMIT);
    let after = request.query.id("cursor");
    let sources = trunk_ip::page(&api.store, trunk, after, limit.saturating_add(1)).await?;
    reply::json(&Page::of(sources, limit, |source| source.id.to_string()))
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let trunk = trunks::of_path(&api, &request).await?;
        one(&api, &request, trunk.id).await
    })
}

/// The source of the path, where the trunk has it.
pub(super) async fn one(api: &Api, request: &Request, trunk: Uuid) -> Reply {
    let source = trunk_ip::get(&api.store, trunk, request.id_param("ip_id")?).await?;
    reply::tagged(&source.ok_or_else(unknown)?)
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let claim = Claim::of_path(&api, &request)?;
        add(&api, request, claim).await
    })
}

/// Adds the source of a body; it will be at the path of the request.
pub(super) async fn add(api: &Arc<Api>, request: Request, claim: Claim) -> Reply {
    let wanted: NewSource = request.json()?;
    let source = wanted.checked()?;
    write(api, request, move |tx, request| {
        Box::pin(async move {
            trunks::owned(tx, claim.customer, claim.trunk).await?;
            let source = claim.add(tx, source).await?;
            let location = format!("{}/{}", request.path, source.id);
            Ok(Change::created(location, &source, Touched::only(Parts::ACL)).of(claim.customer))
        })
    })
    .await
}

fn create_all(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let claim = Claim::of_path(&api, &request)?;
        let Batch { items } = request.json()?;
        batch::check_count("/items", items.len())?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                trunks::owned(tx, claim.customer, claim.trunk).await?;
                let mut outcomes = Vec::with_capacity(items.len());
                for item in items {
                    outcomes.push(claim.outcome(tx, item, &request.id).await?);
                }
                let added = outcomes.iter().any(|outcome| outcome.source.is_some());
                let touched = if added { Touched::only(Parts::ACL) } else { Touched::NOTHING };
                Ok(Change::several(&Outcomes { items: outcomes }, touched).of(claim.customer))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let claim = Claim::of_path(&api, &request)?;
        let id = request.id_param("ip_id")?;
        let wanted: NewSource = request.json()?;
        let (source, note) = wanted.checked()?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                trunks::owned(tx, claim.customer, claim.trunk).await?;
                let before = trunk_ip::find(tx, claim.trunk, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if source != before.source() {
                    claim.refuse_taken(tx, &source, Some(id)).await?;
                }
                let AclSource { network, port, transport } = source;
                let after = StoredSource { network, port, transport, note, ..before.clone() };
                trunk_ip::update(tx, &after).await?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::ACL)).of(claim.customer))
            })
        })
        .await
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such source")
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, trunk) = (request.customer()?.id, request.id_param("id")?);
        remove(&api, request, (customer, trunk)).await
    })
}

/// Takes the source of the path from a customer's trunk. That its calls are refused from then on is what is asked for.
pub(super) async fn remove(api: &Arc<Api>, request: Request, (customer, trunk): (Uuid, Uuid)) -> Reply {
    let id = request.id_param("ip_id")?;
    write(api, request, move |tx, request| {
        Box::pin(async move {
            trunks::owned(tx, customer, trunk).await?;
            let before = trunk_ip::find(tx, trunk, id).await?.ok_or_else(unknown)?;
            check_match(request, &before)?;
            trunk_ip::delete(tx, id).await?;
            Ok(Change::deleted(&before, Touched::only(Parts::ACL)).of(customer))
        })
    })
    .await
}
