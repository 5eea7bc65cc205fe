//! A call as a node knows it: replied to a query, and to a delete for the last time.

use std::net::{IpAddr, SocketAddr};

use super::quality::{Ssrc, number};
use super::{count, list, text, texts};
use crate::bencode::Value;

/// A call. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call<'a> {
    /// When it was first offered.
    pub created: Option<u64>,
    /// And microseconds, below one million.
    pub created_us: Option<u64>,
    /// When the last command changed it.
    pub last_signal: Option<u64>,
    /// Its sides, in the order of the reply.
    pub sides: Vec<Side<'a>>,
    /// Sources of media that were reported on.
    pub ssrcs: Vec<Ssrc>,
    /// What came as RTP, from all sides.
    pub rtp: Counters,
    /// What came as RTCP.
    pub rtcp: Counters,
}

/// Packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How many.
    pub packets: u64,
    /// Octets of them.
    pub bytes: u64,
    /// How many were of no use.
    pub errors: u64,
}

/// One side of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side<'a> {
    /// Its tag; empty while it has none.
    pub tag: &'a [u8],
    /// The attempt it belongs to.
    pub via_branch: Option<&'a [u8]>,
    /// The name it was given.
    pub label: Option<&'a [u8]>,
    /// When it was first seen.
    pub created: Option<u64>,
    /// Whose media it gets.
    pub subscriptions: Vec<Subscription<'a>>,
    /// Who gets its media.
    pub subscribers: Vec<Subscription<'a>>,
    /// Its medias, in the order of the SDP.
    pub medias: Vec<Media<'a>>,
}

/// The other end of a way of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// The tag of the other side.
    pub tag: &'a [u8],
    /// `offer/answer` or `pub/sub`.
    pub kind: Option<&'a [u8]>,
}

/// One media of a side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media<'a> {
    /// Its place in the SDP, from 1.
    pub index: Option<u64>,
    /// `audio`, `video` or what else the SDP says.
    pub kind: Option<&'a [u8]>,
    /// The transport protocol.
    pub protocol: Option<&'a [u8]>,
    /// The codec that came last.
    pub codec: Option<&'a [u8]>,
    /// Its ports: usually that of RTP and that of RTCP.
    pub streams: Vec<Stream<'a>>,
    /// Its state in words.
    pub flags: Vec<&'a [u8]>,
    /// Sources that came, where the node lists them with the media.
    pub ingress_ssrcs: Vec<u32>,
}

/// One port of a side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream<'a> {
    /// The node's port.
    pub local_port: Option<u16>,
    /// The node's address.
    pub local_address: Option<IpAddr>,
    /// Where media is sent to.
    pub endpoint: Option<SocketAddr>,
    /// Where the SDP says that media is sent to.
    pub advertised_endpoint: Option<SocketAddr>,
    /// How it is encrypted.
    pub crypto_suite: Option<&'a [u8]>,
    /// When the last packet came.
    pub last_packet: Option<u64>,
    /// Its state in words.
    pub flags: Vec<&'a [u8]>,
    /// The source that came last.
    pub ssrc: Option<u32>,
    /// What came.
    pub stats: Counters,
    /// What was sent. Not given by release 10.5.
    pub stats_out: Option<Counters>,
}

impl<'a> Call<'a> {
    /// The call of a reply, where it has one.
    pub(super) fn read(dict: &Value<'a>) -> Option<Self> {
        let tags = dict.get("tags").and_then(Value::dict)?;
        let totals = dict.get("totals");
        let total = |key| totals.and_then(|totals| totals.get(key)).map(Counters::read).unwrap_or_default();
        Some(Self {
            created: count(dict, "created"),
            created_us: count(dict, "created_us"),
            last_signal: count(dict, "last signal"),
            sides: tags.iter().map(|(key, side)| Side::read(key, side)).collect(),
            ssrcs: Ssrc::read_all(dict),
            rtp: total("RTP"),
            rtcp: total("RTCP"),
        })
    }

    /// The side with this tag.
    #[must_use]
    pub fn side(&self, tag: &[u8]) -> Option<&Side<'a>> {
        self.sides.iter().find(|side| side.tag == tag)
    }
}

impl Counters {
    fn read(dict: &Value<'_>) -> Self {
        let figure = |key| count(dict, key).unwrap_or_default();
        Self { packets: figure("packets"), bytes: figure("bytes"), errors: figure("errors") }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
            errors: self.errors.saturating_add(other.errors),
        }
    }
}

impl<'a> Side<'a> {
    /// A side without a tag stands under a name that the node made, so the tag within counts.
    fn read(key: &'a [u8], dict: &Value<'a>) -> Self {
        Self {
            tag: text(dict, "tag").unwrap_or(key),
            via_branch: text(dict, "via-branch"),
            label: text(dict, "label"),
            created: count(dict, "created"),
            subscriptions: list(dict, "subscriptions").iter().map(Subscription::read).collect(),
            subscribers: list(dict, "subscribers").iter().map(Subscription::read).collect(),
            medias: list(dict, "medias").iter().map(Media::read).collect(),
        }
    }
}

impl<'a> Subscription<'a> {
    fn read(dict: &Value<'a>) -> Self {
        Self { tag: text(dict, "tag").unwrap_or_default(), kind: text(dict, "type") }
    }
}

impl<'a> Media<'a> {
    fn read(dict: &Value<'a>) -> Self {
        let ssrcs = list(dict, "ingress SSRCs").iter().filter_map(|entry| entry.get("SSRC"));
        Self {
            index: count(dict, "index"),
            kind: text(dict, "type"),
            protocol: text(dict, "protocol"),
            codec: text(dict, "codec"),
            streams: list(dict, "streams").iter().map(Stream::read).collect(),
            flags: texts(dict, "flags"),
            ingress_ssrcs: ssrcs.filter_map(number).collect(),
        }
    }
}

impl<'a> Stream<'a> {
    fn read(dict: &Value<'a>) -> Self {
        Self {
            local_port: port(dict, "local port"),
            local_address: address(dict, "local address"),
            endpoint: dict.get("endpoint").and_then(endpoint),
            advertised_endpoint: dict.get("advertised endpoint").and_then(endpoint),
            crypto_suite: text(dict, "crypto suite"),
            last_packet: count(dict, "last packet"),
            flags: texts(dict, "flags"),
            ssrc: dict.get("SSRC").and_then(number),
            stats: dict.get("stats").map(Counters::read).unwrap_or_default(),
            stats_out: dict.get("stats_out").map(Counters::read),
        }
    }

    /// Whether RTP comes here, alone or with RTCP.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.flags.contains(&b"RTP".as_slice())
    }
}

fn endpoint(dict: &Value<'_>) -> Option<SocketAddr> {
    Some(SocketAddr::new(address(dict, "address")?, port(dict, "port")?))
}

fn address(dict: &Value<'_>, key: &str) -> Option<IpAddr> {
    std::str::from_utf8(text(dict, key)?).ok()?.parse().ok()
}

fn port(dict: &Value<'_>, key: &str) -> Option<u16> {
    count(dict, key).and_then(|port| u16::try_from(port).ok())
}
