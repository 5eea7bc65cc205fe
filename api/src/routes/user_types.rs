//! `/v1/user-types`: what users may do, by their type.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::auth::{self, UserType};
use runtime::store::group::Touched;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::http::Method;

use crate::auth::principal::SUPER_ADMIN;
use crate::context::Api;
use crate::permission::{Permission, Permissions};
use crate::problem::{Code, Problem};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/user-types", Access::May(Permission::UsersRead, Reach::Platform), list)
        .says("The types of users and what each may do")
        .gives::<Page<Shown>>(200),
    Route::new(
        Method::PUT,
        "/v1/user-types/{name}",
        Access::May(Permission::UsersManage, Reach::Platform),
        update,
    )
    .says("Says what a type of users may do; for a superAdmin alone")
    .takes::<Update>()
    .gives::<Shown>(200),
];

/// A type of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserTypeName)]
pub(super) enum TypeName {
    /// Everything, other administrators among it.
    SuperAdmin,
    /// Runs the platform and its customers.
    Admin,
    /// A customer's own user.
    User,
}

impl TypeName {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => SUPER_ADMIN,
            Self::Admin => "admin",
            Self::User => "user",
        }
    }
}

/// What users of a type may do where no row of a customer says otherwise.
#[derive(Serialize, ToSchema)]
#[schema(as = UserType)]
struct Shown {
    /// Its name.
    #[schema(example = "admin")]
    name: String,
    /// For people.
    #[schema(example = "Runs the platform and its customers")]
    description: String,
    /// Whether its users are the platform's own, who work for every customer unless theirs are named.
    operator: bool,
    /// What they may do.
    permissions: Vec<&'static str>,
}

impl From<&UserType> for Shown {
    fn from(user_type: &UserType) -> Self {
        let UserType { name, operator, description, permissions } = user_type;
        let permissions =
            if name == SUPER_ADMIN { Permissions::all() } else { Permissions::named(permissions) };
        Self {
            name: name.clone(),
            description: description.clone(),
            operator: *operator,
            permissions: permissions.names(),
        }
    }
}

/// Permissions in one list, those that stand twice counted twice.
const PERMISSIONS_MAX: usize = 64;

/// What users of a type may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserTypeUpdate)]
struct Update {
    /// All of it.
    #[schema(value_type = Vec<Permission>, max_items = 64)]
    permissions: Vec<String>,
}

fn list(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let types = auth::user_types(&api.store).await?;
        reply::json(&Page { items: types.iter().map(Shown::from).collect(), next: None })
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        if request.principal.user_type != SUPER_ADMIN {
            return Err(Problem::new(Code::Forbidden, "a superAdmin alone says what others may do"));
        }
        let Update { permissions } = request.json()?;
        let permissions = known("/permissions", &permissions)?;
        let name = request.param("name")?;
        let types = auth::user_types(&api.store).await?;
        let absent = || Problem::new(Code::NotFound, format!("there is no type of users {name:?}"));
        let before = types.into_iter().find(|known| known.name == name).ok_or_else(absent)?;
        if before.name == SUPER_ADMIN {
            return Err(Problem::new(Code::Forbidden, "a superAdmin may do everything, always"));
        }
        let permissions = permissions.names().into_iter().map(str::to_owned).collect();
        let after = UserType { permissions, ..before.clone() };
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let shown = Shown::from(&before);
                check_match(request, &shown)?;
                auth::set_permissions(tx, &after.name, &after.permissions).await?;
                Ok(Change::updated(&shown, &Shown::from(&after), Touched::AUTH))
            })
        })
        .await
    })
}

/// A type of users as it is.
pub(super) async fn named(api: &Api, name: &str) -> Result<UserType, Problem> {
    let types = auth::user_types(&api.store).await?;
    let absent = || Problem::new(Code::Internal, format!("the database has no type of users {name:?}"));
    types.into_iter().find(|known| known.name == name).ok_or_else(absent)
}

/// The permissions that a body names.
pub(super) fn known(pointer: &str, names: &[String]) -> Result<Permissions, Problem> {
    if names.len() > PERMISSIONS_MAX {
        return Err(Problem::invalid(pointer, format!("more than {PERMISSIONS_MAX}")));
    }
    if let Some(place) = names.iter().position(|name| Permission::named(name).is_none()) {
        return Err(Problem::invalid(format!("{pointer}/{place}"), "there is no such permission"));
    }
    Ok(Permissions::named(names))
}
