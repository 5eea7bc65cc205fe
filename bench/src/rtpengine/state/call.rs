//! A call of a simulated node: its sides, who hears whom, and the ports of each.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ng::reply::{self, Counters, Stream, Subscription};

use super::Route;
use crate::rtpengine::sdp::Offered;

/// What every port got so far.
pub(super) type Heard = HashMap<u16, Counters>;

/// A side of a call by its place.
pub(super) type SideId = u32;

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) created: Duration,
    pub(super) last_signal: Duration,
    sides: BTreeMap<SideId, Side>,
    next: SideId,
}

/// Whom a command is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends<'a> {
    pub(super) from: &'a [u8],
    pub(super) to: Option<&'a [u8]>,
    pub(super) branch: Option<&'a [u8]>,
}

#[derive(Clone, Debug)]
struct Side {
    /// Empty until it answers.
    tag: Vec<u8>,
    branch: Option<Vec<u8>>,
    created: Duration,
    /// Who gets its media, and whose media it gets.
    others: Vec<SideId>,
    medias: Vec<Media>,
}

#[derive(Clone, Debug)]
struct Media {
    kind: String,
    protocol: String,
    /// The node's even port.
    port: Option<u16>,
    /// Where the side takes RTP and RTCP, by its SDP.
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
}

/// Finding sides, and making them.
impl Call {
    pub(super) const fn new(now: Duration) -> Self {
        Self { created: now, last_signal: now, sides: BTreeMap::new(), next: 0 }
    }

    /// Who offers, and who is to get the offer: by its tag, else by its attempt. An attempt that is not known
    /// is another side.
    pub(super) fn offered(&mut self, ends: Ends<'_>, now: Duration) -> (SideId, SideId) {
        let known = self.by_tag(ends.from);
        let offerer = known.unwrap_or_else(|| self.create(ends.from, None, now));
        let known = match (ends.to, ends.branch) {
            (Some(tag), branch) => self.by_tag(tag).or_else(|| self.unnamed(offerer, branch)),
            (None, Some(branch)) => self.by_branch(branch),
            (None, None) => self.unanswered(offerer),
        };
        let other = known.filter(|other| *other != offerer);
        let other = other.unwrap_or_else(|| self.create(b"", ends.branch, now));
        self.join((offerer, other), ends.to);
        (offerer, other)
    }

    /// Who offered, and who answers; nothing when nobody with such a tag has offered.
    pub(super) fn answered(&mut self, ends: Ends<'_>, now: Duration) -> Option<(SideId, SideId)> {
        let offerer = self.by_tag(ends.from)?;
        let known = ends.to.and_then(|tag| self.by_tag(tag)).or_else(|| self.unnamed(offerer, ends.branch));
        let answerer = known.filter(|answerer| *answerer != offerer);
        let answerer = answerer.unwrap_or_else(|| self.create(b"", None, now));
        self.join((offerer, answerer), ends.to);
        Some((offerer, answerer))
    }

    fn by_tag(&self, tag: &[u8]) -> Option<SideId> {
        let found = self.sides.iter().find(|(_, side)| !tag.is_empty() && side.tag == tag);
        found.map(|(id, _)| *id)
    }

    fn by_branch(&self, branch: &[u8]) -> Option<SideId> {
        let found = self.sides.iter().find(|(_, side)| side.branch.as_deref() == Some(branch));
        found.map(|(id, _)| *id)
    }

    /// The side of an attempt, or of whatever attempt where that is not known, as long as it has not
    /// answered.
    fn unnamed(&self, offerer: SideId, branch: Option<&[u8]>) -> Option<SideId> {
        match branch.and_then(|branch| self.by_branch(branch)) {
            Some(side) => Some(side).filter(|side| self.is_unnamed(*side)),
            None => self.unanswered(offerer),
        }
    }

    fn unanswered(&self, of: SideId) -> Option<SideId> {
        self.sides.get(&of)?.others.iter().copied().find(|other| self.is_unnamed(*other))
    }

    fn is_unnamed(&self, side: SideId) -> bool {
        self.sides.get(&side).is_some_and(|side| side.tag.is_empty())
    }

    fn create(&mut self, tag: &[u8], branch: Option<&[u8]>, now: Duration) -> SideId {
        let id = self.next;
        self.next += 1;
        let side = Side {
            tag: tag.to_vec(),
            branch: branch.map(<[u8]>::to_vec),
            created: now,
            others: Vec::new(),
            medias: Vec::new(),
        };
        self.sides.insert(id, side);
        id
    }

    /// They hear each other from now on, and the second has this tag unless it has one.
    fn join(&mut self, (one, two): (SideId, SideId), tag: Option<&[u8]>) {
        for (side, other) in [(one, two), (two, one)] {
            if let Some(side) = self.sides.get_mut(&side).filter(|side| !side.others.contains(&other)) {
                side.others.push(other);
            }
        }
        if let Some((side, tag)) = self.sides.get_mut(&two).filter(|side| side.tag.is_empty()).zip(tag) {
            side.tag = tag.to_vec();
        }
    }
}

/// Medias and their ports.
impl Call {
    pub(super) fn sides(&self) -> usize {
        self.sides.len()
    }

    /// Takes over what a side says of its medias; what the other one has not said anything of is as here.
    pub(super) fn describe(&mut self, (sender, receiver): (SideId, SideId), medias: &[Offered<'_>]) {
        for id in [sender, receiver] {
            let Some(side) = self.sides.get_mut(&id) else { continue };
            for (place, offered) in medias.iter().enumerate() {
                if side.medias.len() == place {
                    side.medias.push(Media::of(offered));
                }
                if let Some(media) = side.medias.get_mut(place).filter(|_| id == sender) {
                    offered.kind.clone_into(&mut media.kind);
                    offered.protocol.clone_into(&mut media.protocol);
                    (media.rtp, media.rtcp) = (offered.endpoint(), offered.rtcp_endpoint());
                }
            }
        }
    }

    /// Pairs of ports that these sides need beside those they have.
    pub(super) fn lacking(&self, sides: (SideId, SideId), medias: &[Offered<'_>]) -> usize {
        let of = |id| self.sides.get(&id).map_or(0, |side| side.lacking(medias).count());
        of(sides.0) + of(sides.1)
    }

    /// Hands out so many pairs.
    pub(super) fn give(&mut self, sides: (SideId, SideId), medias: &[Offered<'_>], pairs: Vec<u16>) {
        let mut pairs = pairs.into_iter();
        for id in [sides.0, sides.1] {
            let Some(side) = self.sides.get_mut(&id) else { continue };
            let places: Vec<usize> = side.lacking(medias).collect();
            for (place, pair) in places.into_iter().zip(&mut pairs) {
                if let Some(media) = side.medias.get_mut(place) {
                    media.port = Some(pair);
                }
            }
        }
    }

    /// The ports that the SDP for a side has in place of `medias`: none for a media that is refused.
    pub(super) fn ports_for(&self, receiver: SideId, medias: &[Offered<'_>]) -> Vec<Option<u16>> {
        let own = self.sides.get(&receiver).map(|side| side.medias.as_slice()).unwrap_or_default();
        let port = |(offered, media): (&Offered<'_>, &Media)| media.port.filter(|_| offered.port != 0);
        medias.iter().zip(own).map(port).collect()
    }

    /// Where what comes to each port goes: out by the port of the other side, to where that side takes it.
    pub(super) fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        for side in self.sides.values() {
            let others: Vec<&Side> = side.others.iter().filter_map(|other| self.sides.get(other)).collect();
            for (place, media) in side.medias.iter().enumerate() {
                let Some(port) = media.port else { continue };
                let out = others.iter().filter_map(|other| other.medias.get(place));
                let rtp = out.clone().filter_map(|media| media.port.zip(media.rtp));
                let rtcp =
                    out.filter_map(|media| media.port.map(|port| port.saturating_add(1)).zip(media.rtcp));
                routes.push(Route { port, to: rtp.collect() });
                routes.push(Route { port: port.saturating_add(1), to: rtcp.collect() });
            }
        }
        routes
    }
}

/// The end of sides, and what is told of all of them.
impl Call {
    /// The sides that a delete ends; nothing when none is meant. As RTPEngine 10 goes about it: an attempt
    /// that is not known is passed over, so that such a delete is one of the side that offered, and with that
    /// of the whole call.
    pub(super) fn doomed(&self, ends: Ends<'_>) -> Option<Vec<SideId>> {
        if ends.from.is_empty() {
            return Some(self.sides.keys().copied().collect());
        }
        let by_branch = || ends.branch.and_then(|branch| self.by_branch(branch));
        let by_from = || self.by_tag(ends.from);
        let first = match ends.to.filter(|tag| !tag.is_empty()) {
            None => by_branch().or_else(by_from),
            Some(tag) => {
                let unanswered = |side: &SideId| self.unanswered(*side).is_some();
                self.by_tag(tag).or_else(by_branch).or_else(|| by_from().filter(unanswered))
            }
        }?;
        let mut doomed = vec![first];
        let others = self.sides.get(&first).map(|side| side.others.as_slice()).unwrap_or_default();
        // Who hears nobody else goes too.
        let lonely = |other: &&SideId| self.sides.get(*other).is_some_and(|other| other.others == [first]);
        doomed.extend(others.iter().filter(lonely));
        Some(doomed)
    }

    /// Takes sides out; the ports that they had.
    pub(super) fn remove(&mut self, doomed: &[SideId]) -> Vec<u16> {
        let gone: Vec<Side> = doomed.iter().filter_map(|id| self.sides.remove(id)).collect();
        for side in self.sides.values_mut() {
            side.others.retain(|other| !doomed.contains(other));
        }
        gone.iter().flat_map(|side| &side.medias).filter_map(|media| media.port).collect()
    }

    /// As a query or a delete tells it.
    pub(super) fn view(&self, own: IpAddr, heard: &Heard) -> reply::Call<'_> {
        let sides: Vec<reply::Side<'_>> =
            self.sides.values().map(|side| self.view_side(side, own, heard)).collect();
        let streams = || sides.iter().flat_map(|side| &side.medias).flat_map(|media| &media.streams);
        let sum = |rtp: bool| {
            let counted = streams().filter(|stream| stream.is_rtp() == rtp).map(|stream| stream.stats);
            counted.fold(Counters::default(), Counters::plus)
        };
        let (rtp, rtcp) = (sum(true), sum(false));
        reply::Call {
            created: Some(self.created.as_secs()),
            created_us: Some(self.created.subsec_micros().into()),
            last_signal: Some(self.last_signal.as_secs()),
            sides,
            ssrcs: Vec::new(),
            rtp,
            rtcp,
        }
    }

    fn view_side<'c>(&'c self, side: &'c Side, own: IpAddr, heard: &Heard) -> reply::Side<'c> {
        let others = side.others.iter().filter_map(|other| self.sides.get(other));
        let kind = Some(b"offer/answer".as_slice());
        let others: Vec<Subscription<'c>> =
            others.map(|other| Subscription { tag: &other.tag, kind }).collect();
        let medias = side.medias.iter().zip(1_u64..);
        reply::Side {
            tag: &side.tag,
            via_branch: side.branch.as_deref(),
            label: None,
            created: Some(side.created.as_secs()),
            subscriptions: others.clone(),
            subscribers: others,
            medias: medias.map(|(media, index)| media.view(index, own, heard)).collect(),
        }
    }
}

impl Side {
    /// Places of the medias that have no ports yet and need them.
    fn lacking(&self, medias: &[Offered<'_>]) -> impl Iterator<Item = usize> {
        let lacks = |(offered, media): (&Offered<'_>, &Media)| offered.port != 0 && media.port.is_none();
        let places = medias.iter().zip(&self.medias).enumerate();
        places.filter(move |(_, both)| lacks(*both)).map(|(place, _)| place)
    }
}

impl Media {
    fn of(offered: &Offered<'_>) -> Self {
        let (kind, protocol) = (offered.kind.to_owned(), offered.protocol.to_owned());
        Self { kind, protocol, port: None, rtp: None, rtcp: None }
    }

    fn view<'m>(&'m self, index: u64, own: IpAddr, heard: &Heard) -> reply::Media<'m> {
        let rtp = self.port.map(|port| (port, self.rtp, b"RTP".as_slice()));
        let rtcp = self.port.map(|port| (port.saturating_add(1), self.rtcp, b"RTCP".as_slice()));
        let stream = |(port, endpoint, flag): (u16, Option<SocketAddr>, &'static [u8])| Stream {
            local_port: Some(port),
            local_address: Some(own),
            endpoint,
            advertised_endpoint: endpoint,
            flags: vec![flag, b"filled"],
            stats: heard.get(&port).copied().unwrap_or_default(),
            ..Stream::default()
        };
        reply::Media {
            index: Some(index),
            kind: Some(self.kind.as_bytes()),
            protocol: Some(self.protocol.as_bytes()),
            codec: None,
            streams: rtp.into_iter().chain(rtcp).map(stream).collect(),
            flags: vec![b"initialized".as_slice(), b"send", b"recv"],
            ingress_ssrcs: Vec::new(),
        }
    }
}
