//! `/v1/customers`: who buys.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::{Ban, Email, Money, Parts};
use runtime::random::secret_bytes;
use runtime::store::customer::{self, Customer, PaymentType, Service, Status, Tier};
use runtime::store::group::Touched;
use runtime::store::{Error as StoreError, ErrorKind};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::dedicated_ips;
use super::invitations::Draft;
use crate::check;
use crate::context::Api;
use crate::customers::Filter;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/customers", Access::May(Permission::CustomersRead, Reach::Own), list)
        .says("Customers in the order of their BANs")
        .asks(&[LIMIT, CURSOR, SEARCH, STATUS])
        .gives::<Page<Customer>>(200),
    Route::new(
        Method::POST,
        "/v1/customers",
        Access::May(Permission::CustomersManage, Reach::Platform),
        create,
    )
    .says("Makes a customer; its BAN is made unless one is given")
    .takes::<NewCustomer>()
    .gives::<Customer>(201),
    Route::new(
        Method::GET,
        "/v1/customers/{id}",
        Access::May(Permission::CustomersRead, Reach::Customer),
        get,
    )
    .says("One customer")
    .gives::<Customer>(200),
    Route::new(
        Method::PUT,
        "/v1/customers/{id}",
        Access::May(Permission::CustomersManage, Reach::Customer),
        update,
    )
    .says("Changes a customer, by the platform's own people; what is not given goes back to its default")
    .takes::<CustomerUpdate>()
    .gives::<Customer>(200),
    Route::new(
        Method::GET,
        "/v1/customers/by-ban/{ban}",
        Access::May(Permission::CustomersRead, Reach::Own),
        by_ban,
    )
    .says("One customer, by its BAN")
    .gives::<Customer>(200),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the BAN or the name, in any case");
const STATUS: Param =
    Param::new("status", Kind::Words(&["ACTIVE", "TRIAL", "SUSPENDED"]), "Only customers of this status");
/// Characters of a name.
const NAME_MAX: usize = 100;
/// There are no more.
const SERVICES_MAX: usize = 3;
/// Tries to make a BAN that nobody has: there are 676 thousand million.
const BAN_TRIES: u32 = 4;

// All that may be changed, and more, in one form: two that refuse unknown fields accept nothing together.
/// A customer to be made.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCustomer {
    /// Its BAN where it has one already; two letters, a dash and nine digits are made otherwise.
    ban: Option<Ban>,
    /// Address of its first user, who gets a mail.
    invite: Option<Email>,
    /// Name for people.
    #[schema(example = "Acme Telecom", min_length = 1, max_length = 100)]
    company_name: String,
    /// Whether it is served.
    #[serde(default = "active")]
    status: Status,
    /// How it pays.
    #[serde(default = "postpaid", rename = "type")]
    kind: PaymentType,
    /// What it buys.
    #[serde(default = "services")]
    #[schema(max_items = 3)]
    services: Vec<Service>,
    /// What it may owe.
    #[serde(default)]
    credit_limit: Money,
    /// ISO 4217.
    #[serde(default = "dollar")]
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// Whether it may have addresses of its own.
    #[serde(default = "standard")]
    tier: Tier,
    /// Its company in HubSpot.
    #[schema(example = "8812776201", max_length = 40)]
    hubspot_company_id: Option<String>,
}

/// What of a customer may be changed.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerUpdate {
    /// Name for people.
    #[schema(example = "Acme Telecom", min_length = 1, max_length = 100)]
    company_name: String,
    /// Whether it is served.
    #[serde(default = "active")]
    status: Status,
    /// How it pays.
    #[serde(default = "postpaid", rename = "type")]
    kind: PaymentType,
    /// What it buys.
    #[serde(default = "services")]
    #[schema(max_items = 3)]
    services: Vec<Service>,
    /// What it may owe.
    #[serde(default)]
    credit_limit: Money,
    /// ISO 4217.
    #[serde(default = "dollar")]
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// Whether it may have addresses of its own.
    #[serde(default = "standard")]
    tier: Tier,
    /// Its company in HubSpot.
    #[schema(example = "8812776201", max_length = 40)]
    hubspot_company_id: Option<String>,
}

const fn active() -> Status {
    Status::Active
}

const fn postpaid() -> PaymentType {
    PaymentType::Postpaid
}

fn services() -> Vec<Service> {
    vec![Service::Voice, Service::Messaging]
}

fn dollar() -> String {
    "USD".to_owned()
}

const fn standard() -> Tier {
    Tier::Standard
}

impl NewCustomer {
    /// BAN, first user, and what may be changed later.
    fn parts(self) -> (Option<Ban>, Option<Email>, CustomerUpdate) {
        let fields = CustomerUpdate {
            company_name: self.company_name,
            status: self.status,
            kind: self.kind,
            services: self.services,
            credit_limit: self.credit_limit,
            currency: self.currency,
            tier: self.tier,
            hubspot_company_id: self.hubspot_company_id,
        };
        (self.ban, self.invite, fields)
    }
}

impl CustomerUpdate {
    fn check(&self) -> Result<(), Problem> {
        check::name("/company_name", &self.company_name, 1..=NAME_MAX)?;
        if self.services.len() > SERVICES_MAX {
            return Err(Problem::invalid("/services", format!("more than {SERVICES_MAX}")));
        }
        if self.credit_limit.nanos() < 0 {
            return Err(Problem::invalid("/credit_limit", "it is below 0"));
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|octet| octet.is_ascii_uppercase()) {
            return Err(Problem::invalid("/currency", "it is not three capital letters (ISO 4217)"));
        }
        match &self.hubspot_company_id {
            Some(id) => check::name("/hubspot_company_id", id, 1..=40),
            None => Ok(()),
        }
    }

    /// Over a customer as it is.
    fn over(self, customer: &Customer, api: &Api) -> Customer {
        Customer {
            company_name: self.company_name,
            status: self.status,
            kind: self.kind,
            services: self.services,
            credit_limit: self.credit_limit,
            currency: self.currency,
            tier: self.tier,
            hubspot_company_id: self.hubspot_company_id,
            updated_at: api.clock.now(),
            ..customer.clone()
        }
    }
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = Filter {
            search: request.query.get("search").filter(|search| !search.is_empty()),
            status: request.query.get("status").and_then(|word| {
                [Status::Active, Status::Trial, Status::Suspended]
                    .into_iter()
                    .find(|status| status.as_str() == word)
            }),
            after: request.query.get("cursor"),
        };
        let one_more = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let customers = api.customers.page(&request.tenant()?, &filter, one_more);
        reply::json(&Page::of(customers, limit, |customer| customer.ban.as_str().to_owned()))
    })
}

fn get(_api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::tagged(&**request.customer()?) })
}

fn by_ban(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let tenant = request.tenant()?;
        let customer =
            api.customers.by_ban(&request.param("ban")?).filter(|customer| tenant.has(customer.id));
        let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
        reply::tagged(&*customer.ok_or_else(unknown)?)
    })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (ban, invite, fields) = request.json::<NewCustomer>()?.parts();
        fields.check()?;
        let given = ban.is_some();
        let ban = match ban {
            Some(ban) => ban,
            None => free_ban(&api)?,
        };
        let now = api.clock.now();
        let customer = Customer {
            id: uuid_v7(now.micros()),
            ban,
            company_name: String::new(),
            status: Status::Active,
            kind: PaymentType::Postpaid,
            services: Vec::new(),
            credit_limit: Money::default(),
            current_balance: Money::default(),
            currency: String::new(),
            tier: Tier::Standard,
            hubspot_company_id: None,
            created_at: now,
            updated_at: now,
        };
        let customer = Customer { updated_at: now, ..fields.over(&customer, &api) };
        let draft = match invite {
            Some(email) => Some(Draft::first_of(&api, &request, email, &customer).await?),
            None => None,
        };
        let of = Arc::clone(&api);
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                customer::insert(tx, &customer).await.map_err(|error| taken(error, given, &customer))?;
                if let Some(draft) = &draft {
                    draft.write(tx).await?;
                }
                let location = format!("/v1/customers/{}", customer.id);
                let change =
                    Change::created(location, &customer, Touched::only(Parts::CUSTOMERS.with(Parts::OTHERS)))
                        .of(customer.id);
                Ok(change.then(move || made(&of, customer, draft)))
            })
        })
        .await
    })
}

/// After the commit.
fn made(api: &Api, customer: Customer, draft: Option<Draft>) {
    api.customers.put(customer);
    if let Some(draft) = draft {
        draft.post(api);
    }
}

/// The customer of the path, for the platform's own people alone: what they decide about a customer, and write about
/// it, is not its own to see or change, whatever it was granted.
pub(super) fn for_operator(request: &Request) -> Result<Uuid, Problem> {
    if !request.principal.operator {
        return Err(Problem::new(Code::Forbidden, "this is for the platform's own people"));
    }
    Ok(request.customer()?.id)
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = for_operator(&request)?;
        let update: CustomerUpdate = request.json()?;
        update.check()?;
        let of = Arc::clone(&api);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let unknown = || Problem::new(Code::UnknownCustomer, "there is no such customer");
                let before = customer::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                let after = update.over(&before, &of);
                dedicated_ips::refuse_leaving(tx, &before, after.tier).await?;
                customer::update(tx, &after).await?;
                let change = Change::updated(&before, &after, Touched::only(Parts::CUSTOMERS)).of(id);
                Ok(change.then(move || of.customers.put(after)))
            })
        })
        .await
    })
}

fn taken(error: StoreError, given: bool, customer: &Customer) -> Problem {
    if given && error.kind() == ErrorKind::Constraint {
        let detail = format!("a customer has the BAN {} already", customer.ban);
        return Problem::new(Code::AlreadyExists, detail);
    }
    error.into()
}

/// A BAN as the platform gives it: two letters, a dash, nine digits.
fn free_ban(api: &Api) -> Result<Ban, Problem> {
    for _ in 0..BAN_TRIES {
        let draw = u64::from_be_bytes(secret_bytes());
        let letter = |number: u64| char::from(b'A'.saturating_add(u8::try_from(number % 26).unwrap_or(0)));
        let text = format!("{}{}-{:09}", letter(draw), letter(draw >> 8), (draw >> 16) % 1_000_000_000);
        let ban: Option<Ban> = text.parse().ok();
        if let Some(ban) = ban.filter(|ban| api.customers.by_ban(ban.as_str()).is_none()) {
            return Ok(ban);
        }
    }
    Err(Problem::new(Code::Internal, "no BAN is free"))
}

/// The customer of a BAN in a body, whom the principal may work for.
pub(super) fn named(api: &Api, request: &Request, ban: &str, pointer: &str) -> Result<Uuid, Problem> {
    let tenant = request.tenant()?;
    let customer = api.customers.by_ban(ban).filter(|customer| tenant.has(customer.id));
    customer.map(|customer| customer.id).ok_or_else(|| Problem::invalid(pointer, "there is no such customer"))
}
