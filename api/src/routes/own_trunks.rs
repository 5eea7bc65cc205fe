//! `/v1/customers/trunks`: a customer's trunks as its own users see and change them. What the platform decides, which
//! rates its calls choose from and what they may cost among it, is not shown.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{AuthType, Ban, Gateway, MediaProfile};
use runtime::store::customer::Customer;
use runtime::store::group::Touched;
use runtime::store::provisioning::{StoredTrunk, TrunkForm};
use runtime::store::trunk::{self, NewTrunk};
use runtime::store::trunk_ip::StoredSource;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::customers;
use super::trunk_ips::{self, Claim, NewSource};
use super::trunks::{ACTIVE, SEARCH, filter, taken, unknown};
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, uuid_v7, write};

const READ: Access = Access::May(Permission::TrunksRead, Reach::Own);
const WRITE: Access = Access::May(Permission::TrunksWrite, Reach::Own);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/customers/trunks", READ, list)
        .says("One's own trunks in the order of their names")
        .asks(&[LIMIT, CURSOR, SEARCH, ACTIVE])
        .gives::<Page<OwnTrunk>>(200),
    Route::new(Method::POST, "/v1/customers/trunks", WRITE, create)
        .says("Makes a trunk of one's own; it may not call out until the platform lets it")
        .takes::<NewOwnTrunk>()
        .gives::<OwnTrunk>(201),
    Route::new(Method::GET, "/v1/customers/trunks/{id}", READ, get)
        .says("One of one's own trunks")
        .gives::<OwnTrunk>(200),
    Route::new(Method::GET, "/v1/customers/trunks/{id}/ips", READ, list_ips)
        .says("Sources of one of one's own trunks")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<StoredSource>>(200),
    Route::new(Method::POST, "/v1/customers/trunks/{id}/ips", WRITE, create_ip)
        .says("Adds a source to one of one's own trunks: its calls are taken within a second")
        .takes::<NewSource>()
        .gives::<StoredSource>(201),
    Route::new(Method::GET, "/v1/customers/trunks/{id}/ips/{ip_id}", READ, get_ip)
        .says("One source of one of one's own trunks")
        .gives::<StoredSource>(200),
    Route::new(Method::DELETE, "/v1/customers/trunks/{id}/ips/{ip_id}", WRITE, delete_ip)
        .says("Takes a source from one of one's own trunks: its calls are refused within a second")
        .gives_nothing(),
];

/// Trunks that a customer makes for itself.
const TRUNKS_MAX: i64 = 100;
/// New calls per second and calls at one time of a trunk until the platform says otherwise.
const LIMITS: (u32, u32) = (10, 100);

/// A trunk as its customer sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnTrunk {
    /// Primary key.
    id: Uuid,
    /// Unique name.
    #[schema(example = "acme-east")]
    name: String,
    /// BAN of its customer.
    customer: Ban,
    /// How its calls are let in.
    auth_type: AuthType,
    /// False: no call either way.
    active: bool,
    /// Whether the platform lets it call out.
    may_call_out: bool,
    /// New calls per second, both ways together; 0 is no limit.
    cps: u32,
    /// Calls at one time, both ways together; 0 is no limit.
    channels: u32,
    /// Where calls to its numbers go, in this order.
    gateways: Vec<Gateway>,
    /// What is done with the media on its side of calls; the platform says it.
    media: MediaProfile,
    /// When it was made.
    created_at: Timestamp,
    /// When it was changed last.
    updated_at: Timestamp,
}

impl OwnTrunk {
    fn of(trunk: StoredTrunk, customer: &Customer) -> Self {
        Self {
            id: trunk.id,
            name: trunk.name,
            customer: customer.ban.clone(),
            auth_type: trunk.auth_type,
            active: trunk.active,
            may_call_out: !trunk.partition.is_empty(),
            cps: trunk.cps,
            channels: trunk.channels,
            gateways: trunk.gateways,
            media: trunk.media,
            created_at: trunk.created_at,
            updated_at: trunk.updated_at,
        }
    }
}

/// A trunk that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOwnTrunk {
    /// Unique name.
    #[schema(example = "acme-east", min_length = 1, max_length = 100)]
    name: String,
    /// BAN of its customer; needed where one works for several.
    customer: Option<Ban>,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let trunks = page(&api, &request, limit.saturating_add(1)).await?;
        let trunks = trunks.into_iter().filter_map(|trunk| {
            let customer = api.customers.get(trunk.customer)?;
            Some(OwnTrunk::of(trunk, &customer))
        });
        reply::json(&Page::of(trunks.collect(), limit, |trunk| trunk.name.clone()))
    })
}

/// Trunks of a tenant. Who works for several customers has few of them.
async fn page(api: &Api, request: &Request, limit: u32) -> Result<Vec<StoredTrunk>, Problem> {
    let tenant = request.tenant()?;
    let Some(customers) = tenant.customers() else {
        return Ok(trunk::page(&api.store, &filter(&request.query, None), limit).await?);
    };
    let mut trunks = Vec::new();
    for customer in customers {
        trunks.extend(trunk::page(&api.store, &filter(&request.query, Some(*customer)), limit).await?);
    }
    trunks.sort_by(|left, right| left.name.cmp(&right.name));
    trunks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(trunks)
}

/// The trunk of the path, where it is one's own, and its customer.
pub(super) async fn own(api: &Api, request: &Request) -> Result<(StoredTrunk, Arc<Customer>), Problem> {
    let tenant = request.tenant()?;
    let trunk = trunk::get(&api.store, request.id_param("id")?).await?;
    let trunk = trunk.filter(|trunk| tenant.has(trunk.customer)).ok_or_else(unknown)?;
    let customer = api.customers.get(trunk.customer).ok_or_else(unknown)?;
    request.refuse_suspended(&customer)?;
    Ok((trunk, customer))
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, customer) = own(&api, &request).await?;
        reply::tagged(&OwnTrunk::of(trunk, &customer))
    })
}

/// It lets nobody in before it has a source, and calls nowhere before the platform gives it a partition.
fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewOwnTrunk { name, customer } = request.json()?;
        let form = TrunkForm::closed(name, LIMITS);
        check::form(form.check())?;
        let customer = owner(&api, &request, customer.as_ref())?;
        request.refuse_suspended(&customer)?;
        let now = api.clock.now();
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                if trunk::count(tx, customer.id).await? >= TRUNKS_MAX {
                    let detail = format!("a customer makes at most {TRUNKS_MAX} trunks itself");
                    return Err(Problem::new(Code::Forbidden, detail));
                }
                let new =
                    NewTrunk { id: uuid_v7(now.micros()), customer: customer.id, partition: None, form };
                let trunk = trunk::insert(tx, new, now).await.map_err(taken)?;
                let location = format!("/v1/customers/trunks/{}", trunk.id);
                let trunk = OwnTrunk::of(trunk, &customer);
                Ok(Change::created(location, &trunk, Touched::CONFIGURATION).of(customer.id))
            })
        })
        .await
    })
}

/// Whose a new trunk will be.
fn owner(api: &Api, request: &Request, ban: Option<&Ban>) -> Result<Arc<Customer>, Problem> {
    let tenant = request.tenant()?;
    let id = match (ban, tenant.customers()) {
        (Some(ban), _) => customers::named(api, request, ban.as_str(), "/customer")?,
        (None, Some([only])) => *only,
        (None, _) => {
            return Err(Problem::invalid("/customer", "it is needed: several customers may be meant"));
        }
    };
    let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
    api.customers.get(id).ok_or_else(unknown)
}

fn list_ips(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own(&api, &request).await?;
        trunk_ips::page(&api, &request, trunk.id).await
    })
}

fn get_ip(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own(&api, &request).await?;
        trunk_ips::one(&api, &request, trunk.id).await
    })
}

fn create_ip(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own(&api, &request).await?;
        let claim = Claim {
            trunk: trunk.id,
            customer: trunk.customer,
            tenant: request.tenant()?,
            overlap: false,
            now: api.clock.now(),
        };
        trunk_ips::add(&api, request, claim).await
    })
}

fn delete_ip(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (trunk, _) = own(&api, &request).await?;
        trunk_ips::remove(&api, request, (trunk.customer, trunk.id)).await
    })
}
