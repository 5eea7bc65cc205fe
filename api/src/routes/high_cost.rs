//! `/v1/admin/high-cost`: destinations that are closed to trunks that have not opened them.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Parts;
use runtime::store::group::Touched;
use runtime::store::high_cost;
use runtime::store::provisioning::{high_cost_prefix, without_plus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(
        Method::GET,
        "/v1/admin/high-cost",
        Access::May(Permission::VendorsRead, Reach::Platform),
        get,
    )
    .says("Prefixes that are closed to trunks that have not opened them")
    .gives::<HighCost>(200),
    Route::new(
        Method::PUT,
        "/v1/admin/high-cost",
        Access::May(Permission::VendorsManage, Reach::Platform),
        update,
    )
    .says("Replaces the whole list: a prefix that is not in it is open again")
    .takes::<HighCost>()
    .gives::<HighCost>(200),
];

/// Prefixes of the list.
const PREFIXES_MAX: usize = 10_000;

/// The list of high-cost prefixes.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HighCost {
    /// Digits, a plus before them is dropped; sorted when they are shown.
    #[schema(example = json!(["881", "882"]), max_items = 10000, pattern = "^[+]?[0-9]{1,20}$")]
    prefixes: Vec<String>,
}

impl HighCost {
    /// As it is kept.
    fn normalize(mut self) -> Result<Self, Problem> {
        if self.prefixes.len() > PREFIXES_MAX {
            return Err(Problem::invalid("/prefixes", format!("more than {PREFIXES_MAX}")));
        }
        self.prefixes.iter_mut().for_each(without_plus);
        let mut seen = HashSet::with_capacity(self.prefixes.len());
        for (place, prefix) in self.prefixes.iter().enumerate() {
            let refused = |detail: &'static str| Problem::invalid(format!("/prefixes/{place}"), detail);
            high_cost_prefix(prefix).map_err(|_| refused("it is not 1 to 20 digits"))?;
            if !seen.insert(prefix.as_str()) {
                return Err(refused("it stands in the list twice"));
            }
        }
        self.prefixes.sort_unstable();
        Ok(self)
    }
}

fn get(api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::tagged(&HighCost { prefixes: high_cost::get(&api.store).await? }) })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let wanted: HighCost = request.json()?;
        let after = wanted.normalize()?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = HighCost { prefixes: high_cost::find(tx).await? };
                check_match(request, &before)?;
                let stored: Vec<&str> = before.prefixes.iter().map(String::as_str).collect();
                high_cost::replace(tx, &stored, &after.prefixes).await?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::OTHERS)))
            })
        })
        .await
    })
}
