//! What is shared between all sessions of one ESME account.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec};
use runtime::model::{self, Customer, CustomerConfig, Messaging, Webhook};
use tokio::time::Instant;
use uuid::Uuid;

use super::outbox::Outbox;
use super::throttle::TokenBucket;

/// `deliver_sm` kept for a customer that has no configuration of its own.
const OUTBOX_MAX: u32 = 1_000_000;

/// An ESME account while the node runs; outlives changes of its configuration.
#[derive(Debug)]
pub struct Account {
    /// Primary key.
    pub id: Uuid,
    /// Configuration now.
    pub settings: ArcSwap<Settings>,
    /// Segments per second of this account.
    pub bucket: Mutex<TokenBucket>,
    /// Deliveries owed.
    pub outbox: Outbox,
    /// Sessions bound now.
    pub binds: AtomicU32,
    /// Messages accepted.
    pub submitted: AtomicU64,
    /// The same for the metrics, labelled with the customer.
    pub submit_sm: IntCounter,
    /// Raised when sessions must look at their settings again.
    pub changed: tokio::sync::watch::Sender<u64>,
}

/// An account with one bind taken, which is given back when this is dropped.
#[derive(Debug)]
pub struct BoundAccount(Arc<Account>);

impl BoundAccount {
    /// Takes a bind, unless the account has as many as it may.
    #[must_use]
    pub fn take(account: Arc<Account>) -> Option<Self> {
        account.try_bind().then(|| Self(account))
    }

    /// The account itself.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Account> {
        &self.0
    }

    /// Its system_id.
    #[must_use]
    pub fn system_id(&self) -> String {
        self.0.settings.load().account.system_id.to_string()
    }
}

impl std::ops::Deref for BoundAccount {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0
    }
}

impl Drop for BoundAccount {
    fn drop(&mut self) {
        self.0.binds.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Configuration of an account with that of its customer.
#[derive(Debug)]
pub struct Settings {
    /// The account.
    pub account: model::Account,
    /// Its customer.
    pub customer: Customer,
    /// Segments per second of the customer, over all its accounts.
    pub customer_bucket: Arc<Mutex<TokenBucket>>,
    /// `deliver_sm` kept for the account.
    pub outbox_max: u32,
    /// Where its deliveries are posted to, instead of to its sessions.
    pub webhook: Option<Arc<Webhook>>,
    /// The account is no longer in the configuration; only its sessions still know it.
    pub removed: bool,
}

impl Settings {
    /// True while binds are allowed and sessions stay.
    #[must_use]
    pub fn may_bind(&self) -> bool {
        !self.removed && self.account.active && self.customer.is_served()
    }
}

impl Account {
    fn try_bind(&self) -> bool {
        let binds_max = self.settings.load().account.binds_max;
        let taken = self.binds.fetch_update(Ordering::AcqRel, Ordering::Acquire, |binds| {
            (binds < binds_max).then_some(binds + 1)
        });
        taken.is_ok()
    }

    /// Tells the sessions that the account is gone.
    fn remove(&self) {
        let last = self.settings.load();
        self.settings.store(Arc::new(Settings {
            account: last.account.clone(),
            customer: last.customer.clone(),
            customer_bucket: Arc::clone(&last.customer_bucket),
            outbox_max: last.outbox_max,
            webhook: None,
            removed: true,
        }));
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// Takes segments from the account's and the customer's rate, both or none.
    pub fn take(&self, settings: &Settings, segments: u32, now: Instant) -> bool {
        let mut customer = settings.customer_bucket.lock();
        let mut account = self.bucket.lock();
        let before = customer.clone();
        if !customer.take(segments, now) {
            return false;
        }
        if account.take(segments, now) {
            return true;
        }
        *customer = before;
        false
    }
}

/// All accounts, by id, by system_id and by customer.
#[derive(Debug, Default)]
pub struct Accounts {
    by_id: HashMap<Uuid, Arc<Account>>,
    by_system_id: HashMap<String, Arc<Account>>,
    by_customer: HashMap<Uuid, Vec<Arc<Account>>>,
    customer_buckets: HashMap<Uuid, Arc<Mutex<TokenBucket>>>,
}

impl Accounts {
    /// The accounts of a configuration; those known before keep their sessions, rates and outboxes.
    #[must_use]
    pub fn updated(&self, config: &Messaging, submit_sm: &IntCounterVec, now: Instant) -> Self {
        let mut next = Self::default();
        let webhooks: HashMap<Uuid, &Webhook> =
            config.webhooks.iter().map(|one| (one.account, one)).collect();
        for customer in &config.customers {
            let limits = config.customer_configs.iter().find(|limits| limits.customer == customer.id);
            let rate = limits.map_or(0, |limits| limits.throughput);
            let bucket = self.customer_buckets.get(&customer.id).cloned();
            let bucket = bucket.unwrap_or_else(|| Arc::new(Mutex::new(TokenBucket::new(rate, now))));
            bucket.lock().set_rate(f64::from(rate), now);
            next.customer_buckets.insert(customer.id, Arc::clone(&bucket));
            for account in config.accounts.iter().filter(|account| account.customer == customer.id) {
                let settings = Settings {
                    account: account.clone(),
                    customer: customer.clone(),
                    customer_bucket: Arc::clone(&bucket),
                    outbox_max: limits.map_or(OUTBOX_MAX, |limits: &CustomerConfig| limits.outbox_max),
                    webhook: webhooks.get(&account.id).map(|one| Arc::new((*one).clone())),
                    removed: false,
                };
                next.insert(self.by_id.get(&account.id), settings, submit_sm, now);
            }
        }
        for (id, account) in &self.by_id {
            if !next.by_id.contains_key(id) {
                account.remove();
            }
        }
        next
    }

    fn insert(
        &mut self,
        known: Option<&Arc<Account>>,
        settings: Settings,
        submit_sm: &IntCounterVec,
        now: Instant,
    ) {
        let system_id = settings.account.system_id.to_string();
        let (id, customer) = (settings.account.id, settings.customer.id);
        let account = match known {
            Some(account) => {
                account.bucket.lock().set_rate(f64::from(settings.account.throughput), now);
                account.settings.store(Arc::new(settings));
                account.changed.send_modify(|generation| *generation += 1);
                Arc::clone(account)
            }
            None => Arc::new(Account {
                id,
                submit_sm: submit_sm.with_label_values(&[settings.customer.ban.as_str()]),
                bucket: Mutex::new(TokenBucket::new(settings.account.throughput, now)),
                settings: ArcSwap::from_pointee(settings),
                outbox: Outbox::default(),
                binds: AtomicU32::new(0),
                submitted: AtomicU64::new(0),
                changed: tokio::sync::watch::Sender::new(0),
            }),
        };
        self.by_id.insert(id, Arc::clone(&account));
        self.by_customer.entry(customer).or_default().push(Arc::clone(&account));
        self.by_system_id.insert(system_id, account);
    }

    /// An account by its key.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Arc<Account>> {
        self.by_id.get(&id)
    }

    /// An account by the name it binds with.
    #[must_use]
    pub fn by_system_id(&self, system_id: &str) -> Option<&Arc<Account>> {
        self.by_system_id.get(system_id)
    }

    /// The accounts of a customer.
    #[must_use]
    pub fn of_customer(&self, customer: Uuid) -> &[Arc<Account>] {
        self.by_customer.get(&customer).map_or(&[], Vec::as_slice)
    }

    /// Every account.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.by_id.values()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;
    use crate::smpp::testing;

    #[test]
    fn the_sessions_of_an_account_that_is_gone_are_told() {
        let labels = IntCounterVec::new(Opts::new("submit", "submit"), &["customer_id"]).unwrap();
        let config = testing::config();
        let accounts = Accounts::default().updated(&config, &labels, Instant::now());
        let account = Arc::clone(accounts.by_system_id("acme").unwrap());
        let mut session = account.changed.subscribe();
        assert!(account.settings.load().may_bind());

        for gone in [
            Messaging { accounts: Vec::new(), ..config.clone() },
            Messaging { customers: Vec::new(), ..config.clone() },
        ] {
            let accounts = Accounts::default().updated(&config, &labels, Instant::now());
            let account = Arc::clone(accounts.by_system_id("acme").unwrap());
            let left = accounts.updated(&gone, &labels, Instant::now());
            assert!(left.by_system_id("acme").is_none());
            assert!(!account.settings.load().may_bind());
        }
        let _left = accounts.updated(&Messaging { accounts: Vec::new(), ..config }, &labels, Instant::now());
        assert!(session.has_changed().unwrap());
        session.mark_unchanged();
    }
}
