//! From the answer to a change until it is in force: a source that was added is admitted, one that was removed is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use super::client::{self, Client};
use super::messages::Messages;
use super::provision::{BAN, CHANGED, Scale};
use crate::histogram::Histogram;
use crate::report::Outcome;
use crate::subject::{Node, NodeOptions};

/// How long a change may take before the run is given up.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// How often the proxy is asked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Adds and removes sources one after the other on a node with so many sources and routes, and so many messages a
/// second meanwhile.
///
/// # Errors
/// When the node cannot be started, or a change does not come into force.
pub async fn measure(
    changes: u32,
    (acl, routes, messages): (u32, u32, f64),
    options: &NodeOptions,
) -> anyhow::Result<Outcome> {
    let beside = Messages::prepare(messages).await?;
    let messages = beside.as_ref().map(Messages::to_toml).unwrap_or_default();
    let node = Node::start(options, &Scale { customers: 100, acl, routes, messages }).await?;
    let flow = match beside {
        Some(beside) => Some(beside.begin(&node).await?),
        None => None,
    };
    let key = client::key(node.ports.api, &node.data_dir()).await?;
    let mut client = Client::connect(node.ports.api, &key).await?;
    let target = node.ports.sip.first().copied().context("the node listens on no SIP port")?;
    let trunks = client.json("GET", &format!("/v1/admin/customers/{BAN}/trunks"), None).await?;
    let trunks = trunks.get("items").and_then(Value::as_array).context("no page of trunks")?;
    let changed = trunks.iter().find(|trunk| trunk.get("name").and_then(Value::as_str) == Some(CHANGED));
    let trunk = changed.and_then(|trunk| trunk.get("id")?.as_str()).context("the node has no trunk")?;
    let ips = format!("/v1/admin/customers/{BAN}/trunks/{trunk}/ips");
    let (added, removed) = (Histogram::default(), Histogram::default());
    for number in 0..changes {
        let [.., middle, low] = number.to_be_bytes();
        let source = Ipv4Addr::new(127, 77, middle, low.max(1));
        let asker = Asker::new(source, target).await?;
        if asker.admitted().await? {
            bail!("{source} is admitted before it is added");
        }
        let made = client.json("POST", &ips, Some(&json!({"network": format!("{source}/32")}))).await?;
        added.record(asker.until(true).await?);
        let id = made.get("id").and_then(Value::as_str).context("the source has no id")?;
        let gone = client.delete(&format!("{ips}/{id}")).await?;
        if gone.status != 204 {
            bail!("DELETE of a source: {}", gone.status);
        }
        removed.record(asker.until(false).await?);
    }
    let mut outcome = Outcome::new("api/propagation", "warp", "change");
    outcome.total = u64::from(changes) * 2;
    outcome.p50_us = added.quantile_us(500);
    outcome.p99_us = added.quantile_us(990);
    outcome.max_us = added.max_us().max(removed.max_us());
    outcome.set("removed_p50_us", removed.quantile_us(500));
    outcome.set("removed_max_us", removed.max_us());
    outcome.set("acl_entries", acl);
    outcome.set("routes", routes);
    if let Some(flow) = flow {
        flow.end(&mut outcome).await;
    }
    node.stop().await?;
    Ok(outcome)
}

/// Asks the proxy by OPTIONS from one address.
struct Asker {
    socket: UdpSocket,
    local: SocketAddr,
    target: SocketAddr,
}

impl Asker {
    async fn new(source: Ipv4Addr, target: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((source, 0)).await.with_context(|| format!("cannot use {source}"))?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, target })
    }

    /// From now until the answer is the wanted one.
    async fn until(&self, wanted: bool) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < GIVEN_UP {
            if self.admitted().await? == wanted {
                return Ok(begun.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("{} was not {} within {GIVEN_UP:?}", self.local, if wanted { "admitted" } else { "refused" })
    }

    async fn admitted(&self) -> anyhow::Result<bool> {
        let branch = fastrand::u64(..);
        let request = format!(
            "OPTIONS sip:{target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch:x}\r\n\
             From: <sip:bench@{local}>;tag={branch:x}\r\nTo: <sip:{target}>\r\nCall-ID: {branch:x}@bench\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            target = self.target,
            local = self.local,
        );
        self.socket.send_to(request.as_bytes(), self.target).await?;
        let mut answer = [0; 2048];
        loop {
            let Ok(received) = timeout(Duration::from_secs(1), self.socket.recv(&mut answer)).await else {
                return Ok(false);
            };
            let text = String::from_utf8_lossy(answer.get(..received?).unwrap_or_default()).into_owned();
            // An answer to an earlier question is no answer to this one.
            if text.contains(&format!("{branch:x}@bench")) {
                return Ok(text.starts_with("SIP/2.0 200"));
            }
        }
    }
}
