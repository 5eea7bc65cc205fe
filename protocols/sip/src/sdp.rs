//! Session descriptions (RFC 8866; offers and answers, RFC 3264): an index over the octets, which stay as
//! they came.
//!
//! Read liberally: lines may end in LF alone, the last one without an end, white space may be wider than it
//! should be, and a line that means nothing here is passed over. What makes two readers see two descriptions
//! is refused: CR or NUL within a line, and a media line that cannot be read. Values are read when somebody
//! asks.
//!
//! A description is never written anew: [`Sdp::filter_codecs`] and [`Sdp::write_nameless`] splice, and all that
//! they do not speak of leaves octet by octet as it came. Where a message has its description is found by
//! [`Message::sdp`](crate::Message::sdp).
//!
//! Not here: what an answer has to be to an offer, ICE, capability negotiation (RFC 5939).

mod body;
mod codec;
mod filter;
mod media;
mod nameless;

use std::fmt;

use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use crate::syntax::{split, trim};

pub use body::SdpBody;
pub use codec::Codec;
pub use filter::{CodecRule, Filtered};
pub use media::{Connection, Direction, Media, MediaKind, Rtcp};

/// Octets of a description.
const OCTETS_MAX: usize = 65_535;
/// Lines of a description.
const LINES_MAX: usize = 1_024;
/// Media sections of a description.
const SECTIONS_MAX: usize = 32;
/// Formats of a media section: payload types are of seven bits.
const FORMATS_MAX: usize = 128;

/// Media sections before the index allocates.
const USUAL: usize = 4;

/// Why octets are not taken for a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// They do not begin with `v=`.
    #[error("it does not begin with v=")]
    Version,
    /// CR or NUL within a line: others may take it for an end.
    #[error("a control character within a line")]
    Control,
    /// An `m=` line without a kind, a port or a protocol.
    #[error("a malformed media line")]
    Media,
    /// More octets, lines, media sections or formats than are read.
    #[error("larger than descriptions may be")]
    TooLarge,
}

/// A session description.
#[derive(Clone)]
pub struct Sdp<'a> {
    octets: &'a [u8],
    /// All before the first media section.
    session: &'a [u8],
    media: SmallVec<[Media<'a>; USUAL]>,
}

/// Whose description it is (RFC 8866, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// `-` where there is none.
    pub username: &'a [u8],
    /// With the username and the address it is the same for all descriptions of one session.
    pub session_id: &'a [u8],
    /// Goes up by one with each change (RFC 3264, 8).
    pub version: &'a [u8],
    /// Where the session was made; media need not go there.
    pub address: &'a [u8],
}

impl<'a> Sdp<'a> {
    /// Reads a description; one of usual size without an allocation.
    pub fn parse(octets: &'a [u8]) -> Result<Self, SdpError> {
        if octets.len() > OCTETS_MAX {
            return Err(SdpError::TooLarge);
        }
        if !octets.starts_with(b"v=") {
            return Err(SdpError::Version);
        }
        let mut starts: SmallVec<[usize; USUAL]> = SmallVec::new();
        let mut at = 0;
        for (count, line) in Lines::new(octets).enumerate() {
            if memchr2(b'\r', 0, line.text).is_some() {
                return Err(SdpError::Control);
            }
            if line.value_of(b'm').is_some() {
                starts.push(at);
            }
            if count >= LINES_MAX || starts.len() > SECTIONS_MAX {
                return Err(SdpError::TooLarge);
            }
            at += line.whole.len();
        }
        let (session, _) = split(octets, starts.first().copied().unwrap_or(octets.len()));
        let mut media: SmallVec<[Media<'a>; USUAL]> = SmallVec::new();
        let ends = starts.iter().skip(1).copied().chain([octets.len()]);
        for (start, end) in starts.iter().copied().zip(ends) {
            let section = octets.get(start..end).unwrap_or_default();
            media.push(Media::parse(session, section)?);
        }
        Ok(Self { octets, session, media })
    }

    /// The octets.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The media sections in their order. An answer has as many as its offer (RFC 3264, 6).
    pub fn media(&self) -> &[Media<'a>] {
        &self.media
    }

    /// The value of `o=`; `None` where it is missing or malformed.
    pub fn origin(&self) -> Option<Origin<'a>> {
        let mut words = words(first(self.session, b'o')?);
        let (username, session_id, version) = (words.next()?, words.next()?, words.next()?);
        let (_network, _family, address) = (words.next()?, words.next()?, words.next()?);
        Some(Origin { username, session_id, version, address })
    }

    /// The `c=` that stands before all media sections, for those that have none of their own.
    pub fn connection(&self) -> Option<Connection<'a>> {
        Connection::parse(first(self.session, b'c')?)
    }

    /// Whether both are one version of one session: the lines `o=` are there and equal. Its sender says so
    /// that nothing has changed (RFC 3264, 8); whether that is true is not looked at.
    pub fn is_same_version(&self, other: &Sdp<'_>) -> bool {
        let own = first(self.session, b'o');
        own.is_some() && own == first(other.session, b'o')
    }
}

/// Shows sizes only: the rest holds addresses and keys.
impl fmt::Debug for Sdp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sdp").field("octets", &self.octets.len()).field("media", &self.media).finish()
    }
}

/// The lines of a description or of a part of one.
#[derive(Clone, Debug)]
struct Lines<'a> {
    rest: &'a [u8],
}

/// One line.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    /// With its end.
    whole: &'a [u8],
    /// Without its end. At the end of the octets a CR is taken for half of one.
    text: &'a [u8],
}

impl<'a> Lines<'a> {
    const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let len = line_len(self.rest);
        let (whole, rest) = split(self.rest, len);
        self.rest = rest;
        Some(Line { whole, text: without_end(whole) })
    }
}

impl<'a> Line<'a> {
    /// What stands behind `kind=`, where this is such a line.
    const fn value_of(&self, kind: u8) -> Option<&'a [u8]> {
        match self.text {
            [first, b'=', value @ ..] if *first == kind => Some(value),
            _ => None,
        }
    }

    /// Name and value of an attribute; the value is empty where it has none.
    fn attribute(&self) -> Option<(&'a [u8], &'a [u8])> {
        let attribute = self.value_of(b'a')?;
        let (name, value) = split(attribute, memchr(b':', attribute).unwrap_or(attribute.len()));
        Some((trim(name), trim(value.get(1..).unwrap_or_default())))
    }
}

/// Octets of the first line with its end.
fn line_len(octets: &[u8]) -> usize {
    memchr(b'\n', octets).map_or(octets.len(), |at| at + 1)
}

/// A line without CRLF, LF, or the CR that the octets end in.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The value of the first line of a kind.
fn first(lines: &[u8], kind: u8) -> Option<&[u8]> {
    Lines::new(lines).find_map(|line| line.value_of(kind))
}

/// All attributes of these lines.
fn attributes(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    Lines::new(lines).filter_map(|line| line.attribute())
}

/// The value of the first attribute of this name. Names are compared without case: nobody has two that differ
/// in it, and some write them in capitals.
fn attribute<'a>(lines: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    attributes(lines).find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// What white space separates.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
