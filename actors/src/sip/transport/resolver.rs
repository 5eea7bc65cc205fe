//! Names of next hops turned into addresses (RFC 3263), without anybody waiting.
//!
//! [`Resolver::get`] answers from memory. What is not known, or is about to be outdated, is looked up meanwhile
//! by a task, one for each name; [`Resolver::resolve`] waits for that, for those who may wait. An answer is kept
//! for its time to live within bounds. When a name server fails, the last good answer is served for as long as
//! [`Options::stale_max`] allows; an authoritative "there is none" is believed.

pub mod dns;
pub mod order;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use runtime::model::Transport;
use runtime::random::Random;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use self::order::{
    ADDRESSES_MAX, Destination, Naptr, Plan, SERVERS_MAX, Server, Service, Srv, Target, service_name,
};
use super::metrics::Metrics;

/// Bounds of what is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Names remembered; beyond that those not asked for lately are forgotten, and new ones fail.
    pub names_max: usize,
    /// An answer is kept at least so long, whatever it says.
    pub ttl_min: Duration,
    /// And at most so long.
    pub ttl_max: Duration,
    /// "There is none", and a failure, is kept so long.
    pub negative: Duration,
    /// A good answer is served so long past its time while no newer one can be had.
    pub stale_max: Duration,
    /// Time for all the questions of one name.
    pub deadline: Duration,
    /// Names looked up at the same time.
    pub lookups_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            names_max: 10_000,
            ttl_min: Duration::from_secs(5),
            ttl_max: Duration::from_secs(3_600),
            negative: Duration::from_secs(15),
            stale_max: Duration::from_secs(24 * 3_600),
            deadline: Duration::from_secs(10),
            lookups_max: 32,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such name or record.
    #[error("no such name")]
    Absent,
    /// No name server gave an answer.
    #[error("no answer from a name server")]
    Unavailable,
    /// More names than may be remembered.
    #[error("too many names")]
    TooMany,
}

/// Records, and how long they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// At least one.
    pub records: Vec<T>,
    /// Time to live.
    pub ttl: Duration,
}

/// What `Lookup` calls return.
pub type Asked<'a, T> = BoxFuture<'a, Result<Answer<T>, Failure>>;

/// Who answers questions: name servers in production, a table in tests.
pub trait Lookup: Send + Sync + 'static {
    /// NAPTR records of a name.
    fn naptr<'a>(&'a self, name: &'a str) -> Asked<'a, Naptr>;
    /// SRV records of a name.
    fn srv<'a>(&'a self, name: &'a str) -> Asked<'a, Srv>;
    /// A and AAAA records of a name.
    fn addresses<'a>(&'a self, name: &'a str) -> Asked<'a, std::net::IpAddr>;
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Where to try, best first; at least one.
    Destinations(Vec<Destination>),
    /// Nothing, for the reason given.
    Nothing(Failure),
    /// It is being looked up.
    Pending,
}

/// The names of a node. Clones share what they know.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    options: Options,
    lookup: Box<dyn Lookup>,
    runtime: Handle,
    random: Random,
    metrics: Metrics,
    names: Mutex<HashMap<Target, Entry>>,
    running: Semaphore,
}

struct Entry {
    /// The last good answer, and when it is outdated.
    good: Option<(Arc<[Service]>, Instant)>,
    /// Why there is none, or no newer one, and until when that is not asked again.
    failure: Option<(Failure, Instant)>,
    asked: Instant,
    /// A lookup is under way; it is dropped when that ends.
    pending: Option<watch::Receiver<()>>,
}

impl Resolver {
    /// Knows nothing yet; lookups run on `runtime`.
    #[must_use]
    pub fn new(
        options: Options,
        lookup: Box<dyn Lookup>,
        runtime: Handle,
        random: Random,
        metrics: Metrics,
    ) -> Self {
        let running = Semaphore::new(options.lookups_max);
        Self(Arc::new(Inner { options, lookup, runtime, random, metrics, names: Mutex::default(), running }))
    }

    /// What is known of the target now. Never waits.
    #[must_use]
    pub fn get(&self, target: &Target) -> Found {
        self.look(target).0
    }

    /// What is known of the target, once that is something.
    pub async fn resolve(&self, target: &Target) -> Found {
        loop {
            match self.look(target) {
                // It never changes: this waits for its end.
                (Found::Pending, Some(mut pending)) => while pending.changed().await.is_ok() {},
                (found, _) => return found,
            }
        }
    }

    fn look(&self, target: &Target) -> (Found, Option<watch::Receiver<()>>) {
        if let Plan::Known(destination) = target.plan() {
            return (Found::Destinations(vec![destination]), None);
        }
        let now = Instant::now();
        let mut names = self.0.names.lock();
        if !names.contains_key(target) && !self.make_room(&mut names, now) {
            self.count("busy");
            return (Found::Nothing(Failure::TooMany), None);
        }
        let entry = names.entry(target.clone()).or_insert_with(|| Entry {
            good: None,
            failure: None,
            asked: now,
            pending: None,
        });
        entry.asked = now;
        if entry.pending.is_none() && entry.is_due(now, &self.0.options) {
            entry.pending = Some(self.start(target));
        }
        let pending = entry.pending.clone();
        let (services, failure) = entry.known(now, &self.0.options);
        drop(names);
        let found = match (services, failure) {
            (Some(services), failure) => {
                if failure.is_some() {
                    self.0.metrics.stale.inc();
                }
                Found::Destinations(order::order(&services, |n| self.0.random.below(n)))
            }
            (None, Some(failure)) if pending.is_none() => Found::Nothing(failure),
            (None, _) => Found::Pending,
        };
        (found, pending)
    }

    /// Forgets names that were not asked for within the longest time to live, when there are too many.
    fn make_room(&self, names: &mut HashMap<Target, Entry>, now: Instant) -> bool {
        let Options { names_max, ttl_max, .. } = self.0.options;
        if names.len() >= names_max {
            names.retain(|_, entry| entry.pending.is_some() || now < entry.asked + ttl_max);
        }
        names.len() < names_max
    }

    fn start(&self, target: &Target) -> watch::Receiver<()> {
        let (done, pending) = watch::channel(());
        let (resolver, target) = (self.clone(), target.clone());
        self.0.runtime.spawn(async move {
            // However this ends, the entry is settled before those who wait look again.
            let mut settle = Settle { resolver, target, outcome: Err(Failure::Unavailable), _done: done };
            let inner = Arc::clone(&settle.resolver.0);
            let Ok(_turn) = inner.running.acquire().await else { return };
            let asked = discover(&*inner.lookup, &settle.target);
            settle.outcome =
                timeout(inner.options.deadline, asked).await.unwrap_or(Err(Failure::Unavailable));
        });
        pending
    }

    fn settle(&self, target: &Target, outcome: Result<Answer<Service>, Failure>) {
        let Options { ttl_min, ttl_max, negative, .. } = self.0.options;
        self.count(match outcome {
            Ok(_) => "found",
            Err(Failure::Absent) => "absent",
            Err(Failure::Unavailable | Failure::TooMany) => "failed",
        });
        let now = Instant::now();
        let mut names = self.0.names.lock();
        let Some(entry) = names.get_mut(target) else { return };
        entry.pending = None;
        match outcome {
            Ok(Answer { records, ttl }) => {
                entry.good = Some((records.into(), now + ttl.clamp(ttl_min, ttl_max)));
                entry.failure = None;
            }
            Err(failure) => {
                if failure == Failure::Absent {
                    entry.good = None;
                }
                entry.failure = Some((failure, now + negative));
            }
        }
    }

    fn count(&self, outcome: &str) {
        self.0.metrics.lookups.with_label_values(&[outcome]).inc();
    }
}

impl Entry {
    /// Whether to ask: nothing holds, or what holds is in the last tenth of the shortest time.
    fn is_due(&self, now: Instant, options: &Options) -> bool {
        if self.failure.is_some_and(|(_, until)| now < until) {
            return false;
        }
        self.good.as_ref().is_none_or(|(_, until)| now + options.ttl_min / 10 >= *until)
    }

    fn known(&self, now: Instant, options: &Options) -> (Option<Arc<[Service]>>, Option<Failure>) {
        let good = self.good.as_ref().filter(|(_, until)| now < *until + options.stale_max);
        let services = good.map(|(services, _)| Arc::clone(services));
        let outdated = good.is_none_or(|(_, until)| now >= *until);
        (services, self.failure.map(|(failure, _)| failure).filter(|_| outdated))
    }
}

/// Puts the outcome of a lookup where it belongs, also that of one that was cut off.
struct Settle {
    resolver: Resolver,
    target: Target,
    outcome: Result<Answer<Service>, Failure>,
    /// Dropped last: it wakes those who wait.
    _done: watch::Sender<()>,
}

impl Drop for Settle {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Err(Failure::Unavailable));
        self.resolver.settle(&self.target, outcome);
    }
}

/// Asks all that RFC 3263 asks. Without any service it is the name itself at its default port.
async fn discover(lookup: &dyn Lookup, target: &Target) -> Result<Answer<Service>, Failure> {
    let candidates = match target.plan() {
        Plan::Known(destination) => {
            let server = bare_server(destination.address.port(), vec![destination.address.ip()]);
            let service = Service { transport: destination.transport, servers: vec![server] };
            return Ok(Answer { records: vec![service], ttl: Duration::MAX });
        }
        Plan::Addresses(transport, port) => return at_port(lookup, target, (transport, port)).await,
        Plan::Service(transport) => vec![(transport, service_name(transport, &target.host))],
        Plan::Discover => candidates(lookup, target).await?,
    };
    let mut found = Answer { records: Vec::new(), ttl: Duration::MAX };
    let mut failure = Failure::Absent;
    for (transport, name) in candidates {
        match servers(lookup, &name).await {
            Ok(Answer { records, ttl }) => {
                found.records.push(Service { transport, servers: records });
                found.ttl = found.ttl.min(ttl);
            }
            Err(Failure::Absent) => {}
            Err(other) => failure = other,
        }
    }
    if !found.records.is_empty() {
        return Ok(found);
    }
    if failure != Failure::Absent {
        return Err(failure);
    }
    let transport = target.transport_or_default();
    at_port(lookup, target, (transport, order::default_port(transport))).await
}

async fn candidates(lookup: &dyn Lookup, target: &Target) -> Result<Vec<(Transport, String)>, Failure> {
    let known = match lookup.naptr(&target.host).await {
        Ok(answer) => order::services(answer.records, target.sips),
        Err(Failure::Absent) => Vec::new(),
        Err(failure) => return Err(failure),
    };
    if !known.is_empty() {
        return Ok(known);
    }
    Ok(target
        .transports()
        .iter()
        .map(|&transport| (transport, service_name(transport, &target.host)))
        .collect())
}

async fn at_port(
    lookup: &dyn Lookup,
    target: &Target,
    (transport, port): (Transport, u16),
) -> Result<Answer<Service>, Failure> {
    let Answer { mut records, ttl } = lookup.addresses(&target.host).await?;
    records.truncate(ADDRESSES_MAX);
    let service = Service { transport, servers: vec![bare_server(port, records)] };
    Ok(Answer { records: vec![service], ttl })
}

const fn bare_server(port: u16, addresses: Vec<std::net::IpAddr>) -> Server {
    Server { priority: 0, weight: 0, port, addresses }
}

/// The servers of a service that have an address. One without is passed over; all without is a failure, and an
/// unavailable one if any of them was that.
async fn servers(lookup: &dyn Lookup, name: &str) -> Result<Answer<Server>, Failure> {
    let Answer { mut records, mut ttl } = lookup.srv(name).await?;
    records.sort_by_key(|srv| srv.priority);
    let mut servers = Vec::new();
    let mut failure = Failure::Absent;
    for Srv { priority, weight, port, target } in records.into_iter().take(SERVERS_MAX) {
        // A lone dot says that the service is not to be had (RFC 2782).
        if target == "." {
            continue;
        }
        match lookup.addresses(&target).await {
            Ok(mut answer) => {
                answer.records.truncate(ADDRESSES_MAX);
                ttl = ttl.min(answer.ttl);
                servers.push(Server { priority, weight, port, addresses: answer.records });
            }
            Err(Failure::Absent) => {}
            Err(other) => failure = other,
        }
    }
    if servers.is_empty() { Err(failure) } else { Ok(Answer { records: servers, ttl }) }
}

#[cfg(test)]
mod tests;
