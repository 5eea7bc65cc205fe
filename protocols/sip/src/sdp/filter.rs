//! Codecs that go, and the order of those that stay.

use bytes::BytesMut;
use smallvec::SmallVec;

use super::codec::{Codec, numbered, payload_type};
use super::{Line, Lines, Media, MediaKind, Sdp};
use crate::syntax::offset_in;

/// Formats that stay of a section before a list of them allocates.
const USUAL: usize = 16;

/// Attributes that begin with the payload type they speak of (RFC 8866, 6.6, 6.15; RFC 4585, 4.2).
const OF_FORMAT: [&[u8]; 3] = [b"rtpmap", b"fmtp", b"rtcp-fb"];

/// Which codecs of audio a description may name, by name without case, and in which order.
#[derive(Clone, Copy, Debug)]
pub struct CodecRule<'r, S> {
    /// Those that may stay; all where none is named. `telephone-event` and `CN` need not be named: they go
    /// along with what stays.
    pub allowed: &'r [S],
    /// Those that go whatever is allowed, `telephone-event` and `CN` too.
    pub denied: &'r [S],
    /// Those that come first, the best one at the front; all others follow as they came.
    pub order: &'r [S],
}

impl<S> Default for CodecRule<'_, S> {
    fn default() -> Self {
        Self { allowed: &[], denied: &[], order: &[] }
    }
}

impl<S: AsRef<str>> CodecRule<'_, S> {
    /// Whether a format stays; one that is not known to be of any codec does where all may.
    fn keeps(&self, codec: Option<&Codec<'_>>) -> bool {
        let Some(codec) = codec else { return self.allowed.is_empty() };
        let is_named = |names: &[S]| names.iter().any(|name| codec.is(name.as_ref()));
        !is_named(self.denied) && (self.allowed.is_empty() || codec.is_auxiliary() || is_named(self.allowed))
    }

    /// Its place among those that have one.
    fn rank(&self, codec: Option<&Codec<'_>>) -> usize {
        let place = codec.and_then(|codec| self.order.iter().position(|name| codec.is(name.as_ref())));
        place.unwrap_or(self.order.len())
    }
}

/// What a filter came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Filtered {
    /// All formats stay, in their order. Nothing was written.
    Unchanged,
    /// The whole description was written.
    Changed,
    /// Some section of audio would have no codec any more, `telephone-event` and `CN` aside. Nothing was
    /// written: to refuse a section, or all of them (488), is the caller's matter.
    NothingLeft,
}

impl Sdp<'_> {
    /// Takes codecs out of all sections of audio over RTP that are not rejected: their formats in `m=`, and
    /// the lines `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` of these formats. Appends to `out` what it comes to;
    /// every other octet is as it was.
    ///
    /// A format that speaks of another one (`red`, RFC 2198; `rtx`, RFC 4588) is not looked into: who allows
    /// it allows what it carries too.
    pub fn filter_codecs<S: AsRef<str>>(&self, rule: &CodecRule<'_, S>, out: &mut BytesMut) -> Filtered {
        let before = out.len();
        let mut splicer = Splicer { octets: self.octets, cursor: 0, out };
        for media in self.media.iter().filter(|media| is_filtered(media)) {
            if !splicer.filter(media, rule) {
                splicer.out.truncate(before);
                return Filtered::NothingLeft;
            }
        }
        if splicer.cursor == 0 {
            return Filtered::Unchanged;
        }
        splicer.finish();
        Filtered::Changed
    }
}

fn is_filtered(media: &Media<'_>) -> bool {
    media.kind == MediaKind::Audio && media.is_rtp() && !media.is_rejected()
}

/// Writes a description in which parts are replaced, from front to end.
struct Splicer<'a, 'o> {
    octets: &'a [u8],
    /// All before is written or gone; 0 until something goes, for no part begins a description.
    cursor: usize,
    out: &'o mut BytesMut,
}

impl Splicer<'_, '_> {
    /// One section; false where no codec would be left of it.
    fn filter<S: AsRef<str>>(&mut self, media: &Media<'_>, rule: &CodecRule<'_, S>) -> bool {
        let mut kept: SmallVec<[(usize, &[u8]); USUAL]> = SmallVec::new();
        // A bit for each payload type that goes.
        let mut gone = 0_u128;
        let (mut sound_came, mut sound_stays) = (false, false);
        for format in media.formats() {
            let codec = media.codec(format);
            let is_sound = codec.is_none_or(|codec| !codec.is_auxiliary());
            sound_came |= is_sound;
            if rule.keeps(codec.as_ref()) {
                sound_stays |= is_sound;
                kept.push((rule.rank(codec.as_ref()), format));
            } else {
                gone |= payload_type(format).map_or(0, bit);
            }
        }
        let came_empty = media.all_formats.is_empty();
        if !came_empty && (kept.is_empty() || sound_came && !sound_stays) {
            return false;
        }
        kept.sort_by_key(|(rank, _)| *rank);
        let kept = kept.iter().map(|(_, format)| *format);
        if !kept.clone().eq(media.formats()) {
            self.cut(media.all_formats);
            self.put_words(kept);
        }
        for line in Lines::new(media.lines) {
            if format_of(&line).is_some_and(|payload_type| gone & bit(payload_type) != 0) {
                self.cut(line.whole);
            }
        }
        true
    }

    /// What stands before a part is written, the part goes.
    fn cut(&mut self, part: &[u8]) {
        let Some(at) = offset_in(self.octets, part) else { return };
        self.out.extend_from_slice(self.octets.get(self.cursor..at).unwrap_or_default());
        self.cursor = at + part.len();
    }

    fn put_words<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) {
        for (place, word) in words.enumerate() {
            if place > 0 {
                self.out.extend_from_slice(b" ");
            }
            self.out.extend_from_slice(word);
        }
    }

    fn finish(self) {
        self.out.extend_from_slice(self.octets.get(self.cursor..).unwrap_or_default());
    }
}

/// The payload type that a line speaks of.
fn format_of(line: &Line<'_>) -> Option<u8> {
    let (name, value) = line.attribute()?;
    let speaks = OF_FORMAT.into_iter().any(|known| name.eq_ignore_ascii_case(known));
    let (payload_type, _) = numbered(value).filter(|_| speaks)?;
    Some(payload_type)
}

/// Payload types are at most 127.
fn bit(payload_type: u8) -> u128 {
    1_u128.checked_shl(payload_type.into()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
