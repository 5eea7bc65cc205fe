//! What is measured: a node that the harness starts, a Kamailio, anything at an address, or nothing but the
//! generator.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use super::provision::SipProvision;
use crate::metrics_page;
use crate::peer::kamailio::{Kamailio, KamailioOptions};
use crate::subject::{Node, NodeOptions};

/// Time for a node to hear from its media nodes.
const MEDIA_UP_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the load goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// The generator's customer calls the generator's own vendor: its limit.
    Direct,
    /// A node of this binary is started for every run.
    Start(NodeOptions),
    /// The same, and the media of its calls goes through these nodes (their ng addresses).
    Anchored(NodeOptions, Vec<SocketAddr>),
    /// A Kamailio of this machine is started for every run.
    Kamailio(KamailioOptions),
    /// Whatever is there.
    Attach(Attached),
}

/// A running proxy, set up by its operator to send calls for +4420… to `vendor`.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Where calls go.
    pub target: SocketAddr,
    /// Its processes, for processor time and memory.
    pub processes: Vec<u32>,
    /// Where the simulated vendor listens; its further sockets take the ports that follow.
    pub vendor: SocketAddr,
}

/// A subject under load.
#[derive(Debug)]
pub struct Subject {
    /// Its name in results.
    pub name: &'static str,
    /// Where customers send calls, in turn.
    pub targets: Vec<SocketAddr>,
    /// Its processes.
    pub processes: Vec<u32>,
    /// Its metrics listener, when it has one.
    pub(crate) metrics: Option<SocketAddr>,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Elsewhere,
    Node(Box<Node>),
    Kamailio(Box<Kamailio>),
}

impl Target {
    /// Where the vendor's socket number `place` has to listen; port 0 where any will do.
    pub fn vendor_addr(&self, place: u16) -> SocketAddr {
        match self {
            Self::Direct | Self::Start(_) | Self::Anchored(..) | Self::Kamailio(_) => {
                SocketAddr::from(([127, 0, 0, 1], 0))
            }
            Self::Attach(attached) => {
                let port = attached.vendor.port();
                SocketAddr::new(attached.vendor.ip(), if port == 0 { 0 } else { port.saturating_add(place) })
            }
        }
    }

    /// The address that customers call from.
    pub fn customer_addr(&self) -> SocketAddr {
        match self {
            Self::Attach(attached) if !attached.target.ip().is_loopback() => {
                SocketAddr::new(attached.vendor.ip(), 0)
            }
            Self::Attach(attached) if attached.target.is_ipv6() => {
                SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0))
            }
            Self::Direct | Self::Start(_) | Self::Anchored(..) | Self::Kamailio(_) | Self::Attach(_) => {
                SocketAddr::from(([127, 0, 0, 1], 0))
            }
        }
    }

    /// Makes the subject ready for load towards `vendors`.
    pub async fn prepare(&self, vendors: &[SocketAddr]) -> anyhow::Result<Subject> {
        match self {
            Self::Direct => Ok(Subject {
                name: "none",
                targets: vendors.to_vec(),
                processes: Vec::new(),
                metrics: None,
                running: Running::Elsewhere,
            }),
            Self::Attach(attached) => Ok(Subject {
                name: "target",
                targets: vec![attached.target],
                processes: attached.processes.clone(),
                metrics: None,
                running: Running::Elsewhere,
            }),
            Self::Start(options) => start(options, vendors, &[]).await,
            Self::Anchored(options, media) => start(options, vendors, media).await,
            Self::Kamailio(options) => {
                let kamailio = Kamailio::start(*options, vendors).await?;
                Ok(Subject {
                    name: "kamailio",
                    targets: vec![kamailio.addr],
                    processes: kamailio.processes(),
                    metrics: None,
                    running: Running::Kamailio(Box::new(kamailio)),
                })
            }
        }
    }
}

async fn start(
    options: &NodeOptions,
    vendors: &[SocketAddr],
    media: &[SocketAddr],
) -> anyhow::Result<Subject> {
    let provision = SipProvision { gateways: vendors.to_vec(), media: media.to_vec() };
    let mut node = Node::start(options, &provision).await?;
    media_up(&mut node, media.len()).await?;
    let target = node.ports.sip.first().copied().context("the node listens on no SIP port")?;
    Ok(Subject {
        name: "warp",
        targets: vec![target],
        processes: node.process().into_iter().collect(),
        metrics: node.ports.metrics,
        running: Running::Node(Box::new(node)),
    })
}

/// Waits until the node has heard from so many media nodes: a call before that would be refused.
async fn media_up(node: &mut Node, count: usize) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let metrics = node.ports.metrics.context("the node has no metrics page")?;
    let deadline = Instant::now() + MEDIA_UP_WITHIN;
    loop {
        let page = metrics_page::page(metrics).await.unwrap_or_default();
        // Each of them is 0 or 1.
        if metrics_page::sum(&page, "warp_rtpengine_up", "") >= count as f64 {
            return Ok(());
        }
        if let Some(reason) = node.ended() {
            bail!("{reason}");
        }
        if Instant::now() >= deadline {
            let words = node.last_words();
            bail!("media nodes were not heard within {MEDIA_UP_WITHIN:?}; the node's last words:\n{words}");
        }
        sleep(LOOK_EVERY).await;
    }
}

impl Subject {
    /// Why the subject ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        match &mut self.running {
            Running::Elsewhere => None,
            Running::Node(node) => node.ended(),
            Running::Kamailio(kamailio) => kamailio.ended(),
        }
    }

    /// Ends what the harness started.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.running {
            Running::Elsewhere => Ok(()),
            Running::Node(node) => node.stop().await,
            Running::Kamailio(kamailio) => kamailio.stop().await,
        }
    }
}
