//! The supervision tree of the SMPP side, and its start and stop.
//!
//! `smpp` is rest-for-one: children start in the order below and stop in reverse. Listeners start last and
//! stop first, so that draining needs no other rule.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::clock::SharedClock;
use runtime::config::Config;
use runtime::log::{Counts, MessageLog};
use runtime::net::Net;
use runtime::random::Random;
use runtime::registry::{ActorName, Registry};
use runtime::store::announce::Announcements;
use runtime::supervision::{
    Intensity, Restart, ShardedSupervisor, Strategy, Supervisor, SupervisorHandle, SupervisorSpec,
};
use runtime::tls::ServerTls;
use tokio::sync::watch;

use super::message_router::{Senders, Source};
use super::metrics::Metrics;
use super::{
    INTENSITY, Parts, Smpp, dlr_tracker, listener, message_log, message_router, outbox_loader, recovery,
    retention, webhook,
};

/// Supervisors that share the sessions.
const SESSION_SHARDS: u32 = 4;
const SHARDS_INTENSITY: Intensity = Intensity { restarts: 1000, within: Duration::from_secs(10) };
/// Listeners listen as soon as messages in doubt are decided on.
const LISTEN_WITHIN: Duration = Duration::from_secs(5);
const SUPERVISOR_SHUTDOWN: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the tree is built from.
pub struct Options {
    /// Configuration of the node.
    pub config: Config,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Names and the live tree.
    pub registry: Registry,
    /// Metrics of the node.
    pub metrics: runtime::telemetry::metrics::Metrics,
    /// Where customers, vendors and routes come from.
    pub source: Source,
    /// The message log.
    pub log: MessageLog,
    /// Say that customers, vendors or routes have changed.
    pub announcements: Announcements,
    /// Certificate of the TLS listeners.
    pub tls: Option<Arc<ServerTls>>,
}

/// A running tree.
pub struct Started {
    /// What its actors share.
    pub smpp: Arc<Smpp>,
    /// Plain listeners.
    pub smpp_addresses: Vec<SocketAddr>,
    /// TLS listeners.
    pub smpp_tls_addresses: Vec<SocketAddr>,
    /// The top of the tree.
    pub supervisor: SupervisorHandle,
    /// What the last run had left.
    pub found: Counts,
}

/// Starts everything; returns when messages in doubt are decided and the listeners listen.
///
/// # Errors
/// When the configuration or the log cannot be read, or an address cannot be listened on.
pub async fn start(options: Options) -> Result<Started, BoxError> {
    let smpp = Smpp::new(Parts {
        options: options.config.smpp.clone(),
        node: options.config.node.id,
        clock: options.clock.clone(),
        random: options.random.clone(),
        net: Arc::clone(&options.net),
        registry: options.registry.clone(),
        log: options.log.clone(),
        metrics: Metrics::new(&options.metrics),
        announcements: options.announcements.clone(),
    });
    // Recovery needs accounts and vendors; the router reads them again and follows them from there.
    message_router::install(&smpp, options.source.load().await?);
    probe(&options).await?;
    let doors = doors(&smpp, &options);
    let spec = spec(&smpp, &options, &doors)?;
    let supervisor = Supervisor::spawn(spec, &options.registry).await?;
    let found = match recovery::recover(&smpp).await {
        Ok(found) => found,
        Err(error) => {
            supervisor.stop().await;
            return Err(error.into());
        }
    };
    match bound(doors).await {
        Ok((smpp_addresses, smpp_tls_addresses)) => {
            Ok(Started { smpp, smpp_addresses, smpp_tls_addresses, supervisor, found })
        }
        Err(error) => {
            supervisor.stop().await;
            Err(error)
        }
    }
}

/// The children in the order of start.
fn spec(smpp: &Arc<Smpp>, options: &Options, doors: &[Door]) -> Result<SupervisorSpec, BoxError> {
    let vendors_name = ActorName::new("vendors", "smpp");
    let vendors = SupervisorSpec::new(vendors_name.clone(), Strategy::OneForOne, INTENSITY);
    let webhooks_name = ActorName::new("webhooks", "smpp");
    let webhooks = SupervisorSpec::new(webhooks_name.clone(), Strategy::OneForOne, INTENSITY);
    let senders = Senders {
        supervisor: options.registry.supervisor(webhooks_name),
        client: webhook::client(&options.config.webhooks)?,
        running: Arc::default(),
    };
    let router = message_router::Options {
        smpp: Arc::clone(smpp),
        source: options.source.clone(),
        vendors: options.registry.supervisor(vendors_name),
        running: Arc::default(),
        senders,
    };
    let spec = SupervisorSpec::new(ActorName::new("smpp", "main"), Strategy::RestForOne, INTENSITY)
        .child(log(smpp, options).into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(vendors.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(webhooks.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(message_router::child_spec(router))
        .child(sessions_spec().into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(listeners(doors).into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN));
    Ok(spec)
}

/// Who reads and writes the message log. What they hold outlives them, so that none concerns another; all
/// together are the ground that the rest stands on.
fn log(smpp: &Arc<Smpp>, options: &Options) -> SupervisorSpec {
    let retention = retention::Options { smpp: Arc::clone(smpp), log: options.config.log.clone() };
    SupervisorSpec::new(ActorName::new("log", "smpp"), Strategy::OneForOne, INTENSITY)
        .child(message_log::child_spec(Arc::clone(smpp)))
        .child(recovery::child_spec(Arc::clone(smpp)))
        .child(dlr_tracker::child_spec(Arc::clone(smpp)))
        .child(outbox_loader::child_spec(Arc::clone(smpp)))
        .child(retention::child_spec(retention))
}

/// A listener, and where it tells its address.
struct Door {
    options: listener::Options,
    bound: watch::Receiver<Option<SocketAddr>>,
}

fn doors(smpp: &Arc<Smpp>, options: &Options) -> Vec<Door> {
    let plain = options.config.smpp.listen.iter().map(|address| (*address, None));
    let tls = options.config.smpp.tls_listen.iter().map(|address| (*address, options.tls.clone()));
    let door = |(n, (address, tls))| {
        let (sender, bound) = watch::channel(None);
        let sessions = sessions(&options.registry);
        let smpp = Arc::clone(smpp);
        Door { options: listener::Options { smpp, address, n, tls, sessions, bound: sender }, bound }
    };
    (0..).zip(plain.chain(tls)).map(door).collect()
}

fn listeners(doors: &[Door]) -> SupervisorSpec {
    let supervisor = SupervisorSpec::new(ActorName::new("listeners", "smpp"), Strategy::OneForOne, INTENSITY);
    doors.iter().fold(supervisor, |spec, door| spec.child(listener::child_spec(door.options.clone())))
}

/// A port that is taken is said at once; later, the supervisor would try again and again.
async fn probe(options: &Options) -> Result<(), BoxError> {
    for address in options.config.smpp.listen.iter().chain(&options.config.smpp.tls_listen) {
        let socket = options.net.listen(*address).await;
        drop(socket.map_err(|error| format!("cannot listen on {address}: {error}"))?);
    }
    Ok(())
}

/// Waits until every listener listens.
async fn bound(doors: Vec<Door>) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), BoxError> {
    let mut addresses = (Vec::new(), Vec::new());
    for mut door in doors {
        let told = tokio::time::timeout(LISTEN_WITHIN, door.bound.wait_for(Option::is_some)).await;
        let address = told.ok().and_then(Result::ok).and_then(|address| *address);
        let address = address.ok_or_else(|| format!("cannot listen on {}", door.options.address))?;
        if door.options.tls.is_some() { addresses.1.push(address) } else { addresses.0.push(address) }
    }
    Ok(addresses)
}

/// Where customers' sessions live.
pub(super) fn sessions(registry: &Registry) -> ShardedSupervisor {
    ShardedSupervisor::handle(registry, sessions_name(), SESSION_SHARDS)
}

/// The supervisors of sessions.
pub(super) fn sessions_spec() -> SupervisorSpec {
    ShardedSupervisor::spec(sessions_name(), SESSION_SHARDS, SHARDS_INTENSITY, SUPERVISOR_SHUTDOWN)
}

fn sessions_name() -> ActorName {
    ActorName::new("sessions", "smpp")
}

impl Started {
    /// Stops taking new work, finishes what is under way, and stops, within the time given or at its end.
    pub async fn drain(self, within: Duration) {
        self.smpp.draining.store(true, Ordering::Release);
        if tokio::time::timeout(within, self.supervisor.stop()).await.is_err() {
            tracing::warn!("the SMPP side did not finish in time");
        }
    }
}
