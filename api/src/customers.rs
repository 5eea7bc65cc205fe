//! Every customer in memory: requests name customers, and by far the most of them only read one.
//!
//! Follows the writes of this node at once, in the order of their commits, and those of others by [`Customers::merge`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;
use runtime::clock::Timestamp;
use runtime::store::customer::{Customer, Status};
use uuid::Uuid;

use crate::auth::principal::Tenant;

/// Customers by id and by BAN.
#[derive(Default)]
pub(crate) struct Customers(RwLock<Index>);

#[derive(Default)]
struct Index {
    by_id: HashMap<Uuid, Arc<Customer>>,
    by_ban: BTreeMap<String, Arc<Customer>>,
    youngest: Option<Timestamp>,
}

impl Index {
    /// Takes a customer in, unless a younger state of it is known.
    fn take(&mut self, customer: Customer) {
        let known = self.by_id.get(&customer.id);
        if known.is_some_and(|known| known.updated_at > customer.updated_at) {
            return;
        }
        self.youngest = self.youngest.max(Some(customer.updated_at));
        let customer = Arc::new(customer);
        self.by_ban.insert(customer.ban.as_str().to_owned(), Arc::clone(&customer));
        self.by_id.insert(customer.id, customer);
    }
}

/// Which customers of a list.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    /// Part of the BAN or the name, in any case.
    pub(crate) search: Option<&'a str>,
    pub(crate) status: Option<Status>,
    /// The BAN after which the page begins.
    pub(crate) after: Option<&'a str>,
}

impl Customers {
    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Customer>> {
        self.0.read().by_id.get(&id).cloned()
    }

    pub(crate) fn by_ban(&self, ban: &str) -> Option<Arc<Customer>> {
        self.0.read().by_ban.get(ban).cloned()
    }

    /// After a commit of this node.
    pub(crate) fn put(&self, customer: Customer) {
        self.0.write().take(customer);
    }

    /// What the database holds. Customers are never deleted.
    pub(crate) fn merge(&self, customers: Vec<Customer>) {
        let mut index = self.0.write();
        customers.into_iter().for_each(|customer| index.take(customer));
    }

    /// When the one was written that was written last.
    pub(crate) fn youngest(&self) -> Option<Timestamp> {
        self.0.read().youngest
    }

    /// Customers of a tenant in the order of their BANs, at most `limit`.
    pub(crate) fn page(&self, tenant: &Tenant, filter: &Filter<'_>, limit: usize) -> Vec<Arc<Customer>> {
        let index = self.0.read();
        let search = filter.search.map(str::to_lowercase);
        let from = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let fits = |customer: &&Arc<Customer>| {
            tenant.has(customer.id)
                && filter.status.is_none_or(|status| customer.status == status)
                && search.as_ref().is_none_or(|search| {
                    customer.company_name.to_lowercase().contains(search)
                        || customer.ban.as_str().to_lowercase().contains(search)
                })
        };
        let range = index.by_ban.range::<str, _>((from, Bound::Unbounded));
        range.map(|(_, customer)| customer).filter(fits).take(limit).cloned().collect()
    }
}
