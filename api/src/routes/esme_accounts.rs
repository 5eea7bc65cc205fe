//! `/v1/admin/customers/{ban}/esme-accounts`: what customers' ESMEs bind with. Passwords are kept as hashes; one that
//! we made is shown once.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Parts;
use runtime::password::{self, PasswordHash, SecretString};
use runtime::random::secret_bytes;
use runtime::store::esme_account::{self, EsmeAccount};
use runtime::store::group::Touched;
use runtime::store::provisioning::EsmeAccountEntry;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use warp::http::Method;

use crate::check;
use crate::context::Api;
use crate::openapi::Schemas;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, LIMIT};
use crate::removal::{DRAIN, in_use, refused};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::AccountsRead, Reach::OperatorOf);
const MANAGE: Access = Access::May(Permission::AccountsManage, Reach::OperatorOf);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/customers/{ban}/esme-accounts", READ, list)
        .says("ESME accounts of a customer in the order of their system_ids")
        .asks(&[LIMIT, CURSOR])
        .gives::<Page<EsmeAccount>>(200),
    Route::new(Method::POST, "/v1/admin/customers/{ban}/esme-accounts", MANAGE, create)
        .says("Makes an ESME account; a password is made, and shown this once, unless one is given")
        .takes::<EsmeAccountForm>()
        .gives::<EsmeAccountMade>(201),
    Route::new(Method::GET, "/v1/admin/customers/{ban}/esme-accounts/{id}", READ, get)
        .says("One ESME account")
        .gives::<EsmeAccount>(200),
    Route::new(Method::PUT, "/v1/admin/customers/{ban}/esme-accounts/{id}", MANAGE, update)
        .says("Changes an ESME account; a password that is not given stays, anything else goes back to its default")
        .takes::<EsmeAccountForm>()
        .gives::<EsmeAccount>(200),
    Route::new(Method::DELETE, "/v1/admin/customers/{ban}/esme-accounts/{id}", MANAGE, delete)
        .says("Takes an ESME account away that is not active and that has no numbers")
        .asks(&[DRAIN])
        .gives_nothing(),
    Route::new(
        Method::GET,
        "/v1/customers/{id}/esme-accounts",
        Access::May(Permission::AccountsRead, Reach::Customer),
        list,
    )
    .says("ESME accounts of a customer, for itself")
    .asks(&[LIMIT, CURSOR])
    .gives::<Page<EsmeAccount>>(200),
];

/// Characters of the passwords that we make: 6 bits each, 8 of them are what SMPP has room for.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// The body: an entry of provisioning without its customer, whom the path names.
enum EsmeAccountForm {}

impl PartialSchema for EsmeAccountForm {
    fn schema() -> RefOr<Schema> {
        let mut schema = EsmeAccountEntry::schema();
        if let RefOr::T(Schema::Object(form)) = &mut schema {
            form.properties.retain(|name, _| name != "customer");
            form.required.retain(|name| name != "customer");
        }
        schema
    }
}

impl ToSchema for EsmeAccountForm {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EsmeAccountForm")
    }

    fn schemas(schemas: &mut Schemas) {
        EsmeAccountEntry::schemas(schemas);
    }
}

/// An account that was made.
#[derive(Serialize, ToSchema)]
struct EsmeAccountMade {
    /// The account.
    #[serde(flatten)]
    account: EsmeAccount,
    /// The password that was made for it, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "k3Jq9-Za")]
    password: Option<String>,
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "the customer has no such account")
}

/// What the body says of an account of the path's customer.
fn form(mut request: Request) -> Result<(Request, EsmeAccountEntry), Problem> {
    let mut fields: Map<String, Value> = request.json()?;
    let ban = Value::from(request.customer()?.ban.as_str());
    if fields.insert("customer".to_owned(), ban).is_some() {
        return Err(Problem::invalid("/customer", "the path says whose it is"));
    }
    // Read again as what provisioning reads, so that both have one form.
    request.body = reply::octets(&fields)?.into();
    let entry: EsmeAccountEntry = request.json()?;
    check::form(entry.check())?;
    if entry.password.as_ref().is_some_and(|password| password.expose().is_empty()) {
        return Err(Problem::invalid("/password", "it is empty"));
    }
    Ok((request, entry))
}

/// Argon2 takes tens of milliseconds and as many megabytes: few at a time, on no thread that others wait for, and
/// before the database is locked.
async fn hashed(api: &Api, password: SecretString) -> Result<PasswordHash, Problem> {
    let stopping = || Problem::new(Code::NotReady, "the node is stopping");
    let place = api.hashing.acquire().await.map_err(|_| stopping())?;
    let hash = tokio::task::spawn_blocking(move || password::hash(password.expose())).await;
    drop(place);
    hash.map_err(|_| stopping())
}

fn generated() -> String {
    let octets: [u8; 8] = secret_bytes();
    let characters = octets.iter().filter_map(|octet| ALPHABET.get(usize::from(octet & 63)));
    characters.map(|character| char::from(*character)).collect()
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let after = request.query.get("cursor").unwrap_or_default();
        let customer = request.customer()?.id;
        let accounts = esme_account::page(&api.store, customer, after, limit.saturating_add(1)).await?;
        reply::json(&Page::of(accounts, limit, |account| account.entry.system_id.to_string()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (request.customer()?.id, request.id_param("id")?);
        let account = esme_account::get(&api.store, customer, id).await?;
        reply::tagged(&account.ok_or_else(unknown)?)
    })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (request, entry) = form(request)?;
        let (password, made) = match entry.password.clone() {
            Some(given) => (given, None),
            None => {
                let made = generated();
                (SecretString::new(made.clone()), Some(made))
            }
        };
        let hash = hashed(&api, password).await?;
        let customer = request.customer()?.clone();
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "an account has this system_id already");
                if esme_account::is_taken(tx, entry.system_id.as_str()).await? {
                    return Err(taken());
                }
                esme_account::put(tx, (id, Some(customer.id)), (&entry, &hash), now).await?;
                // Not there under this id: another node has made one of this name just now.
                let account = esme_account::find(tx, customer.id, id).await?.ok_or_else(taken)?;
                let location = format!("/v1/admin/customers/{}/esme-accounts/{id}", customer.ban);
                let change =
                    Change::created(location, &account, Touched::only(Parts::ACCOUNTS)).of(customer.id);
                Ok(change.showing_once(&EsmeAccountMade { account, password: made }))
            })
        })
        .await
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        let (request, entry) = form(request)?;
        let hash = match entry.password.clone() {
            Some(password) => Some(hashed(&api, password).await?),
            None => None,
        };
        let customer = request.customer()?.id;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = esme_account::find(tx, customer, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                let (now_named, wanted) = (before.entry.system_id.as_str(), entry.system_id.as_str());
                check::unchanged("/system_id", now_named, wanted)?;
                let hash = hash.as_ref().unwrap_or(&before.password);
                esme_account::put(tx, (id, Some(customer)), (&entry, hash), now).await?;
                let after = esme_account::find(tx, customer, id).await?.ok_or_else(unknown)?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::ACCOUNTS)).of(customer))
            })
        })
        .await
    })
}

/// An account whose numbers get messages is not taken away: they go first, or elsewhere. One that is active goes with
/// `drain` alone: its sessions are closed then. What it has sent goes on; receipts and messages for it are given up.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, drain) = (request.id_param("id")?, request.query.flag("drain"));
        let customer = request.customer()?.id;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = esme_account::find(tx, customer, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if let Some(number) = esme_account::number_of(tx, id).await? {
                    return Err(in_use(format!("messages to the number {number} go to it")));
                }
                if before.entry.active && !drain {
                    return Err(in_use("it is active: set active to false first, or ask with drain=true"));
                }
                esme_account::delete(tx, id).await.map_err(refused)?;
                Ok(Change::deleted(&before, Touched::CONFIGURATION).of(customer))
            })
        })
        .await
    })
}
