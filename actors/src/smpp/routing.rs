//! Routing: longest prefix, then the customer's own routes, priority, cost, the vendor's priority, weight.
//!
//! Pure. A [`Table`] is built from configuration and swapped whole; [`Table::candidates`] is called for every
//! message and touches nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use runtime::model::{Messaging, Route};
use uuid::Uuid;

use crate::weighted::shuffle_equals;

/// Longest destination that is looked at: E.164 has 15 digits, international prefixes a few more.
const PREFIX_MAX: usize = 20;

/// What a message is routed by.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Who sends.
    pub customer: Uuid,
    /// Source address.
    pub source: &'a str,
    /// Destination address; a leading plus is not looked at.
    pub destination: &'a str,
}

/// A route and the priority of its vendor.
#[derive(Debug)]
struct Ranked {
    route: Arc<Route>,
    vendor_priority: i32,
}

/// What routes are ordered by, before weight.
type Rank = (bool, i32, runtime::model::Money, i32);

impl Ranked {
    fn rank(&self) -> Rank {
        (self.route.customer.is_none(), self.route.priority, self.route.cost, self.vendor_priority)
    }
}

/// Routes by destination prefix.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Ranked>,
    by_prefix: HashMap<Box<str>, Vec<usize>>,
}

impl Table {
    /// A table of the active routes whose vendor is active.
    #[must_use]
    pub fn new(config: &Messaging) -> Self {
        let vendors: HashMap<Uuid, i32> = config
            .vendors
            .iter()
            .filter(|vendor| vendor.active)
            .map(|vendor| (vendor.id, vendor.priority))
            .collect();
        let ranked = |route: &Route| {
            let vendor_priority = *vendors.get(&route.vendor)?;
            route.active.then(|| Ranked { route: Arc::new(route.clone()), vendor_priority })
        };
        let mut routes: Vec<Ranked> = config.routes.iter().filter_map(ranked).collect();
        routes.sort_by_key(|ranked| (ranked.rank(), ranked.route.id));
        let mut by_prefix: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (at, ranked) in routes.iter().enumerate() {
            by_prefix.entry(ranked.route.prefix.as_str().into()).or_default().push(at);
        }
        Self { routes, by_prefix }
    }

    /// The routes that a message may take, best first: those of the longest prefix that has any for this
    /// customer and source. Routes of equal customer rule, priority, cost and vendor priority are in an order
    /// drawn by weight; `draw(n)` gives a number below `n`.
    pub fn candidates(&self, query: &Query<'_>, draw: impl FnMut(u64) -> u64) -> Vec<&Arc<Route>> {
        let mut found = self.found(query);
        let is_equal = |left: &&Ranked, right: &&Ranked| left.rank() == right.rank();
        shuffle_equals(&mut found, is_equal, |ranked| ranked.route.weight, draw);
        found.into_iter().map(|ranked| &ranked.route).collect()
    }

    /// The same in the configured order, for explaining.
    #[must_use]
    pub fn matching(&self, query: &Query<'_>) -> Vec<&Arc<Route>> {
        self.found(query).into_iter().map(|ranked| &ranked.route).collect()
    }

    fn found(&self, query: &Query<'_>) -> Vec<&Ranked> {
        let destination = query.destination.strip_prefix('+').unwrap_or(query.destination);
        let longest = destination.len().min(PREFIX_MAX);
        for length in (0..=longest).rev() {
            let Some(listed) = destination.get(..length).and_then(|prefix| self.by_prefix.get(prefix)) else {
                continue;
            };
            let routes = listed.iter().filter_map(|at| self.routes.get(*at));
            let applies = |ranked: &&Ranked| {
                let route = &ranked.route;
                route.customer.is_none_or(|customer| customer == query.customer)
                    && query.source.starts_with(&route.source_prefix)
            };
            let found: Vec<&Ranked> = routes.filter(applies).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// A route by its id.
    #[must_use]
    pub fn route(&self, id: Uuid) -> Option<&Arc<Route>> {
        self.routes.iter().map(|ranked| &ranked.route).find(|route| route.id == id)
    }
}

#[cfg(test)]
pub(super) mod tests;
