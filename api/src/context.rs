//! What the handlers share.

use std::sync::Arc;

use actors::sip::calls::Calls;
use actors::smpp::Smpp;
use runtime::seal::RootKey;
use runtime::store::Db;
use runtime::telemetry::metrics::Metrics as Registry;
use tokio::sync::Mutex;

use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::token::TokenHash;

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
    /// Whether an administrator may make actors panic.
    pub fault_injection: bool,
}

/// The node as handlers see it.
pub struct Api {
    pub(crate) smpp: Arc<Smpp>,
    pub(crate) calls: Option<Arc<Calls>>,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) store: Db,
    pub(crate) root_key: Arc<RootKey>,
    pub(crate) token: TokenHash,
    pub(crate) fault_injection: bool,
    /// One apply at a time.
    pub(crate) applying: Arc<Mutex<()>>,
}

impl Api {
    /// Handlers over a node.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            metrics: Metrics::new(&parts.metrics),
            smpp: parts.smpp,
            calls: parts.calls,
            registry: parts.metrics,
            store: parts.store,
            root_key: parts.root_key,
            token: parts.token,
            fault_injection: parts.fault_injection,
            applying: Arc::default(),
        })
    }

    /// The side of calls, where there is one.
    pub(crate) fn calls(&self) -> Result<&Arc<Calls>, Problem> {
        let without = || Problem::new(Code::NoVoice, "this node speaks no SIP: [sip] listen is empty");
        self.calls.as_ref().ok_or_else(without)
    }
}
