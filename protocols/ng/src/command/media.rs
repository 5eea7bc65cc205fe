//! Commands in the course of a call: recording, media and digits.

use std::net::IpAddr;

use super::words::DtmfSecurity;
use super::{count, text};
use crate::bencode::Writer;

/// Whose media it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// That of the call, whatever was asked of its sides before.
    Call,
    /// That of every side.
    All,
    /// That which the side of this tag sends.
    Tag(&'a [u8]),
    /// That of the side with this label.
    Label(&'a [u8]),
    /// That of the side whose SDP has this address.
    Address(IpAddr),
}

/// A call and whose media of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The call.
    pub call_id: &'a [u8],
    /// Whose media.
    pub who: Who<'a>,
}

/// A recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recording<'a> {
    /// The call, which is recorded as a whole.
    pub call_id: &'a [u8],
    /// Whose metadata it is.
    pub from_tag: Option<&'a [u8]>,
    /// What is kept with the recording.
    pub metadata: Option<&'a [u8]>,
    /// The file, with its whole path. Of a start only, as what follows.
    pub file: Option<&'a [u8]>,
    /// The folder. Not known to release 10.5.
    pub dir: Option<&'a [u8]>,
    /// The pattern of the names of files. Not known to release 10.5.
    pub pattern: Option<&'a [u8]>,
}

/// Where media to play is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media<'a> {
    /// A file of the node.
    File(&'a [u8]),
    /// The octets of a short file.
    Blob(&'a [u8]),
    /// A row of the node's database.
    Database(u32),
}

/// Media to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayMedia<'a> {
    /// Whom it is played to; the whole call is [`Who::All`].
    pub selected: Selected<'a>,
    /// What is played.
    pub media: Media<'a>,
    /// How many times.
    pub repeat_times: Option<u32>,
}

/// A digit to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayDtmf<'a> {
    /// Who seems to send it.
    pub selected: Selected<'a>,
    /// One of `0` to `9`, `*`, `#` and `A` to `D`.
    pub digit: char,
    /// Milliseconds it is long, 100 to 5,000.
    pub duration_ms: Option<u16>,
    /// Milliseconds of quiet behind it, 100 to 5,000.
    pub pause_ms: Option<u16>,
    /// How much quieter than the loudest, in decibels.
    pub attenuation_db: Option<u8>,
}

/// Digits to block, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfBlock<'a> {
    /// Whose digits.
    pub selected: Selected<'a>,
    /// What comes in their place.
    pub security: Option<DtmfSecurity>,
}

impl Selected<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        self.write_with(dict, None);
    }

    /// For blocking: a side is taken as one only with a flag there. Release 10.5 does not know it nor needs
    /// it.
    pub(super) fn write_directional(&self, dict: &mut Writer<'_>) {
        self.write_with(dict, Some("directional"));
    }

    fn write_with(&self, dict: &mut Writer<'_>, tag_flag: Option<&str>) {
        dict.key("call-id").str(self.call_id);
        match self.who {
            Who::Call => {}
            Who::All => super::list(dict, "flags", ["all"]),
            Who::Tag(tag) => {
                dict.key("from-tag").str(tag);
                super::list(dict, "flags", tag_flag);
            }
            Who::Label(label) => dict.key("label").str(label),
            Who::Address(address) => dict.key("address").str(address.to_string().as_bytes()),
        }
    }
}

impl Recording<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        dict.key("call-id").str(self.call_id);
        text(dict, "from-tag", self.from_tag);
        text(dict, "metadata", self.metadata);
        // The name that release 10.5 knows too.
        text(dict, "output-destination", self.file);
        text(dict, "recording-dir", self.dir);
        text(dict, "recording-pattern", self.pattern);
    }
}

impl PlayMedia<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        self.selected.write(dict);
        match self.media {
            Media::File(path) => dict.key("file").str(path),
            Media::Blob(octets) => dict.key("blob").str(octets),
            Media::Database(row) => dict.key("db-id").count(row.into()),
        }
        count(dict, "repeat-times", self.repeat_times);
    }
}

impl PlayDtmf<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        self.selected.write(dict);
        dict.key("code").str(self.digit.encode_utf8(&mut [0; 4]).as_bytes());
        count(dict, "duration", self.duration_ms);
        count(dict, "pause", self.pause_ms);
        if let Some(attenuation) = self.attenuation_db {
            dict.key("volume").int(-i64::from(attenuation));
        }
    }
}

impl DtmfBlock<'_> {
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        self.selected.write_directional(dict);
        if let Some(security) = self.security {
            dict.key("DTMF-security").str(security.word().as_bytes());
        }
    }
}
