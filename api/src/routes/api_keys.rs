//! `/v1/api-keys`: keys of programs. A key is shown once, when it is made.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::Cidr;
use runtime::store::auth::api_key::{self, ApiKey};
use runtime::store::group::Touched;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::{customers, user_types};
use crate::auth::key;
use crate::auth::principal::Tenant;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/api-keys", Access::May(Permission::ApiKeysRead, Reach::Own), list)
        .says("API keys, the oldest first")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<Key>>(200),
    Route::new(Method::POST, "/v1/api-keys", Access::May(Permission::ApiKeysManage, Reach::Own), create)
        .says("Makes an API key; it is shown this once")
        .takes::<NewKey>()
        .gives::<KeyMade>(201),
    Route::new(Method::GET, "/v1/api-keys/{id}", Access::May(Permission::ApiKeysRead, Reach::Own), get)
        .says("One API key, without itself")
        .gives::<Key>(200),
    Route::new(
        Method::DELETE,
        "/v1/api-keys/{id}",
        Access::May(Permission::ApiKeysManage, Reach::Own),
        revoke,
    )
    .says("Takes an API key back, at once and everywhere")
    .gives_nothing(),
];

const NAME_MAX: usize = 100;
const ADDRESSES_MAX: usize = 100;

/// A key without itself.
#[derive(Serialize, ToSchema)]
pub(super) struct Key {
    /// Primary key.
    id: Uuid,
    /// For people.
    #[schema(example = "billing export")]
    name: String,
    /// Its visible part.
    #[schema(example = "k3jq9zxa")]
    prefix: String,
    /// The customer that it works for; null: the platform.
    customer_id: Option<Uuid>,
    /// What it may do.
    permissions: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    addresses: Vec<Cidr>,
    /// After which it is no good.
    expires_at: Option<Timestamp>,
    /// When it was taken back.
    revoked_at: Option<Timestamp>,
    /// Who made it.
    #[schema(example = "user:maria@example.net")]
    created_by: String,
    /// When.
    created_at: Timestamp,
}

impl From<&ApiKey> for Key {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            customer_id: key.customer,
            permissions: key.permissions.clone(),
            addresses: key.addresses.clone(),
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            created_by: key.created_by.clone(),
            created_at: key.created_at,
        }
    }
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// For people.
    #[schema(example = "billing export", min_length = 1, max_length = 100)]
    name: String,
    /// BAN of the customer that it works for; without it the platform, or the only customer of who asks.
    customer: Option<String>,
    /// What it may do; nothing that who asks may not.
    #[schema(value_type = Vec<Permission>, max_items = 64)]
    permissions: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    #[serde(default)]
    #[schema(max_items = 100)]
    addresses: Vec<Cidr>,
    /// After which it is no good.
    expires_at: Option<Timestamp>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyMade {
    #[serde(flatten)]
    about: Key,
    /// The key, shown this once.
    #[schema(example = "warp_k3jq9zxa_b3BhcXVlLCA0MyBjaGFyYWN0ZXJzIG9mIGJhc2U2NHVybA")]
    key: String,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let tenant = request.tenant()?;
        let after = request.query.id("cursor");
        let keys = page(&api, &tenant, after, limit.saturating_add(1)).await?;
        reply::json(&Page::of(keys.iter().map(Key::from).collect(), limit, |key| key.id.to_string()))
    })
}

/// Keys of a tenant. Who works for several customers has few of them.
async fn page(api: &Api, tenant: &Tenant, after: Option<Uuid>, limit: u32) -> Result<Vec<ApiKey>, Problem> {
    let Some(customers) = tenant.customers() else {
        return Ok(api_key::page(&api.store, None, after, limit).await?);
    };
    let mut keys = Vec::new();
    for customer in customers {
        keys.extend(api_key::page(&api.store, Some(*customer), after, limit).await?);
    }
    keys.sort_by_key(|key| key.id);
    keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(keys)
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, tenant) = (request.id_param("id")?, request.tenant()?);
        let key = api_key::get(&api.store, id).await?.filter(|key| tenant.has_maybe(key.customer));
        reply::tagged(&Key::from(&key.ok_or_else(unknown)?))
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such key")
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let wanted: NewKey = request.json()?;
        check::name("/name", &wanted.name, 1..=NAME_MAX)?;
        if wanted.addresses.len() > ADDRESSES_MAX {
            return Err(Problem::invalid("/addresses", format!("more than {ADDRESSES_MAX}")));
        }
        let asked = user_types::known("/permissions", &wanted.permissions)?;
        let now = api.clock.now();
        if wanted.expires_at.is_some_and(|expires| expires <= now) {
            return Err(Problem::invalid("/expires_at", "it is past"));
        }
        let customer = owner(&api, &request, wanted.customer.as_deref())?;
        let own = match customer {
            Some(customer) => request.principal.permissions_for(customer),
            None => request.principal.permissions(),
        };
        if !own.contains(asked) {
            return Err(Problem::new(Code::Forbidden, "nobody gives what he has not"));
        }
        let secret = key::ApiKey::generate();
        let key = ApiKey {
            id: uuid_v7(now.micros()),
            name: wanted.name,
            prefix: secret.prefix().to_owned(),
            key_hash: secret.hash().octets().to_vec(),
            customer,
            permissions: wanted.permissions,
            addresses: wanted.addresses,
            expires_at: wanted.expires_at,
            revoked_at: None,
            created_by: request.principal.name.clone(),
            created_at: now,
        };
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                api_key::insert(tx, &key).await?;
                let about = Key::from(&key);
                let location = format!("/v1/api-keys/{}", key.id);
                let change = Change::created(location, &about, Touched::NOTHING).of_maybe(customer);
                Ok(change.showing_once(&KeyMade { about, key: secret.expose().to_owned() }))
            })
        })
        .await
    })
}

/// Whom a new key works for.
fn owner(api: &Api, request: &Request, ban: Option<&str>) -> Result<Option<Uuid>, Problem> {
    if let Some(ban) = ban {
        return customers::named(api, request, ban, "/customer").map(Some);
    }
    match request.tenant()?.customers() {
        None if request.principal.may(Permission::ApiKeysManage) => Ok(None),
        Some([only]) => Ok(Some(*only)),
        _ => Err(Problem::invalid("/customer", "it is needed: several customers may be meant")),
    }
}

fn revoke(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, tenant) = (request.id_param("id")?, request.tenant()?);
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let key = api_key::find(tx, id).await?.filter(|key| tenant.has_maybe(key.customer));
                let key = key.filter(|key| key.revoked_at.is_none()).ok_or_else(unknown)?;
                let shown = Key::from(&key);
                check_match(request, &shown)?;
                api_key::revoke(tx, id, now).await?;
                Ok(Change::deleted(&shown, Touched::AUTH).of_maybe(key.customer))
            })
        })
        .await
    })
}
