//! `/v1/dashboard`: how things are, for the platform's people and for each customer. What lives is what lives on the
//! node that answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::sip::calls::Calls;
use actors::smpp::Smpp;
use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::Ban;
use runtime::store::customer::Status;
use runtime::store::dashboard::{self, Owned, Platform};
use runtime::store::version;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::customers::Filter;
use crate::last_hour::Totals;
use crate::permission::Permission;
use crate::query::{CURSOR, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(
        Method::GET,
        "/v1/dashboard/stats",
        Access::May(Permission::DashboardRead, Reach::Platform),
        stats,
    )
    .says("How the platform is")
    .gives::<Stats>(200),
    Route::new(Method::GET, "/v1/dashboard/me", Access::May(Permission::DashboardRead, Reach::Own), mine)
        .says("The customers that you work for, and what each has")
        .asks(&[LIMIT, CURSOR])
        .gives::<Page<OfCustomer>>(200),
];

/// How the platform is.
#[derive(Serialize, ToSchema)]
#[schema(as = DashboardStats)]
struct Stats {
    /// Customers by status.
    customers: CustomerCounts,
    /// Customers' trunks.
    trunks: TrunkCounts,
    /// Vendors of calls.
    sip_vendors: VendorCounts,
    /// Vendors of messages.
    sms_vendors: VendorCounts,
    /// What lives on this node.
    live: Live,
    /// What this node did lately.
    last_hour: Traffic,
    /// What runs.
    versions: Versions,
    /// When this was so.
    timestamp: Timestamp,
}

/// Customers by status.
#[derive(Serialize, ToSchema)]
struct CustomerCounts {
    /// ACTIVE.
    #[schema(example = 120)]
    active: u64,
    /// TRIAL.
    #[schema(example = 4)]
    trial: u64,
    /// SUSPENDED.
    #[schema(example = 2)]
    suspended: u64,
}

/// Customers' trunks.
#[derive(Serialize, ToSchema)]
struct TrunkCounts {
    /// Those that take calls.
    #[schema(example = 150)]
    active: u64,
    /// Those that take none.
    #[schema(example = 3)]
    inactive: u64,
}

/// Vendors by how they are.
#[derive(Default, Serialize, ToSchema)]
struct VendorCounts {
    /// All their binds, or one of their gateways, answer.
    #[schema(example = 5)]
    up: u64,
    /// Some of their binds are up.
    #[schema(example = 0)]
    partial: u64,
    /// None is.
    #[schema(example = 0)]
    down: u64,
    /// They are not to get traffic.
    #[schema(example = 1)]
    inactive: u64,
}

/// What lives on this node.
#[derive(Serialize, ToSchema)]
#[schema(as = DashboardLive)]
struct Live {
    /// Calls.
    #[schema(example = 312)]
    calls: u64,
    /// Customers' SMPP sessions.
    #[schema(example = 40)]
    smpp_sessions: u64,
}

/// What this node did lately.
#[derive(Serialize, ToSchema)]
#[schema(as = DashboardTraffic)]
struct Traffic {
    /// How long that is: an hour, or less since the start.
    #[schema(example = 3600)]
    seconds: u64,
    /// Messages accepted from customers.
    #[schema(example = 1_800_000)]
    messages_submitted: u64,
    /// Deliveries to customers, receipts among them.
    #[schema(example = 1_750_000)]
    messages_delivered: u64,
    /// Calls from known sources.
    #[schema(example = 90_000)]
    calls: u64,
    /// Of those, the ones that were answered.
    #[schema(example = 55_000)]
    calls_answered: u64,
}

/// What runs.
#[derive(Serialize, ToSchema)]
#[schema(as = DashboardVersions)]
struct Versions {
    /// Of the program.
    #[schema(example = "0.1.0")]
    program: &'static str,
    /// Of the configuration data: it grows with every change.
    #[schema(example = 417)]
    configuration: i64,
    /// `PostgreSQL` or `SQLite`.
    #[schema(example = "PostgreSQL")]
    database: &'static str,
}

/// A customer, and what it has.
#[derive(Serialize, ToSchema)]
#[schema(as = DashboardCustomer)]
struct OfCustomer {
    /// Primary key.
    id: Uuid,
    /// Billing account number.
    ban: Ban,
    /// Name for people.
    #[schema(example = "Acme Telecom")]
    company_name: String,
    /// Whether it is served.
    status: Status,
    /// Its trunks.
    #[schema(example = 2)]
    trunks: u64,
    /// Its ESME accounts.
    #[schema(example = 1)]
    accounts: u64,
    /// Its numbers.
    #[schema(example = 25)]
    dids: u64,
    /// Its calls that live on this node; those that began before its last start are not among them.
    #[schema(example = 7)]
    live_calls: u64,
}

fn stats(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let counts = dashboard::platform(&api.store).await?;
        let configuration = version::version(&api.store).await?;
        let Platform { customers_active, customers_trial, customers_suspended, .. } = counts;
        let calls = api.calls.as_deref();
        let (elapsed, traffic) = api.last_hour.since(Instant::now(), Totals::of(&api));
        reply::json(&Stats {
            customers: CustomerCounts {
                active: customers_active,
                trial: customers_trial,
                suspended: customers_suspended,
            },
            trunks: TrunkCounts { active: counts.trunks_active, inactive: counts.trunks_inactive },
            sip_vendors: calls.map(sip_vendors).unwrap_or_default(),
            sms_vendors: sms_vendors(&api.smpp),
            live: Live {
                calls: calls.map_or(0, |calls| calls.live() as u64),
                smpp_sessions: api.smpp.sessions.load(Ordering::Relaxed).into(),
            },
            last_hour: Traffic::of(elapsed, traffic),
            versions: Versions {
                program: env!("CARGO_PKG_VERSION"),
                configuration,
                database: api.store.engine(),
            },
            timestamp: api.clock.now(),
        })
    })
}

impl Traffic {
    fn of(elapsed: Duration, totals: Totals) -> Self {
        Self {
            seconds: elapsed.as_secs(),
            messages_submitted: totals.submitted,
            messages_delivered: totals.delivered,
            calls: totals.calls,
            calls_answered: totals.answered,
        }
    }
}

fn sip_vendors(calls: &Calls) -> VendorCounts {
    let mut counts = VendorCounts::default();
    for vendor in &calls.snapshot.load().vendors {
        let up = vendor.targets.iter().any(|target| target.health.is_up());
        let place = match (vendor.is_open(), up) {
            (false, _) => &mut counts.inactive,
            (true, true) => &mut counts.up,
            (true, false) => &mut counts.down,
        };
        *place += 1;
    }
    counts
}

fn sms_vendors(smpp: &Smpp) -> VendorCounts {
    let mut counts = VendorCounts::default();
    for vendor in smpp.vendors.load().values() {
        let (up, binds) = vendor.binds();
        let place = match (vendor.config.load().active, up) {
            (false, _) => &mut counts.inactive,
            (true, 0) => &mut counts.down,
            (true, up) if up < binds => &mut counts.partial,
            (true, _) => &mut counts.up,
        };
        *place += 1;
    }
    counts
}

fn mine(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = Filter { after: request.query.get("cursor"), ..Filter::default() };
        let one_more = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let customers = api.customers.page(&request.tenant()?, &filter, one_more);
        let live = api.calls.as_deref().map(live_calls).unwrap_or_default();
        let mut items = Vec::with_capacity(customers.len());
        for customer in customers {
            let Owned { trunks, accounts, dids } = dashboard::of_customer(&api.store, customer.id).await?;
            items.push(OfCustomer {
                id: customer.id,
                ban: customer.ban.clone(),
                company_name: customer.company_name.clone(),
                status: customer.status,
                trunks,
                accounts,
                dids,
                live_calls: live.get(&customer.id).copied().unwrap_or(0),
            });
        }
        reply::json(&Page::of(items, limit, |one: &OfCustomer| one.ban.as_str().to_owned()))
    })
}

/// Calls by customer, as its trunks count them.
fn live_calls(calls: &Calls) -> HashMap<Uuid, u64> {
    let mut live = HashMap::new();
    for trunk in &calls.snapshot.load().trunks {
        *live.entry(trunk.config.customer).or_default() += u64::from(trunk.usage.channels());
    }
    live
}
