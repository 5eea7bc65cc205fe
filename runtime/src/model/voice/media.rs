//! Where the sound of calls goes through, and what is done with it on the way.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Dtmf, EndpointLearning, MediaNodeState, MediaPath, MediaSecurity, T38};

/// An RTPEngine node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaNode {
    /// Primary key.
    pub id: Uuid,
    /// Short number, from 1: it stands in sealed cookies. Those of the configuration are at most
    /// [`MediaNode::NUMBER_MAX`]; above them are those of nodes that are found beside it.
    pub number: u8,
    /// Unique name.
    pub name: String,
    /// Where it listens for the ng protocol.
    pub address: SocketAddr,
    /// Its share of new calls; 0 gets none.
    pub weight: u32,
    /// Whether it gets calls.
    pub state: MediaNodeState,
}

impl MediaNode {
    /// The greatest number of a node of the configuration.
    pub const NUMBER_MAX: u8 = 127;
}

/// What is done with the media of calls from and to a trunk or a vendor. What a file, a request or a stored row leaves
/// out is the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaProfile {
    /// Through a node of ours or past us.
    pub path: MediaPath,
    /// Whether media may come from elsewhere than the SDP says.
    pub learning: EndpointLearning,
    /// What comes from another source than the peer's is dropped.
    pub strict_source: bool,
    /// Names of the codecs that may be offered, in this order; empty: as offered.
    pub codecs: Vec<String>,
    /// Names of codecs that are offered beside, by transcoding.
    pub transcode: Vec<String>,
    /// RTP or SRTP.
    pub security: MediaSecurity,
    /// How digits that are pressed are carried.
    pub dtmf: Dtmf,
    /// Time of one packet; zero: as offered.
    #[serde(with = "human")]
    pub ptime: Duration,
    /// Name of the node's interface that faces the peer; empty is the node's default.
    pub interface: String,
    /// Fax over IP.
    pub t38: T38,
    /// The calls are recorded.
    pub recording: bool,
    /// Time for which recordings are to be kept, by whoever keeps them; zero: for ever.
    #[serde(with = "human")]
    pub recording_retention: Duration,
}

impl Default for MediaProfile {
    fn default() -> Self {
        Self {
            path: MediaPath::Anchored,
            learning: EndpointLearning::Off,
            strict_source: true,
            codecs: Vec::new(),
            transcode: Vec::new(),
            security: MediaSecurity::Rtp,
            dtmf: Dtmf::AsOffered,
            ptime: Duration::ZERO,
            interface: String::new(),
            t38: T38::Pass,
            recording: false,
            recording_retention: Duration::ZERO,
        }
    }
}

/// Durations as people write them.
mod human {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::config::HumanDuration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        HumanDuration::from(*duration).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        HumanDuration::deserialize(deserializer).map(HumanDuration::get)
    }
}

#[cfg(test)]
mod tests;
