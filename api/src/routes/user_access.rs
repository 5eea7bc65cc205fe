//! `/v1/users/{id}/customers`: which customers a user works for, and what he may do there. A customer's own user works
//! for these alone; one of the platform's people works for every customer until some are named, then for those alone.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::auth::user::{self, Access as Granted, User};
use runtime::store::group::Touched;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::{user_types, users};
use crate::auth::principal::SUPER_ADMIN;
use crate::context::Api;
use crate::permission::{Permission, Permissions};
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

const READ: Access = Access::May(Permission::UsersRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::UsersManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/users/{id}/customers", READ, list)
        .says("The customers that a user works for")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<Shown>>(200),
    Route::new(Method::PUT, "/v1/users/{id}/customers/{customer_id}", MANAGE, grant)
        .says("Lets a user work for a customer, or changes what it may do there")
        .takes::<AccessUpdate>()
        .gives::<Shown>(200),
    Route::new(Method::DELETE, "/v1/users/{id}/customers/{customer_id}", MANAGE, revoke)
        .says("Ends a user's work for a customer")
        .gives_nothing(),
];

/// A customer that a user works for.
#[derive(Serialize, ToSchema)]
#[schema(as = UserCustomer)]
struct Shown {
    /// The customer.
    customer_id: Uuid,
    /// Its BAN.
    #[schema(example = "TB-071161708")]
    ban: String,
    /// What the user may do for it; empty: what its type may.
    permissions: Vec<String>,
}

impl Shown {
    fn of(api: &Api, granted: Granted) -> Self {
        let Granted { customer, permissions } = granted;
        let ban = api.customers.get(customer).map(|known| known.ban.to_string()).unwrap_or_default();
        Self { customer_id: customer, ban, permissions }
    }
}

/// What a user may do for a customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserCustomerUpdate)]
struct AccessUpdate {
    /// Nothing that who asks may not; empty: what the user's type may.
    #[serde(default)]
    #[schema(value_type = Vec<Permission>, max_items = 64)]
    permissions: Vec<String>,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (limit, after) = (request.query.number(&LIMIT), request.query.id("cursor"));
        let user = users::named(&api, &request).await?;
        let granted = user::access(&api.store, user.id).await?;
        let one_more = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let behind = granted.into_iter().filter(|one| after.is_none_or(|after| one.customer > after));
        let shown = behind.take(one_more).map(|one| Shown::of(&api, one)).collect();
        reply::json(&Page::of(shown, limit, |one: &Shown| one.customer_id.to_string()))
    })
}

fn grant(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (user, customer) = subject(&api, &request).await?;
        let AccessUpdate { permissions } = request.json()?;
        let asked = user_types::known("/permissions", &permissions)?;
        if user.user_type == SUPER_ADMIN {
            return Err(Problem::new(Code::Forbidden, "a superAdmin works for every customer"));
        }
        if !request.principal.permissions_for(customer).contains(asked) {
            return Err(Problem::new(Code::Forbidden, "nobody gives what he has not"));
        }
        let now = api.clock.now();
        let access = Granted { customer, permissions: names(asked) };
        let of = Arc::clone(&api);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let current = user::find(tx, user.id).await?.ok_or_else(users::unknown)?;
                users::unchanged(&user, &current)?;
                let before = user::access_to(tx, user.id, customer).await?.map(|one| Shown::of(&of, one));
                if let Some(before) = &before {
                    check_match(request, before)?;
                }
                user::grant(tx, user.id, &access, now).await?;
                Ok(Change::updated(&before, &Shown::of(&of, access), Touched::AUTH).of(customer))
            })
        })
        .await
    })
}

fn revoke(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (user, customer) = subject(&api, &request).await?;
        let of = Arc::clone(&api);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let current = user::find(tx, user.id).await?.ok_or_else(users::unknown)?;
                users::unchanged(&user, &current)?;
                let absent = || Problem::new(Code::NotFound, "the user does not work for this customer");
                let before = user::access_to(tx, user.id, customer).await?.ok_or_else(absent)?;
                let before = Shown::of(&of, before);
                check_match(request, &before)?;
                user::revoke(tx, user.id, customer).await?;
                Ok(Change::deleted(&before, Touched::AUTH).of(customer))
            })
        })
        .await
    })
}

/// The user and the customer of the path, where who asks may change that user.
async fn subject(api: &Api, request: &Request) -> Result<(User, Uuid), Problem> {
    let user = users::named(api, request).await?;
    let customer = api.customers.get(request.id_param("customer_id")?);
    let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
    let customer = customer.ok_or_else(unknown)?.id;
    users::may_change(api, &request.principal, &user).await?;
    Ok((user, customer))
}

fn names(permissions: Permissions) -> Vec<String> {
    permissions.names().into_iter().map(str::to_owned).collect()
}
