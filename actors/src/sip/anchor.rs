//! What carries the sound of a call, and what its media node is asked for.
//!
//! Pure. A call's name at its node is made of its dialog's number and not of its Call-ID: whoever sends another's
//! Call-ID gets no hold of its media. Every attempt at a vendor has a branch of its own there.

mod counted;

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ng::command::{
    Delete, Dtls, EndpointLearning, Flag, Ice, Leg, Part, Replace, RtcpMux, Transport, WithSdp,
};
use ng::{Command, MediaOptions};
use runtime::model::{self, Dtmf, MediaPath, MediaProfile, MediaSecurity};
use serde::{Deserialize, Serialize};
use sip::sdp::{CodecRule, Filtered, Sdp};
use smallvec::SmallVec;
use uuid::Uuid;

pub use self::counted::Counted;
use super::dialog::{Dialog, End};
use super::routing::Direction;
use super::snapshot::{Trunk, Vendor};

/// The media node of a call, and the attempt there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Number of the node.
    pub node: u8,
    /// The node of ours that anchored it: it stands in the call's name there.
    pub owner: u16,
    /// The attempt: our branch of its INVITE; empty where it is not known any more.
    pub branch: Box<[u8]>,
    /// What is done with the media of both sides; of a call of an earlier process as the configuration has it by now.
    #[serde(skip)]
    pub profiles: Option<Profiles>,
}

/// What is done with the media of both sides of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profiles {
    /// The customer's trunk's.
    pub trunk: Arc<MediaProfile>,
    /// The vendor's.
    pub vendor: Arc<MediaProfile>,
}

impl Profiles {
    /// Of a call between these.
    pub fn between(trunk: &Trunk, vendor: &Vendor) -> Self {
        Self { trunk: Arc::clone(&trunk.media), vendor: Arc::clone(&vendor.media) }
    }

    /// Whether either side takes certain codecs only.
    pub fn name_codecs(&self) -> bool {
        !self.trunk.codecs.is_empty() || !self.vendor.codecs.is_empty()
    }

    /// Whether the sound goes past us: both sides must say so, for each then sees the other's addresses.
    pub fn is_direct(&self) -> bool {
        self.trunk.path == MediaPath::Direct && self.vendor.path == MediaPath::Direct
    }

    /// That of one side of a call in a direction.
    pub fn of(&self, end: End, direction: Direction) -> &MediaProfile {
        if (end == End::Caller) == (direction == Direction::Outbound) { &self.trunk } else { &self.vendor }
    }
}

/// A description that goes from one side to the other.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// The call.
    pub name: Name,
    /// The attempt; empty where it is not known.
    pub branch: &'a [u8],
    /// Who offers.
    pub offers: End,
    /// The tag of whoever offers.
    pub offerer: &'a [u8],
    /// The tag of whoever answers, as far as it is known.
    pub answerer: Option<&'a [u8]>,
    /// As it came.
    pub sdp: &'a [u8],
    /// What is done with the media of who sends it.
    pub sender: &'a MediaProfile,
    /// And of who gets it.
    pub receiver: &'a MediaProfile,
}

/// What offers and answers have alike: our address in place of the sender's wherever it stands.
const REPLACED: [Replace; 2] = [Replace::Origin, Replace::SessionConnection];

/// What the tags of both sides begin with at a node.
const CALLER: &[u8] = b"a-";
const CALLEE: &[u8] = b"b-";

/// Codecs that a list of codecs does not name, and that stay all the same: they are no codecs of speech.
const BESIDE: [&str; 2] = [EVENTS, "CN"];
/// Digits that are pressed.
const EVENTS: &str = "telephone-event";

/// The name of a call at its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The node of ours that gave it.
    pub owner: u16,
    /// The call.
    pub dialog: Uuid,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", self.owner, self.dialog)
    }
}

impl Name {
    /// Reads one; `None` where it is none of ours.
    pub fn parse(call_id: &[u8]) -> Option<Self> {
        let rest = std::str::from_utf8(call_id).ok()?.strip_prefix(PREFIX)?;
        let (owner, dialog) = rest.split_once('-')?;
        Some(Self { owner: owner.parse().ok()?, dialog: dialog.parse().ok()? })
    }
}

const PREFIX: &str = "warp-";

/// An offer as its node is asked to rewrite it.
pub fn offer(described: &Description<'_>) -> Bytes {
    let Description { sender, receiver, .. } = described;
    let flags = flags_of(sender);
    let mut allowed = allowed(sender, receiver);
    let mut transcode: SmallVec<[&str; 8]> = receiver.transcode.iter().map(String::as_str).collect();
    if receiver.dtmf == Dtmf::TelephoneEvent {
        transcode.push(EVENTS);
    }
    // Tones for who gets the offer are made of the events of who sends it, which the node goes on taking.
    let accept: &[&str] = if receiver.dtmf == Dtmf::Inband { &[EVENTS] } else { &[] };
    let is_listed = !allowed.is_empty();
    allowed.retain(|codec| !accept.contains(codec));
    // What is taken out is nothing that the node could transcode from; what is masked is.
    let is_transcoded = !transcode.is_empty() || !accept.is_empty();
    let all: &[&str] = if is_listed { &["all"] } else { &[] };
    let strip: &[&str] = if is_transcoded { &[] } else { all };
    let mask: &[&str] = match (is_listed, is_transcoded) {
        (true, true) => all,
        (true, false) => &[],
        (false, _) => accept,
    };
    let limited = if is_listed && is_transcoded { within_own_codecs(sender, described.sdp) } else { None };
    let transport_protocol = match receiver.security {
        MediaSecurity::Rtp => Some(Transport::RtpAvp),
        MediaSecurity::Srtp => Some(Transport::RtpSavp),
        MediaSecurity::AsOffered => None,
    };
    let ptime =
        |profile: &MediaProfile| u16::try_from(profile.ptime.as_millis()).ok().filter(|ptime| *ptime > 0);
    let recorded = sender.recording || receiver.recording;
    let metadata = recorded.then(|| metadata(described));
    let options = MediaOptions {
        transport_protocol,
        dtls: transport_protocol.map(|_| Dtls::Off),
        rtcp_mux: &[RtcpMux::Demux],
        codec: ng::command::Codecs {
            strip,
            offer: &allowed,
            mask,
            transcode: &transcode,
            accept,
            ..Default::default()
        },
        ptime: ptime(receiver),
        ptime_reverse: ptime(sender),
        direction: interfaces(sender, receiver),
        record_call: recorded.then_some(true),
        metadata: metadata.as_deref().map(str::as_bytes),
        ..common(sender, &flags)
    };
    let named = Named::of(described);
    encoded(&Command::Offer(WithSdp {
        leg: named.leg(described.branch),
        sdp: limited.as_deref().unwrap_or(described.sdp),
        options: &options,
    }))
}

/// An answer as its node is asked to rewrite it.
pub fn answer(described: &Description<'_>) -> Bytes {
    let flags = flags_of(described.sender);
    let options = common(described.sender, &flags);
    let named = Named::of(described);
    encoded(&Command::Answer(WithSdp {
        leg: named.leg(described.branch),
        sdp: described.sdp,
        options: &options,
    }))
}

/// The end of one attempt of a call. At once: the ports are for others.
///
/// A node that does not know the attempt takes the tag for what is to be ended. Nobody's is such a tag, so that nothing
/// ends then.
pub fn delete(name: Name, branch: &[u8]) -> Bytes {
    let call_id = name.to_string();
    let part =
        Part { call_id: call_id.as_bytes(), from_tag: Some(branch), to_tag: None, via_branch: Some(branch) };
    encoded(&Command::Delete(Delete { part, delay_seconds: Some(0), ..Delete::default() }))
}

/// The end of a call that was up. A node tells what it has counted of a side that it is asked for, and of the other one
/// with it. One that does not know the caller by its tag ends nothing, and says so.
pub fn delete_call(name: Name, dialog: &Dialog) -> Bytes {
    let (call_id, caller) = (name.to_string(), tag_of(End::Caller, dialog.caller.tag()));
    let part = Part { from_tag: Some(&caller), ..Part::whole(call_id.as_bytes()) };
    encoded(&Command::Delete(Delete { part, delay_seconds: Some(0), ..Delete::default() }))
}

/// The end of a call, by whatever tags it is known.
pub fn delete_all(name: Name) -> Bytes {
    let call_id = name.to_string();
    let part = Part::whole(call_id.as_bytes());
    encoded(&Command::Delete(Delete { part, delay_seconds: Some(0), ..Delete::default() }))
}

/// What a node is asked for to tell of a call. It is kept for every call of a node that has too many for a list, so that
/// it has no room to spare.
pub fn query(name: Name) -> Bytes {
    let call_id = name.to_string();
    Bytes::copy_from_slice(&encoded(&Command::Query(Part::whole(call_id.as_bytes()))))
}

/// Whether whoever is called has said anything of media, by what a node tells of the call.
pub fn is_answered(call: &ng::reply::Call<'_>) -> bool {
    call.sides.iter().any(|side| side.tag.starts_with(CALLEE))
}

fn encoded(command: &Command<'_>) -> Bytes {
    let mut octets = Vec::with_capacity(OCTETS);
    command.encode(&mut octets);
    octets.into()
}

/// What an offer takes as a rule.
const OCTETS: usize = 1_024;

/// Names of a call and of its sides at a node. Tags are told apart by side: where both write the same one, or none, a
/// node would join one side to itself.
struct Named {
    call_id: String,
    offerer: Vec<u8>,
    answerer: Option<Vec<u8>>,
}

impl Named {
    fn of(described: &Description<'_>) -> Self {
        let Description { offers, offerer, answerer, .. } = *described;
        Self {
            call_id: described.name.to_string(),
            offerer: tag_of(offers, offerer),
            answerer: answerer.map(|answerer| tag_of(offers.other(), answerer)),
        }
    }

    fn leg<'a>(&'a self, branch: &'a [u8]) -> Leg<'a> {
        Leg {
            call_id: self.call_id.as_bytes(),
            from_tag: &self.offerer,
            to_tag: self.answerer.as_deref(),
            via_branch: Some(branch).filter(|branch| !branch.is_empty()),
        }
    }
}

/// A tag of one side, as a node has it.
fn tag_of(end: End, tag: &[u8]) -> Vec<u8> {
    [if end == End::Caller { CALLER } else { CALLEE }, tag].concat()
}

fn common<'a>(sender: &MediaProfile, flags: &'a [Flag]) -> MediaOptions<'a> {
    MediaOptions {
        ice: Some(Ice::Remove),
        replace: &REPLACED,
        flags,
        endpoint_learning: match sender.learning {
            // Said by a flag, which every release knows.
            model::EndpointLearning::Off => None,
            model::EndpointLearning::Immediate => Some(EndpointLearning::Immediate),
            model::EndpointLearning::Delayed => Some(EndpointLearning::Delayed),
            model::EndpointLearning::Heuristic => Some(EndpointLearning::Heuristic),
        },
        ..MediaOptions::default()
    }
}

/// Where media may come from: a peer with fixed addresses moves nothing by what a stranger sends.
fn flags_of(sender: &MediaProfile) -> SmallVec<[Flag; 4]> {
    let asymmetric = (sender.learning == model::EndpointLearning::Off).then_some(Flag::Asymmetric);
    let strict = sender.strict_source.then_some(Flag::StrictSource);
    asymmetric.into_iter().chain(strict).collect()
}

/// Codecs of speech that both sides take, in the order of who gets the offer; none where they have none in common.
/// `None` where both take any.
pub fn agreed<'a>(sender: &'a MediaProfile, receiver: &'a MediaProfile) -> Option<SmallVec<[&'a str; 8]>> {
    let takes = |codec: &str| {
        sender.codecs.is_empty() || sender.codecs.iter().any(|known| known.eq_ignore_ascii_case(codec))
    };
    let ordered = ordered(sender, receiver);
    let agreed = ordered.iter().map(String::as_str).filter(|codec| takes(codec)).collect();
    (!ordered.is_empty()).then_some(agreed)
}

/// The list that says the order.
fn ordered<'a>(sender: &'a MediaProfile, receiver: &'a MediaProfile) -> &'a [String] {
    if receiver.codecs.is_empty() { &sender.codecs } else { &receiver.codecs }
}

/// Codecs that a node leaves in an offer, in their order; empty is any.
fn allowed<'a>(sender: &'a MediaProfile, receiver: &'a MediaProfile) -> SmallVec<[&'a str; 8]> {
    let Some(mut allowed) = agreed(sender, receiver) else { return SmallVec::new() };
    let ordered = ordered(sender, receiver);
    // They have none in common: what is transcoded, or fails, is the matter of who gets it.
    if allowed.is_empty() {
        allowed.extend(ordered.iter().map(String::as_str));
    }
    allowed.extend(BESIDE.into_iter().filter(|beside| !ordered.iter().any(|codec| codec == beside)));
    allowed
}

/// A description without what its sender may not have, where that is anything and something is left: a node that
/// transcodes takes all that stands there.
fn within_own_codecs(sender: &MediaProfile, sdp: &[u8]) -> Option<BytesMut> {
    let sdp = Sdp::parse(sdp).ok().filter(|_| !sender.codecs.is_empty())?;
    let mut out = BytesMut::new();
    let rule = CodecRule { allowed: &sender.codecs, ..CodecRule::default() };
    (sdp.filter_codecs(&rule, &mut out) == Filtered::Changed).then_some(out)
}

fn interfaces<'a>(sender: &'a MediaProfile, receiver: &'a MediaProfile) -> Option<[&'a str; 2]> {
    let name =
        |profile: &'a MediaProfile| if profile.interface.is_empty() { "default" } else { &profile.interface };
    let named = !sender.interface.is_empty() || !receiver.interface.is_empty();
    named.then(|| [name(sender), name(receiver)])
}

/// What the node keeps with a recording: whose it is, and how many seconds it is to be kept; 0 is for ever.
fn metadata(described: &Description<'_>) -> String {
    let recording = [described.sender, described.receiver].into_iter().filter(|profile| profile.recording);
    let seconds = recording.map(|profile| match profile.recording_retention.as_secs() {
        0 => u64::MAX,
        seconds => seconds,
    });
    let longest = seconds.max().filter(|seconds| *seconds != u64::MAX);
    format!("dialog:{}|retention:{}", described.name.dialog, longest.unwrap_or_default())
}

#[cfg(test)]
mod tests;
