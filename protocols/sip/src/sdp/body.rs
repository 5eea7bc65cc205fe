//! Where the body of a message has its session description: it is all of it, or a part of a multipart body
//! (RFC 2046, 5.1; RFC 5621).

use std::fmt;

use memchr::memchr;

use super::{line_len, without_end};
use crate::header::HeaderId;
use crate::list::List;
use crate::message::Message;
use crate::params::Params;
use crate::syntax::{split, trim};

/// Parts of a body, those of parts counted too.
const PARTS_MAX: usize = 16;
/// Octets of a boundary (RFC 2046, 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// The session description of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SdpBody<'a> {
    /// Its octets. A part ends before the line end that belongs to the boundary behind it, so the last line
    /// has an end of its own or has none.
    pub octets: &'a [u8],
    /// Whether it is a part of a multipart body; else it is all of the body.
    pub multipart: bool,
}

/// Shows its size only: the rest holds addresses and keys.
impl fmt::Debug for SdpBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SdpBody");
        shown.field("octets", &self.octets.len()).field("multipart", &self.multipart).finish()
    }
}

impl Message {
    /// The session description in the body. Whether it can be read is not looked at.
    ///
    /// `None` where there is none or more than one; where the body, or the part that it is, is encoded; where
    /// Content-Type comes twice; in parts of parts of parts; and where a multipart body does not end, is
    /// signed or has too many parts. One for early media (RFC 3959) is another one, and not found.
    pub fn sdp(&self) -> Option<SdpBody<'_>> {
        let twice = self.index.is_repeated(HeaderId::ContentType);
        let is_plain = self.values(HeaderId::ContentEncoding).all(is_identity);
        if twice || !is_plain || self.value(HeaderId::ContentDisposition).is_some_and(is_early) {
            return None;
        }
        let whole = Part { content_type: self.value(HeaderId::ContentType), content: self.body() };
        let mut search = Search { found: None, parts: 0 };
        let multipart = matches!(whole.kind(), Kind::Parts(_));
        search.part(&whole, 2)?;
        search.found.filter(|octets| !octets.is_empty()).map(|octets| SdpBody { octets, multipart })
    }
}

/// What a body or a part of one is.
enum Kind<'a> {
    Sdp,
    /// Parts, and the boundary between them.
    Parts(&'a [u8]),
    Other,
}

impl<'a> Kind<'a> {
    fn of(content_type: &'a [u8]) -> Self {
        let (name, params) = split(content_type, memchr(b';', content_type).unwrap_or(content_type.len()));
        let (main, sub) = split(name, memchr(b'/', name).unwrap_or(name.len()));
        let (main, sub) = (trim(main), trim(sub.get(1..).unwrap_or_default()));
        if main.eq_ignore_ascii_case(b"application") && sub.eq_ignore_ascii_case(b"sdp") {
            return Self::Sdp;
        }
        // What is signed is not to be changed. All else is as good as mixed (RFC 5621, 3.1).
        let sealed = sub.eq_ignore_ascii_case(b"signed") || sub.eq_ignore_ascii_case(b"encrypted");
        if sealed || !main.eq_ignore_ascii_case(b"multipart") {
            return Self::Other;
        }
        boundary(Params::new(params)).map_or(Self::Other, Self::Parts)
    }
}

fn boundary(params: Params<'_>) -> Option<&[u8]> {
    let boundary = params.get(b"boundary")?.unquoted();
    let fits = (1..=BOUNDARY_MAX).contains(&boundary.len());
    // None has a backslash or a control: one with an escape is not read.
    let odd = boundary.iter().any(|octet| matches!(octet, b'\\' | 0..=31 | 127));
    Some(boundary).filter(|boundary| fits && !odd && !boundary.ends_with(b" "))
}

/// Looks for the one description.
struct Search<'a> {
    found: Option<&'a [u8]>,
    parts: usize,
}

impl<'a> Search<'a> {
    /// A body, or a part of one; `depth` is how often it may have parts of its own. `None` ends the search.
    fn part(&mut self, part: &Part<'a>, depth: u8) -> Option<()> {
        match part.kind() {
            Kind::Sdp if self.found.is_some() => None,
            Kind::Sdp => {
                self.found = Some(part.content);
                Some(())
            }
            Kind::Parts(boundary) if depth > 0 => {
                let mut parts = Parts::new(part.content, boundary);
                for octets in parts.by_ref() {
                    self.parts += 1;
                    if self.parts > PARTS_MAX {
                        return None;
                    }
                    self.part(&Part::read(octets), depth - 1)?;
                }
                parts.ended.then_some(())
            }
            Kind::Parts(_) | Kind::Other => Some(()),
        }
    }
}

/// What stands between the boundaries of a body.
struct Parts<'a> {
    octets: &'a [u8],
    boundary: &'a [u8],
    /// Where the next part begins; `None` when there is none.
    at: Option<usize>,
    /// The last boundary was found.
    ended: bool,
}

/// A line with a boundary.
struct Delimiter {
    start: usize,
    end: usize,
    last: bool,
}

impl<'a> Parts<'a> {
    fn new(octets: &'a [u8], boundary: &'a [u8]) -> Self {
        let mut parts = Self { octets, boundary, at: None, ended: false };
        // What stands before the first boundary is nobody's.
        if let Some(first) = parts.delimiter(0) {
            parts.pass(&first);
        }
        parts
    }

    fn pass(&mut self, delimiter: &Delimiter) {
        self.ended = delimiter.last;
        self.at = if delimiter.last { None } else { Some(delimiter.end) };
    }

    /// The first line from here on that is a boundary: white space may follow in it, nothing else.
    fn delimiter(&self, from: usize) -> Option<Delimiter> {
        let mut start = from;
        loop {
            let rest = self.octets.get(start..).filter(|rest| !rest.is_empty())?;
            let (line, _) = split(rest, line_len(rest));
            let end = start + line.len();
            let after = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(self.boundary));
            let (last, padding) = match after {
                Some([b'-', b'-', padding @ ..]) => (true, padding),
                Some(padding) => (false, padding),
                None => (false, &b"-"[..]),
            };
            if trim(padding).is_empty() {
                return Some(Delimiter { start, end, last });
            }
            start = end;
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.at.take()?;
        let delimiter = self.delimiter(start)?;
        self.pass(&delimiter);
        // The line end before a boundary is part of it.
        self.octets.get(start..delimiter.start).map(without_end)
    }
}

/// A body or a part of one.
struct Part<'a> {
    content_type: Option<&'a [u8]>,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads headers up to the empty line; one that says that the content is no plain SDP for this session
    /// takes the type away.
    fn read(octets: &'a [u8]) -> Self {
        let (mut content_type, mut is_ours) = (None, true);
        let mut rest = octets;
        while !rest.is_empty() {
            let (field, after) = split(rest, field_len(rest));
            rest = after;
            if without_end(field).is_empty() {
                break;
            }
            let (name, value) = split(field, memchr(b':', field).unwrap_or_default());
            let (name, value) = (trim(name), trim(value.get(1..).unwrap_or_default()));
            let id = HeaderId::from_name(name);
            if id == HeaderId::ContentType {
                is_ours &= content_type.replace(value).is_none();
            }
            is_ours &= id != HeaderId::ContentEncoding || is_identity(value);
            is_ours &= id != HeaderId::ContentDisposition || !is_early(value);
            is_ours &= !name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") || is_literal(value);
        }
        Self { content_type: content_type.filter(|_| is_ours), content: rest }
    }

    fn kind(&self) -> Kind<'a> {
        self.content_type.map_or(Kind::Other, Kind::of)
    }
}

/// Octets of one header with its folds, or of the empty line.
fn field_len(octets: &[u8]) -> usize {
    let mut len = line_len(octets);
    if without_end(split(octets, len).0).is_empty() {
        return len;
    }
    while matches!(octets.get(len), Some(b' ' | b'\t')) {
        len += line_len(split(octets, len).1);
    }
    len
}

/// Content-Encoding that changes nothing.
fn is_identity(value: &[u8]) -> bool {
    List::new(value).all(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

/// Content-Disposition of a description that is not the one of the session.
fn is_early(value: &[u8]) -> bool {
    let (kind, _) = split(value, memchr(b';', value).unwrap_or(value.len()));
    trim(kind).eq_ignore_ascii_case(b"early-session")
}

/// Content-Transfer-Encoding that leaves octets as they are (RFC 2045, 6.2).
fn is_literal(value: &[u8]) -> bool {
    [&b"7bit"[..], b"8bit", b"binary"].into_iter().any(|literal| value.eq_ignore_ascii_case(literal))
}

#[cfg(test)]
mod tests;
