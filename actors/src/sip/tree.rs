//! The supervision tree of calls, and its start and stop.
//!
//! `sip` is rest-for-one: configuration first, then the dialogs and who starts them, then the workers, then the stream
//! listeners, then the registrar, who looks for calls of other nodes and who keeps NATs open, then who publishes their
//! sources and who learns of media nodes. They stop in reverse.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::clock::SharedClock;
use runtime::config::{Config, DigestAlgorithm, HumanDuration, SipOptions, UnknownSource};
use runtime::http_client::{self, HttpClient};
use runtime::log::MessageLog;
use runtime::model::Transport;
use runtime::net::Net;
use runtime::random::Random;
use runtime::registry::{ActorName, Registry};
use runtime::store::Db;
use runtime::store::cookie_key::CookieKey;
use runtime::supervision::{
    BoxError, ChildSpec, Intensity, Restart, ShardedSupervisor, Strategy, Supervisor, SupervisorHandle,
    SupervisorSpec,
};
use runtime::telemetry::metrics::Metrics as Registered;
use runtime::tls::{ClientTls, ServerTls};
use sip::Limits;
use sip::digest::Hash;
use sip::register::Rules;
use sip::transaction::TimerOptions;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::account::Accounts;
use super::acl_publisher;
use super::call_metrics::CallMetrics;
use super::calls::{self, Calls};
use super::configuration::{self, Source};
use super::cookie::{Keys, Secret};
use super::digest::Users;
use super::identities::{Identities, fetcher};
use super::live_call::LiveCall;
use super::names::Names;
use super::settings::{Listener, Settings};
use super::snapshot::Snapshot;
use super::transport::hep::{self, Mirror};
use super::transport::metrics::Metrics;
use super::transport::resolver::dns::Dns;
use super::transport::resolver::{self, Resolver};
use super::transport::stream::{self, Streams};
use super::transport::udp::{self, Bound};
use super::usage::Usage;
use super::{dialog_births, finder, keep_alive, metrics, registrar, worker_thread};
use crate::media::{self, discovery};

/// Supervisors that share the dialogs.
const DIALOG_SHARDS: u32 = 4;
const INTENSITY: Intensity = Intensity { restarts: 10, within: Duration::from_secs(10) };
const SHARDS_INTENSITY: Intensity = Intensity { restarts: 1000, within: Duration::from_secs(10) };
const SUPERVISOR_SHUTDOWN: Duration = Duration::from_secs(10);
const LISTEN_WITHIN: Duration = Duration::from_secs(5);
/// Copies that may wait for the collector.
const MIRROR_QUEUE: usize = 10_000;
/// How often a draining node looks whether calls are left.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long vendors have to take back our registrations when the node stops.
const UNREGISTER_WITHIN: Duration = Duration::from_secs(2);

/// What the tree is built from.
pub struct Options {
    /// Configuration of the node.
    pub config: Config,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
    /// The network of streams.
    pub net: Arc<dyn Net>,
    /// Names and the live tree.
    pub registry: Registry,
    /// Metrics of the node.
    pub metrics: Registered,
    /// Where trunks, vendors and routes come from.
    pub source: Source,
    /// The log.
    pub log: MessageLog,
    /// Keys that seal and open cookies, the youngest first.
    pub cookie_keys: Vec<CookieKey>,
    /// Certificate of the TLS listeners.
    pub tls: Option<ServerTls>,
}

/// A running tree.
pub struct Started {
    /// What its actors share.
    pub calls: Arc<Calls>,
    /// Where it listens, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// Calls of the last run that were found.
    pub recovered: usize,
    /// The top of the tree.
    pub supervisor: SupervisorHandle,
    streams: Streams,
}

/// Starts everything; returns when the listeners listen. The committer of the log must run.
///
/// # Errors
/// When the configuration or the log cannot be read, or an address cannot be listened on.
pub async fn start(options: Options) -> Result<Started, BoxError> {
    let workers = workers(&options.config.sip);
    let sockets = sockets(&options.config.sip, workers)?;
    let voice = options.source.load().await?;
    let digests = Users::open(&voice, &options.source.root_key);
    let accounts = Accounts::open(&voice, &options.source.root_key);
    let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), Instant::now().into_std());
    let snapshot = snapshot.with_digests(digests).with_accounts(&accounts);
    let settings = settings(&options, &sockets)?;
    let calls = Calls::new(calls::Parts {
        settings,
        snapshot,
        metrics: CallMetrics::new(&options.metrics),
        log: options.log.clone(),
        registry: options.registry.clone(),
        clock: Arc::clone(&options.clock),
        random: options.random.clone(),
    });
    calls.media.configure(&calls.snapshot.load().media_nodes, Instant::now().into_std());
    metrics::register(&options.metrics, &calls)?;
    let transport_metrics = Metrics::new(&options.metrics);
    let (deliver, fail) = (Arc::clone(&calls), Arc::clone(&calls));
    let streams = stream::Options {
        net: Arc::clone(&options.net),
        client_tls: Some(client_tls(&options.config.sip)?),
        limits: stream_limits(&options.config.sip),
        deliver: Arc::new(move |inbound| deliver.deliver(inbound)),
        fail: Arc::new(move |undelivered| fail.undelivered(undelivered)),
        metrics: transport_metrics.clone(),
    };
    let streams = Streams::new(streams, tokio::runtime::Handle::current());
    calls.carry_streams(streams.clone());
    let (doors, bound) = doors(&options, &streams);
    let names = names(&options, &transport_metrics)?;
    let mirror = mirror(&options, &transport_metrics).await?;
    let mirror = mirror.map(|(mirror, child)| {
        calls.mirror_to(mirror);
        child
    });
    let of_redis = of_redis(&options, &calls)?;
    let spec = spec(&options, &calls, (&sockets, &transport_metrics), (doors, names, mirror, of_redis));
    let spec = certificates(&calls)?.into_iter().fold(spec, SupervisorSpec::child);
    // Before anything can come in for them.
    let recovered = recover(&calls).await?;
    calls.registrar.read(&options.source.db, calls.now()).await?;
    let supervisor = Supervisor::spawn(spec, &options.registry).await?;
    let mut addresses: Vec<(usize, SocketAddr)> =
        sockets.iter().map(|group| (group.listener, group.address)).collect();
    for (listener, mut bound) in bound {
        let told = tokio::time::timeout(LISTEN_WITHIN, bound.wait_for(Option::is_some)).await;
        let Some(address) = told.ok().and_then(Result::ok).and_then(|address| *address) else {
            supervisor.stop().await;
            return Err(format!("sip.listen: cannot listen on number {}", listener + 1).into());
        };
        addresses.push((listener, address));
    }
    addresses.sort_unstable();
    let addresses = addresses.into_iter().map(|(_, address)| address).collect();
    Ok(Started { calls, addresses, recovered, supervisor, streams })
}

impl Started {
    /// Takes no new calls, waits for those that are up, within the time given, and stops. What is up then goes on
    /// without us: its record is in the log, and the next process serves it.
    pub async fn drain(self, within: Duration) {
        self.calls.draining.store(true, Ordering::Release);
        let empty = async {
            // A worker in the middle of a turn may still take a call.
            tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            while self.calls.live() > 0 {
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            }
        };
        // Calls to our numbers are to find another node. A registrar that is silent is not waited for.
        let registered = async {
            while self.calls.unregister() > 0 {
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
            }
        };
        let unregistered = tokio::time::timeout(within.min(UNREGISTER_WITHIN), registered);
        let _ = tokio::join!(tokio::time::timeout(within, empty), unregistered);
        self.streams.shut_down();
        self.supervisor.stop().await;
        self.calls.settle();
        self.calls.log.barrier().await;
    }
}

fn workers(options: &SipOptions) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if options.workers == 0 { cores().div_ceil(2) } else { options.workers.into() };
    workers.min(usize::from(u8::MAX))
}

/// The sockets of one UDP listener, one for each worker.
struct Sockets {
    listener: usize,
    address: SocketAddr,
    bound: Vec<Arc<Bound>>,
}

fn sockets(options: &SipOptions, workers: usize) -> Result<Vec<Sockets>, udp::Error> {
    let udp = options.listen.iter().enumerate().filter(|(_, listener)| listener.transport == Transport::Udp);
    let open = |(listener, configured): (usize, &runtime::config::SipListener)| {
        let first = Bound::open(&udp::Options::new(configured.address))?;
        let address = first.address();
        let others = (1..workers).map(|_| Bound::open(&udp::Options::new(address)));
        let bound = std::iter::once(Ok(first)).chain(others);
        let bound = bound.map(|bound| bound.map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Sockets { listener, address, bound })
    };
    udp.map(open).collect()
}

fn settings(options: &Options, sockets: &[Sockets]) -> Result<Settings, BoxError> {
    let sip = &options.config.sip;
    let keys = options.source.in_force(&options.cookie_keys, options.clock.now());
    let (sealing, other) = keys.ok_or("no key seals cookies")?;
    let youngest = options.cookie_keys.first().ok_or("no key seals cookies")?;
    let seed = Secret { number: youngest.number, key: youngest.key }.seed(options.config.node.id);
    let listener = |(place, configured): (usize, &runtime::config::SipListener)| {
        let bound = sockets.iter().find(|group| group.listener == place).map(|group| group.address);
        Listener::new(configured.transport, bound.unwrap_or(configured.address), &configured.advertise)
    };
    let listeners = sip.listen.iter().enumerate().map(listener).collect::<Result<_, _>>()?;
    let timers = TimerOptions {
        t1: sip.t1.get(),
        t2: sip.t2.get(),
        t4: sip.t4.get(),
        // The caller's retransmissions stop, and cost nothing.
        trying: Duration::ZERO,
        ..TimerOptions::default()
    };
    let per_worker = |all: u32| usize::try_from(all).unwrap_or(usize::MAX).div_ceil(workers(sip));
    Ok(Settings {
        node: options.config.node.id,
        listeners,
        timers,
        timer_c: sip.timer_c.get(),
        seed,
        workers: workers(sip),
        cookies: Keys::new(sealing, other),
        started_at: options.clock.now(),
        process: u32::try_from(options.random.u64() >> 32).unwrap_or_default(),
        answer_strangers: sip.unknown_source == UnknownSource::Reply,
        strangers_per_second: u32::try_from(per_worker(sip.unknown_source_per_s)).unwrap_or(u32::MAX),
        digests: sip.digest_algorithms.iter().copied().map(hash).collect(),
        transactions_max: per_worker(sip.transactions_max),
        call_max: sip.call_hard_max_duration.get(),
        shared: matches!(options.source.db, Db::Pg(_)),
        dead_call_probe: sip.dead_call_probe.get(),
        media_leftovers: sip.media_leftovers.get(),
        session_timers: sip.session_timers,
        toll_fraud_factor: sip.toll_fraud_factor,
        dialogs_max: per_worker(sip.dialogs_max),
        queue_age_max: sip.queue_age_max.get(),
        flood_per_source: sip.flood_per_source_per_s,
        registrations: rules(sip),
        limits: Limits { message: usize::try_from(sip.message_octets_max)?, ..Limits::default() },
        identities: Arc::new(Identities::open(&options.config.stir)?),
    })
}

const fn hash(algorithm: DigestAlgorithm) -> Hash {
    match algorithm {
        DigestAlgorithm::Sha512Trunc256 => Hash::Sha512Trunc256,
        DigestAlgorithm::Sha256 => Hash::Sha256,
        DigestAlgorithm::Md5 => Hash::Md5,
    }
}

fn rules(options: &SipOptions) -> Rules {
    let seconds = |duration: HumanDuration| u32::try_from(duration.get().as_secs()).unwrap_or(u32::MAX);
    Rules {
        expires_min: seconds(options.register_expires_min),
        expires_default: seconds(options.register_expires_default),
        expires_max: seconds(options.register_expires_max),
        bindings_max: usize::try_from(options.register_contacts_max).unwrap_or(usize::MAX),
    }
}

fn stream_limits(options: &SipOptions) -> stream::Limits {
    stream::Limits {
        connections_max: usize::try_from(options.stream_connections_max).unwrap_or(usize::MAX),
        per_peer_max: options.per_peer_connections_max,
        message: options.header_timeout.get(),
        idle: options.stream_idle.get(),
        ..stream::Limits::default()
    }
}

/// Whom we trust when we call by TLS: the public authorities, and those whose certificates peers must show to us.
fn client_tls(options: &SipOptions) -> Result<ClientTls, runtime::tls::Error> {
    let own = &options.tls_client_ca;
    ClientTls::new((!own.as_os_str().is_empty()).then_some(own))
}

type BoundTo = (usize, watch::Receiver<Option<SocketAddr>>);

fn doors(options: &Options, streams: &Streams) -> (Vec<stream::listener::Options>, Vec<BoundTo>) {
    let sip = &options.config.sip;
    let proxies: Arc<[_]> = sip.proxy_protocol_from.iter().copied().collect();
    let streamed = sip.listen.iter().enumerate().filter(|(_, listener)| listener.transport != Transport::Udp);
    let door = |(place, configured): (usize, &runtime::config::SipListener)| {
        let (sender, bound) = watch::channel(None);
        let options = stream::listener::Options {
            streams: streams.clone(),
            listener: u16::try_from(place).unwrap_or(u16::MAX),
            address: configured.address,
            tls: options.tls.clone().filter(|_| configured.transport == Transport::Tls),
            proxies: Arc::clone(&proxies),
            bound: sender,
        };
        (options, (place, bound))
    };
    streamed.map(door).unzip()
}

/// Towards others: who listens, who finds names, who tells a collector, who speaks with Redis.
type Outside = (Vec<stream::listener::Options>, Names, Option<ChildSpec>, Vec<ChildSpec>);

fn spec(
    options: &Options,
    calls: &Arc<Calls>,
    (sockets, metrics): (&[Sockets], &Metrics),
    (doors, names, mirror, of_redis): Outside,
) -> SupervisorSpec {
    let vendors_name = ActorName::new("vendors", "sip");
    let vendors = SupervisorSpec::new(vendors_name.clone(), Strategy::OneForOne, INTENSITY);
    let vendor_supervisor = options.registry.supervisor(vendors_name);
    let media_name = ActorName::new("media", "sip");
    let media = SupervisorSpec::new(media_name.clone(), Strategy::OneForOne, INTENSITY);
    let kept = configuration::Kept {
        vendors: vendor_supervisor,
        media: options.registry.supervisor(media_name),
        media_metrics: media::metrics::Metrics::new(&options.metrics),
        media_sweep: options.config.sip.media_sweep.get(),
    };
    let dialogs_name = ActorName::new("dialogs", "sip");
    let dialogs =
        ShardedSupervisor::spec(dialogs_name.clone(), DIALOG_SHARDS, SHARDS_INTENSITY, SUPERVISOR_SHUTDOWN);
    let handle = ShardedSupervisor::handle(&options.registry, dialogs_name, DIALOG_SHARDS);
    let media_metrics = media::metrics::Metrics::new(&options.metrics);
    let mut workers = SupervisorSpec::new(ActorName::new("workers", "sip"), Strategy::OneForOne, INTENSITY);
    for worker in 0..calls.workers() {
        let own = sockets.iter().filter_map(|group| {
            let listener = u16::try_from(group.listener).ok()?;
            Some((listener, Arc::clone(group.bound.get(worker)?)))
        });
        workers = workers.child(worker_thread::child_spec(worker_thread::Options {
            calls: Arc::clone(calls),
            worker: u8::try_from(worker).unwrap_or(u8::MAX),
            sockets: own.collect(),
            metrics: metrics.clone(),
            media_metrics: media_metrics.clone(),
        }));
    }
    let listeners = SupervisorSpec::new(ActorName::new("listeners", "sip"), Strategy::OneForOne, INTENSITY);
    let listeners =
        doors.into_iter().fold(listeners, |spec, door| spec.child(stream::listener::child_spec(door)));
    let sip = SupervisorSpec::new(ActorName::new("sip", "main"), Strategy::RestForOne, INTENSITY);
    let sip = mirror
        .into_iter()
        .fold(sip, SupervisorSpec::child)
        .child(vendors.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(media.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(configuration::child_spec(Arc::clone(calls), options.source.clone(), names, kept))
        .child(dialogs.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(dialog_births::child_spec(Arc::clone(calls), handle))
        .child(workers.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN))
        .child(listeners.into_child(Restart::Permanent, SUPERVISOR_SHUTDOWN));
    // Behind all that calls need, so that they take nobody along.
    let Source { db, poll, .. } = &options.source;
    let sip = sip.child(registrar::child_spec(Arc::clone(calls), db.clone(), *poll));
    let sip = sip.child(finder::child_spec(Arc::clone(calls)));
    let every = Some(options.config.sip.register_keep_alive.get()).filter(|every| !every.is_zero());
    let keeps = every.map(|every| keep_alive::child_spec(Arc::clone(calls), every));
    let sip = keeps.into_iter().fold(sip, SupervisorSpec::child);
    of_redis.into_iter().fold(sip, SupervisorSpec::child)
}

/// Where there is a Redis: who tells Kamailio whose calls are taken, and who learns of its media nodes.
fn of_redis(options: &Options, calls: &Arc<Calls>) -> Result<Vec<ChildSpec>, BoxError> {
    let Some(redis) = acl_publisher::Options::new(&options.config.redis)? else { return Ok(Vec::new()) };
    let (publisher, child) = acl_publisher::child_spec(redis.clone(), &options.metrics);
    calls.publish_by(publisher);
    let mut children = vec![child];
    let sip = &options.config.sip;
    if sip.media_discovery {
        calls.media.expect_found();
        children.push(discovery::child_spec(discovery::Options {
            redis,
            set: sip.media_discovery_set,
            pool: Arc::clone(&calls.media),
            metrics: media::metrics::Metrics::new(&options.metrics),
        }));
    }
    Ok(children)
}

/// Who fetches certificates of those who sign calls, where that is configured.
fn certificates(calls: &Arc<Calls>) -> Result<Option<ChildSpec>, BoxError> {
    let identities = &calls.settings.identities;
    if !identities.is_used() {
        return Ok(None);
    }
    let options = identities.options();
    let limits = http_client::Limits {
        connect: options.fetch_timeout.get(),
        whole: options.fetch_timeout.get(),
        body_octets_max: stir::certificate::CHAIN_OCTETS_MAX,
    };
    let own = &options.fetch_ca;
    let tls = ClientTls::new((!own.as_os_str().is_empty()).then_some(own))?;
    let client = HttpClient::new(tls, options.policy()).with_limits(limits);
    Ok(Some(fetcher::child_spec(Arc::clone(calls), client)))
}

/// Who turns names of gateways into addresses.
fn names(options: &Options, metrics: &Metrics) -> Result<Names, BoxError> {
    let servers = &options.config.sip.dns_servers;
    let dns = if servers.is_empty() { Dns::system()? } else { Dns::of_servers(servers)? };
    let runtime = tokio::runtime::Handle::current();
    let bounds = resolver::Options::default();
    let resolver = Resolver::new(bounds, Box::new(dns), runtime, options.random.clone(), metrics.clone());
    Ok(Names::new(resolver))
}

/// The copy of signalling for a collector, where there is one.
async fn mirror(options: &Options, metrics: &Metrics) -> Result<Option<(Mirror, ChildSpec)>, BoxError> {
    let sip = &options.config.sip;
    if sip.hep_collector.is_empty() {
        return Ok(None);
    }
    let mut found = tokio::net::lookup_host(sip.hep_collector.as_str()).await?;
    let collector = found.next().ok_or("sip.hep_collector: the name has no address")?;
    let options = hep::Options { collector, agent: sip.hep_id, auth_key: None, queue_max: MIRROR_QUEUE };
    Ok(Some(hep::child_spec(options, metrics)))
}

/// Calls of the last run, whose records are in the log, go on.
async fn recover(calls: &Calls) -> Result<usize, BoxError> {
    let (mut found, mut after) = (0, None);
    let snapshot = calls.snapshot.load();
    let trunks = snapshot.trunks.iter().map(|trunk| (trunk.config.id, &trunk.usage));
    let vendors = snapshot.vendors.iter().map(|vendor| (vendor.config.id, &vendor.usage));
    let usages: HashMap<Uuid, &Arc<Usage>> = trunks.chain(vendors).collect();
    loop {
        let page = calls.log.dialogs(calls.settings.node, after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        for record in &page {
            match LiveCall::recover(record, calls.now()) {
                Ok((mut call, dialog)) => {
                    let (trunk, vendor) = call.between();
                    // A call from a vendor takes no channel of it.
                    let vendor = vendor.filter(|_| !call.is_inbound());
                    let held = [Some(trunk), vendor].into_iter().flatten().filter_map(|id| usages.get(&id));
                    // It is up, whatever the limits are now.
                    call.hold(held.filter_map(|usage| usage.take_channel(0)));
                    calls.adopt(call, dialog);
                    found += 1;
                }
                Err(unreadable) => {
                    tracing::error!(error = %unreadable, "a call of the last run is closed");
                    calls.log.put_cdr(*unreadable.cdr, Vec::new());
                }
            }
        }
    }
}
