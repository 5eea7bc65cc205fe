//! Configuration into effect: accounts, routes and vendors, swapped whole when they change.
//!
//! Owns: the snapshots that every message is routed by, and which vendor binds run. Its key is
//! `message_router:main:0`, its parent the `smpp` supervisor, its restart policy permanent. A crash loses
//! nothing: the snapshots and the binds stay, and the next incarnation reads the configuration again.

mod senders;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::model::{self, Messaging, Parts};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::seal::RootKey;
use runtime::store::announce::announced_or;
use runtime::store::{Db, Error, messaging, version};
use runtime::supervision::{ChildSpec, Restart, Seat, Start, Strategy, SupervisorHandle, SupervisorSpec};
use tokio::time::Instant;

pub use self::senders::Senders;
use super::metrics::Metrics;
use super::routing::Table;
use super::vendor::{Vendor, Vendors};
use super::vendor_bind;
use super::{INTENSITY, Smpp};

/// Where configuration comes from.
#[derive(Clone)]
pub enum Source {
    /// The database.
    Store {
        /// Configuration database.
        db: Db,
        /// Opens vendor passwords.
        root_key: Arc<RootKey>,
        /// How often the version is compared.
        poll: Duration,
    },
    /// A value that a simulation changes.
    Given(Arc<arc_swap::ArcSwap<Messaging>>),
}

impl Source {
    async fn version(&self) -> Result<i64, Error> {
        match self {
            Self::Store { db, .. } => version::version(db).await,
            Self::Given(config) => Ok(config.load().version),
        }
    }

    /// Everything, at one version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<Messaging, Error> {
        self.reload(Messaging::default()).await
    }

    /// Everything, at one version; what did not change since is taken from `known`.
    async fn reload(&self, known: Messaging) -> Result<Messaging, Error> {
        match self {
            Self::Store { db, root_key, .. } => messaging::reload(db, root_key, known).await,
            Self::Given(config) => Ok(Messaging::clone(&config.load())),
        }
    }

    const fn poll(&self) -> Duration {
        match self {
            Self::Store { poll, .. } => *poll,
            Self::Given(_) => Duration::from_millis(100),
        }
    }
}

/// What the router is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// Where configuration comes from.
    pub source: Source,
    /// The supervisor of the vendors' supervisors.
    pub vendors: SupervisorHandle,
    /// Binds that run, and with which configuration they were started. Outlives the router.
    pub running: Arc<Mutex<Running>>,
    /// Senders to webhooks.
    pub senders: Senders,
}

/// The configuration of every vendor whose binds run, by the name of their supervisor.
pub type Running = HashMap<ActorName, model::Vendor>;

/// The actor.
pub struct MessageRouter;

/// What the running router holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to the router: [`Smpp::announcements`] wakes it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

#[derive(Default)]
struct Face {
    version: AtomicI64,
    reloads: AtomicU64,
    /// True while the version cannot be read; said once.
    blind: AtomicBool,
}

impl Actor for MessageRouter {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let face = Arc::new(Face::default());
        let registration = seat.register(observe(&options.smpp, &face));
        seat.attach(myself.get_cell(), follow(options, face));
        Ok(State { _registration: registration })
    }
}

/// Follows the configuration for ever.
async fn follow(options: Options, face: Arc<Face>) -> Result<(), std::convert::Infallible> {
    let mut in_force = None;
    let mut announced = options.smpp.announcements.subscribe();
    loop {
        let version = options.source.version().await;
        if version.is_ok() && face.blind.swap(false, Ordering::Relaxed) {
            tracing::info!("the version of the configuration can be read again");
        }
        match version {
            Ok(version) if in_force == Some(version) => {}
            Ok(_) => match reload(&options, &face, in_force.is_some()).await {
                Ok(version) => in_force = version,
                Err(error) => tracing::warn!(%error, "configuration could not be read, the last one stays"),
            },
            Err(error) => {
                if !face.blind.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the version of the configuration cannot be read, changes do not arrive");
                }
            }
        }
        waiting::move_on(&options.smpp, Instant::now());
        announced_or(&mut announced, options.source.poll()).await;
    }
}

/// Brings what changed into force; gives its version, unless something of it is to be tried again at the next look.
async fn reload(options: &Options, face: &Face, is_in_force: bool) -> Result<Option<i64>, Error> {
    let smpp = &options.smpp;
    let known = smpp.config.load_full();
    let config = options.source.reload(Messaging::clone(&known)).await?;
    let version = config.version;
    face.version.store(version, Ordering::Relaxed);
    if is_in_force && is_same(&known, &config) {
        smpp.config.store(Arc::new(config));
        return Ok(Some(version));
    }
    face.reloads.fetch_add(1, Ordering::Relaxed);
    install(smpp, config.clone());
    let binds = run_binds(options, &config).await;
    let is_whole = options.senders.follow(smpp).await && binds;
    tracing::info!(version, "configuration in force");
    Ok(is_whole.then_some(version))
}

/// Whether nothing changed that messaging knows of: a customer's balance is no matter of it.
fn is_same(known: &Messaging, config: &Messaging) -> bool {
    let changed = config.parts.changed_since(&known.parts);
    Parts::CUSTOMERS.covers(changed) && config.customers == known.customers
}

/// Swaps the snapshots.
pub fn install(smpp: &Smpp, config: Messaging) {
    let known = smpp.vendors.load();
    let vendors: Vendors =
        config.vendors.iter().map(|wanted| (wanted.id, vendor(&known, wanted, &smpp.metrics))).collect();
    let gone: Vec<Arc<Vendor>> =
        known.values().filter(|vendor| !vendors.contains_key(&vendor.id)).cloned().collect();
    smpp.vendors.store(Arc::new(vendors));
    smpp.routes.store(Arc::new(Table::new(&config)));
    // Behind the routes: an account that is new finds its own. And before the numbers that lead to it.
    let accounts = smpp.accounts.load().updated(&config, &smpp.metrics.submit_sm, Instant::now());
    smpp.accounts.store(Arc::new(accounts));
    let dids = config.dids.iter().filter_map(|did| Some((did.number.clone(), did.account?)));
    smpp.dids.store(Arc::new(dids.collect()));
    smpp.config.store(Arc::new(config));
    smpp.gone.lock().extend(gone);
    for vendor in smpp.vendors.load().values() {
        vendor.wake();
    }
}

fn vendor(known: &Vendors, wanted: &model::Vendor, metrics: &Metrics) -> Arc<Vendor> {
    match known.get(&wanted.id) {
        Some(vendor) => {
            vendor.config.store(Arc::new(wanted.clone()));
            Arc::clone(vendor)
        }
        None => Vendor::new(wanted.clone(), metrics),
    }
}

/// Starts, stops and restarts the binds of vendors that are new, gone or changed. A vendor that does not
/// unbind keeps no other waiting.
async fn run_binds(options: &Options, config: &Messaging) -> bool {
    let started = options.vendors.children().await;
    let wanted: HashMap<ActorName, &model::Vendor> = config
        .vendors
        .iter()
        .filter(|vendor| vendor.active)
        .map(|vendor| (binds_name(&vendor.instance_name), vendor))
        .collect();
    let stays = |name: &ActorName| {
        let wanted = wanted.get(name);
        wanted.is_some_and(|wanted| {
            options.running.lock().get(name).is_some_and(|now| same_connection(now, wanted))
        })
    };
    let (kept, left): (HashSet<ActorName>, Vec<ActorName>) = {
        let (kept, left): (Vec<_>, Vec<_>) = started.into_iter().partition(stays);
        (kept.into_iter().collect(), left)
    };
    let changes = left.iter().map(|name| stop_binds(options, name, wanted.get(name).copied()));
    let new = wanted.iter().filter(|(name, _)| !kept.contains(*name) && !left.contains(name));
    let added = new.map(|(name, vendor)| start_binds(options, name, vendor));
    let (changed, added) = tokio::join!(join_all(changes), join_all(added));
    changed.into_iter().chain(added).all(|started| started)
}

/// Stops a vendor's binds, and starts them again when the vendor is still wanted.
async fn stop_binds(options: &Options, name: &ActorName, wanted: Option<&model::Vendor>) -> bool {
    if let Err(error) = options.vendors.remove(name).await {
        tracing::warn!(%name, %error, "binds could not be stopped");
    }
    options.running.lock().remove(name);
    match wanted {
        Some(vendor) => start_binds(options, name, vendor).await,
        None => true,
    }
}

async fn start_binds(options: &Options, name: &ActorName, vendor: &model::Vendor) -> bool {
    let Some(shared) = options.smpp.vendor(vendor.id) else { return false };
    // Noted first: a router that dies on the way leaves binds that its successor knows.
    options.running.lock().insert(name.clone(), vendor.clone());
    let added = options.vendors.add(binds_spec(&options.smpp, &shared)).await;
    if let Err(error) = &added {
        tracing::error!(vendor = vendor.instance_name, %error, "binds could not be started");
        options.running.lock().remove(name);
    }
    added.is_ok()
}

/// True when a change needs no new connection. One that was deleted and made again under its name is another vendor:
/// the binds of the first would send nothing of the second's.
fn same_connection(now: &model::Vendor, wanted: &model::Vendor) -> bool {
    let connection = |vendor: &model::Vendor| {
        let place = (vendor.host.clone(), vendor.port, vendor.tls, vendor.tls_ca.clone());
        let how = (
            vendor.bind_type,
            vendor.binds,
            vendor.window,
            vendor.throughput_limit,
            vendor.system_type.clone(),
        );
        (vendor.id, place, how, (vendor.system_id.clone(), vendor.password.expose().to_owned()))
    };
    connection(now) == connection(wanted)
}

fn binds_name(instance: &str) -> ActorName {
    ActorName::new("vendor_binds", instance.to_owned())
}

/// The supervisor of one vendor's binds.
fn binds_spec(smpp: &Arc<Smpp>, vendor: &Arc<Vendor>) -> ChildSpec {
    let config = vendor.config.load();
    let supervisor = SupervisorSpec::new(binds_name(&config.instance_name), Strategy::OneForOne, INTENSITY);
    let bind = |n| vendor_bind::Options { smpp: Arc::clone(smpp), vendor: Arc::clone(vendor), n };
    let supervisor =
        (0..config.binds).fold(supervisor, |spec, n| spec.child(vendor_bind::child_spec(bind(n))));
    supervisor.into_child(Restart::Permanent, smpp.options.unbind.get() * 2 + Duration::from_secs(2))
}

fn observe(smpp: &Arc<Smpp>, face: &Arc<Face>) -> Observe {
    let (smpp, face) = (Arc::clone(smpp), Arc::clone(face));
    Arc::new(move || {
        let config = smpp.config.load();
        let waiting: usize = smpp.vendors.load().values().map(|vendor| vendor.queue.lock().len()).sum();
        Observation {
            state: "following".into(),
            queue_depth: waiting as u64,
            counters: vec![
                ("version", face.version.load(Ordering::Relaxed).unsigned_abs()),
                ("reloads", face.reloads.load(Ordering::Relaxed)),
                ("routes", config.routes.len() as u64),
                ("vendors", config.vendors.len() as u64),
                ("accounts", config.accounts.len() as u64),
            ],
            note: None,
        }
    })
}

/// The router as a child of the `smpp` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(MessageRouter, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("message_router", "main"), Restart::Permanent, start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::routing::tests::vendor;

    #[test]
    fn binds_stay_while_they_are_the_same_vendor_s_and_its_connection_is_the_same() {
        let one = vendor(1);
        let renamed = |id| model::Vendor { instance_name: one.instance_name.clone(), ..vendor(id) };
        for (wanted, stays) in [
            (one.clone(), true),
            (model::Vendor { priority: 7, ..one.clone() }, true),
            (model::Vendor { port: 3601, ..one.clone() }, false),
            (renamed(2), false),
        ] {
            assert_eq!(same_connection(&one, &wanted), stays, "{wanted:?}");
        }
    }
}
