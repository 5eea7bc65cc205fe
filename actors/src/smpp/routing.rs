//! Routing: longest prefix, then the customer's own routes, priority, cost, weight.
//!
//! Pure. A [`Table`] is built from configuration and swapped whole; [`Table::candidates`] is called for every
//! message and touches nothing else.

use std::collections::HashMap;

use runtime::model::{Messaging, Route};
use uuid::Uuid;

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

/// Routes by destination prefix.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Route>,
    by_prefix: HashMap<Box<str>, Vec<usize>>,
}

impl Table {
    /// A table of the active routes whose vendor is active.
    #[must_use]
    pub fn new(config: &Messaging) -> Self {
        let serves = |route: &&Route| {
            let vendor = config.vendors.iter().find(|vendor| vendor.id == route.vendor);
            route.active && vendor.is_some_and(|vendor| vendor.active)
        };
        let mut routes: Vec<Route> = config.routes.iter().filter(serves).cloned().collect();
        let vendor_priority = |route: &Route| {
            config.vendors.iter().find(|vendor| vendor.id == route.vendor).map_or(0, |vendor| vendor.priority)
        };
        routes.sort_by_key(|route| {
            (route.customer.is_none(), route.priority, route.cost, vendor_priority(route), route.id)
        });
        let mut by_prefix: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (at, route) in routes.iter().enumerate() {
            by_prefix.entry(route.prefix.as_str().into()).or_default().push(at);
        }
        Self { routes, by_prefix }
    }

    /// The routes that a message may take, best first: those of the longest prefix that has any for this
    /// customer and source. Routes of equal customer rule, priority and cost are in an order drawn by weight;
    /// `draw(n)` gives a number below `n`.
    pub fn candidates(&self, query: &Query<'_>, draw: impl FnMut(u64) -> u64) -> Vec<&Route> {
        let mut found = self.matching(query);
        shuffle_equals(&mut found, draw);
        found
    }

    /// The same in the configured order, for explaining.
    #[must_use]
    pub fn matching(&self, query: &Query<'_>) -> Vec<&Route> {
        let destination = query.destination.strip_prefix('+').unwrap_or(query.destination);
        let longest = destination.len().min(PREFIX_MAX);
        for length in (0..=longest).rev() {
            let Some(listed) = destination.get(..length).and_then(|prefix| self.by_prefix.get(prefix)) else {
                continue;
            };
            let routes = listed.iter().filter_map(|at| self.routes.get(*at));
            let applies = |route: &&Route| {
                route.customer.is_none_or(|customer| customer == query.customer)
                    && query.source.starts_with(&route.source_prefix)
            };
            let found: Vec<&Route> = routes.filter(applies).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// A route by its id.
    #[must_use]
    pub fn route(&self, id: Uuid) -> Option<&Route> {
        self.routes.iter().find(|route| route.id == id)
    }
}

fn rank(route: &Route) -> (bool, i32, runtime::model::Money) {
    (route.customer.is_none(), route.priority, route.cost)
}

/// Orders each run of equals by weighted draws without replacement.
fn shuffle_equals(routes: &mut [&Route], mut draw: impl FnMut(u64) -> u64) {
    for run in routes.chunk_by_mut(|left, right| rank(left) == rank(right)) {
        for first in 0..run.len().saturating_sub(1) {
            let Some(rest) = run.get_mut(first..) else { continue };
            let total: u64 = rest.iter().map(|route| u64::from(route.weight)).sum();
            if total == 0 {
                break;
            }
            let mut point = draw(total);
            let chosen = rest.iter().position(|route| {
                let weight = u64::from(route.weight);
                let hit = point < weight;
                point = point.saturating_sub(weight);
                hit
            });
            rest.swap(0, chosen.unwrap_or(0));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
