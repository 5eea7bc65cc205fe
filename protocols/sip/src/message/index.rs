//! One pass over the head of a message.

use memchr::{memchr, memchr_iter};
use smallvec::SmallVec;

use super::{Defect, Field, Index, NotSip, Start};
use crate::header::{COUNT, HeaderId};
use crate::limits::{HEAD_MAX, Limits};
use crate::syntax::{is_lws, is_token, number, split, trim, trim_start};

impl Index {
    /// Reads the head of `octets`, which begin with the start line. Of Content-Length only the number is read;
    /// what it means is left to who knows the transport.
    pub(crate) fn read(octets: &[u8], limits: &Limits) -> Result<Self, NotSip> {
        let head_max = limits.head_max();
        let mut index = Self::empty();
        let mut reader = Reader {
            head: octets.get(..head_max).unwrap_or(octets),
            whole: octets.len() <= head_max,
            at: 0,
            crlfs: 0,
            limits,
            index: &mut index,
        };
        reader.start_line()?;
        reader.fields();
        reader.stray_cr();
        if index.vias > limits.vias {
            index.note(Defect::TooManyVias);
        }
        index.read_content_length(octets);
        Ok(index)
    }

    fn empty() -> Self {
        Self {
            start: Start::Response { code: 0, reason: (0, 0), line_end: 0 },
            fields: SmallVec::new(),
            first: [0; COUNT],
            last: [0; COUNT],
            head_end: 0,
            body: 0,
            vias: 0,
            content_length: None,
            defect: None,
            over_limits: false,
            lf_only: false,
        }
    }

    /// Keeps the first defect.
    pub(crate) fn note(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
        self.over_limits |= defect.is_limit();
    }

    pub(crate) fn has(&self, id: HeaderId) -> bool {
        self.first.get(id.index()).is_some_and(|&place| place != 0)
    }

    pub(crate) fn first(&self, id: HeaderId) -> Option<&Field> {
        let place = usize::from(*self.first.get(id.index())?);
        self.fields.get(place.checked_sub(1)?)
    }

    pub(crate) fn last(&self, id: HeaderId) -> Option<&Field> {
        let place = usize::from(*self.last.get(id.index())?);
        self.fields.get(place.checked_sub(1)?)
    }

    /// All fields of an id in their order.
    pub(crate) fn all(&self, id: HeaderId) -> impl Iterator<Item = &Field> {
        let place = |table: &[u16; COUNT]| table.get(id.index()).map_or(0, |&place| usize::from(place));
        let (first, last) = (place(&self.first), place(&self.last));
        let fields = self.fields.get(first.saturating_sub(1)..last).unwrap_or_default();
        fields.iter().filter(move |field| field.id == id)
    }

    /// Whether more than one field has this id.
    pub(crate) fn is_repeated(&self, id: HeaderId) -> bool {
        self.first.get(id.index()) != self.last.get(id.index())
    }

    #[inline]
    fn push(&mut self, field: Field) {
        self.fields.push(field);
        let place = short(self.fields.len());
        if let Some(first) = self.first.get_mut(field.id.index())
            && *first == 0
        {
            *first = place;
        }
        if let Some(last) = self.last.get_mut(field.id.index()) {
            *last = place;
        }
    }

    fn read_content_length(&mut self, octets: &[u8]) {
        let value = |field: &Field| {
            let value = octets.get(usize::from(field.value)..usize::from(field.value_end));
            number(trim(value.unwrap_or_default())).ok()
        };
        let Some(length) = self.first(HeaderId::ContentLength).map(value) else { return };
        if length.is_none() || self.all(HeaderId::ContentLength).any(|field| value(field) != length) {
            self.note(Defect::ContentLength);
            return;
        }
        self.content_length = length.and_then(|length| usize::try_from(length).ok());
    }
}

struct Reader<'a> {
    head: &'a [u8],
    /// The head is not cut by a limit.
    whole: bool,
    at: usize,
    /// Lines that ended in CRLF.
    crlfs: usize,
    limits: &'a Limits,
    index: &'a mut Index,
}

impl Reader<'_> {
    /// The end of the line that begins at `self.at`, without its line end, and where the next line begins.
    /// Without a line end both are the end of the octets.
    #[inline]
    fn line_end(&mut self) -> (usize, usize) {
        let rest = self.head.get(self.at..).unwrap_or_default();
        let Some(found) = memchr(b'\n', rest) else { return (self.head.len(), self.head.len()) };
        let next = self.at + found + 1;
        if let Some([.., b'\r']) = rest.get(..found) {
            self.crlfs += 1;
            return (next - 2, next);
        }
        self.index.lf_only = true;
        if !self.limits.lf_line_ends {
            self.index.note(Defect::LineEnd);
        }
        (next - 1, next)
    }

    /// CR anywhere but before LF, found by counting: that is cheaper than to look at each line for it.
    fn stray_cr(&mut self) {
        let head = self.head.get(..self.index.body).unwrap_or_default();
        if memchr_iter(b'\r', head).count() != self.crlfs {
            self.index.note(Defect::StrayCr);
        }
    }

    fn start_line(&mut self) -> Result<(), NotSip> {
        if self.head.first().is_some_and(|&octet| octet == 0x16 || octet >= 0x80) {
            return Err(NotSip::Tls);
        }
        let (end, next) = self.line_end();
        let line = self.head.get(..end).unwrap_or_default();
        if line.len() > self.limits.line {
            self.index.note(Defect::LineTooLong);
        }
        if starts_nocase(line, b"SIP/") {
            self.status_line(line);
        } else {
            self.request_line(line)?;
        }
        self.at = next;
        self.index.head_end = next;
        match &mut self.index.start {
            Start::Request { line_end, .. } | Start::Response { line_end, .. } => *line_end = short(next),
        }
        Ok(())
    }

    /// `SIP/2.0 200 OK`; the space before an empty reason may be missing, spaces in a reason are part of it.
    fn status_line(&mut self, line: &[u8]) {
        let (version, rest) = split(line, memchr(b' ', line).unwrap_or(line.len()));
        self.check_version(version);
        let rest = rest.get(1..).unwrap_or_default();
        let (code, reason) = split(rest, memchr(b' ', rest).unwrap_or(rest.len()));
        let code = match (code.len(), number(code)) {
            (3, Ok(code @ 100..=699)) => u16::try_from(code).unwrap_or_default(),
            _ => {
                self.index.note(Defect::StatusCode);
                0
            }
        };
        let reason_at = line.len() - reason.len().saturating_sub(1);
        self.index.start =
            Start::Response { code, reason: (short(reason_at), short(line.len())), line_end: 0 };
    }

    /// `INVITE sip:a@b SIP/2.0`; anything but one space at either side of the URI is a defect that still has an
    /// answer: where others see its parts is not known.
    fn request_line(&mut self, line: &[u8]) -> Result<(), NotSip> {
        let whole = line.len();
        let line = trim_end(line);
        if line.len() != whole {
            self.index.note(Defect::StartLine);
        }
        let version_at = line.iter().rposition(|&octet| is_lws(octet)).ok_or(NotSip::StartLine)? + 1;
        let (before, version) = split(line, version_at);
        if starts_nocase(version, b"HTTP/") || starts_nocase(line, b"HTTP/") {
            return Err(NotSip::Http);
        }
        if !starts_nocase(version, b"SIP/") {
            return Err(NotSip::StartLine);
        }
        self.check_version(version);
        let method_end = before.iter().position(|&octet| is_lws(octet)).unwrap_or(before.len());
        let (method, between) = split(before, method_end);
        if !is_token(method) {
            self.index.note(Defect::Method);
        }
        let uri = trim(between);
        let spaced = between.strip_prefix(b" ").and_then(|rest| rest.strip_suffix(b" "));
        if uri.is_empty() || spaced != Some(uri) {
            self.index.note(Defect::StartLine);
        }
        let uri_at = before.len() - trim_start(between).len();
        let uri = (short(uri_at), short(uri_at + uri.len()));
        self.index.start = Start::Request { method_end: short(method_end), uri, line_end: 0 };
        Ok(())
    }

    fn check_version(&mut self, version: &[u8]) {
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            self.index.note(Defect::Version);
        }
    }

    fn fields(&mut self) {
        loop {
            let (end, next) = self.line_end();
            if end == next {
                // The octets are over: whatever is left is no line.
                self.rest_of_head();
                return;
            }
            if end == self.at {
                self.index.head_end = end;
                self.index.body = next;
                return;
            }
            self.field(end, next);
            self.at = next;
            self.index.head_end = next;
        }
    }

    fn rest_of_head(&mut self) {
        self.index.note(if self.whole { Defect::HeadEnd } else { Defect::HeadTooLarge });
        if self.at < self.head.len() {
            self.field(self.head.len(), self.head.len());
        }
        self.index.head_end = self.head.len();
        self.index.body = self.head.len();
    }

    /// One line: a header, or the continuation of the one before.
    #[inline]
    fn field(&mut self, end: usize, next: usize) {
        let line = self.head.get(self.at..end).unwrap_or_default();
        if line.first().is_some_and(|octet| matches!(octet, b' ' | b'\t')) {
            self.fold(line, next);
            return;
        }
        if line.len() > self.limits.line {
            self.index.note(Defect::LineTooLong);
        }
        if self.index.fields.len() >= self.limits.headers.min(HEAD_MAX - 1) {
            self.index.note(Defect::TooManyHeaders);
            return;
        }
        let (name, value) = split(line, memchr(b':', line).unwrap_or_default());
        let name = trim_end(name);
        let id = HeaderId::from_name(name);
        let (mut name_len, mut value) = (name.len(), trim_start(value.get(1..).unwrap_or_default()));
        // A known name is a token.
        if id == HeaderId::Unknown && !is_token(name) {
            self.index.note(Defect::HeaderLine);
            (name_len, value) = (0, line);
        }
        if id == HeaderId::Via {
            self.index.vias += 1 + commas(value);
        }
        self.index.push(Field {
            id,
            start: short(self.at),
            name_end: short(self.at + name_len),
            value: short(end - value.len()),
            value_end: short(end),
            end: short(next),
        });
    }

    fn fold(&mut self, line: &[u8], next: usize) {
        let Some(field) = self.index.fields.last_mut() else {
            self.index.note(Defect::HeaderLine);
            return;
        };
        // Nothing but folds of headers beyond the limit comes between.
        if usize::from(field.end) != self.at {
            return;
        }
        field.value_end = short(self.at + line.len());
        field.end = short(next);
        if field.id == HeaderId::Via {
            self.index.vias += commas(line);
        }
        if usize::from(field.end - field.start) > self.limits.line {
            self.index.note(Defect::LineTooLong);
        }
    }
}

/// Usually there is none, so they are looked for one by one: counting them in one go takes longer to begin.
fn commas(octets: &[u8]) -> usize {
    memchr_iter(b',', octets).fold(0, |count, _| count + 1)
}

/// Offsets are within [`HEAD_MAX`].
fn short(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn starts_nocase(octets: &[u8], prefix: &[u8]) -> bool {
    octets.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn trim_end(mut octets: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}
