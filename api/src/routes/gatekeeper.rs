//! `/v1/gatekeeper`: what who asks may do.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/gatekeeper/my-permissions", Access::Known, mine)
        .says("What you may do, everywhere and for each customer")
        .gives::<Mine>(200),
    Route::new(Method::POST, "/v1/gatekeeper/check-access", Access::Known, check)
        .says("Whether you may do one thing")
        .takes::<Question>()
        .gives::<Verdict>(200),
    Route::new(Method::POST, "/v1/gatekeeper/check-access-batch", Access::Known, check_batch)
        .says("Whether you may do several things")
        .takes::<Questions>()
        .gives::<Verdicts>(200),
    Route::new(Method::GET, "/v1/gatekeeper/available-permissions", Access::Known, available)
        .says("Every permission that there is")
        .gives::<Available>(200),
];

/// Characters of a permission's name.
const PERMISSION_MAX: usize = 100;
/// Questions of one batch.
const BATCH_MAX: usize = 100;

/// What may be done.
#[derive(Serialize, ToSchema)]
struct Mine {
    /// The type of the user.
    #[schema(example = "admin")]
    user_type: String,
    /// On the platform itself and for every customer.
    global: Vec<&'static str>,
    /// For single customers.
    customers: Vec<OfCustomer>,
}

/// What may be done for one customer.
#[derive(Serialize, ToSchema)]
struct OfCustomer {
    /// The customer.
    customer_id: Uuid,
    /// Its BAN.
    #[schema(example = "TB-071161708")]
    ban: String,
    /// What may be done for it.
    permissions: Vec<&'static str>,
}

/// Something that may be allowed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// `resource:action`.
    #[schema(example = "trunks:write", max_length = 100)]
    permission: String,
    /// For this customer; without it on the platform.
    customer_id: Option<Uuid>,
}

impl Question {
    fn check(&self, pointer: &str) -> Result<(), Problem> {
        if self.permission.chars().count() <= PERMISSION_MAX {
            return Ok(());
        }
        let detail = format!("it is longer than {PERMISSION_MAX} characters");
        Err(Problem::invalid(format!("{pointer}/permission"), detail))
    }
}

/// Several of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Questions {
    /// At most 100.
    #[schema(max_items = 100)]
    checks: Vec<Question>,
}

/// Whether it is allowed.
#[derive(Serialize, ToSchema)]
struct Verdict {
    /// As it was asked.
    #[schema(example = "trunks:write")]
    permission: String,
    /// As it was asked.
    customer_id: Option<Uuid>,
    /// Yes or no.
    allowed: bool,
}

/// The answers, in the order of the questions.
#[derive(Serialize, ToSchema)]
struct Verdicts {
    /// One for each question.
    results: Vec<Verdict>,
}

/// Every permission that there is.
#[derive(Serialize, ToSchema)]
struct Available {
    /// In the order of their names.
    permissions: Vec<Described>,
}

/// A permission.
#[derive(Serialize, ToSchema)]
struct Described {
    /// `resource:action`.
    #[schema(example = "trunks:write")]
    permission: &'static str,
    /// What it allows.
    #[schema(example = "Change the sources of trunks")]
    description: &'static str,
}

fn mine(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let principal = &request.principal;
        let customers = principal.customers().filter_map(|(id, permissions)| {
            let ban = api.customers.get(id)?.ban.as_str().to_owned();
            Some(OfCustomer { customer_id: id, ban, permissions: permissions.names() })
        });
        reply::json(&Mine {
            user_type: principal.user_type.clone(),
            global: principal.everywhere().names(),
            customers: customers.collect(),
        })
    })
}

fn check(_api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let question: Question = request.json()?;
        question.check("")?;
        reply::json(&verdict(&request, question))
    })
}

fn check_batch(_api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let Questions { checks } = request.json()?;
        if checks.len() > BATCH_MAX {
            return Err(Problem::invalid("/checks", format!("more than {BATCH_MAX}")));
        }
        for (number, question) in checks.iter().enumerate() {
            question.check(&format!("/checks/{number}"))?;
        }
        let results = checks.into_iter().map(|question| verdict(&request, question));
        reply::json(&Verdicts { results: results.collect() })
    })
}

/// A permission that does not exist is nobody's.
fn verdict(request: &Request, question: Question) -> Verdict {
    let Question { permission, customer_id } = question;
    let allowed = Permission::named(&permission).is_some_and(|permission| match customer_id {
        Some(customer) => request.principal.may_for(customer, permission),
        None => request.principal.may(permission),
    });
    Verdict { permission, customer_id, allowed }
}

fn available(_api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async {
        let described = |permission: &Permission| Described {
            permission: permission.name(),
            description: permission.description(),
        };
        reply::json(&Available { permissions: Permission::ALL.iter().map(described).collect() })
    })
}
