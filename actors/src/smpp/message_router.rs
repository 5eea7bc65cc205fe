//! Configuration into effect: accounts, routes and vendors, swapped whole when they change.
//!
//! Owns: the snapshots that every message is routed by, and which vendor binds run. Its key is
//! `message_router:main:0`, its parent the `smpp` supervisor, its restart policy permanent. A crash loses
//! nothing: the snapshots stay, and the next incarnation reads the configuration again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::model::{self, Messaging};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::seal::RootKey;
use runtime::store::{Db, Error, messaging};
use runtime::supervision::{
    ChildSpec, Intensity, Restart, Seat, Start, Strategy, SupervisorHandle, SupervisorSpec,
};
use tokio::time::{Instant, sleep};

use super::Smpp;
use super::routing::Table;
use super::vendor::{Vendor, Vendors};
use super::vendor_bind;

/// A bind that fails for a bug is restarted; so often within this time is too often.
const BINDS_INTENSITY: Intensity = Intensity { restarts: 100, within: Duration::from_secs(10) };

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
            Self::Store { db, .. } => messaging::version(db).await,
            Self::Given(config) => Ok(config.load().version),
        }
    }

    /// Everything, at one version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<Messaging, Error> {
        match self {
            Self::Store { db, root_key, .. } => messaging::load(db, root_key).await,
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
}

/// The actor.
pub struct MessageRouter;

/// What the running router holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to the router: [`Smpp::config_changed`] wakes it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

#[derive(Default)]
struct Face {
    version: AtomicI64,
    reloads: AtomicU64,
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
    // Nothing is known of what the last incarnation had started; the supervisor knows.
    let mut running: HashMap<ActorName, model::Vendor> = HashMap::new();
    let mut in_force = None;
    loop {
        match options.source.version().await {
            Ok(version) if in_force == Some(version) => {}
            Ok(_) => match options.source.load().await {
                Ok(config) => {
                    in_force = Some(config.version);
                    face.version.store(config.version, Ordering::Relaxed);
                    face.reloads.fetch_add(1, Ordering::Relaxed);
                    install(&options.smpp, config.clone());
                    run_binds(&options, &config, &mut running).await;
                    tracing::info!(version = config.version, "configuration in force");
                }
                Err(error) => tracing::warn!(%error, "configuration could not be read, the last one stays"),
            },
            Err(error) => tracing::debug!(%error, "configuration version could not be read"),
        }
        tokio::select! {
            () = sleep(options.source.poll()) => {}
            () = options.smpp.config_changed.notified() => {}
        }
    }
}

/// Swaps the snapshots.
pub fn install(smpp: &Smpp, config: Messaging) {
    let now = Instant::now();
    let accounts = smpp.accounts.load().updated(&config, &smpp.metrics.submit_sm, now);
    smpp.accounts.store(Arc::new(accounts));
    let dids = config.dids.iter().filter_map(|did| Some((did.number.clone(), did.account?)));
    smpp.dids.store(Arc::new(dids.collect()));
    let known = smpp.vendors.load();
    let vendors: Vendors = config.vendors.iter().map(|wanted| (wanted.id, vendor(&known, wanted))).collect();
    smpp.vendors.store(Arc::new(vendors));
    smpp.routes.store(Arc::new(Table::new(&config)));
    smpp.config.store(Arc::new(config));
    for vendor in smpp.vendors.load().values() {
        vendor.wake();
    }
}

fn vendor(known: &Vendors, wanted: &model::Vendor) -> Arc<Vendor> {
    match known.get(&wanted.id) {
        Some(vendor) => {
            vendor.config.store(Arc::new(wanted.clone()));
            Arc::clone(vendor)
        }
        None => Vendor::new(wanted.clone()),
    }
}

/// Starts, stops and restarts the binds of vendors that are new, gone or changed.
async fn run_binds(options: &Options, config: &Messaging, running: &mut HashMap<ActorName, model::Vendor>) {
    let started = options.vendors.children().await;
    let wanted: HashMap<ActorName, &model::Vendor> = config
        .vendors
        .iter()
        .filter(|vendor| vendor.active)
        .map(|vendor| (binds_name(&vendor.instance_name), vendor))
        .collect();
    for name in &started {
        let stays = wanted
            .get(name)
            .is_some_and(|wanted| running.get(name).is_some_and(|now| same_connection(now, wanted)));
        if !stays {
            if let Err(error) = options.vendors.remove(name).await {
                tracing::warn!(%name, %error, "binds could not be stopped");
            }
            running.remove(name);
        }
    }
    for (name, vendor) in wanted {
        let runs = running.contains_key(&name);
        if runs || start_binds(options, vendor).await {
            running.insert(name, vendor.clone());
        }
    }
}

async fn start_binds(options: &Options, vendor: &model::Vendor) -> bool {
    let Some(shared) = options.smpp.vendor(vendor.id) else { return false };
    let added = options.vendors.add(binds_spec(&options.smpp, &shared)).await;
    if let Err(error) = &added {
        tracing::error!(vendor = vendor.instance_name, %error, "binds could not be started");
    }
    added.is_ok()
}

/// True when a change needs no new connection.
fn same_connection(now: &model::Vendor, wanted: &model::Vendor) -> bool {
    let connection = |vendor: &model::Vendor| {
        let name =
            (vendor.host.clone(), vendor.port, vendor.tls, vendor.tls_ca.clone(), vendor.system_id.clone());
        let how = (
            vendor.bind_type,
            vendor.binds,
            vendor.window,
            vendor.throughput_limit,
            vendor.system_type.clone(),
        );
        (name, how, vendor.password.expose().to_owned())
    };
    connection(now) == connection(wanted)
}

fn binds_name(instance: &str) -> ActorName {
    ActorName::new("vendor_binds", instance.to_owned())
}

/// The supervisor of one vendor's binds.
fn binds_spec(smpp: &Arc<Smpp>, vendor: &Arc<Vendor>) -> ChildSpec {
    let config = vendor.config.load();
    let supervisor =
        SupervisorSpec::new(binds_name(&config.instance_name), Strategy::OneForOne, BINDS_INTENSITY);
    let bind = |n| vendor_bind::Options { smpp: Arc::clone(smpp), vendor: Arc::clone(vendor), n };
    let supervisor =
        (0..config.binds).fold(supervisor, |spec, n| spec.child(vendor_bind::child_spec(bind(n))));
    supervisor.into_child(Restart::Permanent, smpp.options.unbind.get() + Duration::from_secs(2))
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
