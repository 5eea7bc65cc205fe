//! `/v1/admin/customers/{ban}/dedicated-ips` and `…/tier`: premium customers have addresses of their own.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::Tx;
use runtime::store::customer::{self, Customer, Tier};
use runtime::store::dedicated_ip::{self, NewAddress, StoredAddress};
use runtime::store::group::Touched;
use runtime::store::provisioning::DedicatedAddressEntry;
use serde::Deserialize;
use utoipa::ToSchema;
use warp::http::Method;

use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::TrunksRead, Reach::OperatorOf);
const MANAGE: Access = Access::May(Permission::TrunksManage, Reach::OperatorOf);
const MANAGE_CUSTOMER: Access = Access::May(Permission::CustomersManage, Reach::OperatorOf);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/customers/{ban}/dedicated-ips", READ, list)
        .says("Addresses at which only this customer's calls arrive")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<StoredAddress>>(200),
    Route::new(Method::POST, "/v1/admin/customers/{ban}/dedicated-ips", MANAGE, create)
        .says("Gives a premium customer an address of its own")
        .takes::<NewAddress>()
        .gives::<StoredAddress>(201),
    Route::new(Method::GET, "/v1/admin/customers/{ban}/dedicated-ips/{id}", READ, get)
        .says("One address at which only this customer's calls arrive")
        .gives::<StoredAddress>(200),
    Route::new(Method::DELETE, "/v1/admin/customers/{ban}/dedicated-ips/{id}", MANAGE, delete)
        .says("Takes an address back; everybody's calls arrive there then")
        .gives_nothing(),
    Route::new(Method::PUT, "/v1/admin/customers/{ban}/tier", MANAGE_CUSTOMER, set_tier)
        .says("Makes a customer a premium one, or no longer one")
        .takes::<NewTier>()
        .gives::<Customer>(200),
];

/// The tier that a customer is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTier {
    /// PREMIUM customers have addresses of their own.
    tier: Tier,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let after = request.query.id("cursor");
        let customer = request.customer()?.id;
        let addresses = dedicated_ip::page(&api.store, customer, after, limit.saturating_add(1)).await?;
        reply::json(&Page::of(addresses, limit, |address| address.id.to_string()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (request.customer()?.id, request.id_param("id")?);
        let address = dedicated_ip::get(&api.store, customer, id).await?;
        reply::tagged(&address.ok_or_else(unknown)?)
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "the customer has no such address")
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewAddress { address } = request.json()?;
        check::form(DedicatedAddressEntry { address, customer: String::new() }.check())?;
        let (customer, ban) = (request.customer()?.id, request.customer()?.ban.clone());
        let customers = Arc::clone(&api.customers);
        let now = api.clock.now();
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let tier = customer::find(tx, customer).await?.map(|customer| customer.tier);
                if tier != Some(Tier::Premium) {
                    return Err(Problem::new(Code::WrongTier, format!("customer {ban} is not PREMIUM")));
                }
                if let Some(taken) = dedicated_ip::by_address(tx, address).await? {
                    let holder = customers.get(taken.customer).map(|holder| holder.ban.to_string());
                    let holder = holder.unwrap_or_else(|| taken.customer.to_string());
                    return Err(Problem::new(
                        Code::AlreadyExists,
                        format!("{address} is {holder}'s already"),
                    ));
                }
                let stored = StoredAddress {
                    id: uuid_v7(now.micros()),
                    address,
                    created_at: now,
                    updated_at: now,
                    customer,
                };
                dedicated_ip::insert(tx, &stored).await?;
                let location = format!("/v1/admin/customers/{ban}/dedicated-ips/{}", stored.id);
                Ok(Change::created(location, &stored, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}

/// Calls go on arriving there, those of everybody: nothing is drained.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (request.customer()?.id, request.id_param("id")?);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = dedicated_ip::find(tx, customer, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                dedicated_ip::delete(tx, id).await?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}

fn set_tier(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewTier { tier } = request.json()?;
        let id = request.customer()?.id;
        let of = Arc::clone(&api);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
                let before = customer::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                refuse_leaving(tx, &before, tier).await?;
                let after = Customer { tier, updated_at: of.clock.now(), ..before.clone() };
                customer::update(tx, &after).await?;
                let change = Change::updated(&before, &after, Touched::CONFIGURATION).of(id);
                Ok(change.then(move || of.customers.put(after)))
            })
        })
        .await
    })
}

/// A customer with addresses of its own stays a premium one.
pub(super) async fn refuse_leaving(tx: &mut Tx, customer: &Customer, tier: Tier) -> Result<(), Problem> {
    if customer.tier != Tier::Premium || tier == Tier::Premium {
        return Ok(());
    }
    match dedicated_ip::count(tx, customer.id).await? {
        0 => Ok(()),
        count => Err(Problem::new(
            Code::InUse,
            format!("it has {count} addresses of its own: take them back first"),
        )),
    }
}
