//! `/v1/users`: people who may log in. None is deleted: what the audit says of them stays true.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::Email;
use runtime::store::auth::session;
use runtime::store::auth::user::{self, Filter, User};
use runtime::store::group::Touched;
use runtime::store::{Error as StoreError, ErrorKind, Tx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::user_types::{self, TypeName};
use crate::auth::authority;
use crate::auth::principal::{Principal, SUPER_ADMIN};
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::UsersRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::UsersManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/users", READ, list)
        .says("Users in the order of their addresses")
        .asks(&[LIMIT, CURSOR, SEARCH, USER_TYPE, ACTIVE])
        .gives::<Page<Shown>>(200),
    Route::new(Method::POST, "/v1/users", MANAGE, create)
        .says("Makes a user, who logs in by Google, or by a password once it has one; inviting is the better way")
        .takes::<NewUser>()
        .gives::<Shown>(201),
    Route::new(Method::GET, "/v1/users/{id}", READ, get).says("One user").gives::<Shown>(200),
    Route::new(Method::PUT, "/v1/users/{id}", MANAGE, update)
        .says("Changes a user; one that is not active any more is logged out everywhere")
        .takes::<UserUpdate>()
        .gives::<Shown>(200),
    Route::new(Method::DELETE, "/v1/users/{id}", MANAGE, deactivate)
        .says("Lets a user in no more and ends its sessions; its name stays for the audit")
        .gives_nothing(),
];

/// An address is longer than other cursors may be.
const CURSOR: Param =
    Param::new("cursor", Kind::Text(254), "Where the page begins: `next` of the page before");
const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the address or the name, in any case");
const USER_TYPE: Param =
    Param::new("user_type", Kind::Words(&["superAdmin", "admin", "user"]), "Only users of this type");
const ACTIVE: Param =
    Param::new("active", Kind::Flag, "Only users who may log in, or only those who may not");
/// Characters of a name.
pub(super) const NAME_MAX: usize = 100;

/// Somebody who may log in.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct Shown {
    /// Primary key.
    id: Uuid,
    /// The name at login.
    #[schema(example = "maria@example.net")]
    email: String,
    /// For people.
    #[schema(example = "Maria Silva")]
    name: String,
    /// What it may do.
    #[schema(example = "admin")]
    user_type: String,
    /// False: every login and token is refused.
    active: bool,
    /// Whether it can log in by a password.
    has_password: bool,
    /// Whether it has logged in by Google.
    has_google: bool,
    /// Its last login.
    last_login_at: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was changed last.
    updated_at: Timestamp,
}

impl From<&User> for Shown {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            name: user.name.clone(),
            user_type: user.user_type.clone(),
            active: user.active,
            has_password: user.password.is_some(),
            has_google: user.google_subject.is_some(),
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name at login; it never changes.
    email: Email,
    /// For people.
    #[schema(example = "Maria Silva", min_length = 1, max_length = 100)]
    name: String,
    /// What it may do; nothing that who asks may not.
    user_type: TypeName,
}

/// What of a user may be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserUpdate {
    /// As it is, where it is given at all.
    email: Option<Email>,
    /// For people.
    #[schema(example = "Maria Silva", min_length = 1, max_length = 100)]
    name: String,
    /// What it may do; nothing that who asks may not.
    user_type: TypeName,
    /// False: every login and token is refused.
    #[serde(default = "yes")]
    active: bool,
}

const fn yes() -> bool {
    true
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (limit, query) = (request.query.number(&LIMIT), &request.query);
        let filter = Filter {
            search: query.get("search").filter(|search| !search.is_empty()),
            user_type: query.get("user_type"),
            active: query.get("active").map(|_| query.flag("active")),
            after: query.get("cursor"),
        };
        let users = user::page(&api.store, &filter, limit.saturating_add(1)).await?;
        let shown = users.iter().map(Shown::from).collect();
        reply::json(&Page::of(shown, limit, |user: &Shown| user.email.clone()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::tagged(&Shown::from(&named(&api, &request).await?)) })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewUser { email, name, user_type } = request.json()?;
        check::name("/name", &name, 1..=NAME_MAX)?;
        let user_type = user_types::named(&api, user_type.as_str()).await?;
        authority::over(&request.principal, &user_type, &[])?;
        let now = api.clock.now();
        let user = User {
            id: uuid_v7(now.micros()),
            email: email.into(),
            name,
            user_type: user_type.name,
            active: true,
            password: None,
            google_subject: None,
            last_login_at: None,
            created_at: now,
            updated_at: now,
        };
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                user::insert(tx, &user).await.map_err(taken)?;
                let location = format!("/v1/users/{}", user.id);
                Ok(Change::created(location, &Shown::from(&user), Touched::NOTHING))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let UserUpdate { email, name, user_type, active } = request.json()?;
        check::name("/name", &name, 1..=NAME_MAX)?;
        let user = named(&api, &request).await?;
        if email.is_some_and(|email| email.as_str() != user.email) {
            return Err(Problem::invalid("/email", "it never changes: make another user"));
        }
        may_change(&api, &request.principal, &user).await?;
        let user_type = user_types::named(&api, user_type.as_str()).await?;
        authority::over(&request.principal, &user_type, &[])?;
        let wanted = Wanted { name, user_type: user_type.name, active };
        change(&api, request, (user, wanted), Change::updated).await
    })
}

fn deactivate(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let user = named(&api, &request).await?;
        may_change(&api, &request.principal, &user).await?;
        let (name, user_type) = (user.name.clone(), user.user_type.clone());
        let wanted = Wanted { name, user_type, active: false };
        change(&api, request, (user, wanted), |before, _, touched| Change::deleted(before, touched)).await
    })
}

/// What a user is to be.
struct Wanted {
    name: String,
    user_type: String,
    active: bool,
}

/// What became of it: the user before, the user now, and who must hear of it.
type Outcome = fn(&Shown, &Shown, Touched) -> Change;

/// Changes a user who is as he was when it was asked whether he may be changed.
async fn change(api: &Arc<Api>, request: Request, (read, wanted): (User, Wanted), outcome: Outcome) -> Reply {
    let (id, now) = (read.id, api.clock.now());
    write(api, request, move |tx, request| {
        Box::pin(async move {
            let before = user::find(tx, id).await?.ok_or_else(unknown)?;
            check_match(request, &Shown::from(&before))?;
            unchanged(&read, &before)?;
            let Wanted { name, user_type, active } = wanted;
            let after = User { name, user_type, active, updated_at: now, ..before.clone() };
            if request.principal.user == Some(id) && !after.active {
                return Err(Problem::new(Code::Forbidden, "nobody shuts himself out"));
            }
            user::update(tx, &after).await?;
            keep_one_super_admin(tx, &before, &after).await?;
            if before.active && !after.active {
                session::revoke_all(tx, id, now).await?;
            }
            Ok(outcome(&Shown::from(&before), &Shown::from(&after), Touched::AUTH))
        })
    })
    .await
}

/// What was allowed for a user as it was is not allowed for what it became meanwhile.
pub(super) fn unchanged(read: &User, now: &User) -> Result<(), Problem> {
    if read.updated_at == now.updated_at {
        return Ok(());
    }
    Err(Problem::new(Code::Changed, "it was changed at the same time: read it again"))
}

/// Whoever may do everything is of use to the installation only while there is one, and while nothing narrows him.
async fn keep_one_super_admin(tx: &mut Tx, before: &User, after: &User) -> Result<(), Problem> {
    let is = |user: &User| user.active && user.user_type == SUPER_ADMIN;
    if is(before) && !is(after) && user::super_admins(tx).await? == 0 {
        return Err(Problem::new(Code::InUse, "it is the last active superAdmin"));
    }
    if after.user_type == SUPER_ADMIN
        && before.user_type != SUPER_ADMIN
        && user::is_narrowed(tx, after.id).await?
    {
        let detail = "a superAdmin works for every customer: take the user's customers away first";
        return Err(Problem::new(Code::InUse, detail));
    }
    Ok(())
}

/// The user of the path.
pub(super) async fn named(api: &Api, request: &Request) -> Result<User, Problem> {
    user::by_id(&api.store, request.id_param("id")?).await?.ok_or_else(unknown)
}

pub(super) fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such user")
}

/// Whether a principal may change a user as it is.
pub(super) async fn may_change(api: &Api, principal: &Principal, user: &User) -> Result<(), Problem> {
    let user_type = user_types::named(api, &user.user_type).await?;
    authority::over(principal, &user_type, &user::access(&api.store, user.id).await?)
}

/// An address is one user's, also when that may not log in any more.
pub(super) fn taken(error: StoreError) -> Problem {
    if error.kind() != ErrorKind::Constraint {
        return error.into();
    }
    Problem::new(Code::AlreadyExists, "a user has this address already")
}
