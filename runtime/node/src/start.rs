//! A node's start and stop: the checklist. `serve` and `demo` start the same node.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::sip;
use actors::smpp::message_router::Source;
use actors::smpp::stats;
use actors::smpp::tree::{self, Started};
use api::tree::Sockets;
use api::{Api, token};
use runtime::clock::{SharedClock, SystemClock};
use runtime::config::Config;
use runtime::log::{Limits, MessageLog, SqlLog};
use runtime::net::OsNet;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::seal::RootKey;
use runtime::store::announce::{self, Announcements};
use runtime::store::cookie_key;
use runtime::supervision::{Exit, Supervisor, SupervisorHandle};
use runtime::telemetry::metrics::Metrics;
use runtime::tls::ServerTls;

use crate::certificates::Certificates;
use crate::data_dir::{DataDir, Lock, Ports};
use crate::databases::Databases;
use crate::failure::Failure;
use crate::terminal;

/// How often a starting node is asked whether it is ready.
const READY_LOOK_EVERY: Duration = Duration::from_millis(5);
/// After which the wait for readiness is logged with its reason.
const READY_EXPECTED: Duration = Duration::from_secs(5);

/// A running node.
pub(crate) struct Node {
    /// Where it listens.
    pub(crate) ports: Ports,
    /// Its files.
    pub(crate) data_dir: DataDir,
    /// What its actors share.
    pub(crate) smpp: Arc<actors::smpp::Smpp>,
    started: Started,
    calls: Option<sip::tree::Started>,
    api: SupervisorHandle,
    databases: Databases,
    drain: Duration,
    _lock: Lock,
}

impl Node {
    /// Starts a node and waits until it is ready; telemetry is running already.
    pub(crate) async fn start(config: Config) -> Result<Self, Failure> {
        let data_dir = DataDir::new(&config.node.data_dir);
        let lock = data_dir.lock_or_refuse()?;
        data_dir.remove_ports();
        let certificates = Certificates::load(&config)?;
        let root_key = Arc::new(RootKey::load(config.node.root_key_source()).map_err(Failure::run)?);
        let token = load_token(&data_dir.token())?;
        let sockets = Sockets::bind(&OsNet, &config.api, &data_dir.control_socket()).await;
        let sockets = sockets.map_err(Failure::run)?;
        let (api_address, metrics_address) = (sockets.api_address, sockets.metrics_address);
        let api_tls_addresses = sockets.api_tls_addresses.clone();
        let api_tls = certificates.api.clone();
        let databases = Databases::open(&config).await?;
        let metrics = Metrics::new();
        let options = tree_options(&config, &databases, (&metrics, &root_key, certificates.smpp.as_ref()));
        let registry = options.registry.clone();
        let calls = call_options(&options, &databases, (&root_key, certificates.sip.as_ref())).await?;
        let started = tree::start(options).await.map_err(Failure::run)?;
        let calls = match calls {
            Some(calls) => Some(sip::tree::start(calls).await.map_err(Failure::run)?),
            None => None,
        };
        let announced = announce::listener(&databases.store, &started.smpp.announcements);
        for child in certificates.watches().chain(announced) {
            started.supervisor.add(child).await.map_err(Failure::run)?;
        }
        let parts = api::Parts {
            smpp: Arc::clone(&started.smpp),
            calls: calls.as_ref().map(|started| Arc::clone(&started.calls)),
            metrics,
            store: databases.store.clone(),
            root_key,
            token,
            options: config.api.clone(),
            auth: config.auth.clone(),
            mail: config.mail.clone(),
            network: config.network.clone(),
            webhooks: config.webhooks.clone(),
        };
        let api = Api::new(parts, data_dir.path());
        api.load().await.map_err(Failure::run)?;
        let api = api::tree::spec(&api, sockets, &config.api, api_tls.as_ref()).map_err(Failure::run)?;
        let api = Supervisor::spawn(api, &registry).await.map_err(Failure::run)?;
        let ports = Ports {
            api: api_address,
            api_tls: api_tls_addresses,
            metrics: metrics_address,
            smpp: started.smpp_addresses.clone(),
            smpp_tls: started.smpp_tls_addresses.clone(),
            sip: calls.as_ref().map(|calls| calls.addresses.clone()).unwrap_or_default(),
        };
        let smpp = Arc::clone(&started.smpp);
        let drain = config.node.drain.get();
        let node = Self { ports, data_dir, smpp, started, calls, api, databases, drain, _lock: lock };
        node.ready().await?;
        Ok(node)
    }

    /// What the actors of calls share, where SIP is spoken.
    pub(crate) fn calls(&self) -> Option<&Arc<sip::calls::Calls>> {
        self.calls.as_ref().map(|started| &started.calls)
    }

    /// How the node ends by itself: a supervisor at the top of its tree gave up.
    pub(crate) async fn ended(&self) -> Failure {
        let calls = async {
            match &self.calls {
                Some(calls) => calls.supervisor.ended().await,
                None => std::future::pending().await,
            }
        };
        let exit = tokio::select! {
            exit = self.started.supervisor.ended() => exit,
            exit = calls => exit,
            exit = self.api.ended() => exit,
        };
        match exit {
            Exit::Normal => Failure::run("the actor tree ended"),
            Exit::Failed(_) | Exit::Panicked(_) => Failure::run(format!("the actor tree {exit}")),
        }
    }

    /// Takes no new work, finishes what is under way within the configured time, and ends. `/ready` answers
    /// 503 meanwhile.
    pub(crate) async fn stop(self) {
        tracing::info!(within = ?self.drain, "draining");
        // Whoever finds the file expects a node that takes work.
        let _ = std::fs::remove_file(self.data_dir.ports());
        // The log of both is committed by the SMPP side's committer: calls end first.
        if let Some(calls) = self.calls {
            calls.drain(self.drain).await;
        }
        self.started.drain(self.drain).await;
        self.api.stop().await;
        self.databases.close().await;
        self.data_dir.remove_ports();
        tracing::info!("stopped");
    }

    /// Waits until the node takes messages, then tells where.
    async fn ready(&self) -> Result<(), Failure> {
        let mut waited = Duration::ZERO;
        while let Err(reason) = stats::ready(&self.smpp) {
            if waited == READY_EXPECTED {
                tracing::warn!(reason, "not ready yet");
            }
            tokio::time::sleep(READY_LOOK_EVERY).await;
            waited += READY_LOOK_EVERY;
        }
        let written = self.data_dir.write_ports(&self.ports);
        written.map_err(|error| Failure::run(format!("{}: {error}", self.data_dir.ports().display())))?;
        let found = self.started.found;
        tracing::info!(
            queued = found.queued,
            in_doubt = found.in_doubt,
            enroute = found.enroute,
            outbox = found.outbox,
            calls = self.calls.as_ref().map_or(0, |calls| calls.recovered),
            "messages and calls of the last run"
        );
        let Ports { api, api_tls, metrics, smpp, smpp_tls, sip } = &self.ports;
        let data_dir = self.data_dir.path().display();
        tracing::info!(%api, ?api_tls, %metrics, ?smpp, ?smpp_tls, ?sip, %data_dir, engine = self.databases.store.engine(), "ready");
        Ok(())
    }
}

fn tree_options(
    config: &Config,
    databases: &Databases,
    (metrics, root_key, tls): (&Metrics, &Arc<RootKey>, Option<&ServerTls>),
) -> tree::Options {
    let clock: SharedClock = Arc::new(SystemClock);
    let random = Random::system();
    let limits = Limits {
        open_records_max: usize::try_from(config.log.open_records_max).unwrap_or(usize::MAX),
        gather: config.log.gather.get(),
    };
    tree::Options {
        config: config.clone(),
        registry: Registry::new(Arc::clone(&clock), random.clone()),
        clock,
        random,
        net: Arc::new(OsNet),
        metrics: metrics.clone(),
        source: Source::Store {
            db: databases.store.clone(),
            root_key: Arc::clone(root_key),
            poll: config.store.poll.get(),
        },
        announcements: Announcements::default(),
        log: MessageLog::new(Arc::new(SqlLog::new(databases.log.clone())), limits),
        tls: tls.map(|tls| Arc::new(tls.clone())),
    }
}

/// What the tree of calls is built from, where SIP is spoken at all.
async fn call_options(
    smpp: &tree::Options,
    databases: &Databases,
    (root_key, tls): (&Arc<RootKey>, Option<&ServerTls>),
) -> Result<Option<sip::tree::Options>, Failure> {
    let options = &smpp.config.sip;
    if options.listen.is_empty() {
        return Ok(None);
    }
    let now = smpp.clock.now();
    let cookie_keys =
        cookie_key::load_or_create(&databases.store, root_key, now).await.map_err(Failure::run)?;
    Ok(Some(sip::tree::Options {
        config: smpp.config.clone(),
        clock: Arc::clone(&smpp.clock),
        random: smpp.random.clone(),
        net: Arc::clone(&smpp.net),
        registry: smpp.registry.clone(),
        metrics: smpp.metrics.clone(),
        source: sip::configuration::Source {
            db: databases.store.clone(),
            root_key: Arc::clone(root_key),
            poll: smpp.config.store.poll.get(),
            announcements: smpp.announcements.clone(),
        },
        log: smpp.log.clone(),
        cookie_keys,
        tls: tls.cloned(),
    }))
}

/// The one place where the bootstrap token is shown, at the start that made it. It goes to standard error past
/// the log, whose lines are collected and kept elsewhere.
fn load_token(path: &Path) -> Result<token::TokenHash, Failure> {
    let loaded = token::load_or_create(path).map_err(Failure::run)?;
    if let Some(token) = loaded.created {
        tracing::warn!(file = %path.display(), "bootstrap admin token made, kept in the file");
        terminal::note(&format!("bootstrap admin token, shown this once: {}", token.expose()));
    }
    Ok(loaded.hash)
}

#[cfg(test)]
mod tests;
