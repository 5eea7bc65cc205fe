//! What is measured: a node that the harness starts, a node that already runs, or nothing but the generator.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::metrics_page::{self, Buckets};

pub use self::node::{Node, NodeOptions, Ports};
pub use self::provision::{Provision, Provisioning};

mod node;
mod provision;

/// Name of the node's fsync histogram, in seconds.
const FSYNC: &str = "warp_log_fsync_seconds";

/// Where the load goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// The generator's customers bind at the generator's own SMSC: its limit.
    Direct,
    /// A node of this binary is started for every run.
    Start(NodeOptions),
    /// A node that runs already.
    Attach(Attached),
}

/// A running node, provisioned by its operator: the account below, and a vendor that points at `vendor`.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The node's SMPP listener.
    pub smpp: SocketAddr,
    /// Its metrics listener.
    pub metrics: Option<SocketAddr>,
    /// Its process.
    pub process: Option<u32>,
    /// The customer's account.
    pub system_id: String,
    /// The account's password.
    pub password: String,
    /// Where the simulated SMSC listens for the node's vendor binds.
    pub vendor: SocketAddr,
}

/// A subject under load.
#[derive(Debug)]
pub struct Subject {
    /// Its name in results.
    pub name: &'static str,
    /// Where customers bind.
    pub smpp: SocketAddr,
    /// The account they use.
    pub system_id: String,
    /// Its password.
    pub password: String,
    /// Whether it binds at the simulated SMSC.
    pub binds_vendor: bool,
    /// Its processes.
    pub processes: Vec<u32>,
    /// The directory of its data, when it is ours.
    pub data_dir: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    node: Option<Node>,
}

impl Target {
    /// Where the simulated SMSC has to listen; port 0 where any port will do.
    pub fn vendor_addr(&self) -> SocketAddr {
        match self {
            Self::Direct | Self::Start(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
            Self::Attach(attached) => attached.vendor,
        }
    }

    /// Makes the subject ready for load. `provision` says what a node of ours is given.
    pub async fn prepare(&self, provision: &Provision) -> anyhow::Result<Subject> {
        match self {
            Self::Direct => Ok(Subject {
                name: "none",
                smpp: provision.vendor,
                system_id: provision.system_id.clone(),
                password: provision.password.clone(),
                binds_vendor: false,
                processes: Vec::new(),
                data_dir: None,
                metrics: None,
                node: None,
            }),
            Self::Start(options) => {
                let node = Node::start(options, provision).await?;
                let smpp = node.ports.smpp.first().copied().context("the node listens on no SMPP port")?;
                Ok(Subject {
                    name: "warp",
                    smpp,
                    system_id: provision.system_id.clone(),
                    password: provision.password.clone(),
                    binds_vendor: true,
                    processes: node.process().into_iter().collect(),
                    data_dir: Some(node.data_dir()),
                    metrics: node.ports.metrics,
                    node: Some(node),
                })
            }
            Self::Attach(attached) => Ok(Subject {
                name: "warp",
                smpp: attached.smpp,
                system_id: attached.system_id.clone(),
                password: attached.password.clone(),
                binds_vendor: true,
                processes: attached.process.into_iter().collect(),
                data_dir: None,
                metrics: attached.metrics,
                node: None,
            }),
        }
    }
}

impl Subject {
    /// The node's fsync histogram as it stands; `None` when it has none to show.
    pub(crate) async fn fsyncs(&self) -> Option<Buckets> {
        metrics_page::read(self.metrics?, FSYNC).await
    }

    /// Why the subject ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.node.as_mut().and_then(Node::ended)
    }

    /// `error` with the end of the node's log, where there is one.
    pub(crate) fn blame(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        let error = error.into();
        match &self.node {
            Some(node) => error.context(format!("the node's last words:\n{}", node.last_words())),
            None => error,
        }
    }

    /// Ends what the harness started.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.node {
            Some(node) => node.stop().await,
            None => Ok(()),
        }
    }
}
