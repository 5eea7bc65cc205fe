//! Media nodes as they are shown: what is kept of them, or where they were found, and how they are.

use std::net::SocketAddr;
use std::sync::Arc;

use actors::media::load::Load;
use actors::media::pool::Node;
use runtime::clock::Timestamp;
use runtime::model::MediaNodeState;
use runtime::store::media_node::{Filter, MediaNode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Api;

/// An RTPEngine node, where it comes from, and how it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ShownMediaNode)]
pub(super) struct Shown {
    /// Primary key of one that is configured; of one that was found its name, which is no key: it is neither changed nor
    /// taken away here.
    #[schema(example = "0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11")]
    id: String,
    /// Short number that cookies of calls name it by; 128 and more of one that was found.
    #[schema(minimum = 1, maximum = 255, example = 1)]
    number: u8,
    /// Unique name; of one that was found `redis-` and its address.
    #[schema(example = "media-1")]
    pub(super) name: String,
    /// Where it listens for the ng protocol.
    #[schema(value_type = String, example = "192.0.2.20:2223")]
    address: SocketAddr,
    /// Its share of new calls; 0 gets none.
    #[schema(maximum = 10000, example = 50)]
    weight: u32,
    /// Whether it gets calls.
    state: MediaNodeState,
    /// Where it comes from.
    origin: Origin,
    /// When it was made; null of one that was found.
    created_at: Option<Timestamp>,
    /// When it was changed last; null of one that was found.
    updated_at: Option<Timestamp>,
    /// How it is; null where the node that answers speaks no SIP, or does not know it yet.
    live: Option<Live>,
}

/// Where a media node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaNodeOrigin)]
enum Origin {
    /// The configuration.
    Configuration,
    /// Kamailio's table in Redis.
    Redis,
}

/// How a media node is, by the node that answers.
#[derive(Serialize, ToSchema)]
#[schema(as = MediaNodeLive)]
struct Live {
    /// `up`, `suspect` (silent just now), `down`, `draining` (up, without new calls) or `disabled`.
    #[schema(example = "up")]
    state: &'static str,
    /// Calls that it carries, by its own word.
    #[schema(example = 120)]
    sessions: u64,
    /// The release that it runs, as it said last; null where it has not said.
    #[schema(example = "10.5.3.5")]
    release: Option<String>,
    /// What it has to do, as it said last; null where it has not said.
    load: Option<Carried>,
}

/// What a media node has to do, by its own word: ours and others' together.
#[derive(Serialize, ToSchema)]
#[schema(as = MediaNodeLoad)]
struct Carried {
    /// Packets that it passes on in a second.
    #[schema(example = 12000)]
    packets_per_second: u64,
    /// Octets that it passes on in a second.
    #[schema(example = 2064000)]
    bytes_per_second: u64,
    /// Medias that it transcodes.
    #[schema(example = 4)]
    transcoded_media: u64,
    /// Calls that it has refused since it was started, being at a limit of its own.
    #[schema(example = 0)]
    rejected_sessions: u64,
    /// How long it runs.
    #[schema(example = 86400)]
    uptime_seconds: u64,
}

impl Carried {
    const fn of(load: Load) -> Self {
        let Load { packets_per_second, bytes_per_second, transcoded_media, rejected_sessions, uptime } = load;
        Self {
            packets_per_second,
            bytes_per_second,
            transcoded_media,
            rejected_sessions,
            uptime_seconds: uptime.as_secs(),
        }
    }
}

impl Live {
    fn of(node: &Node) -> Self {
        Self {
            state: node.state_name(),
            sessions: node.health.sessions(),
            release: node.health.release().map(|release| release.to_string()),
            load: node.health.load().map(Carried::of),
        }
    }
}

impl Shown {
    /// One that is configured.
    pub(super) fn configured(kept: &MediaNode, nodes: &[Arc<Node>]) -> Self {
        let is_it = |node: &&Arc<Node>| {
            (node.number, node.address, &node.name) == (kept.number, kept.address, &kept.name)
        };
        Self {
            id: kept.id.to_string(),
            number: kept.number,
            name: kept.name.clone(),
            address: kept.address,
            weight: kept.weight,
            state: kept.state,
            origin: Origin::Configuration,
            created_at: Some(kept.created_at),
            updated_at: Some(kept.updated_at),
            live: nodes.iter().find(is_it).map(|node| Live::of(node)),
        }
    }

    fn found(node: &Node) -> Self {
        Self {
            id: node.name.clone(),
            number: node.number,
            name: node.name.clone(),
            address: node.address,
            weight: node.weight,
            state: node.state,
            origin: Origin::Redis,
            created_at: None,
            updated_at: None,
            live: Some(Live::of(node)),
        }
    }
}

/// Media nodes as this node knows them; none where it speaks no SIP.
pub(super) fn known(api: &Api) -> Arc<Vec<Arc<Node>>> {
    api.calls.as_deref().map(|calls| calls.media.nodes()).unwrap_or_default()
}

/// The one of this name that was found.
pub(super) fn found(api: &Api, name: &str) -> Option<Shown> {
    let nodes = known(api);
    nodes.iter().find(|node| node.is_found() && node.name == name).map(|node| Shown::found(node))
}

/// Those of `kept` and those that were found which the filter lets pass, in the order of their names, from the one behind
/// its cursor on.
pub(super) fn merged(api: &Api, kept: &[MediaNode], filter: &Filter<'_>) -> Vec<Shown> {
    let nodes = known(api);
    let search = filter.search.unwrap_or_default().to_lowercase();
    let is_asked = |node: &&Arc<Node>| {
        node.is_found()
            && node.name.contains(&search)
            && filter.state.is_none_or(|state| state == node.state)
            // The configuration has taken it over just now.
            && !kept.iter().any(|kept| kept.name == node.name || kept.address == node.address)
    };
    let found = nodes.iter().filter(is_asked).map(|node| Shown::found(node));
    let configured = kept.iter().map(|kept| Shown::configured(kept, &nodes));
    let mut shown: Vec<Shown> = configured.chain(found).collect();
    shown.retain(|shown| shown.name.as_str() > filter.after);
    shown.sort_by(|one, other| one.name.cmp(&other.name));
    shown
}
