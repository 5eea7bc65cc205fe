//! Commands: what a node is asked to do, and their octets.
//!
//! Nothing is written that is not set, so that a node's own defaults hold. A command is written without a
//! cookie: the same body goes to a second node under another one.

mod media;
mod names;
mod options;
mod words;

pub use media::{DtmfBlock, Media, PlayDtmf, PlayMedia, Recording, Selected, Who};
pub use names::Name;
pub use options::{Codecs, MediaOptions, SipMessage};
pub use words::{
    AddressFamily, Dtls, DtmfSecurity, EndpointLearning, Flag, Ice, Osrtp, Replace, RtcpMux, Sdes, T38,
    Transport,
};

use crate::bencode::{Writer, count, text};

/// The side of a call that an offer or an answer is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg<'a> {
    /// The call, the same for all of its legs.
    pub call_id: &'a [u8],
    /// The tag of the side that offered: the SIP From tag, or the To tag where the offer came in a
    /// response. Of an answer as well.
    pub from_tag: &'a [u8],
    /// The tag of the side that answers; every answer has it.
    pub to_tag: Option<&'a [u8]>,
    /// Tells attempts of one call from each other, while the other side has no tag yet.
    pub via_branch: Option<&'a [u8]>,
}

/// A call or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// The call.
    pub call_id: &'a [u8],
    /// One side of it; without one it is the whole call.
    pub from_tag: Option<&'a [u8]>,
    /// The other side.
    pub to_tag: Option<&'a [u8]>,
    /// One attempt of it.
    pub via_branch: Option<&'a [u8]>,
}

/// An offer or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithSdp<'a> {
    /// Whose SDP it is.
    pub leg: Leg<'a>,
    /// The SDP as it came.
    pub sdp: &'a [u8],
    /// What becomes of it.
    pub options: &'a MediaOptions<'a>,
}

/// The end of a call or of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete<'a> {
    /// What ends.
    pub part: Part<'a>,
    /// Only the side of [`Part::to_tag`] ends. Release 10.5 takes the tag into account without being told.
    pub honour_to_tag: bool,
    /// A call that is not known is an error, not a warning.
    pub fatal: bool,
    /// The reply has no statistics. Release 10.5 replies with them all the same.
    pub fast: bool,
    /// How long the ports stay open, in seconds, in place of the node's own setting.
    pub delay_seconds: Option<u32>,
}

/// What a node is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Whether it is there.
    Ping,
    /// Ports for a call, and the SDP for the side that is called.
    Offer(WithSdp<'a>),
    /// The SDP for the side that offered.
    Answer(WithSdp<'a>),
    /// A call of one side, which is only to be heard: the reply has the SDP for it. It names the node's release.
    Publish(WithSdp<'a>),
    /// The end of a call.
    Delete(Delete<'a>),
    /// What is known of a call.
    Query(Part<'a>),
    /// The calls it has, so many at most; 32 of them unless said otherwise.
    List {
        /// How many at most.
        limit: Option<u32>,
    },
    /// Figures of the node.
    Statistics,
    /// Records the call from now on.
    StartRecording(Recording<'a>),
    /// Ends the recording.
    StopRecording(Recording<'a>),
    /// Ends the recording for a while and keeps its file open. Release 10.5 does not know this one.
    PauseRecording(Recording<'a>),
    /// Passes on no media.
    BlockMedia(Selected<'a>),
    /// Undoes [`Command::BlockMedia`].
    UnblockMedia(Selected<'a>),
    /// Passes on silence in place of media.
    SilenceMedia(Selected<'a>),
    /// Undoes [`Command::SilenceMedia`].
    UnsilenceMedia(Selected<'a>),
    /// Plays a file to a side.
    PlayMedia(PlayMedia<'a>),
    /// Ends it.
    StopMedia(Selected<'a>),
    /// Sends a digit as a side.
    PlayDtmf(PlayDtmf<'a>),
    /// Passes on no digits.
    BlockDtmf(DtmfBlock<'a>),
    /// Undoes [`Command::BlockDtmf`].
    UnblockDtmf(DtmfBlock<'a>),
}

impl Command<'_> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> Name {
        match self {
            Self::Ping => Name::Ping,
            Self::Offer(_) => Name::Offer,
            Self::Answer(_) => Name::Answer,
            Self::Publish(_) => Name::Publish,
            Self::Delete(_) => Name::Delete,
            Self::Query(_) => Name::Query,
            Self::List { .. } => Name::List,
            Self::Statistics => Name::Statistics,
            Self::StartRecording(_) => Name::StartRecording,
            Self::StopRecording(_) => Name::StopRecording,
            Self::PauseRecording(_) => Name::PauseRecording,
            Self::BlockMedia(_) => Name::BlockMedia,
            Self::UnblockMedia(_) => Name::UnblockMedia,
            Self::SilenceMedia(_) => Name::SilenceMedia,
            Self::UnsilenceMedia(_) => Name::UnsilenceMedia,
            Self::PlayMedia(_) => Name::PlayMedia,
            Self::StopMedia(_) => Name::StopMedia,
            Self::PlayDtmf(_) => Name::PlayDtmf,
            Self::BlockDtmf(_) => Name::BlockDtmf,
            Self::UnblockDtmf(_) => Name::UnblockDtmf,
        }
    }

    /// Appends the command to `out`, without a cookie.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).dict(|dict| {
            dict.key("command").str(self.name().word().as_bytes());
            self.write(dict);
        });
    }

    fn write(&self, dict: &mut Writer<'_>) {
        match self {
            Self::Ping | Self::Statistics => {}
            Self::Offer(with_sdp) | Self::Answer(with_sdp) | Self::Publish(with_sdp) => with_sdp.write(dict),
            Self::Delete(delete) => delete.write(dict),
            Self::Query(part) => part.write(dict),
            Self::List { limit } => count(dict, "limit", *limit),
            Self::StartRecording(recording)
            | Self::StopRecording(recording)
            | Self::PauseRecording(recording) => recording.write(dict),
            Self::BlockMedia(selected)
            | Self::UnblockMedia(selected)
            | Self::SilenceMedia(selected)
            | Self::UnsilenceMedia(selected) => selected.write_directional(dict),
            Self::StopMedia(selected) => selected.write(dict),
            Self::PlayMedia(play) => play.write(dict),
            Self::PlayDtmf(play) => play.write(dict),
            Self::BlockDtmf(block) | Self::UnblockDtmf(block) => block.write(dict),
        }
    }
}

impl<'a> From<Leg<'a>> for Part<'a> {
    fn from(leg: Leg<'a>) -> Self {
        Self {
            call_id: leg.call_id,
            from_tag: Some(leg.from_tag),
            to_tag: leg.to_tag,
            via_branch: leg.via_branch,
        }
    }
}

impl<'a> Part<'a> {
    /// All of a call.
    #[must_use]
    pub const fn whole(call_id: &'a [u8]) -> Self {
        Self { call_id, from_tag: None, to_tag: None, via_branch: None }
    }

    fn write(&self, dict: &mut Writer<'_>) {
        dict.key("call-id").str(self.call_id);
        text(dict, "from-tag", self.from_tag);
        text(dict, "to-tag", self.to_tag);
        text(dict, "via-branch", self.via_branch);
    }
}

impl WithSdp<'_> {
    fn write(&self, dict: &mut Writer<'_>) {
        Part::from(self.leg).write(dict);
        dict.key("sdp").str(self.sdp);
        self.options.write(dict);
    }
}

impl Delete<'_> {
    fn write(&self, dict: &mut Writer<'_>) {
        self.part.write(dict);
        let flags = [(self.fatal, "fatal"), (self.fast, "fast"), (self.honour_to_tag, "to-tag")];
        list(dict, "flags", flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag));
        count(dict, "delete delay", self.delay_seconds);
    }
}

/// A list of texts, unless it is empty.
fn list<T: AsRef<[u8]>>(dict: &mut Writer<'_>, key: &str, values: impl IntoIterator<Item = T>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_some() {
        dict.key(key).list(|list| values.for_each(|value| list.str(value.as_ref())));
    }
}

#[cfg(test)]
mod tests;
