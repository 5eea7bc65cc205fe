//! What the handlers share.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use actors::sip::calls::Calls;
use actors::smpp::Smpp;
use parking_lot::Mutex as SyncMutex;
use runtime::clock::SharedClock;
use runtime::config::{ApiOptions, AuthOptions, MailOptions, NetworkOptions, WebhookOptions};
use runtime::http_client::{AddressPolicy, HttpClient};
use runtime::seal::RootKey;
use runtime::store::group::{self, Queue, Touched, Writes};
use runtime::store::{Db, Error as StoreError};
use runtime::telemetry::metrics::Metrics as Registry;
use runtime::tls::ClientTls;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use warp::http::HeaderMap;

use crate::auth::gate::Gate;
use crate::auth::google::{Google, GoogleOptions};
use crate::auth::principal::Principal;
use crate::auth::tokens::Tokens;
use crate::customers::Customers;
use crate::follower;
use crate::last_hour::LastHour;
use crate::limits::RateLimits;
use crate::mailer::Mailer;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::records::Exports;
use crate::sending::UnderWay;
use crate::token::TokenHash;

/// Passwords that are hashed at one time.
const HASHING_MAX: usize = 2;

/// Everything that [`Api::new`] needs of a node.
pub struct Parts {
    /// The SMPP side.
    pub smpp: Arc<Smpp>,
    /// The side of calls; none where no SIP is spoken.
    pub calls: Option<Arc<Calls>>,
    /// The node's metrics.
    pub metrics: Registry,
    /// Customers, accounts, vendors, routes.
    pub store: Db,
    /// Opens and seals vendor passwords.
    pub root_key: Arc<RootKey>,
    /// What the API port accepts.
    pub token: TokenHash,
    /// `[api]`.
    pub options: ApiOptions,
    /// `[auth]`.
    pub auth: AuthOptions,
    /// `[mail]`.
    pub mail: MailOptions,
    /// `[network]`.
    pub network: NetworkOptions,
    /// `[webhooks]`.
    pub webhooks: WebhookOptions,
}

/// The node as handlers see it.
pub struct Api {
    pub(crate) smpp: Arc<Smpp>,
    pub(crate) calls: Option<Arc<Calls>>,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) store: Db,
    pub(crate) root_key: Arc<RootKey>,
    pub(crate) clock: SharedClock,
    pub(crate) options: ApiOptions,
    pub(crate) auth: AuthOptions,
    pub(crate) network: NetworkOptions,
    /// Where customers may have something posted to.
    pub(crate) webhook_policy: AddressPolicy,
    pub(crate) mailer: Mailer,
    pub(crate) last_hour: LastHour,
    /// Checks ID tokens of Google, where logins by it are configured.
    pub(crate) google: Option<Google>,
    pub(crate) tokens: Arc<Tokens>,
    /// Places for passwords that are hashed: it takes much memory and time.
    pub(crate) hashing: Semaphore,
    pub(crate) gate: Gate,
    pub(crate) limits: RateLimits,
    pub(crate) customers: Arc<Customers>,
    /// Lists that are sent as files.
    pub(crate) exports: Exports,
    pub(crate) writes: Writes,
    /// The writer's end, until its supervisor takes it.
    pub(crate) queue: SyncMutex<Option<Queue>>,
    /// Who asks by the control socket.
    pub(crate) control: Arc<Principal>,
    /// Who asks where nobody needs to be known.
    pub(crate) nobody: Arc<Principal>,
    /// Requests with a key that send messages now.
    pub(crate) sending: UnderWay,
    /// One apply at a time.
    pub(crate) applying: Arc<Mutex<()>>,
}

impl Api {
    /// Handlers over a node that keeps its files in `data_dir`.
    #[must_use]
    pub fn new(parts: Parts, data_dir: &Path) -> Arc<Self> {
        let clock = Arc::clone(&parts.smpp.clock);
        let (writes, queue) = group::queue();
        let tokens = Arc::new(Tokens::new(&parts.auth));
        Arc::new(Self {
            metrics: Metrics::new(&parts.metrics),
            gate: Gate::new(parts.store.clone(), Arc::clone(&clock), (parts.token, Arc::clone(&tokens))),
            google: google(&parts.auth),
            hashing: Semaphore::new(HASHING_MAX),
            auth: parts.auth,
            network: parts.network,
            webhook_policy: parts.webhooks.policy(),
            mailer: Mailer::new(parts.mail, data_dir),
            last_hour: LastHour::new(Instant::now()),
            tokens,
            limits: RateLimits::new(parts.options.requests_per_second),
            customers: Arc::default(),
            exports: Exports::default(),
            writes,
            queue: SyncMutex::new(Some(queue)),
            control: Arc::new(Principal::control()),
            nobody: Arc::new(Principal::nobody()),
            smpp: parts.smpp,
            calls: parts.calls,
            registry: parts.metrics,
            store: parts.store,
            root_key: parts.root_key,
            options: parts.options,
            clock,
            sending: UnderWay::default(),
            applying: Arc::default(),
        })
    }

    /// Reads what the interface keeps of the database in memory; before its servers start.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<(), StoreError> {
        follower::load(self).await
    }

    /// The side of calls, where there is one.
    pub(crate) fn calls(&self) -> Result<&Arc<Calls>, Problem> {
        let without = || Problem::new(Code::NoVoice, "this node speaks no SIP: [sip] listen is empty");
        self.calls.as_ref().ok_or_else(without)
    }

    /// After a commit of this node's interface.
    pub(crate) fn announce(&self, touched: Touched) {
        if touched.auth {
            self.gate.forget();
        }
        if !touched.configuration.is_empty() {
            self.smpp.announcements.announce();
        }
    }

    /// Who sent a request: the peer, or whom a trusted proxy names. Each proxy adds the address that it saw to the
    /// right of `X-Forwarded-For`; what stands left of the first that is not trusted was made by strangers.
    pub(crate) fn sender(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let trusted =
            |address: IpAddr| self.options.trusted_proxies.iter().any(|network| network.contains(address));
        let mut sender = peer?;
        let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let named: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
        for address in named.iter().rev() {
            let Ok(address) = address.parse::<IpAddr>() else { break };
            if !trusted(sender) {
                break;
            }
            sender = address.to_canonical();
        }
        Some(sender)
    }
}

fn google(options: &AuthOptions) -> Option<Google> {
    let wanted = GoogleOptions {
        client_ids: options.google_client_ids.clone(),
        hosted_domains: options.google_domains.clone(),
        jwks_url: options.google_jwks_url.clone(),
        issuers: options.google_issuers.clone(),
    };
    let tls = ClientTls::new(None).ok()?;
    let client = HttpClient::new(tls, AddressPolicy::Any);
    Google::over_https(wanted, client).ok()
}
