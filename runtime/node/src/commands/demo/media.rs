//! The demo's media node: a simulated RTPEngine, or a real one that runs beside the demo.

use std::net::SocketAddr;
use std::time::Duration;

use actors::media::health::State;
use bench::rtpengine::{self, Rtpengine, RtpengineOptions};
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep};

use super::figures::Media;
use crate::failure::Failure;
use crate::start::Node;

/// Time for the node to hear of its media node, and from it.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// Time for the last calls to be deleted there: the node asks again and again for ten seconds.
const DELETED_WITHIN: Duration = Duration::from_secs(12);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What the calls of every node of ours are called at a media node.
const OURS: &str = "warp-";

/// Who carries the media of the demo's calls.
pub(super) enum MediaNode {
    Simulated(Rtpengine),
    Real {
        address: SocketAddr,
        /// Calls that it had before.
        before: Vec<String>,
    },
}

impl MediaNode {
    /// The real one at HOST:PORT, which must answer, or one of our own.
    pub(super) async fn start(real: Option<&str>) -> Result<Self, Failure> {
        let Some(place) = real else {
            let started = Rtpengine::start(RtpengineOptions::default());
            let refused = |error: std::io::Error| {
                Failure::run(format!("the simulated RTPEngine cannot listen: {error}"))
            };
            return started.map(Self::Simulated).map_err(refused);
        };
        let found = lookup_host(place).await;
        let found = found.map_err(|error| Failure::usage(format!("--rtpengine {place}: {error}")))?.next();
        let address = found.ok_or_else(|| Failure::usage(format!("--rtpengine {place}: no such address")))?;
        Ok(Self::Real { address, before: list(address).await? })
    }

    /// So that the node knows it.
    pub(super) fn provisioning(&self) -> String {
        format!("[[media_nodes]]\nname = \"demo\"\naddress = \"{}\"\n\n", self.address())
    }

    /// Waits until the node has heard from it: a call before that would be refused.
    pub(super) async fn up(&self, node: &Node) -> Result<(), Failure> {
        let Some(shared) = node.calls() else { return Err(Failure::run("the node has no SIP listener")) };
        let deadline = Instant::now() + UP_WITHIN;
        while !shared.media.nodes().iter().any(|node| node.health.state() == State::Up) {
            if Instant::now() >= deadline {
                let address = self.address();
                let reason =
                    format!("the node did not hear from the RTPEngine at {address} within {UP_WITHIN:?}");
                return Err(Failure::run(reason));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What it did, once it has no call of the demo any more or time is up.
    pub(super) async fn settle(&self) -> Result<Media, Failure> {
        let deadline = Instant::now() + DELETED_WITHIN;
        loop {
            let calls_left = self.calls_left().await?;
            if calls_left == 0 || Instant::now() >= deadline {
                return Ok(self.account(calls_left));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Simulated(simulated) => simulated.address(),
            Self::Real { address, .. } => *address,
        }
    }

    async fn calls_left(&self) -> Result<u64, Failure> {
        let left = match self {
            Self::Simulated(simulated) => simulated.calls().len(),
            Self::Real { address, before } => {
                let listed = list(*address).await?;
                listed.iter().filter(|call| call.starts_with(OURS) && !before.contains(call)).count()
            }
        };
        Ok(left as u64)
    }

    fn account(&self, calls_left: u64) -> Media {
        let node = self.address().to_string();
        match self {
            Self::Simulated(simulated) => {
                let did = simulated.counters();
                let [offers, answers, deletes] = [did.offers, did.answers, did.deletes].map(Some);
                Media { node, offers, answers, deletes, calls_left }
            }
            // What it did for others cannot be told apart.
            Self::Real { .. } => Media { node, offers: None, answers: None, deletes: None, calls_left },
        }
    }
}

async fn list(address: SocketAddr) -> Result<Vec<String>, Failure> {
    let listed = rtpengine::list(address).await;
    listed.map_err(|error| Failure::run(format!("the RTPEngine at {address}: {error}")))
}
